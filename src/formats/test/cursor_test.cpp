#include "cursor.hpp"

#include <gtest/gtest.h>

namespace locara::formats {
namespace {

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
