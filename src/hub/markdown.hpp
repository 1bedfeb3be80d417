// Markdown that strangers wrote, as HTML that is safe to show.
//
// CommonMark with tables, strikethrough, task lists and bare addresses, parsed by cmark-gfm. All
// that comes out is made here: known tags, escaped text, addresses that were looked at. Raw HTML is
// left out, and what is between its tags stays as text. No script, style, id, class or form gets
// through; pictures come from this hub only, others become links. Threads: plain functions.
#pragma once

#include <locara/base/result.hpp>

#include <string>
#include <string_view>

namespace locara::hub {

/// `base` stands before relative addresses, as "/ana/tiny/resolve/main/"; where it is empty they
/// are no links. TooLarge for more than 64 KiB, tables that may have more than 20,000 cells or
/// 1,000 columns, thousands of addresses in one word, or what becomes more than 8 MiB of HTML;
/// InvalidArgument for what is nested more than 64 deep.
Result<std::string> render_markdown(std::string_view text, std::string_view base = "");

/// The same where there is always something to show: what cannot be rendered is shown as it was
/// written.
std::string show_markdown(std::string_view text, std::string_view base = "");

} // namespace locara::hub
