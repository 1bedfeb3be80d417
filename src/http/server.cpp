#include "piece_sender.hpp"
#include "port_owner.hpp"
#include "target.hpp"

#include <locara/base/secret.hpp>
#include <locara/http/known_first.hpp>
#include <locara/http/server.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <mutex>
#include <random>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace locara::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

using Executor = asio::strand<asio::io_context::executor_type>;
using Stream = beast::basic_stream<asio::generic::stream_protocol, Executor>;

/// Errors as the first element of a tuple: no exception for what clients do every day.
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

/// What is written at once, under one deadline.
constexpr std::size_t kBlock = 256U << 10U;

/// For how long a connection may wait for its client when others need its place.
constexpr std::chrono::milliseconds kPatience{500};
/// How long a client that sends no more is worked for.
constexpr std::chrono::milliseconds kHalfClosed{1000};

constexpr std::size_t kRequestIdBytes = 64;

/// What the observer is told when the client left before the answer; nginx's.
constexpr int kClientLeft = 499;

/// Made once a second.
const std::string& render_date() {
    thread_local std::time_t when = 0;
    thread_local std::string text;
    const std::time_t now = std::time(nullptr);
    if (now != when) {
        std::tm parts{};
        gmtime_r(&now, &parts);
        char made[32];
        text.assign(made, std::strftime(made, sizeof made, "%a, %d %b %Y %H:%M:%S GMT", &parts));
        when = now;
    }
    return text;
}

/// 16 hex digits that name a request in logs. Nobody has to be unable to guess them, so the kernel
/// is asked for randomness once a thread, not once a request.
std::string make_request_id() {
    thread_local std::mt19937_64 numbers{std::random_device{}() ^
                                         (std::uint64_t{std::random_device{}()} << 32U)};
    std::array<std::byte, 8> id{};
    const std::uint64_t number = numbers();
    std::memcpy(id.data(), &number, id.size());
    return render_hex(id);
}

/// The head of an answer; `room` bytes may be added without moving it.
std::string render_head(int status, const Headers& headers, std::size_t room) {
    const std::string_view reason = reason_phrase(status);
    std::size_t size = reason.size() + room + 32;
    for (const auto& [name, value] : headers.fields()) {
        size += name.size() + value.size() + 4;
    }
    std::string out;
    out.reserve(size);
    out.append("HTTP/1.1 ").append(std::to_string(status)).append(" ").append(reason);
    for (const auto& [name, value] : headers.fields()) {
        out.append("\r\n").append(name).append(": ").append(value);
    }
    return out.append("\r\n\r\n");
}

/// A request id of a client that may stand in a log and in a header as it is.
bool is_request_id(std::string_view text) {
    return !text.empty() && text.size() <= kRequestIdBytes &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-_.") == std::string_view::npos;
}

bool may_have_body(int status) {
    return status >= 200 && status != 204 && status != 304;
}

} // namespace

// ---------------------------------------------------------------------------------------- pool

struct BlockingPool::State {
    explicit State(std::size_t threads) : pool(threads) {}

    asio::thread_pool pool;
};

BlockingPool::BlockingPool(std::size_t threads)
    : state_(std::make_unique<State>(std::max<std::size_t>(threads, 1))) {}

BlockingPool::~BlockingPool() {
    state_->pool.stop();
    state_->pool.join();
}

boost::asio::awaitable<void> BlockingPool::run(std::function<void()> job) {
    const auto executor = co_await asio::this_coro::executor;
    std::exception_ptr failure;
    auto initiate = [this, &job, &failure, &executor](auto handler) {
        asio::post(state_->pool,
                   [&job, &failure, executor, handler = std::move(handler)]() mutable {
                       try {
                           job();
                       } catch (...) {
                           failure = std::current_exception();
                       }
                       asio::post(executor, std::move(handler));
                   });
    };
    asio::use_awaitable_t<> token;
    auto wait = asio::async_initiate<asio::use_awaitable_t<>, void()>(initiate, token);
    co_await std::move(wait);
    if (failure) {
        std::rethrow_exception(failure);
    }
}

// -------------------------------------------------------------------------------------- server

namespace {

class Session;

/// What all connections of a server share.
struct Shared {
    Shared(ServerOptions given, Handler h)
        : options(std::move(given)), handler(std::move(h)),
          log(options.log != nullptr ? *options.log : null_log()),
          context(static_cast<int>(std::max<std::size_t>(options.io_threads, 1))),
          pool(options.pool_threads) {}

    // In the order of construction; the pool goes first, since its jobs resume coroutines.
    const ServerOptions options;
    const Handler handler;
    const KnownFirst* const known_first = handler.target<KnownFirst>(); ///< Null for others.
    Log& log;
    std::atomic<bool> stopping{false};
    std::mutex mutex;
    /// By numbers that never come back, as addresses do. Under mutex.
    std::map<std::uint64_t, Session*> sessions;
    std::uint64_t next_session = 0; // under mutex
    std::condition_variable changed;
    asio::io_context context;
    Executor accept_strand{context.get_executor()};
    /// Accept loops wait on this when there is no room for another connection.
    asio::steady_timer room{accept_strand};
    /// Between two looks for connections that have been idle for too long.
    asio::steady_timer idle{accept_strand};
    BlockingPool pool;

