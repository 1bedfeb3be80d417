// Who may do what, door by door: every route that is about a repository, for every kind of caller.
#include "hub_client.hpp"

#include <locara/hub/accounts.hpp>
#include <locara/hub/hub.hpp>
#include <locara/hub/organizations.hpp>

#include <gmock/gmock.h>

#include <map>

namespace locara::hub {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using test::Reply;

/// One way to ask for something. `{repo}` stands for the repository's id.
struct Door {
    const char* method;
    const char* path;
    const char* body;
};

constexpr Door kSee[] = {
    {"GET", "/api/models/{repo}", ""},
    {"GET", "/api/models/{repo}/revision/main", ""},
    {"GET", "/api/models/{repo}/tree/main", ""},
    {"POST", "/api/models/{repo}/paths-info/main", R"({"paths":[".gitattributes"]})"},
    {"GET", "/api/models/{repo}/refs", ""},
    {"GET", "/api/models/{repo}/commits/main", ""},
    {"GET", "/api/models/{repo}/discussions", ""},
};

constexpr Door kRead[] = {
    {"GET", "/{repo}/resolve/main/.gitattributes", ""},
    {"HEAD", "/{repo}/resolve/main/.gitattributes", ""},
    {"GET", "/{repo}/raw/main/.gitattributes", ""},
    {"GET", "/api/models/{repo}/compare/main..main", ""},
    {"GET", "/api/models/{repo}/auth-check", ""},
    {"GET", "/api/models/{repo}/xet-read-token/main", ""},
    {"GET", "/{repo}/info/refs?service=git-upload-pack", ""},
    {"GET", "/{repo}.git/info/refs?service=git-upload-pack", ""},
    {"POST", "/{repo}/git-upload-pack", ""},
    {"POST", "/{repo}.git/info/lfs/objects/batch", R"({"operation":"download","objects":[]})"},
};

constexpr Door kWrite[] = {
    {"GET", "/api/models/{repo}/auth-check/write", ""},
    {"POST", "/api/models/{repo}/preupload/main", R"({"files":[]})"},
    {"POST", "/api/models/{repo}/commit/main", R"({"key":"header","value":{"summary":"nothing"}})"},
    {"GET", "/api/models/{repo}/xet-write-token/main", ""},
    {"POST",
     "/{repo}.git/info/lfs/objects/batch",
     R"({"operation":"upload","ref":{"name":"refs/heads/main"},"objects":[]})"},
    {"GET", "/{repo}/info/refs?service=git-receive-pack", ""},
    {"POST", "/{repo}.git/git-receive-pack", "0000"},
    {"PUT", "/api/models/{repo}/settings", "{}"},
    {"POST", "/api/models/{repo}/branch/main", R"({"overwrite":true})"},
    {"POST", "/api/models/{repo}/super-squash/main", R"({"message":"one"})"},
};

/// For whoever reads and may change something of his own.
constexpr Door kPropose[] = {
    {"POST", "/api/models/{repo}/discussions", R"({"title":"t","description":"d"})"},
    {"POST", "/api/models/{repo}/discussions/1/comment", R"({"comment":"c"})"},
    {"POST", "/api/models/{repo}/preupload/main?create_pr=1", R"({"files":[]})"},
    {"POST",
     "/api/models/{repo}/commit/main?create_pr=1",
     R"({"key":"header","value":{"summary":"nothing"}})"},
    {"GET", "/api/models/{repo}/xet-write-token/main?create_pr=1", ""},
    {"POST", "/{repo}.git/info/lfs/objects/batch", R"({"operation":"upload","objects":[]})"},
};

/// Of a discussion that an admin opened, for who may write.
constexpr Door kModerate[] = {
    {"POST", "/api/models/{repo}/discussions/1/title", R"({"title":"u"})"},
    {"POST", "/api/models/{repo}/discussions/1/status", R"({"status":"closed"})"},
    {"POST", "/api/models/{repo}/discussions/1/merge", ""},
};

/// What callers get: a status, or "ok" for being let in, whatever the door then says.
using Row = std::map<std::string, std::string>;

const Row kPrivateRead = {{"nobody", "401"},
                          {"other", "404"},
                          {"no_access", "404"},
                          {"read", "ok"},
                          {"contributor", "ok"},
                          {"write", "ok"},
                          {"admin", "ok"},
                          {"reading token of write", "ok"},
                          {"expired token of write", "401"},
                          {"revoked token of write", "401"}};
const Row kPublicRead = {{"nobody", "ok"},
                         {"other", "ok"},
                         {"no_access", "ok"},
                         {"read", "ok"},
                         {"contributor", "ok"},
                         {"write", "ok"},
                         {"admin", "ok"},
                         {"reading token of write", "ok"},
                         {"expired token of write", "401"},
                         {"revoked token of write", "401"}};
const Row kPrivateWrite = {{"nobody", "401"},
                           {"other", "404"},
                           {"no_access", "404"},
                           {"read", "403"},
                           {"contributor", "403"},
                           {"write", "ok"},
                           {"admin", "ok"},
                           {"reading token of write", "403"},
                           {"expired token of write", "401"},
                           {"revoked token of write", "401"}};
const Row kPublicWrite = {{"nobody", "401"},
                          {"other", "403"},
                          {"no_access", "403"},
                          {"read", "403"},
                          {"contributor", "403"},
                          {"write", "ok"},
                          {"admin", "ok"},
                          {"reading token of write", "403"},
                          {"expired token of write", "401"},
                          {"revoked token of write", "401"}};

const Row kPrivatePropose = {{"nobody", "401"},
                             {"other", "404"},
                             {"no_access", "404"},
                             {"read", "ok"},
                             {"contributor", "ok"},
                             {"write", "ok"},
                             {"admin", "ok"},
                             {"reading token of write", "403"},
                             {"expired token of write", "401"},
                             {"revoked token of write", "401"}};
const Row kPublicPropose = {{"nobody", "401"},
                            {"other", "ok"},
                            {"no_access", "ok"},
                            {"read", "ok"},
                            {"contributor", "ok"},
                            {"write", "ok"},
                            {"admin", "ok"},
                            {"reading token of write", "403"},
                            {"expired token of write", "401"},
                            {"revoked token of write", "401"}};

class AccessTest : public testing::Test {
  protected:
    void SetUp() override {
        auto hub = Hub::open(data(), clock_, null_log());
        ASSERT_TRUE(hub) << hub.error().describe();
        hub_ = std::move(*hub);
        hub_->configure(test::with_public_repos());
        ASSERT_TRUE(hub_->serve("127.0.0.1", 0));
        auto organizations = Organizations::open(data());
        ASSERT_TRUE(organizations);
        ASSERT_TRUE(organizations->create("Lab", "The Lab", clock_.now()));
        tokens_["nobody"] = "";
        tokens_["other"] = make_token("other", TokenRole::Write);
        for (const char* role : {"no_access", "read", "contributor", "write", "admin"}) {
            tokens_[role] = make_token(role, TokenRole::Write);
            ASSERT_TRUE(organizations->add_member("lab", role, *parse_org_role(role)));
        }
        tokens_["reading token of write"] = make_token("write", TokenRole::Read);
        tokens_["expired token of write"] = make_token("write", TokenRole::Write, seconds(1));
        tokens_["revoked token of write"] = make_token("write", TokenRole::Write);
        auto accounts = Accounts::open(data(), clock_);
        ASSERT_TRUE(accounts->revoke_token(last_token_));
        clock_.advance(seconds(2));
        ASSERT_EQ(create("admin", "open", "public").status(), 200);
        ASSERT_EQ(create("admin", "closed", "private").status(), 200);
    }

