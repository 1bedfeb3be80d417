"""20,000 changes of a clean GGUF and of a clean safetensors file, each judged by the gate's formats under the address and
undefined-behaviour sanitizers; what passes is loaded: safetensors by a second, plain reader, GGUF by llama.cpp's own reader
under the same sanitizers and by the real llama-server. Whoever disagrees, crashes or reads outside is named.

    python3 -B -m tests.campaign.weights MUTANTS [--count N] [--seed N] [--probe PROGRAM] [--server PROGRAM] [--server-count N]

MUTANTS is the program locara_weights_mutants of the build to use. `./dev soak` runs all of it.
"""
import argparse
import json
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parents[2]
CLEAN = {"gguf": SOURCE / "src/engine/test/data/tiny.gguf", "safetensors": SOURCE / "models/quick-add/repo/model.safetensors"}
BATCH = 200


def run_probe(probe, files):
    """How many files llama.cpp's reader loads and refuses; the failures, in words."""
    loaded = refused = 0
    bad = []
    left = [str(path) for path in files]
    while left:
        batch = left[:BATCH]
        done = subprocess.run([probe, *batch], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600)
        lines = done.stdout.splitlines()
        loaded += sum(line.startswith("loaded ") for line in lines)
        refused += sum(line.startswith("refused ") for line in lines)
        left = left[len(lines):]
        if done.returncode != 0:
            bad.append(f"{left[0]}: {done.stderr[-2000:]}")
            left = left[1:]
    return {"loaded": loaded, "refused": refused}, bad


def run_server(server, path):
    """"loaded", "refused" or what went wrong when llama-server starts on the file."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([server, "-m", path, "--host", "127.0.0.1", "--port", str(port), "-c", "64", "-t", "1", "--no-warmup"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                said = process.stderr.read()
                return "refused" if process.returncode == 1 else f"exit {process.returncode}: {said[-600:]}"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                    if answer.status == 200:
                        return "loaded"
            except OSError:
                time.sleep(0.02)
        return "neither loaded nor refused within 60 s"
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mutants")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--probe")
    parser.add_argument("--server")
    parser.add_argument("--server-count", type=int, default=200)
    options = parser.parse_args()
    failures = []
    for form, clean in CLEAN.items():
        with tempfile.TemporaryDirectory(prefix="locara-mutants-") as folder:
            keep = [folder] if form == "gguf" else []
            done = subprocess.run([options.mutants, form, clean, str(options.count), str(options.seed), *keep], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if done.returncode != 0:
                failures.append(f"{form}: exit {done.returncode}: {done.stderr[-2000:]}")
            result = json.loads(done.stdout or "{}")
            files = sorted(pathlib.Path(folder).iterdir(), key=lambda path: int(path.stem))
            if options.probe and files:
                result["llama_cpp_reader"], bad = run_probe(options.probe, files)
                failures += bad
            if options.server and files:
                step = max(1, len(files) // options.server_count)
                answers = {"loaded": 0, "refused": 0}
                for path in files[::step]:
                    answer = run_server(options.server, path)
                    if answer in answers:
                        answers[answer] += 1
                    else:
                        failures.append(f"{path.name}: llama-server: {answer}")
                result["llama_server"] = answers
            print(json.dumps(result), flush=True)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
