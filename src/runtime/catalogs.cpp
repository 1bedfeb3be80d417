// The part of Installer that deals with hubs and their catalogs.
#include "installer_state.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/file.hpp>
#include <locara/manifest/model_signature.hpp>
#include <locara/policy/doors.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

namespace locara::runtime {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> split_words(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    for (const char c : ascii_lower(text)) {
        if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            if (!word.empty()) {
                words.push_back(std::move(word));
                word.clear();
            }
        } else {
            word += c;
        }
    }
    if (!word.empty()) {
        words.push_back(std::move(word));
    }
    return words;
}

bool matches(const manifest::AppManifest& app, const std::vector<std::string>& words) {
    std::string text =
        app.id.render() + " " + app.name + " " + app.description + " " + app.category;
    for (const auto& tag : app.tags) {
        text += " " + tag;
    }
    text = ascii_lower(text);
    return std::all_of(words.begin(), words.end(), [&](const auto& word) {
        return text.find(word) != std::string::npos;
    });
}

std::vector<catalog::TakedownName> names_of(const PlannedModel& model) {
    std::vector<crypto::Sha256Digest> files;
    for (const auto& file : model.files) {
        files.push_back(file.file.sha256);
    }
    return catalog::takedown_names(*model.manifest, model.manifest.digest(), files);
}

/// The digest that TUF lists for a target; every target of ours has a SHA-256.
Result<crypto::Sha256Digest> target_digest(const catalog::Target& target) {
    const auto at = target.hashes.find("sha256");
    if (at == target.hashes.end()) {
        return Error(ErrorCode::Corrupt, target.name + ": the catalog lists no SHA-256 for it");
    }
    return crypto::Sha256Digest::parse(at->second);
}

Result<CatalogApp>
read_app(const Hub& hub, catalog::Client& client, const catalog::Target& target) {
    LOCARA_TRY(const auto text, client.get_target(target.name));
    LOCARA_TRY(auto entry, manifest::AppEntry::parse(text).context(target.name));
    if (manifest::entry_target(entry.manifest.id, entry.manifest.version) != target.name) {
        return Error(ErrorCode::Corrupt,
                     target.name + " is signed, but holds the entry of " +
                         entry.manifest.id.render() + " " + entry.manifest.version.render());
    }
    LOCARA_TRY(const auto digest, target_digest(target));
    return CatalogApp{hub, target.name, digest, std::move(entry)};
}

/// `apps/<publisher>/<name>-<version>.json` cut into id and version; nothing if it is none.
std::optional<std::pair<manifest::AppId, manifest::Version>> parse_target(const std::string& name) {
    constexpr std::string_view kPrefix = "apps/";
    constexpr std::string_view kSuffix = ".json";
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) {
        return std::nullopt;
    }
    const auto middle = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
    // The version starts behind the first hyphen that is followed by digits and a dot: names may
    // hold digits and hyphens, but no dot.
    const auto dot = middle.find('.');
    if (dot == std::string::npos) {
        return std::nullopt;
    }
    const auto hyphen = middle.rfind('-', dot);
    if (hyphen == std::string::npos) {
        return std::nullopt;
    }
    auto id = manifest::AppId::parse(middle.substr(0, hyphen));
    auto version = manifest::Version::parse(middle.substr(hyphen + 1));
    if (!id || !version) {
        return std::nullopt;
    }
    return std::pair(std::move(*id), std::move(*version));
}

/// The newest target of each app; a release before a pre-release.
std::map<manifest::AppId, std::pair<manifest::Version, catalog::Target>>
newest_apps(const catalog::Client& client) {
    std::map<manifest::AppId, std::pair<manifest::Version, catalog::Target>> newest;
    for (auto& target : client.targets("apps/*/*.json")) {
        auto parsed = parse_target(target.name);
        if (!parsed) {
            continue; // not ours to judge; nobody can install it
        }
        auto& [id, version] = *parsed;
        const auto at = newest.find(id);
        const auto rank = [](const manifest::Version& v) { return v.prerelease.empty(); };
        if (at == newest.end() || std::pair(rank(at->second.first), at->second.first) <
                                      std::pair(rank(version), version)) {
            newest.insert_or_assign(id, std::pair(version, std::move(target)));
        }
    }
    return newest;
}

} // namespace

