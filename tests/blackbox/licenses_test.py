"""Licenses that are followed: limits of a base model named, asked about once, refused by policy."""
import json
import subprocess

from tests import harness
from tests.harness.seed import TINY, write_seed
from tests.harness.terminal import at_a_terminal

# A card that promises MIT, on a base that forbids commercial use.
BASE = {"repo": "acme/base", "revision": "1" * 40, "relation": "finetune", "license": "cc-by-nc-4.0"}
MIT = {"id": "MIT", "url": "https://opensource.org/license/mit"}


class Licenses(harness.TestCase):
    @classmethod
    def make_seed(cls):
        write_seed(cls.folder / "seed", license=MIT, lineage=[BASE], terms={"commercial": False})
        return cls.folder / "seed"

    def setUp(self):
        super().setUp()
        self.client.add_hub(self.hub)

    def receipts(self):
        return [json.loads(path.read_text()) for path in (self.client.home / "state/licenses").glob("*.json")]

    def write_policy(self, text):
        (self.client.home / "config/policy.toml").write_text(text)

    def test_the_limit_of_a_base_shows_everywhere(self):
        client = self.client
        self.assertEqual([app["commercial"] for app in client.json("search")["apps"]], [False])
        self.assertIn("[no commercial use]", client.run("search"))
        card = client.run("show", TINY)
        self.assertIn("No commercial use.", card)
        self.assertIn("commercial use no (cc-by-nc-4.0, 2(a)(1); acme/base (finetune))", card)
        self.assertIn("the card says MIT, but acme/base (finetune) is under cc-by-nc-4.0", card)
        shown = client.json("show", TINY)
        self.assertFalse(shown["app"]["commercial"])
        facts = {fact["fact"]: fact for fact in shown["models"][0]["license"]["facts"]}
        self.assertEqual(facts["commercial-use"]["from"], "acme/base (finetune)")
        plan = client.json("install", TINY, "--dry-run")["plan"]
        self.assertFalse(plan["app"]["commercial"])
        self.assertEqual(plan["licenses_to_accept"], ["cc-by-nc-4.0"])
        client.run("install", TINY, "--dry-run")
        self.assertIn("No commercial use", client.stderr)

    def fetch(self, path):
        return subprocess.run(["curl", "-sSf", self.hub.url + path], text=True, stdout=subprocess.PIPE, timeout=60,
                              check=True).stdout

    def test_the_limit_of_a_base_shows_on_the_hub(self):
        page = self.fetch("/")
        app, model = page[page.index("<h2>Apps"):page.index("<h2>Models")], page[page.index("<h2>Models"):]
        self.assertIn("License Apache-2.0, no commercial use", app)
        self.assertIn("License MIT, no commercial use", model)
        catalog = json.loads(self.fetch("/api/catalog"))
        [app], [model] = catalog["apps"], catalog["models"]
        self.assertEqual((app["id"], app["commercial"]), (TINY, False))
        [need] = app["models"]
        self.assertEqual((need["role"], need["id"], need["commercial"]), ("text", "test/tiny", False))
        # As a client tells it that verified the catalog itself.
        shown = self.client.json("show", TINY)["models"][0]
        self.assertEqual((need["license"], model["license"]), (shown["license"], shown["license"]))
        self.assertTrue(any("the card says MIT" in one for one in need["license"]["conflicts"]))

    def test_yes_never_accepts_a_license(self):
        client = self.client
        client.run("install", TINY, "--yes", expect=4)
        self.assertIn("--accept-license cc-by-nc-4.0", client.stderr)
        client.run("install", TINY, "--yes", "--accept-license", "CC-BY-NC", expect=4)
        client.run("install", TINY, "--yes", "--accept-license", "MIT", expect=4)
        client.run("pull", "test/tiny", "--yes", expect=4)
        self.assert_nothing_half_installed()
        self.assertEqual(self.receipts(), [])

    def test_an_acceptance_leaves_a_receipt_and_is_not_asked_for_again(self):
        client = self.client
        client.run("install", TINY, "--yes", "--accept-license", "cc-by-nc-4.0")
        [receipt] = self.receipts()
        self.assertEqual((receipt["license"], receipt["by"]), ("cc-by-nc-4.0", "flag"))
        self.assertRegex(receipt["when"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertRegex(receipt["manifest"], r"^sha256:[0-9a-f]{64}$")
        self.assertIn("commercial use no (cc-by-nc-4.0, 2(a)(1))", receipt["terms"])
        [listed] = client.json("list")["apps"]
        self.assertEqual([one["license"] for one in listed["receipts"]], ["cc-by-nc-4.0"])
        self.assertIn("accepted   cc-by-nc-4.0 on " + receipt["when"], client.run("show", TINY))
        client.run("rm", TINY, "--yes")
        client.run("install", TINY, "--yes")
        client.run("pull", "test/tiny", "--yes")
        self.assertEqual(len(self.receipts()), 1)

    def test_at_a_terminal_the_license_is_a_question_of_its_own(self):
        exit_code, said = at_a_terminal(self.client, "install", TINY, "--yes", answers=["n"])
        self.assertEqual(exit_code, 4, said)
        self.assertIn("Do you accept the terms of cc-by-nc-4.0", said)
        self.assertEqual(self.receipts(), [])
        exit_code, said = at_a_terminal(self.client, "install", TINY, "--yes", answers=["y"])
        self.assertEqual(exit_code, 0, said)
        self.assertEqual([receipt["by"] for receipt in self.receipts()], ["prompt"])

    def test_policy_refuses_install_pull_and_run(self):
        client = self.client
        client.run("install", TINY, "--yes", "--accept-license", "cc-by-nc-4.0")
        client.run("policy", "test", TINY)
        self.write_policy('[refuse]\nlicenses = ["llama3"]\nfacts = ["no-commercial-use"]\nreason = "ask legal"\n')
        explained = client.run("policy", "test", TINY, expect=8)
        self.assertIn("passes   licenses: llama3", explained)
        self.assertIn("refuses  facts: no-commercial-use", explained)
        self.assertIn("policy.toml:3", explained)
        told = client.json("policy", "test", "test/tiny", expect=8)
        self.assertEqual([rule["refuses"] for rule in told["rules"]], [True, False])
        for verb in ("list", "search"):
            self.assertIn("[refused by policy]", client.run(verb))
            refused, = [one["policy"] for one in client.json(verb)["apps"] if one["id"] == TINY]
            self.assertIn("ask legal", refused["reason"])
        self.assertIn(f"`locara policy test {TINY}`", client.run("show", TINY))
        finding, = [one for one in client.json("doctor", expect=1)["findings"] if one["subject"] == TINY]
        self.assertEqual((finding["level"], finding["command"]), ("problem", f"locara policy test {TINY}"))
        client.run("run", TINY, "--once", "x", expect=8)
        self.assertIn("ask legal", client.stderr)
        client.run("rm", TINY, "--yes")
        for command in (("install", TINY), ("pull", "test/tiny"), ("run", TINY)):
            client.run(*command, "--yes", "--accept-license", "cc-by-nc-4.0", expect=8)
            self.assertIn("policy.toml:3", client.stderr)

    def test_a_broken_policy_stops_everything_that_it_might_refuse(self):
        self.write_policy('[refuse]\nfacts = ["no-fun"]\n')
        self.client.run("install", TINY, "--yes", "--accept-license", "cc-by-nc-4.0", expect=2)
        self.assertIn('policy.toml:2: refuse.facts: "no-fun" is not one of: no-commercial-use', self.client.stderr)
        self.client.run("search")
        self.assertIn("problem  policy", self.client.run("doctor", expect=1))

    def test_what_a_gated_base_asks_for_is_asked_here_too(self):
        base = {**BASE, "license": "apache-2.0", "gated": True}
        write_seed(self.client.home / "gated", lineage=[base])
        hub = harness.Hub(self.client.home / "gated-hub", seed=self.client.home / "gated")
        self.addCleanup(hub.stop)
        client = harness.Client(self.client.home / "gated-client")
        client.add_hub(hub)
        self.assertIn("acme/base (finetune) asks for an account and consent", client.run("show", TINY))
        client.run("install", TINY, "--yes", expect=4)
        (terms,) = client.json("install", TINY, "--dry-run")["plan"]["terms_to_accept"]
        self.assertIn("gated yes (acme/base)", terms["terms"])
        (client.home / "config/policy.toml").write_text('[refuse]\nfacts = ["gated"]\n')
        client.run("install", TINY, "--yes", "--accept-license", "apache-2.0", expect=8)
        self.assertIn("gated", client.stderr)
        (client.home / "config/policy.toml").unlink()
        client.run("install", TINY, "--yes", "--accept-license", "apache-2.0")

    def test_a_hub_refuses_an_app_that_hides_what_its_model_forbids(self):
        write_seed(self.folder / "liar", license=MIT, lineage=[BASE])
        with self.assertRaisesRegex(AssertionError, "terms.commercial: must be there and false: role text"):
            harness.Hub(self.folder / "liar-hub", seed=self.folder / "liar")


if __name__ == "__main__":
    harness.main()
