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
from tests.harness import BIN, SOURCE

VECTORS = SOURCE / "src/xet/test/data"


class TestCase(unittest.TestCase):
    """One hub for the class, with the users ana and ben and a write token for each."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-clients-"))
        cls.data = cls.folder / "hub"
        cls.hub = harness.Hub(cls.data, seed=None)
        for user in ("ana", "ben"):
            cls.admin("user", "add", user)
        cls.ana = cls.token("ana", "--role", "write")
        cls.ben = cls.token("ben", "--role", "write")

    @classmethod
    def tearDownClass(cls):
        cls.hub.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def admin(cls, *arguments, clock=None):
        """Runs `locara-hub`, with the clock moved if asked, beside the one that serves."""
        environment = {**os.environ, **(harness.moved_clock(clock) if clock else {})}
        done = subprocess.run([BIN / "locara-hub", *arguments, "--data", cls.data], text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        if done.returncode != 0:
            raise AssertionError(f"locara-hub {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    @classmethod
    def token(cls, user, *arguments, clock=None):
        return cls.admin("token", "create", "--user", user, *arguments, clock=clock)

    def api(self, method, path, token=None, body=None, lines=None):
        """A call that must succeed; its JSON. `lines` are sent as one JSON document a line."""
        data = "\n".join(map(json.dumps, lines)) if lines else json.dumps(body) if body is not None else None
        request = urllib.request.Request(self.hub.url + path, data.encode() if data else None, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


main = harness.main
