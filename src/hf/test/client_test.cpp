#include "hub_fixture.hpp"

#include <cstdlib>

namespace locara::hf {
namespace {

using test::WireConnection;
using test::WireRequest;
using test::WireServer;

class ClientTest : public HubFixture {};

/// Sets variables for one scope.
class Environment {
  public:
    using Values = std::map<std::string, std::string>;

    explicit Environment(Values values) : values_(std::move(values)) {
        for (const auto& [name, value] : values_) {
            ::setenv(name.c_str(), value.c_str(), 1);
        }
    }

    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

    ~Environment() {
        for (const auto& [name, value] : values_) {
            ::unsetenv(name.c_str());
        }
    }

  private:
    Values values_;
};

TEST_F(ClientTest, environment_token_belongs_to_the_environment_endpoint) {
    const Environment set(Environment::Values{{"HF_TOKEN", "hf_home"}});
    EXPECT_EQ(Options::from_environment().endpoint, kDefaultEndpoint);
    EXPECT_TRUE(Options::from_environment().token.equals("hf_home"));
    EXPECT_TRUE(Options::from_environment("https://huggingface.co/").token.equals("hf_home"));
    EXPECT_TRUE(Options::from_environment("http://huggingface.co").token.empty());
    EXPECT_TRUE(Options::from_environment("https://hub.example").token.empty());
    const Environment moved(Environment::Values{{"HF_ENDPOINT", "https://hub.example:8443/"}});
    EXPECT_EQ(Options::from_environment().endpoint, "https://hub.example:8443/");
    EXPECT_TRUE(Options::from_environment().token.equals("hf_home"));
    EXPECT_TRUE(Options::from_environment("https://hub.example:8443").token.equals("hf_home"));
    EXPECT_TRUE(Options::from_environment("https://hub.example").token.empty());
    EXPECT_EQ(Options::from_environment().offline, Options::OfflineMode::No);
    const Environment off(
        Environment::Values{{"HF_HUB_DISABLE_IMPLICIT_TOKEN", "yes"}, {"HF_HUB_OFFLINE", "1"}});
    EXPECT_TRUE(Options::from_environment().token.empty());
    EXPECT_EQ(Options::from_environment().offline, Options::OfflineMode::Yes);
}

TEST_F(ClientTest, a_hub_token_goes_to_that_hub_alone) {
    const auto token_for = [](const char* endpoint) {
        Options asked;
        asked.endpoint = endpoint;
        asked.take_hub_token();
        return asked.token;
    };
    const Environment set(Environment::Values{{"LOCARA_TOKEN", "hf_hub"}});
    EXPECT_TRUE(token_for("https://huggingface.co").empty());
    EXPECT_TRUE(token_for("https://hub.example").equals("hf_hub"));
    const Environment named(Environment::Values{{"LOCARA_HUB", "https://hub.example/"}});
    EXPECT_TRUE(token_for("https://hub.example").equals("hf_hub"));
    EXPECT_TRUE(token_for("https://other.example").empty());
}

TEST_F(ClientTest, refuses_endpoints_and_tokens_that_cannot_be) {
    Options bad;
    for (const char* endpoint : {"", "hub.example", "ftp://h", "https://h/?q", "https://h/#f"}) {
        bad.endpoint = endpoint;
        EXPECT_EQ(Client::create(http, bad).error().code(), ErrorCode::InvalidArgument) << endpoint;
    }
    bad.endpoint = "https://h";
    bad.token = Secret("hf_a\nX: b");
    EXPECT_EQ(Client::create(http, bad).error().code(), ErrorCode::InvalidArgument);
}

TEST_F(ClientTest, head_reads_the_metadata_of_the_first_answer) {
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        if (request.method == "HEAD" && request.target == target) {
            c.answer(302,
                     "",
                     commit_header + "ETag: \"short\"\r\nX-Linked-Etag: W/\"" +
                         file.sha256.render() +
                         "\"\r\nX-Linked-Size: 1000000\r\nLocation: /elsewhere\r\n");
        } else {
            c.answer(403, "");
        }
    });
    const auto remote = client(server.url() + "/").head(file.repo, kCommit, file.path);
    ASSERT_TRUE(remote) << remote.error().describe();
    EXPECT_EQ(remote->commit, kCommit);
    EXPECT_EQ(remote->etag, file.sha256.render());
    EXPECT_EQ(remote->size, 1'000'000U);
    EXPECT_EQ(server.requests(), 1U);
}

TEST_F(ClientTest, head_follows_a_renamed_repository) {
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        if (request.target == target) {
            c.send("HTTP/1.1 307 X\r\nContent-Length: 0\r\nLocation: /new/name/resolve/x\r\n\r\n");
        } else {
            c.send("HTTP/1.1 200 X\r\nContent-Length: 77\r\nETag: \"e\"\r\n" + commit_header +
                   "\r\n");
        }
    });
    const auto remote = client(server.url()).head(file.repo, kCommit, file.path);
    ASSERT_TRUE(remote) << remote.error().describe();
    EXPECT_EQ(remote->size, 77U);
    EXPECT_EQ(remote->etag, "e");
}

