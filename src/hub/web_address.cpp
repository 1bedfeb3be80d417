#include "web_address.hpp"

#include <algorithm>
#include <string_view>

namespace locara::hub {
namespace {

constexpr std::size_t kLimit = 2048;

/// Where the host begins; npos if it is no address of the web.
std::size_t host_begin(std::string_view address) {
    for (const std::string_view scheme : {"https://", "http://"}) {
        if (address.substr(0, scheme.size()) == scheme) {
            return scheme.size();
        }
    }
    return std::string_view::npos;
}

} // namespace

Status check_web_address(const std::string& address) {
    const std::size_t begin = host_begin(address);
    const bool plain = std::all_of(address.begin(), address.end(), [](char c) {
        return c > 0x20 && c < 0x7f &&
               std::string_view("\"'<>\\^`{|}#;,").find(c) == std::string_view::npos;
    });
    if (begin == std::string::npos || !plain || address.size() > kLimit) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + address.substr(0, kLimit) +
                         "' is no address of the web: https://host/path, without a fragment");
    }
    const std::string_view host =
        std::string_view(address).substr(begin, address.find_first_of("/?", begin) - begin);
    if (host.empty() || host.find('@') != std::string_view::npos) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + address + "' names no host, or a user beside it");
    }
    return {};
}

std::string origin_of(const std::string& address) {
    return address.substr(0, address.find_first_of("/?", host_begin(address)));
}

} // namespace locara::hub
