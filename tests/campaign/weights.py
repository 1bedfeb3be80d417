"""20,000 changes of a clean GGUF and of a clean safetensors file, each judged by the gate's formats under the address and
undefined-behaviour sanitizers; what passes is loaded: safetensors by a second, plain reader, GGUF by llama.cpp's own reader
under the same sanitizers and by the real llama-server. Whoever disagrees, crashes or reads outside is named.

What the gate refuses is given to the loaders too, in a sandbox without network: how many of each rule they refuse as well,
load all the same (the gate is stricter), or come to grief on (what the gate is for). None of that is a failure.

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


# Nothing but the programs and the files, no network, no other process.
WALLS = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
         "--cap-drop", "ALL"]


def run_probe(probe, files):
    """What llama.cpp's reader does with each file, "loaded" or "refused", in their order; the failures by file, in words."""
    answers = {}
    bad = {}
    left = [str(path) for path in files]
    while left:
        batch = left[:BATCH]
        done = subprocess.run([*WALLS, probe, *batch], text=True, errors="replace",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600)
        lines = done.stdout.splitlines()
        for line in lines:
            word, path = line.split(" ", 1)
            answers[path] = word
        left = left[len(lines):]
        if done.returncode != 0:
            bad[left[0]] = done.stderr[-2000:]
            left = left[1:]
    return answers, bad


def count(answers):
    return {word: list(answers.values()).count(word) for word in ("loaded", "refused")}


def sample(files, wanted):
    return files[::max(1, len(files) // wanted)] if files else []


def give_refused(folder, options):
    """What loaders make of the files that each rule of the gate refused."""
    rules = {}
    loaded = []
    for rule in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(rule.iterdir(), key=lambda path: int(path.stem))
        answers, bad = run_probe(options.probe, files)
        rules[rule.name] = {**count(answers), "crashed": len(bad)}
        loaded += [path for path in files if answers.get(str(path)) == "loaded"]
    total = {word: sum(rule[word] for rule in rules.values()) for word in ("loaded", "refused", "crashed")}
    result = {"llama_cpp_reader": {**total, "by_rule": rules}}
    if options.server:
        reasons = []
        answers = [run_server(options.server, path, reasons) for path in sample(loaded, options.server_count)]
        result["llama_server_of_loaded"] = {"loaded": answers.count("loaded"), "refused": answers.count("refused"), "why": reasons,
                                            "crashed": len([one for one in answers if one not in ("loaded", "refused")])}
    return result


def reason_of(said):
    """Why llama-server refused a file, by what it said: the first error."""
    for line in said.splitlines():
        for mark in ("error loading model: ", "Error: ", "check_tensor_dims: "):
            if mark in line:
                return line.split(mark, 1)[1]
    return said[-600:]


def run_server(server, path, reasons):
    """"loaded", "refused" (why is added to the reasons) or what went wrong when llama-server starts on the file."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([*WALLS, "--share-net", server, "-m", path, "--host", "127.0.0.1", "--port", str(port), "-c", "64", "-t", "1", "--no-warmup"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                said = process.stderr.read()
                if process.returncode != 1:
                    return f"exit {process.returncode}: {said[-600:]}"
                reasons.append(reason_of(said))
                return "refused"
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
            keep = [folder] if form == "gguf" and (options.probe or options.server) else []
            done = subprocess.run([options.mutants, form, clean, str(options.count), str(options.seed), *keep], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if done.returncode != 0:
                failures.append(f"{form}: exit {done.returncode}: {done.stderr[-2000:]}")
            result = json.loads(done.stdout or "{}")
            refused = pathlib.Path(folder) / "refused"
            files = sorted((path for path in pathlib.Path(folder).iterdir() if path.is_file()), key=lambda path: int(path.stem))
            if options.probe and files:
                answers, bad = run_probe(options.probe, files)
                result["llama_cpp_reader"] = count(answers)
                failures += [f"{path}: {said}" for path, said in bad.items()]
            if options.probe and refused.is_dir():
                result["refused_given_to_loaders"] = give_refused(refused, options)
            if options.server and files:
                answers = {"loaded": 0, "refused": 0}
                reasons = []
                for path in sample(files, options.server_count):
                    answer = run_server(options.server, path, reasons)
                    if answer in answers:
                        answers[answer] += 1
                    else:
                        failures.append(f"{path.name}: llama-server: {answer}")
                result["llama_server"] = {**answers, "why": reasons}
            print(json.dumps(result), flush=True)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
