#include "numbers.hpp"

#include <locara/base/result.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

namespace locara::convert {

namespace {

template <class T> T load(const std::byte* at) {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        value = static_cast<T>(value | static_cast<T>(static_cast<T>(at[i]) << (8U * i)));
    }
    return value;
}

template <class T> void store(std::byte* at, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        at[i] = static_cast<std::byte>((value >> (8U * i)) & 0xFFU);
    }
}

float load_float(Number from, const std::byte* at) {
    switch (from) {
    case Number::F32:
        return std::bit_cast<float>(load<std::uint32_t>(at));
    case Number::F16:
        return half_to_float(load<std::uint16_t>(at));
    case Number::BF16:
        break;
    }
    return bfloat_to_float(load<std::uint16_t>(at));
}

/// `value` shifted right, rounded to nearest, ties to even.
std::uint32_t round_shift(std::uint32_t value, unsigned shift) {
    const std::uint32_t rest = value & ((1U << shift) - 1);
    const std::uint32_t half = 1U << (shift - 1);
    const std::uint32_t whole = value >> shift;
    return whole + ((rest > half || (rest == half && (whole & 1U) != 0)) ? 1U : 0U);
}

} // namespace

std::optional<Number> parse_number(std::string_view dtype) {
    if (dtype == "F32") {
        return Number::F32;
    }
    if (dtype == "F16") {
        return Number::F16;
    }
    if (dtype == "BF16") {
        return Number::BF16;
    }
    return std::nullopt;
}

float half_to_float(std::uint16_t half) {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16U;
    const std::uint32_t exponent = (half >> 10U) & 0x1FU;
    const std::uint32_t fraction = half & 0x3FFU;
    if (exponent == 0) { // zero or subnormal: fraction * 2^-24, exact in binary32
        const float value = static_cast<float>(fraction) * 0x1p-24F;
        return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(value));
    }
    const std::uint32_t wide = exponent == 0x1FU ? 0xFFU : exponent + (127 - 15);
    return std::bit_cast<float>(sign | (wide << 23U) | (fraction << 13U));
}

std::uint16_t float_to_half(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>((bits >> 16U) & 0x8000U);
    const std::uint32_t magnitude = bits & 0x7FFF'FFFFU;
    if (magnitude > 0x7F80'0000U) { // not a number: its upper bits stay, and it stays one
        const std::uint32_t fraction = (magnitude >> 13U) & 0x3FFU;
        return static_cast<std::uint16_t>(sign | 0x7C00U | (fraction == 0 ? 1U : fraction));
    }
    if (magnitude >= 0x477F'F000U) { // from 65520 on it rounds to infinity
        return static_cast<std::uint16_t>(sign | 0x7C00U);
    }
    if (magnitude >= 0x3880'0000U) { // normal: from 2^-14 on
        return static_cast<std::uint16_t>(sign | round_shift(magnitude - 0x3800'0000U, 13));
    }
    if (magnitude < 0x3300'0000U) { // below 2^-25, half of the smallest
        return sign;
    }
    const std::uint32_t exponent = magnitude >> 23U;
    const std::uint32_t fraction = (magnitude & 0x7F'FFFFU) | 0x80'0000U;
    return static_cast<std::uint16_t>(sign | round_shift(fraction, 126U - exponent));
}

float bfloat_to_float(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

std::uint16_t float_to_bfloat(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7FFF'FFFFU) > 0x7F80'0000U) {
        return static_cast<std::uint16_t>((bits >> 16U) | 64U);
    }
    return static_cast<std::uint16_t>(round_shift(bits, 16));
}

bool convert_numbers(Number from,
                     std::span<const std::byte> in,
                     Number to,
                     std::span<std::byte> out) {
    const std::size_t count = in.size() / size_of(from);
    LOCARA_ASSERT(in.size() == count * size_of(from) && out.size() == count * size_of(to));
    if (from == to) {
        std::copy(in.begin(), in.end(), out.begin());
        return true;
    }
    bool fits = true;
    for (std::size_t i = 0; i < count; ++i) {
        const float value = load_float(from, in.data() + i * size_of(from));
        std::byte* const at = out.data() + i * size_of(to);
        if (to == Number::F32) {
            store(at, std::bit_cast<std::uint32_t>(value));
            continue;
        }
        const std::uint16_t made =
            to == Number::F16 ? float_to_half(value) : float_to_bfloat(value);
        const std::uint16_t infinity = to == Number::F16 ? 0x7C00U : 0x7F80U;
        fits = fits && ((made & 0x7FFFU) != infinity || std::isinf(value));
        store(at, made);
    }
    return fits;
}

} // namespace locara::convert
