// What handlers answer: a response, or a refusal (refusal.hpp) that becomes an error in one place.
//
// Errors are told as clients of the Hugging Face Hub read them: a JSON object with "error", and the
// headers X-Error-Code and X-Error-Message.
#pragma once

#include "escape_html.hpp"
#include "refusal.hpp"

#include <locara/base/clock.hpp>
#include <locara/base/json.hpp>
#include <locara/base/log.hpp>
#include <locara/http/server.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace locara::hub {

/// A handler that may block; it runs on the pool.
using SyncHandler = std::function<Answer<http::Response>(const http::Request&)>;

/// One that reads a streamed body; it runs on the connection's strand.
using StreamHandler =
    std::function<boost::asio::awaitable<Answer<http::Response>>(const http::Request&)>;

/// The refusal as a response; what is our own fault is logged under the request's id.
http::Response render_refusal(const Refusal& refusal, const http::Request& request, Log& log);

/// The refusals that several routes share.
Refusal no_such_repo();
Refusal no_such_revision(std::string_view revision);
Refusal no_such_entry(const std::string& commit, const std::string& message = "Entry not found");

/// 200 with this JSON; bytes that are no UTF-8 are replaced.
http::Response json_answer(const Json& json);

/// Whether the body is what a form sends ("a=1&b=2"), by its media type.
bool is_form(const http::Request& request);

/// Parses a body that must be a JSON object.
Answer<Json> parse_object(const http::Request& request);

/// "2026-01-01T00:00:00.000Z"
std::string render_date(TimePoint time);

/// Whether the client spoke https with a proxy in front, which says so in this header. What is not
/// believed of it was taken out before any handler sees it.
inline constexpr const char* kForwardedScheme = "X-Forwarded-Proto";
bool is_secure(const http::Request& request);

/// Our own address as the client knows it, for links that must be absolute: "http://host:port", or
/// https if it is_secure.
std::string endpoint(const http::Request& request);

/// A number in the query; nothing if absent or malformed.
std::optional<std::size_t> number(const http::Request& request, std::string_view key);

/// The address of the next page, as a Link header: the same query with this limit and cursor.
std::string next_page(const http::Request& request, std::size_t limit, std::size_t cursor);

} // namespace locara::hub
