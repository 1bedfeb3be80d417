"""A seed of one app and one model that never change, so that every digest is the same for ever."""
import json
import shutil
import subprocess

from tests.harness import BIN, SOURCE

TINY = "test/tiny-notes"


# What `locara model validate --ask x` wrote down of these weights.
VALIDATION = json.loads((SOURCE / "tests/harness/tiny-validation.json").read_text())


def write_seed(seed, license=None, lineage=(), terms=None, license_text=None):
    """Returns what `locara-hub pin` said. `license` replaces members of the model's license, `lineage` is what it was
    made from; `terms` is the app's; `license_text` lies in the model's repository."""
    model, app = seed / "models/tiny", seed / "apps/tiny-notes"
    (model / "repo").mkdir(parents=True)
    app.mkdir(parents=True)
    shutil.copy(SOURCE / "src/engine/test/data/tiny.gguf", model / "repo/model.gguf")
    if license_text is not None:
        (model / "repo/LICENSE").write_bytes(license_text)
    manifest = {
        "schema": "locara.dev/model/v1", "id": "test/tiny", "version": "1.0.0", "name": "Tiny",
        "description": "Random weights", "task": "text-generation",
        "modality": {"input": ["text"], "output": ["text"]}, "context_length": 256,
        "source": {"repo": "test/tiny", "revision": "0" * 40},
        "variants": [{
            "name": "f32", "quantization": "F32",
            "files": [{"path": "model.gguf", "size": 1, "sha256": "0" * 64, "xet_hash": None, "format": "gguf"}],
            "engine": {"name": "llama.cpp", "minimum_version": "v0.5.0"}, "weights_bytes": 95648,
            "kv_bytes_per_token": 256, "quality": VALIDATION["quality"], "speed": VALIDATION["speed"]}],
        "default": "f32", "lineage": list(lineage),
        "license": {"id": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0",
                    "terms": {"commercial": True, "redistribution": True, "attribution": True,
                              "use_restrictions": [], "gated": False}, **(license or {})},
        "chat_template": None, "tokenizer": None, "recommended": {"temperature": 0, "max_tokens": 20},
        "validation": VALIDATION["validation"]}
    (model / "manifest.json").write_text(json.dumps(manifest))
    pinned = subprocess.run([BIN / "locara-hub", "pin", "--write", model], check=True, text=True, stdout=subprocess.PIPE)
    digest = pinned.stdout.split("manifest  ")[1].split()[0]
    (app / "icon.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>\n')
    (app / "locara.json").write_text(json.dumps({
        "schema": "locara.dev/app/v1", "id": TINY, "version": "1.0.0", "name": "Tiny Notes",
        "description": "Turns a note into nonsense", "category": "productivity", "tags": ["task"], "icon": "icon.svg",
        "license": "Apache-2.0", **({"terms": terms} if terms else {}),
        "entry": {"kind": "prompt", "prompt": {
            "role": "text", "template": "{{note}}",
            "fields": [{"name": "note", "label": "Note", "kind": "line", "required": True}]}},
        "capabilities": {"net": [], "files": "none", "save": True, "devices": [], "background": False, "wasm": False},
        "models": [{"role": "text", "task": "text-generation", "id": "test/tiny", "manifest": digest, "fallbacks": []}],
        "requires": {"memory_bytes": 64000000, "disk_bytes": 8000000, "gpu": "none"}}))
    return pinned.stdout