    std::filesystem::path data() const { return folder_.path() / "hub"; }

    std::string make_token(const std::string& user, TokenRole role, seconds life = hours(24)) {
        auto accounts = Accounts::open(data(), clock_);
        EXPECT_TRUE(accounts);
        static_cast<void>(accounts->add_user(user, "").has_value());
        const NewToken wanted{"t" + std::to_string(++made_), role, clock_.now() + life};
        const auto made = accounts->create_token(user, wanted);
        EXPECT_TRUE(made) << made.error().describe();
        last_token_ = made->token.id;
        return made->text.reveal();
    }

    Reply call(const std::string& caller,
               const std::string& method,
               const std::string& path,
               const std::string& body = "") const {
        const std::string token = tokens_.at(caller);
        const std::string auth = token.empty() ? "" : "Authorization: Bearer " + token + "\r\n";
        return test::send(hub_->port(), method + " " + path + " HTTP/1.1\r\n" + auth, body);
    }

    Reply create(const std::string& caller, const std::string& name, const char* visibility) const {
        return call(caller,
                    "POST",
                    "/api/repos/create",
                    R"({"organization":"lab","name":")" + name + R"(","visibility":")" +
                        visibility + "\"}");
    }

    Reply remove(const std::string& caller, const std::string& name) const {
        return call(caller,
                    "DELETE",
                    "/api/repos/delete",
                    R"({"organization":"lab","name":")" + name + "\"}");
    }

    Reply move(const std::string& caller, const std::string& from, const std::string& to) const {
        return call(caller,
                    "POST",
                    "/api/repos/move",
                    R"({"fromRepo":")" + from + R"(","toRepo":")" + to + R"(","type":"model"})");
    }

    /// Knocks at every one of the doors as every caller of the row.
    void knock(std::span<const Door> doors, const std::string& repo, const Row& expected) const {
        for (const Door& door : doors) {
            std::string path = door.path;
            path.replace(path.find("{repo}"), 6, repo);
            for (const auto& [caller, status] : expected) {
                const Reply reply = call(caller, door.method, path, door.body);
                const bool in =
                    reply.status() != 401 && reply.status() != 403 && reply.status() != 404;
                EXPECT_EQ(in ? "ok" : std::to_string(reply.status()), status)
                    << caller << " " << door.method << " " << path << "\n"
                    << reply.body;
                if (status == "404") { // As if it were not there.
                    EXPECT_EQ(reply.header("X-Error-Code"), "RepoNotFound") << path;
                }
            }
        }
    }

    TempFolder folder_ = *TempFolder::create("/tmp", "locara-access-");
    FakeClock clock_{*parse_time("2026-11-22T19:00:00Z")};
    std::unique_ptr<Hub> hub_;
    std::map<std::string, std::string> tokens_;
    std::string last_token_;
    int made_ = 0;
};

