// SVG: whether one is a still drawing (SVG 1.1 and 2), by lists of what that has.
//
// Read as XML without a library, strictly: what browsers might read in two ways is none. Elements
// and attributes of drawing programs pass, as no renderer knows them.
#pragma once

#include <locara/formats/verdict.hpp>

#include <optional>
#include <string_view>

namespace locara::formats {

/// "svg.script" with the first thing that a drawing does not have: an element or attribute that is
/// not on the lists (svg_names.hpp), a reference that leads out of the file, a declaration,
/// or text that is not well-formed. Memory beyond `text` is bounded.
std::optional<Finding> check_svg(std::string_view text);

} // namespace locara::formats
