// The part of Installer that plans and installs.
#include "installer_state.hpp"

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/gate/gate.hpp>
#include <locara/policy/doors.hpp>
#include <locara/runtime/app_gate.hpp>

#include <algorithm>
#include <set>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

namespace locara::runtime {

namespace fs = std::filesystem;

namespace {

/// Beyond weights and cache: what an engine needs for itself, measured on small models.
constexpr std::uint64_t kEngineOverheadBytes = 64U << 20U;
/// The context that an engine is started with unless the model has less.
constexpr std::uint64_t kContextTokens = 4096;

std::uint64_t memory_of(const PlannedModel& model) {
    const auto& variant = model.get_variant();
    return variant.weights_bytes + kEngineOverheadBytes +
           std::min(model.manifest->context_length, kContextTokens) * variant.kv_bytes_per_token;
}

Status check_disk(const Plan& plan) {
    if (plan.disk_bytes > plan.device.disk_free_bytes) {
        return Error(ErrorCode::NoSpace,
                     "not enough disk: " + plan.app.entry.manifest.id.render() + " needs " +
                         render_size(plan.disk_bytes) + " more, " +
                         render_size(plan.device.disk_free_bytes) +
                         " are free; make room, or set LOCARA_STORE to a larger disk");
    }
    return {};
}

Status check_memory(Plan& plan) {
    if (plan.memory_bytes > plan.device.memory_total_bytes) {
        return Error(ErrorCode::NoSpace,
                     "not enough memory: " + plan.app.entry.manifest.id.render() + " needs " +
                         render_memory(plan.memory_bytes) + ", this machine has " +
                         render_memory(plan.device.memory_total_bytes));
    }
    if (plan.memory_bytes > plan.device.memory_available_bytes) {
        plan.warnings.push_back("memory is tight: " + render_memory(plan.memory_bytes) +
                                " needed, " + render_memory(plan.device.memory_available_bytes) +
                                " free now; close something before you start it");
    }
    return {};
}

/// Puts `from` in the place of `to`, in one step also if `to` is there; what was there is then at
/// `from`. A kill leaves the one or the other, whole.
Status swap_into_place(const fs::path& from, const fs::path& to) {
    LOCARA_CHECK(create_folders(to.parent_path()));
    if (!fs::exists(to)) {
        LOCARA_CHECK(rename_file(from, to, Replace::No));
    } else if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) != 0) {
        return Error::from_errno("replacing " + to.string(), errno);
    }
    return sync_folder(to.parent_path());
}

/// fsync of every folder below and including `folder`; the files in it are synced already.
Status sync_folders(const fs::path& folder) {
    std::error_code failed;
    for (fs::recursive_directory_iterator it(folder, failed), end; !failed && it != end;
         it.increment(failed)) {
        if (it->is_directory()) {
            LOCARA_CHECK(sync_folder(it->path()));
        }
    }
    return sync_folder(folder);
}

std::vector<manifest::AppModelLicense> licenses_of(const std::vector<PlannedModel>& models) {
    std::vector<manifest::AppModelLicense> licenses;
    for (const auto& model : models) {
        licenses.push_back({model.role, model.manifest->id, model.get_license()});
    }
    return licenses;
}

void add_signature_warnings(Plan& plan) {
    for (const auto& model : plan.models) {
        if (model.signed_by.empty()) {
            plan.warnings.push_back(model.manifest->id.render() +
                                    ": nobody signed its files; only the catalog of " +
                                    plan.app.hub.url + " vouches for them");
        }
    }
}

/// What a card should have said and did not.
void add_license_warnings(Plan& plan) {
    for (const auto& model : plan.models) {
        for (const auto& conflict : model.get_license().conflicts) {
            plan.warnings.push_back(model.manifest->id.render() + ": " + conflict);
        }
    }
    for (const auto& conflict : effective_license(plan.app.entry.manifest, plan.models).conflicts) {
        plan.warnings.push_back(conflict);
    }
    const auto licenses = licenses_of(plan.models);
    for (const auto& fault : manifest::check_app_license(plan.app.entry.manifest, licenses)) {
        plan.warnings.push_back("the app's manifest hides a limit: " + fault);
    }
}

