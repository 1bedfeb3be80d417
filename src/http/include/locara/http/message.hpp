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
#include <span>
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

/// Whether a comma-separated header value holds this token ("keep-alive, close").
bool holds_token(std::string_view list, std::string_view token);

/// The query of a target: decoded keys and values in order, keys may repeat.
class Query {
  public:
    /// Parses "a=1&b=%20+x" (a '+' is a space). InvalidArgument as of percent_decode.
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
/// slash gives an empty last one. InvalidArgument as of percent_decode, and on a segment that
/// decodes to "." or "..", which no client of ours sends.
Result<std::vector<std::string>> split_path(std::string_view raw_path);

/// Who sent a request.
struct Peer {
    std::string address;      ///< "127.0.0.1", "::1", or "unix".
    std::uint16_t port = 0;   ///< 0 on a unix socket.
    std::optional<uid_t> uid; ///< Of the connecting process, by SO_PEERCRED; only on a unix socket.

    bool is_unix() const { return uid.has_value(); }
};

/// A request body that is read while it arrives, for routes that ask for it.
class BodyReader {
  public:
    virtual ~BodyReader() = default;

    /// Fills the beginning of `buffer` and returns how many bytes that were: fewer than it holds
    /// only at the end, and 0 there. Errors: TooLarge (the route's limit), InvalidArgument (broken
    /// chunk coding), Timeout, Cancelled (the client has gone away). After an error there is
    /// nothing more to read, but the request can still be answered. A body that is not read to its
    /// end costs the client its connection.
    virtual boost::asio::awaitable<Result<std::size_t>> read(std::span<std::byte> buffer) = 0;
};

/// What is learnt of a request while it is answered, for who counts and logs answers. Written by
/// one thread at a time, the one that works on the request; the server reads it after the answer.
struct RequestNotes {
    std::string route; ///< The pattern of a Router that caught it; empty for none.
    std::string user;  ///< Who asked, if somebody found that out.
    /// From where, if somebody found out more than Peer::address tells: what a proxy says of it.
    std::string address;
};

struct Request {
    std::string method;                ///< "GET", as sent.
    std::string target;                ///< As sent, always starts with '/' ("*" for OPTIONS).
    std::string path;                  ///< The target before '?', still encoded.
    std::vector<std::string> segments; ///< The path split and then decoded, see split_path.
    Query query;
    Headers headers;
    std::string body; ///< Whole, at most the body limit of the route; empty when it is streamed.
    /// Instead of `body` on a route with Delivery::Streamed, else null. Borrowed: it is good until
    /// the handler returns, and on the handler's strand only.
    BodyReader* incoming = nullptr;
    Peer peer;
    /// The client's X-Request-Id if that is 1 to 64 letters, digits, '-', '_' and '.', else 16
    /// random hex digits; also sent back as X-Request-Id. Clients may repeat theirs.
    std::string id;
    /// Never null. Shared by the request and the server that logs its answer.
    std::shared_ptr<RequestNotes> notes = std::make_shared<RequestNotes>();
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

/// A body of known length, put together while it is sent: stretches of files, which the kernel
/// sends by itself, and text between them.
using Piece = std::variant<std::string, FileBody>;

struct PiecesBody {
    std::uint64_t length = 0; ///< Of all pieces together.
    /// Makes the next piece; may block, it runs on the server's pool, one call at a time. Called
    /// until the pieces have `length` bytes. An error, or pieces that are longer, cut the
    /// connection.
    std::function<Result<Piece>()> next;
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
    std::variant<std::string, FileBody, PiecesBody, StreamBody> body;

    /// Of a StreamBody whose length is known before it begins: it is sent with Content-Length, and
    /// a body that turns out longer or shorter cuts the connection.
    std::optional<std::uint64_t> stream_length;

    /// For a HEAD request whose handler knows the length but made no body.
    std::optional<std::uint64_t> head_length;
};

using Handler = std::function<boost::asio::awaitable<Response>(Request)>;

/// "Not Found" and so on; "Unknown" for a status that RFC 9110 does not name.
std::string_view reason_phrase(int status);

/// A whole text or JSON answer.
Response text_response(int status, std::string_view content_type, std::string body);
Response json_response(int status, std::string json);

/// RFC 9457: "type" (about:blank), "title" (the reason), "status", "detail", "code" (a stable word
/// such as "not_found"; left out when empty). "error" and X-Error-Message repeat the detail.
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

/// All the ranges of a `Range` header in the order they were given, for who answers
/// multipart/byteranges. Nothing when there is no such header, it is malformed, names another unit,
/// or has more than `most` ranges; a range behind the end of `size` bytes is left out.
std::optional<std::vector<ByteRange>>
resolve_ranges(std::optional<std::string_view> header, std::uint64_t size, std::size_t most);

/// Content that is put together for the part of it that is asked for.
struct RangedBody {
    std::uint64_t length = 0;
    /// Gives `size` bytes from `offset` on, which lie inside `length`.
    std::function<PiecesBody(std::uint64_t offset, std::uint64_t size)> open;
};

/// Bytes to serve with ranges and conditions: a file, text that is here already, or pieces.
struct Content {
    std::variant<std::string, FileBody, RangedBody> body;
    std::string etag; ///< With quotes, or empty for none.
    std::string content_type = "application/octet-stream";
};

/// 200, 206, 304 or 416 for a GET or HEAD of `content`, with ETag, Accept-Ranges, Content-Range and
/// If-Range honoured. A range of an empty body gives 200 with "Content-Range: bytes */0", which is
/// what clients of the Hugging Face Hub need.
Response content_response(const Request& request, Content content);

} // namespace locara::http
