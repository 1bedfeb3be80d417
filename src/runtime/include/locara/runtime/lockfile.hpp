// Lock: what exactly was installed (`lock.json`, docs/formats/lockfile.md).
//
// Written last, as the thing that makes an install whole; read by everything that starts, checks or
// removes an app. Threads: plain values.
#pragma once

#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/manifest/ids.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace locara::runtime {

struct LockedFile {
    std::string path;
    std::string format; ///< "gguf", "safetensors", "json", "text".
    std::uint64_t size = 0;
    crypto::Sha256Digest sha256;
};

struct LockedModel {
    std::string role;
    manifest::ModelId id;
    manifest::Version version;
    crypto::Sha256Digest manifest; ///< Of the model manifest's bytes.
    std::string variant;
    std::string repo;
    std::string revision; ///< 40 hex digits.
    std::vector<LockedFile> files;
};

struct Lock {
    manifest::AppId app;
    manifest::Version version;
    std::string hub;       ///< Its address.
    std::string installed; ///< When, RFC 3339.
    std::string entry_target;
    crypto::Sha256Digest entry_sha256;
    crypto::Sha256Digest bundle_sha256; ///< Of the archive.
    crypto::Sha256Digest files_sha256;  ///< The bundle's identity.
    std::uint64_t unpacked_bytes = 0;
    std::vector<LockedModel> models;

    /// JSON text with a newline at the end.
    std::string render() const;

    /// The inverse. Unsupported for another schema; InvalidArgument names what is wrong; TooLarge
    /// above 1 MiB.
    static Result<Lock> parse(std::string_view text);
};

} // namespace locara::runtime
