// The broker as a whole: real server, real engine with a tiny model, apps on disk.
#include "raw_http.hpp"
#include "test_registry.hpp"

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/crypto/chained_log.hpp>
#include <locara/http/local_client.hpp>
#include <locara/runtime/broker.hpp>
#include <locara/test_support/golden.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <mutex>
#include <regex>
#include <sstream>
#include <thread>

namespace locara::runtime {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

class BrokerTest : public testing::Test {
  protected:
    void SetUp() override {
        auto folder = TempFolder::create("/tmp", "locara-broker-");
        ASSERT_TRUE(folder);
        folder_.emplace(std::move(*folder));
        auto store = store::Store::open(path("store"));
        ASSERT_TRUE(store) << store.error().describe();
        store_.emplace(std::move(*store));
        std::filesystem::create_directories(path("share/shell/assets"));
        std::filesystem::create_directories(path("share/prompt"));
        std::ofstream(path("share/shell/index.html")) << "<!doctype html><title>Shell</title>";
        std::ofstream(path("share/shell/assets/main.js")) << "export {};";
        std::ofstream(path("share/prompt/index.html")) << "<!doctype html><title>Prompt</title>";
        registry_ = std::make_unique<TestRegistry>(path("bundle"), *store_);

        auto server = engine::find_llama_server();
        ASSERT_TRUE(server) << server.error().describe();
        auto tools = sandbox::Tools::find();
        ASSERT_TRUE(tools) << tools.error().describe();
        engine::SupervisorOptions engines;
        engines.llama_server = *server;
        engines.tools = *tools;
        engines.runtime_folder = path("run");
        engines.first_backoff = milliseconds(50);
        auto supervisor = engine::Supervisor::create(engines);
        ASSERT_TRUE(supervisor) << supervisor.error().describe();
        supervisor_ = std::move(*supervisor);
        start();
    }

    void TearDown() override {
        broker_.reset();
        if (std::filesystem::exists(path("audit.jsonl"))) {
            const auto report = crypto::ChainedLog::verify(path("audit.jsonl"));
            EXPECT_TRUE(report) << report.error().describe();
        }
    }

    void start(milliseconds idle = std::chrono::minutes(15),
               milliseconds template_timeout = std::chrono::seconds(10)) {
        broker_.reset();
        BrokerOptions options;
        options.port = 0;
        options.unix_socket = path("broker.sock");
        options.audit_log = path("audit.jsonl");
        options.share = path("share");
        options.registry = registry_.get();
        options.engines = supervisor_.get();
        options.idle_timeout = idle;
        options.template_timeout = template_timeout;
        auto broker = Broker::start(options);
        ASSERT_TRUE(broker) << broker.error().describe();
        broker_ = std::move(*broker);
    }

    std::filesystem::path path(const char* name) const { return folder_->path() / name; }

    std::string port() const { return std::to_string(broker_->port()); }

    std::string host(const std::string& label) const { return label + ".localhost:" + port(); }

    RawAnswer send(const std::string& method,
                   const std::string& target,
                   const std::string& host_field,
                   const std::string& more = "",
                   const std::string& body = "") const {
        std::string text = method + " " + target + " HTTP/1.1\r\nHost: " + host_field +
                           "\r\nConnection: close\r\n" + more;
        if (!body.empty()) {
            text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
        }
        return send_raw(broker_->port(), text + "\r\n" + body);
    }

    http::LocalResponse
    tool(const char* method, const char* target, const std::string& body = "") const {
        http::LocalRequest request;
        request.method = method;
        request.target = target;
        request.headers.add("Content-Type", "application/json");
        request.body = body;
        auto answer = http::local_request_blocking(path("broker.sock"), request);
        EXPECT_TRUE(answer) << answer.error().describe();
        return answer ? *answer : http::LocalResponse{};
    }

