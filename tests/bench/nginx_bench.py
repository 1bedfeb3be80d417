"""What a hub gives to HTTP clients, beside nginx giving the same bytes. One run, in turn, on loopback.

    python3 -m tests.bench.nginx_bench [MiB] [ROUNDS]     (default 256 MiB, 5 rounds)
    python3 -m tests.bench.nginx_bench small [ROUNDS]     the small answers alone

Needs the Debian packages nginx-light and wrk. The file is random bytes, so that its chunks are stored raw and leave by
sendfile, and then bf16 weights, whose chunks the hub has to unpack. nginx has two workers, sendfile on, no log; wrk
makes 64 connections from two threads. Small answers are of files of 23 bytes: one by branch, by commit, with a token from
a private repository, a thousand in turn; and one of a hub whose names are in PostgreSQL, if that is installed, for which no
limit holds. Files that a second hub mirrors are measured when it has them. (HEAD, which clients of the
Hub send for each file, cannot be asked by wrk: it waits for the body.) Then 64 clients that read slowly take a file of eight times the size at once, and
the hub's memory is looked at. Prints ratios, and fails by name if one of these does not hold: files of raw chunks at FLOOR_RAW of
nginx's pace, small answers at FLOOR_SMALL, MOST_MEMORY of resident memory."""
import contextlib
import grp
import os
import pathlib
import platform
import pwd
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import unittest

from tests import harness
from tests.harness import free_port, mirror

CONFIG = """user {user} {group}; daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    sendfile on; tcp_nopush on; access_log off; server_tokens off; default_type application/octet-stream;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{ listen 127.0.0.1:{port}; root {folder}/root; }}
}}
"""
FLOOR_RAW, FLOOR_SMALL = 0.8, 0.5  # times nginx
MOST_MEMORY = 300  # MiB
SECONDS = 5
ON_POSTGRESQL = "small file, by branch, names in PostgreSQL"
# "0000" in the path becomes the number of the file.
MANY = """local n = 0
request = function() n = (n + 1) % 1000; return wrk.format(nil, (wrk.path:gsub("0000", string.format("%04d", n)))) end
"""


@contextlib.contextmanager
def nginx(folder):
    port = free_port()
    (folder / "nginx.conf").write_text(CONFIG.format(
        folder=folder, port=port, user=pwd.getpwuid(os.getuid()).pw_name, group=grp.getgrgid(os.getgid()).gr_name))
    server = subprocess.Popen(["nginx", "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        harness.wait_for(lambda: subprocess.run(["curl", "-sf", "-o", "/dev/null", url + "/small.json"]).returncode == 0,
                         "nginx")
        yield url
    finally:
        server.terminate()
        server.wait(20)


def curl(url):
    """Bytes a second of one connection."""
    done = subprocess.run(["curl", "-sf", "-o", "/dev/null", "-w", "%{speed_download} %{size_download}", url], check=True,
                          stdout=subprocess.PIPE, text=True)
    return float(done.stdout.split()[0])


def wrk(url, what, *options):
    """Of 64 connections: bytes or requests a second. Any answer that is none of success ends the run."""
    done = subprocess.run(["wrk", "-t2", "-c64", f"-d{SECONDS}s", "--timeout", "60s", *options, url], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    if "Non-2xx" in done or "Socket errors" in done:
        raise AssertionError(done)
    if what == "requests":
        return float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1])
    number, unit = re.search(r"Transfer/sec:\s+([\d.]+)([KMG]?B)", done).groups()
    return float(number) * {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}[unit]


def resident(process):
    return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1]) >> 10


def memory_with_readers(hub, url, readers=64, seconds=8):
    """The most that the hub takes in MiB while so many slow clients read, and what it took before."""
    before = resident(hub.process)
    clients = [subprocess.Popen(["curl", "-sf", "-o", "/dev/null", "--limit-rate", "4M", url]) for _ in range(readers)]
    most, under_way, end = 0, 0, time.monotonic() + seconds
    while time.monotonic() < end:
        most = max(most, resident(hub.process))
        under_way = sum(client.poll() is None for client in clients)
        time.sleep(0.1)
    for client in clients:
        client.kill()
        client.wait()
    assert under_way == readers, f"only {under_way} of {readers} downloads were still under way"
    return before, most


