// A small but whole seed for tests to start from and to spoil: one model, one app.
#pragma once

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/hub/seed.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace locara::hub::test {

namespace fs = std::filesystem;

inline void write(const fs::path& path, std::string_view text) {
    ASSERT_TRUE(create_folders(path.parent_path()));
    ASSERT_TRUE(write_file_atomically(path, as_bytes(text)));
}

inline std::string read(const fs::path& path) {
    auto text = read_file(path, 64U << 20U);
    EXPECT_TRUE(text) << (text ? "" : text.error().describe());
    return text ? *text : "";
}

/// Appends a number in `bytes` bytes, little-endian, or a text after its length, as GGUF has them.
inline void put_number(std::string& out, std::uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) {
        out += static_cast<char>((value >> (8 * i)) & 0xffU);
    }
}

inline void put_text(std::string& out, std::string_view text) {
    put_number(out, text.size(), 8);
    out += text;
}

/// A valid GGUF file of one tensor of 1000 floats (ggml: docs/gguf.md).
inline std::string weights(char fill = 'x') {
    std::string out = "GGUF";
    put_number(out, 3, 4); // version
    put_number(out, 1, 8); // tensors
    put_number(out, 1, 8); // metadata
    put_text(out, "general.architecture");
    put_number(out, 8, 4); // a text
    put_text(out, "llama");
    put_text(out, "token_embd.weight");
    put_number(out, 1, 4);    // dimensions
    put_number(out, 1000, 8); // the first
    put_number(out, 0, 4);    // F32
    put_number(out, 0, 8);    // offset
    out.resize((out.size() + 31) / 32 * 32);
    return out + std::string(4000, fill);
}

inline Json model_manifest() {
    return Json::parse(R"({
      "schema": "locara.dev/model/v1", "id": "locara/tiny", "version": "1.0.0", "name": "Tiny <model>",
      "description": "Notes to tasks", "task": "text-generation",
      "modality": {"input": ["text"], "output": ["text"]}, "context_length": 512,
      "source": {"repo": "locara/tiny", "revision": "0123456789abcdef0123456789abcdef01234567"},
      "variants": [{"name": "f32", "quantization": "F32",
        "files": [{"path": "model.gguf", "size": 1, "sha256":
          "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
          "xet_hash": null, "format": "gguf"}],
        "engine": {"name": "llama.cpp", "minimum_version": "v0.5.0"}, "weights_bytes": 1000,
        "kv_bytes_per_token": 512, "quality": null, "speed": null}],
      "default": "f32", "lineage": [],
      "license": {"id": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0",
        "terms": {"commercial": true, "redistribution": true, "attribution": true,
                  "use_restrictions": [], "gated": false}},
      "chat_template": null, "tokenizer": null, "recommended": {"temperature": 0, "max_tokens": 160},
      "validation": {"date": "2026-11-22", "engine_version": "v0.5.0",
        "probes": [{"messages": [{"role": "user", "content": "call mom"}], "expected": "{}"}],
        "results": {"passed": 1, "failed": 0}}
    })");
}

/// A manifest after `locara model validate`: its variants were measured with the files they have.
inline std::string validated(const std::string& text) {
    Json json = Json::parse(text);
    const auto manifest = manifest::ModelManifest::parse(text);
    EXPECT_TRUE(manifest) << manifest.error().describe();
    Json records = Json::array();
    for (Json& variant : json["variants"]) {
        const auto files =
            manifest->find_variant(variant["name"].get<std::string>())->files_sha256();
        records.push_back(
            {{"variant", variant["name"]},
             {"files_sha256", files.render()},
             {"probes_sha256",
              manifest::probes_sha256(manifest->validation->probes, manifest->recommended)
                  .render()},
             {"date", "2026-11-22T19:00:00Z"},
             {"engine_version", "v0.5.0"},
             {"machine", "2 processors, Linux x86_64"},
             {"passed", 1},
             {"failed", 0},
             {"prompt_tokens_per_second", 5000.0},
             {"tokens_per_second", 100.0},
             {"peak_memory_bytes", 2000000},
             {"perplexity",
              {{"value", 1.5},
               {"base", nullptr},
               {"base_variant", nullptr},
               {"text_sha256", std::string(64, 'a')},
               {"tokens", 240}}}});
        variant["quality"] = {
            {"metric", "perplexity"}, {"value", 1.5}, {"base", nullptr}, {"how", "240 tokens"}};
    }
    json["validation"]["variants"] = std::move(records);
    return json.dump(2) + "\n";
}

inline Json app_manifest(const std::string& model_digest) {
    Json json = Json::parse(R"({
      "schema": "locara.dev/app/v1", "id": "locara/note-taker", "version": "1.0.0", "name": "Note & Taker",
      "description": "Turns a <note> into a task", "details": "# Note", "category": "productivity",
      "tags": ["tasks"], "icon": "icon.svg", "screenshots": [], "license": "Apache-2.0", "repository": null,
      "entry": {"kind": "web", "root": "dist", "index": "index.html"},
      "capabilities": {"net": [], "files": "none", "save": true, "devices": [], "background": false, "wasm": false},
      "models": [{"role": "text", "task": "text-generation", "id": "locara/tiny", "manifest": "", "fallbacks": []}],
      "requires": {"memory_bytes": 64000000, "disk_bytes": 8000000, "gpu": "none"},
      "storage": {"bytes": 1000000}
    })");
    json["models"][0]["manifest"] = "sha256:" + model_digest;
    return json;
}

/// A folder with a seed and room for a hub beside it.
class SampleSeed {
  public:
    SampleSeed() : folder_(make_folder()) {
        write(repo() / "model.gguf", weights());
        write(repo() / "README.md", "---\nlicense: apache-2.0\n---\n# Tiny\n");
        write(repo() / "config.json", "{\"a\": 1}\n");
        write(repo() / "empty.txt", "");
        write(repo() / "extra dir" / "c#1.txt", "hash\n");
        write(model() / "manifest.json", model_manifest().dump(2));
        write(app() / "icon.svg",
              "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\"></svg>\n");
        write(app() / "dist" / "index.html", "<!doctype html><title>Note</title>\n");
        pin();
    }

    fs::path root() const { return folder_.path() / "seed"; }

    fs::path data() const { return folder_.path() / "hub"; }

    fs::path model() const { return root() / "models" / "tiny"; }

    fs::path repo() const { return model() / "repo"; }

    fs::path app() const { return root() / "apps" / "note-taker"; }

    /// Makes the manifest agree with the files and the app with the manifest, as an author does.
    void pin(const std::string& version = "1.0.0") {
        change_manifest([&version](Json& json) { json["version"] = version; });
        auto pinned = pin_manifest(model());
        ASSERT_TRUE(pinned) << pinned.error().describe();
        commit = pinned->pin.commit;
        const std::string manifest = validated(pinned->manifest);
        write(model() / "manifest.json", manifest);
        manifest_digest = crypto::sha256(as_bytes(manifest)).render();
        Json app_json = app_manifest(manifest_digest);
        app_json["version"] = version;
        write(app() / "locara.json", app_json.dump(2));
    }

    template <class Change> void change_manifest(Change change) {
        Json json = Json::parse(read(model() / "manifest.json"));
        change(json);
        write(model() / "manifest.json", json.dump(2));
    }

    std::string commit;
    std::string manifest_digest;

  private:
    static TempFolder make_folder() {
        auto folder = TempFolder::create("/tmp", "locara-hub-");
        LOCARA_ASSERT(folder.has_value());
        return std::move(*folder);
    }

    TempFolder folder_;
};

} // namespace locara::hub::test