    // The launch code of a fresh start.
    std::string launch(const std::string& app) const {
        const auto answer = tool("POST", ("/locara/v1/apps/" + app + "/launch").c_str());
        EXPECT_EQ(answer.status, 200) << answer.body;
        const std::string url = (*parse_json(answer.body))["url"];
        const std::string label = std::string(app).replace(app.find('/'), 1, "--");
        EXPECT_EQ(url.rfind("http://locara.localhost:" + port() + "/app/" + label + "#", 0), 0U)
            << url;
        return url.substr(url.find('#') + 1);
    }

    RawAnswer exchange(const std::string& label, const std::string& code) const {
        return send("POST",
                    "/locara/v1/launch",
                    host("locara"),
                    "Origin: http://" + host("locara") + "\r\nContent-Type: application/json\r\n",
                    R"({"app":")" + label + R"(","code":")" + code + R"("})");
    }

    std::string token(const std::string& app) const {
        const std::string label = std::string(app).replace(app.find('/'), 1, "--");
        const auto answer = exchange(label, launch(app));
        EXPECT_EQ(answer.status, 200) << answer.body;
        return (*parse_json(answer.body))["token"];
    }

    /// What the shell asks about its session.
    RawAnswer ask_session(const std::string& token) const {
        return send("POST",
                    "/locara/v1/session",
                    host("locara"),
                    "Origin: http://" + host("locara") + "\r\nContent-Type: application/json\r\n",
                    R"({"app":"locara--quick-add","token":")" + token + R"("})");
    }

    RawAnswer ask(const std::string& token, const char* route, const Json& body) const {
        return send("POST",
                    route,
                    host("locara--quick-add"),
                    "Origin: http://" + host("locara--quick-add") +
                        "\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\n"
                        "Authorization: Bearer " +
                        token + "\r\n",
                    render_json(body));
    }

    static Json chat(const char* role = "text") {
        return {{"model", role}, {"messages", {{{"role", "user"}, {"content", "hello"}}}}};
    }

    std::string audit() {
        broker_.reset(); // Writes what waits.
        std::ifstream file(path("audit.jsonl"));
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }

    std::optional<TempFolder> folder_;
    std::optional<store::Store> store_;
    std::unique_ptr<TestRegistry> registry_;
    std::unique_ptr<engine::Supervisor> supervisor_;
    std::unique_ptr<Broker> broker_;
};

TEST_F(BrokerTest, an_app_chats_completes_and_embeds_through_the_engine) {
    const std::string key = token("locara/quick-add");
    Json body = chat();
    body["ignore_eos"] = true;
    const auto answer = ask(key, "/v1/chat/completions", body);
    ASSERT_EQ(answer.status, 200) << answer.body;
    const auto json = parse_json(answer.body);
    ASSERT_TRUE(json) << answer.body;
    EXPECT_EQ((*json)["usage"]["completion_tokens"], 100) << "the recommended max_tokens";
    EXPECT_EQ((*json)["model"], "locara/tiny");
    EXPECT_EQ(answer.field("Locara-Ran-On"), "local");
    EXPECT_THAT(answer.field("Locara-Model-Digest"), testing::MatchesRegex("sha256:[0-9a-f]{64}"));
    EXPECT_EQ(answer.field("Access-Control-Allow-Origin"), "");
    EXPECT_EQ(answer.field("Cache-Control"), "no-store");

    const auto plain =
        ask(key, "/v1/completions", Json{{"model", "text"}, {"prompt", "a"}, {"max_tokens", 3}});
    ASSERT_EQ(plain.status, 200) << plain.body;
    EXPECT_EQ((*parse_json(plain.body))["usage"]["completion_tokens"], 3);

    const auto vectors =
        ask(key, "/v1/embeddings", Json{{"model", "index"}, {"input", {"a", "b"}}});
    ASSERT_EQ(vectors.status, 200) << vectors.body;
    EXPECT_EQ((*parse_json(vectors.body))["data"].size(), 2U);

    EXPECT_THAT(audit(),
                HasSubstr(R"("event":"asked","app":"locara/quick-add","version":"1.0.0",)"
                          R"("route":"/v1/chat/completions","role":"text")"));
}

TEST_F(BrokerTest, streams_events_as_they_come_and_counts_them) {
    const std::string key = token("locara/quick-add");
    Json body = chat();
    body["stream"] = true;
    body["max_tokens"] = 7;
    const auto answer = ask(key, "/v1/chat/completions", body);
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.field("Content-Type"), "text/event-stream");
    EXPECT_EQ(answer.field("Locara-Ran-On"), "local");
    EXPECT_THAT(answer.body, testing::StartsWith("data: {"));
    EXPECT_THAT(answer.body, HasSubstr("data: [DONE]\n\n"));
    std::istringstream lines(answer.body);
    int events = 0;
    for (std::string line; std::getline(lines, line);) {
        events += line.rfind("data: {", 0) == 0 ? 1 : 0;
    }
    EXPECT_GE(events, 3);
    const std::string log = audit();
    EXPECT_THAT(log, HasSubstr("\"answer_tokens\":7"));
    EXPECT_THAT(log, HasSubstr("\"outcome\":\"answered\""));
    EXPECT_THAT(log, Not(HasSubstr("hello"))) << "words of the user stand in the log";
}

