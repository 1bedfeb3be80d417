"""A hub without a seed, with users and tokens, for clients that are not ours."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import urllib.request

from tests import harness
from tests.harness import SOURCE

VECTORS = SOURCE / "src/xet/test/data"


class TestCase(unittest.TestCase):
    """One hub for the class, with the users ana and ben and a write token for each."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-clients-"))
        cls.data = cls.folder / "hub"
        cls.hub = harness.Hub(cls.data, seed=None)
        cls.ana = cls.hub.make_writer("ana")
        cls.ben = cls.hub.make_writer("ben")

    @classmethod
    def tearDownClass(cls):
        cls.hub.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def api(self, method, path, token=None, body=None, lines=None):
        """A call that must succeed; its JSON. `lines` are sent as one JSON document a line."""
        data = "\n".join(map(json.dumps, lines)) if lines else json.dumps(body) if body is not None else None
        request = urllib.request.Request(self.hub.url + path, data.encode() if data else None, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def node(self, script, **environment):
        """Runs a script of this folder on the hub, as ana and ben, with more in its environment; what it printed."""
        done = subprocess.run(["node", SOURCE / "tests/clients" / script], timeout=240, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env={**os.environ, "HUB_URL": self.hub.url, "ANA": self.ana,
                                                             "BEN": self.ben, **environment})
        print(done.stdout)
        self.assertEqual(done.returncode, 0)
        return done.stdout

    def curl(self, path, token=None, *more):
        """Status, X-Error-Code and body of what curl gets."""
        auth = ["-H", f"Authorization: Bearer {token}"] if token else []
        done = subprocess.run(["curl", "-sS", "-w", "\n%{http_code} %header{x-error-code}", *auth, *more,
                               self.hub.url + path], stdout=subprocess.PIPE, text=True, timeout=60, check=True)
        body, _, last = done.stdout.rpartition("\n")
        status, _, code = last.partition(" ")
        return int(status), code, body

    def git(self, folder, *arguments, stdin=None, expect=0, protocol=2):
        """Stock git with no configuration of this machine; its standard output. `self.told` has the rest."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C",
                       "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_TERMINAL_PROMPT": "0",
                       **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                          for what, value in (("NAME", "Ana"), ("EMAIL", "ana@example.org"))}}
        done = subprocess.run(["git", "-c", f"protocol.version={protocol}", *map(str, arguments)], cwd=folder,
                              input=stdin, timeout=240, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.told = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, expect, self.told)
        return done.stdout

    def remote(self, path, token=None):
        """The address of a repository for git."""
        return (self.hub.url.replace("http://", f"http://user:{token}@") if token else self.hub.url) + "/" + path


main = harness.main
