#include "credentials.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/bytes.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

std::optional<std::string_view> after_scheme(std::string_view header, std::string_view scheme) {
    if (header.size() <= scheme.size() ||
        !equals_ignoring_case(header.substr(0, scheme.size()), scheme) ||
        header[scheme.size()] != ' ') {
        return std::nullopt;
    }
    return header.substr(scheme.size() + 1);
}

} // namespace

std::optional<std::string> credentials(const http::Request& request) {
    const auto header = request.headers.find("Authorization");
    if (!header) {
        return std::nullopt;
    }
    if (const auto token = after_scheme(*header, "Bearer")) {
        return std::string(*token);
    }
    if (const auto encoded = after_scheme(*header, "Basic")) {
        const auto plain = parse_base64(*encoded);
        const std::string text(plain ? as_text(*plain) : std::string_view());
        const std::size_t colon = text.find(':');
        return colon == std::string::npos ? "" : text.substr(colon + 1);
    }
    return "";
}

std::optional<std::string> session_cookie(const http::Request& request) {
    std::string_view left = request.headers.find("Cookie").value_or("");
    while (!left.empty()) {
        const std::size_t end = std::min(left.find(';'), left.size());
        std::string_view one = left.substr(0, end);
        one.remove_prefix(std::min(one.find_first_not_of(' '), one.size()));
        const std::size_t equals = one.find('=');
        if (equals != std::string_view::npos && one.substr(0, equals) == kSessionCookie) {
            return std::string(one.substr(equals + 1));
        }
        left.remove_prefix(std::min(end + 1, left.size()));
    }
    return std::nullopt;
}

} // namespace locara::hub
