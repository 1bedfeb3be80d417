"""A verified pull against what a person would do by hand: curl the file, then sha256sum it. Same hub, same run.

    python3 -m tests.bench.pull_bench [MiB] [ROUNDS]     (default 512 MiB, 5 rounds; `./dev bench` runs it)

Prints the ratio first. A pull is cold each time: the store is emptied before each round."""
import os
import pathlib
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from tests import harness
from tests.harness import weights


def make_weights(path, mebibytes):
    """A right GGUF file of random bytes."""
    with open(path, "wb") as out:
        out.write(weights.gguf_header(mebibytes << 20))
        chance = random.Random(1)
        for _ in range(mebibytes):
            out.write(chance.randbytes(1 << 20))


def timed(action):
    start = time.monotonic()
    action()
    return time.monotonic() - start


def main():
    mebibytes = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-bench-"))
    hub = None
    try:
        hub = harness.Hub(folder / "hub", seed=None)
        client = harness.Client(folder / "client")
        client.environment["LOCARA_TOKEN"] = hub.make_writer("ana")
        client.add_hub(hub)
        make_weights(folder / "model.gguf", mebibytes)
        done = client.json("upload", "ana/big", folder / "model.gguf", "--create", "--endpoint", hub.url, timeout=600)
        (file,) = done["files"]
        manifest = folder / "manifest.json"
        manifest.write_text(weights.manifest(harness.MANIFEST, "ana/big", done["commit"], "model.gguf", file["size"],
                                             file["sha256"]))
        url = f"{hub.url}/ana/big/resolve/{done['commit']}/model.gguf"
        target = folder / "curl.out"

        def pull():
            client.run("pull", "--manifest", manifest, "--yes", "--endpoint", hub.url, timeout=600)

        def curl():
            subprocess.run(["curl", "-sf", "-o", target, url], check=True)

        def curl_and_hash():
            curl()
            subprocess.run(["sha256sum", target], check=True, stdout=subprocess.DEVNULL)
        pairs = []
        for _ in range(rounds + 1):  # the first round warms the page cache and is not counted
            shutil.rmtree(client.home / "data/store", ignore_errors=True)
            target.unlink(missing_ok=True)
            pairs.append((timed(pull), timed(curl_and_hash), timed(curl)))
        pairs = pairs[1:]
        rate = lambda seconds: mebibytes * 1.048576 / 1000 / seconds
        middle = lambda index: statistics.median(p[index] for p in pairs)
        by_hand = statistics.median(p[1] / p[0] for p in pairs)
        unverified = statistics.median(p[2] / p[0] for p in pairs)
        cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
        print(f"verified pull, speed against curl then sha256sum: {by_hand:.2f}x")
        print(f"verified pull, speed against curl without any check: {unverified:.2f}x")
        print(f"  locara pull {rate(middle(0)):.2f} GB/s, curl + sha256sum {rate(middle(1)):.2f} GB/s, curl {rate(middle(2)):.2f} GB/s")
        print(f"  {mebibytes} MiB, medians of {rounds} rounds in turn, one hub on loopback; {cpu}, {os.cpu_count()} cores")
    finally:
        if hub:
            hub.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
