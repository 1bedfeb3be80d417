// The installer: from a hub's signed catalog to an app on disk, and back.
//
// What is installed is what `lock.json` says; it is written last and moved into place with one
// rename, so an app is there whole or not at all. Weights go to the store, shared by all apps, and
// leave it with the last app that names them.
//
//   <data>/apps/<publisher>/<name>/<version>/lock.json        docs/formats/lockfile.md
//                                           /bundle/...       the app's files
//                                           /bundle.list      their canonical list
//                                           /models/<role>.json   model manifests, as pinned
//                                           /app.locapp           the archive, for offline bundles
//
// Threads: an Installer belongs to one thread. Processes take turns by a lock (they wait).
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/log.hpp>
#include <locara/base/progress.hpp>
#include <locara/base/result.hpp>
#include <locara/catalog/client.hpp>
#include <locara/http/client.hpp>
#include <locara/manifest/app_entry.hpp>
#include <locara/manifest/bundle.hpp>
#include <locara/manifest/effective_license.hpp>
#include <locara/manifest/offline_bundle.hpp>
#include <locara/manifest/verified.hpp>
#include <locara/policy/policy.hpp>
#include <locara/runtime/device.hpp>
#include <locara/runtime/home.hpp>
#include <locara/runtime/lockfile.hpp>
#include <locara/runtime/receipts.hpp>
#include <locara/runtime/storage.hpp>
#include <locara/store/store.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace locara::runtime {

/// An app of a catalog.
struct CatalogApp {
    Hub hub;
    std::string target; ///< TUF target of its entry.
    crypto::Sha256Digest entry_sha256;
    manifest::AppEntry entry;
};

/// One file of a plan.
struct PlannedFile {
    manifest::ModelFile file;
    bool here = false;                ///< In the store already, whole.
    std::uint64_t received_bytes = 0; ///< Of a pull that was stopped earlier.
    std::uint64_t held_bytes = 0;     ///< What the disk holds for that pull already.
};

/// One model of a plan.
struct PlannedModel {
    std::string role;
    manifest::VerifiedModelManifest manifest;
    std::string variant;
    std::vector<PlannedFile> files;
    bool is_fallback = false;
    /// Id of the key that signed its files (docs/formats/model-signature.md); empty if the
    /// catalog has no signature.
    std::string signed_by{};

    const manifest::Variant& get_variant() const { return *manifest->find_variant(variant); }

    /// Over its whole derivation.
    manifest::EffectiveLicense get_license() const { return effective_license(*manifest); }
};

/// Terms of a license that nobody here has accepted yet, and the model that brings them first.
struct OpenTerms {
    manifest::LicenseTermsToAccept terms;
    std::string model; ///< "publisher/name@version"; of the app for its own license.
    crypto::Sha256Digest manifest;
};

/// Of an app with these models: what may be done with the whole.
manifest::EffectiveLicense effective_license(const manifest::AppManifest& app,
                                             const std::vector<PlannedModel>& models);

/// What an install would do. Nothing was changed to make it but the catalog's copy.
struct Plan {
    CatalogApp app;
    std::vector<PlannedModel> models;
    std::uint64_t fetch_bytes = 0; ///< Over the network: bundle and weights.
    std::uint64_t here_bytes = 0;  ///< Of the weights, what this machine has already.
    std::uint64_t disk_bytes = 0;  ///< What the disk will hold more.
    std::uint64_t memory_bytes = 0;
    Device device;
    /// Takedown notices of kind "warn", models that nobody signed, conflicts of licenses, and tight
    /// memory.
    std::vector<std::string> warnings;
    std::optional<manifest::Version> replaces; ///< The version installed now.
    /// What that version could not do. Whoever installs must have agreed to it by itself.
    std::vector<manifest::Fact> new_powers;
    bool up_to_date = false;           ///< Exactly this is installed.
    std::vector<OpenTerms> open_terms; ///< What a person must accept by name before the install.

    /// The ids of open_terms, each once.
    std::vector<std::string> licenses_to_accept() const;

    /// False if the app, or the license of a model over its derivation, forbids commercial use or
    /// nothing is known of it.
    bool allows_commercial_use() const;
};

struct InstalledEntry {
    Lock lock;
    manifest::AppManifest manifest;
    std::filesystem::path folder; ///< With the version.
};