    /// Whether one more connection may be taken. If not, the one that has waited longest for its
    /// client to finish a request, and for longer than a quick client takes, makes room.
    bool has_room();

    /// Ends the connections that have been idle for too long. One look at all of them every now
    /// and then: a timer for each, set and cancelled with each request, costs more than the
    /// request.
    void end_idle();
};

/// One connection. Lives in the coroutine that runs it, on its own strand.
class Session {
  public:
    Session(Shared& shared, Stream stream, Peer peer)
        : shared_(shared), stream_(std::move(stream)), peer_(std::move(peer)) {
        const std::lock_guard lock(shared_.mutex);
        number_ = shared_.next_session++;
        shared_.sessions.emplace(number_, this);
    }

    ~Session() {
        // Under the lock to the end: stop() may otherwise destroy the condition while it is told.
        const std::lock_guard lock(shared_.mutex);
        shared_.sessions.erase(number_);
        shared_.changed.notify_all();
        if (!shared_.stopping) {
            asio::post(shared_.accept_strand, [&shared = shared_] { shared.room.cancel(); });
        }
    }

    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    asio::awaitable<void> run() {
        bool keep = true;
        while (keep && !shared_.stopping) {
            keep = co_await serve_one();
        }
        // A polite end: tell the client that nothing more comes, and take what it still sends for a
        // moment, so that its kernel does not throw our last answer away with a reset.
        error_code ignored;
        stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
        if (linger_) {
            stream_.expires_after(std::chrono::seconds(1));
            std::array<char, 4096> sink{};
            for (int i = 0; i < 64; ++i) {
                const auto [error, count] =
                    co_await stream_.async_read_some(asio::buffer(sink), kNoThrow);
                if (error || count == 0) {
                    break;
                }
            }
        }
        stream_.socket().close(ignored);
    }

    using SteadyTime = std::chrono::steady_clock::time_point;

    /// From any thread: since when it waits for a request that is not whole yet; SteadyTime::max()
    /// when it does not.
    SteadyTime waiting_since() const { return waiting_since_; }

    /// From any thread, with Shared::mutex held: ends the connection now, or if it is idle, or if
    /// it waits for a request; idle or waiting since `since` or longer.
    enum class End { IfIdle, IfWaiting, Now };

    void end(End how, SteadyTime since = SteadyTime::max()) {
        const auto look = [this, number = number_, &shared = shared_, how, since] {
            {
                const std::lock_guard lock(shared.mutex);
                if (shared.sessions.count(number) == 0) {
                    return; // It ended by itself in the meantime.
                }
            }
            // Sessions go on their own strand only, this one, so it stays while this runs.
            const SteadyTime began = waiting_since();
            const bool waits = began != SteadyTime::max();
            const bool may = idle_ || (how == End::IfWaiting && waits);
            if (how == End::Now || (may && began <= since)) {
                error_code ignored;
                stream_.socket().close(ignored);
            }
        };
        asio::post(stream_.get_executor(), look);
    }

  private:
    class StreamWriter;
    class Incoming;

    using WholeParser = beast::http::request_parser<beast::http::string_body>;
    using StreamParser = beast::http::request_parser<beast::http::buffer_body>;

    /// Reads one request and answers it; whether the connection may carry another.
    asio::awaitable<bool> serve_one() {
        const ServerLimits& limits = shared_.options.limits;
        waiting_since_ = std::chrono::steady_clock::now();
        if (buffer_.size() == 0) {
            idle_ = true; // Shared::end_idle() sees that it does not last.
            const auto [error, count] = co_await stream_.socket().async_read_some(
                buffer_.prepare(std::min<std::size_t>(4096, limits.header_bytes)), kNoThrow);
            idle_ = false;
            if (error) {
                co_return false; // Gone, or idle for too long: nothing to say.
            }
            buffer_.commit(count);
        }

        WholeParser parser;
        parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes));
        parser.body_limit(boost::none); // Set below, when the route is known.
        // A head mostly comes whole, and then needs neither a deadline nor another turn.
        error_code malformed;
        buffer_.consume(parser.put(buffer_.data(), malformed));
        if (malformed == beast::http::error::need_more) {
            malformed = {};
        }
        bool too_slow = false;
        if (!malformed && !parser.is_header_done()) {
            const Deadline deadline(*this, limits.header_timeout);
            const auto [error, count] =
                co_await beast::http::async_read_header(stream_, buffer_, parser, kNoThrow);
            static_cast<void>(count);
            malformed = error;
            too_slow = deadline.passed();
        }
        waiting_since_ = SteadyTime::max();
        began_ = std::chrono::steady_clock::now();
        sent_ = received_ = 0;
        if (malformed) {
            co_await refuse_head(malformed, too_slow);
            co_return false;
        }

        Request request;
        request.id = make_request_id();
        request.peer = peer_;
        keep_alive_ = parser.get().keep_alive() && !shared_.stopping;
        http_1_1_ = parser.get().version() >= 11;
        Status head = read_head(parser.get(), request);
        if (!head) {
            keep_alive_ = false;
            linger_ = true;
            Response response = problem(head.error());
            co_await answer_and_tell(request, std::move(response));
            co_return false;
        }

        if (parser.is_done()) {
            if (auto known = find_known(request)) {
                const bool sent = co_await answer_and_tell(request, std::move(*known));
                co_return sent&& keep_alive_;
            }
        }