/// Adds the receipts of a model's licenses, each once.
Status add_receipts(const Home& home,
                    const manifest::ModelManifest& model,
                    std::vector<Receipt>& receipts) {
    for (const auto& terms : manifest::effective_license(model).to_accept) {
        LOCARA_TRY(auto receipt, find_receipt(home, terms));
        if (receipt && std::none_of(receipts.begin(), receipts.end(), [&](const auto& one) {
                return one.digest == receipt->digest;
            })) {
            receipts.push_back(std::move(*receipt));
        }
    }
    return {};
}

Status check_accepted(const std::vector<OpenTerms>& open) {
    if (open.empty()) {
        return {};
    }
    return Error(ErrorCode::Forbidden,
                 "the terms of " + open.front().terms.id + " (" + open.front().model +
                     ") were not accepted; read them, then pass --accept-license " +
                     open.front().terms.id);
}

std::vector<LockedFile> locked_files(const PlannedModel& model) {
    std::vector<LockedFile> files;
    for (const auto& file : model.files) {
        files.push_back({file.file.path,
                         std::string(manifest::render(file.file.format)),
                         file.file.size,
                         file.file.sha256});
    }
    return files;
}

Lock make_lock(const Plan& plan, std::uint64_t unpacked_bytes, TimePoint now) {
    const auto& entry = plan.app.entry;
    Lock lock;
    lock.app = entry.manifest.id;
    lock.version = entry.manifest.version;
    lock.hub = plan.app.hub.url;
    lock.installed = render_time(now);
    lock.entry_target = plan.app.target;
    lock.entry_sha256 = plan.app.entry_sha256;
    lock.bundle_sha256 = entry.bundle_sha256;
    lock.files_sha256 = entry.files_sha256;
    lock.unpacked_bytes = unpacked_bytes;
    for (const auto& model : plan.models) {
        LockedModel locked;
        locked.role = model.role;
        locked.id = model.manifest->id;
        locked.version = model.manifest->version;
        locked.manifest = model.manifest.digest();
        locked.variant = model.variant;
        locked.repo = model.manifest->source.repo;
        locked.revision = model.manifest->source.revision;
        locked.files = locked_files(model);
        lock.models.push_back(std::move(locked));
    }
    return lock;
}

bool is_same(const Lock& lock, const Plan& plan) {
    const auto& entry = plan.app.entry;
    if (lock.version != entry.manifest.version || lock.files_sha256 != entry.files_sha256 ||
        lock.models.size() != plan.models.size()) {
        return false;
    }
    for (std::size_t i = 0; i < lock.models.size(); ++i) {
        if (lock.models[i].manifest != plan.models[i].manifest.digest() ||
            lock.models[i].variant != plan.models[i].variant) {
            return false;
        }
    }
    return true;
}

} // namespace

Status check_format(const Fd& fd, const std::string& path, manifest::FileFormat declared) {
    const auto verdict = gate::judge(fd, fs::path(path).filename().string());
    LOCARA_CHECK(policy::check(policy::Door::Install, path, verdict));
    using manifest::FileFormat;
    const bool weights = declared == FileFormat::Gguf || declared == FileFormat::Safetensors;
    if (weights && verdict.format != manifest::render(declared)) {
        return Error(ErrorCode::Refused,
                     path + " is refused: its manifest says " +
                         std::string(manifest::render(declared)) + ", its content is " +
                         verdict.format);
    }
    return {};
}

manifest::EffectiveLicense effective_license(const manifest::AppManifest& app,
                                             const std::vector<PlannedModel>& models) {
    return manifest::effective_license(app, licenses_of(models));
}

std::vector<std::string> Plan::licenses_to_accept() const {
    std::set<std::string> ids;
    for (const auto& one : open_terms) {
        ids.insert(one.terms.id);
    }
    return {ids.begin(), ids.end()};
}

bool Plan::allows_commercial_use() const {
    return app.entry.manifest.commercial &&
           std::none_of(models.begin(), models.end(), [](const auto& model) {
               return model.get_license().restricts(manifest::FactKind::CommercialUse);
           });
}

