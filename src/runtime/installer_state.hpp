// What an Installer holds, shared by the files that implement it.
#pragma once

#include "bundle_source.hpp"

#include <locara/hf/client.hpp>
#include <locara/runtime/hub_fetcher.hpp>
#include <locara/runtime/install.hpp>
#include <locara/runtime/takedowns.hpp>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace locara::runtime {

/// A known hub and the local copy of its catalog. The client refers to the fetcher.
struct HubCatalog {
    Hub hub;
    std::unique_ptr<catalog::Fetcher> fetcher;
    std::unique_ptr<catalog::Client> client;
    catalog::Expiry expiry = catalog::Expiry::Strict; ///< What its fetcher's files may be past.
};

struct Installer::State {
    InstallerOptions options;
    store::Store store;
    std::vector<Hub> hubs;
    /// As hubs; only options.hub, if given; the bundle's first.
    std::vector<HubCatalog> catalogs;
    std::optional<BundleSource> bundle;
    Takedowns takedowns;

    /// The catalog of a hub, which must be one of `catalogs`.
    Result<catalog::Client*> client_of(const Hub& hub);

    /// Whether an install from this hub may go on: no role has expired that may not be.
    Status check_fresh(const Hub& hub) const;

    Result<HubCatalog> open_catalog(const Hub& hub);

    /// Whether the roots in the bundle end before the one that is known here.
    bool ends_before_our_root(const HubCatalog& one) const;

    /// The errors of catalog::Client::refresh, with the hub's address.
    Status refresh(HubCatalog& one);

    /// Brings the newest entries and the model manifests they pin into the local copy, so that
    /// search and cards work offline. Only Cancelled is an error.
    Status prefetch(HubCatalog& one);

    /// NotFound with what to do if there is none, or not the bundle's.
    Status check_any_hub() const;

    Result<PlannedModel> resolve_model(const CatalogApp& app, const manifest::ModelNeed& need);
    /// Holds a model against its signature, if the catalog has one. Corrupt or Refused if it does
    /// not fit.
    Status check_signature(catalog::Client& client, PlannedModel& model) const;

    Result<PlannedModel> plan_model(std::string role,
                                    manifest::VerifiedModelManifest manifest,
                                    std::string_view variant) const;

    /// What the hubs say, the strictest entry. Errors: those of Takedowns::refresh.
    Result<std::optional<catalog::TakedownEntry>> takedown_of(const PlannedModel& model);
    Result<std::optional<catalog::TakedownEntry>>
    takedown_of(const manifest::AppEntry& entry,
                std::span<const manifest::BundleFile> files,
                const std::vector<PlannedModel>& models);

    /// The files of the bundle that an entry names, if this one is installed; else nobody here
    /// knows them yet.
    manifest::BundleFileList files_of(const manifest::AppEntry& entry) const;

    /// Refused if the model is taken down, unless that is a warning.
    Status check_takedown(const PlannedModel& model);

    /// Refused if any is taken down, else adds what is warned of.
    Status check_takedown(const manifest::AppEntry& entry,
                          std::span<const manifest::BundleFile> files,
                          const std::vector<PlannedModel>& models,
                          std::vector<std::string>& warnings);

    /// Adds the texts of licenses that the model's manifest pins, of its own and of those of what
    /// it was made from, to a bundle that is to be made, or a warning. Only Cancelled is an error.
    Status add_text(BundlePlan& plan, const PlannedModel& model) const;

    /// Takes a file of weights from the bundle.
    Status import_file(const PlannedFile& file, ProgressSink& progress);

    /// Pulls the files of a model that are not here, each past the format gate.
    Status pull_model(const PlannedModel& model, const Hub& hub, ProgressSink& progress);
    Status pull_file(const PlannedModel& model,
                     const PlannedFile& file,
                     const std::vector<std::string>& endpoints,
                     ProgressSink& progress);

    /// Fetches what of `wanted` is not here, as Installer::refetch.
    Status refetch_model(const Installer& installer,
                         const PlannedModel& model,
                         const std::string& hub,
                         const std::set<crypto::Sha256Digest>& wanted,
                         ProgressSink& progress);
    Status refetch_app(const Installer& installer,
                       const manifest::AppId& id,
                       const std::set<crypto::Sha256Digest>& wanted,
                       ProgressSink& progress);
    Status refetch_pin(Installer& installer,
                       const Pin& pin,
                       const std::set<crypto::Sha256Digest>& wanted,
                       ProgressSink& progress);

    /// The endpoints to ask for weights, in order.
    std::vector<std::string> endpoints(const Hub& hub) const;

    /// One installer at a time; removes what a killed one left in the temporary folder.
    Result<FileLock> take_turn() const;
};

/// The archive that an app was unpacked from, in its folder.
inline constexpr std::string_view kArchiveName = "app.locapp";

/// The target of the model manifest with this digest. NotFound.
Result<catalog::Target> find_model_target(const catalog::Client& client,
                                          const crypto::Sha256Digest& digest);

/// The folder of an app, without the version.
std::filesystem::path app_folder(const Home& home, const manifest::AppId& id);

/// Reads lock.json and locara.json of one folder `<publisher>/<name>/<version>`.
Result<InstalledEntry> read_installed(const std::filesystem::path& folder);

/// The manifest of one of its models. Corrupt if it is not the one that was installed.
Result<manifest::VerifiedModelManifest> read_locked_model(const InstalledEntry& app,
                                                          const LockedModel& locked);

/// Every lock.json below the apps' folder, of old versions too. Corrupt, with what to do, if one
/// cannot be read. Without those of one app, if it is told.
Result<std::vector<Lock>> read_all_locks(const Home& home,
                                         const std::optional<manifest::AppId>& but = std::nullopt);

/// Bytes of all regular files below a folder; 0 if it is not there.
std::uint64_t folder_bytes(const std::filesystem::path& folder);

/// The format gate: what the content of a file is, against what its manifest declares.
Status check_format(const Fd& fd, const std::string& path, manifest::FileFormat declared);

} // namespace locara::runtime
