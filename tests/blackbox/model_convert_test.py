"""`locara model build` out of safetensors: what it makes, and that the real engine computes with it what the model computes."""
import hashlib
import json
import shutil
import signal
import subprocess
import urllib.request

from tests import harness
from tests.harness import BIN, SOURCE
from tests.harness.tiny_model import END, Tiny

REPO = SOURCE / "models/quick-add/repo"
FAILED, USAGE, WRONG = 1, 2, 6
CARD = "---\nlicense: apache-2.0\n{more}---\n# A card\n"
PROMPT = [84, 104, 257, 32, 9, 200, 84, 104, 260, 13]
TINY = {"llama": Tiny("LlamaForCausalLM", tied=True),
        "llama, another width": Tiny("LlamaForCausalLM", tied=False, head_dim=16, seed=2),
        "mistral": Tiny("MistralForCausalLM", tied=False, seed=3),
        "qwen2": Tiny("Qwen2ForCausalLM", tied=True, seed=4),
        "qwen2, untied": Tiny("Qwen2ForCausalLM", tied=False, seed=5),
        "qwen3": Tiny("Qwen3ForCausalLM", tied=True, head_dim=16, seed=6)}


class Engine:
    """The real llama-server on a file, by itself."""

    def __init__(self, path):
        self.url = f"http://127.0.0.1:{harness.free_port()}"
        self.process = subprocess.Popen(
            [BIN / "llama-server", "-m", path, "--host", "127.0.0.1", "--port", self.url.rsplit(":", 1)[1], "-c", "128", "-t", "1",
             "--no-warmup", "-ctk", "f32", "-ctv", "f32", "-fa", "off"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        def answers():
            if self.process.poll() is not None:
                raise AssertionError(self.process.stderr.read()[-3000:])
            try:
                with urllib.request.urlopen(self.url + "/health", timeout=5) as answer:
                    return answer.status == 200
            except OSError:
                return False
        harness.wait_for(answers, "llama-server", 60)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def post(self, path, **body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def next(self, tokens):
        """Token by log-probability of what comes next, before the bias that has it write an "A": of the half of a character it tells none."""
        told = self.post("/completion", prompt=tokens, n_predict=1, n_probs=400, temperature=0, cache_prompt=False, logit_bias=[[65, 1000]])
        return {one["id"]: one["logprob"] for one in told["completion_probabilities"][0]["top_logprobs"]}

    def greedy(self, prompt):
        return self.post("/completion", prompt=prompt, n_predict=60, temperature=0, return_tokens=True)["tokens"]


class ModelConvert(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.token = cls.hub.make_writer("acme")

    def setUp(self):
        super().setUp()
        self.client.environment["HF_ENDPOINT"] = self.hub.url
        self.client.environment["LOCARA_TOKEN"] = self.token

    def push(self, repo, *files, more=""):
        folder = self.client.home / repo
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "README.md").write_text(CARD.format(more=more))
        for file in files:
            shutil.copy(file, folder)
        return self.client.json("upload", repo, *sorted(folder.iterdir()), "--create")["commit"]

    def pin(self, repo):
        path = self.client.home / (repo.replace("/", "-") + ".json")
        self.client.run("model", "pin", repo, "-o", path, "-q")
        return path

    def build(self, manifest, *flags, expect=0, out="built"):
        return self.client.json("model", "build", manifest, "-o", self.client.home / out, *flags, expect=expect)

    def made(self, manifest, out="built"):
        (file,) = json.loads(manifest.read_text())["variants"][0]["files"]
        return self.client.home / out / file["path"]

    def stand_in(self, quantization="F16", name="model-f16.gguf"):
        """Another file of that quantization, for a manifest to name until there is the right one."""
        path = self.client.home / name
        if quantization == "F16":
            shutil.copy(REPO / "quick-add-f16.gguf", path)
        else:
            subprocess.run([BIN / "llama-quantize", "--allow-requantize", REPO / "quick-add-f16.gguf", path, quantization, "1"], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return path

    def convert(self, name, tiny, quantization="F32", shards=1):
        """What is made of a tiny model's repository."""
        tiny.write(self.client.home / "acme" / name, shards)
        self.push(f"acme/{name}", self.stand_in(quantization, f"{name}.gguf"))
        manifest = self.pin(f"acme/{name}")
        told = self.build(manifest, expect=WRONG, out=name)
        self.assertEqual((told["equal"], told["base"], told["converted"]), (False, "safetensors", quantization))
        return self.made(manifest, name)

    def test_our_own_model_comes_out_with_the_tensors_that_were_published(self):
        manifest = self.client.home / "manifest.json"
        shutil.copy(SOURCE / "models/quick-add/manifest.json", manifest)
        told = self.build(manifest, expect=WRONG)
        self.assertEqual((told["base"], told["converted"], told["provenance"]), ("safetensors", "F16", None))
        # The other one was written by a script of ours, with more of its own words and in another order.
        self.assertFalse([one for one in told["differences"] if "bytes: " in one or "shape" in one or "not the same" in one], told["differences"])
        self.assertIn("the tensors are in another order", told["differences"])
        made = self.made(manifest)
        prompts = ["<|user|>call mom tomorrow at 5pm<|assistant|>", "<|user|>buy milk #home<|assistant|>"]
        with Engine(made) as ours, Engine(REPO / "quick-add-f16.gguf") as published:
            for prompt in prompts:
                self.assertEqual(ours.greedy(prompt), published.greedy(prompt))
                tokens = ours.post("/tokenize", content=prompt)["tokens"]
                self.assertEqual(tokens, published.post("/tokenize", content=prompt)["tokens"])
                self.assertEqual(ours.next(tokens), published.next(tokens))
        # What it answers was written down when the manifest was validated.
        probe = json.loads(manifest.read_text())["validation"]["probes"][1]
        with Engine(made) as ours:
            text = ours.post("/v1/chat/completions", messages=probe["messages"], temperature=0, max_tokens=100)["choices"][0]["message"]["content"]
        self.assertEqual(text, probe["expected"])

    def test_our_own_model_is_quantized_straight_from_its_safetensors(self):
        manifest = self.pin("locara/quick-add")
        told = self.build(manifest, "--variant", "q8_0", "--base", "safetensors", expect=WRONG)
        self.assertEqual(told["converted"], "F16")
        self.build(manifest, "--variant", "q8_0", expect=WRONG, out="from-f16")
        probes = json.loads((SOURCE / "models/quick-add/manifest.json").read_text())["validation"]["probes"]
        with Engine(self.client.home / "built/quick-add-q8_0.gguf") as ours, Engine(self.client.home / "from-f16/quick-add-q8_0.gguf") as other:
            tokens = ours.post("/tokenize", content="<|user|>call mom<|assistant|>", parse_special=True)["tokens"]
            self.assertEqual(ours.next(tokens), other.next(tokens))
            for probe in probes:
                text = ours.post("/v1/chat/completions", messages=probe["messages"], temperature=0, max_tokens=100)["choices"][0]["message"]["content"]
                self.assertEqual(text, probe["expected"])

    def test_the_engine_computes_what_the_model_computes(self):
        for number, (name, tiny) in enumerate(TINY.items()):
            with self.subTest(name):
                made = self.convert(f"tiny-{number}", tiny, shards=1 + number % 2)
                wanted = tiny.next_log_probabilities(PROMPT)
                with Engine(made) as engine:
                    found = engine.next(PROMPT)
                    self.assertEqual(len(found), len(wanted))
                    for token, probability in found.items():
                        self.assertAlmostEqual(probability, wanted[token], delta=2e-3, msg=f"{name}: token {token}")
                    # Merges, and the end of an answer.
                    self.assertEqual(engine.post("/tokenize", content="he the he")["tokens"], [257, 260, 32, 257])
                    self.assertEqual(engine.post("/tokenize", content="<|end|>", parse_special=True)["tokens"], [END])

    def test_what_was_published_comes_out_byte_by_byte_with_a_statement(self):
        tiny = Tiny("Qwen2ForCausalLM", tied=True, dtype="BF16", seed=7)
        more = "base_model: acme/root-bf16\nbase_model_relation: quantized\n"
        tiny.write(self.client.home / "acme/root-bf16")
        base = self.push("acme/root-bf16")
        # A publisher converts and quantizes; here that is the same program, so first with stand-ins.
        self.push("acme/draft", self.stand_in("F16", "tiny-f16.gguf"), self.stand_in("Q8_0", "tiny-q8_0.gguf"), more=more)
        draft = self.pin("acme/draft")
        self.build(draft, "--variant", "f16", expect=WRONG, out="first")
        told = self.build(draft, "--variant", "q8_0", "--base", "safetensors", "--via", "F16", expect=WRONG, out="first")
        self.assertEqual((told["base_source"], told["converted"]), (f"hf:acme/root-bf16@{base}", "F16"))
        first = self.client.home / "first"
        self.push("acme/real", first / "tiny-f16.gguf", first / "tiny-q8_0.gguf", more=more)
        real = self.pin("acme/real")
        told = self.build(real, "--variant", "f16")
        self.assertEqual((told["equal"], told["base_source"]), (True, f"hf:acme/root-bf16@{base}"))
        made = self.client.home / "built/tiny-f16.gguf"
        self.assertEqual(made.read_bytes(), (first / "tiny-f16.gguf").read_bytes())
        statement = json.loads(made.with_name(made.name + ".provenance.json").read_text())
        definition = statement["predicate"]["buildDefinition"]
        self.assertEqual(definition["buildType"], "https://locara.dev/build/safetensors-to-gguf/v1")
        self.assertEqual(definition["internalParameters"], {"converted": "F16"})
        folder = self.client.home / "acme/root-bf16"
        self.assertEqual({one["uri"].rsplit("#", 1)[1]: one["digest"]["sha256"] for one in definition["resolvedDependencies"]},
                         {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()})
        # Quantized, by the F16 of the same manifest or straight from the safetensors: the same bytes.
        self.assertTrue(self.build(real, "--variant", "q8_0", out="from-f16")["equal"])
        told = self.build(real, "--variant", "q8_0", "--base", "safetensors", "--via", "F16", out="from-safetensors")
        self.assertEqual((told["equal"], told["converted"]), (True, "F16"))
        statement = json.loads((self.client.home / "from-safetensors/tiny-q8_0.gguf.provenance.json").read_text())
        definition = statement["predicate"]["buildDefinition"]
        self.assertEqual(definition["internalParameters"]["command"][-2], "Q8_0")
        self.assertEqual(definition["resolvedDependencies"][-1]["name"], "llama-quantize")
        # As they are stored: weights so small are the same numbers in both.
        told = self.build(real, "--variant", "q8_0", "--base", "safetensors", out="by-bf16")
        self.assertEqual((told["equal"], told["converted"]), (True, "BF16"))
        # What was fetched is pinned under a name of its own; a folder does as well.
        self.assertIn("acme/real:safetensors", self.client.run("df", "--json"))
        told = self.build(real, "--variant", "f16", "--from", folder, out="from-folder")
        self.assertTrue(told["equal"])
        (folder / "config.json").write_text("{}")
        self.client.run("model", "build", real, "--variant", "f16", "--from", folder, "-o", self.client.home / "changed", expect=WRONG)
        self.assertIn("config.json has SHA-256", self.client.stderr)
        self.client.run("model", "build", real, "--variant", "f16", "--via", "F16", "-o", self.client.home / "via", expect=USAGE)

    def test_what_cannot_be_converted_says_what_can(self):
        def push(name, **files):
            folder = self.client.home / f"acme/{name}"
            Tiny("LlamaForCausalLM", tied=True).write(folder)
            for file, change in files.items():
                path = folder / (file + ".json")
                path.write_text(json.dumps(change(json.loads(path.read_text()))))
            self.push(f"acme/{name}", self.stand_in(name=f"{name}.gguf"))
            manifest = self.pin(f"acme/{name}")
            self.client.run("model", "build", manifest, "-o", self.client.home / name, expect=FAILED)
            self.assertEqual(list((self.client.home / name).glob("**/*")), [])
            return self.client.stderr
        said = push("bert", config=lambda json: {**json, "architectures": ["BertModel"]})
        self.assertIn("BertModel", said)
        self.assertIn("LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM", said)
        said = push("unigram", tokenizer=lambda json: {**json, "model": {"type": "Unigram", "vocab": [["a", -1.0]]}})
        self.assertIn("Unigram", said)
        self.assertIn("byte-level BPE", said)

    def test_a_conversion_that_is_interrupted_leaves_nothing(self):
        Tiny("LlamaForCausalLM", tied=True).write(self.client.home / "acme/slow")
        self.push("acme/slow", self.stand_in(name="slow.gguf"))
        manifest = self.pin("acme/slow")

        def stop(path, status, headers, body):
            if path.endswith("/model.safetensors"):
                self.process.send_signal(signal.SIGINT)
            return status, headers, body
        self.client.environment["HF_ENDPOINT"] = self.proxy(stop).url
        out = self.client.home / "out"
        self.process = self.client.start("model", "build", manifest, "-o", out)
        self.process.communicate(timeout=60)
        self.assertEqual(self.process.returncode, 130)
        self.assertFalse(out.exists() and list(out.iterdir()))


if __name__ == "__main__":
    harness.main()
