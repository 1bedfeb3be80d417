#include <locara/base/result.hpp>

#include <gtest/gtest.h>

#include <memory>

namespace locara {
namespace {

Result<int> half(int value) {
    if (value % 2 != 0) {
        return Error(ErrorCode::InvalidArgument, std::to_string(value) + " is odd");
    }
    return value / 2;
}

Result<int> quarter(int value) {
    LOCARA_TRY(const int first, half(value).context("first half"));
    LOCARA_TRY(const int second, half(first).context("second half"));
    return second;
}

Status check_even(int value) {
    LOCARA_CHECK(half(value));
    return {};
}

TEST(Result, try_passes_values_down_and_errors_up) {
    ASSERT_TRUE(quarter(8));
    EXPECT_EQ(*quarter(8), 2);
    const auto failed = quarter(6);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(failed.error().describe(), "second half: 3 is odd");
}

TEST(Result, check_drops_the_value_and_keeps_the_error) {
    EXPECT_TRUE(check_even(2));
    EXPECT_FALSE(check_even(3));
}

TEST(Result, holds_move_only_values) {
    Result<std::unique_ptr<int>> owner(std::make_unique<int>(7));
    const std::unique_ptr<int> taken = std::move(owner).value();
    EXPECT_EQ(*taken, 7);
}

TEST(Result, context_lines_stand_outermost_first) {
    const Error error =
        Error(ErrorCode::Io, "disk on fire").add_context("inner").add_context("outer");
    EXPECT_EQ(error.describe(), "outer: inner: disk on fire");
}

TEST(Result, errno_maps_to_codes_a_caller_can_tell_apart) {
    EXPECT_EQ(Error::from_errno("x", ENOSPC).code(), ErrorCode::NoSpace);
    EXPECT_EQ(Error::from_errno("x", ENOENT).code(), ErrorCode::NotFound);
    EXPECT_EQ(Error::from_errno("x", EIO).code(), ErrorCode::Io);
    EXPECT_EQ(Error::from_errno("open /x", ENOENT).message(), "open /x: No such file or directory");
}

TEST(ResultDeathTest, taking_the_value_of_an_error_ends_the_program) {
    EXPECT_DEATH((void)quarter(6).value(), "assertion failed");
}

} // namespace
} // namespace locara
