"""Apps that travel in a folder: a machine that never sees a hub installs and runs them under the same checks."""
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import unittest

from tests import harness
from tests.harness import ANSWER, APP, NOTE
from tests.harness.seed import TINY, write_seed
from tests.harness.terminal import at_a_terminal

TERMS = b"You may read this and nothing else.\n"
PINNED = hashlib.sha256(TERMS).hexdigest()
LICENSE = {"id": "gemma", "url": "https://ai.google.dev/gemma/terms", "text_sha256": PINNED}


class Bundles(harness.TestCase):
    @classmethod
    def make_seed(cls):
        write_seed(cls.folder / "seed", license=LICENSE)
        shutil.copytree(harness.SEED, cls.folder / "seed", dirs_exist_ok=True)
        return cls.folder / "seed"

    def setUp(self):
        super().setUp()
        self.text = self.folder / "terms.txt"
        self.text.write_bytes(TERMS)
        self.bundle = pathlib.Path(self.client.home) / "bundle"

    def accept(self):
        return "--yes", "--accept-license", "gemma"

    def make(self, *apps, folder=None, arguments=(), **options):
        command = ("bundle", *apps, "-o", folder or self.bundle, "--license", self.text, *arguments)
        return self.client.run(*command, **options) if "expect" in options else self.client.json(*command, **options)

    def prepare(self, *apps):
        """A bundle of these apps, made without a network."""
        self.client.add_hub(self.hub)
        self.client.run("install", *apps, *self.accept())
        self.hub.stop()
        self.addCleanup(lambda: self.hub.process or self.hub.start())
        return self.make(*apps, arguments=["--offline"])

    def elsewhere(self):
        """A client on a machine that has nothing."""
        other = harness.Client(self.folder / f"other-{harness.free_port()}")
        self.addCleanup(other.stop)
        return other

    def trust(self, client, folder=None, **options):
        client.run("hub", "add", "--from", folder or self.bundle, "--fingerprint", self.hub.fingerprint, **options)

    def test_an_app_runs_where_no_hub_was_ever_reached(self):
        made = self.prepare(APP, TINY)
        self.assertEqual({file["link"] for file in made["files"]} - {"reflink", "hardlink"}, set(), "one file system")
        self.assertEqual(made["warnings"], [], "the text of the license is there")
        self.assertEqual([role["role"] for role in made["signed"]], ["timestamp", "snapshot", "takedown"])
        there = self.elsewhere()
        moved = there.home.with_suffix(".stick")
        shutil.copytree(self.bundle, moved)
        shutil.rmtree(self.client.home)  # nothing leads back

        there.run("install", "--from", moved, "--yes", expect=3)
        self.assertIn("hub add --from", there.stderr)
        there.run("hub", "add", "--from", moved, expect=2)
        there.run("hub", "add", "--from", moved, "--fingerprint", "0" * 64, expect=6)
        there.run("hub", "add", "https://hub.example.org", "--from", moved, "--fingerprint", self.hub.fingerprint, expect=2)
        self.trust(there, moved)
        there.run("install", TINY, "--from", moved, "--yes", expect=4)
        self.assertIn(str(moved / "licenses" / f"{PINNED}.txt"), there.stderr)
        done = there.json("install", "--from", moved, *self.accept())
        self.assertEqual([app["installed"] for app in done["apps"]], [True, True])
        self.assertEqual([role["lapsed"] for role in done["bundle"]["signed"]], [False] * 3)
        self.assertEqual(json.loads(there.run("run", APP, "--once", NOTE)), ANSWER)
        there.run("verify")
        again = there.json("install", APP, "--from", moved, "--yes")
        self.assertTrue(again["plan"]["up_to_date"])
        there.run("install", "test/none", "--from", moved, "--yes", expect=3)

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_no_command_of_it_opens_a_socket_to_a_network(self):
        self.prepare(APP)
        there = self.elsewhere()
        trace = self.folder / "strace.log"
        for arguments in (["hub", "add", "--from", self.bundle, "--fingerprint", self.hub.fingerprint],
                          ["install", "--from", self.bundle, "--yes"]):
            subprocess.run(["strace", "-f", "-qq", "-e", "trace=socket,connect,openat", "-o", trace, harness.BIN / "locara",
                            *arguments], env=there.environment, check=True, timeout=120, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            calls = trace.read_text()
            self.assertIn("bundle.json", calls, "the trace has seen the bundle")
            self.assertEqual(re.findall(r"\b(?:socket|connect)\(.*AF_INET.*", calls), [])

    def test_each_file_of_it_changed_cut_or_missing_is_refused_and_nothing_is_installed(self):
        self.prepare(TINY)
        whole = self.folder / "whole"
        shutil.copytree(self.bundle, whole)
        files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
        self.assertEqual(len(files), 15, files)
        for name in files:
            path = whole / name
            kept = path.read_bytes()
            path.chmod(0o644)
            middle = len(kept) // 2
            flipped = kept[:middle] + bytes([kept[middle] ^ 1]) + kept[middle + 1:]
            for what, bytes_ in (("flipped", flipped), ("cut", kept[:middle]), ("empty", b""), ("missing", None)):
                with self.subTest(file=str(name), what=what):
                    path.unlink() if bytes_ is None else path.write_bytes(bytes_)
                    there = self.elsewhere()
                    # Whichever of the two steps meets the file first.
                    script = "\n".join(f'"{harness.BIN}/locara" {line} >> "{there.home}.said" 2>&1 || exit $?' for line in (
                        f'hub add --from "{whole}" --fingerprint {self.hub.fingerprint}',
                        f'install --from "{whole}" --yes --accept-license gemma'))
                    done = subprocess.run(["sh", "-c", script], env=there.environment, timeout=120, stdin=subprocess.DEVNULL)
                    said = pathlib.Path(f"{there.home}.said").read_text()
                    if "licenses" in name.parts and what == "missing":
                        self.assertEqual(done.returncode, 0, said)  # terms were accepted by name: a text is no condition
                    else:
                        self.assertIn(done.returncode, (1, 2, 3, 5, 6), said)
                        self.assertNotIn("please report", said)
                        self.assertEqual(there.json("list")["apps"], [])
                        self.assertEqual(there.store_files(), [])
                    shutil.rmtree(there.home, ignore_errors=True)
            path.write_bytes(kept)
        # What is installed survives a bundle that went bad.
        there = self.elsewhere()
        self.trust(there, whole)
        there.run("install", "--from", whole, *self.accept())
        (whole / "catalog/metadata/timestamp.json").write_bytes(b"{}")
        there.run("install", "--from", whole, *self.accept(), expect=6)
        self.assertEqual([app["id"] for app in there.json("list")["apps"]], [TINY])
        there.run("verify")

    def test_what_lasts_days_may_have_lapsed_and_nothing_else(self):
        self.prepare(TINY)
        there = self.elsewhere()
        self.trust(there, faketime="+20d")
        there.run("install", "--from", self.bundle, *self.accept(), faketime="+20d")
        for role in ("timestamp", "snapshot", "takedown"):
            self.assertRegex(there.stderr, rf"{role} signed \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ \(lapsed\)")
        (listed,) = there.json("hub", "list", faketime="+20d")["hubs"]
        self.assertFalse(listed["fresh"], "but for a bundle it is stale")
        there.run("rm", TINY, "--yes")
        there.run("install", TINY, "--offline", *self.accept(), expect=6, faketime="+20d")
        there.run("install", "--from", self.bundle, *self.accept(), expect=6, faketime="+100d")
        self.assertRegex(there.stderr, "(targets|apps|models) expired on")
        late = self.elsewhere()
        self.trust(late, faketime="+100d", expect=6)
        self.assertEqual(late.json("hub", "list")["hubs"], [])

    def test_what_is_older_than_what_was_seen_is_refused(self):
        self.prepare(TINY)
        self.hub.start()
        there = self.elsewhere()
        there.add_hub(self.hub)
        self.hub.admin("takedown", "add", "sha256:" + "a" * 64, "--kind", "file", "--reason", "a newer list")
        there.run("search", "--refresh")
        there.run("install", "--from", self.bundle, *self.accept(), expect=6)
        self.assertIn("went back from version", there.stderr)
        self.assertEqual(there.json("list")["apps"], [])
        # A new bundle is as new as that.
        newer = self.folder / "newer"
        self.make(TINY, folder=newer)
        there.run("install", "--from", newer, *self.accept())

    def test_one_from_before_a_change_of_keys_is_told_as_such(self):
        self.prepare(TINY)
        self.hub.start()
        there = self.elsewhere()
        there.add_hub(self.hub)
        self.hub.admin("keys", "rotate", "timestamp")
        there.run("search", "--refresh")
        there.run("install", "--from", self.bundle, *self.accept(), expect=6)
        self.assertIn("from before a change of the hub's keys; ask for a new one", there.stderr)

    def test_what_was_called_back_neither_leaves_nor_comes_in(self):
        self.prepare(TINY)
        self.hub.start()
        self.hub.admin("takedown", "add", TINY, "--reason", "it sends notes away")
        self.addCleanup(self.hub.admin, "takedown", "add", TINY, "--kind", "app", "--reason", "over", "--action", "warn")
        self.make(TINY, folder=self.folder / "called-back", expect=8)
        self.assertFalse((self.folder / "called-back").exists())

        # The list that came in by one bundle stays in force, whatever is asked later.
        self.client.run("install", APP, "--yes")
        with_list = self.folder / "with-list"
        self.make(APP, folder=with_list)
        there = self.elsewhere()
        self.trust(there)
        there.run("install", "--from", self.bundle, *self.accept())
        there.run("install", "--from", with_list, *self.accept())
        there.run("run", TINY, expect=8)
        self.assertIn("it sends notes away", there.stderr)
        there.run("install", TINY, "--from", self.bundle, *self.accept(), expect=6)

    def test_a_folder_is_gone_on_with_and_what_is_in_the_way_is_said(self):
        self.prepare(TINY)
        self.make(TINY, expect=1, arguments=["--offline"])
        self.assertIn("finished bundle", self.client.stderr)
        busy = self.folder / "busy"
        busy.mkdir()
        (busy / "letter.txt").write_text("mine")
        self.make(TINY, folder=busy, expect=1, arguments=["--offline"])
        self.assertIn("letter.txt", self.client.stderr)
        self.make("test/none", folder=self.folder / "none", expect=3, arguments=["--offline"])
        self.make(TINY + "@9.9.9", folder=self.folder / "none", expect=3, arguments=["--offline"])
        # As a killed run leaves it: no note, some files, one of them cut.
        whole = {path.relative_to(self.bundle): path.read_bytes() for path in self.bundle.rglob("*") if path.is_file()}
        (self.bundle / "bundle.json").unlink()
        weights = next(path for path in (self.bundle / "files").rglob("*") if path.is_file())
        weights.unlink()
        entry = next((self.bundle / "catalog/targets/apps").rglob("*.locapp"))
        entry.write_bytes(entry.read_bytes()[:100])
        there = self.elsewhere()
        there.run("hub", "add", "--from", self.bundle, "--fingerprint", self.hub.fingerprint, expect=3)
        self.assertIn("no finished offline bundle", there.stderr)
        self.make(TINY, arguments=["--offline"])
        self.assertEqual({path.relative_to(self.bundle): path.read_bytes() for path in self.bundle.rglob("*")
                          if path.is_file()}, whole)
        self.client.json("bundle", TINY, "-o", self.folder / "no-text", "--offline", "--dry-run")
        self.client.run("bundle", TINY, "-o", self.folder / "no-text", "--offline", "--dry-run")
        self.assertIn(PINNED, self.client.stderr)
        self.assertFalse((self.folder / "no-text").exists())


class NotPassedOn(harness.TestCase):
    @classmethod
    def make_seed(cls):
        write_seed(cls.folder / "seed", license={**LICENSE, "terms": {
            "commercial": True, "redistribution": False, "attribution": True, "use_restrictions": [], "gated": False}})
        return cls.folder / "seed"

    def test_who_makes_a_bundle_hears_what_may_not_be_passed_on(self):
        self.client.add_hub(self.hub)
        self.client.run("install", TINY, "--yes", "--accept-license", "gemma")
        made = self.client.json("bundle", TINY, "-o", self.folder / "mine")
        self.assertIn("test/tiny may not be passed on: give the bundle to machines of your own", " ".join(made["warnings"]))


class OlderVersions(harness.TestCase):
    """The bundle has what was the newest once, and the hub has a newer one by now."""

    @classmethod
    def make_seed(cls):
        write_seed(cls.folder / "seed")
        return cls.folder / "seed"

    def test_nobody_goes_back_to_an_older_version_unasked(self):
        bundle = self.folder / "bundle"
        self.client.add_hub(self.hub)
        self.client.run("install", TINY, "--yes")
        old = self.client.json("list")["apps"][0]["version"]
        manifest, = (path for path in (self.folder / "seed/apps").glob("*/locara.json"))
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": "9.0.0"}))
        self.hub.stop()
        self.hub.start()
        self.client.run("search", "--refresh")
        self.client.run("bundle", TINY, "-o", bundle)  # with the newest metadata, and what is installed
        there = harness.Client(self.folder / "there")
        self.addCleanup(there.stop)
        there.add_hub(self.hub)
        there.run("install", TINY, "--yes")
        there.run("install", "--from", bundle, "--yes", expect=4)
        named = f"{TINY}@{old}"
        self.assertIn(f"9.0.0 is installed, and the bundle brings the older {old}", there.stderr)
        self.assertIn(f"locara install {named} --from {bundle}", there.stderr)
        self.assertEqual(there.json("list")["apps"][0]["version"], "9.0.0")
        there.run("install", named, "--from", bundle, "--dry-run")
        self.assertIn("Replaces  version 9.0.0, which is newer", there.stderr)
        there.run("install", named, "--from", bundle, "--yes")
        self.assertEqual(there.json("list")["apps"][0]["version"], old)


class PinnedTexts(harness.TestCase):
    """The text of a license lies in the model's repository, and nobody gives it by hand."""

    @classmethod
    def make_seed(cls):
        write_seed(cls.folder / "seed", license=LICENSE, license_text=TERMS)
        return cls.folder / "seed"

    def setUp(self):
        super().setUp()
        self.client.add_hub(self.hub)
        self.client.run("install", TINY, "--yes", "--accept-license", "gemma")
        self.bundle = pathlib.Path(self.client.home) / "bundle"

    def test_the_text_goes_along_and_is_shown_where_there_is_no_network(self):
        made = self.client.json("bundle", TINY, "-o", self.bundle)
        self.assertEqual(made["warnings"], [])
        text = self.bundle / "licenses" / f"{PINNED}.txt"
        self.assertEqual(text.read_bytes(), TERMS)
        there = harness.Client(self.folder / "there")
        self.addCleanup(there.stop)
        self.hub.stop()
        self.addCleanup(self.hub.start)
        there.run("hub", "add", "--from", self.bundle, "--fingerprint", self.hub.fingerprint)
        code, said = at_a_terminal(there, "install", TINY, "--from", self.bundle, "--yes", answers=["n"])
        self.assertEqual(code, 4, said)
        self.assertIn("  | " + TERMS.decode().strip(), said)
        code, said = at_a_terminal(there, "install", TINY, "--from", self.bundle, "--yes", answers=["y"])
        self.assertEqual(code, 0, said)

    def test_the_text_of_an_ancestors_license_goes_along_too(self):
        home = pathlib.Path(self.client.home)
        hub = harness.Hub(home / "hub", seed=None)
        self.addCleanup(hub.stop)
        maker = harness.Client(home / "maker")
        maker.environment.update(HF_ENDPOINT=hub.url, LOCARA_TOKEN=hub.make_writer("acme"))
        (home / "LICENSE").write_bytes(TERMS)
        commit = maker.json("upload", "acme/base", home / "LICENSE", "--create")["commit"]
        write_seed(home / "seed", lineage=[{"repo": "acme/base", "revision": commit, "relation": "finetune", "license": "gemma",
                                            "license_url": f"{hub.url}/acme/base/blob/{commit}/LICENSE", "license_text_sha256": PINNED}])
        hub.stop()
        hub.seed = home / "seed"
        hub.start()
        maker.add_hub(hub)
        maker.run("install", TINY, "--yes", "--accept-license", "gemma")
        self.assertEqual([one["text_sha256"] for one in maker.json("show", TINY)["receipts"]], [PINNED])
        made = maker.json("bundle", TINY, "-o", home / "bundle")
        self.assertEqual(made["warnings"], [])
        self.assertEqual((home / "bundle/licenses" / f"{PINNED}.txt").read_bytes(), TERMS)
        there = harness.Client(home / "there")
        self.addCleanup(there.stop)
        hub.stop()
        there.run("hub", "add", "--from", home / "bundle", "--fingerprint", hub.fingerprint)
        code, said = at_a_terminal(there, "install", TINY, "--from", home / "bundle", "--yes", answers=["y"])
        self.assertEqual(code, 0, said)
        self.assertIn("  | " + TERMS.decode().strip(), said)

    def test_a_text_that_cannot_be_had_is_told_with_the_reason(self):
        made = self.client.json("bundle", TINY, "-o", self.bundle, "--offline")
        self.assertEqual(len(made["warnings"]), 1, made)
        self.assertIn("gemma, which has to be accepted, is not in the bundle: the network is not to be used", made["warnings"][0])
        self.assertIn(PINNED, made["warnings"][0])
        self.assertFalse((self.bundle / "licenses").exists())


if __name__ == "__main__":
    harness.main()