struct Removal {
    manifest::AppId app;
    manifest::Version version;
    std::vector<LockedFile> files;      ///< Leave the store: no other app names them.
    std::uint64_t freed_bytes = 0;      ///< These files and the app's own.
    std::vector<LockedFile> kept_files; ///< Stay: another app or a pin names them, or they are
                                        ///< adopted.
};

struct Problem {
    std::string subject; ///< An app id, a pin, or a file of the store.
    std::string text;
    std::optional<store::Digest> file; ///< What is bad or missing; nullopt: the app's own files.
};

struct VerifyOutcome {
    std::uint64_t apps = 0;
    std::uint64_t files = 0; ///< Of the store.
    std::uint64_t bytes = 0;
    std::uint64_t skipped = 0; ///< Files that the run which was gone on with had verified.
    std::vector<Problem> problems;
    std::vector<store::BadFile> bad; ///< Each is among the problems, too.
    /// What was adopted and is gone or has another size now. Nothing is wrong with that unless
    /// somebody needs it: then it is among the problems, too.
    std::vector<store::Adopted> lost;
};

struct Refetched {
    std::set<store::Digest> files; ///< Of those that were wanted, what is here now.
    std::vector<Problem> problems; ///< Apps and pins of which something could not be fetched.
};

struct DiskUse {
    store::Usage store;
    std::uint64_t unreferenced_files = 0; ///< In the store; no app, no pin names them, not adopted.
    std::uint64_t unreferenced_bytes = 0;
    std::uint64_t app_bytes = 0; ///< Unpacked bundles.
    std::uint64_t apps = 0;
    std::uint64_t catalog_bytes = 0;
    std::uint64_t free_bytes = 0;
};

/// A bundle that is to be made. docs/formats/offline-bundle.md.
struct BundleRequest {
    std::vector<manifest::AppRef> apps; ///< Installed ones; a version may be absent.
    std::filesystem::path folder;
    std::vector<std::filesystem::path> licenses; ///< Texts, at most 1 MiB each.
};

/// A file of weights in a bundle.
struct PlannedBundleFile {
    std::string path; ///< In its repository.
    std::uint64_t size = 0;
    crypto::Sha256Digest sha256;
};

struct BundledFile {
    PlannedBundleFile file;
    std::optional<store::LinkKind> link; ///< nullopt: copied, or there already.
};

struct BundlePlan {
    Hub hub;
    std::vector<manifest::AppRef> apps; ///< With their versions.
    std::vector<catalog::CopiedTarget> targets;
    std::vector<PlannedBundleFile> files;
    std::map<crypto::Sha256Digest, std::string> texts; ///< Of licenses.
    std::uint64_t bytes = 0;                           ///< Of files and archives.
    std::vector<std::string> warnings;
    std::vector<catalog::RoleInfo> roles; ///< Of the catalog that goes in.
};

enum class Network { Allowed, Offline };

struct InstallerOptions {
    Home home;
    http::Client* http = nullptr; ///< Borrowed.
    const Clock* clock = &system_clock();
    Log* log = &null_log();
    Network network = Network::Allowed;
    std::optional<std::string> hub;      ///< Only this one.
    std::string hub_variable;            ///< The environment variable that names it, if one does.
    std::optional<std::string> endpoint; ///< Where weights come from; see docs/cli.md.
    std::stop_token stop;                ///< Ends every call with Cancelled.
    /// An offline bundle: everything comes from there, and the network is not used. `hub` is
    /// ignored, since what any known hub took down counts.
    std::optional<std::filesystem::path> bundle;
};

class Installer {
  public:
    /// Opens the store and the catalogs' copies. InvalidArgument (configuration), Corrupt (a
    /// catalog's copy does not verify), NotFound (options.hub is not known), Io; for a bundle
    /// NotFound (there is none), Corrupt and Unsupported (its bundle.json).
    static Result<Installer> open(InstallerOptions options);

    Installer(Installer&&) noexcept;
    Installer& operator=(Installer&&) noexcept;
    ~Installer();

    const std::vector<Hub>& hubs() const;

    /// As InstallerOptions::network says.
    bool may_use_network() const;

    /// Pins `root_bytes` for a hub, fetches its catalog and adds it to the list. Adding the same
    /// again with the same root only brings the catalog up to date. Conflict if the hub is known
    /// under another root; the errors of catalog::Client.
    Result<Hub> add_hub(const std::string& url, std::string_view root_bytes);

    /// The hub's first root, unverified, for a person or a script to judge. Of the bundle, if there
    /// is one.
    Result<std::string> fetch_root(const std::string& url);