TEST_F(AccessTest, opens_each_door_of_a_private_repository_to_those_it_is_for) {
    knock(kSee, "lab/closed", kPrivateRead);
    knock(kRead, "lab/closed", kPrivateRead);
    knock(kWrite, "lab/closed", kPrivateWrite);
    knock(kPropose, "lab/closed", kPrivatePropose);
    knock(kModerate, "lab/closed", kPrivateWrite);
}

TEST_F(AccessTest, opens_each_door_of_a_public_repository_to_those_it_is_for) {
    knock(kSee, "lab/open", kPublicRead);
    knock(kRead, "lab/open", kPublicRead);
    knock(kWrite, "lab/open", kPublicWrite);
    knock(kPropose, "lab/open", kPublicPropose);
    knock(kModerate, "lab/open", kPublicWrite);
}

TEST_F(AccessTest, says_the_same_of_a_private_repository_and_of_one_that_is_not_there) {
    for (const char* caller : {"nobody", "other", "no_access"}) {
        for (const Door& door : kSee) {
            std::string there = door.path;
            std::string nowhere = door.path;
            there.replace(there.find("{repo}"), 6, "lab/closed");
            nowhere.replace(nowhere.find("{repo}"), 6, "lab/nothing");
            const Reply one = call(caller, door.method, there, door.body);
            const Reply two = call(caller, door.method, nowhere, door.body);
            EXPECT_EQ(one.status(), two.status()) << there;
            EXPECT_EQ(one.body, two.body) << there;
        }
        EXPECT_EQ(remove(caller, "closed").body, remove(caller, "nothing").body);
        EXPECT_EQ(move(caller, "lab/closed", "other/x").body,
                  move(caller, "lab/nothing", "other/x").body);
    }
}