Result<catalog::Target> find_model_target(const catalog::Client& client,
                                          const crypto::Sha256Digest& digest) {
    for (auto& target : client.targets("models/*/*/*.json")) {
        const auto at = target.hashes.find("sha256");
        if (at != target.hashes.end() && at->second == digest.render()) {
            return std::move(target);
        }
    }
    return Error(ErrorCode::NotFound, "the catalog has no model sha256:" + digest.render());
}

Result<HubCatalog> Installer::State::open_catalog(const Hub& hub) {
    HubCatalog out;
    out.hub = hub;
    if (bundle && bundle->note().hub == hub.url) {
        out.fetcher = bundle->fetcher();
        out.expiry = catalog::Expiry::OfflineBundle;
    } else {
        out.fetcher = std::make_unique<HubFetcher>(
            options.network == Network::Offline ? nullptr : options.http, hub.url, options.stop);
    }
    LOCARA_TRY(auto client,
               catalog::Client::open(hub.catalog_folder(options.home), *out.fetcher, *options.clock)
                   .context("catalog of " + hub.url));
    out.client = std::make_unique<catalog::Client>(std::move(client));
    return out;
}

Result<catalog::Client*> Installer::State::client_of(const Hub& hub) {
    for (auto& one : catalogs) {
        if (one.hub.url == hub.url) {
            return one.client.get();
        }
    }
    return Error(ErrorCode::NotFound, "the hub " + hub.url + " is not known");
}

Status Installer::State::check_fresh(const Hub& hub) const {
    for (const auto& one : catalogs) {
        if (one.hub.url == hub.url) {
            return one.client->check_fresh(one.expiry).context("catalog of " + hub.url);
        }
    }
    return Error(ErrorCode::NotFound, "the hub " + hub.url + " is not known");
}

Status Installer::State::check_any_hub() const {
    if (bundle && (catalogs.empty() || catalogs.front().hub.url != bundle->note().hub)) {
        const std::string from = bundle->folder().string();
        return Error(ErrorCode::NotFound,
                     from + " is of the hub " + bundle->note().hub +
                         ", which is not known here; add it first with `locara hub add --from " +
                         from + "`");
    }
    if (catalogs.empty()) {
        return Error(ErrorCode::NotFound, "no hub is known yet; add one with `locara hub add URL`");
    }
    return {};
}

Result<Installer> Installer::open(InstallerOptions options) {
    LOCARA_CHECK(options.home.create_folders());
    LOCARA_TRY(auto store, store::Store::open(options.home.store));
    std::optional<BundleSource> bundle;
    if (options.bundle) {
        LOCARA_TRY(bundle, BundleSource::open(*options.bundle));
        options.network = Network::Offline;
    }
    Takedowns takedowns(options.home, *options.clock);
    auto state = std::make_unique<State>(State{
        std::move(options), std::move(store), {}, {}, std::move(bundle), std::move(takedowns)});
    LOCARA_TRY(state->hubs, load_hubs(state->options.home));
    std::optional<std::string> only;
    if (state->options.hub && !state->bundle) {
        LOCARA_TRY(only, normalize_hub_url(*state->options.hub));
    }
    for (const auto& hub : state->hubs) {
        if (only && hub.url != *only) {
            continue;
        }
        LOCARA_TRY(auto opened, state->open_catalog(hub));
        state->catalogs.push_back(std::move(opened));
    }
    if (state->bundle) {
        std::stable_partition(state->catalogs.begin(), state->catalogs.end(), [&](const auto& one) {
            return one.hub.url == state->bundle->note().hub;
        });
    }
    if (only && state->catalogs.empty()) {
        const std::string& variable = state->options.hub_variable;
        return Error(ErrorCode::NotFound,
                     "the hub " + *only +
                         (variable.empty() ? "" : ", which " + variable + " names,") +
                         " is not known; add it with `locara hub add " + *only + "`" +
                         (variable.empty() ? "" : ", or unset " + variable));
    }
    return Installer(std::move(state));
}

