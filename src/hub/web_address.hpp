// Addresses of the web that people give, for links and redirects.
#pragma once

#include <locara/base/result.hpp>

#include <string>

namespace locara::hub {

/// http:// or https:// with a host and no user, of printable ASCII without quotes, spaces, '<', '>'
/// or a fragment, at most 2048 bytes. InvalidArgument.
Status check_web_address(const std::string& address);

/// "https://host:port" of an address that passed.
std::string origin_of(const std::string& address);

} // namespace locara::hub
