"""The npm package tuf-js, unmodified, follows a live hub's catalog across two rotations of the root's keys, and then
across one of the online keys."""
import json
import os
import pathlib
import subprocess
import tempfile

from tests import harness
from tests.blackbox.wire_test import TINY, write_seed
from tests.harness import BIN, SOURCE

ENTRY = f"apps/{TINY}-1.0.0.json"


class TufJs(harness.TestCase):
    @classmethod
    def make_seed(cls):
        write_seed(cls.folder / "seed")
        return cls.folder / "seed"

    def setUp(self):
        super().setUp()
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="tuf-js-", dir=self.folder))
        (self.state / "targets").mkdir()
        (self.state / "root.json").write_bytes((self.hub.folder / "root.json").read_bytes())

    def follow(self, *targets, expect=0):
        done = subprocess.run(["node", SOURCE / "tests/clients/tuf_js.mjs"], timeout=120, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env={**os.environ, "HUB_URL": self.hub.url, "STATE": str(self.state),
                                                           "TARGETS": json.dumps(targets)})
        self.assertEqual(done.returncode, expect, done.stderr)
        return json.loads(done.stdout.splitlines()[-1]) if expect == 0 else done.stderr

    def keys(self, *arguments):
        subprocess.run([BIN / "locara-hub", "keys", *arguments, "--data", self.hub.folder], check=True, timeout=60)

    def test_is_followed_across_rotations(self):
        first = self.follow(ENTRY, "takedown/list.json", "apps/nobody/nothing-1.0.0.json")
        self.assertEqual(first["versions"]["root"], 1)
        self.assertIsNone(first["found"]["apps/nobody/nothing-1.0.0.json"])
        entry = json.loads(pathlib.Path(first["found"][ENTRY]).read_text())
        self.assertEqual(entry["manifest"]["id"], TINY)
        self.assertEqual(json.loads(pathlib.Path(first["found"]["takedown/list.json"]).read_text())["entries"], [])

        self.keys("rotate", "root")
        self.keys("rotate", "root")
        second = self.follow(ENTRY)
        self.assertEqual(second["versions"]["root"], 3)
        # A client that was away in between takes both steps at once.
        (self.state / "root.json").write_bytes((self.hub.folder / "root.json").read_bytes())
        self.assertEqual(self.follow(ENTRY)["versions"]["root"], 3)

        for role in ("timestamp", "snapshot", "targets", "apps"):
            self.keys("rotate", role)
        third = self.follow(ENTRY)
        self.assertEqual(third["versions"]["root"], 6)
        self.assertGreater(third["versions"]["snapshot"], second["versions"]["snapshot"])

        # It does tell: one byte of the newest root changed.
        root = self.hub.folder / "catalog/metadata/6.root.json"
        good = root.read_bytes()
        (self.state / "root.json").write_bytes((self.hub.folder / "root.json").read_bytes())
        root.write_bytes(good.replace(b'"threshold":2', b'"threshold":1', 1))
        self.assertIn("signed by", self.follow(ENTRY, expect=1))
        root.write_bytes(good)
        self.follow(ENTRY)


if __name__ == "__main__":
    harness.main()