Installer::Installer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Installer::Installer(Installer&&) noexcept = default;
Installer& Installer::operator=(Installer&&) noexcept = default;
Installer::~Installer() = default;

const std::vector<Hub>& Installer::hubs() const {
    return state_->hubs;
}

bool Installer::may_use_network() const {
    return state_->options.network == Network::Allowed;
}

Result<std::string> Installer::fetch_root(const std::string& url) {
    // A folder that is never made: nothing is kept of a root that nobody trusts yet.
    std::unique_ptr<catalog::Fetcher> fetcher;
    if (state_->bundle) {
        fetcher = state_->bundle->fetcher();
    } else {
        fetcher = std::make_unique<HubFetcher>(
            may_use_network() ? state_->options.http : nullptr, url, state_->options.stop);
    }
    LOCARA_TRY(auto client,
               catalog::Client::open(state_->options.home.temporary() / "untrusted",
                                     *fetcher,
                                     *state_->options.clock));
    return client.fetch_first_root(state_->bundle ? state_->bundle->note().root : 1);
}

Result<Hub> Installer::add_hub(const std::string& url, std::string_view root_bytes) {
    LOCARA_TRY(const auto info, catalog::inspect_root(root_bytes));
    const auto known = std::find_if(
        state_->hubs.begin(), state_->hubs.end(), [&](const Hub& hub) { return hub.url == url; });
    if (known != state_->hubs.end() && known->root != info.fingerprint) {
        return Error(ErrorCode::Conflict,
                     url + " is known under the root " + known->root.render() +
                         ", but this root is " + info.fingerprint.render() +
                         "; if the hub was set up anew, run `locara hub rm " + url + "` first");
    }
    Hub hub{url, info.fingerprint, render_time(state_->options.clock->now())};
    const bool is_new = known == state_->hubs.end();
    if (!is_new) {
        hub = *known;
    }
    // A root that led to no catalog is not kept: another may be the right one.
    const auto forget = [&, folder = hub.catalog_folder(state_->options.home)] {
        std::error_code ignored;
        if (is_new) {
            fs::remove_all(folder, ignored);
        }
    };
    forget(); // what a kill left
    LOCARA_TRY(auto opened, state_->open_catalog(hub));
    const auto fetch = [&]() -> Status {
        LOCARA_CHECK(opened.client->trust(root_bytes));
        LOCARA_CHECK(opened.client->refresh(opened.expiry));
        return {};
    };
    if (Status fetched = fetch(); !fetched) {
        forget();
        return std::move(fetched).context("catalog of " + url).error();
    }
    if (is_new) {
        auto hubs = state_->hubs;
        hubs.push_back(hub);
        LOCARA_CHECK(save_hubs(state_->options.home, hubs));
        state_->hubs = std::move(hubs);
        state_->catalogs.push_back(std::move(opened));
    }
    for (auto& one : state_->catalogs) {
        if (one.hub.url == url) {
            LOCARA_CHECK(state_->prefetch(one));
        }
    }
    return hub;
}

