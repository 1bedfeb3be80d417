// Gated repositories and fine-grained tokens: what opens to whom, over HTTP.
#include "hub_client.hpp"

#include <locara/hub/accounts.hpp>
#include <locara/hub/audit.hpp>
#include <locara/hub/hub.hpp>
#include <locara/hub/organizations.hpp>

#include <gmock/gmock.h>

#include <map>

namespace locara::hub {
namespace {

using std::chrono::hours;
using test::Reply;
using testing::HasSubstr;

/// What needs access to the files of `{repo}`.
constexpr const char* kDoors[] = {
    "/{repo}/resolve/main/a.txt",
    "/{repo}/raw/main/a.txt",
    "/api/models/{repo}/compare/main..main",
    "/api/models/{repo}/auth-check",
    "/api/models/{repo}/xet-read-token/main",
    "/{repo}/info/refs?service=git-upload-pack",
};

class GateTest : public testing::Test {
  protected:
    void SetUp() override {
        auto hub = Hub::open(data(), clock_, null_log());
        ASSERT_TRUE(hub) << hub.error().describe();
        hub_ = std::move(*hub);
        hub_->configure(test::with_public_repos());
        ASSERT_TRUE(hub_->serve("127.0.0.1", 0));
        for (const char* user : {"ana", "ben", "eve"}) {
            tokens_[user] = make_token(user, {"all", TokenRole::Write, {}, {}});
        }
        make("ana", "open", "public");
        make("ana", "closed", "private");
    }

    std::filesystem::path data() const { return folder_.path() / "hub"; }

    std::string make_token(const std::string& user, const NewToken& wanted) const {
        auto accounts = Accounts::open(data(), clock_);
        EXPECT_TRUE(accounts);
        static_cast<void>(accounts->add_user(user, "").has_value());
        const auto made = accounts->create_token(user, wanted);
        EXPECT_TRUE(made) << made.error().describe();
        return made->text.reveal();
    }

    /// A fine-grained token of ana's.
    std::string make_scoped(const std::string& name, const std::vector<std::string>& scopes) const {
        NewToken wanted{name, TokenRole::FineGrained, {}, {}};
        for (const std::string& scope : scopes) {
            wanted.scopes.push_back(*NewScope::parse(scope));
        }
        return make_token("ana", wanted);
    }

    /// Who did the last of an event, to which repository, and the state that it tells.
    std::string audited(const std::string& event) const {
        std::string found;
        const auto audit = Audit::open(data(), clock_);
        EXPECT_TRUE(audit && audit->verify([&](const Json& line) -> Status {
            if (line["event"] == event) {
                found = line["by"].get<std::string>() + " " + line["repo"].get<std::string>() +
                        " " + line["state"].get<std::string>();
            }
            return {};
        }));
        return found;
    }

    Reply call(const std::string& caller,
               const std::string& method,
               const std::string& path,
               const std::string& body = "",
               const std::string& headers = "") const {
        const auto known = tokens_.find(caller);
        const std::string token = known == tokens_.end() ? caller : known->second;
        const std::string auth = token.empty() ? "" : "Authorization: Bearer " + token + "\r\n";
        return test::send(
            hub_->port(), method + " " + path + " HTTP/1.1\r\n" + auth + headers, body);
    }

    void make(const std::string& user, const std::string& name, const std::string& visibility) {
        const Reply made = call(user,
                                "POST",
                                "/api/repos/create",
                                R"({"name":")" + name + R"(","visibility":")" + visibility +
                                    R"(","files":[{"path":"a.txt","content":"a"}]})");
        ASSERT_EQ(made.status(), 200) << made.body;
    }

    void gate(const std::string& repo, const std::string& how) {
        const Reply done =
            call("ana", "PUT", "/api/models/" + repo + "/settings", R"({"gated":)" + how + "}");
        ASSERT_EQ(done.status(), 200) << done.body;
        EXPECT_EQ(done.json()["gated"].dump(), how);
        EXPECT_EQ(call("ana", "GET", "/api/models/" + repo).json()["gated"].dump(), how);
    }

