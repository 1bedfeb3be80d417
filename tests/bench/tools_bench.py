"""What two versions of a file of weights cost in Locara, and in the tools people keep them with today. One run, in turn.

    python3 -m tests.bench.tools_bench [MiB] [ROUNDS] [FOLDER]     (default 1024 MiB, 3 rounds, /dev/shm)

The file is bf16 values, normal(0, 0.02); in its second version 173 of each 16,384 regions of 64 KiB have 4 KiB
rewritten, and 1,000 bytes are inserted at one third. Each tool takes in the first version, then the second, then gives
the second back, which is compared. Stores lie in FOLDER. Tools that are not installed are left out and named; in
Debian they are the packages restic, borgbackup, casync, rclone and zstd.

Locara is `locara upload` to a hub on loopback and `locara pull` from it into an empty store, every chunk and the
whole verified. Its peak is that of the client, then that of the hub, above what each had before. Bytes on the wire
are those of the loopback device, so nothing else may use it meanwhile: run it as `unshare --net` for exact ones."""
import collections
import contextlib
import filecmp
import json
import os
import pathlib
import platform
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from tests import harness

MIB = 1 << 20
Measured = collections.namedtuple("Measured", "add1 peak store add2 growth read notes")


def write_versions(folder, mebibytes):
    """v1 and v2 as right GGUF files of one bf16 tensor, so that the gate lets them in."""
    subprocess.run([harness.BIN / "locara_cas_bench", str(mebibytes), "--write", folder], check=True)
    text = lambda value: struct.pack("<Q", len(value)) + value
    for name in ("v1", "v2"):
        raw = folder / name
        size = raw.stat().st_size
        header = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)                         # version, one tensor, one key
        header += text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")
        header += text(b"weight") + struct.pack("<IQIQ", 1, size // 2, 30, 0)   # one dimension, type BF16, offset 0
        header += bytes(-len(header) % 32)
        with open(folder / f"{name}.gguf", "wb") as out, open(raw, "rb") as data:
            out.write(header)
            shutil.copyfileobj(data, out, MIB)
            out.write(bytes(-size % 32))
        raw.unlink()
    return folder / "v1.gguf", folder / "v2.gguf"


def memory_of(pid, field):
    """Bytes, or nothing when the process is gone."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    return None


def run(*command, **options):
    """Seconds and peak resident bytes of a command, looked at every 10 ms."""
    with tempfile.TemporaryFile() as errors:
        start = time.monotonic()
        process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=errors, **options)
        peak = 0
        while process.poll() is None:  # not ru_maxrss: that begins with what this program takes
            peak = memory_of(process.pid, "VmHWM") or peak
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        seconds = time.monotonic() - start
        errors.seek(0)
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))}: exit {process.returncode}\n{errors.read().decode(errors='replace')}")
    return seconds, peak


def size_of(path):
    """Bytes of the files below a path."""
    return path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def check_same(a, b):
    if not filecmp.cmp(a, b, shallow=False):
        raise SystemExit(f"{b} is not what was put in")


def measure(store, versions, add, read):
    """`add(version)` and `read()` return what `run` does; read() also where the second version came back."""
    add1, peak = add(versions[0])
    first = size_of(store)
    add2, peak2 = add(versions[1])
    growth = size_of(store) - first
    seconds, _, back = read()
    check_same(versions[1], back)
    return Measured(add1, max(peak, peak2), first, add2, growth, seconds, "")


def cp(folder, versions):
    store, back = folder / "store", folder / "back"
    store.mkdir()
    return measure(store, versions, lambda v: run("cp", v, store / v.name),
                   lambda: (*run("cp", store / versions[1].name, back), back))


def rclone(folder, versions):
    store, back = folder / "store", folder / "back"
    store.mkdir()
    return measure(store, versions, lambda v: run("rclone", "copyto", v, store / v.name),
                   lambda: (*run("rclone", "copyto", store / versions[1].name, back), back))


def restic(folder, versions):
    store, back = folder / "store", folder / "back"
    env = {**os.environ, "RESTIC_PASSWORD": "x", "RESTIC_REPOSITORY": str(store), "RESTIC_CACHE_DIR": str(folder / "cache")}
    run("restic", "init", env=env)
    stdin = lambda v: run("restic", "backup", "--stdin", "--stdin-filename", "weights", env=env, stdin=open(v, "rb"))
    return measure(store, versions, stdin,
                   lambda: (*run("restic", "restore", "latest", "--target", back, env=env), back / "weights"))


def borg(folder, versions):
    store, back = folder / "store", folder / "back"
    env = {**os.environ, "BORG_BASE_DIR": str(folder / "base"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
    run("borg", "init", "--encryption=none", store, env=env)
    back.mkdir()
    return measure(store, versions,
                   lambda v: run("borg", "create", "--compression", "lz4", f"{store}::{v.stem}", v.name, env=env, cwd=v.parent),
                   lambda: (*run("borg", "extract", f"{store}::v2", env=env, cwd=back), back / versions[1].name))


def casync(folder, versions):
    store, back = folder / "store", folder / "back"
    return measure(store, versions,
                   lambda v: run("casync", "make", f"--store={store}", folder / f"{v.stem}.caibx", v),
                   lambda: (*run("casync", "extract", f"--store={store}", folder / "v2.caibx", back), back))


def zstd(folder, versions):
    store, back = folder / "store", folder / "back"
    store.mkdir()
    return measure(store, versions, lambda v: run("zstd", "-q", "-1", v, "-o", store / v.name),
                   lambda: (*run("zstd", "-q", "-d", store / versions[1].name, "-o", back), back))


def loopback_bytes():
    line = next(l for l in pathlib.Path("/proc/net/dev").read_text().splitlines() if l.strip().startswith("lo:"))
    return int(line.split(":")[1].split()[8])  # sent: over this device everything that is sent is received


def own_memory(folder):
    """What the client takes without work to do."""
    nothing = folder / "nothing"
    nothing.touch()
    return max(run(harness.BIN / "locara", "scan", nothing)[1] for _ in range(20))


def locara(folder, versions):
    hub = harness.Hub(folder / "hub", seed=None)
    store = folder / "hub/cas/objects"
    try:
        admin = lambda *words: subprocess.run([harness.BIN / "locara-hub", *words, "--data", folder / "hub"], check=True,
                                              capture_output=True, text=True).stdout.strip()
        admin("user", "add", "bench")
        client = harness.Client(folder / "client")
        env = {**client.environment, "LOCARA_HUB": hub.url,
               "LOCARA_TOKEN": admin("token", "create", "--user", "bench", "--role", "write")}
        before = memory_of(hub.process.pid, "VmHWM")
        wire = []

        def add(version):
            start = loopback_bytes()
            seconds, peak = run(harness.BIN / "locara", "upload", "bench/weights", version, "--path-in-repo",
                                "model.gguf", "--create", "--progress", "none", env=env)
            wire.append(loopback_bytes() - start)
            return seconds, peak

        def read():
            manifest = write_manifest(folder, hub, versions[1])
            seconds, peak = run(harness.BIN / "locara", "pull", "--manifest", manifest, "--yes", "--endpoint", hub.url,
                                "--progress", "none", env=client.environment)
            peaks.append(peak)
            return seconds, peak, client.store_files()[0]

        peaks = []
        own = own_memory(folder)
        result = measure(store, versions, add, read)
        client_peak = max(result.peak, *peaks) - own
        hub_peak = memory_of(hub.process.pid, "VmHWM") - before
        size = versions[1].stat().st_size
        return result._replace(peak=max(client_peak, hub_peak), notes=f"client {client_peak / MIB:.0f}, hub {hub_peak / MIB:.0f} "
                               f"MiB; wire for v1 {wire[0] / 1e6:.1f} MB, for v2 {wire[1] / 1e6:.2f} MB = {100 * wire[1] / size:.2f} % of it")
    finally:
        hub.stop()


def write_manifest(folder, hub, version):
    """A manifest that pins what the branch holds now."""
    import hashlib
    import urllib.request
    with urllib.request.urlopen(f"{hub.url}/api/models/bench/weights/revision/main") as answer:
        commit = json.load(answer)["sha"]
    digest = hashlib.sha256()
    with open(version, "rb") as data:
        while block := data.read(MIB):
            digest.update(block)
    manifest = json.loads((harness.SEED / "models/quick-add/manifest.json").read_text())
    manifest["id"] = manifest["source"]["repo"] = "bench/weights"
    manifest["source"]["revision"] = commit
    manifest["variants"] = manifest["variants"][:1]
    manifest["default"] = manifest["variants"][0]["id"] if "id" in manifest["variants"][0] else manifest["default"]
    manifest["variants"][0]["files"] = [{"path": "model.gguf", "size": version.stat().st_size, "sha256": digest.hexdigest(),
                                         "xet_hash": None, "format": "gguf"}]
    manifest["variants"][0]["quality"] = None
    manifest["chat_template"] = manifest["tokenizer"] = None
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest))
    return path


TOOLS = [("locara upload, pull", locara, None), ("cp", cp, "cp"), ("rclone copyto", rclone, "rclone"),
         ("restic backup", restic, "restic"), ("borg create, lz4", borg, "borg"), ("casync make", casync, "casync"),
         ("zstd -1", zstd, "zstd")]


def main():
    mebibytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    parent = sys.argv[3] if len(sys.argv) > 3 else "/dev/shm"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-bench-", dir=parent))
    missing = [name for name, _, program in TOOLS if program and not shutil.which(program)]
    results = collections.defaultdict(list)
    try:
        versions = write_versions(folder, mebibytes)
        for _ in range(rounds):
            for name, measure_tool, _ in TOOLS:
                if name not in missing:
                    (folder / "work").mkdir()
                    results[name].append(measure_tool(folder / "work", versions))
                    shutil.rmtree(folder / "work")
        size = versions[0].stat().st_size
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    middle = {name: Measured(*(statistics.median(getattr(r, f) for r in runs) for f in Measured._fields[:-1]), runs[-1].notes)
              for name, runs in results.items()}
    ours = middle["locara upload, pull"]
    for name, it in middle.items():
        if it is not ours:
            print(f"against {name}: growth for the second version {ours.growth / it.growth:.3f}, store {ours.store / it.store:.3f}, "
                  f"time to add v1 {ours.add1 / it.add1:.2f}, v2 {ours.add2 / it.add2:.2f}, to read v2 {ours.read / it.read:.2f}")
    print("\n| tool | add v1, s | peak, MiB | store, MB | add v2, s | growth for v2, MB | read v2 back, s |\n"
          "| --- | --- | --- | --- | --- | --- | --- |")
    for name, it in middle.items():
        print(f"| {name} | {it.add1:.2f} | {it.peak / MIB:.0f} | {it.store / 1e6:.1f} | {it.add2:.2f} | {it.growth / 1e6:.2f} | {it.read:.2f} |")
    print(f"\nlocara: {ours.notes}")
    print(f"{size / 1e6:.1f} MB in, medians of {rounds} rounds in turn, {platform.processor() or platform.machine()}, "
          f"{os.cpu_count()} cores; left out, not installed: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
