#include <locara/base/file.hpp>
#include <locara/http/local_client.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace locara::http {
namespace {

using testing::HasSubstr;

// Listens on a unix socket, takes one connection, answers with fixed bytes, keeps what it was sent.
class OneAnswer {
  public:
    OneAnswer(const std::filesystem::path& path, std::string answer, bool hang = false) {
        const int folder = ::open(path.parent_path().c_str(), O_PATH | O_CLOEXEC);
        const std::string name =
            "/proc/self/fd/" + std::to_string(folder) + "/" + path.filename().string();
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, name.c_str(), sizeof address.sun_path - 1);
        listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(listen(listener_.get(), 1), 0);
        close(folder);
        thread_ = std::thread([this, answer = std::move(answer), hang] { serve(answer, hang); });
    }

    ~OneAnswer() {
        shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
    }

    std::string request;

  private:
    void serve(const std::string& answer, bool hang) {
        const Fd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        char buffer[4096];
        while (request.find("\r\n\r\n") == std::string::npos) {
            const ssize_t count = ::read(connection.get(), buffer, sizeof buffer);
            if (count <= 0) {
                return;
            }
            request.append(buffer, static_cast<std::size_t>(count));
        }
        EXPECT_TRUE(write_all(connection, as_bytes(answer)));
        while (hang && ::read(connection.get(), buffer, sizeof buffer) > 0) {
        }
    }

    Fd listener_;
    std::thread thread_;
};

class LocalClient : public testing::Test {
  protected:
    void SetUp() override {
        auto made = TempFolder::create("/tmp", "locara-local-");
        ASSERT_TRUE(made);
        folder_.emplace(std::move(*made));
    }

    std::filesystem::path socket_path() const { return folder_->path() / "s.sock"; }

    std::optional<TempFolder> folder_;
};

TEST_F(LocalClient, sends_a_request_and_reads_a_chunked_answer) {
    OneAnswer server(socket_path(),
                     "HTTP/1.1 201 Created\r\nX-Mark: yes\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    LocalRequest request;
    request.method = "POST";
    request.target = "/v1/x?y=1";
    request.headers.add("Content-Type", "application/json");
    request.body = "{}";
    const auto answer = local_request_blocking(socket_path(), request);
    ASSERT_TRUE(answer) << answer.error().describe();
    EXPECT_EQ(answer->status, 201);
    EXPECT_EQ(answer->body, "abcdefg");
    EXPECT_EQ(answer->headers.find("x-mark"), "yes");
    EXPECT_THAT(server.request, HasSubstr("POST /v1/x?y=1 HTTP/1.1\r\nHost: localhost\r\n"));
    EXPECT_THAT(server.request, HasSubstr("Content-Length: 2\r\n"));
}

TEST_F(LocalClient, an_answer_that_ends_too_early_is_unavailable) {
    OneAnswer server(socket_path(), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    const auto answer = local_request_blocking(socket_path(), {});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::Unavailable) << answer.error().describe();
}

TEST_F(LocalClient, something_that_is_not_http_is_corrupt) {
    OneAnswer server(socket_path(), "hello there, this is no HTTP\r\n\r\n");
    const auto answer = local_request_blocking(socket_path(), {});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::Corrupt) << answer.error().describe();
}

TEST_F(LocalClient, a_body_above_the_limit_is_refused) {
    OneAnswer server(socket_path(), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789");
    LocalOptions options;
    options.body_limit = 9;
    const auto answer = local_request_blocking(socket_path(), {}, options);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::TooLarge);
}

TEST_F(LocalClient, waits_no_longer_than_told) {
    OneAnswer server(socket_path(), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", true);
    LocalOptions options;
    options.read_timeout = std::chrono::milliseconds(50);
    const auto answer = local_request_blocking(socket_path(), {}, options);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::Timeout) << answer.error().describe();
}

TEST_F(LocalClient, nobody_listening_is_unavailable) {
    const auto answer = local_request_blocking(socket_path(), {});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), ErrorCode::Unavailable);
}

TEST_F(LocalClient, reaches_a_socket_whose_path_is_longer_than_an_address) {
    const auto deep = folder_->path() / std::string(120, 'd');
    std::filesystem::create_directory(deep);
    OneAnswer server(deep / "s.sock", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    const auto answer = local_request_blocking(deep / "s.sock", {});
    ASSERT_TRUE(answer) << answer.error().describe();
    EXPECT_EQ(answer->body, "ok");
}

} // namespace
} // namespace locara::http
