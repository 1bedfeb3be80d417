// What a client must refuse: the attacks that TUF names, one by one, by somebody who holds all of
// the network and, where a test says so, some of the keys. After each, an honest update must work.
#include "paths.hpp"
#include "test/forge.hpp"

#include <locara/base/percent.hpp>
#include <locara/catalog/plain_client.hpp>

#include <gmock/gmock.h>

namespace locara::catalog {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr auto kPast = "2026-11-01T00:00:00Z";

class CatalogAttack : public CatalogTest {
  public:
    /// The attack is over: the honest catalog is served again, with something new in it.
    void expect_recovers(Client& client) {
        server.fail_after = static_cast<std::size_t>(-1);
        publish_honestly();
        const auto refreshed = client.refresh();
        ASSERT_TRUE(refreshed) << refreshed.error().describe();
        EXPECT_TRUE(client.find_target("models/locara/later/1.0.0.json"));
    }

    /// The same for attacks that moved versions on: the forger himself turns honest.
    void expect_recovers(Client& client, Forge& forge, const std::vector<std::string>& roles) {
        forge.commit(roles);
        const auto refreshed = client.refresh();
        ASSERT_TRUE(refreshed) << refreshed.error().describe();
    }
};

// ------------------------------------------------------------------------------------ expiry

TEST_F(CatalogAttack, freeze_by_serving_what_expired) {
    Client client = updated();

    const struct {
        int days;
        const char* role;
    } lapses[] = {{2, "timestamp"}, {8, "timestamp"}};

    for (const auto& lapse : lapses) {
        clock.set(at("2026-11-22T12:00:00Z") + std::chrono::hours{24 * lapse.days});
        expect_refused(client, std::string("the hub's ") + lapse.role + " expired on");
        expect_refused(client, "the hub's operator must re-sign it, or this machine's clock");
    }
    expect_recovers(client);
}

TEST_F(CatalogAttack, expired_timestamp) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs["timestamp"]["expires"] = kPast;
    forge.commit({});
    expect_refused(client, "timestamp expired on 2026-11-01T00:00:00Z");
    forge.docs["timestamp"]["expires"] = "2026-11-22T12:00:00Z"; // now is too late already
    forge.commit({});
    expect_refused(client, "timestamp expired on 2026-11-22T12:00:00Z");
    forge.docs["timestamp"]["expires"] = "2026-11-22T12:00:01Z";
    expect_recovers(client, forge, {});
}

TEST_F(CatalogAttack, expired_snapshot) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs["snapshot"]["expires"] = kPast;
    forge.commit({});
    expect_refused(client, "snapshot expired on 2026-11-01T00:00:00Z");
    forge.docs["snapshot"]["expires"] = "2026-12-01T00:00:00Z";
    expect_recovers(client, forge, {});
}

class CatalogAttackOnRole : public CatalogAttack,
                            public ::testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(roles,
                         CatalogAttackOnRole,
                         ::testing::Values("targets", "takedown", "apps", "models"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST_P(CatalogAttackOnRole, expired) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs[GetParam()]["expires"] = kPast;
    forge.commit({GetParam()});
    expect_refused(client, std::string(GetParam()) + " expired on 2026-11-01T00:00:00Z");
    forge.docs[GetParam()]["expires"] = "2026-12-01T00:00:00Z";
    expect_recovers(client, forge, {GetParam()});
}

TEST_F(CatalogAttack, freeze_of_a_stored_snapshot_under_fresh_timestamps) {
    Forge forge = this->forge();
    forge.docs["snapshot"]["expires"] = "2026-11-24T00:00:00Z";
    forge.commit({});
    Client client = updated();
    clock.set(at("2026-11-25T00:00:00Z"));
    forge.docs["timestamp"]["expires"] = "2026-11-26T00:00:00Z";
    forge.retime();
    expect_refused(client, "snapshot expired on 2026-11-24T00:00:00Z");
}

TEST_P(CatalogAttackOnRole, freeze_of_a_stored_role_under_fresh_snapshots) {
    Forge forge = this->forge();
    forge.docs[GetParam()]["expires"] = "2026-11-24T00:00:00Z";
    forge.commit({GetParam()});
    Client client = updated();
    clock.set(at("2026-11-25T00:00:00Z"));
    forge.docs["timestamp"]["expires"] = "2026-11-26T00:00:00Z";
    forge.relink({});
    expect_refused(client, std::string(GetParam()) + " expired on 2026-11-24T00:00:00Z");
}

TEST_F(CatalogAttack, expired_root_counts_for_the_last_one_only) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs["root"]["expires"] = kPast;
    forge.commit_root();
    expect_refused(client, "root expired on 2026-11-01T00:00:00Z");
    EXPECT_EQ(open().root()->version, 2U) << "each verified step is kept";
    forge.docs["root"]["expires"] = "2027-01-01T00:00:00Z";
    forge.commit_root();
    ASSERT_TRUE(client.refresh());
    EXPECT_EQ(client.root()->version, 3U);
}

// ------------------------------------------------------------------------------------ rollback

