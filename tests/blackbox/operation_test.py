"""What an operator has to do with: numbers, limits, the record of who did what, and quotas, on a real hub."""
import json
import os
import pathlib
import pwd
import re
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import urllib.request

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

    def test_a_configuration_says_all_that_serving_needs(self):
        port = harness.free_port()
        path = self.folder / "hub.toml"
        path.write_text(f'[server]\ndata = "here"\nlisten = "127.0.0.1:{port}"\n')
        # From another folder: paths begin in that of the file.
        hub = subprocess.Popen([harness.BIN / "locara-hub", "serve", "--config", path], cwd="/", stderr=subprocess.DEVNULL)
        self.addCleanup(hub.wait)
        self.addCleanup(hub.terminate)
        wait_for(lambda: (self.folder / "here/ready").exists() or hub.poll() is not None, "the hub")
        self.assertIsNone(hub.poll())
        self.assertIn(f":{port}", (self.folder / "here/ready").read_text())
        # An option wins.
        other = subprocess.run([harness.BIN / "locara-hub", "serve", "--config", path, "--data", self.folder / "there",
                                "--listen", "nowhere"], capture_output=True, text=True)
        self.assertEqual(other.returncode, 2)
        none = subprocess.run([harness.BIN / "locara-hub", "serve", "--listen", "127.0.0.1:0"], cwd=self.folder,
                              capture_output=True, text=True)
        self.assertEqual(none.returncode, 2)
        self.assertIn("neither --data nor server.data", none.stderr)

    def test_an_operator_manages_repositories_of_a_hub_that_serves(self):
        hub = self.hub()
        ana = hub.make_writer("ana")
        hub.admin("org", "create", "lab")
        self.assertEqual(hub.admin("repo", "create", "lab/tiny", "--private"), "lab/tiny  private  gate open")
        self.assertEqual(call(hub, "GET", "/api/models/lab/tiny", ana).status, 404)
        publish(hub, ana, "ana/m", {"w.bin": noise(3, MIB)})
        hub.admin("repo", "set", "lab/tiny", "--visibility", "public", "--gate", "manual")
        shown = call(hub, "GET", "/api/models/lab/tiny", ana).json()
        self.assertEqual((shown["private"], shown["gated"]), (False, "manual"))
        hub.admin("repo", "move", "ana/m", "lab/m")
        self.assertEqual(call(hub, "GET", "/api/models/ana/m").status, 307)
        listed = json.loads(hub.admin("repo", "list", "--json"))["repositories"]
        self.assertEqual([(one["id"], one["visibility"], one["gate"], one["files"], one["bytes"]) for one in listed],
                         [("lab/m", "public", "open", 1, MIB), ("lab/tiny", "public", "manual", 0, 0)])
        self.assertRegex(hub.admin("repo", "list"), r"(?m)1\.0 MB +1 files  public   open    lab/m$")
        hub.admin("repo", "rm", "lab/m")
        self.assertEqual(call(hub, "GET", "/api/models/lab/m", ana).status, 404)
        hub.admin("repo", "rm", "lab/m", expect=3)
        hub.admin("repo", "create", "nobody/x", expect=3)
        hub.admin("repo", "create", "lab/tiny", expect=9)
        hub.admin("repo", "set", "lab/tiny", expect=2)
        lines = [json.loads(line) for line in hub.admin("audit", "list", "--json").splitlines()]
        told = [(line["event"], line["repo"], line.get("to"), line["private"]) for line in lines if "repo" in line
                and line["by"].startswith("operator:")]
        self.assertEqual(told, [("repo-created", "lab/tiny", None, True), ("repo-settings", "lab/tiny", None, False),
                                ("repo-moved", "ana/m", "lab/m", False), ("repo-removed", "lab/m", None, False)])

    def test_help_has_examples_of_the_verb_at_hand(self):
        def help_of(*verbs):
            return subprocess.run([harness.BIN / "locara-hub", *verbs, "--help"], check=True, text=True, stdout=subprocess.PIPE).stdout

        def below(text):
            return re.findall(r"(?m)^  ([a-z-]+)  ", text.partition("Subcommands:")[2].partition("\n\n")[0])
        verbs = below(help_of())
        self.assertIn("mirror", verbs)
        for verb in verbs:
            text = help_of(verb)
            for said in (text, *(help_of(verb, one) for one in below(text))):
                examples = said.partition("Examples:\n")[2].splitlines()
                self.assertTrue(examples and examples[0].startswith(f"  locara-hub {verb} "), said)

    def test_users_are_listed_and_leave_with_what_is_theirs(self):
        hub = self.hub()
        ana, zed = hub.make_writer("ana"), hub.make_writer("zed")
        hub.admin("org", "create", "lab")
        hub.admin("org", "add-member", "lab", "zed", "--role", "write")
        listed = json.loads(hub.admin("user", "list", "--json"))["users"]
        self.assertEqual([user["name"] for user in listed], ["ana", "zed"])
        call(hub, "POST", "/api/repos/create", zed, {"name": "m", "private": True})
        hub.admin("user", "rm", "zed", expect=9)  # its repository would be nobody's
        hub.admin("repo", "move", "zed/m", "ana/m")
        hub.admin("user", "rm", "ZED")
        self.assertEqual(call(hub, "GET", "/api/whoami-v2", zed).status, 401)
        self.assertEqual(call(hub, "GET", "/api/models/ana/m", ana).status, 200)
        self.assertEqual(json.loads(hub.admin("org", "list", "--json"))["organizations"][0]["members"], [])
        self.assertEqual(hub.admin("user", "list").split()[0], "ana")
        hub.admin("user", "rm", "zed", expect=3)

    def test_only_apps_are_public_unless_the_configuration_says_otherwise(self):
        hub = self.hub('[repos]\npublic = ["app"]\n')
        ana = hub.make_writer("ana")
        at = ("--config", self.folder / "hub.toml")

        def make(**said):
            return call(hub, "POST", "/api/repos/create", ana, said)
        self.assertEqual(make(name="m").status, 200)
        self.assertEqual(make(name="app", type="space").status, 200)
        for repo, status in (("models/ana/m", 401), ("spaces/ana/app", 200)):
            self.assertEqual(call(hub, "GET", f"/api/{repo}").status, status)
        self.assertEqual(call(hub, "GET", "/api/models/ana/m", ana).status, 200)
        refused = make(name="p", private=False)
        self.assertEqual(refused.status, 403)
        self.assertIn('no public registry of models', refused.json()["error"])
        self.assertIn('[repos] in hub.toml', refused.json()["error"])
        hub.admin("repo", "create", "ana/x", *at, expect=8)
        hub.admin("repo", "create", "datasets/ana/x", "--public", *at, expect=8)
        hub.admin("repo", "create", "ana/x", "--private", *at)
        hub.admin("repo", "set", "ana/x", "--visibility", "public", *at, expect=8)
        self.assertEqual(hub.admin("repo", "create", "spaces/ana/y", *at), "spaces/ana/y  public  gate open")

    def test_only_proxies_say_that_a_client_came_by_https(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))  # Sends nothing: it asks by which address one would.
            except OSError:
                self.skipTest("this machine has no address but those of its own")
            outside = probe.getsockname()[0]
        path, data = self.folder / "hub.toml", self.folder / "data"

        def links(host):
            request = urllib.request.Request(f"http://{host}:{port}/.well-known/openid-configuration",
                                             headers={"X-Forwarded-Proto": "https"})
            return json.load(urllib.request.urlopen(request, timeout=20))["issuer"].partition(":")[0]
        for proxies, believed in ("[]", "http"), (f'["{outside}"]', "https"):
            port = harness.free_port()
            path.write_text(f'[server]\ndata = "data"\nlisten = "0.0.0.0:{port}"\ntrusted_proxies = {proxies}\n')
            hub = subprocess.Popen([harness.BIN / "locara-hub", "serve", "--config", path], stderr=subprocess.DEVNULL)
            try:
                wait_for(lambda: (data / "ready").exists() or hub.poll() is not None, "the hub")
                self.assertEqual((links("127.0.0.1"), links(outside)), ("https", believed))
            finally:
                hub.terminate()
                hub.wait()

    def test_what_is_installed_serves_as_its_unit_says(self):
        subprocess.run(["cmake", "--install", harness.BUILD, "--prefix", self.folder / "usr", "--component", "hub"], check=True,
                       stdout=subprocess.DEVNULL)
        unit = (self.folder / "usr/lib/systemd/system/locara-hub.service").read_text()
        self.assertNotIn("/usr/", unit.replace(str(self.folder / "usr"), ""))
        made = (self.folder / "usr/lib/sysusers.d/locara-hub.conf").read_text()
        self.assertEqual(re.findall(r"^u (\S+) ", made, re.M), re.findall(r"^User=(\S+)$", unit, re.M))
        port = harness.free_port()
        for folder in ("state", "configuration"):
            (self.folder / folder).mkdir()
        (self.folder / "configuration/hub.toml").write_text(f'[server]\nlisten = "127.0.0.1:{port}"\n')
        command = re.search(r"^ExecStart=(.+)$", unit, re.M)[1].replace("${STATE_DIRECTORY}", str(self.folder / "state"))
        command = command.replace("${CONFIGURATION_DIRECTORY}", str(self.folder / "configuration"))
        self.assertNotIn("$", command)
        hub = subprocess.Popen(command.split(), cwd="/", stderr=subprocess.DEVNULL)
        self.addCleanup(hub.wait)
        self.addCleanup(hub.terminate)
        wait_for(lambda: (self.folder / "state/ready").exists() or hub.poll() is not None, "the hub")
        self.assertIsNone(hub.poll())
        self.assertIn(f":{port}", (self.folder / "state/ready").read_text())

    def test_only_its_own_user_works_on_a_hub(self):
        hub = self.hub()
        if os.geteuid() != 0:
            self.skipTest("needs root to give a folder away")
        data = self.folder / "given"
        subprocess.run([harness.BIN / "locara-hub", "backup", data, "--data", hub.folder], check=True, stdout=subprocess.DEVNULL)
        restored = self.folder / "restored"
        subprocess.run([harness.BIN / "locara-hub", "restore", data, "--data", restored], check=True, stdout=subprocess.DEVNULL)
        nobody = pwd.getpwnam("nobody")
        for path in (restored, *restored.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
        before = sorted(restored.rglob("*"))
        for words in (["user", "list"], ["gc"], ["serve", "--listen", "127.0.0.1:0"], ["keys", "rotate", "timestamp"]):
            done = subprocess.run([harness.BIN / "locara-hub", *words, "--data", restored], capture_output=True, text=True)
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertIn("belongs to the user nobody", done.stderr)
            self.assertIn("sudo -u 'nobody' locara-hub", done.stderr)
        self.assertEqual(sorted(restored.rglob("*")), before)

    def test_a_path_that_is_empty_is_none(self):
        hub = self.hub()
        for words in (["backup", "", "--data", hub.folder], ["restore", hub.folder, "--data", ""], ["init", "--data", ""],
                      ["takedown", "add", "a/b", "--reason", "r", "--to", "", "--data", hub.folder], ["user", "add", "", "--data", hub.folder]):
            done = subprocess.run([harness.BIN / "locara-hub", *words], capture_output=True, text=True)
            self.assertEqual((done.returncode, "is empty" in done.stderr), (2, True), (words, done.stderr))

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

    def test_pushes_refs_and_collections_are_kept_too(self):
        hub = self.hub()
        ana = hub.make_writer("ana")
        call(hub, "POST", "/api/repos/create", ana, {"name": "m"})
        work = hub.folder.parent / "work"

        def git(*arguments, folder=work, expect=0):
            done = subprocess.run(["git", "-c", "user.name=ana", "-c", "user.email=ana@example.org", *arguments], cwd=folder,
                                  text=True, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, expect, done.stderr)
            return done.stdout.strip()

        def told(event):
            lines = [json.loads(line) for line in hub.admin("audit", "list", "--json", "--event", event).splitlines()]
            for line in lines:
                self.assertEqual((line["by"], line["address"]), ("ana", "127.0.0.1"))
                self.assertRegex(line["request"], "^[0-9a-f]{16}$")
            return lines

        git("clone", "-q", f"http://ana:{ana}@127.0.0.1:{hub.port}/ana/m", work, folder=hub.folder.parent)
        first = git("rev-parse", "HEAD")
        git("commit", "-q", "--allow-empty", "-m", "second")
        second = git("rev-parse", "HEAD")
        git("push", "-q", "origin", "HEAD:main", "HEAD:refs/heads/side", "HEAD:refs/tags/v1")
        git("push", "-q", "origin", ":side")
        git("commit", "-q", "--allow-empty", "-m", "third")
        third = git("rev-parse", "HEAD")
        git("push", "-q", "origin", f"+{first}:main", f"{third}:refs/heads/next")
        git("push", "-q", "origin", ":main", expect=1)  # refused, so not there
        self.assertEqual([(line["repo"], line["type"], line["private"]) for line in told("pushed")],
                         [("ana/m", "model", False)] * 3)
        self.assertEqual([sorted((ref["ref"], ref["from"], ref["to"]) for ref in line["refs"]) for line in told("pushed")], [
            [("refs/heads/main", first, second), ("refs/heads/side", None, second), ("refs/tags/v1", None, second)],
            [("refs/heads/side", second, None)],
            [("refs/heads/main", second, first), ("refs/heads/next", None, third)]])
        # More of them than a line takes: all are told.
        git("push", "-q", "origin", *(f"HEAD:refs/tags/many-{i}" for i in range(250)))
        lines = told("pushed")[3:]
        self.assertEqual([len(line["refs"]) for line in lines], [100, 100, 50])
        self.assertEqual(len({line["request"] for line in lines}), 1)
        self.assertEqual(len({ref["ref"] for line in lines for ref in line["refs"]}), 250)

        call(hub, "POST", "/api/models/ana/m/branch/made", ana, {})
        call(hub, "POST", "/api/models/ana/m/tag/main", ana, {"tag": "v2"})
        self.assertEqual([line["ref"] for line in told("ref-created")], ["refs/heads/made", "refs/tags/v2"])
        call(hub, "POST", "/api/models/ana/m/branch/made", ana, {"startingPoint": "next", "overwrite": True})
        self.assertEqual([(line["ref"], line["from"], line["to"]) for line in told("ref-moved")],
                         [("refs/heads/made", first, third)])
        call(hub, "DELETE", "/api/models/ana/m/branch/made", ana)
        call(hub, "DELETE", "/api/models/ana/m/tag/v2", ana)
        self.assertEqual([(line["ref"], line["from"], line["to"]) for line in told("ref-removed")],
                         [("refs/heads/made", third, None), ("refs/tags/v2", first, None)])
        squashed = call(hub, "POST", "/api/models/ana/m/super-squash/next", ana, {}).json()["commitId"]
        self.assertEqual([(line["ref"], line["from"], line["to"]) for line in told("history-squashed")],
                         [("refs/heads/next", third, squashed)])

        made = call(hub, "POST", "/api/models/ana/m/discussions", ana, {"title": "Words", "description": "first"}).json()
        said = call(hub, "POST", "/api/models/ana/m/discussions/%d/comment" % made["num"], ana,
                    {"comment": "second"}).json()["newMessage"]
        call(hub, "POST", "/api/models/ana/m/discussions/%d/comment/%s/hide" % (made["num"], said["id"]), ana)
        self.assertEqual([(line["repo"], line["discussion"], line["comment"], line["author"])
                          for line in told("comment-hidden")], [("ana/m", made["num"], said["id"], "ana")])

        slug = call(hub, "POST", "/api/collections", ana, {"title": "Shelf", "private": True}).json()["slug"]
        path = f"/api/collections/{slug}"
        call(hub, "POST", path + "/items", ana, {"item": {"type": "model", "id": "ana/m"}})
        item = call(hub, "GET", path, ana).json()["items"][0]["_id"]
        call(hub, "PATCH", f"{path}/items/{item}", ana, {"note": "good"})
        call(hub, "DELETE", f"{path}/items/{item}", ana)
        self.assertEqual(call(hub, "DELETE", f"{path}/items/{item}", ana).status, 404)
        renamed = call(hub, "PATCH", path, ana, {"title": "Board", "private": False}).json()["data"]["slug"]
        call(hub, "DELETE", f"/api/collections/{renamed}", ana)
        for event, collection, private in (("collection-created", slug, True), ("collection-changed", renamed, False),
                                           ("collection-removed", renamed, False)):
            self.assertEqual([(line["collection"], line["private"]) for line in told(event)], [(collection, private)], event)
        for event in ("added", "changed", "removed"):
            self.assertEqual([(line["collection"], line["item"]) for line in told(f"collection-item-{event}")],
                             [(slug, "model ana/m")], event)
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