TEST_F(BrokerTest, an_engine_that_crashes_in_a_stream_is_told_and_the_next_request_works) {
    const std::string key = token("locara/quick-add");
    ASSERT_EQ(ask(key, "/v1/chat/completions", chat()).status, 200);
    const pid_t engine = supervisor_->status().front().pid;
    ASSERT_GT(engine, 0);
    std::string told;
    std::thread killer([engine] {
        std::this_thread::sleep_for(milliseconds(60));
        kill(engine, SIGKILL);
    });
    Json body = chat();
    body["stream"] = true;
    body["max_tokens"] = 200;
    body["ignore_eos"] = true;
    for (int tries = 0; tries < 200 && told.empty(); ++tries) {
        const auto answer = ask(key, "/v1/chat/completions", body);
        if (answer.body.find("the engine stopped") != std::string::npos) {
            told = answer.body;
        }
    }
    killer.join();
    EXPECT_THAT(told,
                HasSubstr("the engine stopped while answering (signal 9); it will be restarted"));
    EXPECT_THAT(told, HasSubstr(R"("code":"engine_unavailable")"));
    EXPECT_EQ(ask(key, "/v1/chat/completions", chat()).status, 200);
}

TEST_F(BrokerTest, a_prompt_that_is_too_long_is_an_error_with_counts) {
    const std::string key = token("locara/quick-add");
    for (const bool stream : {false, true}) {
        Json body = chat();
        body["messages"][0]["content"] = std::string(900, 'x');
        body["stream"] = stream;
        const auto answer = ask(key, "/v1/chat/completions", body);
        EXPECT_EQ(answer.status, 400) << answer.body;
        EXPECT_THAT(answer.body, HasSubstr(R"("code":"context_length_exceeded")"));
        EXPECT_THAT(answer.body,
                    testing::ContainsRegex("has 9[0-9]+ tokens and this model takes at most 256"));
        EXPECT_THAT(answer.body, HasSubstr("\"hint\":\"Shorten it by at least"));
    }
}

TEST_F(BrokerTest, a_chat_template_that_does_not_end_is_stopped_with_its_engine) {
    // The gate takes it: how often a loop over messages turns, it cannot know.
    broker_.reset();
    registry_ = std::make_unique<TestRegistry>(
        path("hostile"),
        *store_,
        "{{1}}{%for a in messages%}{%for b in messages%}{%for c in messages%}{%for d in messages%}"
        "{%endfor%}{%endfor%}{%endfor%}{%endfor%}");
    start(std::chrono::minutes(15), milliseconds(500));
    const std::string code = token("locara/quick-add");
    const auto chat_with = [&](std::size_t messages) {
        Json body = chat();
        body["messages"] = Json(messages, body["messages"][0]);
        return ask(code, "/v1/chat/completions", body);
    };
    EXPECT_EQ(chat_with(2).status, 200);
    const auto before = supervisor_->status();
    ASSERT_EQ(before.size(), 1U);
    const auto answer = chat_with(1000);
    EXPECT_EQ(answer.status, 504) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr("did not come to an end"));
    EXPECT_NE(::kill(before.front().pid, 0), 0) << "it goes on";
    EXPECT_EQ(chat_with(2).status, 200) << "the next one is served by an engine of its own";
}