TEST_F(CatalogAttack, older_timestamp_replayed) {
    Client client = updated();
    const auto old = server.files;
    publish_honestly();
    ASSERT_TRUE(client.refresh());
    server.files = old;
    expect_refused(
        client,
        "timestamp went back from version 3 to version 2; an old catalog is being replayed");
    expect_recovers(client);
}

TEST_F(CatalogAttack, older_snapshot_under_a_new_timestamp) {
    Client client = updated();
    publish_honestly();
    ASSERT_TRUE(client.refresh());
    Forge forge = this->forge();
    forge.docs["snapshot"]["version"] = 2;
    forge.retime();
    expect_refused(client, "the snapshot that the timestamp names went back from version 3");
}

TEST_F(CatalogAttack, snapshot_listing_a_lower_version) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs["snapshot"]["meta"]["apps.json"]["version"] = 1;
    forge.relink({});
    expect_refused(client, "apps.json in the snapshot went back from version 2 to version 1");
    forge.read();
    forge.docs["snapshot"]["meta"]["apps.json"]["version"] = 2;
    forge.docs["apps"] = forge.signed_of("metadata/2.apps.json");
    expect_recovers(client, forge, {"apps"});
}

TEST_F(CatalogAttack, snapshot_dropping_a_file) {
    Client client = updated();
    Forge forge = this->forge();
    const Json meta = forge.docs["snapshot"]["meta"];
    forge.docs["snapshot"]["meta"].erase("takedown.json");
    forge.relink({});
    expect_refused(client, "no longer lists takedown.json");
    forge.docs["snapshot"]["meta"] = meta;
    expect_recovers(client, forge, {});
}

TEST_F(CatalogAttack, snapshot_never_listing_a_delegated_role) {
    Client client = trusting();
    Forge forge = this->forge();
    forge.docs["snapshot"]["meta"].erase("takedown.json");
    forge.relink({});
    expect_refused(client, "the snapshot does not list it");
}

// ------------------------------------------------------------------------------------ mix and
// match

TEST_P(CatalogAttackOnRole, older_file_served_for_a_newer_one) {
    Client client = updated();
    Forge forge = this->forge();
    const std::string old = forge.current(GetParam());
    forge.commit({GetParam()});
    const std::string honest = forge.current(GetParam());
    forge.current(GetParam()) = old;
    expect_refused(client, std::string("the ") + GetParam() + " metadata has");
    forge.current(GetParam()) = honest;
    ASSERT_TRUE(client.refresh());
}

TEST_P(CatalogAttackOnRole, older_file_served_where_the_snapshot_gives_versions_only) {
    Client client = updated();
    Forge forge = this->forge();
    forge.hashes = false;
    const std::string old = forge.current(GetParam());
    forge.commit({GetParam()});
    const std::string honest = forge.current(GetParam());
    forge.current(GetParam()) = old;
    expect_refused(client, std::string(GetParam()) + ": version ");
    forge.current(GetParam()) = honest;
    ASSERT_TRUE(client.refresh());
}

TEST_F(CatalogAttack, older_snapshot_served_for_a_newer_one) {
    Client client = updated();
    Forge forge = this->forge();
    const std::string old = forge.current("snapshot");
    for (const bool hashes : {true, false}) {
        forge.hashes = hashes;
        forge.commit({"apps"});
        const std::string honest = forge.current("snapshot");
        forge.current("snapshot") = old;
        expect_refused(client, "snapshot");
        forge.current("snapshot") = honest;
        ASSERT_TRUE(client.refresh());
    }
}

TEST_F(CatalogAttack, file_of_one_role_served_for_another) {
    Client client = updated();
    Forge forge = this->forge();
    forge.hashes = false;
    forge.commit({"apps"});
    forge.put("apps", forge.current("models"));
    expect_refused(client, "apps: version 2 has good signatures of 0 of the 1 keys");
}

// ------------------------------------------------------------------------------------ signatures

TEST_P(CatalogAttackOnRole, signed_with_foreign_keys) {
    Client client = updated();
    Forge forge = this->forge();
    const auto foreign = crypto::SigningKey::generate();
    const auto other = crypto::SigningKey::generate();
    forge.bump(GetParam());
    forge.write(GetParam(), {&foreign, &other});
    forge.relink({GetParam()});
    expect_refused(client, "good signatures of 0 of the");
    expect_recovers(client, forge, {GetParam()});
}

TEST_P(CatalogAttackOnRole, signed_with_the_online_keys) {
    Client client = updated();
    Forge forge = this->forge();
    Keys online = forge.keys("timestamp");
    online.push_back(forge.keys("snapshot").front());
    forge.bump(GetParam());
    forge.write(GetParam(), online);
    forge.relink({GetParam()});
    expect_refused(client, "good signatures of 0 of the");
}

TEST_F(CatalogAttack, timestamp_and_snapshot_signed_with_foreign_keys) {
    Client client = updated();
    Forge forge = this->forge();
    const auto foreign = crypto::SigningKey::generate();
    const std::string honest = forge.current("timestamp");
    forge.bump("timestamp");
    forge.write("timestamp", {&foreign});
    expect_refused(client, "timestamp: version 3 has good signatures of 0 of the 1 keys");
    forge.put("timestamp", honest);
    forge.read();
    forge.bump("snapshot");
    forge.write("snapshot", {&foreign});
    forge.retime();
    expect_refused(client, "snapshot: version 3 has good signatures of 0 of the 1 keys");
}