        // The body, after its limit.
        BodyRule rule;
        rule.limit = limits.body_bytes;
        if (shared_.options.body_rule) {
            rule = shared_.options.body_rule(request);
        }
        const auto announced = parser.content_length();
        if (announced && *announced > rule.limit) {
            co_await refuse_body(request, rule.limit);
            co_return false;
        }
        parser.body_limit(rule.limit);
        if (rule.delivery == Delivery::Streamed) {
            StreamParser streamed(std::move(parser));
            co_return co_await serve_streamed(std::move(request), streamed);
        }
        if (!parser.is_done()) {
            if (!co_await send_continue(request)) {
                co_return false;
            }
            const Deadline deadline(*this, limits.body_timeout);
            const auto [error, count] =
                co_await beast::http::async_read(stream_, buffer_, parser, kNoThrow);
            static_cast<void>(count);
            if (error == beast::http::error::body_limit ||
                error == beast::http::error::buffer_overflow) {
                co_await refuse_body(request, rule.limit);
                co_return false;
            }
            if (error) {
                co_await refuse_head(error, deadline.passed());
                co_return false;
            }
        }
        request.body = std::move(parser.get().body());
        received_ = request.body.size();
        co_return co_await respond(std::move(request), nullptr);
    }

    /// Tells a client that waits for it to send its body; false when it has gone away.
    asio::awaitable<bool> send_continue(const Request& request) {
        if (!holds_token(request.headers.find("Expect").value_or(""), "100-continue")) {
            co_return true;
        }
        constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        co_return co_await send(kContinue);
    }

    asio::awaitable<bool> serve_streamed(Request request, StreamParser& parser);

    /// Calls the handler and sends its answer; whether the connection may carry another request.
    /// `body` is what the request streams, if it does.
    asio::awaitable<bool> respond(Request request, const StreamParser* body) {
        // What answering and logging need of the request after the handler has taken it.
        Request about;
        about.method = request.method;
        about.path = request.path;
        about.peer = request.peer;
        about.id = request.id;
        about.notes = request.notes;

        std::optional<Response> response = co_await call_handler(std::move(request));
        if (!response) {
            shared_.log.debug("http", "client_left", {{"request", about.id}});
            tell(about, kClientLeft, false);
            co_return false;
        }
        if (body != nullptr && !body->is_done()) {
            keep_alive_ = false; // The rest of it is still on its way.
            linger_ = true;
        }
        const bool sent = co_await answer_and_tell(about, std::move(*response));
        co_return sent&& keep_alive_;
    }

    /// What is known of the answer before the handler is asked.
    std::optional<Response> find_known(const Request& request) {
        if (shared_.known_first == nullptr) {
            return std::nullopt;
        }
        try {
            return shared_.known_first->known(request);
        } catch (const std::exception& error) {
            shared_.log.error(
                "http", "known_answer_failed", {{"request", request.id}, {"error", error.what()}});
            return std::nullopt; // The handler will say what is wrong.
        }
    }

    asio::awaitable<bool> answer_and_tell(const Request& request, Response response) {
        const int status = response.status;
        const bool sent = co_await answer(request, std::move(response));
        tell(request, status, sent);
        co_return sent;
    }

    /// Tells log and observer what became of a request.
    void tell(const Request& request, int status, bool whole) const {
        const auto took = std::chrono::steady_clock::now() - began_;
        using std::chrono::duration_cast;
        if (shared_.options.observer) {
            Exchange exchange{request, status, received_, sent_, {}, whole};
            exchange.took = duration_cast<std::chrono::microseconds>(took);
            shared_.options.observer(exchange);
            return;
        }
        shared_.log.debug(
            "http",
            "request",
            {{"request", request.id},
             {"method", request.method},
             {"path", request.path},
             {"status", std::to_string(status)},
             {"ms", std::to_string(duration_cast<std::chrono::milliseconds>(took).count())},
             {"sent", whole ? "whole" : "cut"}});
    }

    /// Takes the head over from Beast and checks what every handler relies on.
    Status read_head(const beast::http::request<beast::http::string_body>& head, Request& request) {
        const auto method = head.method_string();
        const auto target = head.target();
        request.method.assign(method.data(), method.size());
        request.target.assign(target.data(), target.size());
        for (const auto& field : head) {
            request.headers.add(std::string(field.name_string().data(), field.name_string().size()),
                                std::string_view(field.value().data(), field.value().size()));
        }
        Status target_read = parse_target(request);
        if (const auto id = request.headers.find("X-Request-Id"); id && is_request_id(*id)) {
            request.id = *id;
        }
        const std::size_t hosts = request.headers.count("Host");
        if (hosts > 1 || (hosts == 0 && head.version() >= 11)) {
            return Error(ErrorCode::InvalidArgument,
                         "found " + std::to_string(hosts) +
                             " Host fields, HTTP/1.1 wants exactly one");
        }
        return target_read;
    }

    /// Answers a request that could not be read, in time or at all; silent when there is nobody to
    /// answer.
    asio::awaitable<void> refuse_head(error_code error, bool too_slow) {
        keep_alive_ = false;
        Request nothing;
        nothing.id = make_request_id();
        nothing.peer = peer_;
        if (too_slow) {
            linger_ = true;
            Response response = problem(408, "the request came too slowly", "timeout");
            co_await answer_and_tell(nothing, std::move(response));
            co_return;
        }
        if (error == beast::http::error::end_of_stream || error == asio::error::eof ||
            error == beast::http::error::partial_message ||
            error == asio::error::operation_aborted ||
            error.category() == boost::system::system_category()) {
            co_return;
        }
        const std::string detail =
            error == beast::http::error::header_limit
                ? "the request head is larger than " +
                      std::to_string(shared_.options.limits.header_bytes) + " bytes"
                : "this is not a well-formed HTTP/1.1 request: " + error.message();
        const int status = error == beast::http::error::header_limit  ? 431
                           : error == beast::http::error::bad_version ? 505
                                                                      : 400;
        Response response = problem(status, detail, "invalid_argument");
        linger_ = true;
        co_await answer_and_tell(nothing, std::move(response));
    }

    asio::awaitable<void> refuse_body(const Request& request, std::uint64_t limit) {
        keep_alive_ = false;
        linger_ = true;
        Response response = problem(413,
                                    "the request body is larger than the " + std::to_string(limit) +
                                        " bytes that are allowed here",
                                    render(ErrorCode::TooLarge));
        co_await answer_and_tell(request, std::move(response));
    }

    /// The handler, watched: nothing when the client left first.
    asio::awaitable<std::optional<Response>> call_handler(Request request) {
        using namespace asio::experimental::awaitable_operators;
        try {
            auto both = guard(std::move(request)) || gone();
            auto result = co_await std::move(both);
            if (result.index() == 0) {
                co_return std::optional<Response>(std::get<0>(std::move(result)));
            }
        } catch (const std::exception&) {
            // Both were cancelled: the server is being taken down.
        }
        co_return std::nullopt;
    }

    /// Turns an exception of the handler into an answer, here, where it is known to be the
    /// handler's. When it was cancelled nobody reads the answer.
    asio::awaitable<Response> guard(Request request) {
        const std::string id = request.id;
        std::string failure;
        try {
            co_return co_await shared_.handler(std::move(request));
        } catch (const std::exception& error) {
            failure = error.what();
        }
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() == asio::cancellation_type::none) {
            shared_.log.error("http", "handler_failed", {{"request", id}, {"error", failure}});
        }
        Response response = problem(500,
                                    "something went wrong here; the log has request " + id,
                                    render(ErrorCode::Internal));
        co_return response;
    }

    /// Returns when the connection broke, or a moment after the client has closed its end: it may
    /// only have nothing more to send, and what is quick is answered still. With bytes of a next
    /// request in the way there is nothing more to see, and it waits for its cancellation.
    asio::awaitable<void> gone() {
        auto& socket = stream_.socket();
        const auto [error] = co_await socket.async_wait(asio::socket_base::wait_read, kNoThrow);
        if (error) {
            co_return;
        }
        char byte = 0;
        const ssize_t count = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            co_return;
        }
        asio::steady_timer pause(stream_.get_executor());
        if (count == 0) {
            pause.expires_after(kHalfClosed);
        } else {
            pause.expires_at(std::chrono::steady_clock::time_point::max());
        }
        static_cast<void>(co_await pause.async_wait(kNoThrow));
    }

    /// Sends an answer; whether all of it left.
    asio::awaitable<bool> answer(const Request& request, Response response) {
        const bool head_only = request.method == "HEAD";
        const bool body_allowed = may_have_body(response.status);
        auto* const text = std::get_if<std::string>(&response.body);
        auto* const stream = std::get_if<StreamBody>(&response.body);
        PiecesBody pieces = take_pieces(response);

        Headers& headers = response.headers;
        headers.remove("Content-Length");
        headers.remove("Transfer-Encoding");
        if (body_allowed && stream != nullptr && response.stream_length) {
            headers.add("Content-Length", std::to_string(*response.stream_length));
        } else if (body_allowed && stream != nullptr) {
            if (http_1_1_) {
                headers.add("Transfer-Encoding", "chunked");
            } else {
                keep_alive_ = false; // HTTP/1.0: the end of the connection ends the body.
            }
        } else if (body_allowed) {
            std::uint64_t length = text != nullptr ? text->size() : pieces.length;
            if (head_only && response.head_length) {
                length = *response.head_length;
            }
            headers.add("Content-Length", std::to_string(length));
        }
        headers.set("Date", render_date());
        headers.set("X-Request-Id", request.id);
        if (shared_.stopping) {
            keep_alive_ = false;
        }
        if (!keep_alive_) {
            headers.set("Connection", "close");
        } else if (!http_1_1_) {
            headers.set("Connection", "keep-alive");
        }

        const bool with_text = text != nullptr && body_allowed && !head_only;
        std::string start =
            render_head(response.status, headers, with_text ? text->size() : std::size_t{0});
        if (with_text) {
            start += *text;
        }
        if (!co_await send(start)) {
            co_return false;
        }
        if (head_only || !body_allowed || text != nullptr) {
            co_return true;
        }
        if (stream != nullptr) {
            co_return co_await send_stream(*stream, response.stream_length);
        }
        co_return co_await send_pieces(std::move(pieces));
    }

    /// The pieces of an answer that is made of them, or of one file; none otherwise.
    static PiecesBody take_pieces(Response& response) {
        if (auto* const pieces = std::get_if<PiecesBody>(&response.body)) {
            return std::move(*pieces);
        }
        const auto* const file = std::get_if<FileBody>(&response.body);
        if (file == nullptr) {
            return {};
        }
        return {file->length, [file = *file]() -> Result<Piece> { return Piece(file); }};
    }

    /// Sends all of `bytes`, block by block so that each has its own deadline.
    asio::awaitable<bool> send(std::string_view bytes) {
        // What fits into the socket's buffer needs no deadline.
        const ssize_t taken = ::send(stream_.socket().native_handle(),
                                     bytes.data(),
                                     std::min(bytes.size(), kBlock),
                                     MSG_DONTWAIT | MSG_NOSIGNAL);
        if (taken < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            co_return false;
        }
        const auto now = static_cast<std::size_t>(std::max<ssize_t>(taken, 0));
        bytes.remove_prefix(now);
        sent_ += now;
        if (bytes.empty()) {
            co_return true;
        }
        while (!bytes.empty()) {
            const std::string_view block = bytes.substr(0, kBlock);
            stream_.expires_after(shared_.options.limits.write_timeout);
            const auto [error, count] = co_await asio::async_write(
                stream_, asio::buffer(block.data(), block.size()), kNoThrow);
            if (error) {
                co_return false;
            }
            bytes.remove_prefix(count);
            sent_ += count;
        }
        stream_.expires_never();
        co_return true;
    }

    /// The pool pushes pieces into the socket for as long as it takes them; what does not fit is
    /// sent from here, where waiting for the client has a deadline.
    asio::awaitable<bool> send_pieces(PiecesBody body) {
        // A descriptor of its own: stop() may close ours while the pool is at it.
        Fd socket(::fcntl(stream_.socket().native_handle(), F_DUPFD_CLOEXEC, 0));
        if (!socket.valid()) {
            shared_.log.error("http", "answer_failed", {{"error", std::strerror(errno)}});
            co_return false;
        }
        PieceSender sender(std::move(socket), std::move(body));
        const auto turn = [&sender] { return sender.run(); };
        while (stream_.socket().is_open()) {
            const std::uint64_t before = sender.sent();
            const PieceSender::Stop stop = co_await run_blocking(shared_.pool, turn);
            sent_ += sender.sent() - before;
            if (stop == PieceSender::Stop::Done) {
                co_return true;
            }
            if (stop == PieceSender::Stop::Bad) {
                shared_.log.error(
                    "http", "file_read_failed", {{"error", sender.error().describe()}});
            }
            if (stop == PieceSender::Stop::Bad || stop == PieceSender::Stop::Gone) {
                co_return false;
            }
            if (stop == PieceSender::Stop::Full && !co_await send(sender.waiting())) {
                co_return false;
            }
        }
        co_return false;
    }

    asio::awaitable<bool> send_stream(const StreamBody& produce,
                                      std::optional<std::uint64_t> length);
    asio::awaitable<Status> produce_guarded(const StreamBody& produce, BodyWriter& writer);

    /// While it lives, what is read from the connection may take until a point in time; then the
    /// reading ends with an error, and the connection can still carry an answer. (The stream's own
    /// deadline closes it.)
    class Deadline {
      public:
        Deadline(Session& session, std::chrono::steady_clock::duration from_now)
            : Deadline(session, std::chrono::steady_clock::now() + from_now) {}

        Deadline(Session& session, SteadyTime at)
            : session_(session), round_(++*session.deadlines_) {
            session.timer_.expires_at(at);
            const auto too_late =
                [&session, count = session.deadlines_, round = round_](error_code error) {
                    // Told on the session's strand; it may be gone by then, the count is not.
                    if (!error && *count == round) {
                        ++*count;
                        error_code ignored;
                        session.stream_.socket().cancel(ignored);
                    }
                };
            session.timer_.async_wait(too_late);
        }

        ~Deadline() {
            ++*session_.deadlines_;
            session_.timer_.cancel();
        }

        Deadline(const Deadline&) = delete;
        Deadline& operator=(const Deadline&) = delete;

        bool passed() const { return *session_.deadlines_ != round_; }

      private:
        Session& session_;
        const std::uint64_t round_;
    };

    Shared& shared_;
    std::uint64_t number_ = 0; ///< In Shared::sessions.
    Stream stream_;
    asio::steady_timer timer_{stream_.get_executor()};
    /// Counts Deadlines and their ends, so that a late one knows that it is over.
    const std::shared_ptr<std::uint64_t> deadlines_ = std::make_shared<std::uint64_t>(0);
    std::atomic<SteadyTime> waiting_since_{SteadyTime::max()};
    Peer peer_;
    SteadyTime began_ = std::chrono::steady_clock::now(); ///< Since the head is here.
    std::uint64_t received_ = 0;                          ///< Of the body of the current request.
    std::uint64_t sent_ = 0;                              ///< Of its answer.
    beast::flat_buffer buffer_{256U << 10U}; // a head, or a block of a body, never more
    bool idle_ = false;
    bool keep_alive_ = false;
    bool http_1_1_ = true;
    bool linger_ = false;
};

