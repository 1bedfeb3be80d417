#include "byte_grouping.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace locara::xet {

GroupStarts group_starts(std::size_t n) {
    GroupStarts starts{};
    for (std::size_t group = 1; group < 4; ++group) {
        // Group g holds the positions g, g + 4, ... below n.
        const std::size_t previous = group - 1;
        starts[group] = starts[previous] + (n > previous ? (n - previous + 3) / 4 : 0);
    }
    return starts;
}

void bg4_split_reference(ByteView raw, std::span<std::byte> grouped) {
    LOCARA_ASSERT(raw.size() == grouped.size());
    const auto starts = group_starts(raw.size());
    for (std::size_t i = 0; i < raw.size(); ++i) {
        grouped[starts[i % 4] + i / 4] = raw[i];
    }
}

void bg4_regroup_reference(ByteView grouped, std::span<std::byte> raw) {
    LOCARA_ASSERT(raw.size() == grouped.size());
    const auto starts = group_starts(raw.size());
    for (std::size_t i = 0; i < raw.size(); ++i) {
        raw[i] = grouped[starts[i % 4] + i / 4];
    }
}

namespace {

// Every processor of x86-64 has SSE2, which is already several times as fast as what comes before
// and after: nothing wider is worth a choice at run time.
#if defined(__SSE2__)

constexpr std::size_t kStep = 16; ///< Bytes of each group in a step.

__m128i load(const std::byte* at) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

void store(std::byte* at, __m128i bytes) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), bytes);
}

/// The even bytes of a and b, and the odd ones.
__m128i even(__m128i a, __m128i b) {
    const __m128i low = _mm_set1_epi16(0xFF);
    return _mm_packus_epi16(_mm_and_si128(a, low), _mm_and_si128(b, low));
}

__m128i odd(__m128i a, __m128i b) {
    return _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
}

/// Groups the first bytes, as long as there is a step. Returns how many of each group.
std::size_t
split_steps(const std::byte* raw, std::byte* grouped, const GroupStarts& starts, std::size_t each) {
    std::size_t i = 0;
    for (; i + kStep <= each; i += kStep) {
        const std::byte* const from = raw + 4 * i;
        const __m128i a = load(from);
        const __m128i b = load(from + kStep);
        const __m128i c = load(from + 2 * kStep);
        const __m128i d = load(from + 3 * kStep);
        const __m128i even_low = even(a, b); // groups 0 and 2 in turn
        const __m128i even_high = even(c, d);
        const __m128i odd_low = odd(a, b); // groups 1 and 3
        const __m128i odd_high = odd(c, d);
        store(grouped + starts[0] + i, even(even_low, even_high));
        store(grouped + starts[1] + i, even(odd_low, odd_high));
        store(grouped + starts[2] + i, odd(even_low, even_high));
        store(grouped + starts[3] + i, odd(odd_low, odd_high));
    }
    return i;
}

std::size_t regroup_steps(const std::byte* grouped,
                          std::byte* raw,
                          const GroupStarts& starts,
                          std::size_t each) {
    std::size_t i = 0;
    for (; i + kStep <= each; i += kStep) {
        const __m128i a = load(grouped + starts[0] + i);
        const __m128i b = load(grouped + starts[1] + i);
        const __m128i c = load(grouped + starts[2] + i);
        const __m128i d = load(grouped + starts[3] + i);
        const __m128i ab_low = _mm_unpacklo_epi8(a, b);
        const __m128i ab_high = _mm_unpackhi_epi8(a, b);
        const __m128i cd_low = _mm_unpacklo_epi8(c, d);
        const __m128i cd_high = _mm_unpackhi_epi8(c, d);
        std::byte* const to = raw + 4 * i;
        store(to, _mm_unpacklo_epi16(ab_low, cd_low));
        store(to + kStep, _mm_unpackhi_epi16(ab_low, cd_low));
        store(to + 2 * kStep, _mm_unpacklo_epi16(ab_high, cd_high));
        store(to + 3 * kStep, _mm_unpackhi_epi16(ab_high, cd_high));
    }
    return i;
}

#else

std::size_t split_steps(const std::byte*, std::byte*, const GroupStarts&, std::size_t) {
    return 0;
}

std::size_t regroup_steps(const std::byte*, std::byte*, const GroupStarts&, std::size_t) {
    return 0;
}

#endif

} // namespace

void bg4_split(ByteView raw, std::span<std::byte> grouped) {
    LOCARA_ASSERT(raw.size() == grouped.size());
    const auto starts = group_starts(raw.size());
    const std::byte* from = raw.data();
    std::byte* to = grouped.data();
    const std::size_t done = split_steps(from, to, starts, raw.size() / 4);
    for (std::size_t i = 4 * done; i < raw.size(); ++i) {
        to[starts[i % 4] + i / 4] = from[i];
    }
}

void bg4_regroup(ByteView grouped, std::span<std::byte> raw) {
    LOCARA_ASSERT(raw.size() == grouped.size());
    const auto starts = group_starts(raw.size());
    const std::byte* from = grouped.data();
    std::byte* to = raw.data();
    const std::size_t done = regroup_steps(from, to, starts, raw.size() / 4);
    for (std::size_t i = 4 * done; i < raw.size(); ++i) {
        to[i] = from[starts[i % 4] + i / 4];
    }
}

} // namespace locara::xet
