"""What the store is told to keep and no longer has is found again and again, whoever took it; what is bad is fetched anew;
and a walk over other programs' files says what it could not look at."""
import hashlib
import os
import shutil
import unittest

from tests import harness
from tests.harness import weights


def spoil(path, at):
    """Changes one byte of a file and nothing else."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    with open(path, "r+b") as out:
        out.seek(at)
        byte = out.read(1)[0]
        out.seek(at)
        out.write(bytes([byte ^ 1]))
    path.chmod(mode)


class Storage(harness.TestCase):
    @classmethod
    def make_seed(cls):
        return None

    def setUp(self):
        super().setUp()
        self.foreign = self.client.home / "foreign"
        self.foreign.mkdir()
        self.file = self.foreign / "model.gguf"
        self.file.write_bytes(weights.gguf(weights.noise(7, 1 << 20)))
        self.digest = hashlib.sha256(self.file.read_bytes()).hexdigest()
        self.name = "sha256:" + self.digest

    def adopt_and_pin(self):
        self.client.run("adopt", self.foreign, "--link", "reference")
        self.client.run("pin", self.name)

    def assert_missed(self, *words):
        """Every look says that the pinned file is not here, however often one looks."""
        for _ in range(2):
            self.client.run("verify", expect=6)
            for word in (self.name, *words):
                self.assertIn(word, self.client.stderr)
        found = self.client.json("doctor", expect=1)["findings"]
        (finding,) = [one for one in found if one["subject"] == "pin " + self.name]
        self.assertEqual((finding["level"], finding["command"]), ("problem", "locara unpin " + self.name))

    def test_a_pinned_reference_that_another_program_changed(self):
        self.adopt_and_pin()
        self.client.run("verify")
        spoil(self.file, 500_000)
        words = self.client.run("why", self.name)
        self.assertIn("another program changed " + str(self.file), words)
        self.assertIn("not in the store", words)
        self.assertNotIn("frees", words)
        self.assert_missed("nothing says where it came from")
        self.client.run("unpin", self.name)
        self.client.run("verify")

    def test_a_pinned_reference_that_another_program_removed(self):
        self.adopt_and_pin()
        self.file.unlink()
        self.assert_missed(str(self.file), "gone")
        self.assertIn("gone", self.client.json("why", self.file)["files"][0]["problem"])
        self.assertEqual(self.client.json("verify", expect=6)["lost"], [{"sha256": self.digest, "from": str(self.file)}])

    def test_a_reference_that_is_gone_and_that_nobody_needs_is_told_until_it_is_forgotten(self):
        self.client.run("adopt", self.foreign, "--link", "reference")
        self.file.unlink()
        self.client.run("verify")
        self.assertIn(f"lost {self.file}", self.client.stderr)
        self.client.run("gc", "--older-than", "0s")
        self.client.run("verify")
        self.assertNotIn("lost", self.client.stderr)

    def test_repair_fetches_what_is_bad_unless_it_is_offline(self):
        self.client.environment["LOCARA_TOKEN"] = self.hub.make_writer("ana")
        done = self.client.json("upload", "ana/weights", self.file, "--create", "--endpoint", self.hub.url)
        manifest = self.folder / "manifest.json"
        manifest.write_text(weights.manifest(harness.MANIFEST, "ana/weights", done["commit"], "model.gguf",
                                             done["files"][0]["size"], self.digest))
        self.client.run("pull", "--manifest", manifest, "--yes", "--endpoint", self.hub.url)
        (stored,) = self.client.store_files()
        spoil(stored, 500_000)
        # Without the network the good chunks are kept, as part of a pull that can go on.
        found = self.client.json("verify", "--all", "--repair", "--offline", expect=6)
        self.assertEqual([one["mended"] for one in found["problems"]], [False])
        kept = found["bad"][0]["kept_bytes"]
        self.assertGreater(kept, 800_000)
        store = self.client.json("df")["store"]
        self.assertEqual(store["parts"], 1)
        self.assertGreaterEqual(store["parts_bytes"], kept)
        self.client.run("verify", expect=6)
        # With it the rest comes, and nothing else.
        found = self.client.json("verify", "--repair", "--endpoint", self.hub.url)
        self.assertEqual([one["mended"] for one in found["problems"]], [True])
        self.client.run("verify", "--all")
        self.assertEqual(stored.read_bytes(), self.file.read_bytes())
        self.assertEqual(self.client.json("df")["store"]["parts"], 0)

    def test_repair_says_what_has_no_source(self):
        self.adopt_and_pin()
        spoil(self.file, 500_000)
        self.client.run("verify", "--repair", expect=6)
        self.client.run("verify", "--repair", expect=6)
        self.assertIn("nothing says where it came from", self.client.stderr)

    def test_one_bad_file_is_told_once(self):
        self.client.run("adopt", self.foreign, "--link", "hardlink")
        spoil(self.file, 500_000)
        self.client.run("verify", expect=6)
        self.assertEqual(self.client.stderr.count("another program changed"), 1)
        self.assertIn("1 problem", self.client.stderr)

    def test_a_folder_that_cannot_be_looked_at_is_told(self):
        deep = self.foreign.joinpath(*["deeper"] * 18)
        deep.mkdir(parents=True)
        shutil.copy(self.file, deep / "other.gguf")
        program = self.foreign / "program"
        program.write_bytes((harness.BIN / "locara").read_bytes()[:200_000])
        last = self.foreign / "z/last.gguf"
        last.parent.mkdir()
        last.write_bytes(weights.gguf(weights.noise(8, 1 << 17)))
        report = self.client.json("adopt", self.foreign, "--link", "reference", expect=11)
        outcomes = {os.path.relpath(one["path"], self.foreign): one["outcome"] for one in report["items"]}
        self.assertEqual(outcomes.pop("program"), "other", "a program in the way is nothing to tell")
        self.assertEqual(outcomes.pop("model.gguf"), "adopted")
        self.assertEqual(outcomes.pop("z/last.gguf"), "adopted")
        ((folder, outcome),) = outcomes.items()
        self.assertTrue(folder.startswith("deeper/deeper") and outcome == "failed", outcomes)
        self.client.run("adopt", self.foreign, "--progress", "none", expect=11)
        self.assertIn("1 failed", self.client.stderr)


if __name__ == "__main__":
    harness.main()