TEST_F(BrokerTest, a_role_the_manifest_does_not_name_is_denied_and_written_down) {
    const std::string key = token("locara/quick-add");
    const auto answer = ask(key, "/v1/chat/completions", chat("vision"));
    EXPECT_EQ(answer.status, 403);
    EXPECT_THAT(answer.body, HasSubstr(R"("code":"model_not_granted")"));
    EXPECT_THAT(answer.body, HasSubstr("Its roles: text, index."));
    EXPECT_EQ(ask(key, "/v1/embeddings", Json{{"model", "text"}, {"input", "a"}}).status, 400);
    const std::string log = audit();
    EXPECT_THAT(log, HasSubstr(R"("event":"denied","why":"model_not_granted")"));
    EXPECT_THAT(log, HasSubstr(R"("role":"vision")"));
}

// What client libraries of OpenAI's API are shown, whole: status, body, and what else matters.
TEST_F(BrokerTest, errors_are_those_that_clients_know) {
    const std::string key = token("locara/quick-add");
    std::string all;
    const auto show = [&](const char* what, const RawAnswer& answer) {
        auto json = parse_json(answer.body);
        ASSERT_TRUE(json) << answer.body;
        const std::string text = std::string(what) + "\n" + std::to_string(answer.status) + " " +
                                 answer.field("Content-Type") + "\n" + json->dump(2) + "\n\n";
        all += std::regex_replace(text, std::regex(":" + port()), ":PORT");
    };
    const auto chats = [&](const Json& body) { return ask(key, "/v1/chat/completions", body); };
    const std::string app = host("locara--quick-add");
    const auto with = [](const char* name, const Json& value) {
        Json body = chat();
        body[name] = value;
        return body;
    };
    show("no token", send("GET", "/v1/models", app));
    show("a wrong token", ask("0", "/v1/chat/completions", chat()));
    show("the token in the address", send("GET", "/v1/models?token=" + key, app));
    show("a role of no model", chats(chat("vision")));
    show("no role", chats(Json::object()));
    show("no object", chats(Json::array()));
    show("no messages", chats(Json{{"model", "text"}}));
    show("an address to fetch",
         chats(with("messages",
                    {{{"role", "user"},
                      {"content",
                       {{{"type", "image_url"}, {"image_url", {{"url", "http://x/y.png"}}}}}}}})));
    show("a bad parameter", chats(with("temperature", "hot")));
    show("another task", ask(key, "/v1/embeddings", Json{{"model", "text"}, {"input", "a"}}));
    show("a long prompt",
         chats(with("messages", {{{"role", "user"}, {"content", std::string(900, 'x')}}})));
    show("an unknown address", ask(key, "/v1/files", chat()));
    show("a foreign host", send("GET", "/v1/models", "evil.example"));
    show("a foreign origin",
         send("POST", "/v1/chat/completions", app, "Origin: http://evil.example\r\n", "{}"));
    show("no JSON", send("POST", "/v1/chat/completions", app, "Content-Type: text/plain\r\n", "x"));
    show("a preflight", send("OPTIONS", "/v1/chat/completions", app));
    show("an app that does not run", send("GET", "/", host("locara--absent")));
    show("an old launch code", exchange("locara--quick-add", "0"));
    EXPECT_GOLDEN("api-errors.txt", all);
}

TEST_F(BrokerTest, nothing_is_fetched_for_an_app) {
    const std::string key = token("locara/quick-add");
    Json body = chat();
    body["messages"][0]["content"] = {
        {{"type", "image_url"}, {"image_url", {{"url", "http://evil.example/x.png"}}}}};
    const auto answer = ask(key, "/v1/chat/completions", body);
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(answer.body, HasSubstr("must be text"));
}

