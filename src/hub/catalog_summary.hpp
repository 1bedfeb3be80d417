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
#include <string>
#include <utility>
#include <vector>

namespace locara::hub {

class BundleFiles;
class Routes;
class PublishedCatalog;
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

/// What the list of takedowns says of what a hub has, by what it goes by here: the strictest entry.
struct CalledBack {
    using Entries = std::map<std::string, catalog::TakedownEntry>;
    Entries apps;    ///< By id; in the newest version.
    Entries models;  ///< By id; in the newest version.
    Entries bundles; ///< By the SHA-256 of the archive, hex.
    Entries files;   ///< By SHA-256, hex: named itself, or of a model that is.
};

/// Errors as read_contents.
Result<CalledBack> find_called_back(const std::filesystem::path& tree,
                                    const catalog::Repository& repository,
                                    const CatalogContents& contents,
                                    BundleFiles& files);

/// {"schema": "locara-hub.catalog/1", "apps": [{"id", "version", "name", "license", "commercial",
/// "takedown", "models": [{"role", "id", "manifest", "commercial", "license"}]}], "models": [{"id",
/// "version", "name", "repo", "revision", "license", "takedown"}]}. A takedown is null or
/// {"action", "reason", "date"}. Licenses are as manifest::render_license has them. An app's models
/// are all that it may come to run with; `commercial` and `license` of one that the catalog lacks
/// are false and null.
Json render_contents(const CatalogContents& contents, const CalledBack& called_back);

/// "MIT", "MIT, no commercial use" or "MIT, commercial use unknown", over its derivation.
std::string describe_license(const manifest::ModelManifest& model);

/// GET /api/catalog: what is published then. `published` is borrowed, as below.
void add_catalog_summary_route(Routes& routes, PublishedCatalog& published);

/// GET /: the same for people, and the collections of the organization `curators` that everybody
/// sees; none if it is empty.
void add_front_page(Routes& routes,
                    const Services& services,
                    PublishedCatalog& published,
                    std::string curators);

} // namespace locara::hub
