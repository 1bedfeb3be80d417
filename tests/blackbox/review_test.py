"""The way of an app into the catalog: submitted by its author, decided by a curator, installed by a stranger."""
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

from tests import harness
from tests.harness import SEED
from tests.harness.mirror import publish

USAGE, DENIED, UNAVAILABLE, REFUSED, CONFLICT = 2, 4, 5, 8, 9
UNSEEN = ("--accept", "unchecked")  # the look at the page is page_check_test's affair


class Review(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.author = harness.Client(tempfile.mkdtemp(prefix="author-", dir=self.folder))
        self.client.add_hub(self.hub)
        self.author.add_hub(self.hub)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ana = cls.hub.make_writer("ana")
        cls.ben = cls.hub.make_writer("ben")

    def make_app(self, name, **fields):
        """A copy of the task form under a name of ana's."""
        app = self.folder / name
        shutil.copytree(SEED / "apps/task-form", app, dirs_exist_ok=True)
        path = app / "locara.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "id": f"ana/{name}", **fields}))
        return app

    def publish(self, app, expect=0):
        self.author.environment["LOCARA_TOKEN"] = self.ana
        return self.author.json("publish", app, "--endpoint", self.hub.url, expect=expect)["submission"]

    def review(self, verb, *arguments, expect=0):
        return self.hub.admin("review", verb, *map(str, arguments), expect=expect)

    def show(self, number):
        return json.loads(self.review("show", number, "--json"))

    def decide(self, number):
        self.review("approve", number, "--by", "carol", "--why", "does what it says", *UNSEEN)
        self.review("publish", number, "--by", "carol")

    def test_an_approved_app_is_found_and_installed(self):
        done = self.publish(self.make_app("first"))
        self.assertEqual(done["state"], "needs-review")
        self.client.run("search", "--refresh", "first")
        self.client.run("show", "ana/first", expect=3)
        self.decide(done["number"])
        self.client.json("install", "ana/first", "--yes")
        steps = [step["event"] for step in self.show(done["number"])["steps"]]
        self.assertEqual(steps, ["submitted", "needs-review", "approved", "published"])
        self.assertIn("hang together", self.review("verify"))

    def test_the_report_names_licenses_size_and_scanners(self):
        number = self.publish(self.make_app("told"))["number"]
        report = self.show(number)["report"]
        self.assertRegex(report["scanner"], r"^locara-formats \S+; yara \S+, rules \S+")
        self.assertEqual((report["license"]["commercial"], report["verdicts"]), (True, []))
        [model] = report["models"]
        self.assertEqual((model["role"], model["model"]), ("text", "locara/quick-add"))
        facts = {fact["fact"]: fact for fact in model["license"]["facts"]}
        self.assertEqual((facts["commercial-use"]["answer"], facts["commercial-use"]["from"]), ("yes", "locara/quick-add"))
        said = self.review("show", number)
        self.assertRegex(said, r"Bundle: \d+ files, [\d.]+ \w+\n  archive sha256:\w+\n  files   sha256:\w+\nJudged by locara-formats ")
        self.assertRegex(said, r"License of locara/quick-add \(text\): \S+\n  commercial-use +yes +\S+, .*locara/quick-add")

    def test_a_new_version_says_what_it_may_do_besides(self):
        app = self.make_app("powers")
        self.decide(self.publish(app)["number"])
        self.author.run("search", "--refresh", "powers")
        capabilities = json.loads((app / "locara.json").read_text())["capabilities"]
        self.make_app("powers", version="1.1.0", capabilities={**capabilities, "devices": ["microphone"]})
        number = self.publish(app)["number"]
        changes = self.show(number)["report"]["changes"]
        self.assertEqual(changes["since"], "1.0.0")
        self.assertEqual([fact["text"] for fact in changes["come"]], ["May ask for the microphone, each time."])
        self.assertIn("+ May ask for the microphone", self.review("show", number))

    def test_the_report_says_what_the_app_is_and_what_of_that_changed(self):
        app = self.make_app("shown")
        manifest = json.loads((app / "locara.json").read_text())
        number = self.publish(app)["number"]
        self.assertEqual(self.show(number)["report"]["manifest"], manifest)
        said = self.review("show", number)
        self.assertIn(f"  name\n      {manifest['name']}\n  description\n      {manifest['description']}\n  category\n      "
                      f"{manifest['category']}\n", said)
        self.assertIn("\n  entry\n", said)
        self.assertIn("kind\n      prompt\n", said)
        prompt = manifest["entry"]["prompt"]
        self.assertIn("    prompt.template\n" + "".join(f"      {line}\n" for line in prompt["template"].split("\n")), said)
        self.assertIn(f"    prompt.fields[0].label\n      {prompt['fields'][0]['label']}\n", said)
        self.assertIn("No version of it is in the catalog", said)
        self.decide(number)
        # No power changed, and yet it is another app.
        prompt["template"] = "Obey this:\n" + prompt["template"]
        self.make_app("shown", version="1.1.0", description="Does what it likes", entry=manifest["entry"])
        number = self.publish(app)["number"]
        changes = self.show(number)["report"]["changes"]
        self.assertEqual((changes["gone"], changes["come"]), ([], []))
        self.assertEqual([(one["field"], one["now"]) for one in changes["fields"]],
                         [("description", "Does what it likes"), ("entry.prompt.template", prompt["template"])])
        self.assertEqual(changes["fields"][0]["was"], manifest["description"])
        self.assertNotEqual(changes["files"]["was"], changes["files"]["now"])
        said = self.review("show", number)
        self.assertIn(f"  ~ description\n    - {manifest['description']}\n    + Does what it likes\n", said)
        self.assertRegex(said, r"  ~ entry\.prompt\.template\n(    - .*\n)+    \+ Obey this:\n")
        self.assertNotIn("no change", said)

    def test_new_powers_need_a_new_yes(self):
        app = self.make_app("asks")
        self.decide(self.publish(app)["number"])
        self.client.json("install", "ana/asks", "--yes")
        capabilities = json.loads((app / "locara.json").read_text())["capabilities"]
        self.make_app("asks", version="1.1.0", capabilities={**capabilities, "devices": ["camera", "microphone"]})
        self.decide(self.publish(app)["number"])
        self.client.run("install", "ana/asks", "--yes", expect=DENIED)
        self.assertRegex(self.client.stderr.splitlines()[-1], "could not: May ask for the camera.* May ask for the microphone")
        plan = self.client.json("install", "ana/asks", "--dry-run")["plan"]
        self.assertEqual((plan["replaces"], plan["new_powers"]), ("1.0.0", ["May ask for the camera, each time.", "May ask for the microphone, each time."]))
        self.client.json("install", "ana/asks", "--yes", "--accept-powers")
        # Fewer powers ask nobody.
        self.make_app("asks", version="1.2.0", capabilities=capabilities)
        self.decide(self.publish(app)["number"])
        self.client.json("install", "ana/asks", "--yes")

    def test_a_version_that_the_catalog_has_is_rejected_without_anybody(self):
        app = self.make_app("again", version="2.0.0")
        self.decide(self.publish(app)["number"])
        self.make_app("again", version="1.9.0")
        done = self.publish(app, expect=REFUSED)
        self.assertEqual(done["state"], "rejected")
        self.assertIn("the catalog has version 2.0.0", done["why"])
        # What was published once stays as it is, whatever the repository holds.
        self.make_app("again", version="2.0.0", description="another app")
        self.author.run("publish", app, "--endpoint", self.hub.url, expect=1)
        self.assertIn("was published before", self.author.stderr)

    def test_a_rejected_app_stays_out(self):
        number = self.publish(self.make_app("poor"))["number"]
        self.review("publish", number, "--by", "carol", expect=CONFLICT)
        self.review("reject", number, "--rule", "quality", "--why", "the form is empty", "--by", "carol")
        self.review("approve", number, "--by", "carol", expect=CONFLICT)
        shown = self.show(number)
        self.assertEqual((shown["state"], shown["steps"][-1]["why"]), ("rejected", "the form is empty"))

    def test_nobody_decides_without_a_reason(self):
        number = self.publish(self.make_app("silent"))["number"]
        for why in ("", "  ", "\u3000", "a\nb"):
            with self.subTest(why=why):
                self.review("reject", number, "--rule", "quality", "--why", why, "--by", "carol", expect=USAGE)
                self.review("approve", number, "--why", why, "--by", "carol", *UNSEEN, expect=USAGE)
        self.decide(number)
        steps = self.show(number)["steps"]
        for why in ("", " "):
            self.review("yank", number, "--why", why, "--by", "carol", expect=USAGE)
        self.assertEqual(self.show(number)["steps"], steps)
        self.client.run("search", "--refresh")
        self.client.json("install", "ana/silent", "--yes", "--dry-run")

    def test_what_the_gate_flags_is_accepted_by_name_and_once(self):
        app = self.make_app("flagged")
        (app / "NOTICE").write_text("#!/bin/sh\necho\n")
        self.author.environment["LOCARA_TOKEN"] = self.ana
        linted = self.author.json("lint", app)
        self.assertEqual((linted["passes"], linted["verdicts"][0]["rule"]), (True, "code.script"))
        number = self.publish(app)["number"]
        verdict, = self.show(number)["report"]["verdicts"]
        self.assertEqual((verdict["verdict"], verdict["accepted"]), ("flag", None))
        self.assertIn("(--accept code.script)", self.review("show", number))

        def approve(number, *arguments, expect=0):
            done = subprocess.run(self.hub.command("review", "approve", str(number), "--by", "carol", *UNSEEN, *arguments),
                                  text=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, expect, done.stderr)
            return done.stderr
        self.assertIn("--accept code.script", approve(number, "--why", "fine", expect=REFUSED))
        approve(number, "--why", "fine", "--accept", "name.code", expect=REFUSED)
        self.assertIn("--why", approve(number, "--accept", "code.script", expect=USAGE))
        approve(number, "--accept", "executable.elf", "--why", "fine", expect=USAGE)  # what is refused is not accepted
        approve(number, "--accept", "code.script", "--why", "a sample that is shown")
        step = self.show(number)["steps"][-1]
        self.assertEqual((step["by"], step["why"], step["accepted"]), ("carol", "a sample that is shown", ["unchecked", "code.script"]))
        self.review("publish", number, "--by", "carol")
        self.client.json("install", "ana/flagged", "--yes")

        # The same bytes are no obstacle again, others are.
        self.make_app("flagged", version="1.1.0")
        second = self.publish(app)["number"]
        self.assertEqual(self.show(second)["report"]["verdicts"][0]["accepted"], number)
        self.assertIn(f"accepted in submission {number}", self.review("show", second))
        approve(second)
        self.review("publish", second, "--by", "carol")
        self.make_app("flagged", version="1.2.0")
        (app / "NOTICE").write_text("#!/bin/sh\nrm -rf /\n")
        third = self.publish(app)["number"]
        self.assertIn("NOTICE", approve(third, "--why", "fine", expect=REFUSED))
        approve(third, "--why", "fine", "--accept", "code.script")
        # It counts only while it stands.
        self.review("reject", third, "--rule", "trust", "--why", "it removes everything", "--by", "carol")
        again = self.publish(app)["number"]
        self.assertNotEqual(again, third)
        self.assertIsNone(self.show(again)["report"]["verdicts"][0]["accepted"])

    def test_a_name_that_was_given_away_again_is_told(self):
        bob = self.hub.make_writer("bob")
        app = self.make_app("given", id="bob/given")

        def publish_as(token):
            self.author.environment["LOCARA_TOKEN"] = token
            return self.author.json("publish", app, "--endpoint", self.hub.url)["submission"]["number"]

        first = publish_as(bob)
        self.assertIsNone(self.show(first)["report"]["publisher"]["before"])
        self.decide(first)
        self.hub.admin("repo", "rm", "spaces/bob/given", "--yes")
        done = subprocess.run(self.hub.command("user", "rm", "bob", "--yes"), text=True, timeout=60, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, CONFLICT, done.stderr)
        self.assertIn("the catalog lists the app bob/given of 'bob'", done.stderr)
        self.review("yank", first, "--by", "carol", "--why", "bob leaves")
        self.hub.admin("user", "rm", "bob", "--yes")

        self.make_app("given", id="bob/given", version="2.0.0")
        second = publish_as(self.hub.make_writer("bob"))
        self.assertEqual(self.show(second)["report"]["publisher"]["before"]["version"], "1.0.0")
        self.assertIn("(--accept publisher)", self.review("show", second))
        for accepted, code in ((), REFUSED), (("--accept", "publisher"), USAGE):  # no word, no reason
            self.review("approve", second, "--by", "carol", *UNSEEN, *accepted, expect=code)
        self.review("approve", second, "--by", "carol", *UNSEEN, "--accept", "publisher", "--why", "he is the same person")
        self.review("publish", second, "--by", "carol")
        third = self.make_app("given", id="bob/given", version="2.1.0") and publish_as(self.author.environment["LOCARA_TOKEN"])
        self.assertIsNone(self.show(third)["report"]["publisher"]["before"])

    def test_a_yanked_app_is_gone_for_new_users_only(self):
        number = self.publish(self.make_app("back"))["number"]
        self.decide(number)
        self.client.json("install", "ana/back", "--yes")
        self.review("yank", number, "--why", "the author asked", "--by", "carol")
        self.assertEqual(self.client.json("search", "--refresh", "ana/back")["apps"], [])
        self.assertIn("ana/back", self.client.run("list"))
        self.assertEqual(self.show(number)["state"], "yanked")

    def test_nobody_goes_back_to_a_version_that_was_called_back(self):
        app = self.make_app("rolled")
        self.decide(self.publish(app)["number"])
        self.make_app("rolled", version="1.1.0")
        self.decide(self.publish(app)["number"])

        def here():
            return [one["version"] for one in self.client.json("list")["apps"] if one["id"] == "ana/rolled"]

        self.client.json("install", "ana/rolled", "--yes")
        self.assertEqual(here(), ["1.1.0"])
        self.client.json("install", "ana/rolled@1.0.0", "--yes")
        self.assertEqual(here(), ["1.0.0"], "by an explicit word one goes back")
        self.client.json("install", "ana/rolled", "--yes")
        self.hub.admin("takedown", "add", "ana/rolled", "--version", "1.0.0", "--action", "block-install", "--reason", "it leaks")
        self.client.run("install", "ana/rolled@1.0.0", "--yes", expect=REFUSED)
        self.assertIn("it leaks", self.client.stderr)
        self.assertEqual(here(), ["1.1.0"])
        self.client.json("install", "ana/rolled", "--yes")  # the newer one is not meant

    def move_keys(self, role):
        """Takes a role's keys to a folder of their own until the test ends."""
        keys, here = pathlib.Path(tempfile.mkdtemp(prefix=f"{role}-", dir=self.folder)), self.hub.folder / "keys"
        for key in list(here.glob(f"{role}-*.pem")):
            shutil.move(key, keys)
        self.addCleanup(lambda: [shutil.move(key, here) for key in keys.glob(f"{role}-*.pem")])
        return keys

    def refused(self, *arguments, expect=CONFLICT):
        """What a command says that cannot do it, on both its streams."""
        done = subprocess.run(self.hub.command(*map(str, arguments)), text=True, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stdout + done.stderr

    def sign(self, draft, keys):
        """On the machine of who has the keys."""
        subprocess.run([harness.BIN / "locara-hub", "review", "sign", draft, "--keys", keys], check=True, timeout=60,
                       stdout=subprocess.DEVNULL)

    def have_signed(self, verb, number, keys, *arguments):
        """Has a step signed elsewhere; returns what imports it."""
        drafts = pathlib.Path(tempfile.mkdtemp(prefix="drafts-", dir=self.folder))
        self.review(verb, number, "--by", "carol", "--to", drafts, *arguments)
        [file] = drafts.iterdir()
        self.sign(file, keys)
        return lambda *more: self.hub.admin("keys", "import", str(file), *more)

    def test_keys_may_be_elsewhere(self):
        number = self.publish(self.make_app("elsewhere"))["number"]
        self.review("approve", number, "--by", "carol", *UNSEEN)
        keys = self.move_keys("apps")
        self.review("publish", number, "--by", "carol", expect=REFUSED)
        bring = self.have_signed("publish", number, keys)
        self.assertEqual(self.show(number)["state"], "approved")
        self.assertIn(f"submission {number} (ana/elsewhere 1.0.0) is published now", bring("--by", "dora"))
        step = self.show(number)["steps"][-1]
        self.assertEqual((step["event"], step["by"]), ("published", "dora"))
        self.assertIn("hang together", self.review("verify"))
        self.client.json("install", "ana/elsewhere", "--yes")

        self.review("reject", number, "--rule", "trust", "--why", "second thoughts", "--by", "carol", expect=CONFLICT)
        bring = self.have_signed("yank", number, keys, "--why", "second thoughts")
        self.assertEqual(self.show(number)["state"], "published")
        bring("--by", "dora", "--why", "second thoughts")
        self.assertEqual(self.events(number)[-1], ("yanked", "second thoughts"))
        self.assertIn("hang together", self.review("verify"))
        self.assertEqual(self.client.json("search", "--refresh", "ana/elsewhere")["apps"], [])

    def test_what_is_listed_is_not_rejected_and_what_the_record_lacks_is_named(self):
        number = self.publish(self.make_app("cut"))["number"]
        self.review("approve", number, "--by", "carol", *UNSEEN)
        record = self.hub.folder / "reviews.jsonl"
        before = record.read_bytes()
        self.review("publish", number, "--by", "carol")
        record.write_bytes(before)  # as after a crash between the catalog and the record
        said = self.refused("review", "reject", number, "--rule", "trust", "--why", "second thoughts", "--by", "carol")
        self.assertRegex(said, f"cannot be called rejected: `locara-hub review publish {number}` notes that, and `yank {number}`")
        differ = f"submission {number} (ana/cut 1.0.0) is approved, and the catalog lists it"
        self.assertIn(differ, self.refused("review", "verify"))
        for step in self.hub.stop, self.hub.start, self.hub.stop:
            step()
        self.assertRegex(self.hub.said, f"reviews_unlike_catalog.*{re.escape(differ)}")
        self.hub.start()
        self.review("publish", number, "--by", "carol")
        self.assertEqual(self.show(number)["state"], "published")
        self.assertIn("hang together", self.review("verify"))

    def test_another_bundle_under_its_name_is_not_noted_as_published(self):
        number = self.publish(self.make_app("swapped"))["number"]
        self.review("approve", number, "--by", "carol", *UNSEEN)
        bundle = self.show(number)["report"]["bundle"]
        shown = self.review("show", number)
        self.assertIn(f"archive {bundle['archive']}\n  files   {bundle['id']}\n", shown)
        keys = self.move_keys("apps")
        drafts = self.folder / "drafts"
        self.review("publish", number, "--by", "carol", "--to", drafts)
        [file] = drafts.iterdir()
        # Somebody who broke into the hub changes what is signed: another bundle, under the same name.
        draft = json.loads(file.read_text())
        name = "apps/ana/swapped-1.0.0.json"
        listed = draft["signed"]["targets"][name]
        folder = self.hub.folder / "catalog/targets/apps/ana"
        entry = json.loads((folder / f"{listed['hashes']['sha256']}.swapped-1.0.0.json").read_text())
        self.assertEqual("sha256:" + entry["bundle"]["sha256"], bundle["archive"])
        entry["bundle"]["files_sha256"] = "f" * 64
        text = json.dumps(entry).encode()
        digest = hashlib.sha256(text).hexdigest()
        (folder / f"{digest}.swapped-1.0.0.json").write_bytes(text)
        draft["signed"]["targets"][name] = {"length": len(text), "hashes": {"sha256": digest}}
        file.write_text(json.dumps(draft))
        self.sign(file, keys)
        differ = "the catalog lists that version with another bundle, whose files are sha256:" + "f" * 64
        self.assertIn(f"warning: submission {number} (ana/swapped 1.0.0) is approved, and {differ}",
                      self.refused("keys", "import", file, expect=0))
        said = self.refused("review", "publish", number, "--by", "carol")
        self.assertIn(f"another bundle than the one that submission {number} was checked with", said)
        self.assertEqual(self.show(number)["state"], "approved")
        self.assertIn(differ, self.refused("review", "verify"))
        # It can be called back, and the one that was approved be rejected; that the other is listed is named until it is not.
        self.hub.admin("takedown", "add", "sha256:" + "f" * 64, "--kind", "bundle", "--reason", "nobody approved it")
        self.review("reject", number, "--rule", "trust", "--why", "the hub was broken into", "--by", "carol")
        self.assertIn(differ, self.refused("review", "verify"))
        shutil.rmtree(drafts)
        self.hub.admin("keys", "export", "apps", "--to", str(drafts))
        [file] = drafts.iterdir()
        draft = json.loads(file.read_text())
        draft["signed"]["targets"] = {key: value for key, value in draft["signed"]["targets"].items() if "swapped" not in key}
        file.write_text(json.dumps(draft))
        self.sign(file, keys)
        self.hub.admin("keys", "import", str(file))
        self.review("verify")

    def events(self, number):
        return [(step["event"], step.get("why", "")) for step in self.show(number)["steps"]]

    def test_a_takedown_is_on_record_and_so_is_its_end(self):
        app = self.make_app("called")
        number = self.publish(app)["number"]
        self.decide(number)
        self.make_app("called", version="1.1.0")
        waiting = self.publish(app)["number"]
        said = self.hub.admin("takedown", "add", "ana/called", "--reason", "it sends notes away", "--by", "dora")
        self.assertIn(f"submission {number} (ana/called 1.0.0) is taken-down now", said)
        self.assertNotIn(f"submission {waiting} ", said)
        self.assertEqual(self.show(number)["steps"][-1]["by"], "dora")
        self.assertEqual(self.show(waiting)["state"], "needs-review")
        self.hub.admin("takedown", "add", "ana/called", "--reason", "mended", "--action", "warn")
        self.assertEqual(self.events(number)[-2:], [("taken-down", "it sends notes away"), ("published", "lifted: mended")])
        noted = map(json.loads, self.hub.admin("audit", "list", "--json", "--event", "reviewed").splitlines())
        states = [(one["state"], one["curator"]) for one in noted if one["submission"] == number][-2:]
        self.assertEqual(states[0], ("taken-down", "dora"))
        self.assertEqual(states[1][0], "published")

    def test_an_app_of_what_was_called_back_is_rejected(self):
        waiting = self.publish(self.make_app("waits"))["number"]
        model = ("locara/quick-add", "--kind", "model")
        self.hub.admin("takedown", "add", *model, "--reason", "it leaks")
        self.addCleanup(self.hub.admin, "takedown", "add", *model, "--reason", "mended", "--action", "warn")
        done = self.publish(self.make_app("late"), expect=REFUSED)
        self.assertEqual(done["state"], "rejected")
        self.assertIn("the model locara/quick-add was called back", done["why"])
        self.assertIn("it leaks", done["why"])
        self.review("approve", waiting, "--by", "carol", *UNSEEN)
        self.review("publish", waiting, "--by", "carol", expect=REFUSED)  # checked once more

    def test_a_file_that_was_called_back_is_so_in_every_app(self):
        icon = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 2"></svg>\n'
        app, client, reason = self.make_app("carries"), self.client, "it draws badly"
        (app / "icon.svg").write_bytes(icon)
        number = self.publish(app)["number"]
        self.decide(number)
        client.run("search", "--refresh")
        client.run("install", "ana/carries", "--yes")
        client.run("run", "ana/carries")
        self.assertEqual([one["id"] for one in client.json("status")["broker"]["apps"]], ["ana/carries"])

        called = ("sha256:" + hashlib.sha256(icon).hexdigest(), "--kind", "file")
        said = self.hub.admin("takedown", "add", *called, "--reason", reason)
        self.addCleanup(self.hub.admin, "takedown", "add", *called, "--reason", "mended", "--action", "warn")
        self.assertIn("it is about the app ana/carries 1.0.0", said)
        self.assertIn(f"submission {number} (ana/carries 1.0.0) is taken-down now", said)
        client.run("search", "--refresh")
        harness.wait_for(lambda: client.json("status")["broker"]["apps"] == [], "the app to be stopped", seconds=5)
        client.run("run", "ana/carries", expect=REFUSED)
        self.assertIn(reason, client.stderr)
        for verb in ("search", "list"):
            self.assertIn("[called back: block-run]", client.run(verb))
        self.assertIn(reason, client.run("doctor", expect=None))
        self.author.run("search", "--refresh")
        self.author.run("install", "ana/carries", "--yes", expect=None)  # the hub gives its bundle away no more
        self.assertEqual(self.author.json("list")["apps"], [])

        # Nor does it come again, under whatever name.
        other = self.make_app("carries-too")
        shutil.copy(app / "icon.svg", other / "icon.svg")
        self.assertIn(f"icon.svg was called back on", self.author.run("lint", other, expect=None))
        self.author.environment["LOCARA_TOKEN"] = self.ana
        self.author.run("publish", other, "--endpoint", self.hub.url, expect=REFUSED)
        with self.assertRaisesRegex(AssertionError, reason):
            publish(self.hub, self.ana, "ana/picture", {"other-name.svg": icon})

    def test_a_takedown_signed_elsewhere_counts_when_it_is_imported(self):
        number = self.publish(self.make_app("far"))["number"]
        self.decide(number)
        keys, drafts = self.move_keys("takedown"), self.folder / "takedowns"
        bundle = self.show(number)["report"]["bundle"]
        self.hub.admin("takedown", "add", bundle["archive"], "--kind", "bundle", "--reason", "bad", "--to", str(drafts))
        self.assertEqual(self.show(number)["state"], "published")
        files = sorted(drafts.iterdir())
        subprocess.run([harness.BIN / "locara-hub", "keys", "sign", *files, "--keys", keys], check=True, timeout=60,
                       stdout=subprocess.DEVNULL)
        self.hub.admin("keys", "import", *map(str, files))
        self.assertEqual(self.show(number)["state"], "taken-down")

    def test_the_antivirus_of_the_configuration_guards_the_review_too(self):
        number = self.publish(self.make_app("scanned"))["number"]
        configuration = self.hub.folder / "hub.toml"
        configuration.write_text("[scanners]\nclamd = '/nowhere/clamd.sock'\n")
        self.addCleanup(configuration.unlink)
        self.review("check", number, expect=UNAVAILABLE)
        self.review("approve", number, "--by", "carol", *UNSEEN)
        self.review("publish", number, "--by", "carol", expect=UNAVAILABLE)
        self.assertEqual(self.show(number)["state"], "approved")
        none = self.folder / "none.toml"
        none.write_text("")
        self.review("publish", number, "--by", "carol", "--clamd", "/nowhere", "--config", none, expect=UNAVAILABLE)
        self.review("publish", number, "--by", "carol", "--config", none)

    def test_weights_that_an_app_pins_are_read_and_hashed_before_it_is_approved(self):
        number = self.publish(self.make_app("pins"))["number"]

        def states():
            pins = self.show(number)["report"]["pins"]
            self.assertEqual([pin["model"] for pin in pins], ["locara/quick-add"])
            return {file["state"] for file in pins[0]["files"]}
        self.assertEqual(states(), {"resolved"}, "nobody waits for a hash when an app is submitted")
        self.review("check", number)
        self.assertEqual(states(), {"verified"})
        self.assertIn("verified  quick-add-f16.gguf (f16)", self.review("show", number))

    def ask(self, path, token=None):
        """The status and what the hub says."""
        request = urllib.request.Request(self.hub.url + path, headers={"Authorization": f"Bearer {token}"} if token else {})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def test_curators_read_every_submission_and_nobody_else_does(self):
        number = self.publish(self.make_app("read"))["number"]
        for verb, *arguments in (("org", "create", "board"), ("user", "add", "carol"),
                                 ("org", "add-member", "board", "carol", "--role", "read")):
            self.hub.admin(verb, *arguments)
        carol = self.hub.make_token("carol")
        narrow = self.hub.make_token("carol", "--name", "narrow", "--role", "fine-grained", "--repo", "spaces/ana/read=read")
        fitting = self.hub.make_token("carol", "--name", "fitting", "--role", "fine-grained", "--space", "board=read")
        everything, one = "/api/review/submissions", f"/api/review/submissions/{number}"
        self.assertEqual(self.ask(everything, carol)[0], 404, "the hub names no curators yet")
        configuration = self.hub.folder / "hub.toml"
        configuration.write_text('[review]\ncurators = "Board"\n')
        self.addCleanup(configuration.unlink)
        self.hub.stop()
        self.hub.start()

        waiting = self.ask(everything + "?state=needs-review", carol)[1]
        self.assertIn((number, "ana/read"), [(each["number"], each["app"]) for each in waiting])
        status, whole = self.ask(one, fitting)
        self.assertEqual((status, whole["report"]["submission"], whole["steps"][0]["event"]), (200, number, "submitted"))
        self.assertEqual(whole, self.ask(f"/api/spaces/ana/read/submissions/{number}", self.ana)[1])
        page = self.ask(everything + "?limit=1", carol)[1]
        self.assertEqual(page, self.ask(everything, carol)[1][:1])
        self.assertEqual(self.ask(everything + "?state=lost", carol)[0], 400)
        self.assertEqual(self.ask(everything + "/999", carol)[0], 404)
        self.assertEqual(self.ask("/api/review/takedowns", carol), (200, []))
        for path in everything, one, "/api/review/takedowns":
            for token, code in ((None, 401), (self.ana, 404), (self.ben, 404), (narrow, 404)):
                self.assertEqual(self.ask(path, token)[0], code, (path, token))
        self.hub.admin("org", "set-role", "board", "carol", "no_access")
        self.assertEqual(self.ask(one, carol)[0], 404)

    def test_only_the_owner_submits_and_reads(self):
        number = self.publish(self.make_app("mine"))["number"]
        self.author.environment["LOCARA_TOKEN"] = self.ben
        self.author.run("publish", self.folder / "mine", "--endpoint", self.hub.url, expect=DENIED)
        self.review("approve", number, "--by", "carol", *UNSEEN)
        self.assertIn("in spite of: unchecked", self.review("show", number))
        for token, code in ((None, 401), (self.ben, 403), (self.ana, 200)):
            status, seen = self.ask(f"/api/spaces/ana/mine/submissions/{number}", token)
            self.assertEqual(status, code)
            if status == 200:
                self.assertEqual((seen["state"], seen["steps"][-1]["accepted"]), ("approved", ["unchecked"]))


if __name__ == "__main__":
    harness.main()
