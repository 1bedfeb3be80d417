"""The npm package @huggingface/hub, unmodified, uploads to a hub through Xet and downloads again."""
import hashlib
import json
import subprocess

from tests.clients import hub_process
from tests.clients.hub_process import VECTORS


class HuggingFaceJs(hub_process.TestCase):
    def fetch(self, path, *arguments, expect="200"):
        """Fetches with curl as a plain client does; the body."""
        target = self.folder / "curl.out"
        done = subprocess.run(["curl", "-sS", "-o", target, "-w", "%{http_code}", *arguments, self.hub.url + path],
                              text=True, stdout=subprocess.PIPE, timeout=60)
        self.assertEqual(done.stdout, expect)
        return target.read_bytes()

    def test_uploads_downloads_and_errors(self):
        expired = self.hub.make_token("ana", "--name", "expired", "--role", "write", "--expires", "1h", clock="-2h")
        printed = self.node("huggingface_js.mjs", EXPIRED=expired, FOLDER=str(self.folder))
        found = json.loads(printed.splitlines()[-1])
        content = (self.folder / "random.bin").read_bytes()

        # A small edit of 10 MiB costs the chunks that it touches.
        self.assertGreaterEqual(found["first"], len(content))
        self.assertGreater(found["edit"], 0)
        self.assertLess(found["edit"], 512 << 10)
        # What packs well is sent packed; what is here already is not sent.
        self.assertLess(found["compressible"], found["compressibleSize"] // 4)
        self.assertEqual(found["same"], 0)

        # The published chunker of this version cuts some chunks too short (npm @huggingface/xetchunk-wasm 0.2.0, see the
        # README of the vectors). Such a file has another Xet hash than it should have, and must work all the same.
        right = json.loads((VECTORS / "chunking.json").read_text())["sm1_10mib"]
        self.assertEqual(hashlib.sha256(content).hexdigest(), right["sha256"])
        self.assertNotEqual(found["hash"], right["file_hash"], "the chunker was mended: look for other input here")

        # A client that knows nothing of Xet.
        first = f"/ana/js/resolve/{found['firstCommit']}/random.bin"
        self.assertEqual(self.fetch(first), content)
        for begin, end in ((0, 1), (8127, 8129), (5 << 20, (5 << 20) + 300_000), (len(content) - 7, len(content))):
            part = self.fetch(first, "-H", f"Range: bytes={begin}-{end - 1}", expect="206")
            self.assertEqual(part, content[begin:end])
        self.assertEqual(self.fetch(first, "-r", "-5", expect="206"), content[-5:])
        self.fetch(first, "-r", f"{len(content)}-", expect="416")
        self.fetch("/ana/private/resolve/main/w.bin", expect="401")
        self.fetch("/ana/private/resolve/main/w.bin", "-H", f"Authorization: Bearer {self.ben}", expect="404")
        self.fetch("/ana/private/resolve/main/w.bin", "-H", f"Authorization: Bearer {self.ana}")


if __name__ == "__main__":
    hub_process.main()
