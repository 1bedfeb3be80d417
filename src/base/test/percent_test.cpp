#include <locara/base/percent.hpp>

#include <gtest/gtest.h>

#include <string>

namespace locara {
namespace {

TEST(PercentEncode, keeps_unreserved_characters_and_those_asked_for) {
    EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
    EXPECT_EQ(percent_encode("a b/\xc3\xa9+%#?&", "/"), "a%20b/%C3%A9%2B%25%23%3F%26");
    EXPECT_EQ(percent_encode("../x"), "..%2Fx");
}

TEST(PercentDecode, undoes_encode_for_every_text_without_nul) {
    std::string all;
    for (int i = 1; i < 128; ++i) {
        all += static_cast<char>(i);
    }
    all += "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    EXPECT_EQ(*percent_decode(percent_encode(all)), all);
}

TEST(PercentDecode, takes_both_cases_decodes_once_and_leaves_the_plus) {
    EXPECT_EQ(*percent_decode("%2f%2F%252F+"), "//%2F+");
}

TEST(PercentDecode, refuses_broken_escapes_nul_and_what_is_no_utf8) {
    for (const std::string& text : {std::string("%"),
                                    std::string("a%"),
                                    std::string("a%4"),
                                    std::string("a%zz"),
                                    std::string("a%4g"),
                                    std::string("a%00b"),
                                    std::string("a\0b", 3),
                                    std::string("%ff"),
                                    std::string("a\xc3"),
                                    std::string("%c0%80"),
                                    std::string("%ed%a0%80")}) {
        const auto decoded = percent_decode(text);
        ASSERT_FALSE(decoded) << text;
        EXPECT_EQ(decoded.error().code(), ErrorCode::InvalidArgument) << text;
    }
}

} // namespace
} // namespace locara
