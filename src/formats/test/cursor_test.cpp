#include "cursor.hpp"

#include <gtest/gtest.h>

namespace locara::formats {
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

TEST(Cursor, reads_across_its_window) {
    std::string bytes;
    for (int i = 0; i < 1000; ++i) {
        bytes += static_cast<char>(i);
    }
    const MemorySource source(as_bytes(bytes));
    Cursor cursor(source, 3, 7);
    std::uint8_t byte = 0;
    ASSERT_TRUE(cursor.next(byte));
    EXPECT_EQ(byte, 3);
    std::uint64_t word = 0;
    ASSERT_TRUE(cursor.take_le(word));
    EXPECT_EQ(word, 0x0B0A090807060504ULL);
    std::string text;
    ASSERT_TRUE(cursor.take_text(20, text));
    EXPECT_EQ(text, bytes.substr(12, 20));
    ASSERT_TRUE(cursor.skip(500));
    EXPECT_EQ(cursor.ahead().front(), bytes[532]);
    EXPECT_EQ(cursor.offset(), 532U);
    EXPECT_FALSE(cursor.take_text(469, text)); // one more than there is
    ASSERT_TRUE(cursor.take_text(468, text));
    EXPECT_EQ(text, bytes.substr(532));
    EXPECT_FALSE(cursor.next(byte));
    EXPECT_TRUE(cursor.ahead().empty());
    EXPECT_FALSE(cursor.io_error());
}

TEST(Messages, quote_what_files_hold) {
    EXPECT_EQ(quote_for_message("a\n\"\\\xff"), "\"a\\x0a\\x22\\x5c\\xff\"");
    EXPECT_EQ(quote_for_message(std::string(81, 'x')), "\"" + std::string(80, 'x') + "...\"");
}

} // namespace
} // namespace locara::formats
