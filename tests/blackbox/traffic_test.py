"""What an update of a model costs on the wire, in both directions and with all requests, counted between the unmodified
client and hub. LOCARA_TRAFFIC_MIB sets the size of the file (64 unless told)."""
import os
import random
import unittest

from tests import harness
from tests.harness import weights

MIB = int(os.environ.get("LOCARA_TRAFFIC_MIB", "64"))
REGION = 64 << 10
CHUNK = 128 << 10  # at most


def edit(values):
    """The next version: 173 of each 16,384 regions of 64 KiB have 4 KiB rewritten (docs/performance.md), and 1,000 bytes
    come in at one third."""
    out = bytearray(values)
    regions = len(values) // REGION
    for region in random.Random(3).sample(range(regions), max(1, regions * 173 // 16384)):
        out[region * REGION:region * REGION + 4096] = weights.bf16(region + 10, 2048)
    third = len(values) // 3 // 2 * 2
    out[third:third] = weights.bf16(4, 500)
    return bytes(out)


class Traffic(harness.TestCase):
    @classmethod
    def make_seed(cls):
        return None

    def setUp(self):
        super().setUp()
        self.client.environment["LOCARA_TOKEN"] = self.hub.make_writer("ana")
        self.wire = self.counting_proxy()
        self.file = self.folder / "model.gguf"

    def count(self, what, action):
        """Runs `action`; the bytes that passed meanwhile, and what it returned."""
        self.wire.reset()
        result = action()
        cost = self.wire.total
        print(f"{what}: {cost:,} bytes, {cost / self.file.stat().st_size:.4%} of the file")
        return cost, result

    def upload(self, what, values):
        self.file.write_bytes(weights.gguf(values, weights.GGUF_BF16))
        cost, done = self.count(f"upload {what}", lambda: self.client.json(
            "upload", "ana/weights", self.file, "--create", "--endpoint", self.wire.url))
        (uploaded,) = done["files"]
        manifest = self.folder / f"{what}.json"
        manifest.write_text(weights.manifest(harness.MANIFEST, "ana/weights", done["commit"], "model.gguf",
                                             uploaded["size"], uploaded["sha256"]))
        return cost, done, manifest

    def pull(self, what, manifest):
        cost, _ = self.count(f"pull {what}", lambda: self.client.run(
            "pull", "--manifest", manifest, "--yes", "--endpoint", self.wire.url))
        return cost

    def test_an_update_costs_what_is_new(self):
        old = weights.bf16(1, MIB << 19)
        first, _, manifest_1 = self.upload("v1", old)
        size = self.file.stat().st_size
        # These weights pack to about 0.86. All else (shard, heads, commit) is small beside that.
        self.assertLess(first, 0.9 * size)
        packed = first / size
        old_file = self.folder / "old.gguf"
        self.file.rename(old_file)

        second, done, manifest_2 = self.upload("v2", edit(old))
        new = self.client.json("xet", "dedup", old_file, self.file)
        # Exactly the chunks that the chunker alone finds new were sent, and they are few: an edit falls into one chunk
        # or two, and larger chunks are hit more often.
        self.assertEqual(done["new_bytes"], new["new_bytes"])
        print(f"new chunks of v2: {new['new_chunks']} of {new['chunks']}, {new['new_bytes']:,} bytes")
        # To know what is known the client reads the shard of the former version (48 bytes a chunk, 96 a term), and sends
        # the terms of the new one; the rest is heads and answers.
        known = 48 * new["chunks"] + 2 * 96 * (2 * len(new["ranges"]) + 1)
        self.assertLess(second, packed * 1.03 * new["new_bytes"] + known + (32 << 10))

        cold = self.pull("v1 into an empty store", manifest_1)
        self.assertLess(cold, packed * 1.01 * size + known + (32 << 10))
        update = self.pull("v2 into a store that has v1", manifest_2)
        self.assertLess(update, packed * 1.03 * new["new_bytes"] + known + (32 << 10))
        for cost in (second, update):
            self.assertLessEqual(cost, 0.015 * size)
        self.assertEqual(self.pull("v2 again", manifest_2), 0)

        self.repair()

    def repair(self):
        (stored,) = [path for path in self.client.store_files() if path.stat().st_size == self.file.stat().st_size]
        stored.chmod(0o644)
        with open(stored, "r+b") as out:
            at = stored.stat().st_size // 2
            out.seek(at)
            byte = out.read(1)[0]
            out.seek(at)
            out.write(bytes([byte ^ 1]))
        stored.chmod(0o444)
        # That chunk comes again, and what says where it is; the index of the file has the rest.
        cost, found = self.count("repair", lambda: self.client.json(
            "verify", "--all", "--repair", "--endpoint", self.wire.url))
        self.assertEqual([problem["mended"] for problem in found["problems"]], [True])
        (bad,) = found["bad"]
        (span,) = bad["bad_spans"]
        first, end = span["first"], span["end"]
        self.assertTrue(first <= at < end <= first + CHUNK, span)
        self.assertEqual(bad["kept_bytes"], bad["size"] - (end - first))
        self.assertGreater(cost, (end - first) // 2)
        self.assertLess(cost, end - first + (8 << 10))
        self.client.run("verify", "--all")
        self.assertEqual(stored.read_bytes(), self.file.read_bytes())


if __name__ == "__main__":
    harness.main()
