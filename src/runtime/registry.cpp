#include <locara/base/file.hpp>
#include <locara/policy/doors.hpp>
#include <locara/policy/policy.hpp>
#include <locara/runtime/app_gate.hpp>
#include <locara/runtime/install.hpp>
#include <locara/runtime/load_gate.hpp>
#include <locara/runtime/registry.hpp>
#include <locara/runtime/takedowns.hpp>

#include <map>
#include <mutex>

namespace locara::runtime {

namespace fs = std::filesystem;

struct Registry::State {
    State(Home h, store::Store& s, const Clock& c)
        : home(std::move(h)), store(s), load_gate(s), model_files(s, load_gate.as_judge()),
          takedowns(home, c) {}

    Home home;
    store::Store& store;
    AppGate app_gate;
    LoadGate load_gate;
    engine::ModelFiles model_files;

    std::mutex mutex;
    /// Guarded by mutex, as is what is below.
    Takedowns takedowns;

    /// What an app may be called back by.
    struct Known {
        Lock lock;
        manifest::BundleFileList files;
    };

    std::map<std::string, Known> known; ///< By bundle folder.

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
        policy::Subject subject;
        subject.set_app(app.manifest);
        for (const auto& model : app.models) {
            if (const auto* variant = model.manifest->find_variant(model.variant)) {
                subject.add(*model.manifest, *variant);
            }
        }
        const auto status = rules->judge(subject).status();
        return status ? std::nullopt : std::optional(status.error().message());
    }

    const Known* find_known(const fs::path& bundle) {
        const auto at = known.find(bundle.string());
        if (at != known.end()) {
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
        auto files = read_bundle_list(bundle.parent_path(), *lock);
        if (!files) {
            return nullptr;
        }
        return &known.insert_or_assign(bundle.string(), Known{std::move(*lock), std::move(*files)})
                    .first->second;
    }
};

Registry::Registry(Home home, store::Store& store, const Clock& clock)
    : state_(std::make_unique<State>(std::move(home), store, clock)) {}

Registry::~Registry() = default;

Result<InstalledApp> Registry::get(std::string_view label) {
    LOCARA_TRY(const auto id, manifest::AppId::parse_label(label));
    LOCARA_TRY(auto opened, open_installed(state_->home, id));
    LOCARA_CHECK(state_->app_gate.check(opened.entry.folder, opened.files).context(id.render()));
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
    state_->known.insert_or_assign(
        app.bundle.string(), State::Known{std::move(opened.entry.lock), std::move(opened.files)});
    return app;
}

std::optional<std::string> Registry::blocked(const InstalledApp& app) {
    const std::lock_guard guard(state_->mutex);
    // Not knowing is no permission. Once a list was read, it counts until a newer one is.
    if (const Status heard = state_->takedowns.refresh(); !heard) {
        return heard.error().describe();
    }
    std::vector<crypto::Sha256Digest> bundle;
    std::span<const manifest::BundleFile> bundle_files;
    if (const auto* known = state_->find_known(app.bundle)) {
        bundle = {known->lock.files_sha256, known->lock.bundle_sha256};
        bundle_files = known->files.files;
    }
    auto names =
        catalog::takedown_names(app.manifest.id, app.manifest.version, bundle, bundle_files);
    for (const auto& model : app.models) {
        std::vector<crypto::Sha256Digest> files;
        for (const auto& file : model.weights) {
            files.push_back(file.digest());
        }
        for (auto& name :
             catalog::takedown_names(*model.manifest, model.manifest.digest(), files)) {
            names.push_back(std::move(name));
        }
    }
    const auto taken = state_->takedowns.find(names);
    if (const auto fine = policy::check(policy::Door::Load, app.manifest.id.render(), taken);
        !fine) {
        return fine.error().message();
    }
    return state_->refused_by_policy(app);
}

} // namespace locara::runtime
