"""Buckets: by the npm client, and where it has no call, as Python's client asks."""
from tests.clients import hub_process
from tests.harness.mirror import call


class Buckets(hub_process.TestCase):
    def test_npm_client(self):
        self.node("buckets.mjs")
        self.hub.admin("fsck")

    def test_what_python_asks(self):
        self.cara = self.hub.make_writer("cara")
        for name in ("one", "two"):
            made = self.api("POST", f"/api/buckets/me/{name}", self.cara, {"private": name == "two"})
            self.assertEqual(made["url"], f"{self.hub.url}/buckets/cara/{name}")
        again = call(self.hub, "POST", "/api/buckets/cara/one", self.cara, {})
        self.assertEqual((again.status, again.json()["url"]), (409, f"{self.hub.url}/buckets/cara/one"))
        info = self.api("GET", "/api/buckets/cara/one", self.cara)
        self.assertEqual((info["id"], info["author"], info["size"], info["totalFiles"], info["private"], info["repoType"]),
                         ("cara/one", "cara", 0, 0, False, "bucket"))
        # Lists show what the caller may see.
        names = lambda path, token: [bucket["id"] for bucket in self.api("GET", path, token)]
        self.assertEqual(names("/api/buckets/me", self.cara), ["cara/one", "cara/two"])
        self.assertEqual(names("/api/buckets/cara?search=wo", self.cara), ["cara/two"])
        self.assertEqual(names("/api/buckets/cara", self.ben), ["cara/one"])
        self.assertEqual(call(self.hub, "GET", "/api/buckets/nobody").status, 404)
        # A namespace and a bucket that is not there, for a known caller and for an unknown one.
        for token, status in ((self.ben, 404), (None, 401)):
            answer = call(self.hub, "GET", "/api/buckets/cara/two", token)
            self.assertEqual((answer.status, answer.headers["X-Error-Code"]), (status, "RepoNotFound"))
        self.assertEqual(call(self.hub, "DELETE", "/api/buckets/cara/none", self.cara).status, 404)
        # An unknown folder is an empty list; a batch tells what it could not do.
        self.assertEqual(self.api("GET", "/api/buckets/cara/one/tree/none?recursive=false", self.cara), [])
        batch = call(self.hub, "POST", "/api/buckets/cara/one/batch", self.cara,
                     '{"type":"addFile","path":"a","xetHash":"%s"}\n{"type":"deleteFile","path":"../b"}' % ("a" * 64))
        found = batch.json()
        self.assertEqual((batch.status, found["success"], found["processed"], found["succeeded"]), (422, False, 2, 0))
        self.assertEqual([failed["path"] for failed in found["failed"]], ["a", "../b"])
        self.assertIn("was not uploaded to this bucket", found["failed"][0]["error"])
        self.assertEqual(call(self.hub, "POST", "/api/buckets/cara/one/batch", self.cara, "nonsense").status, 400)
        # Settings, and another name that the old one leads to.
        self.assertTrue(self.api("PUT", "/api/buckets/cara/one/settings", self.cara, {"private": True})["private"])
        self.assertEqual(call(self.hub, "GET", "/api/buckets/cara/one").status, 401)
        self.api("POST", "/api/repos/move", self.cara, {"fromRepo": "cara/one", "toRepo": "cara/three", "type": "bucket"})
        self.assertEqual(call(self.hub, "GET", "/api/buckets/cara/one", self.cara).status, 307)
        self.assertEqual(self.api("GET", "/api/buckets/cara/three", self.cara)["id"], "cara/three")
        wrong = call(self.hub, "POST", "/api/repos/create", self.cara, {"name": "x", "type": "bucket"})
        self.assertEqual(wrong.status, 400)
        gone = self.api("DELETE", "/api/buckets/cara/three", self.cara)
        self.assertEqual(gone, {"freedBytes": 0, "reclaimableBytes": gone["reclaimableBytes"]})


if __name__ == "__main__":
    hub_process.main()