    /// Each door of the repository answers the caller with this status, and this code.
    void knock(const std::string& caller,
               const std::string& repo,
               int status,
               const std::string& code) const {
        for (std::string path : kDoors) {
            path.replace(path.find("{repo}"), 6, repo);
            const Reply reply = call(caller, "GET", path);
            EXPECT_EQ(reply.status(), status) << caller << " " << path << "\n" << reply.body;
            EXPECT_EQ(reply.header("X-Error-Code"), code) << caller << " " << path;
        }
    }

    Reply
    decide(const std::string& caller, const std::string& user, const std::string& more) const {
        return call(caller,
                    "POST",
                    "/api/models/ana/open/user-access-request/handle",
                    R"({"user":")" + user + "\"," + more + "}");
    }

    /// The cookie of who signs in with a user's token, as a header.
    std::string sign_in(const std::string& user) const {
        const Reply done = call("nobody",
                                "POST",
                                "/login",
                                "token=" + tokens_.at(user),
                                "Content-Type: application/x-www-form-urlencoded\r\n");
        EXPECT_EQ(done.status(), 303) << done.body;
        const std::string cookie = done.header("Set-Cookie");
        return "Cookie: " + cookie.substr(0, cookie.find(';')) + "\r\n";
    }

    Reply requests(const std::string& state) const {
        return call("ana", "GET", "/api/models/ana/open/user-access-request/" + state);
    }

    TempFolder folder_ = *TempFolder::create("/tmp", "locara-gate-");
    FakeClock clock_{*parse_time("2026-11-22T19:00:00Z")};
    std::unique_ptr<Hub> hub_;
    std::map<std::string, std::string> tokens_{{"nobody", ""}};
};

// ------------------------------------------------------------------------------------------- gates

TEST_F(GateTest, shows_a_gated_repository_and_keeps_its_files_for_those_let_in) {
    gate("ana/open", R"("manual")");
    knock("nobody", "ana/open", 401, "GatedRepo");
    knock("ben", "ana/open", 403, "GatedRepo");
    knock("ana", "ana/open", 200, "");
    EXPECT_THAT(call("ben", "GET", "/ana/open/resolve/main/a.txt").json()["error"].dump(),
                HasSubstr("Access to model ana/open is restricted and you are not in the "
                          "authorized list"));
    for (const char* caller : {"nobody", "ben"}) {
        EXPECT_EQ(call(caller, "GET", "/api/models/ana/open").json()["gated"], "manual");
        EXPECT_EQ(call(caller, "GET", "/api/models/ana/open/tree/main").json().size(), 2U);
        EXPECT_EQ(call(caller, "GET", "/api/models?gated=true").json().size(), 1U);
        EXPECT_EQ(call(caller, "GET", "/api/models?gated=false").json().size(), 0U);
    }
    const Reply file = call("ana", "GET", "/ana/open/resolve/main/a.txt");
    EXPECT_EQ(file.header("Cache-Control"), "private, no-cache");
    const Reply batch = call("ben",
                             "POST",
                             "/ana/open.git/info/lfs/objects/batch",
                             R"({"operation":"download","objects":[]})");
    EXPECT_EQ(batch.status(), 403);
    gate("ana/open", "false");
    knock("nobody", "ana/open", 200, "");
}

TEST_F(GateTest, lets_in_at_once_who_asks_at_an_automatic_gate) {
    gate("ana/open", R"("auto")");
    EXPECT_EQ(call("nobody", "POST", "/ana/open/ask-access").status(), 401);
    const Reply asked = call("ben",
                             "POST",
                             "/ana/open/ask-access",
                             "Company=ACME+Inc&Agree=true",
                             "Content-Type: application/x-www-form-urlencoded\r\n");
    EXPECT_EQ(asked.status(), 200) << asked.body;
    EXPECT_EQ(asked.json()["status"], "accepted");
    knock("ben", "ana/open", 200, "");
    knock("eve", "ana/open", 403, "GatedRepo");
    EXPECT_EQ(call("ben", "POST", "/ana/open/ask-access").status(), 400);
    const Json accepted = requests("accepted").json();
    ASSERT_EQ(accepted.size(), 1U);
    EXPECT_EQ(accepted[0]["user"]["user"], "ben");
    EXPECT_EQ(accepted[0]["fields"]["Company"], "ACME Inc");
    EXPECT_TRUE(accepted[0]["user"].contains("email"));
    // It is his to give back.
    const char* const cancel = "/api/models/ana/open/user-access-request/cancel";
    EXPECT_EQ(call("ben", "POST", cancel).status(), 200);
    EXPECT_EQ(audited("access-cancelled"), "ben ana/open accepted");
    EXPECT_EQ(call("ben", "POST", cancel).status(), 404);
    knock("ben", "ana/open", 403, "GatedRepo");
}

