"""Pulls, uploads, adoptions, pull requests, the hub and both garbage collections killed with SIGKILL at random moments: no
wrong byte is ever to be read, nothing that is needed or was acknowledged goes, and work goes on from where it was.
LOCARA_SOAK_KILLS sets how often, about and in all (`./dev soak` uses 500), LOCARA_SEED at which moments."""
import collections
import contextlib
import hashlib
import http.client
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

from tests import harness
from tests.harness import APP, weights

KILLS = int(os.environ.get("LOCARA_SOAK_KILLS", "48"))
SEED = int(os.environ.get("LOCARA_SEED", "1"))


def tell(kills, what):
    """A campaign takes long: says now and then how far it is."""
    if kills and kills % 25 == 0:
        print(f"{kills} kills so far: {what}", flush=True)


class Victim:
    """A process that any thread may kill, once, from when it is chosen until it is spared."""

    def __init__(self):
        self.killed = False
        self.process_ = None
        self.chosen_ = threading.Event()
        self.lock_ = threading.Lock()

    def choose(self, process):
        self.process_ = process
        self.chosen_.set()

    def kill(self):
        self.chosen_.wait()
        with self.lock_:
            if self.process_ and self.process_.poll() is None:
                self.process_.kill()
                self.killed = True
            self.process_ = None

    def spare(self):
        with self.lock_:
            self.process_ = None