    /// Forgets a hub and its catalog's copy. NotFound. What was installed from it stays.
    Status remove_hub(const std::string& url);

    /// Brings every catalog up to date, whatever becomes of the others; from a bundle only its own.
    /// NotFound if no hub (or not the bundle's) is known; the first error of
    /// catalog::Client::refresh, with the hub's address; Cancelled at once.
    Status refresh();

    /// Newest versions of all apps whose id, name, description, category or tags hold each word of
    /// `text`, from the local copies. NotFound if no hub is known.
    Result<std::vector<CatalogApp>> search(std::string_view text);

    /// An app by reference from the local copies; an installed app's own hub is asked first.
    /// NotFound, with near names.
    Result<CatalogApp> find(const manifest::AppRef& ref);

    /// The manifests of an app's models, as the catalog has them, each held against its signature
    /// if there is one. Errors: NotFound (the catalog lacks the pinned manifest), Corrupt and
    /// Refused (the signature).
    Result<std::vector<PlannedModel>> resolve_models(const CatalogApp& app);

    /// The manifests that an app pins, fallbacks too, as bytes, from the copies of all catalogs;
    /// those that none has are left out. Corrupt.
    Result<std::vector<std::string>> find_manifests(const manifest::AppManifest& app);

    /// What the hubs' takedown lists say of an app, as the catalog has it or as it is here; the
    /// strictest. The files of a bundle count where it is installed: else nobody here knows them
    /// before install unpacks it. Errors: those of Takedowns::refresh.
    Result<std::optional<catalog::TakedownEntry>>
    find_takedown(const CatalogApp& app, const std::vector<PlannedModel>& models);
    Result<std::optional<catalog::TakedownEntry>> find_takedown(const InstalledEntry& app);

    /// The same of an app that is to be published, or of one of its files; by names that
    /// catalog::takedown_names made.
    Result<std::optional<catalog::TakedownEntry>>
    find_takedown(std::span<const catalog::TakedownName> names);

    /// What the policy of this machine (Home::policy_files) says of an app with these models, or of
    /// a model alone; read anew each time. Errors: those of policy::Policy::load.
    Result<policy::Decision> judge(const manifest::AppManifest& app,
                                   const std::vector<PlannedModel>& models) const;
    Result<policy::Decision> judge(const PlannedModel& model) const;

    /// The same of an app as the catalog has it, or as it is here. Models whose manifests are not
    /// at hand are left out: they are judged before anything is fetched.
    Result<policy::Decision> judge(const CatalogApp& app);
    Result<policy::Decision> judge(const InstalledEntry& app) const;

    /// Terms of these models' licenses that have no receipt yet; those of the app's own license
    /// first.
    Result<std::vector<OpenTerms>> open_terms(const std::vector<PlannedModel>& models) const;
    Result<std::vector<OpenTerms>> open_terms(const CatalogApp& app,
                                              const std::vector<PlannedModel>& models) const;

    /// Refused if a known hub called this model back, by any of its names. Errors: those of
    /// Takedowns::refresh.
    Status check_takedown(const manifest::ModelManifest& model,
                          const crypto::Sha256Digest& manifest) const;

    /// Writes the receipt: these terms were shown to a person, who accepted them.
    Status accept(const OpenTerms& terms, AcceptedBy by);

    /// What was accepted of the licenses of these models.
    Result<std::vector<Receipt>> receipts(const std::vector<PlannedModel>& models) const;

    /// The same for an installed app. Corrupt if its model manifests are not those of its lock.
    Result<std::vector<Receipt>> receipts(const InstalledEntry& app) const;

    /// Refreshes the catalogs, resolves everything and compares with this machine. Errors: those of
    /// refresh, find, resolve_models and judge; Corrupt (the catalog has expired); Refused (taken
    /// down, or by policy); Forbidden (a newer version is installed, and `ref` names none; or it is
    /// installed from another hub, which options.hub does not name); NoSpace
    /// (disk or memory, with numbers).
    Result<Plan> plan(const manifest::AppRef& ref);

    /// Carries a plan out. On any error nothing is installed; parts of weights stay for the next
    /// try. Errors: those of hf::Client::pull and unpack_bundle, Corrupt (bundle and entry differ),
    /// Refused (the format gate, policy, taken down meanwhile), Forbidden (terms that nobody
    /// accepted), Busy.
    Result<Lock> install(const Plan& plan, ProgressSink& progress);

