// HTTP messages as plain values: what a server hands to a handler and what it gets back.
//
// Follows RFC 9110 (semantics), RFC 3986 (targets) and RFC 9457 (problem documents). No network in
// here and no route of ours. The path is split on its raw form first and each segment is decoded
// once, so "%2F" inside a segment never becomes a separator.
// Threads: plain values.
#pragma once

#include <locara/base/file.hpp>
#include <locara/base/result.hpp>

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <sys/types.h>

namespace locara::http {

/// Header fields in the order they were given. Names compare without regard to case.
class Headers {
  public:
    using Field = std::pair<std::string, std::string>;

    Headers() = default;

    Headers(std::initializer_list<Field> fields) : fields_(fields) {}

    /// The first field of this name.
    std::optional<std::string_view> find(std::string_view name) const;

    /// How many fields have this name.
    std::size_t count(std::string_view name) const;

    /// Appends a field. CR, LF and NUL in the value become spaces, so a value can never end the
    /// header block.
    void add(std::string name, std::string_view value);

    /// Replaces every field of this name by one.
    void set(std::string name, std::string_view value);

    void remove(std::string_view name);

    const std::vector<Field>& fields() const { return fields_; }

  private:
    std::vector<Field> fields_;
};

/// Whether two ASCII texts are equal without regard to case.
bool equals_ignoring_case(std::string_view a, std::string_view b);

/// Whether a comma-separated header value holds this token ("keep-alive, close").
bool holds_token(std::string_view list, std::string_view token);

/// The query of a target: decoded keys and values in order, keys may repeat.
class Query {
  public:
    /// Parses "a=1&b=%20+x" (a '+' is a space). InvalidArgument on a broken percent escape.
    static Result<Query> parse(std::string_view text);

    std::optional<std::string_view> find(std::string_view key) const;
    std::vector<std::string> all(std::string_view key) const;

    /// "true", "True", "1" and a key without a value are true, everything else is false.
    bool flag(std::string_view key) const;

    const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

  private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

/// "a%20b/c%2Fd" (without the leading slash) -> {"a b", "c/d"}. "" gives no segment, a trailing
/// slash gives an empty last one. InvalidArgument on a broken escape, and on a segment that decodes
/// to "." or "..", which no client of ours sends.
Result<std::vector<std::string>> split_path(std::string_view raw_path);

/// Who sent a request.
struct Peer {
    std::string address;      ///< "127.0.0.1", "::1", or "unix".
    std::uint16_t port = 0;   ///< 0 on a unix socket.
    std::optional<uid_t> uid; ///< Of the connecting process, by SO_PEERCRED; only on a unix socket.

    bool is_unix() const { return uid.has_value(); }
};

struct Request {
    std::string method;                ///< "GET", as sent.
    std::string target;                ///< As sent, always starts with '/' ("*" for OPTIONS).
    std::string path;                  ///< The target before '?', still encoded.
    std::vector<std::string> segments; ///< The path split and then decoded, see split_path.
    Query query;
    Headers headers;
    std::string body; ///< Whole, at most the body limit of the route.
    Peer peer;
    std::string id; ///< Random, 16 hex digits; also sent back as X-Request-Id.
    /// What a Router's pattern caught; empty without a router.
    std::map<std::string, std::string, std::less<>> params;

    /// The parameter of a pattern. Asserts that the pattern has it.
    const std::string& param(std::string_view name) const;
};

/// A part of an open file. The descriptor may be shared by many responses (reads use pread).
struct FileBody {
    std::shared_ptr<const Fd> file; ///< Shared by the response and whoever caches the open file.
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

/// What a streaming handler writes to.
class BodyWriter {
  public:
    virtual ~BodyWriter() = default;

    /// Sends the bytes now (as one chunk in HTTP/1.1) and returns when the kernel has taken them.
    /// Empty text sends nothing. Cancelled when the client has gone away or the server stops:
    /// return it up, nothing more can be sent.
    virtual boost::asio::awaitable<Status> write(std::string_view text) = 0;
};

/// Writes a body piece by piece. Success ends the body; an error cuts the connection, so that the
/// client sees a truncated answer and never a whole one. When the client goes away while it waits
/// for something else, the coroutine is cancelled (Asio terminal cancellation).
using StreamBody = std::function<boost::asio::awaitable<Status>(BodyWriter&)>;

struct Response {
    int status = 200;
    Headers headers;
    std::variant<std::string, FileBody, StreamBody> body;

    /// For a HEAD request whose handler knows the length but made no body.
    std::optional<std::uint64_t> head_length;
};

using Handler = std::function<boost::asio::awaitable<Response>(Request)>;

/// "Not Found" and so on; "Unknown" for a status that RFC 9110 does not name.
std::string_view reason_phrase(int status);

/// A whole text or JSON answer.
Response text_response(int status, std::string_view content_type, std::string body);
Response json_response(int status, std::string json);

/// RFC 9457: {"type":"about:blank","title":<reason>,"status":status,"detail":detail,"code":code}.
/// `code` (a stable word such as "not_found") is left out when empty.
Response problem(int status, std::string_view detail, std::string_view code = "");

/// The answer for an error of ours: its status from http_status, its message as detail. Internal
/// and Io errors keep their details for the log and say only that something went wrong.
Response problem(const Error& error);

/// The HTTP status that stands for a kind of error.
int http_status(ErrorCode code);

/// A `Range` header against a body of `size` bytes (RFC 9110, section 14). One range only: several
/// ranges, another unit or a malformed value count as no range, as the RFC allows.
struct ByteRange {
    enum class Kind {
        Whole,        ///< Answer 200 with everything.
        Part,         ///< Answer 206 with `offset` and `length`.
        Unsatisfiable ///< Answer 416 with "Content-Range: bytes */size".
    };
    Kind kind = Kind::Whole;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

ByteRange resolve_range(std::optional<std::string_view> header, std::uint64_t size);

/// Whether an If-None-Match value names this entity tag (`etag` with its quotes; weak comparison).
bool etag_matches(std::string_view if_none_match, std::string_view etag);

/// Bytes to serve with ranges and conditions: a file, or text that is here already.
struct Content {
    std::variant<std::string, FileBody> body;
    std::string etag; ///< With quotes, or empty for none.
    std::string content_type = "application/octet-stream";
};

/// 200, 206, 304 or 416 for a GET or HEAD of `content`, with ETag, Accept-Ranges, Content-Range and
/// If-Range honoured. A range of an empty body gives 200 with "Content-Range: bytes */0", which is
/// what clients of the Hugging Face Hub need.
Response content_response(const Request& request, Content content);

} // namespace locara::http
