#include <locara/base/file.hpp>
#include <locara/http/local_client.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <array>
#include <optional>

#include <fcntl.h>
#include <sys/un.h>

namespace locara::http {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Stream = beast::basic_stream<asio::local::stream_protocol>;
using Parser = beast::http::response_parser<beast::http::buffer_body>;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::uint32_t kHeaderLimit = 64U << 10U;
constexpr std::size_t kPieceBytes = 64U << 10U;

Error describe(const boost::system::error_code& code, const char* doing) {
    if (code == beast::error::timeout) {
        return Error(ErrorCode::Timeout, std::string(doing) + " took too long");
    }
    if (code == asio::error::operation_aborted) {
        return Error(ErrorCode::Cancelled, std::string(doing) + " was stopped");
    }
    if (code.category() ==
            beast::http::make_error_code(beast::http::error::bad_version).category() &&
        code != beast::http::error::end_of_stream && code != beast::http::error::partial_message) {
        return Error(ErrorCode::Corrupt, std::string(doing) + ": " + code.message());
    }
    return Error(ErrorCode::Unavailable, std::string(doing) + ": " + code.message());
}

// A unix socket's address holds 107 bytes of path; a longer one goes through its open folder.
struct Address {
    Fd folder;
    std::string path;
};

Result<Address> make_address(const std::filesystem::path& socket) {
    Address address;
    address.path = socket.string();
    if (address.path.size() >= sizeof(sockaddr_un::sun_path)) {
        auto folder = open_file(socket.parent_path(), O_PATH | O_DIRECTORY);
        if (!folder) {
            return Error(ErrorCode::Unavailable, folder.error().message());
        }
        address.folder = std::move(*folder);
        address.path = "/proc/self/fd/" + std::to_string(address.folder.get()) + "/" +
                       socket.filename().string();
    }
    if (address.path.size() >= sizeof(sockaddr_un::sun_path)) {
        return Error(ErrorCode::InvalidArgument,
                     "the name of the socket " + socket.string() + " is too long");
    }
    return address;
}

beast::http::request<beast::http::string_body> render(LocalRequest request) {
    beast::http::request<beast::http::string_body> message;
    message.method_string(request.method);
    message.target(request.target);
    message.version(11);
    message.set(beast::http::field::host, "localhost");
    for (const auto& [name, value] : request.headers.fields()) {
        message.insert(name, value);
    }
    message.set(beast::http::field::connection, "close");
    message.body() = std::move(request.body);
    message.prepare_payload();
    return message;
}

} // namespace

struct LocalExchange::State {
    State(asio::any_io_executor executor, LocalOptions chosen)
        : stream(std::move(executor)), options(chosen) {}

    Stream stream;
    LocalOptions options;
    beast::flat_buffer buffer;
    Parser parser;
    int status = 0;
    Headers headers;
    std::array<char, kPieceBytes> piece{};
};

LocalExchange::LocalExchange(std::unique_ptr<State> state) : state_(std::move(state)) {}

LocalExchange::LocalExchange(LocalExchange&&) noexcept = default;
LocalExchange& LocalExchange::operator=(LocalExchange&&) noexcept = default;
LocalExchange::~LocalExchange() = default;

int LocalExchange::status() const {
    return state_->status;
}

const Headers& LocalExchange::headers() const {
    return state_->headers;
}

