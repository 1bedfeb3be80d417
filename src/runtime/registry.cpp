#include <locara/base/file.hpp>
#include <locara/catalog/client.hpp>
#include <locara/policy/policy.hpp>
#include <locara/runtime/hub_fetcher.hpp>
#include <locara/runtime/install.hpp>
#include <locara/runtime/load_gate.hpp>
#include <locara/runtime/registry.hpp>

#include <map>
#include <mutex>
#include <set>

namespace locara::runtime {

namespace fs = std::filesystem;

struct Registry::State {
    State(Home h, store::Store& s, const Clock& c)
        : home(std::move(h)), store(s), clock(c), load_gate(s),
          model_files(s, load_gate.as_judge()) {}

    Home home;
    store::Store& store;
    const Clock& clock;
    LoadGate load_gate;
    engine::ModelFiles model_files;

    std::mutex mutex;
    /// Guarded by mutex, as are all below: every entry of every hub, ever verified.
    catalog::TakedownList takedown;
    std::string stamp;                 ///< Of the catalogs' copies when `takedown` was read.
    std::set<std::string> read;        ///< Hubs whose list was read at least once.
    std::optional<std::string> unread; ///< Why the list of some hub never was.
    std::map<std::string, Lock> locks; ///< By bundle folder.

    /// Changes when any file of a catalog's copy does.
    std::string take_stamp() const {
        std::string out;
        std::error_code failed;
        for (fs::recursive_directory_iterator it(home.catalogs(), failed), end;
             !failed && it != end;
             it.increment(failed)) {
            std::error_code ignored;
            if (it->is_regular_file(ignored)) {
                const auto time = it->last_write_time(ignored).time_since_epoch().count();
                out += it->path().filename().string() + " " + std::to_string(time) + "\n";
            }
        }
        return out;
    }

    void read_takedowns() {
        auto now = take_stamp();
        if (now == stamp) {
            return;
        }
        const auto hubs = load_hubs(home);
        if (!hubs) {
            return;
        }
        bool complete = true;
        unread.reset();
        for (const auto& hub : *hubs) {
            HubFetcher fetcher(nullptr, hub.url, {});
            auto client = catalog::Client::open(hub.catalog_folder(home), fetcher, clock);
            if (client) {
                takedown.add(client->takedown());
                read.insert(hub.url);
                continue;
            }
            complete = false; // being written, perhaps: look again next time
            if (read.count(hub.url) == 0) {
                unread =
                    "what " + hub.url + " took down cannot be read: " + client.error().describe();
            }
        }
        if (complete) {
            stamp = std::move(now);
        }
    }

    /// The files of the policy are small, and a change counts at once, as a takedown does. One that
    /// cannot be read refuses everything: somebody wanted something refused.
    std::optional<std::string> refused_by_policy(const InstalledApp& app) const {
        const auto rules = policy::Policy::load(home.policy_files());
        if (!rules) {
            return rules.error().describe();
        }
        if (rules->rules().empty()) {
            return std::nullopt;
        }
        policy::Subject subject{
            "app " + app.manifest.id.render(), app.manifest.id.publisher, app.manifest.license, {}};
        for (const auto& model : app.models) {
            if (const auto* variant = model.manifest->find_variant(model.variant)) {
                subject.add(*model.manifest, *variant);
            }
        }
        const auto status = rules->judge(subject).status();
        return status ? std::nullopt : std::optional(status.error().message());
    }

    const Lock* find_lock(const fs::path& bundle) {
        const auto at = locks.find(bundle.string());
        if (at != locks.end()) {
            return &at->second;
        }
        const auto text = read_file(bundle.parent_path() / "lock.json", 1U << 20U);
        if (!text) {
            return nullptr;
        }
        auto lock = Lock::parse(*text);
        if (!lock) {
            return nullptr;
        }
        return &locks.insert_or_assign(bundle.string(), std::move(*lock)).first->second;
    }
};

Registry::Registry(Home home, store::Store& store, const Clock& clock)
    : state_(std::make_unique<State>(std::move(home), store, clock)) {}

Registry::~Registry() = default;

Result<InstalledApp> Registry::get(std::string_view label) {
    LOCARA_TRY(const auto id, manifest::AppId::parse_label(label));
    LOCARA_TRY(auto opened, open_installed(state_->home, id));
    InstalledApp app{std::move(opened.entry.manifest), opened.entry.folder / "bundle", {}};
    for (std::size_t i = 0; i < opened.models.size(); ++i) {
        const auto& locked = opened.entry.lock.models[i];
        AppModel model{
            locked.role, opened.models[i]->task, std::move(opened.models[i]), locked.variant, {}};
        const auto* variant = model.manifest->find_variant(locked.variant);
        if (variant == nullptr) {
            return Error(ErrorCode::Corrupt,
                         "lock.json of " + id.render() + " names the variant \"" + locked.variant +
                             "\", which its model lacks; install the app again");
        }
        for (const auto& file : variant->files) {
            if (file.format == manifest::FileFormat::Gguf) {
                auto weights = state_->model_files.open(file.sha256);
                if (!weights) {
                    const bool refused = weights.error().code() == ErrorCode::Refused;
                    return std::move(weights)
                        .context(refused ? file.path
                                         : file.path + "; `locara install " + id.render() +
                                               "` fetches it again")
                        .error();
                }
                model.weights.push_back(std::move(*weights));
            }
        }
        app.models.push_back(std::move(model));
    }
    const std::lock_guard guard(state_->mutex);
    state_->locks.insert_or_assign(app.bundle.string(), std::move(opened.entry.lock));
    return app;
}

std::optional<std::string> Registry::blocked(const InstalledApp& app) {
    const std::lock_guard guard(state_->mutex);
    state_->read_takedowns();
    // Not knowing is no permission. Once a list was read, it counts until a newer one is.
    std::optional<std::string> reason =
        state_->unread ? state_->unread : state_->refused_by_policy(app);
    const auto look =
        [&](std::string_view kind, const std::string& id, const std::string& version) {
            const auto found = state_->takedown.find(kind, id, version);
            if (!reason && found && found->action == catalog::TakedownAction::BlockRun) {
                reason = app.manifest.id.render() + " was called back on " + found->date + ": " +
                         found->reason;
            }
        };
    look("app", app.manifest.id.render(), app.manifest.version.render());
    if (const auto* lock = state_->find_lock(app.bundle)) {
        look("bundle", "sha256:" + lock->files_sha256.render(), "");
        look("bundle", "sha256:" + lock->bundle_sha256.render(), "");
    }
    for (const auto& model : app.models) {
        look("model", model.manifest->source.repo + "@" + model.manifest->source.revision, "");
        look("model", model.manifest->id.render(), model.manifest->version.render());
        look("model", "sha256:" + model.manifest.digest().render(), "");
        for (const auto& file : model.weights) {
            look("file", "sha256:" + file.digest().render(), "");
        }
    }
    return reason;
}

} // namespace locara::runtime
