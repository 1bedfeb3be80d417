"""The reference model answers held-out notes, which its training never saw, through the real line:
broker, sandboxed engine, schema-constrained answer. And the probes of its manifest hold word for word."""
import http.client
import json
import socket
import unittest

from tests import harness
from tests.harness import APP, SEED, SOURCE

WANTED = 0.94  # of these 200 notes; the card gives the figure for 2,000


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Probes(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.client.add_hub(self.hub)
        self.client.run("install", APP, "--yes")
        self.client.run("run", APP, "--once", "warm up")
        self.socket = next(self.client.home.rglob("broker.sock"))

    def ask(self, note):
        connection = UnixConnection(self.socket)
        connection.request("POST", f"/locara/v1/apps/{APP}/once", json.dumps({"text": note}),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        self.assertEqual(answer.status, 200, body)
        return json.loads(body["answer"])

    def test_held_out_notes(self):
        notes = [json.loads(line) for line in (SOURCE / "models/quick-add/heldout.jsonl").read_text().splitlines()]
        self.assertGreaterEqual(len(notes), 100)
        wrong = [(n["note"], n["expected"], got) for n in notes if (got := self.ask(n["note"])) != n["expected"]]
        exact = 1 - len(wrong) / len(notes)
        print(f"held-out exact match: {exact:.3f} of {len(notes)} notes")
        self.assertGreaterEqual(exact, WANTED, wrong[:5])

    def test_probes_of_the_manifest(self):
        manifest = json.loads((SEED / "models/quick-add/manifest.json").read_text())
        probes = manifest["validation"]["probes"]
        self.assertGreaterEqual(len(probes), 5)
        for probe in probes:
            self.assertEqual(self.ask(probe["messages"][-1]["content"]), json.loads(probe["expected"]))
        self.assertEqual(manifest["validation"]["results"], {"passed": len(probes), "failed": 0})


if __name__ == "__main__":
    harness.main()
