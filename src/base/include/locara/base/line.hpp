// Text for people, mostly one line, which nothing in it may break, hide or turn around. Threads:
// plain functions.
#pragma once

#include <locara/base/result.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace locara {

/// InvalidArgument, naming what it holds, unless a text is UTF-8 without control, bidirectional,
/// zero-width or otherwise invisible characters.
Status check_line(std::string_view text);

/// The same of a text of several lines: line feeds are fine.
Status check_lines(std::string_view text);

/// As check_line, and InvalidArgument for a text in which nothing is to be read: empty, or of
/// blanks alone.
Status check_filled_line(std::string_view text);

/// The text with `?` for each byte or character that check_line refuses.
std::string clean_line(std::string_view text);

/// The text if it has at most `bytes` bytes; else what of it fits at a character's edge, and "...".
/// REQUIRES: UTF-8; bytes >= 3.
std::string cut_line(std::string text, std::size_t bytes);

/// Somebody else's text for a message: clean, at most 60 bytes of it, in quotes.
std::string quote_line(std::string_view text);

} // namespace locara
