"""`locara lint` and `locara publish`: an app of one's own, checked and put into its repository of a real hub."""
import itertools
import json
import shutil
import urllib.request

from tests import harness
from tests.harness import SEED, SOURCE

DENIED, REFUSED = 4, 8
numbers = itertools.count(1)
ELF = b"\x7fELF\x02\x01\x01" + bytes(100)


class Publish(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ana = cls.hub.make_writer("ana")
        cls.ben = cls.hub.make_writer("ben")

    def setUp(self):
        super().setUp()
        self.client.environment["LOCARA_TOKEN"] = self.ana
        self.wire = self.counting_proxy()
        self.app = self.folder / self.id() / "app"
        shutil.copytree(SOURCE / "apps/task-form", self.app)
        self.name = f"ana/app-{next(numbers)}"
        self.change(id=self.name)

    def change(self, **fields):
        path = self.app / "locara.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    def publish(self, *flags):
        return self.client.json("publish", self.app, "--endpoint", self.wire.url, *flags)

    def paths(self):
        with urllib.request.urlopen(f"{self.hub.url}/api/spaces/{self.name}/tree/main?recursive=true", timeout=20) as answer:
            return {entry["path"] for entry in json.load(answer) if entry["type"] == "file"}

    def test_an_app_is_published_whole_and_only_once(self):
        done = self.publish()
        self.assertEqual((done["repo"], done["committed"], done["removed"]), (self.name, True, []))
        self.assertEqual(self.paths(), {".gitattributes", "icon.svg", "locara.json", "screenshots/form.png"})
        again = self.publish()
        self.assertEqual((again["committed"], again["commit"]), (False, done["commit"]))

    def test_what_a_new_version_lacks_is_removed(self):
        self.publish()
        shutil.rmtree(self.app / "screenshots")
        self.change(version="1.1.0", screenshots=[])
        done = self.publish()
        self.assertEqual((done["version"], done["removed"]), ("1.1.0", ["screenshots/form.png"]))
        self.assertEqual(self.paths(), {".gitattributes", "icon.svg", "locara.json"})

    def test_an_app_that_lint_refuses_never_leaves(self):
        (self.app / "icon.svg").write_bytes(ELF)
        report = self.client.json("lint", self.app, expect=REFUSED)
        self.assertEqual((report["schema"], report["passes"]), ("locara.lint/1", False))
        self.assertEqual([(f["level"], f["rule"]) for f in report["findings"] if f["level"] == "error"], [("error", "gate")])
        self.client.run("publish", self.app, "--endpoint", self.wire.url, expect=REFUSED)
        self.assertIn("icon.svg is refused by the format gate", self.client.stderr)
        self.assertEqual(self.wire.sent, 0)

    def test_an_upload_that_the_gate_refuses_is_told_as_that(self):
        bad = self.folder / self.id() / "tail.safetensors"
        bad.write_bytes(ELF)
        arguments = ("upload", "ana/bad", bad, "--create", "--endpoint", self.hub.url)
        self.client.run(*arguments, expect=REFUSED)
        self.assertIn("tail.safetensors is refused", self.client.stderr)
        self.client.run(*arguments, "--json", expect=REFUSED)
        error = json.loads(self.client.stderr.splitlines()[-1])
        self.assertEqual((error["code"], error["hint"]), ("refused", "`locara scan FILE...` shows what the gate finds in it"))

    def test_a_dry_run_sends_nothing(self):
        self.client.run("publish", self.app, "--endpoint", self.wire.url, "--dry-run")
        self.assertIn(f"{self.wire.url}/spaces/{self.name}", self.client.stderr)
        self.assertEqual(self.wire.sent, 0)

    def test_a_namespace_of_somebody_else_is_denied(self):
        self.client.environment["LOCARA_TOKEN"] = self.ben
        self.client.run("publish", self.app, "--endpoint", self.wire.url, expect=DENIED)

    def test_apps_of_this_repository_have_no_findings(self):
        self.client.add_hub(self.hub)
        for app in ("task-form", "quick-add"):
            report = self.client.json("lint", SEED / "apps" / app)
            # The version is in the catalog, as it should be.
            self.assertEqual((report["passes"], [f["rule"] for f in report["findings"]]), (True, ["version"]))
            self.assertEqual(report["changes"], {"since": report["version"], "gone": [], "come": [], "fields": [], "files": None})


if __name__ == "__main__":
    harness.main()
