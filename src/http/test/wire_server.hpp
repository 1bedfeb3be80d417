// An HTTP/1.1 server over plain sockets for tests: small, and able to misbehave on purpose.
//
// Not the product's server: it exists so that the client is tested against real sockets and a peer
// that cuts, stalls and lies. Each connection has its own thread. Stops in its destructor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace locara::test {

struct WireRequest {
    std::string method;
    std::string target;
    std::map<std::string, std::string> headers; ///< Names in lower case.
    std::string body;

    /// The header, or "" if there is none.
    std::string header(const std::string& name) const;
};

/// What a handler writes to: raw bytes on the socket, whatever they say.
class WireConnection {
  public:
    explicit WireConnection(int fd) : fd_(fd) {}

    /// False when the client has gone.
    bool send(std::string_view bytes);

    /// A whole answer with Content-Length. `headers` are lines that end in CRLF.
    bool answer(int status, std::string_view body, const std::string& headers = "");

    /// Ends the connection after this handler.
    void close() { close_ = true; }

    bool closing() const { return close_; }

    /// Bytes sent through this server so far over all connections, bodies and heads.
    void count_into(std::function<void(std::size_t)> counter) { counter_ = std::move(counter); }

    /// Waits until the client goes away or the server stops.
    void wait_for_end();

  private:
    int fd_;
    bool close_ = false;
    std::function<void(std::size_t)> counter_;
};

class WireServer {
  public:
    using Handler = std::function<void(const WireRequest&, WireConnection&)>;

    /// Listens on a free port of 127.0.0.1. The handler is called from many threads at once.
    explicit WireServer(Handler handler);
    ~WireServer();
    WireServer(const WireServer&) = delete;
    WireServer& operator=(const WireServer&) = delete;

    std::uint16_t port() const;

    /// "http://127.0.0.1:port"
    std::string url() const;

    /// "http://localhost:port": the same server as another host.
    std::string other_url() const;

    std::uint64_t sent_bytes() const;
    std::uint64_t requests() const;
    std::uint64_t connections() const;

  private:
    struct State;
    std::shared_ptr<State> state_; ///< Shared with the threads of its connections.
};

/// Answers a GET or HEAD of `content` the right way, with ranges (206, 416) and `extra` headers.
void answer_file(const WireRequest& request,
                 WireConnection& connection,
                 std::string_view content,
                 const std::string& extra = "");

/// The range of a request ("bytes=a-b") against a size; false when there is none.
bool wire_range(const WireRequest& request,
                std::size_t size,
                std::size_t& first,
                std::size_t& last);

} // namespace locara::test
