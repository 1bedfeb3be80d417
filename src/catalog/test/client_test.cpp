// What an honest client gets from an honest catalog, and what it keeps when there is none.
#include "test/forge.hpp"

#include <gmock/gmock.h>

namespace locara::catalog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> names(const std::vector<Target>& targets) {
    std::vector<std::string> out;
    for (const auto& target : targets) {
        out.push_back(target.name);
    }
    return out;
}

class CatalogClient : public CatalogTest {};

TEST_F(CatalogClient, takes_nothing_before_a_root_is_trusted) {
    Client client = open();
    EXPECT_FALSE(client.has_root());
    EXPECT_EQ(client.refresh().error().code(), ErrorCode::Refused);
    EXPECT_EQ(client.root().error().code(), ErrorCode::Refused);
    EXPECT_EQ(client.pinned().error().code(), ErrorCode::Refused);
    EXPECT_EQ(client.get_target(kEntry).error().code(), ErrorCode::NotFound);
    EXPECT_FALSE(std::filesystem::exists(state()));
}

TEST_F(CatalogClient, pins_the_root_whose_fingerprint_the_operator_published) {
    Client client = open();
    const auto offered = client.fetch_first_root().value();
    const auto info = inspect_root(offered).value();
    EXPECT_EQ(info.fingerprint.render(), repository.fingerprint());
    EXPECT_EQ(info.version, 1U);
    EXPECT_EQ(info.keys, 3U);
    EXPECT_EQ(info.threshold, 2U);
    EXPECT_FALSE(client.has_root());
    ASSERT_TRUE(client.trust(offered));
    EXPECT_TRUE(client.has_root());
    EXPECT_EQ(client.pinned()->render(), repository.fingerprint());
    ASSERT_TRUE(client.trust(offered)) << "the same again is no change";
}

