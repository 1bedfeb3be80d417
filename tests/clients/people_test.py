"""Organizations: who may do what in a shared namespace, by the npm client, by git with git-lfs, and by curl."""
import json

from tests.clients import hub_process

ROLES = ("admin", "write", "contributor", "read", "no_access")


class People(hub_process.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hub.admin("org", "create", "lab", "--full-name", "The Lab")
        cls.tokens = {}
        for role in ROLES:
            user = role.replace("_", "-")
            cls.tokens[role] = cls.hub.make_writer(user)
            cls.hub.admin("org", "add-member", "lab", user, "--role", role)

    def make(self, name, role="admin", **more):
        self.api("POST", "/api/repos/create", self.tokens[role], {"name": name, "organization": "lab", **more})

    def test_npm_client(self):
        self.node("people_js.mjs", BEN=self.ben, **{role.upper(): token for role, token in self.tokens.items()})

    def test_git(self):
        self.make("closed", private=True)
        for role, status in (("admin", 0), ("write", 0), ("contributor", 128), ("read", 128), ("no_access", None)):
            folder = self.folder / f"git-{role}"
            remote = self.remote("lab/closed", self.tokens[role])
            if status is None:  # It is not there for him.
                self.git(self.folder, "clone", "-q", remote, folder, expect=128)
                self.assertIn("not found", self.told)
                continue
            self.git(self.folder, "clone", "-q", remote, folder)
            (folder / f"{role}.txt").write_text(role)
            self.git(folder, "add", "-A")
            self.git(folder, "commit", "-qm", role)
            self.git(folder, "push", "-q", expect=status)
            if status:
                self.assertIn("403", self.told)
        names = [entry["path"] for entry in self.api("GET", "/api/models/lab/closed/tree/main", self.tokens["read"])]
        self.assertEqual(names, [".gitattributes", "admin.txt", "write.txt"])
        # A stranger cannot tell it from one that is not there, with a token or without.
        for token in (self.ben, None):
            self.git(self.folder, "ls-remote", self.remote("lab/closed", token), expect=128)
            told = self.told
            self.git(self.folder, "ls-remote", self.remote("lab/nothing", token), expect=128)
            self.assertEqual(told, self.told.replace("lab/nothing", "lab/closed"))

    def test_what_a_contributor_makes(self):
        self.make("mine", "contributor", private=True)
        folder = self.folder / "mine"
        self.git(self.folder, "clone", "-q", self.remote("lab/mine", self.tokens["contributor"]), folder)
        (folder / "a.txt").write_text("a")
        self.git(folder, "add", "-A")
        self.git(folder, "commit", "-qm", "a")
        self.git(folder, "push", "-q")
        self.assertEqual(self.curl("/lab/mine/resolve/main/a.txt", self.tokens["read"]), (200, "", "a"))
        self.assertEqual(self.curl("/lab/mine/resolve/main/a.txt", self.ben)[:2], (404, "RepoNotFound"))
        self.assertEqual(self.curl("/lab/mine/resolve/main/a.txt")[:2], (401, "RepoNotFound"))

    def test_roles_change_at_once(self):
        self.make("changing", private=True)
        path = "/api/models/lab/changing"
        token = self.hub.make_writer("carl")
        self.assertEqual(self.curl(path, token)[:2], (404, "RepoNotFound"))
        self.hub.admin("org", "add-member", "lab", "carl")
        self.assertEqual(self.curl(path, token)[0], 200)
        self.assertEqual(self.curl(path + "/auth-check/write", token)[0], 403)
        self.hub.admin("org", "set-role", "lab", "carl", "write")
        self.assertEqual(self.curl(path + "/auth-check/write", token)[0], 200)
        self.hub.admin("org", "remove-member", "lab", "carl")
        self.assertEqual(self.curl(path, token)[:2], (404, "RepoNotFound"))

    def test_members_see_what_each_repository_stores(self):
        self.make("stored", private=True)
        listed = {one["id"]: one for one in self.api("GET", "/api/organizations/lab/settings/repositories",
                                                   self.tokens["read"])}
        stored = listed["lab/stored"]
        self.assertEqual((stored["type"], stored["visibility"]), ("model", "private"))
        self.assertGreater(stored["storage"], 0)
        self.assertRegex(stored["updatedAt"], r"^\d{4}-\d\d-\d\dT")
        self.assertAlmostEqual(sum(one["storagePercent"] for one in listed.values()), 100, places=3)
        stranger = self.hub.make_writer("dora")
        self.assertEqual(self.curl("/api/organizations/lab/settings/repositories", stranger)[0], 403)
        self.assertEqual(self.curl("/api/settings/repositories")[0], 401)
        self.assertEqual(self.api("GET", "/api/settings/repositories", stranger), [])

    def test_commands(self):
        listed = json.loads(self.hub.admin("org", "list", "--json"))["organizations"]
        lab = next(one for one in listed if one["name"] == "lab")
        self.assertEqual((lab["full_name"], lab["default_visibility"]), ("The Lab", "public"))
        self.assertIn({"user": "read", "role": "read"}, lab["members"])
        self.assertIn("  contributor  contributor", self.hub.admin("org", "list"))
        self.hub.admin("org", "create", "LAB", expect=9)
        self.hub.admin("org", "create", "ana", expect=9)
        self.hub.admin("user", "add", "lab", expect=9)
        self.hub.admin("org", "add-member", "lab", "nobody", expect=3)
        self.hub.admin("org", "add-member", "none", "ana", expect=3)
        self.hub.admin("org", "add-member", "lab", "ana", "--role", "king", expect=2)
        self.hub.admin("token", "create", "--user", "lab", expect=3)
        self.hub.admin("org", "create", "short")
        self.hub.admin("org", "add-member", "short", "ana", "--role", "admin")
        self.api("POST", "/api/repos/create", self.ana, {"name": "short/x"})
        self.hub.admin("org", "set", "short", "--default-visibility", "private")
        self.assertIn("short  short  default private", self.hub.admin("org", "list"))
        self.hub.admin("org", "set", "short", "--default-visibility", "hidden", expect=2)
        self.hub.admin("org", "set", "nothing", "--default-visibility", "private", expect=3)
        for name, said, private in (("y", {}, True), ("z", {"private": False}, False), ("w", {"visibility": "public"}, False)):
            self.api("POST", "/api/repos/create", self.ana, {"name": f"short/{name}", **said})
            self.assertEqual(self.api("GET", f"/api/models/short/{name}", self.ana)["private"], private)
            self.api("DELETE", "/api/repos/delete", self.ana, {"name": f"short/{name}"})
        self.assertIn("private", self.hub.admin("repo", "create", "short/v"))
        self.hub.admin("repo", "rm", "short/v")
        self.assertIn("public", self.hub.admin("repo", "create", "short/v", "--public"))
        self.hub.admin("repo", "rm", "short/v")
        self.hub.admin("org", "rm", "short", expect=9)
        self.api("DELETE", "/api/repos/delete", self.ana, {"name": "short/x"})
        self.hub.admin("org", "rm", "short")
        self.assertEqual(self.api("GET", "/api/whoami-v2", self.ana)["orgs"], [])


if __name__ == "__main__":
    hub_process.main()
