#include <locara/base/line.hpp>

#include <gtest/gtest.h>

namespace locara {
namespace {

TEST(Line, is_text_that_is_seen_as_it_stands) {
    for (const char* good :
         {"", "sends notes away", "caf\xC3\xA9, \xE4\xB8\xAD", "\xF0\x9F\x98\x80"}) {
        EXPECT_TRUE(check_line(good)) << good;
        EXPECT_EQ(clean_line(good), good);
    }
    for (const char* bad : {"a\nb",
                            "a\tb",
                            "a\x1B[31mb",
                            "a\x7F",
                            "a\xC2\x9Bm", // U+009B
                            "a\xE2\x80\xAE"
                            "b", // U+202E
                            "a\xE2\x81\xA6"
                            "b", // U+2066
                            "a\xE2\x80\x8B"
                            "b", // U+200B
                            "a\xE2\x80\xA8"
                            "b", // U+2028
                            "a\xFF",
                            "a\xE2\x80"}) {
        EXPECT_EQ(check_line(bad).error().code(), ErrorCode::InvalidArgument) << bad;
        EXPECT_TRUE(check_line(clean_line(bad))) << bad;
    }
    EXPECT_EQ(clean_line("a\xE2\x80\xAE"
                         "b\nc"),
              "a?b?c");
}

TEST(Line, feeds_are_all_that_several_lines_may_have_besides) {
    EXPECT_TRUE(check_lines("a\n\nb\n"));
    for (const char* bad : {"a\tb", "a\r\nb", "a\xE2\x80\xAE", "a\xE2\x80\xA8", "a\xFF"}) {
        EXPECT_EQ(check_lines(bad).error().code(), ErrorCode::InvalidArgument) << bad;
    }
}

TEST(Line, that_must_say_something_is_not_blank) {
    EXPECT_TRUE(check_filled_line(" \xC3\xA9"));
    for (const char* blank : {"", "  ", "\xC2\xA0\xE3\x80\x80", "\xE3\x85\xA4", "\t", "a\nb"}) {
        EXPECT_EQ(check_filled_line(blank).error().code(), ErrorCode::InvalidArgument) << blank;
    }
}

TEST(Line, is_cut_between_characters) {
    EXPECT_EQ(cut_line("seven b", 7), "seven b");
    EXPECT_EQ(cut_line("eight by", 7), "eigh...");
    const std::string two = "\xC3\xA9"; // one character
    EXPECT_EQ(cut_line(two + two + two + two, 7), two + two + "...");
    EXPECT_EQ(cut_line(two + two + two + two, 6), two + "...");
    EXPECT_EQ(cut_line(two + two, 3), "...");
}

TEST(Line, of_somebody_else_is_quoted_and_short) {
    EXPECT_EQ(quote_line("colour"), "\"colour\"");
    EXPECT_EQ(quote_line("a\x1B[2Jb"), "\"a?[2Jb\"");
    EXPECT_EQ(quote_line(std::string(70, 'x')), '"' + std::string(57, 'x') + "...\"");
}

} // namespace
} // namespace locara
