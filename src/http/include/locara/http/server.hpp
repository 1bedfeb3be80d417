// The HTTP/1.1 server: Boost.Beast parses, Asio coroutines carry, nothing of either shows here but
// `awaitable`.
//
// It knows no route. Every limit is applied before the thing it limits is read into memory, and
// every wait for a client has a deadline. TLS is the job of a proxy in front.
// A handler is cancelled (Asio terminal cancellation) when its client goes away; one that closes
// only its sending side counts as gone, unless it sent more before. Threads: a Server runs its own
// I/O threads (one unless told otherwise). A handler runs on the strand of its connection; it must
// not block: hop to a BlockingPool with run_blocking.
#pragma once

#include <locara/base/log.hpp>
#include <locara/base/result.hpp>
#include <locara/http/message.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace locara::http {

/// A fixed number of threads for calls that block (disk, hashing, libgit2, processes). Its queue is
/// bounded by the number of coroutines that wait on it: each waits for one job at a time.
class BlockingPool {
  public:
    explicit BlockingPool(std::size_t threads = 4);

    /// Waits for the jobs that have begun; those still queued are dropped with their coroutines.
    ~BlockingPool();
    BlockingPool(const BlockingPool&) = delete;
    BlockingPool& operator=(const BlockingPool&) = delete;

