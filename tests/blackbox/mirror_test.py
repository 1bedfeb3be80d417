"""A hub that mirrors another one: what clients get, what upstream is asked, and what happens when upstream, a client or
the hub itself misbehaves. Upstream is a second real hub, with a proxy in between that counts, lies and breaks."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import threading

from tests import harness
from tests.harness import wait_for
from tests.harness.clamd import Clamd
from tests.harness.mirror import HELD, MIB, Fault, FaultyProxy, TestCase, blob_id, call, noise, publish, sha256

CONFIG = b'{"architectures": ["Tiny"]}\n'
PICKLE = b"\x80\x02cos\nsystem\nq\x00X\x04\x00\x00\x00echoq\x01\x85q\x02Rq\x03."


class MetadataTest(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.weights = noise(1, 300_000)
        cls.first = publish(cls.upstream, cls.ana, "ana/tiny", {
            "config.json": CONFIG, "w.bin": cls.weights, "sub/a b#1.txt": b"x", "empty": b""})

    def test_tells_what_upstream_tells_and_asks_it_once(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url)
        for path in ("/api/models/ana/tiny", "/api/models/ana/tiny/revision/main?blobs=true",
                     "/api/models/ana/tiny/tree/main", "/api/models/ana/tiny/tree/main/sub",
                     "/api/models/ana/tiny/tree/main?recursive=true&expand=true", "/api/models/ana/tiny/refs",
                     "/api/models/ana/tiny/commits/main", "/api/models/ana/tiny/commits/main?limit=1&expand%5B%5D=formatted"):
            theirs, ours = call(self.upstream, "GET", path), call(mirror, "GET", path)
            self.assertEqual(ours.status, 200, ours.body)
            expected = theirs.json()
            for entry in expected if isinstance(expected, list) else []:
                entry.pop("xetHash", None)  # only what is here may be had by Xet here
            self.assertEqual(ours.json(), expected, path)
            before = len(proxy.requests)
            again = call(mirror, "GET", path)
            self.assertEqual(again.json(), expected)
            self.assertEqual(len(proxy.requests), before, path)
            for answer in (ours, again):
                self.assertEqual(answer.headers.get("X-Total-Count"), theirs.headers.get("X-Total-Count"), path)
        for body, kind in (({"paths": ["sub/a b#1.txt", "none"]}, "application/json"),
                           ("paths=sub%2Fa+b%231.txt&paths=none", "application/x-www-form-urlencoded")):
            answer = call(mirror, "POST", "/api/models/ana/tiny/paths-info/main", body=body,
                          headers={"Content-Type": kind})
            self.assertEqual([e["path"] for e in answer.json()], ["sub/a b#1.txt"])
        answer = call(mirror, "POST", "/api/models/ana/tiny/paths-info/main", body={"paths": ["w.bin"], "expand": True})
        self.assertEqual(answer.json()[0]["lastCommit"]["id"], self.first)

    def test_pages_lead_back_to_the_mirror(self):
        mirror = self.mirror(self.proxy().url)
        for query in ("tree/main?recursive=true&limit=2", "tree/main?recursive=true&expand=true&limit=2",
                      "commits/main?limit=1"):
            path, seen = f"/api/models/ana/tiny/{query}", []
            while path:
                answer = call(mirror, "GET", path)
                seen += [e.get("path") or e["id"] for e in answer.json()]
                link = answer.headers.get("Link")
                if link:
                    self.assertTrue(link.startswith(f"<{mirror.url}/api/"), link)
                path = link and link[1 + len(mirror.url):link.index(">")]
            if "commits" in query:
                self.assertEqual((len(seen), seen[0]), (2, self.first))
            else:
                self.assertEqual(len(seen), 6 if "expand" not in query else len(seen))
            self.assertEqual(len(set(seen)), len(seen))

    def test_a_head_tells_all_without_fetching_anything(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url)
        head = call(mirror, "HEAD", "/ana/tiny/resolve/main/w.bin")
        self.assertEqual(head.status, 200)
        self.assertEqual({name: head.headers[name] for name in
                          ("X-Repo-Commit", "ETag", "X-Linked-Etag", "X-Linked-Size", "Content-Length", "Accept-Ranges")},
                         {"X-Repo-Commit": self.first, "ETag": f'"{sha256(self.weights)}"', "Content-Length": "300000",
                          "X-Linked-Etag": f'"{sha256(self.weights)}"', "X-Linked-Size": "300000", "Accept-Ranges": "bytes"})
        self.assertIsNone(head.headers["X-Xet-Hash"])
        head = call(mirror, "HEAD", "/ana/tiny/resolve/main/sub/a%20b%231.txt")
        self.assertEqual((head.status, head.headers["ETag"]), (200, f'"{blob_id(b"x")}"'))
        self.assertEqual(proxy.asked("/ana/"), [])

    def test_errors_are_those_of_the_protocol(self):
        mirror = self.mirror(self.proxy().url)
        self.assert_error(call(mirror, "GET", "/ana/tiny/resolve/main/none"), 404, "EntryNotFound")
        self.assertEqual(call(mirror, "GET", "/ana/tiny/resolve/main/none").headers["X-Repo-Commit"], self.first)
        self.assert_error(call(mirror, "GET", "/ana/tiny/resolve/none/w.bin"), 404, "RevisionNotFound")
        self.assert_error(call(mirror, "GET", "/api/models/ana/none"), 401, "RepoNotFound")
        self.assert_error(call(mirror, "GET", f"/api/models/ana/tiny/tree/{'0' * 40}"), 404, "RevisionNotFound")

    def test_no_path_leaves_the_repository_at_upstream(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url)
        for path in ("tree/main/..%2f..%2f..%2f..%2fwhoami-v2?expand=true", "tree/main/sub%2f..%2f..?expand=true",
                     "revision/..%2f..%2f..%2fwhoami-v2", "tree/..%2fx"):
            self.assertIn(call(mirror, "GET", f"/api/models/ana/tiny/{path}").status, (400, 404), path)
        for _, path, _ in proxy.requests:
            self.assertTrue(path.startswith("/api/models/ana/tiny/"), path)
            self.assertNotIn("/..", path)

    def test_first_questions_at_once_about_several_revisions_are_all_answered(self):
        commits = {f"ana/early-{i}": publish(self.upstream, self.ana, f"ana/early-{i}", {"a.txt": b"a"}) for i in range(12)}
        mirror = self.mirror(self.upstream.url)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(call, mirror, "GET", f"/api/models/{repo}/revision/{rev}")
                       for repo, commit in commits.items() for rev in ("main", commit, "refs%2Fheads%2Fmain", commit)]
            for answer in answers:
                self.assertEqual(answer.result().status, 200, answer.result().body)

    def test_a_failure_is_remembered_for_a_short_while(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url)
        for _ in range(3):
            self.assertEqual(call(mirror, "GET", "/api/models/ana/later").status, 401)
        self.assertEqual(len(proxy.requests), 1)

    def test_a_branch_is_asked_again_when_it_is_no_longer_fresh_and_a_commit_never(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url, freshness="0s")
        first = publish(self.upstream, self.ana, "ana/moving", {"a.txt": b"1"})
        path = "/ana/moving/resolve/main/a.txt"
        self.assert_content(call(mirror, "GET", path), b"1")
        second = publish(self.upstream, self.ana, "ana/moving", {"a.txt": b"2"})
        answer = call(mirror, "GET", path)
        self.assert_content(answer, b"2")
        self.assertEqual(answer.headers["X-Repo-Commit"], second)
        before = len(proxy.requests)
        answer = call(mirror, "GET", f"/ana/moving/resolve/{first}/a.txt")
        self.assert_content(answer, b"1")
        self.assertIn("immutable", answer.headers["Cache-Control"])
        self.assertEqual(len(proxy.requests), before)
        # Upstream in trouble: better where the branch was than nothing.
        busy = self.mirror(proxy.url, freshness="0s")
        self.assert_content(call(busy, "GET", path), b"2")
        proxy.rule = lambda method, path, headers: Fault(status=503)
        self.assert_content(call(mirror, "GET", path), b"2")
        proxy.rule = lambda method, path, headers: Fault(status=429, headers={"Retry-After": "900"})
        self.assert_content(call(busy, "GET", path), b"2")

    def test_rules_and_own_namespaces_are_not_asked_for(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url, allow=["ana/*"], deny=["ana/tin*"])
        self.assert_error(call(mirror, "GET", "/api/models/ana/tiny"), 403, "MirrorDenied")
        self.assert_error(call(mirror, "GET", "/ben/x/resolve/main/a"), 403, "MirrorDenied")
        mirror.make_writer("ben")
        self.assert_error(call(mirror, "GET", "/api/models/ben/secret"), 401, "RepoNotFound")
        self.assertEqual(proxy.requests, [])
        # An account takes a namespace over, with all that was mirrored in it.
        open_mirror = self.mirror(proxy.url)
        self.assertEqual(call(open_mirror, "GET", "/api/models/ana/tiny").status, 200)
        own = open_mirror.make_writer("ana")
        self.assert_error(call(open_mirror, "GET", "/api/models/ana/tiny"), 401, "RepoNotFound")
        commit = publish(open_mirror, own, "ana/tiny", {"a.txt": b"ours"})
        self.assertEqual(call(open_mirror, "GET", "/api/models/ana/tiny").json()["sha"], commit)

    def test_search_finds_ours_first_and_then_upstreams(self):
        mirror = self.mirror(self.proxy().url, deny=["ana/moving"])
        own = mirror.make_writer("ben")
        publish(mirror, own, "ben/tiny-too", {"a.txt": b"1"})
        found = call(mirror, "GET", "/api/models?search=tiny").json()
        self.assertEqual([one["id"] for one in found], ["ben/tiny-too", "ana/tiny"])

    def test_a_page_of_a_list_has_its_limit_and_leads_to_all(self):
        for name in ("p1", "p2", "p3", "p4"):
            publish(self.upstream, self.ana, f"ana/page-{name}", {"a.txt": b"1"})
        mirror = self.mirror(self.proxy().url, deny=["ana/page-p2"])
        own = mirror.make_writer("ben")
        for name in ("o1", "o2", "o3"):
            publish(mirror, own, f"ben/page-{name}", {"a.txt": b"1"})
        all_ = [f"ben/page-o{i}" for i in (1, 2, 3)] + [f"ana/page-p{i}" for i in (1, 3, 4)]
        for limit in (1, 2, 3, 4, 100):
            path, pages = f"/api/models?search=page-&sort=id&limit={limit}", []
            while path:
                answer = call(mirror, "GET", path)
                pages.append([one["id"] for one in answer.json()])
                link = answer.headers.get("Link")
                path = link and link[1 + len(mirror.url):link.index(">")]
                self.assertLess(len(pages), 20)
            self.assertEqual(sum(pages, []), all_, limit)
            self.assertLessEqual(max(map(len, pages)), limit)
        self.assertEqual([len(page) for page in pages], [6])

    def test_an_id_without_a_namespace_leads_to_the_whole_one(self):
        def rule(method, path, headers):
            if path in ("/api/models/tiny", "/api/models/ben"):
                return Fault(status=307, headers={"Location": "/api/models/ana/tiny"})
            if path == "/api/datasets/tiny":
                return Fault(status=200, body=b'{"id": "ana/set", "private": false}')
            bodies = {"secret": b'{"id": "ana/secret", "private": true}', "own": b'{"id": "ben/own", "private": false}',
                      "single": b'{"id": "single", "private": false}', "denied": b'{"id": "ana/denied", "private": false}'}
            return Fault(status=200, body=bodies[path[12:]]) if path[12:] in bodies else None

        publish(self.upstream, self.ana, "ana/refs", {"a.txt": b"a"})
        proxy = self.proxy(rule)
        mirror = self.mirror(proxy.url, deny=["ana/denied"], forward_tokens=True)
        mirror.make_writer("ben")
        for method, path in (("GET", ""), ("GET", "/revision/main?blobs=true"), ("GET", "/tree/main/sub%2Fx?recursive=true"),
                             ("POST", "/paths-info/main"), ("GET", "/commits/main"), ("GET", "/xet-read-token/main")):
            answer = call(mirror, method, f"/api/models/tiny{path}", self.ana, body={"paths": []} if method == "POST" else None)
            self.assertEqual((answer.status, answer.headers["Location"]), (307, f"/api/models/ana/tiny{path}"))
        for prefix, whole in (("", "ana/tiny"), ("datasets/", "ana/set")):
            for method in ("GET", "HEAD"):
                for kind in ("resolve", "raw"):
                    answer = call(mirror, method, f"/{prefix}tiny/{kind}/main/a%20b/c.txt?download=true")
                    self.assertEqual((answer.status, answer.headers["Location"]),
                                     (307, f"/{prefix}{whole}/{kind}/main/a%20b/c.txt?download=true"))
        self.assertEqual([path for _, path, _ in proxy.requests], ["/api/models/tiny", "/api/models/ana/tiny", "/api/datasets/tiny"])
        self.assertTrue(all("authorization" not in r[2] for r in proxy.requests))
        # What has no revision could be the description of a repository tiny/refs; where there is one of that name, it is.
        for path in ("/refs?include_prs=1", "/auth-check"):
            answer = call(mirror, "GET", f"/api/models/tiny{path}")
            self.assertEqual((answer.status, answer.headers["Location"]), (307, f"/api/models/ana/tiny{path}"))
        ruled = self.mirror(proxy.url, allow=["ana/*"])  # tiny/refs is not allowed, ana/tiny is
        for path in ("/refs", "/auth-check"):
            self.assertEqual(call(ruled, "GET", f"/api/models/tiny{path}").headers["Location"], f"/api/models/ana/tiny{path}")
        self.assertEqual(call(mirror, "GET", "/api/models/ana/refs").json()["id"], "ana/refs")
        self.assert_error(call(mirror, "GET", "/api/models/ana/auth-check"), 401, "RepoNotFound")
        # Private ones, what is ours, and what is none.
        for name in ("secret", "own", "single", "none"):
            self.assert_error(call(mirror, "GET", f"/api/models/{name}", self.ana), 404, "RepoNotFound")
            self.assert_error(call(mirror, "GET", f"/api/models/{name}"), 401, "RepoNotFound")
        self.assert_error(call(mirror, "GET", "/api/models/denied"), 403, "MirrorDenied")
        asked = len(proxy.requests)
        self.assert_error(call(mirror, "GET", "/api/models/ben"), 401, "RepoNotFound")
        self.assert_error(call(self.upstream, "GET", "/api/models/tiny"), 401, "RepoNotFound")
        self.assert_error(call(self.upstream, "GET", "/tiny/resolve/main/x", self.ana), 404, "RepoNotFound")
        self.assertEqual(len(proxy.requests), asked)
        # Kept: over gc, and offline.
        mirror.admin("gc", "--grace", "1m", clock="+1h")
        mirror.stop()
        self.configure(mirror.config, proxy.url, offline=True)
        mirror.start()
        self.assertEqual(call(mirror, "GET", "/tiny/resolve/main/x").headers["Location"], "/ana/tiny/resolve/main/x")
        self.assertEqual(call(mirror, "GET", "/api/models/tiny/refs").headers["Location"], "/api/models/ana/tiny/refs")
        self.assert_error(call(mirror, "GET", "/other/resolve/main/x"), 424, "MirrorOffline")

    def test_lists_without_upstream_have_what_is_here(self):
        for name in ("gated", "private", "read", "unread"):
            publish(self.upstream, self.ana, f"ana/list-{name}", {
                "a.txt": b"1", "README.md": b"---\nlicense: mit\ntags: [tiny]\n---\n"}, private=name == "private")

        def rule(method, path, headers):
            return Fault(edit=lambda info: {**info, "gated": "manual"}) if "list-gated/revision/" in path else None

        proxy = self.proxy(rule)
        mirror = self.mirror(proxy.url, forward_tokens=True)
        publish(mirror, mirror.make_writer("ben"), "ben/list-own", {"a.txt": b"1"})
        for name in ("gated", "private", "read"):
            self.assertEqual(call(mirror, "GET", f"/api/models/ana/list-{name}", self.ana).status, 200)
        here = ["ana/list-gated", "ana/list-read"]

        def ids(query):
            answer = call(mirror, "GET", "/api/models?" + query)
            self.assertEqual(answer.status, 200, answer.body)
            return [one["id"] for one in answer.json()]

        def check():
            self.assertEqual(ids("search=list-"), ["ben/list-own", *here])
            self.assertEqual(ids("author=ana&filter=license:mit,tiny"), here)
            self.assertEqual(ids("filter=license:apache-2.0"), [])
            self.assertEqual(ids("author=ben"), ["ben/list-own"])
            self.assertEqual(ids("search=list-&gated=true"), ["ana/list-gated"])
            path, pages = "/api/models?search=list-&sort=id&limit=1", []
            while path:
                answer = call(mirror, "GET", path)
                pages.append([one["id"] for one in answer.json()])
                link = answer.headers.get("Link")
                path = link and link[1 + len(mirror.url):link.index(">")]
                self.assertLess(len(pages), 9)
            self.assertEqual(sum(pages, []), ["ben/list-own", *here])
            full = {one["id"]: one for one in call(mirror, "GET", "/api/models?search=list-&full=true").json()}
            self.assertNotIn("siblings", full["ana/list-gated"])
            self.assertIn({"rfilename": "a.txt"}, full["ana/list-read"]["siblings"])
            self.assertEqual(full["ana/list-gated"]["gated"], "manual")

        proxy.rule = lambda method, path, headers: Fault(status=503)
        check()
        proxy.rule = None
        mirror.stop()
        self.configure(mirror.config, proxy.url, offline=True)
        mirror.start()
        asked = len(proxy.requests)
        check()
        self.assertEqual(len(proxy.requests), asked)

    def test_a_search_that_names_an_own_namespace_stays_here(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url, forward_tokens=True)
        own = mirror.make_writer("ben")
        publish(mirror, own, "ben/plans", {"a.txt": b"1"})
        for query in ("author=ben&search=plans", "author=BEN", "search=ben%2Fplans", "author=ana&author=ben",
                      "author=ben&upstream=1"):
            answer = call(mirror, "GET", f"/api/models?{query}", own)
            self.assertEqual(answer.status, 200, answer.body)
            self.assertNotIn("ana/tiny", [one["id"] for one in answer.json()], query)
        self.assertEqual(proxy.requests, [])
        # A token of upstream's goes there with what is for upstream alone.
        call(mirror, "GET", "/api/models?author=ana&search=tiny", self.ana)
        self.assertEqual([r[2].get("authorization") for r in proxy.requests], [f"Bearer {self.ana}"])

    def test_offline_answers_what_is_here_and_says_so_of_the_rest(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url, freshness="0s")
        paths = ["/api/models/ana/tiny", "/api/models/ana/tiny/tree/main", "/ana/tiny/resolve/main/w.bin"]
        kept = [call(mirror, "GET", path).body for path in paths]
        self.wait_stored(mirror, paths[-1])
        mirror.stop()
        proxy.stop()
        self.configure(mirror.config, proxy.url, offline=True)
        mirror.start()
        self.assertEqual([json.loads(call(mirror, "GET", path).body) for path in paths[:1]], [json.loads(kept[0])])
        self.assertEqual(call(mirror, "GET", paths[2]).body, kept[2])
        before = len(proxy.requests)
        self.assert_error(call(mirror, "GET", "/ana/tiny/resolve/main/config.json"), 424, "MirrorOffline")
        self.assert_error(call(mirror, "GET", "/api/models/ana/other"), 424, "MirrorOffline")
        self.assert_error(call(mirror, "GET", "/api/models/ana/tiny/tree/v1"), 424, "MirrorOffline")
        self.assertEqual(call(mirror, "GET", "/api/models?search=x").json(), [])
        self.assertEqual([one["id"] for one in call(mirror, "GET", "/api/models").json()], ["ana/tiny"])
        self.assertEqual(len(proxy.requests), before)

    def test_a_wrong_configuration_is_told_with_its_line(self):
        config = self.folder / "wrong.toml"
        config.write_text('[mirror]\nupstream = "http://127.0.0.1:1"\nspeed = 9\n')
        done = subprocess.run([harness.BIN / "locara-hub", "serve", "--data", self.folder / "x", "--listen", "127.0.0.1:0",
                               "--config", config], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{config}:3: unknown key \"speed\" in [mirror]", done.stderr)


class Stalled:
    """A mirror whose upstream falls silent: after 2 MiB of a file, once, and instead of any answer about another repository.
    Time-outs take half a minute; it begins with the class, and the others go on meanwhile."""

    def __init__(self, cls):
        self.silence = [Fault(hold_after=2 * MIB, patience=300)]
        self.mute = Fault(status=200, hold_after=0, body=b"{}", patience=300)
        self.proxy = FaultyProxy(cls.upstream, self.rule)
        folder = cls.folder / "stalled"
        folder.mkdir()
        (folder / "hub.toml").write_text(f'[mirror]\nupstream = "{self.proxy.url}"\n')
        self.mirror = harness.Hub(folder / "data", seed=None, config=folder / "hub.toml")
        self.pool = concurrent.futures.ThreadPoolExecutor(2)
        self.file = self.pool.submit(call, self.mirror, "GET", ContentTest.PATH, timeout=150)
        self.info = self.pool.submit(call, self.mirror, "GET", "/api/models/ana/mute", timeout=150)

    def rule(self, method, path, headers):
        if "/ana/mute" in path:
            return self.mute
        return self.silence.pop() if self.silence and "/resolve/" in path else None

    def stop(self):
        for fault in (self.mute, *self.silence):
            fault.release.set()
        self.pool.shutdown()
        self.mirror.stop()
        self.proxy.stop()


class ContentTest(TestCase):
    @classmethod
    def tearDownClass(cls):
        cls.stalled.stop()
        super().tearDownClass()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.big = noise(2, 6 * MIB)
        cls.other = cls.big[:5 * MIB] + noise(3, MIB)
        cls.commit = publish(cls.upstream, cls.ana, "ana/big", {"config.json": CONFIG, "big.bin": cls.big})
        cls.stalled = Stalled(cls)

    PATH = "/ana/big/resolve/main/big.bin"

    def fetched(self, proxy):
        return proxy.asked("/ana/big/resolve/")

    def test_is_fetched_once_verified_and_then_served_from_here_also_by_xet(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url)
        self.assert_content(call(mirror, "GET", self.PATH), self.big)
        xet = self.wait_stored(mirror, self.PATH)
        self.assertEqual(xet, call(self.upstream, "HEAD", self.PATH).headers["X-Xet-Hash"])
        self.assert_content(call(mirror, "GET", self.PATH), self.big)
        part = call(mirror, "GET", self.PATH, headers={"Range": "bytes=100-199"})
        self.assert_content(part, self.big[100:200], 206)
        self.assertEqual(len(self.fetched(proxy)), 1)
        self.assert_content(call(mirror, "GET", "/ana/big/resolve/main/config.json"), CONFIG)
        self.assertEqual(call(mirror, "GET", "/ana/big/resolve/main/config.json").headers["ETag"], f'"{blob_id(CONFIG)}"')
        pointer = call(mirror, "GET", "/ana/big/raw/main/big.bin")
        self.assertIn(f"oid sha256:{sha256(self.big)}".encode(), pointer.body)
        token = call(mirror, "GET", "/api/models/ana/big/xet-read-token/main").json()
        self.assertEqual(token["casUrl"], f"{mirror.url}/cas")
        plan = call(mirror, "GET", f"/cas/v1/reconstructions/{xet}", token["accessToken"]).json()
        self.assertEqual(sum(term["unpacked_length"] for term in plan["terms"]), len(self.big))
        tree = {e["path"]: e for e in call(mirror, "GET", "/api/models/ana/big/tree/main").json()}
        self.assertEqual(tree["big.bin"]["xetHash"], xet)
        mirror.admin("fsck")
        numbers = call(mirror, "GET", "/metrics").body.decode()
        self.assertRegex(numbers, r'locara_hub_mirror_requests_total\{result="hit"\} [1-9]')
        self.assertRegex(numbers, r'locara_hub_mirror_requests_total\{result="miss"\} [1-9]')
        self.assertIn(f"locara_hub_mirror_fetched_bytes_total {len(self.big) + len(CONFIG)}\n", numbers)
        self.assertIn("locara_hub_mirror_upstream_errors_total 0\n", numbers)

    def test_what_is_asked_for_again_and_again_is_the_same_until_it_changes(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url, freshness="1h")
        publish(self.upstream, self.ana, "ana/warm", {"a.txt": b"1", "w.bin": self.big[:300_000]})
        paths = {"/ana/warm/resolve/main/a.txt": b"1", "/ana/warm/resolve/main/w.bin": self.big[:300_000]}
        for path in paths:
            call(mirror, "GET", path)
        self.wait_stored(mirror, "/ana/warm/resolve/main/w.bin")

        def hits():
            return int(re.search(r'mirror_requests_total\{result="hit"\} (\d+)', call(mirror, "GET", "/metrics").body.decode())[1])

        before = hits()
        for path, content in paths.items():
            answers = [call(mirror, "GET", path) for _ in range(6)]
            for answer in answers:
                self.assert_content(answer, content)
                self.assertEqual({k: v for k, v in answer.headers.items() if k not in ("Date", "X-Request-Id") and "RateLimit" not in k},
                                 {k: v for k, v in answers[0].headers.items() if k not in ("Date", "X-Request-Id") and "RateLimit" not in k})
            self.assert_content(call(mirror, "GET", path, headers={"Range": "bytes=0-0"}), content[:1], 206)
            self.assertEqual(call(mirror, "HEAD", path).headers["ETag"], answers[0].headers["ETag"])
        self.assertEqual(hits() - before, 14)
        # Forgotten, it is forgotten at once; and of a namespace that has become ours nothing is left.
        mirror.admin("mirror", "rm", "ana/warm")
        asked = len(proxy.requests)
        self.assert_content(call(mirror, "GET", "/ana/warm/resolve/main/a.txt"), b"1")
        self.assertGreater(len(proxy.requests), asked)
        call(mirror, "GET", "/ana/warm/resolve/main/a.txt")
        mirror.make_writer("ana")
        self.assert_error(call(mirror, "GET", "/ana/warm/resolve/main/a.txt"), 401, "RepoNotFound")

    def test_many_at_once_are_served_from_one_request_while_it_arrives(self):
        hold = Fault(hold_after=3 * MIB)
        proxy = self.proxy(lambda method, path, headers: hold if path.endswith("big.bin") and "resolve" in path else None)
        mirror = self.mirror(proxy.url)
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            whole = [pool.submit(call, mirror, "GET", self.PATH) for _ in range(16)]
            self.assertTrue(hold.held.wait(20))
            # Ranges of what is here are served before the rest is; others answer meanwhile.
            early = call(mirror, "GET", self.PATH, headers={"Range": "bytes=1000000-1000999"})
            self.assert_content(early, self.big[1000000:1001000], 206)
            self.assertEqual(call(mirror, "GET", "/api/models/ana/big").status, 200)
            late = [pool.submit(call, mirror, "GET", self.PATH, None, None, {"Range": "bytes=-500"}) for _ in range(4)]
            # A client that goes away stops nobody.
            with socket.create_connection(("127.0.0.1", mirror.port)) as gone:
                gone.sendall(f"GET {self.PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                self.assertTrue(gone.recv(1000).startswith(b"HTTP/1.1 200 "))
            hold.release.set()
            for answer in whole:
                self.assert_content(answer.result(), self.big)
            for answer in late:
                self.assert_content(answer.result(), self.big[-500:], 206)
        self.assertEqual(len(self.fetched(proxy)), 1)

    def test_two_sizes_that_upstream_tells_of_one_file(self):
        content = noise(30, 300_000)
        first = publish(self.upstream, self.ana, "ana/sizes", {"w.bin": content})
        second = publish(self.upstream, self.ana, "ana/sizes", {"a.txt": b"a"})
        hold = Fault(hold_after=100_000)

        def edit(by):
            def change(entries):
                for entry in entries if isinstance(entries, list) else []:
                    if entry.get("lfs"):
                        entry["size"] += by
                        entry["lfs"]["size"] += by
            return change
        for by in (100_000, -100_000):
            proxy = self.proxy(lambda method, path, headers: Fault(edit=edit(by)) if second in path and "/tree/" in path
                               else hold if "resolve" in path and first in path else None)
            mirror = self.mirror(proxy.url)
            hold.held.clear(), hold.release.clear()
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                right = pool.submit(call, mirror, "GET", f"/ana/sizes/resolve/{first}/w.bin")
                self.assertTrue(hold.held.wait(20))
                wrong = pool.submit(call, mirror, "GET", f"/ana/sizes/resolve/{second}/w.bin", timeout=20)
                threading.Timer(2, hold.release.set).start()
                self.assert_content(right.result(), content)
                try:
                    self.assertEqual(wrong.result().status, 502)
                except (http.client.IncompleteRead, OSError):
                    pass  # it was cut off
            self.assertEqual(call(mirror, "GET", f"/ana/sizes/resolve/{second}/w.bin").status, 502)

    def test_the_end_is_held_back_until_the_whole_has_passed(self):
        hold = Fault(hold_after=6 * MIB - 1)
        proxy = self.proxy(lambda method, path, headers: hold if path.endswith("big.bin") and "resolve" in path else None)
        mirror = self.mirror(proxy.url)
        with socket.create_connection(("127.0.0.1", mirror.port), timeout=2) as client:
            client.sendall(f"GET {self.PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            self.assertTrue(hold.held.wait(20))
            got = b""
            try:
                while True:
                    got += client.recv(1 << 20)
            except TimeoutError:
                pass
            body = got[got.index(b"\r\n\r\n") + 4:]
            self.assertEqual(len(body), 6 * MIB - HELD)
            hold.release.set()
            client.settimeout(20)
            while data := client.recv(1 << 20):
                body += data
            self.assertEqual(body, self.big)

    def test_goes_on_when_all_have_gone(self):
        hold = Fault(hold_after=MIB)
        proxy = self.proxy(lambda method, path, headers: hold if path.endswith("big.bin") and "resolve" in path else None)
        mirror = self.mirror(proxy.url)
        answer = call(mirror, "GET", self.PATH, read=False)
        self.assertTrue(hold.held.wait(20))
        answer.response.close()
        hold.release.set()
        self.wait_stored(mirror, self.PATH)
        self.assertEqual(len(self.fetched(proxy)), 1)

    def test_goes_on_where_upstream_was_cut_off(self):
        faults = [Fault(cut_after=2 * MIB), Fault(cut_after=MIB), Fault(status=503), Fault(status=429)]
        proxy = self.proxy(lambda method, path, headers:
                           faults.pop(0) if faults and path.endswith("big.bin") and "resolve" in path else None)
        mirror = self.mirror(proxy.url)
        self.assert_content(call(mirror, "GET", self.PATH), self.big)
        ranges = [r[2].get("range") for r in self.fetched(proxy)]
        self.assertEqual(ranges[0], None)
        self.assertTrue(all(r and r.startswith("bytes=") for r in ranges[1:]), ranges)
        self.assertLess(proxy.sent, len(self.big) + MIB)

    def test_goes_on_after_the_hub_was_killed(self):
        hold = Fault(hold_after=4 * MIB)
        proxy = self.proxy(lambda method, path, headers: hold if path.endswith("big.bin") and "resolve" in path else None)
        mirror = self.mirror(proxy.url)
        call(mirror, "GET", self.PATH, read=False)
        self.assertTrue(hold.held.wait(20))
        wait_for(lambda: sum(p.stat().st_size for p in (mirror.folder / "mirror/parts").iterdir()) >= 4 * MIB - 65536,
                 "the part")
        mirror.kill()
        hold.release.set()
        proxy.rule = None
        mirror.start()
        mirror.admin("fsck")
        self.assert_content(call(mirror, "GET", self.PATH), self.big)
        begin = int(self.fetched(proxy)[-1][2]["range"].removeprefix("bytes=").split("-")[0])
        self.assertGreaterEqual(begin, 4 * MIB - 65536)
        self.wait_stored(mirror, self.PATH)
        mirror.admin("fsck")
        wait_for(lambda: not list((mirror.folder / "mirror/parts").iterdir()), "no part to be left")

    def test_killed_at_random_moments(self):
        chance = random.Random(int(os.environ.get("LOCARA_SEED", "1")))
        for _ in range(int(os.environ.get("LOCARA_SOAK_KILLS", "6"))):
            # While bytes arrive, when the last has, and while what was fetched is chunked and put away.
            hold = Fault(hold_after=chance.choice([chance.randrange(6 * MIB), 6 * MIB - 1, 6 * MIB]))
            proxy = self.proxy(lambda method, path, headers: hold if path.endswith("big.bin") and "resolve" in path else None)
            mirror = self.mirror(proxy.url)
            answer = call(mirror, "GET", self.PATH, read=False)
            self.assertTrue(hold.held.wait(20))
            timer = threading.Timer(chance.choice([0, chance.uniform(0, 0.2)]), mirror.process.kill)
            timer.start()
            hold.release.set()
            timer.join()
            mirror.kill()
            with contextlib.suppress(OSError, http.client.HTTPException):
                # However much of it the client has, it is right.
                self.assertTrue(self.big.startswith(answer.response.read()))
            mirror.admin("fsck")
            proxy.rule = None
            mirror.start()
            self.assert_content(call(mirror, "GET", self.PATH), self.big)
            self.wait_stored(mirror, self.PATH)
            mirror.admin("fsck")
            wait_for(lambda: not list((mirror.folder / "mirror/parts").iterdir()), "no part to be left")
            mirror.stop()

    def test_nobody_gets_a_whole_file_of_wrong_bytes(self):
        faults = [Fault(flip=100), Fault(flip=3 * MIB)]
        proxy = self.proxy(lambda method, path, headers:
                           faults.pop(0) if faults and path.endswith("big.bin") and "resolve" in path else None)
        mirror = self.mirror(proxy.url)
        for _ in range(2):
            answer = call(mirror, "GET", self.PATH)
            self.assertTrue(answer.cut)
            self.assertLessEqual(len(answer.body), 6 * MIB - HELD)
        self.assert_content(call(mirror, "GET", self.PATH), self.big)
        # A small one is held back as a whole: an error, and no byte of it.
        wrong = [Fault(flip=3)]
        proxy.rule = lambda method, path, headers: wrong.pop() if wrong and path.endswith("config.json") else None
        self.assert_error(call(mirror, "GET", "/ana/big/resolve/main/config.json"), 502, "UpstreamCorrupt")
        self.assert_content(call(mirror, "GET", "/ana/big/resolve/main/config.json"), CONFIG)
        mirror.admin("fsck")

    def test_upstream_in_trouble_is_told_as_such(self):
        path = "/ana/big/resolve/main/config.json"
        loop = Fault(status=302)
        for fault, status, code in (
                (Fault(status=429, headers={"Retry-After": "900"}), 429, ""), (loop, 502, "UpstreamUnavailable"),
                (Fault(length=10), 502, "UpstreamUnavailable"), (Fault(length=10_000), 502, "UpstreamUnavailable"),
                (Fault(status=206, headers={"Content-Range": "bytes 0-1/2"}, body=b"ab"), 502, "UpstreamUnavailable"),
                (Fault(status=403, headers={"X-Error-Code": "GatedRepo"}, body=b'{"error": "ask"}'), 403, "GatedRepo")):
            proxy = self.proxy(lambda method, path, headers, fault=fault: fault if "/resolve/" in path else None)
            loop.headers = {"Location": proxy.url + f"/ana/big/resolve/{self.commit}/config.json"}
            mirror = self.mirror(proxy.url)
            answer = call(mirror, "GET", path)
            self.assert_error(answer, status, code)
            if status == 429:
                self.assertEqual(answer.headers["Retry-After"], "900")
            errors = re.search(r"^locara_hub_mirror_upstream_errors_total (\d+)$",
                               call(mirror, "GET", "/metrics").body.decode(), re.M)
            self.assertEqual(int(errors[1]) > 0, status != 403)
            mirror.stop()
        self.upstream_gone()

    def test_upstream_that_falls_silent_is_given_up_and_asked_for_the_rest(self):
        self.assert_error(self.stalled.info.result(), 504, "UpstreamUnavailable")
        self.assert_content(self.stalled.file.result(), self.big)
        first, second = self.fetched(self.stalled.proxy)
        self.assertIsNone(first[2].get("range"))
        begin = int(second[2]["range"].removeprefix("bytes=").split("-")[0])
        self.assertGreaterEqual(begin, 2 * MIB - HELD)
        self.stalled.mirror.admin("fsck")

    def upstream_gone(self):
        port = harness.free_port()
        mirror = self.mirror(f"http://127.0.0.1:{port}")
        self.assert_error(call(mirror, "GET", "/api/models/ana/big"), 502, "UpstreamUnavailable")

    def test_versions_share_their_chunks(self):
        publish(self.upstream, self.ana, "ana/versions", {"big.bin": self.big})
        mirror = self.mirror(self.proxy().url, freshness="0s")
        path = "/ana/versions/resolve/main/big.bin"

        def stored():
            return sum(p.stat().st_size for p in (mirror.folder / "cas").rglob("*") if p.is_file())

        self.assert_content(call(mirror, "GET", path), self.big)
        self.wait_stored(mirror, path)
        one = stored()
        publish(self.upstream, self.ana, "ana/versions", {"big.bin": self.other})
        self.assert_content(call(mirror, "GET", path), self.other)
        self.wait_stored(mirror, path)
        self.assertLess(stored() - one, 2 * MIB)
        self.assert_content(call(mirror, "GET", self.PATH), self.big)  # another repository
        self.wait_stored(mirror, self.PATH)
        self.assertLess(stored() - one, 2 * MIB)


class GateTest(TestCase):
    """What our own upstream would not take: the proxy adds it to the tree and sends it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        publish(cls.upstream, cls.ana, "ana/more", {"config.json": CONFIG})

    def with_files(self, files):
        entries = [{"type": "file", "path": path, "oid": blob_id(content), "size": len(content)} |
                   ({"lfs": {"oid": sha256(content), "size": len(content), "pointerSize": 130}} if len(content) > 4096 else {})
                   for path, content in files.items()]

        def rule(method, path, headers):
            name = path.rsplit("/", 1)[-1]
            return Fault(edit=lambda tree: tree + entries) if "/tree/" in path else \
                Fault(status=200, body=files[name]) if name in files else None

        return self.proxy(rule)

    def test_a_pickle_is_cut_and_then_refused_under_any_name(self):
        pickle = PICKLE[:-1] + b"X" + (200_000).to_bytes(4, "little") + b"a" * 200_000 + b"."
        proxy = self.with_files({"w.bin": pickle, "small.txt": PICKLE})
        mirror = self.mirror(proxy.url, pass_formats=["onnx"])
        answer = call(mirror, "GET", "/ana/more/resolve/main/w.bin")
        self.assertTrue(answer.cut)
        self.assertLessEqual(len(answer.body), len(pickle) - HELD)
        for method in ("GET", "HEAD"):
            self.assertEqual(call(mirror, method, "/ana/more/resolve/main/w.bin").status, 403)
        self.assertEqual(len(proxy.asked("/ana/more/resolve/")), 1)
        self.assert_error(call(mirror, "GET", "/ana/more/resolve/main/small.txt"), 403, "RefusedByGate")
        mirror.admin("fsck")

    def test_a_wrong_format_passes_where_the_operator_lets_it(self):
        onnx = (harness.SOURCE / "src/formats/test/data/wrong/model.onnx").read_bytes()
        proxy = self.with_files({"model.onnx": onnx})
        path = "/ana/more/resolve/main/model.onnx"
        mirror = self.mirror(proxy.url)
        for _ in range(2):
            self.assert_error(call(mirror, "GET", path), 403, "RefusedByGate")
        self.assertEqual(len(proxy.asked("/ana/more/resolve/")), 1, "what was refused is not fetched again")
        mirror.stop()
        self.configure(mirror.config, proxy.url, pass_formats=["onnx"])
        mirror.start()
        self.assert_content(call(mirror, "GET", path), onnx)

    def test_what_could_not_be_judged_is_judged_when_the_scanner_is_back(self):
        folder = pathlib.Path(self.folder)
        clamd = Clamd(folder / "clamd", b"what no file of the test has in it")
        self.addCleanup(clamd.stop)
        header = json.dumps({"w": {"dtype": "F32", "shape": [2000], "data_offsets": [0, 8000]}}).encode()
        weights = len(header).to_bytes(8, "little") + header + bytes(8000)
        proxy = self.with_files({"m.safetensors": weights})
        mirror = self.mirror(proxy.url)
        mirror.stop()
        mirror.config.write_text(mirror.config.read_text() + f'[scanners]\nclamd = "{clamd.socket}"\n')
        mirror.start()
        clamd.stop()
        path = "/ana/more/resolve/main/m.safetensors"
        self.assert_error(call(mirror, "GET", path), 403, "RefusedByGate")
        clamd.start()
        self.assert_content(call(mirror, "GET", path), weights)
        self.assertEqual(len(proxy.asked("/ana/more/resolve/")), 1, "its bytes are here")


