// Byte grouping by four (scheme 2 of docs/formats/xorb.md): all bytes at positions 0 mod 4 first,
// then those at 1, 2 and 3. Numbers of 2 or 4 bytes compress better that way.
#pragma once

#include <locara/base/bytes.hpp>

#include <array>
#include <span>

namespace locara::xet {

/// Where each of the four groups begins.
using GroupStarts = std::array<std::size_t, 4>;

/// Of n grouped bytes. A group ends where the next one begins.
GroupStarts group_starts(std::size_t n);

/// Groups `raw` into `grouped`, and back. REQUIRES: both have the same size and do not overlap.
void bg4_split(ByteView raw, std::span<std::byte> grouped);
void bg4_regroup(ByteView grouped, std::span<std::byte> raw);

/// The same in the plainest form: what a faster one is tested against.
void bg4_split_reference(ByteView raw, std::span<std::byte> grouped);
void bg4_regroup_reference(ByteView grouped, std::span<std::byte> raw);

} // namespace locara::xet
