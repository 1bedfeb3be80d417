#include "support.hpp"

#include <locara/test_support/golden.hpp>
#include <locara/xet/xorb.hpp>

#include <gtest/gtest.h>

namespace locara::xet {
namespace {

constexpr std::size_t kExampleChunks = 15;

Bytes example() {
    return read_bytes("example.xorb");
}

XorbHash example_hash() {
    const auto vectors = read_vectors("example");
    return XorbHash::parse(vectors["xorbs"][0]["hash"].get<std::string>()).value();
}

void put_u32(Bytes& bytes, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) {
        bytes[at + i] = static_cast<std::byte>(value >> (8 * i) & 0xFFU);
    }
}

/// A small xorb with all three schemes.
Xorb small_xorb(Footer footer) {
    XorbBuilder builder;
    for (const Bytes& raw : {words(4, 60), weights(5, 300), random_bytes(7, 200)}) {
        EXPECT_TRUE(builder.add(chunk_hash(raw), raw));
    }
    return builder.finish(footer);
}

/// What a streaming reader says when the bytes come in pieces of `piece`.
Result<XorbReader::Summary> read_in_pieces(ByteView bytes, std::size_t piece) {
    XorbReader reader(nullptr);
    while (!bytes.empty()) {
        const std::size_t take = std::min(piece, bytes.size());
        LOCARA_CHECK(reader.update(bytes.first(take)));
        bytes = bytes.subspan(take);
    }
    return reader.finish();
}

// --- The vector ---------------------------------------------------------------------------------

TEST(XorbTest, example_has_the_chunks_and_the_hash_of_the_reference) {
    const auto vectors = read_vectors("example");
    const auto& rows = vectors["xorbs"][0]["chunks"];
    const Bytes bytes = example();
    std::size_t seen = 0;
    XorbReader reader([&](const XorbReader::Chunk& chunk) -> Status {
        const auto& row = rows[seen++];
        EXPECT_EQ(chunk.index + 1, seen);
        EXPECT_EQ(chunk.hash.render(), row["hash"].get<std::string>());
        EXPECT_EQ(chunk.header.packed, row["compressed_length"].get<std::uint32_t>());
        EXPECT_EQ(chunk.header.raw, row["uncompressed_length"].get<std::uint32_t>());
        EXPECT_EQ(static_cast<int>(chunk.header.scheme), row["scheme"].get<int>());
        EXPECT_EQ(crypto::sha256(chunk.raw).render(), row["sha256"].get<std::string>());
        return {};
    });
    ASSERT_TRUE(reader.update(bytes));
    const auto summary = reader.finish();
    ASSERT_TRUE(summary);
    EXPECT_EQ(seen, kExampleChunks);
    EXPECT_FALSE(summary->footer);
    EXPECT_EQ(summary->table.hash(), example_hash());
    EXPECT_EQ(summary->table.packed_bytes(), bytes.size());
    EXPECT_TRUE(verify_xorb(bytes, example_hash()));
}

TEST(XorbTest, example_read_in_pieces_of_any_size_is_the_same) {
    const Bytes bytes = example();
    const auto whole = read_in_pieces(bytes, bytes.size());
    for (const std::size_t piece : {7UL, 8UL, 4'099UL, 131'072UL}) {
        const auto read = read_in_pieces(bytes, piece);
        ASSERT_TRUE(read) << piece;
        EXPECT_EQ(read->table, whole->table) << piece;
    }
}

TEST(XorbTest, every_truncation_of_the_example_is_an_error) {
    // A xorb cut between two chunks is a xorb; its hash is another one.
    const Bytes bytes = example();
    const auto table = verify_xorb(bytes, example_hash()).value();
    std::vector<std::uint32_t> ends{0};
    for (const TableChunk& chunk : table.chunks()) {
        ends.push_back(chunk.packed_end);
    }
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const bool whole = std::ranges::find(ends, size) != ends.end();
        ASSERT_EQ(find_footer(ByteView(bytes).first(size)).has_value(), whole) << size;
        // The streaming and the unpacking check take longer: at some of the places.
        if (whole || size % 1'999 == 0) {
            ASSERT_EQ(read_in_pieces(ByteView(bytes).first(size), 50'000).has_value(), whole)
                << size;
            ASSERT_FALSE(verify_xorb(ByteView(bytes).first(size), example_hash())) << size;
        }
    }
}

// --- Building -----------------------------------------------------------------------------------

TEST(XorbTest, written_xorbs_have_golden_bytes) {
    EXPECT_GOLDEN("small.xorb", as_text(small_xorb(Footer::Without).bytes));
    EXPECT_GOLDEN("small-with-footer.xorb", as_text(small_xorb(Footer::With).bytes));
}

TEST(XorbTest, builder_and_reader_agree_with_and_without_footer) {
    for (const Footer footer : {Footer::Without, Footer::With}) {
        const Xorb xorb = small_xorb(footer);
        EXPECT_EQ(xorb.hash, xorb.table.hash());
        std::vector<Compression> schemes;
        XorbReader reader([&](const XorbReader::Chunk& chunk) -> Status {
            schemes.push_back(chunk.header.scheme);
            return {};
        });
        ASSERT_TRUE(reader.update(xorb.bytes));
        const auto summary = reader.finish();
        ASSERT_TRUE(summary);
        EXPECT_EQ(summary->table, xorb.table);
        EXPECT_EQ(summary->footer.has_value(), footer == Footer::With);
        EXPECT_EQ(schemes, (std::vector{Compression::Lz4, Compression::Bg4Lz4, Compression::None}));
        EXPECT_TRUE(verify_xorb(xorb.bytes, xorb.hash));
        const auto found = find_footer(xorb.bytes);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->has_value(), footer == Footer::With);
    }
}

TEST(XorbTest, builder_is_empty_and_usable_after_finish) {
    XorbBuilder builder;
    const Bytes raw = text_lines(10);
    ASSERT_TRUE(builder.add(chunk_hash(raw), raw));
    const Xorb first = builder.finish();
    EXPECT_TRUE(builder.empty());
    ASSERT_TRUE(builder.add(chunk_hash(raw), raw));
    EXPECT_EQ(builder.finish().bytes, first.bytes);
}

TEST(XorbTest, builder_refuses_chunks_that_no_xorb_has) {
    XorbBuilder builder;
    EXPECT_EQ(builder.add({}, {}).error().code(), ErrorCode::InvalidArgument);
    const Bytes large(kMaxChunkBytes + 1);
    EXPECT_EQ(builder.add({}, large).error().code(), ErrorCode::InvalidArgument);
    EXPECT_TRUE(builder.empty());
    const Bytes one(1);
    EXPECT_TRUE(builder.add(chunk_hash(one), one));
}

TEST(XorbTest, builder_stops_at_the_limits) {
    const Bytes one(1, std::byte{5});
    XorbBuilder many;
    for (std::size_t i = 0; i < kMaxXorbChunks; ++i) {
        ASSERT_TRUE(many.add(chunk_hash(one), one));
    }
    EXPECT_FALSE(many.fits(1));
    EXPECT_EQ(many.add(chunk_hash(one), one).error().code(), ErrorCode::TooLarge);
    const Xorb full = many.finish(Footer::With);
    EXPECT_TRUE(verify_xorb(full.bytes, full.hash));

    const Bytes random = random_bytes(3, kMaxChunkBytes);
    XorbBuilder large;
    while (large.fits(random.size())) {
        ASSERT_TRUE(large.add({}, random));
    }
    EXPECT_EQ(large.add({}, random).error().code(), ErrorCode::TooLarge);
    EXPECT_LE(large.finish(Footer::With).bytes.size(), kMaxXorbBytes);

    // Raw bytes count too, however well they pack.
    const Bytes zeros(kMaxChunkBytes);
    XorbBuilder packed;
    while (packed.fits(zeros.size())) {
        ASSERT_TRUE(packed.add({}, zeros));
    }
    EXPECT_EQ(packed.table().raw_bytes(), kMaxXorbBytes);
}

TEST(XorbTest, chunks_below_the_usual_minimum_are_taken) {
    // The JavaScript client's chunker makes chunks of 8,128 bytes.
    XorbBuilder builder;
    for (const std::size_t size : {8'128UL, 1UL, 64UL}) {
        const Bytes raw = random_bytes(size, size);
        ASSERT_TRUE(builder.add(chunk_hash(raw), raw));
    }
    const Xorb xorb = builder.finish();
    EXPECT_TRUE(verify_xorb(xorb.bytes, xorb.hash));
}

// --- Hostile bytes ------------------------------------------------------------------------------

TEST(XorbTest, chunk_header_is_refused_outside_its_limits) {
    const auto parse = [](std::string_view hex) {
        const Bytes bytes = parse_hex(hex).value();
        return parse_chunk_header(ByteView(bytes).first<kChunkHeaderBytes>());
    };
    const ChunkHeader largest{Compression::Lz4, kMaxPackedBytes, kMaxChunkBytes};
    EXPECT_EQ(parse_chunk_header(render(largest)).value(), largest);
    EXPECT_TRUE(parse("0001000000010000"));
    for (const std::string_view bad : {"0101000000010000",   // version 1
                                       "0001000003010000",   // scheme 3
                                       "0001000000000000",   // nothing raw
                                       "0000000000010000",   // nothing packed
                                       "0002000000010000",   // stored, two lengths
                                       "0001000001010002",   // 131,073 raw
                                       "00010004010100000"}) // 262,145 packed
    {
        const auto header = parse(bad.substr(0, 16));
        ASSERT_FALSE(header) << bad;
        EXPECT_EQ(header.error().code(), ErrorCode::Corrupt);
    }
}

TEST(XorbTest, a_changed_chunk_is_found) {
    Bytes bytes = small_xorb(Footer::Without).bytes;
    const XorbHash hash = small_xorb(Footer::Without).hash;
    bytes.back() ^= std::byte{1}; // inside the stored chunk: it still unpacks
    const auto status = verify_xorb(bytes, hash);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::Corrupt);
}

TEST(XorbTest, a_wrong_chunk_hash_gives_another_xorb_hash) {
    // The builder believes its caller; the reader does not.
    XorbBuilder builder;
    const Bytes raw = text_lines(10);
    ChunkHash wrong = chunk_hash(raw);
    wrong.bytes[0] ^= std::byte{1};
    ASSERT_TRUE(builder.add(wrong, raw));
    const Xorb without = builder.finish();
    EXPECT_EQ(verify_xorb(without.bytes, without.hash).error().code(), ErrorCode::Corrupt);
    ASSERT_TRUE(builder.add(wrong, raw));
    const Xorb with = builder.finish(Footer::With);
    EXPECT_TRUE(find_footer(with.bytes)); // which does not look at the content
    EXPECT_EQ(verify_xorb(with.bytes, with.hash).error().code(), ErrorCode::Corrupt);
}

TEST(XorbTest, a_footer_that_disagrees_is_refused) {
    const Xorb xorb = small_xorb(Footer::Without);
    // A good footer of another xorb.
    XorbBuilder other;
    const Bytes raw = text_lines(11);
    ASSERT_TRUE(other.add(chunk_hash(raw), raw));
    const Xorb foreign = other.finish();
    Bytes bytes = xorb.bytes;
    const Bytes footer = render_footer({foreign.hash, foreign.table});
    bytes.insert(bytes.end(), footer.begin(), footer.end());
    EXPECT_EQ(verify_xorb(bytes, xorb.hash).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(find_footer(bytes).error().code(), ErrorCode::Corrupt);
}

TEST(XorbTest, every_changed_byte_of_a_footer_is_refused_but_for_its_free_space) {
    const Xorb xorb = small_xorb(Footer::With);
    const std::size_t begin = xorb.table.packed_bytes();
    const std::size_t free_end = xorb.bytes.size() - 4;
    for (std::size_t at = begin; at < xorb.bytes.size(); ++at) {
        Bytes bytes = xorb.bytes;
        bytes[at] ^= std::byte{0x10};
        const bool free_space = at >= free_end - 16 && at < free_end;
        ASSERT_EQ(verify_xorb(bytes, xorb.hash).has_value(), free_space) << at - begin;
    }
}

TEST(XorbTest, every_truncation_of_a_footer_is_an_error) {
    const Xorb xorb = small_xorb(Footer::With);
    for (std::size_t size = xorb.table.packed_bytes() + 1; size < xorb.bytes.size(); ++size) {
        const ByteView cut = ByteView(xorb.bytes).first(size);
        ASSERT_FALSE(verify_xorb(cut, xorb.hash)) << size;
        ASSERT_FALSE(find_footer(cut)) << size;
        ASSERT_FALSE(read_in_pieces(cut, 3)) << size;
    }
    Bytes longer = xorb.bytes;
    longer.push_back({});
    EXPECT_FALSE(verify_xorb(longer, xorb.hash));
}

TEST(XorbTest, hostile_counts_and_lengths_of_a_footer_are_refused) {
    const Xorb xorb = small_xorb(Footer::With);
    const Bytes footer = render_footer({xorb.hash, xorb.table});
    for (const std::uint32_t count : {0U, 2U, 4U, 8193U, 0x7fffffffU, 0xffffffffU}) {
        Bytes bytes = footer;
        put_u32(bytes, 48, count);
        EXPECT_FALSE(parse_footer(bytes)) << count;
        // The same count everywhere: after the second ident, and 32 bytes from the end.
        put_u32(bytes, 40 + 12 + 3 * 32 + 8, count);
        put_u32(bytes, bytes.size() - 32, count);
        EXPECT_FALSE(parse_footer(bytes)) << count;
    }
    EXPECT_FALSE(parse_footer({}));
    EXPECT_EQ(parse_footer(footer)->table, xorb.table);
    Bytes version = footer;
    version[7] = std::byte{2};
    EXPECT_EQ(parse_footer(version).error().code(), ErrorCode::Unsupported);
}

TEST(XorbTest, more_chunks_than_a_xorb_has_are_refused) {
    // 8193 stored chunks of one byte: 00 | 010000 | 00 | 010000 | 2a.
    const Bytes record = parse_hex("00010000000100002a").value();
    Bytes bytes;
    for (std::size_t i = 0; i <= kMaxXorbChunks; ++i) {
        bytes.insert(bytes.end(), record.begin(), record.end());
    }
    EXPECT_EQ(verify_xorb(bytes, {}).error().code(), ErrorCode::TooLarge);
    EXPECT_EQ(find_footer(bytes).error().code(), ErrorCode::TooLarge);
    EXPECT_TRUE(find_footer(ByteView(bytes).first(bytes.size() - record.size())));
}

TEST(XorbTest, a_failed_stream_stays_failed) {
    RecordSplitter splitter;
    const auto sink = [](const ChunkRecord&) { return Status{}; };
    const Bytes bad(8, std::byte{9});
    EXPECT_FALSE(splitter.update(bad, sink));
    EXPECT_FALSE(splitter.update(parse_hex("00010000000100002a").value(), sink));
    EXPECT_FALSE(splitter.finish());
}

TEST(XorbTest, an_error_of_the_sink_ends_the_reading) {
    XorbReader reader([](const XorbReader::Chunk& chunk) -> Status {
        return chunk.index == 1 ? Status(Error(ErrorCode::Cancelled, "enough")) : Status{};
    });
    EXPECT_EQ(reader.update(small_xorb(Footer::Without).bytes).error().code(),
              ErrorCode::Cancelled);
}

// --- Tables -------------------------------------------------------------------------------------

TEST(XorbTableTest, ranges_of_chunks_are_found_and_unpack_alone) {
    const Bytes bytes = example();
    const auto table = verify_xorb(bytes, example_hash()).value();
    EXPECT_EQ(table.packed_range({8, 11}).value(), (ByteRange{241'090, 391'114}));
    EXPECT_EQ(table.raw_range({0, 8}).value(), (ByteRange{0, 300'000}));
    EXPECT_EQ(table.packed_range({4, 4}).value().size(), 0U);
    for (std::uint32_t begin = 0; begin < table.size(); ++begin) {
        for (std::uint32_t end = begin + 1; end <= table.size(); end += 5) {
            const auto range = table.packed_range({begin, end}).value();
            const auto part =
                read_in_pieces(ByteView(bytes).subspan(range.begin, range.size()), 65'536);
            ASSERT_TRUE(part);
            ASSERT_EQ(part->table.infos({0, part->table.size()}).value(),
                      table.infos({begin, end}).value());
        }
    }
}

TEST(XorbTableTest, ranges_outside_are_invalid) {
    const XorbTable table = random_table(1, 4);
    for (const ChunkRange bad : {ChunkRange{3, 2}, {0, 5}, {5, 5}, {0xffffffff, 0}}) {
        EXPECT_EQ(table.infos(bad).error().code(), ErrorCode::InvalidArgument);
        EXPECT_EQ(table.packed_range(bad).error().code(), ErrorCode::InvalidArgument);
        EXPECT_EQ(table.raw_range(bad).error().code(), ErrorCode::InvalidArgument);
    }
}

TEST(XorbTableTest, create_takes_what_a_table_says_and_refuses_offsets_that_go_back) {
    const XorbTable table = random_table(2, 20);
    const std::vector<TableChunk> good(table.chunks().begin(), table.chunks().end());
    EXPECT_EQ(XorbTable::create(good).value(), table);
    for (const std::uint32_t bad : {0U, 1U, 0xffffffffU, 0x80000000U}) {
        auto packed = good;
        packed[7].packed_end = bad;
        EXPECT_EQ(XorbTable::create(packed).error().code(), ErrorCode::Corrupt);
        auto raw = good;
        raw[7].raw_end = bad;
        EXPECT_EQ(XorbTable::create(raw).error().code(), ErrorCode::Corrupt);
    }
    auto header_only = good;
    header_only[0].packed_end = kChunkHeaderBytes;
    EXPECT_FALSE(XorbTable::create(header_only));
}

} // namespace
} // namespace locara::xet
