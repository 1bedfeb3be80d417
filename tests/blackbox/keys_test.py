"""`locara-hub keys`: rotation, thresholds, signing on other machines, encryption; an installed client follows it all."""
import fcntl
import hashlib
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import termios
import time
import unittest

from tests import harness
from tests.harness import BIN

PASSPHRASE = "correct horse battery"
OFFLINE = ("root", "targets", "takedown", "apps", "models")


class Keys(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-keys-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.data, self.away = self.folder / "hub", self.folder / "away"
        self.away.mkdir(mode=0o700)
        self.signed = self.folder / "to-sign"

    def run_hub(self, *arguments, expect=0, passphrase=None, **options):
        environment = {**os.environ, **({"LOCARA_HUB_PASSPHRASE": passphrase} if passphrase else {})}
        done = subprocess.run([BIN / "locara-hub", *map(str, arguments)], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60, env=environment,
                              start_new_session=True, **options)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stdout if expect == 0 else done.stderr

    def keys(self, verb, *arguments, **options):
        return self.run_hub("keys", verb, *arguments, "--data", self.data, **options)

    def serve(self, clock=None):
        """A hub on the data folder, and a client that trusts its first root."""
        self.keys("init")
        self.hub = harness.Hub(self.data, seed=None)
        self.addCleanup(lambda: self.hub.stop())
        self.client("init", self.data / "root.json")
        self.refresh()

    def client(self, *arguments, expect=0, clock=None):
        environment = {**os.environ, **(harness.moved_clock(clock) if clock else {})}
        done = subprocess.run([BIN / "locara-tuf", "--metadata-dir", self.folder / "state", *arguments], text=True,
                              timeout=60, stderr=subprocess.PIPE, env=environment)
        self.assertEqual(done.returncode, expect, done.stderr)

    def refresh(self, **options):
        self.client("--metadata-url", self.hub.url + "/catalog/metadata", "refresh", **options)
        return {role: json.loads((self.folder / f"state/{role}.json").read_bytes())["signed"]["version"]
                for role in ("root", "timestamp", "snapshot", "targets")}

    def move_away(self, *roles):
        for role in roles:
            for path in (self.data / "keys").glob(f"{role}-*.pem"):
                path.rename(self.away / path.name)

    def listed(self):
        """Role to (threshold, keys, keys here)."""
        lines = [line.split() for line in self.keys("list").splitlines() if "version" in line]
        return {words[0]: (int(words[5]), int(words[7]), int(words[-2])) for words in lines}

    def test_online_roles_are_signed_anew_before_they_lapse(self):
        self.serve()
        self.hub.stop()
        # Half a day is half of timestamp's life, half a week is half of snapshot's.
        for clock, timestamp, snapshot in (("+8h", 1, 1), ("+13h", 2, 1), ("+4d", 3, 2), ("+8d", 4, 3)):
            self.hub.start(clock=clock)
            found = self.refresh(clock=clock)
            self.assertEqual((found["timestamp"], found["snapshot"]), (timestamp, snapshot), clock)
            self.hub.stop()
        # Without the offline keys the hub keeps its own two roles fresh all the same.
        self.move_away(*OFFLINE)
        self.hub.start(clock="+12d")
        found = self.refresh(clock="+12d")
        self.assertEqual((found["timestamp"], found["snapshot"]), (5, 4))

    def test_a_takedown_list_that_lapses_within_a_week_is_told(self):
        self.serve()
        self.hub.stop()
        self.move_away(*OFFLINE)
        person = harness.Client(self.folder / "person")

        def told(clock):
            self.hub.start(clock=clock)
            person.run("hub", "add", self.hub.url, "--fingerprint", self.hub.fingerprint, faketime=clock)
            found = person.json("doctor", faketime=clock, expect=None)["findings"]
            self.hub.stop()
            return (bool(re.search(r"role_lapses.*\btakedown\b", self.hub.said)),
                    [one["level"] for one in found if 'role "takedown" lapses' in one["text"]])

        self.assertEqual(told("+6d"), (False, []))
        self.assertEqual(told("+8d"), (True, ["note"]))
        self.hub.start()

    def test_a_lost_online_key_is_recovered_by_rotation(self):
        self.serve()
        for role, root in (("timestamp", 2), ("snapshot", 3)):
            (self.data / f"keys/{role}-1.pem").unlink()
            self.assertEqual(self.listed()[role], (1, 1, 0))
            self.keys("rotate", role)
            self.assertEqual(self.listed()[role], (1, 1, 1))
            self.assertEqual(self.refresh()["root"], root)
        self.hub.stop()
        self.hub.start(clock="+13h")
        self.refresh(clock="+13h")

    def test_root_signs_on_another_machine(self):
        self.serve()
        self.move_away("root", "targets")
        (self.data / "keys/timestamp-1.pem").unlink()
        self.assertIn("--to FOLDER", self.keys("rotate", "timestamp", expect=8))
        before = self.refresh()
        said = self.keys("rotate", "timestamp", "--to", self.signed)
        self.assertIn("root version 2", said)
        self.assertEqual(self.refresh(), before, "nothing is public yet")
        draft = self.signed / "2.root.json"

        # Two people with a key each, neither of whom needs the hub.
        for number, expect in ((1, 6), (3, 0)):
            one = self.folder / f"person-{number}"
            one.mkdir()
            (self.away / f"root-{number}.pem").rename(one / f"root-{number}.pem")
            self.assertIn("root: 2 of 3 keys", self.run_hub("keys", "sign", "--dry-run", draft, "--keys", one))
            self.assertIn("root version 2", self.run_hub("keys", "sign", draft, "--keys", one))
            said = self.keys("import", draft, expect=expect)
        self.assertEqual(self.refresh()["root"], 2)
        self.assertEqual(self.listed()["timestamp"][2], 1)
        self.assertIn("the next one is 3", self.keys("import", draft, expect=9))
        self.run_hub("keys", "sign", draft, "--keys", self.data / "keys", expect=3)

    def test_a_lost_root_key_is_replaced_where_the_keys_are(self):
        self.serve()
        ids = json.loads(self.keys("list", "--json"))["roles"][0]["keys"]
        self.move_away(*OFFLINE)
        before = sorted(path.name for path in (self.data / "keys").iterdir())
        for role in OFFLINE:
            for more in ((), ("--to", self.signed)):
                self.assertIn(f"keys rotate {role} FILE.pub... --to FOLDER", self.keys("rotate", role, *more, expect=8))
        self.assertFalse(self.signed.exists())
        draft = self.signed / "2.root.json"
        self.run_hub("keys", "new", self.away / "root-4.pem")
        (self.away / "root-1.pem").unlink()
        self.keys("rotate", "root", *ids[1:], self.away / "root-4.pem.pub", "--to", self.signed)
        said = self.run_hub("keys", "sign", draft, "--keys", self.away)
        self.assertRegex(said, r"~ root: 2 of 3 keys\n(    . [0-9a-f]{64}\n){4}")
        self.keys("import", draft)
        self.assertEqual(self.refresh()["root"], 2)
        self.assertEqual(sorted(path.name for path in (self.data / "keys").iterdir()), before)
        self.assertEqual(self.listed()["root"], (2, 3, 0))
        # All keys of a delegated role at once; both lists are signed by whom they name.
        self.run_hub("keys", "new", self.away / "apps-2.pem")
        self.keys("rotate", "apps", self.away / "apps-2.pem.pub", "--to", self.folder / "apps")
        drafts = sorted((self.folder / "apps").iterdir())
        self.assertEqual([path.name for path in drafts], ["2.apps.json", "2.targets.json"])
        (self.away / "apps-1.pem").unlink()
        self.run_hub("keys", "sign", *drafts, "--keys", self.away)
        self.keys("import", *drafts)
        self.assertEqual(sorted(path.name for path in (self.data / "keys").iterdir()), before)
        self.refresh()

    def test_what_is_imported_is_checked(self):
        self.serve()
        self.move_away(*OFFLINE)
        self.keys("export", "root", "targets", "apps", "takedown", "--to", self.signed)
        names = sorted(path.name for path in self.signed.iterdir())
        self.assertEqual(names, ["2.apps.json", "2.root.json", "2.takedown.json", "2.targets.json"])
        files = [self.signed / name for name in names]
        self.run_hub("keys", "sign", *files, "--keys", self.away)
        good = {path: path.read_bytes() for path in files}
        before = self.refresh()
        for path, change in ((files[0], lambda doc: doc["signed"].update(version=3)),
                             (files[1], lambda doc: doc["signed"]["roles"]["timestamp"].update(threshold=2)),
                             (files[2], lambda doc: doc["signatures"].clear()),
                             (files[3], lambda doc: doc["signed"].update(expires="2020-01-01T00:00:00Z"))):
            document = json.loads(good[path])
            change(document)
            path.write_text(json.dumps(document))
            self.run_hub("keys", "import", *files, "--data", self.data, expect=9 if path == files[0] else 6)
            path.write_bytes(good[path])
        # Signed where the clock is a year ahead, so that it would be good for as much longer.
        path = self.folder / "2.takedown.json"
        document = json.loads(good[files[2]])
        document["signed"]["expires"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 370 * 86400))
        path.write_text(json.dumps(document))
        ahead = {**os.environ, **harness.moved_clock("+365d")}
        subprocess.run([BIN / "locara-hub", "keys", "sign", path, "--keys", self.away], check=True, env=ahead, stdout=subprocess.DEVNULL)
        self.assertIn("signatures of this role last 14 days", self.keys("import", path, expect=8))
        # Signed, and still not to be published: a file that the hub does not have.
        document = json.loads(good[files[0]])
        document["signed"]["targets"]["apps/x/y-1.0.0.json"] = {"length": 1, "hashes": {"sha256": "0" * 64}}
        files[0].write_text(json.dumps(document))
        self.run_hub("keys", "sign", files[0], "--keys", self.away)
        self.assertIn("does not have that file", self.keys("import", *files, expect=2))
        files[0].write_bytes(good[files[0]])
        for name in ("2.timestamp.json", "2.nobody.json", "root.json", "x"):
            (self.folder / name).write_bytes(good[files[1]])
            self.keys("import", self.folder / name, expect=2)
        self.assertEqual(self.refresh(), before, "nothing of all that is public")
        self.keys("import", *files)
        after = self.refresh()
        self.assertEqual((after["root"], after["targets"]), (2, 2))

    def test_nothing_is_signed_or_taken_that_a_signer_is_not_shown(self):
        self.keys("init")
        self.move_away(*OFFLINE)
        self.keys("export", "root", "targets", "apps", "models", "takedown", "--to", self.signed)
        signed = json.loads((self.signed / "2.targets.json").read_bytes())["signed"]
        evil = {"keys": signed["delegations"]["keys"],
                "roles": [{**signed["delegations"]["roles"][1], "name": "evil", "paths": ["apps/*/*"]}]}

        def reorder(doc):
            doc["delegations"]["roles"].reverse()

        def let_go(doc):
            doc["delegations"]["roles"][0]["terminating"] = False

        def stray(doc):
            doc["targets"]["apps/eve/spy-1.0.0.json"] = {"length": 1, "hashes": {"sha256": "e" * 64}}

        for role, change, told in (
                ("apps", lambda doc: doc.update(delegations=evil), "has a member 'delegations'"),
                ("models", lambda doc: doc.update(delegations=evil), "has a member 'delegations'"),
                ("takedown", lambda doc: doc.update(delegations=evil), "has a member 'delegations'"),
                ("apps", lambda doc: doc.update(unseen=1), "has a member 'unseen'"),
                ("root", lambda doc: doc.update(consistent_snapshot=False), "turns consistent_snapshot off"),
                ("targets", reorder, "does not delegate to takedown, first"),
                ("targets", let_go, "does not delegate to takedown, first"),
                ("targets", lambda doc: doc["delegations"]["roles"].append(evil["roles"][0]), "does not delegate to takedown"),
                ("targets", stray, "lists files itself")):
            path = self.folder / f"2.{role}.json"
            document = json.loads((self.signed / f"2.{role}.json").read_bytes())
            change(document["signed"])
            path.write_text(json.dumps(document))
            self.assertIn(told, self.run_hub("keys", "sign", path, "--keys", self.away, expect=8))
            self.assertEqual(json.loads(path.read_bytes()), document, "nothing is signed")
            self.assertIn(told, self.keys("import", path, expect=8))

    def test_a_signer_sees_what_a_hub_slipped_in(self):
        self.keys("init")
        self.move_away(*OFFLINE)
        self.keys("export", "root", "targets", "apps", "takedown", "--to", self.signed)
        own = {role: json.loads((self.data / f"catalog/metadata/1.{role}.json").read_bytes())["signatures"][0]["keyid"]
               for role in ("apps", "root")}

        def sign(role, *more, change=None, expect=0):
            """What --dry-run and signing say, of a draft that somebody changed."""
            path = self.folder / f"2.{role}.json"
            document = json.loads((self.signed / f"2.{role}.json").read_bytes())
            if change:
                change(document)
            path.write_text(json.dumps(document))
            dry = self.run_hub("keys", "sign", path, "--keys", self.away, "--dry-run", *more, expect=expect)
            before = path.read_bytes()
            said = self.run_hub("keys", "sign", path, "--keys", self.away, *more, expect=expect)
            if expect:
                self.assertEqual(path.read_bytes(), before, "nothing is signed")
            return dry, said

        # An app that nobody reviewed.
        evil = {"length": 1, "hashes": {"sha256": "e" * 64}}
        for said in sign("apps", change=lambda doc: doc["signed"]["targets"].update({"apps/eve/spy-1.0.0.json": evil})):
            self.assertIn(f"+ apps/eve/spy-1.0.0.json  1.0.0  sha256:{'e' * 64}", said)
            self.assertIn(f"compared with version 1, which was signed by your key {own['apps']}", said)
        said = sign("apps", "--json")[0]
        one, = json.loads(said)["drafts"]
        self.assertEqual((one["role"], one["version"], one["targets"], one["compared_with"]["version"]), ("apps", 2, [], 1))
        self.assertEqual(one["compared_with"]["signed_by_your_keys"], [own["apps"]])

        # What came along is the intruder's, too: the signer's key is not under it, and --since brings a version that is.
        def lie(doc):
            doc["signed"]["targets"]["apps/eve/spy-1.0.0.json"] = evil
            doc["for_signers"]["published"]["signed"]["targets"]["apps/eve/spy-1.0.0.json"] = evil
        for said in sign("apps", change=lie):
            self.assertIn("compared with version 1, which no key that is open here signed", said)
        for said in sign("apps", "--since", self.data / "catalog/metadata/1.apps.json", change=lie):
            self.assertIn("+ apps/eve/spy-1.0.0.json", said)
            self.assertIn(f"which was signed by your key {own['apps']}", said)
        for said in sign("apps", change=lambda doc: doc.pop("for_signers")):
            self.assertIn("compared with nothing", said)

        # A signature for ever, or for a version that none can follow.
        for role, days in (("root", 365), ("targets", 90), ("apps", 90), ("takedown", 14)):
            for more, expect in ((12, 0), (36, 8)):
                late = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + days * 86400 + more * 3600))
                said = sign(role, change=lambda doc: doc["signed"].update(expires=late), expect=expect)
                if expect:
                    self.assertIn(f"signatures of this role last {days} days", said[1])
        for version in (1, 3, 9007199254740991):
            said = sign("apps", change=lambda doc: doc["signed"].update(version=version), expect=8)
            self.assertIn("version 1 that it is compared with is not the one before it", said[1])
        self.run_hub("keys", "sign", self.signed / "2.apps.json", "--keys", self.away, "--since", self.signed / "2.apps.json", expect=8)

        # A root key swapped under its old id, and one fewer that must sign.
        def swap(doc):
            root = doc["signed"]["roles"]["root"]
            doc["signed"]["keys"][root["keyids"][0]]["keyval"]["public"] = "ab" * 32
            root["threshold"] = 1
        for said in sign("root", change=swap):
            self.assertRegex(said, r"~ root: 1 of 3 keys \(before: 2\)")
            self.assertEqual(len(re.findall(r"^    \+ [0-9a-f]{64}$", said, re.M)), 1, said)
            self.assertEqual(len(re.findall(r"^    - [0-9a-f]{64}$", said, re.M)), 1, said)
        # A delegation that covers more than before.
        for said in sign("targets", change=lambda doc: doc["signed"]["delegations"]["roles"][2]["paths"].append("apps/*/*"),
                         expect=8):
            self.assertIn("each for its own names", said)

    def test_a_dry_run_opens_the_keys_that_would_sign(self):
        self.keys("init", "--encrypt", passphrase=PASSPHRASE)
        ids = [signature["keyid"] for signature in json.loads((self.data / "catalog/metadata/1.root.json").read_bytes())["signatures"]]
        # The hub has the keys: with them it signs, and says so.
        since = "compared with version 1, "
        for arguments in (["export", "root"], ["add", "root", self.new_key()], ["rotate", "root"]):
            said = self.keys(*arguments, "--to", self.folder / arguments[0], passphrase=PASSPHRASE)
            self.assertRegex(said, since + r"which was signed by your key( [0-9a-f]{64}){3}\n")
        said = self.keys("export", "root", "--to", self.signed)
        self.assertIn(since + "whose signatures were held against no key: the keys there were not opened", said)
        self.move_away("root")
        said = self.keys("export", "root", "--to", self.signed, passphrase=PASSPHRASE)
        self.assertIn(since + "whose signatures were held against no key: no key of root is there", said)
        # So does whoever signs elsewhere, also before.
        sign = ("keys", "sign", self.signed / "2.root.json", "--keys", self.away)
        for dry in (["--dry-run"], []):
            said = self.run_hub(*sign, *dry, passphrase=PASSPHRASE)
            self.assertRegex(said, since + r"which was signed by your key( [0-9a-f]{64}){3}\n")
            self.assertEqual(set(re.search("by your key (.*)", said)[1].split()), set(ids))
        self.run_hub(*sign, "--dry-run", passphrase="not the one at all", expect=4)
        # Nobody is there to open them: that is said, and is no alarm.
        said = self.run_hub(*sign, "--dry-run")
        self.assertIn(since + "whose signatures were held against no key: the keys there were not opened", said)
        one, = json.loads(self.run_hub(*sign, "--dry-run", "--json"))["drafts"]
        self.assertEqual(one["compared_with"], {"version": 1, "signed_by_your_keys": [], "your_keys_open": 0,
                                                "your_keys_closed": len(list(self.away.glob("root-*")))})

    def new_key(self):
        """The file of a public key that nobody uses yet."""
        path = self.folder / "fresh.pem"
        self.run_hub("keys", "new", path)
        return f"{path}.pub"

    def test_a_signer_sees_what_is_called_back(self):
        self.run_hub("init", "--data", self.data)
        self.run_hub("takedown", "add", "bob/old", "--reason", "long known", "--data", self.data)
        self.move_away("takedown")
        self.run_hub("takedown", "add", "bob/notes", "--reason", "sends notes", "--to", self.signed, "--data", self.data)
        draft = self.signed / "3.takedown.json"
        honest = draft.read_bytes()
        document = json.loads(honest)  # what drives a terminal, by somebody who has the hub
        evil = document["for_signers"]["takedown_list"].replace("sends notes", "sends\\u001b[31mnotes")
        document["for_signers"]["takedown_list"] = evil
        document["signed"]["targets"]["takedown/list.json"].update(
            length=len(evil), hashes={"sha256": hashlib.sha256(evil.encode()).hexdigest()})
        draft.write_text(json.dumps(document))
        said = self.run_hub("keys", "sign", draft, "--keys", self.away, "--dry-run")
        self.assertIn("app bob/notes: sends?[31mnotes\n", said)
        draft.write_bytes(honest)
        for arguments in (["--dry-run"], []):
            said = self.run_hub("keys", "sign", draft, "--keys", self.away, *arguments)
            self.assertRegex(said, r"  \+ \S+  block-run  app bob/notes: sends notes\n    \S+  block-run  app bob/old: long known")
        whole = draft.read_bytes()
        for change, expect in ((lambda more: more.update(takedown_list=more["takedown_list"].replace("notes", "nodes")), 6),
                               (lambda more: more.pop("takedown_list"), 8)):
            document = json.loads(whole)
            change(document["for_signers"])
            draft.write_text(json.dumps(document))
            self.run_hub("keys", "sign", draft, "--keys", self.away, expect=expect)
            self.assertEqual(json.loads(draft.read_bytes()), document, "nothing is signed")
        draft.write_bytes(whole)
        self.keys("import", draft)
        published = json.loads((self.data / "catalog/metadata/3.takedown.json").read_bytes())
        self.assertEqual(sorted(published), ["signatures", "signed"])
        entries = json.loads(self.run_hub("takedown", "list", "--json", "--data", self.data))
        self.assertEqual((entries["schema"], [one["id"] for one in entries["entries"]]),
                         ("locara-hub.takedowns/1", ["bob/old", "bob/notes"]))
        listed = json.loads(self.keys("list", "--json"))
        self.assertEqual((listed["schema"], [role["name"] for role in listed["roles"]][0]), ("locara-hub.keys/1", "root"))
        root = listed["roles"][0]
        self.assertEqual((root["threshold"], len(root["keys"]), root["keys_here"]), (2, 3, 3))

    def test_a_clock_that_ran_ahead_does_not_outlast_its_day(self):
        """The latest date counts: what is added later must not be dated before what stands there."""
        self.run_hub("init", "--data", self.data)
        add = ["takedown", "add", "bob/notes", "--data", self.data, "--reason"]
        ahead = {**os.environ, **harness.moved_clock("+400d")}
        subprocess.run([BIN / "locara-hub", *add, "mended", "--action", "warn"], check=True, env=ahead, stderr=subprocess.DEVNULL)
        done = subprocess.run([BIN / "locara-hub", *add, "it was not", "--action", "block-run"], check=True, text=True,
                              stderr=subprocess.PIPE)
        self.assertIn("note: dated ", done.stderr)
        entries = json.loads(self.run_hub("takedown", "list", "--json", "--data", self.data))["entries"]
        self.assertEqual([one["action"] for one in entries], ["warn", "block-run"])
        self.assertEqual(entries[0]["date"], entries[1]["date"])

    def test_a_clock_that_ran_ahead_does_not_leave_a_long_timestamp(self):
        self.serve()
        self.hub.stop()
        self.hub.start(clock="+100d")
        self.hub.stop()
        self.hub.start()
        self.hub.stop()
        self.assertEqual(len(re.findall("role_outlasted", self.hub.said)), 2, self.hub.said)
        self.hub.start()
        path = self.data / "catalog/metadata/timestamp.json"
        expires = json.loads(path.read_text())["signed"]["expires"]
        self.assertLess(expires, time.strftime("%Y-%m-%dT", time.gmtime(time.time() + 2 * 86400)))

        def outlasted():
            done = subprocess.run([BIN / "locara-hub", "keys", "list", "--data", self.data], check=True, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            return re.findall("what it signed for (\\w+) stays good until", done.stderr)

        self.assertEqual(outlasted(), ["snapshot", "timestamp"])
        for role in ("timestamp", "snapshot"):
            self.keys("rotate", role)
        self.assertEqual(outlasted(), [])
        self.refresh()

    def test_curators_with_keys_and_a_threshold_of_their_own(self):
        self.serve()
        mine = self.away / "apps-2.pem"
        said = self.run_hub("keys", "new", mine)
        key = said.split()[0]
        self.assertEqual(mine.stat().st_mode & 0o777, 0o600)
        self.keys("threshold", "apps", "2", expect=2)
        self.keys("add", "apps", f"{mine}.pub")
        self.assertIn("no key serves two roles", self.keys("add", "models", f"{mine}.pub", expect=9))
        self.assertEqual(self.listed()["apps"], (1, 2, 1))
        self.keys("threshold", "apps", "2", expect=8)  # the other key is not here
        self.keys("threshold", "apps", "2", "--to", self.signed)
        files = sorted(self.signed.iterdir())
        self.run_hub("keys", "sign", *[path for path in files if ".apps." in path.name], "--keys", self.away)
        self.keys("import", *files)
        self.assertEqual(self.listed()["apps"], (2, 2, 1))
        self.keys("remove", "apps", key, expect=2)  # one key cannot be a threshold of two
        self.refresh()
        self.keys("threshold", "apps", "1", "--to", self.folder / "back")
        self.keys("import", *(self.folder / "back").iterdir())
        self.keys("remove", "apps", key)
        self.assertEqual(self.listed()["apps"], (1, 1, 1))
        self.refresh()

    def test_the_audit_log_has_each_change_of_keys_and_what_is_called_back_wherever_it_was_signed(self):
        self.keys("init")

        def noted(event, *members):
            said = self.run_hub("audit", "list", "--json", "--event", event, "--data", self.data)
            return [tuple(json.loads(line)[name] for name in members) for line in said.splitlines()]

        def changes():
            return [(role, len(keys), threshold) for role, keys, threshold in noted("keys-changed", "role", "keys", "threshold")]

        self.keys("rotate", "timestamp")
        self.run_hub("keys", "new", self.away / "apps-2.pem")
        self.keys("add", "apps", self.away / "apps-2.pem.pub")
        self.keys("threshold", "root", "3")
        expected = [("timestamp", 1, 1), ("apps", 2, 1), ("root", 3, 3)]
        self.assertEqual(changes(), expected)
        listed = {role["name"]: role["keys"] for role in json.loads(self.keys("list", "--json"))["roles"]}
        self.assertEqual(noted("keys-changed", "keys")[1][0], listed["apps"])
        self.keys("threshold", "root", "2", "--to", self.signed)
        self.run_hub("takedown", "add", "bob/notes", "--reason", "it leaks", "--to", self.signed, "--data", self.data)
        self.assertEqual((changes(), noted("takedown", "id")), (expected, []), "nothing is public yet")
        self.keys("import", *self.signed.iterdir())
        self.assertEqual(changes(), [*expected, ("root", 3, 2)])
        self.assertEqual(noted("takedown", "kind", "id", "action", "reason"), [("app", "bob/notes", "block-run", "it leaks")])
        self.run_hub("audit", "verify", "--data", self.data)

    def test_a_hub_made_by_keys_init_has_all_that_init_makes(self):
        self.keys("init", "--encrypt", passphrase=PASSPHRASE)
        self.run_hub("user", "add", "ana", "--data", self.data)
        self.run_hub("token", "create", "--user", "ana", "--role", "write", "--data", self.data)
        self.run_hub("init", "--data", self.data)
        self.assertEqual(self.listed()["root"], (2, 3, 0))

    def test_keys_are_encrypted_by_a_passphrase(self):
        self.assertIn("no passphrase", self.keys("init", "--encrypt", expect=2))
        self.keys("init", "--encrypt", expect=2, passphrase="short")
        shutil.rmtree(self.data)
        self.keys("init", "--encrypt", passphrase=PASSPHRASE)
        for path in (self.data / "keys").iterdir():
            closed = path.name.rsplit("-", 1)[0] in OFFLINE
            self.assertEqual("BEGIN ENCRYPTED PRIVATE KEY" in path.read_text(), closed, path.name)
        root = self.data / "keys/root-1.pem"
        asn1 = subprocess.run(["openssl", "asn1parse", "-in", root], check=True, text=True, stdout=subprocess.PIPE).stdout
        for word in ("PBES2", "scrypt", "aes-256-cbc", "INTEGER           :4000"):
            self.assertIn(word, asn1)
        subprocess.run(["openssl", "pkey", "-in", root, "-passin", f"pass:{PASSPHRASE}", "-noout"], check=True)

        # Unattended, the hub does without; rotation needs the passphrase, from wherever it comes.
        self.hub = harness.Hub(self.data, seed=None)
        self.addCleanup(lambda: self.hub.stop())
        self.client("init", self.data / "root.json")
        self.assertEqual(self.listed()["root"], (2, 3, 0))
        self.keys("rotate", "timestamp", expect=8)
        self.assertIn("does not open", self.keys("rotate", "timestamp", expect=4, passphrase=PASSPHRASE + "x"))
        self.keys("rotate", "timestamp", passphrase=PASSPHRASE)
        read, write = os.pipe()
        os.write(write, (PASSPHRASE + "\nmore").encode())
        os.close(write)
        self.keys("rotate", "snapshot", "--passphrase-fd", read, pass_fds=[read])
        os.close(read)
        said = self.at_terminal(PASSPHRASE + "\u00fc\x7f", "keys", "rotate", "root", "--data", self.data)  # and a letter taken back
        self.assertIn("Passphrase of the keys", said)
        self.assertNotIn(PASSPHRASE, said)
        self.assertEqual(self.refresh()["root"], 4)
        self.assertIn("ENCRYPTED", (self.data / "keys/root-4.pem").read_text())

        plain = self.away / "models-9.pem"
        self.run_hub("keys", "new", plain)
        public = subprocess.run(["openssl", "pkey", "-in", plain, "-pubout"], check=True, stdout=subprocess.PIPE).stdout
        self.run_hub("keys", "encrypt", plain, passphrase=PASSPHRASE)
        self.assertEqual(public, subprocess.run(["openssl", "pkey", "-in", plain, "-passin", f"pass:{PASSPHRASE}", "-pubout"],
                                                check=True, stdout=subprocess.PIPE).stdout)
        self.assertEqual(plain.stat().st_mode & 0o777, 0o600)

    def test_ctrl_c_at_a_passphrase_gives_the_terminal_back(self):
        here, there = pty.openpty()
        before = termios.tcgetattr(there)
        process = subprocess.Popen([BIN / "locara-hub", "keys", "new", self.away / "k.pem", "--encrypt"], stdin=there, stdout=there,
                                   stderr=there, start_new_session=True,
                                   preexec_fn=lambda: fcntl.ioctl(there, termios.TIOCSCTTY, 0))
        shown = b""
        while not shown.rstrip().endswith(b":"):
            shown += os.read(here, 1024)
        self.assertFalse(termios.tcgetattr(there)[3] & termios.ECHO)
        os.write(here, b"half\x03")
        self.assertEqual(process.wait(timeout=20), -signal.SIGINT)
        self.assertEqual(termios.tcgetattr(there), before)
        self.assertFalse((self.away / "k.pem").exists())
        os.close(here)
        os.close(there)

    def test_all_keys_are_there_before_the_first_is_encrypted(self):
        names = [self.away / f"apps-{n}.pem" for n in (1, 2, 3)]
        for path in names[:2]:
            self.run_hub("keys", "new", path)
        whole = [path.read_bytes() for path in names[:2]]
        self.assertIn("apps-3.pem", self.run_hub("keys", "encrypt", *names, passphrase=PASSPHRASE, expect=3))
        self.assertEqual([path.read_bytes() for path in names[:2]], whole)
        (self.away / "apps-1.pem.encrypted").write_text("half of a key, of a run that was killed")
        self.run_hub("keys", "encrypt", *names[:2], passphrase=PASSPHRASE)
        for path in names[:2]:
            self.assertIn("BEGIN ENCRYPTED PRIVATE KEY", path.read_text())
            subprocess.run(["openssl", "pkey", "-in", path, "-passin", f"pass:{PASSPHRASE}", "-noout"], check=True)
        self.assertEqual(list(self.away.glob("*.encrypted")), [])
        self.run_hub("keys", "new", names[2])
        self.assertIn("apps-1.pem is encrypted already", self.run_hub("keys", "encrypt", *names, passphrase=PASSPHRASE, expect=2))
        self.assertIn("BEGIN PRIVATE KEY", names[2].read_text())

    def at_terminal(self, answer, *arguments):
        """Runs the program with a terminal, types `answer` when it asks, and returns what the terminal showed."""
        child, terminal = pty.fork()
        if child == 0:
            os.execv(BIN / "locara-hub", ["locara-hub", *map(str, arguments)])
        shown = b""
        while not shown.rstrip().endswith(b":"):
            shown += os.read(terminal, 1024)
        os.write(terminal, answer.encode() + b"\n")
        try:
            while part := os.read(terminal, 1024):
                shown += part
        except OSError:
            pass  # Linux says EIO when the other side is gone
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, shown)
        return shown.decode()


if __name__ == "__main__":
    harness.main()
