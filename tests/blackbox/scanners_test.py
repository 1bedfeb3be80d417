"""Scanners that learn: what a hub and a client hold is judged again, by itself, and what is bad by now is neither given away nor
loaded."""
import json
import urllib.error
import urllib.request

from tests import harness
from tests.harness.clamd import Clamd
from tests.harness.seed import TINY, write_seed

MODEL = "test/tiny"

WEIGHTS = b"general.architecture"  # stands in every GGUF
NOTHING = b"what no file of the test has in it"


class Scanners(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hub.stop()
        cls.clamd = Clamd(cls.folder / "clamd", NOTHING)
        cls.addClassCleanup(cls.clamd.stop)
        cls.hub.config = cls.folder / "hub.toml"
        cls.hub.config.write_text(f'[scanners]\nclamd = "{cls.clamd.socket}"\n')
        cls.hub.start()

    @classmethod
    def make_seed(cls):
        write_seed(cls.folder / "seed")
        return cls.folder / "seed"

    def shown(self):
        return {file["path"]: file["scan"] or {} for file in json.loads(self.hub.admin("scan", "show", MODEL, "--json"))["files"]}

    def status_of(self, path):
        try:
            return urllib.request.urlopen(f"{self.hub.url}/{MODEL}/resolve/main/{path}", timeout=30).status
        except urllib.error.HTTPError as error:
            self.said = error.read().decode()
            return error.code

    def setUp(self):
        super().setUp()
        self.clamd.learn(NOTHING)
        harness.wait_for(lambda: all(f"/{self.clamd.version}/" in scan.get("scanners", "") for scan in self.shown().values()),
                         "everything to be judged", seconds=60)

    def pending(self):
        return json.loads(self.hub.admin("takedown", "pending", "--json"))["pending"]

    def test_what_the_catalog_pins_is_called_back_by_one_command_of_who_has_the_key(self):
        client = self.client  # which has no antivirus of its own
        client.add_hub(self.hub)
        client.run("install", TINY, "--yes")
        client.run("run", TINY)
        self.assertEqual(self.pending(), [])
        self.assertIn("nothing waits", self.hub.admin("takedown", "publish"))

        self.clamd.learn(WEIGHTS)
        harness.wait_for(self.pending, "a takedown to wait", seconds=60)
        waits, = self.pending()
        self.assertEqual((waits["kind"], waits["label"], waits["rule"], waits["pinned_by"]),
                         ("file", "malicious", "antivirus.hit", ["test/tiny 1.0.0"]))
        self.assertIn("model.gguf: ", waits["reason"])
        self.assertIn("1 takedowns wait for their key", self.hub.admin("review", "list"))
        with urllib.request.urlopen(self.hub.url + "/metrics", timeout=30) as answer:
            self.assertIn("\nlocara_hub_takedowns_pending 1\n", answer.read().decode())
        client.run("search", "--refresh")
        self.assertEqual([app["id"] for app in client.json("status")["broker"]["apps"]], [TINY], "the hub has signed nothing")

        # Who has the key elsewhere carries a draft there.
        self.hub.admin("takedown", "publish", "--to", self.folder / "drafts")
        self.assertEqual(self.pending(), [waits])
        # It goes to nobody else meanwhile.
        another = harness.Client(self.folder / "before-the-takedown")
        another.add_hub(self.hub)
        another.run("install", TINY, "--yes", expect=None)
        self.assertIn("Locara.Test.New", another.stderr)
        self.assertEqual(another.json("list")["apps"], [])

        self.assertIn(waits["id"], self.hub.admin("takedown", "publish", "--by", "dora"))
        self.assertEqual(self.pending(), [])
        client.run("search", "--refresh")
        harness.wait_for(lambda: client.json("status")["broker"]["apps"] == [], "the app to be stopped", seconds=5)
        client.run("run", TINY, expect=8)
        self.assertIn("Locara.Test.New", client.stderr)

        # A signature that was wrong: a person lifts it, and is not asked again.
        self.hub.admin("takedown", "add", waits["id"], "--kind", "file", "--action", "warn", "--reason", "a false alarm")
        self.assertEqual(self.pending(), [])
        client.run("search", "--refresh")
        client.stop()
        client.run("run", TINY)
        self.hub.stop()
        self.assertRegex(self.hub.said, "takedown_pending .*id=" + waits["id"])
        self.hub.start()

    def test_an_app_of_the_catalog_that_new_signatures_know_is_called_back(self):
        client = self.client
        client.add_hub(self.hub)
        client.run("install", TINY, "--yes")
        client.run("run", TINY)
        self.clamd.learn(b"Turns a note into nonsense")  # in its locara.json, which is packed
        harness.wait_for(self.pending, "a takedown to wait", seconds=60)
        waits, = self.pending()
        self.assertEqual((waits["kind"], waits["rule"], waits["pinned_by"]), ("bundle", "antivirus.hit", ["test/tiny-notes 1.0.0"]))
        self.assertIn("locara.json", waits["reason"])
        said = self.hub.admin("rescan", "--json", "--clamd", self.clamd.socket, expect=8)
        self.assertIn(("bundle", "catalog"), [(one["kind"], one["repository"]) for one in json.loads(said)["refused"]])

        self.assertIn(waits["id"], self.hub.admin("takedown", "publish", "--by", "dora"))
        self.assertEqual(self.pending(), [])
        client.run("search", "--refresh")
        harness.wait_for(lambda: client.json("status")["broker"]["apps"] == [], "the app to be stopped", seconds=5)
        client.run("run", TINY, expect=8)
        self.hub.admin("takedown", "add", waits["id"], "--kind", "bundle", "--action", "warn", "--reason", "a false alarm")

    def test_what_new_signatures_know_is_taken_down(self):
        self.hub.stop()  # its log is read below
        self.hub.start()
        before = self.shown()
        weights, = (path for path in before if path.endswith(".gguf"))
        self.assertEqual(before[weights]["verdict"], "allow")
        self.assertEqual(self.status_of(weights), 200)

        self.clamd.learn(WEIGHTS)
        harness.wait_for(lambda: self.status_of(weights) == 403, "the file to be taken down", seconds=60)
        self.assertIn("Locara.Test.New", self.said)
        after = self.shown()[weights]
        self.assertEqual((after["verdict"], after["rule"], after["label"]), ("refuse", "antivirus.hit", "malicious"))
        self.assertEqual(self.status_of(".gitattributes"), 200)
        self.assertIn("Locara.Test.New", self.hub.admin("scan", "show", MODEL, "--issues"))

        # A signature that was wrong: all is as before.
        self.clamd.learn(NOTHING)
        harness.wait_for(lambda: self.status_of(weights) == 200, "the file to be served again", seconds=60)
        self.hub.stop()
        taken = [line for line in self.hub.said.splitlines() if "file_taken_down" in line]
        self.assertEqual(len(taken), 1, self.hub.said)
        self.assertIn("locara-hub takedown add sha256:", taken[0])
        self.hub.start()

    def test_what_new_signatures_know_is_not_loaded(self):
        client = self.client
        client.add_hub(self.hub)
        (client.home / "config/policy.toml").write_text(f'[scanners]\nclamd = "{self.clamd.socket}"\n')
        client.run("install", TINY, "--yes")
        client.run("run", TINY)
        client.stop()
        records = list((client.home / "data/store/verdicts").iterdir())
        self.assertEqual(len(records), 1)
        client.run("run", TINY)
        client.stop()

        self.clamd.learn(WEIGHTS)
        client.run("run", TINY, expect=8)
        for evidence in (".gguf", "Locara.Test.New", "antivirus.hit", "clamav ClamAV"):
            self.assertIn(evidence, client.stderr)
        client.stop()
        self.clamd.learn(NOTHING)
        client.run("run", TINY)

    def doctor_on(self, socket, expect):
        """What it says of the antivirus that policy.toml names."""
        (self.client.home / "config").mkdir(exist_ok=True)
        (self.client.home / "config/policy.toml").write_text(f'[scanners]\nclamd = "{socket}"\n')
        found, = [one for one in self.client.json("doctor", expect=expect)["findings"] if one["subject"] == "antivirus"]
        return found

    def test_doctor_tells_of_the_antivirus(self):
        self.client.add_hub(self.hub)
        self.assertNotIn("antivirus", self.client.run("doctor"))
        found = self.doctor_on(self.clamd.socket, 0)
        self.assertEqual(found["level"], "ok")
        self.assertRegex(found["text"], rf"^ClamAV [\d.]+/{self.clamd.version}/.*, tells of what exceeds its limits$")

        found = self.doctor_on(self.folder / "absent.sock", 1)
        self.assertEqual((found["level"], found["command"]), ("problem", "sudo systemctl restart clamav-daemon"))
        self.assertIn("absent.sock", found["text"])

        silent = Clamd(self.folder / "silent", NOTHING, alert_exceeds_max="no")  # as clamd is unless told otherwise
        self.addCleanup(silent.stop)
        found = self.doctor_on(silent.socket, 1)
        self.assertEqual((found["level"], found["command"]), ("problem", "sudoedit /etc/clamav/clamd.conf"))
        self.assertIn("write `AlertExceedsMax yes` into its clamd.conf and restart it", found["text"])


if __name__ == "__main__":
    harness.main()
