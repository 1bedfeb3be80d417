"""A hub killed with SIGKILL while large files come by Git LFS and while buckets change: afterwards `fsck` finds nothing wrong, what
was acknowledged is there, and a batch is there as a whole or not at all.
LOCARA_SOAK_KILLS sets how often, LOCARA_SEED at which moments."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import tempfile
import threading
import time
import unittest

from tests import harness
from tests.clients.raw_protocol_test import FILES, SHARD, XORB, XORB_HASH
from tests.harness.mirror import call, noise, sha256

KILLS = int(os.environ.get("LOCARA_SOAK_KILLS", "8"))
SEED = int(os.environ.get("LOCARA_SEED", "1"))
SIZE = 2 << 20


class UploadKill(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-kill-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.hub = harness.Hub(self.folder / "hub", seed=None)
        self.addCleanup(lambda: self.hub.process and self.hub.stop())
        self.ana = self.hub.make_writer("ana")
        self.chance = random.Random(SEED)
        self.kills = self.unanswered = 0

    def ask(self, method, path, body=None, token=None, **more):
        """The JSON of an answer that must be good."""
        answer = call(self.hub, method, path, token or self.ana, body, **more)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json() if answer.body else None

    def kill_during(self, work, seconds=0.15):
        """Kills the hub within so many seconds of when `work` sets the event it is given; what it returned, or None if it had
        no answer. The hub is back then, and was whole when it was killed."""
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            go = threading.Event()
            running = pool.submit(work, go)
            go.wait(20)
            timer = threading.Timer(self.chance.choice([0, self.chance.uniform(0, seconds)]), self.hub.process.kill)
            timer.start()
            result = None
            with contextlib.suppress(OSError, http.client.HTTPException):
                result = running.result(60)
            timer.join()
        self.hub.kill()
        self.kills += 1
        self.unanswered += result is None
        self.check_hub()
        self.hub.start()
        self.check_hub()
        return result

    def check_hub(self):
        self.assertEqual(json.loads(self.hub.admin("fsck", "--json"))["bad"], [])

    # ------------------------------------------------------------------------------------- Git LFS

    def test_a_large_file_by_lfs(self):
        self.ask("POST", "/api/repos/create", {"name": "lfs"})
        kept = {}

        def batch(oid):
            return {"operation": "upload", "objects": [{"oid": oid, "size": SIZE}]}
        for turn in range(KILLS):
            content = noise(turn, SIZE)
            oid = sha256(content)
            path = f"{turn}.bin"
            stop_at = self.chance.randrange(SIZE)

            def upload(go):
                """As git-lfs does, with a pause in the body; whether the hub has acknowledged it."""
                action = call(self.hub, "POST", "/ana/lfs.git/info/lfs/objects/batch", self.ana, batch(oid)).json()
                href = action["objects"][0]["actions"]["upload"]["href"]
                connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
                with contextlib.closing(connection):
                    connection.putrequest("PUT", "/" + href.split("/", 3)[3])
                    connection.putheader("Content-Length", str(SIZE))
                    connection.endheaders()
                    connection.send(content[:stop_at])
                    go.set()
                    connection.send(content[stop_at:])
                    return connection.getresponse().status == 200
            answered = self.kill_during(upload)
            # What was acknowledged need not be sent again; what was not may be here all the same, or is sent anew.
            found, = self.ask("POST", "/ana/lfs.git/info/lfs/objects/batch", batch(oid))["objects"]
            self.assertFalse(answered and "actions" in found)
            if "actions" in found:
                done = call(self.hub, "PUT", "/" + found["actions"]["upload"]["href"].split("/", 3)[3], body=content)
                self.assertEqual(done.status, 200, done.body)
            kept[path] = content
            lines = [{"key": "header", "value": {"summary": path}},
                     {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": oid, "size": SIZE}}]
            self.ask("POST", "/api/models/ana/lfs/commit/main", "\n".join(map(json.dumps, lines)))
            for name, expected in kept.items():
                self.assertEqual(call(self.hub, "GET", f"/ana/lfs/resolve/main/{name}").body, expected)
        # What was cut off is no more than garbage, and goes.
        self.hub.admin("gc", "--grace", "1m", clock="+2h")
        self.check_hub()
        for name, expected in kept.items():
            self.assertEqual(call(self.hub, "GET", f"/ana/lfs/resolve/main/{name}").body, expected)
        print(f"{self.kills} uploads by LFS killed, {self.unanswered} without an answer (seed {SEED})")
        self.assertGreater(self.unanswered, 0)

    # ------------------------------------------------------------------------------------- buckets

    def tree(self):
        path, entries = "/api/buckets/ana/b/tree?recursive=true&limit=1000", []
        while path:
            answer = call(self.hub, "GET", path, self.ana)
            entries += answer.json()
            link = answer.headers.get("Link")
            path = link and link[1 + len(self.hub.url):link.index(">")]
        return {entry["path"]: entry["xetHash"] for entry in entries}

    def test_a_batch_of_a_bucket(self):
        self.ask("POST", "/api/buckets/ana/b", {})
        token = self.ask("GET", "/api/buckets/ana/b/xet-write-token")["accessToken"]
        self.ask("POST", f"/cas/v1/xorbs/default/{XORB_HASH}", XORB, token)
        self.ask("POST", "/cas/v1/shards", SHARD, token)
        hashes = [file["file_hash"] for file in FILES.values()]
        before = {f"first/{i}/x.bin": self.chance.choice(hashes) for i in range(60)}
        begin = time.monotonic()
        self.ask("POST", "/api/buckets/ana/b/batch", "\n".join(
            json.dumps({"type": "addFile", "path": path, "xetHash": hash_}) for path, hash_ in before.items()))
        seconds = 1.5 * (time.monotonic() - begin)
        for turn in range(KILLS):
            # Half of what is there goes, other things come in its place; all paths end alike, so that the gate knows them.
            gone = self.chance.sample(sorted(before), len(before) // 2)
            new = {f"{self.chance.randrange(10**6)}/x.bin": self.chance.choice(hashes) for _ in range(60)}
            lines = [{"type": "addFile", "path": path, "xetHash": hash_} for path, hash_ in new.items()] + [
                {"type": "deleteFile", "path": path} for path in gone]
            after = {**{path: hash_ for path, hash_ in before.items() if path not in gone}, **new}

            def change(go):
                go.set()
                return call(self.hub, "POST", "/api/buckets/ana/b/batch", self.ana, "\n".join(map(json.dumps, lines)))
            answer = self.kill_during(change, seconds)
            found = self.tree()
            if answer and not answer.cut:
                self.assertEqual((answer.status, answer.json()["success"]), (200, True), answer.body[:500])
                self.assertEqual(found, after)
            else:
                self.assertIn(found, (before, after), "half a batch")
            before = found
            if found:
                path = self.chance.choice(sorted(found))
                file, = [file for file in FILES.values() if file["file_hash"] == found[path]]
                self.assertEqual(sha256(call(self.hub, "GET", f"/buckets/ana/b/resolve/{path}").body), file["sha256"])
        info = self.ask("GET", "/api/buckets/ana/b")
        self.assertEqual(info["totalFiles"], len(before))
        print(f"{self.kills} batches killed, {self.unanswered} without an answer (seed {SEED})")
        self.assertGreater(self.unanswered, 0)


if __name__ == "__main__":
    harness.main()
