// A model repository as ollama and elder versions of llama.cpp ask for it: by tag, as a manifest of
// the OCI distribution kind whose layers are named by their digests.
//
// Sources: OCI Image Manifest as of Docker's schema 2; which media types and answers count is what
// ollama (server/images.go, download.go, August 2026) and llama.cpp (common/arg.cpp, 2025) read.
// Threads: plain functions; only listings are looked at, no content.
#pragma once

#include "refusal.hpp"

#include <locara/crypto/sha256.hpp>
#include <locara/hub/git_repo.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

inline constexpr const char* kOciManifestType =
    "application/vnd.docker.distribution.manifest.v2+json";

/// What a tag stands for: weights in GGUF, and the projector that belongs to them if there is one.
struct OciModel {
    GitEntry weights;
    std::optional<GitEntry> projector;
    std::string config; ///< JSON; the blob that stands for the model as a whole.

    /// The manifest. The same entries give the same bytes.
    std::string render() const;

    /// What elder versions of llama.cpp read: {"ggufFile": {"rfilename", "size", ...}}.
    Json render_files() const;
};

/// The model of a tag, in any case: a file with or without ".gguf", or how it was quantized. For
/// "latest" Q4_K_M, else Q8_0, else the first. 404 that names the tags there are; 501 for one that
/// is split, which ollama does not load.
Answer<OciModel> find_oci_model(const std::vector<GitEntry>& entries, std::string_view tag);

/// What a digest stands for in a repository: a large file, or the config of one of its models.
struct OciBlob {
    std::optional<GitEntry> file;
    std::string config; ///< Without a file.
};

/// 400 for what is no "sha256:" and 64 hexadecimal digits, 404.
Answer<OciBlob> find_oci_blob(const std::vector<GitEntry>& entries, std::string_view digest);

} // namespace locara::hub
