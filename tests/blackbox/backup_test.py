"""Backup and restore of a hub that serves and takes pushes meanwhile, over SQLite, over PostgreSQL and from one to the
other; killed in the middle; and what stats and fsck say."""
import contextlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

from tests import harness


class Backups:
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-backup-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.hub = harness.Hub(cls.folder / "hub", seed=None, database=cls.make_database())
        cls.addClassCleanup(cls.hub.stop)
        cls.token = cls.hub.make_writer("ana")

    def git(self, *arguments, folder=None):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0",
                       "GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"), "GIT_CONFIG_SYSTEM": "/dev/null",
                       **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                          for what, value in (("NAME", "Ana"), ("EMAIL", "ana@example.org"))}}
        done = subprocess.run(["git", *map(str, arguments)], cwd=folder or self.folder, env=environment, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise AssertionError(done.stdout)
        return done.stdout.strip()

    def call(self, hub, path, body=None):
        request = urllib.request.Request(hub.url + path, json.dumps(body).encode() if body else None)
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def clone(self, hub, name, folder):
        self.git("clone", "--quiet", hub.url.replace("http://", f"http://ana:{self.token}@") + "/ana/" + name, folder)
        self.git("lfs", "install", "--local", folder=folder)
        self.git("lfs", "pull", folder=folder)

    def push_some(self, clone, name):
        """A commit with a large file, on two branches; its id."""
        (clone / f"{name}.bin").write_bytes(name.encode() * 4096 + os.urandom(100_000))
        self.git("add", ".", folder=clone)
        self.git("commit", "--quiet", "-m", name, folder=clone)
        self.git("push", "--quiet", "origin", "HEAD:main", "HEAD:refs/heads/side", folder=clone)
        return self.git("rev-parse", "HEAD", folder=clone)

    def hub_of(self, backup, name, database):
        """A hub restored from a backup, serving."""
        data = self.folder / name
        done = subprocess.run([harness.BIN / "locara-hub", "restore", backup, "--data", data,
                               *(["--database", database] if database else [])], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout)
        hub = harness.Hub(data, seed=None, database=database)
        self.addCleanup(hub.stop)
        return hub

    def test_a_backup_under_load_has_all_that_was_acknowledged_and_nothing_in_half(self):
        self.call(self.hub, "/api/repos/create", {"name": "busy", "private": True})
        clone = self.folder / "busy-clone"
        self.clone(self.hub, "busy", clone)
        acknowledged, failures, stop = [], [], threading.Event()

        def keep_pushing():
            try:
                while not stop.is_set():
                    acknowledged.append(self.push_some(clone, f"file-{len(acknowledged)}"))
                    self.call(self.hub, "/api/repos/create", {"name": f"made-{len(acknowledged)}"})
            except Exception as error:  # told by the main thread
                failures.append(error)

        pusher = threading.Thread(target=keep_pushing)
        pusher.start()
        taken = []
        for i in range(2):
            harness.wait_for(lambda: len(acknowledged) > i or failures, "pushes", 60)
            before = acknowledged[-1]
            self.hub.admin("backup", str(self.folder / f"backup-{i}"))
            taken.append((self.folder / f"backup-{i}", before))
        stop.set()
        pusher.join()
        self.assertEqual(failures, [])
        for i, (backup, before) in enumerate(taken):
            restored = self.hub_of(backup, f"restored-{i}", self.make_database())
            self.assertIn("all is well", restored.admin("fsck"))
            refs = {ref["name"]: ref["targetCommit"] for ref in self.call(restored, "/api/models/ana/busy/refs")["branches"]}
            self.assertEqual(refs["main"], refs["side"], "a push moves all of its refs or none")
            self.assertIn(refs["main"], acknowledged + [self.git("rev-parse", "HEAD", folder=clone)])
            there = self.folder / f"clone-{i}"
            self.clone(restored, "busy", there)
            self.git("merge-base", "--is-ancestor", before, "HEAD", folder=there)
            for file in there.glob("*.bin"):
                self.assertEqual(file.read_bytes(), (clone / file.name).read_bytes())
            self.assertEqual((restored.folder / "root.json").read_bytes(), (self.hub.folder / "root.json").read_bytes())
            with urllib.request.urlopen(restored.url + "/catalog/metadata/timestamp.json", timeout=30) as answer:
                self.assertEqual(answer.status, 200)
            self.push_some(there, "goes-on")

    def test_a_backup_that_is_killed_is_none_and_the_next_one_is_whole(self):
        self.call(self.hub, "/api/repos/create", {"name": "killed", "private": True})
        clone = self.folder / "killed-clone"
        self.clone(self.hub, "killed", clone)
        for i in range(3):
            self.push_some(clone, f"killed-{i}")
        backup, restored = self.folder / "killed-backup", self.folder / "killed-restored"
        for verb, target, command in (
                ("backup", backup, self.hub.command("backup", str(backup))),
                ("restore", restored, [harness.BIN / "locara-hub", "restore", backup, "--data", restored])):
            began = time.monotonic()
            subprocess.run([*command, "--json"] if verb == "backup" else command, check=True, timeout=120,
                           stdout=subprocess.DEVNULL)
            whole = time.monotonic() - began
            shutil.rmtree(target)
            for part in (0.2, 0.5, 0.7, 0.9):
                process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(whole * part)
                process.kill()
                process.wait()
                if target.exists():  # it was done
                    shutil.rmtree(target)
            subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL)
            self.assertFalse(target.with_name(target.name + ".unfinished").exists())
        hub = harness.Hub(restored, seed=None, database=None)
        self.addCleanup(hub.stop)
        self.assertIn("all is well", hub.admin("fsck"))
        self.clone(hub, "killed", self.folder / "killed-again")
        self.assertEqual(len(list((self.folder / "killed-again").glob("*.bin"))), 3)

    def test_links_in_place_of_copies(self):
        self.call(self.hub, "/api/repos/create", {"name": "linked"})
        clone = self.folder / "linked-clone"
        self.clone(self.hub, "linked", clone)
        self.push_some(clone, "linked")
        self.hub.admin("backup", "--link", str(self.folder / "linked"))
        here = self.hub.folder / "cas/objects"
        for file in (self.folder / "linked/cas/objects").rglob("*"):
            if file.is_file():
                self.assertTrue(file.samefile(here / file.relative_to(self.folder / "linked/cas/objects")))

    def test_to_another_file_system_and_back(self):
        self.call(self.hub, "/api/repos/create", {"name": "far"})
        clone, again = self.folder / "far-clone", self.folder / "far-again"
        self.clone(self.hub, "far", clone)
        self.push_some(clone, "far")
        with tempfile.TemporaryDirectory(prefix="locara-backup-", dir="/dev/shm") as memory:
            self.assertNotEqual(os.stat(memory).st_dev, os.stat(self.folder).st_dev)
            self.hub.admin("backup", f"{memory}/backup")
            hub = self.hub_of(f"{memory}/backup", "far-restored", self.make_database())
        self.assertIn("all is well", hub.admin("fsck"))
        self.clone(hub, "far", again)
        self.assertEqual((again / "far.bin").read_bytes(), (clone / "far.bin").read_bytes())

    def test_what_is_in_the_way(self):
        (self.folder / "full").mkdir()
        (self.folder / "full/x").write_text("x")
        self.hub.admin("backup", str(self.folder / "full"), expect=9)
        (self.folder / "mine.unfinished").mkdir()
        (self.folder / "mine.unfinished/x").write_text("x")
        self.hub.admin("backup", str(self.folder / "mine"), expect=9)
        self.hub.admin("restore", str(self.folder / "full"), expect=3)
        (self.folder / "empty").mkdir()
        self.hub.admin("backup", str(self.folder / "empty"))
        self.hub.admin("restore", str(self.folder / "empty"), expect=9)  # the hub itself is there

    def test_stats(self):
        told = json.loads(self.hub.admin("stats", "--json"))
        self.assertEqual(told["schema"], "locara-hub.stats/1")
        self.assertEqual((told["accounts"], told["tokens"]), (1, 1))
        self.assertGreaterEqual(told["git_bytes"], 0)
        self.assertIn("accounts  1, with 1 tokens", self.hub.admin("stats"))