Result<FileLock> Installer::State::take_turn() const {
    const auto& home = options.home;
    LOCARA_TRY(auto lock, FileLock::acquire(home.data / "install.lock", [this] {
                   return options.stop.stop_requested();
               }));
    std::error_code failed;
    fs::remove_all(home.temporary(), failed);
    if (failed) {
        return Error(ErrorCode::Io,
                     "removing " + home.temporary().string() + ": " + failed.message());
    }
    LOCARA_CHECK(create_folders(home.temporary(), 0700));
    return lock;
}

std::vector<std::string> Installer::State::endpoints(const Hub& hub) const {
    if (options.endpoint) {
        return {*options.endpoint};
    }
    const char* environment = std::getenv("HF_ENDPOINT");
    if (environment != nullptr && *environment != '\0') {
        return {environment};
    }
    return {hub.url, std::string(hf::kDefaultEndpoint)};
}

Result<policy::Decision> Installer::judge(const manifest::AppManifest& app,
                                          const std::vector<PlannedModel>& models) const {
    LOCARA_TRY(const auto rules, policy::Policy::load(state_->options.home.policy_files()));
    policy::Subject subject;
    subject.set_app(app);
    for (const auto& model : models) {
        subject.add(*model.manifest, model.get_variant());
    }
    return rules.judge(subject);
}

Result<policy::Decision> Installer::judge(const CatalogApp& app) {
    LOCARA_TRY(const auto rules, policy::Policy::load(state_->options.home.policy_files()));
    if (rules.rules().empty()) {
        return policy::Decision();
    }
    const auto models = resolve_models(app);
    return judge(app.entry.manifest, models ? *models : std::vector<PlannedModel>());
}

Result<policy::Decision> Installer::judge(const InstalledEntry& app) const {
    LOCARA_TRY(const auto rules, policy::Policy::load(state_->options.home.policy_files()));
    policy::Subject subject;
    subject.set_app(app.manifest);
    for (const auto& locked : app.lock.models) {
        const auto model = read_locked_model(app, locked);
        const auto* variant = model ? (*model)->find_variant(locked.variant) : nullptr;
        if (variant != nullptr) {
            subject.add(**model, *variant);
        }
    }
    return rules.judge(subject);
}

Result<policy::Decision> Installer::judge(const PlannedModel& model) const {
    LOCARA_TRY(const auto rules, policy::Policy::load(state_->options.home.policy_files()));
    policy::Subject subject;
    subject.add(*model.manifest, model.get_variant());
    return rules.judge(subject);
}

namespace {

/// Adds what has no receipt yet, each once.
Status add_open_terms(const Home& home,
                      std::vector<manifest::LicenseTermsToAccept> all,
                      const std::string& whose,
                      const crypto::Sha256Digest& manifest,
                      std::vector<OpenTerms>& open) {
    for (auto& terms : all) {
        LOCARA_TRY(const auto receipt, find_receipt(home, terms));
        const bool asked = std::any_of(open.begin(), open.end(), [&](const OpenTerms& one) {
            return one.terms.digest() == terms.digest();
        });
        if (!receipt && !asked) {
            open.push_back({std::move(terms), whose, manifest});
        }
    }
    return {};
}

} // namespace

Result<std::vector<OpenTerms>>
Installer::open_terms(const std::vector<PlannedModel>& models) const {
    std::vector<OpenTerms> open;
    for (const auto& model : models) {
        LOCARA_CHECK(
            add_open_terms(state_->options.home,
                           model.get_license().to_accept,
                           model.manifest->id.render() + "@" + model.manifest->version.render(),
                           model.manifest.digest(),
                           open));
    }
    return open;
}

Result<std::vector<OpenTerms>>
Installer::open_terms(const CatalogApp& app, const std::vector<PlannedModel>& models) const {
    const manifest::AppManifest& manifest = app.entry.manifest;
    std::vector<OpenTerms> open;
    LOCARA_CHECK(add_open_terms(state_->options.home,
                                manifest::effective_license(manifest, {}).to_accept,
                                manifest.id.render() + "@" + manifest.version.render(),
                                crypto::sha256(as_bytes(app.entry.manifest_json)),
                                open));
    LOCARA_TRY(auto others, open_terms(models));
    std::move(others.begin(), others.end(), std::back_inserter(open));
    return open;
}

