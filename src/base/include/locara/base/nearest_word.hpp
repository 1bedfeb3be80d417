// The word that a typo may stand for, for "did you mean".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace locara {

/// The one of `known` that is nearest to what was found, by letters put in, taken out or changed;
/// empty if none is near, or `found` has more than 64 bytes.
std::string nearest_word(std::string_view found, const std::vector<std::string>& known);

} // namespace locara
