#include "numbers.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace locara::convert {
namespace {

TEST(Numbers, every_half_comes_back_as_itself) {
    for (std::uint32_t bits = 0; bits < 0x1'0000; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits);
        const float value = half_to_float(half);
        EXPECT_EQ(float_to_half(value), half);
        EXPECT_EQ(std::isnan(value), (half & 0x7FFFU) > 0x7C00U);
    }
}

TEST(Numbers, every_bfloat_comes_back_as_itself) {
    for (std::uint32_t bits = 0; bits < 0x1'0000; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits);
        const bool nan = (half & 0x7FFFU) > 0x7F80U;
        const auto wanted = static_cast<std::uint16_t>(nan ? half | 64U : half); // made quiet
        EXPECT_EQ(float_to_bfloat(bfloat_to_float(half)), wanted);
    }
}

/// Against the definition: of the two neighbours the nearer one, of a tie the even one.
TEST(Numbers, halves_are_rounded_to_nearest_even) {
    for (std::uint16_t half = 0; half < 0x7BFF; ++half) {
        const float low = half_to_float(half);
        const float high = half_to_float(static_cast<std::uint16_t>(half + 1));
        const float middle = low + (high - low) / 2; // exact in binary32
        const auto even = static_cast<std::uint16_t>((half & 1U) != 0 ? half + 1 : half);
        EXPECT_EQ(float_to_half(middle), even);
        EXPECT_EQ(float_to_half(-middle), even | 0x8000U);
        EXPECT_EQ(float_to_half(std::nextafter(middle, 0.0F)), half);
        EXPECT_EQ(float_to_half(std::nextafter(middle, 1e9F)), half + 1);
    }
    EXPECT_EQ(float_to_half(65519.996F), 0x7BFF);
    EXPECT_EQ(float_to_half(65520.0F), 0x7C00);
    EXPECT_EQ(float_to_half(1e-30F), 0);
}

TEST(Numbers, bfloats_are_rounded_to_nearest_even) {
    EXPECT_EQ(float_to_bfloat(std::bit_cast<float>(0x3F80'8000U)), 0x3F80); // tie, even below
    EXPECT_EQ(float_to_bfloat(std::bit_cast<float>(0x3F81'8000U)), 0x3F82); // tie, even above
    EXPECT_EQ(float_to_bfloat(std::bit_cast<float>(0x3F80'8001U)), 0x3F81);
    EXPECT_EQ(float_to_bfloat(std::bit_cast<float>(0x3F80'7FFFU)), 0x3F80);
}

TEST(Numbers, what_becomes_infinite_is_told) {
    const auto run = [](float value, Number to) {
        std::array<std::byte, 4> in{};
        const auto bits = std::bit_cast<std::uint32_t>(value);
        for (std::size_t i = 0; i < 4; ++i) {
            in[i] = static_cast<std::byte>((bits >> (8 * i)) & 0xFFU);
        }
        std::array<std::byte, 2> out{};
        return convert_numbers(Number::F32, in, to, out);
    };
    EXPECT_TRUE(run(65504.0F, Number::F16));
    EXPECT_FALSE(run(-65520.0F, Number::F16));
    EXPECT_TRUE(run(65520.0F, Number::BF16));
    EXPECT_FALSE(run(std::numeric_limits<float>::max(), Number::BF16));
    EXPECT_TRUE(run(std::numeric_limits<float>::infinity(), Number::F16)); // it was so before
}

} // namespace
} // namespace locara::convert
