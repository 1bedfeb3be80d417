// A valid manifest of each kind for the tests to change.
#pragma once

#include <locara/base/json.hpp>

#include <gtest/gtest.h>

#include <string>

namespace locara::manifest {

inline Json sample_app() {
    return Json::parse(R"({
      "schema": "locara.dev/app/v1", "id": "locara/quick-add", "version": "1.0.0", "name": "Quick Add",
      "description": "Turns a note into a task", "details": "# Quick Add", "category": "productivity",
      "tags": ["tasks"], "icon": "icon.svg",
      "screenshots": [{"path": "screenshots/one.png", "caption": "A task"}],
      "license": "Apache-2.0", "repository": null,
      "entry": {"kind": "web", "root": "dist", "index": "index.html",
        "once": {"role": "text", "fields": [{"name": "note", "label": "Note", "kind": "line", "required": true}],
                 "template": "{{note}}", "output": {"schema": {"type": "object"}}}},
      "capabilities": {"net": [], "files": "none", "save": true, "devices": [], "background": false, "wasm": false},
      "models": [{"role": "text", "task": "text-generation", "id": "locara/quick-add",
        "manifest": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "fallbacks": []}],
      "requires": {"memory_bytes": 64000000, "disk_bytes": 8000000, "gpu": "none"},
      "storage": {"bytes": 1000000}
    })");
}

inline Json sample_model() {
    return Json::parse(R"({
      "schema": "locara.dev/model/v1", "id": "locara/quick-add", "version": "1.0.0", "name": "Quick Add model",
      "description": "Notes to tasks", "task": "text-generation",
      "modality": {"input": ["text"], "output": ["text"]}, "context_length": 512,
      "source": {"repo": "locara/quick-add", "revision": "0123456789abcdef0123456789abcdef01234567"},
      "variants": [{"name": "f16", "quantization": "F16",
        "files": [{"path": "model.gguf", "size": 1000, "sha256": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                   "xet_hash": null, "format": "gguf"}],
        "engine": {"name": "llama.cpp", "minimum_version": "v0.5.0"}, "weights_bytes": 1000, "kv_bytes_per_token": 512,
        "quality": {"metric": "exact match", "value": 0.97, "base": null, "how": "models/quick-add/evaluate.py"}, "speed": null}],
      "default": "f16", "lineage": [],
      "license": {"id": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0",
        "terms": {"commercial": true, "redistribution": true, "attribution": true, "use_restrictions": [], "gated": false}},
      "chat_template": null, "tokenizer": null, "recommended": {"temperature": 0, "max_tokens": 160},
      "validation": {"date": "2026-11-22", "engine_version": "v0.5.0",
        "probes": [{"messages": [{"role": "user", "content": "call mom"}], "expected": "{}"}],
        "results": {"passed": 1, "failed": 0}}
    })");
}

/// What authors read for their mistakes, collected for a golden file: each change to a valid
/// manifest and the whole error that it gets.
template <class Manifest> class Mistakes {
  public:
    explicit Mistakes(Json valid) : valid_(std::move(valid)) {}

    /// The value at a JSON pointer replaced by a JSON text, or removed for "".
    void set(const char* pointer, const std::string& value) {
        Json json = valid_;
        const Json::json_pointer at(pointer);
        if (value.empty()) {
            json.at(at.parent_pointer()).erase(at.back());
        } else {
            json[at] = Json::parse(value);
        }
        add(std::string(pointer) + (value.empty() ? " removed" : " = " + value.substr(0, 70)),
            json);
    }

    void add(const std::string& what, const Json& json) {
        const auto parsed = Manifest::parse(render_json(json));
        EXPECT_FALSE(parsed) << what;
        text_ += what + "\n    " + (parsed ? "" : parsed.error().describe()) + "\n";
    }

    const std::string& text() const { return text_; }

  private:
    Json valid_;
    std::string text_;
};

} // namespace locara::manifest
