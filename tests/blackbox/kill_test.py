"""Pulls, gc and adopt killed with SIGKILL at random moments: the store holds only whole, right files, no file that
an app needs goes, and work goes on.
LOCARA_SOAK_ROUNDS sets how often (`./dev soak` uses 500)."""
import os
import random
import shutil
import time
import unittest

from tests import harness
from tests.harness import APP


class Kill(harness.TestCase):
    def test_kill_and_go_on(self):
        rounds = int(os.environ.get("LOCARA_SOAK_ROUNDS", "25"))
        seed = int(os.environ.get("LOCARA_SEED", "1"))
        chance = random.Random(seed)
        self.client.add_hub(self.hub)
        killed = 0
        for _ in range(rounds):
            process = self.client.start("install", APP, "--yes")
            time.sleep(chance.uniform(0, 0.2))  # an install here takes about that long
            if process.poll() is None:
                process.kill()
                killed += 1
            process.communicate()
            self.client.run("verify")
            listed = self.client.json("list")["apps"]
            if listed:
                self.client.run("rm", APP, "--yes")
        self.client.run("install", APP, "--yes")
        self.client.run("verify")
        print(f"{rounds} pulls, {killed} killed (seed {seed})")
        self.assertGreater(killed, rounds // 8, "too few pulls were caught on their way")

    def test_gc_and_adopt_beside_pulls(self):
        rounds = int(os.environ.get("LOCARA_SOAK_ROUNDS", "25")) // 2
        seed = int(os.environ.get("LOCARA_SEED", "1"))
        chance = random.Random(seed)
        self.client.add_hub(self.hub)
        # Another program's copy of the very weights, and one that it damages now and then.
        self.client.run("install", APP, "--yes")
        foreign = self.client.home / "foreign"
        foreign.mkdir()
        weights = [f for f in self.client.store_files() if f.stat().st_size > 1 << 20]
        self.assertTrue(weights)
        for file in weights:
            shutil.copyfile(file, foreign / (file.name + ".gguf"))
        before = {f: f.read_bytes() for f in foreign.iterdir()}
        for _ in range(rounds):
            running = [self.client.start("install", APP, "--yes"),
                       self.client.start("gc", "--older-than", "0s", "--adopted"),
                       self.client.start("adopt", foreign, "--link", chance.choice(["auto", "hardlink", "reference"]))]
            time.sleep(chance.uniform(0, 0.3))
            for process in running:
                if chance.random() < 0.5 and process.poll() is None:
                    process.kill()
            for process in running:
                process.communicate()
            # gc gives up (9) while something is pulled; whatever happened, what is installed is whole.
            if self.client.json("list")["apps"]:
                self.client.run("verify")
            if chance.random() < 0.5:
                self.client.run("rm", APP, "--yes", expect=0 if self.client.json("list")["apps"] else 3)
        self.client.run("gc", "--older-than", "0s", "--adopted")
        self.client.run("install", APP, "--yes")
        self.client.run("verify")
        for file, content in before.items():
            self.assertEqual(file.read_bytes(), content, "another program's file was changed")
        # Its program changes a file that was adopted: noticed, and fetched anew.
        self.client.run("rm", APP, "--yes")
        self.client.run("gc", "--older-than", "0s", "--adopted")
        self.client.run("adopt", foreign, "--link", "reference")
        for file in before:
            with open(file, "r+b") as stream:
                stream.seek(4096)
                stream.write(b"changed")
        self.client.run("install", APP, "--yes")
        self.client.run("verify")


if __name__ == "__main__":
    harness.main()
