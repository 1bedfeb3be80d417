// safetensors: the header, checked in full against the rules in docs/formats/safetensors.md.
//
// Source of the format: huggingface/safetensors, README ("Format") and safetensors/src/tensor.rs.
// Nothing but the header is read; tensor bytes are inert. Threads: plain functions and values.
#pragma once

#include <locara/formats/byte_source.hpp>
#include <locara/formats/verdict.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::formats {

/// Limits of what is read. The first is the format's own, the rest bound memory.
inline constexpr std::uint64_t kSafetensorsMaxHeader = 100'000'000; ///< bytes
inline constexpr std::uint64_t kSafetensorsMaxString = 16U << 20U;  ///< bytes of one name or text
inline constexpr std::uint64_t kSafetensorsMaxTensors = 100'000;
inline constexpr std::uint64_t kSafetensorsMaxMetadata = 100'000;        ///< entries
inline constexpr std::uint64_t kSafetensorsMaxDimensions = 64;           ///< of one tensor
inline constexpr std::uint64_t kSafetensorsMaxExtent = (1ULL << 53) - 1; ///< one number of a shape

/// Bits of one element of a dtype as spelled in the file ("BF16" -> 16); nullopt if unknown.
std::optional<unsigned> safetensors_dtype_bits(std::string_view dtype);

struct SafetensorsTensor {
    std::string name;
    std::string dtype;
    std::vector<std::uint64_t> shape;
    std::uint64_t begin = 0; ///< First byte, from the start of the file.
    std::uint64_t end = 0;   ///< One past the last byte, from the start of the file.
};

struct Safetensors {
    std::uint64_t data_offset = 0;          ///< 8 + length of the header.
    std::vector<SafetensorsTensor> tensors; ///< By offset; they tile data_offset..size exactly.
    std::map<std::string, std::string> metadata; ///< `__metadata__`, empty if absent.

    /// Number of elements of all tensors.
    std::uint64_t parameter_count() const;
};

/// Parses and checks. The Finding's rule starts with "safetensors.".
Checked<Safetensors> check_safetensors(const ByteSource& source);

/// The same for callers that want a Result: Corrupt if a rule is broken, Io if a read failed.
Result<Safetensors> parse_safetensors(const ByteSource& source);

} // namespace locara::formats
