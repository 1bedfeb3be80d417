"""Cards and what they decide: by the npm client, and by requests as huggingface_hub 1.29 sent them."""
import base64
import http.client
import json

from tests.clients import hub_process

CARD = ("---\nlicense: mit\nlanguage: [en, de]\npipeline_tag: text-generation\nlibrary_name: transformers\ntags: [tiny]\n"
        "base_model: acme/base\nbase_model_relation: quantized\ndatasets: [squad]\n---\n# Hi\n")
DATASET_CARD = ("---\nlicense: cc-by-4.0\ntask_categories:\n- text-classification\nsize_categories: [1K<n<10K]\nlanguage: en\n"
                "---\n")


class Cards(hub_process.TestCase):
    def send(self, method, path, body=None, media="application/json"):
        """As huggingface_hub's httpx does; the status and the JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
        headers = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "Connection": "keep-alive",
                   "user-agent": "unknown/None; hf_hub/1.29.0.dev0; python/3.11.2", "authorization": f"Bearer {self.ana}",
                   **({"Content-Type": media} if body is not None else {})}
        connection.request(method, path, body if body is None or isinstance(body, bytes) else json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content)

    def commit_card(self, kind, repo, card, path="README.md"):
        """What upload_file sends for a card."""
        body = base64.b64encode(card.encode()).decode()
        status, check = self.send("POST", "/api/validate-yaml", {"content": card, "repoType": kind})
        self.assertEqual(status, 200, check)
        status, answer = self.send("POST", f"/api/{kind}s/{repo}/preupload/main",
                                   {"files": [{"path": path, "sample": body, "size": len(card)}]})
        self.assertEqual(answer["files"][0]["uploadMode"], "regular")
        lines = [{"key": "header", "value": {"summary": "Upload README.md with huggingface_hub", "description": ""}},
                 {"key": "file", "value": {"content": body, "path": path, "encoding": "base64"}}]
        status, answer = self.send("POST", f"/api/{kind}s/{repo}/commit/main",
                                   "".join(json.dumps(line) + "\n" for line in lines).encode(), "application/x-ndjson")
        self.assertEqual(status, 200, answer)
        return check

    def found(self, path):
        status, answer = self.send("GET", path)
        self.assertEqual(status, 200, answer)
        return [repo["id"] for repo in answer]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for body in ({"name": "tiny", "organization": "ana"}, {"name": "bare", "organization": "ana"},
                     {"name": "rows", "organization": "ana", "type": "dataset"}):
            cls.api(cls, "POST", "/api/repos/create", cls.ana, body)

    def test_lists_by_both_clients(self):
        self.assertEqual(self.commit_card("model", "ana/tiny", CARD), {"errors": [], "warnings": []})
        self.assertEqual(self.commit_card("dataset", "ana/rows", DATASET_CARD), {"errors": [], "warnings": []})
        warnings = self.commit_card("model", "ana/bare", "# hi\n")["warnings"]
        self.assertIn("no metadata", warnings[0]["message"])

        self.node("cards.mjs")

        status, info = self.send("GET", "/api/models/ana/tiny")
        self.assertEqual(info["tags"], ["transformers", "text-generation", "tiny", "en", "de", "dataset:squad",
                                        "base_model:acme/base", "base_model:quantized:acme/base", "license:mit"])
        self.assertEqual(info["cardData"], {"license": "mit", "language": ["en", "de"], "pipeline_tag": "text-generation",
                                            "library_name": "transformers", "tags": ["tiny"], "base_model": "acme/base",
                                            "base_model_relation": "quantized", "datasets": ["squad"]})
        self.assertNotIn("cardData", self.send("GET", "/api/models/ana/bare")[1])
        for query, expected in (
                ("filter=license%3Amit&author=ana", ["ana/tiny"]), ("filter=license%3Amit&filter=en&author=ana", ["ana/tiny"]),
                ("author=ana&pipeline_tag=text-generation", ["ana/tiny"]), ("filter=license%3Aapache-2.0&author=ana", []),
                ("filter=license:mit,en", ["ana/tiny"]), ("library=transformers&language=de", ["ana/tiny"]),
                ("library=gguf", []), ("search=ana&search=tin", ["ana/tiny"]), ("license=mit", ["ana/tiny"]),
                ("author=ana&sort=id", ["ana/bare", "ana/tiny"]), ("sort=id&direction=-1", ["ana/tiny", "ana/bare"]),
                ("sort=usedStorage&limit=1", ["ana/tiny"]), ("sort=usedStorage&direction=1&limit=1", ["ana/bare"])):
            with self.subTest(query):
                self.assertEqual(self.found("/api/models?" + query), expected)
        for query, expected in (("filter=task_categories%3Atext-classification", ["ana/rows"]),
                                ("filter=size_categories%3A1K%3Cn%3C10K&filter=language%3Aen", ["ana/rows"]),
                                ("language=fr", [])):
            with self.subTest(query):
                self.assertEqual(self.found("/api/datasets?" + query), expected)
        status, answer = self.send("GET", "/api/models?author=ana&sort=nothing")
        self.assertEqual((status, "createdAt" in answer["error"]), (400, True), answer)

        status, listed = self.send("GET", "/api/models?author=ana&full=true&cardData=true&sort=id")
        self.assertEqual([repo.get("cardData", {}).get("license") for repo in listed], [None, "mit"])
        self.assertNotIn("cardData", self.send("GET", "/api/models?author=ana&sort=id")[1][1])
        status, tags = self.send("GET", "/api/models-tags-by-type")
        self.assertEqual(tags["license"], [{"id": "license:mit", "label": "mit", "type": "license"}])
        self.assertEqual([tag["id"] for tag in tags["pipeline_tag"]], ["text-generation"])
        self.assertIn({"id": "transformers", "label": "transformers", "type": "library"}, tags["library"])

    def pages(self, path):
        """The ids on each page of a list, by the links from one to the next, as clients follow them: whole, as they are."""
        pages = []
        while path:
            connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
            connection.request("GET", path, headers={"authorization": f"Bearer {self.ana}"})
            answer = connection.getresponse()
            pages.append([repo["id"] for repo in json.loads(answer.read())])
            link = answer.getheader("Link")
            connection.close()
            self.assertEqual(answer.status, 200)
            if link:
                self.assertTrue(link.startswith(f"<{self.hub.url}/api/") and link.endswith('>; rel="next"'), link)
            path = link and link[1 + len(self.hub.url):link.index(">")]
        return pages

    def test_lists_come_in_pages_that_lead_from_one_to_the_next(self):
        names = [f"page-{i}" for i in range(5)]
        for name in names:
            self.api("POST", "/api/repos/create", self.ana, {"name": name, "private": name == "page-2"})
            self.api("POST", "/api/repos/create", self.ana, {"name": name, "type": "dataset"})
        for name in ("page-1", "page-3", "page-4"):
            self.commit_card("model", f"ana/{name}", "---\nlicense: mit\ntags: [a b&c=d]\n---\n")
        ids = [f"ana/{name}" for name in names]
        self.assertEqual(self.pages("/api/models?search=page-&sort=id&limit=2"), [ids[:2], ids[2:4], ids[4:]])
        self.assertEqual(self.pages("/api/models?search=page-&sort=id&direction=-1&limit=5"), [ids[::-1]])
        # What the first page was asked for holds for the next ones, however it was written.
        self.assertEqual(self.pages("/api/models?author=ana&filter=license%3Amit&filter=a+b%26c%3Dd&search=page&sort=id&limit=1"),
                         [["ana/page-1"], ["ana/page-3"], ["ana/page-4"]])
        self.assertEqual(self.pages("/api/models?filter[]=a%20b%26c%3Dd&gguf=false&full=true&expand=sha&sort=id&limit=2"),
                         [["ana/page-1", "ana/page-3"], ["ana/page-4"]])
        self.assertEqual(self.pages("/api/datasets?search=page&sort=id&limit=3"), [ids[:3], ids[3:]])
        self.assertEqual(self.pages("/api/models?search=page&gguf=true&limit=1"), [[]])
        for name in names:
            self.api("DELETE", "/api/repos/delete", self.ana, {"name": name})
            self.api("DELETE", "/api/repos/delete", self.ana, {"name": name, "type": "dataset"})

    def test_a_card_that_cannot_be_read_is_told_and_says_nothing(self):
        for card, words in (("---\nlicense: [mit\n---\n", "no YAML"), ("---\nlicense: {a: b}\n---\n", "license must be text"),
                            ("---\na: 1\na: 2\n---\n", "given twice"), ("---\n- a\n---\n", "list of members")):
            status, answer = self.send("POST", "/api/validate-yaml", {"content": card, "repoType": "model"})
            self.assertEqual(status, 400, card)
            self.assertIn(words, answer["errors"][0]["message"])
        self.assertEqual(self.send("POST", "/api/validate-yaml", {"content": 1})[0], 400)
        self.assertEqual(self.send("POST", "/api/validate-yaml", {"content": "", "repoType": "x"})[0], 400)
        status, answer = self.send("POST", "/api/validate-yaml", {"content": "---\nlicense: my-own\n---\n", "repoType": "model"})
        self.assertEqual((status, "my-own" in answer["warnings"][0]["message"]), (200, True), answer)
        for kind, more, words in (("model", "pipeline_tag: chatting", 'pipeline_tag "chatting" is no id of a task'),
                                  ("dataset", "task_categories: [chatting]", 'task_categories "chatting" is no id of a task'),
                                  ("model", "language: [en, Klingon]", 'language "Klingon" is no id of a language')):
            card = f"---\nlicense: mit\n{more}\n---\n"
            status, answer = self.send("POST", "/api/validate-yaml", {"content": card, "repoType": kind})
            self.assertEqual((status, answer), (200, {"errors": [], "warnings": [{"message": words}]}))
        # As huggingface_hub's EvalResult writes results, and with what it would not find again.
        index = ("model-index:\n- name: tiny\n  results:\n  - task:\n      type: text-generation\n    dataset:\n      name: SQuAD\n"
                 "      type: squad\n    metrics:\n    - type: f1\n      value: 0.5\n")
        for card, status in ((index, 200), (index.replace("value", "values"), 400), (index.replace("- name: tiny", "- names: x"), 400)):
            self.assertEqual(self.send("POST", "/api/validate-yaml", {"content": f"---\nlicense: mit\n{card}---\n",
                                                                      "repoType": "model"})[0], status, card)

        # By git or npm it comes all the same: the repository is there, without what its card would say.
        self.api("POST", "/api/repos/create", self.ana, {"name": "broken"})
        lines = [{"key": "header", "value": {"summary": "card"}},
                 {"key": "file", "value": {"path": "README.md", "content": "---\nlicense: [mit\n---\n"}}]
        self.api("POST", "/api/models/ana/broken/commit/main", self.ana, lines=lines)
        status, info = self.send("GET", "/api/models/ana/broken")
        self.assertEqual((status, info["tags"], "cardData" in info), (200, [], False))
        self.api("DELETE", "/api/repos/delete", self.ana, {"name": "broken"})


if __name__ == "__main__":
    hub_process.main()