TEST_F(BrokerTest, tokens_open_their_own_app_only) {
    const std::string key = token("locara/quick-add");
    const std::string foreign = token("locara/other-app");
    const auto bearer = [](const std::string& value) {
        return "Authorization: Bearer " + value + "\r\n";
    };
    const std::string app = host("locara--quick-add");
    EXPECT_EQ(send("GET", "/v1/models", app, bearer(key)).status, 200);
    EXPECT_EQ(send("GET", "/v1/models", app).status, 401);
    EXPECT_EQ(send("GET", "/v1/models", app, bearer(foreign)).status, 401);
    EXPECT_EQ(send("GET", "/v1/models", app, bearer(key.substr(1))).status, 401);
    EXPECT_EQ(send("GET", "/v1/models", app, "Authorization: Basic " + key + "\r\n").status, 401);
    EXPECT_EQ(send("GET", "/v1/models", app, "Cookie: token=" + key + "\r\n").status, 401);
    const auto in_url = send("GET", "/v1/models?token=" + key, app, bearer(key));
    EXPECT_EQ(in_url.status, 400);
    EXPECT_THAT(in_url.body, HasSubstr("token_in_url"));
    EXPECT_EQ(send("GET", "/v1/models?access_token=" + key, app).status, 400);
    EXPECT_EQ(send("GET", "/v1/models", host("locara"), bearer(key)).status, 404);
    const std::string log = audit();
    for (const char* why : {"no_token", "wrong_token", "token_in_url"}) {
        EXPECT_THAT(log, HasSubstr(std::string("\"why\":\"") + why + "\"")) << why;
    }
    EXPECT_THAT(log, Not(HasSubstr(key)));
}

TEST_F(BrokerTest, foreign_hosts_and_origins_are_refused_and_written_down) {
    const std::string key = token("locara/quick-add");
    const std::string bearer = "Authorization: Bearer " + key + "\r\n";
    for (const std::string& name : {std::string("evil.example:") + port(),
                                    std::string("127.0.0.1:") + port(),
                                    std::string("[::1]:") + port(),
                                    std::string("0.0.0.0:") + port(),
                                    std::string("localhost:") + port(),
                                    std::string("locara--quick-add.localhost"),
                                    std::string("locara--quick-add.localhost:1"),
                                    std::string("locara--quick-add.localhost.:") + port(),
                                    std::string("LOCARA--QUICK-ADD.localhost:") + port(),
                                    std::string("x@") + host("locara--quick-add")}) {
        const auto answer = send("GET", "/v1/models", name, bearer);
        EXPECT_EQ(answer.status, 421) << name;
        EXPECT_EQ(answer.field("Access-Control-Allow-Origin"), "");
    }
    EXPECT_EQ(
        send_raw(broker_->port(), "GET /v1/models HTTP/1.1\r\nConnection: close\r\n\r\n").status,
        400);
    EXPECT_EQ(send_raw(broker_->port(), "GET /v1/models HTTP/1.0\r\n\r\n").status, 400);
    const auto preflight =
        send("OPTIONS",
             "/v1/chat/completions",
             host("locara--quick-add"),
             "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n");
    EXPECT_EQ(preflight.status, 403);
    EXPECT_THAT(preflight.head, Not(HasSubstr("Access-Control")));
    EXPECT_EQ(send("POST",
                   "/v1/chat/completions",
                   host("locara--quick-add"),
                   bearer + "Origin: http://evil.example\r\nContent-Type: application/json\r\n",
                   render_json(chat()))
                  .status,
              403);
    const std::string log = audit();
    for (const char* why : {"foreign_host", "preflight_refused", "foreign_origin"}) {
        EXPECT_THAT(log, HasSubstr(std::string("\"why\":\"") + why + "\"")) << why;
    }
}

