// HTTP/1.1 over a unix socket, as a coroutine: how the broker talks to an engine, and how our own
// tools talk to the broker.
//
// One request per connection: the sockets are a few microseconds away. Answers come whole or piece
// by piece. Every wait has a deadline, every size a limit.
// Threads: a LocalExchange belongs to one coroutine.
#pragma once

#include <locara/base/result.hpp>
#include <locara/http/message.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace locara::http {

struct LocalRequest {
    std::string method = "GET";
    std::string target = "/";
    Headers headers; ///< Host, Connection and Content-Length are added.
    std::string body;
};

struct LocalOptions {
    std::chrono::milliseconds connect_timeout{2'000};
    std::chrono::milliseconds head_timeout{
        60'000}; ///< From the request's end to the answer's head.
    std::chrono::milliseconds read_timeout{60'000}; ///< For each piece of the body.
    std::uint64_t body_limit = 16U << 20U;          ///< Of a body that is read whole.
};

struct LocalResponse {
    int status = 0;
    Headers headers;
    std::string body;
};

/// An answer whose head is here and whose body is on its way. Letting go of it cuts the connection.
class LocalExchange {
  public:
    /// Sends the request and reads the head of the answer. Errors: Unavailable (nobody listens, or
    /// the connection broke before the head), Timeout, Corrupt (not HTTP), Cancelled.
    static boost::asio::awaitable<Result<LocalExchange>>
    open(std::filesystem::path socket, LocalRequest request, LocalOptions options);

    LocalExchange(LocalExchange&&) noexcept;
    LocalExchange& operator=(LocalExchange&&) noexcept;
    ~LocalExchange();

    int status() const;
    const Headers& headers() const;

    /// The next piece of the body as soon as there is any, at most 64 KiB; empty at its end.
    /// Errors: Unavailable (the body ended too early), Timeout, Cancelled, Corrupt.
    boost::asio::awaitable<Result<std::string>> read();

    /// What is left of the body. TooLarge above LocalOptions::body_limit, and as read.
    boost::asio::awaitable<Result<std::string>> read_all();

  private:
    struct State;
    explicit LocalExchange(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// One request, the whole answer.
boost::asio::awaitable<Result<LocalResponse>>
local_request(std::filesystem::path socket, LocalRequest request, LocalOptions options = {});

/// The same for callers without a loop; blocks.
Result<LocalResponse> local_request_blocking(const std::filesystem::path& socket,
                                             LocalRequest request,
                                             LocalOptions options = {});

} // namespace locara::http
