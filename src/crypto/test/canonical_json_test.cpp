#include <locara/crypto/canonical_json.hpp>

#include <gtest/gtest.h>

namespace locara::crypto {
namespace {

std::string canonical(std::string_view text) {
    return render_canonical_json(parse_json(text).value()).value();
}

// The examples that securesystemslib, the reference implementation of TUF's form, tests itself
// with.
TEST(CanonicalJson, follows_the_examples_of_the_reference_implementation) {
    EXPECT_EQ(canonical(R"("")"), R"("")");
    EXPECT_EQ(canonical("[1, 2, 3]"), "[1,2,3]");
    EXPECT_EQ(canonical("[]"), "[]");
    EXPECT_EQ(canonical("{}"), "{}");
    EXPECT_EQ(canonical(R"({"A": [99]})"), R"({"A":[99]})");
    EXPECT_EQ(canonical(R"({"x": 3, "y": 2})"), R"({"x":3,"y":2})");
    EXPECT_EQ(canonical(R"({"x": 3, "y": null})"), R"({"x":3,"y":null})");
    EXPECT_EQ(canonical("[true, false, null]"), "[true,false,null]");
}

TEST(CanonicalJson, sorts_members_by_code_point_at_every_level) {
    EXPECT_EQ(canonical(R"({"b": {"z": 1, "a": 2}, "B": 0, "é": 1, "😀": 2, "ﬁ": 3})"),
              R"({"B":0,"b":{"a":2,"z":1},"é":1,"ﬁ":3,"😀":2})");
}

TEST(CanonicalJson, escapes_quotes_and_backslashes_and_nothing_else) {
    EXPECT_EQ(canonical(R"("a\"b\\c\n\t\u0001\/\u00e9")"), "\"a\\\"b\\\\c\n\t\x01/\xC3\xA9\"");
}

TEST(CanonicalJson, keeps_integers_of_64_bits) {
    EXPECT_EQ(canonical("[-9223372036854775808, 18446744073709551615, -0]"),
              "[-9223372036854775808,18446744073709551615,0]");
}

TEST(CanonicalJson, refuses_numbers_without_a_canonical_form) {
    for (const auto* text : {"1.5", "[1.0]", R"({"a":1e3})", "18446744073709551616"}) {
        const auto result = render_canonical_json(parse_json(text).value());
        ASSERT_FALSE(result) << text;
        EXPECT_EQ(result.error().code(), ErrorCode::InvalidArgument);
    }
}

} // namespace
} // namespace locara::crypto
