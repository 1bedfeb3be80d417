"""Evidence, taken from outside, that the engine reaches no address: its network namespace, its system calls."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from tests import harness
from tests.harness import ANSWER, APP, NOTE, wait_for


def processes_named(name):
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "comm").read_text().strip() == name:
                yield entry
        except OSError:
            pass


class Isolation(harness.TestCase):
    def start_engine(self):
        before = {p.name for p in processes_named("llama-server")}
        self.client.add_hub(self.hub)
        self.client.run("install", APP, "--yes")
        self.client.run("run", APP, "--once", NOTE)
        return wait_for(lambda: [p for p in processes_named("llama-server") if p.name not in before], "the engine")[0]

    def test_the_engine_has_walls_that_can_be_seen_from_outside(self):
        engine = self.start_engine()
        ours = os.readlink("/proc/self/ns/net")
        self.assertNotEqual(os.readlink(engine / "ns/net"), ours, "own network namespace")
        for space in ("mnt", "pid", "ipc", "uts", "user"):
            self.assertNotEqual(os.readlink(engine / f"ns/{space}"), os.readlink(f"/proc/self/ns/{space}"), space)
        devices = [line.split(":")[0].strip() for line in (engine / "net/dev").read_text().splitlines()[2:]]
        self.assertEqual(devices, ["lo"], "no interface but its own loopback")
        for table in ("tcp", "tcp6", "udp", "udp6"):
            self.assertEqual(len((engine / "net" / table).read_text().splitlines()), 1, f"no {table} socket")
        status = (engine / "status").read_text()
        self.assertRegex(status, r"Seccomp:\s+2", "system calls are filtered")
        self.assertRegex(status, r"NoNewPrivs:\s+1")
        self.assertRegex(status, r"CapEff:\s+0000000000000000")
        mounts = (engine / "mountinfo").read_text()
        weights = [line for line in mounts.splitlines() if ".gguf" in line or "/store/files/" in line]
        self.assertTrue(weights, "the weights are mounted")
        for line in weights:
            self.assertRegex(line.split()[5], r"\bro\b", "weights are read-only")

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_no_system_call_of_broker_or_engine_connects_beyond_this_machine(self):
        self.client.add_hub(self.hub)
        self.client.run("install", APP, "--yes")
        self.hub.stop()
        try:
            log = self.folder / "strace.log"
            broker = subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg,socket", "-o", log,
                                       harness.BIN / "locara", "serve"], env=self.client.environment,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                wait_for(lambda: self.client.start("status").wait() == 0, "the broker", 60)
                self.assertEqual(json.loads(self.client.run("run", APP, "--once", NOTE)), ANSWER)
            finally:
                self.client.stop()
                broker.wait(timeout=30)
        finally:
            self.hub.start()
        trace = log.read_text()
        self.assertIn("AF_UNIX", trace, "the trace has seen the broker talk to its engine")
        outside = [line for line in trace.splitlines()
                   if re.search(r"AF_INET6?\b", line) and re.search(r"\b(connect|sendto|sendmsg)\(", line)
                   and not re.search(r'127\.0\.0\.1|"::1"', line)]
        self.assertEqual(outside, [])


if __name__ == "__main__":
    harness.main()
