// The code points of UTF-8, and those that nobody sees or that move what others see.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace locara {

/// One code point of UTF-8 at `at`, which moves behind it; nothing if malformed (overlong forms,
/// surrogates and values above U+10FFFF included).
std::optional<char32_t> next_code_point(std::string_view text, std::size_t& at);

struct CodePoints {
    char32_t first;
    char32_t last;
    const char* what;
};

/// What the range is that has the code point; null if none has.
const char* find_in(std::span<const CodePoints> ranges, char32_t code);

/// The same of control, invisible, bidirectional and special characters, and separators of lines.
const char* find_unseen(char32_t code);

/// Whether nothing is to be seen where it stands, though find_unseen lets it be: spaces and
/// fillers.
bool is_blank(char32_t code);

} // namespace locara