TEST_F(CatalogAttack, threshold_reached_by_too_few_keys) {
    Client client = updated();
    Forge forge = this->forge();
    forge.bump("targets");
    forge.write("targets", {forge.keys("targets").front()});
    forge.relink({"targets"});
    expect_refused(client, "good signatures of 1 of the 2 keys");
}

TEST_F(CatalogAttack, threshold_reached_by_one_signature_twice) {
    Client client = updated();
    Forge forge = this->forge();
    const auto* key = forge.keys("targets").front();
    forge.bump("targets");
    forge.write("targets", {key, key});
    forge.relink({"targets"});
    expect_refused(client, "signs twice");
}

TEST_F(CatalogAttack, threshold_reached_by_one_key_under_two_ids) {
    Client client = updated();
    Forge forge = this->forge();
    // Signed by the root's keys, by mistake or under pressure: one key stands there twice.
    const auto* key = forge.keys("targets").front();
    const std::string id = key->public_key().id();
    forge.docs["root"]["keys"]["another name"] = Forge::key_object(*key);
    forge.docs["root"]["roles"]["targets"] = {{"keyids", {id, "another name"}}, {"threshold", 2}};
    forge.commit_root();
    forge.bump("targets");
    Json one = Forge::signature(forge.docs["targets"], *key);
    Json two = one;
    two["keyid"] = "another name";
    forge.put("targets",
              render_json({{"signatures", {one, two}}, {"signed", forge.docs["targets"]}}));
    forge.relink({"targets"});
    expect_refused(client, "targets: version 2 has good signatures of 1 of the 2 keys");
}

TEST_F(CatalogAttack, bad_signatures_beside_enough_good_ones_do_no_harm) {
    Client client = updated();
    Forge forge = this->forge();
    forge.bump("targets");
    const Json& content = forge.docs["targets"];
    const auto keys = forge.keys("targets");
    Json broken = Forge::signature(content, *keys[0]);
    broken["sig"] = std::string(128, '0');
    Json empty = Forge::signature(content, crypto::SigningKey::generate());
    empty["sig"] = "";
    forge.put("targets",
              render_json({{"signatures",
                            {broken,
                             empty,
                             Json{{"keyid", "unknown"}, {"sig", "not hex"}},
                             Forge::signature(content, *keys[1]),
                             Forge::signature(content, *keys[2])}},
                           {"signed", content}}));
    forge.relink({"targets"});
    const auto refreshed = client.refresh();
    ASSERT_TRUE(refreshed) << refreshed.error().describe();
}

TEST_F(CatalogAttack, fields_we_do_not_know_are_signed_too) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs["apps"]["x-later"] = {{"a", {1, 2}}, {"b", nullptr}};
    forge.commit({"apps"});
    ASSERT_TRUE(client.refresh());
    forge.hashes = false;
    forge.commit({"apps"});
    auto& bytes = forge.current("apps");
    bytes.replace(bytes.find("[1,2]"), 5, "[1,3]");
    expect_refused(client, "apps: version 4 has good signatures of 0 of the 1 keys");
}

// ------------------------------------------------------------------------------------ endless data

class EndlessServer : public Server {
  public:
    std::string endless;         ///< This path never ends.
    std::uint64_t asked_for = 0; ///< The limit it was asked with.

    Result<std::string> fetch(std::string_view path, std::uint64_t limit_bytes) override {
        if (path == endless) {
            asked_for = limit_bytes;
            return Error(ErrorCode::TooLarge, "there is always more");
        }
        return Server::fetch(path, limit_bytes);
    }
};

