// Percent encoding, as RFC 3986 section 2.1 has it for the parts of an address.
//
// Threads: plain functions.
#pragma once

#include <locara/base/result.hpp>

#include <string>
#include <string_view>

namespace locara {

/// Encodes every byte but the unreserved characters (letters, digits, `-._~`) and those in `keep`.
std::string percent_encode(std::string_view text, std::string_view keep = "");

/// Replaces %XX once, in either case. InvalidArgument on a broken escape, on any NUL,
/// and when what comes out is no UTF-8.
Result<std::string> percent_decode(std::string_view text);

} // namespace locara
