// Seeds: a folder of models and apps that a hub takes in when it starts, and the tool that pins
// them.
//
// Layout: `models/<name>/manifest.json` with `models/<name>/repo/...` (the files of the model's git
// repository), and `apps/<name>/` (a built app: locara.json and what it names). Nothing of a seed
// is let in before all of it was checked. Format and commands: docs/hub.md. Threads: plain
// functions; they block.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/formats/scan.hpp>
#include <locara/hub/git_repo.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace locara::hub {

/// A file of a model's repository.
struct RepoFile {
    std::string path; ///< Below repo/.
    std::uint64_t size = 0;
    crypto::Sha256Digest sha256;
    bool lfs = false; ///< Kept in the content store; otherwise a git blob.
};

/// What the gate said of a file that it let in.
struct SeenFile {
    std::string content; ///< SHA-256 (64 hex digits) of one in the content store, or git's id (40).
    std::string name;    ///< The last part of its path.
    formats::Examination seen;
};

/// What a model's folder stands for: the same files, name and version always give the same commit.
struct ModelPin {
    std::string commit;
    std::vector<RepoFile> files; ///< Sorted by path.
    GitSnapshot snapshot;        ///< What the commit is made of.
    std::vector<SeenFile> seen;  ///< Of each file of the commit.
    std::string scanners;        ///< Who judged (gate::Gate::scanners); empty if that is unknown.
};

/// Reads `folder`/repo, judges every file by the format gate and computes the commit that publishes
/// it as `name` `version`. Errors: NotFound (no repo folder), Refused (the gate; names the file and
/// the rule), InvalidArgument (a file name, a symbolic link, a special file), Io.
Result<ModelPin>
pin_model(const std::filesystem::path& folder, std::string_view name, std::string_view version);

/// The manifest of a model's folder after its source.revision, and the size and SHA-256 of each
/// file that its variants name, were set to what the folder holds.
struct PinnedManifest {
    ModelPin pin;
    std::string manifest; ///< JSON, two spaces indented, with a newline at the end.
    bool changed = false; ///< Whether that differs from the manifest.json that is there.
};

/// Reads `folder`/manifest.json (for id and version at least) and pins it. Errors as pin_model;
/// InvalidArgument for a manifest without them, NotFound for a variant's file that is not in repo/.
Result<PinnedManifest> pin_manifest(const std::filesystem::path& folder);

/// One model and one app of a checked seed.
struct SeedModel {
    std::filesystem::path folder;
    std::string id;       ///< "publisher/name"
    std::string repo;     ///< "org/name"
    std::string target;   ///< Its place in the catalog.
    std::string manifest; ///< The bytes of manifest.json.
    std::string signature_target;
    std::string signature; ///< The bytes of model.sig; empty if there is none. Not verified yet.
    std::string version;
    std::string task;
    std::string license;
    ModelPin pin;
};

struct SeedApp {
    std::filesystem::path folder;
    std::string id;
    std::string version;
    std::string entry_target;
    std::string entry; ///< JSON of the app entry.
    std::string bundle_target;
    std::filesystem::path archive; ///< Below the scratch folder.
};

struct Seed {
    std::vector<SeedModel> models;
    std::vector<SeedApp> apps;
};

/// The SHA-256 of everything in a seed: equal digests, equal seeds. NotFound if there is no such
/// folder.
Result<crypto::Sha256Digest> digest_seed(const std::filesystem::path& seed);

/// Checks a whole seed. `known_manifests` are those that the catalog lists, which apps may pin
/// besides those of the seed; bundles are packed into `scratch`. Errors, each with the file and
/// with what was found and expected: as pin_model and pack_bundle; Corrupt when a manifest's
/// revision, sizes or hashes are not those of the files, or an app pins a manifest that nobody has;
/// Refused when a model is not validated (ModelManifest::check_validated) and not one of
/// `known_manifests`, or an app does not say what the licenses of its models forbid.
Result<Seed> read_seed(const std::filesystem::path& seed,
                       const std::filesystem::path& scratch,
                       const std::vector<std::string>& known_manifests);

} // namespace locara::hub
