#include <locara/runtime/launch.hpp>

#include <gtest/gtest.h>

namespace locara::runtime {
namespace {

TEST(LaunchCodes, open_one_app_once) {
    LaunchCodes codes;
    const std::string code = codes.issue("locara--quick-add");
    EXPECT_EQ(code.size(), 64U);
    EXPECT_NE(code, codes.issue("locara--quick-add"));
    EXPECT_FALSE(codes.redeem("locara--other", code));
    EXPECT_FALSE(codes.redeem("locara--quick-add", code.substr(1)));
    EXPECT_FALSE(codes.redeem("locara--quick-add", ""));
    EXPECT_TRUE(codes.redeem("locara--quick-add", code));
    EXPECT_FALSE(codes.redeem("locara--quick-add", code)) << "used twice";
}

TEST(LaunchCodes, last_ten_minutes) {
    LaunchCodes::Time now{};
    LaunchCodes codes([&now] { return now; });
    const std::string in_time = codes.issue("a");
    const std::string too_late = codes.issue("a");
    now += std::chrono::minutes(10) - std::chrono::seconds(1);
    EXPECT_TRUE(codes.redeem("a", in_time));
    now += std::chrono::seconds(1);
    EXPECT_FALSE(codes.redeem("a", too_late));
}

TEST(LaunchCodes, are_bounded_in_number) {
    LaunchCodes codes;
    const std::string first = codes.issue("a");
    for (std::size_t n = 0; n < LaunchCodes::kMaxOpen; ++n) {
        codes.issue("a");
    }
    EXPECT_FALSE(codes.redeem("a", first));
}

TEST(Tokens, open_the_app_they_were_issued_for) {
    Tokens tokens;
    const std::string token = tokens.issue("a");
    EXPECT_EQ(token.size(), 64U);
    EXPECT_TRUE(tokens.accepts("a", token));
    EXPECT_FALSE(tokens.accepts("b", token));
    EXPECT_FALSE(tokens.accepts("a", ""));
    EXPECT_FALSE(tokens.accepts("a", token + "0"));
    EXPECT_TRUE(tokens.accepts("a", tokens.issue("a")));
    EXPECT_TRUE(tokens.accepts("a", token)) << "a second tab ended the first";
    tokens.revoke("a");
    EXPECT_FALSE(tokens.accepts("a", token));
}

TEST(Tokens, end_one_by_one) {
    Tokens tokens;
    const std::string token = tokens.issue("a");
    const std::string other = tokens.issue("a");
    EXPECT_FALSE(tokens.revoke("b", token));
    EXPECT_FALSE(tokens.revoke("a", ""));
    EXPECT_TRUE(tokens.revoke("a", token));
    EXPECT_FALSE(tokens.revoke("a", token));
    EXPECT_FALSE(tokens.accepts("a", token));
    EXPECT_TRUE(tokens.accepts("a", other));
}

} // namespace
} // namespace locara::runtime
