"""A verified pull against what a person would do by hand: curl the file, then sha256sum it. Same hub, same run.

    python3 -m tests.bench.pull_bench [MiB] [ROUNDS]     (default 512 MiB, 5 rounds; `./dev bench` runs it)

Prints the ratio first. A pull is cold each time: the store is emptied before each round."""
import json
import os
import pathlib
import platform
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from tests import harness


def make_seed(folder, mebibytes):
    """A seed of one model whose weights are a right GGUF file of random bytes."""
    seed = folder / "seed"
    model = seed / "models/big"
    (model / "repo").mkdir(parents=True)
    (seed / "apps").mkdir()
    size = mebibytes << 20
    text = lambda value: struct.pack("<Q", len(value)) + value
    header = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)                         # version, one tensor, one key
    header += text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")
    header += text(b"weight") + struct.pack("<IQIQ", 1, size, 24, 0)        # one dimension, type I8, offset 0
    header += bytes(-len(header) % 32)
    with open(model / "repo/model.gguf", "wb") as out:
        out.write(header)
        chance = random.Random(1)
        for _ in range(mebibytes):
            out.write(chance.randbytes(1 << 20))
    manifest = json.loads((harness.SEED / "models/quick-add/manifest.json").read_text())
    manifest["id"] = manifest["source"]["repo"] = "locara/big"
    manifest["variants"][0]["files"] = [{"path": "model.gguf", "size": 1, "sha256": "0" * 64,
                                         "xet_hash": None, "format": "gguf"}]
    manifest["variants"][0]["quality"] = None
    manifest["chat_template"] = manifest["tokenizer"] = None
    (model / "manifest.json").write_text(json.dumps(manifest))
    subprocess.run([harness.BIN / "locara-hub", "pin", "--write", model], check=True, stdout=subprocess.DEVNULL)
    return seed, model / "manifest.json"


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
        seed, manifest = make_seed(folder, mebibytes)
        hub = harness.Hub(folder / "hub", seed=seed)
        client = harness.Client(folder / "client")
        client.add_hub(hub)
        source = json.loads(manifest.read_text())["source"]
        url = f"{hub.url}/{source['repo']}/resolve/{source['revision']}/model.gguf"
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
