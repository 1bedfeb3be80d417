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

    def test_what_new_signatures_know_is_taken_down(self):
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


if __name__ == "__main__":
    harness.main()
