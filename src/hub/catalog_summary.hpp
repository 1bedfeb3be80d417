// What the catalog offers, for programs and people who read no TUF: each app and model in its
// newest version, and what its license, over the whole derivation, allows.
//
// It says nothing that the signed targets do not say, and nothing installs by it.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/catalog/repository.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/manifest/app_manifest.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace locara::hub {

class Routes;
struct Services;

struct CatalogContents {
    std::map<crypto::Sha256Digest, manifest::ModelManifest> models; ///< Every version.
    std::map<std::string, manifest::AppManifest> apps;              ///< The newest, by id.

    /// Every model in its newest version, by id.
    std::vector<const manifest::ModelManifest*> newest_models() const;
};

/// Reads what a catalog's targets list. Corrupt, NotFound and Io as read_target and the parsers.
Result<CatalogContents> read_contents(const std::filesystem::path& tree,
                                      const catalog::Repository& repository);

/// {"schema": "locara-hub.catalog/1", "apps": [{"id", "version", "name", "license", "commercial",
/// "models": [{"role", "id", "manifest", "commercial", "license"}]}], "models": [{"id", "version",
/// "name", "repo", "revision", "license"}]}. Licenses are as manifest::render_license has them. An
/// app's models are all that it may come to run with; `commercial` and `license` of one that the
/// catalog lacks are false and null.
Json render_contents(const CatalogContents& contents);

/// "MIT", "MIT, no commercial use" or "MIT, commercial use unknown", over its derivation.
std::string describe_license(const manifest::ModelManifest& model);

/// The catalog in a data folder as it is published at the moment. It is read again only when its
/// timestamp has changed. Threads: safe.
class PublishedCatalog {
  public:
    struct Snapshot {
        CatalogContents contents;
        Json summary;            ///< render_contents.
        std::string fingerprint; ///< Of its root, 64 hex digits.
    };

    explicit PublishedCatalog(std::filesystem::path data) : data_(std::move(data)) {}

    /// Never null. Errors: those of catalog::Repository::load and read_contents, Io.
    Result<std::shared_ptr<const Snapshot>> get();

  private:
    const std::filesystem::path data_;
    std::mutex mutex_;
    std::string timestamp_; ///< That the snapshot was true for.
    std::shared_ptr<const Snapshot> snapshot_;
};

/// GET /api/catalog: what is published then.
void add_catalog_summary_route(Routes& routes, std::shared_ptr<PublishedCatalog> published);

/// GET /: the same for people, and the collections of the organization `curators` that everybody
/// sees; none if it is empty.
void add_front_page(Routes& routes,
                    const Services& services,
                    std::shared_ptr<PublishedCatalog> published,
                    std::string curators);

} // namespace locara::hub
