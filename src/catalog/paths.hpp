// Paths in addresses, and TUF path patterns.
//
// Threads: plain functions.
#pragma once

#include <string>
#include <string_view>

namespace locara::catalog {

/// Whether a path matches a TUF path pattern (specification 1.0.34, section 4.5): shell globs in
/// which
/// `*`, `?` and `[...]` do not match `/`. Time is at most the product of the lengths.
bool matches_pattern(std::string_view pattern, std::string_view path);

/// Percent-encodes a path, in which `/` and what may stand in a part (RFC 3986, section 3.3) stay.
std::string escape_path(std::string_view path);

/// Whether a target name may become part of an address: not empty, no empty, `.` or `..` parts.
bool is_relative_path(std::string_view path);

/// "targets/" plus the escaped path whose last part has `<digest>.` in front.
std::string target_address(std::string_view name, std::string_view digest);

} // namespace locara::catalog
