// What the writer publishes, when it signs, and what it refuses. Read back by the real client.
#include "paths.hpp"
#include "test/forge.hpp"

#include <locara/catalog/draft_review.hpp>
#include <locara/test_support/golden.hpp>

#include <gmock/gmock.h>

#include <sys/stat.h>

namespace locara::catalog {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class CatalogRepository : public CatalogTest {
  public:
    std::filesystem::path tree() const { return folder.path() / "tree"; }

    std::filesystem::path keys() const { return folder.path() / "keys"; }

    Result<Repository> load() { return Repository::load(tree(), keys()); }

    RoleState role(const std::string& name) const {
        for (const auto& state : repository.roles()) {
            if (state.name == name) {
                return state;
            }
        }
        ADD_FAILURE() << name;
        return {};
    }

    std::map<std::string, std::string> files() const {
        Server reader;
        reader.load(tree());
        return reader.files;
    }

    /// Takes a role's private keys away, as an operator who keeps them elsewhere.
    void remove_keys(const std::string& name) {
        for (const auto& entry : std::filesystem::directory_iterator(keys())) {
            if (entry.path().filename().string().starts_with(name + "-")) {
                std::filesystem::remove(entry.path());
            }
        }
    }
};

TEST_F(CatalogRepository, lays_out_a_consistent_snapshot) {
    const auto digest = [](std::string_view bytes) {
        return crypto::sha256(as_bytes(bytes)).render();
    };
    std::vector<std::string> paths;
    for (const auto& [path, bytes] : files()) {
        paths.push_back(path);
    }
    EXPECT_THAT(paths,
                UnorderedElementsAre(
                    "metadata/1.root.json",
                    "metadata/1.targets.json",
                    "metadata/1.takedown.json",
                    "metadata/1.apps.json",
                    "metadata/2.apps.json",
                    "metadata/1.models.json",
                    "metadata/2.models.json",
                    "metadata/1.snapshot.json",
                    "metadata/2.snapshot.json",
                    "metadata/timestamp.json",
                    "targets/apps/locara/" + digest(kEntryBytes) + ".quick-add-1.0.0.json",
                    "targets/apps/locara/" + digest(kBundleBytes) + ".quick-add-1.0.0.locapp",
                    "targets/models/locara/quick-add/" + digest(kModelBytes) + ".1.0.0.json",
                    "targets/takedown/" + digest(TakedownList().render()) + ".list.json"));
}

// docs/formats/catalog.md: what clients of every later version must still read.
TEST(CatalogBytes, are_those_of_the_format) {
    const TempFolder folder = scratch();
    const auto keys = folder.path() / "keys";
    ASSERT_TRUE(create_folders(keys, 0700));
    char seed = 0;
    const auto put_keys = [&](const std::string& role, int count) {
        for (int n = 1; n <= count; ++n) {
            const auto key =
                crypto::SigningKey::from_seed(as_bytes(std::string(32, ++seed))).value();
            ASSERT_TRUE(key.save(keys / (role + "-" + std::to_string(n) + ".pem")));
        }
    };
    put_keys("root", 3);
    put_keys("targets", 3);
    for (const char* role : {"takedown", "apps", "models", "snapshot", "timestamp"}) {
        put_keys(role, 1);
    }
    const FakeClock clock(at("2026-11-22T12:00:00Z"));
    auto repository = Repository::create(folder.path() / "tree", keys, clock).value();
    ASSERT_TRUE(repository.put_target(
        CatalogTest::kEntry, as_bytes(CatalogTest::kEntryBytes), R"({"name":"Quick Add"})"));
    ASSERT_TRUE(repository.put_target(CatalogTest::kModel, as_bytes(CatalogTest::kModelBytes)));
    TakedownEntry entry;
    entry.kind = "file";
    entry.id = "sha256:" + std::string(64, 'a');
    entry.reason = "carries code";
    entry.date = "2026-11-22";
    ASSERT_TRUE(repository.add_takedown(entry));
    ASSERT_TRUE(repository.publish(clock));
    const auto metadata = folder.path() / "tree/metadata";
    for (const char* name : {"1.root.json",
                             "1.targets.json",
                             "2.takedown.json",
                             "2.apps.json",
                             "2.models.json",
                             "2.snapshot.json",
                             "timestamp.json"}) {
        EXPECT_GOLDEN(std::string("metadata/") + name, slurp(metadata / name));
    }
    EXPECT_GOLDEN("metadata/takedown-list.json", repository.takedown().render());
}

TEST_F(CatalogRepository, gives_each_role_the_keys_threshold_and_life_of_the_document) {
    const struct {
        const char* name;
        unsigned keys;
        unsigned threshold;
        int days;
    } expected[] = {{"root", 3, 2, 365},
                    {"targets", 3, 2, 90},
                    {"takedown", 1, 1, 14},
                    {"apps", 1, 1, 90},
                    {"models", 1, 1, 90},
                    {"snapshot", 1, 1, 7},
                    {"timestamp", 1, 1, 1}};

    for (const auto& want : expected) {
        const auto got = role(want.name);
        EXPECT_EQ(got.keys, want.keys) << want.name;
        EXPECT_EQ(got.keys_here, want.keys) << want.name;
        EXPECT_EQ(got.threshold, want.threshold) << want.name;
        EXPECT_EQ(got.expires, clock.now() + std::chrono::hours{24 * want.days}) << want.name;
    }
}

TEST_F(CatalogRepository, never_gives_one_key_to_two_roles) {
    Forge forge = this->forge();
    std::set<std::string> ids;
    std::size_t keys = 0;
    for (const auto& [role, own] : forge.own) {
        for (const auto& key : own) {
            ids.insert(key.public_key().id());
            ++keys;
        }
    }
    EXPECT_EQ(keys, 11U);
    EXPECT_EQ(ids.size(), keys);
}

TEST_F(CatalogRepository, keeps_private_keys_to_their_owner) {
    struct stat info {};

    ASSERT_EQ(::stat(keys().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0700U);
    for (const auto& entry : std::filesystem::directory_iterator(keys())) {
        ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 07777U, 0600U) << entry.path();
    }
    for (const auto& [path, bytes] : files()) {
        EXPECT_EQ(bytes.find("PRIVATE KEY"), std::string::npos) << path;
    }
}

TEST_F(CatalogRepository, refuses_key_files_that_others_may_read) {
    ASSERT_EQ(::chmod((keys() / "apps-1.pem").c_str(), 0644), 0);
    EXPECT_EQ(load().error().code(), ErrorCode::Refused);
}

TEST_F(CatalogRepository, changes_nothing_that_a_reader_may_be_reading) {
    const auto before = files();
    publish_honestly();
    const auto after = files();
    for (const auto& [path, bytes] : before) {
        if (path != "metadata/timestamp.json") {
            EXPECT_EQ(after.at(path), bytes) << path;
        }
    }
    // So whoever still has the old timestamp, as after a crash before the last step, is well
    // served.
    server.files = after;
    server.files["metadata/timestamp.json"] = before.at("metadata/timestamp.json");
    Client client = updated();
    EXPECT_FALSE(client.find_target("models/locara/later/1.0.0.json"));
}

TEST_F(CatalogRepository, dates_no_takedown_before_the_newest) {
    TakedownEntry entry;
    entry.kind = "app";
    entry.id = "locara/quick-add";
    entry.reason = "r";
    entry.action = TakedownAction::Warn;
    entry.date = "2028-01-01T00:00:00Z"; // by a clock that ran ahead
    ASSERT_TRUE(repository.add_takedown(entry));
    entry.action = TakedownAction::BlockRun;
    entry.date = "2026-11-22T12:00:00Z";
    ASSERT_TRUE(repository.add_takedown(entry));
    EXPECT_EQ(repository.takedown().entries().back().date, "2028-01-01T00:00:00Z");
    EXPECT_EQ(repository.takedown().find("app", "locara/quick-add")->action,
              TakedownAction::BlockRun);
}

class CatalogTakedownLimit : public CatalogRepository {
  public:
    /// A list as long as this.
    static std::string list_of(std::size_t entries, std::size_t id_bytes) {
        Json json = {{"schema", "locara.dev/takedown/v1"}, {"entries", Json::array()}};
        for (std::size_t i = 0; i < entries; ++i) {
            json["entries"].push_back({{"kind", "app"},
                                       {"id", std::to_string(i) + std::string(id_bytes, 'a')},
                                       {"action", "warn"},
                                       {"reason", "r"},
                                       {"date", "2026-11-22"}});
        }
        return render_json(json);
    }

