// Plain bytes in: what is known is found, what is new is stored once.
#include "sample.hpp"

#include <locara/xet/chunker.hpp>

#include <thread>
#include <unordered_map>
#include <unordered_set>

#include <fcntl.h>

namespace locara::cas {
namespace {

/// Rewrites 4 KiB in each of some 64 KiB regions of a file (1 % of them), and inserts 1,000 bytes.
Bytes edited(const Bytes& before, Random& random, std::size_t regions) {
    constexpr std::size_t kRegion = 64U << 10U;
    constexpr std::size_t kEdit = 4096;
    Bytes after = before;
    for (std::size_t i = 0; i < regions; ++i) {
        const std::size_t at = random.below(before.size() / kRegion) * kRegion;
        const Bytes edit = random.weights(kEdit);
        std::copy(edit.begin(), edit.end(), after.begin() + static_cast<std::ptrdiff_t>(at));
    }
    const Bytes inserted = random.weights(1000);
    after.insert(after.begin() + static_cast<std::ptrdiff_t>(after.size() / 3),
                 inserted.begin(),
                 inserted.end());
    return after;
}

class IngestTest : public CasTest {};

TEST_F(IngestTest, bytes_come_back_with_the_hashes_of_the_chunker) {
    const Bytes bytes = random.weights(3'000'000);
    const auto done = ingest(cas, bytes, crypto::sha256(bytes));
    ASSERT_TRUE(done) << done.error().describe();
    std::vector<xet::ChunkInfo> infos;
    for (const xet::Chunk& chunk : xet::chunk_bytes(bytes)) {
        infos.push_back(chunk.info());
    }
    EXPECT_EQ(done->info.hash, xet::file_hash(infos));
    EXPECT_EQ(done->info.size, bytes.size());
    EXPECT_EQ(*done->info.sha256, crypto::sha256(bytes));
    EXPECT_EQ(done->chunks, infos.size());
    EXPECT_EQ(done->new_chunks, infos.size());
    EXPECT_EQ(done->new_raw_bytes, bytes.size());
    EXPECT_EQ(done->inserted, Inserted::Yes);
    EXPECT_EQ(read_all(cas, done->info.hash), bytes);
    EXPECT_EQ(cas.file_info(done->info.hash)->proof, FileInfo::Proof::Verified);
    const auto stats = cas.stats().value();
    EXPECT_EQ(done->new_stored_bytes, stats.xorbs.bytes + stats.files.bytes + stats.other.bytes);
    EXPECT_LT(stats.xorbs.bytes, bytes.size() * 9 / 10) << "weights shrink";
    EXPECT_TRUE(cas.fsck()->bad.empty());

    const auto again = ingest(cas, bytes, std::nullopt, 12'345);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->info.hash, done->info.hash);
    EXPECT_EQ(again->inserted, Inserted::No);
    EXPECT_EQ(again->new_chunks, 0U);
    EXPECT_EQ(again->new_stored_bytes, 0U);
}

TEST_F(IngestTest, empty_and_tiny_files) {
    const auto empty = ingest(cas, {});
    ASSERT_TRUE(empty) << empty.error().describe();
    EXPECT_TRUE(empty->info.hash.is_zero());
    EXPECT_EQ(*empty->info.sha256, crypto::sha256({}));
    EXPECT_EQ(objects(""), 0U);
    const auto tiny = ingest(cas, as_bytes("x"));
    ASSERT_TRUE(tiny);
    EXPECT_EQ(as_text(read_all(cas, tiny->info.hash)), "x");
}

TEST_F(IngestTest, an_open_file_is_taken_from_its_start) {
    const TempFolder folder = TempFolder::create(testing::TempDir(), "ingest-").value();
    const Bytes bytes = random.bytes(2'500'000);
    ASSERT_TRUE(write_file_atomically(folder.path() / "f", bytes));
    const Fd fd = locara::open_file(folder.path() / "f", O_RDONLY).value();
    const auto done = cas.ingest(fd);
    ASSERT_TRUE(done) << done.error().describe();
    EXPECT_EQ(read_all(cas, done->info.hash), bytes);
}

TEST_F(IngestTest, the_wrong_sha256_stores_no_file) {
    const Bytes bytes = random.bytes(200'000);
    const auto done = ingest(cas, bytes, crypto::sha256(as_bytes("other")));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(objects("files/"), 0U);
}

TEST_F(IngestTest, a_second_version_adds_exactly_the_new_chunks) {
    const Bytes v1 = random.weights(24U << 20U);
    const Bytes v2 = edited(v1, random, 4);
    std::unordered_set<xet::ChunkHash> known;
    for (const xet::Chunk& chunk : xet::chunk_bytes(v1)) {
        known.insert(chunk.hash);
    }
    std::uint64_t new_bytes = 0;
    std::uint64_t new_chunks = 0;
    for (const xet::Chunk& chunk : xet::chunk_bytes(v2)) {
        if (known.insert(chunk.hash).second) {
            new_bytes += chunk.length;
            ++new_chunks;
        }
    }
    const auto first = ingest(cas, v1);
    ASSERT_TRUE(first) << first.error().describe();
    const auto before = cas.stats().value();

    // By a process that has just started, so that what it knows comes from the store.
    Cas restarted(*backend, options());
    const auto second = ingest(restarted, v2);
    ASSERT_TRUE(second) << second.error().describe();
    EXPECT_EQ(second->new_chunks, new_chunks);
    EXPECT_EQ(second->new_raw_bytes, new_bytes);
    const auto after = restarted.stats().value();
    const std::uint64_t growth = after.xorbs.bytes + after.files.bytes + after.other.bytes -
                                 before.xorbs.bytes - before.files.bytes - before.other.bytes;
    EXPECT_EQ(growth, second->new_stored_bytes);
    EXPECT_LT(growth, new_bytes + 40'000) << "a footer and the file's terms come on top";
    EXPECT_LT(growth, v1.size() / 25);
    EXPECT_EQ(read_all(restarted, second->info.hash), v2);
    EXPECT_EQ(read_all(restarted, first->info.hash), v1);
    RecordProperty("v1_raw", std::to_string(v1.size()));
    RecordProperty("v2_new_raw", std::to_string(new_bytes));
    RecordProperty("v2_growth", std::to_string(growth));
}

TEST_F(IngestTest, xorbs_are_full_and_within_their_limits) {
    CasOptions o = options();
    o.threads = 3;
    Cas other(*backend, o);
    const Bytes bytes = random.bytes(66U << 20U); // incompressible: two xorbs
    const auto done = ingest(other, bytes);
    ASSERT_TRUE(done) << done.error().describe();
    const auto page = backend->list("xorbs/", "").value();
    ASSERT_EQ(page.objects.size(), 2U);
    for (const ObjectInfo& object : page.objects) {
        EXPECT_LE(object.size, xet::kMaxXorbBytes);
    }
    EXPECT_TRUE(other.fsck()->bad.empty());
    EXPECT_EQ(*other.verify_sha256(done->info.hash), crypto::sha256(bytes));
}

TEST_F(IngestTest, repeated_content_is_stored_once_within_one_file) {
    const Bytes once = random.bytes(1'000'000);
    const Bytes bytes = join({once, once, once});
    const auto done = ingest(cas, bytes);
    ASSERT_TRUE(done) << done.error().describe();
    EXPECT_LT(done->new_raw_bytes, once.size() + 600'000);
    EXPECT_EQ(read_all(cas, done->info.hash), bytes);
    const Bytes zeros(3'000'000);
    const auto zero = ingest(cas, zeros);
    ASSERT_TRUE(zero) << zero.error().describe();
    EXPECT_EQ(zero->new_chunks, 2U);
    EXPECT_EQ(read_all(cas, zero->info.hash), zeros);
}

TEST_F(IngestTest, xorbs_of_other_clients_are_used_too) {
    const Bytes bytes = random.bytes(1'000'000);
    std::vector<Bytes> chunks;
    for (const xet::Chunk& chunk : xet::chunk_bytes(bytes)) {
        const auto part = ByteView(bytes).subspan(chunk.offset, chunk.length);
        chunks.emplace_back(part.begin(), part.end());
    }
    const auto xorb = make_xorb(chunks);
    ASSERT_TRUE(ingest(cas, as_bytes("so that the lookup is filled")));
    ASSERT_TRUE(cas.put_xorb(xorb.hash, xorb.bytes));
    EXPECT_EQ(ingest(cas, bytes)->new_chunks, 0U);
}

TEST_F(IngestTest, a_lookup_that_cannot_hold_all_still_finds_most_by_their_neighbours) {
    CasOptions o = options();
    o.lookup_bytes = 1; // the least there is: 192 chunks of about 600
    Cas small(*backend, o);
    const Bytes v1 = random.bytes(40U << 20U);
    const auto first = ingest(small, v1);
    ASSERT_TRUE(first) << first.error().describe();
    Cas restarted(*backend, o);
    const auto second = ingest(restarted, v1);
    ASSERT_TRUE(second) << second.error().describe();
    EXPECT_EQ(second->info.hash, first->info.hash);
    EXPECT_LT(second->new_chunks, first->chunks / 20);
}

TEST_F(IngestTest, what_another_process_stored_is_known_after_a_minute_at_the_latest) {
    Cas other(*backend, options());
    ASSERT_TRUE(ingest(other, as_bytes("fills the lookup of the other one")));
    const Bytes bytes = random.bytes(500'000);
    ASSERT_TRUE(ingest(cas, bytes));
    clock.advance(std::chrono::seconds(61));
    EXPECT_EQ(ingest(other, bytes)->new_chunks, 0U);
}

TEST_F(IngestTest, what_gc_of_another_process_removed_is_stored_anew) {
    const Bytes bytes = random.bytes(500'000);
    ASSERT_TRUE(ingest(cas, bytes));
    clock.advance(std::chrono::hours(48));
    Cas other(*backend, options());
    EXPECT_GT(other.gc({})->removed_xorbs, 0U);
    const auto again = ingest(cas, bytes);
    ASSERT_TRUE(again) << again.error().describe();
    EXPECT_EQ(again->inserted, Inserted::Yes);
    EXPECT_EQ(again->new_chunks, again->chunks);
    EXPECT_EQ(read_all(cas, again->info.hash), bytes);
}

TEST_F(IngestTest, many_at_once_over_the_same_bytes_end_with_one_file) {
    const Bytes bytes = random.weights(2'000'000);
    Cas other(*backend, options());
    std::vector<std::thread> threads;
    for (Cas* const mine : {&cas, &other, &cas, &other}) {
        threads.emplace_back([&, mine] {
            const auto done = ingest(*mine, bytes, crypto::sha256(bytes), 100'000);
            ASSERT_TRUE(done) << done.error().describe();
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(objects("files/"), 1U);
    EXPECT_LE(objects("xorbs/"), 4U) << "who is overtaken stores what is left";
    EXPECT_TRUE(cas.fsck()->bad.empty());
}

} // namespace
} // namespace locara::cas
