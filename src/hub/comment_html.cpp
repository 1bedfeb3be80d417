#include "comment_html.hpp"

#include "escape_html.hpp"
#include "markdown.hpp"

namespace locara::hub {

std::string CommentHtml::show(const std::string& text) {
    if (text.size() <= text_) {
        text_ -= text.size();
        std::string html = show_markdown(text);
        if (html.size() <= html_) {
            html_ -= html.size();
            return html;
        }
    }
    return "<pre>" + escape_html(text) + "</pre>\n";
}

} // namespace locara::hub
