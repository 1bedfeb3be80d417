"""What a machine lacks is passed over by a person's tests, and not by CI's."""
import os
import subprocess
import tempfile
import unittest

from tests import harness
from tests.harness import SOURCE


class Skips(unittest.TestCase):
    def test_tests_without_postgresql_fail_under_ci(self):
        for ci, status in (("", 77), ("true", 1)):
            with tempfile.TemporaryDirectory() as folder:
                environment = {**os.environ, "CI": ci, "POSTGRESQL_FOLDER": f"{folder}/none"}
                done = subprocess.run([SOURCE / "scripts/postgresql.sh", f"{folder}/data"], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
            self.assertEqual((done.returncode, done.stdout), (status, ""))
            self.assertIn("./dev setup installs it", done.stderr)
        self.assertIn("\nexport CI=true\n", (SOURCE / ".ci/run").read_text())


if __name__ == "__main__":
    harness.main()