TEST_F(CatalogClient, refuses_to_pin_what_is_no_root_or_a_second_one) {
    Client client = open();
    EXPECT_EQ(client.trust("hello").error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(client.trust(server.files["metadata/timestamp.json"]).error().code(),
              ErrorCode::InvalidArgument);
    EXPECT_EQ(client.trust(std::string(600'000, ' ')).error().code(), ErrorCode::TooLarge);
    std::string forged = repository.first_root();
    forged.replace(forged.find("\"version\":1"), 11, "\"version\":2");
    EXPECT_EQ(client.trust(forged).error().code(), ErrorCode::Corrupt);
    EXPECT_FALSE(client.has_root());

    ASSERT_TRUE(client.trust(repository.first_root()));
    const auto other =
        Repository::create(folder.path() / "tree2", folder.path() / "keys2", clock).value();
    const auto refused = client.trust(other.first_root());
    EXPECT_EQ(refused.error().code(), ErrorCode::Conflict);
    EXPECT_THAT(refused.error().message(), HasSubstr(other.fingerprint()));
}

TEST_F(CatalogClient, brings_every_target_with_what_its_role_says_of_it) {
    Client client = trusting();
    const auto changes = client.refresh().value();
    EXPECT_THAT(changes.added, ElementsAre(kEntry, kBundle, kModel, "takedown/list.json"));
    EXPECT_TRUE(changes.any());
    EXPECT_EQ(client.last_checked(), clock.now());
    EXPECT_EQ(client.roles().size(), 7U);
    EXPECT_TRUE(client.check_fresh());

    EXPECT_THAT(names(client.targets("apps/*/*.json")), ElementsAre(kEntry));
    EXPECT_THAT(names(client.targets("*")), IsEmpty());
    const auto entry = client.find_target(kEntry).value();
    EXPECT_EQ(entry.role, "apps");
    EXPECT_EQ(entry.length, std::string(kEntryBytes).size());
    EXPECT_EQ(entry.hashes.at("sha256"), crypto::sha256(as_bytes(kEntryBytes)).render());
    EXPECT_EQ(entry.custom, R"({"name":"Quick Add","category":"productivity"})");
    EXPECT_EQ(client.find_target(kModel)->role, "models");
    EXPECT_FALSE(client.find_target("apps/locara/other-1.0.0.json"));

    EXPECT_EQ(client.get_target(kEntry).value(), kEntryBytes);
    const auto missing = client.get_target("apps/locara/other-1.0.0.json");
    EXPECT_EQ(missing.error().code(), ErrorCode::NotFound);
}

TEST_F(CatalogClient, writes_big_targets_into_files) {
    Client client = updated();
    const auto dest = folder.path() / "bundle.locapp";
    ASSERT_TRUE(client.get_target_file(kBundle, dest));
    EXPECT_EQ(slurp(dest), kBundleBytes);
}

TEST_F(CatalogClient, asks_for_two_files_when_nothing_changed) {
    Client client = updated();
    server.requests.clear();
    const auto changes = client.refresh().value();
    EXPECT_FALSE(changes.any());
    EXPECT_THAT(server.requests, ElementsAre("metadata/2.root.json", "metadata/timestamp.json"));
}

TEST_F(CatalogClient, fetches_only_the_roles_that_changed) {
    Client client = updated();
    publish_honestly();
    server.requests.clear();
    const auto changes = client.refresh().value();
    EXPECT_THAT(changes.added, ElementsAre("models/locara/later/1.0.0.json"));
    EXPECT_THAT(server.requests,
                ElementsAre("metadata/2.root.json",
                            "metadata/timestamp.json",
                            "metadata/3.snapshot.json",
                            "metadata/3.models.json"));
}

TEST_F(CatalogClient, says_what_changed_and_what_went) {
    Client client = updated();
    ASSERT_TRUE(repository.put_target(kEntry, as_bytes("new bytes")));
    ASSERT_TRUE(repository.remove_target(kModel));
    ASSERT_TRUE(repository.publish(clock));
    server.load(folder.path() / "tree");
    const auto changes = client.refresh().value();
    EXPECT_THAT(changes.changed, ElementsAre(kEntry));
    EXPECT_THAT(changes.removed, ElementsAre(kModel));
    EXPECT_THAT(changes.added, IsEmpty());
    EXPECT_EQ(client.get_target(kEntry).value(), "new bytes");
}

TEST_F(CatalogClient, works_offline_with_what_it_fetched) {
    {
        Client client = updated();
        ASSERT_TRUE(client.get_target(kEntry));
    }
    server.reachable = false;
    Client client = open();
    EXPECT_EQ(client.targets("*/*/*").size(), 2U);
    EXPECT_EQ(client.get_target(kEntry).value(), kEntryBytes);
    EXPECT_EQ(client.get_target(kModel).error().code(), ErrorCode::Unavailable);
    EXPECT_EQ(client.refresh().error().code(), ErrorCode::Unavailable);
    EXPECT_EQ(client.last_checked(), clock.now());
}

TEST_F(CatalogClient, reads_an_expired_catalog_but_calls_it_not_fresh) {
    {
        Client client = updated();
        ASSERT_TRUE(client.get_target(kEntry));
    }
    clock.advance(std::chrono::hours{24 * 400});
    Client client = open();
    EXPECT_EQ(client.get_target(kEntry).value(), kEntryBytes);
    const auto fresh = client.check_fresh();
    ASSERT_FALSE(fresh);
    EXPECT_EQ(fresh.error().code(), ErrorCode::Corrupt);
    EXPECT_THAT(fresh.error().describe(), HasSubstr("last checked on 2026-11-22T12:00:00Z"));
    EXPECT_THAT(fresh.error().describe(), HasSubstr("root expired on 2027-11-22T12:00:00Z"));
    EXPECT_EQ(client.refresh().error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(client.get_target(kEntry).value(), kEntryBytes);
}

TEST_F(CatalogClient, fetches_a_kept_target_again_if_its_file_was_damaged) {
    Client client = updated();
    ASSERT_TRUE(client.get_target(kEntry));
    const auto digest = client.find_target(kEntry)->hashes.at("sha256");
    const auto file = state() / "targets" / digest;
    ASSERT_TRUE(write_file_atomically(file, as_bytes("{\"schema\":\"locara.dev/app-entry/v2\"}")));
    EXPECT_EQ(client.get_target(kEntry).value(), kEntryBytes);
    EXPECT_EQ(slurp(file), kEntryBytes);
}

TEST_F(CatalogClient, says_when_its_stored_state_was_damaged) {
    (void)updated();
    for (const auto& entry : std::filesystem::directory_iterator(state() / "objects")) {
        const std::string good = slurp(entry.path());
        std::string bad = good;
        bad[bad.size() / 2] ^= 1;
        ASSERT_TRUE(write_file_atomically(entry.path(), as_bytes(bad)));
        const auto opened = Client::open(state(), server, clock);
        ASSERT_FALSE(opened) << entry.path();
        EXPECT_EQ(opened.error().code(), ErrorCode::Corrupt);
        EXPECT_THAT(opened.error().message(), HasSubstr("complete.json and refresh"));
        ASSERT_TRUE(write_file_atomically(entry.path(), as_bytes(good)));
    }
    // The way out that the message names.
    std::filesystem::remove(state() / "complete.json");
    Client client = open();
    EXPECT_TRUE(client.targets("*/*/*").empty());
    ASSERT_TRUE(client.refresh());
    EXPECT_EQ(client.targets("*/*/*").size(), 2U);
}

TEST_F(CatalogClient, lets_one_process_update_at_a_time) {
    Client client = updated();
    const auto lock = FileLock::try_acquire(state() / "lock").value();
    EXPECT_EQ(client.refresh().error().code(), ErrorCode::Busy);
}

TEST_F(CatalogClient, sees_what_another_process_updated) {
    Client one = updated();
    Client two = open();
    publish_honestly();
    ASSERT_TRUE(one.refresh());
    EXPECT_FALSE(two.refresh()->any());
    EXPECT_EQ(two.targets("models/*/*/*").size(), 2U);
}

TEST_F(CatalogClient, survives_a_hub_that_goes_away_at_any_request) {
    const auto first = repository.first_root();
    for (std::size_t answered = 0;; ++answered) {
        std::filesystem::remove_all(state());
        Client client = trusting();
        server.requests.clear();
        server.fail_after = answered;
        const auto refreshed = client.refresh();
        server.fail_after = static_cast<std::size_t>(-1);
        if (refreshed) {
            EXPECT_EQ(answered, 8U) << "root, timestamp, snapshot, four targets roles, the list";
            break;
        }
        EXPECT_EQ(refreshed.error().code(), ErrorCode::Unavailable);
        EXPECT_TRUE(refreshed.error().retryable());
        Client again = open();
        const auto second = again.refresh();
        ASSERT_TRUE(second) << second.error().describe();
        EXPECT_EQ(again.targets("*/*/*").size(), 2U);
    }
}

TEST_F(CatalogClient, calls_a_hub_without_a_catalog_unavailable) {
    Client client = trusting();
    server.files.clear();
    const auto refreshed = client.refresh();
    EXPECT_EQ(refreshed.error().code(), ErrorCode::Unavailable);
    EXPECT_THAT(refreshed.error().message(), HasSubstr("metadata/timestamp.json"));
}

/// A copy of the catalog as files, and a client elsewhere that reads it.
class CatalogCopy : public CatalogTest {
  protected:
    std::filesystem::path copy() const { return folder.path() / "copy"; }

    Client elsewhere() {
        Client client = Client::open(folder.path() / "elsewhere", files, clock).value();
        EXPECT_TRUE(client.trust(repository.first_root()));
        return client;
    }

    void write_copy(Client& client) {
        const auto first = client.copy_to(copy(), {{kEntry, {}}, {kBundle, {}}, {kModel, {}}});
        ASSERT_TRUE(first) << first.error().describe();
        EXPECT_EQ(*first, 1U);
    }

    FolderFetcher files{copy()};
};

TEST_F(CatalogCopy, brings_a_client_elsewhere_through_every_root) {
    Client client = updated();
    for (const auto* role : {"timestamp", "root"}) {
        ASSERT_TRUE(repository.rotate_keys(role, clock));
        server.load(folder.path() / "tree");
        ASSERT_TRUE(client.refresh());
    }
    ASSERT_TRUE(client.get_target(kEntry));
    write_copy(client);
    Client reader = elsewhere();
    ASSERT_TRUE(reader.refresh(Expiry::OfflineBundle));
    EXPECT_EQ(reader.root()->version, client.root()->version);
    EXPECT_EQ(reader.get_target(kEntry).value(), kEntryBytes);
    const auto dest = folder.path() / "bundle.locapp";
    ASSERT_TRUE(reader.get_target_file(kBundle, dest));
    EXPECT_EQ(slurp(dest), kBundleBytes);
    EXPECT_EQ(reader.takedown(), client.takedown());
}

TEST_F(CatalogCopy, needs_no_hub_for_what_is_here) {
    Client client = updated();
    ASSERT_TRUE(repository.rotate_keys("snapshot", clock));
    server.load(folder.path() / "tree");
    ASSERT_TRUE(client.refresh());
    for (const auto* name : {kEntry, kModel}) {
        ASSERT_TRUE(client.get_target(name));
    }
    const auto archive = folder.path() / "here.locapp";
    ASSERT_TRUE(client.get_target_file(kBundle, archive));
    server.requests.clear();
    ASSERT_TRUE(client.copy_to(copy(), {{kEntry, {}}, {kBundle, archive}, {kModel, {}}}));
    EXPECT_THAT(server.requests, IsEmpty());
    // A root that was not kept, or a file that is none of it, is asked for.
    std::filesystem::remove_all(state() / "roots");
    std::filesystem::remove_all(copy());
    ASSERT_TRUE(write_file_atomically(archive, as_bytes("something else")));
    ASSERT_TRUE(client.copy_to(copy(), {{kBundle, archive}}));
    EXPECT_EQ(server.requests.size(), 2U);
}

TEST_F(CatalogCopy, may_be_past_the_expiry_of_what_lasts_days_and_of_nothing_else) {
    Client client = updated();
    write_copy(client);
    const TimePoint signed_at = clock.now();
    for (const int days : {20, 89}) {
        clock.set(signed_at + std::chrono::hours(24 * days));
        std::filesystem::remove_all(folder.path() / "elsewhere");
        Client reader = elsewhere();
        EXPECT_EQ(reader.refresh().error().code(), ErrorCode::Corrupt) << "but for a bundle";
        ASSERT_TRUE(reader.refresh(Expiry::OfflineBundle));
        EXPECT_TRUE(reader.check_fresh(Expiry::OfflineBundle));
        EXPECT_FALSE(reader.check_fresh());
        EXPECT_EQ(reader.last_checked(), signed_at);
        for (const auto& role : reader.roles()) {
            EXPECT_EQ(role.signed_at.has_value(), is_short_lived(role.name)) << role.name;
            if (role.signed_at) {
                EXPECT_EQ(*role.signed_at, signed_at);
            }
        }
    }
    clock.set(signed_at + std::chrono::hours(24 * 91)); // targets, apps, models: 90 days
    std::filesystem::remove_all(folder.path() / "elsewhere");
    Client reader = elsewhere();
    const auto refused = reader.refresh(Expiry::OfflineBundle);
    EXPECT_EQ(refused.error().code(), ErrorCode::Corrupt);
    EXPECT_THAT(refused.error().message(), HasSubstr("expired"));
}

TEST_F(CatalogCopy, that_is_older_than_what_is_stored_is_a_replay) {
    Client client = updated();
    write_copy(client);
    publish_honestly();
    ASSERT_TRUE(client.refresh());
    Client same = Client::open(state(), files, clock).value();
    const auto refused = same.refresh(Expiry::OfflineBundle);
    EXPECT_EQ(refused.error().code(), ErrorCode::Corrupt);
    EXPECT_THAT(refused.error().message(), HasSubstr("went back"));
}

class CatalogTakedown : public CatalogTest {
  public:
    static TakedownEntry block(std::string date, TakedownAction action = TakedownAction::BlockRun) {
        TakedownEntry entry;
        entry.kind = "app";
        entry.id = "locara/quick-add";
        entry.versions = {{"1.0.0"}};
        entry.action = action;
        entry.reason = "It reads what it should not";
        entry.date = std::move(date);
        return entry;
    }

    void take_down() {
        ASSERT_TRUE(repository.add_takedown(block("2026-11-22")));
        ASSERT_TRUE(repository.publish(clock));
        server.load(folder.path() / "tree");
    }
};

TEST_F(CatalogTakedown, reaches_the_client_and_counts_for_ever) {
    Client client = updated();
    EXPECT_TRUE(client.takedown().entries().empty());
    take_down();
    EXPECT_TRUE(client.refresh()->takedown);
    EXPECT_TRUE(client.takedown().find("app", "locara/quick-add", "1.0.0"));
    EXPECT_FALSE(client.refresh()->takedown);

    server.reachable = false;
    clock.advance(std::chrono::hours{24 * 1000});
    Client later = open();
    EXPECT_TRUE(later.takedown().find("app", "locara/quick-add", "1.0.0"));
}

TEST_F(CatalogTakedown, is_not_weakened_by_a_list_that_lacks_entries) {
    take_down();
    Client client = updated();
    Forge forge = this->forge();
    const std::string empty = TakedownList().render();
    const auto digest = crypto::sha256(as_bytes(empty)).render();
    server.files["targets/takedown/" + digest + ".list.json"] = empty;
    forge.docs["takedown"]["targets"]["takedown/list.json"] = {{"length", empty.size()},
                                                               {"hashes", {{"sha256", digest}}}};
    forge.commit({"takedown"});
    ASSERT_TRUE(client.refresh());
    EXPECT_TRUE(client.takedown().find("app", "locara/quick-add", "1.0.0"));

    // Nor by one that is not served at all, or is gone from the catalog.
    forge.docs["takedown"]["targets"].clear();
    forge.docs["takedown"]["targets"] = Json::object();
    forge.commit({"takedown"});
    ASSERT_TRUE(client.refresh());
    EXPECT_TRUE(open().takedown().find("app", "locara/quick-add", "1.0.0"));
}

TEST_F(CatalogTakedown, is_taken_even_if_the_rest_of_the_catalog_is_broken) {
    Client client = updated();
    take_down();
    Forge forge = this->forge();
    forge.docs["apps"]["expires"] = "2026-01-01T00:00:00Z";
    forge.commit({"apps"});
    EXPECT_EQ(client.refresh().error().code(), ErrorCode::Corrupt);
    EXPECT_TRUE(client.takedown().find("app", "locara/quick-add", "1.0.0"));
    EXPECT_TRUE(open().takedown().find("app", "locara/quick-add", "1.0.0"));
}

TEST_F(CatalogTakedown, that_cannot_be_had_fails_the_update_and_keeps_the_old_one) {
    Client client = updated();
    take_down();
    for (auto& [path, bytes] : server.files) {
        if (path.find("list.json") != std::string::npos) {
            bytes[0] = '[';
        }
    }
    expect_refused(client, "takedown/list.json");
}

TEST_F(CatalogTakedown, survives_deletion_and_damage_of_its_stored_copies) {
    take_down();
    updated();
    const auto copy = state() / "takedown.json";
    const auto target = open().find_target("takedown/list.json");
    ASSERT_TRUE(target);
    const auto listed = state() / "targets" / target->hashes.at("sha256");
    const std::string all = slurp(copy);
    server.reachable = false;
    clock.set(at("2020-01-01T00:00:00Z")); // nor does it matter what the clock says
    const auto in_force = [this] {
        return open().takedown().find("app", "locara/quick-add", "1.0.0").has_value();
    };
    for (const auto* damage : {"", "{}", "[", R"({"schema":"locara.dev/takedown/v1"})"}) {
        ASSERT_TRUE(write_file_atomically(copy, as_bytes(std::string_view(damage))));
        EXPECT_TRUE(in_force()) << damage;
    }
    std::filesystem::remove(copy);
    EXPECT_TRUE(in_force());
    ASSERT_TRUE(write_file_atomically(copy, as_bytes(all)));
    ASSERT_TRUE(write_file_atomically(listed, as_bytes(std::string_view("{}"))));
    EXPECT_TRUE(in_force());
    std::filesystem::remove(listed);
    EXPECT_TRUE(in_force());
    // Without both, nobody is told that nothing was taken down.
    std::filesystem::remove(copy);
    EXPECT_EQ(Client::open(state(), server, clock).error().code(), ErrorCode::Corrupt);
    std::filesystem::remove(state() / "complete.json");
    server.reachable = true;
    clock.set(at("2026-11-22T13:00:00Z"));
    ASSERT_TRUE(open().refresh());
    EXPECT_TRUE(in_force());
}

TEST_F(CatalogTakedown, goes_by_the_latest_entry_that_matches) {
    TakedownList list;
    ASSERT_TRUE(list.append(block("2026-11-22")));
    EXPECT_FALSE(list.find("app", "locara/quick-add", "2.0.0"));
    EXPECT_FALSE(list.find("bundle", "locara/quick-add", "1.0.0"));
    auto all = block("2026-11-21", TakedownAction::Warn);
    all.versions.reset();
    ASSERT_TRUE(list.append(all));
    EXPECT_EQ(list.find("app", "locara/quick-add", "1.0.0")->action, TakedownAction::BlockRun);
    EXPECT_EQ(list.find("app", "locara/quick-add", "2.0.0")->action, TakedownAction::Warn);
    ASSERT_TRUE(list.append(block("2026-11-22T00:00:00Z", TakedownAction::BlockInstall)));
    EXPECT_EQ(list.find("app", "locara/quick-add", "1.0.0")->action, TakedownAction::BlockInstall);
    EXPECT_EQ(TakedownList::parse(list.render()).value(), list);
}

TEST_F(CatalogTakedown, takes_no_new_entry_that_can_never_match) {
    const std::string digest = "sha256:" + std::string(64, 'a');
    const std::string commit(40, 'b');
    const auto code = [](const std::string& kind, const std::string& id, bool version) {
        TakedownEntry entry = block("2026-11-22");
        entry.kind = kind;
        entry.id = id;
        entry.versions.reset();
        if (version) {
            entry.versions = {{"1.0.0"}};
        }
        const auto added = TakedownList().append(entry);
        return added ? std::string("taken") : std::string(render(added.error().code()));
    };
    EXPECT_EQ(code("app", "locara/quick-add", true), "taken");
    EXPECT_EQ(code("model", "locara/tiny", true), "taken");
    EXPECT_EQ(code("model", "Org/Repo.x@" + commit, false), "taken");
    EXPECT_EQ(code("model", digest, false), "taken");
    EXPECT_EQ(code("bundle", digest, false), "taken");
    EXPECT_EQ(code("file", digest, false), "taken");
    const std::vector<std::pair<std::string, std::string>> never = {
        {"app", digest},
        {"app", "locara/quick-add@1.0.0"},
        {"model", "org/repo@main"},
        {"model", "org/re/po@" + commit},
        {"model", "repo@" + commit},
        {"bundle", "locara/quick-add"},
        {"file", "sha256:zz"},
        {"file", "sha256:" + std::string(64, 'A')},
        {"person", "bob"}};
    for (const auto& [kind, id] : never) {
        EXPECT_EQ(code(kind, id, false), "invalid_argument") << kind << " " << id;
    }
    EXPECT_EQ(code("file", digest, true), "invalid_argument");
    EXPECT_EQ(code("bundle", digest, true), "invalid_argument");
    EXPECT_EQ(code("model", "org/repo@" + commit, true), "invalid_argument");
}

TEST_F(CatalogTakedown, takes_no_reason_that_nobody_reads_to_its_end) {
    TakedownEntry entry = block("2026-11-22");
    TakedownList list;
    entry.reason = std::string(kTakedownReasonBytes, 'r');
    EXPECT_TRUE(list.append(entry));
    entry.reason += 'r';
    const auto added = list.append(entry);
    EXPECT_EQ(added.error().code(), ErrorCode::InvalidArgument);
    EXPECT_THAT(added.error().message(), HasSubstr("501 bytes; at most 500"));
    EXPECT_EQ(list.entries().size(), 1U);
}

TEST_F(CatalogTakedown, refuses_malformed_lists_by_place) {
    const auto message = [](std::string_view text) {
        return TakedownList::parse(text).error().message();
    };
    EXPECT_THAT(message("[]"), HasSubstr("an object is wanted"));
    EXPECT_THAT(message(R"({"schema":"x","entries":[]})"), HasSubstr("locara.dev/takedown/v1"));
    EXPECT_THAT(message(R"({"schema":"locara.dev/takedown/v1"})"), HasSubstr("entries: a list"));
    EXPECT_THAT(message(R"({"schema":"locara.dev/takedown/v1","entries":[{"kind":"app","id":"a/b",)"
                        R"("versions":null,"action":"warn","reason":"r","date":"yesterday"}]})"),
                HasSubstr("entries[0].date"));
    // A later version's action is the strictest one here, and its kind harms nothing.
    const auto later =
        TakedownList::parse(R"({"schema":"locara.dev/takedown/v1","entries":[{"kind":"publisher",)"
                            R"("id":"a","versions":null,"action":"burn","reason":"r",)"
                            R"("date":"2026-11-22"}]})")
            .value();
    EXPECT_EQ(later.find("publisher", "a")->action, TakedownAction::BlockRun);
}

} // namespace
} // namespace locara::catalog
