#include "tls_server.hpp"
#include "wire_server.hpp"

#include <locara/base/file.hpp>
#include <locara/http/client.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace locara::http {
namespace {

using test::WireConnection;
using test::WireRequest;
using test::WireServer;
using namespace std::chrono_literals;

class ClientTest : public testing::Test {
  protected:
    Client client = Client::create().value();

    static ClientRequest get(std::string url) {
        ClientRequest request;
        request.url = std::move(url);
        return request;
    }
};

TEST(OriginTest, parses_what_a_token_belongs_to) {
    EXPECT_EQ(*parse_origin("https://Hub.Example/x?y"), (Origin{"https", "hub.example", 443}));
    EXPECT_EQ(*parse_origin("http://hub.example:8080"), (Origin{"http", "hub.example", 8080}));
    EXPECT_EQ(*parse_origin("http://[::1]:80/"), (Origin{"http", "::1", 80}));
    EXPECT_EQ(parse_origin("http://[::1]:81/")->render(), "http://[::1]:81");
    EXPECT_EQ(parse_origin("https://h/")->render(), "https://h");
    for (const char* bad :
         {"", "hub.example", "ftp://h/", "file:///etc/passwd", "http://", "http://u:p@h/"}) {
        EXPECT_EQ(parse_origin(bad).error().code(), ErrorCode::InvalidArgument) << bad;
    }
}

TEST(OriginTest, knows_this_machine) {
    for (const char* own :
         {"http://localhost", "http://a--b.localhost:1", "http://127.9.9.9", "http://[::1]"}) {
        EXPECT_TRUE(parse_origin(own)->is_loopback()) << own;
    }
    for (const char* other : {"http://localhost.example", "http://128.0.0.1", "http://[::2]"}) {
        EXPECT_FALSE(parse_origin(other)->is_loopback()) << other;
    }
}

TEST_F(ClientTest, get_returns_status_headers_and_body_and_keeps_the_connection) {
    WireServer server([](const WireRequest& request, WireConnection& c) {
        c.answer(200, request.method + " " + request.target, "X-Thing:  a b \r\n");
    });
    for (int i = 0; i < 3; ++i) {
        const auto response = client.send(get(server.url() + "/a%20b?c=d"));
        ASSERT_TRUE(response) << response.error().describe();
        EXPECT_EQ(response->status, 200);
        EXPECT_EQ(response->headers.find("x-tHING"), "a b");
        EXPECT_EQ(response->body, "GET /a%20b?c=d");
        EXPECT_EQ(response->url, server.url() + "/a%20b?c=d");
    }
    EXPECT_EQ(server.connections(), 1U);
}

TEST_F(ClientTest, sends_method_body_headers_and_range) {
    std::mutex mutex;
    std::vector<WireRequest> seen;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        const std::lock_guard lock(mutex);
        seen.push_back(request);
        c.answer(request.method == "HEAD" ? 204 : 200, "");
    });
    ClientRequest post = get(server.url() + "/p");
    post.method = "POST";
    post.body = std::string("a\0b", 3);
    post.headers.add("Content-Type", "application/x-test");
    post.headers.add("X-Empty", "");
    ASSERT_TRUE(client.send(post));
    ClientRequest head = get(server.url() + "/h");
    head.method = "HEAD";
    ASSERT_TRUE(client.send(head));
    ClientRequest ranged = get(server.url() + "/r");
    ranged.range = {5, 9};
    ASSERT_TRUE(client.send(ranged));
    ASSERT_EQ(seen.size(), 3U);
    EXPECT_EQ(seen[0].body, std::string("a\0b", 3));
    EXPECT_EQ(seen[0].header("content-type"), "application/x-test");
    EXPECT_EQ(seen[0].headers.count("x-empty"), 1U);
    EXPECT_EQ(seen[0].headers.count("expect"), 0U);
    EXPECT_EQ(seen[1].method, "HEAD");
    EXPECT_EQ(seen[2].header("range"), "bytes=5-9");
    EXPECT_EQ(seen[2].headers.count("content-type"), 0U);
}