TEST_F(GateTest, has_each_request_decided_at_a_manual_gate) {
    gate("ana/open", R"("manual")");
    EXPECT_EQ(call("ben", "POST", "/ana/open/ask-access", R"({"why":"research"})").json()["status"],
              "pending");
    EXPECT_EQ(call("ben", "POST", "/ana/open/ask-access").status(), 409);
    knock("ben", "ana/open", 403, "GatedRepo");
    EXPECT_EQ(requests("pending").json()[0]["fields"]["why"], "research");
    for (const char* caller : {"nobody", "ben"}) { // Not for who asks to decide, or to know.
        const int status = std::string(caller) == "nobody" ? 401 : 403;
        EXPECT_EQ(decide(caller, "ben", R"("status":"accepted")").status(), status);
        for (const char* path :
             {"/api/models/ana/open/user-access-request/pending", "/ana/open/user-access-report"}) {
            EXPECT_EQ(call(caller, "GET", path).status(), status) << path;
        }
    }
    EXPECT_EQ(decide("ana", "ben", R"("status":"accepted")").status(), 200);
    EXPECT_EQ(decide("ana", "ben", R"("status":"accepted")").status(), 404);
    knock("ben", "ana/open", 200, "");
    EXPECT_EQ(decide("ana", "ben", R"("status":"pending")").status(), 200);
    knock("ben", "ana/open", 403, "GatedRepo");
    EXPECT_EQ(
        decide("ana", "ben", R"("status":"rejected","rejectionReason":"no address")").status(),
        200);
    EXPECT_EQ(requests("rejected").json()[0]["rejectionReason"], "no address");
    // Asking again changes nothing, nor does taking it back first.
    EXPECT_EQ(call("ben", "POST", "/api/models/ana/open/user-access-request/cancel").status(), 404);
    EXPECT_EQ(call("ben", "POST", "/ana/open/ask-access").status(), 409);
    EXPECT_EQ(decide("ana", "nobody", R"("status":"accepted")").status(), 404);
    EXPECT_EQ(decide("ana", "eve", R"("status":"accepted")").status(), 404);
    EXPECT_EQ(decide("ana", "ben", R"("status":"maybe")").status(), 400);
}

TEST_F(GateTest, grants_access_that_nobody_asked_for_and_ends_it_in_time) {
    gate("ana/open", R"("manual")");
    const char* const grant = "/api/models/ana/open/user-access-request/grant";
    const char* const body = R"({"user":"ben","expiresAt":"2026-11-23T19:00:00Z"})";
    EXPECT_EQ(call("ben", "POST", grant, body).status(), 403);
    EXPECT_TRUE(call("ana", "POST", grant, body).json().is_object());
    EXPECT_EQ(call("ana", "POST", grant, body).status(), 400);
    EXPECT_FALSE(requests("accepted").json()[0]["user"].contains("email"));
    knock("ben", "ana/open", 200, "");
    clock_.advance(hours(24));
    knock("ben", "ana/open", 403, "GatedRepo");
    EXPECT_EQ(requests("accepted").json().size(), 0U);
    EXPECT_THAT(call("ana", "GET", "/ana/open/user-access-report").body, HasSubstr("\"expired\""));
    EXPECT_EQ(call("ana", "POST", grant, R"({"user":"ben"})").status(), 200);
    knock("ben", "ana/open", 200, "");
    EXPECT_EQ(
        call("ana", "POST", grant, R"({"user":"eve","expiresAt":"2020-01-01T00:00:00Z"})").status(),
        400);
    EXPECT_EQ(call("ana", "POST", grant, R"({"user":"none"})").status(), 404);
    gate("ana/open", "false");
    EXPECT_EQ(call("ana", "POST", grant, R"({"user":"eve"})").status(), 400);
}

