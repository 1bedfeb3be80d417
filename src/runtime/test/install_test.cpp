#include "install_fixture.hpp"

#include <locara/runtime/registry.hpp>

namespace locara::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Something that happens while files are fetched.
class Meanwhile : public ProgressSink {
  public:
    explicit Meanwhile(std::function<void()> act) : act_(std::move(act)) {}

    void report(const Progress& /*progress*/) override { std::call_once(once_, act_); }

  private:
    std::function<void()> act_;
    std::once_flag once_;
};

TEST_F(InstallTest, from_a_pinned_root_to_an_app_on_disk) {
    auto installer = open_with_hub();
    const auto plan = installer.plan(ref("locara/first"));
    ASSERT_TRUE(plan) << plan.error().describe();
    EXPECT_EQ(plan->here_bytes, 0U);
    EXPECT_EQ(plan->fetch_bytes, weights_.size() + plan->app.entry.bundle_size);
    EXPECT_FALSE(plan->up_to_date);
    EXPECT_THAT(plan->licenses_to_accept(), IsEmpty());
    const auto lock = installer.install(*plan, null_progress());
    ASSERT_TRUE(lock) << lock.error().describe();
    EXPECT_THAT(files_below(home_.apps()),
                ElementsAre("locara/first/1.0.0/app.locapp",
                            "locara/first/1.0.0/bundle.list",
                            "locara/first/1.0.0/bundle/dist/index.html",
                            "locara/first/1.0.0/bundle/locara.json",
                            "locara/first/1.0.0/lock.json",
                            "locara/first/1.0.0/models/text.json",
                            "locara/first/1.0.0/scanners"));
    EXPECT_EQ(lock->models[0].revision, kRevision);
    EXPECT_EQ(lock->models[0].files[0].sha256, crypto::sha256(as_bytes(weights_)));
    EXPECT_EQ(installer.list()->size(), 1U);
    const auto again = installer.plan(ref("locara/first"));
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->up_to_date);
    EXPECT_EQ(again->fetch_bytes, 0U);
    const auto outcome = installer.verify(std::nullopt, {}, null_progress());
    ASSERT_TRUE(outcome);
    EXPECT_THAT(outcome->problems, IsEmpty());
    EXPECT_EQ(outcome->files, 1U);
}

TEST_F(InstallTest, search_and_show_read_the_local_copy) {
    publish_app("locara/second", "1.0.0");
    publish_app("locara/second", "1.2.0");
    publish_app("locara/second", "2.0.0-beta");
    open_with_hub();
    down_ = true;
    auto installer = open(Network::Offline);
    const auto all = installer.search("");
    ASSERT_TRUE(all) << all.error().describe();
    ASSERT_EQ(all->size(), 2U);
    EXPECT_EQ((*all)[1].entry.manifest.version.render(), "1.2.0");
    EXPECT_EQ(installer.search("SECOND tests")->size(), 1U);
    EXPECT_EQ(installer.search("absent")->size(), 0U);
    EXPECT_EQ(installer.find(ref("locara/second@1.0.0")).error().code(), ErrorCode::Offline);
    EXPECT_THAT(installer.find(ref("other/second")).error().message(),
                HasSubstr("locara/second@1.2.0"));
}

TEST_F(InstallTest, wrong_weights_never_reach_the_store) {
    auto installer = open_with_hub();
    tamper_ = [](const std::string& path, const std::string& body) -> std::optional<std::string> {
        if (!path.ends_with(".gguf")) {
            return std::nullopt;
        }
        auto other = body;
        other[500] = static_cast<char>(other[500] ^ 1);
        return other;
    };
    const auto lock = install(installer, "locara/first");
    ASSERT_FALSE(lock);
    EXPECT_EQ(lock.error().code(), ErrorCode::Corrupt);
    expect_nothing_installed(installer);
    EXPECT_EQ(installer.disk_use()->store.files, 0U);
    tamper_ = nullptr;
    EXPECT_TRUE(install(installer, "locara/first"));
}

TEST_F(InstallTest, a_changed_bundle_is_refused) {
    auto installer = open_with_hub();
    tamper_ = [](const std::string& path, const std::string& body) -> std::optional<std::string> {
        return path.ends_with(".locapp") ? std::optional(body.substr(0, body.size() - 1) + "x")
                                         : std::nullopt;
    };
    const auto lock = install(installer, "locara/first");
    ASSERT_FALSE(lock);
    EXPECT_EQ(lock.error().code(), ErrorCode::Corrupt);
    expect_nothing_installed(installer);
}

