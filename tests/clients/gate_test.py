"""Gated repositories and fine-grained tokens: by the npm client, curl, git and git-lfs."""
import json
import os

from tests.clients import hub_process


class Gate(hub_process.TestCase):
    def make(self, name, **more):
        self.api("POST", "/api/repos/create", self.ana, {"name": name, **more})

    def clone(self, path, folder, token, **options):
        """With large files, which git-lfs fetches while git checks out."""
        return self.git(self.folder, "-c", "filter.lfs.process=git-lfs filter-process", "-c", "filter.lfs.required=true",
                        "-c", "filter.lfs.smudge=git-lfs smudge -- %f", "clone", "-q", self.remote(path, token),
                        self.folder / folder, **options)

    def test_npm_client(self):
        self.make("js")
        self.node("gate_js.mjs")

    def test_fine_grained_npm_client(self):
        self.make("one", private=True)
        self.make("two", private=True)
        token = self.hub.make_token("ana", "--name", "js", "--role", "fine-grained", "--repo", "ana/one=write")
        self.node("scope_js.mjs", TOKEN=token)

    def test_git_and_lfs(self):
        self.make("weights")
        folder = self.folder / "source"
        self.git(self.folder, "clone", "-q", self.remote("ana/weights", self.ana), folder)
        self.git(folder, "lfs", "install", "--local")
        (folder / "model.bin").write_bytes(os.urandom(200_000))
        self.git(folder, "add", "-A")
        self.git(folder, "commit", "-qm", "weights")
        self.git(folder, "push", "-q")
        self.api("PUT", "/api/models/ana/weights/settings", self.ana, {"gated": "manual"})
        self.clone("ana/weights", "ben-1", self.ben, expect=128)
        self.assertIn("403", self.told)
        self.clone("ana/weights", "nobody", None, expect=128)
        self.assertIn("could not read Username", self.told)  # it asks for a token
        self.assertEqual(self.curl("/ana/weights/ask-access", self.ben, "-d", "Company=ACME")[::2],
                         (200, '{"status":"pending"}'))
        self.clone("ana/weights", "ben-2", self.ben, expect=128)
        decide = ("-H", "Content-Type: application/json", "-d", '{"user":"ben","status":"accepted"}')
        path = "/api/models/ana/weights/user-access-request/handle"
        self.assertEqual(self.curl(path, self.ben, *decide)[0], 403)
        self.assertEqual(self.curl(path, self.ana, *decide)[0], 200)
        self.clone("ana/weights", "ben-3", self.ben)
        self.assertEqual((self.folder / "ben-3/model.bin").read_bytes(), (folder / "model.bin").read_bytes())
        self.assertIn('"ben","ben","ben@users.noreply.locara.dev","accepted"',
                      self.curl("/ana/weights/user-access-report", self.ana)[2])
        # To read is not to write.
        self.git(self.folder / "ben-3", "commit", "-q", "--allow-empty", "-m", "mine")
        self.git(self.folder / "ben-3", "push", "-q", expect=128)
        self.assertIn("403", self.told)

    def test_scoped_git(self):
        self.make("mine", private=True)
        self.make("rest", private=True)
        tokens = {right: self.hub.make_token("ana", "--name", right, "--role", "fine-grained", "--repo", f"ana/mine={right}")
                  for right in ("read", "write")}
        for right, token in tokens.items():
            folder = self.folder / f"scoped-{right}"
            self.git(self.folder, "clone", "-q", self.remote("ana/mine", token), folder)
            (folder / "a.txt").write_text(right)
            self.git(folder, "add", "-A")
            self.git(folder, "commit", "-qm", right)
            self.git(folder, "push", "-q", expect=0 if right == "write" else 128)
            self.git(self.folder, "ls-remote", self.remote("ana/rest", token), expect=128)
            self.assertIn("not found", self.told)
        self.assertIn("  write  model ana/mine", self.hub.admin("token", "list"))
        self.hub.admin("token", "create", "--user", "ana", "--name", "x", "--role", "fine-grained", expect=2)
        self.hub.admin("token", "create", "--user", "ana", "--name", "x", "--repo", "ana/mine", expect=2)
        self.hub.admin("token", "create", "--user", "ana", "--name", "x", "--role", "fine-grained", "--repo", "ana/none",
                       expect=3)
        revoke = ("-H", "Content-Type: application/json", "-d", json.dumps({"credentials": list(tokens.values())}))
        self.assertEqual(self.curl("/api/credentials/revoke", None, *revoke)[0], 202)
        for token in tokens.values():
            self.assertEqual(self.curl("/api/whoami-v2", token)[0], 401)


if __name__ == "__main__":
    hub_process.main()