Status Installer::remove_hub(const std::string& url) {
    auto hubs = state_->hubs;
    const auto at =
        std::find_if(hubs.begin(), hubs.end(), [&](const Hub& hub) { return hub.url == url; });
    if (at == hubs.end()) {
        return Error(ErrorCode::NotFound, "the hub " + url + " is not known");
    }
    const auto folder = at->catalog_folder(state_->options.home);
    // What it called back stays called back: its apps stay, too.
    LOCARA_TRY(const auto opened, state_->open_catalog(*at));
    LOCARA_CHECK(keep_takedowns(state_->options.home, *at, opened.client->takedown()));
    hubs.erase(at);
    LOCARA_CHECK(save_hubs(state_->options.home, hubs));
    state_->hubs = std::move(hubs);
    std::erase_if(state_->catalogs, [&](const auto& one) { return one.hub.url == url; });
    std::error_code failed;
    fs::remove_all(folder, failed);
    if (failed) {
        return Error(ErrorCode::Io, "removing " + folder.string() + ": " + failed.message());
    }
    return {};
}

Status Installer::refresh() {
    LOCARA_CHECK(state_->check_any_hub());
    Status all;
    for (auto& one : state_->catalogs) {
        if (state_->bundle && one.hub.url != state_->bundle->note().hub) {
            continue;
        }
        Status refreshed = state_->refresh(one);
        // A hub that does not answer must not keep from us what another has called back.
        if (!refreshed && (all || refreshed.error().code() == ErrorCode::Cancelled)) {
            all = std::move(refreshed);
        }
        if (!all && all.error().code() == ErrorCode::Cancelled) {
            break;
        }
    }
    return all;
}

Status Installer::State::refresh(HubCatalog& one) {
    auto refreshed = one.client->refresh(one.expiry);
    if (!refreshed && ends_before_our_root(one)) {
        refreshed = std::move(refreshed).context(
            "the bundle is from before a change of the hub's keys; ask for a new one");
    }
    LOCARA_CHECK(std::move(refreshed).context("catalog of " + one.hub.url));
    return prefetch(one);
}

bool Installer::State::ends_before_our_root(const HubCatalog& one) const {
    const auto roles = one.client->roles();
    const auto root = std::find_if(
        roles.begin(), roles.end(), [](const auto& role) { return role.name == "root"; });
    std::error_code failed;
    return bundle && root != roles.end() &&
           !fs::exists(bundle_catalog(bundle->folder()) / "metadata" /
                           (std::to_string(root->version) + ".root.json"),
                       failed);
}

Status Installer::State::prefetch(HubCatalog& one) {
    for (const auto& [_, newest] : newest_apps(*one.client)) {
        if (options.stop.stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped");
        }
        // What cannot be had now is asked for again when somebody wants it.
        const auto app = read_app(one.hub, *one.client, newest.second);
        if (!app) {
            continue;
        }
        for (const auto& need : app->entry.manifest.models) {
            const auto ignored = resolve_model(*app, need);
            static_cast<void>(ignored);
        }
    }
    return {};
}

Result<std::vector<CatalogApp>> Installer::search(std::string_view text) {
    LOCARA_CHECK(state_->check_any_hub());
    const auto words = split_words(text);
    std::map<manifest::AppId, CatalogApp> found; // the first hub that has an app wins
    for (auto& one : state_->catalogs) {
        for (const auto& [id, newest] : newest_apps(*one.client)) {
            if (found.contains(id)) {
                continue;
            }
            // One entry that cannot be read (of a newer schema, say) hides only itself.
            auto app = read_app(one.hub, *one.client, newest.second);
            if (!app) {
                state_->options.log->warning(
                    "runtime",
                    "catalog entry skipped",
                    {{"target", newest.second.name}, {"error", app.error().describe()}});
                continue;
            }
            if (matches(app->entry.manifest, words)) {
                found.emplace(id, std::move(*app));
            }
        }
    }
    std::vector<CatalogApp> out;
    for (auto& [_, app] : found) {
        out.push_back(std::move(app));
    }
    return out;
}

