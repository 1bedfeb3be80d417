"""Machines that lose their power at random moments (tests/harness/disk.py): a hub's, while it is pushed to, committed to,
uploaded to, talked to, mirrors and collects its garbage; a person's, while apps come and go. Afterwards `fsck` and `verify`
find nothing wrong, and all that was acknowledged is there.
LOCARA_SOAK_KILLS sets how often, about, LOCARA_SEED at which moments."""
import collections
import contextlib
import itertools
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
from tests.harness import APP, weights
from tests.harness.disk import make_disk, run
from tests.harness.mirror import call, noise, publish

CUTS = max(3, int(os.environ.get("LOCARA_SOAK_KILLS", "24")) // 4)
SEED = int(os.environ.get("LOCARA_SEED", "1"))
MIRRORED = {f"{i}.gguf": weights.gguf(noise(i, 300_000)) for i in range(40)}
GIT = ["git", "-c", "user.name=Ana", "-c", "user.email=ana@example.org"]


class HubPowerCut(unittest.TestCase):
    def setUp(self):
        if os.environ.get("LOCARA_TEST_DATABASE"):
            self.skipTest("names in PostgreSQL are not on the disk that is cut off")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-power-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.disk = make_disk(self)
        self.upstream = self.hub(self.folder / "upstream")
        publish(self.upstream, self.upstream.make_writer("ana"), "ana/far", MIRRORED)
        self.config = self.folder / "mirror.toml"
        self.config.write_text(f'[mirror]\nupstream = "{self.upstream.url}"\n')
        self.served = self.hub(self.disk.path / "hub")
        self.mirror = self.hub(self.disk.path / "mirror", self.config)
        self.ana = self.served.make_writer("ana")
        self.client = harness.Client(self.folder / "client")
        self.client.environment["LOCARA_TOKEN"] = self.ana
        self.acknowledged = {what: {} for what in ("pushed", "committed", "uploaded", "in buckets", "said")}
        self.over = threading.Event()
        self.failed = []

    def hub(self, folder, config=None):
        hub = harness.Hub(folder, seed=None, config=config)
        self.addCleanup(lambda: hub.process and hub.stop())
        return hub

    def url(self, hub, repo):
        return f"http://ana:{self.ana}@127.0.0.1:{hub.port}/{repo}"

    # ------------------------------------------------------------------- what goes on while power is lost

    def push(self, turn):
        work = self.folder / "work"
        if turn == 0:
            call(self.served, "POST", "/api/repos/create", self.ana, {"name": "pushed"})
            run(*GIT, "clone", "-q", self.url(self.served, "ana/pushed"), work)
        (work / f"{turn}.txt").write_text(f"text {turn}")
        run(*GIT, "-C", work, "add", ".")
        run(*GIT, "-C", work, "commit", "-q", "-m", f"{turn}")
        run(*GIT, "-C", work, "push", "-q", "origin", "HEAD:main")
        return run(*GIT, "-C", work, "rev-parse", "HEAD"), f"text {turn}"

    def commit(self, turn):
        files = {f"{turn}.txt": f"text {turn}".encode(), f"{turn}.bin": noise(turn, 100_000)}
        return publish(self.served, self.ana, "ana/committed", files), files

    def upload(self, turn):
        file = self.folder / f"{turn}.gguf"
        file.write_bytes(weights.gguf(weights.noise(f"{SEED} {turn}", 400_000)))
        self.client.run("upload", "ana/uploaded", file, "--create", "--endpoint", self.served.url)
        return f"{turn}.gguf", file.read_bytes()

    def fill_bucket(self, turn):
        if turn == 0:
            call(self.served, "POST", "/api/buckets/ana/b", self.ana, {})
            token = call(self.served, "GET", "/api/buckets/ana/b/xet-write-token", self.ana).json()["accessToken"]
            call(self.served, "POST", f"/cas/v1/xorbs/default/{XORB_HASH}", token, XORB)
            call(self.served, "POST", "/cas/v1/shards", token, SHARD)
        name, file = sorted(FILES.items())[turn % len(FILES)]
        line = json.dumps({"type": "addFile", "path": f"{turn}/{name}", "xetHash": file["file_hash"]})
        answer = call(self.served, "POST", "/api/buckets/ana/b/batch", self.ana, line)
        assert answer.status == 200, answer.body
        return f"{turn}/{name}", file["file_hash"]

    def say(self, turn):
        answer = call(self.served, "POST", "/api/models/ana/committed/discussions", self.ana,
                      {"title": f"title {turn}", "description": "text"})
        assert answer.status == 200, answer.body
        return answer.json()["num"], f"title {turn}"

    def fetch(self, turn):
        path = f"{turn % len(MIRRORED)}.gguf"
        answer = call(self.mirror, "GET", f"/ana/far/resolve/main/{path}")
        assert answer.body == MIRRORED[path], path

    def collect(self, turn):
        (self.served, self.mirror)[turn % 2].admin("gc", "--grace", "1m")

    @contextlib.contextmanager
    def work(self):
        """All of it at once, each noting what was acknowledged."""
        def go_on(deed, notes):
            try:
                for turn in itertools.count():
                    if self.over.is_set():
                        return
                    done = deed(turn)
                    if notes is not None:
                        notes[done[0]] = done[1]
                    time.sleep(0.1)
            except BaseException as error:
                self.failed.append(error)
                raise
        self.commit("first")
        notes = self.acknowledged
        threads = [threading.Thread(target=go_on, args=pair) for pair in (
            (self.push, notes["pushed"]), (self.commit, notes["committed"]), (self.upload, notes["uploaded"]),
            (self.fill_bucket, notes["in buckets"]), (self.say, notes["said"]), (self.fetch, None), (self.collect, None))]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join()

    # ------------------------------------------------------------------- what is found afterwards

    def check(self, found, kept):
        for name in ("hub", "mirror"):
            bad = json.loads(run(harness.BIN / "locara-hub", "fsck", "--json", "--data", found / name))["bad"]
            self.assertEqual(bad, [], f"{name}: fsck after a cut")
        hub = harness.Hub(found / "hub", seed=None)
        try:
            self.check_hub(hub, kept)
        finally:
            hub.stop()
        offline = self.folder / "offline.toml"
        offline.write_text(f'[mirror]\nupstream = "{self.upstream.url}"\noffline = true\n')
        mirror = harness.Hub(found / "mirror", seed=None, config=offline)
        try:
            answers = {path: call(mirror, "GET", f"/ana/far/resolve/main/{path}") for path in MIRRORED}
        finally:
            mirror.stop()
        whole = 0
        for path, answer in answers.items():
            self.assertIn(answer.status, (200, 424, 404), answer.body)
            if answer.status == 200:
                self.assertEqual(answer.body, MIRRORED[path], "the mirror gives what upstream never had")
                whole += 1
        return whole

    def check_hub(self, hub, kept):
        if kept["pushed"]:
            with tempfile.TemporaryDirectory(dir=self.folder) as copy:
                run("git", "clone", "-q", self.url(hub, "ana/pushed"), copy)
                run("git", "-C", copy, "fsck", "--full", "--strict")
                there = set(run("git", "-C", copy, "rev-list", "HEAD").split())
                self.assertLessEqual(set(kept["pushed"]), there, "a push that was acknowledged is gone")

        def get(path):
            answer = call(hub, "GET", path, self.ana)
            self.assertEqual(answer.status, 200, f"{path}: {answer.body[:300]}")
            return answer
        for commit, files in kept["committed"].items():
            for path, content in files.items():
                self.assertEqual(get(f"/ana/committed/resolve/{commit}/{path}").body, content)
            self.assertEqual(get(f"/ana/committed/resolve/main/{path}").body, content, "a commit left its branch")
        for path, content in kept["uploaded"].items():
            self.assertEqual(get(f"/ana/uploaded/resolve/main/{path}").body, content)
        if kept["in buckets"]:
            entries = {entry["path"]: entry.get("xetHash")
                       for entry in get("/api/buckets/ana/b/tree?recursive=true&limit=1000").json()}
            self.assertLessEqual(kept["in buckets"].items(), entries.items())
        for number, title in kept["said"].items():
            self.assertEqual(get(f"/api/models/ana/committed/discussions/{number}").json()["title"], title)

    def test_all_that_was_acknowledged_outlives_a_loss_of_power(self):
        chance = random.Random(SEED)
        mirrored = 0
        with self.work():
            for _ in range(CUTS):
                time.sleep(chance.uniform(0.2, 2))
                self.assertEqual(self.failed, [])
                kept = {what: dict(notes) for what, notes in self.acknowledged.items()}
                with self.disk.cut() as found:
                    mirrored = max(mirrored, self.check(found, kept))
        self.assertEqual(self.failed, [])
        counts = {what: len(notes) for what, notes in kept.items()}
        print(f"{CUTS} cuts (seed {SEED}); at the last one {counts}, {mirrored} files mirrored")
        self.assertGreater(min(*counts.values(), mirrored), 0, "too little was under way")


class ClientPowerCut(harness.TestCase):
    def test_apps_are_whole_or_not_there(self):
        disk = make_disk(self)
        client = harness.Client(disk.path / "home")
        self.addCleanup(client.stop)
        client.add_hub(self.hub)
        over = threading.Event()
        done = [(0, False)]  # how many commands have ended, and whether the app is there since; None while one is at it

        def come_and_go():
            for turn in itertools.count(1):
                for command in ("install", "rm"):
                    if over.is_set():
                        return
                    done.append(None)
                    client.run(command, APP, "--yes")
                    done.append((turn, command == "install"))
                    time.sleep(0.2)
                client.run("gc", "--older-than", "0s")
        worker = threading.Thread(target=come_and_go)
        worker.start()
        chance = random.Random(SEED)
        known = collections.Counter()
        try:
            for _ in range(CUTS):
                time.sleep(chance.uniform(0.1, 1.5))
                self.assertTrue(worker.is_alive())
                before = done[-1]
                with disk.cut() as found:
                    certain = before if before == done[-1] else None
                    after = harness.Client(found / "home")
                    try:
                        after.run("verify")
                        there = [app["id"] for app in after.json("list")["apps"]]
                        if certain:
                            self.assertEqual(there == [APP], certain[1], "what was acknowledged is not so")
                            known[certain[1]] += 1
                        if not there:
                            after.run("install", APP, "--yes")
                        after.run("verify", "--all")
                    finally:
                        after.stop()
        finally:
            over.set()
            worker.join()
        print(f"{CUTS} cuts (seed {SEED}), of {known[True]} it was certain that the app is there, of {known[False]} that not")


if __name__ == "__main__":
    harness.main()
