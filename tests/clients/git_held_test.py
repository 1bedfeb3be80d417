"""A small file that git itself holds, and that new signatures know: no git gets it any more, by whichever way, until a history
without it is there; and all is as before when the signature was wrong."""
from tests import harness
from tests.clients import git_client
from tests.harness.clamd import Clamd

BAD = b"the words that a new signature knows"
NOTHING = b"what no file of the test has in it"


class Held(git_client.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hub.stop()
        cls.clamd = Clamd(cls.folder / "clamd", NOTHING)
        cls.addClassCleanup(cls.clamd.stop)
        cls.hub.config = cls.folder / "hub.toml"
        cls.hub.config.write_text(f'[scanners]\nclamd = "{cls.clamd.socket}"\n')
        cls.hub.start()

    def status(self, repo, path):
        return self.curl(f"/{repo}/resolve/{path}")[0]

    def refused(self, *arguments, folder=None, name="notes.txt", **options):
        self.git(folder or self.folder, *arguments, expect=128, **options)
        self.assertIn(f"{name} was let in and is refused by now: ", self.told)
        self.assertIn("Locara.Test.New", self.told)
        self.assertIn("(antivirus.hit, malicious)", self.told)

    def test_what_new_signatures_know_is_given_to_no_git(self):
        repo, other = self.make_repo("held"), self.make_repo("other")
        old = self.commit(repo, {"a.txt": "fine\n", "sub/notes.txt": f"here are {BAD.decode()}\n"})
        self.commit(repo, {"a.txt": "better\n"})
        self.commit(other, {"a.txt": "fine\n"})
        mine = self.clone(repo)
        blob = self.head(mine, "HEAD:sub/notes.txt")

        self.clamd.learn(BAD)
        harness.wait_for(lambda: self.status(repo, "main/sub/notes.txt") == 403, "the file to be taken down", seconds=60)
        remote, empty = self.remote(repo), self.folder / "empty"
        self.git(self.folder, "init", "-q", empty)
        for protocol in (0, 1, 2):
            self.refused("clone", "-q", remote, self.folder / "not", protocol=protocol, name="sub/notes.txt")
            self.refused("fetch", "-q", remote, old, folder=empty, protocol=protocol, name="sub/notes.txt")
            self.refused("fetch", "-q", remote, blob, folder=empty, protocol=protocol, name=f"object {blob}")
        for part in ("--depth=1", "--filter=blob:none"):
            self.refused("clone", "-q", part, remote, self.folder / "not", name="sub/notes.txt")
        self.assertIn(b"refs/heads/main", self.git(self.folder, "ls-remote", remote))
        self.clone(other)

        # Its owner mends it by a push; what the history still has is still withheld.
        self.git(mine, "rm", "-q", "sub/notes.txt")
        self.git(mine, "commit", "-qm", "without it")
        self.git(mine, "push", "-q", self.remote(repo, self.ana), "HEAD:main")
        self.assertEqual(self.status(repo, "main/a.txt"), 200)
        self.refused("clone", "-q", remote, self.folder / "not", name="sub/notes.txt")
        self.api("POST", f"/api/models/{repo}/super-squash/main", self.ana, {})
        for protocol in (0, 2):
            fresh = self.clone(repo, protocol=protocol)
            self.assertEqual((fresh / "a.txt").read_text(), "better\n")
        self.refused("fetch", "-q", remote, old, folder=empty, name="sub/notes.txt")

        self.clamd.learn(NOTHING)
        harness.wait_for(lambda: self.status(repo, f"{old}/sub/notes.txt") == 200, "the file to be served again", seconds=60)
        self.git(empty, "fetch", "-q", remote, old)
        self.assertIn(BAD, self.git(empty, "show", "FETCH_HEAD:sub/notes.txt"))


if __name__ == "__main__":
    git_client.main()
