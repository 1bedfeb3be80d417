// The gear hash: h' = 2h + table[byte], modulo 2^64. The plain definition of where chunks end.
//
// After a byte was shifted in, the data may be cut behind it if the top 16 bits of h are zero. A
// state is shifted once a byte, so h has forgotten all but the last kGearWindow bytes: whether an
// offset is such a *candidate* depends on these bytes alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace locara::xet {

/// The constants of the specification.
extern const std::array<std::uint64_t, 256> kGearTable;

inline constexpr std::size_t kGearWindow = 64;

/// h is below this if its top 16 bits are zero.
inline constexpr std::uint64_t kGearLimit = std::uint64_t{1} << 48U;

} // namespace locara::xet
