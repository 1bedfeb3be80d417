// Floating-point numbers as weights hold them: IEEE 754 binary32 and binary16, and bfloat16, the
// upper half of binary32. Rounding is to nearest, ties to even, as numpy (binary16) and ggml
// (bfloat16, ggml_compute_fp32_to_bf16) do. Threads: plain functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace locara::convert {

enum class Number { F32, F16, BF16 };

/// As safetensors spells it; nullopt for other dtypes.
std::optional<Number> parse_number(std::string_view dtype);

constexpr std::size_t size_of(Number number) {
    return number == Number::F32 ? 4 : 2;
}

float half_to_float(std::uint16_t half);
std::uint16_t float_to_half(float value); ///< Infinity where the value is too large.
float bfloat_to_float(std::uint16_t bits);
std::uint16_t float_to_bfloat(float value);

/// `in.size() / size_of(from)` numbers, little-endian both. REQUIRES: `out` has room for exactly as
/// many. False if a finite number became infinite.
bool convert_numbers(Number from,
                     std::span<const std::byte> in,
                     Number to,
                     std::span<std::byte> out);

} // namespace locara::convert
