"""The page of an app whose session ends: called back, refused by the policy, or the broker gone. In a real Chromium."""
import json
import subprocess

from tests import harness
from tests.harness import SOURCE
from tests.harness.seed import TINY, write_seed

REASON = "it sends notes away"


class Session(harness.TestCase):
    @classmethod
    def make_seed(cls):
        write_seed(cls.folder / "seed")
        return cls.folder / "seed"

    def open_page(self):
        """The app, installed and open, with a file of its that waits to be saved."""
        self.client.add_hub(self.hub)
        self.client.run("install", TINY, "--yes")
        url = self.client.run("run", TINY).split()[0]
        page = subprocess.Popen(["node", SOURCE / "tests/browser/session.mjs", url], text=True, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
        self.addCleanup(page.wait)
        self.addCleanup(page.stdin.close)
        self.addCleanup(page.stdout.close)
        self.assertEqual(page.stdout.readline(), "open\n")
        return page

    def look(self, page):
        """What the page shows once it knows, which takes five seconds at most."""
        page.stdin.write("go\n")
        page.stdin.flush()
        seen = json.loads(page.stdout.readline())
        self.assertLess(seen["seconds"], 5)
        self.assertEqual(seen["violations"], [])
        return seen

    def watch(self, page):
        """The same of an app that must go."""
        seen = self.look(page)
        self.assertEqual((seen["frames"], seen["save"], seen["stop"]), (0, False, False), "the app has no hold on the page")
        return seen

    def test_a_called_back_app_is_taken_from_the_screen_with_the_reason(self):
        page = self.open_page()
        self.hub.admin("takedown", "add", TINY, "--reason", REASON)
        self.addCleanup(self.hub.admin, "takedown", "add", TINY, "--reason", "over", "--action", "warn")
        self.client.run("search", "--refresh")
        seen = self.watch(page)
        self.assertEqual(seen["title"], "This app was stopped")
        self.assertRegex(seen["text"], rf"^{TINY} was called back on \d{{4}}-\d\d-\d\dT\S+: {REASON}$")
        self.assertFalse(seen["again"], "starting it again would be refused")
        self.assertEqual(seen["reloaded"], seen["text"])

    def test_an_app_that_the_policy_refuses_is_taken_from_the_screen_with_the_reason(self):
        page = self.open_page()
        (self.client.home / "config/policy.toml").write_text(
            f'[refuse]\nlicenses = ["apache-2.0"]\nreason = "{REASON}"\n')
        seen = self.watch(page)
        self.assertIn(REASON, seen["text"])
        self.assertEqual(seen["reloaded"], seen["text"])

    def test_what_people_typed_stays_when_the_broker_ends(self):
        page = self.open_page()
        self.client.run("stop")
        seen = self.look(page)
        self.assertEqual((seen["frames"], seen["notice"]), (1, "Locara does not answer."))


if __name__ == "__main__":
    harness.main()
