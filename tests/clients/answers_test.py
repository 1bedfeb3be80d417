"""What the hub answers to requests that are wrong, and where the addresses lead that it hands out."""
import http.client
import json

from tests.clients import hub_process

LFS = "application/vnd.git-lfs+json"


class Answers(hub_process.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        self = cls("test_a_wrong_type_makes_nothing_public")
        self.api("POST", "/api/repos/create", self.ana, {"name": "open"})
        self.api("POST", "/api/repos/create", self.ana, {"name": "closed", "private": True})
        self.api("POST", "/api/buckets/ana/box", self.ana, {})
        lines = [{"key": "header", "value": {"summary": "add"}},
                 {"key": "file", "value": {"path": "docs/a b.txt", "content": "words\n"}}]
        cls.made = self.api("POST", "/api/models/ana/open/commit/main", self.ana, lines=lines)

    def call(self, method, path, token=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        return answer

    def assert_refused(self, answer, status, *words, code=None):
        self.assertEqual(answer.status, status, answer.text)
        told = json.loads(answer.text)["error"]
        for word in words:
            self.assertIn(word, told)
        self.assertTrue(answer.getheader("X-Error-Message"))
        self.assertEqual(answer.getheader("X-Error-Code"), code)

    def test_a_wrong_type_makes_nothing_public(self):
        for path, body, key in (("/api/repos/create", {"name": "v", "private": "true"}, 'private: found "true"'),
                                ("/api/repos/create", {"name": "v", "private": 1}, "private: found 1"),
                                ("/api/repos/create", {"name": "v", "visibility": "bogus"}, 'visibility: found "bogus"'),
                                ("/api/repos/create", {"name": "v", "visibility": True}, "visibility: found true"),
                                ("/api/buckets/ana/v", {"private": "true"}, 'private: found "true"'),
                                ("/api/collections", {"title": "v", "private": "true"}, 'private: found "true"')):
            self.assert_refused(self.call("POST", path, self.ana, body), 400, key, "allowed are")
        self.assert_refused(self.call("POST", "/api/repos/create", self.ana, {"name": "v", "gated": "manuel"}), 400,
                            'gated is false, "auto" or "manual"')
        self.assertEqual(self.call("GET", "/api/models/ana/v", self.ana).status, 404)
        self.assertEqual(self.call("GET", "/api/buckets/ana/v", self.ana).status, 404)
        self.assertEqual(self.api("GET", "/api/collections?owner=ana", self.ana), [])
        for path in ("/api/models/ana/open/settings", "/api/buckets/ana/box/settings"):
            self.assert_refused(self.call("PUT", path, self.ana, {"private": "yes"}), 400, 'private: found "yes"')
            self.assert_refused(self.call("PUT", path, self.ana, {"discussionsDisabled": True}), 400,
                                "no setting 'discussionsDisabled'", "private, visibility")
        for key in ("discussionsDisabled", "orgMembersGated", "gatedNotificationsMode"):
            self.assertEqual(self.api("PUT", "/api/models/ana/open/settings", self.ana, {key: None})["private"], False)
        self.assert_refused(self.call("PUT", "/api/models/ana/open/settings", self.ana, {"gatedNotificationsMode": "bulk"}), 400,
                            "no setting 'gatedNotificationsMode': this hub sends no mail")
        # Clients send null for what was not asked for.
        self.assertEqual(self.api("PUT", "/api/models/ana/open/settings", self.ana, {"private": None})["private"], False)
        self.assert_refused(self.call("POST", "/api/models/ana/open/branch/x", self.ana, {"emptyBranch": "no"}), 400, "emptyBranch")

    def test_a_repository_is_made_gated(self):
        self.api("POST", "/api/repos/create", self.ana, {"name": "asks", "gated": "manual"})
        self.assertEqual(self.api("GET", "/api/models/ana/asks")["gated"], "manual")

    def test_a_truth_in_a_query_is_none_by_a_typo(self):
        for path in ("/api/models?gated=maybe", "/api/models?full=maybe", "/api/models?linked=maybe", "/api/models?gguf=yes",
                     "/api/models?direction=5", "/api/models?num_parameters=zz", "/api/models?num_parameters=min:6Q",
                     "/api/models/ana/open?blobs=maybe", "/api/models/ana/open/tree/main?recursive=maybe",
                     "/api/models/ana/open/tree/main?expand=maybe", "/api/models/ana/open/refs?include_prs=maybe"):
            self.assert_refused(self.call("GET", path, self.ana), 400, "found '")
        for path in ("/api/models?gated=False&full=True&direction=-1", "/api/models?full", "/api/models?num_parameters=min:6B,max:128B",
                     "/api/models/ana/open/tree/main?recursive=1&expand=0"):
            self.assertEqual(self.call("GET", path, self.ana).status, 200, path)

    def test_who_has_no_token_is_told_that_first(self):
        for method, path in (("POST", "/api/repos/create"), ("DELETE", "/api/repos/delete"), ("POST", "/api/repos/move")):
            self.assert_refused(self.call(method, path, None, {"name": "q"}), 401, "a token is needed")

    def test_what_is_nowhere_is_told_in_one_shape(self):
        for method, path, status in (("GET", "/api/nosuch", 404), ("GET", "/api/models/ana/open/nosuch/x", 404),
                                     ("PUT", "/api/repos/create", 405), ("GET", "/cas/nosuch", 404),
                                     ("GET", "/v2/nosuch/x", 404), ("GET", "/v2", 404),
                                     ("GET", "/ana/open/resolve/main/%00", 400)):
            self.assert_refused(self.call(method, path), status)
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
        connection.request("GET", "/ana/open/resolve/main/docs/a%20b.txt", headers={"Range": "bytes=100-"})
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        self.assert_refused(answer, 416, "behind the end of these 6 bytes")
        answer = self.call("POST", "/ana/open.git/info/lfs/locks/verify", self.ana, {})
        self.assert_refused(answer, 404)
        self.assertEqual(answer.getheader("Content-Type"), LFS)
        # People get a page.
        self.assertIn("<h1>Not found</h1>", self.call("GET", "/ana/nosuch").text)

    def test_numbers_are_numbers(self):
        for path in ("models/ana/open/tree/main?limit=abc", "models/ana/open/commits/main?limit=-1",
                     "models/ana/open/commits/main?p=x", "models/ana/open/discussions?p=-1", "models?limit=1.5",
                     "models?cursor=x", "buckets/ana/box/tree?limit=abc"):
            self.assert_refused(self.call("GET", "/api/" + path), 400, "wanted a whole number")
        self.assert_refused(self.call("POST", "/api/models/ana/open/paths-info/main", None, {"paths": "x"}), 400, "paths")

    def test_what_is_not_there_has_a_name(self):
        self.assert_refused(self.call("GET", "/api/collections/ana/none-" + "0" * 24, self.ana), 404, code="CollectionNotFound")
        self.assert_refused(self.call("GET", "/api/models/ana/open/discussions/7"), 404, code="DiscussionNotFound")
        answer = self.call("GET", "/buckets/ana/box/resolve/nope")
        self.assert_refused(answer, 404, code="EntryNotFound")
        self.assertIsNone(answer.getheader("X-Repo-Commit"))  # a bucket has no commits
        self.assert_refused(self.call("POST", "/api/collections", self.ben, {"title": "t", "namespace": "ana"}), 403,
                            "may not make anything in ana")

    def test_addresses_that_are_handed_out_lead_somewhere(self):
        def follow(address, token=None):
            for _ in range(3):
                answer = self.call("GET", address.removeprefix(self.hub.url), token)
                if answer.status not in (303, 307):
                    return answer
                address = answer.getheader("Location")
            self.fail("too many redirects")

        for path in (self.made["commitUrl"], "/ana/open/tree/main", "/ana/open/tree/main/docs", "/ana/open/commits/main"):
            self.assertIn("<h1>ana/open</h1>", follow(path).text, path)
        self.assertEqual(follow("/ana/open/blob/main/docs/a%20b.txt").text, "words\n")
        shelf = self.api("POST", "/api/collections", self.ana, {
            "title": "Some <b>", "description": "which & why", "item": {"type": "model", "id": "ana/open"}, "note": "a <note>"})
        self.api("POST", f"/api/collections/{shelf['slug']}/items", self.ana, {"item": {"type": "model", "id": "ana/closed"}})
        page = follow(shelf["shareUrl"])
        for words in ("<h1>Some &lt;b&gt;</h1>", "which &amp; why", ">ana/open</a>", "a &lt;note&gt;"):
            self.assertIn(words, page.text)
        self.assertNotIn("closed", page.text)
        self.assertIn(">ana/closed</a>", follow(shelf["shareUrl"], self.ana).text)
        hidden = self.api("POST", "/api/collections", self.ana, {"title": "Hidden one", "private": True})
        self.assertEqual(follow(hidden["shareUrl"]).status, 404)
        self.assertIn("<h1>ana/box</h1>", follow("/buckets/ana/box").text)
        page = follow("/ana").text
        for words in (">ana/open</a>", ">ana/box</a>", ">Some &lt;b&gt;</a>"):
            self.assertIn(words, page)
        self.assertNotIn("closed", page)
        self.assertNotIn("Hidden one", page)
        self.assertIn(">ana/closed</a>", follow("/ana", self.ana).text)
        self.assertEqual(follow("/nobody").status, 404)
        for path in ("/ana/closed/tree/main", "/ana/closed/blob/main/a.txt", "/ana/closed/commit/main"):
            self.assertEqual(self.call("GET", path).status, 404)
        self.hub.admin("user", "set", "ben", "--email", "ben@example.org")
        for address in (shelf["owner"]["avatarUrl"], self.api("GET", "/api/whoami-v2", self.ben)["avatarUrl"]):
            answer = follow(address)
            self.assertEqual((answer.status, answer.getheader("Content-Type")), (200, "image/svg+xml"), address)
        self.assertEqual(follow("/avatars/other.svg").status, 404)


if __name__ == "__main__":
    hub_process.main()
