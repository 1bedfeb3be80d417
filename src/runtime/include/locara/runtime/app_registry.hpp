// What the broker asks about installed apps: one small interface, so that the broker knows nothing
// of lockfiles, catalogs or folders, and the installer nothing of HTTP.
//
// The broker uses it; the installer implements it (install.hpp); tests hand in their own.
#pragma once

#include <locara/base/result.hpp>
#include <locara/engine/model_file.hpp>
#include <locara/manifest/app_manifest.hpp>
#include <locara/manifest/verified.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::runtime {

/// A model that an installed app may use, under the role its manifest names.
struct AppModel {
    std::string role;                         ///< "text"; what a page sends as "model".
    std::string task;                         ///< "text-generation" or "embeddings".
    manifest::VerifiedModelManifest manifest; ///< The pinned one, or the fallback installed.
    std::string variant;                      ///< Name of the installed variant in it.
    std::vector<engine::ModelFile> weights;   ///< Its GGUF files, first part first.
};

/// An installed app as the broker sees it. Everything in it was verified when it was handed out.
struct InstalledApp {
    manifest::AppManifest manifest;
    std::filesystem::path bundle; ///< The unpacked bundle, read-only for us.
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

    /// The installed app of a DNS label ("locara--quick-add"), with its lockfile and files checked;
    /// model files come from one engine::ModelFiles that the registry keeps. Errors: NotFound (not
    /// installed), Corrupt (a file is not what the lockfile says). May read the disk for long;
    /// called from any thread.
    virtual Result<InstalledApp> get(std::string_view label) = 0;

    /// What the latest verified takedown list and the policy of this machine say against running
    /// this app (it, its bundle, its models or their files): null for nothing, else the reason to
    /// show. Asked before each start and every second while an app runs; must be quick. Called from
    /// any thread.
    virtual std::optional<std::string> blocked(const InstalledApp& app) = 0;
};

} // namespace locara::runtime
