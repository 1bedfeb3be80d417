// Xorbs and shards on their way in: what is right is taken, everything else is not.
#include "sample.hpp"

#include <utility>

namespace locara::cas {
namespace {

using testing::HasSubstr;

class XorbTest : public CasTest {
  protected:
    /// Chunks that end up raw, LZ4 and grouped.
    std::vector<Bytes> chunks{random.bytes(9000),
                              Bytes(20'000, std::byte{7}),
                              random.weights(40'000),
                              random.bytes(131'072),
                              random.weights(12'345)};
    xet::Xorb xorb = make_xorb(chunks);
};

TEST_F(XorbTest, a_xorb_is_taken_with_or_without_footer_and_stored_with_one) {
    const auto with = make_xorb(chunks, xet::Footer::With);
    ASSERT_EQ(with.hash, xorb.hash);
    EXPECT_FALSE(*cas.has_xorb(xorb.hash));
    EXPECT_EQ(*cas.put_xorb(xorb.hash, xorb.bytes), Inserted::Yes);
    EXPECT_TRUE(*cas.has_xorb(xorb.hash));
    EXPECT_EQ(*cas.put_xorb(with.hash, with.bytes), Inserted::No);
    ASSERT_EQ(*cas.xorb_size(xorb.hash), with.bytes.size());
    Bytes stored(with.bytes.size());
    ASSERT_TRUE(cas.read_xorb(xorb.hash, 0, stored));
    EXPECT_EQ(stored, with.bytes);
    EXPECT_EQ(objects("xorbs/"), 1U);

    const auto other = make_memory_backend();
    EXPECT_EQ(*Cas(*other).put_xorb(with.hash, with.bytes), Inserted::Yes);
    EXPECT_TRUE(Cas(*other).fsck().value().bad.empty());
}

TEST_F(XorbTest, pieces_may_be_cut_anywhere) {
    const auto with = make_xorb(chunks, xet::Footer::With);
    for (const std::size_t size : {1U, 7U, 4096U, 100'000U}) {
        const auto store = make_memory_backend();
        Cas other(*store);
        auto upload = other.begin_xorb(with.hash).value();
        for (std::size_t at = 0; at < with.bytes.size(); at += size) {
            ASSERT_TRUE(upload.write(
                ByteView(with.bytes).subspan(at, std::min(size, with.bytes.size() - at))));
        }
        EXPECT_EQ(*upload.finish(), Inserted::Yes);
    }
}

TEST_F(XorbTest, one_wrong_byte_in_any_chunk_is_refused) {
    const auto with = make_xorb(chunks, xet::Footer::With);
    const auto ends = xorb.table.chunks();
    std::uint32_t begin = 0;
    for (const auto& chunk : ends) {
        // The header (version, lengths, scheme), the first packed byte, the middle, the last.
        for (const std::uint32_t at : {begin,
                                       begin + 1,
                                       begin + 4,
                                       begin + 5,
                                       begin + 8,
                                       (begin + chunk.packed_end) / 2,
                                       chunk.packed_end - 1}) {
            for (const xet::Xorb* const from : {&std::as_const(xorb), &with}) {
                Bytes bad = from->bytes;
                bad[at] ^= std::byte{0x40};
                const auto put = cas.put_xorb(xorb.hash, bad);
                ASSERT_FALSE(put) << at;
                EXPECT_TRUE(put.error().code() == ErrorCode::Corrupt ||
                            put.error().code() == ErrorCode::TooLarge)
                    << put.error().describe();
            }
        }
        begin = chunk.packed_end;
    }
    EXPECT_EQ(objects(""), 0U);
}

TEST_F(XorbTest, a_footer_that_says_anything_else_is_refused) {
    const auto with = make_xorb(chunks, xet::Footer::With);
    std::size_t refused = 0;
    std::size_t taken = 0;
    for (std::size_t at = xorb.bytes.size(); at < with.bytes.size(); at += 3) {
        Bytes bad = with.bytes;
        bad[at] ^= std::byte{0x01};
        const auto store = make_memory_backend();
        const auto put = Cas(*store).put_xorb(xorb.hash, bad);
        ++(put ? taken : refused);
        if (put) { // the 16 free bytes say nothing; ours are written anyway
            Bytes stored(with.bytes.size());
            ASSERT_TRUE(Cas(*store).read_xorb(xorb.hash, 0, stored));
            EXPECT_EQ(stored, with.bytes);
        }
    }
    EXPECT_LE(taken, 6U);
    EXPECT_GT(refused, 50U);
}

TEST_F(XorbTest, other_names_cut_bodies_and_extra_bytes_are_refused) {
    xet::XorbHash wrong = xorb.hash;
    wrong.bytes[31] ^= std::byte{1};
    const auto put = cas.put_xorb(wrong, xorb.bytes);
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code(), ErrorCode::Corrupt);
    EXPECT_THAT(put.error().describe(), HasSubstr(wrong.render()));
    EXPECT_EQ(cas.put_xorb({}, {}).error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(cas.put_xorb(xorb.hash, {}).error().code(), ErrorCode::Corrupt);
    for (std::size_t size = 1; size < xorb.bytes.size(); size += 997) {
        EXPECT_EQ(cas.put_xorb(xorb.hash, ByteView(xorb.bytes).first(size)).error().code(),
                  ErrorCode::Corrupt);
    }
    Bytes longer = xorb.bytes;
    longer.push_back(std::byte{0});
    EXPECT_EQ(cas.put_xorb(xorb.hash, longer).error().code(), ErrorCode::Corrupt);
    // Right chunks in another order are another xorb.
    auto turned = chunks;
    std::swap(turned[0], turned[2]);
    EXPECT_EQ(cas.put_xorb(xorb.hash, make_xorb(turned).bytes).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(objects(""), 0U);
}

TEST_F(XorbTest, an_upload_that_is_given_up_leaves_nothing) {
    {
        auto upload = cas.begin_xorb(xorb.hash).value();
        ASSERT_TRUE(upload.write(xorb.bytes));
    }
    EXPECT_EQ(objects(""), 0U);
}

TEST_F(XorbTest, more_than_a_xorb_may_hold_is_refused_while_it_arrives) {
    // One-byte chunks without end.
    xet::XorbBuilder builder;
    const Bytes one(1, std::byte{1});
    const xet::ChunkHash hash = xet::chunk_hash(one);
    for (std::size_t i = 0; i < xet::kMaxXorbChunks; ++i) {
        ASSERT_TRUE(builder.add(hash, one));
    }
    const auto full = builder.finish();
    EXPECT_EQ(*cas.put_xorb(full.hash, full.bytes), Inserted::Yes);
    auto upload = cas.begin_xorb(full.hash).value();
    ASSERT_TRUE(upload.write(full.bytes));
    EXPECT_EQ(upload.write(ByteView(full.bytes).first(9)).error().code(), ErrorCode::TooLarge);
}

class ShardTest : public XorbTest {
  protected:
    void SetUp() override {
        ASSERT_TRUE(cas.put_xorb(xorb.hash, xorb.bytes));
        ASSERT_TRUE(cas.put_xorb(second.hash, second.bytes));
    }

    Bytes content() const {
        return join({chunks[1], chunks[2], second_chunks[0], second_chunks[1], chunks[4]});
    }

    xet::FileBlock file() const {
        return make_file({{&xorb, {1, 3}}, {&second, {0, 2}}, {&xorb, {4, 5}}});
    }

    /// A shard of this file, also where it makes no sense: terms are written over ones that do.
    static Bytes make_any_shard(const xet::FileBlock& block) {
        xet::FileBlock sane = block;
        for (xet::FileTerm& term : sane.terms) {
            term.chunks = {0, 1};
            term.raw_bytes = 1;
        }
        Bytes bytes = make_shard({sane});
        constexpr std::size_t kRecord = 48;
        std::size_t at = 2 * kRecord; // the header, the file's own record
        for (const xet::FileTerm& term : block.terms) {
            std::size_t field = at + xet::kHashBytes + sizeof(std::uint32_t); // after the flags
            for (const std::uint32_t value : {term.raw_bytes, term.chunks.begin, term.chunks.end}) {
                for (unsigned shift = 0; shift < 32; shift += 8) {
                    bytes[field++] = static_cast<std::byte>(value >> shift & 0xFFU);
                }
            }
            at += kRecord;
        }
        return bytes;
    }

    /// Refused with this code, and nothing was stored.
    void expect_refused(const xet::FileBlock& block, ErrorCode code) {
        EXPECT_EQ(shard_error(make_any_shard(block)), code);
        EXPECT_EQ(objects("files/") + objects("chunks/") + objects("sha256/"), 0U);
    }

    std::vector<Bytes> second_chunks{random.bytes(30'000), random.bytes(8192)};
    xet::Xorb second = make_xorb(second_chunks);
};

TEST_F(ShardTest, a_file_is_taken_and_can_be_read) {
    const auto put = cas.put_shard(make_shard({file()}), everybody());
    ASSERT_TRUE(put) << put.error().describe();
    EXPECT_EQ(put->inserted(), Inserted::Yes);
    ASSERT_EQ(put->files.size(), 1U);
    EXPECT_EQ(put->files[0].info.hash, file().hash);
    EXPECT_EQ(put->files[0].info.size, content().size());
    EXPECT_FALSE(put->files[0].info.sha256);
    EXPECT_EQ(read_all(cas, file().hash), content());
    EXPECT_EQ(cas.xorbs_of(file().hash)->size(), 2U);

    const auto again = cas.put_shard(make_shard({file()}), everybody());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->inserted(), Inserted::No);

    Cas restarted(*backend, options());
    EXPECT_EQ(read_all(restarted, file().hash), content());
}

TEST_F(ShardTest, the_empty_file_is_known_and_an_empty_shard_is_no_error) {
    EXPECT_EQ(cas.file_info({})->size, 0U);
    EXPECT_EQ(*cas.file_info({})->sha256, crypto::sha256({}));
    EXPECT_EQ(read_all(cas, {}), Bytes());
    EXPECT_TRUE(cas.touch({}));
    EXPECT_TRUE(cas.plan({}, std::nullopt, nullptr)->terms.empty());
    const auto put = cas.put_shard(make_shard({xet::FileBlock()}), everybody());
    ASSERT_TRUE(put) << put.error().describe();
    EXPECT_EQ(put->inserted(), Inserted::No);
    EXPECT_TRUE(cas.put_shard(make_shard({}), everybody())->files.empty());
    EXPECT_EQ(objects("files/"), 0U);
}

TEST_F(ShardTest, a_missing_xorb_is_not_found_and_one_of_somebody_else_is_forbidden) {
    const auto absent = make_xorb({random.bytes(100)});
    expect_refused(make_file({{&xorb, {0, 1}}, {&absent, {0, 1}}}), ErrorCode::NotFound);
    ShardOptions limited;
    std::vector<xet::XorbHash> asked;
    limited.may_use = [&](const xet::XorbHash& hash) {
        asked.push_back(hash);
        return hash == xorb.hash;
    };
    EXPECT_EQ(shard_error(make_shard({file()}), limited), ErrorCode::Forbidden);
    EXPECT_LE(std::count(asked.begin(), asked.end(), xorb.hash), 1) << "once a call";
    EXPECT_EQ(std::count(asked.begin(), asked.end(), second.hash), 1);
    // Nor may it tell what is here: it is asked before anybody looks.
    EXPECT_EQ(shard_error(make_shard({make_file({{&absent, {0, 1}}})}), limited),
              ErrorCode::Forbidden);
    EXPECT_EQ(objects("files/"), 0U);
}

TEST_F(ShardTest, every_wrong_hash_size_or_range_is_refused) {
    auto bad = file();
    bad.hash.bytes[0] ^= std::byte{1};
    expect_refused(bad, ErrorCode::Corrupt);

    for (std::size_t i = 0; i < 3; ++i) {
        bad = file();
        bad.verification[i].bytes[5] ^= std::byte{1};
        expect_refused(bad, ErrorCode::Corrupt);
        bad = file();
        bad.terms[i].raw_bytes += 1;
        expect_refused(bad, ErrorCode::Corrupt);
        bad = file();
        bad.terms[i].chunks.end += 1;
        expect_refused(bad, ErrorCode::Corrupt);
        bad = file();
        bad.terms[i].chunks = {8190, 8192};
        expect_refused(bad, ErrorCode::Corrupt);
        bad = file();
        bad.terms[i].raw_bytes = 0xFFFFFFFF;
        expect_refused(bad, ErrorCode::Corrupt);
    }
    bad = file();
    bad.verification.clear(); // who has no chunks has no proofs
    expect_refused(bad, ErrorCode::Corrupt);
    bad = file();
    std::swap(bad.terms[0], bad.terms[1]);
    std::swap(bad.verification[0], bad.verification[1]);
    expect_refused(bad, ErrorCode::Corrupt);
    bad = file();
    bad.hash = {};
    expect_refused(bad, ErrorCode::Corrupt);
    bad = xet::FileBlock();
    bad.hash = file().hash;
    expect_refused(bad, ErrorCode::Corrupt);
}

TEST_F(ShardTest, bytes_that_are_no_shard_are_refused) {
    const Bytes good = make_shard({file()});
    EXPECT_EQ(shard_error({}), ErrorCode::Corrupt);
    EXPECT_EQ(shard_error(Bytes(good.begin(), good.end() - 48)), ErrorCode::Corrupt);
    EXPECT_EQ(shard_error(Bytes(xet::kMaxShardBytes + 1)), ErrorCode::TooLarge);
}

TEST_F(ShardTest, a_shard_that_asks_for_endless_hashing_is_refused) {
    // A small shard that names the same run again and again.
    xet::FileBlock block;
    const std::size_t terms = kMaxFileChunks / xet::kMaxXorbChunks + 1;
    for (std::size_t i = 0; i < terms; ++i) {
        block.terms.push_back({xorb.hash, {0, 8192}, 8192});
        block.verification.emplace_back();
    }
    block.hash.bytes[0] = std::byte{1};
    expect_refused(block, ErrorCode::TooLarge);
}

/// A xorb of 512 zero chunks, 64 MiB, of which the first begins with `mark`.
xet::Xorb make_zero_xorb(std::byte mark) {
    Bytes chunk(xet::kMaxXorbBytes / 512);
    chunk[0] = mark;
    const Bytes zeros(chunk.size());
    xet::XorbBuilder builder;
    EXPECT_TRUE(builder.add(xet::chunk_hash(chunk), chunk));
    const auto hash = xet::chunk_hash(zeros);
    for (int i = 1; i < 512; ++i) {
        EXPECT_TRUE(builder.add(hash, zeros));
    }
    return builder.finish();
}

TEST_F(ShardTest, a_large_file_of_few_bytes_is_refused) {
    std::vector<xet::Xorb> xorbs;
    for (unsigned char i = 0; i < 5; ++i) {
        xorbs.push_back(make_zero_xorb(std::byte{i}));
        ASSERT_TRUE(cas.put_xorb(xorbs.back().hash, xorbs.back().bytes));
    }
    // So many times a xorb of 64 MiB, or several in turn.
    const auto repeat = [&](std::size_t times, std::size_t distinct) {
        std::vector<cas::Run> runs;
        for (std::size_t i = 0; i < times; ++i) {
            runs.push_back({&xorbs[i % distinct], {0, 512}});
        }
        return make_file(runs);
    };
    EXPECT_EQ(shard_error(make_shard({repeat(257, 1)})), ErrorCode::TooLarge);
    EXPECT_EQ(shard_error(make_shard({file(), repeat(257, 4)})), ErrorCode::TooLarge);
    std::vector<xet::FileBlock> many;
    for (std::size_t times = 200; times < 206; ++times) {
        many.push_back(repeat(times, 1));
    }
    EXPECT_EQ(shard_error(make_shard(many)), ErrorCode::TooLarge) << "together";
    EXPECT_EQ(objects("files/"), 0U);
    // 16 GiB of zeros, and what is more than that of more xorbs.
    const auto put = cas.put_shard(make_shard({repeat(256, 1), repeat(257, 5)}), everybody());
    ASSERT_TRUE(put) << put.error().describe();
    EXPECT_EQ(put->files[0].info.size, std::uint64_t{16} << 30U);
}

TEST_F(ShardTest, what_it_claims_is_asked_about_before_anything_is_done) {
    auto o = everybody();
    o.may_use = [](const xet::XorbHash&) {
        ADD_FAILURE() << "asked too early";
        return true;
    };
    std::vector<ShardClaim> seen;
    o.admit = [&](const std::vector<ShardClaim>& claims) {
        seen = claims;
        return Status(Error(ErrorCode::Refused, "no room"));
    };
    const auto other = make_file({{&second, {0, 1}}});
    EXPECT_EQ(shard_error(make_shard({file(), other, file()}), o), ErrorCode::Refused);
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen[0].hash, file().hash);
    EXPECT_EQ(seen[0].size, content().size());
    EXPECT_EQ(seen[1].size, second_chunks[0].size());
    EXPECT_EQ(objects("files/"), 0U);
}

TEST_F(ShardTest, all_files_of_a_shard_are_taken_or_none) {
    const auto first = make_file({{&second, {0, 1}}});
    auto bad = file();
    bad.verification[2].bytes[0] ^= std::byte{1};
    EXPECT_EQ(shard_error(make_shard({first, bad})), ErrorCode::Corrupt);
    EXPECT_EQ(objects("files/") + objects("chunks/"), 0U);
    const auto put = cas.put_shard(make_shard({first, file(), first}), everybody());
    ASSERT_TRUE(put) << put.error().describe();
    EXPECT_EQ(put->files.size(), 2U) << "each once";
    EXPECT_EQ(objects("files/"), 2U);
}

TEST_F(ShardTest, progress_ends_at_the_number_of_chunks) {
    auto o = everybody();
    std::vector<std::pair<std::uint64_t, std::uint64_t>> seen;
    o.progress = [&](std::uint64_t done, std::uint64_t total) { seen.emplace_back(done, total); };
    ASSERT_TRUE(cas.put_shard(make_shard({file(), make_file({{&second, {0, 1}}})}), o));
    EXPECT_THAT(seen, testing::ElementsAre(testing::Pair(5, 6), testing::Pair(6, 6)));
}

TEST_F(ShardTest, the_claimed_sha256_is_kept_and_verified_when_asked) {
    const Sha256 right = crypto::sha256(content());
    auto block = file();
    block.sha256 = right;
    ASSERT_TRUE(cas.put_shard(make_shard({block}), everybody()));
    EXPECT_EQ(*cas.file_info(block.hash)->sha256, right);
    EXPECT_EQ(cas.file_info(block.hash)->proof, FileInfo::Proof::Claimed);
    EXPECT_EQ(*cas.verify_sha256(block.hash), right);
    EXPECT_EQ(cas.file_info(block.hash)->proof, FileInfo::Proof::Verified);
    EXPECT_EQ(objects("sha256/"), 1U);
    Cas restarted(*backend, options());
    EXPECT_EQ(restarted.file_info(block.hash)->proof, FileInfo::Proof::Verified) << "remembered";
}

TEST_F(ShardTest, a_wrong_sha256_is_refused_at_once_when_asked_and_found_later_when_not) {
    auto block = file();
    block.sha256 = crypto::sha256(as_bytes("other bytes"));
    auto now = everybody();
    now.check_sha256 = ShardOptions::CheckSha256::Now;
    EXPECT_EQ(shard_error(make_shard({block}), now), ErrorCode::Conflict);
    EXPECT_EQ(objects("files/"), 0U);

    ASSERT_TRUE(cas.put_shard(make_shard({block}), everybody()));
    EXPECT_EQ(cas.verify_sha256(block.hash).error().code(), ErrorCode::Conflict);
    EXPECT_EQ(cas.verify_sha256(block.hash).error().code(), ErrorCode::Conflict) << "and again";
    const auto info = cas.file_info(block.hash).value();
    EXPECT_EQ(*info.sha256, crypto::sha256(content())) << "the right one is known now";
    EXPECT_EQ(info.proof, FileInfo::Proof::Verified);
}

TEST_F(ShardTest, who_comes_second_with_another_sha256_is_settled_by_the_bytes) {
    auto wrong = file();
    wrong.sha256 = crypto::sha256(as_bytes("other bytes"));
    auto right = file();
    right.sha256 = crypto::sha256(content());
    ASSERT_TRUE(cas.put_shard(make_shard({wrong}), everybody())) << "only claimed";
    const auto put = cas.put_shard(make_shard({right}), everybody());
    ASSERT_TRUE(put) << put.error().describe();
    EXPECT_EQ(put->files[0].info.sha256, right.sha256);
    EXPECT_EQ(put->files[0].info.proof, FileInfo::Proof::Verified);
    EXPECT_EQ(shard_error(make_shard({wrong})), ErrorCode::Conflict) << "known to be wrong now";
}

TEST_F(ShardTest, a_file_that_came_without_sha256_gets_one_from_who_comes_second) {
    ASSERT_TRUE(cas.put_shard(make_shard({file()}), everybody()));
    auto right = file();
    right.sha256 = crypto::sha256(content());
    const auto put = cas.put_shard(make_shard({right}), everybody());
    ASSERT_TRUE(put) << put.error().describe();
    EXPECT_EQ(put->files[0].info.sha256, right.sha256);
}

TEST_F(ShardTest, one_shard_with_two_sha256s_for_a_file_is_refused) {
    auto one = file();
    one.sha256 = crypto::sha256(content());
    auto two = file();
    two.sha256 = crypto::sha256(as_bytes("x"));
    EXPECT_EQ(shard_error(make_shard({one, two})), ErrorCode::Corrupt);
}

} // namespace
} // namespace locara::cas
