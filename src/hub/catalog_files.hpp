// What the catalog has published, as it lies in the data folder.
#pragma once

#include <locara/base/result.hpp>
#include <locara/catalog/repository.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/manifest/bundle.hpp>
#include <locara/manifest/ids.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// The bytes of a target in the tree (docs/formats/catalog.md, "Layout"). NotFound, Corrupt.
Result<std::string> read_target(const std::filesystem::path& tree, const catalog::Target& target);

/// The packed bundle of an app's version, as it lies in the tree.
struct PublishedBundle {
    manifest::AppId app;
    manifest::Version version;
    std::string target;                ///< Its name in the catalog.
    crypto::Sha256Digest sha256;       ///< Of the archive.
    crypto::Sha256Digest files_sha256; ///< The bundle's identity.
    std::filesystem::path path;
};

/// Those of a repository, by the SHA-256 of the archive. Errors as read_target and AppEntry::parse.
Result<std::vector<PublishedBundle>> list_bundles(const std::filesystem::path& tree,
                                                  const catalog::Repository& repository);

/// Those of the catalog in a hub's data folder; none if it has none yet.
Result<std::vector<PublishedBundle>> list_bundles(const std::filesystem::path& data);

/// The files in published bundles, each read once.
class BundleFiles {
  public:
    /// None of one that cannot be read: whoever installs it reads it again, and refuses it. Valid
    /// until the next call.
    std::span<const manifest::BundleFile> of(const PublishedBundle& bundle);

  private:
    std::map<crypto::Sha256Digest, manifest::BundleFileList> known_; ///< By that of the archive.
};

/// What the list says of a published bundle: of its app, of itself, of a file in it.
std::optional<catalog::TakedownEntry>
find_takedown(const catalog::TakedownList& list, const PublishedBundle& bundle, BundleFiles& files);

} // namespace locara::hub
