"""Drives the demo app in a real Chromium from install to an exported task (tests/browser/run.mjs does the clicking)."""
import re
import subprocess

from tests import harness
from tests.harness import APP, SOURCE


class Browser(harness.TestCase):
    def open_app(self, app):
        self.client.run("install", app, "--yes")
        printed = self.client.run("run", app)
        return re.search(r"http://locara\.localhost:\d+/\S+", printed)[0]

    def test_the_apps_from_install_to_an_exported_task(self):
        self.client.add_hub(self.hub)
        done = subprocess.run(["node", SOURCE / "tests/browser/run.mjs", "--url", self.open_app(APP),
                               "--prompt-url", self.open_app("locara/task-form")], timeout=400, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.client.environment)
        print(done.stdout)
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    harness.main()
