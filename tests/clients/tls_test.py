"""A hub behind a TLS end: every address that it gives out is https, and real clients work through it."""
import json
import os
import re
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from tests.clients import hub_process
from tests.clients.sign_in_test import HF_COMMAND
from tests.harness import SOURCE, weights
from tests.harness.mirror import call, noise, sha256
from tests.harness.tls import TlsEnd

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CONTENT = weights.gguf(noise("tls", 300_000))


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Tls(hub_process.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tls = TlsEnd(cls.hub, cls.folder)
        cls.addClassCleanup(cls.tls.stop)

    def ask(self, method, path, body=None, token=None, headers=None):
        """Through the TLS end, by an address or a path: status, headers and body."""
        url = path if path.startswith("https://") else self.tls.url + path
        self.assertTrue(url.startswith(self.tls.url + "/"), url)
        request = urllib.request.Request(url, json.dumps(body).encode() if isinstance(body, dict) else body, method=method,
                                         headers={**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})})
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.tls.certificate))), Stay())
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def json(self, *arguments, **more):
        status, _, body = self.ask(*arguments, **more)
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def assert_https(self, text):
        """No address of this hub by plain http, and some by https."""
        self.assertIn(self.tls.url, text)
        self.assertNotIn("http://", text)

    def test_every_address_that_is_given_out_is_https(self):
        made = self.json("POST", "/api/repos/create", {"name": "links"}, token=self.ana)
        self.assertEqual(made["url"], f"{self.tls.url}/ana/links")
        status, _, body = self.ask("POST", "/api/repos/create", {"name": "links"}, token=self.ana)
        self.assertEqual((status, json.loads(body)["url"]), (409, f"{self.tls.url}/ana/links"))
        # A large file by Git LFS: the address it is sent to.
        oid = sha256(CONTENT)
        batch = {"operation": "upload", "objects": [{"oid": oid, "size": len(CONTENT)}]}
        action = self.json("POST", "/ana/links.git/info/lfs/objects/batch", batch, token=self.ana)["objects"][0]["actions"]
        self.assert_https(json.dumps(action))
        self.assertEqual(self.ask("PUT", action["upload"]["href"], CONTENT)[0], 200)
        lines = [{"key": "header", "value": {"summary": "add"}}, {"key": "file", "value": {"path": "a.txt", "content": "a"}},
                 {"key": "lfsFile", "value": {"path": "w.gguf", "algo": "sha256", "oid": oid, "size": len(CONTENT)}}]
        done = self.json("POST", "/api/models/ana/links/commit/main", "\n".join(map(json.dumps, lines)).encode(), token=self.ana)
        self.assertEqual(done["commitUrl"], f"{self.tls.url}/ana/links/commit/{done['commitOid']}")
        lines[1]["value"]["content"] = "b"
        done = self.json("POST", "/api/models/ana/links/commit/main?create_pr=1", "\n".join(map(json.dumps, lines)).encode(),
                         token=self.ana)
        self.assertEqual(done["pullRequestUrl"], f"{self.tls.url}/ana/links/discussions/1")
        batch["operation"] = "download"
        self.assert_https(json.dumps(self.json("POST", "/ana/links.git/info/lfs/objects/batch", batch)))
        # Xet: where to ask, and where the bytes are.
        status, headers, _ = self.ask("HEAD", "/ana/links/resolve/main/w.gguf")
        self.assertEqual(status, 200)
        self.assert_https(headers["Link"])
        refresh = re.search(r'<([^>]*)>; rel="xet-auth"', headers["Link"])[1]
        status, token_headers, body = self.ask("GET", refresh)
        token = json.loads(body)
        self.assertEqual((token["casUrl"], token_headers["X-Xet-Cas-Url"]), (f"{self.tls.url}/cas",) * 2)
        for version in ("v1", "v2"):
            plan = self.json("GET", f"{token['casUrl']}/{version}/reconstructions/{headers['X-Xet-Hash']}",
                             token=token["accessToken"])
            self.assert_https(json.dumps(plan))
            urls = re.findall(r'"url": "([^"]*)"', json.dumps(plan))
            status, _, data = self.ask("GET", urls[0], headers={"Range": "bytes=0-99"})
            self.assertEqual((status, len(data)), (206, 100))
        # Pages of lists, a name that was left behind, and where people and programs sign in.
        for path in ("/api/models/ana/links/tree/main?limit=1", "/api/models/ana/links/commits/main?limit=1"):
            self.assert_https(self.ask("GET", path)[1]["Link"])
        self.json("POST", "/api/repos/create", {"name": "old"}, token=self.ana)
        self.json("POST", "/api/repos/move", {"fromRepo": "ana/old", "toRepo": "ana/new", "type": "model"}, token=self.ana)
        status, headers, _ = self.ask("GET", "/api/models/ana/old")
        self.assertEqual((status, headers["Location"]), (307, "/api/models/ana/new"))
        about = self.json("GET", "/.well-known/openid-configuration")
        self.assertEqual(about["issuer"], self.tls.url)
        self.assert_https(json.dumps(about))
        device = self.json("POST", "/oauth/device", f"client_id={HF_COMMAND}".encode(), headers=FORM)
        self.assertTrue(device["verification_uri"].startswith(self.tls.url + "/"), device)
        form = urllib.parse.urlencode({"token": self.ana}).encode()
        status, headers, body = self.ask("POST", "/login", form, headers={**FORM, "Origin": self.tls.url})
        self.assertEqual(status, 303, body)
        self.assertIn("; Secure", headers["Set-Cookie"])
        # The same without a TLS end is plain, and so is what comes from it.
        self.assertEqual(call(self.hub, "GET", "/.well-known/openid-configuration").json()["issuer"], self.hub.url)

    def test_git_and_git_lfs(self):
        self.json("POST", "/api/repos/create", {"name": "git", "private": True}, token=self.ana)
        remote = self.tls.url.replace("https://", f"https://user:{self.ana}@") + "/ana/git"
        self.git(self.folder, "clone", "-q", remote, self.folder / "untrusted", expect=128)  # by nobody who signs certificates
        one = self.folder / "one"
        self.git(self.folder, "clone", "-q", "-c", f"http.sslCAInfo={self.tls.certificate}", remote, one)
        self.git(one, "lfs", "install", "--local")
        (one / "w.gguf").write_bytes(CONTENT)
        (one / "a.txt").write_bytes(noise("text", 1_200_000).hex().encode())  # more than git sends in one piece
        self.git(one, "add", "-A")
        self.git(one, "commit", "-qm", "by git")
        self.git(one, "push", "-q")
        self.assertEqual(self.ask("GET", "/ana/git/resolve/main/w.gguf", token=self.ana)[2], CONTENT)
        two = self.folder / "two"
        self.git(self.folder, "clone", "-q", "-c", f"http.sslCAInfo={self.tls.certificate}", remote, two)
        self.git(two, "lfs", "install", "--local")
        self.git(two, "lfs", "pull")
        self.assertEqual((two / "w.gguf").read_bytes(), CONTENT)
        self.assertEqual((two / "a.txt").read_bytes(), (one / "a.txt").read_bytes())

    def test_curl_and_the_npm_client_by_xet(self):
        self.json("POST", "/api/repos/create", {"name": "npm"}, token=self.ana)
        environment = {"HUB_URL": self.tls.url, "TOKEN": self.ana, "XET": "1", "NODE_EXTRA_CA_CERTS": str(self.tls.certificate)}

        def npm(operation, stdin=None):
            return subprocess.run(["node", SOURCE / "tests/clients/conformance.mjs", operation, "ana/npm"], input=stdin,
                                  cwd=SOURCE, check=True, timeout=120, env={**os.environ, **environment},
                                  stdout=subprocess.PIPE).stdout
        self.assertEqual(npm("upload", CONTENT), CONTENT)
        path = json.loads(self.ask("GET", "/api/models/ana/npm/tree/main")[2])[-1]["path"]
        before = self.tls.requests
        got = subprocess.run(["curl", "-sSf", "--cacert", self.tls.certificate, f"{self.tls.url}/ana/npm/resolve/main/{path}"],
                             check=True, timeout=60, stdout=subprocess.PIPE).stdout
        self.assertEqual((got, self.tls.requests), (CONTENT, before + 1))


if __name__ == "__main__":
    hub_process.main()
