// The members of JSON text ("key": value), wherever they stand, for looking and not for using.
//
// A reader that is more lenient than Python's: comments, NaN, duplicates and any depth do not
// stop it, so that nothing is hidden by what a strict parser refuses. Linear, without recursion.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace locara::formats {

inline constexpr std::size_t kMaxJsonKey = 256; ///< bytes

struct JsonMember {
    std::string key;          ///< Unescaped; at most kMaxJsonKey bytes, longer ones are cut.
    char kind = '\0';         ///< First character of the value: { [ " t f n - or a digit.
    std::string text;         ///< The value if it is a string, cut at the walk's `max_text`.
    std::uint64_t object = 0; ///< Number of the object that it stands in, in the order of opening.
    std::uint64_t offset = 0; ///< Of the key's quote.
    std::uint64_t value_offset = 0; ///< Of the value's first character.
};

/// Calls `on_member` for each member in the order of the text.
void walk_json_members(std::string_view text,
                       const std::function<void(const JsonMember& member)>& on_member,
                       std::size_t max_text = kMaxJsonKey);

} // namespace locara::formats
