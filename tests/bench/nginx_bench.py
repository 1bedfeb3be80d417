"""What a hub gives to HTTP clients, beside nginx giving the same bytes. One run, in turn, on loopback.

    python3 -m tests.bench.nginx_bench [MiB] [ROUNDS]     (default 256 MiB, 5 rounds)

Needs the Debian packages nginx-light and wrk. The file is random bytes, so that its chunks are stored raw and leave by
sendfile, and then bf16 weights, whose chunks the hub has to unpack. nginx has two workers, sendfile on, no log; wrk
makes 64 connections from two threads. Then 64 clients that read slowly take a file of eight times the size at once, and
the hub's memory is looked at. Prints ratios first."""
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
SECONDS = 5


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


def wrk(url, what):
    """Of 64 connections: bytes or requests a second. Any answer that is none of success ends the run."""
    done = subprocess.run(["wrk", "-t2", "-c64", f"-d{SECONDS}s", "--timeout", "60s", url], check=True,
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
    mebibytes = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-bench-"))
    hub = None
    try:
        root = folder / "root"
        root.mkdir()
        subprocess.run(f"head -c {mebibytes << 20} /dev/urandom > {root}/raw.bin", shell=True, check=True)
        subprocess.run(f"head -c {8 * mebibytes << 20} /dev/urandom > {root}/large.bin", shell=True, check=True)
        subprocess.run([harness.BIN / "locara_cas_bench", str(mebibytes), "--write", folder], check=True,
                       stdout=subprocess.DEVNULL)
        (folder / "v1").rename(root / "packed.bin")
        (root / "small.json").write_text('{"model_type": "tiny"}\n')

        hub = harness.Hub(folder / "hub", seed=None)
        token = hub.make_writer("ana")
        mirror.publish(hub, token, "ana/bench", {"small.json": (root / "small.json").read_bytes()})
        client = harness.Client(folder / "client")
        client.environment["LOCARA_TOKEN"] = token
        for name in ("raw.bin", "packed.bin", "large.bin"):
            client.run("upload", "ana/bench", root / name, "--endpoint", hub.url, timeout=900)
        ours_at = f"{hub.url}/ana/bench/resolve/main/"
        with nginx(folder) as other:
            measures = {
                "one connection, raw chunks": lambda base: curl(base + "raw.bin"),
                "64 connections, raw chunks": lambda base: wrk(base + "raw.bin", "bytes"),
                "one connection, packed chunks": lambda base: curl(base + "packed.bin"),
                "64 connections, packed chunks": lambda base: wrk(base + "packed.bin", "bytes"),
                "64 connections, a small file": lambda base: wrk(base + "small.json", "requests"),
            }
            for what, measure in measures.items():
                pairs = [(measure(ours_at), measure(other + "/")) for _ in range(rounds + 1)][1:]
                ratio = statistics.median(ours / theirs for ours, theirs in pairs)
                ours, theirs = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
                unit = (1, "requests/s") if "small" in what else (1e9, "GB/s")
                print(f"{what}: {ratio:.2f}x of nginx   ({ours / unit[0]:.2f} against {theirs / unit[0]:.2f} {unit[1]})",
                      flush=True)
        before, most = memory_with_readers(hub, ours_at + "large.bin")
        print(f"resident with 64 downloads of {8 * mebibytes} MiB under way: {most} MiB ({before} before)")
        cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
        print(f"medians of {rounds} rounds in turn; {cpu}, {os.cpu_count()} cores, "
              f"{platform.system()} {platform.release()}")
    finally:
        if hub and hub.process:
            hub.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