TEST_F(CatalogAttack, endless_data) {
    const struct {
        const char* path;
        std::uint64_t limit;
    } files[] = {{"metadata/2.root.json", 512'000},
                 {"metadata/timestamp.json", 16'384},
                 {"metadata/2.snapshot.json", 2'000'000},
                 {"metadata/1.targets.json", 5'000'000},
                 {"metadata/2.apps.json", 5'000'000}};

    Forge forge = this->forge();
    forge.hashes = false; // else the exact length is the limit
    for (const auto* role : {"targets", "takedown", "apps", "models"}) {
        forge.docs["snapshot"]["meta"][std::string(role) + ".json"] = forge.meta_of(role);
    }
    forge.docs["snapshot"]["version"] = 1;
    forge.relink({});
    EndlessServer endless;
    endless.files = server.files;
    for (const auto& file : files) {
        std::filesystem::remove_all(state());
        Client client = Client::open(state(), endless, clock).value();
        ASSERT_TRUE(client.trust(repository.first_root()));
        endless.endless = file.path;
        const auto refreshed = client.refresh();
        ASSERT_FALSE(refreshed) << file.path;
        EXPECT_EQ(refreshed.error().code(), ErrorCode::Corrupt);
        EXPECT_THAT(refreshed.error().message(), HasSubstr("reading stopped there"));
        EXPECT_EQ(endless.asked_for, file.limit) << file.path;
    }
    endless.endless = "";
    Client client = Client::open(state(), endless, clock).value();
    ASSERT_TRUE(client.refresh());
    endless.endless = "targets/apps/locara/" + client.find_target(kBundle)->hashes.at("sha256") +
                      ".quick-add-1.0.0.locapp";
    EXPECT_EQ(client.get_target(kBundle).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(endless.asked_for, std::string(kBundleBytes).size());
}

TEST_F(CatalogAttack, metadata_longer_than_its_listed_length) {
    Client client = updated();
    Forge forge = this->forge();
    forge.commit({"apps"});
    forge.current("apps") += " ";
    expect_refused(client, "longer than the");
}

TEST_F(CatalogAttack, metadata_longer_than_its_limit) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs["timestamp"]["padding"] = std::string(16'384, 'x');
    forge.commit({});
    expect_refused(client, "longer than the 16384 bytes allowed");
}

// ------------------------------------------------------------------------------------ targets

TEST_F(CatalogAttack, target_with_other_bytes) {
    Client client = updated();
    const auto digest = client.find_target(kBundle)->hashes.at("sha256");
    auto& bytes = server.files.at("targets/apps/locara/" + digest + ".quick-add-1.0.0.locapp");
    const std::string honest = bytes;
    const auto dest = folder.path() / "out";
    for (const std::string& bad :
         {honest.substr(1), honest + "x", std::string(honest.size(), 'x'), std::string()}) {
        bytes = bad;
        const auto got = client.get_target(kBundle);
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code(), ErrorCode::Corrupt);
        EXPECT_THAT(got.error().describe(), HasSubstr("quick-add-1.0.0.locapp"));
        EXPECT_EQ(client.get_target_file(kBundle, dest).error().code(), ErrorCode::Corrupt);
        EXPECT_FALSE(std::filesystem::exists(dest));
    }
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
        EXPECT_EQ(entry.path().string().find(".part-"), std::string::npos) << "left behind";
    }
    bytes = honest;
    EXPECT_EQ(client.get_target(kBundle).value(), honest);
    EXPECT_TRUE(client.get_target_file(kBundle, dest));
}

TEST_F(CatalogAttack, target_with_the_right_hash_and_another_length) {
    Client client = updated();
    Forge forge = this->forge();
    Json& length = forge.docs["apps"]["targets"][kBundle]["length"];
    length = length.get<std::uint64_t>() + 1;
    forge.commit({"apps"});
    ASSERT_TRUE(client.refresh());
    EXPECT_THAT(client.get_target(kBundle).error().message(), HasSubstr("has 23 bytes"));
    EXPECT_THAT(client.get_target_file(kBundle, folder.path() / "out").error().message(),
                HasSubstr("has 23 bytes"));
}

TEST_F(CatalogAttack, target_failing_one_of_two_hashes) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs["apps"]["targets"][kBundle]["hashes"]["sha512"] = std::string(128, 'a');
    forge.docs["apps"]["targets"][kBundle]["hashes"]["blake9"] = "anything"; // unknown: no harm
    forge.commit({"apps"});
    ASSERT_TRUE(client.refresh());
    EXPECT_THAT(client.get_target(kBundle).error().message(), HasSubstr("sha512"));
}

TEST_F(CatalogAttack, target_with_unknown_algorithms_only) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs["apps"]["targets"][kBundle]["hashes"] = {
        {"md5", "d41d8cd98f00b204e9800998ecf8427e"}};
    forge.commit({"apps"});
    ASSERT_TRUE(client.refresh());
    const auto got = client.get_target(kBundle);
    EXPECT_EQ(got.error().code(), ErrorCode::Corrupt);
    EXPECT_THAT(got.error().message(), HasSubstr("unknown hash algorithms only"));
    EXPECT_EQ(client.get_target_file(kBundle, folder.path() / "out").error().code(),
              ErrorCode::Corrupt);
    // Not only because it has no address: bytes that came some other way prove nothing either.
    EXPECT_THAT(verify_target(*client.find_target(kBundle), kBundleBytes).error().message(),
                HasSubstr("unknown hash algorithms only"));
}

TEST_F(CatalogAttack, target_with_a_digest_that_is_a_path) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs["apps"]["targets"][kBundle]["hashes"]["sha256"] = "../../../../../../tmp/x";
    forge.commit({"apps"});
    expect_refused(client, "64 digits 0-9 a-f");
}

TEST_F(CatalogAttack, target_with_a_name_that_climbs) {
    Client client = updated();
    Forge forge = this->forge();
    const Json target = forge.docs["apps"]["targets"][kBundle];
    for (const auto* name : {"apps/../x", "apps/./x", "apps//x"}) {
        forge.docs["apps"]["targets"][name] = target;
    }
    forge.commit({"apps"});
    ASSERT_TRUE(client.refresh());
    server.requests.clear();
    for (const auto* name : {"apps/../x", "apps/./x", "apps//x"}) {
        EXPECT_EQ(client.get_target(name).error().code(), ErrorCode::Corrupt) << name;
    }
    EXPECT_THAT(server.requests, SizeIs(0));
}

