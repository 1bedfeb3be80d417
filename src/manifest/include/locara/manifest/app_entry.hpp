// AppEntry: what the signed catalog says about one version of an app (locara.dev/app-entry/v1).
//
// The TUF target `apps/<publisher>/<name>-<version>.json`. It repeats the app manifest, so that
// search and cards work without the bundle, and pins the bundle three times over: size and SHA-256
// of the archive as fetched, and the digest of the list of files inside (its identity, see
// docs/formats/locapp.md).
#pragma once

#include <locara/manifest/app_manifest.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace locara::manifest {

struct AppEntry {
    AppManifest manifest;
    std::string manifest_json; ///< The manifest object as compact JSON text.
    std::string bundle_target; ///< TUF target of the archive.
    std::uint64_t bundle_size = 0;
    crypto::Sha256Digest bundle_sha256;
    crypto::Sha256Digest files_sha256; ///< The bundle's identity.

    /// Errors as AppManifest::parse; also InvalidArgument if bundle.target is not the one that
    /// belongs to the manifest's id and version.
    static Result<AppEntry> parse(std::string_view json);

    /// The inverse of parse, from a manifest's text and the bundle's facts.
    static Result<std::string> render(std::string_view manifest_json,
                                      std::uint64_t bundle_size,
                                      const crypto::Sha256Digest& bundle_sha256,
                                      const crypto::Sha256Digest& files_sha256);
};

/// TUF target paths.
std::string entry_target(const AppId& id, const Version& version);
std::string bundle_target(const AppId& id, const Version& version);
std::string model_target(const ModelId& id, const Version& version);

} // namespace locara::manifest
