// HTTP client: blocking requests with a stop token, on libcurl.
//
// HTTP/1.1, and HTTP/2 where a TLS server offers it. Connections are kept and used again. Only
// http and https are spoken. Redirects are not left to curl: each one passes the policy below.
// Proxy variables (http_proxy, HTTPS_PROXY, ALL_PROXY, NO_PROXY) are respected, except that
// loopback addresses are never sent through a proxy. SSL_CERT_FILE and SSL_CERT_DIR are respected.
// This header has its own small request and response types: those of message.hpp are the server's.
//
// Redirect policy (RFC 9110, section 15.4): at most kMaxRedirects; only to http or https; never
// from https to http; `Authorization` and `Cookie` are dropped, for good, as soon as scheme, host
// or port differ from the first URL. 303, and 301 or 302 on anything but GET and HEAD, become GET.
//
// Threads: a Client may be used by any number of threads at once. It must outlive its calls.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/result.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace locara::http {

/// How many redirects one call follows.
inline constexpr int kMaxRedirects = 10;

/// All header lines of one answer together, and how many of them there may be.
inline constexpr std::size_t kMaxResponseHeaderBytes = 64U << 10U;
inline constexpr std::size_t kMaxResponseHeaders = 256;

/// Header fields in the order they came. Names compare without regard to case.
class ClientHeaders {
  public:
    using Field = std::pair<std::string, std::string>;

    ClientHeaders() = default;

    ClientHeaders(std::initializer_list<Field> fields) : fields_(fields) {}

    /// The first field of this name. The view lives as long as the field.
    std::optional<std::string_view> find(std::string_view name) const;

    void add(std::string name, std::string value);

    /// Removes every field of this name.
    void remove(std::string_view name);

    const std::vector<Field>& fields() const { return fields_; }

  private:
    std::vector<Field> fields_;
};

/// Scheme, host and port of a URL: what a token belongs to. All lower case, port always filled in.
struct Origin {
    std::string scheme;
    std::string host; ///< Without brackets for IPv6.
    std::uint16_t port = 0;

    bool operator==(const Origin&) const = default;

    /// "https://host" or "http://host:8080": the port only where it is not the scheme's own.
    std::string render() const;

    /// Whether the host names this machine: localhost, *.localhost, 127.0.0.0/8 or ::1.
    bool is_loopback() const;
};

/// The origin of an absolute http or https URL. InvalidArgument for anything else: other schemes,
/// relative URLs, a user name or password in the URL, no host.
Result<Origin> parse_origin(std::string_view url);

/// The status line and headers of one answer.
struct Hop {
    int status = 0;
    std::string url; ///< What was asked.
    ClientHeaders headers;
};

/// What is known of an answer before its body: the last hop, and the redirects before it.
struct ResponseHead : Hop {
    std::vector<Hop> redirects;
};

/// Takes an answer as it arrives instead of having it collected in memory. Calls come from the
/// thread that called `send`. An error ends the transfer, and `send` returns that error.
struct ResponseSink {
    /// Once, before the first byte of the body, and also when there is none. May be empty.
    std::function<Status(const ResponseHead&)> on_head;
    /// Bytes of the body in order. May be empty: the body is then read and dropped.
    std::function<Status(ByteView)> on_body;
};

enum class FollowRedirects { No, Yes };

struct ClientRequest {
    std::string method = "GET";
    std::string url;
    ClientHeaders headers;
    std::optional<std::string> body;
    /// Sent instead of `body` where it is not empty: for large bodies, never copied. Borrowed; must
    /// outlive the call.
    ByteView large_body;

    /// Asks for bytes [range->first, range->second] inclusive. The server may ignore it.
    std::optional<std::pair<std::uint64_t, std::uint64_t>> range;

    /// Until the connection (with TLS) stands.
    std::chrono::milliseconds connect_timeout = std::chrono::seconds(20);
    /// Fewer than `stall_bytes_per_second` for this long, counted in whole seconds, is a Timeout.
    /// Zero: no bound. This also bounds the wait for the first byte of an answer.
    std::chrono::seconds stall_timeout = std::chrono::seconds(60);
    long stall_bytes_per_second = 1;
    /// For the whole call with its redirects. Zero: no bound (downloads).
    std::chrono::milliseconds total_timeout = std::chrono::milliseconds(0);

    /// The most bytes of body that are taken, collected or handed to the sink; more is TooLarge.
    std::uint64_t body_limit_bytes = 8U << 20U;

    FollowRedirects follow = FollowRedirects::Yes;
};

struct ClientResponse : ResponseHead {
    std::string body;             ///< Empty when a sink took it.
    std::uint64_t body_bytes = 0; ///< How many bytes the body had.
};

class Client {
  public:
    struct Options {
        std::string user_agent = "locara";
        /// PEM file of trusted authorities; empty: SSL_CERT_FILE, else the system's.
        std::string ca_file;
    };

    /// Internal when libcurl cannot be started.
    static Result<Client> create(Options options);
    static Result<Client> create();

    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;
    ~Client();

    /// Sends and waits for the whole answer. Any HTTP status is a success of this call. Errors:
    /// InvalidArgument (URL, method or header not sendable), Cancelled (`stop` was asked for),
    /// Unavailable (no such host, refused, cut before the end), Timeout (any of the above bounds),
    /// TooLarge (body or headers), Refused (TLS certificate not trusted, or a redirect that the
    /// policy forbids, or too many), or what the sink returned.
    Result<ClientResponse> send(const ClientRequest& request,
                                std::stop_token stop = {},
                                const ResponseSink* sink = nullptr);

  private:
    struct State;
    explicit Client(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace locara::http
