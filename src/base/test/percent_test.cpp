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

TEST(PercentDecode, undoes_encode_for_every_byte_but_nul) {
    std::string all;
    for (int i = 1; i < 256; ++i) {
        all += static_cast<char>(i);
    }
    EXPECT_EQ(*percent_decode(percent_encode(all)), all);
}

TEST(PercentDecode, takes_both_cases_decodes_once_and_leaves_the_plus) {
    EXPECT_EQ(*percent_decode("%2f%2F%252F+"), "//%2F+");
}

TEST(PercentDecode, refuses_broken_escapes_and_nul) {
    for (const std::string& text : {std::string("%"),
                                    std::string("a%"),
                                    std::string("a%4"),
                                    std::string("a%zz"),
                                    std::string("a%4g"),
                                    std::string("a%00b"),
                                    std::string("a\0b", 3)}) {
        const auto decoded = percent_decode(text);
        ASSERT_FALSE(decoded) << text;
        EXPECT_EQ(decoded.error().code(), ErrorCode::InvalidArgument) << text;
    }
}

} // namespace
} // namespace locara
