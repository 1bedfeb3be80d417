"""Pulls killed with SIGKILL at random moments: the store holds only whole, right files, and work goes on.
LOCARA_SOAK_ROUNDS sets how often (`./dev soak` uses 500)."""
import os
import random
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


if __name__ == "__main__":
    harness.main()
