#include "support.hpp"

#include <locara/test_support/golden.hpp>
#include <locara/xet/shard.hpp>

#include <gtest/gtest.h>

namespace locara::xet {
namespace {

Bytes example() {
    return read_bytes("example.shard");
}

void put_u32(Bytes& bytes, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) {
        bytes[at + i] = static_cast<std::byte>(value >> (8 * i) & 0xFFU);
    }
}

void put_u64(Bytes& bytes, std::size_t at, std::uint64_t value) {
    put_u32(bytes, at, static_cast<std::uint32_t>(value));
    put_u32(bytes, at + 4, static_cast<std::uint32_t>(value >> 32U));
}

std::uint64_t get_u64(ByteView bytes, std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 8; i-- > 0;) {
        value = value << 8U | std::to_integer<std::uint64_t>(bytes[at + i]);
    }
    return value;
}

ErrorCode code_of(ByteView bytes) {
    const auto parsed = parse_shard(bytes);
    EXPECT_FALSE(parsed);
    return parsed ? ErrorCode::Internal : parsed.error().code();
}

/// Two xorbs and two files over them, one with a SHA-256.
struct Sample {
    Tables tables;
    Shard shard;
};

Sample sample() {
    Sample out;
    const XorbHash a = out.tables.add(random_table(11, 5));
    const XorbHash b = out.tables.add(random_table(12, 3));
    out.shard.files.push_back(make_file(out.tables, {{a, {0, 5}}}));
    out.shard.files.back().sha256 = crypto::sha256(as_bytes("any"));
    out.shard.files.push_back(make_file(out.tables, {{b, {1, 3}}, {a, {2, 4}}, {b, {0, 1}}}));
    const std::uint32_t first = 0;
    out.shard.xorbs.push_back(make_xorb_block(a, out.tables.get(a), std::span(&first, 1)));
    out.shard.xorbs.push_back(make_xorb_block(b, out.tables.get(b)));
    return out;
}

DedupKey sample_key() {
    return DedupKey::parse("abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789")
        .value();
}

Shard dedup_answer() {
    return make_dedup_answer(sample().shard.xorbs, {sample_key(), 1'700'000'000, 1'700'600'000});
}

// --- The vector ---------------------------------------------------------------------------------

TEST(ShardTest, example_says_what_the_independent_parser_found) {
    const auto vectors = read_vectors("example")["shard"];
    const auto shard = parse_shard(example());
    ASSERT_TRUE(shard) << shard.error().describe();
    ASSERT_TRUE(shard->footer);
    EXPECT_TRUE(shard->footer->key.is_zero());
    EXPECT_EQ(shard->footer->created, vectors["creation_timestamp"].get<std::uint64_t>());
    ASSERT_EQ(shard->files.size(), vectors["files"].size());
    for (std::size_t i = 0; i < shard->files.size(); ++i) {
        const FileBlock& file = shard->files[i];
        const auto& row = vectors["files"][i];
        EXPECT_EQ(file.hash.render(), row["file_hash"].get<std::string>());
        EXPECT_EQ(file.sha256->render(), row["sha256"].get<std::string>());
        ASSERT_EQ(file.terms.size(), row["segments"].size());
        ASSERT_EQ(file.verification.size(), file.terms.size());
        for (std::size_t k = 0; k < file.terms.size(); ++k) {
            const auto& term = row["segments"][k];
            EXPECT_EQ(file.terms[k].xorb.render(), term["xorb_hash"].get<std::string>());
            EXPECT_EQ(file.terms[k].raw_bytes, term["unpacked_bytes"].get<std::uint32_t>());
            EXPECT_EQ(file.terms[k].chunks.begin, term["chunk_start"].get<std::uint32_t>());
            EXPECT_EQ(file.terms[k].chunks.end, term["chunk_end"].get<std::uint32_t>());
            EXPECT_EQ(file.verification[k].render(),
                      row["range_verification_hashes"][k].get<std::string>());
        }
    }
    ASSERT_EQ(shard->xorbs.size(), 1U);
    EXPECT_EQ(shard->xorbs[0].packed_bytes, 577'168U);
    EXPECT_EQ(shard->xorbs[0].chunks.size(), 15U);
}

TEST(ShardTest, files_of_the_example_are_those_that_its_xorb_makes) {
    const auto shard = parse_shard(example()).value();
    Tables tables;
    tables.add(verify_xorb(read_bytes("example.xorb"), shard.xorbs[0].hash).value());
    for (const FileBlock& file : shard.files) {
        const auto status = verify_file(file, tables.find(), Proofs::Required);
        EXPECT_TRUE(status) << status.error().describe();
    }
    EXPECT_TRUE(verify_xorb_block(shard.xorbs[0], tables.get(shard.xorbs[0].hash)));
}

TEST(ShardTest, every_truncation_of_the_example_is_an_error) {
    const Bytes bytes = example();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        ASSERT_FALSE(parse_shard(ByteView(bytes).first(size))) << size;
    }
    // The same without a footer, as the Rust client uploads it.
    Bytes bare(bytes.begin(), bytes.end() - 200);
    put_u64(bare, 40, 0);
    const auto parsed = parse_shard(bare);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->files, parse_shard(bytes)->files);
    EXPECT_FALSE(parsed->footer);
    for (std::size_t size = 0; size < bare.size(); ++size) {
        ASSERT_FALSE(parse_shard(ByteView(bare).first(size))) << size;
    }
    bare.push_back({});
    EXPECT_EQ(code_of(bare), ErrorCode::Corrupt);
}

