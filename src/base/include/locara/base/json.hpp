// Strict JSON: what every reader of outside JSON in Locara uses.
//
// Follows RFC 8259 with the stricter choices of I-JSON (RFC 7493): UTF-8 only, no duplicate keys,
// and bounds on size and depth. The parser itself is nlohmann-json's.
#pragma once

#include <locara/base/result.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string_view>

namespace locara {

/// JSON whose objects keep the order of their keys.
using Json = nlohmann::ordered_json;

struct JsonLimits {
    std::size_t bytes = 8U << 20U;
    std::size_t depth = 32; ///< Deeper than any document of ours; keeps recursion harmless.
    /// In one object. Objects keep their order in a list, so building one takes quadratic time.
    std::size_t keys = 16'384;
};

/// Parses one document. Errors: TooLarge (a limit), InvalidArgument (syntax, duplicate key,
/// invalid UTF-8), each with the byte offset or the key.
Result<Json> parse_json(std::string_view text, JsonLimits limits = {});

/// Compact text, UTF-8, no escapes beyond what JSON asks for. The inverse of parse_json.
std::string render_json(const Json& value);

} // namespace locara
