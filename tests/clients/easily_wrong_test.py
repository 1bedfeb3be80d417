"""What servers of this protocol get wrong easily, and what the Python client's own tests ask for, where no other test has it:
requests as huggingface_hub 1.29 and npm @huggingface/hub send them."""
import json
import unittest

from tests.clients import git_client, hub_process
from tests.clients.raw_protocol_test import FILES, SHARD, XORB, XORB_HASH
from tests.harness import SOURCE
from tests.harness.mirror import blob_id, call, publish, sha256

# What the clients' own suites assert of a server, and the test here that would fail if this hub did otherwise. Not served, and
# so without a test: webhooks, likes, followers, duplicates of repositories.
EASILY, REPLAYED, GATE = "tests/clients/easily_wrong_test.py", "tests/clients/replayed_test.py", "src/hub/test/gate_test.cpp"
SPECS = "tests/clients/specs_test.py"  # the npm client's own tests
RULES = {
    "errors carry X-Request-Id": (REPLAYED, "test_downloading"),
    "a private repository is not there for others": ("src/hub/test/api_test.cpp", "hides_a_private_repository_from_all_but_its_owner"),
    "lists show what the caller may see": ("src/hub/test/access_test.cpp", "lists_what_the_caller_may_see_and_counts_no_more"),
    "ids in any case, answers in the maker's": (EASILY, "test_an_id_in_another_case_is_the_same_repository"),
    "an organization's default visibility": ("src/hub/test/visibility_test.cpp", "an_organization_makes_what_is_new_in_it_private"),
    "no move onto what is there": ("tests/clients/refs_test.py", "test_moves"),
    "a renamed repository by its old id": (REPLAYED, "test_settings_and_moves"),
    "settings are read back": (REPLAYED, "test_settings_and_moves"),
    ".gitignore, of the repository and of the request": (EASILY, "test_a_repositorys_own_gitignore_is_heeded"),
    "bad paths are 422": ("tests/clients/raw_protocol_test.py", "test_a_commit_is_refused_as_a_whole_for_one_bad_line"),
    "a parent that is behind is 412": ("tests/clients/huggingface_js.mjs", "branch was updated"),
    "create_pr wants a branch": ("tests/clients/discussions_test.py", "test_a_commit_that_proposes"),
    "a new pull request is usable at once": ("tests/clients/discussions_test.py", "test_a_merge"),
    "nothing new, no commit": (REPLAYED, "test_making_uploading_and_removing"),
    "lastCommit of each file": ("tests/clients/huggingface_js.mjs", "lastCommit.id"),
    "cards: warnings and errors": ("tests/clients/cards_test.py", "test_a_card_that_cannot_be_read_is_told_and_says_nothing"),
    "an empty file is regular": (EASILY, "test_an_empty_file_is_regular_whatever_its_name"),
    "tags": ("tests/clients/refs_test.py", "test_tags"),
    "branches": ("tests/clients/refs_test.py", "test_branches"),
    "squash of a branch and of a pull request": (EASILY, "test_a_squashed_pull_request_leaves_all_branches_as_they_are"),
    "histories": ("tests/clients/refs_test.py", "test_histories"),
    "discussions: numbers, events, titles": ("tests/clients/discussions_test.py", "test_what_is_said"),
    "discussions: lists": ("tests/clients/discussions_test.py", "test_lists"),
    "a draft is opened before it is merged": (REPLAYED, "test_discussions_and_pull_requests"),
    "collections: slugs, positions, nesting": ("tests/clients/collections_test.py", "test_both_clients"),
    "collections: private ones, items that are not there": ("tests/clients/collections.mjs", "hidden.slug, ben"),
    "an access request that is so already": (EASILY, "test_a_decision_that_stands_already_is_an_error"),
    "no mail address of whom nobody asked": (GATE, "grants_access_that_nobody_asked_for_and_ends_it_in_time"),
    "gated: auth-check, the words of the refusal": (REPLAYED, "test_access"),
    "gated: an owner reads": (GATE, "shows_a_gated_repository_and_keeps_its_files_for_those_let_in"),
    "whoami names organizations": ("tests/clients/people_js.mjs", "me.orgs"),
    "buckets: who may see one": ("tests/clients/buckets_test.py", "test_what_python_asks"),
    "buckets: one segment, four files with mtime": (EASILY, "test_a_bucket_lists_what_lies_deeper_unless_told_otherwise"),
    "files of a new repository are there at once": (SPECS, "EXPECTED"),
    "raw of a large file is its pointer": (EASILY, "test_raw_of_a_large_file_is_its_pointer"),
    "progress is the same by LFS and by Xet": (SPECS, "EXPECTED"),
}