class Session::StreamWriter : public BodyWriter {
  public:
    StreamWriter(Session& session, std::optional<std::uint64_t> length)
        : session_(session), left_(length) {}

    asio::awaitable<Status> write(std::string_view text) override {
        if (text.empty()) {
            co_return Status();
        }
        std::string chunk;
        if (left_) {
            if (text.size() > *left_) {
                Error error(ErrorCode::Internal, "a streamed body is longer than was promised");
                co_return error;
            }
            *left_ -= text.size();
        } else if (session_.http_1_1_) {
            char size[20];
            const int digits = std::snprintf(size, sizeof size, "%zx\r\n", text.size());
            chunk.reserve(text.size() + 24);
            chunk.append(size, static_cast<std::size_t>(digits));
            chunk.append(text);
            chunk.append("\r\n");
            text = chunk;
        }
        const bool sent = co_await session_.send(text);
        if (!sent) {
            Error error(ErrorCode::Cancelled, "the client has gone away");
            co_return error;
        }
        co_return Status();
    }

    /// Bytes of a body of known length that were not written.
    std::uint64_t missing() const { return left_.value_or(0); }

  private:
    Session& session_;
    std::optional<std::uint64_t> left_; ///< Without a length: chunks, or (HTTP/1.0) as it comes.
};

