#include "client_address.hpp"
#include "hub_client.hpp"
#include "metrics.hpp"
#include "openapi.hpp"
#include "operation_routes.hpp"
#include "sample_seed.hpp"

#include <locara/base/file.hpp>
#include <locara/base/json_log.hpp>
#include <locara/hub/accounts.hpp>
#include <locara/hub/audit.hpp>
#include <locara/hub/hub.hpp>
#include <locara/sandbox/profile.hpp>
#include <locara/test_support/folders.hpp>

#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <regex>
#include <set>
#include <sstream>

#include <sys/stat.h>

namespace locara::hub {
namespace {

using test::Reply;
using test::SampleSeed;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// -------------------------------------------------------------------------------------- addresses

TEST(Addresses, read_what_inet_pton_reads_and_nothing_else) {
    for (const char* const text : {"127.0.0.1", "::1", "2001:db8::1", "::ffff:10.0.0.1"}) {
        EXPECT_TRUE(IpAddress::parse(text)) << text;
    }
    EXPECT_EQ(IpAddress::parse("::ffff:10.0.0.1"), IpAddress::parse("10.0.0.1"));
    EXPECT_EQ(render(*IpAddress::parse("10.0.0.1")), "10.0.0.1");
    EXPECT_EQ(render(*IpAddress::parse("2001:DB8::1")), "2001:db8::1");
    for (const std::string& text : {std::string(),
                                    std::string("localhost"),
                                    std::string("1.2.3"),
                                    std::string("1.2.3.4:80"),
                                    std::string("[::1]"),
                                    std::string("fe80::1%eth0"),
                                    std::string("1.2.3.4\0", 8),
                                    std::string(10'000, ':')}) {
        EXPECT_FALSE(IpAddress::parse(text)) << text.substr(0, 60);
    }
}

TEST(Addresses, ranges_hold_what_has_their_prefix) {
    const auto ten = AddressRange::parse("10.0.0.0/8");
    const auto net = AddressRange::parse("2001:db8::/33");
    const auto all = AddressRange::parse("0.0.0.0/0");
    ASSERT_TRUE(ten && net && all);
    EXPECT_TRUE(ten->contains(*IpAddress::parse("10.255.0.1")));
    EXPECT_FALSE(ten->contains(*IpAddress::parse("11.0.0.1")));
    EXPECT_TRUE(net->contains(*IpAddress::parse("2001:db8:7fff::1")));
    EXPECT_FALSE(net->contains(*IpAddress::parse("2001:db8:8000::1")));
    EXPECT_TRUE(all->contains(*IpAddress::parse("8.8.8.8")));
    EXPECT_FALSE(all->contains(*IpAddress::parse("2001::1"))); // That is all of IPv4.
    for (const char* const text : {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "/8"}) {
        EXPECT_FALSE(AddressRange::parse(text)) << text;
    }
}

http::Request request_from(const std::string& peer, const std::vector<std::string>& forwarded) {
    http::Request request;
    request.peer.address = peer;
    for (const std::string& one : forwarded) {
        request.headers.add("X-Forwarded-For", one);
    }
    return request;
}

TEST(ClientAddress, is_believed_only_as_far_as_known_proxies_tell_it) {
    const std::vector<AddressRange> proxies = {*AddressRange::parse("10.0.0.0/24")};
    const auto seen = [&](const std::string& peer, const std::vector<std::string>& forwarded) {
        return render(client_address(request_from(peer, forwarded), proxies).address);
    };
    EXPECT_EQ(seen("192.0.2.1", {}), "192.0.2.1");
    EXPECT_EQ(seen("192.0.2.1", {"198.51.100.7"}), "192.0.2.1"); // No proxy of ours.
    EXPECT_EQ(seen("10.0.0.1", {"198.51.100.7"}), "198.51.100.7");
    // What a client wrote itself stands in front of what the proxy added.
    EXPECT_EQ(seen("10.0.0.1", {"203.0.113.1, 198.51.100.7"}), "198.51.100.7");
    EXPECT_EQ(seen("10.0.0.1", {"203.0.113.1", "198.51.100.7"}), "198.51.100.7");
    EXPECT_EQ(seen("10.0.0.1", {"198.51.100.7, 10.0.0.2"}), "198.51.100.7"); // Two proxies.
    EXPECT_EQ(seen("10.0.0.1", {"198.51.100.7", "10.0.0.2"}), "198.51.100.7");
    EXPECT_EQ(seen("10.0.0.1", {"unknown"}), "10.0.0.1");
    EXPECT_EQ(seen("10.0.0.1", {"198.51.100.7, evil, 10.0.0.2"}), "10.0.0.2");
    EXPECT_EQ(seen("10.0.0.1", {""}), "10.0.0.1");
    EXPECT_FALSE(client_address(request_from("10.0.0.1", {"x"}), proxies).direct);
    EXPECT_TRUE(client_address(request_from("10.0.0.1", {}), proxies).direct);
}

TEST(ClientAddress, only_proxies_and_this_machine_tell_of_the_way_here) {
    const std::vector<AddressRange> proxies = {*AddressRange::parse("10.0.0.0/24")};
    for (const char* const near :
         {"10.0.0.9", "::ffff:10.0.0.9", "127.0.0.1", "127.8.0.1", "::1"}) {
        EXPECT_TRUE(is_proxy(request_from(near, {}), proxies)) << near;
    }
    for (const char* const far : {"10.0.1.9", "192.0.2.1", "2001:db8::1", "unix", ""}) {
        EXPECT_FALSE(is_proxy(request_from(far, {"10.0.0.9"}), proxies)) << far;
    }
}

// ---------------------------------------------------------------------------------------- metrics

TEST(Metrics, escape_what_a_label_may_not_hold) {
    EXPECT_EQ(escape_label("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
}

TEST(Metrics, stay_few_whatever_is_asked_for) {
    Metrics metrics;
    for (int i = 0; i < 10'000; ++i) {
        http::Request request;
        request.method = "M" + std::to_string(i);
        request.path = "/" + std::to_string(i);
        metrics.count({request, 400 + i % 2, 1, 2, std::chrono::microseconds(i), true});
    }
    const std::string text = metrics.render({});
    EXPECT_LT(text.size(), 4000U);
    EXPECT_THAT(
        text,
        HasSubstr("locara_hub_requests_total{route=\"none\",method=\"none\",status=\"4xx\"} "
                  "10000\n"));
    EXPECT_THAT(text, HasSubstr("_bucket{route=\"none\",method=\"none\",le=\"0.005\"} 5001\n"));
    EXPECT_THAT(text, HasSubstr("_bucket{route=\"none\",method=\"none\",le=\"+Inf\"} 10000\n"));
    EXPECT_THAT(text, HasSubstr("locara_hub_request_body_bytes_total 10000\n"));
    EXPECT_THAT(text, HasSubstr("locara_hub_response_bytes_total 20000\n"));
}

// ------------------------------------------------------------------------------ a hub that serves

/// Keeps its lines, as the JSON log would write them.
class KeptLog : public Log {
  public:
    void write(LogLevel level,
               std::string_view module,
               std::string_view event,
               std::initializer_list<Field> fields) override {
        const std::lock_guard lock(mutex_);
        lines_.push_back(render_json_log_line({}, level, module, event, fields));
    }

    std::vector<Json> requests() {
        const std::lock_guard lock(mutex_);
        std::vector<Json> found;
        for (const std::string& line : lines_) {
            const auto json = parse_json(line);
            EXPECT_TRUE(json) << line;
            if (json && (*json)["event"] == "request") {
                found.push_back(*json);
            }
        }
        return found;
    }

    std::string all() {
        const std::lock_guard lock(mutex_);
        std::string text;
        for (const std::string& line : lines_) {
            text += line + "\n";
        }
        return text;
    }

  private:
    std::mutex mutex_;
    std::vector<std::string> lines_;
};

class OperationTest : public testing::Test {
  protected:
    void start(const std::string& toml = "") {
        hub_.reset();
        auto hub = Hub::open(seed_.data(), clock_, log_);
        ASSERT_TRUE(hub) << hub.error().describe();
        hub_ = std::move(*hub);
        auto config = HubConfig::parse(toml, "hub.toml");
        ASSERT_TRUE(config) << config.error().describe();
        hub_->configure(test::with_public_repos(*std::move(config)));
        ASSERT_TRUE(hub_->take_seed(seed_.root()));
        const Status served = hub_->serve("127.0.0.1", 0);
        ASSERT_TRUE(served) << served.error().describe();
    }

    Reply get(const std::string& path, const std::string& headers = "") const {
        return test::send(hub_->port(), "GET " + path + " HTTP/1.1\r\n" + headers);
    }

    std::string make_token(const std::string& user) {
        auto accounts = Accounts::open(seed_.data(), clock_);
        EXPECT_TRUE(accounts);
        EXPECT_TRUE(accounts->add_user(user, ""));
        NewToken token;
        token.name = "t";
        token.role = TokenRole::Write;
        auto made = accounts->create_token(user, token);
        EXPECT_TRUE(made);
        return std::string(made->text.reveal());
    }

    SampleSeed seed_;
    FakeClock clock_{*parse_time("2026-11-22T19:00:00Z")};
    KeptLog log_;
    std::unique_ptr<Hub> hub_;
};

TEST_F(OperationTest, metrics_are_well_formed_and_count_by_template) {
    start();
    get("/locara/tiny/resolve/main/model.gguf");
    get("/api/models/locara/tiny");
    get("/api/models/locara/nothing");
    get("/no/such/thing/at/all");
    const Reply reply = get("/metrics");
    EXPECT_EQ(reply.status(), 200);
    EXPECT_EQ(reply.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_THAT(reply.body,
                HasSubstr("locara_hub_requests_total{route=\"/{org}/{repo}/resolve/{rev}/{*path}\","
                          "method=\"GET\",status=\"2xx\"} 1\n"));
    EXPECT_THAT(reply.body, HasSubstr("locara_hub_connections 1\n"));
    EXPECT_THAT(reply.body, HasSubstr("locara_hub_database_errors_total 0\n"));
    EXPECT_THAT(reply.body,
                HasSubstr("locara_hub_git_landlock_version " +
                          std::to_string(sandbox::landlock_abi()) + "\n"));
    EXPECT_THAT(reply.body, Not(HasSubstr("tiny")));
    EXPECT_THAT(reply.body, Not(HasSubstr("model.gguf")));
    // The rules of the format: each family is described once, before its samples, and is whole.
    std::istringstream lines(reply.body);
    std::set<std::string> families;
    std::set<std::string> samples;
    std::string family;
    std::string type;
    ASSERT_THAT(reply.body, testing::EndsWith("\n"));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string sign;
        std::string kind;
        if (line.rfind("# HELP ", 0) == 0) {
            words >> sign >> kind >> family;
            EXPECT_TRUE(families.insert(family).second) << line;
        } else if (line.rfind("# TYPE ", 0) == 0) {
            std::string of;
            words >> sign >> kind >> of >> type;
            EXPECT_EQ(of, family);
            EXPECT_EQ(type == "counter", of.ends_with("_total")) << line;
        } else {
            const std::size_t end = line.find_first_of("{ ");
            const std::string name = line.substr(0, end);
            const std::string rest =
                name.rfind(family, 0) == 0 ? name.substr(family.size()) : "another";
            EXPECT_TRUE(rest.empty() || (type == "histogram" &&
                                         (rest == "_bucket" || rest == "_sum" || rest == "_count")))
                << line;
            const std::size_t space = line.rfind(' ');
            EXPECT_TRUE(samples.insert(line.substr(0, space)).second) << line;
            EXPECT_NO_THROW(std::stod(line.substr(space + 1))) << line;
        }
    }
    EXPECT_GT(families.size(), 10U);
}

TEST_F(OperationTest, metrics_are_only_for_the_addresses_that_may_see_them) {
    start("[server]\nmetrics = [\"10.0.0.0/8\"]\n");
    EXPECT_EQ(get("/metrics").status(), 403);
    EXPECT_EQ(get("/metrics", "X-Forwarded-For: 10.0.0.1\r\n").status(), 403);
    start("[server]\nmetrics = [\"10.0.0.0/8\"]\ntrusted_proxies = [\"127.0.0.1\"]\n");
    EXPECT_EQ(get("/metrics", "X-Forwarded-For: 10.0.0.1\r\n").status(), 200);
    EXPECT_EQ(get("/metrics", "X-Forwarded-For: 10.0.0.1, 8.8.8.8\r\n").status(), 403);
    start(); // What comes through a proxy on this machine that nobody told of is not from here.
    EXPECT_EQ(get("/metrics").status(), 200);
    EXPECT_EQ(get("/metrics", "X-Forwarded-For: 8.8.8.8\r\n").status(), 403);
}

TEST_F(OperationTest, health_tells_of_a_store_that_takes_no_files) {
    start();
    const Reply well = get("/healthz");
    EXPECT_EQ(well.status(), 200);
    EXPECT_EQ(well.json()["status"], "ok");
    start(); // Without what was found before.
    const auto moved = seed_.data() / "cas.away";
    std::filesystem::rename(seed_.data() / "cas", moved);
    const Reply bad = get("/healthz");
    EXPECT_EQ(bad.status(), 503);
    EXPECT_EQ(bad.json()["status"], "failing");
    EXPECT_EQ(bad.json()["store"], "failing");
    EXPECT_EQ(bad.json()["database"], "ok");
    EXPECT_EQ(bad.json()["request_id"], bad.header("X-Request-Id"));
    std::filesystem::rename(moved, seed_.data() / "cas");
}

TEST_F(OperationTest, a_request_is_one_line_with_its_id_and_user_and_without_secrets) {
    start();
    const std::string token = make_token("ana");
    const Reply reply = get("/api/whoami-v2?token=" + token + "&X-Amz-Signature=abc123",
                            "Authorization: Bearer " + token + "\r\nX-Request-Id: my-id.1\r\n");
    EXPECT_EQ(reply.status(), 200);
    EXPECT_EQ(reply.header("X-Request-Id"), "my-id.1");
    get("/api/whoami-v2", "Authorization: Bearer hf_wrongwrongwrong\r\nX-Request-Id: a b\r\n");
    hub_->stop(); // All lines are written.
    const auto lines = log_.requests();
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0]["request"], "my-id.1");
    EXPECT_EQ(lines[0]["user"], "ana");
    EXPECT_EQ(lines[0]["method"], "GET");
    EXPECT_EQ(lines[0]["route"], "/api/whoami-v2");
    EXPECT_EQ(lines[0]["path"], "/api/whoami-v2");
    EXPECT_EQ(lines[0]["status"], 200);
    EXPECT_EQ(lines[0]["address"], "127.0.0.1");
    EXPECT_GT(lines[0]["bytes_out"].get<int>(), 100);
    EXPECT_EQ(lines[1]["status"], 401);
    EXPECT_EQ(lines[1]["user"], "");
    EXPECT_EQ(lines[1]["request"].get<std::string>().size(), 16U); // Theirs was not well-formed.
    for (const std::string& secret :
         {token, std::string("abc123"), std::string("hf_wrong"), std::string("Signature")}) {
        EXPECT_THAT(log_.all(), Not(HasSubstr(secret)));
    }
}

TEST_F(OperationTest, too_many_requests_are_refused_as_the_hub_refuses_them) {
    const std::string limits = "[limits]\napi = 2\ntoken_api = 3\nwindow = \"1h\"\nexempt = []\n";
    start(limits);
    const std::string token = make_token("ana");
    const std::string path = "/api/models/locara/tiny";
    const Reply first = get(path);
    EXPECT_EQ(first.status(), 200);
    EXPECT_THAT(first.header("RateLimit"), testing::MatchesRegex("\"api\";r=1;t=3[0-9]{3}"));
    EXPECT_EQ(first.header("RateLimit-Policy"), "\"fixed window\";\"api\";q=2;w=3600");
    EXPECT_EQ(get(path).status(), 200);
    const Reply refused = get(path);
    EXPECT_EQ(refused.status(), 429);
    EXPECT_THAT(refused.header("RateLimit"), HasSubstr("\"api\";r=0;t="));
    EXPECT_FALSE(refused.header("Retry-After").empty());
    EXPECT_EQ(refused.header("Access-Control-Allow-Origin"), "*");
    EXPECT_THAT(refused.json()["error"].get<std::string>(), HasSubstr("too many requests"));
    // Another class has its own, and whether the hub is well may always be asked.
    EXPECT_EQ(get("/locara/tiny/resolve/main/config.json").status(), 200);
    EXPECT_EQ(get("/healthz").status(), 200);
    // What a client writes itself about where it comes from changes nothing.
    EXPECT_EQ(get(path, "X-Forwarded-For: 198.51.100.7\r\n").status(), 429);
    EXPECT_THAT(get("/metrics").body, HasSubstr("locara_hub_rate_limited_requests_total 2\n"));
    // A client of Git LFS is told in its own words.
    const Reply batch = get("/locara/tiny.git/info/lfs/locks");
    EXPECT_EQ(batch.status(), 429);
    EXPECT_EQ(batch.header("Content-Type"), "application/vnd.git-lfs+json");
    EXPECT_THAT(batch.json()["message"].get<std::string>(), HasSubstr("too many requests"));
    // A good token has a quota of its own, also where the address has none left and nothing is
    // known of it yet; one that was made up has not.
    const std::string bearer = "Authorization: Bearer " + token + "\r\n";
    EXPECT_EQ(get(path, bearer).header("RateLimit-Policy"), "\"fixed window\";\"api\";q=3;w=3600");
    EXPECT_EQ(get(path, "Authorization: Bearer " + token + "x\r\n").status(), 429);
    start(limits + "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n");
    EXPECT_EQ(get(path, bearer + "X-Forwarded-For: 198.51.100.7\r\n").status(), 200);
    for (const int status : {200, 200, 200, 429}) {
        EXPECT_EQ(get(path, bearer + "X-Forwarded-For: 203.0.113.9\r\n").status(), status);
    }
    EXPECT_EQ(get(path, "X-Forwarded-For: 203.0.113.9\r\n").status(), 200);
}

TEST_F(OperationTest, limits_can_be_switched_off_and_this_machine_has_none) {
    start("[limits]\napi = 1\nenabled = false\nexempt = []\n");
    for (int i = 0; i < 5; ++i) {
        const Reply reply = get("/version");
        EXPECT_EQ(reply.status(), 200);
        EXPECT_EQ(reply.header("RateLimit"), "");
    }
    start("[limits]\napi = 1\n");
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(get("/version").status(), 200);
    }
}

TEST_F(OperationTest, what_changes_repositories_is_in_the_audit_log) {
    start();
    const std::string token = make_token("ana");
    const auto call = [&](const std::string& what, const Json& body) {
        return test::send(hub_->port(),
                          what + " HTTP/1.1\r\nAuthorization: Bearer " + token +
                              "\r\nX-Request-Id: r1\r\nContent-Type: application/json\r\n",
                          body.dump());
    };
    EXPECT_EQ(call("POST /api/repos/create", {{"name", "one"}, {"private", true}}).status(), 200);
    EXPECT_EQ(call("PUT /api/models/ana/one/settings", {{"private", false}}).status(), 200);
    EXPECT_EQ(
        call("POST /api/repos/move", {{"fromRepo", "ana/one"}, {"toRepo", "ana/two"}}).status(),
        200);
    EXPECT_EQ(call("DELETE /api/repos/delete", {{"name", "nothing"}}).status(), 404);
    EXPECT_EQ(call("DELETE /api/repos/delete", {{"name", "two"}}).status(), 200);
    EXPECT_EQ(call("POST /api/credentials/revoke", {{"credentials", {token}}}).status(), 202);
    std::vector<Json> lines;
    const auto audit = Audit::open(seed_.data(), clock_);
    ASSERT_TRUE(audit);
    const auto report = audit->verify([&](const Json& line) -> Status {
        lines.push_back(line);
        return {};
    });
    ASSERT_TRUE(report) << report.error().describe();
    std::vector<std::string> events;
    for (const Json& line : lines) {
        events.push_back(line["event"].get<std::string>());
        EXPECT_EQ(line["request"], "r1");
        EXPECT_EQ(line["address"], "127.0.0.1");
        EXPECT_THAT(line.dump(), Not(HasSubstr(token)));
    }
    EXPECT_THAT(events,
                testing::ElementsAre("signed-in",
                                     "repo-created",
                                     "repo-settings",
                                     "repo-moved",
                                     "repo-removed",
                                     "token-revoked"));
    ASSERT_EQ(lines.size(), 6U);
    EXPECT_EQ(lines[1]["by"], "ana");
    EXPECT_EQ(lines[1]["repo"], "ana/one");
    EXPECT_EQ(lines[1]["private"], true);
    EXPECT_EQ(lines[2]["private"], false);
    EXPECT_EQ(lines[3]["to"], "ana/two");
    EXPECT_EQ(lines[5]["user"], "ana");
}

TEST_F(OperationTest, the_last_gc_is_told_of) {
    start();
    EXPECT_THAT(get("/metrics").body, Not(HasSubstr("locara_hub_gc_")));
    ASSERT_TRUE(write_last_collection(seed_.data(), {clock_.now(), 12, 34}));
    const std::string text = get("/metrics").body;
    EXPECT_THAT(text, HasSubstr("locara_hub_gc_freed_bytes 12\n"));
    EXPECT_THAT(text, HasSubstr("locara_hub_gc_kept_bytes 34\n"));
    test::write(seed_.data() / "gc.json", "{\"ended\": 1}");
    EXPECT_THAT(get("/metrics").body, Not(HasSubstr("locara_hub_gc_")));
}

TEST_F(OperationTest, the_api_is_described_by_valid_openapi) {
    start();
    const Reply reply = get("/openapi.json");
    EXPECT_EQ(reply.status(), 200);
    EXPECT_EQ(reply.header("Content-Type"), "application/json");
    const Json api = reply.json();
    EXPECT_EQ(api["openapi"], "3.1.0");
    EXPECT_EQ(api["info"]["version"], version());
    const std::set<std::string> methods = {"get", "head", "post", "put", "patch", "delete"};
    std::set<std::string> ids;
    std::set<std::string> shapes;
    const Json& responses = api["components"]["responses"];
    for (const auto& [path, item] : api["paths"].items()) {
        // What OpenAPI 3.1.0 asks of templates: names that are parameters, no two paths alike.
        std::set<std::string> names;
        std::string shape;
        for (std::size_t at = 0; at < path.size(); ++at) {
            if (path[at] == '{') {
                const std::size_t close = path.find('}', at);
                ASSERT_NE(close, std::string::npos) << path;
                EXPECT_TRUE(names.insert(path.substr(at + 1, close - at - 1)).second) << path;
                at = close;
                shape += "{}";
            } else {
                EXPECT_NE(path[at], '*') << path;
                shape += path[at];
            }
        }
        EXPECT_TRUE(shapes.insert(shape).second) << path;
        for (const auto& [method, operation] : item.items()) {
            EXPECT_EQ(methods.count(method), 1U) << path << " " << method;
            EXPECT_TRUE(ids.insert(operation["operationId"].get<std::string>()).second)
                << operation["operationId"];
            EXPECT_FALSE(operation["summary"].get<std::string>().empty()) << path;
            std::set<std::string> described;
            for (const Json& parameter : operation.value("parameters", Json::array())) {
                EXPECT_TRUE(parameter["schema"].is_object());
                if (parameter["in"] == "path") {
                    EXPECT_EQ(parameter["required"], true);
                    described.insert(parameter["name"].get<std::string>());
                }
            }
            EXPECT_EQ(described, names) << path << " " << method;
            ASSERT_FALSE(operation["responses"].empty()) << path;
            for (const auto& [status, answer] : operation["responses"].items()) {
                EXPECT_TRUE(status == "default" || status.size() == 3U) << status;
                const std::string to = answer.value("$ref", "");
                EXPECT_TRUE(to.empty() ? answer.contains("description")
                                       : responses.contains(to.substr(to.rfind('/') + 1)))
                    << path << " " << answer.dump();
            }
            for (const Json& choice : operation["security"]) {
                for (const auto& [scheme, scopes] : choice.items()) {
                    EXPECT_TRUE(api["components"]["securitySchemes"].contains(scheme)) << scheme;
                }
            }
        }
    }
    EXPECT_TRUE(api["paths"]["/api/datasets/{org}/{repo}/tag/{rev}"].contains("delete"));
}

TEST(OpenApi, names_every_parameter_that_a_source_reads_from_a_query) {
    const Json api = render_openapi("1");
    std::set<std::string> described;
    for (const auto& [path, item] : api["paths"].items()) {
        for (const Json& operation : item) {
            for (const Json& parameter : operation.value("parameters", Json::array())) {
                if (parameter["in"] == "query") {
                    described.insert(parameter["name"].get<std::string>());
                }
            }
        }
    }
    // Of URLs that the hub signed itself, which nobody else makes.
    described.insert({"exp", "sig", "repo", "size"});
    const std::regex reads(
        R"re((?:query\.(?:find|flag|all)\(|(?:given_flag|given_number|listed|number)\(request, )"(\w+)")re");
    std::set<std::string> seen;
    for (const auto& file :
         std::filesystem::directory_iterator(test_support::source_dir() / "src/hub")) {
        if (file.path().extension() != ".cpp") {
            continue;
        }
        const auto text = read_file(file.path(), 1U << 20U);
        ASSERT_TRUE(text);
        for (std::sregex_iterator at(text->begin(), text->end(), reads), end; at != end; ++at) {
            seen.insert((*at)[1]);
            EXPECT_EQ(described.count((*at)[1]), 1U) << (*at)[1] << " in " << file.path();
        }
    }
    EXPECT_GT(seen.size(), 40U);
}

TEST_F(OperationTest, every_route_that_is_described_is_there) {
    start();
    for (const DescribedRoute& route : described_routes()) {
        std::string path;
        for (std::size_t at = 0; at < route.pattern.size(); ++at) {
            if (route.pattern[at] == '{') {
                path += "x";
                at = route.pattern.find('}', at);
            } else {
                path += route.pattern[at];
            }
        }
        const Reply reply = test::send(hub_->port(), route.method + " " + path + " HTTP/1.1\r\n");
        EXPECT_NE(reply.status(), 405) << route.method << " " << path;
        EXPECT_THAT(reply.body, Not(HasSubstr("there is nothing at"))) << path;
    }
}

} // namespace
} // namespace locara::hub
