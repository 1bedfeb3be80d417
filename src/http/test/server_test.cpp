#include "raw_client.hpp"
#include "sendfile_count.hpp"

#include <locara/http/known_first.hpp>
#include <locara/http/server.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace locara::http {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using test::RawClient;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

asio::awaitable<Response> echo(Request request) {
    std::string text = request.method + " " + request.path + " [" + request.body + "]";
    co_return text_response(200, "text/plain", std::move(text));
}

/// What a waiting handler tells the test.
struct Watch {
    std::promise<void> began;
    std::promise<bool> ended; ///< Whether it was cancelled.
};

asio::awaitable<void> wait_for(milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<Response> hang(std::shared_ptr<Watch> watch) {
    watch->began.set_value();
    bool cancelled = false;
    try {
        co_await wait_for(std::chrono::hours(1));
    } catch (const std::exception&) {
        cancelled = true;
    }
    watch->ended.set_value(cancelled);
    co_return text_response(200, "text/plain", "late");
}

class ServerTest : public testing::Test {
  protected:
    void serve(Handler handler, ServerOptions options = {}) {
        options.limits.stop_grace = milliseconds(200);
        auto server = Server::start(std::move(options), std::move(handler));
        ASSERT_TRUE(server) << server.error().describe();
        server_ = std::move(*server);
    }

    std::string once(std::string_view request) {
        RawClient client(server_->port());
        client.send(request);
        return client.read_to_end();
    }

    std::unique_ptr<Server> server_;
};

constexpr std::string_view kClose = "Host: x\r\nConnection: close\r\n\r\n";

std::string get(std::string_view path, std::string_view extra = "") {
    return "GET " + std::string(path) + " HTTP/1.1\r\n" + std::string(extra) + std::string(kClose);
}

TEST_F(ServerTest, answers_with_length_date_and_request_id_and_echoes_close) {
    serve(echo);
    const std::string answer = once(get("/a%20b?x=1"));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 13\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nX-Request-Id: "));
    EXPECT_THAT(answer, HasSubstr(" GMT\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nGET /a%20b []"));
}

TEST_F(ServerTest, takes_a_well_formed_request_id_of_the_client_and_no_other) {
    serve(echo);
    EXPECT_THAT(once(get("/", "X-Request-Id: a-B_9.z\r\n")),
                HasSubstr("\r\nX-Request-Id: a-B_9.z\r\n"));
    for (const std::string& id :
         {std::string("two words"), std::string("x\"y"), std::string(65, 'a')}) {
        EXPECT_THAT(once(get("/", "X-Request-Id: " + id + "\r\n")),
                    testing::ContainsRegex("\r\nX-Request-Id: [0-9a-f]{16}\r\n"))
            << id;
    }
}

TEST_F(ServerTest, tells_its_observer_of_every_answer) {
    std::mutex mutex;
    std::vector<std::pair<int, std::string>> told;
    std::uint64_t in = 0;
    std::uint64_t out = 0;
    ServerOptions options;
    options.limits.body_bytes = 100;
    options.observer = [&](const Exchange& exchange) {
        const std::lock_guard lock(mutex);
        told.emplace_back(exchange.status, exchange.request.path);
        in += exchange.bytes_in;
        out += exchange.bytes_out;
        EXPECT_TRUE(exchange.whole);
    };
    serve(echo, std::move(options));
    std::size_t seen = once(get("/a?secret=1")).size();
    seen += once("POST /b HTTP/1.1\r\nContent-Length: 2\r\n" + std::string(kClose) + "hi").size();
    seen += once("POST /c HTTP/1.1\r\nContent-Length: 200\r\n" + std::string(kClose)).size();
    seen += once("nonsense\r\n\r\n").size();
    server_->stop();
    using testing::Pair;
    EXPECT_THAT(
        told,
        testing::ElementsAre(Pair(200, "/a"), Pair(200, "/b"), Pair(413, "/c"), Pair(400, "")));
    EXPECT_EQ(in, 2U);
    EXPECT_EQ(out, seen);
}

TEST_F(ServerTest, keeps_the_connection_and_answers_pipelined_requests_in_order) {
    serve(echo);
    RawClient client(server_->port());
    client.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
                "POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi" +
                get("/3"));
    const std::string answer = client.read_to_end();
    const std::size_t one = answer.find("GET /1 []");
    const std::size_t two = answer.find("POST /2 [hi]");
    const std::size_t three = answer.find("GET /3 []");
    ASSERT_NE(three, std::string::npos) << answer;
    EXPECT_LT(one, two);
    EXPECT_LT(two, three);
}

