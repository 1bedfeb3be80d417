"""Scanners that learn: weights that a client has are judged again before they are loaded."""
from tests import harness
from tests.harness.clamd import Clamd
from tests.harness.seed import TINY, write_seed

WEIGHTS = b"general.architecture"  # stands in every GGUF
NOTHING = b"what no file of the test has in it"


class Scanners(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clamd = Clamd(cls.folder / "clamd", NOTHING)
        cls.addClassCleanup(cls.clamd.stop)

    @classmethod
    def make_seed(cls):
        write_seed(cls.folder / "seed")
        return cls.folder / "seed"

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
