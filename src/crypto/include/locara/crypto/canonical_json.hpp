// Canonical JSON as OLPC defined it (http://wiki.laptop.org/go/Canonical_JSON), the form over which
// TUF signs and computes key ids.
//
// For TUF alone: every other digest in Locara is over bytes as stored. Members are sorted by code
// point, there is no white space, only `"` and `\` are escaped, and numbers are integers.
//
// Threads: plain functions.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>

#include <string>

namespace locara::crypto {

/// The canonical form. InvalidArgument for what has none: fractions, exponents and integers beyond
/// 64 bits. The value is taken as parse_json gives it (no duplicate keys, bounded depth).
Result<std::string> render_canonical_json(const Json& value);

} // namespace locara::crypto
