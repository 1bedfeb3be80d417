"""What was only uploaded to a repository, and what may stand beside what in it."""
import json
import pathlib
import shutil
import tempfile
import unittest

from tests import harness
from tests.harness import weights
from tests.harness.mirror import call, publish, sha256, upload_lfs

BAD = b"cos\nsystem\n(S'echo owned'\ntR."  # a pickle that calls
GOOD = weights.gguf(weights.noise(3, 20_000))


class Unnamed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-unnamed-"))
        cls.hub = harness.Hub(cls.folder / "hub", seed=None)
        cls.ana, cls.bob = cls.hub.make_writer("ana"), cls.hub.make_writer("bob")

    @classmethod
    def tearDownClass(cls):
        cls.hub.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def rescan(self):
        return json.loads(self.hub.admin("rescan", "--json"))

    def test_what_no_commit_names_is_given_to_nobody(self):
        publish(self.hub, self.ana, "ana/open", {"README.md": b"# Open\n"})
        for content in (BAD, GOOD):
            oid = upload_lfs(self.hub, self.bob, "ana/open", content)
            for token in (None, self.bob, self.ana):
                answer = call(self.hub, "GET", f"/ana/open.git/info/lfs/objects/{oid}", token)
                self.assertEqual(answer.status, 404, answer.body)
                self.assertIn(b"no commit", answer.body)
        # The judgement of a later day is no reason to call anything back.
        report = self.rescan()
        self.assertEqual(report["refused"], [])
        self.assertGreaterEqual(report["unnamed"], 1)
        self.assertEqual(call(self.hub, "GET", f"/ana/open.git/info/lfs/objects/{sha256(BAD)}").status, 403)
        # The good one is given as soon as a commit has it, though judged before under no name; by Xet too.
        publish(self.hub, self.ana, "ana/open", {"good.gguf": GOOD})
        self.assertEqual(call(self.hub, "GET", f"/ana/open.git/info/lfs/objects/{sha256(GOOD)}").body, GOOD)

    def test_by_xet_too(self):
        publish(self.hub, self.ana, "ana/xet", {"README.md": b"# Xet\n"})
        content = weights.gguf(weights.noise(4, 20_000))
        oid = upload_lfs(self.hub, self.bob, "ana/xet", content)
        publish(self.hub, self.ana, "ana/other", {"same.gguf": content})
        entry = call(self.hub, "GET", "/api/models/ana/other/tree/main").json()
        xet = next(one["xetHash"] for one in entry if one["path"] == "same.gguf")
        bad = upload_lfs(self.hub, self.bob, "ana/xet", BAD + b"#")
        self.assertNotEqual(oid, bad)

        def plan(repo, file):
            token = call(self.hub, "GET", f"/api/models/ana/{repo}/xet-read-token/main").json()["accessToken"]
            return call(self.hub, "GET", f"/cas/v1/reconstructions/{file}", token).status
        self.assertEqual(plan("other", xet), 200)
        # Judged at another door: by its content it is no stranger.
        self.assertEqual(plan("xet", xet), 200)

    def test_names_that_a_file_system_mixes_up_are_refused_by_every_way(self):
        publish(self.hub, self.ana, "ana/names", {"Read.txt": b"one\n", "Dir/x.txt": b"x\n"})

        def commit(path, query=""):
            lines = [{"key": "header", "value": {"summary": "add"}}, {"key": "file", "value": {"path": path, "content": "two"}}]
            return call(self.hub, "POST", f"/api/models/ana/names/commit/main{query}", self.ana,
                        "\n".join(map(json.dumps, lines)), {"Content-Type": "application/x-ndjson"})
        for path in ("read.txt", "dir/y.txt", "READ.TXT/z"):
            answer = commit(path)
            self.assertEqual(answer.status, 400, f"{path}: {answer.body}")
        self.assertIn(b"ignores case", commit("read.txt").body)
        self.assertEqual(commit("Dir/y.txt").status, 200)
        # Two that are right each by itself, and come together by a merge.
        pull = commit("new.txt", "?create_pr=1")
        self.assertEqual(pull.status, 200, pull.body)
        number = pull.json()["pullRequestUrl"].rpartition("/")[2]
        self.assertEqual(commit("New.txt").status, 200)
        merged = call(self.hub, "POST", f"/api/models/ana/names/discussions/{number}/merge", self.ana, {})
        self.assertEqual(merged.status, 409, merged.body)
        self.assertIn(b"New.txt, new.txt", merged.body)
        for query in ("", "?diff=1"):
            seen = call(self.hub, "GET", f"/api/models/ana/names/discussions/{number}{query}")
            self.assertEqual(seen.status, 200, seen.body)
            self.assertEqual(seen.json()["filesWithConflicts"], ["New.txt", "new.txt"])
        # One of the two gone, nothing is in the way.
        lines = [{"key": "header", "value": {"summary": "remove"}}, {"key": "deletedFile", "value": {"path": "New.txt"}}]
        gone = call(self.hub, "POST", "/api/models/ana/names/commit/main", self.ana, "\n".join(map(json.dumps, lines)),
                    {"Content-Type": "application/x-ndjson"})
        self.assertEqual(gone.status, 200, gone.body)
        self.assertIs(call(self.hub, "GET", f"/api/models/ana/names/discussions/{number}").json()["filesWithConflicts"], False)
        self.assertEqual(call(self.hub, "POST", f"/api/models/ana/names/discussions/{number}/merge", self.ana, {}).status, 200)


if __name__ == "__main__":
    harness.main()