TEST_F(GateTest, reports_requests_so_that_no_spreadsheet_runs_what_was_filled_in) {
    gate("ana/open", R"("manual")");
    ASSERT_EQ(
        call("ben", "POST", "/ana/open/ask-access", R"({"who":"=1+1","b,c":"say \"x\""})").status(),
        200);
    const Reply csv = call("ana", "GET", "/ana/open/user-access-report");
    EXPECT_EQ(csv.header("Content-Type"), "text/csv; charset=utf-8");
    EXPECT_EQ(csv.body,
              "user,fullname,email,status,timestamp,expiresAt,rejectionReason,\"b,c\",\"who\"\r\n"
              "\"ben\",\"ben\",\"ben@users.noreply.locara.dev\",\"pending\","
              "\"2026-11-22T19:00:00.000Z\",\"\",\"\",\"say \"\"x\"\"\",\"'=1+1\"\r\n");
    const Reply json = call("ana", "GET", "/ana/open/user-access-report?format=json");
    EXPECT_EQ(json.json()[0]["fields"]["who"], "=1+1");
}

TEST_F(GateTest, takes_only_so_much_of_who_asks) {
    gate("ana/open", R"("manual")");
    const std::string large(5000, 'x');
    std::string many = "{";
    for (int i = 0; i < 40; ++i) {
        many += (i == 0 ? "\"f" : ",\"f") + std::to_string(i) + "\":\"x\"";
    }
    for (const std::string& body :
         {R"({"a":")" + large + "\"}", many + "}", std::string(R"({"a":{}})"), std::string("[]")}) {
        EXPECT_EQ(call("ben", "POST", "/ana/open/ask-access", body).status(), 400);
    }
    EXPECT_EQ(call("ana", "POST", "/ana/open/ask-access").status(), 400);
    EXPECT_EQ(call("ben", "POST", "/ana/closed/ask-access").status(), 404);
    gate("ana/open", "false");
    EXPECT_EQ(call("ben", "POST", "/ana/open/ask-access").status(), 400);
}

TEST_F(GateTest, opens_no_private_repository_by_a_grant) {
    gate("ana/closed", R"("manual")");
    EXPECT_EQ(
        call("ana", "POST", "/api/models/ana/closed/user-access-request/grant", R"({"user":"ben"})")
            .status(),
        200);
    knock("ben", "ana/closed", 404, "RepoNotFound");
}

// ------------------------------------------------------------------------------------------ tokens

TEST_F(GateTest, opens_to_a_fine_grained_token_what_it_names_and_nothing_else) {
    make("ana", "other", "private");
    const std::string reads = make_scoped("reads", {"ana/closed"});
    const std::string writes = make_scoped("writes", {"ana/closed=write"});
    knock(reads, "ana/closed", 200, "");
    knock(writes, "ana/closed", 200, "");
    knock(reads, "ana/other", 404, "RepoNotFound");
    knock(writes, "ana/other", 404, "RepoNotFound");
    knock(reads, "ana/open", 200, ""); // As for everybody.
    for (const auto& [token, status] : {std::pair(reads, 403), std::pair(writes, 200)}) {
        EXPECT_EQ(call(token, "PUT", "/api/models/ana/closed/settings", "{}").status(), status);
        EXPECT_EQ(call(token, "GET", "/ana/closed/info/refs?service=git-receive-pack").status(),
                  status);
        EXPECT_EQ(call(token, "GET", "/api/models/ana/closed/xet-write-token/main").status(),
                  status);
        EXPECT_EQ(call(token, "PUT", "/api/models/ana/open/settings", "{}").status(), 403);
        EXPECT_EQ(call(token, "PUT", "/api/models/ana/other/settings", "{}").status(), 404);
        EXPECT_EQ(call(token, "POST", "/api/repos/create", R"({"name":"new"})").status(), 403);
        EXPECT_EQ(call(token, "GET", "/api/models?author=ana").json().size(), 2U);
        EXPECT_EQ(call(token, "POST", "/ana/open/ask-access").status(), 403);
    }
    const Json me = call(writes, "GET", "/api/whoami-v2").json()["auth"]["accessToken"];
    EXPECT_EQ(me["role"], "fineGrained");
    ASSERT_EQ(me["fineGrained"]["scoped"].size(), 1U);
    EXPECT_EQ(me["fineGrained"]["scoped"][0]["entity"]["name"], "ana/closed");
    EXPECT_EQ(me["fineGrained"]["scoped"][0]["entity"]["type"], "model");
    EXPECT_EQ(me["fineGrained"]["scoped"][0]["permissions"].dump(),
              R"(["repo.content.read","repo.write","discussion.write"])");
    EXPECT_EQ(me["fineGrained"]["canReadGatedRepos"], false);
}

