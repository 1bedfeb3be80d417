// BLAKE3's compression function (the BLAKE3 paper, section 2.2) on 16 lanes at once: one AVX-512
// register holds the same word of all lanes.
#include "blake3_lanes.hpp"

#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 finds its own header's "undefined" registers used uninitialised (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#define LOCARA_AVX512 __attribute__((target("avx512f")))
#define LOCARA_AVX512_INLINE LOCARA_AVX512 __attribute__((always_inline)) inline

namespace locara::crypto {

namespace {

using Words = __m512i;

/// Four words of the state: a row of the 4 x 4 matrix of the paper.
struct Row {
    Words a, b, c, d;
};

constexpr std::size_t kBlockWords = 16;

using Schedule = std::array<std::array<std::size_t, kBlockWords>, 7>;

/// Which message word goes where, round by round: the permutation of table 2 again and again.
constexpr Schedule kSchedule = [] {
    constexpr std::array<std::size_t, kBlockWords> permutation = {
        2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};
    Schedule schedule{};
    for (std::size_t i = 0; i < kBlockWords; ++i) {
        schedule[0][i] = i;
    }
    for (std::size_t round = 1; round < schedule.size(); ++round) {
        for (std::size_t i = 0; i < kBlockWords; ++i) {
            schedule[round][i] = schedule[round - 1][permutation[i]];
        }
    }
    return schedule;
}();

LOCARA_AVX512_INLINE Words broadcast(std::uint32_t word) {
    return _mm512_set1_epi32(static_cast<int>(word));
}

LOCARA_AVX512_INLINE Words load(const std::array<std::uint32_t, LaneBatch::kLanes>& words) {
    return _mm512_load_si512(words.data());
}

LOCARA_AVX512_INLINE void add(Row& x, const Row& y) {
    x.a = _mm512_add_epi32(x.a, y.a);
    x.b = _mm512_add_epi32(x.b, y.b);
    x.c = _mm512_add_epi32(x.c, y.c);
    x.d = _mm512_add_epi32(x.d, y.d);
}

/// x = (x xor y) rotated right.
template <int Bits> LOCARA_AVX512_INLINE void xor_rotate(Row& x, const Row& y) {
    x.a = _mm512_ror_epi32(_mm512_xor_si512(x.a, y.a), Bits);
    x.b = _mm512_ror_epi32(_mm512_xor_si512(x.b, y.b), Bits);
    x.c = _mm512_ror_epi32(_mm512_xor_si512(x.c, y.c), Bits);
    x.d = _mm512_ror_epi32(_mm512_xor_si512(x.d, y.d), Bits);
}

/// x += y, before anything else is added to x. The compiler would rather sum up first what comes
/// last, which makes the longest chain of the round longer; it cannot look through this.
LOCARA_AVX512_INLINE void add_early(Row& x, const Row& y) {
    add(x, y);
    __asm__("" : "+v"(x.a), "+v"(x.b), "+v"(x.c), "+v"(x.d));
}

/// Four quarter rounds beside each other, one a column of the matrix.
LOCARA_AVX512_INLINE void mix(Row& a, Row& b, Row& c, Row& d, const Row& first, const Row& second) {
    add_early(a, first);
    add(a, b);
    xor_rotate<16>(d, a);
    add(c, d);
    xor_rotate<12>(b, c);
    add_early(a, second);
    add(a, b);
    xor_rotate<8>(d, a);
    add(c, d);
    xor_rotate<7>(b, c);
}

template <std::size_t Round>
LOCARA_AVX512_INLINE void
round(Row& a, Row& b, Row& c, Row& d, const Words (&message)[kBlockWords]) {
    constexpr const auto& at = kSchedule[Round];
    mix(a,
        b,
        c,
        d,
        {message[at[0]], message[at[2]], message[at[4]], message[at[6]]},
        {message[at[1]], message[at[3]], message[at[5]], message[at[7]]});
    // The diagonals, by turning the rows: no instruction, only names.
    Row turned_b = {b.b, b.c, b.d, b.a};
    Row turned_c = {c.c, c.d, c.a, c.b};
    Row turned_d = {d.d, d.a, d.b, d.c};
    mix(a,
        turned_b,
        turned_c,
        turned_d,
        {message[at[8]], message[at[10]], message[at[12]], message[at[14]]},
        {message[at[9]], message[at[11]], message[at[13]], message[at[15]]});
    b = {turned_b.d, turned_b.a, turned_b.b, turned_b.c};
    c = {turned_c.c, turned_c.d, turned_c.a, turned_c.b};
    d = {turned_d.b, turned_d.c, turned_d.d, turned_d.a};
}

// Turning 16 lanes of words into words of 16 lanes, and back. After the first two steps, group g of
// four rows holds in quadword pair q of its k-th register the words 4q + k of its rows.
template <std::size_t... I>
LOCARA_AVX512_INLINE void
interleave_words(const Words* in, Words* out, std::index_sequence<I...> /*pairs of rows*/) {
    ((out[2 * I] = _mm512_unpacklo_epi32(in[2 * I], in[2 * I + 1])), ...);
    ((out[2 * I + 1] = _mm512_unpackhi_epi32(in[2 * I], in[2 * I + 1])), ...);
}

template <std::size_t... G>
LOCARA_AVX512_INLINE void
interleave_pairs(const Words* in, Words* out, std::index_sequence<G...> /*groups of rows*/) {
    ((out[4 * G] = _mm512_unpacklo_epi64(in[4 * G], in[4 * G + 2])), ...);
    ((out[4 * G + 1] = _mm512_unpackhi_epi64(in[4 * G], in[4 * G + 2])), ...);
    ((out[4 * G + 2] = _mm512_unpacklo_epi64(in[4 * G + 1], in[4 * G + 3])), ...);
    ((out[4 * G + 3] = _mm512_unpackhi_epi64(in[4 * G + 1], in[4 * G + 3])), ...);
}

template <std::size_t... K>
LOCARA_AVX512_INLINE void
gather_groups(const Words* in, Words* out, std::index_sequence<K...> /*registers of a group*/) {
    constexpr int even = 0x88;
    constexpr int odd = 0xDD;
    Words low[8];
    Words high[8];
    ((low[K] = _mm512_shuffle_i32x4(in[K], in[4 + K], even)), ...);
    ((low[4 + K] = _mm512_shuffle_i32x4(in[K], in[4 + K], odd)), ...);
    ((high[K] = _mm512_shuffle_i32x4(in[8 + K], in[12 + K], even)), ...);
    ((high[4 + K] = _mm512_shuffle_i32x4(in[8 + K], in[12 + K], odd)), ...);
    ((out[K] = _mm512_shuffle_i32x4(low[K], high[K], even)), ...);
    ((out[4 + K] = _mm512_shuffle_i32x4(low[4 + K], high[4 + K], even)), ...);
    ((out[8 + K] = _mm512_shuffle_i32x4(low[K], high[K], odd)), ...);
    ((out[12 + K] = _mm512_shuffle_i32x4(low[4 + K], high[4 + K], odd)), ...);
}

template <std::size_t... Lane>
LOCARA_AVX512_INLINE void load_message(const LaneBatch& batch,
                                       std::size_t offset,
                                       Words (&message)[kBlockWords],
                                       std::index_sequence<Lane...> /*all lanes*/) {
    // 16 streams are more than a processor follows by itself.
    constexpr std::size_t ahead = 128;
    (_mm_prefetch(batch.bytes[Lane] + offset + ahead, _MM_HINT_T0), ...);
    const Words rows[] = {_mm512_loadu_si512(batch.bytes[Lane] + offset)...};
    Words pairs[kBlockWords];
    Words groups[kBlockWords];
    interleave_words(rows, pairs, std::make_index_sequence<8>());
    interleave_pairs(pairs, groups, std::make_index_sequence<4>());
    gather_groups(groups, message, std::make_index_sequence<4>());
}

template <std::size_t... K>
LOCARA_AVX512_INLINE void store_values(const LaneBatch& batch,
                                       const Words (&values)[8],
                                       std::index_sequence<K...> /*registers of a group*/) {
    Words pairs[8];
    Words groups[8];
    interleave_words(values, pairs, std::make_index_sequence<4>());
    interleave_pairs(pairs, groups, std::make_index_sequence<2>());
    // Lane 4q + k is quadword pair q of registers k and 4 + k.
    const Words first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const Words last = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    const Words low[] = {_mm512_permutex2var_epi64(groups[K], first, groups[4 + K])...};
    const Words high[] = {_mm512_permutex2var_epi64(groups[K], last, groups[4 + K])...};
    // NOLINTBEGIN(cppcoreguidelines-pro-type-reinterpret-cast): how the intrinsics take memory
    const auto at = [&](std::size_t lane) { return reinterpret_cast<__m256i*>(batch.out[lane]); };
    // NOLINTEND(cppcoreguidelines-pro-type-reinterpret-cast)
    (_mm256_storeu_si256(at(K), _mm512_castsi512_si256(low[K])), ...);
    (_mm256_storeu_si256(at(4 + K), _mm512_extracti64x4_epi64(low[K], 1)), ...);
    (_mm256_storeu_si256(at(8 + K), _mm512_castsi512_si256(high[K])), ...);
    (_mm256_storeu_si256(at(12 + K), _mm512_extracti64x4_epi64(high[K], 1)), ...);
}

} // namespace

LOCARA_AVX512 void
run_lanes_avx512(const ChainingValue& key, const LaneBatch& batch, std::uint32_t blocks) {
    constexpr std::uint32_t block_bytes = 64;
    const Words lane_blocks = load(batch.blocks);
    const Words counter = load(batch.counter);
    const Words flags = load(batch.flags);
    Row low = {broadcast(key[0]), broadcast(key[1]), broadcast(key[2]), broadcast(key[3])};
    Row high = {broadcast(key[4]), broadcast(key[5]), broadcast(key[6]), broadcast(key[7])};
    for (std::uint32_t block = 0; block < blocks; ++block) {
        const __mmask16 active = _mm512_cmplt_epu32_mask(broadcast(block), lane_blocks);
        const __mmask16 last = _mm512_cmpeq_epi32_mask(broadcast(block + 1), lane_blocks);
        Words block_flags = block == 0 ? _mm512_or_si512(flags, load(batch.first_flags)) : flags;
        block_flags = _mm512_mask_or_epi32(block_flags, last, block_flags, load(batch.last_flags));
        const Words length =
            _mm512_mask_mov_epi32(broadcast(block_bytes), last, load(batch.last_length));

        Words message[kBlockWords];
        load_message(batch,
                     std::size_t{block} * block_bytes,
                     message,
                     std::make_index_sequence<LaneBatch::kLanes>());
        Row a = low;
        Row b = high;
        Row c = {broadcast(0x6A09E667),
                 broadcast(0xBB67AE85),
                 broadcast(0x3C6EF372),
                 broadcast(0xA54FF53A)};
        Row d = {counter, _mm512_setzero_si512(), length, block_flags};
        round<0>(a, b, c, d, message);
        round<1>(a, b, c, d, message);
        round<2>(a, b, c, d, message);
        round<3>(a, b, c, d, message);
        round<4>(a, b, c, d, message);
        round<5>(a, b, c, d, message);
        round<6>(a, b, c, d, message);
        low.a = _mm512_mask_xor_epi32(low.a, active, a.a, c.a);
        low.b = _mm512_mask_xor_epi32(low.b, active, a.b, c.b);
        low.c = _mm512_mask_xor_epi32(low.c, active, a.c, c.c);
        low.d = _mm512_mask_xor_epi32(low.d, active, a.d, c.d);
        high.a = _mm512_mask_xor_epi32(high.a, active, b.a, d.a);
        high.b = _mm512_mask_xor_epi32(high.b, active, b.b, d.b);
        high.c = _mm512_mask_xor_epi32(high.c, active, b.c, d.c);
        high.d = _mm512_mask_xor_epi32(high.d, active, b.d, d.d);
    }
    const Words values[] = {low.a, low.b, low.c, low.d, high.a, high.b, high.c, high.d};
    store_values(batch, values, std::make_index_sequence<4>());
}

} // namespace locara::crypto

#endif
