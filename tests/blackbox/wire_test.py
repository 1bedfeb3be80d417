"""What the two programs say, word for word: help, results, JSON and errors, against golden files (tests/golden/wire_test)."""
import hashlib
import json
import re
import shutil
import subprocess
import unittest

from tests import harness
from tests.harness import BIN
from tests.harness.seed import TINY, write_seed

VERBS = ("", "hub", "hub add", "hub list", "hub rm", "search", "show", "install", "bundle", "list", "rm", "pull", "verify", "df",
         "why", "gc", "adopt", "pin", "unpin", "scan", "policy", "policy test", "xet", "xet inspect", "xet dedup", "upload", "model",
         "model pin", "model validate", "model build", "model sign", "model verify", "run", "serve", "stop", "status", "doctor")


class Wire(harness.TestCase):
    @classmethod
    def make_seed(cls):
        cls.pinned = write_seed(cls.folder / "seed")
        return cls.folder / "seed"

    def setUp(self):
        super().setUp()
        self.told = ""

    def tell(self, *arguments, expect=0, indent=False):
        """Runs a command and adds it with all that it says to what is told."""
        output = self.client.run(*arguments, expect=expect)
        if indent:
            output, self.client.stderr = (json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n" if text else ""
                                          for text in (output, self.client.stderr))
        self.told += f"$ locara {' '.join(map(str, arguments))}\n{output}"
        self.told += "".join(f"! {line}\n" for line in self.client.stderr.splitlines())
        self.told += (f"exit {expect}\n" if expect else "") + "\n"

    def tell_hub(self, *arguments, expect=0):
        done = subprocess.run([BIN / "locara-hub", *arguments], text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, expect, done.stderr)
        self.told += f"$ locara-hub {' '.join(map(str, arguments))}\n{done.stdout}"
        self.told += "".join(f"! {line}\n" for line in done.stderr.splitlines())
        self.told += (f"exit {expect}\n" if expect else "") + "\n"

    def a_life(self, *flags, indent=False):
        """Every command once, from an unknown hub to nothing left."""
        def tell(*arguments, expect=0):
            self.tell(*arguments, *flags, expect=expect, indent=indent)
        bad = self.folder / "weights.bin"
        bad.write_bytes(b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.")
        tell("hub", "list")
        tell("hub", "add", self.hub.url, "--root", self.hub.folder / "root.json")
        tell("hub", "list")
        tell("search", "task")
        tell("show", TINY)
        tell("list")
        tell("install", TINY, "--dry-run")
        tell("install", TINY, "--yes")
        tell("install", TINY, "--yes")
        tell("show", TINY)
        tell("list")
        tell("policy", "test", TINY)
        tell("status", expect=3)
        tell("run", TINY)
        tell("status")
        tell("stop")
        tell("stop")
        tell("doctor")
        tell("verify")
        tell("df")
        tell("rm", TINY, "--dry-run")
        tell("rm", TINY, "--yes")
        tell("pull", "test/tiny", "--yes")
        tell("why", "test/tiny")
        tell("unpin", "test/tiny:f32")
        tell("df")  # it is an orphan now
        tell("gc", "--older-than", "0s", "--dry-run")
        tell("gc", "--older-than", "0s")
        foreign = self.client.home / "foreign"
        foreign.mkdir()
        shutil.copy(self.folder / "seed/models/tiny/repo/model.gguf", foreign)
        tell("adopt", foreign, "--dry-run")
        tell("adopt", foreign, "--link", "reference")
        tell("adopt", foreign, "--link", "reference")
        tell("why", foreign / "model.gguf")
        digest = hashlib.sha256((foreign / "model.gguf").read_bytes()).hexdigest()
        tell("pin", digest)
        tell("df")
        with open(foreign / "model.gguf", "ab") as out:
            out.write(b"x")
        tell("verify", expect=6)
        tell("why", digest)
        tell("doctor", expect=1)
        tell("unpin", "sha256:" + digest)
        tell("verify")
        tell("gc", "--older-than", "0s")
        tell("scan", self.folder / "seed/models/tiny/repo/model.gguf", bad, expect=8)
        tell("hub", "rm", self.hub.url)

    def test_help(self):
        for verb in VERBS:
            self.tell(*verb.split(), "--help")
        self.assert_golden("help-locara.txt", self.told)

    def test_hub(self):
        for verb in ("", "serve", "init", "pin", "user add", "org", "org create", "org set", "org add-member", "token create",
                     "token list", "token revoke", "keys", "keys init", "keys list", "keys new", "keys encrypt",
                     "keys rotate", "keys add", "keys remove", "keys threshold", "keys export", "keys sign", "keys import",
                     "review sign", "model", "model add", "model rm", "model list", "takedown", "takedown add", "repo",
                     "repo list", "repo create", "repo rm", "repo move", "repo set", "gc", "scan show", "fsck", "rescan",
                     "stats", "backup", "restore"):
            self.tell_hub(*verb.split(), "--help")
        self.assert_golden("help-locara-hub.txt", self.told)
        self.assert_golden("hub-pin.txt", self.pinned)

    def steady(self, text):
        text = re.sub(r'("signed_by": ")[0-9a-f]{64}', r"\1KEY", text)  # each hub makes its own
        # What files take on the disk, and what is left of it, is this machine's affair.
        text = re.sub(r'("(?:files_bytes|unreferenced_bytes)": )\d+', r"\1N", text)
        return re.sub(r"(?m)^((?:weights|free) +)[\d.]+ .?B +", r"\1SIZE  ", super().steady(text))

    def test_words(self):
        self.a_life("--progress", "none")
        self.assert_golden("words.txt", self.told)

    def test_json(self):
        self.a_life("--json", indent=True)
        self.assert_golden("json.txt", self.told)

    def test_errors(self):
        tell, hub = self.tell, self.hub
        tell("no-such-verb", expect=2)
        tell("install", expect=2)
        tell("install", TINY, "--progress", "loud", expect=2)
        tell("search", expect=3)
        tell("hub", "add", "http://hub.example.org", expect=2)
        tell("hub", "add", hub.url, expect=2)
        tell("hub", "add", hub.url, "--fingerprint", "0" * 64, expect=6)
        self.client.add_hub(hub)
        tell("install", "Tiny Notes", expect=2)
        tell("install", "test/tiny-note", "--yes", expect=3)
        tell("install", TINY, expect=2)
        tell("install", TINY, "--yes", "--offline", expect=12)
        tell("install", TINY, "test/none", "--yes", "--progress", "none", expect=11)
        tell("rm", "test/none", TINY, "--yes", "--json", expect=11)
        tell("rm", "test/none", "test/nobody", "--yes", expect=3)
        tell("show", "test/none", "--json", expect=3)
        tell("pull", expect=2)
        tell("pull", "test/tiny:q4", expect=3)
        tell("rm", TINY, "--yes", expect=3)
        tell("verify", TINY, expect=3)
        tell("run", "test/none", expect=3)
        tell("status", expect=3)
        tell("scan", self.folder / "none", expect=3)
        tell("serve", "--port", "0", expect=2)
        tell("why", "", expect=2)
        tell("why", "test/none", expect=3)
        tell("unpin", "test/none:f32", expect=3)
        tell("pin", "0" * 63, expect=2)
        tell("pin", "0" * 64, expect=3)
        tell("gc", "--older-than", "soon", expect=2)
        tell("adopt", "--link", "copy", expect=2)
        tell("adopt", self.folder / "none", expect=3)
        tell("xet", expect=2)
        tell("xet", "foo", expect=2)
        tell("xet", "dedup", "a", expect=2)
        self.tell_hub(expect=2)
        self.tell_hub("serve", "--data", self.folder / "other", "--listen", "nowhere", expect=2)
        self.tell_hub("serve", "--data", hub.folder, "--listen", "127.0.0.1:0", expect=9)
        self.tell_hub("pin", self.folder / "none", expect=3)
        self.tell_hub("gc", expect=2)
        self.tell_hub("foo", expect=2)
        self.assert_golden("errors.txt", self.told)


if __name__ == "__main__":
    harness.main()
