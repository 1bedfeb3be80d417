"""Debian's git, unmodified, clones and fetches over HTTP; and bodies as odd clients send them."""
import gzip
import http.client
import random
import subprocess

from tests import harness
from tests.clients import git_client
from tests.clients.git_client import pkt


class Fetch(git_client.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        self = cls("api")
        cls.repo = self.make_repo("fetch")
        self.commit(cls.repo, {"a.txt": "one\n"})
        cls.head_id = self.commit(cls.repo, {"sub/b.txt": "two\n"})
        self.make_repo("data", kind="dataset")
        cls.secret = self.make_repo("secret", private=True)

    def test_every_protocol_and_spelling(self):
        for protocol in (0, 1, 2):
            for end in ("", ".git"):
                folder = self.clone(self.repo + end, protocol=protocol)
                self.assertEqual(self.head(folder), self.head_id)
                self.assertEqual((folder / "sub/b.txt").read_text(), "two\n")
        self.assertTrue((self.clone("datasets/ana/data") / ".gitattributes").exists())
        later = self.commit(self.repo, {"later.txt": "three\n"})
        self.git(folder, "pull", "-q")
        self.assertEqual(self.head(folder), later)
        type(self).head_id = later

    def test_shallow_and_partial(self):
        folder = self.clone(self.repo, "--depth=1")
        self.assertEqual(self.git(folder, "rev-list", "--count", "HEAD"), b"1\n")
        self.git(folder, "fetch", "-q", "--unshallow")
        self.assertGreaterEqual(int(self.git(folder, "rev-list", "--count", "HEAD")), 3)
        for protocol in (0, 2):
            folder = self.clone(self.repo, "--filter=blob:none", "--no-checkout", protocol=protocol)
            missing = self.git(folder, "rev-list", "--objects", "--missing=print", "HEAD").decode()
            self.assertIn("\n?", missing)
            self.git(folder, "checkout", "-q", protocol=protocol)  # fetches what it lacks, by id
            self.assertEqual((folder / "a.txt").read_text(), "one\n")
        self.clone(self.repo, "--filter=sparse:oid=main:a.txt", expect=128)
        self.assertIn("filter 'sparse:oid' not supported", self.told)

    def test_who_may_read(self):
        self.clone(self.secret, expect=128)
        self.assertIn("could not read Username", self.told)  # it was asked for a password
        self.clone(self.secret, token=self.ben, expect=128)
        self.assertIn("not found", self.told)
        self.clone(self.secret, token="hf_wrong", expect=128)
        self.assertIn("Authentication failed", self.told)
        self.clone(self.secret, token=self.ana)
        answer, body = self.post(f"/{self.secret}/git-upload-pack", b"0000")
        self.assertEqual((answer.status, answer.getheader("WWW-Authenticate")), (401, 'Basic realm="locara-hub"'))
        self.assertEqual(self.post(f"/{self.secret}/git-upload-pack", b"0000", token=self.ben)[0].status, 404)

    def test_bodies_as_clients_send_them(self):
        path, headers = f"/{self.repo}/git-upload-pack", {"Git-Protocol": "version=2"}
        body = pkt("command=ls-refs\n") + b"0001" + pkt("peel\n") + pkt("ref-prefix refs/\n") + b"0000"
        answer, plain = self.post(path, body, headers)
        self.assertEqual(answer.getheader("Content-Type"), "application/x-git-upload-pack-result")
        self.assertIn(self.head_id.encode() + b" refs/heads/main", plain)
        packed = {**headers, "Content-Encoding": "gzip"}
        self.assertEqual(self.post(path, gzip.compress(body), packed)[1], plain)
        self.assertEqual(self.post(path, gzip.compress(body), packed, chunked=True)[1], plain)
        self.assertEqual(self.post(path, gzip.compress(body)[:-4], packed)[0].status, 400)
        self.assertEqual(self.post(path, gzip.compress(bytes(40 << 20)), packed)[0].status, 413)
        told = subprocess.run(["curl", "-sv", "-H", "Expect: 100-continue", "-H", "Git-Protocol: version=2",
                               "--data-binary", "@-", self.hub.url + path], input=body, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)
        self.assertIn(b"100 Continue", told.stderr)
        self.assertEqual(told.stdout, plain)

    def test_what_the_hub_keeps_for_itself_is_not_listed(self):
        (self.git_folder(self.repo) / "refs/locara").mkdir()
        (self.git_folder(self.repo) / "refs/locara/pin").write_text(self.head_id + "\n")
        self.assertNotIn(b"locara", self.git(self.folder, "ls-remote", self.remote(self.repo)))

    def test_git_ends_with_its_client(self):
        repo = self.make_repo("long")
        folder = self.clone(repo, token=self.ana)
        self.write(folder, {f"{i}.txt": random.Random(i).randbytes(4_000_000).hex() for i in range(4)})
        self.git(folder, "push", "-q")
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=60)
        want = pkt(f"want {self.head(folder)} ofs-delta\n") + b"0000" + pkt("done\n")
        connection.request("POST", f"/{repo}/git-upload-pack", want)
        response = connection.getresponse()
        response.read(1000)

        def children():
            return subprocess.run(["pgrep", "-P", str(self.hub.process.pid), "git"], stdout=subprocess.PIPE).stdout.split()
        self.assertTrue(children())
        response.close()
        connection.close()
        harness.wait_for(lambda: not children(), "git to end with its client")


if __name__ == "__main__":
    git_client.main()
