"""Signing in at the hub's pages, and letting programs in there: by Chromium with npm @huggingface/hub, and by requests as
huggingface_hub 1.29 sent them for `hf auth login`."""
import http.client
import json
import socket
import urllib.parse

from tests.clients import hub_process

HF_COMMAND = "26be6b09-91c5-47da-9861-d2d2bb7a7e36"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class SignIn(hub_process.TestCase):
    def post(self, path, headers=(), **form):
        """Status, headers and body of what a form gets, redirects not followed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
        connection.request("POST", path, urllib.parse.urlencode(form),
                           {"Accept": "*/*", "Content-Type": "application/x-www-form-urlencoded", **dict(headers)})
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, answer.headers, body

    def begin_device(self):
        status, _, body = self.post("/oauth/device", client_id=HF_COMMAND)
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def poll(self, device):
        status, _, body = self.post("/oauth/token", grant_type=DEVICE, device_code=device["device_code"],
                                    client_id=HF_COMMAND)
        return status, json.loads(body)

    def sign_in(self, token):
        """The cookie."""
        status, headers, body = self.post("/login", token=token, next="/device")
        self.assertEqual((status, headers["Location"]), (303, "/device"), body)
        self.assertIn("HttpOnly; SameSite=Lax", headers["Set-Cookie"])
        return headers["Set-Cookie"].partition(";")[0]

    def allow(self, device, cookie, decision="allow"):
        return self.post("/device", {"Cookie": cookie}, code=device["user_code"], decision=decision)

    def test_in_a_browser(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.hub.admin("oauth", "add", "board", "--name", "The board", "--redirect", f"http://127.0.0.1:{port}/in",
                       "--scope", "openid", "--scope", "profile", "--scope", "email", "--scope", "read-repos")
        self.hub.admin("user", "set", "ana", "--email", "ana@example.org", "--website", "https://example.org/ana")
        device = self.begin_device()
        self.assertEqual(self.poll(device)[1]["error"], "authorization_pending")
        told = json.loads(self.node("sign_in.mjs", TOKEN=self.ana, REDIRECT_PORT=str(port),
                                    CODE_PAGE=device["verification_uri_complete"]).strip().splitlines()[-1])
        user = told["userInfo"]
        self.assertEqual((user["preferred_username"], user["email"], user["website"]),
                         ("ana", "ana@example.org", "https://example.org/ana"))
        # The program reads what ana may read, and changes nothing.
        self.api("POST", "/api/repos/create", self.ana, {"name": "mine", "private": True})
        self.assertEqual(self.curl("/api/models/ana/mine", told["accessToken"])[0], 200)
        self.assertEqual(self.curl("/api/models/ana/mine/auth-check/write", told["accessToken"])[0], 403)
        # The other program has its token too, once.
        status, answer = self.poll(device)
        self.assertEqual(status, 200, answer)
        self.assertEqual(self.api("GET", "/api/whoami-v2", answer["access_token"])["name"], "ana")
        self.assertEqual(self.curl("/api/models/ana/mine/auth-check/write", answer["access_token"])[0], 200)
        self.assertGreater(answer["expires_in"], 29 * 86400)
        self.assertEqual(self.poll(device), (400, {"error": "expired_token", "error_description":
                                                   "no device has this code, or its time is over"}))
        # What a program got goes with it.
        self.hub.admin("oauth", "rm", "board")
        self.assertEqual(self.curl("/api/whoami-v2", told["accessToken"])[0], 401)

    def test_nobody_hands_on_more_than_he_has(self):
        reader = self.hub.make_token("ben", "--name", "reader")
        device = self.begin_device()
        self.assertEqual(self.allow(device, self.sign_in(reader))[0], 200)
        token = self.poll(device)[1]
        self.assertEqual(token["scope"], "openid profile email read-repos")
        self.assertEqual(self.api("GET", "/api/whoami-v2", token["access_token"])["auth"]["accessToken"]["role"], "read")
        self.api("POST", "/api/repos/create", self.ben, {"name": "some"})
        some = self.hub.make_token("ben", "--name", "some", "--role", "fine-grained", "--repo", "ben/some=write")
        status, headers, body = self.post("/login", token=some)
        self.assertEqual((status, headers["Set-Cookie"]), (401, None), body)

    def test_refusals(self):
        device = self.begin_device()
        cookie = self.sign_in(self.ana)
        self.assertEqual(self.allow(device, cookie, "deny")[0], 200)
        self.assertEqual(self.poll(device)[1]["error"], "access_denied")
        # Nobody is signed in; another site's page sends it; the session's token has ended.
        device = self.begin_device()
        self.assertEqual(self.allow(device, "token=wrong")[1]["Location"], "/login?next=/device")
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            self.assertEqual(self.post("/device", {"Cookie": cookie, **headers}, code=device["user_code"],
                                       decision="allow")[0], 403, headers)
        temporary = self.hub.make_token("ana", "--name", "temporary", "--role", "write")
        cookie = self.sign_in(temporary)
        self.api("POST", "/api/credentials/revoke", None, {"credentials": [temporary]})
        self.assertEqual(self.allow(device, cookie)[0], 303)
        self.assertEqual(self.poll(device)[1]["error"], "authorization_pending")
        # A cookie opens pages, and nothing else.
        cookie = self.sign_in(self.ana)
        self.assertEqual(self.curl("/api/whoami-v2", None, "-H", f"Cookie: {cookie}")[0], 401)
        for path, form, error in (("/oauth/device", {"client_id": "nobody"}, "invalid_client"),
                                  ("/oauth/token", {"grant_type": "password"}, "unsupported_grant_type"),
                                  ("/oauth/token", {"grant_type": "authorization_code", "code": "x"}, "invalid_grant"),
                                  ("/oauth/token", {"grant_type": DEVICE, "device_code": "x"}, "expired_token")):
            status, _, body = self.post(path, **form)
            self.assertEqual((status, json.loads(body)["error"]), (400, error))
        # Where a browser is led to is on this hub.
        for next_place in ("https://evil.example", "//evil.example", "/\\evil.example", ""):
            self.assertEqual(self.post("/login", token=self.ana, next=next_place)[1]["Location"], "/login")

    def test_addresses_that_are_not_the_programs(self):
        self.hub.admin("oauth", "add", "here", "--redirect", "http://127.0.0.1:9/in")
        good = {"client_id": "here", "redirect_uri": "http://127.0.0.1:9/in", "response_type": "code", "state": "s&t",
                "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"}
        cookie = {"Cookie": self.sign_in(self.ana)}

        def ask(**change):
            return self.post("/oauth/authorize?" + urllib.parse.urlencode({**good, **change}), cookie)

        for change in ({"client_id": "nobody"}, {"redirect_uri": "http://127.0.0.1:9/in/else"},
                       {"redirect_uri": "http://evil.example/"}):
            status, headers, body = ask(**change)
            self.assertEqual((status, headers["Location"]), (400, None), body)
        for change, error in (({"response_type": "token"}, "unsupported_response_type"),
                              ({"code_challenge_method": "plain"}, "invalid_request"),
                              ({"code_challenge": ""}, "invalid_request")):
            status, headers, _ = ask(**change)
            query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(headers["Location"]).query))
            self.assertEqual((status, query["error"], query["state"]), (303, error, "s&t"))
        status, headers, _ = ask()
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(headers["Location"]).query))
        self.assertEqual((status, query["iss"], query["state"]), (303, self.hub.url, "s&t"))
        status, _, body = self.post("/oauth/token", grant_type="authorization_code", code=query["code"],
                                    redirect_uri="http://127.0.0.1:9/in",
                                    code_verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        self.assertEqual(status, 200, body)
        # Who it is, and nothing else: no scope for repositories.
        token = json.loads(body)["access_token"]
        self.assertEqual(self.curl("/oauth/userinfo", token)[0], 200)
        self.api("POST", "/api/repos/create", self.ana, {"name": "hidden", "private": True})
        self.assertEqual(self.curl("/api/models/ana/hidden", token)[:2], (404, "RepoNotFound"))


if __name__ == "__main__":
    hub_process.main()
