"""Branches, tags, histories, moves and settings: by the npm client where it has a call, else as Python's client asks."""
import http.client
import json

from tests.clients import hub_process


class Refs(hub_process.TestCase):
    def call(self, method, path, token=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        answer.content = answer.read()
        connection.close()
        return answer

    def assert_error(self, answer, status, words, code=None):
        self.assertEqual((answer.status, answer.getheader("X-Error-Code")), (status, code), answer.content)
        self.assertIn(words, json.loads(answer.content)["error"])
        self.assertTrue(answer.getheader("X-Request-Id"))

    def make_repo(self, name, *summaries, **more):
        self.api("POST", "/api/repos/create", self.ana, {"name": name, **more})
        commits = [self.api("GET", f"/api/models/ana/{name}", self.ana)["sha"]]
        for summary in summaries:
            lines = [{"key": "header", "value": {"summary": summary, "description": "first\n\nsecond"}},
                     {"key": "file", "value": {"path": "a.txt", "content": summary + "\n"}}]
            commits.append(self.api("POST", f"/api/models/ana/{name}/commit/main", self.ana, lines=lines)["commitOid"])
        return f"/api/models/ana/{name}", commits

    def refs(self, repo):
        found = self.api("GET", repo + "/refs", self.ana)
        return {ref["ref"]: ref["targetCommit"] for ref in found["branches"] + found["tags"]}

    def test_an_app_is_a_space(self):
        self.api("POST", "/api/repos/create", self.ana, {"name": "notes", "type": "app"})
        self.assertEqual(self.api("GET", "/api/spaces/ana/notes")["id"], "ana/notes")

    def test_npm_client(self):
        self.node("refs_js.mjs")

    def test_tags(self):
        repo, commits = self.make_repo("tags", "one", "two")
        self.api("POST", f"{repo}/tag/main", self.ana, {"tag": "v2"})
        self.api("POST", f"{repo}/tag/{commits[1][:8]}", self.ana, {"tag": "v1", "message": "words"})
        self.assertEqual(self.refs(repo), {"refs/heads/main": commits[2], "refs/tags/v1": commits[1],
                                           "refs/tags/v2": commits[2]})
        listed = self.git(self.folder, "ls-remote", self.remote("ana/tags"), "refs/tags/v1*").decode()
        self.assertIn(commits[1] + "\trefs/tags/v1^{}", listed)  # an annotated one
        self.assert_error(self.call("POST", f"{repo}/tag/main", self.ana, {"tag": "v1"}), 409,
                          "Reference refs/tags/v1 already exists")
        self.assert_error(self.call("POST", f"{repo}/tag/main", self.ana, {"tag": "a b"}), 400, "is no name of a ref")
        # The revision is looked at before the name.
        self.assert_error(self.call("POST", f"{repo}/tag/nothing", self.ana, {"tag": "a b"}), 404,
                          "Invalid rev id: nothing", "RevisionNotFound")
        self.api("POST", f"{repo}/branch/v1", self.ana, {})  # a tag of this name is no clash
        self.api("DELETE", f"{repo}/branch/v1", self.ana)
        self.assert_error(self.call("DELETE", f"{repo}/branch/v2", self.ana), 404, "Invalid rev id: v2", "RevisionNotFound")
        self.assert_error(self.call("DELETE", f"{repo}/tag/main", self.ana), 404, "Invalid rev id: main", "RevisionNotFound")
        self.api("DELETE", f"{repo}/tag/v1", self.ana)
        self.assert_error(self.call("DELETE", f"{repo}/tag/v1", self.ana), 404, "Invalid rev id: v1", "RevisionNotFound")
        self.assertEqual(set(self.refs(repo)), {"refs/heads/main", "refs/tags/v2"})

    def test_branches(self):
        repo, commits = self.make_repo("heads", "one")
        self.api("POST", f"{repo}/branch/feat%2Fx", self.ana, {"startingPoint": commits[0]})
        self.api("POST", f"{repo}/branch/feat/y", self.ana)  # no body at all
        self.assertEqual(self.refs(repo), {"refs/heads/main": commits[1], "refs/heads/feat/x": commits[0],
                                           "refs/heads/feat/y": commits[1]})
        self.assert_error(self.call("POST", f"{repo}/branch/feat", self.ana, {}), 409, "in the way")
        for same in ("Main", "Feat%2FX", "FEAT"):  # on a file system that ignores case
            self.assert_error(self.call("POST", f"{repo}/branch/{same}", self.ana, {}), 409, "in the way")
        self.assert_error(self.call("POST", f"{repo}/branch/z", self.ana, {"startingPoint": "nothing"}), 404,
                          "Invalid rev id: nothing", "RevisionNotFound")
        for bad in ("a..b", "-x", "refs%2Fx", "a" * 40, "a%20b", "con"):
            self.assertEqual(self.call("POST", f"{repo}/branch/{bad}", self.ana, {}).status, 400, bad)
        self.assertEqual(self.call("POST", f"{repo}/branch/z", self.ben, {}).status, 403)
        self.assertEqual(self.call("POST", f"{repo}/branch/z", None, {}).status, 401)
        self.assertEqual(self.call("DELETE", f"{repo}/branch/feat%2Fx", self.ben).status, 403)

    def test_histories(self):
        repo, commits = self.make_repo("history", *map(str, range(6)))
        answer = self.call("GET", f"{repo}/commits/main?limit=4&expand[]=formatted")
        page = json.loads(answer.content)
        self.assertEqual([c["id"] for c in page], commits[:2:-1])
        self.assertEqual(answer.getheader("X-Total-Count"), "7")
        self.assertEqual(page[0]["message"], "first\n\nsecond")
        self.assertEqual(page[0]["formatted"], {"title": "5", "message": "first\n\nsecond"})
        self.assertEqual(page[0]["authors"], [{"user": "ana", "avatar": ""}])
        link = answer.getheader("Link")
        self.assertTrue(link.startswith(f"<{self.hub.url}{repo}/commits/main?") and link.endswith('>; rel="next"'), link)
        answer = self.call("GET", link[1:link.index(">")].removeprefix(self.hub.url))
        self.assertEqual([c["id"] for c in json.loads(answer.content)], commits[2::-1])
        self.assertIsNone(answer.getheader("Link"))
        self.assertNotIn("formatted", json.loads(self.call("GET", f"{repo}/commits/main").content)[0])
        self.assert_error(self.call("GET", f"{repo}/commits/nothing"), 404, "Invalid rev id: nothing", "RevisionNotFound")
        text = self.call("GET", f"{repo}/compare/{commits[1]}..main?raw=true").content.decode()
        self.assertIn("diff --git a/a.txt b/a.txt", text)
        self.assertIn("@@ -1 +1 @@\n-0\n+5\n", text)
        applied = self.folder / "applied"
        self.git(self.folder, "clone", "-q", self.remote("ana/history"), applied)
        self.git(applied, "checkout", "-q", commits[1])
        self.git(applied, "apply", "-", stdin=text.encode())  # it is a diff that git takes
        self.assertEqual((applied / "a.txt").read_text(), "5\n")
        self.assertEqual(self.call("GET", f"{repo}/compare/main").status, 400)

    def test_squash(self):
        repo, commits = self.make_repo("squash", "one", "two")
        self.api("POST", f"{repo}/branch/other", self.ana, {})
        made = self.api("POST", f"{repo}/super-squash/main", self.ana, {"message": "all of it"})["commitId"]
        history = self.api("GET", f"{repo}/commits/main")
        self.assertEqual([(c["id"], c["title"]) for c in history], [(made, "all of it")])
        self.assertEqual(len(self.api("GET", f"{repo}/commits/other")), 3)
        self.assertEqual(self.call("GET", "/ana/squash/raw/main/a.txt").content, b"two\n")
        self.assert_error(self.call("POST", f"{repo}/super-squash/nothing", self.ana, {}), 404, "Invalid rev id: nothing",
                          "RevisionNotFound")
        self.assertEqual(self.call("POST", f"{repo}/super-squash/main", self.ben, {}).status, 403)

    def test_moves(self):
        repo, commits = self.make_repo("old", "one", private=True)
        self.make_repo("taken")

        def move(source, target, token=self.ana):
            return self.call("POST", "/api/repos/move", token, {"fromRepo": source, "toRepo": target, "type": "model"})
        self.assertEqual(move("ana/old", "ana/new").status, 200)
        answer = self.call("GET", "/api/models/ana/old?blobs=true", self.ana)
        self.assertEqual((answer.status, answer.getheader("Location")),
                         (307, "/api/models/ana/new?blobs=true"))
        answer = self.call("GET", "/ana/old/resolve/main/a.txt", self.ana)
        self.assertEqual(answer.getheader("Location"), "/ana/new/resolve/main/a.txt")
        # Python's client asks by HEAD, and follows from there only what has no host.
        answer = self.call("HEAD", "/ana/old/resolve/main/a.txt", self.ana)
        self.assertEqual((answer.status, answer.getheader("Location")), (307, "/ana/new/resolve/main/a.txt"))
        self.assertEqual(self.api("GET", "/api/models/ana/old", self.ana)["id"], "ana/new")  # redirected
        # Nobody else hears of it.
        self.assert_error(self.call("GET", "/api/models/ana/old", self.ben), 404, "Repository not found", "RepoNotFound")
        self.assert_error(self.call("GET", "/api/models/ana/old"), 401, "Repository not found", "RepoNotFound")
        # git and git-lfs follow, with .git and without.
        for end in ("", ".git"):
            folder = self.folder / f"moved{end}"
            self.git(self.folder, "clone", "-q", self.remote("ana/old" + end, self.ana), folder)
            self.assertEqual(self.git(folder, "rev-parse", "HEAD").decode().strip(), commits[1])
        (folder / "b.txt").write_text("b")
        self.git(folder, "add", "-A")
        self.git(folder, "commit", "-qm", "b")
        self.git(folder, "push", "-q")
        self.assert_error(move("ana/new", "ana/taken"), 409, "A model repository called ana/taken already exists")
        self.assertEqual(move("ana/new", "ben/new").status, 403)
        self.assertEqual(move("ana/new", "ben/new", self.ben).status, 404)
        self.assertEqual(move("ana/taken", "ben/taken", self.ben).status, 403)
        self.assertEqual(move("ana/taken", "api/taken").status, 400)
        # A new repository under the old id is that from then on; and a way back is no detour.
        self.make_repo("old")
        self.assertEqual(self.api("GET", "/api/models/ana/old")["id"], "ana/old")
        self.assertEqual(move("ana/taken", "ana/Taken").status, 200)
        self.assertEqual(self.api("GET", "/api/models/ana/taken")["id"], "ana/Taken")

    def test_settings(self):
        repo, _ = self.make_repo("settings")
        for body, private in (({"private": True}, True), ({"visibility": "public"}, False), ({"visibility": "private"}, True)):
            self.assertEqual(self.api("PUT", f"{repo}/settings", self.ana, body), {"private": private, "gated": False})
            self.assertEqual(self.api("GET", repo, self.ana)["private"], private)
            self.assertEqual(self.call("GET", repo).status, 401 if private else 200)
        for gated in ("auto", "manual", False):
            self.assertEqual(self.api("PUT", f"{repo}/settings", self.ana, {"gated": gated}), {"private": True, "gated": gated})
            self.assertEqual(self.api("GET", repo, self.ana)["gated"], gated)
        self.assertEqual(self.call("PUT", f"{repo}/settings", self.ana, {"gated": "maybe"}).status, 400)
        self.assertEqual(self.call("PUT", f"{repo}/settings", self.ben, {"private": False}).status, 404)


if __name__ == "__main__":
    hub_process.main()
