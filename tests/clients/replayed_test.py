"""Python's client by the requests it sent (replay.py): what it makes, uploads, downloads and is told."""
import json

from tests.clients import hub_process, replay
from tests.harness.mirror import call, publish

FILES = {"README.md": b"# Small\n", "config.json": b"{}\n", "tokenizer.json": b'{"version": "1.0"}\n',
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

    def test_every_request_of_the_record_is_replayed(self):
        with open(__file__) as source:
            text = source.read()
        self.assertEqual([operation for operation in replay.RECORD if json.dumps(operation) not in text], [])


if __name__ == "__main__":
    hub_process.main()