TEST_F(ClientTest, refuses_headers_and_methods_that_would_split_the_message) {
    ClientRequest request = get("http://127.0.0.1:1/");
    request.headers.add("X-A", "b\r\nX-Evil: 1");
    EXPECT_EQ(client.send(request).error().code(), ErrorCode::InvalidArgument);
    request = get("http://127.0.0.1:1/");
    request.method = "GET / HTTP/1.1\r\nX:";
    EXPECT_EQ(client.send(request).error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(client.send(get("file:///etc/passwd")).error().code(), ErrorCode::InvalidArgument);
}

TEST_F(ClientTest, redirect_keeps_the_token_on_its_own_host_and_drops_it_elsewhere) {
    std::mutex mutex;
    std::map<std::string, std::string> tokens;
    std::string other;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        {
            const std::lock_guard lock(mutex);
            tokens[request.target] = request.header("authorization");
        }
        if (request.target == "/start") {
            c.answer(302, "moved", "Location: /same\r\nX-Repo-Commit: abc\r\n");
        } else if (request.target == "/same") {
            c.answer(307, "", "Location: " + other + "/away\r\n");
        } else if (request.target == "/away") {
            c.answer(301,
                     "",
                     "Location: http://127.0.0.1" + other.substr(other.rfind(':')) + "/back\r\n");
        } else {
            c.answer(200, "here");
        }
    });
    other = server.other_url();
    ClientRequest request = get(server.url() + "/start");
    request.headers.add("Authorization", "Bearer hf_secret");
    const auto response = client.send(request);
    ASSERT_TRUE(response) << response.error().describe();
    EXPECT_EQ(response->body, "here");
    EXPECT_EQ(response->url, server.url() + "/back");
    ASSERT_EQ(response->redirects.size(), 3U);
    EXPECT_EQ(response->redirects[0].headers.find("x-repo-commit"), "abc");
    EXPECT_EQ(tokens["/start"], "Bearer hf_secret");
    EXPECT_EQ(tokens["/same"], "Bearer hf_secret");
    EXPECT_EQ(tokens["/away"], "");
    EXPECT_EQ(tokens["/back"], "") << "once dropped, a token does not come back";
}

TEST_F(ClientTest, redirect_loops_and_foreign_schemes_are_refused) {
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        if (request.target == "/file") {
            c.answer(302, "", "Location: file:///etc/passwd\r\n");
        } else if (request.target == "/user") {
            c.answer(302, "", "Location: http://a:b@localhost/\r\n");
        } else {
            c.answer(302, "", "Location: " + request.target + "x\r\n");
        }
    });
    EXPECT_EQ(client.send(get(server.url() + "/file")).error().code(), ErrorCode::Refused);
    EXPECT_EQ(client.send(get(server.url() + "/user")).error().code(), ErrorCode::Refused);
    const auto before = server.requests();
    const auto looped = client.send(get(server.url() + "/"));
    EXPECT_EQ(looped.error().code(), ErrorCode::Refused);
    EXPECT_EQ(server.requests() - before, static_cast<std::uint64_t>(kMaxRedirects) + 1);

    ClientRequest once = get(server.url() + "/");
    once.follow = FollowRedirects::No;
    EXPECT_EQ(client.send(once)->status, 302);
}

TEST_F(ClientTest, post_becomes_get_on_303_and_stays_on_307) {
    std::mutex mutex;
    std::vector<std::string> seen;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        const std::lock_guard lock(mutex);
        seen.push_back(request.method + " " + request.target + " " + request.body);
        if (request.target == "/303") {
            c.answer(303, "", "Location: /end\r\n");
        } else if (request.target == "/307") {
            c.answer(307, "", "Location: /end\r\n");
        } else {
            c.answer(200, "");
        }
    });
    for (const char* path : {"/303", "/307"}) {
        ClientRequest request = get(server.url() + path);
        request.method = "POST";
        request.body = "b";
        ASSERT_TRUE(client.send(request));
    }
    EXPECT_EQ(seen,
              (std::vector<std::string>{"POST /303 b", "GET /end ", "POST /307 b", "POST /end b"}));
}

