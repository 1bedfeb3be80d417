"""Model signatures between us and the npm packages of Sigstore, unmodified: @sigstore/verify takes ours, we take theirs."""
import hashlib
import json
import shutil
import subprocess

from tests import harness
from tests.harness import SOURCE
from tests.harness.seed import TINY, write_seed


class Sigstore(harness.TestCase):
    @classmethod
    def make_seed(cls):
        write_seed(cls.folder / "seed")
        return cls.folder / "seed"

    def setUp(self):
        super().setUp()
        self.model = self.folder / "seed/models/tiny"
        self.signature = self.model / "model.sig"
        self.signature.unlink(missing_ok=True)
        self.key = self.folder / "hub/keys/models-1.pem"
        self.pem = self.folder / "public.pem"
        self.openssl("pkey", "-in", self.key, "-pubout", "-out", self.pem)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, timeout=60, stderr=subprocess.DEVNULL)

    def node(self, *arguments, expect=0):
        done = subprocess.run(["node", SOURCE / "tests/clients/sigstore.mjs", *map(str, arguments)], timeout=120, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stdout

    def sign(self, **options):
        return self.client.json("model", "sign", self.model, "--key", self.key, **options)

    def test_theirs_verifies_ours(self):
        signed = self.sign()
        payload = json.loads(self.node("verify", self.signature, self.pem))
        self.assertEqual(payload["_type"], "https://in-toto.io/Statement/v1")
        self.assertEqual(payload["predicateType"], "https://model_signing/signature/v1.0")
        (subject,) = payload["subject"]
        self.assertEqual(subject["name"], f"hf:{signed['repo']}@{signed['revision']}")
        digests = {path.name: hashlib.sha256(path.read_bytes()) for path in sorted((self.model / "repo").iterdir())}
        self.assertEqual({one["name"]: one["digest"] for one in payload["predicate"]["resources"]},
                         {name: digest.hexdigest() for name, digest in digests.items()})
        self.assertEqual(subject["digest"]["sha256"],
                         hashlib.sha256(b"".join(digest.digest() for digest in digests.values())).hexdigest())
        # It does tell.
        bundle = json.loads(self.signature.read_text())
        payload = bundle["dsseEnvelope"]["payload"]
        bundle["dsseEnvelope"]["payload"] = ("A" if payload[100] != "A" else "B").join((payload[:100], payload[101:]))
        self.signature.write_text(json.dumps(bundle))
        self.node("verify", self.signature, self.pem, expect=1)

    def test_ours_verifies_theirs(self):
        self.client.add_hub(self.hub)
        self.sign()
        payload = self.folder / "payload.json"
        payload.write_text(self.node("verify", self.signature, self.pem))
        self.signature.write_text(self.node("sign", payload, self.key))
        self.assertEqual(self.client.json("model", "verify", self.model)["files"], 1)
        # A key on a curve, as OMS's own tool makes them; given by hand, since no catalog trusts it.
        key, public = self.folder / "p256.pem", self.folder / "p256.pub"
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        self.openssl("pkey", "-in", key, "-pubout", "-out", public)
        public_file = self.folder / "p256.json"
        public_file.write_text(json.dumps({"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256",
                                           "keyval": {"public": public.read_text()}}))
        self.signature.write_text(self.node("sign", payload, key))
        self.client.run("model", "verify", self.model, "--key", public_file)
        self.client.run("model", "verify", self.model, expect=8)
        self.assertIn("none of the 1 trusted here", self.client.stderr)

    def test_nothing_is_signed_that_was_not_validated(self):
        manifest = self.model / "manifest.json"
        whole = manifest.read_text()
        self.addCleanup(manifest.write_text, whole)
        good = json.loads(whole)["validation"]
        record = good["variants"][0]
        for validation in (None, {**good, "variants": None}, {**good, "probes": [], "results": {"passed": 0, "failed": 0}},
                           {**good, "variants": [{**record, "passed": 0, "failed": 1}]},
                           {**good, "variants": [{**record, "files_sha256": "0" * 64}]},
                           {**good, "probes": [{**good["probes"][0], "expected": "4, and nobody ever asked"}]},
                           {**good, "variants": [{**record, "probes_sha256": None}]},
                           {**good, "variants": [{**record, "perplexity": None}]}):
            manifest.write_text(json.dumps({**json.loads(whole), "validation": validation}))
            self.client.run("model", "sign", self.model, "--key", self.key, expect=8)
            self.assertIn("is not validated", self.client.stderr)
            self.assertFalse(self.signature.exists())
        manifest.write_text(whole)
        # Nor what is not what the manifest says.
        weights = self.model / "repo/model.gguf"
        kept = weights.read_bytes()
        weights.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        self.addCleanup(weights.write_bytes, kept)
        self.client.run("model", "sign", self.model, "--key", self.key, expect=6)
        self.assertIn("model.gguf", self.client.stderr)

    def test_a_signature_of_the_catalog_is_checked_at_install(self):
        self.sign()
        self.hub.stop()
        self.hub.start()
        self.client.add_hub(self.hub)
        self.client.run("install", TINY, "--yes")
        target = next((self.hub.folder / "catalog/targets/models/test/tiny").glob("*.sig"))
        self.assertEqual(target.read_bytes(), self.signature.read_bytes())
        self.client.run("model", "verify", self.model)
        # It goes along in an offline bundle, and is held against the files there.
        bundle = self.client.home / "bundle"
        self.client.run("bundle", TINY, "-o", bundle)
        there = harness.Client(self.folder / "there")
        there.run("hub", "add", "--from", bundle, "--fingerprint", self.hub.fingerprint)
        there.run("install", "--from", bundle, "--yes")
        shutil.rmtree(there.home)
        next((bundle / "catalog/targets/models/test/tiny").glob("*.sig")).unlink()
        there.run("hub", "add", "--from", bundle, "--fingerprint", self.hub.fingerprint)
        there.run("install", "--from", bundle, "--yes", expect=6)

        # What a key of another role signed does not get into the hub.
        self.client.run("model", "sign", self.model, "--key", self.key.with_name("apps-1.pem"))
        self.hub.stop()
        with self.assertRaisesRegex(AssertionError, "model.sig.*none of the 1 trusted here"):
            self.hub.start()
        self.signature.unlink()
        self.hub.start()


if __name__ == "__main__":
    harness.main()
