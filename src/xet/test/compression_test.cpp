#include "byte_grouping.hpp"
#include "support.hpp"

#include <locara/xet/compression.hpp>

#include <gtest/gtest.h>

#include <array>

#include <lz4frame.h>

namespace locara::xet {
namespace {

/// Little-endian 32-bit numbers from `first` on.
Bytes numbers(std::uint32_t first, std::size_t count) {
    Bytes out;
    for (std::size_t i = 0; i < count; ++i) {
        for (unsigned shift = 0; shift < 32; shift += 8) {
            out.push_back(static_cast<std::byte>((first + i) >> shift));
        }
    }
    return out;
}

/// Bytes from an alphabet of `letters`, small ones more often; now and then a piece of what came
/// before again.
Bytes letters(std::uint64_t seed, std::size_t letters, std::size_t size) {
    SplitMix random(seed);
    Bytes out;
    while (out.size() < size) {
        if (out.size() > 40 && random.below(50) == 0) {
            const std::size_t length = 4 + random.below(600);
            const std::size_t from = random.below(out.size());
            for (std::size_t i = 0; i < length; ++i) { // may run into itself
                out.push_back(out[from + i]);
            }
        } else {
            const std::size_t most = 1 + random.below(letters);
            out.push_back(static_cast<std::byte>(random.below(most)));
        }
    }
    out.resize(size);
    return out;
}

/// What liblz4 alone makes of these bytes as they are, or of the grouped ones if that is less.
std::size_t liblz4_size(ByteView raw) {
    Bytes grouped(raw.size());
    bg4_split_reference(raw, grouped);
    Bytes packed(LZ4F_compressFrameBound(raw.size(), nullptr));
    std::size_t best = raw.size();
    for (const ByteView from : {raw, ByteView(grouped)}) {
        best = std::min(
            best,
            LZ4F_compressFrame(packed.data(), packed.size(), from.data(), from.size(), nullptr));
    }
    return best;
}

constexpr std::array kSchemes = {Compression::None, Compression::Lz4, Compression::Bg4Lz4};

Bytes copy(ByteView view) {
    return {view.begin(), view.end()};
}

void expect_corrupt(Compression scheme, ByteView packed, std::size_t raw_bytes) {
    Decompressor decompressor;
    // A guard after the end: what is written past it shows.
    Bytes raw(raw_bytes + 64, std::byte{0xAA});
    const auto status = decompressor.unpack(scheme, packed, std::span(raw).first(raw_bytes));
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::Corrupt) << status.error().message();
    for (std::size_t i = raw_bytes; i < raw.size(); ++i) {
        ASSERT_EQ(raw[i], std::byte{0xAA});
    }
}

TEST(ByteGroupingTest, groups_are_positions_mod_four_and_longer_ones_come_first) {
    const Bytes raw = copy(as_bytes("abcdefghij"));
    Bytes grouped(raw.size());
    bg4_split(raw, grouped);
    EXPECT_EQ(as_text(grouped), "aeibfjcgdh");
}

TEST(ByteGroupingTest, both_forms_agree_and_regroup_undoes_split_at_every_length) {
    SplitMix random(1);
    for (std::size_t size = 0; size < 300; ++size) {
        const Bytes raw = next_bytes(random, size);
        Bytes grouped(size);
        Bytes reference(size);
        Bytes back(size);
        Bytes back_reference(size);
        bg4_split(raw, grouped);
        bg4_split_reference(raw, reference);
        ASSERT_EQ(grouped, reference) << size;
        bg4_regroup(grouped, back);
        bg4_regroup_reference(grouped, back_reference);
        ASSERT_EQ(back, raw) << size;
        ASSERT_EQ(back_reference, raw) << size;
    }
}

TEST(CompressionTest, every_scheme_gives_back_what_was_packed) {
    Compressor compressor;
    Decompressor decompressor;
    for (const std::size_t size :
         {1UL, 2UL, 3UL, 5UL, 1000UL, 65'536UL, 65'537UL, kMaxChunkBytes}) {
        for (const Bytes& raw : {random_bytes(2, size),
                                 Bytes(size, std::byte{7}),
                                 copy(ByteView(weights(3, size)).first(size))}) {
            for (const Compression scheme : kSchemes) {
                const auto packed = compressor.pack_as(scheme, raw);
                EXPECT_EQ(packed.scheme, scheme);
                Bytes back(size);
                const auto status = decompressor.unpack(scheme, packed.bytes, back);
                ASSERT_TRUE(status) << render(scheme) << size << status.error().describe();
                ASSERT_EQ(back, raw) << render(scheme) << size;
            }
        }
    }
}

TEST(CompressionTest, grouped_bytes_of_every_kind_and_length_come_back) {
    Compressor compressor;
    Decompressor decompressor;
    const auto check = [&](const Bytes& raw) {
        const auto packed = compressor.pack_as(Compression::Bg4Lz4, raw).bytes;
        ASSERT_LE(packed.size(), raw.size() + 15); // at worst as it is, in a frame
        Bytes back(raw.size());
        const auto status = decompressor.unpack(Compression::Bg4Lz4, packed, back);
        ASSERT_TRUE(status) << raw.size() << status.error().describe();
        ASSERT_EQ(back, raw) << raw.size();
    };
    for (const std::size_t alphabet : {1UL, 2UL, 5UL, 20UL, 256UL}) {
        for (std::size_t size = 1; size < 600; ++size) {
            check(letters(size, alphabet, size));
        }
        for (std::size_t size = kMaxChunkBytes - 20; size <= kMaxChunkBytes; ++size) {
            check(letters(size, alphabet, size));
        }
    }
    // Alike in one group, not at all in the others; what is alike comes late or ends early.
    for (std::size_t group = 0; group < 4; ++group) {
        for (const std::size_t from : {0UL, 10'000UL, 60'000UL}) {
            Bytes raw = random_bytes(group, 80'003);
            for (std::size_t i = from / 4 * 4 + group; i < from + 20'000; i += 4) {
                raw[i] = static_cast<std::byte>(i % 12);
            }
            check(raw);
        }
    }
}

TEST(CompressionTest, chunks_take_no_more_than_one_percent_over_liblz4) {
    Compressor compressor;
    for (const std::size_t size : {20'000UL, 65'536UL, kMaxChunkBytes}) {
        for (const Bytes& raw : {copy(ByteView(weights(21, size)).first(size)),
                                 letters(22, 12, size),
                                 letters(23, 256, size),
                                 words(24, size / 13),
                                 copy(ByteView(numbers(77, size)).first(size))}) {
            EXPECT_LE(compressor.pack(raw).bytes.size(), liblz4_size(raw) + raw.size() / 100)
                << size;
        }
    }
}

TEST(CompressionTest, the_scheme_that_gains_most_is_chosen) {
    Compressor compressor;
    EXPECT_EQ(compressor.pack(words(4, 2'000)).scheme, Compression::Lz4);
    EXPECT_EQ(compressor.pack(weights(5, 30'000)).scheme, Compression::Bg4Lz4);
    EXPECT_EQ(compressor.pack(random_bytes(7, 30'000)).scheme, Compression::None);
    EXPECT_EQ(compressor.pack(numbers(8, 10'000)).scheme, Compression::Bg4Lz4);
    // Both gain: pages of weights that come again, and pages that do not.
    const Bytes page = weights(9, 5'000);
    Bytes pages = page;
    pages.insert(pages.end(), page.begin(), page.end());
    for (const Bytes& raw : {pages, weights(10, 300), words(11, 30), Bytes(50'000)}) {
        const std::size_t plain = compressor.pack_as(Compression::Lz4, raw).bytes.size();
        const std::size_t group = compressor.pack_as(Compression::Bg4Lz4, raw).bytes.size();
        EXPECT_LE(compressor.pack(raw).bytes.size(), std::min(plain, group));
    }
}

TEST(CompressionTest, less_than_three_percent_gain_stays_raw) {
    // Random bytes with a run of zeros at the end: each zero saves about a byte.
    Compressor compressor;
    const auto scheme_with = [&](std::size_t zeros) {
        Bytes raw = random_bytes(9, 100'000 - zeros);
        raw.resize(100'000);
        return compressor.pack(raw);
    };
    EXPECT_EQ(scheme_with(2'900).scheme, Compression::None);
    EXPECT_EQ(scheme_with(2'900).bytes.size(), 100'000U);
    EXPECT_NE(scheme_with(3'500).scheme, Compression::None);
    EXPECT_LE(scheme_with(3'500).bytes.size(), 97'000U);
}

TEST(CompressionTest, unpack_refuses_every_truncation_and_every_other_length) {
    Compressor compressor;
    const Bytes raw = text_lines(200);
    for (const Compression scheme : {Compression::Lz4, Compression::Bg4Lz4}) {
        const Bytes packed = copy(compressor.pack_as(scheme, raw).bytes);
        for (std::size_t size = 0; size < packed.size(); ++size) {
            expect_corrupt(scheme, ByteView(packed).first(size), raw.size());
        }
        expect_corrupt(scheme, packed, raw.size() - 1);
        expect_corrupt(scheme, packed, raw.size() + 1);
        expect_corrupt(scheme, packed, 0);
        Bytes longer = packed;
        longer.push_back(std::byte{0});
        expect_corrupt(scheme, longer, raw.size());
        // A second frame, even one of the right kind, belongs to nothing.
        Bytes twice = packed;
        twice.insert(twice.end(), packed.begin(), packed.end());
        expect_corrupt(scheme, twice, 2 * raw.size());
    }
    expect_corrupt(Compression::None, raw, raw.size() - 1);
    expect_corrupt(Compression::None, raw, raw.size() + 1);
}

TEST(CompressionTest, unpack_refuses_frames_of_another_kind) {
    Compressor compressor;
    const Bytes raw = text_lines(50);
    Bytes frame = copy(compressor.pack_as(Compression::Lz4, raw).bytes);
    Bytes dictionary = frame;
    dictionary[4] |= std::byte{1};
    expect_corrupt(Compression::Lz4, dictionary, raw.size());
    // A skippable frame of 4 bytes before the real one (LZ4 frame format, "Skippable frames").
    Bytes skippable = parse_hex("502a4d180400000000000000").value();
    skippable.insert(skippable.end(), frame.begin(), frame.end());
    expect_corrupt(Compression::Lz4, skippable, raw.size());
    expect_corrupt(Compression::Lz4, {}, raw.size());
}

TEST(CompressionTest, unpack_takes_frames_with_checksums_and_sizes_and_holds_them_to_it) {
    // "hello" five times over, by the lz4 command with -BX --content-size: content size, block and
    // content checksums.
    const Bytes frame = parse_hex("04224d187c401d000000000000008e0f0000006e68656c6c6f2006005068"
                                  "656c6c6f98f6dc6d0000000079b1fff9")
                            .value();
    constexpr std::string_view kText = "hello hello hello hello hello";
    Decompressor decompressor;
    Bytes raw(kText.size());
    ASSERT_TRUE(decompressor.unpack(Compression::Lz4, frame, raw));
    EXPECT_EQ(as_text(raw), kText);
    for (std::size_t at = 0; at < frame.size(); ++at) {
        Bytes changed = frame;
        changed[at] ^= std::byte{4};
        expect_corrupt(Compression::Lz4, changed, raw.size());
    }
    // After failures the same object unpacks the next one.
    EXPECT_FALSE(decompressor.unpack(Compression::Lz4, ByteView(frame).first(30), raw));
    EXPECT_TRUE(decompressor.unpack(Compression::Lz4, frame, raw));
}

TEST(CompressionTest, a_failed_chunk_does_not_spoil_the_next_one) {
    // A frame that promises 29 bytes and breaks off; LZ4F goes on waiting for them if it can.
    const Bytes broken = parse_hex("04224d187c401d000000000000008e0f0000006e").value();
    Compressor compressor;
    Decompressor decompressor;
    Bytes raw(29);
    EXPECT_FALSE(decompressor.unpack(Compression::Lz4, broken, raw));
    const Bytes good = text_lines(50);
    Bytes back(good.size());
    const auto status = decompressor.unpack(
        Compression::Lz4, compressor.pack_as(Compression::Lz4, good).bytes, back);
    EXPECT_TRUE(status) << status.error().describe();
    EXPECT_EQ(back, good);
}

TEST(CompressionTest, only_three_schemes_are_known) {
    EXPECT_EQ(parse_compression(2).value(), Compression::Bg4Lz4);
    EXPECT_EQ(parse_compression(3).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(parse_compression(255).error().code(), ErrorCode::Corrupt);
}

} // namespace
} // namespace locara::xet