    /// The newest manifest of a model in the catalogs' copies, with its default variant or
    /// `variant`. NotFound, Corrupt (the catalog has expired), Refused (taken down).
    struct FoundModel {
        PlannedModel model;
        Hub hub;
    };

    Result<FoundModel> find_model(const manifest::ModelId& id, std::string_view variant);

    /// The same for a manifest that the caller vouches for. Errors as ModelManifest::parse.
    Result<PlannedModel> plan_manifest(std::string bytes, std::string_view variant);

    /// Fetches the files of a model without an app, and pins them (see Storage) as
    /// "publisher/name:variant". Errors: those of hf::Client::pull, Refused (the format gate,
    /// policy, taken down), Forbidden (terms that nobody accepted).
    Status pull(const PlannedModel& model, const Hub& hub, ProgressSink& progress);

    /// The keys that known catalogs trust to sign models, from their local copies.
    std::vector<crypto::PublicKey> model_keys() const;

    /// What a bundle of these installed apps would hold. Errors: NotFound (an app is not installed
    /// in this version, the catalog no longer lists it, weights are not here), Conflict (the folder
    /// holds something else, or a finished bundle), InvalidArgument (apps of several hubs), Corrupt
    /// (root, targets, apps or models have expired), Refused (taken down), TooLarge (a license).
    /// License texts that manifests pin are fetched from the pinned repositories and held against
    /// the pins; one that cannot be had is a warning that says why.
    Result<BundlePlan> plan_bundle(const BundleRequest& request);

    /// Makes it. What fails leaves an unfinished folder, with which the same call goes on. Errors:
    /// those of catalog::Client::copy_to and store::Store::export_file. Progress: task "bundle".
    Result<std::vector<BundledFile>>
    make_bundle(const BundleRequest& request, const BundlePlan& plan, ProgressSink& progress);

    /// What the bundle of the options says of itself; null without one.
    const manifest::OfflineBundle* bundle() const;

    /// The text of a license in the bundle, hashed. nullopt: none is there, or the manifest names
    /// no digest. Corrupt: it was changed.
    Result<std::optional<std::filesystem::path>> find_license_text(const OpenTerms& terms) const;

    /// Installed apps by id; folders that hold no valid lock are left out.
    Result<std::vector<InstalledEntry>> list() const;

    /// NotFound.
    Result<InstalledEntry> get(const manifest::AppId& id) const;

    /// What `remove` would do. NotFound.
    Result<Removal> plan_removal(const manifest::AppId& id) const;
    Result<Removal> remove(const manifest::AppId& id);

    /// Hashes again: one app with its weights, or everything, and looks whether all that apps and
    /// pins name is there. What is wrong is in the outcome.
    /// `options.stop` and `options.clock` are set here.
    Result<VerifyOutcome> verify(const std::optional<manifest::AppId>& id,
                                 store::VerifyOptions options,
                                 ProgressSink& progress);

    /// Fetches files again that `verify` found bad or missing, for the apps and pins that name
    /// them, from where those came from; of a part only what is not here. Nothing new is agreed to:
    /// a model that was taken down since, or that policy refuses now, is left alone. A file that
    /// nothing names, or only a pin of a bare SHA-256, has no source. Errors: Cancelled, those of
    /// Storage::needs; what could not be fetched is in the outcome.
    Result<Refetched> refetch(const std::set<store::Digest>& wanted, ProgressSink& progress);

    /// Of the store that this installer puts files in. Valid as long as the installer.
    Storage storage();

    Result<DiskUse> disk_use() const;

    /// Expiry and age of each catalog copy, for `doctor`.
    struct CatalogState {
        Hub hub;
        std::optional<TimePoint> last_checked;
        Status fresh;
        std::vector<catalog::RoleInfo> roles;
    };

    std::vector<CatalogState> catalog_states() const;

  private:
    struct State;
    explicit Installer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// An installed app with its bundle hashed again, and its model manifests verified against what its
/// own manifest pins. For the broker's registry. NotFound, Corrupt.
/// The files of an app's bundle, of the folder of its version: the list that was signed. Corrupt if
/// it is another one, NotFound, Io.
Result<manifest::BundleFileList> read_bundle_list(const std::filesystem::path& folder,
                                                  const Lock& lock);

struct VerifiedInstall {
    InstalledEntry entry;
    manifest::BundleFileList files;
    std::vector<manifest::VerifiedModelManifest> models; ///< As lock.models.
};

Result<VerifiedInstall> open_installed(const Home& home, const manifest::AppId& id);

} // namespace locara::runtime