Result<CatalogApp> Installer::find(const manifest::AppRef& ref) {
    LOCARA_CHECK(state_->check_any_hub());
    std::vector<HubCatalog*> catalogs;
    for (auto& one : state_->catalogs) {
        catalogs.push_back(&one);
    }
    if (const auto installed = get(ref.id); installed && !state_->bundle) {
        std::stable_partition(catalogs.begin(), catalogs.end(), [&](const HubCatalog* one) {
            return one->hub.url == installed->lock.hub;
        });
    }
    std::string near;
    for (const HubCatalog* catalog : catalogs) {
        const HubCatalog& one = *catalog;
        const auto apps = newest_apps(*one.client);
        if (!ref.version.empty()) {
            LOCARA_TRY(const auto version, manifest::Version::parse(ref.version));
            if (const auto target =
                    one.client->find_target(manifest::entry_target(ref.id, version))) {
                return read_app(one.hub, *one.client, *target);
            }
        }
        const auto at = apps.find(ref.id);
        if (at != apps.end() && ref.version.empty()) {
            return read_app(one.hub, *one.client, at->second.second);
        }
        for (const auto& [id, newest] : apps) {
            if (id == ref.id || id.name == ref.id.name ||
                id.name.find(ref.id.name) != std::string::npos) {
                near += (near.empty() ? "" : ", ") + id.render() + "@" + newest.first.render();
            }
        }
    }
    const std::string what = ref.id.render() + (ref.version.empty() ? "" : "@" + ref.version);
    return Error(
        ErrorCode::NotFound,
        "no hub has the app " + what +
            (near.empty() ? "; `locara search` lists what there is" : "; near it: " + near));
}

Result<PlannedModel> Installer::State::plan_model(std::string role,
                                                  manifest::VerifiedModelManifest manifest,
                                                  std::string_view variant) const {
    const auto* chosen =
        variant.empty() ? &manifest->get_default() : manifest->find_variant(variant);
    if (chosen == nullptr) {
        std::string known;
        for (const auto& one : manifest->variants) {
            known += (known.empty() ? "" : ", ") + one.name;
        }
        return Error(ErrorCode::NotFound,
                     manifest->id.render() + " has no variant \"" + std::string(variant) +
                         "\"; variants: " + known);
    }
    LOCARA_TRY(const auto parts, store.list_parts());
    std::vector<PlannedFile> files;
    for (const auto& file : chosen->files) {
        PlannedFile planned{file, store.has(file.sha256), 0};
        for (const auto& part : parts) {
            if (part.digest == file.sha256) {
                planned.received_bytes = part.received_bytes;
                planned.held_bytes = part.disk_bytes;
            }
        }
        files.push_back(std::move(planned));
    }
    std::string name = chosen->name;
    return PlannedModel{
        std::move(role), std::move(manifest), std::move(name), std::move(files), false};
}

Result<PlannedModel> Installer::State::resolve_model(const CatalogApp& app,
                                                     const manifest::ModelNeed& need) {
    LOCARA_TRY(auto* client, client_of(app.hub));
    // The first that the catalog has.
    for (const auto& digest : need.pins()) {
        const auto target = find_model_target(*client, digest);
        if (!target) {
            continue;
        }
        LOCARA_TRY(auto bytes, client->get_target(target->name));
        LOCARA_TRY(auto manifest,
                   manifest::VerifiedModelManifest::verify(std::move(bytes), digest)
                       .context(target->name));
        LOCARA_TRY(auto planned, plan_model(need.role, std::move(manifest), ""));
        planned.is_fallback = digest != need.manifest;
        LOCARA_CHECK(check_signature(*client, planned));
        return planned;
    }
    return Error(ErrorCode::NotFound,
                 "the catalog of " + app.hub.url + " lacks the model " + need.id.render() +
                     " (sha256:" + need.manifest.render() + ") that " +
                     app.entry.manifest.id.render() + " pins; ask its publisher");
}