// ------------------------------------------------------------------------------------ malformed

TEST_F(CatalogAttack, wrong_type) {
    Client client = updated();
    Forge forge = this->forge();
    for (const auto* role : {"timestamp", "snapshot", "apps", "targets"}) {
        const Json honest = forge.docs[role]["_type"];
        forge.docs[role]["_type"] = "root";
        forge.commit({"targets", "apps"});
        expect_refused(client, std::string(role) + ": _type is 'root'");
        forge.docs[role]["_type"] = honest;
        forge.commit({"targets", "apps"});
        ASSERT_TRUE(client.refresh());
    }
    forge.docs["root"]["_type"] = "targets";
    forge.commit_root();
    expect_refused(client, "root: _type is 'targets'");
}

TEST_F(CatalogAttack, malformed_documents) {
    Client client = updated();
    Forge forge = this->forge();
    const std::string honest = forge.current("timestamp");
    std::string duplicate = honest;
    duplicate.insert(duplicate.find("\"version\""), "\"version\":9,");
    std::string deep = honest;
    deep.insert(deep.find("\"version\""),
                "\"x\":" + std::string(40, '[') + std::string(40, ']') + ",");
    std::string fraction = honest;
    fraction.insert(fraction.find("\"version\""), "\"x\":1.5,");
    std::string no_utf8 = honest;
    no_utf8.insert(no_utf8.find("\"version\""), "\"x\":\"\xFF\",");
    const std::pair<std::string, const char*> cases[] = {
        {"", "malformed"},
        {"null", "an object is wanted"},
        {"[]", "an object is wanted"},
        {"{}", "signed is missing"},
        {R"({"signed":{}})", "signatures is missing"},
        {R"({"signed":[],"signatures":[]})", "an object is wanted"},
        {R"({"signed":{},"signatures":[1]})", "an object is wanted"},
        {R"({"signed":{},"signatures":[{"keyid":1,"sig":""}]})", "a string is wanted"},
        {honest.substr(0, honest.size() - 1), "malformed"},
        {honest + "{}", "malformed"},
        {duplicate, "stands twice"},
        {deep, "nested deeper than 32"},
        {fraction, "no canonical form"},
        {no_utf8, "malformed"},
    };
    for (const auto& [bytes, words] : cases) {
        forge.put("timestamp", bytes);
        expect_refused(client, words);
    }
    expect_recovers(client);
}

TEST_F(CatalogAttack, malformed_fields_even_if_signed) {
    Client client = updated();
    Forge forge = this->forge();
    const auto refuse = [&](const char* role,
                            const std::function<void(Json&)>& change,
                            const char* words) {
        const Json honest = forge.docs[role];
        change(forge.docs[role]);
        if (std::string(role) == "timestamp") {
            forge.bump(role);
            forge.write(role);
        } else {
            forge.commit({role});
        }
        expect_refused(client, words);
        const auto version = forge.docs[role]["version"];
        forge.docs[role] = honest;
        forge.docs[role]["version"] = version.is_number_unsigned() ? version : honest["version"];
    };
    refuse(
        "timestamp", [](Json& d) { d["spec_version"] = "2.0"; }, "TUF 1.x is understood");
    refuse(
        "timestamp", [](Json& d) { d["expires"] = "tomorrow"; }, "expires is 'tomorrow'");
    refuse(
        "timestamp", [](Json& d) { d["expires"] = "2026-13-01T00:00:00Z"; }, "expires is");
    refuse(
        "timestamp", [](Json& d) { d.erase("meta"); }, "meta is missing");
    refuse(
        "timestamp", [](Json& d) { d["meta"]["snapshot.json"]["version"] = 0; }, "at least 1");
    refuse(
        "timestamp", [](Json& d) { d["meta"]["snapshot.json"]["version"] = "3"; }, "integer");
    refuse(
        "timestamp", [](Json& d) { d["meta"]["snapshot.json"]["length"] = -1; }, "integer");
    refuse(
        "apps", [](Json& d) { d.erase("targets"); }, "targets is missing");
    refuse(
        "apps", [](Json& d) { d["targets"][kBundle].erase("hashes"); }, "hashes is missing");
    refuse(
        "apps", [](Json& d) { d["targets"][kBundle]["length"] = -1; }, "integer");
    refuse(
        "targets", [](Json& d) { d["delegations"]["roles"][0]["threshold"] = 0; }, "at least 1");
    refuse(
        "targets", [](Json& d) { d["delegations"]["roles"][0]["name"] = "root"; }, "may be called");
    refuse(
        "targets", [](Json& d) { d["delegations"]["roles"][0].erase("paths"); }, "either paths");
    refuse(
        "targets",
        [](Json& d) { d["delegations"]["roles"].push_back(d["delegations"]["roles"][0]); },
        "twice");
    expect_recovers(client, forge, {"apps", "targets"});
}

// ------------------------------------------------------------------------------------ root chain

