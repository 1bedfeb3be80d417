"""What the commands of a hub say and refuse: a folder that is no hub's, a mistyped verb, sizes, copies, and who did it."""
import hashlib
import json
import os
import pathlib
import pty
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

from tests import harness
from tests.harness.mirror import call, noise, publish, upload_lfs


class Operator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-operator-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.hub = harness.Hub(cls.folder / "hub", seed=None)
        cls.addClassCleanup(cls.hub.stop)
        cls.token = cls.hub.make_writer("ana")

    def run_it(self, *arguments, expect=0, **environment):
        """Standard output and standard error of a command without --data."""
        kept = {name: value for name, value in os.environ.items() if name != "USER"}
        done = subprocess.run([harness.BIN / "locara-hub", *map(str, arguments)], env={**kept, **environment}, text=True,
                              timeout=120, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def test_a_mistyped_folder_becomes_no_hub(self):
        typo = self.folder / "hubb"
        for verb in (("user", "add", "zz"), ("user", "list"), ("org", "create", "lab"), ("token", "create", "--user", "ana"),
                     ("oauth", "list"), ("quota", "show"), ("repo", "list"), ("stats",)):
            _, said = self.run_it(*verb, "--data", typo, expect=3)
            self.assertIn(f"no hub has worked in {typo}", said)
            self.assertIn("locara-hub init --data", said)
            self.assertFalse(typo.exists(), verb)
        made = self.folder / "made"
        self.run_it("init", "--data", made)
        self.run_it("user", "add", "zz", "--data", made)  # before it is served

    def test_a_folder_of_other_things_becomes_no_hub(self):
        other = self.folder / "notes"
        other.mkdir()
        (other / "mine.txt").write_text("mine")
        for verb in (("init",), ("serve", "--listen", "127.0.0.1:0")):
            _, said = self.run_it(*verb, "--data", other, expect=9)
            self.assertIn(f"{other} is no hub's folder and not empty, it has mine.txt; give a new or an empty folder", said)
            self.assertEqual([path.name for path in other.iterdir()], ["mine.txt"])
        # What says that the folder is meant, a new file system, and a start that came no further than its lock.
        (other / "hub.toml").write_text("")
        self.run_it("init", "--data", other)
        for name in ("lost+found", "lock"):
            new = self.folder / f"new-{name}"
            new.mkdir()
            (new / name).touch()
            self.run_it("init", "--data", new)
        self.run_it("init", "--data", new)  # it is a hub's now

    def test_what_cannot_be_written_is_an_error(self):
        hub, here = harness.BIN / "locara-hub", ("--data", self.hub.folder)
        home = {**os.environ, "LOCARA_HOME": str(self.folder / "home")}
        for command, expect in (([hub, "stats", *here], 7), ([hub, "audit", "list", "--json", *here], 7),
                                ([hub, "token", "create", "--user", "ana", "--name", "full", *here], 7),
                                ([hub, "--help"], 7), ([harness.BIN / "locara", "--help"], 7),
                                ([harness.BIN / "locara", "list", "--json"], 7),
                                ([harness.BIN / "locara-tuf", "--metadata-dir", "x", "--version"], 1)):
            with open("/dev/full", "w") as full:
                done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, env=home)
            self.assertEqual(done.returncode, expect, (command, done.stderr))
            self.assertIn("standard output could not be written whole: No space left on device", done.stderr)
        # Who closes the pipe has read enough.
        for command, expect in (([hub, "stats", *here], (0, -signal.SIGPIPE)), ([harness.BIN / "locara", "list", "--json"], (0,))):
            reading, writing = os.pipe()
            os.close(reading)
            done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, env=home)
            os.close(writing)
            self.assertIn(done.returncode, expect)
            self.assertEqual(done.stderr, "")

    def test_what_ended_a_command_is_its_exit_code(self):
        publish(self.hub, self.token, "ana/judged", {"a.txt": b"a"})
        for number, expect in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            # The antivirus is asked who it is once the command waits for signals, and answers behind the signal.
            path = self.folder / f"clamd-{number}"
            with socket.socket(socket.AF_UNIX) as door:
                door.bind(str(path))
                door.listen()
                process = subprocess.Popen(self.hub.command("rescan", "--all", "--clamd", path), stdout=subprocess.DEVNULL,
                                           stderr=subprocess.PIPE, text=True)
                self.answer_as_clamd(door, lambda: process.send_signal(number))
                said = process.communicate(timeout=60)[1]
            self.assertEqual(process.returncode, expect, said)
            self.assertIn("the rescan was stopped", said)

    @staticmethod
    def answer_as_clamd(door, meanwhile):
        """Until its version was asked for: twice, when a rescan begins."""
        versions = 0
        while versions < 2:
            asked, _ = door.accept()
            with asked:
                command = asked.recv(1 << 16)
                if command.startswith(b"zINSTREAM"):
                    while not command.endswith(bytes(4)):
                        command += asked.recv(1 << 16)
                    asked.sendall(b"stream: Heuristics.Limits.Exceeded FOUND\0")
                elif command.startswith(b"zPING"):
                    asked.sendall(b"PONG\0")
                else:
                    meanwhile() if versions == 0 else None
                    versions += 1
                    asked.sendall(b"ClamAV 1.0.0/1/now\0")

    def test_a_damaged_file_is_named_as_its_repository_has_it_and_comes_anew(self):
        hub = harness.Hub(self.folder / "damaged", seed=None)
        self.addCleanup(hub.stop)
        token = hub.make_writer("ana")
        content = noise("weights", 300_000)
        publish(hub, token, "ana/m1", {"data/model.bin": content, "README.md": b"# It"})
        digest = hashlib.sha256(content).hexdigest()
        xorb = next(path for path in (hub.folder / "cas/objects/xorbs").rglob("*") if path.is_file())
        spoiled = bytearray(xorb.read_bytes())
        spoiled[1000:1004] = bytes(byte ^ 1 for byte in spoiled[1000:1004])
        xorb.chmod(0o600)
        xorb.write_bytes(spoiled)

        told = hub.admin("fsck", expect=6)
        self.assertRegex(told, f"bad  model ana/m1 file sha256:{digest}: chunks of it are in xorbs/")
        self.assertRegex(told, r"\n     xet:[0-9a-f]{64}, data/model.bin at main\n")
        self.assertIn("mend model ana/m1: run `locara-hub fsck --set-aside`, then upload again, with the same bytes: data/model.bin\n",
                      told)
        report = json.loads(hub.admin("fsck", "--set-aside", "--json", expect=6))
        found = [one for one in report["bad"] if one["repository"]]
        self.assertEqual([(one["type"], one["repository"], one["sha256"], one["places"]) for one in found],
                         [("model", "ana/m1", digest, [{"ref": "refs/heads/main", "path": "data/model.bin"}])])
        self.assertIn(f"xet:{found[0]['xet']},", told)
        self.assertEqual([one["sha256"] for one in report["bad"] if not one["repository"]], [None] * (len(report["bad"]) - 1))
        self.assertEqual(report["mend"], [{"type": "model", "repository": "ana/m1",
                                           "how": "upload again, with the same bytes: data/model.bin"}])
        # As told: by a hub that served all the while.
        upload_lfs(hub, token, "ana/m1", content)
        self.assertIn("all is well", hub.admin("fsck"))
        self.assertEqual(call(hub, "GET", "/ana/m1/resolve/main/data/model.bin", token).body, content)

        # A repository with a damaged ref is left alone by gc, which says so.
        [folder] = (hub.folder / "repos").iterdir()
        (folder / "refs/heads/main").write_text("zzzz\n")
        done = subprocess.run(hub.command("gc", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                              check=True, env={**os.environ, **harness.moved_clock("+2d")})
        self.assertIn("nothing of the model ana/m1 was forgotten, it is damaged: ", done.stderr)
        [left] = json.loads(done.stdout)["damaged_repositories"]
        self.assertEqual((left["type"], left["repository"]), ("model", "ana/m1"))
        self.assertIn("its history is not whole: take its folder out of a backup", hub.admin("fsck", expect=6))

    def test_a_mistyped_verb_is_named_with_the_nearest(self):
        for words, said in ((("usr", "add"), "there is no verb 'usr'; did you mean `locara-hub user`?"),
                            (("user", "ad", "x"), "there is no verb 'ad'; did you mean `locara-hub user add`?"),
                            (("frobnicate",), "there is no verb 'frobnicate'; see `locara-hub --help`")):
            self.assertIn(said, self.run_it(*words, expect=2)[1])

    def test_sizes_are_taken_as_they_are_printed(self):
        for given, shown in (("700KB", "700 kB"), ("700kB", "700 kB"), ("700 kB", "700 kB"), ("1.5GB", "1.5 GB"),
                             ("64GiB", "68.7 GB")):
            self.hub.admin("quota", "set", "ana", given)
            self.assertIn(f" of {shown} (set)", self.hub.admin("quota", "show", "ana"))
        for given in ("1.GB", "0kB", "5", "5 XB", "1.2345GB", "9999999TB"):
            self.hub.admin("quota", "set", "ana", given, expect=2)
        self.hub.admin("quota", "set", "ana", "default")

    def test_what_was_done_is_said_and_who_did_it(self):
        self.hub.admin("repo", "create", "ana/one")
        self.assertEqual(self.hub.admin("repo", "move", "ana/one", "ana/two"), "moved ana/one to ana/two; the old id leads there")
        self.assertIn("removed ana/two", self.hub.admin("repo", "rm", "ana/two"))
        self.run_it("user", "add", "by-uid", "--data", self.hub.folder)
        line = json.loads(self.hub.admin("audit", "list", "--json", "--event", "user-added").splitlines()[-1])
        self.assertEqual((line["user"], line["by"]), ("by-uid", "operator:" + pwd.getpwuid(os.geteuid()).pw_name))

    def on_a_terminal(self, command, answer):
        """What somebody sees who answers a question; the exit code."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(command[0], [str(part) for part in command])
        seen = b""
        os.write(terminal, answer.encode() + b"\n")
        try:
            while part := os.read(terminal, 4096):
                seen += part
        except OSError:
            pass  # the other end is closed
        os.close(terminal)
        return seen.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_removing_asks_whoever_sits_at_a_terminal(self):
        self.hub.admin("user", "add", "eve")
        self.hub.admin("org", "create", "gone")
        for command, listing, name in ((("repo", "rm", "ana/asked"), ("repo", "list"), "ana/asked"),
                                       (("user", "rm", "eve"), ("user", "list"), "eve"), (("org", "rm", "gone"), ("org", "list"), "gone")):
            if command[0] == "repo":
                self.hub.admin("repo", "create", "ana/asked")
            seen, code = self.on_a_terminal(self.hub.command(*command), "n")
            self.assertIn("[y/N]", seen)
            self.assertEqual(code, 0, seen)
            self.assertIn(name, self.hub.admin(*listing))
            seen, code = self.on_a_terminal(self.hub.command(*command, "--yes"), "")
            self.assertNotIn("[y/N]", seen)
            self.assertEqual(code, 0, seen)
            self.assertNotIn(name, self.hub.admin(*listing))
        self.hub.admin("repo", "create", "ana/asked")
        self.assertIn("removed ana/asked", self.on_a_terminal(self.hub.command("repo", "rm", "ana/asked"), "y")[0])
        self.hub.admin("repo", "rm", "ana/asked", expect=3)

    def test_what_was_done_is_told_to_programs(self):
        made = json.loads(self.hub.admin("token", "create", "--user", "ana", "--name", "json", "--json"))["token"]
        self.assertTrue(made["text"].startswith("hf_"))
        told = [t for t in json.loads(self.hub.admin("token", "list", "--json"))["tokens"] if t["name"] == "json"]
        self.assertEqual(told, [{"id": made["id"], "name": "json", "user": "ana", "role": "read", "created": made["created"],
                                 "expires": None, "scopes": []}])
        self.hub.admin("repo", "create", "ana/told")
        moved = json.loads(self.hub.admin("repo", "move", "ana/told", "ana/tell", "--json"))
        self.assertEqual((moved["repository"]["id"], moved["to"]), ("ana/told", "ana/tell"))
        self.assertEqual(json.loads(self.hub.admin("repo", "rm", "ana/tell", "--json"))["repository"]["id"], "ana/tell")
        self.assertEqual(json.loads(self.hub.admin("quota", "set", "ana", "1MB", "--json"))["quota_bytes"], 1000000)
        self.assertEqual(json.loads(self.hub.admin("quota", "set", "ana", "default", "--json"))["quota_bytes"], "default")
        made = json.loads(self.run_it("init", "--data", self.folder / "init-json", "--json")[0])
        self.assertEqual(made["root"], str(self.folder / "init-json/root.json"))
        self.assertRegex(made["fingerprint"], "^sha256:[0-9a-f]{64}$")

    def test_an_event_that_is_none_is_refused(self):
        _, said = self.run_it("audit", "list", "--event", "repo-remove", "--data", self.hub.folder, expect=2)
        self.assertIn("there is no event 'repo-remove'; there are access-asked,", said)
        text = (harness.SOURCE / "docs/formats/hub-audit.md").read_text()
        for line in (line for line in text.splitlines() if line.startswith("| `")):
            for event in re.findall("`([^`]+)`", line.split("|")[1]):
                self.hub.admin("audit", "list", "--event", event)

    def test_a_lost_git_folder_is_a_fault_of_the_hub_and_its_path_nobodys_affair(self):
        hub = harness.Hub(self.folder / "lost", seed=None)
        self.addCleanup(hub.stop)
        token = hub.make_writer("ana")
        hub.admin("repo", "create", "ana/lost", "--public")
        internal = json.loads(hub.admin("repo", "list", "--json"))["repositories"][0]["internal"]
        folder = hub.folder / f"repos/{internal}.git"

        def expect_a_fault(*paths):
            for path in paths:
                for headers in ({}, {"Authorization": f"Bearer {token}"}):
                    with self.assertRaises(urllib.error.HTTPError, msg=path) as failed:
                        urllib.request.urlopen(urllib.request.Request(hub.url + path, headers=headers), timeout=30)
                    answer = failed.exception.read().decode() + str(failed.exception.headers)
                    self.assertEqual(failed.exception.code, 500, answer)
                    self.assertIn("something went wrong on this hub", answer)
                    self.assertNotIn(str(self.folder), answer)

        commit = (folder / "refs/heads/main").read_text().strip()
        folder.rename(self.folder / "elsewhere")
        expect_a_fault("/api/models/ana/lost", "/api/models/ana/lost/refs", "/api/models/ana/lost/commits/main",
                       "/ana/lost/resolve/main/.gitattributes", "/ana/lost/info/refs?service=git-upload-pack")
        (self.folder / "elsewhere").rename(folder)
        (folder / "objects" / commit[:2] / commit[2:]).unlink()
        expect_a_fault("/api/models/ana/lost", "/api/models/ana/lost/commits/main", "/ana/lost/resolve/main/.gitattributes")
        hub.stop()
        self.assertIn("request_failed", hub.said)

    def test_backup_and_restore_count_alike_and_copy_no_hub_into_itself(self):
        self.hub.admin("repo", "create", "ana/kept")
        request = urllib.request.Request(self.hub.url + "/api/buckets/ana/box", b"{}",
                                         {"Authorization": f"Bearer {self.token}"})
        urllib.request.urlopen(request, timeout=30).read()
        copy = self.folder / "copy"
        (self.hub.folder / "hub.toml").chmod(0o600)
        saved = json.loads(self.hub.admin("backup", str(copy), "--json"))
        back = json.loads(self.run_it("restore", copy, "--data", self.folder / "back", "--json")[0])
        for count in ("repositories", "files", "bytes"):
            self.assertEqual(saved[count], back[count], count)
        for part in (copy, self.folder / "back"):
            self.assertEqual((part / "hub.toml").read_text(), (self.hub.folder / "hub.toml").read_text())
            self.assertEqual((part / "hub.toml").stat().st_mode & 0o777, 0o600)
        inside = self.hub.folder / "copies/x"
        _, said = self.run_it("backup", inside, "--data", self.hub.folder, expect=2)
        self.assertIn("give a folder beside it", said)
        self.assertFalse(inside.parent.exists())
        self.run_it("restore", copy, "--data", copy / "x", expect=2)


if __name__ == "__main__":
    harness.main()