    /// Has a list signed elsewhere, and imports it.
    Status import_list(const std::string& list) {
        const std::string sha256 = crypto::sha256(as_bytes(list)).render();
        EXPECT_TRUE(write_file_atomically(tree() / "targets/takedown" / (sha256 + ".list.json"),
                                          as_bytes(list)));
        return import({{"length", list.size()}, {"hashes", {{"sha256", sha256}}}});
    }

    /// The same with an entry of the takedown role's targets; none: without any.
    Status import(const Json& target) {
        auto draft = repository.draft("takedown", clock).value();
        Json document = parse_json(draft.bytes).value();
        document["signed"]["targets"] = Json::object();
        if (!target.is_null()) {
            document["signed"]["targets"]["takedown/list.json"] = target;
        }
        draft.bytes = render_json(document);
        EXPECT_TRUE(sign_draft(draft, keys(), std::nullopt));
        return repository.adopt({draft}, clock);
    }

    static TakedownEntry entry() {
        TakedownEntry out;
        out.kind = "app";
        out.id = "locara/quick-add";
        out.reason = "r";
        out.date = "2026-11-22";
        return out;
    }
};

TEST_F(CatalogTakedownLimit, is_kept_in_bytes_before_anything_is_written) {
    ASSERT_TRUE(import_list(list_of(49, 100'000)));
    const auto before = files();
    const auto list = repository.takedown();
    TakedownEntry one = entry();
    one.versions.emplace();
    for (int i = 0; i < 20'000; ++i) {
        one.versions->push_back("1.0." + std::to_string(i));
    }
    const auto added = repository.add_takedown(one);
    EXPECT_EQ(added.error().code(), ErrorCode::TooLarge) << added.error().describe();
    EXPECT_THAT(added.error().describe(), HasSubstr("nobody could read"));
    EXPECT_EQ(repository.takedown(), list);
    EXPECT_EQ(files(), before);
    // It goes on with what fits.
    ASSERT_TRUE(repository.add_takedown(entry()));
    ASSERT_TRUE(repository.publish(clock));
    EXPECT_TRUE(load());
    server.load(tree());
    EXPECT_EQ(updated().takedown().find("app", "locara/quick-add")->reason, "r");
}

TEST_F(CatalogTakedownLimit, is_kept_by_what_was_signed_elsewhere) {
    ASSERT_TRUE(repository.add_takedown(entry()));
    ASSERT_TRUE(repository.publish(clock));
    const auto before = slurp(tree() / "metadata/timestamp.json");
    EXPECT_EQ(import_list(list_of(51, 100'000)).error().code(), ErrorCode::TooLarge);
    // No list at all drops every entry.
    EXPECT_THAT(import(nullptr).error().message(), HasSubstr("lacks entries"));
    EXPECT_EQ(slurp(tree() / "metadata/timestamp.json"), before);
    EXPECT_EQ(repository.takedown().entries().size(), 1U);
    EXPECT_TRUE(load());
}

TEST_F(CatalogRepository, loads_what_it_published_and_goes_on) {
    TakedownEntry entry;
    entry.kind = "file";
    entry.id = "sha256:" + std::string(64, 'a');
    entry.reason = "r";
    entry.date = "2026-11-22";
    ASSERT_TRUE(repository.add_takedown(entry));
    ASSERT_TRUE(repository.publish(clock));
    auto again = load().value();
    EXPECT_EQ(again.targets(), repository.targets());
    EXPECT_EQ(again.takedown(), repository.takedown());
    EXPECT_EQ(again.fingerprint(), repository.fingerprint());
    ASSERT_TRUE(again.put_target("apps/other/app-1.0.0.json", as_bytes("x")));
    ASSERT_TRUE(again.publish(clock));
    server.load(tree());
    EXPECT_EQ(updated().targets("apps/*/*").size(), 3U);
}

TEST_F(CatalogRepository, knows_what_was_ever_published) {
    const std::string name = "models/acme/tiny/1.0.0.json";
    EXPECT_EQ(repository.find_published(name).value(), std::nullopt);
    ASSERT_TRUE(repository.put_target(name, as_bytes("a")));
    EXPECT_EQ(repository.find_published(name).value(), std::nullopt) << "only staged";
    ASSERT_TRUE(repository.publish(clock));
    EXPECT_EQ(repository.find_published(name).value(), crypto::sha256(as_bytes("a")).render());
    ASSERT_TRUE(repository.remove_target(name));
    ASSERT_TRUE(repository.publish(clock));
    EXPECT_EQ(repository.find_published(name).value(), crypto::sha256(as_bytes("a")).render())
        << "and taken out again";
    EXPECT_EQ(repository.find_published("x").error().code(), ErrorCode::InvalidArgument);
}

TEST_F(CatalogRepository, reads_what_was_published_once_for_all_that_is_asked) {
    const std::string name = "models/acme/tiny/1.0.0.json";
    ASSERT_TRUE(repository.put_target(name, as_bytes("a")));
    ASSERT_TRUE(repository.publish(clock));
    EXPECT_EQ(repository.find_published("models/acme/none/1.0.0.json").value(), std::nullopt);
    for (const auto& entry : std::filesystem::directory_iterator(tree() / "metadata")) {
        if (entry.path().filename().string().ends_with(".models.json")) {
            std::filesystem::remove(entry.path()); // what is read again would be missed
        }
    }
    EXPECT_EQ(repository.find_published(name).value(), crypto::sha256(as_bytes("a")).render());
    EXPECT_EQ(repository.find_published("models/acme/other/1.0.0.json").value(), std::nullopt);
}

TEST_F(CatalogRepository, tells_staged_keys_from_published_ones) {
    const auto before = repository.keys_of("models");
    ASSERT_TRUE(repository.stage_new_keys("models"));
    EXPECT_EQ(repository.keys_of("models"), before);
    const auto after = repository.staged_keys_of("models");
    EXPECT_NE(after, before);
    EXPECT_EQ(repository.find_signing_key("models")->public_key(), after.front());
    EXPECT_EQ(repository.find_signing_key("nobody"), nullptr);
}

TEST_F(CatalogRepository, makes_keys_only_of_roles_whose_keys_are_here) {
    for (const char* role : {"root", "targets", "takedown", "apps", "models"}) {
        remove_keys(role);
    }
    auto bare = load().value();
    for (const char* role : {"root", "targets", "takedown", "apps", "models"}) {
        EXPECT_EQ(bare.stage_new_keys(role).error().code(), ErrorCode::Refused) << role;
        EXPECT_EQ(bare.rotate_keys(role, clock).error().code(), ErrorCode::Refused) << role;
        EXPECT_FALSE(std::filesystem::exists(keys() / (std::string(role) + "-1.pem"))) << role;
    }
    EXPECT_TRUE(bare.stage_new_keys("timestamp"));
}

TEST_F(CatalogRepository, replaces_the_keys_of_a_role_by_given_ones) {
    const auto before = repository.keys_of("root");
    const auto other = crypto::SigningKey::generate().public_key();
    const std::vector<crypto::PublicKey> keys = {before[0], other, before[2]};
    ASSERT_TRUE(repository.stage_keys("root", keys));
    EXPECT_EQ(repository.staged_keys_of("root"), keys);
    const auto stage = [&](std::vector<crypto::PublicKey> wrong) {
        return repository.stage_keys("root", wrong).error().code();
    };
    EXPECT_EQ(stage({before[0]}), ErrorCode::InvalidArgument); // two must sign
    EXPECT_EQ(stage({other, other}), ErrorCode::Conflict);
    EXPECT_EQ(stage({other, repository.keys_of("apps").front()}), ErrorCode::Conflict);
    EXPECT_EQ(repository.staged_keys_of("root"), keys);
}

TEST_F(CatalogRepository, rotates_nothing_when_what_goes_with_it_fails) {
    const auto before = repository.keys_of("models");
    const auto done =
        repository.rotate_keys("models", clock, [] { return Status(Error(ErrorCode::Io, "no")); });
    EXPECT_EQ(done.error().code(), ErrorCode::Io);
    EXPECT_EQ(repository.staged_keys_of("models"), before);
    ASSERT_TRUE(repository.publish(clock));
    EXPECT_EQ(repository.keys_of("models"), before);
}

TEST_F(CatalogRepository, verifies_what_it_loads) {
    auto bytes = slurp(tree() / "metadata/2.apps.json");
    bytes.replace(bytes.find("quick-add"), 9, "quick-bad");
    ASSERT_TRUE(write_file_atomically(tree() / "metadata/2.apps.json", as_bytes(bytes)));
    EXPECT_EQ(load().error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(Repository::load(folder.path() / "absent", keys()).error().code(),
              ErrorCode::NotFound);
}

TEST_F(CatalogRepository, is_created_once_but_after_a_killed_create_again) {
    EXPECT_EQ(Repository::create(tree(), keys(), clock).error().code(), ErrorCode::Conflict);
    // Killed before the timestamp was there: the keys are kept.
    const auto key = slurp(keys() / "root-1.pem");
    std::filesystem::remove(tree() / "metadata/timestamp.json");
    auto again = Repository::create(tree(), keys(), clock);
    ASSERT_TRUE(again) << again.error().describe();
    EXPECT_EQ(slurp(keys() / "root-1.pem"), key);
    server.load(tree());
    Client client = open();
    ASSERT_TRUE(client.trust(again->first_root()));
    EXPECT_TRUE(client.refresh());
}

TEST_F(CatalogRepository, refuses_impossible_options) {
    RepositoryOptions options;
    options.apps = {2, 3, std::chrono::hours{24}};
    const auto created =
        Repository::create(folder.path() / "t", folder.path() / "k", clock, options);
    EXPECT_EQ(created.error().code(), ErrorCode::InvalidArgument);
    EXPECT_THAT(created.error().message(), HasSubstr("apps"));
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "k"));
}

TEST_F(CatalogRepository, refuses_names_that_no_role_owns_or_that_need_escaping) {
    for (const auto* name : {"",
                             "/apps/a/b",
                             "apps/../b/c",
                             "apps/a/",
                             "apps//b",
                             "apps/a/b/c",
                             "apps/a",
                             "models/a/b",
                             "other/a/b",
                             "takedown/list.json",
                             "apps/a/b c",
                             "apps/a/b%2f",
                             "apps/a/\xC3\xA9"}) {
        const auto put = repository.put_target(name, as_bytes("x"));
        EXPECT_EQ(put.error().code(), ErrorCode::InvalidArgument) << name;
    }
    EXPECT_EQ(repository.put_target("apps/a/b", as_bytes("x"), "[1]").error().code(),
              ErrorCode::InvalidArgument);
    EXPECT_EQ(repository.put_target("apps/a/b", as_bytes("x"), R"({"a":1.5})").error().code(),
              ErrorCode::InvalidArgument);
    EXPECT_EQ(repository.remove_target("apps/a/b").error().code(), ErrorCode::NotFound);
}

TEST_F(CatalogRepository, grows_no_role_beyond_what_readers_take) {
    const std::string custom = R"({"text":")" + std::string(2'600'000, 'x') + R"("})";
    ASSERT_TRUE(repository.put_target("apps/a/b", as_bytes("x"), custom));
    ASSERT_TRUE(repository.publish(clock));
    ASSERT_TRUE(repository.put_target("apps/a/c", as_bytes("x"), custom));
    const auto before = files();
    const auto published = repository.publish(clock);
    EXPECT_EQ(published.error().code(), ErrorCode::TooLarge);
    EXPECT_EQ(files(), before);
    ASSERT_TRUE(repository.remove_target("apps/a/c"));
    ASSERT_TRUE(repository.publish(clock));
    server.load(tree());
    EXPECT_TRUE(updated().find_target("apps/a/b"));
}

TEST_F(CatalogRepository, copies_big_files_without_holding_them) {
    const std::string big(3'000'000, 'b');
    ASSERT_TRUE(write_file_atomically(folder.path() / "big", as_bytes(big)));
    ASSERT_TRUE(repository.put_target_file("apps/a/big-1.0.0+x.locapp", folder.path() / "big"));
    ASSERT_TRUE(repository.publish(clock));
    FolderFetcher fetcher(tree());
    Client client = Client::open(state(), fetcher, clock).value();
    ASSERT_TRUE(client.trust(repository.first_root()));
    ASSERT_TRUE(client.refresh());
    ASSERT_TRUE(client.get_target_file("apps/a/big-1.0.0+x.locapp", folder.path() / "out"));
    EXPECT_EQ(slurp(folder.path() / "out"), big);
}

TEST_F(CatalogRepository, writes_nothing_when_nothing_changed) {
    const auto before = files();
    ASSERT_TRUE(repository.publish(clock));
    ASSERT_TRUE(repository.put_target(kModel, as_bytes(kModelBytes)));
    ASSERT_TRUE(repository.publish(clock));
    EXPECT_EQ(files(), before);
}

TEST_F(CatalogRepository, signs_the_online_roles_when_half_their_life_is_over) {
    EXPECT_FALSE(repository.resign_online(clock).value());
    clock.advance(std::chrono::hours{13});
    EXPECT_TRUE(repository.resign_online(clock).value());
    EXPECT_EQ(role("timestamp").version, 3U);
    EXPECT_EQ(role("snapshot").version, 2U);
    EXPECT_FALSE(repository.resign_online(clock).value());
    clock.advance(std::chrono::hours{24 * 4});
    EXPECT_TRUE(repository.resign_online(clock).value());
    EXPECT_EQ(role("snapshot").version, 3U);
    server.load(tree());
    EXPECT_TRUE(updated().check_fresh());
}

TEST_F(CatalogRepository, signs_anew_what_a_clock_that_ran_ahead_signed_and_says_what_outlasts_it) {
    const TimePoint right = clock.now();
    clock.advance(std::chrono::hours{24 * 100});
    ASSERT_TRUE(repository.resign_online(clock).value());
    const TimePoint wrong = role("timestamp").expires;
    clock.advance(std::chrono::hours{-24 * 100});
    EXPECT_EQ(repository.outlasting("timestamp", clock.now()), wrong);
    ASSERT_TRUE(repository.resign_online(clock).value());
    EXPECT_EQ(role("timestamp").expires, right + std::chrono::hours{24});
    EXPECT_EQ(role("snapshot").expires, right + std::chrono::hours{24 * 7});
    EXPECT_FALSE(repository.resign_online(clock).value()) << "once is enough";

    // As long as the keys stay, and whoever loads the catalog.
    clock.advance(std::chrono::hours{24 * 5});
    ASSERT_TRUE(repository.resign_online(clock).value());
    const auto loaded = load().value();
    EXPECT_EQ(loaded.outlasting("timestamp", clock.now()), wrong);
    EXPECT_TRUE(loaded.outlasting("snapshot", clock.now()));
    EXPECT_FALSE(loaded.outlasting("targets", clock.now()));
    EXPECT_FALSE(loaded.outlasting("timestamp", wrong)) << "it has lapsed";
    ASSERT_TRUE(repository.rotate_keys("timestamp", clock));
    EXPECT_FALSE(repository.outlasting("timestamp", clock.now()));
    EXPECT_TRUE(repository.outlasting("snapshot", clock.now()));
    server.load(tree());
    EXPECT_TRUE(updated().check_fresh());
}

TEST_F(CatalogRepository, needs_no_more_than_the_online_keys_to_stay_fresh) {
    for (const auto* name : {"root", "targets", "apps", "models", "takedown"}) {
        remove_keys(name);
    }
    auto online = load().value();
    clock.advance(std::chrono::hours{24 * 6});
    EXPECT_TRUE(online.resign_online(clock).value());
    server.load(tree());
    EXPECT_TRUE(updated().check_fresh());

    ASSERT_TRUE(online.put_target("apps/a/b", as_bytes("x")));
    const auto before = files();
    const auto published = online.publish(clock);
    EXPECT_EQ(published.error().code(), ErrorCode::Refused);
    EXPECT_THAT(published.error().message(), HasSubstr("the role apps must be signed by 1 keys"));
    EXPECT_EQ(files(), before);
    remove_keys("timestamp");
    clock.advance(std::chrono::hours{24});
    EXPECT_EQ(load()->resign_online(clock).error().code(), ErrorCode::Refused);
}

TEST_F(CatalogRepository, renews_every_role_that_is_due_when_it_publishes) {
    clock.advance(std::chrono::hours{24 * 200});
    ASSERT_TRUE(repository.publish(clock));
    server.load(tree());
    Client client = updated();
    EXPECT_TRUE(client.check_fresh());
    EXPECT_EQ(client.root()->version, 2U);
    for (const auto& state : repository.roles()) {
        EXPECT_GT(state.expires - clock.now(), std::chrono::hours{23}) << state.name;
    }
}

TEST_F(CatalogRepository, tells_the_second_of_two_writers_to_load_again) {
    auto other = load().value();
    ASSERT_TRUE(other.put_target("apps/a/b", as_bytes("x")));
    publish_honestly();
    EXPECT_EQ(other.publish(clock).error().code(), ErrorCode::Conflict);
    const auto lock = FileLock::try_acquire(tree() / "lock").value();
    ASSERT_TRUE(repository.put_target("apps/a/b", as_bytes("x")));
    EXPECT_EQ(repository.publish(clock).error().code(), ErrorCode::Busy);
}

class CatalogRotation : public CatalogRepository,
                        public ::testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(
    roles,
    CatalogRotation,
    ::testing::Values("root", "targets", "takedown", "apps", "models", "snapshot", "timestamp"),
    [](const auto& instance) { return std::string(instance.param); });

TEST_P(CatalogRotation, of_keys_is_followed_by_old_and_new_clients) {
    Client old_client = updated();
    const auto before = files();
    const auto had = role(GetParam());
    ASSERT_TRUE(repository.rotate_keys(GetParam(), clock));
    EXPECT_EQ(role(GetParam()).keys, had.keys);
    EXPECT_EQ(role(GetParam()).version, had.version + 1);
    server.load(tree());
    const auto refreshed = old_client.refresh();
    ASSERT_TRUE(refreshed) << refreshed.error().describe();
    EXPECT_TRUE(old_client.check_fresh());

    // While the new root is not there yet, the rest of the publication is good under the old one.
    std::filesystem::remove_all(state());
    Client between = trusting();
    for (auto file = server.files.begin(); file != server.files.end();) {
        const bool fresh_root =
            file->first.ends_with(".root.json") && before.count(file->first) == 0;
        file = fresh_root ? server.files.erase(file) : std::next(file);
    }
    const auto early = between.refresh();
    ASSERT_TRUE(early) << early.error().describe();

    // The old keys are worth nothing now.
    for (std::size_t n = 1; n <= had.keys; ++n) {
        std::filesystem::remove(keys() /
                                (std::string(GetParam()) + "-" + std::to_string(n) + ".pem"));
    }
    auto again = load().value();
    for (const auto& state : again.roles()) {
        EXPECT_EQ(state.keys_here, state.keys) << state.name;
    }
    clock.advance(std::chrono::hours{24 * 200});
    ASSERT_TRUE(again.publish(clock));
    server.load(tree());
    std::filesystem::remove_all(state());
    EXPECT_TRUE(updated().check_fresh());
}

TEST_F(CatalogRepository, rotates_nothing_without_the_keys_that_must_sign_it) {
    remove_keys("root");
    auto repository_without = load().value();
    const auto before = files();
    EXPECT_EQ(repository_without.rotate_keys("timestamp", clock).error().code(),
              ErrorCode::Refused);
    EXPECT_EQ(files(), before);
    EXPECT_FALSE(std::filesystem::exists(keys() / "timestamp-2.pem"));
    clock.advance(std::chrono::hours{13});
    EXPECT_TRUE(repository_without.resign_online(clock).value());
    EXPECT_EQ(repository_without.rotate_keys("nobody", clock).error().code(),
              ErrorCode::InvalidArgument);
}

TEST(CatalogDraftFile, keeps_what_signers_are_to_see_each_by_itself) {
    const std::string signed_by_none = R"({"signatures":[],"signed":{"_type":"targets"}})";
    for (const Draft& draft : {Draft{"takedown", signed_by_none},
                               Draft{"takedown", signed_by_none, signed_by_none},
                               Draft{"takedown", signed_by_none, {}, "a list"},
                               Draft{"takedown", signed_by_none, {}, {}, "the list before"}}) {
        const Draft again = parse_draft_file("takedown", render_draft_file(draft)).value();
        EXPECT_EQ(again.bytes, draft.bytes);
        EXPECT_EQ(again.published, draft.published);
        EXPECT_EQ(again.list, draft.list);
        EXPECT_EQ(again.list_was, draft.list_was);
    }
}

TEST(CatalogPaths, match_part_by_part) {
    EXPECT_TRUE(matches_pattern("apps/*/*", "apps/locara/quick-add-1.0.0.json"));
    EXPECT_FALSE(matches_pattern("apps/*/*", "apps/locara/a/b"));
    EXPECT_FALSE(matches_pattern("apps/*/*", "apps/locara"));
    EXPECT_FALSE(matches_pattern("apps/*/*", "models/locara/x"));
    EXPECT_TRUE(matches_pattern("*", "file"));
    EXPECT_FALSE(matches_pattern("*", "a/file"));
    // The examples of TUF 1.0.34, section 4.5.
    EXPECT_TRUE(matches_pattern("targets/*.tgz", "targets/foo.tgz"));
    EXPECT_TRUE(matches_pattern("targets/*.tgz", "targets/bar.tgz"));
    EXPECT_FALSE(matches_pattern("targets/*.tgz", "targets/foo.txt"));
    EXPECT_TRUE(matches_pattern("foo-version-?.tgz", "foo-version-2.tgz"));
    EXPECT_TRUE(matches_pattern("foo-version-?.tgz", "foo-version-a.tgz"));
    EXPECT_FALSE(matches_pattern("foo-version-?.tgz", "foo-version-alpha.tgz"));
    EXPECT_FALSE(matches_pattern("a?b", "a/b"));
    EXPECT_TRUE(matches_pattern("[a-c]x[!0-9]", "bxz"));
    EXPECT_FALSE(matches_pattern("[a-c]x[!0-9]", "bx5"));
    EXPECT_TRUE(matches_pattern("[x", "[x"));
    EXPECT_TRUE(matches_pattern("a*b*c", "aXbYbZc"));
    EXPECT_FALSE(matches_pattern("a*b*c", "aXbYbZ"));
    EXPECT_TRUE(matches_pattern("", ""));
    // What makes careless matchers take for ever.
    std::string stars;
    for (int i = 0; i < 200; ++i) {
        stars += "*a";
    }
    EXPECT_FALSE(matches_pattern(stars + "b", std::string(2000, 'a')));
}

TEST(CatalogPaths, escape_what_addresses_cannot_hold) {
    EXPECT_EQ(target_address("apps/a/b+1 ?.json", "00"), "targets/apps/a/00.b+1%20%3F.json");
    EXPECT_EQ(target_address("file", ""), "targets/file");
    EXPECT_TRUE(is_relative_path("a/b.c/..d"));
    for (const auto* bad : {"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", "./a"}) {
        EXPECT_FALSE(is_relative_path(bad)) << bad;
    }
}

} // namespace
} // namespace locara::catalog
