#include "byte_grouping.hpp"
#include "support.hpp"

#include <locara/xet/compression.hpp>

#include <gtest/gtest.h>

#include <array>

namespace locara::xet {
namespace {

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
    for (const std::size_t size : {1UL, 2UL, 3UL, 5UL, 1000UL, 65'537UL, kMaxChunkBytes}) {
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

TEST(CompressionTest, the_scheme_that_gains_most_is_chosen) {
    Compressor compressor;
    EXPECT_EQ(compressor.pack(words(4, 2'000)).scheme, Compression::Lz4);
    EXPECT_EQ(compressor.pack(weights(5, 30'000)).scheme, Compression::Bg4Lz4);
    EXPECT_EQ(compressor.pack(random_bytes(7, 30'000)).scheme, Compression::None);
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
