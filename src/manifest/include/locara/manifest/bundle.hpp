// App bundles: the `.locapp` archive, its identity, and the only way to open one.
//
// Format: docs/formats/locapp.md. A bundle's identity is the SHA-256 of its canonical file list,
// not of the archive, so that two compressors make the same app. Threads: plain functions; two may
// unpack into different folders at once.
#pragma once

#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/manifest/app_manifest.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace locara::manifest {

/// Budgets against archive bombs; the values are part of the format.
struct BundleLimits {
    std::size_t members = 4096;
    std::uint64_t archive_bytes = 256ULL << 20U;
    std::uint64_t unpacked_bytes = 512ULL << 20U;
    std::uint64_t ratio = 200; ///< Unpacked to packed, once more than 1 MiB is unpacked.
};

struct BundleFile {
    std::string path;
    bool executable = false; ///< Mode 0755 rather than 0644; there are no others.
    std::uint64_t size = 0;
    crypto::Sha256Digest sha256;
};

/// The canonical list of the files of a bundle, sorted by path bytes.
struct BundleFileList {
    std::vector<BundleFile> files;

    /// `mode size sha256 path` and a newline, for each file.
    std::string render() const;

    /// The inverse: InvalidArgument unless it is exactly what render writes.
    static Result<BundleFileList> parse(std::string_view text);

    /// The identity: SHA-256 of render().
    crypto::Sha256Digest id() const;
};

struct PackedBundle {
    BundleFileList list;
    crypto::Sha256Digest id;
    std::uint64_t archive_bytes = 0;
    crypto::Sha256Digest archive_sha256;
    std::string manifest_json; ///< locara.json as packed.
};

/// Packs the app in `folder` (its locara.json and the files that names) into `archive`, written
/// atomically. The same folder gives the same bytes. InvalidArgument for a bad manifest, a bad file
/// name, a symbolic link or a special file, NotFound for a file that the manifest names and the
/// folder lacks, TooLarge beyond the limits.
Result<PackedBundle> pack_bundle(const std::filesystem::path& folder,
                                 const std::filesystem::path& archive,
                                 const BundleLimits& limits = {});

/// What was unpacked and found to be the expected bundle.
struct UnpackedBundle {
    BundleFileList list;
    AppManifest manifest;
    std::string manifest_json;
};

/// Unpacks `archive` into `folder`, which must exist and be empty, and checks that it is the bundle
/// `expected`. Only regular files with allowed names are taken. Corrupt when the archive is broken
/// or is another bundle, InvalidArgument for a forbidden member or manifest, TooLarge beyond the
/// limits. On failure `folder` may hold files; the caller throws it away.
Result<UnpackedBundle> unpack_bundle(const std::filesystem::path& archive,
                                     const crypto::Sha256Digest& expected,
                                     const std::filesystem::path& folder,
                                     const BundleLimits& limits = {});

/// The list of an archive without writing anything; the same checks but for the identity.
Result<BundleFileList> read_bundle_list(ByteView archive, const BundleLimits& limits = {});

/// Hashes an unpacked bundle in `folder` again. Corrupt, naming the file, if one is missing,
/// changed or added.
Status verify_unpacked(const std::filesystem::path& folder, const BundleFileList& list);

} // namespace locara::manifest
