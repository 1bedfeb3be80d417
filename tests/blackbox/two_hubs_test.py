"""Two hub processes on one data folder, over SQLite and over PostgreSQL: what one took the other has, and of those who
race one wins."""
import concurrent.futures
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request

from tests import harness
from tests.harness import mirror


class TwoHubs:
    ROUNDS = 6

    @classmethod
    def setUpClass(cls):
        cls.folder = harness.pathlib.Path(harness.tempfile.mkdtemp(prefix="locara-two-"))
        cls.one = harness.Hub(cls.folder / "hub", seed=None, database=cls.make_database())
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.addClassCleanup(cls.one.stop)
        cls.two = harness.Hub(cls.folder / "hub", seed=None, join=True)
        cls.addClassCleanup(cls.two.stop)
        cls.token = cls.one.make_writer("ana")

    def git(self, *arguments, folder=None, fine=True):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0",
                       "GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"), "GIT_CONFIG_SYSTEM": "/dev/null",
                       **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                          for what, value in (("NAME", "Ana"), ("EMAIL", "ana@example.org"))}}
        done = subprocess.run(["git", *map(str, arguments)], cwd=folder or self.folder, env=environment, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if fine:
            self.assertEqual(done.returncode, 0, done.stdout)
        return done

    def remote(self, hub, name):
        return hub.url.replace("http://", f"http://ana:{self.token}@") + "/ana/" + name

    def call(self, hub, path, body=None, method=None, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(hub.url + path, data, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", kind)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def make(self, hub, name):
        self.call(hub, "/api/repos/create", {"name": name, "private": True})

    def clone(self, hub, name, folder):
        self.git("clone", "--quiet", self.remote(hub, name), self.folder / folder)
        self.git("lfs", "install", "--local", folder=self.folder / folder)
        self.git("lfs", "pull", folder=self.folder / folder)
        return self.folder / folder

    def at_once(self, *works):
        with concurrent.futures.ThreadPoolExecutor(len(works)) as pool:
            return [one.result() for one in [pool.submit(work) for work in works]]

    def test_what_one_took_the_other_gives(self):
        self.make(self.one, "shared")
        mine = self.clone(self.one, "shared", "shared-1")
        large = os.urandom(300_000)
        (mine / "a.bin").write_bytes(large)
        (mine / "README.md").write_text("# shared\n")
        self.git("add", ".", folder=mine)
        self.git("commit", "--quiet", "-m", "first", folder=mine)
        self.git("push", "--quiet", "origin", "HEAD:main", folder=mine)
        theirs = self.clone(self.two, "shared", "shared-2")
        self.assertEqual((theirs / "a.bin").read_bytes(), large)
        # And back, by a commit of the API; then what both list is the same.
        self.call(self.two, "/api/models/ana/shared/commit/main", kind="application/x-ndjson", body=b"\n".join(
            json.dumps(line).encode() for line in (
                {"key": "header", "value": {"summary": "by the API"}},
                {"key": "file", "value": {"path": "b.txt", "content": "b\n", "encoding": "utf-8"}})))
        self.git("pull", "--quiet", "origin", "main", folder=mine)
        self.assertEqual((mine / "b.txt").read_text(), "b\n")
        trees = [self.call(hub, "/api/models/ana/shared/tree/main?expand=true") for hub in (self.one, self.two)]
        self.assertEqual(*trees)

    def test_of_pushes_that_race_one_wins(self):
        self.make(self.one, "race")
        clones = [self.clone(hub, "race", f"race-{i}") for i, hub in enumerate((self.one, self.two))]
        for round_ in range(self.ROUNDS):
            commits = []
            for i, clone in enumerate(clones):
                self.git("fetch", "--quiet", "origin", folder=clone)
                self.git("reset", "--quiet", "--hard", "origin/main", folder=clone)
                (clone / f"{round_}-{i}.txt").write_text(f"{round_} {i}\n")
                self.git("add", ".", folder=clone)
                self.git("commit", "--quiet", "-m", f"{round_} {i}", folder=clone)
                commits.append(self.git("rev-parse", "HEAD", folder=clone).stdout.strip())
            pushed = self.at_once(*[lambda clone=clone: self.git("push", "--quiet", "origin", "HEAD:main", "HEAD:refs/heads/side",
                                                                 folder=clone, fine=False) for clone in clones])
            won = [commit for commit, one in zip(commits, pushed) if one.returncode == 0]
            self.assertEqual(len(won), 1, [one.stdout for one in pushed])
            for hub in (self.one, self.two):  # both refs, or none
                refs = self.call(hub, "/api/models/ana/race/refs")["branches"]
                self.assertEqual({ref["name"]: ref["targetCommit"] for ref in refs}, {"main": won[0], "side": won[0]})
            for clone in clones:
                self.git("push", "--quiet", "origin", ":refs/heads/side", folder=clone, fine=False)

    def test_commits_that_name_no_parent_are_all_made(self):
        self.make(self.one, "all-made")

        def commit(hub, name):
            self.call(hub, "/api/models/ana/all-made/commit/main", kind="application/x-ndjson", body=b"\n".join(
                json.dumps(line).encode() for line in (
                    {"key": "header", "value": {"summary": name}},
                    {"key": "file", "value": {"path": name, "content": name, "encoding": "utf-8"}})))

        names = [f"{i}.txt" for i in range(16)]
        self.at_once(*[lambda i=i, name=name: commit((self.one, self.two)[i % 2], name) for i, name in enumerate(names)])
        for hub in (self.one, self.two):
            tree = self.call(hub, "/api/models/ana/all-made/tree/main")
            self.assertLessEqual(set(names), {entry["path"] for entry in tree})

    def test_of_commits_that_race_on_one_parent_one_wins(self):
        self.make(self.one, "api-race")
        for round_ in range(self.ROUNDS):
            parent = self.call(self.one, "/api/models/ana/api-race/revision/main")["sha"]

            def commit(hub, name):
                body = b"\n".join(json.dumps(line).encode() for line in (
                    {"key": "header", "value": {"summary": name, "parentCommit": parent}},
                    {"key": "file", "value": {"path": name, "content": name, "encoding": "utf-8"}}))
                try:
                    self.call(hub, "/api/models/ana/api-race/commit/main", body, kind="application/x-ndjson")
                    return 200
                except urllib.error.HTTPError as error:
                    error.close()
                    return error.code

            answers = self.at_once(lambda: commit(self.one, f"{round_}-one"), lambda: commit(self.two, f"{round_}-two"))
            self.assertEqual(sorted(answers), [200, 412])

    def test_of_repositories_with_one_name_one_is_made(self):
        for round_ in range(self.ROUNDS):
            def make(hub):
                try:
                    self.make(hub, f"made-{round_}")
                    return 200
                except urllib.error.HTTPError as error:
                    error.close()
                    return error.code

            self.assertEqual(sorted(self.at_once(lambda: make(self.one), lambda: make(self.two))), [200, 409])

    def test_one_goes_on_when_the_other_is_killed(self):
        self.make(self.two, "alone")
        self.one.kill()
        clone = self.clone(self.two, "alone", "alone-1")
        (clone / "x.txt").write_text("x\n")
        self.git("add", ".", folder=clone)
        self.git("commit", "--quiet", "-m", "x", folder=clone)
        self.git("push", "--quiet", "origin", "HEAD:main", folder=clone)
        self.one.start()
        self.clone(self.one, "alone", "alone-2")
        revoked = self.one.make_token("ana", "--name", "short")
        for hub in (self.one, self.two):
            self.assertEqual(self.whoami(hub, revoked), 200)
        self.one.admin("token", "revoke", next(line.split()[0] for line in self.one.admin("token", "list").splitlines()
                                               if " short " in line))
        for hub in (self.one, self.two):
            self.assertEqual(self.whoami(hub, revoked), 401)
        self.one.admin("fsck")

    def whoami(self, hub, token):
        request = urllib.request.Request(hub.url + "/api/whoami-v2", headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code


class MirrorJoined(mirror.TestCase):
    """Two processes that share a folder and its hub.toml, which names a seed and an upstream."""

    def test_what_one_fetched_the_other_gives_and_asks_for_nothing(self):
        mirror.publish(self.upstream, self.ana, "ana/tiny", {"a.txt": b"a\n", "b.txt": b"b\n"})
        proxy = self.proxy()
        data = self.folder / "shared"
        data.mkdir()
        self.configure(data / "hub.toml", proxy.url, freshness="0s")
        (data / "seed/models").mkdir(parents=True)
        (data / "hub.toml").write_text('[server]\nseed = "seed"\n' + (data / "hub.toml").read_text())
        one = harness.Hub(data, seed=None)
        self.addCleanup(one.stop)
        two = harness.Hub(data, seed=None, join=True)
        self.addCleanup(two.stop)
        path = "/ana/tiny/resolve/main/"
        refused = mirror.call(two, "GET", path + "a.txt")
        self.assert_error(refused, 424, "MirrorOffline")
        self.assertIn("only the first one fetches", refused.json()["error"])
        self.assertEqual(proxy.requests, [])
        self.assert_content(mirror.call(one, "GET", path + "a.txt"), b"a\n")
        asked = len(proxy.requests)
        harness.wait_for(lambda: mirror.call(two, "GET", path + "a.txt").status == 200, "the file to be stored")
        self.assert_content(mirror.call(two, "GET", path + "a.txt"), b"a\n")
        self.assertEqual(mirror.call(two, "GET", "/api/models/ana/tiny").status, 200)
        self.assert_error(mirror.call(two, "GET", path + "b.txt"), 424, "MirrorOffline")
        self.assertEqual(len(proxy.requests), asked)


class OverSqlite(TwoHubs, harness.unittest.TestCase):
    @classmethod
    def make_database(cls):
        return None


class OverPostgresql(TwoHubs, harness.unittest.TestCase):
    @classmethod
    def make_database(cls):
        return harness.make_database()


if __name__ == "__main__":
    harness.main()
