"""Bad input gets one clear line, the documented exit code, and nothing half-installed."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from tests import harness
from tests.harness import APP, BIN, NOTE, SEED, Hub, wait_for


def is_weights(path):
    return "/resolve/" in path and path.endswith(".gguf") or path.startswith("/cas/xorbs/")


class BadInput(harness.TestCase):
    def assert_error(self, name):
        """The error is told once, in one line, in the words of its golden file."""
        lines = [line for line in self.client.stderr.splitlines() if line.startswith("locara: ")]
        self.assertEqual(len(lines), 1, self.client.stderr)
        self.assert_words(name, lines[0])

    def assert_words(self, name, text):
        # What the demo's own files weigh and hash to is not the point here, nor who holds a port.
        for found, word in ((r"\b[0-9a-f]{64}\b", "SHA256"), (r"\b[0-9a-f]{40}\b", "COMMIT"),
                            (r"\b[\d.]+ ([kMGT]?i?B|bytes)\b", "SIZE"), (r"\b\d+ ms\b", "N ms"),
                            (r"\bchunk \d+\b", "chunk N"),
                            (r"\bprocess \d+, '[^']*'", "process N, NAME")):
            text = re.sub(found, word, text)
        self.assert_golden(name + ".txt", text + "\n")

    def assert_hub_refuses(self, name, folder, **options):
        with self.assertRaises(AssertionError) as failed:
            Hub(folder, **options)
        self.assert_words(name, str(failed.exception).removeprefix("the hub did not start: ").strip().splitlines()[-1])

    def add_lying_hub(self, way, rule):
        """Adds the hub through a proxy whose rule sees answers with bytes of weights; `way` is how those come."""
        def lie(path, status, headers, body):
            if way == "plain":  # as from a server without Xet
                headers = {name: value for name, value in headers.items() if name.lower() not in ("x-xet-hash", "link")}
            return rule(path, status, headers, body) if is_weights(path) else (status, headers, body)
        proxy = self.proxy(lie)
        self.client.add_hub(self.hub, proxy.url)
        return proxy

    def assert_way(self, way, proxy):
        came_by_chunks = any(path.startswith("/cas/xorbs/") for _, path, _ in proxy.requests)
        self.assertEqual(came_by_chunks, way == "chunks")

    def check_wrong_bytes(self, way):
        def rule(path, status, headers, body):
            if len(body) > 1000:
                body = body[:500] + bytes([body[500] ^ 1]) + body[501:]
            return status, headers, body
        proxy = self.add_lying_hub(way, rule)
        self.client.run("install", APP, "--yes", expect=6)
        self.assert_way(way, proxy)
        self.assert_error(f"wrong-bytes-{way}")
        self.assertEqual(self.client.store_files(), [], "wrong bytes never reach the store")
        self.assert_nothing_half_installed()

    def test_wrong_bytes_from_the_server_are_fetched_once_more_then_refused(self):
        self.check_wrong_bytes("plain")

    def test_a_wrong_chunk_from_the_server_is_fetched_once_more_then_named(self):
        self.check_wrong_bytes("chunks")

    def check_truncated(self, way):
        cuts = []

        def rule(path, status, headers, body):
            if len(body) > 1000 and len(cuts) < 3:
                cuts.append(path)
                return None
            return status, headers, body
        proxy = self.add_lying_hub(way, rule)
        self.client.run("install", APP, "--yes")
        self.assert_way(way, proxy)
        self.assertEqual(len(cuts), 3)
        self.client.run("verify")

    def test_a_truncated_download_resumes_and_ends_right(self):
        self.check_truncated("plain")

    def test_truncated_chunks_resume_and_end_right(self):
        self.check_truncated("chunks")

    def check_always_cut(self, way):
        broken = [True]

        def rule(path, status, headers, body):
            return None if broken[0] and len(body) > 0 else (status, headers, body)
        self.add_lying_hub(way, rule)
        self.client.run("install", APP, "--yes", expect=5)
        self.assert_nothing_half_installed()
        broken[0] = False
        self.client.run("install", APP, "--yes")

    def test_a_download_that_is_always_cut_fails_and_a_later_one_succeeds(self):
        self.check_always_cut("plain")

    def test_chunks_that_are_always_cut_fail_and_later_ones_succeed(self):
        self.check_always_cut("chunks")

    def test_an_unreachable_hub_is_named(self):
        self.client.add_hub(self.hub)
        self.hub.stop()
        try:
            self.client.run("install", APP, "--yes", expect=5)
            self.assert_error("unreachable-hub")
        finally:
            self.hub.start()

    def test_a_changed_bundle_is_refused(self):
        def rule(path, status, headers, body):
            return (status, headers, body[:-1] + b"x") if path.endswith(".locapp") else (status, headers, body)
        proxy = self.proxy(rule)
        self.client.add_hub(self.hub, proxy.url)
        self.client.run("install", APP, "--yes", expect=6)
        self.assert_error("changed-bundle")
        self.assert_nothing_half_installed()

    def test_an_expired_timestamp_is_refused_and_installed_apps_still_start(self):
        saved = {}

        def record(path, status, headers, body):
            saved[path] = (status, headers, body)
            return status, headers, body

        def replay(path, status, headers, body):
            return saved.get(path, (404, headers, b"{}")) if "/catalog/" in path else (status, headers, body)
        proxy = self.proxy(record)
        self.client.add_hub(self.hub, proxy.url)
        self.client.run("install", APP, "--yes")
        proxy.rule = replay
        prompt_app = next(a["id"] for a in self.client.json("search")["apps"] if a["kind"] == "prompt")
        self.client.run("install", prompt_app, "--yes", expect=6, faketime="+3d")
        self.assert_error("expired")
        self.client.stop()
        self.assertEqual(json.loads(self.client.run("run", APP, "--once", NOTE, faketime="+3d")), harness.ANSWER)

    def test_an_older_snapshot_replayed_is_refused(self):
        old = {}

        def record(path, status, headers, body):
            old[path] = (status, headers, body)
            return status, headers, body
        hub = Hub(self.folder / "rollback-hub")
        self.addCleanup(hub.stop)
        proxy = self.proxy(record, hub)
        fresh = harness.Client(tempfile.mkdtemp(dir=self.folder))
        fresh.add_hub(hub, proxy.url)          # records version 1 of everything
        self.client.add_hub(hub, proxy.url)

        seed = self.folder / "newer-seed"      # the hub publishes something new
        shutil.copytree(SEED, seed, symlinks=True)
        manifest = seed / "apps/quick-add/locara.json"
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": "9.0.0"}))
        hub.stop()
        hub.seed = seed
        hub.start()
        proxy.rule = lambda *answer: answer[1:]
        self.client.run("search", "--refresh")

        proxy.rule = lambda path, status, headers, body: old.get(path, (status, headers, body)) \
            if "/catalog/" in path else (status, headers, body)
        self.client.run("install", APP, "--yes", expect=6)
        self.assert_error("rolled-back")
        self.assert_nothing_half_installed()

    def test_no_disk_space_is_said_before_and_leaves_nothing(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to mount a small tmpfs")
        small = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", small], check=True)
        client = self.client
        client.add_hub(self.hub)
        client.environment["LOCARA_STORE"] = str(small / "store")
        client.run("install", APP, "--yes", expect=7)
        self.assert_error("no-space")
        self.assertEqual([p for p in small.rglob("*") if p.suffix == ".gguf" or "files" in p.parts and p.is_file()], [])

    def test_a_port_in_use_names_the_port_and_the_way_out(self):
        with harness.socket.socket() as holder:
            holder.bind(("127.0.0.1", self.client.port))
            holder.listen()
            self.client.run("serve", expect=9)
            self.assert_error("port-in-use")
            self.assert_hub_refuses("hub-port-in-use", self.folder / "second-hub", port=self.hub.port)

    def test_an_unknown_capability_is_named_with_its_path(self):
        seed = self.folder / "bad-seed"
        shutil.copytree(SEED, seed, symlinks=True)
        manifest = seed / "apps/quick-add/locara.json"
        document = json.loads(manifest.read_text())
        document["capabilities"]["network"] = ["example.org"]
        manifest.write_text(json.dumps(document))
        self.assert_hub_refuses("unknown-capability", self.folder / "bad-seed-hub", seed=seed)

    def test_a_manifest_whose_hash_is_wrong_is_refused_by_the_hub(self):
        seed = self.folder / "wrong-hash-seed"
        shutil.copytree(SEED, seed, symlinks=True)
        manifest = seed / "models/quick-add/manifest.json"
        document = json.loads(manifest.read_text())
        document["variants"][0]["files"][0]["sha256"] = "0" * 64
        manifest.write_text(json.dumps(document))
        self.assert_hub_refuses("wrong-hash", self.folder / "wrong-hash-hub", seed=seed)

    def test_a_pickle_under_another_name_is_refused_by_scan_and_by_the_hub(self):
        pickle = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."
        bad = self.folder / "model.safetensors"
        bad.write_bytes(pickle)
        good = SEED / "models/quick-add/repo/model.safetensors"
        report = json.loads(self.client.run("scan", bad, good, "--json", expect=8))
        self.assertEqual(report["schema"], "locara.scan/1")
        self.assertEqual([f["verdict"] for f in report["files"]], ["refuse", "allow"])
        self.assertEqual(report["files"][0]["label"], "malicious")
        self.assertEqual(report["files"][0]["rule"], "pickle.import.malicious")
        self.assertEqual(report["files"][0]["imports"], [
            {"module": "posix", "name": "system", "opcode": "STACK_GLOBAL", "offset": 17, "listed": False}])
        fields = {"path", "verdict", "label", "rule", "reason", "format", "offset", "member", "imports", "scanner", "version"}
        self.assertTrue(all(set(f) == fields for f in report["files"]))
        self.client.run("scan", good, expect=0)

        seed = self.folder / "pickle-seed"
        shutil.copytree(SEED, seed, symlinks=True)
        (seed / "models/quick-add/repo/model.safetensors").write_bytes(pickle)
        self.assert_hub_refuses("pickle-under-another-name", self.folder / "pickle-hub", seed=seed)

    def test_a_pull_killed_at_any_moment_loses_nothing(self):
        self.client.add_hub(self.hub)
        for delay in (0.02, 0.05, 0.08, 0.12, 0.2):
            process = self.client.start("install", APP, "--yes")
            time.sleep(delay)
            process.kill()
            process.communicate()
            self.client.run("verify")
        self.client.run("install", APP, "--yes")
        self.client.run("verify")

    def test_ctrl_c_stops_with_130_and_says_how_to_go_on(self):
        def slow(path, status, headers, body):
            if is_weights(path):
                time.sleep(2)
            return status, headers, body
        proxy = self.proxy(slow)
        self.client.add_hub(self.hub, proxy.url)
        process = self.client.start("install", APP, "--yes")
        wait_for(lambda: any(is_weights(r[1]) for r in proxy.requests), "the download to start")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=10)
        self.assertEqual(process.returncode, 130, stderr)
        self.assertIn("again", stderr)
        self.assert_nothing_half_installed()

    def test_an_engine_that_dies_while_answering_is_reported_and_comes_back(self):
        client = self.client
        client.add_hub(self.hub)
        client.run("install", APP, "--yes")
        client.run("run", APP, "--once", NOTE)  # the engine is up now

        def engine_pids():
            found = []
            for entry in pathlib.Path("/proc").glob("[0-9]*"):
                try:
                    if (entry / "comm").read_text().strip() == "llama-server" and \
                            str(client.home).encode() in (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes() + \
                            (entry / "mountinfo").read_bytes():
                        found.append(int(entry.name))
                except OSError:
                    pass
            return found
        victims = wait_for(engine_pids, "the engine process")
        for pid in victims:
            os.kill(pid, signal.SIGSTOP)       # it answers nothing from here on
        process = client.start("run", APP, "--once", NOTE)
        time.sleep(0.7)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        stdout, stderr = process.communicate(timeout=60)
        self.assertNotEqual(process.returncode, 0, stdout)
        self.assertIn("engine", stderr)
        self.assertEqual(stdout, "")
        self.assertEqual(json.loads(client.run("run", APP, "--once", NOTE)), harness.ANSWER)


if __name__ == "__main__":
    harness.main()