TEST_F(InstallTest, a_bundle_whose_manifest_is_not_the_one_shown_is_refused) {
    auto shown = app_json("locara/liar", "1.0.0");
    shown["description"] = "Something nicer than what is inside";
    publish_app("locara/liar", "1.0.0", shown);
    auto installer = open_with_hub();
    const auto lock = install(installer, "locara/liar");
    ASSERT_FALSE(lock);
    EXPECT_EQ(lock.error().code(), ErrorCode::Corrupt);
    EXPECT_THAT(lock.error().message(), HasSubstr("not the manifest that the catalog shows"));
    expect_nothing_installed(installer);
}

TEST_F(InstallTest, weights_that_are_no_gguf_are_refused_by_the_gate_although_signed) {
    weights_ = std::string("\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.", 23);
    publish_model();
    publish_app("locara/pickle", "1.0.0");
    auto installer = open_with_hub();
    const auto lock = install(installer, "locara/pickle");
    ASSERT_FALSE(lock);
    EXPECT_EQ(lock.error().code(), ErrorCode::Refused) << lock.error().describe();
    expect_nothing_installed(installer);
    EXPECT_EQ(installer.disk_use()->store.files, 0U);
}

TEST_F(InstallTest, an_expired_catalog_installs_nothing_and_what_is_installed_still_opens) {
    auto installer = open_with_hub();
    ASSERT_TRUE(install(installer, "locara/first"));
    publish_app("locara/second", "1.0.0");
    clock_.advance(std::chrono::hours(24 * 3));
    const auto lock = install(installer, "locara/second");
    ASSERT_FALSE(lock);
    EXPECT_EQ(lock.error().code(), ErrorCode::Corrupt);
    EXPECT_THAT(lock.error().describe(), HasSubstr("timestamp"));
    EXPECT_TRUE(open_installed(home_, *manifest::AppId::parse("locara/first")));
}

TEST_F(InstallTest, a_newer_version_takes_the_place_of_the_older) {
    auto installer = open_with_hub();
    ASSERT_TRUE(install(installer, "locara/first"));
    publish_app("locara/first", "1.1.0");
    const auto plan = installer.plan(ref("locara/first"));
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->replaces->render(), "1.0.0");
    EXPECT_EQ(plan->here_bytes, weights_.size());
    ASSERT_TRUE(installer.install(*plan, null_progress()));
    const auto apps = installer.list();
    ASSERT_EQ(apps->size(), 1U);
    EXPECT_EQ(apps->front().lock.version.render(), "1.1.0");
}

TEST_F(InstallTest, an_older_version_takes_the_place_of_the_newer_only_if_it_is_named) {
    auto installer = open_with_hub();
    publish_app("locara/first", "1.1.0");
    ASSERT_TRUE(install(installer, "locara/first"));
    const auto app = *manifest::AppId::parse("locara/first");
    const auto newer = *manifest::Version::parse("1.1.0");
    ASSERT_TRUE(repository_->remove_target(manifest::entry_target(app, newer)));
    ASSERT_TRUE(repository_->publish(clock_));

    const auto plan = installer.plan(ref("locara/first"));
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code(), ErrorCode::Forbidden);
    EXPECT_THAT(plan.error().describe(), HasSubstr("locara install locara/first@1.0.0"));
    EXPECT_EQ(installer.get(app)->lock.version.render(), "1.1.0") << "nothing has changed";
    ASSERT_TRUE(install(installer, "locara/first@1.0.0"));
    EXPECT_EQ(installer.get(app)->lock.version.render(), "1.0.0");
}

TEST_F(InstallTest, the_same_version_with_other_bytes_is_installed_anew) {
    auto installer = open_with_hub();
    ASSERT_TRUE(install(installer, "locara/first"));
    // A curator's own hub may sign the same version again while an app is made.
    write(temp_.path() / "source/locara/first/LICENSE", "new");
    publish_app("locara/first", "1.0.0");
    const auto plan = installer.plan(ref("locara/first"));
    ASSERT_TRUE(plan);
    EXPECT_FALSE(plan->up_to_date);
    ASSERT_TRUE(installer.install(*plan, null_progress()));
    EXPECT_THAT(files_below(home_.apps()),
                ::testing::Contains("locara/first/1.0.0/bundle/LICENSE"));
    EXPECT_THAT(files_below(home_.temporary()), IsEmpty());
}

