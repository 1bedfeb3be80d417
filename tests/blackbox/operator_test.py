"""What the commands of a hub say and refuse: a folder that is no hub's, a mistyped verb, sizes, copies, and who did it."""
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import unittest
import urllib.request

from tests import harness


class Operator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-operator-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.hub = harness.Hub(cls.folder / "hub", seed=None)
        cls.addClassCleanup(cls.hub.stop)
        cls.token = cls.hub.make_writer("ana")

    def run_it(self, *arguments, expect=0, **environment):
        """Standard output and standard error of a command without --data."""
        kept = {name: value for name, value in os.environ.items() if name != "USER"}
        done = subprocess.run([harness.BIN / "locara-hub", *map(str, arguments)], env={**kept, **environment}, text=True,
                              timeout=120, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def test_a_mistyped_folder_becomes_no_hub(self):
        typo = self.folder / "hubb"
        for verb in (("user", "add", "zz"), ("user", "list"), ("org", "create", "lab"), ("token", "create", "--user", "ana"),
                     ("oauth", "list"), ("quota", "show"), ("repo", "list"), ("stats",)):
            _, said = self.run_it(*verb, "--data", typo, expect=3)
            self.assertIn(f"no hub has worked in {typo}", said)
            self.assertIn("locara-hub init --data", said)
            self.assertFalse(typo.exists(), verb)
        made = self.folder / "made"
        self.run_it("init", "--data", made)
        self.run_it("user", "add", "zz", "--data", made)  # before it is served

    def test_a_mistyped_verb_is_named_with_the_nearest(self):
        for words, said in ((("usr", "add"), "there is no verb 'usr'; did you mean `locara-hub user`?"),
                            (("user", "ad", "x"), "there is no verb 'ad'; did you mean `locara-hub user add`?"),
                            (("frobnicate",), "there is no verb 'frobnicate'; see `locara-hub --help`")):
            self.assertIn(said, self.run_it(*words, expect=2)[1])

    def test_sizes_are_taken_as_they_are_printed(self):
        for given, shown in (("700KB", "700 kB"), ("700kB", "700 kB"), ("700 kB", "700 kB"), ("1.5GB", "1.5 GB"),
                             ("64GiB", "68.7 GB")):
            self.hub.admin("quota", "set", "ana", given)
            self.assertIn(f" of {shown} (set)", self.hub.admin("quota", "show", "ana"))
        for given in ("1.GB", "0kB", "5", "5 XB", "1.2345GB", "9999999TB"):
            self.hub.admin("quota", "set", "ana", given, expect=2)
        self.hub.admin("quota", "set", "ana", "default")

    def test_what_was_done_is_said_and_who_did_it(self):
        self.hub.admin("repo", "create", "ana/one")
        self.assertEqual(self.hub.admin("repo", "move", "ana/one", "ana/two"), "moved ana/one to ana/two; the old id leads there")
        self.assertIn("removed ana/two", self.hub.admin("repo", "rm", "ana/two"))
        self.run_it("user", "add", "by-uid", "--data", self.hub.folder)
        line = json.loads(self.hub.admin("audit", "list", "--json", "--event", "user-added").splitlines()[-1])
        self.assertEqual((line["user"], line["by"]), ("by-uid", "operator:" + pwd.getpwuid(os.geteuid()).pw_name))

    def test_backup_and_restore_count_alike_and_copy_no_hub_into_itself(self):
        self.hub.admin("repo", "create", "ana/kept")
        request = urllib.request.Request(self.hub.url + "/api/buckets/ana/box", b"{}",
                                         {"Authorization": f"Bearer {self.token}"})
        urllib.request.urlopen(request, timeout=30).read()
        copy = self.folder / "copy"
        saved = json.loads(self.hub.admin("backup", str(copy), "--json"))
        back = json.loads(self.run_it("restore", copy, "--data", self.folder / "back", "--json")[0])
        for count in ("repositories", "files", "bytes"):
            self.assertEqual(saved[count], back[count], count)
        inside = self.hub.folder / "copies/x"
        _, said = self.run_it("backup", inside, "--data", self.hub.folder, expect=2)
        self.assertIn("give a folder beside it", said)
        self.assertFalse(inside.parent.exists())
        self.run_it("restore", copy, "--data", copy / "x", expect=2)


if __name__ == "__main__":
    harness.main()
