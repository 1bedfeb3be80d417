#include "group_block.hpp"

#include "byte_grouping.hpp"

#include <locara/xet/merkle.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

namespace locara::xet {

namespace {

static_assert(std::endian::native == std::endian::little, "match lengths count trailing zeros");

// LZ4 block format: lengths in a token, what a match must at least have, and what stays literal.
constexpr std::size_t kTokenMax = 15;
constexpr std::size_t kFormatMinMatch = 4;
constexpr std::size_t kLastMatchStart = 12; ///< Bytes behind the start of the last match.
constexpr std::size_t kLastLiterals = 5;

/// A sequence costs three bytes, so four equal ones gain too little for the time.
constexpr unsigned kMinMatch = 5;
constexpr unsigned kProbes = 4;
/// The equal bytes that one probe can see; more are counted afterwards.
constexpr unsigned kSeen = 7;
/// After 1 << kPatience steps without a match, steps begin to grow.
constexpr unsigned kPatience = 2;
/// Multiplies the first kMinMatch bytes of a word to a hash in its top bits (2^64 divided by the
/// golden ratio: Knuth, The Art of Computer Programming, volume 3, section 6.4).
constexpr std::uint64_t kHash = 0x9E3779B97F4A7C15U << (64U - 8U * kMinMatch);

std::uint64_t load(const std::byte* at) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof(word));
    return word;
}

/// The equal bytes from a and from b on, which come from the same group, b later. REQUIRES: b <=
/// end.
std::size_t count_equal(const std::byte* a, const std::byte* b, const std::byte* end) {
    const std::byte* const begin = b;
    for (; end - b >= 8; a += 8, b += 8) {
        const std::uint64_t differ = load(a) ^ load(b);
        if (differ != 0) {
            return static_cast<std::size_t>(b - begin) +
                   static_cast<std::size_t>(std::countr_zero(differ)) / 8;
        }
    }
    while (b < end && *a == *b) {
        ++a;
        ++b;
    }
    return static_cast<std::size_t>(b - begin);
}

/// The equal bytes before a and before b, of at most `most`.
std::size_t count_equal_before(const std::byte* a, const std::byte* b, std::size_t most) {
    std::size_t count = 0;
    while (count < most && *--a == *--b) {
        ++count;
    }
    return count;
}

/// What a token has no room for.
std::byte* put_length(std::byte* out, std::size_t length) {
    for (length -= kTokenMax; length >= 255; length -= 255) {
        *out++ = std::byte{255};
    }
    *out++ = static_cast<std::byte>(length);
    return out;
}

/// A token with its literals. `match` is the token's half about the match.
std::byte* put_literals(std::byte* out, ByteView literals, std::byte match) {
    *out++ = static_cast<std::byte>(std::min(literals.size(), kTokenMax) << 4U) | match;
    if (literals.size() >= kTokenMax) {
        out = put_length(out, literals.size());
    }
    return std::copy(literals.begin(), literals.end(), out);
}

struct Literals {
    std::size_t count;
    const std::byte* end; ///< Behind the last one.
};

/// Reads what put_literals wrote.
Literals read_literals(const std::byte* sequence) {
    std::size_t count = std::to_integer<std::size_t>(*sequence++ >> 4U);
    if (count == kTokenMax) {
        std::size_t more = 0;
        do {
            more = std::to_integer<std::size_t>(*sequence++);
            count += more;
        } while (more == 255);
    }
    return {count, sequence + count};
}

void put_distance(std::byte* out, std::size_t distance) {
    out[0] = static_cast<std::byte>(distance);
    out[1] = static_cast<std::byte>(distance >> 8U);
}

std::byte*
put_sequence(std::byte* out, ByteView literals, std::size_t distance, std::size_t match) {
    const std::size_t more = match - kFormatMinMatch;
    out = put_literals(out, literals, static_cast<std::byte>(std::min(more, kTokenMax)));
    put_distance(out, distance);
    return more >= kTokenMax ? put_length(out + 2, more) : out + 2;
}

} // namespace

/// One group on its way. Offsets count from its first byte.
struct GroupPacker::Lane {
    const std::byte* bytes;
    std::uint16_t* slots;
    std::byte* out;
    std::size_t last; ///< The last offset to take a step from.
    std::size_t end;  ///< Matches end here or before.
    /// Where the next step is taken. Not 0: slots hold that at first, and a match lies before.
    std::size_t at = 1;
    std::size_t anchor = 0; ///< Behind the last match.
    std::size_t misses = 0; ///< Steps without a match since the last one.

    bool more() const { return at <= last; }
};

