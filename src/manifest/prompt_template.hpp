// A prompt template cut into text and fields.
#pragma once

#include <locara/base/result.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace locara::manifest {

struct TemplatePart {
    bool is_field = false;
    std::string text; ///< The text itself, or the field's name.
};

/// InvalidArgument if a "{{" is not closed.
Result<std::vector<TemplatePart>> split_template(std::string_view text);

} // namespace locara::manifest
