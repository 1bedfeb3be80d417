"""A hub without a seed, with users and tokens, for clients that are not ours."""
import json
import pathlib
import shutil
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


main = harness.main