Status Installer::State::check_signature(catalog::Client& client, PlannedModel& model) const {
    const auto target =
        manifest::model_signature_target(model.manifest->id, model.manifest->version);
    if (!client.find_target(target)) {
        return {};
    }
    LOCARA_TRY(const auto signature, client.get_target(target));
    LOCARA_TRY(const auto statement,
               manifest::VerifiedModelStatement::verify(signature, client.keys_of("models"))
                   .context(target));
    LOCARA_CHECK(statement->check(*model.manifest).context(target));
    model.signed_by = statement.signed_by().id();
    return {};
}

Result<std::vector<PlannedModel>> Installer::resolve_models(const CatalogApp& app) {
    std::vector<PlannedModel> models;
    for (const auto& need : app.entry.manifest.models) {
        LOCARA_TRY(auto model, state_->resolve_model(app, need));
        models.push_back(std::move(model));
    }
    return models;
}

Result<std::vector<std::string>> Installer::find_manifests(const manifest::AppManifest& app) {
    std::set<crypto::Sha256Digest> wanted;
    for (const auto& need : app.models) {
        const auto pins = need.pins();
        wanted.insert(pins.begin(), pins.end());
    }
    std::vector<std::string> found;
    for (auto& one : state_->catalogs) {
        for (const auto& target : one.client->targets("models/*/*/*.json")) {
            LOCARA_TRY(const auto digest, target_digest(target));
            if (wanted.erase(digest) != 0) {
                LOCARA_TRY(auto bytes, one.client->get_target(target.name));
                found.push_back(std::move(bytes));
            }
        }
    }
    return found;
}

Result<Installer::FoundModel> Installer::find_model(const manifest::ModelId& id,
                                                    std::string_view variant) {
    LOCARA_CHECK(state_->check_any_hub());
    for (auto& one : state_->catalogs) {
        std::optional<manifest::VerifiedModelManifest> newest;
        for (const auto& target :
             one.client->targets("models/" + id.publisher + "/" + id.name + "/*.json")) {
            LOCARA_TRY(auto bytes, one.client->get_target(target.name));
            LOCARA_TRY(const auto digest, target_digest(target));
            LOCARA_TRY(auto manifest,
                       manifest::VerifiedModelManifest::verify(std::move(bytes), digest)
                           .context(target.name));
            if (!newest || (*newest)->version < manifest->version) {
                newest = std::move(manifest);
            }
        }
        if (newest) {
            LOCARA_CHECK(state_->check_fresh(one.hub));
            LOCARA_TRY(auto model, state_->plan_model("", std::move(*newest), variant));
            LOCARA_CHECK(state_->check_signature(*one.client, model));
            LOCARA_CHECK(state_->check_takedown(model));
            return FoundModel{std::move(model), one.hub};
        }
    }
    return Error(ErrorCode::NotFound, "no hub has the model " + id.render());
}

Result<PlannedModel> Installer::plan_manifest(std::string bytes, std::string_view variant) {
    const auto digest = crypto::sha256(as_bytes(bytes));
    LOCARA_TRY(auto manifest, manifest::VerifiedModelManifest::verify(std::move(bytes), digest));
    return state_->plan_model("", std::move(manifest), variant);
}

Result<std::optional<catalog::TakedownEntry>>
Installer::State::takedown_of(const PlannedModel& model) {
    LOCARA_CHECK(takedowns.refresh());
    return takedowns.find(names_of(model));
}

Result<std::optional<catalog::TakedownEntry>>
Installer::State::takedown_of(const manifest::AppEntry& entry,
                              std::span<const manifest::BundleFile> files,
                              const std::vector<PlannedModel>& models) {
    LOCARA_CHECK(takedowns.refresh());
    const std::array digests = {entry.files_sha256, entry.bundle_sha256};
    auto names = catalog::takedown_names(entry.manifest.id, entry.manifest.version, digests, files);
    for (const auto& model : models) {
        for (auto& name : names_of(model)) {
            names.push_back(std::move(name));
        }
    }
    return takedowns.find(names);
}

