// The weights that model manifests pin, as far as they are in this hub: that each pin leads to the
// file it names, that the file's bytes are those, and what the gate says of them.
#pragma once

#include "review_sources.hpp"

#include <locara/base/json.hpp>
#include <locara/hub/git_repo.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace locara::hub {

/// Where the files of a model are, if they are here.
struct PinnedCommit {
    Repo repo;
    GitRepo git;
};

/// Nothing for a commit that is not here, or is mirrored: then upstream has it.
Result<std::optional<PinnedCommit>> find_pinned_commit(const std::filesystem::path& data,
                                                       const Names& names,
                                                       const manifest::Source& source);

enum class PinDepth {
    Resolve, ///< Repository, commit, path, digest, size and verdict, by what is noted here.
    Hash,    ///< And every byte of the file is read, hashed and, if the gate has learned, judged.
};

struct PinReport {
    /// A list of {"model", "version", "repository", "revision", "files": [{"path", "variant",
    /// "sha256", "size", "state", "verdict"}]}. `state`: "verified" (hashed now), "resolved",
    /// "elsewhere" (the repository, its commit or the content is not here: clients get it from
    /// where it is), or "wrong". `verdict`: the gate's, if it is a flag, else null.
    Json models = Json::array();
    /// For each pin that leads to something else Corrupt, to what the gate refuses by now Refused.
    std::vector<Error> wrong;
};

/// Errors: Io, Unavailable where a scanner is down, and Corrupt where the chunk store is damaged.
Result<PinReport> check_pins(const ReviewSources& sources,
                             const std::vector<manifest::ModelManifest>& models,
                             PinDepth depth);

} // namespace locara::hub
