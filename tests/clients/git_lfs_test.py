"""Debian's git-lfs, unmodified, sends a large file to a hub and gets it back. (git_push_test.py has it together with git.)"""
import hashlib
import random
import re
import urllib.request

from tests.clients import hub_process


class GitLfs(hub_process.TestCase):
    def checkout(self, name, token):
        """A repository whose LFS server is the hub's."""
        folder = self.folder / name
        self.git(self.folder, "init", "-q", folder)
        self.git(folder, "lfs", "install", "--local")
        address = self.hub.url.replace("http://", f"http://user:{token}@")
        self.git(folder, "remote", "add", "origin", f"{address}/ana/lfs.git")
        self.git(folder, "config", "lfs.url", f"{address}/ana/lfs.git/info/lfs")
        return folder

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api(cls, "POST", "/api/repos/create", cls.ana, {"name": "lfs"})

    def test_a_file_goes_up_and_comes_down(self):
        content = random.Random(1).randbytes(3_000_000)
        digest = hashlib.sha256(content).hexdigest()
        one = self.checkout("one", self.ana)
        pointer = self.git(one, "lfs", "clean", stdin=content)
        self.assertIn(digest.encode(), pointer)

        theirs = self.checkout("theirs", self.ben)
        self.git(theirs, "lfs", "clean", stdin=content)
        self.git(theirs, "lfs", "push", "--object-id", "origin", digest, expect=2)
        self.assertIn("user ben may not write to ana/lfs", self.told)  # git-lfs reads "message"
        self.git(one, "lfs", "push", "--object-id", "origin", digest)
        self.git(one, "lfs", "push", "--object-id", "origin", digest)  # it is here already
        other = self.checkout("other", self.ana)
        self.assertEqual(self.git(other, "lfs", "smudge", stdin=pointer), content)

        # What came by LFS is a file of the repository like any other, and in chunks.
        lines = [{"key": "header", "value": {"summary": "add"}},
                 {"key": "lfsFile", "value": {"path": "w.bin", "algo": "sha256", "oid": digest, "size": len(content)}}]
        self.api("POST", "/api/models/ana/lfs/commit/main", self.ana, lines=lines)
        entry, = [e for e in self.api("GET", "/api/models/ana/lfs/tree/main") if e["path"] == "w.bin"]
        self.assertEqual(entry["lfs"]["oid"], digest)
        self.assertRegex(entry["xetHash"], "^[0-9a-f]{64}$")

    def test_who_has_no_room_is_told_how_much_there_is(self):
        self.hub.admin("quota", "set", "ana", "700 kB")
        self.addCleanup(self.hub.admin, "quota", "set", "ana", "default")
        content = random.Random(2).randbytes(1_000_000)
        full = self.checkout("full", self.ana)
        self.git(full, "lfs", "clean", stdin=content)
        self.git(full, "lfs", "push", "--object-id", "origin", hashlib.sha256(content).hexdigest(), expect=2)
        self.assertIn("Storage limit reached", self.told)

    def test_waits_when_it_is_told_that_it_asks_too_often(self):
        config = self.folder / "limited.toml"
        config.write_text('[limits]\nexempt = []\ntoken_resolvers = 4\nwindow = "2s"\n')
        self.hub.stop()
        self.hub.config = config
        self.hub.start()
        self.api("POST", "/api/repos/create", self.ana, {"name": "many"})
        folder = self.folder / "many"
        self.git(self.folder, "clone", "-q", self.remote("ana/many", self.ana), folder)
        self.git(folder, "lfs", "install", "--local")
        contents = {f"{number}.bin": random.Random(number).randbytes(20_000) for number in range(9)}
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        self.git(folder, "add", "-A")
        self.git(folder, "commit", "-qm", "many")
        self.git(folder, "push", "-q")
        fetched = self.folder / "fetched"
        self.git(self.folder, "clone", "-q", self.remote("ana/many", self.ana), fetched)
        self.git(fetched, "lfs", "install", "--local")
        self.git(fetched, "lfs", "pull")
        self.assertEqual({name: (fetched / name).read_bytes() for name in contents}, contents)
        counted = urllib.request.urlopen(self.hub.url + "/metrics", timeout=30).read().decode()
        refused = re.search(r"^locara_hub_rate_limited_requests_total (\d+)$", counted, re.M)
        self.assertTrue(refused and int(refused[1]) > 0, "nothing had to wait")


if __name__ == "__main__":
    hub_process.main()
