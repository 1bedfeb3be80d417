"""What a client needs of memory does not grow with the chunks of a file: two files of one size, one in the smallest chunks
there are and one in the largest, are uploaded and pulled. LOCARA_MEMORY_MIB sets the size (512 unless told)."""
import contextlib
import json
import os
import pathlib
import unittest

from tests import harness
from tests.harness import weights

MIB = int(os.environ.get("LOCARA_MEMORY_MIB", "512"))
SMALLEST = 8 << 10
LARGEST = 128 << 10
# For each chunk more, with what is noise: a list of hashes alone takes 32 bytes a chunk, and one that grows twice that.
MOST_BYTES_A_CHUNK = 40
WORD = (1 << 64) - 1


def cutting_bytes():
    """64 bytes after which a chunk ends: the gear hash over them begins with 16 zero bits (docs/formats/xet-hashes.md)."""
    table = [int(word, 16) for word in json.loads((harness.SOURCE / "src/xet/test/data/gear-table.json").read_text())]
    before = bytes(range(1, 63))
    state = 0
    for byte in before:
        state = (state << 1) + table[byte] & WORD
    for a in range(256):
        for b in range(256):
            if (((state << 1) + table[a] << 1) + table[b] & WORD) >> 48 == 0:
                return before + bytes([a, b])
    raise AssertionError("no two bytes end a chunk behind these")


def write_chunks(path, chunk, end):
    """A model of MIB in different chunks of that size, which end so. Zeros end none, and pack to nothing."""
    with open(path, "wb") as out:
        out.write(weights.gguf_header(MIB << 20))
        for number in range((MIB << 20) // chunk):
            out.write(number.to_bytes(8, "little") + bytes(chunk - 8 - len(end)) + end)


def memory(pid, field):
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) << 10
    return 0


class Memory(harness.TestCase):
    @classmethod
    def make_seed(cls):
        return None

    def setUp(self):
        super().setUp()
        self.client.environment["LOCARA_TOKEN"] = self.hub.make_writer("ana")

    def run_measured(self, *arguments):
        """Standard output of a command, and the peaks of it (looked at all the time, since that is gone when it ends) and
        of the hub meanwhile."""
        pathlib.Path(f"/proc/{self.hub.process.pid}/clear_refs").write_text("5")  # the peak begins anew
        process = self.client.start(*arguments)
        peak = 0
        while process.poll() is None:
            peak = max(peak, memory(process.pid, "VmHWM"))
            with contextlib.suppress(harness.subprocess.TimeoutExpired):
                process.wait(0.005)
        stdout, stderr = process.communicate()
        self.assertEqual(process.returncode, 0, stderr)
        return stdout, (peak, memory(self.hub.process.pid, "VmHWM"))

    def upload_and_pull(self, name, chunk, end):
        """The number of chunks, the peaks of uploading it, its next version, and of pulling both."""
        file = self.folder / f"{name}.gguf"
        write_chunks(file, chunk, end)
        peaks = {}

        def upload(what):
            stdout, peaks[what] = self.run_measured("upload", f"ana/{name}", file, "--create", "--path-in-repo",
                                                    "model.gguf", "--json", "--endpoint", self.hub.url)
            done = json.loads(stdout)
            (uploaded,) = done["files"]
            manifest = self.folder / f"{name}.json"
            manifest.write_text(weights.manifest(harness.MANIFEST, f"ana/{name}", done["commit"], "model.gguf",
                                                 uploaded["size"], uploaded["sha256"]))
            return manifest, done

        def pull(what, manifest):
            _, peaks[what] = self.run_measured("pull", "--manifest", manifest, "--yes", "--endpoint", self.hub.url)

        manifest, _ = upload("upload")
        pull("pull", manifest)
        with open(file, "r+b") as out:
            out.seek((MIB << 19) + 100)
            out.write(b"the next version")
        manifest, done = upload("upload of an update")
        self.assertLess(done["new_bytes"], 3 * LARGEST)
        pull("pull of an update", manifest)
        chunks = (MIB << 20) // chunk
        file.unlink()
        return chunks, peaks

    def test_peaks_are_the_same_for_few_chunks_and_for_many(self):
        few, low = self.upload_and_pull("few", LARGEST, b"")
        many, high = self.upload_and_pull("many", SMALLEST, cutting_bytes())
        more = many - few
        for what in high:
            print(f"{what}: " + "; ".join(
                f"{who} {least >> 10:,} KiB for {few:,} chunks, {most >> 10:,} KiB for {many:,}, {(most - least) / more:.0f} bytes "
                "a chunk" for who, least, most in zip(("client", "hub"), low[what], high[what])))
        for what in high:
            self.assertLess(high[what][0] - low[what][0], MOST_BYTES_A_CHUNK * more, what)


if __name__ == "__main__":
    harness.main()