    /// Runs `job` on a thread of the pool and resumes the caller on its own executor afterwards.
    /// Never returns before the job is done, even when cancelled, so the job may refer to the
    /// caller's locals. An exception of the job comes out here.
    boost::asio::awaitable<void> run(std::function<void()> job);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// `LOCARA_CO_TRY(auto text, co_await run_blocking(pool, [path] { return read_file(path, 1000);
/// }));` Name the function first when it captures anything with a destructor (GCC 12).
template <class Function>
boost::asio::awaitable<std::invoke_result_t<Function&>> run_blocking(BlockingPool& pool,
                                                                     Function function) {
    using Value = std::invoke_result_t<Function&>;
    if constexpr (std::is_void_v<Value>) {
        std::function<void()> job = [&function] { function(); };
        co_await pool.run(std::move(job));
    } else {
        std::optional<Value> value;
        std::function<void()> job = [&function, &value] { value.emplace(function()); };
        co_await pool.run(std::move(job));
        co_return std::move(*value);
    }
}

struct ServerLimits {
    std::size_t header_bytes = 16U << 10U;
    std::uint64_t body_bytes = 8U << 20U; ///< Unless ServerOptions::body_rule says else.
    /// At once. One more takes the place of that which waits longest for its client to finish a
    /// request; if none does, it waits itself, in the kernel's backlog.
    std::size_t connections = 512;
    /// From the first byte to the blank line; 408 after it, as after body_timeout.
    std::chrono::milliseconds header_timeout{10'000};
    std::chrono::milliseconds body_timeout{60'000}; ///< For the whole request body.
    /// A streamed body has body_timeout, and what it takes at this pace besides.
    std::uint64_t slowest_body_bytes_per_second = 64U << 10U;
    std::chrono::milliseconds idle_timeout{60'000};  ///< Between requests of one connection.
    std::chrono::milliseconds write_timeout{60'000}; ///< For each block of an answer.
    std::chrono::milliseconds stop_grace{3'000};     ///< What stop() gives to open requests.
};

/// How the body of a request is taken.
enum class Delivery {
    Whole,    ///< Request::body has it when the handler begins.
    Streamed, ///< The handler reads Request::incoming.
};

struct BodyRule {
    std::uint64_t limit = 0; ///< Bytes.
    Delivery delivery = Delivery::Whole;
};

/// One request and what became of it.
struct Exchange {
    /// Method, path, peer, id and notes; no headers, no body. Empty but for peer and id when the
    /// head could not be read.
    const Request& request;
    /// 499, as nginx has it, when the client left before it was answered.
    int status = 0;
    std::uint64_t bytes_in = 0;        ///< Of the body, as far as it came.
    std::uint64_t bytes_out = 0;       ///< Head and body, as far as the kernel took them.
    std::chrono::microseconds took{0}; ///< From the head being here to the last byte sent.
    bool whole = false;                ///< Whether all of the answer left.
};

struct ServerOptions {
    /// An IP address to listen on (not a host name), empty for no TCP listener.
    std::string address = "127.0.0.1";
    std::uint16_t port = 0; ///< 0 takes a free one.

    /// A unix socket beside it or instead of it, empty for none. Made with mode 0600 and removed by
    /// stop(); one left behind by a dead process is replaced.
    std::filesystem::path unix_socket;

    ServerLimits limits;
    std::size_t io_threads = 1;
    std::size_t pool_threads = 2; ///< Threads that make and send bodies of files and pieces.

    /// How to take the body of one request, asked when its head is there and before any of its body
    /// is read. Without it, whole and up to limits.body_bytes. Must be quick; runs on an I/O
    /// thread.
    std::function<BodyRule(const Request& head)> body_rule;

    /// Told of every answer after it was sent or cut. Must be quick and must not throw; runs on I/O
    /// threads.
    std::function<void(const Exchange&)> observer;

    Log* log = nullptr; ///< Borrowed; null drops everything.
    /// What to change when the port is taken, said in the error: "--listen ADDRESS:PORT".
    std::string port_hint = "another port";
};

class Server {
  public:
    /// Listens and starts to serve. Errors: Busy (the port or the socket is taken; says by whom
    /// when the system tells), InvalidArgument (address), Forbidden (privileged port), Io.
    /// `handler` and what it refers to must outlive the server.
    static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler handler);

    ~Server(); ///< stop()
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// The TCP port in use, 0 without a TCP listener.
    std::uint16_t port() const;

    /// How many connections are open now. From any thread.
    std::size_t connections() const;

    /// Where to co_spawn work that belongs to the server's threads. Work that runs when the server
    /// stops is destroyed.
    boost::asio::any_io_executor executor() const;

    /// Takes no more connections, closes idle ones, gives open requests the grace time, then cuts
    /// them. Returns when all is quiet. Idempotent; call it from outside the server's threads.
    void stop();

  private:
    struct State;
    explicit Server(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

struct RouteOptions {
    std::optional<std::uint64_t> body_limit; ///< Instead of ServerLimits::body_bytes.
    Delivery delivery = Delivery::Whole;
};

/// A table of method + pattern -> handler. A pattern is made of literal segments, `{name}` (one
/// segment) and, last, `{*name}` (one or more segments, joined by '/'): "/v1/models",
/// "/{org}/{repo}/resolve/{rev}/{*path}". More literal segments from the left win, then the order
/// of adding. A GET route answers HEAD too. Unknown path: 404, known path with another method: 405
/// with Allow, both as problem documents.
/// What caught a request stands in its notes. Fill it before the server starts; matching is const
/// and thread-safe.
class Router {
  public:
    void add(std::string_view method,
             std::string_view pattern,
             Handler handler,
             RouteOptions options = {});

    /// Instead of the 404.
    void set_fallback(Handler handler) { fallback_ = std::move(handler); }

    /// The handler for a server. The router must outlive it.
    boost::asio::awaitable<Response> handle(Request request) const;

    struct Entry {
        std::string method;
        std::string pattern;
    };

    /// What was added, as it was added; in the order of matching.
    std::vector<Entry> list() const;

    /// For ServerOptions::body_rule. `otherwise` is the limit of routes that have none.
    BodyRule body_rule(const Request& head, std::uint64_t otherwise) const;

  private:
    struct Part {
        enum class Kind { Literal, One, Rest } kind;
        std::string text; ///< The literal, or the parameter's name.
    };

    struct Route {
        std::string method;
        std::string pattern;
        std::vector<Part> parts;
        Handler handler;
        RouteOptions options;
    };

    static bool matches(const Route& route, const std::vector<std::string>& segments);
    const Route* find(std::string_view method, const std::vector<std::string>& segments) const;

    std::vector<Route> routes_; ///< Most specific first.
    Handler fallback_;
};

} // namespace locara::http
