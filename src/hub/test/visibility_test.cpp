// Who may see what is made here: which kinds may be public, and what holds if a maker does not say.
#include "../names.hpp"
#include "hub_client.hpp"

#include <locara/hub/accounts.hpp>
#include <locara/hub/hub.hpp>
#include <locara/hub/organizations.hpp>
#include <locara/hub/repositories.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::hub {
namespace {

using test::Reply;
using testing::HasSubstr;

class VisibilityTest : public testing::Test {
  protected:
    void SetUp() override {
        serve({});
        auto accounts = Accounts::open(data(), clock_);
        ASSERT_TRUE(accounts && accounts->add_user("ana", ""));
        const NewToken wanted{"t", TokenRole::Write, clock_.now() + std::chrono::hours(24)};
        token_ = accounts->create_token("ana", wanted)->text.reveal();
        auto organizations = Organizations::open(data());
        ASSERT_TRUE(organizations && organizations->create("Lab", "", clock_.now()));
        ASSERT_TRUE(organizations->add_member("lab", "ana", OrgRole::Write));
    }

    std::filesystem::path data() const { return folder_.path() / "hub"; }

    /// The same hub by another configuration.
    void serve(HubConfig config) {
        hub_.reset();
        auto hub = Hub::open(data(), clock_, null_log());
        ASSERT_TRUE(hub) << hub.error().describe();
        hub_ = std::move(*hub);
        hub_->configure(std::move(config));
        ASSERT_TRUE(hub_->serve("127.0.0.1", 0));
    }

    Reply call(const std::string& start, const Json& body) const {
        return test::send(hub_->port(),
                          start + " HTTP/1.1\r\nAuthorization: Bearer " + token_ + "\r\n",
                          body.dump());
    }

    Reply create(const std::string& type, const std::string& id, Json said = Json::object()) const {
        said["type"] = type;
        said["name"] = id;
        return call("POST /api/repos/create", said);
    }

    Reply create_bucket(const std::string& id, const Json& said = Json::object()) const {
        return call("POST /api/buckets/" + id, said);
    }

    /// "public", "private", or the status of a repository by its path in the API.
    std::string look(const std::string& path) const {
        const Reply found = call("GET /api/" + path, Json());
        return found.status() != 200             ? std::to_string(found.status())
               : found.json()["private"] == true ? "private"
                                                 : "public";
    }

