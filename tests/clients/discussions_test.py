"""Discussions and pull requests: by the npm client, by git, and as Python's client asks (huggingface_hub, hf_api.py and
community.py of August 2026: each body and query is one that its functions send, each answer is read as they read it)."""
import concurrent.futures
import datetime
import http.client
import json

from tests.clients import git_client


class Discussions(git_client.TestCase):
    def call(self, method, path, token=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
        # As httpx sends it.
        sent = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, sent, {**headers, **({"Content-Type": "application/json"} if sent else {})})
        answer = connection.getresponse()
        answer.content = answer.read()
        connection.close()
        return answer

    def assert_error(self, answer, status, words, code=None):
        self.assertEqual((answer.status, answer.getheader("X-Error-Code")), (status, code), answer.content)
        self.assertIn(words, json.loads(answer.content)["error"])

    def open(self, repo, title, token=None, pull=False, kind="models"):
        """create_discussion, create_pull_request."""
        words = f"{'Pull Request' if pull else 'Discussion'} opened with the [huggingface_hub Python library]"
        return self.api("POST", f"/api/{kind}/{repo}/discussions", token or self.ana,
                        {"title": title.strip(), "description": words, "pullRequest": pull})["num"]

    def details(self, repo, number, token=None, kind="models"):
        """get_discussion_details."""
        found = self.api("GET", f"/api/{kind}/{repo}/discussions/{number}?diff=1", token)
        for event in found["events"]:
            datetime.datetime.strptime(event["createdAt"], "%Y-%m-%dT%H:%M:%S.%fZ")
            event.get("author", {}).get("name", "deleted")
            if event["type"] == "comment":
                self.assertTrue({"edited", "hidden", "history"} <= event["data"].keys())
                self.assertTrue({"raw", "html", "updatedAt"} <= event["data"]["latest"].keys())
        if found["isPullRequest"]:
            self.assertIn("filesWithConflicts", found)
            self.assertTrue(found["changes"]["base"].startswith("refs/heads/"))
        return found

    def change(self, repo, number, resource, body=None, token=None):
        return self.api("POST", f"/api/models/{repo}/discussions/{number}/{resource}", token or self.ana, body)

    def list(self, repo, query=""):
        """get_repo_discussions: pages until all are there."""
        numbers, page = [], 0
        while True:
            found = self.api("GET", f"/api/models/{repo}/discussions?{query}p={page}")
            numbers += [d["num"] for d in found["discussions"]]
            if found["start"] + len(found["discussions"]) >= found["count"]:
                return numbers
            page += 1

    def propose(self, repo, files, token=None, branch="main", **header):
        """create_commit(create_pr=True): the number and the commit."""
        lines = [{"key": "header", "value": {"summary": "A proposal", "description": "", **header}}] + [
            {"key": "file", "value": {"path": path, "content": content}} for path, content in files.items()]
        done = self.api("POST", f"/api/models/{repo}/commit/{branch}?create_pr=1", token or self.ana, lines=lines)
        number = int(done["pullRequestUrl"].rsplit("/", 1)[1])
        self.assertEqual(done["pullRequestUrl"], f"{self.hub.url}/{repo}/discussions/{number}")
        return number, done["commitOid"]

    def commit_to(self, repo, number, files, token=None):
        lines = [{"key": "header", "value": {"summary": "more", "description": ""}}] + [
            {"key": "file", "value": {"path": path, "content": content}} for path, content in files.items()]
        return self.api("POST", f"/api/models/{repo}/commit/refs%2Fpr%2F{number}", token or self.ana, lines=lines)["commitOid"]

    # ---------------------------------------------------------------------------------- discussions

    def test_what_is_said(self):
        repo = self.make_repo("said")
        self.assertEqual(self.open(repo, " Test PR ! ", pull=True), 1)
        self.assertEqual(self.open(repo, "Test discussion", token=self.ben), 2)
        one = self.details(repo, 2)
        self.assertEqual((one["title"], one["author"]["name"], one["status"], one["isPullRequest"], one["repo"]),
                         ("Test discussion", "ben", "open", False, {"name": repo, "type": "model"}))
        self.assertEqual([event["type"] for event in one["events"]], ["comment"])

        text = "# Two lines\n\n<script>alert(1)</script> 💥"
        said = self.change(repo, 2, "comment", {"comment": text})["newMessage"]
        self.assertEqual(said["data"]["latest"]["raw"], text)
        self.assertNotIn("<script>", said["data"]["latest"]["html"])
        edited = self.change(repo, 2, f"comment/{said['id']}/edit", {"content": "**Edited** 🤗"})["updatedComment"]
        self.assertEqual(edited, self.details(repo, 2)["events"][1])
        self.assertEqual((edited["data"]["edited"], edited["data"]["latest"]["raw"]), (True, "**Edited** 🤗"))
        self.assertEqual([version["raw"] for version in edited["data"]["history"]], [text])
        self.assertEqual(edited["data"]["numEdits"], 1)
        self.assertNotIn("html", edited["data"]["history"][0])
        renamed = self.change(repo, 2, "title", {"title": "New title"})["newTitle"]
        self.assertEqual(renamed["data"], {"from": "Test discussion", "to": "New title"})
        closed = self.change(repo, 2, "status", {"status": "closed", "comment": "done"})["newStatus"]
        self.assertEqual((closed["type"], closed["data"]["status"]), ("status-change", "closed"))
        events = self.details(repo, 2)["events"]
        self.assertEqual([event["type"] for event in events],
                         ["comment", "comment", "title-change", "comment", "status-change"])
        self.assertEqual(events[-1], closed)
        hidden = self.change(repo, 2, f"comment/{said['id']}/hide")["updatedComment"]
        self.assertTrue(hidden["data"]["hidden"])
        self.assertNotIn("Edited", json.dumps(self.details(repo, 2)))
        self.assertNotIn("Two lines", json.dumps(self.details(repo, 2)))
        # A dataset has its own.
        self.api("POST", "/api/repos/create", self.ana, {"name": "said", "type": "dataset"})
        self.assertEqual(self.open(repo, "Words", kind="datasets"), 1)
        self.assertEqual(self.details(repo, 1, kind="datasets")["repo"]["type"], "dataset")

    def test_an_answer_is_bounded(self):
        repo = self.make_repo("bounded")
        number = self.open(repo, "Much")
        text = "*x*<" * (16 << 10)
        for _ in range(30):
            said = self.change(repo, number, "comment", {"comment": text})["newMessage"]
        refused = self.call("POST", f"/api/models/{repo}/discussions/{number}/comment", self.ana, {"comment": text})
        self.assert_error(refused, 413, "2000000 characters")
        events = self.details(repo, number)["events"]
        self.assertEqual([event["data"]["latest"]["raw"] for event in events[1:]], [text] * 30)
        shown = [event["data"]["latest"]["html"][:5] for event in events[1:]]
        self.assertEqual(shown, ["<p><e"] * 7 + ["<pre>"] * 23)
        # Who hides one has room again, and it can be closed in any case.
        self.change(repo, number, "status", {"status": "closed"})
        self.change(repo, number, f"comment/{said['id']}/hide")
        self.change(repo, number, "comment", {"comment": text})

    def test_lists(self):
        repo = self.make_repo("lists")
        for i in range(55):
            self.open(repo, f"{i}", pull=i == 7)
        self.assertEqual(self.list(repo), list(range(55, 0, -1)))
        self.assertEqual(self.list(repo, "type=pull_request&"), [8])
        self.assertEqual(len(self.list(repo, "type=discussion&")), 54)
        self.assertEqual(len(self.list(repo, "type=all&status=all&")), 55)
        self.change(repo, 3, "status", {"status": "closed"})
        self.assertEqual(self.list(repo, "status=closed&"), [3])
        self.assertIn(8, self.list(repo, "status=open&"))  # a draft is open
        self.assertEqual(self.list(repo, "author=unknown&"), [])
        self.assertEqual(len(self.list(repo, "author=ANA&")), 55)
        self.assertEqual(self.call("GET", f"/api/models/{repo}/discussions?type=x").status, 400)

    def test_who_may_do_what(self):
        repo = self.make_repo("rights")
        hers, his = self.open(repo, "hers"), self.open(repo, "his", token=self.ben)
        cleo = self.hub.make_writer("cleo")
        path = f"/api/models/{repo}/discussions"
        comment = self.change(repo, hers, "comment", {"comment": "his"}, token=self.ben)["newMessage"]["id"]
        for resource, body in (("title", {"title": "t"}), ("status", {"status": "closed"}), ("merge", None)):
            self.assertEqual(self.call("POST", f"{path}/{hers}/{resource}", self.ben, body).status, 403, resource)
        self.assert_error(self.call("POST", f"{path}/{hers}/comment/{comment}/edit", self.ana, {"content": "x"}), 403,
                          "by who wrote it")
        for resource in ("edit", "hide"):
            self.assertEqual(self.call("POST", f"{path}/{hers}/comment/{comment}/{resource}", cleo, {"content": "x"}).status, 403)
        self.change(repo, hers, f"comment/{comment}/hide", token=self.ana)  # by who may write here
        self.assert_error(self.call("POST", f"{path}/{hers}/comment/{comment}/edit", self.ben, {"content": "x"}), 409, "hidden")
        self.change(repo, his, "title", {"title": "still his"}, token=self.ben)
        self.change(repo, his, "status", {"status": "closed"}, token=self.ben)
        self.assert_error(self.call("POST", f"{path}/{his}/status", self.ben, {"status": "closed"}), 409, "is closed already")
        self.change(repo, his, "status", {"status": "open"}, token=self.ana)
        self.assertEqual(self.call("POST", path, None, {"title": "t", "description": "d"}).status, 401)

        # What is private is not there.
        self.api("PUT", f"/api/models/{repo}/settings", self.ana, {"private": True})
        for method, at, body in (("GET", path, None), ("GET", f"{path}/1", None), ("POST", path, {"title": "t"}),
                                 ("POST", f"{path}/{his}/comment", {"comment": "c"})):
            self.assert_error(self.call(method, at, self.ben, body), 404, "Repository not found", "RepoNotFound")
            self.assert_error(self.call(method, at, None, body), 401, "Repository not found", "RepoNotFound")
        self.assertEqual(self.details(repo, hers, self.ana)["title"], "hers")

    def test_gates_and_fine_grained_tokens(self):
        repo = self.make_repo("fine")
        path = f"/api/models/{repo}/discussions"
        number, _ = self.propose(repo, {"a.txt": "secret"})
        tokens = {right: self.hub.make_token("ben", "--name", right, "--role", "fine-grained", "--repo", f"{repo}={right}")
                  for right in ("read", "write")}
        body = {"title": "t", "description": "d"}
        self.assertEqual(self.call("POST", path, tokens["read"], body).status, 403)
        self.assertEqual(self.call("POST", path, tokens["write"], body).status, 200)
        self.make_repo("elsewhere")
        self.assertEqual(self.call("POST", "/api/models/ana/elsewhere/discussions", tokens["write"], body).status, 403)
        # What is said of a gated repository everybody sees; what is in its files, and to take part, is for who was let in.
        self.api("PUT", f"/api/models/{repo}/settings", self.ana, {"gated": "manual"})
        self.assertNotIn("diff", self.details(repo, number, self.ben))
        self.assertIn("+secret", self.details(repo, number, self.ana)["diff"])
        self.assert_error(self.call("POST", path, self.ben, body), 403, "is restricted", "GatedRepo")
        self.api("POST", f"/api/models/{repo}/user-access-request/grant", self.ana, {"user": "ben"})
        self.assertEqual(self.call("POST", path, self.ben, body).status, 200)
        self.assertIn("+secret", self.details(repo, number, self.ben)["diff"])

    def test_no_text_holds_a_nul(self):
        repo = self.make_repo("nul")
        for body in ({"title": "a\0b", "description": "c"}, {"title": "a", "description": "b\0c"}, {"title": "a", "b\0": "c"}):
            status, _, text = self.curl(f"/api/models/{repo}/discussions", self.ana, "-H", "Content-Type: application/json",
                                        "--data-binary", json.dumps(body))
            self.assertEqual(status, 400, text)
            self.assertIn("NUL", text)

    def test_limits(self):
        repo = self.make_repo("limits")
        path = f"/api/models/{repo}/discussions"
        for title in ("", "   ", "x" * 251, "two\nlines", None, 7):
            self.assert_error(self.call("POST", path, self.ana, {"title": title, "description": "d"}), 400, "a title is one line")
        for text in ("", " \n", "x" * 65_537, None):
            self.assert_error(self.call("POST", path, self.ana, {"title": "t", "description": text}), 400, "1 to 65536 bytes")
        self.assertEqual(self.list(repo), [])
        self.open(repo, "t")
        for number in ("0", "2", "-1", "x", "1x", "99999999999999999999"):
            self.assertEqual(self.call("GET", f"{path}/{number}").status, 404, number)
        self.assert_error(self.call("POST", f"{path}/1/status", self.ana, {"status": "merged"}), 400, "status is open or closed")
        self.assert_error(self.call("POST", f"{path}/1/merge", self.ana), 400, "is no pull request")
        self.assert_error(self.call("POST", f"{path}/1/comment/{'0' * 24}/edit", self.ana, {"content": "x"}), 404, "no comment")

    def test_moving_and_removing(self):
        repo = self.make_repo("moves")
        self.open(repo, "stays")
        number, commit = self.propose(repo, {"a.txt": "a"})
        self.api("POST", "/api/repos/move", self.ana, {"fromRepo": repo, "toRepo": "ana/moved", "type": "model"})
        answer = self.call("GET", f"/api/models/{repo}/discussions/1")
        self.assertEqual((answer.status, answer.getheader("Location")),
                         (307, "/api/models/ana/moved/discussions/1"))
        self.assertEqual(self.details("ana/moved", number)["events"][1]["data"]["oid"], commit)
        self.hub.admin("gc", "--grace", "1m", clock="+1h")
        self.assertEqual(self.call("GET", f"/ana/moved/resolve/refs%2Fpr%2F{number}/a.txt").content, b"a")
        self.hub.admin("fsck")
        self.api("DELETE", "/api/repos/delete", self.ana, {"name": "moved"})
        self.make_repo("moved")
        self.assertEqual(self.list("ana/moved"), [])
        self.assertEqual(self.open("ana/moved", "anew"), 1)

    # -------------------------------------------------------------------------------- pull requests

    def test_npm_client(self):
        self.node("discussions.mjs")

    def test_a_commit_that_proposes(self):
        repo = self.make_repo("proposes")
        first = self.api("GET", f"/api/models/{repo}")["sha"]
        preupload = {"files": [{"path": "a.txt", "size": 2, "sample": "aGk="}]}
        self.api("POST", f"/api/models/{repo}/preupload/main?create_pr=1", self.ben, preupload)
        number, commit = self.propose(repo, {"a.txt": "one\n"}, self.ben, description="why")
        pull = self.details(repo, number)
        self.assertEqual((pull["title"], pull["status"], pull["author"]["name"]), ("A proposal", "open", "ben"))
        self.assertEqual(pull["events"][0]["data"]["latest"]["raw"], "why")
        self.assertEqual([event["data"] for event in pull["events"][1:]], [{"subject": "A proposal", "oid": commit}])
        self.assertIn("+one\n", pull["diff"])
        self.assertEqual(pull["filesWithConflicts"], False)
        self.assertEqual(self.api("GET", f"/api/models/{repo}")["sha"], first)
        self.assertEqual(self.api("GET", f"/api/models/{repo}/revision/refs%2Fpr%2F1")["sha"], commit)
        self.assertEqual(self.call("GET", f"/{repo}/resolve/refs/pr/1/a.txt").content, b"one\n")
        self.assertEqual(len(self.api("GET", f"/api/models/{repo}/commits/refs%2Fpr%2F1")), 2)
        refs = self.api("GET", f"/api/models/{repo}/refs?include_prs=1")
        self.assertEqual(refs["pullRequests"], [{"name": "1", "ref": "refs/pr/1", "targetCommit": commit}])
        self.assertNotIn("pullRequests", self.api("GET", f"/api/models/{repo}/refs"))
        self.api("POST", f"/api/models/{repo}/tag/refs%2Fpr%2F1", self.ana, {"tag": "v0"})
        self.assertEqual(self.refs(repo), {"refs/heads/main": first, "refs/tags/v0": commit})

        # For another branch, from a parent of its own; but not for what is no branch.
        self.api("POST", f"/api/models/{repo}/branch/next", self.ana, {})
        self.commit(repo, {"later.txt": "x"})
        number, _ = self.propose(repo, {"b.txt": "b"}, branch="next", parentCommit=first)
        self.assertEqual(self.details(repo, number)["changes"], {"base": "refs/heads/next"})
        for revision in (first, "missing", "refs%2Fpr%2F1"):
            answer = self.call("POST", f"/api/models/{repo}/commit/{revision}?create_pr=1", self.ana,
                               {"key": "header", "value": {"summary": "s"}})
            self.assert_error(answer, 404, "Invalid rev id", "RevisionNotFound")
        self.assertEqual(self.list(repo), [2, 1])

        # The gate looks at what is proposed as at any other commit.
        pickle = "gASVHgAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAR0cnVllIWUUpQu"
        lines = [{"key": "header", "value": {"summary": "s"}},
                 {"key": "file", "value": {"path": "x.pkl", "content": pickle, "encoding": "base64"}}]
        answer = self.call("POST", f"/api/models/{repo}/commit/main?create_pr=1", self.ben, None)
        self.assertEqual(answer.status, 400)
        status, _, body = self.curl(f"/api/models/{repo}/commit/main?create_pr=1", self.ben, "-X", "POST", "--data-binary",
                                    "\n".join(map(json.dumps, lines)))
        self.assertEqual(status, 403, body)
        self.assertEqual(self.list(repo), [2, 1])

    def test_a_merge(self):
        repo = self.make_repo("merges")
        number = self.open(repo, "Test merge", token=self.ben, pull=True)
        path = f"/api/models/{repo}/discussions/{number}"
        self.assertEqual(self.details(repo, number)["status"], "draft")
        base = self.api("GET", f"/api/models/{repo}")["sha"]
        self.assertEqual(self.api("GET", f"/api/models/{repo}/revision/refs%2Fpr%2F{number}")["sha"], base)
        head = self.commit_to(repo, number, {"file.test": "Content\n"}, self.ben)
        later = self.commit(repo, {"other.txt": "meanwhile\n"})
        self.assert_error(self.call("POST", f"{path}/merge", self.ana), 409, "is a draft")
        self.change(repo, number, "status", {"status": "open"}, token=self.ben)
        self.assertEqual(self.call("POST", f"{path}/merge", self.ben).status, 403)
        self.change(repo, number, "merge", {"comment": "thanks"})
        pull = self.details(repo, number)
        self.assertEqual(pull["status"], "merged")
        merged = pull["changes"]["mergeCommitId"]
        self.assertEqual(self.api("GET", f"/api/models/{repo}")["sha"], merged)
        self.assertEqual([event["type"] for event in pull["events"]],
                         ["comment", "commit", "status-change", "comment", "status-change"])
        self.assertIn("+Content\n", pull["diff"])
        clone = self.clone(repo)
        self.assertEqual(self.git(clone, "log", "-1", "--format=%P%n%s%n%an").decode().split("\n")[:3],
                         [f"{later} {head}", "Test merge (#1)", "ana"])
        self.assertEqual(sorted(p.name for p in clone.iterdir() if p.name != ".git"),
                         [".gitattributes", "file.test", "other.txt"])
        self.assert_clean(repo)
        # Merged is for good.
        self.assert_error(self.call("POST", f"{path}/merge", self.ana), 409, "is merged")
        self.assert_error(self.call("POST", f"{path}/status", self.ana, {"status": "open"}), 409, "is merged already")
        answer = self.call("POST", f"/api/models/{repo}/commit/refs%2Fpr%2F{number}", self.ana, {"key": "header", "value": {}})
        self.assert_error(answer, 409, "is merged")

    def test_many_at_once(self):
        repo = self.make_repo("many")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda i: self.propose(repo, {f"{i}.txt": f"{i}\n"}, self.ben), range(8)))
        self.assertEqual(sorted(number for number, _ in made), list(range(1, 9)))
        refs = self.api("GET", f"/api/models/{repo}/refs?include_prs=1")["pullRequests"]
        self.assertEqual({ref["name"]: ref["targetCommit"] for ref in refs}, {str(n): commit for n, commit in made})

        def merge(number):
            return self.call("POST", f"/api/models/{repo}/discussions/{number}/merge", self.ana).status
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            same = list(pool.map(merge, [1] * 8))  # of one merge asked for many times
            others = list(pool.map(merge, range(2, 9)))
        # Whoever lost too often is told to try again, and may.
        self.assertEqual((same.count(200), set(same) - {200, 412}), (1, {409} & set(same)), same)
        self.assertLessEqual(set(others), {200, 412}, others)
        for number in (n for n, status in zip(range(2, 9), others) if status == 412):
            self.assertEqual(merge(number), 200)
        names = {entry["path"] for entry in self.api("GET", f"/api/models/{repo}/tree/main")}
        self.assertEqual(names, {".gitattributes"} | {f"{i}.txt" for i in range(8)})
        history = self.api("GET", f"/api/models/{repo}/commits/main")
        self.assertEqual(sum(commit["title"].startswith("A proposal (#") for commit in history), 8)
        self.assert_clean(repo)

    def test_conflicts(self):
        repo = self.make_repo("conflicts")
        self.commit(repo, {"a.txt": "one\n"})
        number, _ = self.propose(repo, {"a.txt": "his\n"}, self.ben)
        main = self.commit(repo, {"a.txt": "hers\n"})
        self.assertEqual(self.details(repo, number)["filesWithConflicts"], ["a.txt"])
        self.assert_error(self.call("POST", f"/api/models/{repo}/discussions/{number}/merge", self.ana), 409,
                          "conflicts with refs/heads/main in a.txt")
        self.assertEqual(self.api("GET", f"/api/models/{repo}")["sha"], main)
        self.assertEqual(self.details(repo, number)["status"], "open")
        # Its author mends it by git, as the Hub's documentation says.
        clone = self.clone(repo, token=self.ben)
        self.git(clone, "fetch", "-q", "origin", f"refs/pr/{number}:pr/{number}")
        self.git(clone, "checkout", "-q", f"pr/{number}")
        self.git(clone, "merge", "-q", "-X", "ours", "-m", "mend", "origin/main")
        self.git(clone, "push", "-q", "origin", f"pr/{number}:refs/pr/{number}")
        self.assertEqual(self.details(repo, number)["filesWithConflicts"], False)
        self.change(repo, number, "merge")
        self.assertEqual(self.call("GET", f"/{repo}/raw/main/a.txt").content, b"his\n")
        # Nothing to merge, and a branch that is gone.
        empty = self.open(repo, "empty", pull=True)
        self.change(repo, empty, "status", {"status": "open"})
        self.assert_error(self.call("POST", f"/api/models/{repo}/discussions/{empty}/merge", self.ana), 409, "has nothing that")
        self.api("POST", f"/api/models/{repo}/branch/next", self.ana, {})
        lost, _ = self.propose(repo, {"b.txt": "b"}, branch="next")
        self.api("DELETE", f"/api/models/{repo}/branch/next", self.ana)
        self.assert_error(self.call("POST", f"/api/models/{repo}/discussions/{lost}/merge", self.ana), 409, "is gone")
        self.assertEqual(self.details(repo, lost)["status"], "open")

    def test_git(self):
        repo = self.make_repo("git")
        number, commit = self.propose(repo, {"a.txt": "a\n"}, self.ben)
        hers, _ = self.propose(repo, {"b.txt": "b\n"}, self.ana)
        clone = self.clone(repo, token=self.ben)
        self.git(clone, "fetch", "-q", "origin", f"refs/pr/{number}")
        self.assertEqual(self.head(clone, "FETCH_HEAD"), commit)
        self.git(clone, "checkout", "-q", "FETCH_HEAD")
        head = self.write(clone, {"more.txt": "more\n"}, "by git")
        self.git(clone, "push", "-q", "origin", f"HEAD:refs/pr/{number}")
        self.assertEqual(self.details(repo, number)["events"][-1]["data"], {"subject": "by git", "oid": head})
        # Amended, and forced.
        self.git(clone, "commit", "-q", "--amend", "-m", "better")
        self.git(clone, "push", "-q", "origin", f"HEAD:refs/pr/{number}", expect=1)
        self.git(clone, "push", "-qf", "origin", f"HEAD:refs/pr/{number}")
        self.assertEqual([e["data"]["subject"] for e in self.details(repo, number)["events"] if e["type"] == "commit"],
                         ["A proposal", "better"])
        # No other ref is his.
        for ref, words in (("refs/heads/main", "refs/pr/N of a pull request that you opened"),
                           ("refs/heads/new", "refs/pr/N of a pull request that you opened"),
                           (f"refs/pr/{hers}", f"only who opened pull request {hers}"),
                           ("refs/pr/77", "there is no such pull request"), ("refs/pr/01", "refs/pr/N of a pull")):
            self.git(clone, "push", "-qf", "origin", f"HEAD:{ref}", expect=1)
            self.assertIn(words, self.told.replace("\n", " "))
        self.git(clone, "push", "-q", "origin", f":refs/pr/{number}", expect=1)
        self.assertIn("is not deleted; close it", self.told)
        before = self.api("GET", f"/api/models/{repo}/refs?include_prs=1")
        self.git(clone, "push", "-qf", "origin", f"HEAD~1:refs/pr/{number}", "HEAD:refs/heads/main", expect=1)
        self.assertEqual(self.api("GET", f"/api/models/{repo}/refs?include_prs=1"), before)
        # The hub's own rules hold there too.
        (clone / "link").symlink_to("a.txt")
        self.git(clone, "add", "-A")
        self.git(clone, "commit", "-qm", "a link")
        self.git(clone, "push", "-q", "origin", f"HEAD:refs/pr/{number}", expect=1)
        self.assertIn("link is a symbolic link", self.told)
        # Who may write to the repository may push to all of them; nobody to what is closed.
        other = self.clone(repo, token=self.ana)
        self.git(other, "fetch", "-q", "origin", f"refs/pr/{number}")
        self.git(other, "checkout", "-q", "FETCH_HEAD")
        self.write(other, {"hers.txt": "x"})
        self.git(other, "push", "-q", "origin", f"HEAD:refs/pr/{number}")
        self.change(repo, number, "status", {"status": "closed"})
        self.write(other, {"late.txt": "x"})
        self.git(other, "push", "-q", "origin", f"HEAD:refs/pr/{number}", expect=1)
        self.assertIn("is closed; open it again first", self.told)
        # With nothing of his own under way, he is told at once.
        self.git(clone, "push", "-q", "origin", "HEAD:refs/heads/main", expect=128)
        self.assertIn("403", self.told)
        self.assert_clean(repo)

    def test_git_lfs(self):
        repo = self.make_repo("lfs")
        number, _ = self.propose(repo, {"a.txt": "a\n"}, self.ben)
        clone = self.clone(repo, token=self.ben)
        self.git(clone, "lfs", "install", "--local")
        self.git(clone, "fetch", "-q", "origin", f"refs/pr/{number}")
        self.git(clone, "checkout", "-q", "FETCH_HEAD")
        content = bytes(range(256)) * 2000
        self.write(clone, {"w.bin": content})
        self.git(clone, "push", "-q", "origin", f"HEAD:refs/pr/{number}")
        self.assertEqual(self.call("GET", f"/{repo}/raw/refs%2Fpr%2F{number}/w.bin").content[:7], b"version")
        self.assertEqual(self.call("GET", f"/{repo}/resolve/refs%2Fpr%2F{number}/w.bin").content, content)
        # To a branch neither the content comes nor the commit.
        self.write(clone, {"v.bin": content[::-1]})
        self.git(clone, "push", "-q", "origin", "HEAD:refs/heads/main", expect=1)
        self.hub.admin("gc", "--grace", "1m", clock="+1h")
        self.change(repo, number, "merge")
        self.assertEqual(self.call("GET", f"/{repo}/resolve/main/w.bin").content, content)
        self.hub.admin("fsck")

    def test_squash(self):
        repo = self.make_repo("squash")
        number = self.open(repo, "Test super squash", token=self.ben, pull=True)
        self.commit_to(repo, number, {"a.txt": "1"}, self.ben)
        self.commit_to(repo, number, {"a.txt": "2"}, self.ben)
        body = {"message": f"Super-squash branch 'refs/pr/{number}' using huggingface_hub"}
        path = f"/api/models/{repo}/super-squash"
        self.assertEqual(self.call("POST", f"{path}/main", self.ben, body).status, 403)
        self.api("POST", f"{path}/refs%2Fpr%2F{number}", self.ben, body)
        self.assertEqual(len(self.api("GET", f"/api/models/{repo}/commits/refs%2Fpr%2F{number}")), 1)
        # Its branch squashed, it has no history in common with it, and still shows what it changes.
        self.api("POST", f"{path}/main", self.ana, {"message": "one"})
        self.assertIn("+2", self.details(repo, number)["diff"])


if __name__ == "__main__":
    git_client.main()
