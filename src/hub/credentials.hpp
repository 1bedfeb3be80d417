// What a request brings to say who asks: a token, or the cookie of the hub's pages. Whether it is
// any good is for access.hpp.
#pragma once

#include <locara/http/message.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace locara::hub {

/// The token of a Basic or Bearer header; empty if the header is another one, nothing without one.
std::optional<std::string> credentials(const http::Request& request);

/// The cookie of who is signed in at the hub's pages.
inline constexpr std::string_view kSessionCookie = "token";
std::optional<std::string> session_cookie(const http::Request& request);

} // namespace locara::hub
