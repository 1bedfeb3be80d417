"""The whole line: catalog, pull, verify, sandboxed engine, answer. And what the commands say on the way."""
import json
import re
import time
import unittest
import urllib.error
import urllib.request

from tests import harness
from tests.harness import ANSWER, APP, NOTE


class FirstApp(harness.TestCase):
    def test_from_a_fresh_client_to_the_right_answer(self):
        client = self.client
        client.add_hub(self.hub)
        found = client.json("search", "task")
        self.assertIn(APP, [app["id"] for app in found["apps"]])

        client.run("install", APP, "--yes")
        plan = client.stderr
        for word in ("Apache-2.0", "network", "memory", "Download"):
            self.assertIn(word.lower(), plan.lower())
        listed = client.json("list")
        self.assertEqual([app["id"] for app in listed["apps"]], [APP])

        answer = client.run("run", APP, "--once", NOTE)
        self.assertEqual(json.loads(answer), ANSWER)
        self.assertEqual(len(answer.strip().splitlines()), 1, "only the answer is printed")

        lock = json.loads(next(client.home.rglob("lock.json")).read_text())
        self.assertRegex(json.dumps(lock), r'"revision": ?"[0-9a-f]{40}"')
        client.run("verify")
        self.assertGreater(client.json("df")["store"]["files_bytes"], 1_000_000)

        again = time.monotonic()
        client.run("install", APP, "--yes")
        self.assertLess(time.monotonic() - again, 2, "an installed app is not fetched again")

    def test_a_prompt_app_runs_without_any_code_of_its_own(self):
        client = self.client
        client.add_hub(self.hub)
        apps = client.json("search")["apps"]
        prompt_app = next(app["id"] for app in apps if app["kind"] == "prompt")
        client.run("install", prompt_app, "--yes")
        answer = json.loads(client.run("run", prompt_app, "--once", "water the plants"))
        self.assertEqual(set(answer), set(ANSWER))
        self.assertIn("plants", answer["title"].lower())

    def test_the_hub_that_is_meant_need_not_be_known_to_be_added(self):
        client = self.client
        client.environment["LOCARA_HUB"] = self.hub.url
        for command in (["list"], ["search"], ["show", APP]):
            client.run(*command, expect=3)
            self.assertIn(f"the hub {self.hub.url}, which LOCARA_HUB names, is not known; add it with `locara hub add {self.hub.url}`, "
                          "or unset LOCARA_HUB", client.stderr)
        client.run("list", "--hub", self.hub.url, expect=3)
        self.assertNotIn("LOCARA_HUB", client.stderr)
        self.assertEqual(client.json("hub", "list")["hubs"], [])
        client.run("hub", "rm", self.hub.url, expect=3)
        self.assertNotIn("LOCARA_HUB", client.stderr)
        client.add_hub(self.hub)
        self.assertIn(APP, client.run("search"))
        # Another one is meant, which is none of its business.
        client.environment["LOCARA_HUB"] = "http://127.0.0.1:9"
        self.assertEqual([hub["url"] for hub in client.json("hub", "list")["hubs"]], [self.hub.url])
        client.run("hub", "rm", self.hub.url)

    def test_an_installed_app_needs_no_network(self):
        client = self.client
        client.add_hub(self.hub)
        client.run("install", APP, "--yes")
        self.hub.stop()
        try:
            self.assertEqual(json.loads(client.run("run", APP, "--once", NOTE)), ANSWER)
            client.run("show", APP)
            client.run("search", "task")
        finally:
            self.hub.start()

    def test_doctor_says_what_run_would(self):
        client = self.client
        client.add_hub(self.hub)
        client.run("install", "locara/task-form", "--yes")

        def told():
            found, = [one for one in client.json("doctor", expect=None)["findings"] if one["subject"] == "locara/task-form"]
            return found

        self.assertEqual(told()["level"], "ok")
        icon, = client.home.rglob("apps/locara/task-form/*/bundle/icon.svg")
        whole = icon.read_bytes()
        for damage in (lambda: icon.write_bytes(b"<svg/>"), icon.unlink, lambda: icon.symlink_to("/dev/null")):
            damage()
            found = told()
            self.assertEqual((found["level"], found["command"]), ("problem", "locara install locara/task-form"))
            client.run("run", "locara/task-form", expect=6)
            self.assertIn(found["text"].split(";")[0], client.stderr)
        icon.unlink()
        icon.write_bytes(whole)
        self.assertEqual(told()["level"], "ok")

    def test_removal_gives_back_what_it_says(self):
        client = self.client
        client.add_hub(self.hub)
        client.run("install", APP, "--yes")
        before = sum(p.stat().st_size for p in client.store_files())
        freed = client.json("rm", APP, "--yes")["freed_bytes"]
        after = sum(p.stat().st_size for p in client.store_files())
        self.assertGreaterEqual(freed, before - after)
        self.assertEqual(after, 0)
        self.assertEqual(client.json("list")["apps"], [])

    def test_the_first_trust_is_asked_for_and_never_assumed(self):
        client = self.client
        client.run("hub", "add", self.hub.url, expect=2)  # no terminal, no --root: say which flag to pass
        self.assertIn("--fingerprint", client.stderr)
        client.run("hub", "add", self.hub.url, "--fingerprint", "0" * 64, expect=6)
        client.run("search", expect=3)
        client.run("hub", "add", self.hub.url, "--fingerprint", "sha256:" + "0" * 64, expect=6)
        client.run("hub", "add", self.hub.url, "--fingerprint", "sha256:" + self.hub.fingerprint)

    def test_a_wrong_root_is_not_kept(self):
        other = harness.Hub(self.folder / "other", seed=None)
        self.addCleanup(other.stop)
        self.client.run("hub", "add", self.hub.url, "--root", other.folder / "root.json", expect=6)
        self.assertEqual(self.client.json("hub", "list")["hubs"], [])
        self.client.add_hub(self.hub)

    def test_version_and_a_first_look_need_nothing(self):
        self.assertRegex(self.client.run("--version"), r"^locara \d+\.\d+\.\d+")
        self.assertIn("This machine", self.client.run())
        self.client.run("doctor")


if __name__ == "__main__":
    harness.main()
