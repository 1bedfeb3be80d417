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

/// Levels of JSON in a file of that name.
inline constexpr std::uint64_t kMaxJsonDepth = 512;

/// The first rule that text of this kind (Json, Svg, Script, Text) breaks by its content: "svg.*",
/// "json.*", "secret.*", "template.*"; or kRuleRead. `as` is the last part of its path, in whatever
/// case.
std::optional<Finding> check_text(const ByteSource& source, Kind kind, std::string_view as);

} // namespace locara::formats