class Rules(unittest.TestCase):
    def test_each_rule_of_the_clients_has_its_test(self):
        lost = [rule for rule, (file, name) in RULES.items() if name not in (SOURCE / file).read_text()]
        self.assertEqual(lost, [])


class EasilyWrong(git_client.TestCase):
    def test_a_clash_of_titles_names_the_collection_that_is_there(self):
        made = self.api("POST", "/api/collections", self.ana, {"title": "My shelf", "namespace": "ana"})
        for method, path, body in (
                ("POST", "/api/collections", {"title": "My shelf", "namespace": "ana", "description": "again"}),
                ("POST", "/api/collections", {"title": "My shelf"})):
            answer = call(self.hub, method, path, self.ana, body)
            self.assertEqual((answer.status, answer.json()["slug"]), (409, made["slug"]), answer.body)
            self.assertIn("already", answer.json()["error"])
        # The same by a new title for another one; who reads `slug` finds the first.
        other = self.api("POST", "/api/collections", self.ana, {"title": "Other"})
        answer = call(self.hub, "PATCH", f"/api/collections/{other['slug']}", self.ana, {"title": "My shelf"})
        self.assertEqual((answer.status, answer.json()["slug"]), (409, made["slug"]), answer.body)
        self.assertEqual(self.api("GET", f"/api/collections/{answer.json()['slug']}")["title"], "My shelf")

    def test_the_revision_none_gives_a_token_that_writes(self):
        repo = self.make_repo("none")
        for path in (f"/api/models/{repo}/xet-write-token/None", f"/api/models/{repo}/xet-write-token/None?create_pr=1"):
            token = self.api("GET", path, self.ana)
            self.assertEqual(token["casUrl"], f"{self.hub.url}/cas")
            answer = call(self.hub, "POST", f"/cas/v1/xorbs/default/{XORB_HASH}", token["accessToken"], XORB)
            self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(call(self.hub, "GET", f"/api/models/{repo}/xet-write-token/None", self.ben).status, 403)

    def test_a_page_of_a_tree_has_a_thousand_entries(self):
        """llama.cpp reads the first page only."""
        repo = self.make_repo("many")
        folders = [f"{i:04}" for i in range(1003)]
        self.commit(repo, {f"{folder}/x.txt": "x\n" for folder in folders})  # the gate looks once at what is the same
        all_ = sorted([".gitattributes", *folders, *(f"{folder}/x.txt" for folder in folders)])
        for query, expected, size in (("recursive=true", all_, 1000), ("", [".gitattributes", *folders], 1000),
                                      ("recursive=true&expand=false", all_, 1000), ("expand=true", [".gitattributes", *folders], 100)):
            path, seen, pages = f"/api/models/{repo}/tree/main?{query}", [], []
            while path:
                answer = call(self.hub, "GET", path)
                page = [entry["path"] for entry in answer.json()]
                seen += page
                pages.append(len(page))
                link = answer.headers.get("Link")
                self.assertTrue(link is None or link.startswith(f"<{self.hub.url}/api/") and link.endswith('>; rel="next"'), link)
                path = link and link[1 + len(self.hub.url):link.index(">")]
            self.assertEqual(sorted(seen), expected)
            self.assertEqual(pages, [size] * (len(expected) // size) + [len(expected) % size], query)

    def upload(self, bucket):
        """The sample file of the Xet tests, into a bucket; its hash."""
        token = self.api("GET", f"/api/buckets/{bucket}/xet-write-token", self.ana)["accessToken"]
        for path, body in ((f"/cas/v1/xorbs/default/{XORB_HASH}", XORB), ("/cas/v1/shards", SHARD)):
            self.assertEqual(call(self.hub, "POST", path, token, body).status, 200)
        return FILES["random.bin"]["file_hash"]

    def test_a_bucket_lists_what_lies_deeper_unless_told_otherwise(self):
        self.api("POST", "/api/buckets/ana/store", self.ana, {})
        hash_ = self.upload("ana/store")
        paths = ["binary.bin", "file.txt", "sub/binary.bin", "sub/file.txt"]
        lines = [{"type": "addFile", "path": path, "xetHash": hash_, "mtime": 1764000000000 + i} for i, path in enumerate(paths)]
        done = self.api("POST", "/api/buckets/ana/store/batch", self.ana, lines=lines)
        self.assertEqual((done["success"], done["succeeded"]), (True, 4))
        found = self.api("GET", "/api/buckets/ana/store/tree")
        self.assertEqual([(entry["type"], entry["path"]) for entry in found], [("file", path) for path in paths])
        for i, entry in enumerate(found):
            self.assertEqual((entry["size"], entry["xetHash"]), (FILES["random.bin"]["size"], hash_))
            self.assertEqual(entry["mtime"], f"2025-11-24T16:00:00.{i:03}Z")
        self.assertEqual(self.api("GET", "/api/buckets/ana/store/tree?recursive=true"), found)
        self.assertEqual([entry["path"] for entry in self.api("GET", "/api/buckets/ana/store/tree?recursive=false")],
                         ["binary.bin", "file.txt", "sub"])
        # One part is no bucket's id, whatever it names.
        for part in ("nobody", "ana", "store"):
            answer = call(self.hub, "DELETE", f"/api/buckets/{part}", self.ana)
            self.assertEqual((answer.status, answer.headers["X-Error-Code"]), (404, "RepoNotFound"), answer.body)
        self.assertEqual(call(self.hub, "DELETE", "/api/buckets/ana").status, 401)
        self.assertEqual(call(self.hub, "GET", "/api/buckets/nobody", self.ana).status, 404)
        self.assertEqual(len(self.api("GET", "/api/buckets/ana/store/tree")), 4)

    def test_an_app_says_that_it_does_not_run_here(self):
        self.api("POST", "/api/repos/create", self.ana, {"name": "form", "type": "space", "sdk": "static"})
        self.assertEqual(self.api("GET", "/api/spaces/ana/form/runtime")["stage"], "STOPPED")
        self.assertEqual(call(self.hub, "GET", "/api/spaces/ana/none/runtime", self.ana).status, 404)

    def test_an_author_who_is_gone_is_left_out_and_not_null(self):
        zed = self.hub.make_writer("zed")
        repo = self.make_repo("orphans")
        self.api("POST", f"/api/models/{repo}/discussions", zed, {"title": "Hi", "description": "there", "pullRequest": False})
        path = f"/api/models/{repo}/discussions"
        self.assertEqual(self.api("GET", f"{path}/1?diff=1")["author"]["name"], "zed")
        self.hub.admin("user", "rm", "zed")
        one = self.api("GET", f"{path}/1?diff=1")
        self.assertEqual([event["type"] for event in one["events"]], ["comment"])
        self.assertEqual(one["events"][0]["data"]["latest"]["raw"], "there")
        self.assertNotIn('"author"', json.dumps(one))
        self.assertNotIn('"author"', json.dumps(self.api("GET", f"{path}?p=0")))

    # ------------------------------------------------------------- what huggingface_hub's tests pin down

    def test_an_id_in_another_case_is_the_same_repository(self):
        repo = self.make_repo("Mixed")
        self.assertEqual(repo, "ana/Mixed")
        self.commit(repo, {"a.txt": "a"})
        for other in ("ANA/mixed", "ana/MIXED"):
            self.assertEqual(self.api("GET", f"/api/models/{other}")["id"], repo)
            self.assertEqual(call(self.hub, "GET", f"/{other}/resolve/main/a.txt").body, b"a")
            again = call(self.hub, "POST", "/api/repos/create", self.ana, {"name": other.split("/")[1]})
            self.assertEqual((again.status, again.json()["url"]), (409, f"{self.hub.url}/{repo}"))
        self.assertEqual([one["id"] for one in self.api("GET", "/api/models?author=ANA&search=mixed")], [repo])
        self.assertEqual(call(self.hub, "GET", "/ana/Mixed/resolve/main/A.txt").status, 404)  # paths are what they are

    def test_a_decision_that_stands_already_is_an_error(self):
        repo = self.make_repo("gated")
        self.api("PUT", f"/api/models/{repo}/settings", self.ana, {"gated": "manual"})
        decide = lambda status: call(self.hub, "POST", f"/api/models/{repo}/user-access-request/handle", self.ana,
                                     {"user": "ben", "status": status})
        self.assertEqual(decide("accepted").status, 404)  # nobody asked
        self.assertEqual(call(self.hub, "POST", f"/{repo}/ask-access", self.ben, "").status, 200)
        for status in ("pending", "accepted", "rejected"):
            if status != "pending":  # it is, since he asked
                self.assertEqual(decide(status).status, 200)
            answer = decide(status)
            self.assertEqual(answer.status, 404, status)
            self.assertIn(f"is {status} already", answer.json()["error"])
            self.assertEqual([one["user"]["user"] for one in
                              self.api("GET", f"/api/models/{repo}/user-access-request/{status}", self.ana)], ["ben"])

    def test_raw_of_a_large_file_is_its_pointer(self):
        content = bytes(range(256)) * 20
        publish(self.hub, self.ana, "ana/pointer", {"w.bin": content})
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(content)}\nsize {len(content)}\n".encode()
        answer = call(self.hub, "GET", "/ana/pointer/raw/main/w.bin")
        self.assertEqual((answer.status, answer.body), (200, pointer))
        self.assertEqual(answer.headers["ETag"].strip('"'), blob_id(pointer))
        self.assertEqual(call(self.hub, "GET", "/ana/pointer/resolve/main/w.bin").body, content)

    def test_a_repositorys_own_gitignore_is_heeded(self):
        repo = self.make_repo("ignores")
        files = [{"path": path, "size": 2, "sample": "aGk="} for path in ("a.log", "keep.log", "tmp/x.txt", "a.txt")]

        def ignored(**more):
            answer = self.api("POST", f"/api/models/{repo}/preupload/main", self.ana, {"files": files, **more})
            return [file["path"] for file in answer["files"] if file["shouldIgnore"]]
        self.assertEqual(ignored(), [])
        self.commit(repo, {".gitignore": "*.log\n!keep.log\ntmp/\n"})
        self.assertEqual(ignored(), ["a.log", "tmp/x.txt"])
        # What comes with the request counts instead.
        self.assertEqual(ignored(gitIgnore="a.txt\n"), ["a.txt"])

    def test_head_is_the_branch_that_it_names(self):
        repo = self.make_repo("headed")
        lines = [{"key": "header", "value": {"summary": "by HEAD"}}, {"key": "file", "value": {"path": "a.txt", "content": "a"}}]
        answer = call(self.hub, "POST", f"/api/models/{repo}/commit/HEAD", self.ana, "\n".join(map(json.dumps, lines)),
                      {"Content-Type": "application/x-ndjson"})
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(self.api("GET", f"/api/models/{repo}", self.ana)["sha"], answer.json()["commitOid"])

    def test_an_empty_file_is_regular_whatever_its_name(self):
        repo = self.make_repo("empty")
        self.commit(repo, {"empty.bin": "", "empty.safetensors": ""})
        info = self.api("GET", f"/api/models/{repo}?blobs=true")
        siblings = {sibling["rfilename"]: sibling for sibling in info["siblings"]}
        for name in ("empty.bin", "empty.safetensors"):
            self.assertEqual(siblings[name], {"rfilename": name, "size": 0, "blobId": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"})
        for entry in self.api("GET", f"/api/models/{repo}/tree/main"):
            self.assertNotIn("lfs", entry)

    def test_a_squashed_pull_request_leaves_all_branches_as_they_are(self):
        repo = self.make_repo("squashed")
        for text in ("one", "two"):
            self.commit(repo, {"a.txt": text})
        self.api("POST", f"/api/models/{repo}/branch/other", self.ana, {})
        lines = [{"key": "header", "value": {"summary": "A proposal"}},
                 {"key": "file", "value": {"path": "b.txt", "content": "b"}}]
        done = self.api("POST", f"/api/models/{repo}/commit/main?create_pr=1", self.ana, lines=lines)
        ref = "refs%2Fpr%2F" + done["pullRequestUrl"].rsplit("/", 1)[1]
        before = {branch: [commit["id"] for commit in self.api("GET", f"/api/models/{repo}/commits/{branch}")]
                  for branch in ("main", "other")}
        self.assertEqual([len(commits) for commits in before.values()], [3, 3])
        made = self.api("POST", f"/api/models/{repo}/super-squash/{ref}", self.ana, {"message": "squashed"})["commitId"]
        history = self.api("GET", f"/api/models/{repo}/commits/{ref}")
        self.assertEqual([(commit["id"], commit["title"]) for commit in history], [(made, "squashed")])
        for branch, commits in before.items():
            self.assertEqual([commit["id"] for commit in self.api("GET", f"/api/models/{repo}/commits/{branch}")], commits)
        self.assertEqual({entry["path"] for entry in self.api("GET", f"/api/models/{repo}/tree/{ref}")},
                         {".gitattributes", "a.txt", "b.txt"})


if __name__ == "__main__":
    hub_process.main()