/// The body of a streamed request, taken off the connection as the handler asks for it.
class Session::Incoming : public BodyReader {
  public:
    Incoming(Session& session, StreamParser& parser, bool client_waits)
        : session_(session), parser_(parser), client_waits_(client_waits) {}

    asio::awaitable<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        if (parser_.is_done() || buffer.empty()) {
            co_return std::size_t{0};
        }
        if (std::exchange(client_waits_, false)) {
            constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
            if (!co_await session_.send(kContinue)) {
                co_return Error(ErrorCode::Cancelled, "the client has gone away");
            }
        }
        auto& body = parser_.get().body();
        body.data = buffer.data();
        body.size = buffer.size();
        const Deadline limit(session_, deadline());
        const auto [error, count] =
            co_await beast::http::async_read(session_.stream_, session_.buffer_, parser_, kNoThrow);
        static_cast<void>(count);
        if (error && error != beast::http::error::need_buffer) {
            co_return limit.passed() ? Error(ErrorCode::Timeout, "the request body came too slowly")
                                     : failure(error);
        }
        const std::size_t got = buffer.size() - body.size;
        received_ += got;
        session_.received_ += got;
        co_return got;
    }

  private:
    /// A slow client may go on for as long as it keeps up the slowest pace.
    std::chrono::steady_clock::time_point deadline() const {
        const ServerLimits& limits = session_.shared_.options.limits;
        return began_ + limits.body_timeout +
               std::chrono::milliseconds(received_ * 1000 / limits.slowest_body_bytes_per_second);
    }

    Error failure(error_code error) const {
        if (error == beast::http::error::body_limit ||
            error == beast::http::error::buffer_overflow) {
            return Error(ErrorCode::TooLarge,
                         "the request body is larger than what is allowed here");
        }
        if (error.category() == boost::system::system_category() || error == asio::error::eof ||
            error == beast::http::error::partial_message ||
            error == beast::http::error::end_of_stream) {
            return Error(ErrorCode::Cancelled, "the client has gone away");
        }
        return Error(ErrorCode::InvalidArgument,
                     "the request body is not well-formed HTTP/1.1: " + error.message());
    }

    Session& session_;
    StreamParser& parser_;
    bool client_waits_;
    std::uint64_t received_ = 0;
    const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

