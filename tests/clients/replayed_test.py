"""Python's client by the requests it sent (replay.py): what it makes, uploads, downloads and is told."""
import json

from tests.clients import hub_process, replay
from tests.harness.mirror import call, publish, sha256

FILES = {"README.md": b"---\nlicense: mit\npipeline_tag: text-generation\n---\n# Small\n", "config.json": b"{}\n", "tokenizer.json": b'{"version": "1.0"}\n',
         "tokenizer_config.json": b"{}", "w.gguf": (replay.pathlib.Path(__file__).parents[2]
                                                   / "models/quick-add/repo/quick-add-q8_0.gguf").read_bytes()}


class Replayed(hub_process.TestCase):
    def tree(self, repo, revision="main"):
        found = self.api("GET", f"/api/models/{repo}/tree/{revision}?recursive=true", self.ana)
        return [entry["path"] for entry in found if entry["type"] == "file"]

    def test_making_uploading_and_removing(self):
        client = replay.Replay(self.hub.url, "ana/tiny", self.ana)
        client.run("hf auth whoami")
        client.run("create_repo(exist_ok=True)")
        client.run("hf upload")
        self.assertEqual(self.tree("ana/tiny"), [".gitattributes", "README.md", "config.json", "empty.txt", "sub/a b#1.txt",
                                                 "sub/old.txt", "weights.bin"])
        content = next(replay.base64.b64decode(one["base64"]) for one in replay.RECORD["hf upload"] if "base64" in one)
        self.assertEqual(call(self.hub, "GET", "/ana/tiny/resolve/main/weights.bin").body, content)
        self.assertEqual(call(self.hub, "GET", "/ana/tiny/resolve/main/sub/a%20b%231.txt").body, b"odd name\n")
        commits = len(self.api("GET", "/api/models/ana/tiny/commits/main"))
        del client.values["href"]
        client.run("hf upload, nothing new")
        self.assertNotIn("href", client.values)
        self.assertEqual(len(self.api("GET", "/api/models/ana/tiny/commits/main")), commits)
        client.run("upload_file")
        client.run("upload_file(create_pr=True)")
        self.assertEqual(set(self.tree("ana/tiny", "refs%2Fpr%2F1")) - set(self.tree("ana/tiny")), {"more.bin", "pr.txt"})
        client.run("upload_folder(delete_patterns)")
        self.assertEqual([path for path in self.tree("ana/tiny") if path.startswith("sub/")], ["sub/new.txt"])
        client.run("delete_repo")
        # Nobody else may do any of it.
        publish(self.hub, self.ana, "ana/hers", {"a.txt": b"a"})
        for operation in ("create_repo(exist_ok=True)", "hf upload", "upload_file", "upload_folder(delete_patterns)", "delete_repo"):
            with self.assertRaises(AssertionError):
                replay.Replay(self.hub.url, "ana/hers", self.ben).run(operation)
        self.assertEqual(self.tree("ana/hers"), [".gitattributes", "a.txt"])

    def test_downloading(self):
        publish(self.hub, self.ana, "ana/small", FILES)
        for token in (self.ana, self.ben, None):
            client = replay.Replay(self.hub.url, "ana/small", token)
            client.run("hf download")
            self.assertEqual({path: content for path, content in client.files.items() if path != ".gitattributes"}, FILES)
            client.run("hf download, again")
            client.run("snapshot_download(allow_patterns, local_dir)")
            client = replay.Replay(self.hub.url, "ana/small", token)
            client.run("hf_hub_download")
            self.assertEqual(client.files, {"w.gguf": FILES["w.gguf"]})
        replay.Replay(self.hub.url, "ana/small", self.ana).run("files and repositories that are not there")

    def make(self, name):
        """A repository of ana's, and her client."""
        publish(self.hub, self.ana, f"ana/{name}", FILES)
        return replay.Replay(self.hub.url, f"ana/{name}", self.ana, asker="ben", org="lab")

    def assert_for_nobody_else(self, repo, *operations):
        for operation in operations:
            with self.assertRaises(AssertionError, msg=operation):
                replay.Replay(self.hub.url, repo, self.ben).run(operation)

    def test_discussions_and_pull_requests(self):
        client = self.make("talk")
        for operation in ("create_discussion", "get_repo_discussions", "comment_discussion",
                          "rename_discussion, change_discussion_status"):
            client.run(operation)
        one = self.api("GET", "/api/models/ana/talk/discussions/1?diff=1")
        self.assertEqual((one["title"], one["status"]), ("Another title", "open"))
        self.assertEqual([event["type"] for event in one["events"]],
                         ["comment", "comment", "title-change", "comment", "status-change", "status-change"])
        self.assertTrue(one["events"][1]["data"]["hidden"])
        client.run("create_pull_request, merge_pull_request")
        self.assertEqual(call(self.hub, "GET", "/ana/talk/resolve/main/proposed.txt").body, b"proposed")
        self.assert_for_nobody_else("ana/talk", "create_pull_request, merge_pull_request")

    def test_collections(self):
        client = self.make("shown")
        client.run("create_collection")
        client.run("add_collection_item")
        item, = self.api("GET", f"/api/collections/{client.values['slug']}")["items"]
        self.assertEqual((item["id"], item["note"]["text"]), ("ana/shown", "better"))
        client.run("list_collections")
        client.run("update_collection_metadata")
        found = self.api("GET", f"/api/collections/{client.values['slug']}")
        self.assertEqual((found["title"], found["description"], found["theme"]), ("Top of shown", "Else", "green"))
        self.assert_for_nobody_else("ana/shown", "create_collection")
        client.run("delete_collection_item, delete_collection")
        self.assertEqual(self.api("GET", "/api/collections?owner=ana&item=models/ana/shown"), [])

    def test_buckets(self):
        client = self.make("kept")
        client.run("create_bucket")
        client.run("batch_bucket_files(add)")
        files = lambda: [one["path"] for one in self.api("GET", "/api/buckets/ana/kept-bucket/tree", self.ana)]
        self.assertEqual(files(), ["again.bin", "sub/weights.bin"])
        client.run("list_bucket_tree, get_bucket_paths_info")
        client.run("download_bucket_files")
        client.run("batch_bucket_files(copy, delete)")
        self.assertEqual(files(), ["copied.bin", "sub/weights.bin"])
        found = call(self.hub, "GET", "/buckets/ana/kept-bucket/resolve/copied.bin", self.ana)
        self.assertEqual(sha256(found.body), replay.SAMPLE_FILE["sha256"])
        self.assert_for_nobody_else("ana/kept", "create_bucket", "batch_bucket_files(add)", "download_bucket_files",
                                    "list_bucket_tree, get_bucket_paths_info", "move_bucket, delete_bucket")
        client.run("move_bucket, delete_bucket")
        self.assertEqual(call(self.hub, "GET", "/api/buckets/ana/kept-moved", self.ana).status, 404)

    def test_lists(self):
        client = self.make("listed")
        for operation in ("list_models", "list_datasets", "list_spaces", "get_model_tags, get_dataset_tags", "list_user_repos"):
            client.run(operation)

    def test_branches_tags_and_histories(self):
        client = self.make("history")
        client.run("create_branch, delete_branch")
        client.run("create_tag, delete_tag")
        publish(self.hub, self.ana, "ana/history", {"b.txt": b"b"})
        client.run("list_repo_commits")
        self.assert_for_nobody_else("ana/history", "create_branch, delete_branch", "create_tag, delete_tag",
                                    "super_squash_history")
        client.run("super_squash_history")
        self.assertEqual([one["title"] for one in self.api("GET", "/api/models/ana/history/commits/main")],
                         ["Super-squash branch 'main' using huggingface_hub"])

    def test_settings_and_moves(self):
        client = self.make("moved")
        client.run("update_repo_settings")
        client.run("move_repo")
        self.assertEqual(client.files["config.json"], FILES["config.json"])  # by its old name
        self.assert_for_nobody_else("ana/moved", "update_repo_settings", "move_repo")

    def test_access(self):
        client = self.make("gated")
        self.api("PUT", "/api/models/ana/gated/settings", self.ana, {"gated": "manual"})
        self.assertEqual(call(self.hub, "POST", "/ana/gated/ask-access", self.ben, "").status, 200)
        replay.Replay(self.hub.url, "ana/gated", self.ben).run("auth_check without access")
        client.run("list_pending_access_requests")
        client.run("auth_check")
        self.assertEqual(call(self.hub, "GET", "/ana/gated/resolve/main/config.json", self.ben).status, 200)
        self.assert_for_nobody_else("ana/gated", "list_pending_access_requests", "auth_check")

    def test_people(self):
        self.hub.admin("org", "create", "lab")
        self.hub.admin("org", "add-member", "lab", "ana", "--role", "admin")
        client = self.make("people")
        for operation in ("whoami", "get_user_overview", "get_organization_overview, list_organization_members"):
            client.run(operation)

    def test_commits_by_lfs_and_by_xet(self):
        client = self.make("commits")
        client.run("preupload_lfs_files, create_commit")
        self.assertEqual([path for path in self.tree("ana/commits") if path.startswith("pre/")], [])
        client.run("upload_file, by Xet")
        client.run("upload_folder, by Xet")
        self.assertEqual([path for path in self.tree("ana/commits") if "/" in path],
                         ["folder/empty.txt", "folder/sub/a.txt", "folder/weights.bin", "xet/weights.bin"])
        self.assertIn("pulled/weights.bin", self.tree("ana/commits", f"refs%2Fpr%2F{client.values['num']}"))
        for path in ("xet/weights.bin", "folder/weights.bin"):
            found = call(self.hub, "GET", f"/ana/commits/resolve/main/{path}")
            self.assertEqual(sha256(found.body), replay.SAMPLE_FILE["sha256"])
        client.run("hf_hub_download, by Xet")
        client.run("list_lfs_files")
        self.assert_for_nobody_else("ana/commits", "preupload_lfs_files, create_commit", "upload_file, by Xet",
                                    "upload_folder, by Xet")

    def test_what_is_there(self):
        client = self.make("there")
        client.run("file_exists, get_paths_info")
        client.run("HfFileSystem")

    def test_every_request_of_the_record_is_replayed(self):
        with open(__file__) as source:
            text = source.read()
        self.assertEqual([operation for operation in replay.RECORD if json.dumps(operation) not in text], [])


if __name__ == "__main__":
    hub_process.main()
