"""What a curator calls back: installs are refused, what runs is stopped, and nothing a client does weakens that."""
import json
import os
import pathlib
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

from tests import harness
from tests.blackbox.wire_test import TINY, write_seed
from tests.harness import BIN
from tests.harness.clamd import Clamd
from tests.harness.mirror import publish

REASON = "it sends notes away"


class Takedown(harness.TestCase):
    @classmethod
    def make_seed(cls):
        write_seed(cls.folder / "seed")
        return cls.folder / "seed"

    def call_back(self, what, *arguments):
        subprocess.run([BIN / "locara-hub", "takedown", "add", what, "--reason", REASON, *arguments, "--data",
                        self.hub.folder], check=True, timeout=60)
        self.addCleanup(subprocess.run, [BIN / "locara-hub", "takedown", "add", what, "--reason", "over", "--action", "warn",
                                         *arguments[:2], "--data", self.hub.folder], check=True)

    def running(self):
        return [app["id"] for app in self.client.json("status")["broker"]["apps"]]

    def refuse_to_run(self, words=REASON, expect=8, **options):
        """In a broker of its own, which knows only what is stored."""
        self.client.stop()
        self.client.run("run", TINY, expect=expect, **options)
        self.assertIn(words, self.client.stderr)

    def test_block_run_stops_what_runs_and_stays_in_force(self):
        client = self.client
        client.add_hub(self.hub)
        client.run("install", TINY, "--yes")
        client.run("run", TINY)
        self.assertEqual(self.running(), [TINY])

        self.call_back(TINY)
        self.assertEqual(self.running(), [TINY], "the client has not heard of it")
        client.run("search", "--refresh")
        since = time.monotonic()
        harness.wait_for(lambda: self.running() == [], "the app to be stopped", seconds=5)
        self.assertLess(time.monotonic() - since, 5)
        self.assertIn("taken_down", next(client.home.rglob("audit*")).read_text())
        client.run("run", TINY, expect=8)
        self.assertIn(REASON, client.stderr)
        client.run("install", TINY, "--yes", expect=8)
        self.assertEqual([app["id"] for app in client.json("list")["apps"]], [TINY], "nothing is deleted")
        client.run("verify")

        # Offline, whatever the clock says, and however the stored list fares.
        self.hub.stop()
        try:
            self.refuse_to_run()
            self.refuse_to_run(faketime="-300d")
            self.refuse_to_run(faketime="+300d")
            client.run("install", TINY, "--yes", expect=8)
            self.assertIn(REASON, client.stderr)
            stored = next(client.home.rglob("takedown.json"))
            whole = stored.read_bytes()
            stored.write_bytes(b"{}")
            self.refuse_to_run()
            stored.unlink()
            self.refuse_to_run()
            targets = stored.parent / "targets"
            for path in targets.iterdir():
                if b"locara.dev/takedown/v1" in path.read_bytes():
                    path.unlink()
            self.refuse_to_run("the takedown list stored in", expect=6)
            stored.write_bytes(whole)
            self.refuse_to_run()
        finally:
            self.hub.start()

        # A later entry lifts it.
        self.call_back(TINY, "--kind", "app", "--action", "warn")
        client.run("search", "--refresh")
        self.client.stop()
        client.run("run", TINY)

    def test_an_answer_in_flight_ends(self):
        client = self.client
        client.add_hub(self.hub)
        client.run("install", TINY, "--yes")
        client.run("run", TINY, "--once", "x")
        broker = client.json("status")["broker"]
        self.assertEqual(broker["apps"], [], "no page is open")
        engine, = [one["pid"] for one in broker["engines"]]
        os.kill(engine, signal.SIGSTOP)  # it would take for ever
        asking = client.start("run", TINY, "--once", "x", "--offline")
        time.sleep(1)
        self.assertIsNone(asking.poll())
        self.call_back(TINY)
        client.run("search", "--refresh")
        said = asking.communicate(timeout=5)[1]
        self.assertEqual(asking.returncode, 8, said)
        self.assertIn(REASON, said)
        harness.wait_for(lambda: not pathlib.Path(f"/proc/{engine}").exists(), "the engine to be stopped", seconds=2)

    def test_a_machine_that_only_runs_apps_hears_of_it_within_a_day(self):
        client = self.client
        client.add_hub(self.hub)
        client.run("install", TINY, "--yes")
        self.call_back(TINY)
        client.run("run", TINY)
        client.run("run", TINY, "--offline", faketime="+25h")
        self.hub.stop()
        client.run("run", TINY, faketime="+25h")  # what cannot be asked is not waited for
        self.assertEqual(self.running(), [TINY])
        self.hub.start(clock="+25h")  # signs anew
        try:
            client.run("run", TINY, expect=8, faketime="+25h")
            self.assertIn(REASON, client.stderr)
            harness.wait_for(lambda: self.running() == [], "the app to be stopped", seconds=5)
        finally:
            self.hub.stop()
            self.hub.start()

    def test_a_slow_hub_keeps_no_other_hubs_word_back(self):
        client, slow = self.client, threading.Event()
        proxy = self.proxy(lambda path, *answer: (slow.is_set() and time.sleep(20), answer)[1])
        client.add_hub(self.hub, proxy.url)
        client.add_hub(self.hub)
        client.run("install", TINY, "--yes", "--hub", self.hub.url)
        self.call_back(TINY)
        slow.set()
        self.hub.stop()
        self.hub.start(clock="+25h")  # signs anew
        try:
            since = time.monotonic()
            client.run("run", TINY, expect=8, faketime="+25h")
            self.assertIn(REASON, client.stderr)
            self.assertLess(time.monotonic() - since, 15)
        finally:
            self.hub.stop()
            self.hub.start()

    def test_an_app_that_runs_on_hears_of_it_within_a_day(self):
        client = self.client
        client.add_hub(self.hub)
        client.run("install", TINY, "--yes")
        clock = harness.Clock(self.folder / "clock")
        for network in (["--offline"], []):
            client.stop()
            client.run("run", TINY, *network, faketime=clock)
            self.call_back(TINY)
            self.hub.stop()
            self.hub.start(clock="+25h")  # signs anew
            clock.move("+25h")
            if network:
                time.sleep(8)
                self.assertEqual(self.running(), [TINY], "a broker that was started offline asks nobody")
            else:
                harness.wait_for(lambda: self.running() == [], "the app to be stopped", seconds=60)
                self.assertIn("taken_down", next(client.home.rglob("audit*")).read_text())
            self.hub.stop()
            self.hub.start()
            clock.move("+0")

    def test_a_broker_hears_of_every_hub_whichever_its_caller_asked(self):
        client, gone = self.client, threading.Event()
        proxy = self.proxy(lambda path, status, *answer: (503 if gone.is_set() else status, *answer))
        client.add_hub(self.hub, proxy.url)
        client.add_hub(self.hub)
        client.run("install", TINY, "--yes", "--hub", self.hub.url)
        client.environment["LOCARA_HUB"] = proxy.url
        clock = harness.Clock(self.folder / "clock-of-one-hub")
        client.run("run", TINY, faketime=clock)
        gone.set()
        self.call_back(TINY)
        self.hub.stop()
        self.hub.start(clock="+25h")  # signs anew
        clock.move("+25h")
        try:
            harness.wait_for(lambda: self.running() == [], "the app to be stopped", seconds=60)
        finally:
            self.hub.stop()
            self.hub.start()

    def test_block_install_leaves_what_is_installed_alone(self):
        client = self.client
        client.add_hub(self.hub)
        client.run("install", TINY, "--yes")
        self.call_back("test/tiny", "--kind", "model", "--action", "block-install")
        client.run("search", "--refresh")
        client.run("run", TINY)
        self.assertRegex(client.stderr, rf"warning {TINY} was called back on \S+ \(block-install\): {REASON}")
        self.client.stop()
        self.assertEqual(client.json("show", TINY)["takedown"]["action"], "block-install")
        # Not by the pinned manifest alone either.
        client.run("pull", "--manifest", next(client.home.rglob("models/text.json")), expect=8)
        self.assertIn(REASON, client.stderr)
        self.client = harness.Client(self.folder / "another")
        self.client.add_hub(self.hub)
        self.client.run("install", TINY, "--yes", expect=8)
        self.assertIn(REASON, self.client.stderr)

    def test_what_a_new_signature_knows_is_found_and_called_back(self):
        self.client.add_hub(self.hub)
        self.client.run("install", TINY, "--yes")
        self.assertEqual(json.loads(self.hub.admin("rescan", "--json"))["refused"], [])
        clamd = Clamd(self.folder / "clamd", b"general.architecture")  # stands in the weights
        self.addCleanup(clamd.stop)
        address = clamd.socket
        said = self.hub.admin("rescan", "--json", "--clamd", address, expect=8)
        found, = json.loads(said)["refused"]
        self.assertEqual((found["repository"], found["rule"], found["label"]), ("models/test/tiny", "antivirus.hit", "malicious"))
        self.assertTrue(found["path"].endswith(".gguf"), found)
        self.assertIn(f"takedown add sha256:{found['sha256']} --kind file", self.hub.admin("rescan", "--clamd", address, expect=8))
        self.call_back(f"sha256:{found['sha256']}", "--kind", "file")
        self.client.run("search", "--refresh")
        self.refuse_to_run()

    def test_a_lapsed_catalog_is_told_to_who_starts_its_app(self):
        client = self.client
        client.add_hub(self.hub)
        client.run("install", TINY, "--yes")
        client.run("run", TINY)
        self.assertNotIn("last checked", client.stderr)
        client.run("run", TINY, "--offline", faketime="+25h")
        self.assertRegex(client.stderr, r"warning .*expired.*; last checked \d{4}-\d\d-\d\dT")

    def test_a_removed_hub_is_remembered_with_what_it_called_back(self):
        client = self.client
        client.add_hub(self.hub)
        client.run("install", TINY, "--yes")
        self.call_back(TINY)
        client.run("search", "--refresh")
        client.run("hub", "rm", self.hub.url, "--yes")
        self.refuse_to_run()

    def fetch(self, path):
        try:
            with urllib.request.urlopen(self.hub.url + path, timeout=30) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def test_a_hub_says_what_was_called_back_and_gives_it_to_nobody(self):
        client = self.client
        client.add_hub(self.hub)
        client.run("install", TINY, "--yes")
        weights = "/test/tiny/resolve/main/model.gguf"
        bundle = "/catalog/" + next(path.relative_to(self.hub.folder / "catalog").as_posix()
                                    for path in (self.hub.folder / "catalog").rglob("*.locapp"))
        for path in (weights, bundle):
            self.assertEqual(self.fetch(path)[0], 200)
        app, = json.loads(self.fetch("/api/catalog")[1])["apps"]
        self.assertIn((app["takedown"] or {}).get("action"), (None, "warn"), "other tests lift theirs by a warning")
        self.call_back("test/tiny", "--kind", "model")
        self.call_back(TINY, "--kind", "app")
        for path in (weights, bundle):
            status, said = self.fetch(path)
            self.assertEqual((status, REASON in said), (403, True), said)
        page = self.fetch("/")[1]
        self.assertEqual(page.count(f"(block-run): {REASON}"), 2, page)
        catalog = json.loads(self.fetch("/api/catalog")[1])
        for one in (*catalog["apps"], *catalog["models"]):
            self.assertEqual((one["takedown"]["action"], one["takedown"]["reason"]), ("block-run", REASON))
        # Nor is it taken in again, whoever brings it.
        content = (harness.SOURCE / "src/engine/test/data/tiny.gguf").read_bytes()
        with self.assertRaisesRegex(AssertionError, REASON):
            publish(self.hub, self.hub.make_writer("ana"), "ana/again", {"w.gguf": content})
        self.call_back("test/tiny", "--kind", "model", "--action", "warn")
        self.assertEqual(self.fetch(weights)[0], 200)

    def add(self, what, *arguments, reason=REASON):
        return subprocess.run([BIN / "locara-hub", "takedown", "add", what, "--reason", reason, *arguments, "--data",
                               self.hub.folder], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)

    def test_what_is_called_back_is_listed(self):
        self.call_back("sha256:" + "a" * 64, "--kind", "file")
        said = subprocess.run([BIN / "locara-hub", "takedown", "list", "--data", self.hub.folder], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        self.assertIn(f"block-run      file sha256:{'a' * 64}: {REASON}", said)

    def test_a_reason_is_read_to_its_end(self):
        done = self.add("bob/long", reason="r" * 501)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("the reason has 501 bytes; at most 500 are taken", done.stderr)
        self.assertNotIn("bob/long", self.hub.admin("takedown", "list"))
        self.assertEqual(self.add("bob/long", reason="r" * 500).returncode, 0)

    def test_what_can_never_match_is_refused(self):
        digest, commit = "sha256:" + "a" * 64, "b" * 40
        for what, *arguments in (["bob/notes", "--action", "delete"], ["bob/notes", "--kind", "person"],
                                 ["test/tiny@main", "--kind", "model"], ["test/tiny@" + commit[1:], "--kind", "model"],
                                 ["sha256:zz", "--kind", "file"], ["sha256:" + "A" * 64, "--kind", "file"],
                                 ["sha256:zz", "--kind", "model"], [digest[7:], "--kind", "bundle"],
                                 ["test/tiny-notes@1.0.0"], [digest], ["x/y"],
                                 [digest, "--kind", "file", "--version", "1.0.0"],
                                 [digest, "--kind", "bundle", "--version", "1.0.0"],
                                 ["test/tiny@" + commit, "--kind", "model", "--version", "1.0.0"],
                                 ["bob/notes", "--version", "newest"]):
            with self.subTest(what=what, arguments=arguments):
                done = self.add(what, *arguments)
                self.assertEqual(done.returncode, 2, done.stderr)
        for reason in ("", "  ", "\u00a0", "a\nb", "a\x1b[31mb", "a\u202eb", "a\u200bb", "a\u2028b", "a\x9bb"):
            with self.subTest(reason=reason):
                done = self.add("bob/notes", reason=reason)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn("one line of plain text is wanted", done.stderr)
        for what, *arguments in (["bob/notes"], ["bob/notes", "--version", "1.0.0"], [digest, "--kind", "bundle"],
                                 ["Org/Repo.x@" + commit, "--kind", "model"], ["org/name", "--kind", "model"],
                                 [TINY, "--version", "99.0.0"]):
            with self.subTest(what=what, arguments=arguments):
                done = self.add(what, *arguments, "--action", "warn")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("warning: nothing in this catalog matches", done.stderr)
        for what, *arguments in ([TINY], ["test/tiny", "--kind", "model"]):
            self.assertNotIn("nothing in this catalog", self.add(what, *arguments, "--action", "warn").stderr)

    def test_lists_and_doctor_tell_what_is_called_back(self):
        client = self.client
        client.add_hub(self.hub)
        client.run("install", TINY, "--yes")
        self.assertNotIn("block-run", client.run("list") + client.run("search"))
        self.call_back(TINY)
        client.run("search", "--refresh")
        for verb in ("search", "list"):
            taken = {app["id"]: app["takedown"] for app in client.json(verb)["apps"]}[TINY]
            self.assertEqual((taken["action"], taken["reason"]), ("block-run", REASON), verb)
            self.assertIn("[called back: block-run]", client.run(verb))
        found = [one for one in client.json("doctor", expect=None)["findings"] if one["subject"] == TINY]
        self.assertEqual([one["level"] for one in found], ["problem"])
        self.assertIn(REASON, found[0]["text"])


if __name__ == "__main__":
    harness.main()