TEST_F(InstallTest, removing_takes_nothing_while_what_another_app_needs_cannot_be_read) {
    publish_app("locara/second", "1.0.0");
    auto installer = open_with_hub();
    ASSERT_TRUE(install(installer, "locara/first"));
    ASSERT_TRUE(install(installer, "locara/second"));
    const auto lock = home_.apps() / "locara/second/1.0.0/lock.json";
    const std::string text = read_file(lock, 1U << 20U).value();
    ASSERT_TRUE(write_file_atomically(lock, as_bytes("{")));
    EXPECT_EQ(installer.remove(*manifest::AppId::parse("locara/first")).error().code(),
              ErrorCode::Corrupt);
    EXPECT_EQ(store::Store::open(home_.store)->list()->size(), 1U);
    ASSERT_TRUE(write_file_atomically(lock, as_bytes(text)));
    EXPECT_TRUE(installer.remove(*manifest::AppId::parse("locara/first")));
}

TEST_F(InstallTest, removing_waits_for_nobody_who_pulls) {
    auto installer = open_with_hub();
    ASSERT_TRUE(install(installer, "locara/first"));
    {
        const auto store = store::Store::open(home_.store);
        const auto pulling = store->use();
        ASSERT_TRUE(pulling);
        EXPECT_EQ(installer.remove(*manifest::AppId::parse("locara/first")).error().code(),
                  ErrorCode::Busy);
    }
    EXPECT_TRUE(installer.remove(*manifest::AppId::parse("locara/first")));
}

TEST_F(InstallTest, removing_keeps_weights_that_another_app_names) {
    publish_app("locara/second", "1.0.0");
    auto installer = open_with_hub();
    ASSERT_TRUE(install(installer, "locara/first"));
    ASSERT_TRUE(install(installer, "locara/second"));
    auto removal = installer.remove(*manifest::AppId::parse("locara/first"));
    ASSERT_TRUE(removal) << removal.error().describe();
    EXPECT_THAT(removal->files, IsEmpty());
    EXPECT_EQ(removal->kept_files.size(), 1U);
    EXPECT_EQ(installer.disk_use()->store.files, 1U);
    removal = installer.remove(*manifest::AppId::parse("locara/second"));
    ASSERT_TRUE(removal);
    EXPECT_EQ(removal->files.size(), 1U);
    EXPECT_GE(removal->freed_bytes, weights_.size());
    EXPECT_EQ(installer.disk_use()->store.files, 0U);
    expect_nothing_installed(installer);
    EXPECT_EQ(installer.remove(*manifest::AppId::parse("locara/first")).error().code(),
              ErrorCode::NotFound);
}

TEST_F(InstallTest, verify_and_open_find_what_was_changed_on_disk) {
    auto installer = open_with_hub();
    ASSERT_TRUE(install(installer, "locara/first"));
    const auto id = *manifest::AppId::parse("locara/first");
    ASSERT_TRUE(open_installed(home_, id));
    const auto folder = home_.apps() / "locara/first/1.0.0";
    write(folder / "bundle/dist/index.html", "<script>evil</script>");
    EXPECT_EQ(open_installed(home_, id).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(installer.verify(id, {}, null_progress())->problems.size(), 1U);
    // Installing again mends it, although the version is the same.
    ASSERT_TRUE(install(installer, "locara/first"));
    EXPECT_TRUE(open_installed(home_, id));
}

TEST_F(InstallTest, a_takedown_blocks_installs_and_stops_what_runs) {
    publish_app("locara/second", "1.0.0");
    auto installer = open_with_hub();
    ASSERT_TRUE(install(installer, "locara/first"));
    auto store = store::Store::open(home_.store);
    ASSERT_TRUE(store);
    Registry registry(home_, *store, clock_);
    auto app = registry.get("locara--first");
    ASSERT_TRUE(app) << app.error().describe();
    EXPECT_EQ(app->models[0].weights.size(), 1U);
    EXPECT_FALSE(registry.blocked(*app));
    ASSERT_TRUE(repository_->add_takedown({"app",
                                           "locara/first",
                                           std::nullopt,
                                           catalog::TakedownAction::BlockRun,
                                           "it lies",
                                           "2026-11-22"}));
    ASSERT_TRUE(repository_->add_takedown({"app",
                                           "locara/second",
                                           std::nullopt,
                                           catalog::TakedownAction::BlockInstall,
                                           "it breaks",
                                           "2026-11-22"}));
    ASSERT_TRUE(repository_->publish(clock_));
    ASSERT_TRUE(installer.refresh());
    const auto blocked = registry.blocked(*app);
    ASSERT_TRUE(blocked);
    EXPECT_THAT(*blocked, HasSubstr("it lies"));
    const auto second = install(installer, "locara/second");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ErrorCode::Refused);
    EXPECT_THAT(second.error().message(), HasSubstr("it breaks"));
}