TEST_F(ClientTest, bodies_above_the_limit_are_cut_off) {
    WireServer server([](const WireRequest& request, WireConnection& c) {
        if (request.target == "/said") {
            c.answer(200, std::string(2000, 'x'));
        } else { // endless, and without a length
            c.send("HTTP/1.1 200 X\r\n\r\n");
            while (c.send(std::string(1000, 'x'))) {
            }
        }
    });
    for (const char* path : {"/said", "/endless"}) {
        ClientRequest request = get(server.url() + path);
        request.body_limit_bytes = 1999;
        EXPECT_EQ(client.send(request).error().code(), ErrorCode::TooLarge) << path;
    }
    ClientRequest enough = get(server.url() + "/said");
    enough.body_limit_bytes = 2000;
    EXPECT_EQ(client.send(enough)->body.size(), 2000U);
}

TEST_F(ClientTest, endless_headers_are_cut_off) {
    WireServer server([](const WireRequest&, WireConnection& c) {
        c.send("HTTP/1.1 200 X\r\n");
        while (c.send("X-A: b\r\n")) {
        }
    });
    EXPECT_EQ(client.send(get(server.url())).error().code(), ErrorCode::TooLarge);
}

TEST_F(ClientTest, truncated_and_refused_and_unknown_hosts_are_unavailable) {
    WireServer server([](const WireRequest& request, WireConnection& c) {
        if (request.target == "/cut") {
            c.send("HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nonly this");
        }
        c.close();
    });
    EXPECT_EQ(client.send(get(server.url() + "/cut")).error().code(), ErrorCode::Unavailable);
    EXPECT_EQ(client.send(get(server.url() + "/nothing")).error().code(), ErrorCode::Unavailable);
    EXPECT_EQ(client.send(get("http://127.0.0.1:1/")).error().code(), ErrorCode::Unavailable);
}

TEST_F(ClientTest, stall_and_deadline_are_timeouts) {
    WireServer server([](const WireRequest&, WireConnection& c) {
        c.send("HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nab");
        c.wait_for_end();
    });
    ClientRequest stalled = get(server.url());
    stalled.stall_timeout = 1s;
    EXPECT_EQ(client.send(stalled).error().code(), ErrorCode::Timeout);
    ClientRequest late = get(server.url());
    late.total_timeout = 100ms;
    EXPECT_EQ(client.send(late).error().code(), ErrorCode::Timeout);
}

TEST_F(ClientTest, stop_ends_a_waiting_call_at_once) {
    std::atomic<bool> arrived = false;
    WireServer server([&](const WireRequest&, WireConnection& c) {
        arrived = true;
        c.wait_for_end();
    });
    std::stop_source source;
    std::thread stopper([&] {
        while (!arrived) {
            std::this_thread::yield();
        }
        source.request_stop();
    });
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(client.send(get(server.url()), source.get_token()).error().code(),
              ErrorCode::Cancelled);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
    stopper.join();
    EXPECT_EQ(client.send(get(server.url()), source.get_token()).error().code(),
              ErrorCode::Cancelled);
}

TEST_F(ClientTest, sink_gets_head_then_body_and_its_error_comes_back) {
    WireServer server([](const WireRequest& request, WireConnection& c) {
        if (request.target == "/from") {
            c.answer(302, "not this", "Location: /to\r\n");
        } else {
            c.answer(200, "body");
        }
    });
    std::string log;
    ResponseSink sink;
    sink.on_head = [&](const ResponseHead& head) -> Status {
        log += std::to_string(head.status) + "/" + std::to_string(head.redirects.size()) + ":";
        return {};
    };
    sink.on_body = [&](ByteView bytes) -> Status {
        log += as_text(bytes);
        return {};
    };
    const auto response = client.send(get(server.url() + "/from"), {}, &sink);
    ASSERT_TRUE(response);
    EXPECT_EQ(log, "200/1:body");
    EXPECT_EQ(response->body, "");
    EXPECT_EQ(response->body_bytes, 4U);
    sink.on_body = [&](ByteView) -> Status { return Error(ErrorCode::NoSpace, "full"); };
    EXPECT_EQ(client.send(get(server.url() + "/to"), {}, &sink).error().code(), ErrorCode::NoSpace);
    sink.on_head = [&](const ResponseHead&) -> Status { return Error(ErrorCode::Refused, "no"); };
    EXPECT_EQ(client.send(get(server.url() + "/to"), {}, &sink).error().code(), ErrorCode::Refused);
}