Status Installer::accept(const OpenTerms& open, AcceptedBy by) {
    const auto& options = state_->options;
    return add_receipt(options.home,
                       {open.terms.id,
                        open.terms.url,
                        open.terms.text_sha256,
                        open.terms.terms,
                        open.terms.digest(),
                        open.model,
                        open.manifest,
                        render_time(options.clock->now()),
                        by});
}

Result<std::vector<Receipt>> Installer::receipts(const std::vector<PlannedModel>& models) const {
    std::vector<Receipt> out;
    for (const auto& model : models) {
        LOCARA_CHECK(add_receipts(state_->options.home, *model.manifest, out));
    }
    return out;
}

Result<std::vector<Receipt>> Installer::receipts(const InstalledEntry& app) const {
    std::vector<Receipt> out;
    for (const auto& locked : app.lock.models) {
        LOCARA_TRY(const auto model, read_locked_model(app, locked));
        LOCARA_CHECK(add_receipts(state_->options.home, *model, out));
    }
    return out;
}

namespace {

/// A catalog may take its newest version back; who has that one goes back by naming the older.
Status check_no_rollback(const manifest::AppRef& ref,
                         const manifest::AppManifest& offered,
                         const manifest::Version& installed) {
    if (!ref.version.empty() || !(offered.version < installed)) {
        return {};
    }
    const std::string id = offered.id.render();
    return Error(ErrorCode::Forbidden,
                 id + " " + installed.render() + " is installed, and the catalog has " +
                     offered.version.render() + " at most: the newer version was taken back. " +
                     "`locara install " + id + "@" + offered.version.render() +
                     "` puts the older one in its place");
}

/// The same name at two hubs may be two people's: an app goes from one to another only when a
/// person says so.
Status
check_same_hub(const InstallerOptions& options, const CatalogApp& offered, const Lock& lock) {
    const std::string& hub = offered.hub.url;
    if (lock.hub == hub) {
        return {};
    }
    if (options.hub) {
        LOCARA_TRY(const auto named, normalize_hub_url(*options.hub));
        if (named == hub) {
            return {};
        }
    }
    const std::string id = lock.app.render();
    return Error(ErrorCode::Forbidden,
                 id + " is installed from " + lock.hub + ", and what " + hub +
                     " has under that name may be somebody else's; `locara install " + id +
                     " --hub " + hub + "` puts it in its place, with what the app has saved");
}

} // namespace

Result<Plan> Installer::plan(const manifest::AppRef& ref) {
    auto& state = *state_;
    if (state.options.network == Network::Allowed || state.bundle) {
        LOCARA_CHECK(refresh());
    }
    LOCARA_TRY(auto app, find(ref));
    LOCARA_CHECK(state.check_fresh(app.hub));
    LOCARA_TRY(auto models, resolve_models(app));

    Plan plan{std::move(app), std::move(models), 0, 0, 0, 0, {}, {}, {}, {}, false, {}};
    const auto& entry = plan.app.entry;
    LOCARA_CHECK(
        state.check_takedown(entry, state.files_of(entry).files, plan.models, plan.warnings));
    LOCARA_TRY(const auto decision, judge(entry.manifest, plan.models));
    LOCARA_CHECK(decision.status());
    add_signature_warnings(plan);
    add_license_warnings(plan);
    LOCARA_TRY(plan.open_terms, open_terms(plan.app, plan.models));
    LOCARA_TRY(plan.device, probe_device(state.options.home.store));
    std::uint64_t engines = 0;
    std::set<crypto::Sha256Digest> counted;
    for (const auto& model : plan.models) {
        engines += memory_of(model);
        for (const auto& file : model.files) {
            if (!counted.insert(file.file.sha256).second) {
                continue;
            }
            if (file.here) {
                plan.here_bytes += file.file.size;
            } else {
                plan.fetch_bytes += file.file.size - std::min(file.received_bytes, file.file.size);
                plan.here_bytes += std::min(file.received_bytes, file.file.size);
                plan.disk_bytes += file.file.size - std::min(file.held_bytes, file.file.size);
            }
        }
    }
    plan.memory_bytes = std::max(entry.manifest.memory_bytes, engines);
    if (const auto installed = get(entry.manifest.id)) {
        LOCARA_CHECK(check_same_hub(state.options, plan.app, installed->lock));
        LOCARA_CHECK(check_no_rollback(ref, entry.manifest, installed->lock.version));
        plan.replaces = installed->lock.version;
        plan.new_powers = changed_facts(installed->manifest, entry.manifest).new_powers();
        const bool whole =
            std::all_of(plan.models.begin(), plan.models.end(), [](const auto& model) {
                return std::all_of(model.files.begin(), model.files.end(), [](const auto& file) {
                    return file.here;
                });
            });
        // Hashed again too: installing is how one mends an app whose files were changed.
        plan.up_to_date = is_same(installed->lock, plan) && whole &&
                          open_installed(state.options.home, entry.manifest.id).has_value();
    }
    if (plan.up_to_date) {
        return plan;
    }
    plan.fetch_bytes += entry.bundle_size;
    // The archive lies beside what comes out of it until the end; text shrinks to about a third.
    plan.disk_bytes += 4 * entry.bundle_size;
    LOCARA_CHECK(check_disk(plan));
    LOCARA_CHECK(check_memory(plan));
    return plan;
}

