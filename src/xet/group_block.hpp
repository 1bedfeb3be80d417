// One LZ4 block of bytes grouped by four (byte_grouping.hpp), made for what weights give: groups
// that do not compress at all beside groups of few values, where matches are short and many.
//
// liblz4 spends its time there on branches that nobody can predict: whether an offset has a match,
// and how long that is. This encoder looks at kProbes offsets a step, takes the best match of these
// without a branch, and runs two groups beside each other, so that one works while the other waits
// for memory. Each group has its own history; what LZ4 readers see is one block like any other
// (LZ4 block format description, "Compressed block format" and "End of block restrictions").
#pragma once

#include <locara/base/bytes.hpp>

#include <array>
#include <cstdint>
#include <span>

namespace locara::xet {

/// What may be read behind the bytes that are packed, so that short copies can be of one size.
inline constexpr std::size_t kGroupSlack = 16;

/// The room that a block of n bytes may need.
constexpr std::size_t group_block_bound(std::size_t n) {
    return n + n / 255 + 64;
}

/// Packs blocks. Belongs to one thread; about 190 KiB.
class GroupPacker {
  public:
    /// Packs all but the last kGroupSlack bytes of the view, whatever these hold. Returns the bytes
    /// written to `out`. REQUIRES: 1 to kMaxChunkBytes bytes to pack, and room for
    /// group_block_bound of that many.
    std::size_t pack(ByteView grouped_and_slack, std::span<std::byte> out);

  private:
    struct Lane;

    static constexpr unsigned kSlotBits = 13;
    static constexpr std::size_t kMaxGroup = 32'768; ///< Offsets in a group have 16 bits.

    struct Work {
        std::array<std::uint16_t, 1U << kSlotBits> slots; ///< By hash: where that was seen last.
        std::array<std::byte, group_block_bound(kMaxGroup)> out;
    };

    static void step(Lane& lane);

    std::array<Work, 4> work_;
};

} // namespace locara::xet
