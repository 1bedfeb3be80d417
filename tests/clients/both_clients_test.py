"""The npm package @huggingface/hub and our `locara` on one hub, both unmodified: what one of them uploads, the other one
downloads by chunks, with the same bytes and hashes."""
import hashlib
import json
import os
import random
import subprocess
import tempfile
import urllib.request

from tests import harness
from tests.clients import hub_process
from tests.harness import CountingProxy, weights


class BothClients(hub_process.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("ours", "theirs"):
            request = urllib.request.Request(f"{cls.hub.url}/api/repos/create", json.dumps({"name": name}).encode(),
                                             {"Authorization": f"Bearer {cls.ana}"})
            urllib.request.urlopen(request, timeout=20).close()

    def setUp(self):
        self.client = harness.Client(tempfile.mkdtemp(prefix="client-", dir=self.folder))
        self.client.environment["LOCARA_TOKEN"] = self.ana
        self.wire = CountingProxy(self.hub)
        self.addCleanup(self.wire.stop)

    def node(self, *arguments):
        done = subprocess.run(["node", harness.SOURCE / "tests/clients/transfer.mjs", *arguments], timeout=120, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, "HUB_URL": self.wire.url, "TOKEN": self.ana})
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def write(self, name, values):
        path = self.folder / name
        path.write_bytes(weights.gguf(values))
        return path

    def inspect(self, file):
        return self.client.json("xet", "inspect", file)

    def stored_hash(self, repo, path):
        """The Xet hash by which the hub has the file now."""
        with urllib.request.urlopen(f"{self.hub.url}/{repo}/resolve/main/{path}", timeout=20) as answer:
            return answer.headers["X-Xet-Hash"]

    def upload_ours(self, file):
        (done,) = self.client.json("upload", "ana/ours", file, "--endpoint", self.wire.url)["files"]
        return done

    def pull(self, repo, revision, file):
        """Our client's copy of the file, and the bytes on the wire for it."""
        found = self.inspect(file)
        manifest = self.folder / "manifest.json"
        manifest.write_text(weights.manifest(harness.MANIFEST, repo, revision, file.name, found["size"], found["sha256"]))
        self.wire.reset()
        self.client.run("pull", "--manifest", manifest, "--yes", "--endpoint", self.wire.url)
        store = self.client.home / "data/store/files"
        return (store / found["sha256"][:2] / found["sha256"]).read_bytes(), self.wire.total

    def agreeing_values(self, size):
        """Values of which both clients make the same chunks. The published chunker of the npm client cuts 8 of 100 random
        chunks too short (npm @huggingface/xetchunk-wasm 0.2.0, src/xet/test/data/README.md)."""
        for seed in range(20):
            values = weights.noise(seed, size)
            file = self.write("agreed.gguf", values)
            self.node("upload", "ana/theirs", file.name, str(file))
            if self.stored_hash("ana/theirs", file.name) == self.inspect(file)["file_hash"]:
                return values
        self.fail("the clients agree on the chunks of no file")

    def test_what_one_uploads_the_other_downloads(self):
        # Where both cut alike, all hashes are the same: of both uploads, of the hub, of `xet inspect`.
        values = self.agreeing_values(200_000)
        file = self.folder / "agreed.gguf"
        commit = self.node("upload", "ana/theirs", file.name, str(file))
        want = self.inspect(file)
        ours = self.upload_ours(file)
        self.assertEqual((ours["sha256"], ours["xet_hash"]), (want["sha256"], want["file_hash"]))
        for repo in ("ana/ours", "ana/theirs"):
            back = self.folder / "back"
            info = self.node("download", repo, file.name, str(back))
            self.assertEqual(back.read_bytes(), file.read_bytes())
            self.assertEqual((info["size"], info["etag"], info["xet"]["hash"]),
                             (want["size"], f'"{want["sha256"]}"', want["file_hash"]))
        pulled, _ = self.pull("ana/theirs", commit["oid"], file)
        self.assertEqual(hashlib.sha256(pulled).hexdigest(), want["sha256"])
        self.assertEqual(values, pulled[-len(values):])

    def test_theirs_comes_to_us_by_chunks(self):
        # Large enough that the clients cut differently: the bytes are the same all the same, and so are the chunks of an
        # update, but for those.
        old = weights.noise(50, 6 << 20)
        new = bytearray(old)
        at = random.Random(1).randrange(1 << 20, 5 << 20)
        new[at:at + 100] = bytes(100)
        first = self.node("upload", "ana/theirs", "large.gguf", str(file := self.write("large.gguf", old)))
        pulled, whole = self.pull("ana/theirs", first["oid"], file)
        self.assertEqual(pulled, file.read_bytes())
        self.assertGreater(whole, len(old))
        self.assertLess(whole, 1.01 * len(old) + (32 << 10))
        second = self.node("upload", "ana/theirs", "large.gguf", str(file := self.write("large.gguf", bytes(new))))
        pulled, update = self.pull("ana/theirs", second["oid"], file)
        self.assertEqual(pulled, file.read_bytes())
        self.assertEqual(self.inspect(file)["sha256"], hashlib.sha256(pulled).hexdigest())
        print(f"update of what the npm client uploaded: {update:,} of {len(new):,} bytes")
        self.assertLess(update, len(new) // 4)

    def test_ours_goes_to_them(self):
        file = self.write("ours.gguf", weights.noise(60, 6 << 20))
        ours = self.upload_ours(file)
        want = self.inspect(file)
        self.assertEqual((ours["sha256"], ours["xet_hash"]), (want["sha256"], want["file_hash"]))
        back = self.folder / "back"
        info = self.node("download", "ana/ours", file.name, str(back))
        self.assertEqual(back.read_bytes(), file.read_bytes())
        self.assertEqual((info["etag"], info["xet"]["hash"]), (f'"{want["sha256"]}"', want["file_hash"]))
        # They build on it: the npm client sends a copy with an edit, and we pull that.
        edited = bytearray(file.read_bytes())
        edited[3 << 20:(3 << 20) + 10] = b"0123456789"
        copy = self.folder / "copy.gguf"
        copy.write_bytes(edited)
        commit = self.node("upload", "ana/ours", "copy.gguf", str(copy))
        pulled, _ = self.pull("ana/ours", commit["oid"], copy)
        self.assertEqual(pulled, bytes(edited))


if __name__ == "__main__":
    hub_process.main()
