"""Large files in parts by Git LFS: by npm's client, by Debian's git-lfs with an agent, and where something goes wrong."""
import hashlib
import http.client
import json
import os
import sys
import urllib.parse
import urllib.request

from tests.clients import hub_process
from tests.harness import SOURCE

MIB = 1 << 20
SIZE = 40 * MIB


class LfsParts(hub_process.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.content = os.urandom(SIZE)
        cls.oid = hashlib.sha256(cls.content).hexdigest()

    def make(self, name):
        self.api("POST", "/api/repos/create", self.ana, {"name": name})

    def batch(self, name, oid, size, transfers=("basic", "multipart")):
        return self.api("POST", f"/ana/{name}.git/info/lfs/objects/batch", self.ana,
                        {"operation": "upload", "transfers": transfers, "hash_algo": "sha256",
                         "objects": [{"oid": oid, "size": size}]})

    def action(self, name, oid=None, size=SIZE):
        answer = self.batch(name, oid or self.oid, size)
        self.assertEqual(answer["transfer"], "multipart")
        return answer["objects"][0]["actions"]["upload"]

    def send(self, method, url, body=b""):
        """Status, ETag and text. What a URL permits needs no token."""
        place = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
        connection.request(method, f"{place.path}?{place.query}", body)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.getheader("ETag"), text

    def finish(self, action):
        return self.send("POST", action["href"], json.dumps({"oid": self.oid, "parts": []}).encode())

    def commit(self, name, oid=None):
        lines = [{"key": "header", "value": {"summary": "add", "description": ""}},
                 {"key": "lfsFile", "value": {"path": "w.bin", "algo": "sha256", "oid": oid or self.oid, "size": SIZE}}]
        return self.curl(f"/api/models/ana/{name}/commit/main", self.ana, "-H", "Content-Type: application/x-ndjson",
                         "--data-binary", "\n".join(map(json.dumps, lines)))[0]

    def test_npm_client(self):
        self.make("parts-js")
        self.node("lfs_parts.mjs")
        counted = urllib.request.urlopen(self.hub.url + "/metrics", timeout=30).read().decode()
        self.assertRegex(counted, r'objects/\{oid\}/parts/\{part\}",method="PUT",status="2xx"\} \d')

    def test_git_lfs(self):
        self.make("parts-git")
        folder = self.folder / "parts-git"
        self.git(self.folder, "clone", "-q", self.remote("ana/parts-git", self.ana), folder)
        self.git(folder, "lfs", "install", "--local")
        self.git(folder, "config", "lfs.customtransfer.multipart.path", sys.executable)
        self.git(folder, "config", "lfs.customtransfer.multipart.args", SOURCE / "tests/clients/lfs_parts_agent.py")
        (folder / "large.bin").write_bytes(self.content)
        (folder / "small.bin").write_bytes(b"small")
        self.git(folder, "add", "-A")
        self.git(folder, "commit", "-qm", "large")
        self.git(folder, "push", "-q")
        other = self.folder / "parts-other"
        self.git(self.folder, "clone", "-q", self.remote("ana/parts-git", self.ana), other)
        self.git(other, "lfs", "install", "--local")
        self.git(other, "lfs", "pull")
        self.assertEqual(hashlib.sha256((other / "large.bin").read_bytes()).hexdigest(), self.oid)
        self.assertEqual((other / "small.bin").read_bytes(), b"small")

    def test_who_gets_parts(self):
        self.make("plan")
        self.assertEqual(self.batch("plan", self.oid, SIZE, ["basic"])["transfer"], "basic")
        self.assertEqual(self.batch("plan", self.oid, 32 * MIB)["transfer"], "basic")
        self.assertEqual(self.batch("plan", self.oid, SIZE, ["basic", "multipart", "xet"])["transfer"], "xet")
        for size, part in ((SIZE, 16 * MIB), (48 * MIB, 16 * MIB), (100_000 * MIB + 1, 101 * MIB)):
            header = self.action("plan", size=size)["header"]
            self.assertEqual(int(header.pop("chunk_size")), part)
            self.assertEqual(sorted(map(int, header)), list(range(1, -(-size // part) + 1)))

    def test_parts_in_any_order_and_over_a_kill(self):
        self.make("order")
        header = self.action("order")["header"]
        parts = [self.content[at:at + 16 * MIB] for at in range(0, SIZE, 16 * MIB)]
        self.assertEqual(self.finish(self.action("order"))[0], 400, "nothing has come")
        self.assertEqual(self.send("PUT", header["00003"], parts[2])[:2],
                         (200, '"' + hashlib.sha256(parts[2]).hexdigest() + '"'))
        for wrong in (parts[2] + b"x", parts[2][:-1]):
            self.assertEqual(self.send("PUT", header["00003"], wrong)[0], 400)
        self.assertEqual(self.send("PUT", header["00001"], parts[0])[0], 200)
        self.assertEqual(self.send("PUT", header["00001"].replace("/parts/1", "/parts/4"))[0], 404)
        self.assertEqual(self.send("PUT", header["00001"].replace(self.oid, "0" * 64))[0], 403)
        status, _, text = self.finish(self.action("order"))
        self.assertEqual(status, 400)
        self.assertIn("part 2 of 3 has not come", text)
        self.hub.kill()
        self.hub.start()
        self.assertEqual(self.send("PUT", self.action("order")["header"]["00002"], parts[1])[0], 200)
        self.assertEqual(self.commit("order"), 400, "it does not count before the end")
        last = self.action("order")
        for _ in range(2):  # who has not heard the answer asks again
            self.assertEqual(self.finish(last)[0], 200)
        self.assertEqual(self.commit("order"), 200)
        self.assertNotIn("actions", self.batch("order", self.oid, SIZE)["objects"][0])
        self.hub.admin("fsck")

    def test_other_bytes_and_what_nobody_ends(self):
        self.make("wrong")
        action = self.action("wrong")
        parts = [self.content[at:at + 16 * MIB] for at in range(0, SIZE, 16 * MIB)]
        for number, part in enumerate((parts[1], parts[0], parts[2]), 1):
            self.assertEqual(self.send("PUT", action["header"][f"{number:05}"], part)[0], 200)
        status, _, text = self.finish(action)
        self.assertEqual(status, 400)
        self.assertIn("do not have sha256:" + self.oid, text)
        self.assertIn("no part of this file has come", self.finish(action)[2])

        self.send("PUT", action["header"]["00001"], parts[0])
        waiting = list(self.data.glob("repos/*/lfs-parts/" + self.oid))
        self.assertEqual(len(waiting), 1)
        self.hub.admin("gc")
        self.assertTrue(waiting[0].exists(), "it is young")
        report = json.loads(self.hub.admin("gc", "--json", clock="+25h"))
        self.assertGreaterEqual(report["freed_bytes"], 16 * MIB)
        self.assertFalse(waiting[0].exists())


if __name__ == "__main__":
    hub_process.main()