asio::awaitable<bool> Session::serve_streamed(Request request, StreamParser& parser) {
    const bool client_waits =
        holds_token(request.headers.find("Expect").value_or(""), "100-continue");
    Incoming incoming(*this, parser, client_waits);
    request.incoming = &incoming;
    co_return co_await respond(std::move(request), &parser);
}

asio::awaitable<Status> Session::produce_guarded(const StreamBody& produce, BodyWriter& writer) {
    std::string failure;
    try {
        co_return co_await produce(writer);
    } catch (const std::exception& error) {
        failure = error.what();
    }
    Error error(ErrorCode::Internal, failure);
    co_return error;
}

asio::awaitable<bool> Session::send_stream(const StreamBody& produce,
                                           std::optional<std::uint64_t> length) {
    using namespace asio::experimental::awaitable_operators;
    StreamWriter writer(*this, length);
    Status status;
    bool finished = false;
    try {
        auto both = produce_guarded(produce, writer) || gone();
        auto result = co_await std::move(both);
        if (result.index() == 0) {
            status = std::get<0>(std::move(result));
            if (status && writer.missing() > 0) {
                status = Error(ErrorCode::Internal, "a streamed body ended before its length");
            }
            finished = status.has_value();
        }
    } catch (const std::exception& error) {
        status = Error(ErrorCode::Internal, error.what());
    }
    if (!finished) {
        if (!status && status.error().code() != ErrorCode::Cancelled) {
            shared_.log.error("http", "stream_failed", {{"error", status.error().describe()}});
        }
        co_return false; // Missing bytes, or the last chunk, tell the client that this is not all.
    }
    if (length || !http_1_1_) {
        co_return true;
    }
    co_return co_await send("0\r\n\r\n");
}

/// Owns the connection while it runs.
asio::awaitable<void> run_session(std::unique_ptr<Session> session) {
    co_await session->run();
}