manifest::BundleFileList Installer::State::files_of(const manifest::AppEntry& entry) const {
    const auto installed = read_installed(app_folder(options.home, entry.manifest.id) /
                                          entry.manifest.version.render());
    if (installed && installed->lock.files_sha256 == entry.files_sha256) {
        // One that cannot be read does not start, and is unpacked anew when it is installed.
        if (auto list = read_bundle_list(installed->folder, installed->lock)) {
            return *std::move(list);
        }
    }
    return {};
}

Status Installer::State::check_takedown(const PlannedModel& model) {
    LOCARA_TRY(const auto taken, takedown_of(model));
    return policy::check(policy::Door::Install, model.manifest->id.render(), taken);
}

Status Installer::State::check_takedown(const manifest::AppEntry& entry,
                                        std::span<const manifest::BundleFile> files,
                                        const std::vector<PlannedModel>& models,
                                        std::vector<std::string>& warnings) {
    LOCARA_TRY(const auto taken, takedown_of(entry, files, models));
    const std::string what = entry.manifest.id.render() + " " + entry.manifest.version.render();
    LOCARA_CHECK(policy::check(policy::Door::Install, what, taken));
    if (policy::answer(policy::Door::Install, taken) == policy::Answer::Warn) {
        warnings.push_back(what + " was called back on " + taken->date + ": " + taken->reason);
    }
    return {};
}

Status Installer::check_takedown(const manifest::ModelManifest& model,
                                 const crypto::Sha256Digest& manifest) const {
    LOCARA_CHECK(state_->takedowns.refresh());
    return policy::check(policy::Door::Install,
                         model.id.render(),
                         state_->takedowns.find(catalog::takedown_names(model, manifest)));
}

Result<std::optional<catalog::TakedownEntry>>
Installer::find_takedown(const CatalogApp& app, const std::vector<PlannedModel>& models) {
    return state_->takedown_of(app.entry, state_->files_of(app.entry).files, models);
}

Result<std::optional<catalog::TakedownEntry>> Installer::find_takedown(const InstalledEntry& app) {
    LOCARA_CHECK(state_->takedowns.refresh());
    const Lock& lock = app.lock;
    const std::array digests = {lock.files_sha256, lock.bundle_sha256};
    const auto list = read_bundle_list(app.folder, lock); // without it, it does not start
    auto names = catalog::takedown_names(lock.app,
                                         lock.version,
                                         digests,
                                         list ? std::span<const manifest::BundleFile>(list->files)
                                              : std::span<const manifest::BundleFile>());
    for (const LockedModel& model : lock.models) {
        std::vector<crypto::Sha256Digest> files;
        for (const LockedFile& file : model.files) {
            files.push_back(file.sha256);
        }
        const std::string source = model.repo + "@" + model.revision;
        for (auto& name :
             catalog::takedown_names(source, model.id, model.version, model.manifest, files)) {
            names.push_back(std::move(name));
        }
    }
    return state_->takedowns.find(names);
}

Result<std::optional<catalog::TakedownEntry>>
Installer::find_takedown(std::span<const catalog::TakedownName> names) {
    LOCARA_CHECK(state_->takedowns.refresh());
    return state_->takedowns.find(names);
}

std::vector<crypto::PublicKey> Installer::model_keys() const {
    std::vector<crypto::PublicKey> keys;
    for (const auto& one : state_->catalogs) {
        for (auto& key : one.client->keys_of("models")) {
            keys.push_back(std::move(key));
        }
    }
    return keys;
}

std::vector<Installer::CatalogState> Installer::catalog_states() const {
    std::vector<CatalogState> out;
    for (const auto& one : state_->catalogs) {
        out.push_back(
            {one.hub, one.client->last_checked(), one.client->check_fresh(), one.client->roles()});
    }
    return out;
}

} // namespace locara::runtime
