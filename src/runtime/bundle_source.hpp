// Private: an offline bundle on disk, as installs read it. docs/formats/offline-bundle.md.
//
// Threads: one at a time.
#pragma once

#include <locara/catalog/fetcher.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/manifest/offline_bundle.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace locara::runtime {

inline constexpr std::uint64_t kLicenseTextLimitBytes = 1U << 20U;

// Where things lie in a bundle's folder; a file of weights relative to it.
std::filesystem::path bundle_note(const std::filesystem::path& folder);
std::filesystem::path bundle_catalog(const std::filesystem::path& folder);
std::string bundle_file(const crypto::Sha256Digest& digest);
std::filesystem::path bundle_license(const std::filesystem::path& folder,
                                     const crypto::Sha256Digest& digest);

class BundleSource {
  public:
    /// Reads bundle.json. NotFound (no finished bundle), Corrupt (it is not what we wrote),
    /// Unsupported (a newer one).
    static Result<BundleSource> open(std::filesystem::path folder);

    const std::filesystem::path& folder() const { return folder_; }

    /// Its `hub` is normalized.
    const manifest::OfflineBundle& note() const { return note_; }

    /// Of its catalog. A file that is missing is Corrupt, but for the root after the last.
    std::unique_ptr<catalog::Fetcher> fetcher() const;

    /// The text with this digest, read and hashed. nullopt if the bundle has none; Corrupt if its
    /// bytes are others.
    Result<std::optional<std::filesystem::path>>
    find_license(const crypto::Sha256Digest& digest) const;

  private:
    BundleSource(std::filesystem::path folder, manifest::OfflineBundle note)
        : folder_(std::move(folder)), note_(std::move(note)) {}

    std::filesystem::path folder_;
    manifest::OfflineBundle note_;
};

} // namespace locara::runtime
