// Texts in HTML.
#pragma once

#include <string>
#include <string_view>

namespace locara::hub {

/// A text for HTML, within tags or attributes in double quotes.
std::string escape_html(std::string_view text);

} // namespace locara::hub
