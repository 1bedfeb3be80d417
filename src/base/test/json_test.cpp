#include <locara/base/json.hpp>

#include <gtest/gtest.h>

namespace locara {
namespace {

TEST(Json, keeps_the_order_of_keys) {
    EXPECT_EQ(render_json(*parse_json(R"({ "b": 1, "a": [true, null, "x"] })")),
              R"({"b":1,"a":[true,null,"x"]})");
}

TEST(Json, refuses_duplicate_keys_also_when_escaped) {
    const auto twice = parse_json(R"({"a":1,"\u0061":2})");
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().code(), ErrorCode::InvalidArgument);
    EXPECT_NE(twice.error().message().find("stands twice"), std::string::npos);
    EXPECT_TRUE(parse_json(R"([{"a":1},{"a":2}])"));
}

TEST(Json, bounds_depth_and_size) {
    const auto nested = [](int levels) {
        return std::string(static_cast<std::size_t>(levels), '[') +
               std::string(static_cast<std::size_t>(levels), ']');
    };
    EXPECT_TRUE(parse_json(nested(32)));
    EXPECT_EQ(parse_json(nested(33)).error().code(), ErrorCode::TooLarge);
    EXPECT_TRUE(parse_json(R"({"a":1,"b":{"c":1,"d":2}})", {.keys = 2}));
    EXPECT_EQ(parse_json(R"({"a":1,"b":1,"c":1})", {.keys = 2}).error().code(),
              ErrorCode::TooLarge);
    EXPECT_EQ(parse_json("[1,2,3]", {.bytes = 6}).error().code(), ErrorCode::TooLarge);
}

TEST(Json, shows_no_foreign_bytes_of_a_malformed_document) {
    for (const std::string text : {"[\"\xff\"]", "[\"\x1b[2J\"]", "{\"a\x7f\":1,\"a\x7f\":1}"}) {
        const auto parsed = parse_json(text);
        ASSERT_FALSE(parsed);
        for (const char c : parsed.error().message()) {
            EXPECT_TRUE(c >= 0x20 && c <= 0x7E) << parsed.error().message();
        }
    }
    EXPECT_LT(parse_json("\"" + std::string(100'000, 'x')).error().message().size(), 200U);
}

TEST(Json, names_the_byte_of_a_syntax_error) {
    const auto bad = parse_json("{\"a\": }");
    ASSERT_FALSE(bad);
    EXPECT_NE(bad.error().message().find("at byte 7"), std::string::npos) << bad.error().message();
    EXPECT_FALSE(parse_json(""));
    EXPECT_FALSE(parse_json("\xEF\xBB\xBF{}"));
    EXPECT_FALSE(parse_json("\"\xff\""));
    EXPECT_FALSE(parse_json("{} x"));
    EXPECT_FALSE(parse_json(std::string_view("{}\0 x", 5)));
    EXPECT_FALSE(parse_json(std::string_view("{}\0", 3)));
}

} // namespace
} // namespace locara