def main():
    missing = [tool for tool in ("nginx", "wrk") if not shutil.which(tool, path="/usr/sbin:/usr/bin")]
    if missing:
        sys.exit(f"nginx_bench: needs {' and '.join(missing)} (Debian: nginx-light, wrk)")
    small_only = sys.argv[1:2] == ["small"]
    mebibytes = 1 if small_only else int(sys.argv[1]) if len(sys.argv) > 1 else 256
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-bench-"))
    hubs = []
    try:
        root = folder / "root"
        root.mkdir()
        (folder / "many.lua").write_text(MANY)
        if not small_only:
            subprocess.run(f"head -c {mebibytes << 20} /dev/urandom > {root}/raw.bin", shell=True, check=True)
            subprocess.run(f"head -c {8 * mebibytes << 20} /dev/urandom > {root}/large.bin", shell=True, check=True)
            subprocess.run([harness.BIN / "locara_cas_bench", str(mebibytes), "--write", folder], check=True,
                           stdout=subprocess.DEVNULL)
            (folder / "v1").rename(root / "packed.bin")
        small = b'{"model_type": "tiny"}\n'
        many = {"small.json": small, **{f"many/{number:04}.json": small for number in range(1000)}}
        for name, content in many.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(content)

        hub = harness.Hub(folder / "hub", seed=None)
        hubs.append(hub)
        token = hub.make_writer("ana")
        commit = mirror.publish(hub, token, "ana/bench", many)
        mirror.publish(hub, token, "ana/private", {"small.json": small}, private=True)
        client = harness.Client(folder / "client")
        client.environment["LOCARA_TOKEN"] = token
        for name in () if small_only else ("raw.bin", "packed.bin", "large.bin"):
            client.run("upload", "ana/bench", root / name, "--endpoint", hub.url, timeout=900)
        main, at, private = "/ana/bench/resolve/main/", f"/ana/bench/resolve/{commit}/", "/ana/private/resolve/main/"
        (folder / "mirror.toml").write_text(f'[mirror]\nupstream = "{hub.url}"\n')
        mirrors = harness.Hub(folder / "mirror", seed=None, config=folder / "mirror.toml")
        hubs.append(mirrors)
        for name in ("small.json",) if small_only else ("small.json", "raw.bin"):
            subprocess.run(["curl", "-sf", "-o", "/dev/null", mirrors.url + main + name], check=True)
        if not small_only:
            harness.wait_for(lambda: mirror.call(mirrors, "HEAD", main + "raw.bin").headers.get("X-Xet-Hash"), "the mirror", 120)

        def requests(way, name, *options, of=hub):
            return lambda base: wrk((base or of.url + way.rstrip("/")) + "/" + name, "requests", *options)

        def whole(name, of=hub):
            return lambda base: curl((base or of.url + main.rstrip("/")) + "/" + name)

        def by_many(name, of=hub):
            return lambda base: wrk((base or of.url + main.rstrip("/")) + "/" + name, "bytes")

        large = {
            "one connection, raw chunks": whole("raw.bin"),
            "64 connections, raw chunks": by_many("raw.bin"),
            "one connection, packed chunks": whole("packed.bin"),
            "64 connections, packed chunks": by_many("packed.bin"),
            "one connection, raw chunks, mirrored": whole("raw.bin", of=mirrors),
            "64 connections, raw chunks, mirrored": by_many("raw.bin", of=mirrors),
        }
        small = {
            "small file, by branch": requests(main, "small.json"),
            "small file, by commit": requests(at, "small.json"),
            "small file, private, with a token": requests(private, "small.json", "-H", f"Authorization: Bearer {token}"),
            "small files, a thousand in turn": requests(main, "many/0000.json", "-s", folder / "many.lua"),
            "small file, mirrored, by branch": requests(main, "small.json", of=mirrors),
            "small file, mirrored, by commit": requests(at, "small.json", of=mirrors),
        }
        with contextlib.suppress(unittest.SkipTest):
            elsewhere = harness.Hub(folder / "postgresql", seed=None, database=harness.make_database())
            hubs.append(elsewhere)
            mirror.publish(elsewhere, elsewhere.make_writer("ana"), "ana/bench", {"small.json": many["small.json"]})
            small[ON_POSTGRESQL] = requests(main, "small.json", of=elsewhere)
        missed = []

        def hold(holds, what):
            if not holds:
                missed.append(what)

        with nginx(folder) as other:
            for what, measure in {**({} if small_only else large), **small}.items():
                pairs = [(measure(None), measure(other)) for _ in range(rounds + 1)][1:]
                ratio = statistics.median(ours / theirs for ours, theirs in pairs)
                ours, theirs = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
                floor = {ON_POSTGRESQL: 0}.get(what, FLOOR_SMALL if what in small else FLOOR_RAW if "raw" in what else 0)
                hold(ratio >= floor, f"{what}: {ratio:.2f}x of nginx, at least {floor}x has to hold")
                unit = (1, "requests/s") if what in small else (1e9, "GB/s")
                print(f"{what}: {ratio:.2f}x of nginx   ({ours / unit[0]:.2f} against {theirs / unit[0]:.2f} {unit[1]})",
                      flush=True)
        if not small_only:
            before, most = memory_with_readers(hub, hub.url + main + "large.bin")
            print(f"resident with 64 downloads of {8 * mebibytes} MiB under way: {most} MiB ({before} before)")
            hold(most <= MOST_MEMORY, f"{most} MiB resident, {MOST_MEMORY} MiB are allowed")
        cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
        print(f"medians of {rounds} rounds in turn; {cpu}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
              f"{platform.system()} {platform.release()}")
        if missed:
            sys.exit("nginx_bench: a limit does not hold\n  " + "\n  ".join(missed))
    finally:
        for one in hubs:
            if one.process:
                one.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
