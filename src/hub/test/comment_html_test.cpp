#include "../comment_html.hpp"

#include <gtest/gtest.h>

namespace locara::hub {
namespace {

TEST(CommentHtml, renders_until_there_is_much_and_then_shows_what_was_written) {
    CommentHtml html;
    EXPECT_EQ(html.show("*a*"), "<p><em>a</em></p>\n");
    std::string large = "*a*";
    large.resize(std::size_t{64} << 10U, 'x');
    for (int i = 0; i < 7; ++i) {
        EXPECT_EQ(html.show(large).substr(0, 8), "<p><em>a");
    }
    EXPECT_EQ(html.show(large).substr(0, 8), "<pre>*a*");
    EXPECT_EQ(html.show("*a*"), "<p><em>a</em></p>\n"); // There is room for that.
    EXPECT_EQ(CommentHtml().show(large).substr(0, 8), "<p><em>a");
}

} // namespace
} // namespace locara::hub