asio::awaitable<Result<LocalExchange>>
LocalExchange::open(std::filesystem::path socket, LocalRequest request, LocalOptions options) {
    LOCARA_CO_TRY(Address address, make_address(socket));
    const auto executor = co_await asio::this_coro::executor;
    auto state = std::make_unique<State>(executor, options);

    const asio::local::stream_protocol::endpoint endpoint(address.path);
    state->stream.expires_after(options.connect_timeout);
    auto [connect_code] = co_await state->stream.async_connect(endpoint, kTuple);
    if (connect_code) {
        co_return describe(connect_code, "connecting");
    }
    auto message = render(std::move(request));
    state->stream.expires_after(options.head_timeout);
    auto [write_code, written] = co_await beast::http::async_write(state->stream, message, kTuple);
    static_cast<void>(written);
    // A server may answer and close before it has read all; its answer counts, so go on to read.
    if (write_code && write_code != asio::error::broken_pipe &&
        write_code != asio::error::connection_reset) {
        co_return describe(write_code, "sending the request");
    }
    state->parser.header_limit(kHeaderLimit);
    state->parser.body_limit(boost::none);
    if (message.method() == beast::http::verb::head) {
        state->parser.skip(true);
    }
    state->stream.expires_after(options.head_timeout);
    auto [read_code, read] = co_await beast::http::async_read_header(
        state->stream, state->buffer, state->parser, kTuple);
    static_cast<void>(read);
    if (read_code) {
        co_return describe(read_code, "waiting for the answer");
    }
    state->status = static_cast<int>(state->parser.get().result_int());
    for (const auto& field : state->parser.get()) {
        state->headers.add(std::string(field.name_string()),
                           std::string_view(field.value().data(), field.value().size()));
    }
    co_return LocalExchange(std::move(state));
}

asio::awaitable<Result<std::string>> LocalExchange::read() {
    State& state = *state_;
    while (!state.parser.is_done()) {
        auto& body = state.parser.get().body();
        body.data = state.piece.data();
        body.size = state.piece.size();
        state.stream.expires_after(state.options.read_timeout);
        auto [code, count] =
            co_await beast::http::async_read_some(state.stream, state.buffer, state.parser, kTuple);
        static_cast<void>(count);
        if (code && code != beast::http::error::need_buffer) {
            co_return describe(code, "reading the answer");
        }
        const std::size_t filled = state.piece.size() - body.size;
        if (filled > 0) {
            co_return std::string(state.piece.data(), filled);
        }
    }
    co_return std::string();
}

asio::awaitable<Result<std::string>> LocalExchange::read_all() {
    std::string whole;
    while (true) {
        auto piece = co_await read();
        if (!piece || piece->empty()) {
            co_return piece ? Result<std::string>(std::move(whole)) : std::move(piece);
        }
        if (whole.size() + piece->size() > state_->options.body_limit) {
            co_return Error(ErrorCode::TooLarge,
                            "the answer is longer than " +
                                std::to_string(state_->options.body_limit) + " bytes");
        }
        whole += *piece;
    }
}

asio::awaitable<Result<LocalResponse>>
local_request(std::filesystem::path socket, LocalRequest request, LocalOptions options) {
    auto opened = co_await LocalExchange::open(std::move(socket), std::move(request), options);
    if (!opened) {
        co_return std::move(opened).error();
    }
    LocalResponse response;
    response.status = opened->status();
    response.headers = opened->headers();
    auto body = co_await opened->read_all();
    if (!body) {
        co_return std::move(body).error();
    }
    response.body = std::move(*body);
    co_return response;
}

namespace {

// co_spawn wants a result type that can be made from nothing; Result is none.
asio::awaitable<void> request_into(std::filesystem::path socket,
                                   LocalRequest request,
                                   LocalOptions options,
                                   std::optional<Result<LocalResponse>>* answer) {
    auto result = co_await local_request(std::move(socket), std::move(request), options);
    answer->emplace(std::move(result));
}

} // namespace

Result<LocalResponse> local_request_blocking(const std::filesystem::path& socket,
                                             LocalRequest request,
                                             LocalOptions options) {
    asio::io_context loop(1);
    std::optional<Result<LocalResponse>> answer;
    asio::co_spawn(loop,
                   request_into(socket, std::move(request), options, &answer),
                   [](std::exception_ptr) {});
    loop.run();
    if (!answer) {
        return Error(ErrorCode::Internal, "the local client threw");
    }
    return std::move(*answer);
}

} // namespace locara::http