Status Installer::State::pull_file(const PlannedModel& model,
                                   const PlannedFile& file,
                                   const std::vector<std::string>& endpoints_to_ask,
                                   ProgressSink& progress) {
    hf::FileRef ref{model.manifest->source.repo,
                    model.manifest->source.revision,
                    file.file.path,
                    file.file.size,
                    file.file.sha256};
    if (!file.file.xet_hash.empty()) {
        LOCARA_TRY(ref.xet_hash, xet::FileHash::parse(file.file.xet_hash));
    }
    hf::PullOptions pull;
    pull.gate = [&](const Fd& fd, const std::string& path) {
        return check_format(fd, path, file.file.format);
    };
    std::optional<Error> first;
    for (const auto& endpoint : endpoints_to_ask) {
        auto hf_options = hf::Options::from_environment(endpoint);
        if (options.network == Network::Offline) {
            hf_options.offline = hf::Options::OfflineMode::Yes;
        }
        if (endpoint == options.endpoint ||
            (catalogs.size() == 1 && endpoint == catalogs.front().hub.url)) {
            hf_options.take_hub_token();
        }
        hf_options.log = options.log;
        LOCARA_TRY(auto client, hf::Client::create(*options.http, std::move(hf_options)));
        auto done = client.pull(ref, store, progress, options.stop, pull);
        if (done) {
            return {};
        }
        // Only "there is no such file" sends us on to the next place.
        if (done.error().code() != ErrorCode::NotFound) {
            return first ? *first : std::move(done).error();
        }
        if (!first) {
            first = std::move(done).error();
        }
    }
    return *first;
}

Status
Installer::State::pull_model(const PlannedModel& model, const Hub& hub, ProgressSink& progress) {
    const auto places = endpoints(hub);
    for (const auto& file : model.files) {
        if (options.stop.stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped");
        }
        if (bundle) {
            LOCARA_CHECK(import_file(file, progress));
            continue;
        }
        LOCARA_CHECK(pull_file(model, file, places, progress));
    }
    return {};
}

Status Installer::pull(const PlannedModel& model, const Hub& hub, ProgressSink& progress) {
    auto& state = *state_;
    LOCARA_CHECK(state.check_takedown(model));
    LOCARA_TRY(const auto decision, judge(model));
    LOCARA_CHECK(decision.status());
    LOCARA_TRY(const auto open, open_terms({model}));
    LOCARA_CHECK(check_accepted(open));
    LOCARA_TRY(const auto use, state.store.use(state.options.stop));
    LOCARA_CHECK(state.pull_model(model, hub, progress));
    LOCARA_CHECK(state.check_takedown(model)); // fetching may have taken hours
    return storage().add_pin({model.manifest->id.render() + ":" + model.variant,
                              render_time(state.options.clock->now()),
                              locked_files(model),
                              hub.url,
                              std::string(model.manifest.bytes())});
}