TEST_F(ClientTest, get_text_is_bounded_sends_the_token_and_retries) {
    std::atomic<int> calls = 0;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        if (++calls == 1) {
            c.answer(503, "{\"error\":\"starting\"}");
        } else if (request.header("authorization") == "Bearer hf_secret") {
            c.answer(200, "# Card", commit_header);
        } else {
            c.answer(401, "");
        }
    });
    Options options_with_token;
    options_with_token.token = Secret("hf_secret");
    Client with_token = client(server.url(), options_with_token);
    const auto card = with_token.get_text(file.repo, kCommit, "README.md", 100);
    ASSERT_TRUE(card) << card.error().describe();
    EXPECT_EQ(*card, "# Card");
    EXPECT_EQ(timer.waits().size(), 1U);
    EXPECT_EQ(with_token.get_text(file.repo, kCommit, "README.md", 3).error().code(),
              ErrorCode::TooLarge);
    EXPECT_EQ(client(server.url()).get_text(file.repo, kCommit, "README.md", 100).error().code(),
              ErrorCode::Unauthorized);
}

TEST_F(ClientTest, another_commit_than_the_asked_one_is_corrupt) {
    WireServer server([&](const WireRequest&, WireConnection& c) {
        c.answer(200, "", "X-Repo-Commit: " + std::string(40, 'f') + "\r\n");
    });
    Client hub = client(server.url());
    EXPECT_EQ(hub.head(file.repo, kCommit, file.path).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(hub.get_text(file.repo, kCommit, file.path, 10).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(hub.head(file.repo, "main", file.path)->commit, std::string(40, 'f'));
}

TEST_F(ClientTest, offline_asks_nobody_but_the_store) {
    Options off;
    off.offline = Options::OfflineMode::Yes;
    WireServer server([&](const WireRequest&, WireConnection& c) { c.answer(200, "x"); });
    Client hub = client(server.url(), off);
    EXPECT_EQ(hub.head(file.repo, kCommit, file.path).error().code(), ErrorCode::Offline);
    EXPECT_EQ(hub.pull(file, store).error().code(), ErrorCode::Offline);
    ASSERT_TRUE(store.put_bytes(as_bytes(text)));
    EXPECT_TRUE(hub.pull(file, store));
    EXPECT_EQ(server.requests(), 0U);
    expect_stored();
}

TEST_F(ClientTest, get_revision_says_where_a_branch_stands) {
    const std::string answer =
        "{\"sha\":\"" + std::string(kCommit) + "\",\"gated\":\"auto\",\"siblings\":[]}";
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        c.answer(request.target == "/api/models/acme/tiny/revision/refs%2Fpr%2F1" ? 200 : 404,
                 answer);
    });
    const auto found = client(server.url()).get_revision("acme/tiny", "refs/pr/1");
    ASSERT_TRUE(found) << found.error().describe();
    EXPECT_EQ(found->commit, kCommit);
    EXPECT_TRUE(found->gated);
    EXPECT_EQ(client(server.url()).get_revision("acme/none", "main").error().code(),
              ErrorCode::NotFound);
}

TEST_F(ClientTest, list_files_follows_pages_of_the_same_server_only) {
    std::string next;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        if (request.target.ends_with("?recursive=true")) {
            c.answer(200,
                     "[{\"type\":\"directory\",\"path\":\"d\"}]",
                     "Link: <" + next + ">; rel=\"next\"\r\n");
        } else {
            c.answer(200,
                     "[{\"type\":\"file\",\"path\":\"d/a\",\"size\":3,\"lfs\":{\"oid\":\"" +
                         file.sha256.render() + "\",\"size\":3}}]");
        }
    });
    next = server.url() + "/api/models/acme/tiny/tree/x?cursor=2";
    const auto files = client(server.url()).list_files("acme/tiny", kCommit);
    ASSERT_TRUE(files) << files.error().describe();
    ASSERT_EQ(files->size(), 1U);
    EXPECT_EQ(files->front().path, "d/a");
    EXPECT_EQ(files->front().sha256, file.sha256);
    next = "http://elsewhere.example/api/models/acme/tiny/tree/x?cursor=2";
    EXPECT_EQ(client(server.url()).list_files("acme/tiny", kCommit).error().code(),
              ErrorCode::Corrupt);
}

TEST_F(ClientTest, read_range_takes_exactly_what_it_asked_for) {
    std::string range;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        EXPECT_EQ(request.header("range"), "bytes=4-6");
        c.answer(206, "efg", commit_header + "Content-Range: " + range + "\r\n");
    });
    range = "bytes 4-6/100";
    Client one = client(server.url());
    EXPECT_EQ(*one.read_range(file.repo, kCommit, file.path, 4, 3), "efg");
    range = "bytes 0-2/100";
    EXPECT_EQ(one.read_range(file.repo, kCommit, file.path, 4, 3).error().code(),
              ErrorCode::Corrupt);
    WireServer whole([&](const WireRequest&, WireConnection& c) {
        c.answer(200, "abcdefghijkl", commit_header);
    });
    EXPECT_EQ(client(whole.url()).read_range(file.repo, kCommit, file.path, 4, 3).error().code(),
              ErrorCode::Unsupported);
}

} // namespace
} // namespace locara::hf
