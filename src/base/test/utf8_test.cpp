#include <locara/base/utf8.hpp>

#include <gtest/gtest.h>

#include <string>

namespace locara {
namespace {

TEST(Utf8, follows_rfc_3629) {
    for (const char* good : {"",
                             "a",
                             "\x7f",
                             "\xc2\x80",
                             "\xdf\xbf",
                             "\xe0\xa0\x80",
                             "\xed\x9f\xbf",
                             "\xee\x80\x80",
                             "\xef\xbf\xbf",
                             "\xf0\x90\x80\x80",
                             "\xf4\x8f\xbf\xbf",
                             "eight bytes and \xe2\x82\xac more of them"}) {
        EXPECT_TRUE(is_utf8(good)) << good;
    }
    for (const char* bad : {"\x80",
                            "\xc0\x80",
                            "\xc1\xbf",
                            "\xc2",
                            "\xc2\x41",
                            "\xe0\x9f\xbf",
                            "\xed\xa0\x80",
                            "\xe2\x82",
                            "\xf0\x8f\xbf\xbf",
                            "\xf4\x90\x80\x80",
                            "\xf5\x80\x80\x80",
                            "\xff",
                            "eight bytes and \xe2\x82",
                            "eight bytes and \xff more",
                            "12345678\x80"}) {
        EXPECT_FALSE(is_utf8(bad)) << bad;
    }
}

TEST(Utf8, does_not_depend_on_where_blocks_end) {
    const std::string text = "plain text, \xe2\x82\xac and \xf0\x9f\x99\x82, plain text again";
    for (std::size_t i = 0; i <= text.size(); ++i) {
        Utf8Checker checker;
        EXPECT_TRUE(checker.feed(text.substr(0, i)) && checker.feed(text.substr(i)) &&
                    checker.complete())
            << i;
        EXPECT_EQ(is_utf8(text.substr(0, i)), i < text.size() ? (text[i] & 0xC0) != 0x80 : true);
    }
}

} // namespace
} // namespace locara