    TempFolder folder_ = *TempFolder::create(std::filesystem::temp_directory_path(), "visible-");
    FakeClock clock_{*parse_time("2026-11-22T19:00:00Z")};
    std::string token_;
    std::unique_ptr<Hub> hub_;
};

TEST_F(VisibilityTest, only_apps_are_public_unless_the_hub_is_told_otherwise) {
    const std::pair<const char*, const char*> kinds[] = {
        {"model", "models"}, {"dataset", "datasets"}, {"space", "spaces"}, {"app", "spaces"}};
    for (const auto& [type, plural] : kinds) {
        const bool open = std::string(plural) == "spaces";
        const std::string name = std::string("of-") + type;
        ASSERT_EQ(create(type, name).status(), 200) << type;
        EXPECT_EQ(look(std::string(plural) + "/ana/" + name), open ? "public" : "private");
        ASSERT_EQ(create(type, name + "-n", {{"private", nullptr}}).status(), 200) << type;
        EXPECT_EQ(look(std::string(plural) + "/ana/" + name + "-n"), open ? "public" : "private");
        for (const Json& asked : {Json{{"private", false}}, Json{{"visibility", "public"}}}) {
            const std::string asking = "asked-" + std::string(type) + asked.dump().substr(2, 5);
            const Reply made = create(type, asking, asked);
            EXPECT_EQ(made.status(), open ? 200 : 403) << type << asked;
            EXPECT_EQ(look(std::string(plural) + "/ana/" + asking), open ? "public" : "404");
            if (!open) {
                EXPECT_THAT(std::string(made.json()["error"]),
                            HasSubstr("no public registry of " + std::string(type) + "s"));
                EXPECT_THAT(std::string(made.json()["error"]),
                            HasSubstr("add \"" + std::string(type) + "\" to `public` of [repos]"));
            }
        }
        for (const Json& asked : {Json{{"private", true}}, Json{{"visibility", "private"}}}) {
            const std::string asking = "hidden-" + std::string(type) + asked.dump().substr(2, 5);
            EXPECT_EQ(create(type, asking, asked).status(), 200);
            EXPECT_EQ(look(std::string(plural) + "/ana/" + asking), "private");
        }
    }
    EXPECT_EQ(create("space", "both", {{"visibility", "private"}, {"private", false}}).status(),
              400);
    EXPECT_EQ(create("space", "both", {{"visibility", "private"}, {"private", true}}).status(),
              200);
    EXPECT_EQ(create_bucket("ana/box").status(), 200); // Another thing than a registry.
    EXPECT_EQ(look("buckets/ana/box"), "public");

    HubConfig none;
    none.repos.public_kinds = {};
    serve(none);
    EXPECT_EQ(create("app", "late", {{"private", false}}).status(), 403);
    EXPECT_EQ(create("app", "late").status(), 200);
    EXPECT_EQ(look("spaces/ana/late"), "private");

    serve(test::with_public_repos());
    EXPECT_EQ(create("model", "open").status(), 200);
    EXPECT_EQ(look("models/ana/open"), "public");
}

TEST_F(VisibilityTest, what_is_public_stays_so_and_nothing_becomes_it) {
    serve(test::with_public_repos());
    ASSERT_EQ(create("model", "old").status(), 200);
    ASSERT_EQ(create("model", "hidden", {{"private", true}}).status(), 200);
    serve({});
    EXPECT_EQ(look("models/ana/old"), "public");
    EXPECT_EQ(call("PUT /api/models/ana/old/settings", {{"private", false}}).status(), 200);
    EXPECT_EQ(call("PUT /api/models/ana/old/settings", {{"gated", "auto"}}).status(), 200);
    EXPECT_EQ(look("models/ana/old"), "public");
    EXPECT_EQ(call("PUT /api/models/ana/old/settings", {{"private", true}}).status(), 200);
    for (const std::string name : {"old", "hidden"}) {
        const Reply refused = call("PUT /api/models/ana/" + name + "/settings",
                                   {{"visibility", "public"}, {"gated", "manual"}});
        EXPECT_EQ(refused.status(), 403);
        EXPECT_THAT(std::string(refused.json()["error"]), HasSubstr("[repos] in hub.toml"));
        EXPECT_EQ(look("models/ana/" + name), "private");
        EXPECT_NE(call("GET /api/models/ana/" + name, Json()).json()["gated"], "manual");
    }
}

TEST_F(VisibilityTest, an_organization_makes_what_is_new_in_it_private) {
    serve(test::with_public_repos());
    auto organizations = Organizations::open(data());
    ASSERT_TRUE(organizations);
    ASSERT_EQ(create("model", "lab/before").status(), 200);
    ASSERT_TRUE(organizations->set_default_visibility("LAB", Visibility::Private));
    EXPECT_EQ(look("models/lab/before"), "public");
    ASSERT_EQ(create("model", "lab/silent").status(), 200);
    ASSERT_EQ(create("space", "lab/silent").status(), 200);
    ASSERT_EQ(create_bucket("lab/silent").status(), 200);
    ASSERT_EQ(create("model", "lab/said", {{"private", false}}).status(), 200);
    ASSERT_EQ(create_bucket("lab/said", {{"visibility", "public"}}).status(), 200);
    ASSERT_EQ(create("model", "ana/silent").status(), 200);
    for (const std::string kind : {"models", "spaces", "buckets"}) {
        EXPECT_EQ(look(kind + "/lab/silent"), "private") << kind;
    }
    for (const std::string path : {"models/lab/said", "buckets/lab/said", "models/ana/silent"}) {
        EXPECT_EQ(look(path), "public") << path;
    }
    ASSERT_TRUE(organizations->set_default_visibility("lab", Visibility::Public));
    ASSERT_EQ(create_bucket("lab/again").status(), 200);
    EXPECT_EQ(look("buckets/lab/again"), "public");
}

} // namespace
} // namespace locara::hub