TEST_F(GateTest, goes_with_a_renamed_repository_and_not_to_another_of_its_name) {
    const std::string token = make_scoped("t", {"ana/closed=write"});
    ASSERT_EQ(call(token,
                   "POST",
                   "/api/repos/move",
                   R"({"fromRepo":"ana/closed","toRepo":"ana/elsewhere","type":"model"})")
                  .status(),
              403); // A new name takes a token for the namespace.
    ASSERT_EQ(call("ana",
                   "POST",
                   "/api/repos/move",
                   R"({"fromRepo":"ana/closed","toRepo":"ana/elsewhere","type":"model"})")
                  .status(),
              200);
    make("ana", "closed", "private");
    EXPECT_EQ(call(token, "GET", "/api/models/ana/elsewhere").status(), 200);
    EXPECT_EQ(call(token, "GET", "/api/models/ana/closed").status(), 404);
    ASSERT_EQ(call("ana", "DELETE", "/api/repos/delete", R"({"name":"elsewhere"})").status(), 200);
    make("ana", "elsewhere", "private");
    EXPECT_EQ(call(token, "GET", "/api/models/ana/elsewhere").status(), 404);
}

TEST_F(GateTest, never_gives_a_token_more_than_its_account_has) {
    make("ben", "his", "private");
    auto organizations = Organizations::open(data());
    ASSERT_TRUE(organizations->create("lab", "", clock_.now()));
    ASSERT_TRUE(organizations->create("den", "", clock_.now()));
    ASSERT_TRUE(organizations->add_member("lab", "ana", OrgRole::Read));
    ASSERT_TRUE(organizations->add_member("den", "ana", OrgRole::Write));
    const std::string token = make_scoped("t", {"ben/his=write", "lab=write"});
    EXPECT_EQ(call(token, "GET", "/api/models/ben/his").status(), 404);
    EXPECT_EQ(call(token, "POST", "/api/repos/create", R"({"name":"lab/x"})").status(), 403);
    ASSERT_TRUE(organizations->set_role("lab", "ana", OrgRole::Write));
    EXPECT_EQ(call(token, "POST", "/api/repos/create", R"({"name":"lab/x"})").status(), 200);
    EXPECT_EQ(call(token, "POST", "/api/repos/create", R"({"name":"den/x"})").status(), 403);
    const Json orgs = call(token, "GET", "/api/whoami-v2").json()["orgs"];
    ASSERT_EQ(orgs.size(), 1U);
    EXPECT_EQ(orgs[0]["name"], "lab");
    EXPECT_EQ(call(token, "GET", "/api/organizations/den/members").status(), 403);
    EXPECT_EQ(call(token, "GET", "/api/organizations/lab/members").status(), 200);
}

TEST_F(GateTest, reads_a_gated_repository_by_a_token_that_names_it) {
    gate("ana/open", R"("manual")");
    ASSERT_EQ(
        call("ana", "POST", "/api/models/ana/open/user-access-request/grant", R"({"user":"ben"})")
            .status(),
        200);
    NewToken wanted{"named", TokenRole::FineGrained, {}, {*NewScope::parse("ana/open")}};
    knock(make_token("ben", wanted), "ana/open", 200, "");
    NewToken other{"other", TokenRole::FineGrained, {}, {*NewScope::parse("ben")}};
    knock(make_token("ben", other), "ana/open", 403, "GatedRepo");
}