TEST_F(InstallTest, a_model_is_pulled_without_an_app_unless_it_was_called_back) {
    auto installer = open_with_hub();
    const auto id = *manifest::ModelId::parse("locara/tiny");
    const auto found = installer.find_model(id, "");
    ASSERT_TRUE(found) << found.error().describe();
    EXPECT_THAT(installer.find_model(id, "q9").error().message(), HasSubstr("variants: f32"));
    ASSERT_TRUE(installer.pull(found->model, found->hub, null_progress()));
    EXPECT_EQ(installer.disk_use()->unreferenced_files, 0U) << "it is pinned";
    ASSERT_TRUE(repository_->add_takedown({"model",
                                           "locara/tiny@" + std::string(kRevision),
                                           std::nullopt,
                                           catalog::TakedownAction::BlockInstall,
                                           "it leaks",
                                           "2026-11-22"}));
    ASSERT_TRUE(repository_->publish(clock_));
    ASSERT_TRUE(installer.refresh());
    EXPECT_EQ(installer.find_model(id, "").error().code(), ErrorCode::Refused);
    // The app that uses it is refused as well.
    EXPECT_EQ(installer.plan(ref("locara/first")).error().code(), ErrorCode::Refused);
}

TEST_F(InstallTest, what_is_called_back_while_it_is_fetched_is_not_installed) {
    auto installer = open_with_hub();
    const auto plan = installer.plan(ref("locara/first"));
    ASSERT_TRUE(plan) << plan.error().describe();
    Meanwhile progress([this] {
        take_down(
            *repository_, "app", "locara/first", catalog::TakedownAction::BlockInstall, "it lies");
        ASSERT_TRUE(open().refresh());
    });
    const auto lock = installer.install(*plan, progress);
    ASSERT_FALSE(lock);
    EXPECT_EQ(lock.error().code(), ErrorCode::Refused);
    EXPECT_THAT(lock.error().message(), HasSubstr("it lies"));
    expect_nothing_installed(installer);
}

TEST_F(InstallTest, a_file_of_a_bundle_is_called_back_wherever_it_lies) {
    using Action = catalog::TakedownAction;
    const std::string page = "<!doctype html>locara/first1.0.0";
    const std::string id = "sha256:" + crypto::sha256(as_bytes(page)).render();
    auto installer = open_with_hub();
    ASSERT_TRUE(install(installer, "locara/first"));
    auto store = store::Store::open(home_.store).value();
    Registry registry(home_, store, clock_);
    const auto app = registry.get("locara--first");
    ASSERT_TRUE(app) << app.error().describe();
    EXPECT_FALSE(registry.blocked(*app));

    take_down(*repository_, "file", id, Action::BlockRun, "its page lies");
    ASSERT_TRUE(installer.refresh());
    const auto blocked = registry.blocked(*app);
    ASSERT_TRUE(blocked);
    EXPECT_THAT(*blocked, HasSubstr("its page lies"));
    const auto here = installer.get(ref("locara/first").id);
    ASSERT_TRUE(here) << here.error().describe();
    EXPECT_TRUE(installer.find_takedown(*here).value());
    const auto listed = installer.find(ref("locara/first"));
    ASSERT_TRUE(listed) << listed.error().describe();
    EXPECT_TRUE(installer.find_takedown(*listed, {}).value());
    EXPECT_EQ(installer.plan(ref("locara/first")).error().code(), ErrorCode::Refused);

    // Nor where nobody knew its files before: they are looked at before the weights come.
    ASSERT_TRUE(installer.remove(ref("locara/first").id));
    std::filesystem::remove(temp_.path() / "hub/locara/tiny/resolve" / kRevision / "tiny.gguf");
    const auto again = install(installer, "locara/first");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), ErrorCode::Refused);
    EXPECT_THAT(again.error().message(), HasSubstr("its page lies"));
    expect_nothing_installed(installer);
}

