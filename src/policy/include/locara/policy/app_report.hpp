// AppReport: whether an app's folder may be published, and why not.
//
// One check for every door an app goes through on its way into a catalog: `locara lint` and
// `locara publish` on its author's machine, a hub's seed. Files are judged by the format gate,
// what the app says of itself by its manifest, its license by those of the models it pins.
// Threads: plain functions; they block.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/formats/verdict.hpp>
#include <locara/manifest/app_entry.hpp>
#include <locara/manifest/app_manifest.hpp>
#include <locara/manifest/bundle.hpp>
#include <locara/manifest/effective_license.hpp>
#include <locara/policy/doors.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace locara::policy {

/// What an app must know of a model that it pins.
struct ModelTerms {
    manifest::ModelId id;
    std::string license_id; ///< As its manifest has it.
    manifest::EffectiveLicense license;
};

/// Model manifests by the digests that apps pin them by.
struct KnownModels {
    std::map<crypto::Sha256Digest, ModelTerms> manifests;

    /// Whether there are others elsewhere: then an app that pins an unknown one is warned, not
    /// refused.
    enum class Others { None, Possible } others = Others::None;

    /// Adds a manifest by its bytes. Errors as ModelManifest::parse.
    Status add(std::string_view json);
};

/// One thing that is wrong with an app, or could be better.
struct AppFinding {
    enum class Level { Error, Warning };

    Level level = Level::Error;
    std::string rule; ///< "manifest", "files", "gate", "models", "license", "card", "takedown".
    Error error;      ///< The sentence, with the file or the field, and its kind.
};

/// "error", "warning".
std::string_view render(AppFinding::Level level);

/// A model that the app runs on in a role, or may fall back on, and that is known.
struct PinnedModel {
    std::string role;
    crypto::Sha256Digest manifest;
    ModelTerms terms;
};

/// What the gate says of a file that it does not simply allow.
struct AppVerdict {
    std::string path; ///< In the bundle.
    crypto::Sha256Digest sha256;
    formats::Verdict verdict;
};

struct AppReport {
    std::vector<AppFinding> findings;             ///< Errors first.
    std::vector<PinnedModel> models;              ///< In the manifest's order.
    std::vector<AppVerdict> verdicts;             ///< Other than "allow".
    std::optional<manifest::AppManifest> app;     ///< Unless locara.json is wrong.
    std::string manifest_json;                    ///< What `app` was read from.
    std::optional<manifest::PackedBundle> bundle; ///< Unless it could not be packed.

    /// The first error, or none: then app and bundle are there.
    Status status() const;

    /// Adds an error, before all others.
    void add_error(std::string rule, ErrorCode code, std::string message);
};

/// {"app", "version", "manifest" (locara.json), "passes", "findings": [{"level", "rule",
/// "message"}], "facts", "changes", "bundle": {"id", "files", "size"}, "license" (of the app with
/// its models), "models": [{"role", "model", "manifest", "license"}], "verdicts": [{"path",
/// "sha256", ...}]}: what docs/cli.md says of locara.lint/1. `published` is the version that a
/// catalog has, for "changes": {"since", "gone", "come", "fields" (manifest::changed_fields),
/// "files" (null, or "was" and "now": the bundle's identities)}, facts as in "facts": {"subject",
/// "text", "mark"}. Licenses are as manifest::render_license, verdicts as formats::render_verdict
/// has them. Null where there is nothing to say.
Json render_app_report(const AppReport& report, const std::optional<manifest::AppEntry>& published);

/// Packs the app in `folder` into `archive` and checks all of it. What is wrong with the app is a
/// finding; only failures of this machine are errors: Io, NoSpace, and Unavailable where nobody
/// could judge a file. `door` is Review or Seed.
Result<AppReport> check_app(const std::filesystem::path& folder,
                            const std::filesystem::path& archive,
                            const KnownModels& models,
                            Door door);

/// What takedown lists say of a thing by its names.
using FindTakedown = std::function<Result<std::optional<catalog::TakedownEntry>>(
    std::span<const catalog::TakedownName> names)>;

/// Adds an error, of the rule "takedown", for the app and for each of its files that the door
/// Review refuses as called back. Errors: those of `find`.
Status add_what_is_called_back(AppReport& report, const FindTakedown& find);

} // namespace locara::policy
