// A clone that is read too slowly is cut, by the real server from a real socket; others are served
// meanwhile. Only the times are shorter than a hub's.
#include "../git_answer.hpp"
#include "hub_client.hpp"

#include <locara/base/file.hpp>
#include <locara/base/log.hpp>
#include <locara/http/server.hpp>
#include <locara/hub/git_repo.hpp>

#include <boost/asio/this_coro.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>

#include <fcntl.h>
#include <unistd.h>

namespace locara::hub {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

/// More than what the kernel keeps for a socket of which nobody reads.
constexpr std::size_t kContent = 8U << 20U;

/// Counts the readers that were cut.
class CountingLog : public Log {
  public:
    void write(LogLevel,
               std::string_view,
               std::string_view event,
               std::initializer_list<Field>) override {
        slow_ += event == "reader_too_slow" ? 1 : 0;
    }

    int slow() const { return slow_; }

  private:
    std::atomic<int> slow_{0};
};

/// What does not shrink.
std::string noise(std::size_t bytes) {
    std::mt19937_64 chance(1);
    std::string text(bytes, '\0');
    for (char& c : text) {
        c = static_cast<char>(chance());
    }
    return text;
}

std::string pkt(const std::string& line) {
    char head[5];
    std::snprintf(head, sizeof head, "%04zx", line.size() + 4);
    return head + line;
}

class GitAnswerTest : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(GitRepo::create(repository_));
        auto git = *GitRepo::open(repository_);
        const auto blob = git.write_blob(noise(kContent));
        const auto tree = git.write_tree(std::nullopt, {{GitChange::Kind::Put, "a.bin", *blob}});
        const auto commit =
            git.write_commit(*tree, {}, {"first", "ana", "ana@example.org", TimePoint()});
        ASSERT_TRUE(commit);
        ASSERT_TRUE(git.set_ref("refs/heads/main", *commit));
        std::ofstream(request_) << pkt("want " + *commit + " ofs-delta\n") << "0000"
                                << pkt("done\n");
        auto started = http::Server::start(http::ServerOptions(), [this](http::Request) {
            return answer(repository_, request_, limits_, log_);
        });
        ASSERT_TRUE(started) << started.error().describe();
        server_ = std::move(*started);
    }

    void TearDown() override { server_->stop(); }

    /// A whole clone, as the hub answers one that asks for everything.
    static asio::awaitable<http::Response>
    answer(fs::path repository, fs::path request, ReadingPace::Limits limits, Log& log) {
        http::Response response;
        GitProgram::Call call;
        call.repository = repository;
        call.arguments = {"upload-pack", "--stateless-rpc", repository.string()};
        call.input = *open_file(request, O_RDONLY);
        call.time = std::chrono::minutes(5);
        const auto executor = co_await asio::this_coro::executor;
        auto started = GitProgram::start(executor, std::move(call));
        if (!started) {
            response.status = 500;
            response.body = started.error().describe();
            co_return response;
        }
        const std::shared_ptr<GitProgram> program = std::move(*started); // The body's, copied.
        response.body = [program, limits, &log](http::BodyWriter& writer) {
            return send(program, limits, log, writer);
        };
        co_return response;
    }

    static asio::awaitable<Status> send(std::shared_ptr<GitProgram> program,
                                        ReadingPace::Limits limits,
                                        Log& log,
                                        http::BodyWriter& writer) {
        const Status sent = co_await send_answer(*program, "", limits, log, writer);
        co_return sent;
    }

    /// Whether a client that reads as it comes gets all, with the end of the chunked coding.
    bool clone_is_whole() const {
        const test::Reply reply = test::send(server_->port(), "GET / HTTP/1.1\r\n");
        return reply.body.size() > kContent && reply.body.ends_with("\r\n0\r\n\r\n");
    }

    /// A client that has asked for a clone and has read nothing of it. The kernel keeps little.
    Fd begin_clone() const {
        Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const int little = 4096;
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(server_->port());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_TRUE(write_all(fd, as_bytes("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")));
        return fd;
    }

    const TempFolder folder_ = *TempFolder::create(fs::temp_directory_path(), "git-answer-");
    const fs::path repository_ = folder_.path() / "r.git";
    const fs::path request_ = folder_.path() / "request";
    const ReadingPace::Limits limits_{std::chrono::milliseconds(500), 4U << 20U};
    CountingLog log_;
    std::unique_ptr<http::Server> server_;
};

TEST_F(GitAnswerTest, a_clone_that_is_read_too_slowly_is_cut_and_others_are_served_meanwhile) {
    const Fd slow = begin_clone();
    std::size_t came = 0;
    // So much at once that the kernel, of which a writer hears only when a third of what it keeps
    // has gone, is emptied a few times within seconds.
    const auto read_some = [&] {
        std::string block(128U << 10U, '\0');
        const ssize_t count = ::recv(slow.get(), block.data(), block.size(), MSG_WAITALL);
        came += count > 0 ? static_cast<std::size_t>(count) : 0;
        return count > 0;
    };
    int others = 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (log_.slow() == 0 && std::chrono::steady_clock::now() < deadline) {
        ASSERT_TRUE(read_some()) << "it was cut before it was too slow";
        ASSERT_TRUE(clone_is_whole()) << "another client";
        ++others;
    }
    EXPECT_EQ(log_.slow(), 1);
    EXPECT_GT(others, 0);
    while (read_some()) { // What was on its way to it when it was cut.
    }
    EXPECT_LT(came, kContent);
    // Its git goes with it.
    while (GitProgram::counts().running > 0 && std::chrono::steady_clock::now() < deadline) {
        EXPECT_TRUE(clone_is_whole());
    }
    EXPECT_EQ(GitProgram::counts().running, 0U);
}

TEST_F(GitAnswerTest, one_that_keeps_the_pace_gets_all) {
    EXPECT_TRUE(clone_is_whole());
    EXPECT_EQ(log_.slow(), 0);
}

} // namespace
} // namespace locara::hub