TEST(ShardTest, no_single_changed_byte_of_the_example_does_harm) {
    const Bytes bytes = example();
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (const auto flip : {std::byte{1}, std::byte{0x80}, std::byte{0xff}}) {
            Bytes changed = bytes;
            changed[at] ^= flip;
            const auto parsed = parse_shard(changed);
            if (parsed) {
                const auto again = parse_shard(render_shard(*parsed).value());
                ASSERT_TRUE(again) << at;
                ASSERT_EQ(*again, *parsed) << at;
            }
        }
    }
}

// --- Writing ------------------------------------------------------------------------------------

TEST(ShardTest, written_shards_have_golden_bytes_and_read_back) {
    Shard upload = sample().shard;
    EXPECT_GOLDEN("upload.shard", as_text(render_shard(upload).value()));
    EXPECT_EQ(parse_shard(render_shard(upload).value()).value(), upload);
    upload.footer = ShardFooter{{}, 1'700'000'000, 0};
    const Bytes with_footer = render_shard(upload, Lookups::With).value();
    EXPECT_GOLDEN("upload-with-footer.shard", as_text(with_footer));
    EXPECT_EQ(parse_shard(with_footer).value(), upload);
    const Bytes answer = render_shard(dedup_answer()).value();
    EXPECT_GOLDEN("dedup.shard", as_text(answer));
    EXPECT_EQ(parse_shard(answer).value(), dedup_answer());
}

TEST(ShardTest, example_rendered_again_differs_only_in_what_its_client_left_out) {
    const Bytes bytes = example();
    const Bytes again = render_shard(parse_shard(bytes).value()).value();
    ASSERT_EQ(again.size(), bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const std::size_t in_footer = i + 200 - bytes.size();
        const bool lookups = i >= bytes.size() - 200 && in_footer >= 24 && in_footer < 72;
        const bool file_bytes = i >= bytes.size() - 200 && in_footer >= 176 && in_footer < 184;
        if (!lookups && !file_bytes) {
            ASSERT_EQ(again[i], bytes[i]) << i;
        }
    }
}

TEST(ShardTest, dedup_answer_has_what_clients_ask_for) {
    const Bytes answer = render_shard(dedup_answer()).value();
    const ByteView footer = ByteView(answer).last(200);
    EXPECT_EQ(get_u64(answer, 40), 200U); // footer size, in the header
    EXPECT_EQ(get_u64(footer, 0), 1U);    // version
    const std::uint64_t xorbs = get_u64(footer, 16);
    EXPECT_EQ(xorbs, 96U);                      // header, and the bookend of no files
    EXPECT_GT(get_u64(footer, 24), xorbs + 48); // JavaScript reads xorbs up to the file lookup
    EXPECT_EQ(get_u64(footer, 112), 1'700'600'000U);
    // Whoever has a chunk finds it under the key, nobody else.
    const Shard plain = sample().shard;
    const Shard keyed = parse_shard(answer).value();
    for (std::size_t i = 0; i < plain.xorbs.size(); ++i) {
        for (std::size_t k = 0; k < plain.xorbs[i].chunks.size(); ++k) {
            const ChunkHash& hash = plain.xorbs[i].chunks[k].hash;
            EXPECT_NE(keyed.xorbs[i].chunks[k].hash, hash);
            EXPECT_EQ(keyed.xorbs[i].chunks[k].hash, keyed_chunk_hash(hash, keyed.footer->key));
        }
    }
    const Shard open = make_dedup_answer(plain.xorbs, {});
    EXPECT_EQ(open.xorbs, plain.xorbs);
}

TEST(ShardTest, lookups_are_sorted_and_point_at_their_records) {
    Shard shard = sample().shard;
    shard.footer = ShardFooter{};
    const Bytes bytes = render_shard(shard, Lookups::With).value();
    const ByteView footer = ByteView(bytes).last(200);
    const std::array<std::uint64_t, 3> expected = {2, 2, 8};
    for (std::size_t table = 0; table < 3; ++table) {
        const std::size_t row_bytes = table == 2 ? 16 : 12;
        const std::uint64_t section = get_u64(footer, table == 0 ? 8 : 16);
        const std::uint64_t offset = get_u64(footer, 24 + 16 * table);
        const std::uint64_t count = get_u64(footer, 32 + 16 * table);
        ASSERT_EQ(count, expected.at(table));
        std::uint64_t before = 0;
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::uint64_t row = offset + i * row_bytes;
            const std::uint64_t word = get_u64(bytes, row);
            EXPECT_LE(before, word);
            before = word;
            const std::uint64_t record = get_u64(bytes, row + 8) & 0xffffffffU;
            const std::uint64_t chunk = table == 2 ? (get_u64(bytes, row + 8) >> 32U) + 1 : 0;
            EXPECT_EQ(get_u64(bytes, section + 48 * (record + chunk)), word);
        }
    }
}

TEST(ShardTest, render_refuses_what_parse_would) {
    const auto refused = [](auto change) {
        Shard shard = sample().shard;
        change(shard);
        const auto rendered = render_shard(shard);
        return !rendered && rendered.error().code() == ErrorCode::InvalidArgument;
    };
    EXPECT_TRUE(refused([](Shard& s) { s.files[1].verification.pop_back(); }));
    EXPECT_TRUE(refused([](Shard& s) { s.files[0].terms[0].chunks.end = 0; }));
    EXPECT_TRUE(refused([](Shard& s) { s.files[0].terms[0].chunks.end = 8193; }));
    EXPECT_TRUE(refused([](Shard& s) { s.files[0].terms[0].raw_bytes = 0; }));
    EXPECT_TRUE(refused([](Shard& s) { s.files[0].hash.bytes.fill(std::byte{0xff}); }));
    EXPECT_TRUE(refused([](Shard& s) { s.xorbs[0].hash.bytes.fill(std::byte{0xff}); }));
    EXPECT_TRUE(refused([](Shard& s) { s.xorbs[0].raw_bytes += 1; }));
    EXPECT_TRUE(refused([](Shard& s) { s.xorbs[0].chunks[1].raw_begin += 1; }));
    EXPECT_EQ(render_shard(sample().shard, Lookups::With).error().code(),
              ErrorCode::InvalidArgument);
}

// --- Hostile bytes ------------------------------------------------------------------------------

TEST(ShardTest, other_tags_versions_and_footer_sizes_are_refused) {
    Bytes bytes = example();
    EXPECT_EQ(code_of({}), ErrorCode::Corrupt);
    bytes[20] ^= std::byte{1};
    EXPECT_EQ(code_of(bytes), ErrorCode::Corrupt);
    bytes = example();
    put_u64(bytes, 32, 3);
    EXPECT_EQ(code_of(bytes), ErrorCode::Unsupported);
    for (const std::uint64_t size : {1UL, 199UL, 201UL, 4096UL, ~0UL}) {
        bytes = example();
        put_u64(bytes, 40, size);
        EXPECT_EQ(code_of(bytes), ErrorCode::Corrupt);
    }
    bytes = example();
    put_u64(bytes, bytes.size() - 200, 2);
    EXPECT_EQ(code_of(bytes), ErrorCode::Unsupported);
}

TEST(ShardTest, hostile_counts_allocate_nothing) {
    const Bytes good = example();
    const std::size_t xorb = 1056;
    for (const std::uint32_t count : {0x7fffffffU, 0x80000000U, 0xffffffffU, 8193U, 1000U}) {
        Bytes files = good;
        put_u32(files, 48 + 36, count);
        EXPECT_EQ(code_of(files), ErrorCode::Corrupt) << count;
        Bytes xorbs = good;
        put_u32(xorbs, xorb + 36, count);
        EXPECT_EQ(code_of(xorbs), ErrorCode::Corrupt) << count;
    }
}

TEST(ShardTest, footer_offsets_must_be_zero_or_right_and_may_not_overflow) {
    Shard shard = sample().shard;
    shard.footer = ShardFooter{};
    const Bytes good = render_shard(shard, Lookups::With).value();
    const std::size_t footer = good.size() - 200;
    for (const std::size_t at : {8UL, 16UL, 192UL}) {
        Bytes bytes = good;
        put_u64(bytes, footer + at, 0);
        EXPECT_TRUE(parse_shard(bytes)) << at;
        put_u64(bytes, footer + at, 49);
        EXPECT_EQ(code_of(bytes), ErrorCode::Corrupt) << at;
    }
    for (const std::size_t at : {24UL, 40UL, 56UL}) { // lookups: offset, then count
        for (const std::uint64_t value : {1UL, ~0UL, ~0UL - 11, 1UL << 63U}) {
            Bytes offset = good;
            put_u64(offset, footer + at, value);
            EXPECT_EQ(code_of(offset), ErrorCode::Corrupt) << at << ' ' << value;
            Bytes count = good;
            put_u64(count, footer + at + 8, value);
            EXPECT_EQ(code_of(count), ErrorCode::Corrupt) << at << ' ' << value;
        }
    }
}

TEST(ShardTest, terms_and_chunks_that_cannot_be_are_refused) {
    const Bytes good = example();
    const auto with = [&good](std::size_t at, std::uint32_t value) {
        Bytes bytes = good;
        put_u32(bytes, at, value);
        return code_of(bytes);
    };
    const std::size_t term = 96;
    EXPECT_EQ(with(term + 36, 7), ErrorCode::Corrupt);          // 8 chunks in 7 bytes
    EXPECT_EQ(with(term + 36, 0xffffffff), ErrorCode::Corrupt); // or in 4 GiB
    EXPECT_EQ(with(term + 40, 8), ErrorCode::Corrupt);          // 8..8
    EXPECT_EQ(with(term + 40, 0xffffffff), ErrorCode::Corrupt);
    EXPECT_EQ(with(term + 44, 8193), ErrorCode::Corrupt);
    const std::size_t xorb = 1056;
    EXPECT_EQ(with(xorb + 40, 5), ErrorCode::Corrupt);               // raw bytes of the xorb
    EXPECT_EQ(with(xorb + 48 + 32, 1), ErrorCode::Corrupt);          // start of the first chunk
    EXPECT_EQ(with(xorb + 48 + 36, 0), ErrorCode::Corrupt);          // its length
    EXPECT_EQ(with(xorb + 48 + 36, 0xffffffff), ErrorCode::Corrupt); // would wrap the next start
}

TEST(ShardTest, more_than_64_mib_are_refused_unread) {
    const Bytes large(kMaxShardBytes + 1);
    EXPECT_EQ(code_of(large), ErrorCode::TooLarge);
}

// --- Verification -------------------------------------------------------------------------------

TEST(ShardTest, verify_file_finds_each_lie) {
    const Sample good = sample();
    const auto verify = [&good](auto change, Proofs proofs = Proofs::Optional) {
        FileBlock file = good.shard.files[1];
        change(file);
        const auto status = verify_file(file, good.tables.find(), proofs);
        return status ? std::nullopt : std::optional(status.error().code());
    };
    EXPECT_EQ(verify([](FileBlock&) {}, Proofs::Required), std::nullopt);
    EXPECT_EQ(verify([](FileBlock& f) { f.verification.clear(); }), std::nullopt);
    EXPECT_EQ(verify([](FileBlock& f) { f.verification.clear(); }, Proofs::Required),
              ErrorCode::Corrupt);
    EXPECT_EQ(verify([](FileBlock& f) { f.verification.pop_back(); }), ErrorCode::Corrupt);
    EXPECT_EQ(verify([](FileBlock& f) { f.verification[1].bytes[3] ^= std::byte{1}; }),
              ErrorCode::Corrupt);
    EXPECT_EQ(verify([](FileBlock& f) { f.hash.bytes[0] ^= std::byte{1}; }), ErrorCode::Corrupt);
    EXPECT_EQ(verify([](FileBlock& f) { f.terms[0].raw_bytes += 1; }), ErrorCode::Corrupt);
    EXPECT_EQ(verify([](FileBlock& f) { f.terms[0].chunks.end = 4; }), ErrorCode::Corrupt);
    EXPECT_EQ(verify([](FileBlock& f) { f.terms[0].chunks = {2, 1}; }), ErrorCode::Corrupt);
    EXPECT_EQ(verify([](FileBlock& f) { std::swap(f.terms[0], f.terms[1]); }), ErrorCode::Corrupt);
    EXPECT_EQ(verify([](FileBlock& f) { f.terms[2].xorb = {}; }), ErrorCode::NotFound);
}

TEST(ShardTest, empty_file_has_no_terms_and_the_zero_hash) {
    FileBlock file;
    const FindTable none = [](const XorbHash&) { return nullptr; };
    EXPECT_TRUE(verify_file(file, none, Proofs::Required));
    Shard shard;
    shard.files.push_back(file);
    EXPECT_EQ(parse_shard(render_shard(shard).value()).value(), shard);
    file.hash.bytes[0] = std::byte{1};
    EXPECT_FALSE(verify_file(file, none));
}

TEST(ShardTest, verify_xorb_block_finds_each_lie) {
    const Sample good = sample();
    const XorbBlock block = good.shard.xorbs[0];
    const XorbTable& table = good.tables.get(block.hash);
    EXPECT_TRUE(verify_xorb_block(block, table));
    XorbBlock changed = block;
    changed.chunks[2].hash.bytes[9] ^= std::byte{1};
    EXPECT_FALSE(verify_xorb_block(changed, table));
    changed = block;
    changed.chunks[2].raw_bytes += 1;
    EXPECT_FALSE(verify_xorb_block(changed, table));
    changed = block;
    changed.chunks.pop_back();
    EXPECT_FALSE(verify_xorb_block(changed, table));
}

TEST(ShardTest, chunks_are_offered_if_eligible_or_first_of_a_file) {
    Sample good = sample();
    const XorbBlock& block = good.shard.xorbs[0];
    EXPECT_EQ(block.chunks[0].offer, Offer::Yes);
    EXPECT_EQ(block.chunks[1].offer, Offer::No);
    ChunkHash eligible;
    eligible.bytes[0] = std::byte{1}; // the last word is zero
    XorbTable table;
    ASSERT_TRUE(table.append(eligible, {Compression::None, 5, 5}));
    EXPECT_EQ(make_xorb_block({}, table).chunks[0].offer, Offer::Yes);
}

} // namespace
} // namespace locara::xet