Status Installer::State::refetch_model(const Installer& installer,
                                       const PlannedModel& model,
                                       const std::string& hub,
                                       const std::set<crypto::Sha256Digest>& wanted,
                                       ProgressSink& progress) {
    LOCARA_CHECK(check_takedown(model));
    LOCARA_TRY(const auto decision, installer.judge(model));
    LOCARA_CHECK(decision.status());
    const auto places = endpoints({hub, {}, ""});
    for (const auto& file : model.files) {
        if (wanted.contains(file.file.sha256) && !store.has(file.file.sha256)) {
            LOCARA_CHECK(pull_file(model, file, places, progress));
        }
    }
    return {};
}

Status Installer::State::refetch_app(const Installer& installer,
                                     const manifest::AppId& id,
                                     const std::set<crypto::Sha256Digest>& wanted,
                                     ProgressSink& progress) {
    LOCARA_TRY(auto opened, open_installed(options.home, id));
    const Lock& lock = opened.entry.lock;
    for (std::size_t i = 0; i < lock.models.size(); ++i) {
        LOCARA_TRY(
            const auto model,
            plan_model(lock.models[i].role, std::move(opened.models[i]), lock.models[i].variant));
        LOCARA_CHECK(refetch_model(installer, model, lock.hub, wanted, progress));
    }
    return {};
}

Status Installer::State::refetch_pin(Installer& installer,
                                     const Pin& pin,
                                     const std::set<crypto::Sha256Digest>& wanted,
                                     ProgressSink& progress) {
    const auto colon = pin.name.rfind(':');
    const std::string variant = pin.name.substr(colon + 1);
    if (!pin.manifest.empty()) {
        LOCARA_TRY(const auto model, installer.plan_manifest(pin.manifest, variant));
        return refetch_model(installer, model, pin.hub, wanted, progress);
    }
    // Made by a version that did not keep the manifest: the catalog may have it still.
    LOCARA_TRY(const auto id, manifest::ModelId::parse(pin.name.substr(0, colon)));
    LOCARA_TRY(const auto found, installer.find_model(id, variant));
    return refetch_model(installer, found.model, found.hub.url, wanted, progress);
}

Result<Refetched> Installer::refetch(const std::set<store::Digest>& wanted,
                                     ProgressSink& progress) {
    auto& state = *state_;
    LOCARA_TRY(const auto use, state.store.use(state.options.stop));
    LOCARA_TRY(const auto locks, read_all_locks(state.options.home));
    LOCARA_TRY(const auto pins, storage().pins());
    Refetched done;
    std::set<crypto::Sha256Digest> missing;
    for (const auto& digest : wanted) {
        if (!state.store.has(digest)) { // else a bad file could not even be moved away
            missing.insert(digest);
        }
    }
    const auto lacks = [&](const std::vector<LockedFile>& files) {
        return std::any_of(files.begin(), files.end(), [&](const LockedFile& file) {
            return missing.contains(file.sha256) && !state.store.has(file.sha256);
        });
    };
    const auto note = [&](const std::string& subject, const Status& fetched) -> Status {
        if (!fetched && fetched.error().code() == ErrorCode::Cancelled) {
            return fetched.error();
        }
        if (!fetched) {
            done.problems.push_back({subject, fetched.error().describe(), std::nullopt});
        }
        return Status{};
    };
    for (const Lock& lock : locks) {
        if (std::any_of(lock.models.begin(), lock.models.end(), [&](const LockedModel& model) {
                return lacks(model.files);
            })) {
            LOCARA_CHECK(
                note(lock.app.render(), state.refetch_app(*this, lock.app, missing, progress)));
        }
    }
    for (const Pin& pin : pins) {
        if (!pin.is_file() && lacks(pin.files)) {
            LOCARA_CHECK(note(pin.name, state.refetch_pin(*this, pin, missing, progress)));
        }
    }
    for (const auto& digest : missing) {
        if (state.store.has(digest)) {
            done.files.insert(digest);
        }
    }
    return done;
}