TEST_F(CatalogAttack, root_that_skips_a_version) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs["root"]["version"] = 3;
    const std::string third = Forge::sign(forge.docs["root"], forge.keys("root"));
    server.files["metadata/2.root.json"] = third;
    expect_refused(client, "root: version 3 was served, its place in the chain says version 2");
    EXPECT_EQ(client.root()->version, 1U);
    server.files.erase("metadata/2.root.json");
    server.files["metadata/3.root.json"] = third;
    ASSERT_TRUE(client.refresh()) << "not found: the chain ends before it";
    EXPECT_EQ(client.root()->version, 1U);
}

TEST_F(CatalogAttack, old_root_served_as_the_next_one) {
    Client client = updated();
    server.files["metadata/2.root.json"] = repository.first_root();
    expect_refused(client, "root: version 1 was served");
}

TEST_F(CatalogAttack, root_without_the_threshold_of_the_old_keys) {
    Client client = updated();
    Forge forge = this->forge();
    const auto first = forge.keys("root").front();
    const auto fresh = crypto::SigningKey::generate();
    const auto id = fresh.public_key().id();
    forge.docs["root"]["keys"][id] = Forge::key_object(fresh);
    forge.docs["root"]["roles"]["root"] = {{"keyids", {id}}, {"threshold", 1}};
    forge.bump("root");
    forge.write("root", {&fresh, first});
    expect_refused(client, "1 of the 2 keys that the trusted root (version 1)");
    EXPECT_EQ(client.root()->version, 1U);
}

TEST_F(CatalogAttack, root_without_the_threshold_of_its_own_keys) {
    Client client = updated();
    Forge forge = this->forge();
    const auto old = forge.keys("root");
    const auto fresh = crypto::SigningKey::generate();
    const auto id = fresh.public_key().id();
    forge.docs["root"]["keys"][id] = Forge::key_object(fresh);
    forge.docs["root"]["roles"]["root"] = {{"keyids", {id}}, {"threshold", 1}};
    forge.bump("root");
    forge.write("root", old);
    expect_refused(client, "root: version 2 has good signatures of 0 of the 1 keys that it itself");
    forge.write("root", {old[0], old[1], &fresh});
    ASSERT_TRUE(client.refresh());
    EXPECT_EQ(client.root()->version, 2U);
}

TEST_F(CatalogAttack, roots_are_followed_one_by_one_and_at_most_256_at_a_time) {
    Client client = updated();
    Forge forge = this->forge();
    for (int step = 0; step < 300; ++step) {
        Keys before = forge.keys("root");
        std::vector<crypto::SigningKey> was;
        if (step % 100 == 0) { // the keys change on the way as well
            was = std::move(forge.own["root"]);
            before.clear();
            for (const auto& key : was) {
                before.push_back(&key);
            }
            forge.own["root"].clear();
            forge.replace_key("root");
        }
        forge.bump("root");
        Keys with = forge.keys("root");
        if (!was.empty()) {
            with.insert(with.end(), before.begin(), before.end());
        }
        forge.write("root", with);
    }
    ASSERT_TRUE(client.refresh());
    EXPECT_EQ(client.root()->version, 257U);
    ASSERT_TRUE(client.refresh());
    EXPECT_EQ(client.root()->version, 301U);
    EXPECT_EQ(client.pinned()->render(), repository.fingerprint());
    EXPECT_EQ(open().root()->version, 301U);
}

TEST_F(CatalogAttack, keys_that_root_revoked) {
    Client client = updated();
    Forge forge = this->forge();
    const auto stolen = std::move(forge.own["timestamp"]);
    forge.replace_key("timestamp");
    forge.commit_root();
    forge.bump("timestamp");
    forge.write("timestamp", {&stolen.front()});
    expect_refused(client, "good signatures of 0 of the 1 keys that the trusted root (version 2)");
    forge.commit({});
    ASSERT_TRUE(client.refresh());
}

// ------------------------------------------------------------------------------------ recovery

TEST_F(CatalogAttack, fast_forwarded_timestamp_recovers_by_new_keys) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs["timestamp"]["version"] = 1'000'000;
    forge.retime();
    ASSERT_TRUE(client.refresh());
    forge.docs["timestamp"]["version"] = 2;
    forge.retime();
    expect_refused(client, "timestamp went back");
    forge.replace_key("timestamp");
    forge.commit_root();
    forge.docs["timestamp"]["version"] = 2;
    forge.retime();
    ASSERT_TRUE(client.refresh());
    EXPECT_EQ(client.roles()[1].version, 3U);
}

TEST_F(CatalogAttack, fast_forwarded_snapshot_recovers_by_new_keys) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs["snapshot"]["version"] = 1'000'000;
    forge.relink({});
    ASSERT_TRUE(client.refresh());
    forge.docs["snapshot"]["version"] = 5;
    forge.relink({});
    expect_refused(client, "went back from version 1000001 to version 6");
    forge.replace_key("snapshot");
    forge.commit_root();
    forge.write("snapshot");
    forge.retime();
    ASSERT_TRUE(client.refresh());
    EXPECT_EQ(client.roles()[2].version, 6U);
}

