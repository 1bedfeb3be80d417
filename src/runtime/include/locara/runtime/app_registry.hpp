// What the broker asks about installed apps: one small interface, so that the broker knows nothing
// of lockfiles, catalogs or folders, and the installer nothing of HTTP.
//
// The broker uses it; the installer implements it (install.hpp); tests hand in their own.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/engine/model_file.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::runtime {

/// A model that an installed app may use, under the role its manifest names.
struct AppModel {
    std::string role;                       ///< "text"; what a page sends as "model".
    std::string task;                       ///< "text-generation" or "embeddings".
    std::string id;                         ///< "locara/quick-add".
    crypto::Sha256Digest manifest_digest;   ///< Of the model manifest's bytes, as pinned.
    std::vector<engine::ModelFile> weights; ///< GGUF files, first part first.
    std::uint64_t context_length = 0;       ///< Tokens, from the model manifest.
    std::uint64_t weights_bytes = 0;        ///< Of the chosen variant.
    std::uint64_t kv_bytes_per_token = 0;   ///< Of the chosen variant, 0 if unknown.
    Json recommended = Json::object();      ///< The manifest's "recommended" parameters.
};

/// An installed app as the broker sees it. Everything in it was verified when it was handed out.
struct InstalledApp {
    std::string id;          ///< "locara/quick-add".
    std::string label;       ///< "locara--quick-add", the DNS label of its origin.
    std::string version;     ///< "1.0.0".
    std::string name;        ///< "Quick Add".
    std::string publisher;   ///< "locara".
    std::string description; ///< One line.
    std::string kind;        ///< "web" or "prompt".

    std::filesystem::path bundle; ///< The unpacked bundle, read-only for us.
    std::string root;             ///< Kind web: folder below `bundle` that is served ("dist").
    std::string index;            ///< Kind web: the file served for "/" ("index.html").

    Json capabilities = Json::object(); ///< The manifest's "capabilities".
    std::optional<Json> prompt;         ///< PROMPT: of kind prompt, or a web app's `once`.
    std::vector<AppModel> models;

    /// The model of a role, null if the manifest names no such role.
    const AppModel* find_model(std::string_view role) const {
        for (const auto& model : models) {
            if (model.role == role) {
                return &model;
            }
        }
        return nullptr;
    }
};

class AppRegistry {
  public:
    virtual ~AppRegistry() = default;

    /// The installed app of a DNS label ("locara--quick-add"), with its lockfile and files checked.
    /// Errors: NotFound (not installed), Corrupt (a file is not what the lockfile says).
    /// May read the disk; called from any thread, one app at a time.
    virtual Result<InstalledApp> get(std::string_view label) = 0;

    /// What the latest verified takedown list says of this app, its bundle, models and files: null
    /// for nothing, else the reason to show. Asked before each start and every few seconds while an
    /// app runs; must be quick. Called from any thread.
    virtual std::optional<std::string> blocked(const InstalledApp& app) = 0;
};

} // namespace locara::runtime
