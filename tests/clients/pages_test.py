"""The pages of repositories, and asking for access there: by Chromium, and by curl."""
import base64
import hashlib
import html
import json
import subprocess

from tests.clients import hub_process

PIXEL = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
CARD = """---
license: mit
tags: [small]
---
# A small one

<script>alert(1)</script>

<b onclick="alert(2)">bold</b> ![a point](point.png) ![far](https://example.org/x.png)
[notes](docs/notes.md) [bad](javascript:alert(3))

| size | speed |
|------|------:|
| 1    | 2     |
"""
PROMPT = "It is *for research*."
GATED = f"""---
extra_gated_heading: Who may have it
extra_gated_prompt: "{PROMPT}"
extra_gated_button_content: Agree
extra_gated_fields:
  Company: text
  Use:
    type: select
    options: [Research, {{label: Other, value: other}}]
  I agree: checkbox
---
# Gated
"""


class Pages(hub_process.TestCase):
    def commit(self, kind, repo, files, token=None):
        lines = [{"key": "header", "value": {"summary": "Change"}}]
        lines += [{"key": "file", "value": {"path": path, "encoding": "base64", "content": content}}
                  for path, content in files.items()]
        self.api("POST", f"/api/{kind}/{repo}/commit/main", token or self.ana, lines=lines)

    def setUp(self):
        self.token = self.hub.make_token("ben", "--name", self.id(), "--role", "write")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        self = cls("test_in_a_browser")
        self.api("POST", "/api/repos/create", self.ana, {"name": "shown"})
        self.api("POST", "/api/repos/create", self.ana, {"name": "hidden", "private": True})
        self.api("POST", "/api/repos/create", self.ana, {"name": "gated", "type": "dataset"})
        text = base64.b64encode(CARD.encode()).decode()
        self.commit("models", "ana/shown", {"README.md": text, "point.png": PIXEL, "docs/notes.md": text})
        # One of ben's own, which he looks at signed in.
        self.api("POST", "/api/repos/create", self.ben, {"name": "closed", "private": True})
        self.commit("models", "ben/closed", {"README.md": text, "point.png": PIXEL, "docs/notes.md": text}, self.ben)
        self.commit("datasets", "ana/gated", {"README.md": base64.b64encode(GATED.encode()).decode()})
        self.api("PUT", "/api/datasets/ana/gated/settings", self.ana, {"gated": "manual"})
        self.api("POST", "/api/models/ana/shown/discussions", self.ben,
                 {"title": "Is it <small>?", "description": "**Very** <script>x</script>", "pullRequest": False})

    def test_the_page_tells_each_verdict_with_its_evidence(self):
        self.api("POST", "/api/repos/create", self.ana, {"name": "judged"})
        key = subprocess.run(["openssl", "genpkey", "-algorithm", "rsa"], check=True, timeout=60, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL).stdout
        files = {"blob.bin": bytes(range(128, 256)) * 8, "notes.txt": b"words\n", "<b>.txt": b"more words\n",
                 "key.txt": b"mine:\n" + key}
        self.commit("models", "ana/judged", {path: base64.b64encode(held).decode() for path, held in files.items()})
        status, _, page = self.curl("/ana/judged", self.ana)
        self.assertEqual(status, 200)
        asked = self.api("GET", "/api/models/ana/judged/tree/main?expand=true", self.ana)
        scans = {entry["path"]: entry["securityFileStatus"]["locaraScan"] for entry in asked}
        for path, level in (("blob.bin", "suspicious"), ("notes.txt", "safe"), ("<b>.txt", "safe"), ("key.txt", "suspicious")):
            row = next(row for row in page.split("<tr>") if f">{html.escape(path)}<" in row)
            scan = scans[path]
            self.assertIn(f"<td>{level}<br><small>", row)
            self.assertIn(f"rule {scan['rule']}", row)
            self.assertIn(f"by {scan['scanner']} {scan['version']}", row)
            if level != "safe":
                self.assertIn(html.escape(scan["reason"]), row)
        self.assertEqual(scans["blob.bin"]["rule"], "content.unknown")
        self.assertEqual(scans["key.txt"]["offset"], len("mine:\n"))
        self.assertIn("rule secret.private-key at byte 6, by", page)

    def test_in_a_browser(self):
        self.node("pages.mjs", TOKEN=self.token)
        asked = self.api("GET", "/api/datasets/ana/gated/user-access-request/pending", self.ana)
        self.assertEqual(asked[0]["user"]["user"], "ben")
        # What was filled in, and which text was agreed to.
        digest = hashlib.sha256(PROMPT.encode()).hexdigest()
        self.assertEqual(asked[0]["fields"], {"Company": "ACME", "Use": "Research", "I agree": "on",
                                              "extra_gated_prompt": f"sha256:{digest}"})

    def test_a_gated_page_has_no_links_for_who_may_not_read(self):
        self.api("POST", "/api/repos/create", self.ana, {"name": "asked"})
        text = base64.b64encode(CARD.encode()).decode()
        self.commit("models", "ana/asked", {"README.md": text, "point.png": PIXEL})
        self.api("PUT", "/api/models/ana/asked/settings", self.ana, {"gated": "manual"})
        for token, read in ((None, False), (self.ben, False), (self.ana, True)):
            page = self.curl("/ana/asked", token)[2]
            self.assertEqual("/resolve/main/" in page, read, token)
            self.assertEqual("Its files are for those who were let in." in page, not read)

    def test_what_the_card_asks_for_is_asked_of_programs_too(self):
        carl = self.hub.make_writer("carl")

        def ask(**fields):
            return self.curl("/datasets/ana/gated/ask-access", carl, "-H", "Content-Type: application/json",
                             "-d", json.dumps(fields))

        for fields, words in (({}, "field 'Company' must be filled in"),
                              ({"Company": "ACME"}, "field 'Use' must be one of: Research, other"),
                              ({"Company": "ACME", "Use": "Other"}, "must be one of"),
                              ({"Company": "ACME", "Use": "other"}, "field 'I agree' must be ticked"),
                              ({"Company": "ACME", "Use": "other", "I agree": False}, "must be ticked")):
            status, _, body = ask(**fields)
            self.assertEqual(status, 400)
            self.assertIn(words, json.loads(body)["error"])
        self.assertEqual(ask(**{"Company": "ACME", "Use": "other", "I agree": True, "More": 1})[0], 200)
        # Another site's page asks for nobody.
        status, _, _ = self.curl("/datasets/ana/gated/ask-access", None, "-H", "Cookie: token=x", "-H",
                                 "Sec-Fetch-Site: cross-site", "-d", "Company=ACME")
        self.assertEqual(status, 403)

    def test_a_private_page_is_for_who_may_see_it(self):
        self.assertEqual(self.curl("/ana/hidden")[0], 404)
        self.assertEqual(self.curl("/ana/hidden", self.ben)[0], 404)
        status, _, page = self.curl("/ana/hidden", self.ana)
        self.assertEqual(status, 200)
        self.assertIn("private", page)

    def test_a_collection_has_a_page(self):
        made = self.api("POST", "/api/collections", self.ana, {"title": "Good <ones>", "description": "Small & fast"})
        for kind, repo, note in (("model", "ana/shown", "the <best>"), ("dataset", "ana/gated", ""), ("model", "ana/hidden", "")):
            self.api("POST", f"/api/collections/{made['slug']}/items", self.ana, {"item": {"type": kind, "id": repo}, "note": note})
        self.assertEqual(made["shareUrl"], f"{self.hub.url}/collections/{made['slug']}")
        status, _, page = self.curl(f"/collections/{made['slug']}")
        self.assertEqual(status, 200)
        for part in ("<h1>Good &lt;ones&gt;</h1>", "Small &amp; fast", '<a href="/ana/shown">ana/shown</a>', "the &lt;best&gt;",
                     '<a href="/datasets/ana/gated">ana/gated</a>'):
            self.assertIn(part, page)
        self.assertNotIn("hidden", page)
        self.assertNotIn("<script", page)
        self.assertIn('<a href="/ana/hidden">', self.curl(f"/collections/{made['slug']}", self.ana)[2])
        self.assertNotIn(made["slug"], self.curl("/")[2], "the front page is the curators'")
        # A private one is not there for others, nor is one of another's by its id; and names of repositories begin elsewhere.
        self.api("PATCH", f"/api/collections/{made['slug']}", self.ana, {"private": True})
        for path, token in ((made["slug"], None), (made["slug"], self.ben), (made["slug"].replace("ana/", "ben/"), self.ana)):
            status, _, page = self.curl(f"/collections/{path}", token)
            self.assertEqual((status, "nothing here that you may see" in page), (404, True))
        self.hub.admin("user", "add", "collections", expect=2)

    def test_comments_are_rendered(self):
        found = self.api("GET", "/api/models/ana/shown/discussions/1")
        self.assertEqual(found["events"][0]["data"]["latest"]["html"], "<p><strong>Very</strong> x</p>\n")


if __name__ == "__main__":
    hub_process.main()