TEST_F(GateTest, refuses_tokens_that_cannot_be) {
    auto accounts = Accounts::open(data(), clock_);
    const auto make = [&](TokenRole role, std::vector<NewScope> scopes) {
        const auto made = accounts->create_token("ana", {"x", role, {}, std::move(scopes)});
        EXPECT_FALSE(made);
        return made ? ErrorCode::Internal : made.error().code();
    };
    EXPECT_EQ(make(TokenRole::FineGrained, {}), ErrorCode::InvalidArgument);
    EXPECT_EQ(make(TokenRole::Write, {*NewScope::parse("ana")}), ErrorCode::InvalidArgument);
    for (const char* none : {"nobody", "ana/none", "datasets/ana/open", "a/b/c"}) {
        EXPECT_EQ(make(TokenRole::FineGrained, {*NewScope::parse(none)}), ErrorCode::NotFound);
    }
    for (const char* bad : {"", "=write", "ana/open=", "ana/open=admin"}) {
        EXPECT_FALSE(NewScope::parse(bad)) << bad;
    }
    EXPECT_EQ(accounts->list_tokens()->size(), 3U);
}

TEST_F(GateTest, ends_a_token_for_whoever_shows_it) {
    const std::string token = make_token("ana", {"leaked", TokenRole::Read, {}, {}});
    EXPECT_EQ(call("nobody",
                   "POST",
                   "/api/credentials/revoke",
                   R"({"credentials":["hf_nothing",")" + token + "\",\"" + token + R"("]})")
                  .status(),
              202);
    EXPECT_EQ(call(token, "GET", "/api/whoami-v2").status(), 401);
    EXPECT_EQ(call("ana", "GET", "/api/whoami-v2").status(), 200);
    for (const char* body : {"{}", R"({"credentials":[1]})"}) {
        EXPECT_EQ(call("nobody", "POST", "/api/credentials/revoke", body).status(), 422) << body;
    }
}

// ------------------------------------------------------------------------------- who is signed in

TEST_F(GateTest, a_page_of_the_hub_shows_files_to_who_is_signed_in) {
    const std::string ana = sign_in("ana");
    const std::string ben = sign_in("ben");
    const std::string own = "Sec-Fetch-Site: same-origin\r\n";
    for (const std::string path :
         {"/ana/closed/resolve/main/a.txt", "/ana/closed/raw/main/a.txt"}) {
        for (const std::string& from :
             {own, std::string("Sec-Fetch-Site: none\r\n"), std::string()}) {
            const Reply seen = call("nobody", "GET", path, "", ana + from);
            EXPECT_EQ(seen.status(), 200) << path << from << seen.body;
            EXPECT_EQ(seen.body, "a");
            EXPECT_EQ(seen.header("Cache-Control"), "private, no-cache");
            EXPECT_EQ(seen.header("Vary"), "Authorization, Cookie");
            // Inert, and for pages of this origin only.
            EXPECT_EQ(seen.header("Content-Security-Policy"), "default-src 'none'; sandbox");
            EXPECT_EQ(seen.header("X-Content-Type-Options"), "nosniff");
            EXPECT_EQ(seen.header("Cross-Origin-Resource-Policy"), "same-origin");
            EXPECT_EQ(seen.header("Access-Control-Allow-Origin"), "*");
            EXPECT_EQ(seen.header("Access-Control-Allow-Credentials"), "");
        }
        EXPECT_EQ(call("nobody", "HEAD", path, "", ana + own).status(), 200);
        EXPECT_EQ(call("nobody", "GET", path, "", ben + own).status(), 404);
        EXPECT_EQ(call("nobody", "GET", path).status(), 401);
        // A token decides alone, also one that is no good.
        EXPECT_EQ(call("ben", "GET", path, "", ana + own).status(), 404);
        EXPECT_EQ(call("hf_nothing", "GET", path, "", ana + own).status(), 401);
    }
    EXPECT_EQ(call("nobody", "POST", "/logout", "", ana + own).status(), 303);
    EXPECT_EQ(call("nobody", "GET", "/ana/closed/resolve/main/a.txt", "", ana + own).status(), 401);
}

