#include <locara/runtime/origin.hpp>

#include <gtest/gtest.h>

namespace locara::runtime {
namespace {

const Origins kOrigins(17863);

http::Request request(const char* method, const char* path, http::Headers headers) {
    http::Request made;
    made.method = method;
    made.target = made.path = path;
    made.headers = std::move(headers);
    return made;
}

std::string check(const http::Request& asked) {
    Site site;
    const auto denial = kOrigins.check(asked, site);
    return denial ? denial->code : "";
}

constexpr const char* kApp = "locara--quick-add.localhost:17863";
constexpr const char* kAppOrigin = "http://locara--quick-add.localhost:17863";
constexpr const char* kShell = "locara.localhost:17863";
constexpr const char* kShellOrigin = "http://locara.localhost:17863";
constexpr const char* kJson = "application/json";

TEST(Origins, knows_its_own_hosts_byte_for_byte) {
    ASSERT_TRUE(kOrigins.find_site(kShell));
    EXPECT_TRUE(kOrigins.find_site(kShell)->is_shell());
    ASSERT_TRUE(kOrigins.find_site(kApp));
    EXPECT_EQ(kOrigins.find_site(kApp)->app->render(), "locara/quick-add");
    for (const char* host : {"",
                             "locara.localhost",
                             "locara.localhost:80",
                             "locara.localhost:17864",
                             "locara.localhost:17863.",
                             "locara.localhost.:17863",
                             "LOCARA.localhost:17863",
                             "Locara.Localhost:17863",
                             "user@locara.localhost:17863",
                             "user:word@locara.localhost:17863",
                             "locara.localhost:17863@evil.example",
                             " locara.localhost:17863",
                             "locara.localhost:017863",
                             "evil.example",
                             "evil.example:17863",
                             "locara.localhost.evil.example:17863",
                             "evil.locara.localhost:17863",
                             "notlocara.localhost:17863",
                             "localhost:17863",
                             ".localhost:17863",
                             "127.0.0.1:17863",
                             "127.1:17863",
                             "2130706433:17863",
                             "0.0.0.0:17863",
                             "[::1]:17863",
                             "[::ffff:127.0.0.1]:17863",
                             "[::1%25lo]:17863",
                             "locara--Quick-Add.localhost:17863",
                             "locara---quick-add.localhost:17863",
                             "locara--quick--add.localhost:17863",
                             "locara--.localhost:17863",
                             "--quick-add.localhost:17863"}) {
        EXPECT_FALSE(kOrigins.find_site(host)) << host;
    }
}

TEST(Origins, a_request_needs_exactly_one_host) {
    EXPECT_EQ(check(request("GET", "/", {})), "foreign_host");
    EXPECT_EQ(check(request("GET", "/", {{"Host", kApp}, {"Host", kApp}})), "foreign_host");
    EXPECT_EQ(check(request("GET", "/", {{"Host", kApp}})), "");
}

TEST(Origins, every_cross_origin_shape_is_refused) {
    // A form, an image, a script, fetch and a WebSocket of a page elsewhere, as browsers send them.
    EXPECT_EQ(check(request("POST",
                            "/v1/chat/completions",
                            {{"Host", kApp},
                             {"Origin", "https://evil.example"},
                             {"Sec-Fetch-Site", "cross-site"},
                             {"Sec-Fetch-Mode", "navigate"},
                             {"Sec-Fetch-Dest", "document"},
                             {"Content-Type", "application/x-www-form-urlencoded"}})),
              "cross_site");
    for (const char* dest : {"image", "script", "style", "font", "empty", "object", "embed"}) {
        EXPECT_EQ(check(request("GET",
                                "/index.js",
                                {{"Host", kApp},
                                 {"Sec-Fetch-Site", "cross-site"},
                                 {"Sec-Fetch-Mode", "no-cors"},
                                 {"Sec-Fetch-Dest", dest}})),
                  "cross_site")
            << dest;
    }
    // Another app is another site for the browser, or the same site for one that judges so.
    for (const char* site : {"cross-site", "same-site"}) {
        EXPECT_EQ(check(request("POST",
                                "/v1/chat/completions",
                                {{"Host", kApp},
                                 {"Origin", "http://locara--other.localhost:17863"},
                                 {"Sec-Fetch-Site", site},
                                 {"Sec-Fetch-Mode", "cors"},
                                 {"Content-Type", kJson}})),
                  "cross_site");
    }
    // The same without fetch metadata (an old browser): the Origin is enough.
    for (const char* origin : {"https://evil.example",
                               "null",
                               "",
                               kShellOrigin,
                               "http://locara--other.localhost:17863",
                               "https://locara--quick-add.localhost:17863",
                               "http://locara--quick-add.localhost",
                               "http://locara--quick-add.localhost:17863/",
                               "http://LOCARA--quick-add.localhost:17863"}) {
        EXPECT_EQ(check(request("POST",
                                "/v1/chat/completions",
                                {{"Host", kApp}, {"Origin", origin}, {"Content-Type", kJson}})),
                  "foreign_origin")
            << origin;
    }
    // A form of an old browser that sends no Origin: its type gives it away.
    for (const char* type : {"application/x-www-form-urlencoded",
                             "multipart/form-data; boundary=x",
                             "text/plain",
                             ""}) {
        EXPECT_EQ(check(request(
                      "POST", "/v1/chat/completions", {{"Host", kApp}, {"Content-Type", type}})),
                  "not_json")
            << type;
    }
    EXPECT_EQ(check(request("GET",
                            "/v1/models",
                            {{"Host", kApp},
                             {"Upgrade", "websocket"},
                             {"Connection", "Upgrade"},
                             {"Origin", kAppOrigin}})),
              "upgrade_refused");
    EXPECT_EQ(check(request("OPTIONS",
                            "/v1/chat/completions",
                            {{"Host", kApp},
                             {"Origin", "https://evil.example"},
                             {"Access-Control-Request-Method", "POST"}})),
              "preflight_refused");
    EXPECT_EQ(check(request("DELETE", "/v1/models", {{"Host", kApp}})), "method_not_allowed");
}

TEST(Origins, the_shells_frame_and_the_apps_own_requests_pass) {
    EXPECT_EQ(check(request("GET",
                            "/",
                            {{"Host", kApp},
                             {"Sec-Fetch-Site", "cross-site"},
                             {"Sec-Fetch-Mode", "navigate"},
                             {"Sec-Fetch-Dest", "iframe"}})),
              "");
    EXPECT_EQ(check(request("GET",
                            "/assets/a.js",
                            {{"Host", kApp},
                             {"Origin", kAppOrigin},
                             {"Sec-Fetch-Site", "same-origin"},
                             {"Sec-Fetch-Mode", "cors"},
                             {"Sec-Fetch-Dest", "script"}})),
              "");
    EXPECT_EQ(check(request("POST",
                            "/v1/chat/completions",
                            {{"Host", kApp},
                             {"Origin", kAppOrigin},
                             {"Sec-Fetch-Site", "same-origin"},
                             {"Content-Type", "application/json; charset=utf-8"}})),
              "");
    EXPECT_EQ(check(request("GET",
                            "/app/locara--quick-add",
                            {{"Host", kShell},
                             {"Sec-Fetch-Site", "none"},
                             {"Sec-Fetch-Mode", "navigate"},
                             {"Sec-Fetch-Dest", "document"}})),
              "");
}

TEST(Origins, a_frame_may_not_load_the_api_nor_the_shell) {
    const http::Headers framed{{"Host", kApp},
                               {"Sec-Fetch-Site", "cross-site"},
                               {"Sec-Fetch-Mode", "navigate"},
                               {"Sec-Fetch-Dest", "iframe"}};
    EXPECT_EQ(check(request("GET", "/v1/models", framed)), "cross_site");
    EXPECT_EQ(check(request("GET", "/locara/v1/app", framed)), "cross_site");
    http::Headers shell = framed;
    shell.set("Host", kShell);
    EXPECT_EQ(check(request("GET", "/app/locara--quick-add", shell)), "cross_site");
}

TEST(Origins, a_service_worker_is_refused) {
    EXPECT_EQ(check(request("GET",
                            "/worker.js",
                            {{"Host", kApp},
                             {"Service-Worker", "script"},
                             {"Sec-Fetch-Site", "same-origin"},
                             {"Sec-Fetch-Dest", "serviceworker"}})),
              "service_worker_refused");
    EXPECT_EQ(check(request("GET", "/worker.js", {{"Host", kApp}, {"Service-Worker", "script"}})),
              "service_worker_refused");
}

TEST(Origins, an_app_outside_its_frame_is_refused) {
    EXPECT_EQ(check(request("GET",
                            "/",
                            {{"Host", kApp},
                             {"Sec-Fetch-Site", "none"},
                             {"Sec-Fetch-Mode", "navigate"},
                             {"Sec-Fetch-Dest", "document"}})),
              "not_framed");
}

TEST(Origins, the_launch_must_say_that_it_comes_from_the_shell) {
    EXPECT_EQ(
        check(request("POST", "/locara/v1/launch", {{"Host", kShell}, {"Content-Type", kJson}})),
        "foreign_origin");
    EXPECT_EQ(check(request("POST",
                            "/locara/v1/launch",
                            {{"Host", kShell}, {"Content-Type", kJson}, {"Origin", kAppOrigin}})),
              "foreign_origin");
    EXPECT_EQ(check(request("POST",
                            "/locara/v1/launch",
                            {{"Host", kShell}, {"Content-Type", kJson}, {"Origin", kShellOrigin}})),
              "");
}

} // namespace
} // namespace locara::runtime