TEST_F(ClientTest, many_threads_share_one_client) {
    WireServer server(
        [](const WireRequest& request, WireConnection& c) { c.answer(200, request.target); });
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 20; ++i) {
                const std::string path = "/" + std::to_string(t) + "/" + std::to_string(i);
                const auto response = client.send(get(server.url() + path));
                right += response && response->body == path ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(right, 160);
    EXPECT_LE(server.connections(), 9U);
}

TEST_F(ClientTest, a_certificate_counts_only_when_ssl_cert_file_says_so) {
    const auto folder =
        TempFolder::create(std::filesystem::temp_directory_path(), "locara-tls-").value();
    const auto pem = folder.path() / "ca.pem";
    test::TlsServer server("HTTP/1.1 200 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
                           pem);
    const auto untrusted = client.send(get(server.url()));
    ASSERT_FALSE(untrusted);
    EXPECT_EQ(untrusted.error().code(), ErrorCode::Refused);
    EXPECT_NE(untrusted.error().message().find("SSL_CERT_FILE"), std::string::npos);
    EXPECT_EQ(server.requests(), 0U) << "nothing was sent to a server that is not trusted";

    ::setenv("SSL_CERT_FILE", pem.c_str(), 1);
    Client trusting = Client::create().value();
    ::unsetenv("SSL_CERT_FILE");
    const auto trusted = trusting.send(get(server.url()));
    ASSERT_TRUE(trusted) << trusted.error().describe();
    EXPECT_EQ(trusted->body, "ok");
    std::string as_other_name = server.url();
    as_other_name.replace(as_other_name.find("127.0.0.1"), 9, "127.0.0.2");
    EXPECT_FALSE(trusting.send(get(as_other_name))) << "the name in the certificate counts, too";
}

TEST_F(ClientTest, redirect_from_https_to_http_is_refused) {
    const auto folder =
        TempFolder::create(std::filesystem::temp_directory_path(), "locara-tls-").value();
    WireServer plain([](const WireRequest&, WireConnection& c) { c.answer(200, "plain"); });
    Client::Options options;
    options.ca_file = folder.path() / "ca.pem";
    test::TlsServer server(
        "HTTP/1.1 302 X\r\nContent-Length: 0\r\nConnection: close\r\nLocation: " + plain.url() +
            "/x\r\n\r\n",
        options.ca_file);
    Client trusting = Client::create(options).value();
    const auto answer = trusting.send(get(server.url()));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::Refused);
    EXPECT_NE(answer.error().message().find("from https to http"), std::string::npos)
        << answer.error().describe();
    EXPECT_EQ(plain.requests(), 0U);
}

TEST_F(ClientTest, loopback_is_never_sent_through_a_proxy) {
    WireServer server([](const WireRequest&, WireConnection& c) { c.answer(200, "direct"); });
    ::setenv("http_proxy", "http://127.0.0.1:1", 1);
    const auto response = client.send(get(server.url()));
    const auto outside = client.send(get("http://198.51.100.1/"));
    ::unsetenv("http_proxy");
    ASSERT_TRUE(response) << response.error().describe();
    EXPECT_EQ(response->body, "direct");
    EXPECT_EQ(outside.error().code(), ErrorCode::Unavailable);
    EXPECT_NE(outside.error().message().find("127.0.0.1"), std::string::npos)
        << "everything else goes to the proxy: " << outside.error().describe();
}

} // namespace
} // namespace locara::http
