// A registry in memory for the tests of the broker.
#pragma once

#include <locara/base/file.hpp>
#include <locara/runtime/app_registry.hpp>
#include <locara/store/store.hpp>
#include <locara/test_support/folders.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace locara::runtime {

/// Two installed apps on one tiny model.
class TestRegistry : public AppRegistry {
  public:
    /// `chat_template` takes the place of the model's own, which must not be shorter.
    TestRegistry(const std::filesystem::path& folder,
                 store::Store& store,
                 const std::string& chat_template = "")
        : files_(store) {
        std::filesystem::path weights =
            test_support::source_dir() / "src/engine/test/data/tiny.gguf";
        if (!chat_template.empty()) {
            std::filesystem::create_directories(folder);
            weights = with_template(weights, chat_template, folder / "tiny.gguf");
        }
        const auto put = store.put_file(weights);
        EXPECT_TRUE(put) << put.error().describe();
        weights_ = put->digest;
        std::filesystem::create_directories(folder / "dist/assets");
        std::ofstream(folder / "dist/index.html") << "<!doctype html><title>Quick Add</title>";
        std::ofstream(folder / "dist/assets/app.js") << "export {};";
        std::ofstream(folder / "dist/.hidden") << "hidden";
        std::ofstream(folder / "locara.json") << "{}";
        std::filesystem::create_symlink("/etc/passwd", folder / "dist/link.txt");
        bundle_ = folder;
        add("locara/quick-add", R"({"kind":"web","root":"dist","index":"index.html",
            "once":{"role":"text","fields":[{"name":"note","label":"Note","kind":"line","required":true}],
                    "template":"note: {{note}}","output":{"schema":{"type":"object",
                    "properties":{"ok":{"enum":["yes"]}},"required":["ok"],"additionalProperties":false}}}})");
        add("locara/other-app", R"({"kind":"prompt","prompt":{"role":"text",
            "fields":[{"name":"what","label":"What","kind":"line","required":true}],"template":"{{what}}"}})");
    }

    Result<InstalledApp> get(std::string_view label) override {
        const auto found = apps_.find(label);
        if (found == apps_.end()) {
            return Error(ErrorCode::NotFound, std::string(label) + " is not installed");
        }
        return found->second;
    }

    std::optional<std::string> blocked(const InstalledApp& app) override {
        const std::lock_guard lock(mutex_);
        if (app.manifest.id.render() != blocked_) {
            return std::nullopt;
        }
        return answers_before_ > 0 && answers_before_-- > 0 ? std::nullopt
                                                            : std::optional<std::string>("a test");
    }

    /// From now on, or after so many answers that nothing is against it.
    void block(const std::string& app, int answers_before = 0) {
        const std::lock_guard lock(mutex_);
        blocked_ = app;
        answers_before_ = answers_before;
    }

  private:
    static std::filesystem::path with_template(const std::filesystem::path& weights,
                                               const std::string& chat_template,
                                               std::filesystem::path changed) {
        std::string bytes = *read_file(weights, 1U << 20U);
        const std::size_t begin = bytes.find("{% for message in messages %}");
        const std::size_t end = bytes.find("{% endif %}", begin) + 11;
        EXPECT_LE(chat_template.size(), end - begin);
        bytes.replace(begin,
                      end - begin,
                      chat_template + std::string(end - begin - chat_template.size(), ' '));
        std::ofstream(changed, std::ios::binary) << bytes;
        return changed;
    }

    manifest::VerifiedModelManifest model_manifest(const char* task) const {
        const std::string json =
            R"({"schema":"locara.dev/model/v1","id":"locara/tiny","version":"1.0.0",
          "name":"Tiny","description":"For tests","task":")" +
            std::string(task) + R"(",
          "modality":{"input":["text"],"output":["text"]},"context_length":256,
          "source":{"repo":"locara/tiny","revision":"0123456789abcdef0123456789abcdef01234567"},
          "variants":[{"name":"f32","quantization":"F32","files":[{"path":"tiny.gguf","size":95648,"sha256":")" +
            weights_.render() + R"(","xet_hash":null,"format":"gguf"}],
            "engine":{"name":"llama.cpp","minimum_version":"v0.5.0"},"weights_bytes":95648,
            "kv_bytes_per_token":256,"quality":null,"speed":null}],
          "default":"f32","lineage":[],"license":{"id":"Apache-2.0","url":"https://example.org",
            "terms":{"commercial":true,"redistribution":true,"attribution":true,"use_restrictions":[],"gated":false}},
          "chat_template":null,"tokenizer":null,"recommended":{"temperature":0,"max_tokens":100},
          "validation":null})";
        auto made = manifest::VerifiedModelManifest::verify(json, crypto::sha256(as_bytes(json)));
        EXPECT_TRUE(made) << made.error().describe();
        return *made;
    }

    void add(const std::string& id, const std::string& entry) {
        const auto text = model_manifest("text-generation");
        const auto vectors = model_manifest("embeddings");
        const bool first = apps_.empty();
        std::string models =
            R"({"role":"text","task":"text-generation","id":"locara/tiny","manifest":"sha256:)" +
            text.digest().render() + R"(","fallbacks":[]})";
        if (first) {
            models +=
                R"(,{"role":"index","task":"embeddings","id":"locara/tiny","manifest":"sha256:)" +
                vectors.digest().render() + R"(","fallbacks":[]})";
        }
        auto app = manifest::AppManifest::parse(
            R"({"schema":"locara.dev/app/v1","id":")" + id + R"(","version":"1.0.0","name":"Test",
            "description":"For tests","category":"productivity","license":"Apache-2.0","entry":)" +
            entry + R"(,"capabilities":{"net":[],"files":"none","save":true,"devices":[],
            "background":false,"wasm":)" +
            (first ? "true" : "false") + R"(},"models":[)" + models +
            R"(],"requires":{"memory_bytes":1000,"disk_bytes":1000,"gpu":"none"}})");
        ASSERT_TRUE(app) << app.error().describe();
        InstalledApp installed{*app, bundle_, {}};
        auto file = files_.open(weights_);
        ASSERT_TRUE(file) << file.error().describe();
        installed.models.push_back({"text", "text-generation", text, "f32", {*file}});
        if (first) {
            installed.models.push_back({"index", "embeddings", vectors, "f32", {*file}});
        }
        apps_.emplace(app->id.label(), installed);
    }

    engine::ModelFiles files_;
    crypto::Sha256Digest weights_;
    std::filesystem::path bundle_;
    std::map<std::string, InstalledApp, std::less<>> apps_;
    std::mutex mutex_;
    std::string blocked_;
    int answers_before_ = 0;
};

} // namespace locara::runtime