Error socket_error(std::string_view what, int number) {
    return Error::from_errno(what, number);
}

/// Makes descriptors of our own instead of Asio's: those would not be close-on-exec, and an engine
/// started later would inherit every open connection.
Result<Fd> make_socket(int family) {
    Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.valid()) {
        return socket_error("making a socket", errno);
    }
    return fd;
}

Peer describe_peer(int fd, const sockaddr_storage& address) {
    Peer peer;
    if (address.ss_family == AF_UNIX) {
        peer.address = "unix";
        ucred credentials{};
        socklen_t length = sizeof credentials;
        // Nobody's uid when the kernel does not tell: a check against our own then fails.
        const bool told = ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0;
        peer.uid = told ? credentials.uid : static_cast<uid_t>(-1);
        return peer;
    }
    char text[INET6_ADDRSTRLEN] = "";
    if (address.ss_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
        peer.port = ntohs(v4.sin_port);
    } else {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address, sizeof v6);
        ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
        peer.port = ntohs(v6.sin6_port);
    }
    peer.address = text;
    return peer;
}

using Listener = asio::posix::basic_stream_descriptor<Executor>;

bool Shared::has_room() {
    const std::lock_guard lock(mutex);
    if (sessions.size() < options.limits.connections) {
        return true;
    }
    const auto longest =
        std::min_element(sessions.begin(), sessions.end(), [](const auto& a, const auto& b) {
            return a.second->waiting_since() < b.second->waiting_since();
        });
    if (longest->second->waiting_since() < std::chrono::steady_clock::now() - kPatience) {
        longest->second->end(Session::End::IfWaiting);
    }
    return false;
}

void Shared::end_idle() {
    const std::lock_guard lock(mutex);
    const auto since = std::chrono::steady_clock::now() - options.limits.idle_timeout;
    for (const auto& [number, session] : sessions) {
        if (session->waiting_since() <= since) {
            session->end(Session::End::IfIdle, since);
        }
    }
}

asio::awaitable<void> watch_idle(Shared& shared) {
    using std::chrono::milliseconds;
    const auto pause =
        std::clamp(shared.options.limits.idle_timeout / 8, milliseconds(10), milliseconds(1000));
    while (!shared.stopping) {
        shared.idle.expires_after(pause);
        const auto [error] = co_await shared.idle.async_wait(kNoThrow);
        if (error) {
            co_return;
        }
        shared.end_idle();
    }
}

asio::awaitable<void> accept_loop(Shared& shared, Listener& listener) {
    while (!shared.stopping) {
        const auto [error] = co_await listener.async_wait(Listener::wait_read, kNoThrow);
        if (error || shared.stopping) {
            co_return;
        }
        if (!shared.has_room()) {
            shared.room.expires_after(std::chrono::milliseconds(100));
            static_cast<void>(co_await shared.room.async_wait(kNoThrow));
            continue;
        }
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        Fd fd(::accept4(listener.native_handle(),
                        reinterpret_cast<sockaddr*>(&address),
                        &length,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd.valid()) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                shared.log.warning("http", "accept_failed", {{"error", std::strerror(errno)}});
                shared.room.expires_after(std::chrono::milliseconds(100));
                static_cast<void>(co_await shared.room.async_wait(kNoThrow));
            }
            continue; // Anything else: that client has left already.
        }
        Peer peer = describe_peer(fd.get(), address);
        if (!peer.is_unix()) {
            const int on = 1; // Streams of tokens are small writes that must not wait.
            static_cast<void>(::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
        }
        const Executor strand = asio::make_strand(shared.context.get_executor());
        Stream::socket_type socket(strand);
        error_code failed;
        socket.assign(asio::generic::stream_protocol(address.ss_family, 0), fd.get(), failed);
        if (failed) {
            continue;
        }
        static_cast<void>(fd.release());
        Stream stream(std::move(socket));
        auto session = std::make_unique<Session>(shared, std::move(stream), std::move(peer));
        asio::co_spawn(strand, run_session(std::move(session)), [&shared](std::exception_ptr e) {
            try {
                if (e) {
                    std::rethrow_exception(e);
                }
            } catch (const std::exception& failure) {
                shared.log.error("http", "connection_failed", {{"error", failure.what()}});
            }
        });
    }
}

} // namespace

struct Server::State {
    State(ServerOptions options, Handler handler)
        : shared(std::move(options), std::move(handler)) {}

    Status listen_tcp();
    Status listen_unix();
    void run();

    Shared shared;
    Listener tcp{shared.accept_strand};
    Listener local{shared.accept_strand};
    std::uint16_t port = 0;
    ino_t socket_inode = 0;
    std::vector<std::thread> threads;
    bool stopped = false;
};

