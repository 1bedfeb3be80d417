// The weights that a submitted app pins, as far as they are in this hub: that each pin leads to the
// file it names, and that the file's bytes are those.
#pragma once

#include "names.hpp"

#include <locara/base/json.hpp>
#include <locara/cas/cas.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace locara::hub {

enum class PinDepth {
    Resolve, ///< Repository, commit, path, digest and size, by what is noted here.
    Hash,    ///< And every byte of the file is read and hashed.
};

struct PinReport {
    /// A list of {"model", "version", "repository", "revision", "files": [{"path", "variant",
    /// "sha256", "size", "state"}]}. `state`: "verified" (hashed now), "resolved", "elsewhere" (the
    /// repository, its commit or the content is not here: clients get it from where it is), or
    /// "wrong".
    Json models = Json::array();
    std::vector<std::string> wrong; ///< A sentence for each pin that leads to something else.
};

/// Errors: Io, and Corrupt where the chunk store is damaged.
Result<PinReport> check_pins(const std::filesystem::path& data,
                             const Names& names,
                             const cas::Cas& chunks,
                             const std::vector<manifest::ModelManifest>& models,
                             PinDepth depth);

} // namespace locara::hub
