"""What an operator has to do with: numbers, limits, the record of who did what, and quotas, on a real hub."""
import json
import pathlib
import re
import shutil
import sqlite3
import subprocess
import tempfile

from tests import harness
from tests.harness import wait_for
from tests.harness.mirror import call, noise, publish

MIB = 1 << 20


class OperationTest(harness.unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="locara-operation-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def hub(self, config=""):
        path = self.folder / "hub.toml"
        path.write_text(config)
        hub = harness.Hub(self.folder / "data", seed=None, config=path)
        self.addCleanup(lambda: hub.process and hub.stop())
        return hub

    def test_metrics_count_what_was_done(self):
        hub = self.hub()
        ana = hub.make_writer("ana")
        content = noise(1, MIB)
        publish(hub, ana, "ana/m", {"w.bin": content})
        self.assertEqual(call(hub, "GET", "/ana/m/resolve/main/w.bin").body, content)

        def numbers():
            return call(hub, "GET", "/metrics").body.decode()

        def sent():
            return int(re.search(r"^locara_hub_response_bytes_total (\d+)$", numbers(), re.M)[1])

        wait_for(lambda: sent() > MIB, "the bytes to be counted")
        self.assertGreater(int(re.search(r"^locara_hub_request_body_bytes_total (\d+)$", numbers(), re.M)[1]), MIB / 2)
        self.assertRegex(numbers(), r'locara_hub_requests_total\{route="/\{org\}/\{repo\}/resolve/\{rev\}/\{\*path\}",'
                                    r'method="GET",status="2xx"\} 1\n')
        self.assertNotIn("ana", numbers())
        hub.admin("gc")
        self.assertRegex(numbers(), r"locara_hub_gc_end_timestamp_seconds \d{10}\n")

    def test_one_request_too_many_is_told_when_to_come_again(self):
        hub = self.hub('[server]\ntrusted_proxies = ["127.0.0.1"]\n[limits]\napi = 2\ntoken_api = 4\nwindow = "1h"\n')
        ana = hub.make_writer("ana")
        near = {"X-Forwarded-For": "192.0.2.1"}
        for left in (1, 0):
            answer = call(hub, "GET", "/api/models", headers=near)
            self.assertRegex(answer.headers["RateLimit"], rf'^"api";r={left};t=\d+$')
            self.assertEqual(answer.headers["RateLimit-Policy"], '"fixed window";"api";q=2;w=3600')
        answer = call(hub, "GET", "/api/models", headers=near)
        self.assertEqual(answer.status, 429)
        self.assertGreater(int(answer.headers["Retry-After"]), 0)
        self.assertIn("too many requests", answer.json()["error"])
        # Another address, the hub's own machine and a known token go on.
        self.assertEqual(call(hub, "GET", "/api/models", headers={"X-Forwarded-For": "192.0.2.2"}).status, 200)
        self.assertEqual(call(hub, "GET", "/api/models").status, 200)
        self.assertEqual(call(hub, "GET", "/api/whoami-v2", ana, headers={"X-Forwarded-For": "192.0.2.3"}).status, 200)
        self.assertEqual(call(hub, "GET", "/api/whoami-v2", ana, headers=near).status, 200)
        self.assertEqual(call(hub, "GET", "/healthz", headers=near).status, 200)

    def test_who_did_what_is_kept_and_a_change_of_it_found(self):
        hub = self.hub()
        ana = hub.make_writer("ana")
        hub.admin("org", "create", "lab")
        hub.admin("org", "add-member", "lab", "ana", "--role", "admin")
        made = call(hub, "POST", "/api/repos/create", ana, {"name": "m", "private": True},
                    headers={"X-Request-Id": "mine-1"})
        self.assertEqual(made.status, 200)
        call(hub, "DELETE", "/api/repos/delete", ana, {"name": "m"})
        hub.admin("quota", "set", "lab", "2TB")
        lines = [json.loads(line) for line in hub.admin("audit", "list", "--json").splitlines()]
        self.assertEqual([line["event"] for line in lines], [
            "user-added", "token-created", "org-created", "member-added", "signed-in", "repo-created", "repo-removed",
            "quota-set"])
        self.assertEqual([line["seq"] for line in lines], list(range(1, 9)))
        created = lines[5]
        self.assertEqual((created["by"], created["repo"], created["private"], created["address"], created["request"]),
                         ("ana", "ana/m", True, "127.0.0.1", "mine-1"))
        self.assertTrue(lines[0]["by"].startswith("operator:"))
        self.assertNotIn(ana, json.dumps(lines))
        only = hub.admin("audit", "list", "--event", "repo-created", "--by", "ana")
        self.assertRegex(only, r'^\S+Z  repo-created  by="ana"  repo="ana/m"')
        report = json.loads(hub.admin("audit", "verify", "--json"))
        self.assertEqual((report["records"], report["head"]), (8, lines[-1]["hash"]))
        if hub.database:
            return
        for change, back, found in (
                ("UPDATE audit SET line = replace(line, 'ana/m', 'ben/m') WHERE seq = 6",
                 "UPDATE audit SET line = replace(line, 'ben/m', 'ana/m') WHERE seq = 6", "line 6"),
                ("UPDATE audit SET seq = 100 WHERE seq = 3", "UPDATE audit SET seq = 3 WHERE seq = 100", "line 4")):
            with sqlite3.connect(hub.folder / "names.db") as database:
                database.execute(change)
            failed = subprocess.run(hub.command("audit", "verify"), capture_output=True, text=True)
            self.assertNotEqual(failed.returncode, 0)
            self.assertIn(f"{found} of the audit log", failed.stderr)
            with sqlite3.connect(hub.folder / "names.db") as database:
                database.execute(back)
            hub.admin("audit", "verify")

    def test_quotas_are_shown_set_and_kept_to(self):
        hub = self.hub('[quotas]\nuser = "2MB"\n')
        ana = hub.make_writer("ana")
        hub.admin("org", "create", "lab")
        shown = hub.admin("quota", "show", "--config", self.folder / "hub.toml")
        self.assertIn("unless set: users 2.0 MB, organizations no bound", shown)
        self.assertIn("user          ana  uses 0 B of 2.0 MB", shown)
        self.assertEqual(call(hub, "POST", "/api/repos/create", ana, {"name": "m"}).status, 200)
        content = noise(2, 3 * MIB)
        refused = call(hub, "POST", "/api/models/ana/m/preupload/main", ana,
                       {"files": [{"path": "w.bin", "size": len(content), "sample": "AAAA"}]})
        self.assertEqual(refused.status, 403)
        self.assertRegex(refused.json()["error"], r"^Storage limit reached: ana uses \d+.* of the 2.0 MB it is allowed on "
                                                  r"this hub, and this takes 3.1 MB more")
        self.assertEqual(refused.headers["X-Error-Message"], refused.json()["error"])
        hub.admin("quota", "set", "ana", "100MB")
        publish(hub, ana, "ana/m", {"w.bin": content})
        one = json.loads(hub.admin("quota", "show", "ana", "--json"))["quotas"][0]
        self.assertEqual((one["name"], one["type"], one["quota_bytes"], one["default"]),
                         ("ana", "user", 100_000_000, False))
        self.assertGreater(one["used_bytes"], len(content))
        hub.admin("quota", "set", "ana", "default")
        self.assertEqual(call(hub, "GET", "/api/models/ana/m/xet-write-token/main", ana).status, 403)
        self.assertEqual(call(hub, "GET", "/ana/m/resolve/main/w.bin").body, content)
        hub.admin("quota", "set", "nobody", "1GB", expect=3)
        hub.admin("quota", "set", "ana", "much", expect=2)


if __name__ == "__main__":
    harness.main()
