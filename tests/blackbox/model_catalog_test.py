"""A model's way into a running hub's catalog: pinned, validated, signed, added, also where the key of models is elsewhere."""
import hashlib
import itertools
import json
import shutil
import subprocess
import tempfile
import urllib.request

from tests import harness
from tests.harness import BIN, SEED, SOURCE

REPO = SOURCE / "models/quick-add/repo"
WRONG, REFUSED, CONFLICT, MISSING = 6, 8, 9, 3
PROBES = json.loads((SOURCE / "models/quick-add/manifest.json").read_text())["validation"]["probes"][:2]


class ModelCatalog(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.away = self.client.home / "away"
        self.away.mkdir(mode=0o700)
        self.hub = harness.Hub(self.client.home / "hub", seed=SEED)
        self.addCleanup(self.hub.stop)
        self.client.environment.update(HF_ENDPOINT=self.hub.url, LOCARA_TOKEN=self.hub.make_writer("acme"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hub.stop()  # each test has its own: keys change

    def model(self, verb, *arguments, expect=0):
        return self.hub.admin("model", verb, *map(str, arguments), expect=expect)

    def listed(self):
        return {one["model"] + "@" + one["version"]: one for one in json.loads(self.model("list", "--json"))["models"]}

    def keys(self, *arguments, expect=0):
        return self.hub.admin("keys", *map(str, arguments), expect=expect)

    def sign_drafts(self, folder):
        """What people with the keys do on their machines; then all is imported."""
        files = sorted(folder.iterdir())
        for file in files:
            keys = self.away if ".models." in file.name else self.hub.folder / "keys"
            subprocess.run([BIN / "locara-hub", "keys", "sign", file, "--keys", keys], check=True, stdout=subprocess.DEVNULL)
        self.keys("import", *files)

    def move_key_away(self):
        (self.hub.folder / "keys/models-1.pem").rename(self.away / "models-1.pem")
        return self.away / "models-1.pem"

    def events(self, event):
        lines = map(json.loads, self.hub.admin("audit", "list", "--json", "--event", event).splitlines())
        return [(line["model"], line["version"], line["manifest"]) for line in lines]

    def upload_card(self, repo, front_matter):
        """A folder whose repo/ has a card, which is all that the repository has."""
        folder = self.client.home / repo
        (folder / "repo").mkdir(parents=True)
        (folder / "repo/README.md").write_text(f"---\n{front_matter}\n---\n# A card\n")
        self.client.run("upload", repo, folder / "repo/README.md", "--create")
        return folder

    def pin(self, repo, *flags, card="license: apache-2.0"):
        """A model's folder: its repository uploaded, its manifest with probes that were not run yet."""
        folder = self.upload_card(repo, card)
        shutil.copy(REPO / "quick-add-f16.gguf", folder / "repo")
        self.client.run("upload", repo, folder / "repo/quick-add-f16.gguf")
        manifest = folder / "manifest.json"
        self.client.run("model", "pin", repo, "-o", manifest, "-q", *flags)
        json_ = json.loads(manifest.read_text())
        json_["validation"]["probes"] = PROBES
        manifest.write_text(json.dumps(json_))
        return folder

    def make(self, repo, key=None, **card):
        """The same, validated, and signed by a key."""
        folder = self.pin(repo, **card)
        manifest = json.loads((folder / "manifest.json").read_text())
        licenses = [manifest["license"]["id"], *(base["license"] for base in manifest["lineage"] if base["license"])]
        self.client.run("model", "validate", folder / "manifest.json", "--from", folder / "repo", "-q",
                        *(f"--accept-license={license_}" for license_ in licenses))
        if key:
            self.client.run("model", "sign", folder, "--key", key, "-q")
        return folder

    def publish_app(self, folder):
        """An app on the model of that folder, listed."""
        self.author = harness.Client(tempfile.mkdtemp(prefix="author-", dir=self.folder))
        self.author.environment["LOCARA_TOKEN"] = self.client.environment["LOCARA_TOKEN"]
        self.author.add_hub(self.hub)
        app = self.client.home / "app"
        shutil.copytree(SEED / "apps/task-form", app)
        path, manifest = app / "locara.json", (folder / "manifest.json").read_bytes()
        json_ = json.loads(path.read_text())
        json_["id"] = "acme/notes"
        json_["models"][0].update(id=json.loads(manifest)["id"], manifest="sha256:" + hashlib.sha256(manifest).hexdigest())
        path.write_text(json.dumps(json_))
        number = self.author.json("publish", app, "--endpoint", self.hub.url)["submission"]["number"]
        self.hub.admin("review", "approve", str(number), "--by", "carol", "--accept", "unchecked")
        self.hub.admin("review", "publish", str(number), "--by", "carol")
        return "acme/notes"

    def test_from_a_repository_into_an_app_that_a_stranger_installs(self):
        key = self.move_key_away()
        folder = self.make("acme/fresh", key)
        manifest, drafts = folder / "manifest.json", self.client.home / "drafts"
        digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
        add = (manifest, "--signature", folder / "model.sig")
        with self.assertRaisesRegex(AssertionError, "--to FOLDER"):
            self.model("add", *add)
        said = self.model("add", *add, "--to", drafts)
        self.assertRegex(said, r"(?s)acme/fresh 1\.0\.0, sha256:.*verified +quick-add-f16\.gguf.*signed by the key \w{64}\n.*models version")
        self.assertNotIn("acme/fresh@1.0.0", self.listed())
        self.assertEqual(self.events("model-added"), [])
        self.sign_drafts(drafts)
        one = self.listed()["acme/fresh@1.0.0"]
        self.assertEqual((one["manifest"], one["repo"], one["license"]), ("sha256:" + digest, "acme/fresh", "Apache-2.0"))
        signed = self.client.json("model", "sign", folder, "--key", key, "--dry-run")
        self.assertEqual((one["signed_by"], self.key_ids("models")), (signed["key"], {signed["key"]}))
        self.assertEqual(json.loads((folder / "model.sig").read_text())["verificationMaterial"]["publicKey"]["hint"], signed["hint"])
        self.assertEqual(self.events("model-added"), [("acme/fresh", "1.0.0", digest)])
        with urllib.request.urlopen(self.hub.url + "/api/catalog") as answer:
            self.assertIn(("acme/fresh", "1.0.0"), [(model["id"], model["version"]) for model in json.load(answer)["models"]])
        with urllib.request.urlopen(self.hub.url) as answer:
            self.assertIn("<code>acme/fresh</code> 1.0.0", answer.read().decode(), "the page of a hub that serves meanwhile")
        self.assertIn("like this already", self.model("add", *add))

        self.publish_app(folder)
        author = self.author
        self.client.add_hub(self.hub)
        self.assertIn("acme/notes", self.client.run("search", "notes"))
        self.client.run("install", "acme/notes", "--yes")
        self.client.run("verify")
        # Out again: who has it keeps it, nobody else gets it.
        self.assertIn("acme/notes 1.", self.model("rm", "acme/fresh@1.0.0", "--to", self.client.home / "out"))
        self.sign_drafts(self.client.home / "out")
        self.assertNotIn("acme/fresh@1.0.0", self.listed())
        self.assertEqual(self.events("model-removed"), [("acme/fresh", "1.0.0", digest)])
        self.client.run("verify")
        author.run("install", "acme/notes", "--yes", expect=MISSING)

    def test_what_is_not_as_it_should_be_is_refused(self):
        key = self.hub.folder / "keys/models-1.pem"
        folder = self.pin("acme/raw")
        manifest = folder / "manifest.json"
        with self.assertRaisesRegex(AssertionError, "exit 8(?s:.)*acme/raw is not validated"):
            self.model("add", manifest)
        self.client.run("model", "validate", manifest, "--from", folder / "repo", "-q")
        # The signature of a key of another role, and of another model.
        self.client.run("model", "sign", folder, "--key", key.with_name("apps-1.pem"), "-q")
        with self.assertRaisesRegex(AssertionError, "exit 8(?s:.)*none of the 1 trusted"):
            self.model("add", manifest, "--signature", folder / "model.sig")
        other = self.make("acme/other", key)
        with self.assertRaisesRegex(AssertionError, "exit 6(?s:.)*the signature is of acme/other"):
            self.model("add", manifest, "--signature", other / "model.sig")
        # Called back before it came.
        self.hub.admin("takedown", "add", "acme/raw", "--kind", "model", "--reason", "it lies")
        with self.assertRaisesRegex(AssertionError, "exit 8(?s:.)*it lies"):
            self.model("add", manifest)
        self.hub.admin("takedown", "add", "acme/raw", "--kind", "model", "--reason", "over", "--action", "warn")
        # Nothing of all that is there, and what is right gets in: the hub has the key and the files.
        self.assertEqual([name for name in self.listed() if name.startswith("acme/")], [])
        told = json.loads(self.model("add", manifest, "--json"))
        self.assertEqual((told["schema"], told["signed_here"], told["new"]), ("locara-hub.model-add/1", True, True))
        self.assertIn("over", told["warning"])
        # What was published once stays as it is, also when it is out again.
        kept = manifest.read_bytes()
        json_ = json.loads(kept)
        json_["description"] = "other words"
        manifest.write_text(json.dumps(json_))
        for _ in range(2):
            with self.assertRaisesRegex(AssertionError, r"exit 9(?s:.)*acme/raw 1\.0\.0 was published as sha256:"):
                self.model("add", manifest)
            self.model("rm", "acme/raw", expect=0 if "acme/raw@1.0.0" in self.listed() else MISSING)
        manifest.write_bytes(kept)
        self.model("add", manifest)
        # Weights that are elsewhere are theirs to serve; nobody here can vouch for them.
        json_ = json.loads(kept)
        json_.update(id="acme/far", source={"repo": "far/away", "revision": "1" * 40})
        manifest.write_text(json.dumps(json_))
        with self.assertRaisesRegex(AssertionError, r"exit 8(?s:.)*acme/far 1\.0\.0 has no signature(?s:.)*--unsigned"):
            self.model("add", manifest)
        self.assertNotIn("acme/far@1.0.0", self.listed())
        said = self.model("add", manifest, "--unsigned")
        self.assertRegex(said, r"elsewhere +quick-add-f16\.gguf")
        self.assertIn("unsigned: only this catalog vouches", said)
        one = self.listed()["acme/far@1.0.0"]
        self.assertEqual((one["signature"], one["signed_by"]), (False, None))
        self.assertIn("unsigned: only this catalog vouches", self.model("list"))
        lines = map(json.loads, self.hub.admin("audit", "list", "--json", "--event", "model-added").splitlines())
        self.assertEqual([(line["model"], line["signed"]) for line in lines], [("acme/raw", True), ("acme/raw", True), ("acme/far", False)])

    def test_nobody_passes_a_license_that_the_card_does_not_name(self):
        key = self.hub.folder / "keys/models-1.pem"
        self.upload_card("acme/base", "license: llama3")
        folder = self.make("acme/guarded", card="license: cc-by-nc-4.0\nbase_model: acme/base\nbase_model_relation: finetune")
        manifest = folder / "manifest.json"
        honest = manifest.read_text()
        json_ = json.loads(honest)
        json_["license"] = json.loads((SEED / "models/quick-add/manifest.json").read_text())["license"] | {"id": "MIT"}
        json_["lineage"] = []
        laundered = json.dumps(json_)
        manifest.write_text(laundered)
        # Whoever has the card: a signer, the hub that has the repository or a copy of it, a seed.
        said = r"exit 8(?s:.)*the card of acme/guarded names the license \"cc-by-nc-4\.0\", the manifest MIT: (?s:.)*\"instead_of\": " \
               r"\"cc-by-nc-4\.0\"(?s:.)*made from \"acme/base\""
        with self.assertRaisesRegex(AssertionError, said):
            self.client.run("model", "sign", folder, "--key", key)
        self.assertFalse((folder / "model.sig").exists())
        with self.assertRaisesRegex(AssertionError, said):
            self.model("add", manifest)
        config = self.client.home / "mirror.toml"
        config.write_text(f'[mirror]\nupstream = "{self.hub.url}"\n')
        mirror = harness.Hub(self.client.home / "mirror", seed=None, config=config)
        self.addCleanup(mirror.stop)

        def add_to_mirror(drafts):
            return mirror.admin("model", "add", str(manifest), "--unsigned", "--to", str(self.client.home / drafts))
        card = f"{mirror.url}/acme/guarded/resolve/{json_['source']['revision']}/README.md"
        self.assertIn("the card of acme/guarded at that commit is not here", add_to_mirror("unseen"))
        with urllib.request.urlopen(card) as answer:
            self.assertIn("cc-by-nc-4.0", answer.read().decode())
        with self.assertRaisesRegex(AssertionError, said):
            harness.wait_for(lambda: "not here" not in add_to_mirror("seen"), "the copy of the card")
        # A base under another license than its card names, in a lineage that has it.
        json_ = json.loads(honest)
        json_["lineage"][0]["license"] = "MIT"
        manifest.write_text(json.dumps(json_))
        with self.assertRaisesRegex(AssertionError, r"exit 8(?s:.)*the card of acme/base names the license \"llama3\", lineage says \"MIT\""):
            self.model("add", manifest)
        # What is declared passes, and the curator is told what it means.
        json_ = json.loads(laundered)
        json_["lineage"] = json.loads(honest)["lineage"]
        json_["license"]["instead_of"] = "cc-by-nc-4.0"
        manifest.write_text(json.dumps(json_))
        self.client.run("model", "sign", folder, "--key", key, "-q")
        said = self.model("add", manifest, "--signature", folder / "model.sig")
        self.assertRegex(said, r"license +MIT: commercial use yes")
        self.assertRegex(said, r"from +acme/base \(finetune\), llama3\n")
        self.assertRegex(said, r"conflict +the card of acme/guarded says cc-by-nc-4\.0; the manifest says MIT instead\n")
        self.assertRegex(said, r"ask +who installs it must accept llama3 by name\n")
        told = json.loads(self.model("add", manifest, "--json"))
        self.assertEqual((told["license"]["licenses"], told["unseen_cards"]), (["MIT", "llama3"], []))

    def test_a_model_that_nobody_signed_is_shown_as_such(self):
        key = self.move_key_away()
        folder = self.make("acme/bare", key)
        drafts = self.client.home / "drafts"
        with self.assertRaisesRegex(AssertionError, "exit 8(?s:.)*has no signature"):
            self.model("add", folder / "manifest.json", "--to", drafts)
        self.assertFalse(drafts.exists())
        self.model("add", folder / "manifest.json", "--unsigned", "--to", drafts)
        self.sign_drafts(drafts)
        app = self.publish_app(folder)
        self.client.add_hub(self.hub)
        self.assertIn("not signed: only the catalog vouches for it", self.client.run("show", app))
        self.assertIsNone(self.client.json("show", app)["models"][0]["signed_by"])
        plan = self.client.json("install", app, "--dry-run")["plan"]
        self.assertTrue(any("acme/bare: nobody signed its files" in one for one in plan["warnings"]), plan["warnings"])
        # A signature that comes later ends that.
        self.model("add", folder / "manifest.json", "--signature", folder / "model.sig", "--to", self.client.home / "later")
        self.sign_drafts(self.client.home / "later")
        self.client.run("search", "--refresh")
        self.assertTrue(self.client.json("show", app)["models"][0]["signed_by"])
        self.assertEqual(self.client.json("install", app, "--dry-run")["plan"]["warnings"], [])

    def test_signatures_follow_when_the_keys_of_models_change(self):
        installed = harness.Client(tempfile.mkdtemp(prefix="old-", dir=self.folder))
        self.addCleanup(installed.stop)
        for client in (installed, self.client):
            client.add_hub(self.hub)
        installed.run("install", harness.APP, "--yes")
        before = self.listed()["locara/quick-add@1.0.0"]["signed_by"]
        self.assertTrue(before)
        self.assertIn("locara/quick-add 1.0.0: its signature was of a key that goes; made anew", self.keys("rotate", "models"))
        after = self.listed()["locara/quick-add@1.0.0"]["signed_by"]
        self.assertTrue(after and after != before)
        self.client.run("install", harness.APP, "--yes")
        self.update_app()
        installed.run("search", "--refresh")
        self.assertEqual(installed.json("install", harness.APP, "--yes", "--dry-run")["plan"]["replaces"], self.version)
        installed.run("install", harness.APP, "--yes")

        # Only a key that is elsewhere stays: the hub says whose signatures end.
        mine = self.away / "models-9.pem"
        said = subprocess.run([BIN / "locara-hub", "keys", "new", mine], check=True, text=True, stdout=subprocess.PIPE).stdout
        self.keys("add", "models", f"{mine}.pub")
        (old,) = self.key_ids("models") - {said.split()[0]}
        (self.hub.folder / "keys/models-2.pem").rename(self.away / "models-2.pem")
        drafts = self.client.home / "drafts"
        said = self.keys("remove", "models", old, "--to", drafts)
        self.assertRegex(said, r"locara/quick-add 1\.0\.0: .*no other is here.*model add MANIFEST --signature")
        self.sign_drafts(drafts)
        self.assertIsNone(self.listed()["locara/quick-add@1.0.0"]["signed_by"])
        self.assertIn("none of the catalog's", self.model("list"))
        stranger = harness.Client(tempfile.mkdtemp(prefix="new-", dir=self.folder))
        self.addCleanup(stranger.stop)
        stranger.add_hub(self.hub)
        stranger.run("install", harness.APP, "--yes", expect=REFUSED)
        # And takes another for the same manifest.
        folder = self.client.home / "again"
        shutil.copytree(SEED / "models/quick-add", folder)
        self.client.run("model", "sign", folder, "--key", mine, "-q")
        again = self.client.home / "again-drafts"
        self.model("add", folder / "manifest.json", "--signature", folder / "model.sig", "--to", again)
        self.sign_drafts(again)
        self.assertEqual([model for model, _, _ in self.events("model-signed")], ["locara/quick-add"] * 2)
        stranger.run("install", harness.APP, "--yes")

    def update_app(self):
        """The next version of the app, by a seed."""
        seed = self.client.home / "seed"
        shutil.copytree(SEED, seed)
        path = seed / "apps/quick-add/locara.json"
        json_ = json.loads(path.read_text())
        self.version, json_["version"] = json_["version"], "9.0.0"
        path.write_text(json.dumps(json_))
        self.hub.stop()
        self.hub.seed = seed
        self.hub.start()

    def key_ids(self, role):
        lines = iter(self.keys("list").splitlines())
        next(line for line in lines if line.startswith(role))
        return {line.strip() for line in itertools.takewhile(lambda line: line.startswith(" "), lines)}


if __name__ == "__main__":
    harness.main()