TEST_F(AccessTest, lists_what_the_caller_may_see_and_counts_no_more) {
    for (const auto& [caller, status] : kPrivateRead) {
        const Reply list = call(caller, "GET", "/api/models?author=lab");
        const Reply overview = call(caller, "GET", "/api/organizations/lab/overview");
        if (status == "401" && caller != "nobody") {
            EXPECT_EQ(list.status(), 401) << caller;
            continue;
        }
        const std::size_t seen = status == "ok" ? 2 : 1;
        EXPECT_EQ(list.json().size(), seen) << caller;
        EXPECT_EQ(overview.json()["numModels"], seen) << caller;
        EXPECT_EQ(overview.json()["numUsers"], 5) << caller;
    }
}

TEST_F(AccessTest, lets_members_make_repositories_and_contributors_keep_what_they_made) {
    for (const auto& [caller, status] : Row{{"nobody", "401"},
                                            {"other", "403"},
                                            {"no_access", "403"},
                                            {"read", "403"},
                                            {"reading token of write", "403"},
                                            {"contributor", "200"},
                                            {"write", "200"},
                                            {"admin", "200"}}) {
        const Reply made = create(caller, "new-" + std::to_string(++made_), "private");
        EXPECT_EQ(std::to_string(made.status()), status) << caller << made.body;
    }
    ASSERT_EQ(create("contributor", "mine", "private").status(), 200);
    EXPECT_EQ(call("read", "GET", "/api/models/lab/mine").json()["id"], "Lab/mine");
    Row expected = kPrivateWrite;
    expected["contributor"] = "ok";
    knock(kWrite, "lab/mine", expected);
    EXPECT_EQ(remove("contributor", "closed").status(), 403);
    EXPECT_EQ(move("contributor", "lab/mine", "Lab/still-mine").status(), 200);
    EXPECT_EQ(remove("contributor", "still-mine").status(), 200);
}

TEST_F(AccessTest, moves_between_namespaces_only_what_may_leave_and_only_where_it_may_go) {
    EXPECT_EQ(move("read", "lab/closed", "read/x").status(), 403);
    EXPECT_EQ(move("write", "lab/closed", "other/x").status(), 403);
    EXPECT_EQ(move("other", "lab/closed", "other/x").status(), 404);
    ASSERT_EQ(move("write", "lab/closed", "write/closed").status(), 200);
    EXPECT_EQ(call("admin", "GET", "/api/models/lab/closed").status(), 404);
    EXPECT_EQ(call("write", "GET", "/api/models/lab/closed").status(), 307);
    EXPECT_EQ(move("write", "write/closed", "LAB/closed").status(), 200);
    EXPECT_EQ(call("read", "GET", "/api/models/lab/closed").json()["id"], "Lab/closed");
}

TEST_F(AccessTest, follows_a_change_of_roles_at_once) {
    auto organizations = Organizations::open(data());
    ASSERT_TRUE(organizations->set_role("lab", "read", OrgRole::Write));
    EXPECT_EQ(call("read", "PUT", "/api/models/lab/closed/settings", "{}").status(), 200);
    ASSERT_TRUE(organizations->remove_member("lab", "read"));
    EXPECT_EQ(call("read", "GET", "/api/models/lab/closed").status(), 404);
}

TEST_F(AccessTest, tells_members_what_they_belong_to_and_strangers_nothing) {
    const Json me = call("contributor", "GET", "/api/whoami-v2").json();
    ASSERT_EQ(me["orgs"].size(), 1U);
    EXPECT_EQ(me["orgs"][0]["name"], "Lab");
    EXPECT_EQ(me["orgs"][0]["fullname"], "The Lab");
    EXPECT_EQ(me["orgs"][0]["roleInOrg"], "contributor");
    EXPECT_EQ(call("other", "GET", "/api/whoami-v2").json()["orgs"].size(), 0U);
    EXPECT_EQ(call("nobody", "GET", "/api/organizations/lab/members").status(), 401);
    const Reply page = call("other", "GET", "/api/organizations/lab/members?limit=3");
    EXPECT_EQ(page.json().size(), 3U);
    EXPECT_EQ(page.json()[0]["user"], "admin");
    EXPECT_EQ(page.json()[0]["role"], "admin");
    const std::string link = page.header("Link");
    ASSERT_THAT(link, testing::HasSubstr("cursor=3"));
    const std::string next = link.substr(link.find("/api"), link.find('>') - link.find("/api"));
    EXPECT_EQ(call("other", "GET", next).json().size(), 2U);
    EXPECT_EQ(call("other", "GET", "/api/organizations/none/members").status(), 404);
    EXPECT_EQ(call("other", "GET", "/api/users/read/overview").json()["orgs"][0]["name"], "Lab");
    EXPECT_EQ(call("nobody", "GET", "/api/users/read/overview").json()["orgs"].size(), 0U);
    EXPECT_EQ(call("nobody", "GET", "/api/users/lab/overview").status(), 404);
}