class OverSqlite(Backups, unittest.TestCase):
    @classmethod
    def make_database(cls):
        return None

    def test_fsck_looks_into_the_database(self):
        with contextlib.closing(sqlite3.connect(self.hub.folder / "names.db")) as names:
            names.execute("INSERT INTO files (repo, sha256, xet, size) VALUES (4711, 'a', 'b', 1)")
            names.commit()
            told = self.hub.admin("fsck", expect=6)
            names.execute("DELETE FROM files WHERE repo = 4711")
            names.commit()
        self.assertIn("bad  database: a row of files belongs to one that is not there", told)

    def test_into_postgresql_and_back(self):
        self.call(self.hub, "/api/repos/create", {"name": "moves", "private": True})
        clone = self.folder / "moves-clone"
        self.clone(self.hub, "moves", clone)
        pushed = self.push_some(clone, "moves")
        self.hub.admin("backup", str(self.folder / "moves-1"))
        database = harness.make_database()
        there = self.hub_of(self.folder / "moves-1", "moves-there", database)
        self.assertFalse((there.folder / "names.db").exists())
        self.assertEqual(self.call(there, "/api/models/ana/moves")["sha"], pushed)
        there.admin("backup", str(self.folder / "moves-2"))
        there.stop()
        # A database that has names already is left alone.
        done = subprocess.run([harness.BIN / "locara-hub", "restore", self.folder / "moves-2", "--data",
                                      self.folder / "moves-no", "--database", database], stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 9, done.stderr)
        back = self.hub_of(self.folder / "moves-2", "moves-back", None)
        self.assertEqual(self.call(back, "/api/models/ana/moves")["sha"], pushed)


class OverPostgresql(Backups, unittest.TestCase):
    @classmethod
    def make_database(cls):
        return harness.make_database()


if __name__ == "__main__":
    harness.main()