TEST_F(InstallTest, what_is_called_back_while_it_is_fetched_is_not_pinned) {
    auto installer = open_with_hub();
    const auto found = installer.find_model(*manifest::ModelId::parse("locara/tiny"), "");
    ASSERT_TRUE(found) << found.error().describe();
    Meanwhile progress([this] {
        take_down(*repository_,
                  "model",
                  "locara/tiny",
                  catalog::TakedownAction::BlockInstall,
                  "it leaks");
        ASSERT_TRUE(open().refresh());
    });
    const Status pulled = installer.pull(found->model, found->hub, progress);
    ASSERT_FALSE(pulled);
    EXPECT_EQ(pulled.error().code(), ErrorCode::Refused);
    EXPECT_THAT(pulled.error().message(), HasSubstr("it leaks"));
    EXPECT_TRUE(installer.storage().pins()->empty());
}

TEST_F(InstallTest, weights_that_were_called_back_are_not_fetched_for_a_manifest_either) {
    auto installer = open_with_hub();
    const auto model = installer.plan_manifest(model_bytes_, "");
    ASSERT_TRUE(model) << model.error().describe();
    const auto digest = crypto::sha256(as_bytes(weights_));
    take_down(*repository_,
              "file",
              "sha256:" + digest.render(),
              catalog::TakedownAction::BlockInstall,
              "it leaks");
    ASSERT_TRUE(installer.refresh());
    const Status pulled = installer.pull(*model, installer.hubs().front(), null_progress());
    ASSERT_FALSE(pulled);
    EXPECT_EQ(pulled.error().code(), ErrorCode::Refused);
    EXPECT_THAT(pulled.error().message(), HasSubstr("it leaks"));
    EXPECT_FALSE(store::Store::open(home_.store)->has(digest));
}

TEST_F(InstallTest, what_a_hub_calls_back_only_that_hub_lifts_and_nobody_by_removing_it) {
    const auto other_tree = temp_.path() / "hub/other/catalog";
    auto other = catalog::Repository::create(other_tree, temp_.path() / "other-keys", clock_);
    ASSERT_TRUE(other) << other.error().describe();
    auto installer = open_with_hub();
    ASSERT_TRUE(install(installer, "locara/first"));
    const auto id = *manifest::AppId::parse("locara/first");
    using Action = catalog::TakedownAction;
    take_down(*repository_, "app", "locara/first", Action::BlockRun, "it lies");
    take_down(*other, "app", "locara/first", Action::Warn, "it is fine", "2026-11-23");
    ASSERT_TRUE(installer.add_hub(url() + "/other", other->first_root()));
    ASSERT_TRUE(installer.refresh());

    const auto expect_blocked = [&](const char* when) {
        auto store = store::Store::open(home_.store);
        Registry registry(home_, *store, clock_);
        const auto app = registry.get("locara--first");
        ASSERT_TRUE(app) << app.error().describe();
        const auto blocked = registry.blocked(*app);
        ASSERT_TRUE(blocked) << when;
        EXPECT_THAT(*blocked, HasSubstr("it lies")) << when;
        const auto taken = open().find_takedown(*installer.get(id));
        ASSERT_TRUE(taken && *taken) << when;
        EXPECT_EQ((*taken)->action, Action::BlockRun) << when;
    };
    expect_blocked("another hub warns, later");
    ASSERT_TRUE(installer.remove_hub(url()));
    expect_blocked("the hub was removed");
    const auto added = installer.add_hub(url(), repository_->first_root());
    ASSERT_TRUE(added) << added.error().describe();
    expect_blocked("it came back");
    ASSERT_TRUE(installer.remove_hub(url() + "/other"));

    take_down(*repository_, "app", "locara/first", Action::Warn, "mended", "2026-11-24");
    ASSERT_TRUE(installer.refresh());
    auto store = store::Store::open(home_.store);
    Registry registry(home_, *store, clock_);
    EXPECT_FALSE(registry.blocked(*registry.get("locara--first")));
}

