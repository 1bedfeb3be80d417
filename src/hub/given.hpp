// What a request gives where only some values make sense. A wrong one is refused and never taken
// for the default: what is meant to be private must not become public by a typo.
#pragma once

#include "refusal.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace locara::hub {

/// A truth in a body: nothing if absent or null; 400, which names the key and what was found, for
/// another type.
Answer<std::optional<bool>> given_truth(const Json& object, const char* key);

/// A whole number in the query, from 0: nothing if absent or empty; 400 for another text.
Answer<std::optional<std::size_t>> given_number(const http::Request& request, std::string_view key);

} // namespace locara::hub