TEST(Organizations, share_their_names_with_users_and_stay_while_they_have_repositories) {
    const TempFolder folder = *TempFolder::create("/tmp", "locara-orgs-");
    const FakeClock clock(*parse_time("2026-11-22T19:00:00Z"));
    // A folder that no hub worked in, such as a typo of it, is left as it is.
    EXPECT_EQ(Accounts::open(folder.path(), clock).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(Organizations::open(folder.path()).error().code(), ErrorCode::NotFound);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
    ASSERT_TRUE(Hub::open(folder.path(), clock, null_log()));
    auto accounts = Accounts::open(folder.path(), clock);
    auto organizations = Organizations::open(folder.path());
    ASSERT_TRUE(accounts && organizations);
    ASSERT_TRUE(accounts->add_user("ana", ""));
    ASSERT_TRUE(organizations->create("lab", "", clock.now()));
    EXPECT_EQ(organizations->create("ANA", "", clock.now()).error().code(), ErrorCode::Conflict);
    EXPECT_EQ(accounts->add_user("Lab", "").error().code(), ErrorCode::Conflict);
    EXPECT_EQ(organizations->create("api", "", clock.now()).error().code(),
              ErrorCode::InvalidArgument);
    for (const char* const hidden : {"me", "Login", "metrics"}) { // The hub's own are found first.
        EXPECT_EQ(accounts->add_user(hidden, "").error().code(), ErrorCode::InvalidArgument);
    }
    // An organization is no user: no token, no member.
    EXPECT_EQ(accounts->create_token("lab", {"t", TokenRole::Read, {}}).error().code(),
              ErrorCode::NotFound);
    EXPECT_EQ(organizations->add_member("lab", "lab", OrgRole::Read).error().code(),
              ErrorCode::NotFound);
    EXPECT_EQ(organizations->add_member("none", "ana", OrgRole::Read).error().code(),
              ErrorCode::NotFound);
    EXPECT_EQ(organizations->add_member("ana", "ana", OrgRole::Read).error().code(),
              ErrorCode::NotFound);
    ASSERT_TRUE(organizations->add_member("LAB", "Ana", OrgRole::Read));
    EXPECT_EQ(organizations->add_member("lab", "ana", OrgRole::Write).error().code(),
              ErrorCode::Conflict);
    ASSERT_TRUE(organizations->set_role("lab", "ana", OrgRole::Admin));
    const auto lab = organizations->find("lab");
    ASSERT_TRUE(lab && *lab);
    const auto members = organizations->members((*lab)->key);
    ASSERT_EQ(members->size(), 1U);
    EXPECT_EQ((*members)[0].account.name, "ana");
    EXPECT_EQ((*members)[0].role, OrgRole::Admin);
    ASSERT_TRUE(organizations->remove_member("lab", "ana"));
    EXPECT_EQ(organizations->remove_member("lab", "ana").error().code(), ErrorCode::NotFound);
    EXPECT_EQ(organizations->set_role("lab", "ana", OrgRole::Read).error().code(),
              ErrorCode::NotFound);
    EXPECT_EQ(organizations->list()->size(), 1U);
    ASSERT_TRUE(organizations->remove("lab"));
    EXPECT_EQ(organizations->remove("lab").error().code(), ErrorCode::NotFound);
    EXPECT_EQ(organizations->remove("ana").error().code(), ErrorCode::NotFound);
}

} // namespace
} // namespace locara::hub
