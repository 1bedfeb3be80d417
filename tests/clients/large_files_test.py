"""Large files as such: listed, added up, and given to other repositories, by requests as huggingface_hub 1.29 sends them."""
import hashlib
import http.client
import json
import os

from tests.clients import hub_process

CONTENT = os.urandom(300_000)
OID = hashlib.sha256(CONTENT).hexdigest()


class LargeFiles(hub_process.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        self = cls("test_listed")
        self.make("weights")
        folder = self.folder / "weights"
        self.git(self.folder, "clone", "-q", self.remote("ana/weights", self.ana), folder)
        self.git(folder, "lfs", "install", "--local")
        (folder / "sub").mkdir()
        (folder / "sub/model.bin").write_bytes(CONTENT)
        (folder / "a.txt").write_text("abc")
        self.git(folder, "add", "-A")
        self.git(folder, "commit", "-qm", "weights")
        self.git(folder, "push", "-q")

    def make(self, name, **more):
        self.api("POST", "/api/repos/create", self.ana, {"name": name, **more})

    def send(self, path, token, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
        connection.request("POST", path, json.dumps(body), {"Accept": "*/*", "Content-Type": "application/json",
                                                            "authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        content = json.loads(answer.read())
        connection.close()
        return answer.status, content

    def duplicate(self, token, target, files=None, source="models/ana/weights", kind="model"):
        files = files or [{"xetHash": "0" * 64, "sha256": OID, "filename": "sub/model.bin"}]
        return self.send(f"/api/{source}/lfs-files/duplicate", token,
                         {"target": {"type": kind, "name": target}, "files": files})

    def commit(self, repo, token):
        lines = [{"key": "header", "value": {"summary": "Copy", "description": ""}},
                 {"key": "lfsFile", "value": {"path": "copy.bin", "algo": "sha256", "oid": OID, "size": len(CONTENT)}}]
        return self.curl(f"/api/models/{repo}/commit/main", token, "-H", "Content-Type: application/x-ndjson",
                         "--data-binary", "\n".join(map(json.dumps, lines)))[0]

    def test_listed(self):
        listed = self.api("GET", "/api/models/ana/weights/lfs-files", self.ana)
        self.assertEqual([(f["fileOid"], f["oid"], f["filename"], f["ref"], f["size"]) for f in listed],
                         [(OID, OID, "sub/model.bin", "refs/heads/main", len(CONTENT))])
        self.assertRegex(listed[0]["pushedAt"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        for path, size in (("", 300_003), ("/sub", 300_000), ("/a.txt", 3)):
            attributes = 0 if path else self.api("GET", "/api/models/ana/weights/treesize/main/.gitattributes")["size"]
            self.assertEqual(self.api("GET", f"/api/models/ana/weights/treesize/main{path}"),
                             {"path": path[1:], "size": size + attributes})
        self.assertEqual(self.curl("/api/models/ana/weights/treesize/main/none")[:2], (404, "EntryNotFound"))

    def test_given_to_another_repository(self):
        self.make("copy")
        self.assertEqual(self.commit("ana/copy", self.ana), 400)
        self.assertEqual(self.duplicate(self.ana, "ana/copy"),
                         (200, {"success": True, "processed": 1, "succeeded": 1, "failed": []}))
        self.assertEqual(self.commit("ana/copy", self.ana), 200)
        with open(self.folder / "copied", "wb") as out:
            out.write(b"")
        self.curl("/ana/copy/resolve/main/copy.bin", None, "-L", "-o", str(self.folder / "copied"))
        self.assertEqual((self.folder / "copied").read_bytes(), CONTENT)

    def test_given_to_a_bucket(self):
        self.api("POST", "/api/buckets/ana/bucket", self.ana, {})
        self.assertEqual(self.duplicate(self.ana, "ana/bucket", kind="bucket")[0], 200)

    def test_only_by_who_may_read_here_and_write_there(self):
        self.make("secret", private=True)
        self.assertEqual(self.duplicate(self.ben, "ana/copy-of-ana")[0], 404)
        self.assertEqual(self.duplicate(self.ben, "ana/weights")[0], 403)
        self.assertEqual(self.duplicate(self.ben, "ana/secret")[0], 404)
        self.assertEqual(self.duplicate(self.ben, "ben/any", source="models/ana/secret")[0], 404)
        self.api("POST", "/api/repos/create", self.ben, {"name": "mine"})
        status, answer = self.duplicate(self.ben, "ben/mine", [{"sha256": "1" * 64}, {"sha256": "x"}, {"sha256": OID}, 7])
        self.assertEqual((status, answer["succeeded"], answer["processed"]), (207, 1, 4))
        self.assertEqual([f["sha256"] for f in answer["failed"]], ["1" * 64, "x", ""])
        # A gate holds for this too.
        self.make("gated")
        self.api("PUT", "/api/models/ana/gated/settings", self.ana, {"gated": "manual"})
        self.assertEqual(self.duplicate(self.ben, "ben/mine", source="models/ana/gated")[0], 403)
        for body in ({}, {"target": {}}, {"target": {"type": "model", "name": "ana/weights"}},
                     {"target": {"type": "model", "name": "ana/weights"}, "files": 1}):
            self.assertEqual(self.send("/api/models/ana/weights/lfs-files/duplicate", self.ana, body)[0], 400, body)


if __name__ == "__main__":
    hub_process.main()