class Kill(harness.TestCase):
    def test_kill_and_go_on(self):
        chance = random.Random(SEED)
        self.client.add_hub(self.hub)
        killed = 0
        rounds = KILLS // 4
        for _ in range(rounds):
            process = self.client.start("install", APP, "--yes")
            time.sleep(chance.uniform(0, 0.2))  # an install here takes about that long
            if process.poll() is None:
                process.kill()
                killed += 1
            process.communicate()
            self.client.run("verify")
            listed = self.client.json("list")["apps"]
            if listed:
                self.client.run("rm", APP, "--yes")
        self.client.run("install", APP, "--yes")
        self.client.run("verify")
        print(f"{rounds} installs, {killed} killed (seed {SEED})")
        self.assertGreater(killed, rounds // 8, "too few pulls were caught on their way")

    def test_gc_and_adopt_beside_pulls(self):
        chance = random.Random(SEED)
        self.client.add_hub(self.hub)
        pinned = self.pin_something()
        # Another program's copy of the very weights, and one that it damages now and then.
        self.client.run("install", APP, "--yes")
        foreign = self.client.home / "foreign"
        foreign.mkdir()
        stored = [f for f in self.client.store_files() if f.stat().st_size > 1 << 20]
        self.assertTrue(stored)
        for file in stored:
            shutil.copyfile(file, foreign / (file.name + ".gguf"))
        before = {f: f.read_bytes() for f in foreign.iterdir()}
        killed = collections.Counter()
        rounds = KILLS // 4
        for _ in range(rounds):
            running = [self.client.start("install", APP, "--yes"),
                       self.client.start("gc", "--older-than", "0s", "--adopted"),
                       self.client.start("adopt", foreign, "--link", chance.choice(["auto", "hardlink", "reference"]))]
            time.sleep(chance.uniform(0, 0.3))
            for process, what in zip(running, ("pull", "gc", "adopt")):
                if chance.random() < 0.5 and process.poll() is None:
                    process.kill()
                    killed[what] += 1
            for process in running:
                process.communicate()
            # gc gives up (9) while something is pulled; whatever happened, what is installed is whole.
            self.assertEqual(hashlib.sha256(pinned.read_bytes()).hexdigest(), pinned.name, "a pinned file was changed")
            if self.client.json("list")["apps"]:
                self.client.run("verify")
            if chance.random() < 0.5:
                self.client.run("rm", APP, "--yes", expect=0 if self.client.json("list")["apps"] else 3)
        self.client.run("gc", "--older-than", "0s", "--adopted")
        self.client.run("install", APP, "--yes")
        self.client.run("verify")
        for file, content in before.items():
            self.assertEqual(file.read_bytes(), content, "another program's file was changed")
        # Its program changes a file that was adopted: noticed, and fetched anew.
        self.client.run("rm", APP, "--yes")
        self.client.run("gc", "--older-than", "0s", "--adopted")
        self.client.run("adopt", foreign, "--link", "reference")
        for file in before:
            with open(file, "r+b") as stream:
                stream.seek(4096)
                stream.write(b"changed")
        self.client.run("install", APP, "--yes")
        self.client.run("verify")
        self.assertTrue(pinned.exists())
        print(f"{rounds} rounds of pull, gc and adopt side by side, killed: {dict(killed)} (seed {SEED})")

    def pin_something(self):
        """A file in the store that only a pin keeps."""
        folder = self.client.home / "mine"
        folder.mkdir()
        (folder / "pinned.gguf").write_bytes(weights.gguf(weights.noise("pinned", 100_000)))
        adopted = self.client.json("adopt", folder, "--link", "hardlink")
        (item,) = adopted["items"]
        self.client.run("pin", item["sha256"])
        (folder / "pinned.gguf").unlink()  # the store's name is the only one left
        return self.client.home / "data/store/files" / item["sha256"][:2] / item["sha256"]


class KilledPulls:
    """Pulls killed after a random number of bytes: what was written is still there, and is not fetched again."""
    SIZE = 96 << 20  # what arrived is synced every 32 MiB, or once a second; a kill comes at any byte
    WAY = HIDDEN = None
    # Beside what is missing: the file's shard, the plan and heads, and a chunk in the hand of each connection, written or
    # not, that was not noted yet.
    MOST_REFETCHED = (128 << 10) + 4 * (128 << 10)

    @classmethod
    def make_seed(cls):
        return None

    def setUp(self):
        super().setUp()
        self.client.environment["LOCARA_TOKEN"] = self.hub.make_writer("ana")
        self.wire = self.counting_proxy()
        self.wire.hidden = self.HIDDEN
        self.file = self.folder / "model.gguf"
        self.file.write_bytes(weights.gguf(weights.noise(1, self.SIZE)))
        done = self.client.json("upload", "ana/weights", self.file, "--create", "--endpoint", self.hub.url)
        self.sha256 = done["files"][0]["sha256"]
        self.manifest = self.folder / "manifest.json"
        self.manifest.write_text(weights.manifest(harness.MANIFEST, "ana/weights", done["commit"], "model.gguf",
                                                  self.file.stat().st_size, self.sha256))
        self.content = self.file.read_bytes()
        self.chunks = [(c["offset"], c["offset"] + c["length"])
                       for c in self.client.json("xet", "inspect", self.file)["chunks"]]

    def landed(self):
        """Bytes of the chunks that lie in the part whole, noted or not: whatever is written was verified before. What is
        noted must be right (docs/formats/store.md, "The journal")."""
        path = self.client.home / "data/store/parts" / self.sha256
        journal = path.with_suffix(".journal")
        if not journal.exists() or not path.exists():
            return 0
        part = path.read_bytes()
        for line in journal.read_text().splitlines()[1:]:
            if match := re.fullmatch(r"\+ (\d+) (\d+) [0-9a-f]{8}", line):
                first, end = map(int, match.groups())
                self.assertEqual(part[first:end], self.content[first:end], "a wrong byte was noted as right")
        return sum(end - first for first, end in self.chunks if part[first:end] == self.content[first:end])

    def test_nothing_verified_is_lost_or_fetched_again(self):
        chance = random.Random(SEED)
        wanted = max(3, KILLS // 10)
        killed = pulls = spared = 0
        most_refetched = -len(self.content)
        while killed < wanted:
            pulls += 1
            self.client.run("gc", "--older-than", "0s")
            before = 0
            while True:
                self.wire.reset()
                victim = Victim()
                self.wire.call_when(victim.kill, received=chance.randrange(1, self.SIZE * 2 // 3))
                process = self.client.start("pull", "--manifest", self.manifest, "--yes", "--endpoint", self.wire.url)
                victim.choose(process)
                _, errors = process.communicate(timeout=120)
                victim.spare()
                most_refetched = max(most_refetched, self.wire.received - (len(self.content) - before))
                if not victim.killed:
                    self.assertEqual(process.returncode, 0, errors)
                    break
                killed += 1
                tell(killed, f"pulls {self.WAY}")
                now = self.landed()
                self.assertGreaterEqual(now, before, "verified chunks were lost")
                spared += now - before
                before = now
            stored = self.client.home / "data/store/files" / self.sha256[:2] / self.sha256
            self.assertEqual(stored.read_bytes(), self.content)
            self.client.run("unpin", "ana/weights:f16")
        print(f"{pulls} pulls {self.WAY}, killed {killed} times (seed {SEED}): {spared:,} verified bytes went on, at most "
              f"{most_refetched:,} bytes were fetched beside the missing ones")
        self.assertGreater(spared, 0)
        self.assertLess(most_refetched, self.MOST_REFETCHED)


class PullByChunks(KilledPulls, harness.TestCase):
    WAY = "by chunks"


class PullWithoutShard(KilledPulls, harness.TestCase):
    """The server does not say which chunks a file has, as the Hub's."""
    WAY, HIDDEN = "without a shard", b"/shard "


class PullPlainly(KilledPulls, harness.TestCase):
    WAY, HIDDEN = "plainly", b"/xet-read-token/"


class Push(harness.TestCase):
    """Uploads, the hub that takes them and its gc, killed at random moments."""
    NEW = 1 << 20  # new bytes a version
    PATHS = ("a.bin", "b.bin")

    @classmethod
    def make_seed(cls):
        return None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.token = cls.hub.make_writer("ana")

    def setUp(self):
        super().setUp()
        self.client.environment["LOCARA_TOKEN"] = self.token
        self.wire = self.counting_proxy()
        self.chance = random.Random(SEED)
        self.repo = "ana/" + self.id().rpartition(".")[2]
        self.version = 0
        self.local = self.client.home / "local"
        self.local.mkdir()
        self.kept = {}  # path: the SHA-256 that was acknowledged last
        self.kills = collections.Counter()

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.hub.url + path, body and json.dumps(body).encode(),
                                         {"Authorization": f"Bearer {self.token}"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def make_version(self, path):
        """The next version of a file and a text that names its digest: one commit of both."""
        self.version += 1
        file = self.local / path
        old = file.read_bytes() if file.exists() else b""
        at = self.chance.randrange(len(old) // 2 + 1)
        file.write_bytes(old[:at] + weights.noise(f"{SEED} {self.version}", self.NEW) + old[at:at + 2 * self.NEW])
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        note = self.local / (path + ".txt")
        note.write_text(digest)
        return digest, (file, note)

    def start_upload(self, files):
        return self.client.start("upload", self.repo, *files, "--create", "--endpoint", self.wire.url)

    def finish_upload(self, files):
        self.client.run("upload", self.repo, *files, "--create", "--endpoint", self.wire.url)

    def check_content(self, attempted=None):
        """What was acknowledged can be read and nothing else; `attempted` (path, digest) may be there instead. All at one
        commit: the hub may go on with the commit of a client that was killed."""
        commit = json.loads(self.call("GET", f"/api/models/{self.repo}"))["sha"]
        for path, kept in self.kept.items():
            allowed = {kept} | ({attempted[1]} if attempted and attempted[0] == path else set())
            content = self.call("GET", f"/{self.repo}/resolve/{commit}/{path}")
            digest = hashlib.sha256(content).hexdigest()
            self.assertIn(digest, allowed, f"{path} is not what was uploaded")
            self.assertEqual(self.call("GET", f"/{self.repo}/resolve/{commit}/{path}.txt").decode(), digest, "half a commit")

    def check_hub(self):
        """All that the hub holds is whole."""
        found = json.loads(self.hub.admin("fsck", "--json"))
        self.assertEqual(found["bad"], [])

    def set_trap(self, victim):
        """Lets `victim` be killed at a random moment of the upload that follows."""
        moment = self.chance.choice(["bytes", "shard", "commit", "time"])
        delay = self.chance.choice([0, self.chance.uniform(0, 0.05)])

        def kill():
            if delay == 0:
                victim.kill()
            else:
                threading.Timer(delay, victim.kill).start()
        if moment == "bytes":
            self.wire.call_when(victim.kill, sent=self.chance.randrange(1, self.NEW))
        elif moment == "shard":
            self.wire.call_when(kill, request=b"/shards HTTP")
        elif moment == "commit":
            self.wire.call_when(kill, request=b"/commit/main HTTP")
        else:
            threading.Timer(self.chance.uniform(0, 0.3), victim.kill).start()
        return moment

    def restart_hub(self):
        """After a kill: what lies on the disk is whole before anything is mended."""
        self.hub.process.communicate()
        self.check_hub()
        self.hub.start()

    def test_client_and_hub_killed_in_uploads(self):
        for path in self.PATHS:
            digest, files = self.make_version(path)
            self.finish_upload(files)
            self.kept[path] = digest
        resumed = []
        while self.kills.total() < max(8, KILLS // 4):
            path = self.chance.choice(self.PATHS)
            digest, files = self.make_version(path)
            whom = self.chance.choice(["client", "hub"])
            victim = Victim()
            self.wire.reset()
            moment = self.set_trap(victim)
            process = self.start_upload(files)
            victim.choose(process if whom == "client" else self.hub.process)
            if whom == "hub":
                # The client tries again for a while; a hub that comes back is as good as one that stayed.
                harness.wait_for(lambda: victim.killed or process.poll() is not None, "a kill", 60)
                victim.spare()
                if victim.killed:
                    self.restart_hub()
            _, errors = process.communicate(timeout=120)
            victim.spare()
            self.kills[f"{whom} in push"] += victim.killed
            tell(self.kills.total(), dict(self.kills))
            if process.returncode == 0:
                self.kept[path] = digest
            self.check_content((path, digest))
            if process.returncode != 0:
                self.assertIn(process.returncode, (-signal.SIGKILL, 1, 5, 9), errors)
                self.wire.reset()
                self.finish_upload(files)
                self.kept[path] = digest
                if victim.killed and moment == "commit":
                    resumed.append(self.wire.sent)
        self.check_content()
        self.hub.process.kill()
        self.restart_hub()
        self.check_content()
        print(f"{self.version} uploads, killed: {dict(self.kills)} (seed {SEED}); after a kill at the commit at most "
              f"{max(resumed, default=0):,} bytes were sent again")
        # Every chunk was acknowledged by then: only heads, the shard and the commit go again.
        self.assertLess(max(resumed, default=0), self.NEW // 4)

    def test_a_branch_that_a_killed_hub_was_moving_can_be_moved(self):
        digest, files = self.make_version("a.bin")
        self.finish_upload(files)
        self.hub.process.kill()
        # What a kill leaves between two system calls of libgit2.
        heads = list(self.hub.folder.glob("repos/*.git/refs/heads"))
        self.assertTrue(heads)
        for folder in heads:
            (folder / "main.lock").touch()
        self.restart_hub()
        self.kept["a.bin"] = digest
        self.check_content()
        digest, files = self.make_version("a.bin")
        self.finish_upload(files)
        self.kept["a.bin"] = digest
        self.check_content()

    # ------------------------------------------------------------------------------------- gc

    def age(self):
        """Two days pass for all that the hub has stored."""
        then = time.time() - 2 * 86400
        for top in ("cas/objects", "repos"):
            for folder, folders, files in os.walk(self.hub.folder / top):
                for name in folders + files:
                    with contextlib.suppress(FileNotFoundError):
                        os.utime(os.path.join(folder, name), (then, then))

    def make_garbage(self):
        """A repository that is removed again, and versions that nobody names any more."""
        file = self.local / "garbage.bin"
        file.write_bytes(weights.noise(f"garbage {SEED} {self.version} {self.chance.random()}", self.NEW // 4))
        self.client.run("upload", "ana/garbage", file, "--create", "--endpoint", self.hub.url)
        self.call("DELETE", "/api/repos/delete", {"name": "garbage"})

    def start_gc(self):
        return subprocess.Popen(self.hub.command("gc", "--json", "--grace", "1h"), text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def test_gc_killed_beside_uploads(self):
        digest, files = self.make_version("a.bin")
        self.finish_upload(files)
        self.kept["a.bin"] = digest
        while self.kills.total() < max(5, KILLS // 5):
            self.make_garbage()
            self.age()
            attempted = None
            upload = None
            if self.chance.random() < 0.5:
                digest, files = self.make_version("a.bin")
                attempted = ("a.bin", digest)
                upload = self.start_upload(files)
            collector = self.start_gc()
            whom = self.chance.choice(["gc", "gc", "hub", "both"])
            time.sleep(self.chance.uniform(0, 0.08))  # a collection here takes about that long
            if whom in ("gc", "both") and collector.poll() is None:
                collector.kill()
                self.kills["gc of the hub"] += 1
            if whom in ("hub", "both"):
                self.hub.process.kill()
                self.kills["hub beside gc"] += 1
            tell(self.kills.total(), dict(self.kills))
            _, errors = collector.communicate(timeout=60)
            self.assertIn(collector.returncode, (0, -signal.SIGKILL), errors)
            if whom in ("hub", "both"):
                self.restart_hub()
            if upload:
                _, errors = upload.communicate(timeout=120)
                if upload.returncode == 0:
                    self.kept["a.bin"] = digest
            self.check_hub()
            self.check_content(attempted)
            if upload and upload.returncode != 0:
                self.finish_upload(files)
                self.kept["a.bin"] = digest
        self.age()
        self.hub.admin("gc", "--grace", "1h")
        self.check_hub()
        self.check_content()
        left = json.loads(self.hub.admin("gc", "--grace", "1h", "--dry-run", "--json"))
        self.assertEqual(left["freed_bytes"], 0, "a killed gc leaves what no later one finds")
        self.assertEqual(len(list((self.hub.folder / "repos").iterdir())), len(json.loads(self.call("GET", "/api/models"))))
        print(f"killed: {dict(self.kills)} beside {self.version} uploads (seed {SEED})")

    def test_gc_killed_while_it_packs(self):
        self.call("POST", "/api/repos/create", {"name": self.repo.partition("/")[2]})
        url = f"http://ana:{self.token}@127.0.0.1:{self.hub.port}/{self.repo}"

        def git(*arguments, folder=self.local / "work"):
            return subprocess.run(["git", "-c", "user.name=ana", "-c", "user.email=ana@example.org", *arguments], check=True,
                                  cwd=folder, text=True, timeout=120, stdout=subprocess.PIPE).stdout

        git("clone", "-q", url, "work", folder=self.local)
        for number in range(10):  # each push leaves a pack
            (self.local / "work/a.txt").write_text(weights.noise(number, 50_000).hex())
            git("add", ".")
            git("commit", "-q", "-m", str(number))
            git("push", "-q", "origin", "HEAD:main")
        commits = git("rev-list", "HEAD")
        bare, = (folder for folder in (self.hub.folder / "repos").iterdir()
                 if len(list(folder.glob("objects/pack/*.idx"))) == 10)

        def check():
            shutil.rmtree(self.local / "copy", ignore_errors=True)
            git("clone", "-q", url, "copy", folder=self.local)
            self.assertEqual(git("rev-list", "HEAD", folder=self.local / "copy"), commits)
            git("fsck", "--full", "--strict", folder=self.local / "copy")
            self.check_hub()

        for _ in range(max(8, KILLS // 6)):
            self.age()
            collector = self.start_gc()
            time.sleep(self.chance.uniform(0, 0.08))
            if collector.poll() is None:
                collector.kill()
                self.kills["gc that packs"] += 1
            _, errors = collector.communicate(timeout=60)
            self.assertIn(collector.returncode, (0, -signal.SIGKILL), errors)
            check()
        reports = []
        for _ in range(2):
            self.age()
            reports.append(json.loads(self.hub.admin("gc", "--grace", "1h", "--json")))
            check()
        self.assertEqual(len(list(bare.glob("objects/pack/*.pack"))), 1, reports)
        print(f"killed: {dict(self.kills)} (seed {SEED})")

    # ------------------------------------------------------------------------------ pull requests

    def propose(self):
        """Opens a pull request that adds a file; its number and the text of the file, which is named after it."""
        self.version += 1
        text = f"text {self.version}"
        lines = [{"key": "header", "value": {"summary": text}},
                 {"key": "file", "value": {"path": f"{self.version}.txt", "content": text}}]
        body = "\n".join(map(json.dumps, lines)).encode()
        request = urllib.request.Request(f"{self.hub.url}/api/models/{self.repo}/commit/main?create_pr=1", body,
                                         {"Authorization": f"Bearer {self.token}"}, method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(json.load(answer)["pullRequestUrl"].rpartition("/")[2]), text

    def merge(self, number):
        """Merges a pull request; the commit that did it."""
        return json.loads(self.call("POST", f"/api/models/{self.repo}/discussions/{number}/merge", {}))["mergeCommitId"]

    def cut_off(self, deed, usual):
        """What the deed answered, None if the hub was killed before that. It is killed in any case."""
        killer = threading.Timer(self.chance.uniform(0, 2 * usual), self.hub.process.kill)
        killer.start()
        try:
            answer = deed()
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException):
            answer = None
        killer.join()
        self.restart_hub()
        return answer

    def pulls(self):
        """All that are there, each of which must be whole: number: its details and its text."""
        found = {}
        for page in itertools.count():
            listed = json.loads(self.call("GET", f"/api/models/{self.repo}/discussions?p={page}"))["discussions"]
            for one in listed:
                self.assertNotIn(one["num"], found, "a number was given twice")
                details = json.loads(self.call("GET", f"/api/models/{self.repo}/discussions/{one['num']}"))
                text = details["title"]
                file = f"{text.split()[1]}.txt"
                self.assertEqual(self.call("GET", f"/{self.repo}/resolve/refs%2Fpr%2F{one['num']}/{file}").decode(), text)
                if details["status"] == "merged":
                    self.assertEqual(self.call("GET", f"/{self.repo}/resolve/main/{file}").decode(), text)
                found[one["num"]] = details
            if not listed:
                return found

    def test_hub_killed_while_pull_requests_are_opened_and_merged(self):
        self.call("POST", "/api/repos/create", {"name": self.repo.partition("/")[2]})
        began = time.monotonic()
        opened = dict([self.propose()])  # number: text; of what was acknowledged
        opening = time.monotonic() - began
        began = time.monotonic()
        merged = {1: self.merge(1)}  # number: commit; the same
        merging = time.monotonic() - began
        for turn in range(max(12, KILLS // 4)):
            if turn % 2:
                if opened.keys() == merged.keys():
                    opened.update([self.propose()])
                number = self.chance.choice(sorted(set(opened) - set(merged)))
                commit = self.cut_off(lambda n=number: self.merge(n), merging)
                self.kills["merging"] += commit is None
                if commit is None:
                    # It was done, or it can be done, and is done once.
                    there = self.pulls()[number]
                    commit = there["changes"]["mergeCommitId"] if there["status"] == "merged" else self.merge(number)
                merged[number] = commit
            else:
                answer = self.cut_off(self.propose, opening)
                self.kills["opening"] += answer is None
                if answer is None:  # There as a whole, or not at all.
                    new = {number: details["title"] for number, details in self.pulls().items() if number not in opened}
                    self.assertLessEqual(len(new), 1)
                    opened.update(new)
                else:
                    opened.update([answer])
            tell(self.kills.total(), dict(self.kills))
            found = self.pulls()
            self.assertEqual({number: details["title"] for number, details in found.items()}, opened)
            self.assertEqual({number: details["changes"]["mergeCommitId"] for number, details in found.items()
                              if details["status"] == "merged"}, merged)
            titles = collections.Counter(commit["title"] for commit in json.loads(
                self.call("GET", f"/api/models/{self.repo}/commits/main?limit=1000")))
            self.assertEqual([titles[f"{opened[number]} (#{number})"] for number in merged], [1] * len(merged))
        # All of it, by git, and after a gc.
        for step in ("before gc", "after gc"):
            copy = self.local / step.replace(" ", "-")
            url = f"http://ana:{self.token}@127.0.0.1:{self.hub.port}/{self.repo}"
            for command in (["clone", "-q", "-c", "remote.origin.fetch=refs/pr/*:refs/pr/*", url, copy],
                            ["-C", copy, "fsck", "--full", "--strict"]):
                subprocess.run(["git", *command], check=True, timeout=120, stderr=subprocess.PIPE)
            self.age()
            self.hub.admin("gc", "--grace", "1h")
            self.check_hub()
        self.assertEqual({number: details["title"] for number, details in self.pulls().items()}, opened)
        print(f"{len(opened)} pull requests, {len(merged)} merged, killed while {dict(self.kills)} (seed {SEED})")


if __name__ == "__main__":
    harness.main()