TEST_F(CatalogAttack, fast_forwarded_targets_role_recovers_by_a_new_snapshot_key) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs["apps"]["version"] = 1'000'000;
    forge.commit({"apps"});
    ASSERT_TRUE(client.refresh());
    forge.docs["apps"]["version"] = 5;
    forge.commit({"apps"});
    expect_refused(client, "apps.json in the snapshot went back");
    forge.replace_key("snapshot");
    forge.commit_root();
    forge.write("snapshot");
    forge.retime();
    ASSERT_TRUE(client.refresh());
    EXPECT_EQ(client.targets("apps/*/*").size(), 2U);
}

// ------------------------------------------------------------------------------------ delegations

TEST_F(CatalogAttack, role_that_lists_paths_it_was_not_given) {
    Client client = updated();
    Forge forge = this->forge();
    const Json target = forge.docs["apps"]["targets"][kBundle];
    const char* foreign[] = {"models/locara/quick-add/2.0.0.json",
                             "apps/a/b/c",
                             "apps/x",
                             "takedown/other.json",
                             "somewhere"};
    for (const auto* name : foreign) {
        forge.docs["apps"]["targets"][name] = target;
    }
    forge.commit({"apps"});
    ASSERT_TRUE(client.refresh());
    for (const auto* name : foreign) {
        EXPECT_FALSE(client.find_target(name)) << name;
    }
    EXPECT_TRUE(client.find_target(kBundle));
}

TEST_F(CatalogAttack, terminating_delegation_ends_the_search) {
    Client client = updated();
    Forge forge = this->forge();
    // The curators of apps may now list anything, but takedown/* ends at its own role.
    forge.docs["targets"]["delegations"]["roles"][1]["paths"] = {"*/*", "*/*/*"};
    forge.docs["apps"]["targets"]["takedown/more.json"] = forge.docs["apps"]["targets"][kBundle];
    forge.docs["apps"]["targets"]["other/more.json"] = forge.docs["apps"]["targets"][kBundle];
    forge.commit({"targets", "apps"});
    ASSERT_TRUE(client.refresh());
    EXPECT_TRUE(client.find_target("other/more.json"));
    EXPECT_FALSE(client.find_target("takedown/more.json"));
    forge.docs["targets"]["delegations"]["roles"][0]["terminating"] = false;
    forge.commit({"targets"});
    ASSERT_TRUE(client.refresh());
    EXPECT_TRUE(client.find_target("takedown/more.json"));
}

TEST_F(CatalogAttack, the_first_delegation_that_lists_a_target_has_the_word) {
    Client client = updated();
    Forge forge = this->forge();
    forge.docs["targets"]["delegations"]["roles"][2]["paths"] = {"*/*/*", "*/*/*/*"};
    Json other = forge.docs["apps"]["targets"][kBundle];
    other["length"] = 1;
    forge.docs["models"]["targets"][kBundle] = other;
    forge.commit({"targets", "models"});
    ASSERT_TRUE(client.refresh());
    EXPECT_EQ(client.find_target(kBundle)->role, "apps");
}

/// Adds a role with a key of its own below `parent`.
void delegate(Forge& forge, const std::string& parent, const std::string& role, const Json& paths) {
    if (forge.own.count(role) == 0) {
        forge.own[role].push_back(crypto::SigningKey::generate());
        forge.docs[role] = {{"_type", "targets"},
                            {"spec_version", "1.0.34"},
                            {"version", 0},
                            {"expires", "2026-12-01T00:00:00Z"},
                            {"targets", Json::object()}};
    }
    const auto& key = forge.own[role].front();
    Json& document = forge.docs[parent];
    if (!document.contains("delegations")) {
        document["delegations"] = {{"keys", Json::object()}, {"roles", Json::array()}};
    }
    const auto id = key.public_key().id();
    document["delegations"]["keys"][id] = Forge::key_object(key);
    document["delegations"]["roles"].push_back({{"name", role},
                                                {"keyids", {id}},
                                                {"threshold", 1},
                                                {"terminating", false},
                                                {"paths", paths}});
}

TEST_F(CatalogAttack, role_that_delegates_further) {
    Client client = updated();
    Forge forge = this->forge();
    // The curator's key signed it: what her own program did not show her.
    delegate(forge, "apps", "evil", {"apps/*/*"});
    forge.docs["evil"]["targets"]["apps/eve/spy-1.0.0.json"] =
        forge.docs["apps"]["targets"][kBundle];
    forge.commit({"evil", "apps"});
    expect_refused(client, "'apps' delegates to 'evil', and only targets may");
    EXPECT_FALSE(client.find_target("apps/eve/spy-1.0.0.json"));
    forge.docs["apps"].erase("delegations");
    forge.commit({"apps"});
    EXPECT_TRUE(client.refresh());
}

/// The client that follows delegations of any role, as the specification has it.
class CatalogSearch : public CatalogAttack {
  protected:
    PlainClient plain() {
        const auto dir = folder.path() / "plain";
        EXPECT_TRUE(PlainClient::trust(dir, slurp(folder.path() / "tree/metadata/1.root.json")));
        return *PlainClient::open(dir, server, clock);
    }
};

