"""`locara xet` says of real files what the reference says."""
import hashlib
import json
import os
import tempfile
import unittest
from pathlib import Path

from tests import harness

DATA = harness.SOURCE / "src/xet/test/data"
MASK = (1 << 64) - 1


def splitmix64(seed, size):
    """The first `size` bytes of the generator that src/xet/test/data/README.md describes."""
    out = bytearray()
    state = seed
    while len(out) < size:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        out += (z ^ (z >> 31)).to_bytes(8, "little")
    return bytes(out[:size])


class Xet(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="locara-xet-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.client = harness.Client(self.folder / "home")

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def test_inspect_says_what_the_reference_says(self):
        vectors = json.loads((DATA / "chunking.json").read_text())
        sm1 = splitmix64(1, 10 << 20)
        inputs = {
            "empty": b"",
            "one_byte_61": b"a",
            "sm1_8192": sm1[:8192],
            "zeros_131073": bytes(131_073),
            "const59_1000000": bytes([59]) * 1_000_000,
            "sm0_1000000": splitmix64(0, 1_000_000),
            "sm1_10mib": sm1,
            "sm1_10mib_insert": sm1[:5 << 20] + b"\xa5" + sm1[5 << 20:],
        }
        for name, data in inputs.items():
            want = vectors[name]
            self.assertEqual(hashlib.sha256(data).hexdigest(), want["sha256"], f"{name} is made wrong")
            found = self.client.json("xet", "inspect", self.write(name, data))
            self.assertEqual(found["schema"], "locara.xet-inspect/1")
            self.assertEqual(found["size"], len(data))
            self.assertEqual(found["sha256"], want["sha256"])
            self.assertEqual(found["file_hash"], want["file_hash"], name)
            self.assertEqual(found["xorb_hash"], want["xorb_hash"], name)
            self.assertEqual(found["range_hash"], want["range_verification_hash"], name)
            self.assertEqual(found["chunks"],
                             [{k: c[k] for k in ("offset", "length", "hash")} for c in want["chunks"]], name)

    def test_dedup_finds_an_insertion(self):
        old = splitmix64(3, 3_000_000)
        new = old[:1_000_000] + b"something new" + old[1_000_000:]
        found = self.client.json("xet", "dedup", self.write("old", old), self.write("new", new))
        self.assertEqual(found["size"], len(new))
        self.assertLess(found["new_bytes"], 400_000)
        self.assertEqual(found["new_bytes"], sum(r["length"] for r in found["ranges"]))
        self.assertTrue(any(r["offset"] <= 1_000_000 < r["offset"] + r["length"] for r in found["ranges"]))
        same = self.client.json("xet", "dedup", self.folder / "old", self.folder / "old")
        self.assertEqual((same["new_bytes"], same["new_chunks"], same["ranges"]), (0, 0, []))
        # What stands twice in the new file is new once.
        twice = self.client.json("xet", "dedup", self.write("empty", b""), self.write("twice", bytes(1_048_576)))
        self.assertEqual((twice["new_bytes"], twice["new_chunks"], twice["chunks"]), (131_072, 1, 8))

    def test_people_get_tables(self):
        path = self.write("data", splitmix64(5, 300_000))
        text = self.client.run("xet", "inspect", path)
        self.assertIn("file hash", text)
        self.assertIn("OFFSET", text)
        self.assertNotIn("OFFSET", self.client.run("xet", "inspect", path, "--quiet"))
        self.assertIn("are new", self.client.run("xet", "dedup", path, path))

    def test_errors_have_their_exit_codes(self):
        self.client.run("xet", "inspect", self.folder / "nothing", expect=3)
        self.client.run("xet", "inspect", self.folder, expect=2)
        self.client.run("xet", "inspect", expect=2)
        # What never ends, and has no first byte either, is refused and not waited for.
        os.mkfifo(self.folder / "fifo")
        for command in (("xet", "inspect", self.folder / "fifo"),
                        ("xet", "dedup", self.write("plain", b"a"), self.folder / "fifo")):
            self.client.run(*command, expect=2)
            self.assertIn("not a regular file", self.client.stderr)
        self.client.run("xet", "dedup", self.write("a", b"a"), expect=2)
        self.client.run("xet", expect=2)
        self.assertIn("Examples", self.client.run("xet", "inspect", "--help"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
