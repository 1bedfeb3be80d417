"""What a publisher does before a catalog has a model: `locara model pin`, `validate`, `build`, against a real hub and engine."""
import hashlib
import json
import re
import shutil
import signal
import subprocess
import urllib.request

from tests import harness
from tests.harness import BIN, SOURCE, weights

REPO = SOURCE / "models/quick-add/repo"
TINY = SOURCE / "src/engine/test/data/tiny.gguf"
FAILED, USAGE, MISSING, DENIED, WRONG, REFUSED = 1, 2, 3, 4, 6, 8
PROBES = [(probe["messages"][0]["content"], probe["expected"])
          for probe in json.loads((SOURCE / "models/quick-add/manifest.json").read_text())["validation"]["probes"][:3]]
AHEAD = 512 << 10  # readers take blocks; what they bring along of the tensors
CARD = "---\nlicense: {license}\n{more}---\n# A card\n"


def header_bytes(path):
    """About where the tensors of a GGUF start: their table, which begins so, ends the header."""
    return path.read_bytes().index(b"output_norm.weight")


def probes_sha256(manifest):
    """As docs/formats/model-manifest.md has it."""
    asked = {key: value for key, value in manifest["recommended"].items() if key not in ("temperature", "seed")}
    return hashlib.sha256(json.dumps({"probes": manifest["validation"]["probes"], "recommended": asked}, separators=(",", ":"),
                                     sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Models(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.token = cls.hub.make_writer("acme")

    def setUp(self):
        super().setUp()
        self.client.environment["HF_ENDPOINT"] = self.hub.url
        self.client.environment["LOCARA_TOKEN"] = self.token

    def push(self, repo, license="apache-2.0", more="", files=()):
        """A repository of a card and files; its commit."""
        folder = self.client.home / repo
        folder.mkdir(parents=True)
        (folder / "README.md").write_text(CARD.format(license=license, more=more))
        for file in files:
            shutil.copy(file, folder)
        return self.client.json("upload", repo, *sorted(folder.iterdir()), "--create")["commit"]

    def pin(self, ref, *flags, **options):
        return self.client.json("model", "pin", ref, *flags, **options)

    # -- pin --

    def test_pin_says_what_is_there_and_fetches_headers_only(self):
        proxy = self.proxy()
        self.client.environment["HF_ENDPOINT"] = proxy.url
        out = self.client.home / "manifest.json"
        told = self.pin("locara/quick-add", "-o", out)
        self.assertEqual(told["schema"], "locara.model-pin/1")
        manifest = json.loads(out.read_text())
        self.assertEqual(told["manifest"], manifest)
        self.assertEqual(told["sha256"], hashlib.sha256(out.read_bytes()).hexdigest())
        ours = json.loads((SOURCE / "models/quick-add/manifest.json").read_text())
        for key in ("schema", "id", "context_length", "source", "task", "modality"):
            self.assertEqual(manifest[key], ours[key], key)
        self.assertEqual(manifest["license"]["id"], "Apache-2.0")
        self.assertEqual(manifest["license"]["terms"], ours["license"]["terms"])
        f16, q8 = manifest["variants"]
        by_hand = ours["variants"][0]
        for key in ("name", "quantization", "engine", "weights_bytes", "kv_bytes_per_token"):
            self.assertEqual(f16[key], by_hand[key], key)
        for variant, name in ((f16, "quick-add-f16.gguf"), (q8, "quick-add-q8_0.gguf")):
            (file,) = variant["files"]
            self.assertEqual((file["path"], file["sha256"]),
                             (name, hashlib.sha256((REPO / name).read_bytes()).hexdigest()))
        self.assertEqual((q8["name"], q8["quantization"], manifest["default"]), ("q8_0", "Q8_0", "q8_0"))
        template = json.loads((REPO / "tokenizer_config.json").read_text())["chat_template"]
        self.assertEqual(manifest["chat_template"]["sha256"], hashlib.sha256(template.encode()).hexdigest())
        self.assertEqual(manifest["tokenizer"]["sha256"], hashlib.sha256((REPO / "tokenizer.json").read_bytes()).hexdigest())
        # Nothing is claimed that was not run.
        self.assertIsNone(manifest["validation"]["results"])
        self.assertEqual([v["validated"] for v in told["variants"]], [False, False])
        # Of weights only ranges were asked for, and of these none that is far behind the header.
        asked = {}
        for method, path, headers in proxy.requests:
            if method == "GET" and path.endswith(".gguf"):
                first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", headers["Range"]).groups())
                name = path.rsplit("/", 1)[1]
                self.assertEqual(first, asked.get(name, 0))
                asked[name] = last + 1
        self.assertEqual(set(asked), {"quick-add-f16.gguf", "quick-add-q8_0.gguf"})
        for name, end in asked.items():
            self.assertLessEqual(end, 2 * header_bytes(REPO / name) + AHEAD, name)

    def test_pin_goes_by_revisions_and_writes_to_where_it_is_told(self):
        first = self.push("acme/moving", files=[TINY])
        (self.client.home / "acme/moving/README.md").write_text(CARD.format(license="mit", more=""))
        second = self.client.json("upload", "acme/moving", self.client.home / "acme/moving/README.md")["commit"]
        self.assertEqual(self.pin("acme/moving")["revision"], second)
        self.assertEqual(self.pin(f"acme/moving@{first}")["revision"], first)
        self.assertEqual(self.pin(f"acme/moving@{first}")["license"], ["Apache-2.0"])
        self.client.run("model", "pin", "acme/moving@nowhere", expect=MISSING)
        out = self.client.home / "m.json"
        self.client.run("model", "pin", "acme/moving", "-o", out, "--dry-run")
        self.assertFalse(out.exists())
        text = self.client.run("model", "pin", "acme/moving", "--id", "acme/other", "--model-version", "2.0.0")
        self.assertEqual((json.loads(text)["id"], json.loads(text)["version"]), ("acme/other", "2.0.0"))
        out.write_text("mine")
        self.client.run("model", "pin", "acme/moving", "-o", out, expect=FAILED)
        self.assertEqual(out.read_text(), "mine")
        self.client.run("model", "pin", "acme/moving", "--default", "q4", expect=MISSING)
        self.client.run("model", "pin", "acme/moving", "--offline", expect=12)

    def test_the_license_counts_over_what_a_model_was_made_from(self):
        root = self.push("acme/root", license="cc-by-nc-4.0")
        base = self.push("acme/base", license="llama3.2", more="base_model: acme/root\n")
        self.push("acme/made", license="mit", more="base_model: acme/base\nbase_model_relation: quantized\n", files=[TINY])
        told = self.pin("acme/made")
        self.assertEqual([(one["repo"], one["revision"], one["relation"], one["license"])
                          for one in told["manifest"]["lineage"]],
                         [("acme/base", base, "quantized", "llama3.2"), ("acme/root", root, "finetune", "CC-BY-NC-4.0")])
        self.assertTrue(any("acme/root" in one for one in told["conflicts"]), told["conflicts"])
        # A base that nobody can look at hides its terms.
        self.push("acme/orphan", more="base_model: acme/nowhere\n", files=[TINY])
        self.client.run("model", "pin", "acme/orphan", expect=MISSING)
        self.assertIn("acme/nowhere", self.client.stderr)

    def test_what_the_weights_say_and_the_card_does_not_is_a_conflict(self):
        told = {"general.license": "cc-by-nc-4.0", "general.base_model.0.name": "Llama 3",
                "general.base_model.0.repo_url": "https://huggingface.co/acme/said", "general.base_model.1.name": "Someone"}
        file = self.client.home / "told.gguf"
        file.write_bytes(weights.with_texts(TINY.read_bytes(), told))
        self.push("acme/hushed", license="mit", files=[file])
        pinned = self.pin("acme/hushed")
        self.assertEqual(pinned["manifest"]["license"]["weights_say"], {"license": "CC-BY-NC-4.0", "made_from": ["acme/said", "Someone"]})
        for said in (pinned["conflicts"], pinned["notes"]):
            self.assertTrue(any("weights" in one and "CC-BY-NC-4.0" in one for one in said), said)
            self.assertTrue(any("weights" in one and "acme/said" in one for one in said), said)
        # What the card or that of a base says is told already.
        self.push("acme/said", license="cc-by-nc-4.0")
        self.push("acme/honest", license="mit", more="base_model: acme/said\n", files=[file])
        self.assertNotIn("weights_say", self.pin("acme/honest")["manifest"]["license"])
        self.push("acme/plain", license="mit", files=[TINY])
        self.assertNotIn("weights_say", self.pin("acme/plain")["manifest"]["license"])
        # Safetensors beside it have a place for it, too.
        header = json.dumps({"__metadata__": {"license": "gpl-3.0", "base_model": "acme/other"}}).encode()
        beside = self.client.home / "model.safetensors"
        beside.write_bytes(len(header).to_bytes(8, "little") + header)
        self.push("acme/beside", license="mit", files=[TINY, beside])
        say = self.pin("acme/beside")["manifest"]["license"]["weights_say"]
        self.assertEqual((say["license"].lower()[:5], say["made_from"]), ("gpl-3", ["acme/other"]))

    def test_a_gated_base_is_gated_in_what_was_made_from_it(self):
        self.push("acme/closed")
        request = urllib.request.Request(f"{self.hub.url}/api/models/acme/closed/settings", json.dumps({"gated": "auto"}).encode(),
                                         {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}, method="PUT")
        urllib.request.urlopen(request, timeout=30).close()
        self.push("acme/opened", more="base_model: acme/closed\n", files=[TINY])
        told = self.pin("acme/opened")
        self.assertFalse(told["manifest"]["license"]["terms"]["gated"])
        self.assertEqual([one["gated"] for one in told["manifest"]["lineage"]], [True])
        self.assertTrue(any("acme/closed (quantized) asks for an account" in one for one in told["conflicts"]), told["conflicts"])

    def test_a_card_without_a_license_is_asked_about(self):
        self.push("acme/silent", license="", files=[TINY])
        self.client.run("model", "pin", "acme/silent", expect=USAGE)
        self.assertIn("--license", self.client.stderr)
        terms = self.pin("acme/silent", "--license", "gemma")["manifest"]["license"]
        self.assertEqual(terms["id"], "gemma")
        self.assertTrue(terms["terms"]["use_restrictions"])
        self.push("acme/strange", license="other", more="license_name: ours\nlicense_link: https://acme.example/terms\n", files=[TINY])
        license = self.pin("acme/strange")["manifest"]["license"]
        self.assertEqual((license["id"], license["url"], license["terms"]["commercial"]),
                         ("other", "https://acme.example/terms", False))

    def test_a_license_takes_the_place_of_the_cards_only_if_that_is_said(self):
        self.push("acme/guarded", license="cc-by-nc-4.0", files=[TINY])
        self.client.run("model", "pin", "acme/guarded", "--license", "mit", expect=REFUSED)
        self.assertIn("acme/guarded names the license cc-by-nc-4.0, not mit", self.client.stderr)
        self.assertIn("--license-instead-of cc-by-nc-4.0", self.client.stderr)
        # The same in another spelling is no other.
        told = self.pin("acme/guarded", "--license", "CC-BY-NC-4.0")
        self.assertNotIn("instead_of", told["manifest"]["license"])
        # Only what the card names can be replaced.
        for flags in (("--license", "mit", "--license-instead-of", "gemma"), ("--license-instead-of", "cc-by-nc-4.0"),
                      ("--license", "cc-by-nc-4.0", "--license-instead-of", "cc-by-nc-4.0")):
            self.client.run("model", "pin", "acme/guarded", *flags, expect=USAGE)
        told = self.pin("acme/guarded", "--license", "mit", "--license-instead-of", "CC-BY-NC-4.0")
        self.assertEqual((told["manifest"]["license"]["id"], told["manifest"]["license"]["instead_of"]), ("MIT", "cc-by-nc-4.0"))
        self.assertEqual(told["conflicts"], ["the card of acme/guarded says cc-by-nc-4.0; the manifest says MIT instead"])
        self.assertTrue(any("the card says cc-by-nc-4.0" in note for note in told["notes"]), told["notes"])

    def test_the_text_of_the_license_is_hashed_where_the_repository_has_it(self):
        text = self.client.home / "LICENSE"
        text.write_text("You may.\n")
        commit = self.push("acme/lawful", files=[TINY, text])
        told = self.pin("acme/lawful")
        license = told["manifest"]["license"]
        self.assertEqual((license["id"], license["text_sha256"], license["url"]),
                         ("Apache-2.0", hashlib.sha256(text.read_bytes()).hexdigest(), f"{self.hub.url}/acme/lawful/blob/{commit}/LICENSE"))
        self.assertFalse(any("text_sha256" in note for note in told["notes"]))
        # The file that the card names, rather than one of the usual names.
        terms = self.client.home / "TERMS of use.md"
        terms.write_text("You may not.\n")
        commit = self.push("acme/named", license="other", more="license_link: TERMS of use.md\n", files=[TINY, text, terms])
        license = self.pin("acme/named")["manifest"]["license"]
        self.assertEqual((license["text_sha256"], license["url"]),
                         (hashlib.sha256(terms.read_bytes()).hexdigest(), f"{self.hub.url}/acme/named/blob/{commit}/TERMS%20of%20use.md"))
        # What lies elsewhere is not read, and that is said.
        for name, more, why in (("afar", "license_link: https://acme.example/terms\n", "https://acme.example/terms, which is not read"),
                                ("lost", "license_link: TERMS.md\n", "there is no such file")):
            self.push(f"acme/{name}", license="gemma", more=more, files=[TINY, text])
            told = self.pin(f"acme/{name}")
            self.assertIsNone(told["manifest"]["license"]["text_sha256"])
            self.assertTrue(any(why in note for note in told["notes"]), told["notes"])
        # Of what it was made from, too.
        base = self.push("acme/spoken", license="gemma", files=[text])
        self.push("acme/heard", more="base_model: acme/spoken\n", files=[TINY, text])
        told = self.pin("acme/heard")
        (one,) = told["manifest"]["lineage"]
        self.assertEqual((one["license_text_sha256"], one["license_url"]),
                         (hashlib.sha256(text.read_bytes()).hexdigest(), f"{self.hub.url}/acme/spoken/blob/{base}/LICENSE"))
        self.assertFalse(any("text_sha256" in note for note in told["notes"]))
        self.push("acme/overheard", more="base_model: acme/root-of-none\n", files=[TINY, text])
        self.push("acme/root-of-none")
        self.assertTrue(any("of acme/root-of-none: no file has the text" in note for note in self.pin("acme/overheard")["notes"]))
        self.push("acme/textless", files=[TINY])
        self.assertTrue(any("no file has the text of the license" in note for note in self.pin("acme/textless")["notes"]))

    def test_what_cannot_be_pinned_says_why(self):
        self.client.run("model", "pin", "acme/none", expect=MISSING)
        self.client.run("model", "pin", "quick-add", expect=USAGE)
        self.client.run("model", "pin", "acme/none@", expect=USAGE)
        self.push("acme/empty")
        self.client.run("model", "pin", "acme/empty", expect=MISSING)
        self.push("acme/tensors", files=[REPO / "model.safetensors"])
        self.client.run("model", "pin", "acme/tensors", expect=FAILED)
        self.assertIn("GGUF", self.client.stderr)

        def only_pickles(path, status, headers, body):
            if "/tree/" in path:
                entries = [entry for entry in json.loads(body) if entry["path"].endswith(".safetensors")]
                body = json.dumps([{**entry, "path": "pytorch_model.bin"} for entry in entries]).encode()
            return status, headers, body
        self.client.environment["HF_ENDPOINT"] = self.proxy(only_pickles).url
        self.client.run("model", "pin", "acme/tensors", expect=REFUSED)
        self.assertIn("pytorch_model.bin", self.client.stderr)

        def gated(path, status, headers, body):
            if "/resolve/" in path:
                return 403, {**headers, "X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"}, b""
            return status, headers, body
        self.client.environment["HF_ENDPOINT"] = self.proxy(gated).url
        self.client.run("model", "pin", "locara/quick-add", expect=DENIED)
        self.assertIn("ask for access", self.client.stderr)

        def broken(path, status, headers, body):
            if path.endswith(".gguf") and len(body) > 8:
                body = body[:4] + b"\xff\xff\xff\xff" + body[8:]
            return status, headers, body
        self.client.environment["HF_ENDPOINT"] = self.proxy(broken).url
        self.client.run("model", "pin", "locara/quick-add", expect=REFUSED)
        self.assertIn("gguf.", self.client.stderr)


    def test_pin_that_is_interrupted_leaves_nothing(self):
        def slow(path, status, headers, body):
            if path.endswith(".gguf"):
                self.process.send_signal(signal.SIGINT)
            return status, headers, body
        self.client.environment["HF_ENDPOINT"] = self.proxy(slow).url
        out = self.client.home / "m.json"
        self.process = self.client.start("model", "pin", "locara/quick-add", "-o", out)
        self.process.communicate(timeout=60)
        self.assertEqual(self.process.returncode, 130)
        self.assertFalse(out.exists())

    # -- validate --

    def manifest(self, repo="locara/quick-add", probes=PROBES):
        """A pinned manifest with probes."""
        path = self.client.home / "manifest.json"
        self.client.run("model", "pin", repo, "-o", path, "-q")
        json_ = json.loads(path.read_text())
        json_["validation"]["probes"] = [{"messages": [{"role": "user", "content": note}], "expected": answer} for note, answer in probes]
        path.write_text(json.dumps(json_))
        return path

    def test_validate_runs_the_probes_and_writes_down_what_it_measured(self):
        path = self.manifest()
        before = path.read_text()
        self.client.run("model", "validate", path, "--dry-run")
        self.assertEqual(path.read_text(), before)
        told = self.client.json("model", "validate", path)
        self.assertEqual((told["schema"], told["valid"], told["probes"]), ("locara.model-validate/1", True, len(PROBES)))
        manifest = json.loads(path.read_text())
        self.assertEqual(told["sha256"], hashlib.sha256(path.read_bytes()).hexdigest())
        validation = manifest["validation"]
        self.assertEqual(validation["results"], {"passed": len(PROBES), "failed": 0})
        self.assertRegex(validation["engine_version"], r"^v\d+\.\d+\.\d+ ")
        f16, q8 = validation["variants"]
        for record, variant in ((f16, manifest["variants"][0]), (q8, manifest["variants"][1])):
            self.assertEqual((record["variant"], record["passed"], record["failed"]), (variant["name"], len(PROBES), 0))
            raw = b"".join(bytes.fromhex(file["sha256"]) for file in variant["files"])
            self.assertEqual(record["files_sha256"], hashlib.sha256(raw).hexdigest())
            self.assertEqual(record["probes_sha256"], probes_sha256(manifest))
            self.assertGreater(record["tokens_per_second"], 1)
            self.assertGreater(record["prompt_tokens_per_second"], 1)
            self.assertGreater(record["peak_memory_bytes"], variant["weights_bytes"])
            self.assertIn("processors", record["machine"])
            # It answers word for word, so it is nearly certain of each token.
            self.assertTrue(1 <= record["perplexity"]["value"] < 1.1, record["perplexity"])
            self.assertEqual(variant["quality"]["value"], record["perplexity"]["value"])
            self.assertEqual(variant["speed"]["tokens_per_second"], record["tokens_per_second"])
        self.assertIsNone(f16["perplexity"]["base"])
        self.assertEqual((q8["perplexity"]["base"], q8["perplexity"]["base_variant"]), (f16["perplexity"]["value"], "f16"))
        self.assertNotEqual(q8["perplexity"]["value"], f16["perplexity"]["value"])
        stated = "".join(f"<|user|>{note}<|assistant|>{answer}\n" for note, answer in PROBES)
        self.assertEqual(f16["perplexity"]["text_sha256"], hashlib.sha256(stated.encode()).hexdigest())

    def test_a_probe_that_fails_is_told_written_and_not_signed(self):
        path = self.manifest(probes=[PROBES[0], (PROBES[1][0], "something else")])
        told = self.client.json("model", "validate", path, "--from", REPO, "--variant", "f16", expect=WRONG)
        self.assertFalse(told["valid"])
        self.assertEqual([one["passed"] for one in told["variants"][0]["answers"]], [True, False])
        self.assertEqual(told["variants"][0]["answers"][1]["answer"], PROBES[1][1])
        self.assertEqual(json.loads(path.read_text())["validation"]["results"], {"passed": 1, "failed": 1})
        folder = self.client.home / "folder"
        folder.mkdir()
        shutil.copy(path, folder)
        shutil.copytree(REPO, folder / "repo")
        self.client.run("model", "sign", folder, "--key", self.hub.folder / "keys/models-1.pem", expect=REFUSED)
        self.assertFalse((folder / "model.sig").exists())
        # With the right answer, and every variant run, it may be.
        self.client.run("model", "validate", self.manifest_with(path, PROBES), "--from", REPO)
        shutil.copy(path, folder)
        self.client.run("model", "sign", folder, "--key", self.hub.folder / "keys/models-1.pem")

    def test_what_was_not_measured_against_its_base_is_not_signed(self):
        path = self.manifest()
        folder = self.client.home / "folder"
        folder.mkdir()
        shutil.copytree(REPO, folder / "repo")
        text = self.client.home / "text.txt"
        text.write_text("buy milk and eggs tomorrow\n")

        def validate(*flags):
            said = self.client.json("model", "validate", path, "--from", REPO, *flags)
            shutil.copy(path, folder / "manifest.json")
            return said

        def sign(expect=0):
            self.client.run("model", "sign", folder, "--key", self.hub.folder / "keys/models-1.pem", expect=expect)
            return self.client.stderr
        self.assertFalse(validate("--variant", "q8_0")["valid"])  # f16 was not run
        self.assertFalse(validate("--variant", "f16")["valid"])  # by then q8_0 had nothing to be compared with
        said = sign(expect=REFUSED)
        self.assertIn("variant q8_0 was not measured against f16", said)
        self.assertIn("locara model validate FILE --variant f16 --variant q8_0", said)
        # Against what was measured before, over the same text, ...
        again = validate("--variant", "q8_0")
        self.assertTrue(again["valid"])
        self.assertIsNotNone(again["variants"][0]["perplexity"]["base"])
        sign()
        # ... and over no other.
        self.assertFalse(validate("--variant", "f16", "--text", text)["valid"])
        self.assertIn("variant q8_0 was not measured against f16", sign(expect=REFUSED))

    def test_an_answer_that_was_corrected_is_asked_for_again(self):
        path = self.manifest()
        self.assertTrue(self.client.json("model", "validate", path, "--from", REPO)["valid"])
        folder = self.client.home / "folder"
        folder.mkdir()
        shutil.copytree(REPO, folder / "repo")
        whole = path.read_text()
        json_ = json.loads(whole)
        json_["validation"]["probes"][1]["expected"] = "something that it never said"
        (folder / "manifest.json").write_text(json.dumps(json_))
        self.client.run("model", "sign", folder, "--key", self.hub.folder / "keys/models-1.pem", expect=REFUSED)
        self.assertIn("variant f16 was asked other probes, or with other parameters: validate it again", self.client.stderr)
        # A question put in another's place makes as many, and says nothing of what the others would answer.
        json_ = json.loads(whole)
        del json_["validation"]["probes"][1]
        json_["validation"]["results"] = {"passed": len(PROBES) - 1, "failed": 0}
        path.write_text(json.dumps(json_))
        told = self.client.json("model", "validate", path, "--from", REPO, "--variant", "q8_0", "--ask", "pay rent today")
        self.assertEqual((told["probes"], told["valid"]), (len(PROBES), False))
        self.assertEqual([one["variant"] for one in json.loads(path.read_text())["validation"]["variants"]], ["q8_0"])

    def manifest_with(self, path, probes):
        json_ = json.loads(path.read_text())
        json_["validation"]["probes"] = [{"messages": [{"role": "user", "content": note}], "expected": answer} for note, answer in probes]
        json_["validation"]["results"] = {"passed": 0, "failed": len(probes)}
        path.write_text(json.dumps(json_))
        return path

    def test_questions_become_probes_and_a_text_is_scored(self):
        path = self.manifest(probes=[])
        self.client.run("model", "validate", path, "--from", REPO, expect=USAGE)
        text = self.client.home / "text.txt"
        text.write_text("buy milk and eggs tomorrow\n" * 40)
        told = self.client.json("model", "validate", path, "--from", REPO, "--ask", "buy milk and eggs", "--text", text,
                                "--variant", "q8_0")
        manifest = json.loads(path.read_text())
        self.assertEqual(manifest["validation"]["probes"][0]["expected"],
                         '{"title":"Buy milk and eggs","date":null,"time":null,"priority":"normal","tags":[]}')
        perplexity = told["variants"][0]["perplexity"]
        self.assertEqual(perplexity["text_sha256"], hashlib.sha256(text.read_bytes()).hexdigest())
        # Nothing but notes is likely to it, and no list of notes is one: far from certain.
        self.assertGreater(perplexity["value"], 2)
        self.assertGreater(perplexity["tokens"], 500)
        self.assertFalse(told["valid"])  # f16 was not run
        # Files that are not those of the manifest are not run.
        other = self.client.home / "other"
        other.mkdir()
        shutil.copy(REPO / "quick-add-f16.gguf", other / "quick-add-q8_0.gguf")
        self.client.run("model", "validate", path, "--from", other, "--variant", "q8_0", expect=WRONG)
        self.client.run("model", "validate", path, "--variant", "none", expect=MISSING)

    def test_validate_that_is_interrupted_leaves_the_manifest_as_it_was(self):
        path = self.client.home / "manifest.json"
        shutil.copy(SOURCE / "models/quick-add/manifest.json", path)
        text = self.client.home / "text.txt"
        text.write_text("buy milk and eggs tomorrow\n" * 3000)
        process = self.client.start("model", "validate", path, "--from", REPO, "--text", text, "--progress", "json")
        for line in process.stderr:
            if '"task":"validate"' in line:
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(path.read_bytes(), (SOURCE / "models/quick-add/manifest.json").read_bytes())

    # -- validate, embeddings --

    LIKE = {"text": "buy milk", "near": "buy milk", "far": "pay the rent on the first"}  # weights are random: only a text is like itself

    def vectors(self, repo, base, probe=LIKE):
        """A pinned manifest of a model for embeddings: TINY, and 8 bits made of `base`."""
        made = self.client.home / "tiny-q8.gguf"
        subprocess.run([BIN / "llama-quantize", base, made, "Q8_0", "1"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.push(repo, more="pipeline_tag: feature-extraction\n", files=[TINY, made])
        path = self.client.home / "manifest.json"
        self.client.run("model", "pin", repo, "-o", path, "-q")
        manifest = json.loads(path.read_text())
        self.assertEqual(manifest["task"], "embeddings")
        manifest["validation"]["probes"] = [probe]
        path.write_text(json.dumps(manifest))
        return path

    def test_vectors_are_compared_with_one_another_and_with_those_of_the_base(self):
        path = self.vectors("acme/vectors", TINY)
        self.client.run("model", "validate", path, "--ask", "buy milk", expect=USAGE)
        told = self.client.json("model", "validate", path, "--variant", "q8_0")  # takes its base along
        self.assertTrue(told["valid"])
        manifest = json.loads(path.read_text())
        q8, f32 = manifest["validation"]["variants"]  # by the names of the files
        self.assertEqual((f32["passed"], q8["passed"], f32["perplexity"]), (1, 1, None))
        texts = "".join(text + "\n" for text in self.LIKE.values())
        for record in f32, q8:
            self.assertEqual(record["similarity"]["text_sha256"], hashlib.sha256(texts.encode()).hexdigest())
            self.assertEqual((record["similarity"]["texts"], record["similarity"]["dimensions"]), (3, 32))
            self.assertGreater(record["prompt_tokens_per_second"], 1)
        self.assertIsNone(f32["similarity"]["minimum"])
        self.assertEqual(q8["similarity"]["base_variant"], "f32")
        self.assertTrue(0.99 < q8["similarity"]["minimum"] <= q8["similarity"]["mean"] <= 1, q8)
        self.assertNotEqual(q8["similarity"]["minimum"], 1, "8 bits are not 32")
        self.assertEqual([variant["quality"] and variant["quality"]["metric"] for variant in manifest["variants"]], ["cosine", None])
        # Over texts of one's own.
        text = self.client.home / "texts.txt"
        text.write_text("buy milk\n\nwater the flowers\n")
        told = self.client.json("model", "validate", path, "--text", text)
        similarity = told["variants"][1]["similarity"]
        self.assertEqual((similarity["texts"], similarity["text_sha256"]),
                         (2, hashlib.sha256(b"buy milk\nwater the flowers\n").hexdigest()))
        folder = self.client.home / "folder"
        shutil.copytree(self.client.home / "acme/vectors", folder / "repo")
        shutil.copy(path, folder)
        self.client.run("model", "sign", folder, "--key", self.hub.folder / "keys/models-1.pem")

    def test_vectors_that_are_not_those_of_the_base_are_not_signed(self):
        other = self.client.home / "other.gguf"
        data = bytearray(TINY.read_bytes())
        for at in range(header_bytes(TINY) + 4096 & ~7, len(data) - 4, 8):  # the sign of every second number
            data[at + 3] ^= 0x80
        other.write_bytes(data)
        path = self.vectors("acme/others", other)
        self.assertFalse(self.client.json("model", "validate", path)["valid"])
        folder = self.client.home / "folder"
        shutil.copytree(self.client.home / "acme/others", folder / "repo")
        shutil.copy(path, folder)
        self.client.run("model", "sign", folder, "--key", self.hub.folder / "keys/models-1.pem", expect=REFUSED)
        self.assertIn("variant q8_0 has a vector with a cosine of less than 0.9 to that of f32", self.client.stderr)

    def test_a_text_that_is_not_nearer_fails_its_probe(self):
        path = self.vectors("acme/far", TINY, {**self.LIKE, "near": self.LIKE["far"], "far": self.LIKE["text"]})
        told = self.client.json("model", "validate", path, "--variant", "f32", expect=WRONG)
        self.assertRegex(told["variants"][0]["answers"][0]["answer"], r"^near -?[\d.]+, far 1$")
        self.client.run("model", "validate", path, "--variant", "f32", expect=WRONG)
        self.assertIn("pay the rent on the first to be nearer than buy milk", self.client.stderr)

    # -- build --

    def test_build_makes_the_same_bytes_again_and_says_so(self):
        made = self.client.home / "tiny-q8.gguf"
        subprocess.run([BIN / "llama-quantize", REPO / "quick-add-f16.gguf", made, "Q8_0", "1"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.push("acme/quant", files=[REPO / "quick-add-f16.gguf", made])
        path = self.client.home / "manifest.json"
        self.client.run("model", "pin", "acme/quant", "-o", path, "-q")
        out = self.client.home / "built"
        told = self.client.json("model", "build", path, "-o", out)
        self.assertEqual((told["schema"], told["equal"], told["base"], told["variant"]), ("locara.model-build/1", True, "f16", "q8_0"))
        self.assertEqual((out / "tiny-q8.gguf").read_bytes(), made.read_bytes())
        self.assertEqual(sorted(p.name for p in out.iterdir()), ["tiny-q8.gguf", "tiny-q8.gguf.provenance.json"])
        statement = json.loads((out / "tiny-q8.gguf.provenance.json").read_text())
        self.assertEqual(statement["predicateType"], "https://slsa.dev/provenance/v1")
        (subject,) = statement["subject"]
        source = json.loads(path.read_text())["source"]
        self.assertEqual(subject, {"name": f"hf:acme/quant@{source['revision']}#tiny-q8.gguf",
                                   "digest": {"sha256": hashlib.sha256(made.read_bytes()).hexdigest()}})
        base, program = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        self.assertEqual(base["digest"]["sha256"], hashlib.sha256((REPO / "quick-add-f16.gguf").read_bytes()).hexdigest())
        self.assertEqual(program["digest"]["sha256"], hashlib.sha256((BIN / "llama-quantize").resolve().read_bytes()).hexdigest())
        # Nothing is overwritten.
        self.client.run("model", "build", path, "-o", out, expect=FAILED)

    def test_build_from_a_base_in_another_repository(self):
        made = self.client.home / "apart-q8.gguf"
        subprocess.run([BIN / "llama-quantize", REPO / "quick-add-f16.gguf", made, "Q8_0", "1"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        base = self.push("acme/original", files=[REPO / "quick-add-f16.gguf"])
        self.push("acme/apart", more="base_model: acme/original\nbase_model_relation: quantized\n", files=[made])
        path = self.client.home / "manifest.json"
        self.client.run("model", "pin", "acme/apart", "-o", path, "-q")
        # What the base's repository holds by now does not count, its pinned commit does.
        readme = self.client.home / "acme/original/README.md"
        readme.write_text(CARD.format(license="mit", more=""))
        self.assertNotEqual(self.client.json("upload", "acme/original", readme)["commit"], base)
        out = self.client.home / "built"
        told = self.client.json("model", "build", path, "-o", out)
        self.assertEqual((told["equal"], told["base"], told["base_source"]), (True, "f16", f"hf:acme/original@{base}"))
        self.assertEqual((out / made.name).read_bytes(), made.read_bytes())
        statement = json.loads((out / (made.name + ".provenance.json")).read_text())
        first = statement["predicate"]["buildDefinition"]["resolvedDependencies"][0]
        self.assertEqual((first["uri"], first["digest"]["sha256"]),
                         (f"hf:acme/original@{base}#quick-add-f16.gguf", hashlib.sha256((REPO / "quick-add-f16.gguf").read_bytes()).hexdigest()))
        self.assertTrue(statement["subject"][0]["name"].startswith("hf:acme/apart@"))
        self.client.run("model", "build", path, "--base", "q4", "-o", self.client.home / "q4", expect=MISSING)
        # Safetensors alone are not enough to convert.
        self.push("acme/tensors-only", files=[REPO / "model.safetensors"])
        self.push("acme/unlike", more="base_model: acme/tensors-only\nbase_model_relation: quantized\n", files=[made])
        other = self.client.home / "unlike.json"
        self.client.run("model", "pin", "acme/unlike", "-o", other, "-q")
        self.client.run("model", "build", other, "-o", self.client.home / "unlike", expect=FAILED)
        self.assertRegex(self.client.stderr, r"acme/tensors-only@\w+ has safetensors and no config.json")

    def test_build_says_what_differs(self):
        made = self.client.home / "other.gguf"
        data = bytearray((REPO / "quick-add-q8_0.gguf").read_bytes())
        data[-100] ^= 1  # in the last tensor
        made.write_bytes(data)
        self.push("acme/differs", files=[REPO / "quick-add-f16.gguf", made])
        path = self.client.home / "manifest.json"
        self.client.run("model", "pin", "acme/differs", "-o", path, "-q")
        out = self.client.home / "built"
        told = self.client.json("model", "build", path, "-o", out, expect=WRONG)
        self.assertFalse(told["equal"])
        self.assertTrue(any("tensors have other bytes" in one for one in told["differences"]), told["differences"])
        self.assertIsNone(told["provenance"])
        self.assertEqual([p.name for p in out.iterdir()], ["other.gguf"])

    def test_build_of_what_cannot_be_made_says_why(self):
        self.push("acme/alone", files=[REPO / "quick-add-q8_0.gguf"])
        path = self.client.home / "manifest.json"
        self.client.run("model", "pin", "acme/alone", "-o", path, "-q")
        self.client.run("model", "build", path, "-o", self.client.home, expect=FAILED)
        self.assertIn("no F32, BF16 or F16 variant", self.client.stderr)
        self.client.run("model", "build", path, "--variant", "q4", expect=MISSING)
        self.client.run("model", "build", self.client.home / "none.json", expect=MISSING)


if __name__ == "__main__":
    harness.main()