TEST_F(GateTest, a_page_of_another_origin_gets_nothing_by_the_cookie) {
    const std::string ana = sign_in("ana");
    for (const std::string path :
         {"/ana/closed/resolve/main/a.txt", "/ana/closed/raw/main/a.txt"}) {
        for (const std::string from : {"Sec-Fetch-Site: cross-site\r\n",
                                       "Sec-Fetch-Site: same-site\r\n",
                                       "Origin: https://evil.example\r\n",
                                       "Origin: null\r\n"}) {
            const Reply refused = call("nobody", "GET", path, "", ana + from);
            EXPECT_EQ(refused.status(), 401) << path << from;
            EXPECT_EQ(refused.header("Cross-Origin-Resource-Policy"), "same-origin");
        }
        // Where nothing is it reads the same to such a page as where something is.
        const Reply missing = call("nobody", "GET", path + "x", "", ana);
        EXPECT_EQ(missing.status(), 404);
        EXPECT_EQ(missing.header("Cross-Origin-Resource-Policy"), "same-origin");
    }
}

TEST_F(GateTest, nothing_but_the_files_of_pages_goes_by_the_cookie) {
    const std::string own = sign_in("ana") + "Sec-Fetch-Site: same-origin\r\n";
    for (const std::string path : {"/api/models/ana/closed",
                                   "/api/models/ana/closed/tree/main",
                                   "/api/models/ana/closed/xet-read-token/main",
                                   "/ana/closed/info/refs?service=git-upload-pack"}) {
        EXPECT_EQ(call("nobody", "GET", path, "", own).status(), 401) << path;
    }
    for (const std::string method : {"POST", "PUT", "DELETE", "PATCH"}) {
        const int status =
            call("nobody", method, "/ana/closed/resolve/main/a.txt", "", own).status();
        EXPECT_TRUE(status >= 400 && status < 500) << method << " " << status;
    }
}

TEST_F(GateTest, what_a_cookie_opened_is_not_answered_again_without_it) {
    const std::string own = sign_in("ana") + "Sec-Fetch-Site: same-origin\r\n";
    const std::string commit =
        call("ana", "GET", "/ana/closed/resolve/main/a.txt").header("X-Repo-Commit");
    // By its commit a file is kept at once for who asks again by the same path and token.
    const std::string path = "/ana/closed/resolve/" + commit + "/a.txt";
    EXPECT_EQ(call("nobody", "GET", path, "", own).status(), 200);
    EXPECT_EQ(call("nobody", "GET", path, "", own).status(), 200);
    EXPECT_EQ(call("nobody", "GET", path).status(), 401);
    EXPECT_EQ(call("nobody", "GET", path, "", own + "Range: bytes=0-0\r\n").status(), 206);
}

TEST_F(GateTest, the_form_of_a_gated_repository_answers_people_with_pages) {
    gate("ana/open", "\"manual\"");
    const std::string path = "/ana/open/ask-access";
    const std::string ben = sign_in("ben") + "Accept: text/html,*/*\r\n";
    const std::string form = ben + "Content-Type: application/x-www-form-urlencoded\r\n";
    EXPECT_THAT(call("nobody", "GET", path, "", ben).body, HasSubstr("<form"));
    const std::string long_text(5000, 'x');
    const Reply wrong = call("nobody", "POST", path, "Use=" + long_text, form);
    EXPECT_EQ(wrong.status(), 400);
    EXPECT_THAT(wrong.header("Content-Type"), HasSubstr("text/html"));
    EXPECT_THAT(wrong.body, HasSubstr("a field has a name of at most"));
    EXPECT_EQ(call("nobody", "POST", path, "a=b", form).status(), 303);

    ASSERT_EQ(
        decide("ana", "ben", R"("status":"rejected","rejectionReason":"no <reason>")").status(),
        200);
    const Reply shown = call("nobody", "GET", path, "", ben);
    EXPECT_EQ(shown.status(), 200);
    EXPECT_THAT(shown.body, HasSubstr("Your request for its files is rejected: no &lt;reason&gt;"));
    EXPECT_THAT(shown.body, testing::Not(HasSubstr("<form")));
    const Reply again = call("nobody", "POST", path, "a=b", form);
    EXPECT_EQ(again.status(), 409);
    EXPECT_THAT(again.header("Content-Type"), HasSubstr("text/html"));
    EXPECT_THAT(again.body, HasSubstr("the request of user ben is rejected already"));
    // Programs have what they had.
    EXPECT_EQ(call("ben", "POST", path, "{}").json()["error"],
              "the request of user ben is rejected already");
}

} // namespace
} // namespace locara::hub
