// What the gate asks of text: chat templates, configurations that name code, SVGs with scripts,
// secrets.
#pragma once

#include <locara/formats/byte_source.hpp>
#include <locara/formats/sniff.hpp>
#include <locara/formats/verdict.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace locara::formats {

/// Configurations, SVG: longer ones are not looked through.
inline constexpr std::uint64_t kMaxInspectedText = 8U << 20U;

/// The first rule that text of this kind (Json, Svg, Script, Text) breaks by its content: "svg.*",
/// "json.*", "secret.*", "template.*"; or kRuleRead. `name` is the last part of its path.
std::optional<Finding> check_text(const ByteSource& source, Kind kind, std::string_view name);

} // namespace locara::formats