TEST_F(ServerTest, gives_head_the_length_of_get_and_no_body) {
    serve(echo);
    RawClient client(server_->port());
    client.send("HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n" + get("/y"));
    const std::string answer = client.read_to_end();
    EXPECT_THAT(answer, HasSubstr("Content-Length: 10\r\n"));
    EXPECT_THAT(answer, Not(HasSubstr("HEAD /x []")));
    EXPECT_THAT(answer, HasSubstr("GET /y []"));
}

TEST_F(ServerTest, closes_after_http_1_0) {
    serve(echo);
    EXPECT_THAT(once("GET / HTTP/1.0\r\n\r\n"), HasSubstr("Connection: close"));
}

TEST_F(ServerTest, refuses_an_oversize_head) {
    serve(echo);
    const std::string answer = once("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(20'000, 'a'));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 431 "));
    EXPECT_THAT(answer, HasSubstr("16384 bytes"));
}

TEST_F(ServerTest, refuses_an_oversize_body_by_its_announced_length_before_reading_it) {
    ServerOptions options;
    options.limits.body_bytes = 10;
    serve(echo, options);
    EXPECT_THAT(once("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n"),
                StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(once("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nConnection: close\r\n"
                     "\r\n0123456789"),
                StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, refuses_an_oversize_chunked_body) {
    ServerOptions options;
    options.limits.body_bytes = 10;
    serve(echo, options);
    const std::string head =
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    EXPECT_THAT(once(head + "6\r\n012345\r\n5\r\n67890\r\n0\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(once(head + "6\r\n012345\r\n4\r\n6789\r\n0\r\n\r\n"), HasSubstr("[0123456789]"));
}

TEST_F(ServerTest, asks_the_route_for_its_body_limit) {
    ServerOptions options;
    options.body_rule = [](const Request& head) {
        return BodyRule{head.path == "/big" ? 100U : 1U, Delivery::Whole};
    };
    serve(echo, options);
    const std::string rest = " HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n"
                             "\r\nbody";
    EXPECT_THAT(once("POST /big" + rest), HasSubstr("[body]"));
    EXPECT_THAT(once("POST /small" + rest), StartsWith("HTTP/1.1 413 "));
}

/// Reads a streamed body in blocks of three bytes, or none of it when the path says so.
asio::awaitable<Response> read_streamed(Request request) {
    std::string text;
    std::array<std::byte, 3> block{};
    while (request.path != "/ignore") {
        const auto count = co_await request.incoming->read(block);
        if (!count) {
            co_return problem(count.error());
        }
        if (*count == 0) {
            break;
        }
        text += std::string(as_text(std::span(block).first(*count))) + "|";
    }
    co_return text_response(200, "text/plain", "[" + text + "]");
}

ServerOptions streaming(std::uint64_t limit) {
    ServerOptions options;
    options.body_rule = [limit](const Request&) { return BodyRule{limit, Delivery::Streamed}; };
    return options;
}

TEST_F(ServerTest, streams_a_request_body_and_keeps_the_connection) {
    serve(read_streamed, streaming(100));
    RawClient client(server_->port());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n0123456"
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
    EXPECT_THAT(client.read_until("]"), EndsWith("[012|345|6|]"));
    client.send("2\r\ncd\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(client.read_until("]"), EndsWith("[abc|d|]"));
    EXPECT_THAT(client.read_to_end(), EndsWith("[]"));
}

TEST_F(ServerTest, answers_a_streamed_request_without_reading_it_and_closes) {
    serve(read_streamed, streaming(1000));
    RawClient client(server_->port());
    client.send("POST /ignore HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                "Content-Length: 7\r\n\r\n");
    const std::string answer = client.read_to_end();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
}

TEST_F(ServerTest, asks_for_a_streamed_body_when_it_is_read) {
    serve(read_streamed, streaming(1000));
    RawClient client(server_->port());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
                "Connection: close\r\n\r\n");
    EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ok");
    EXPECT_THAT(client.read_to_end(), HasSubstr("[ok|]"));
}

TEST_F(ServerTest, bounds_a_streamed_body_in_length_and_time) {
    ServerOptions options = streaming(5);
    options.limits.body_timeout = milliseconds(100);
    serve(read_streamed, options);
    EXPECT_THAT(once("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n012345"),
                StartsWith("HTTP/1.1 413 "));
    const std::string chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    EXPECT_THAT(once(chunked + "4\r\n0123\r\n4\r\n4567\r\n0\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(once(chunked + "zz\r\n"), StartsWith("HTTP/1.1 400 "));
    RawClient slow(server_->port());
    slow.send(chunked + "4\r\n01");
    EXPECT_EQ(slow.read_to_end(), "");
    EXPECT_TRUE(slow.closed());
}

TEST_F(ServerTest, refuses_what_is_ambiguous_or_broken) {
    serve(echo);
    const std::string host = "Host: x\r\n";
    const std::string post = "POST / HTTP/1.1\r\n";
    for (const std::string& request : {
             post + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
             post + host + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
             post + host + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
             post + host + "Content-Length: -1\r\n\r\n",
             std::string("GET / HTTP/1.1\r\n\r\n"),
             "GET / HTTP/1.1\r\n" + host + host + "\r\n",
             "GET http://elsewhere/ HTTP/1.1\r\n" + host + "\r\n",
             "GET /a%zz HTTP/1.1\r\n" + host + "\r\n",
             "GET /a/../b HTTP/1.1\r\n" + host + "\r\n",
             std::string("nonsense\r\n\r\n"),
         }) {
        EXPECT_THAT(once(request), StartsWith("HTTP/1.1 400 ")) << request;
    }
}

TEST_F(ServerTest, tells_a_client_that_waits_to_go_on) {
    serve(echo);
    RawClient client(server_->port());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
                "Connection: close\r\n\r\n");
    EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ok");
    EXPECT_THAT(client.read_to_end(), HasSubstr("[ok]"));
}

TEST_F(ServerTest, cuts_clients_that_are_slow_with_head_body_or_next_request) {
    ServerOptions options;
    options.limits.header_timeout = milliseconds(100);
    options.limits.body_timeout = milliseconds(100);
    options.limits.idle_timeout = milliseconds(100);
    serve(echo, options);
    for (const char* start :
         {"GET / HTTP/1.1\r\nHos", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"}) {
        RawClient client(server_->port());
        client.send(start);
        EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 408 ")) << start;
        EXPECT_TRUE(client.closed()) << start;
    }
    RawClient silent(server_->port());
    EXPECT_EQ(silent.read_to_end(), "");
    EXPECT_TRUE(silent.closed());
}

TEST_F(ServerTest, makes_room_by_ending_who_waits_longest) {
    ServerOptions options;
    options.limits.connections = 3;
    serve(echo, options);
    RawClient first(server_->port());
    first.send("GET / HTTP/1.1\r\nHos");
    RawClient second(server_->port());
    second.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(second.read_until("[]"), StartsWith("HTTP/1.1 200 "));
    RawClient third(server_->port());
    third.send("GET /");
    EXPECT_THAT(once(get("/")), StartsWith("HTTP/1.1 200 "));
    EXPECT_EQ(first.read_to_end(), "");
    second.send(get("/"));
    EXPECT_THAT(second.read_to_end(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, gives_what_is_known_at_once_without_asking_the_handler) {
    const auto known = [](const Request& request) -> std::optional<Response> {
        if (request.path == "/broken") {
            throw std::runtime_error("broken");
        }
        return request.path == "/known"
                   ? std::optional(text_response(200, "text/plain", "known to " + request.method))
                   : std::nullopt;
    };
    serve(KnownFirst{known, echo}, ServerOptions{});
    RawClient client(server_->port());
    // Several in one packet, and in pieces.
    client.send("GET /known HTTP/1.1\r\nHost: x\r\n\r\nHEAD /known HTTP/1.1\r\nHost: x\r\n\r\n"
                "GET /known HTTP/1.1\r\nHo");
    EXPECT_THAT(client.read_until("known to GET"), StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("\r\nContent-Length: 13\r\n"));
    client.send("st: x\r\n\r\n");
    EXPECT_THAT(client.read_until("known to GET"), StartsWith("HTTP/1.1 200 "));
    // What is not known, has a body, or fails, is the handler's.
    client.send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(client.read_until("[]"), HasSubstr("GET"));
    client.send("POST /known HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
    EXPECT_THAT(client.read_until("[ab]"), HasSubstr("POST"));
    client.send("GET /broken HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(client.read_to_end(), HasSubstr("GET"));
    EXPECT_TRUE(client.closed());
}

/// A folder with one file in it, opened.
class FileServerTest : public ServerTest {
  protected:
    void put(std::string_view content) {
        auto folder = TempFolder::create("/tmp", "locara-http-");
        ASSERT_TRUE(folder);
        ASSERT_TRUE(write_file_atomically(folder->path() / "f", as_bytes(content)));
        auto opened = open_file(folder->path() / "f", O_RDONLY);
        ASSERT_TRUE(opened);
        file_ = std::make_shared<const Fd>(std::move(*opened));
    }

    std::shared_ptr<const Fd> file_;
};

TEST_F(FileServerTest, serves_a_part_of_a_file) {
    std::string content(700'000, '\0');
    for (std::size_t i = 0; i < content.size(); ++i) {
        content[i] = static_cast<char>('a' + i % 23);
    }
    put(content);
    serve([this, size = content.size()](Request request) -> asio::awaitable<Response> {
        Content whole;
        whole.body = FileBody{file_, 0, size};
        co_return content_response(request, std::move(whole));
    });
    const std::uint64_t before = locara::test::sendfile_bytes();
    EXPECT_THAT(once(get("/")), EndsWith("\r\n\r\n" + content));
    // What a full socket does not take goes the ordinary way, a block at a time.
    EXPECT_GT(locara::test::sendfile_bytes() - before, content.size() / 2) << "it was copied";
    const std::string part = once(get("/", "Range: bytes=300000-699998\r\n"));
    EXPECT_THAT(part, StartsWith("HTTP/1.1 206 Partial Content\r\n"));
    EXPECT_THAT(part, HasSubstr("Content-Range: bytes 300000-699998/700000\r\n"));
    EXPECT_THAT(part, EndsWith("\r\n\r\n" + content.substr(300'000, 399'999)));
}

TEST_F(FileServerTest, sends_pieces_of_files_and_text_as_one_body) {
    put("0123456789");
    serve([this](Request) -> asio::awaitable<Response> {
        auto step = std::make_shared<int>(0); // Shared by the copies of the function.
        Response response;
        response.body = PiecesBody{11, [this, step]() -> Result<Piece> {
                                       switch ((*step)++) {
                                       case 0:
                                           return Piece(std::string("<<"));
                                       case 1:
                                           return Piece(FileBody{file_, 2, 3});
                                       case 2:
                                           return Piece(std::string());
                                       case 3:
                                           return Piece(FileBody{file_, 5, 5});
                                       default:
                                           return Piece(std::string(">"));
                                       }
                                   }};
        co_return response;
    });
    const std::string get = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const std::string answer = once(get);
    EXPECT_THAT(answer, HasSubstr("Content-Length: 11\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n<<23456789>"));
}

TEST_F(FileServerTest, cuts_the_connection_when_a_piece_fails_or_is_too_long) {
    serve([](Request request) -> asio::awaitable<Response> {
        Response response;
        const bool fails = request.path == "/fails";
        response.body = PiecesBody{5, [fails]() -> Result<Piece> {
                                       if (fails) {
                                           return Error(ErrorCode::Corrupt, "bad chunk");
                                       }
                                       return Piece(std::string("0123456"));
                                   }};
        co_return response;
    });
    for (const char* path : {"/fails", "/long"}) {
        const std::string answer =
            once("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT_THAT(answer, EndsWith("\r\n\r\n")) << path;
    }
}

TEST_F(FileServerTest, serves_a_file_larger_than_what_a_socket_takes) {
    std::string big(24U << 20U, 'a');
    for (std::size_t i = 0; i < big.size(); i += 4096) {
        big[i] = static_cast<char>('b' + i / 4096 % 20);
    }
    put(big);
    const FileBody body{file_, 0, big.size()};
    serve([body](Request) -> asio::awaitable<Response> {
        Response response;
        response.body = body;
        co_return response;
    });
    const std::string answer = once("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const std::size_t end = answer.find("\r\n\r\n");
    ASSERT_NE(end, std::string::npos);
    EXPECT_TRUE(answer.compare(end + 4, std::string::npos, big) == 0);
}

TEST_F(FileServerTest, cuts_the_connection_when_a_file_is_shorter_than_promised) {
    put("short");
    serve([this](Request) -> asio::awaitable<Response> {
        Response response;
        response.body = FileBody{file_, 0, 100};
        co_return response;
    });
    const std::string answer = once(get("/"));
    EXPECT_THAT(answer, HasSubstr("Content-Length: 100\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nshort")); // and then the end of the connection
}

asio::awaitable<Status> three_pieces(BodyWriter& writer) {
    for (const char* piece : {"one ", "", "two ", "three"}) {
        LOCARA_CO_CHECK(co_await writer.write(piece));
    }
    co_return Status();
}

asio::awaitable<Status> half(BodyWriter& writer) {
    LOCARA_CO_CHECK(co_await writer.write("half"));
    Error error(ErrorCode::Io, "gone");
    co_return error;
}

/// A handler that answers with this stream.
Handler streaming(StreamBody body, std::optional<std::uint64_t> length = std::nullopt) {
    return [body, length](Request) -> asio::awaitable<Response> {
        Response response;
        response.body = body;
        response.stream_length = length;
        co_return response;
    };
}

TEST_F(ServerTest, streams_in_chunks) {
    serve(streaming(three_pieces));
    EXPECT_THAT(once(get("/")),
                EndsWith("\r\n\r\n4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"));
    EXPECT_THAT(once("GET / HTTP/1.0\r\n\r\n"), EndsWith("\r\n\r\none two three"));
}

TEST_F(ServerTest, streams_a_body_of_known_length_as_it_is) {
    serve(streaming(three_pieces, 13));
    const std::string answer = once(get("/"));
    EXPECT_THAT(answer, HasSubstr("Content-Length: 13\r\n"));
    EXPECT_THAT(answer, Not(HasSubstr("Transfer-Encoding")));
    EXPECT_THAT(answer, EndsWith("\r\n\r\none two three"));
    const std::string head = once("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(head, HasSubstr("Content-Length: 13\r\n"));
    EXPECT_THAT(head, EndsWith("\r\n\r\n"));
}

TEST_F(ServerTest, cuts_a_stream_that_does_not_keep_to_its_length) {
    serve(streaming(three_pieces, 14));
    EXPECT_THAT(once(get("/")), EndsWith("\r\n\r\none two three"));
    server_.reset();
    serve(streaming(three_pieces, 10));
    EXPECT_THAT(once(get("/")), EndsWith("\r\n\r\none two "));
}

TEST_F(ServerTest, leaves_out_the_last_chunk_when_a_stream_fails) {
    serve(streaming(half));
    EXPECT_THAT(once(get("/")), EndsWith("4\r\nhalf\r\n"));
}

asio::awaitable<Status> write_for_ever(BodyWriter& writer, std::shared_ptr<Watch> watch) {
    const std::string block(1 << 16, 'x');
    Status status;
    bool threw = false;
    try {
        while (status) {
            status = co_await writer.write(block);
        }
    } catch (const std::exception&) {
        threw = true;
    }
    watch->ended.set_value(threw || status.error().code() == ErrorCode::Cancelled);
    co_return status;
}

TEST_F(ServerTest, stops_a_stream_when_its_client_leaves) {
    auto watch = std::make_shared<Watch>();
    serve(streaming([watch](BodyWriter& writer) { return write_for_ever(writer, watch); }));
    auto ended = watch->ended.get_future();
    RawClient client(server_->port());
    client.send(get("/"));
    client.read_bytes(1000);
    client.close();
    ASSERT_EQ(ended.wait_for(std::chrono::seconds(10)), std::future_status::ready);
    EXPECT_TRUE(ended.get());
}

TEST_F(ServerTest, answers_a_client_that_only_stops_to_send) {
    serve([](Request) -> asio::awaitable<Response> {
        co_await wait_for(milliseconds(200));
        co_return text_response(200, "text/plain", "here");
    });
    RawClient client(server_->port());
    client.send(get("/"));
    client.close_half();
    const std::string answer = client.read_to_end();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(answer, HasSubstr("here"));
}

TEST_F(ServerTest, cancels_a_handler_when_its_client_leaves) {
    auto watch = std::make_shared<Watch>();
    serve([watch](Request) { return hang(watch); });
    auto ended = watch->ended.get_future();
    RawClient client(server_->port());
    client.send(get("/"));
    watch->began.get_future().wait();
    client.close();
    ASSERT_EQ(ended.wait_for(std::chrono::seconds(10)), std::future_status::ready);
    EXPECT_TRUE(ended.get());
}

TEST_F(ServerTest, answers_500_without_details_when_a_handler_throws) {
    serve([](Request) -> asio::awaitable<Response> {
        throw std::runtime_error("secret detail");
        co_return Response();
    });
    const std::string answer = once(get("/"));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
    EXPECT_THAT(answer, Not(HasSubstr("secret")));
}

class UnixServerTest : public ServerTest {
  protected:
    void SetUp() override {
        auto folder = TempFolder::create("/tmp", "locara-http-");
        ASSERT_TRUE(folder);
        folder_.emplace(std::move(*folder));
        options_.address.clear();
        options_.unix_socket = folder_->path() / "s";
    }

    std::optional<TempFolder> folder_;
    ServerOptions options_;
};

asio::awaitable<Response> tell_uid(Request request) {
    co_return text_response(200, "text/plain", std::to_string(request.peer.uid.value_or(12345)));
}

TEST_F(UnixServerTest, tells_the_uid_and_keeps_the_socket_private) {
    serve(tell_uid, options_);
    using std::filesystem::perms;
    EXPECT_EQ(std::filesystem::status(options_.unix_socket).permissions(),
              perms::owner_read | perms::owner_write);
    RawClient client(options_.unix_socket);
    client.send(get("/"));
    EXPECT_THAT(client.read_to_end(), EndsWith("\r\n\r\n" + std::to_string(::getuid())));
    server_.reset();
    EXPECT_FALSE(std::filesystem::exists(options_.unix_socket));
}

TEST_F(UnixServerTest, reports_busy_when_somebody_listens_there) {
    serve(tell_uid, options_);
    const auto second = Server::start(options_, tell_uid);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ErrorCode::Busy);
    RawClient client(options_.unix_socket);
    EXPECT_TRUE(client.connected());
}

TEST_F(UnixServerTest, replaces_the_socket_of_a_dead_process) {
    {
        Fd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        options_.unix_socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
        ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    serve(echo, options_);
    RawClient client(options_.unix_socket);
    client.send(get("/"));
    EXPECT_THAT(client.read_to_end(), HasSubstr("200 OK"));
}

TEST_F(ServerTest, reports_busy_with_the_holder_and_what_to_change) {
    serve(echo);
    ServerOptions options;
    options.port = server_->port();
    options.port_hint = "--listen ADDRESS:PORT";
    const auto second = Server::start(options, echo);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ErrorCode::Busy);
    EXPECT_THAT(second.error().message(), HasSubstr(std::to_string(server_->port())));
    EXPECT_THAT(second.error().message(), HasSubstr("--listen ADDRESS:PORT"));
    EXPECT_THAT(second.error().message(), HasSubstr("process " + std::to_string(::getpid())));
}

TEST_F(ServerTest, refuses_an_address_that_is_none) {
    ServerOptions options;
    options.address = "localhost";
    const auto server = Server::start(options, echo);
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().code(), ErrorCode::InvalidArgument);
}

TEST_F(ServerTest, makes_connections_wait_above_its_limit) {
    ServerOptions options;
    options.limits.connections = 1;
    serve(echo, options);
    RawClient first(server_->port());
    first.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    first.read_until("[]");
    RawClient second(server_->port());
    second.send(get("/2"));
    first.close();
    EXPECT_THAT(second.read_to_end(), HasSubstr("GET /2 []"));
}

asio::awaitable<Response> take_a_moment(std::shared_ptr<Watch> watch) {
    watch->began.set_value();
    co_await wait_for(milliseconds(50));
    co_return text_response(200, "text/plain", "finished");
}

TEST_F(ServerTest, lets_an_open_request_finish_when_it_stops) {
    auto watch = std::make_shared<Watch>();
    serve([watch](Request) { return take_a_moment(watch); });
    RawClient idle(server_->port());
    RawClient client(server_->port());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    watch->began.get_future().wait();
    server_->stop();
    const std::string answer = client.read_to_end();
    EXPECT_THAT(answer, EndsWith("finished"));
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
    EXPECT_EQ(idle.read_to_end(), "");
    EXPECT_FALSE(RawClient(server_->port()).connected());
}

TEST_F(ServerTest, cuts_an_open_request_after_the_grace_time) {
    auto watch = std::make_shared<Watch>();
    serve([watch](Request) { return hang(watch); });
    auto ended = watch->ended.get_future();
    RawClient client(server_->port());
    client.send(get("/"));
    watch->began.get_future().wait();
    server_->stop();
    EXPECT_TRUE(ended.get());
    EXPECT_EQ(client.read_to_end(), "");
}

asio::awaitable<Response> hop(BlockingPool* pool) {
    const auto here = std::this_thread::get_id();
    const auto there = co_await run_blocking(*pool, [] { return std::this_thread::get_id(); });
    const bool back = std::this_thread::get_id() == here;
    bool threw = false;
    try {
        co_await run_blocking(*pool, [] { throw std::runtime_error("x"); });
    } catch (const std::runtime_error&) {
        threw = true;
    }
    const bool good = here != there && back && threw;
    co_return text_response(200, "text/plain", good ? "good" : "bad");
}

TEST_F(ServerTest, runs_blocking_work_elsewhere_and_comes_back) {
    BlockingPool pool(2);
    serve([&pool](Request) { return hop(&pool); });
    EXPECT_THAT(once(get("/")), EndsWith("good"));
    server_.reset(); // Before the pool its handlers use.
}

TEST_F(ServerTest, serves_many_at_once_on_several_threads) {
    ServerOptions options;
    options.io_threads = 2;
    serve(echo, options);
    std::atomic<int> good{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < 8; ++i) {
        clients.emplace_back([this, &good] {
            RawClient client(server_->port());
            for (int k = 0; k < 50; ++k) {
                client.send("GET /k HTTP/1.1\r\nHost: x\r\n\r\n");
                good += client.read_until("GET /k []").ends_with("GET /k []") ? 1 : 0;
            }
        });
    }
    for (std::thread& client : clients) {
        client.join();
    }
    EXPECT_EQ(good, 400);
}

class RouterTest : public ServerTest {
  protected:
    static Handler say(const std::string& word) {
        return [word](Request request) -> asio::awaitable<Response> {
            std::string text = word;
            for (const auto& [name, value] : request.params) {
                text += " " + name + "=" + value;
            }
            co_return text_response(200, "text/plain", std::move(text));
        };
    }

    void SetUp() override {
        router_.add("GET", "/", say("root"));
        router_.add("GET", "/{org}/{repo}/resolve/{rev}/{*path}", say("file"));
        router_.add("GET", "/api/{kind}", say("kind"));
        router_.add("GET", "/api/models", say("list"));
        router_.add("POST", "/api/models", say("make"), {.body_limit = 3});
        ServerOptions options;
        options.body_rule = [this](const Request& head) { return router_.body_rule(head, 10); };
        serve([this](Request request) { return router_.handle(std::move(request)); }, options);
    }

    void TearDown() override { server_.reset(); }

    Router router_;
};

TEST_F(RouterTest, finds_the_most_literal_route_and_its_parameters) {
    EXPECT_THAT(once(get("/")), EndsWith("\r\n\r\nroot"));
    EXPECT_THAT(once(get("/api/models")), EndsWith("\r\n\r\nlist"));
    EXPECT_THAT(once(get("/api/x")), EndsWith("\r\n\r\nkind kind=x"));
    EXPECT_THAT(once(get("/a/b/resolve/refs%2Fpr%2F1/c/d%2Fe")),
                EndsWith("\r\n\r\nfile org=a path=c/d/e repo=b rev=refs/pr/1"));
}

TEST_F(RouterTest, answers_404_405_and_head) {
    EXPECT_THAT(once(get("/a/b/resolve/main")), StartsWith("HTTP/1.1 404 "));
    const std::string put = once("PUT /api/models HTTP/1.1\r\n" + std::string(kClose));
    EXPECT_THAT(put, StartsWith("HTTP/1.1 405 "));
    EXPECT_THAT(put, HasSubstr("\r\nAllow: GET, HEAD, POST\r\n"));
    const std::string head = once("HEAD /api/models HTTP/1.1\r\n" + std::string(kClose));
    EXPECT_THAT(head, HasSubstr("Content-Length: 4\r\n"));
}

TEST_F(RouterTest, applies_the_body_limit_of_the_route) {
    EXPECT_THAT(once("POST /api/models HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"),
                StartsWith("HTTP/1.1 413 "));
}

} // namespace
} // namespace locara::http
