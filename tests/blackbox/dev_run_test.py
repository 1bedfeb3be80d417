"""`./dev run --once`, as the README tells a newcomer to type it; and the second time it is quick."""
import json
import os
import resource
import subprocess
import tempfile
import unittest

from tests import harness
from tests.harness import ANSWER, NOTE, SOURCE


class DevRun(unittest.TestCase):
    def test_once_prints_the_answer_alone_and_a_second_start_is_quick(self):
        with tempfile.TemporaryDirectory(prefix="locara-run-") as folder:
            environment = {**os.environ, "LOCARA_RUN_DIR": folder, "LOCARA_PORT": str(harness.free_port()),
                           "LOCARA_HUB_ADDRESS": f"127.0.0.1:{harness.free_port()}"}

            def run():
                """Returns the processor time it took: what the machine does beside it does not count."""
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                done = subprocess.run([SOURCE / "dev", "run", "--once", NOTE], env=environment, timeout=250,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(json.loads(done.stdout), ANSWER)
                self.assertEqual(done.stdout.count("\n"), 1, "nothing but the answer on standard output")
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            run()
            second = run()
            print(f"second ./dev run --once: {second:.2f} s of processor time")
            self.assertLess(second, 3)


if __name__ == "__main__":
    harness.main()