class AccessTest(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ben = cls.upstream.make_writer("ben")
        cls.secret = noise(5, 200_000)
        publish(cls.upstream, cls.ana, "ana/private", {"w.bin": cls.secret}, private=True)
        publish(cls.upstream, cls.ana, "ana/gated", {"w.bin": cls.secret, "README.md": b"terms"})

    PATH = "/ana/private/resolve/main/w.bin"

    def test_a_private_repository_is_its_readers_only(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url, forward_tokens=True)
        self.assert_error(call(mirror, "GET", self.PATH), 401, "RepoNotFound")
        self.assert_content(call(mirror, "GET", self.PATH, self.ana), self.secret)
        # It is here now, and still nobody else's.
        self.assert_error(call(mirror, "GET", self.PATH), 401, "RepoNotFound")
        self.assert_error(call(mirror, "GET", self.PATH, self.ben), 404, "RepoNotFound")
        self.assert_error(call(mirror, "GET", "/api/models/ana/private/tree/main", self.ben), 404, "RepoNotFound")
        self.assert_error(call(mirror, "GET", "/api/models/ana/private/xet-read-token/main"), 401, "RepoNotFound")
        self.assertIn("private", call(mirror, "GET", self.PATH, self.ana).headers["Cache-Control"])
        self.assertEqual(call(self.upstream, "GET", "/api/models/ana/private/auth-check", self.ana).status, 200)
        checks = proxy.asked("/api/models/ana/private/auth-check")
        self.assertEqual(len([r for r in checks if r[2]["authorization"].endswith(self.ana)]), 1)

    def test_what_upstream_withdraws_is_given_to_nobody_until_it_gives_it_again(self):
        state = {"down": False}
        proxy = self.proxy(lambda method, path, headers: Fault(status=503) if state["down"] else None)
        commit = publish(self.upstream, self.ana, "ana/sec", {"secret.txt": b"TOP"})
        mirror = self.mirror(proxy.url, forward_tokens=True, freshness="1s")
        clock = harness.Clock(self.folder / "withdrawn-clock")
        mirror.stop()
        mirror.start(clock=clock)
        paths = [f"/ana/sec/resolve/{commit}/secret.txt", "/ana/sec/resolve/main/secret.txt"]

        def set_private(private):
            done = call(self.upstream, "PUT", "/api/models/ana/sec/settings", self.ana, {"private": private})
            self.assertEqual(done.status, 200, done.body)

        for path in paths:
            self.assert_content(call(mirror, "GET", path), b"TOP")
        set_private(True)
        clock.move("+1m")
        for path in reversed(paths):
            self.assert_error(call(mirror, "GET", path), 401, "RepoNotFound")
            self.assert_error(call(mirror, "GET", path, self.ben), 404, "RepoNotFound")
            self.assert_content(call(mirror, "GET", path, self.ana), b"TOP")
        state["down"] = True
        clock.move("+2m")
        for path in [*paths, "/api/models/ana/sec/tree/main", "/api/models/ana/sec", f"/api/models/ana/sec/revision/{commit}"]:
            self.assert_error(call(mirror, "GET", path), 502, "UpstreamUnavailable")
        self.assertEqual([repo["id"] for repo in call(mirror, "GET", "/api/models?author=ana").json()], [])

        state["down"] = False
        set_private(False)
        clock.move("+3m")
        for path in paths:
            self.assert_content(call(mirror, "GET", path), b"TOP")

    def test_a_callers_token_that_has_ended_takes_nothing_from_others(self):
        publish(self.upstream, self.ana, "ana/shown", {"a.txt": b"1"})

        def rule(method, path, headers):
            if headers.get("Authorization") == "Bearer hf_ended":  # in words that huggingface.co uses
                return Fault(status=401, body=json.dumps({"error": 'User Access Token "x" is expired'}).encode())

        proxy = self.proxy(rule)
        mirror = self.mirror(proxy.url, forward_tokens=True, freshness="0s")
        path = "/ana/shown/resolve/main/a.txt"
        self.assert_content(call(mirror, "GET", path), b"1")
        self.assertEqual(call(mirror, "GET", "/api/models/ana/shown/revision/main", "hf_ended").status, 401)
        self.assert_content(call(mirror, "GET", path), b"1")
        self.configure(mirror.config, proxy.url, forward_tokens=True, offline=True)
        mirror.stop()
        mirror.start()
        self.assert_content(call(mirror, "GET", path), b"1")
        self.assertEqual([one["id"] for one in call(mirror, "GET", "/api/models").json()], ["ana/shown"])

    def test_nobody_tells_a_private_repository_from_none(self):
        state = {"down": False}
        proxy = self.proxy(lambda method, path, headers: Fault(status=503) if state["down"] else None)
        mirror = self.mirror(proxy.url, forward_tokens=True)
        self.assert_content(call(mirror, "GET", self.PATH, self.ana), self.secret)  # it is here now

        def answers(name, token):
            told = []
            for path in (f"/ana/{name}/resolve/main/w.bin", f"/ana/{name}/resolve/{'1' * 40}/w.bin", f"/api/models/ana/{name}",
                         f"/api/models/ana/{name}/tree/main", f"/api/models/ana/{name}/refs",
                         f"/api/models/ana/{name}/auth-check"):
                answer = call(mirror, "GET", path, token)
                self.assertNotEqual(answer.status, 403, path)
                told.append((answer.status, answer.headers.get("X-Error-Code"), answer.json()["error"].replace(name, "NAME")))
            return told

        tokens = (None, "hf_" + "x" * 40)
        for token in (*tokens, self.ben):
            self.assertEqual(answers("private", token), answers("nothing", token))
        mirror.stop()
        state["down"] = True
        mirror.start()
        for token in tokens:
            self.assertEqual(answers("private", token), answers("nothing", token))
        mirror.stop()
        self.configure(mirror.config, proxy.url, forward_tokens=True, offline=True)
        mirror.start()
        for token in (*tokens, self.ana):  # whom nobody can ask about
            self.assertEqual(answers("private", token), answers("nothing", token))
            self.assertEqual({status for status, _, _ in answers("private", token)}, {424})

    def test_no_token_is_forwarded_unless_the_operator_wants_it(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url)
        self.assertEqual(call(mirror, "GET", self.PATH, self.ana).status, 401)
        self.assertEqual(proxy.requests, [])
        forwarding = self.mirror(proxy.url, forward_tokens=True)
        own = forwarding.make_writer("carl")
        self.assertEqual(call(forwarding, "GET", "/api/models/ana/gated", own).status, 200)
        self.assertTrue(proxy.requests)
        self.assertTrue(all("authorization" not in r[2] for r in proxy.requests))

    def test_gated_content_needs_the_asking_users_own_access(self):
        granted = {self.ana}

        def rule(method, path, headers):
            if "/auth-check" in path:
                token = headers.get("Authorization", "").removeprefix("Bearer ")
                return None if token in granted else Fault(
                    status=403, headers={"X-Error-Code": "GatedRepo"}, body=b'{"error": "not in the list"}')
            return Fault(edit=lambda info: {**info, "gated": "manual"}) if "/revision/" in path else None

        proxy = self.proxy(rule)
        mirror = self.mirror(proxy.url, verbose=True, forward_tokens=True, access="1h")
        path = "/ana/gated/resolve/main/w.bin"
        self.assertEqual(call(mirror, "GET", "/api/models/ana/gated").json()["gated"], "manual")
        self.assertEqual(call(mirror, "GET", "/api/models/ana/gated/tree/main").status, 200)
        self.assert_error(call(mirror, "GET", path), 401, "GatedRepo")
        self.assert_content(call(mirror, "GET", path, self.ana), self.secret)
        for method in ("GET", "HEAD"):
            self.assertEqual(call(mirror, method, path, self.ben).status, 403)
        self.assert_error(call(mirror, "GET", path), 401, "GatedRepo")
        for r in proxy.asked("/ana/gated/resolve/"):
            self.assertEqual(r[2]["authorization"], f"Bearer {self.ana}")
        # The yes is believed for its time, over restarts it is asked anew.
        granted.clear()
        self.assert_content(call(mirror, "GET", path, self.ana), self.secret)
        mirror.stop()
        self.assertIn("/ana/gated/resolve/main/w.bin", mirror.said)
        self.assertNotIn(self.ana, mirror.said)
        mirror.start()
        self.assert_error(call(mirror, "GET", path, self.ana), 403, "GatedRepo")

    def test_a_yes_is_believed_for_its_time_and_no_longer(self):
        granted = {self.ana}

        def rule(method, path, headers):
            token = headers.get("Authorization", "").removeprefix("Bearer ")
            if "/auth-check" in path and token not in granted:
                return Fault(status=403, headers={"X-Error-Code": "GatedRepo"}, body=b'{"error": "not in the list"}')
            return Fault(edit=lambda info: {**info, "gated": "manual"}) if "/revision/" in path else None

        proxy = self.proxy(rule)
        mirror = self.mirror(proxy.url, forward_tokens=True, access="1h")
        clock = harness.Clock(self.folder / "access-clock")
        mirror.stop()
        mirror.start(clock=clock)
        path = "/ana/gated/resolve/main/w.bin"

        def checks():
            return len(proxy.asked("/api/models/ana/gated/auth-check"))

        self.assert_content(call(mirror, "GET", path, self.ana), self.secret)
        self.assertEqual(checks(), 1)
        clock.move("+59m")
        granted.clear()
        self.assert_content(call(mirror, "GET", path, self.ana), self.secret)
        self.assertEqual(checks(), 1)
        clock.move("+61m")
        for method in ("GET", "HEAD"):
            self.assertEqual(call(mirror, method, path, self.ana).status, 403)
        self.assertEqual(call(mirror, "GET", "/api/models/ana/gated/xet-read-token/main", self.ana).status, 403)
        # A no is kept for ten seconds.
        granted.add(self.ana)
        asked = checks()
        self.assertEqual(call(mirror, "GET", path, self.ana).status, 403)
        self.assertEqual(checks(), asked)
        clock.move("+62m")
        self.assert_content(call(mirror, "GET", path, self.ana), self.secret)
        self.assertEqual(checks(), asked + 1)

    def test_no_token_crosses_to_another_host(self):
        elsewhere = self.proxy()
        moved = {}

        def rule(method, path, headers):
            if "/resolve/" in path and not moved.get("off"):
                return Fault(status=302, headers={"Location": elsewhere.url + path})
            return None

        publish(self.upstream, self.ana, "ana/moved", {"w.bin": self.secret})
        proxy = self.proxy(rule)
        mirror = self.mirror(proxy.url, forward_tokens=True)
        self.assert_content(call(mirror, "GET", "/ana/moved/resolve/main/w.bin", self.ana), self.secret)
        self.assertTrue(elsewhere.requests)
        self.assertTrue(all("authorization" not in r[2] for r in elsewhere.requests))
        self.assertTrue(any("authorization" in r[2] for r in proxy.requests))
        # Nor anywhere on disk.
        for file in mirror.folder.rglob("*"):
            if file.is_file():
                self.assertNotIn(self.ana.encode(), file.read_bytes(), file)

    def test_the_hubs_own_token_opens_nothing_to_callers(self):
        folder = pathlib.Path(self.folder)
        (folder / "token").write_text(self.ana + "\n")
        (folder / "token").chmod(0o600)
        mirror = self.mirror(self.proxy().url, token_file=str(folder / "token"))
        self.assert_error(call(mirror, "GET", self.PATH), 401, "RepoNotFound")
        self.assert_error(call(mirror, "GET", self.PATH), 401, "RepoNotFound")
        self.assertEqual(call(mirror, "GET", "/api/models/ana/gated").status, 200)

    def test_a_token_of_the_hub_that_is_good_no_more_withdraws_nothing(self):
        folder = pathlib.Path(self.folder)
        (folder / "token").write_text("hf_revoked\n")
        (folder / "token").chmod(0o600)
        publish(self.upstream, self.ana, "ana/open", {"a.txt": b"1"})
        proxy = self.proxy()
        mirror = self.mirror(proxy.url, token_file=str(folder / "token"), freshness="0s")
        path = "/ana/open/resolve/main/a.txt"

        def unsigned(method, path, headers):
            del headers["Authorization"]

        proxy.rule = unsigned
        self.assert_content(call(mirror, "GET", path), b"1")
        proxy.rule = None  # as upstream answers a token that it does not know
        self.assert_content(call(mirror, "GET", path), b"1")
        self.assert_error(call(mirror, "GET", "/api/models/ana/gated"), 502, "UpstreamUnavailable")
        mirror.stop()
        self.assertIn("mirror.token_file", mirror.said)
        self.assertNotIn("withdrawn", mirror.said)


class UpkeepTest(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.files = {f"{i}.bin": noise(10 + i, 400_000) for i in range(4)}
        publish(cls.upstream, cls.ana, "ana/many", cls.files)
        publish(cls.upstream, cls.ana, "ana/pinned", {"p.bin": noise(20, 400_000)})

    def test_what_was_used_longest_ago_gives_way_and_what_is_pinned_stays(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url, quota="1MB", pin=["ana/pinned"])
        pinned = "/ana/pinned/resolve/main/p.bin"
        call(mirror, "GET", pinned)
        self.wait_stored(mirror, pinned)
        for name, content in self.files.items():
            path = f"/ana/many/resolve/main/{name}"
            self.assert_content(call(mirror, "GET", path), content)
            self.wait_stored(mirror, path)
        wait_for(lambda: call(mirror, "HEAD", "/ana/many/resolve/main/0.bin").headers["X-Xet-Hash"] is None, "eviction")
        self.assertIsNotNone(call(mirror, "HEAD", pinned).headers["X-Xet-Hash"])
        self.assertIsNotNone(call(mirror, "HEAD", "/ana/many/resolve/main/3.bin").headers["X-Xet-Hash"])
        freed = json.loads(mirror.admin("gc", "--grace", "1m", "--json", clock="+1h"))
        self.assertGreater(freed["freed_bytes"], 300_000)
        mirror.admin("fsck")
        self.assert_content(call(mirror, "GET", "/ana/many/resolve/main/0.bin"), self.files["0.bin"])
        self.assert_content(call(mirror, "GET", pinned), noise(20, 400_000))

    def test_gc_keeps_what_is_mirrored(self):
        mirror = self.mirror(self.proxy().url)
        path = "/ana/many/resolve/main/1.bin"
        call(mirror, "GET", path)
        self.wait_stored(mirror, path)
        mirror.admin("gc", "--grace", "1m", clock="+1h")
        self.assert_content(call(mirror, "GET", path), self.files["1.bin"])

    def test_prefetch_brings_what_the_rules_name(self):
        mirror = self.mirror(self.proxy().url, prefetch=["ana/many"])
        wait_for(lambda: all(call(mirror, "HEAD", f"/ana/many/resolve/main/{name}").headers["X-Xet-Hash"]
                             for name in self.files), "everything to be here")

    def test_prefetch_fetches_nothing_that_would_give_way_at_once(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url, prefetch=["ana/many", "ana/pinned"], quota="1MB", verbose=True)
        whole = sum(map(len, self.files.values()))
        self.assertGreater(whole, 1_000_000)
        wait_for(lambda: "/ana/pinned/resolve/" in str(proxy.requests), "the second rule")
        mirror.stop()
        self.assertRegex(mirror.said, r"prefetch_failed.*ana/many.*it is not fetched")
        self.assertNotIn("/ana/many/resolve/", str(proxy.requests))

    def offline(self, mirror, proxy, **settings):
        mirror.stop()
        self.configure(mirror.config, proxy.url, offline=True, **settings)
        mirror.start()
        proxy.requests.clear()

    def test_what_one_client_brought_another_loads_offline(self):
        proxy = self.proxy()
        mirror = self.mirror(proxy.url)
        base = "/api/models/ana/many/"
        commit = call(mirror, "GET", base + "revision/main").json()["sha"]  # as `hf download`
        listed = call(mirror, "GET", base + f"tree/{commit}?recursive=true").json()
        for name in self.files:
            self.wait_stored_after_get(mirror, f"/ana/many/resolve/{commit}/{name}")
        self.offline(mirror, proxy)
        refs = call(mirror, "GET", base + "refs").json()  # llama-server -hf
        self.assertEqual(refs["branches"], [{"name": "main", "ref": "refs/heads/main", "targetCommit": commit}])
        for answer in (call(mirror, "GET", base + f"tree/{commit}?recursive=true&expand=true"),
                       call(mirror, "POST", base + f"paths-info/{commit}", body={"paths": [e["path"] for e in listed], "expand": True})):
            self.assertEqual([e["path"] for e in answer.json()], [e["path"] for e in listed])  # npm @huggingface/hub
            self.assertEqual({e["lastCommit"]["id"] for e in answer.json() if e["type"] == "file"}, {commit})
        for path in ("revision/HEAD", "revision/main?expand[]=siblings&expand[]=sha", f"revision/{commit}?blobs=true"):
            self.assertEqual(call(mirror, "GET", base + path).json()["sha"], commit, path)
        for name, content in self.files.items():
            self.assert_content(call(mirror, "GET", f"/ana/many/resolve/HEAD/{name}"), content)
        self.assertEqual(proxy.requests, [])

    def wait_stored_after_get(self, mirror, path):
        self.assertEqual(call(mirror, "GET", path).status, 200)
        self.wait_stored(mirror, path)

    def test_prefetch_asks_upstream_for_little(self):
        publish(self.upstream, self.ana, "ana/small", {f"{i}.txt": b"%d" % i for i in range(50)})
        proxy = self.proxy()
        mirror = self.mirror(proxy.url, prefetch=["ana/small"])
        wait_for(lambda: proxy.asked("/api/models/ana/small/refs"), "the last to be asked for")
        self.assertLess(len([r for r in proxy.requests if r[1].startswith("/api/")]), 8)
        self.assertEqual(call(mirror, "GET", "/api/models/ana/small/refs").status, 200)

    def test_a_small_file_waits_for_no_large_ones(self):
        publish(self.upstream, self.ana, "ana/large", {f"{i}.bin": noise(40 + i, 17 * MIB) for i in range(5)})
        publish(self.upstream, self.ana, "ana/other", {"config.json": CONFIG, "w.bin": noise(50, 17 * MIB)})
        stuck = Fault(hold_after=MIB, patience=60)
        proxy = self.proxy(lambda method, path, headers: stuck if "/ana/large/resolve/" in path else None)
        mirror = self.mirror(proxy.url, downloads=2)
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            large = [pool.submit(call, mirror, "GET", f"/ana/large/resolve/main/{i}.bin") for i in range(5)]
            wait_for(lambda: len(proxy.asked("/ana/large/resolve/")) == 2, "both turns to be taken")
            self.assert_content(call(mirror, "GET", "/ana/other/resolve/main/config.json", timeout=10), CONFIG)
            waits = pool.submit(call, mirror, "GET", "/ana/other/resolve/main/w.bin")
            wait_for(lambda: proxy.asked("/ana/other/resolve/") and not waits.done(), "the other large one to wait")
            stuck.release.set()
            self.assert_content(waits.result(timeout=60), noise(50, 17 * MIB))
            for answer in large:
                self.assertEqual(answer.result(timeout=60).status, 200)
        order = [path for _, path, _ in proxy.requests if "/resolve/" in path and path.endswith(".bin")]
        self.assertIn("/ana/other/", "".join(order[2:4]), "a repository with nothing under way comes first")

    def test_answers_do_not_fill_the_disk(self):
        mirror = self.mirror(self.proxy().url)
        for i in range(600):
            self.assertEqual(call(mirror, "GET", f"/api/models/ana/many?expand[]=x{i}").status, 200)
        self.assertLessEqual(len(list(mirror.folder.rglob("*.answer"))), 520)

    def test_list_and_rm(self):
        mirror = self.mirror(self.proxy().url)
        path = "/ana/many/resolve/main/1.bin"
        call(mirror, "GET", path)
        self.wait_stored(mirror, path)
        listed = json.loads(mirror.admin("mirror", "list", "--json"))["repositories"]
        self.assertEqual([(r["id"], r["files"], r["bytes"]) for r in listed], [("ana/many", 1, 400_000)])
        mirror.admin("mirror", "rm", "ana/many")
        self.assertEqual(json.loads(mirror.admin("mirror", "list", "--json"))["repositories"], [])
        mirror.admin("mirror", "rm", "ana/many", expect=3)
        freed = json.loads(mirror.admin("gc", "--grace", "1m", "--json", clock="+1h"))
        self.assertGreater(freed["freed_bytes"], 300_000)


if __name__ == "__main__":
    harness.main()
