// The comments of one answer as HTML, of which there is not without end: rendering Markdown takes
// long for some texts, and some become many times as long.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <string>

namespace locara::hub {

/// Of one answer: text that is rendered, and what it may become.
inline constexpr std::size_t kRenderedText = std::size_t{512} << 10U; ///< Bytes.
inline constexpr std::size_t kRenderedHtml = std::size_t{4} << 20U;   ///< Bytes.

class CommentHtml {
  public:
    /// As show_markdown; once there was so much, a text is shown as it was written.
    std::string show(const std::string& text);

  private:
    std::size_t text_ = kRenderedText;
    std::size_t html_ = kRenderedHtml;
};

} // namespace locara::hub
