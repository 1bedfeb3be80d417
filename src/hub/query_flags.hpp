// Truths in a query, such as `recursive=true`: a wrong one is refused and never guessed.
#pragma once

#include "refusal.hpp"

#include <string_view>
#include <variant>

namespace locara::hub {

/// False if absent, true without a value; 400 for what is neither `true` nor `false`, nor 1 or 0.
Answer<bool> given_flag(const http::Request& request, std::string_view key);

/// 400 if the query has a wrong one under a key that is a truth wherever it stands: `blobs`,
/// `recursive` and the like. Not `expand`, which may be a list too.
Answer<std::monostate> check_flags(const http::Request& request);

} // namespace locara::hub
