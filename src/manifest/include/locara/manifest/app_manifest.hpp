// AppManifest: what somebody says an app is (`locara.json`, locara.dev/app/v1).
//
// Format: docs/formats/app-manifest.md and schemas/app-v1.schema.json. Parsing checks form and
// inner consistency; who said it, and whether it is what was reviewed, is known only of a
// VerifiedAppManifest. Threads: plain values.
#pragma once

#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/manifest/ids.hpp>
#include <locara/manifest/prompt.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::manifest {

/// Most bytes of a manifest, app or model.
constexpr std::size_t kManifestLimitBytes = 1U << 20U;

struct Entry {
    enum class Kind { Web, Prompt, Process };

    Kind kind = Kind::Web;
    std::string root;                 ///< Web: folder inside the bundle that is served.
    std::string index;                ///< Web: the page to open, below root.
    std::optional<Prompt> prompt;     ///< Prompt: the form. Web: what `once` names, if anything.
    std::vector<std::string> command; ///< Process: program inside the bundle, then arguments.
};

std::string_view render(Entry::Kind kind);

struct Capabilities {
    enum class Files { None, Picker };

    std::vector<std::string> net; ///< Hosts; empty is no network.
    Files files = Files::None;
    bool save = false;
    std::vector<std::string> devices; ///< "microphone", "camera".
    bool background = false;
    bool wasm = false;
};

struct ModelNeed {
    std::string role;
    std::string task; ///< "text-generation" or "embeddings".
    ModelId id;       ///< For people; `manifest` decides.
    crypto::Sha256Digest manifest;
    std::vector<crypto::Sha256Digest> fallbacks;

    /// The manifests that may serve it, the preferred first: `manifest`, then `fallbacks`.
    std::vector<crypto::Sha256Digest> pins() const;
};

struct Screenshot {
    std::string path;
    std::string caption;
};

struct AppManifest {
    AppId id;
    Version version;
    std::string name;
    std::string description;
    std::string details;
    std::string category;
    std::vector<std::string> tags;
    std::string icon; ///< Empty if none.
    std::vector<Screenshot> screenshots;
    std::string license;    ///< Id or SPDX expression; parses as LicenseExpression.
    bool commercial = true; ///< False: its license or those of its models forbid commercial use.
    std::string repository; ///< Empty if none.
    Entry entry;
    Capabilities capabilities;
    std::vector<ModelNeed> models;
    std::uint64_t memory_bytes = 0;
    std::uint64_t disk_bytes = 0;
    std::string gpu; ///< "none", "optional" or "required".
    std::uint64_t storage_bytes = 0;

    /// The model need of a role, or nullptr.
    const ModelNeed* find_model(std::string_view role) const;

    /// Parses and checks. Errors: TooLarge above kManifestLimitBytes; Unsupported for another
    /// schema version; InvalidArgument for everything else, with the JSON path, the rule, what was
    /// found and a fix.
    static Result<AppManifest> parse(std::string_view json);
};

/// Texts for people that hold what nobody sees, or what moves what others see: each a sentence with
/// the path in locara.json. Lint and review refuse an app for any; what a catalog lists already is
/// parsed all the same.
std::vector<std::string> check_texts(const AppManifest& manifest);

/// One thing an app may or may not do, in plain words.
struct Fact {
    std::string
        subject;      ///< "network", "files", "save", "devices", "background", "models", "license".
    std::string text; ///< "No network."
    std::string mark; ///< "enforced", "measured" or "declared".
    bool power = false; ///< Lets the app do what an app by itself may not.

    bool operator==(const Fact&) const = default;
};

/// The facts of an app, worst news first inside each subject, in a fixed order of subjects. The
/// one source for card, shell and plan, so that they cannot differ.
std::vector<Fact> facts(const AppManifest& manifest);

/// What one version of an app says of itself and another does not, both ways.
struct FactChanges {
    std::vector<Fact> gone; ///< True of the old version only.
    std::vector<Fact> come; ///< True of the new one only.

    bool empty() const { return gone.empty() && come.empty(); }

    /// What the new version may do and the old one could not: a person has to agree to it.
    std::vector<Fact> new_powers() const;
};

FactChanges changed_facts(const AppManifest& before, const AppManifest& after);

} // namespace locara::manifest
