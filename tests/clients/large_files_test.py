"""Large files as such: listed, added up, given to other repositories, deleted for good, by requests as huggingface_hub 1.29 sends them."""
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

    def fill(self, name, *steps):
        """A repository with a commit by stock git for each step, a dict of path to content; their ids."""
        self.make(name)
        folder = self.folder / name
        self.git(self.folder, "clone", "-q", self.remote("ana/" + name, self.ana), folder)
        self.git(folder, "lfs", "install", "--local")
        commits = []
        for number, step in enumerate(steps):
            for path, content in step.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).unlink() if content is None else (folder / path).write_bytes(content)
            self.git(folder, "add", "-A")
            self.git(folder, "commit", "-qm", f"step {number}")
            commits.append(self.git(folder, "rev-parse", "HEAD").decode().strip())
        self.git(folder, "tag", "-am", "words", "v1")
        self.git(folder, "push", "-q", "origin", "main", "v1")
        return folder, commits

    def clone(self, name, folder):
        self.git(self.folder, "clone", "-q", self.remote("ana/" + name, self.ana), folder)
        self.git(folder, "lfs", "install", "--local")
        self.git(folder, "lfs", "pull")

    def collect(self):
        report = json.loads(self.hub.admin("gc", "--json", clock="+25h"))
        self.hub.admin("fsck")
        return report

    def fetched(self, path):
        return self.curl(path, None, "-L", "-o", str(self.folder / "got"))[0]

    def test_deleted_for_good(self):
        secret, kept = os.urandom(200_000), os.urandom(100_000)
        oid = hashlib.sha256(secret).hexdigest()
        _, commits = self.fill("purge", {"a.txt": b"one"}, {"deep/only/secret.bin": secret, "kept.bin": kept},
                               {"deep/only/secret.bin": None, "b.txt": b"two"})
        path = "/api/models/ana/purge/lfs-files"
        self.assertEqual(self.send(path + "/batch", self.ben, {"deletions": {"sha": [oid], "rewriteHistory": True}})[0], 403)
        status, answer = self.send(path + "/batch", self.ana, {"deletions": {"sha": [oid], "rewriteHistory": False}})
        self.assertEqual(status, 409)
        self.assertIn("rewriteHistory", answer["error"])
        self.assertEqual(self.fetched(f"/ana/purge/resolve/{commits[1]}/deep/only/secret.bin"), 200)

        before = self.api("GET", "/api/models/ana/purge/commits/main", self.ana)
        self.assertEqual(self.send(path + "/batch", self.ana, {"deletions": {"sha": [oid], "rewriteHistory": True}}),
                         (200, {"deleted": 1, "historyRewritten": True}))
        after = self.api("GET", "/api/models/ana/purge/commits/main", self.ana)
        self.assertEqual([(c["title"], c["date"], c["authors"]) for c in after],
                         [(c["title"], c["date"], c["authors"]) for c in before])
        same = [a["id"] == b["id"] for a, b in zip(after, before)]
        self.assertEqual(same, [False, False, True, True])  # newest first; what came before the file is as it was
        clone = self.folder / "purged"
        self.clone("purge", clone)
        self.assertEqual((clone / "kept.bin").read_bytes(), kept)
        names = self.git(clone, "log", "--all", "--format=", "--name-only").decode().split()
        self.assertEqual(sorted(set(names)), [".gitattributes", "a.txt", "b.txt", "kept.bin"])
        self.assertEqual(self.git(clone, "cat-file", "-p", "v1").decode().split("\n\n")[1].strip(), "words")
        self.assertEqual(self.git(clone, "rev-parse", "v1^{}"), self.git(clone, "rev-parse", "main"))
        # The old commit is known to who has its id; the file is gone for all, and no branch may lead there.
        self.assertEqual(self.fetched(f"/ana/purge/resolve/{commits[1]}/kept.bin"), 200)
        self.assertEqual(self.fetched(f"/ana/purge/resolve/{commits[1]}/deep/only/secret.bin"), 404)
        self.assertIn("deep/only/secret.bin", [one["path"] for one in self.api(
            "GET", f"/api/models/ana/purge/tree/{commits[1]}?recursive=true")])
        self.assertEqual(self.send("/api/models/ana/purge/branch/back", self.ana, {"startingPoint": commits[1]})[0], 409)
        self.assertEqual(self.send(path + "/batch", self.ana, {"deletions": {"sha": [oid], "rewriteHistory": True}})[0], 404)
        self.assertGreater(self.collect()["freed_bytes"], len(secret))
        self.assertEqual(self.fetched("/ana/purge/resolve/main/kept.bin"), 200)

    def test_what_the_catalog_pinned_stays(self):
        content = os.urandom(120_000)
        oid = hashlib.sha256(content).hexdigest()
        _, commits = self.fill("pinned", {"w.bin": content}, {"a.txt": b"a"})
        folder, = (one for one in (self.data / "repos").glob("**/*.git")
                   if commits[1] in (one / "refs/heads/main").read_text())
        self.git(folder, "update-ref", "refs/locara/pins/" + commits[0], commits[0])  # as `model add` has it
        status, answer = self.send("/api/models/ana/pinned/lfs-files/batch", self.ana,
                                   {"deletions": {"sha": [oid], "rewriteHistory": True}})
        self.assertEqual(status, 409)
        self.assertIn("what was pinned stays", answer["error"])
        self.assertEqual(self.api("GET", "/api/models/ana/pinned/commits/main")[0]["id"], commits[1])
        self.assertEqual(self.fetched("/ana/pinned/resolve/main/w.bin"), 200)

    def test_squashed_away(self):
        old, new = os.urandom(210_000), os.urandom(110_000)
        _, commits = self.fill("squash", {"m.bin": old}, {"m.bin": new})
        self.api("DELETE", "/api/models/ana/squash/tag/v1", self.ana)
        self.collect()  # what other tests left
        self.assertEqual(self.collect()["forgotten_files"], 0, "the history has it")
        self.api("POST", "/api/models/ana/squash/branch/old", self.ana, {"startingPoint": commits[0]})
        squash = "/api/models/ana/squash/super-squash/main"
        self.assertEqual(self.api("POST", squash, self.ana, {"message": "all"})["reclaimableBytes"], 0, "a branch has it")
        self.assertEqual(self.collect()["forgotten_files"], 0, "a branch has it")
        self.api("DELETE", "/api/models/ana/squash/branch/old", self.ana)
        self.assertEqual(self.api("POST", squash, self.ana, {"message": "all"})["reclaimableBytes"], len(old))
        dry = json.loads(self.hub.admin("gc", "--dry-run", "--json", clock="+25h"))
        self.assertEqual((dry["forgotten_files"], dry["forgotten_bytes"]), (1, len(old)))
        young = json.loads(self.hub.admin("gc", "--json"))
        self.assertEqual(young["forgotten_files"], 0, "somebody used it today")
        done = self.collect()
        self.assertEqual((done["forgotten_files"], done["forgotten_bytes"], done["freed_bytes"] > len(old)),
                         (1, len(old), True))
        self.assertEqual(self.fetched("/ana/squash/resolve/main/m.bin"), 200)
        self.assertEqual(self.fetched(f"/ana/squash/resolve/{commits[0]}/m.bin"), 404)
        gone = self.api("DELETE", "/api/repos/delete", self.ana, {"type": "model", "name": "squash"})
        self.assertEqual(gone["reclaimableBytes"], len(new))
        self.assertGreater(gone["freedBytes"], 0)

    def test_renamed_in_a_commit(self):
        content = os.urandom(150_000)
        _, commits = self.fill("rename", {"sub/w.bin": content, "a.txt": b"one", "b.txt": b"two"})

        def change(*values, expect=200, parent=None):
            header = {"summary": "rename", "description": "", **({"parentCommit": parent} if parent else {})}
            lines = [{"key": "header", "value": header}, *({"key": key, "value": value} for key, value in values)]
            status, _, body = self.curl("/api/models/ana/rename/commit/main", self.ana, "-H", "Content-Type: application/x-ndjson",
                                        "--data-binary", "\n".join(map(json.dumps, lines)))
            self.assertEqual(status, expect, body)
            return body

        def paths():
            tree = self.api("GET", "/api/models/ana/rename/tree/main?recursive=true")
            return {one["path"]: one["oid"] for one in tree if one["type"] == "file" and one["path"] != ".gitattributes"}

        before = paths()
        change(("lfsFile", {"path": "w/renamed.weights", "oldPath": "sub/w.bin"}), ("file", {"path": "c/d.txt", "oldPath": "a.txt"}),
               ("file", {"path": "e.txt", "oldPath": "b.txt", "content": "new"}))
        after = paths()
        self.assertEqual(sorted(after), ["c/d.txt", "e.txt", "w/renamed.weights"])
        self.assertEqual((after["w/renamed.weights"], after["c/d.txt"]), (before["sub/w.bin"], before["a.txt"]))
        self.assertEqual(self.curl("/ana/rename/raw/main/e.txt")[2], "new")
        self.assertEqual(self.fetched("/ana/rename/resolve/main/w/renamed.weights"), 200)
        self.assertEqual((self.folder / "got").read_bytes(), content)
        clone = self.folder / "renamed"
        self.clone("rename", clone)
        self.assertEqual((clone / "w/renamed.weights").read_bytes(), content, ".gitattributes name it")
        self.assertIn("there is no nothing.txt", change(("file", {"path": "x.txt", "oldPath": "nothing.txt"}), expect=404))
        self.assertIn("to itself", change(("file", {"path": "e.txt", "oldPath": "e.txt"}), expect=400))
        change(("file", {"path": "x.txt", "oldPath": "../e.txt"}), expect=422)
        self.assertEqual(paths(), after)

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