TEST_F(InstallTest, goes_to_another_hub_only_when_a_person_names_it) {
    auto other = catalog::Repository::create(
        temp_.path() / "hub/other/catalog", temp_.path() / "other-keys", clock_);
    ASSERT_TRUE(other) << other.error().describe();
    auto first = std::make_unique<catalog::Repository>(std::move(*other));
    std::swap(repository_, first);
    publish_model();
    publish_app("locara/first", "9.0.0");
    const std::string root = repository_->first_root();
    std::swap(repository_, first);

    auto installer = open();
    ASSERT_TRUE(installer.add_hub(url() + "/other", root));
    ASSERT_TRUE(installer.add_hub(url(), repository_->first_root()));
    auto by_name = open(Network::Allowed, url());
    ASSERT_TRUE(install(by_name, "locara/first"));
    // Its own hub is asked first, and what others have counts for nothing.
    const auto plan = installer.plan(ref("locara/first"));
    ASSERT_TRUE(plan) << plan.error().describe();
    EXPECT_TRUE(plan->up_to_date);
    EXPECT_EQ(installer.find(ref("locara/first"))->hub.url, url());

    ASSERT_TRUE(installer.remove_hub(url()));
    const auto refused = open().plan(ref("locara/first"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::Forbidden);
    EXPECT_THAT(refused.error().message(), HasSubstr("--hub " + url() + "/other"));
    const auto named = open(Network::Allowed, url() + "/other").plan(ref("locara/first"));
    ASSERT_TRUE(named) << named.error().describe();
    EXPECT_EQ(named->replaces->render(), "1.0.0");
}

TEST_F(InstallTest, a_model_that_was_called_back_is_known_by_each_of_its_names) {
    const auto model = *manifest::ModelManifest::parse(model_bytes_);
    const auto digest = crypto::sha256(as_bytes(model_bytes_));
    auto installer = open_with_hub();
    EXPECT_TRUE(installer.check_takedown(model, digest));
    take_down(*repository_,
              "file",
              "sha256:" + crypto::sha256(as_bytes(weights_)).render(),
              catalog::TakedownAction::BlockRun,
              "it lies");
    ASSERT_TRUE(installer.refresh());
    const auto refused = installer.check_takedown(model, digest);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::Refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("it lies"));
}

TEST_F(InstallTest, restrictive_terms_are_named) {
    license_ = "CC-BY-NC-4.0";
    publish_model();
    publish_app("locara/second", "1.0.0");
    auto installer = open_with_hub();
    EXPECT_THAT(installer.plan(ref("locara/second"))->licenses_to_accept(),
                ElementsAre("CC-BY-NC-4.0"));
}

TEST_F(InstallTest, a_cancelled_install_leaves_nothing_and_a_later_one_works) {
    auto installer = open_with_hub();
    const auto plan = installer.plan(ref("locara/first"));
    ASSERT_TRUE(plan);
    tamper_ = [this](const std::string& path, const std::string&) -> std::optional<std::string> {
        if (path.ends_with(".gguf")) {
            stop_.request_stop();
        }
        return std::nullopt;
    };
    const auto lock = installer.install(*plan, null_progress());
    ASSERT_FALSE(lock);
    EXPECT_EQ(lock.error().code(), ErrorCode::Cancelled) << lock.error().describe();
    expect_nothing_installed(installer);
    stop_ = std::stop_source();
    tamper_ = nullptr;
    auto fresh = open();
    EXPECT_TRUE(install(fresh, "locara/first"));
}

TEST_F(InstallTest, what_a_killed_install_left_is_cleared_by_the_next) {
    auto installer = open_with_hub();
    write(home_.temporary() / "install-dead/app/lock.json", "{}");
    ASSERT_TRUE(install(installer, "locara/first"));
    EXPECT_THAT(files_below(home_.temporary()), IsEmpty());
}

TEST_F(InstallTest, an_unknown_hub_root_is_a_conflict_not_a_change) {
    auto installer = open_with_hub();
    auto other =
        catalog::Repository::create(temp_.path() / "other", temp_.path() / "other-keys", clock_);
    ASSERT_TRUE(other);
    const auto added = installer.add_hub(url(), other->first_root());
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code(), ErrorCode::Conflict);
    EXPECT_EQ(installer.hubs().size(), 1U);
    EXPECT_TRUE(installer.add_hub(url(), repository_->first_root()));
    EXPECT_EQ(installer.hubs().size(), 1U);
    ASSERT_TRUE(installer.remove_hub(url()));
    EXPECT_TRUE(load_hubs(home_)->empty());
    EXPECT_EQ(installer.search("").error().code(), ErrorCode::NotFound);
}

TEST_F(InstallTest, the_network_is_not_touched_when_it_must_not_be) {
    open_with_hub();
    auto installer = open(Network::Offline);
    const int before = requests_;
    const auto plan = installer.plan(ref("locara/first"));
    if (plan) {
        EXPECT_EQ(installer.install(*plan, null_progress()).error().code(), ErrorCode::Offline);
    } else {
        EXPECT_EQ(plan.error().code(), ErrorCode::Offline);
    }
    EXPECT_EQ(requests_, before);
}

} // namespace
} // namespace locara::runtime