Status Server::State::listen_tcp() {
    const ServerOptions& options = shared.options;
    const std::string where = options.address + " port " + std::to_string(options.port);
    sockaddr_storage address{};
    socklen_t length = 0;
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    if (::inet_pton(AF_INET, options.address.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(options.port);
        std::memcpy(&address, &v4, length = sizeof v4);
    } else if (::inet_pton(AF_INET6, options.address.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(options.port);
        std::memcpy(&address, &v6, length = sizeof v6);
    } else {
        return Error(ErrorCode::InvalidArgument,
                     "'" + options.address +
                         "' is no IP address to listen on; write one such as 127.0.0.1");
    }
    LOCARA_TRY(Fd fd, make_socket(address.ss_family));
    const int on = 1; // A restart must not wait for old connections to time out.
    static_cast<void>(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
        ::listen(fd.get(), SOMAXCONN) != 0) {
        if (errno == EADDRINUSE) {
            return Error(ErrorCode::Busy,
                         where + " is in use" + describe_port_owner(options.port) + "; choose " +
                             options.port_hint,
                         EADDRINUSE);
        }
        return socket_error("listening on " + where, errno);
    }
    length = sizeof address;
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        return socket_error("asking for the port of " + where, errno);
    }
    std::memcpy(&v4, &address, sizeof v4);
    port = ntohs(v4.sin_port); // At the same place in both families.
    tcp.assign(fd.release());
    return {};
}

Status Server::State::listen_unix() {
    const std::string path = shared.options.unix_socket.string();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return Error(ErrorCode::InvalidArgument,
                     "the socket path " + path + " has " + std::to_string(path.size()) +
                         " bytes, at most " + std::to_string(sizeof address.sun_path - 1) +
                         " are allowed; choose a shorter folder");
    }
    path.copy(address.sun_path, path.size());
    const auto* const raw = reinterpret_cast<const sockaddr*>(&address);
    LOCARA_TRY(Fd fd, make_socket(AF_UNIX));
    if (::bind(fd.get(), raw, sizeof address) != 0) {
        if (errno != EADDRINUSE) {
            return socket_error("binding " + path, errno);
        }
        LOCARA_TRY(const Fd probe, make_socket(AF_UNIX));
        if (::connect(probe.get(), raw, sizeof address) == 0 || errno != ECONNREFUSED) {
            return Error(ErrorCode::Busy,
                         path + " is in use by a running process; stop that one first",
                         EADDRINUSE);
        }
        // Nobody listens behind it: a process died without cleaning up.
        if (::unlink(path.c_str()) != 0 || ::bind(fd.get(), raw, sizeof address) != 0) {
            return socket_error("replacing the dead socket " + path, errno);
        }
    }

    struct stat made {};

    if (::chmod(path.c_str(), 0600) != 0 || ::stat(path.c_str(), &made) != 0 ||
        ::listen(fd.get(), SOMAXCONN) != 0) {
        return socket_error("listening on " + path, errno);
    }
    socket_inode = made.st_ino;
    local.assign(fd.release());
    return {};
}

void Server::State::run() {
    while (true) {
        try {
            shared.context.run();
            return;
        } catch (const std::exception& error) {
            // The last catch of an I/O thread: one connection may fail, the others go on.
            shared.log.error("http", "io_thread_exception", {{"error", error.what()}});
        }
    }
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler) {
    std::unique_ptr<Server> server(
        new Server(std::make_unique<State>(std::move(options), std::move(handler))));
    State& state = *server->state_;
    if (!state.shared.options.address.empty()) {
        LOCARA_CHECK(state.listen_tcp());
        asio::co_spawn(
            state.shared.accept_strand, accept_loop(state.shared, state.tcp), asio::detached);
    }
    if (!state.shared.options.unix_socket.empty()) {
        LOCARA_CHECK(state.listen_unix());
        asio::co_spawn(
            state.shared.accept_strand, accept_loop(state.shared, state.local), asio::detached);
    }
    asio::co_spawn(state.shared.accept_strand, watch_idle(state.shared), asio::detached);
    for (std::size_t i = 0; i < std::max<std::size_t>(state.shared.options.io_threads, 1); ++i) {
        state.threads.emplace_back([&state] { state.run(); });
    }
    return server;
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() {
    stop();
}

std::uint16_t Server::port() const {
    return state_->port;
}

std::size_t Server::connections() const {
    const std::lock_guard lock(state_->shared.mutex);
    return state_->shared.sessions.size();
}

boost::asio::any_io_executor Server::executor() const {
    return state_->shared.context.get_executor();
}

void Server::stop() {
    State& state = *state_;
    if (state.stopped) {
        return;
    }
    state.stopped = true;
    Shared& shared = state.shared;
    shared.stopping = true;
    if (state.socket_inode != 0) {
        struct stat now {};

        const char* const path = shared.options.unix_socket.c_str();
        if (::stat(path, &now) == 0 && now.st_ino == state.socket_inode) {
            ::unlink(path);
        }
    }
    asio::post(shared.accept_strand, [&state] {
        error_code ignored;
        state.tcp.close(ignored);
        state.local.close(ignored);
        state.shared.room.cancel();
        state.shared.idle.cancel();
    });
    if (!state.threads.empty()) {
        std::unique_lock lock(shared.mutex);
        for (const auto& [number, session] : shared.sessions) {
            session->end(Session::End::IfIdle);
        }
        const auto quiet = [&shared] { return shared.sessions.empty(); };
        if (!shared.changed.wait_for(lock, shared.options.limits.stop_grace, quiet)) {
            for (const auto& [number, session] : shared.sessions) {
                session->end(Session::End::Now);
            }
            // Closing a socket cancels its handler; what the handler waits for ends it.
            shared.changed.wait(lock, quiet);
        }
    }
    shared.context.stop();
    for (std::thread& thread : state.threads) {
        thread.join();
    }
}

} // namespace locara::http