TEST_F(BrokerTest, a_launch_code_opens_once) {
    const std::string code = launch("locara/quick-add");
    EXPECT_EQ(exchange("locara--other-app", code).status, 401);
    const auto first = exchange("locara--quick-add", code);
    ASSERT_EQ(first.status, 200) << first.body;
    const auto json = parse_json(first.body);
    EXPECT_EQ((*json)["origin"], "http://" + host("locara--quick-add"));
    EXPECT_EQ((*json)["app"]["id"], "locara/quick-add");
    EXPECT_EQ((*json)["save"], true);
    EXPECT_EQ((*json)["facts"][0]["subject"], "network");
    const auto second = exchange("locara--quick-add", code);
    EXPECT_EQ(second.status, 401);
    EXPECT_THAT(second.body, HasSubstr("locara run locara/quick-add"));
    EXPECT_THAT(audit(), HasSubstr(R"("why":"launch_code")"));
}

TEST_F(BrokerTest, a_session_that_the_shell_closes_has_ended) {
    const std::string key = token("locara/quick-add");
    const std::string other_tab = token("locara/quick-add");
    const auto close = [&](const std::string& label, const std::string& value) {
        return send("POST",
                    "/locara/v1/close",
                    host("locara"),
                    "Origin: http://" + host("locara") + "\r\nContent-Type: application/json\r\n",
                    R"({"app":")" + label + R"(","token":")" + value + R"("})");
    };
    EXPECT_EQ(close("locara--other-app", key).status, 401);
    EXPECT_EQ(close("nonsense", key).status, 400);
    EXPECT_EQ(close("locara--quick-add", key).status, 200);
    EXPECT_EQ(ask(key, "/v1/chat/completions", chat()).status, 401);
    EXPECT_EQ(close("locara--quick-add", key).status, 401);
    EXPECT_EQ(send("GET",
                   "/v1/models",
                   host("locara--quick-add"),
                   "Authorization: Bearer " + other_tab + "\r\n")
                  .status,
              200)
        << "the other tab goes on";
    const std::string log = audit();
    EXPECT_THAT(log, HasSubstr(R"("event":"closed","app":"locara/quick-add")"));
    EXPECT_THAT(log, Not(HasSubstr(key)));
}