TEST_F(CatalogSearch, role_reached_through_two_parents_answers_to_both) {
    PlainClient client = plain();
    Forge forge = this->forge();
    delegate(forge, "apps", "shared", {"apps/one/*"});
    delegate(forge, "models", "shared", {"apps/two/*"});
    forge.docs["targets"]["delegations"]["roles"][2]["paths"] = {"models/*/*/*", "apps/two/*"};
    const Json target = forge.docs["apps"]["targets"][kBundle];
    forge.docs["shared"]["targets"]["apps/one/x"] = target;
    forge.docs["shared"]["targets"]["apps/two/x"] = target;
    forge.commit({"shared", "apps", "models", "targets"});
    ASSERT_TRUE(client.refresh());
    EXPECT_EQ(client.find("apps/one/x")->role, "shared");
    EXPECT_EQ(client.find("apps/two/x")->role, "shared");

    // `models` names another key for it: what it says through `models` does not count.
    const auto other = crypto::SigningKey::generate();
    const auto id = other.public_key().id();
    Json& delegations = forge.docs["models"]["delegations"];
    delegations["keys"] = {{id, Forge::key_object(other)}};
    delegations["roles"][0]["keyids"] = {id};
    forge.commit({"models"});
    ASSERT_TRUE(client.refresh());
    EXPECT_EQ(client.find("apps/one/x")->role, "shared");
    EXPECT_THAT(client.find("apps/two/x").error().describe(),
                HasSubstr("shared: version 1 has good signatures of 0 of the 1 keys that models"));
}

TEST_F(CatalogSearch, delegations_in_a_circle_end) {
    PlainClient client = plain();
    Forge forge = this->forge();
    delegate(forge, "apps", "left", {"apps/*/*"});
    delegate(forge, "left", "right", {"apps/*/*"});
    delegate(forge, "right", "left", {"apps/*/*"});
    forge.docs["right"]["targets"]["apps/deep/x"] = forge.docs["apps"]["targets"][kBundle];
    forge.commit({"right", "left", "apps"});
    ASSERT_TRUE(client.refresh());
    EXPECT_EQ(client.find("apps/deep/x")->role, "right");
    EXPECT_EQ(client.find("apps/deep/none").error().code(), ErrorCode::NotFound);
}

TEST_F(CatalogAttack, more_delegated_roles_than_allowed) {
    Client client = updated();
    Forge forge = this->forge();
    std::vector<std::string> roles = {"targets"};
    for (int i = 4; i <= 32; ++i) { // takedown, apps and models are there already
        roles.push_back("role" + std::to_string(i));
        delegate(forge, "targets", roles.back(), {"apps/*/*"});
    }
    forge.commit(roles);
    const auto refreshed = client.refresh();
    ASSERT_TRUE(refreshed) << refreshed.error().describe();
    delegate(forge, "targets", "role33", {"apps/*/*"});
    forge.commit({"role33", "targets"});
    expect_refused(client, "more than 32 delegated roles");
}

TEST_F(CatalogAttack, role_names_that_climb_or_cut_addresses) {
    for (const std::string name : {"../x", "/x", "?", "#", "a b", "..", "../../metadata/root"}) {
        std::filesystem::remove_all(state());
        server.load(folder.path() / "tree");
        Client client = updated();
        Forge forge = this->forge();
        delegate(forge, "targets", name, {"apps/*/*"});
        forge.docs[name]["targets"]["apps/odd/x"] = forge.docs["apps"]["targets"][kBundle];
        forge.commit({name, "targets"});
        const std::string file = "metadata/1." + name + ".json";
        const std::string escaped = "metadata/1." + percent_encode(name) + ".json";
        auto moved = server.files.extract(file);
        moved.key() = escaped;
        server.files.insert(std::move(moved));
        const auto root = slurp(state() / "metadata" / "root.json");
        const auto refreshed = client.refresh();
        ASSERT_TRUE(refreshed) << name << ": " << refreshed.error().describe();
        EXPECT_EQ(client.find_target("apps/odd/x")->role, name);
        EXPECT_THAT(server.requests, Contains(escaped));
        EXPECT_EQ(slurp(state() / "metadata" / "root.json"), root);
        std::set<std::string> stored;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(state())) {
            stored.insert(std::filesystem::relative(entry.path(), state()).string());
        }
        EXPECT_EQ(stored.count("metadata/" + percent_encode(name) + ".json"), 1U) << name;
        EXPECT_FALSE(std::filesystem::exists(folder.path() / "x.json"));
        EXPECT_TRUE(Client::open(state(), server, clock));
    }
}

TEST_F(CatalogAttack, role_name_too_long_for_a_file) {
    Client client = updated();
    Forge forge = this->forge();
    delegate(forge, "targets", std::string(300, 'a'), {"apps/*/*"});
    forge.commit({std::string(300, 'a'), "targets"});
    expect_refused(client, "too long for a file name");
}

} // namespace
} // namespace locara::catalog
