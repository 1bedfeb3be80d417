#include <locara/base/bytes.hpp>

#include <gtest/gtest.h>

namespace locara {
namespace {

TEST(Hex, round_trips_every_byte_value) {
    Bytes all;
    for (int i = 0; i < 256; ++i) {
        all.push_back(static_cast<std::byte>(i));
    }
    EXPECT_EQ(*parse_hex(render_hex(all)), all);
}

TEST(Hex, refuses_upper_case_odd_length_and_foreign_characters) {
    EXPECT_FALSE(parse_hex("AB"));
    EXPECT_FALSE(parse_hex("abc"));
    EXPECT_FALSE(parse_hex("zz"));
}

TEST(Base64, follows_the_vectors_of_rfc_4648_section_10) {
    const std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
                                                                     {"f", "Zg=="},
                                                                     {"fo", "Zm8="},
                                                                     {"foo", "Zm9v"},
                                                                     {"foob", "Zm9vYg=="},
                                                                     {"fooba", "Zm9vYmE="},
                                                                     {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, coded] : vectors) {
        EXPECT_EQ(render_base64(as_bytes(plain)), coded);
        EXPECT_EQ(as_text(*parse_base64(coded)), plain);
    }
}

TEST(Base64, for_urls_has_no_padding_and_no_character_that_means_something_there) {
    EXPECT_EQ(render_base64url(as_bytes("fo")), "Zm8");
    EXPECT_EQ(render_base64url(as_bytes("\xff\xef\xfe")), "_-_-");
}

TEST(Base64, refuses_spare_bits_and_misplaced_padding) {
    EXPECT_FALSE(parse_base64("Zh=="));
    EXPECT_FALSE(parse_base64("Zm9="));
    EXPECT_FALSE(parse_base64("Z==="));
    EXPECT_FALSE(parse_base64("Zg==Zg=="));
    EXPECT_FALSE(parse_base64("Zg="));
}

TEST(Sizes, files_count_in_tens_and_memory_in_twos) {
    EXPECT_EQ(render_size(0), "0 B");
    EXPECT_EQ(render_size(999), "999 B");
    EXPECT_EQ(render_size(1000), "1.0 kB");
    EXPECT_EQ(render_size(6'600'000'000), "6.6 GB");
    EXPECT_EQ(render_size(180'000'000'000), "180 GB");
    EXPECT_EQ(render_memory(512ULL << 20U), "512 MiB");
    EXPECT_EQ(render_memory(5ULL << 30U), "5.0 GiB");
}

} // namespace
} // namespace locara