TEST_F(BrokerTest, pages_carry_the_headers_that_keep_them_in) {
    launch("locara/quick-add");
    launch("locara/other-app");
    const auto shell = send("GET", "/app/locara--quick-add", host("locara"));
    ASSERT_EQ(shell.status, 200) << shell.body;
    EXPECT_EQ(shell.field("Content-Security-Policy"),
              "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
              "connect-src 'self'; frame-src http://" +
                  host("locara--quick-add") +
                  "; form-action 'none'; base-uri 'none'; frame-ancestors 'none'");
    EXPECT_EQ(shell.field("Cross-Origin-Opener-Policy"), "same-origin");
    EXPECT_EQ(shell.field("Cross-Origin-Embedder-Policy"), "require-corp");

    const std::string framed = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"
                               "Sec-Fetch-Dest: iframe\r\n";
    const auto page = send("GET", "/", host("locara--quick-add"), framed);
    ASSERT_EQ(page.status, 200) << page.body;
    EXPECT_EQ(page.body, "<!doctype html><title>Quick Add</title>");
    EXPECT_EQ(
        page.field("Content-Security-Policy"),
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' "
        "'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; media-src 'self' blob:; "
        "worker-src 'self' blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors http://" +
            host("locara"));
    EXPECT_EQ(page.field("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(page.field("Referrer-Policy"), "no-referrer");
    EXPECT_EQ(page.field("Cross-Origin-Resource-Policy"), "cross-origin");
    EXPECT_EQ(page.field("Cross-Origin-Embedder-Policy"), "require-corp");
    EXPECT_THAT(page.field("Permissions-Policy"), HasSubstr("camera=()"));

    const auto script = send("GET", "/assets/app.js", host("locara--quick-add"));
    EXPECT_EQ(script.status, 200);
    EXPECT_EQ(script.field("Content-Type"), "text/javascript; charset=utf-8");
    EXPECT_EQ(script.field("Cross-Origin-Resource-Policy"), "same-origin");

    const auto prompt = send("GET", "/", host("locara--other-app"), framed);
    EXPECT_EQ(prompt.body, "<!doctype html><title>Prompt</title>");
    EXPECT_THAT(prompt.field("Content-Security-Policy"), HasSubstr("script-src 'self';"))
        << "wasm was not declared";
}

TEST_F(BrokerTest, files_outside_the_root_are_not_served) {
    launch("locara/quick-add");
    for (const char* target : {"/.hidden",
                               "/link.txt",
                               "/assets",
                               "/../locara.json",
                               "/assets/../../locara.json",
                               "/%2e%2e/locara.json",
                               "/..%2flocara.json",
                               "/assets%2fapp.js",
                               "/absent.html",
                               "//assets/app.js"}) {
        const auto answer = send("GET", target, host("locara--quick-add"));
        EXPECT_TRUE(answer.status == 404 || answer.status == 400) << target << " " << answer.status;
    }
    EXPECT_EQ(send("GET", "/", host("locara--absent")).status, 404);
    EXPECT_EQ(send("GET", "/../../audit.jsonl", host("locara")).status, 400);
}

TEST_F(BrokerTest, an_app_describes_itself_to_its_page) {
    const std::string key = token("locara/other-app");
    const auto answer = send("GET",
                             "/locara/v1/app",
                             host("locara--other-app"),
                             "Authorization: Bearer " + key + "\r\n");
    ASSERT_EQ(answer.status, 200) << answer.body;
    const auto json = parse_json(answer.body);
    EXPECT_EQ((*json)["kind"], "prompt");
    EXPECT_EQ((*json)["models"][0]["role"], "text");
    EXPECT_EQ((*json)["prompt"]["fields"][0]["name"], "what");
}

TEST_F(BrokerTest, once_answers_in_the_declared_shape) {
    const auto answer =
        tool("POST", "/locara/v1/apps/locara/quick-add/once", R"({"text":"lunch"})");
    ASSERT_EQ(answer.status, 200) << answer.body;
    const std::string text = (*parse_json(answer.body))["answer"];
    const auto shape = parse_json(text);
    ASSERT_TRUE(shape) << text;
    EXPECT_EQ((*shape)["ok"], "yes") << "random weights, held to the schema";
    EXPECT_EQ(tool("POST", "/locara/v1/apps/locara/absent/once", R"({"text":"x"})").status, 404);
    EXPECT_EQ(tool("POST", "/locara/v1/apps/locara/quick-add/once", "{}").status, 400);
}

TEST_F(BrokerTest, tells_its_status_with_the_walls_of_its_engines) {
    ASSERT_EQ(ask(token("locara/quick-add"), "/v1/chat/completions", chat()).status, 200);
    const auto answer = tool("GET", "/locara/v1/status");
    ASSERT_EQ(answer.status, 200);
    const auto json = parse_json(answer.body);
    EXPECT_EQ((*json)["schema"], "locara.status/1");
    EXPECT_EQ((*json)["apps"][0]["id"], "locara/quick-add");
    EXPECT_EQ((*json)["engines"][0]["running"], true);
    EXPECT_THAT(render_json((*json)["engines"][0]["walls_in_force"]), HasSubstr("network: none"));
}

TEST_F(BrokerTest, an_app_that_is_taken_down_stops_within_five_seconds_and_does_not_start) {
    const std::string key = token("locara/quick-add");
    ASSERT_EQ(ask(key, "/v1/chat/completions", chat()).status, 200);
    registry_->block("locara/quick-add");
    int status = 200;
    for (int tries = 0; tries < 50 && status != 401; ++tries) {
        std::this_thread::sleep_for(milliseconds(100));
        status = ask(key, "/v1/chat/completions", chat()).status;
    }
    EXPECT_EQ(status, 401);
    const auto again = tool("POST", "/locara/v1/apps/locara/quick-add/launch");
    EXPECT_EQ(again.status, 403) << again.body;
    EXPECT_THAT(again.body, HasSubstr("may not run: a test"));
    EXPECT_TRUE(std::filesystem::exists(path("bundle/dist/index.html"))) << "nothing is deleted";
    EXPECT_THAT(audit(), HasSubstr(R"("event":"taken_down")"));
}

TEST_F(BrokerTest, what_is_called_back_while_its_engine_starts_gets_no_answer) {
    registry_->block("locara/quick-add", 1); // when the start is asked for, there is nothing yet
    const auto answer = tool("POST", "/locara/v1/apps/locara/quick-add/once", R"({"text":"x"})");
    EXPECT_EQ(answer.status, 403) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr("locara/quick-add may not run: a test"));
    EXPECT_FALSE(supervisor_->status().front().running);
    EXPECT_THAT(audit(), HasSubstr(R"("event":"taken_down")"));
}

// Requests whose engine does not come to an end by itself: held, it answers nothing.
TEST_F(BrokerTest, requests_in_flight_end_when_their_app_is_taken_down) {
    for (const bool from_page : {false, true}) {
        registry_->block("");
        const auto once = [this] {
            return tool("POST", "/locara/v1/apps/locara/quick-add/once", R"({"text":"x"})");
        };
        ASSERT_EQ(once().status, 200);
        const std::string key = from_page ? token("locara/quick-add") : "";
        const auto engines = supervisor_->status();
        const auto held = std::find_if(
            engines.begin(), engines.end(), [](const auto& engine) { return engine.running; });
        ASSERT_NE(held, engines.end());
        ASSERT_EQ(kill(held->pid, SIGSTOP), 0);
        std::string told;
        std::thread asking([&] {
            told = from_page ? ask(key, "/v1/chat/completions", chat()).body : once().body;
        });
        std::this_thread::sleep_for(milliseconds(300));
        const auto since = std::chrono::steady_clock::now();
        registry_->block("locara/quick-add");
        asking.join();
        EXPECT_LT(std::chrono::steady_clock::now() - since, std::chrono::seconds(5));
        EXPECT_THAT(told, HasSubstr("locara/quick-add may not run: a test"));
        for (int tries = 0; tries < 100 && kill(held->pid, 0) == 0; ++tries) {
            std::this_thread::sleep_for(milliseconds(10));
        }
        EXPECT_NE(kill(held->pid, 0), 0) << "the engine is there";
    }
}

TEST_F(BrokerTest, the_shell_is_told_why_a_session_has_ended) {
    const std::string key = token("locara/quick-add");
    EXPECT_EQ(ask_session(key).status, 200);
    EXPECT_EQ(ask_session(key).body, R"({"stands":true})");
    const auto unknown = ask_session("0");
    EXPECT_EQ(unknown.status, 401);
    EXPECT_THAT(unknown.body, Not(HasSubstr("a test")));
    registry_->block("locara/quick-add");
    RawAnswer told = ask_session(key);
    for (int tries = 0; tries < 50 && told.status == 200; ++tries) {
        std::this_thread::sleep_for(milliseconds(100));
        told = ask_session(key);
    }
    EXPECT_EQ(told.status, 403);
    EXPECT_THAT(told.body, HasSubstr(R"("code":"refused")"));
    EXPECT_THAT(told.body, HasSubstr(R"("detail":"a test")"));
    // Started again once it may: the old page's session is none of the new start's.
    registry_->block("");
    const std::string fresh = token("locara/quick-add");
    EXPECT_EQ(ask_session(fresh).status, 200);
    EXPECT_EQ(ask_session(key).status, 401);
}

TEST_F(BrokerTest, ends_when_idle_or_asked) {
    start(milliseconds(100));
    broker_->wait();
    start();
    std::thread waiting([this] { broker_->wait(); });
    EXPECT_EQ(tool("POST", "/locara/v1/stop").status, 200);
    waiting.join();
}

TEST_F(BrokerTest, there_is_one_broker) {
    BrokerOptions options;
    options.port = 0;
    options.unix_socket = path("second.sock");
    options.audit_log = path("audit.jsonl");
    options.share = path("share");
    options.registry = registry_.get();
    options.engines = supervisor_.get();
    const auto second = Broker::start(options);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ErrorCode::Busy);
}

} // namespace
} // namespace locara::runtime
