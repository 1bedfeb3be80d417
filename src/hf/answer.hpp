// What answers of a Hub mean: error codes to errors with a fix in words, headers to facts. Private
// to the module. Follows the Hub's X-Error-Code convention.
#pragma once

#include <locara/hf/retry.hpp>

#include <string>
#include <string_view>

namespace locara::hf {

/// What was asked of whom, for messages. Its parts have passed make_resolve_url.
struct Asked {
    std::string endpoint;
    std::string repo;
    std::string revision;
    std::string path;
    bool with_token = false;
};

/// Most of an error body that is read.
inline constexpr std::size_t kMaxErrorBodyBytes = 16U << 10U;

/// The failure that an answer with this status means. `status` is not 2xx.
Failure failure_of(const http::ResponseHead& head, std::string_view body, const Asked& asked);

/// Whether an X-Error-Code says that the gate of a Locara hub refuses the content, whoever sends or
/// asks for it.
bool is_refused(std::string_view error_code);

/// What the server says about an error in its own words: " (words)", or nothing.
std::string said_in(const http::ResponseHead& head, std::string_view body);

/// "a-b/total" of a Content-Range in bytes.
struct ContentRange {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::optional<std::uint64_t> total; ///< nullopt for "*".

    static std::optional<ContentRange> parse(std::string_view text);
};

/// A decimal number that is the whole text.
std::optional<std::uint64_t> parse_length(std::string_view text);

/// An entity tag without W/ and quotes.
std::string bare_etag(std::string_view etag);

/// Corrupt when a hop of the answer states another commit than `revision` (a commit).
Status check_commit(const http::ResponseHead& head, const Asked& asked);

/// Text from outside, safe for one line of a message: printable ASCII, at most 200 characters.
std::string printable(std::string_view text);

} // namespace locara::hf