Result<Lock> Installer::install(const Plan& plan, ProgressSink& progress) {
    auto& state = *state_;
    const auto& entry = plan.app.entry;
    LOCARA_TRY(const auto decision, judge(entry.manifest, plan.models));
    LOCARA_CHECK(decision.status());
    LOCARA_TRY(const auto open, open_terms(plan.app, plan.models));
    LOCARA_CHECK(check_accepted(open));
    LOCARA_TRY(const auto turn, state.take_turn());
    // Until the lockfile names them, nobody may take the weights for garbage.
    LOCARA_TRY(const auto use, state.store.use(state.options.stop));
    LOCARA_TRY(auto temporary, TempFolder::create(state.options.home.temporary(), "install-"));

    LOCARA_TRY(auto* client, state.client_of(plan.app.hub));
    const auto archive = temporary.path() / "app.locapp";
    LOCARA_CHECK(client->get_target_file(entry.bundle_target, archive));
    LOCARA_TRY(const auto archive_fd, open_file(archive, O_RDONLY));
    LOCARA_TRY(const auto archive_sha256, crypto::sha256_file(archive_fd));
    if (archive_sha256 != entry.bundle_sha256) {
        return Error(ErrorCode::Corrupt,
                     entry.bundle_target + " has SHA-256 " + archive_sha256.render() +
                         ", but the app's entry says " + entry.bundle_sha256.render());
    }
    const auto folder = temporary.path() / "app";
    LOCARA_CHECK(create_folders(folder / "bundle"));
    LOCARA_CHECK(create_folders(folder / "models"));
    LOCARA_TRY(const auto unpacked,
               manifest::unpack_bundle(archive, entry.files_sha256, folder / "bundle"));
    LOCARA_TRY(const auto inside, parse_json(unpacked.manifest_json));
    LOCARA_TRY(const auto outside, parse_json(entry.manifest_json));
    if (inside != outside) {
        return Error(ErrorCode::Corrupt,
                     "locara.json in " + entry.bundle_target +
                         " is not the manifest that the catalog shows; ask the hub's curators");
    }

    LOCARA_CHECK(AppGate().check(folder, unpacked.list).context(entry.bundle_target));
    // The plan could not know its files. Before the weights, which take long.
    std::vector<std::string> warnings;
    LOCARA_CHECK(state.check_takedown(entry, unpacked.list.files, plan.models, warnings));

    // It stays beside what came out of it: an offline bundle carries it as it was signed.
    LOCARA_CHECK(rename_file(archive, folder / kArchiveName, Replace::No));

    for (const auto& model : plan.models) {
        LOCARA_CHECK(state.pull_model(model, plan.app.hub, progress));
        LOCARA_CHECK(write_file_atomically(folder / "models" / (model.role + ".json"),
                                           as_bytes(model.manifest.bytes())));
    }
    if (state.options.stop.stop_requested()) {
        return Error(ErrorCode::Cancelled, "stopped");
    }
    std::uint64_t unpacked_bytes = 0;
    for (const auto& file : unpacked.list.files) {
        unpacked_bytes += file.size;
    }
    auto lock = make_lock(plan, unpacked_bytes, state.options.clock->now());
    LOCARA_CHECK(write_file_atomically(folder / "bundle.list", as_bytes(unpacked.list.render())));
    LOCARA_CHECK(write_file_atomically(folder / "lock.json", as_bytes(lock.render())));
    LOCARA_CHECK(sync_folders(folder));
    // Since the plan was made there were questions to answer and files to fetch.
    LOCARA_CHECK(state.check_takedown(entry, unpacked.list.files, plan.models, warnings));
    const auto place = app_folder(state.options.home, lock.app);
    LOCARA_CHECK(swap_into_place(folder, place / lock.version.render()));
    // Older versions go last: killed before this, both are there, and the newest counts.
    std::error_code failed;
    for (fs::directory_iterator it(place, failed), end; !failed && it != end;
         it.increment(failed)) {
        if (it->path().filename() != lock.version.render()) {
            fs::remove_all(it->path(), failed);
        }
    }
    state.options.log->info(
        "runtime", "installed", {{"app", lock.app.render()}, {"version", lock.version.render()}});
    return lock;
}

} // namespace locara::runtime