[[gnu::always_inline]] inline void GroupPacker::step(Lane& lane) {
    // The best probe, as the number (bits gained : probe : offset of the match).
    std::uint64_t best = 0;
#pragma GCC unroll 4
    for (unsigned probe = 0; probe < kProbes; ++probe) {
        const std::size_t at = lane.at + probe;
        const std::uint64_t word = load(lane.bytes + at);
        const std::size_t hash = word * kHash >> (64U - kSlotBits);
        const std::size_t from = lane.slots[hash];
        lane.slots[hash] = static_cast<std::uint16_t>(at);
        constexpr std::uint64_t stop = std::uint64_t{1} << (8 * kSeen);
        const std::uint64_t differ = (word ^ load(lane.bytes + from)) | stop;
        const auto equal_bits = static_cast<std::uint64_t>(std::countr_zero(differ));
        // A later probe leaves one more byte before it.
        const std::uint64_t order = (8 * (kProbes - 1 - probe) << 18U) | probe << 16U;
        const std::uint64_t found = (equal_bits << 18U) + from + order;
        best = found > best ? found : best;
        __asm__("" : "+r"(best)); // else the compiler makes a branch of it
    }
    const std::size_t probe = best >> 16U & 3U;
    const std::size_t from = best & 0xFFFFU;
    const std::size_t to = lane.at + probe;
    std::size_t match = (best >> 21U) - (kProbes - 1 - probe);
    const std::size_t literals = to - lane.anchor;
    if (literals >= kTokenMax || match == kSeen) [[unlikely]] {
        if (match < kMinMatch) {
            lane.at += kProbes * (1 + (lane.misses++ >> kPatience));
            return;
        }
        if (match == kSeen) {
            match += count_equal(
                lane.bytes + from + kSeen, lane.bytes + to + kSeen, lane.bytes + lane.end);
        }
        // Steps may have grown past its beginning.
        const std::size_t before =
            count_equal_before(lane.bytes + from, lane.bytes + to, std::min(from, literals));
        const ByteView left(lane.bytes + lane.anchor, literals - before);
        lane.out = put_sequence(lane.out, left, to - from, match + before);
        lane.at = to + match;
        lane.anchor = lane.at;
        lane.misses = 0;
        return;
    }
    // Write the sequence anyway; all ones when it counts.
    const std::size_t counts = std::size_t{0} - static_cast<std::size_t>(match >= kMinMatch);
    lane.out[0] = static_cast<std::byte>(literals << 4U | (match - kFormatMinMatch));
    std::memcpy(lane.out + 1, lane.bytes + lane.anchor, 16);
    put_distance(lane.out + 1 + literals, to - from);
    lane.out += (literals + 3) & counts;
    lane.at = ((to + match) & counts) | ((lane.at + kProbes) & ~counts);
    lane.anchor = (lane.at & counts) | (lane.anchor & ~counts);
}

std::size_t GroupPacker::pack(ByteView grouped_and_slack, std::span<std::byte> out) {
    LOCARA_ASSERT(grouped_and_slack.size() > kGroupSlack);
    const ByteView grouped = grouped_and_slack.first(grouped_and_slack.size() - kGroupSlack);
    LOCARA_ASSERT(grouped.size() <= kMaxChunkBytes);
    LOCARA_ASSERT(out.size() >= group_block_bound(grouped.size()));
    const auto starts = group_starts(grouped.size());
    const auto lane_of = [&](std::size_t group) {
        const std::size_t end = group == 3 ? grouped.size() : starts[group + 1];
        const std::size_t size = end - starts[group];
        constexpr std::size_t unprobed = kLastMatchStart + kProbes - 1;
        work_[group].slots.fill(0);
        return Lane{.bytes = grouped.data() + starts[group],
                    .slots = work_[group].slots.data(),
                    .out = work_[group].out.data(),
                    .last = size > unprobed ? size - unprobed : 0,
                    .end = size > kLastLiterals ? size - kLastLiterals : 0};
    };
    std::array<Lane, 4> lanes{lane_of(0), lane_of(1), lane_of(2), lane_of(3)};
    // Of 16-bit numbers either the even groups compress or the odd ones.
    for (std::size_t group = 0; group < 2; ++group) {
        Lane one = lanes[group];
        Lane other = lanes[group + 2];
        while (one.more() && other.more()) {
            step(one);
            step(other);
        }
        while (one.more()) {
            step(one);
        }
        while (other.more()) {
            step(other);
        }
        lanes[group] = one;
        lanes[group + 2] = other;
    }
    // What is left of a group goes before the first sequence of the next one.
    std::byte* to = out.data();
    std::size_t written = 0; // of `grouped`
    for (std::size_t group = 0; group < 4; ++group) {
        const Lane& lane = lanes[group];
        if (lane.anchor == 0) {
            continue;
        }
        const std::byte* const first = work_[group].out.data();
        const Literals literals = read_literals(first);
        to = put_literals(to,
                          grouped.subspan(written, starts[group] + literals.count - written),
                          *first & std::byte{0xF});
        to = std::copy(literals.end, static_cast<const std::byte*>(lane.out), to);
        written = starts[group] + lane.anchor;
    }
    to = put_literals(to, grouped.subspan(written), std::byte{0});
    return static_cast<std::size_t>(to - out.data());
}

} // namespace locara::xet
