#include "../xorb_plan.hpp"

#include <locara/xet/xorb.hpp>

#include <gtest/gtest.h>

#include <array>
#include <map>

#include <malloc.h>

namespace locara::hf {
namespace {

/// A hash for each number; looks random, as chunk hashes do.
xet::ChunkHash hash_of(std::uint64_t number) {
    xet::ChunkHash hash;
    for (std::size_t i = 0; i < hash.bytes.size(); ++i) {
        number = number * 6364136223846793005ULL + 1442695040888963407ULL;
        hash.bytes[i] = static_cast<std::byte>(number >> 56U);
    }
    return hash;
}

std::vector<xet::Chunk> make_chunks(std::uint64_t first, std::size_t count) {
    std::vector<xet::Chunk> chunks;
    chunks.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        chunks.push_back({i * 8192, 8192, hash_of(first + i)});
    }
    return chunks;
}

/// Bytes that are allocated now; always 0 under sanitizers.
std::size_t heap_bytes() {
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

TEST(XorbPlan, keeps_a_few_bytes_for_each_chunk) {
    constexpr std::size_t kChunks = 200'000; // as 12 GiB of weights
    const auto chunks = make_chunks(0, kChunks);
    const std::size_t before = heap_bytes();
    XorbPlan plan(16U << 20U);
    ASSERT_TRUE(plan.add_file(chunks, nullptr));
    plan.finish();
    EXPECT_EQ(plan.new_bytes(), kChunks * 8192);
    EXPECT_LT(heap_bytes() - before, kChunks * 40);
}

TEST(XorbPlan, a_server_that_knows_ever_more_chunks_is_not_believed_for_ever) {
    const std::size_t before = heap_bytes();
    XorbPlan plan(16U << 20U);
    std::uint64_t number = 0;
    while (number < kMaxKnownChunks + 4 * xet::kMaxXorbChunks) {
        xet::Shard answer;
        answer.xorbs.resize(1);
        answer.xorbs[0].hash = xet::XorbHash{hash_of(~number).bytes};
        for (std::size_t i = 0; i < xet::kMaxXorbChunks; ++i) {
            answer.xorbs[0].chunks.push_back({hash_of(number++), 0, 1, xet::Offer::Yes});
        }
        plan.add_known(answer);
    }
    EXPECT_LT(heap_bytes() - before, kMaxKnownChunks * 64);
    // What it said first counts, and nothing is lost of the rest.
    const auto first = make_chunks(0, 10);
    const auto last = make_chunks(number - 10, 10);
    ASSERT_TRUE(plan.add_file(first, nullptr) && plan.add_file(last, nullptr));
    plan.finish();
    EXPECT_EQ(plan.known_bytes(), 10U * 8192U);
    EXPECT_EQ(plan.new_bytes(), 10U * 8192U);
}

TEST(XorbPlan, a_chunk_goes_into_a_xorb_once_and_terms_lead_to_it) {
    auto chunks = make_chunks(0, 500);
    const auto again = make_chunks(100, 200);
    chunks.insert(chunks.end(), again.begin(), again.end());
    const auto other = make_chunks(450, 100); // 50 of them are new
    XorbPlan plan(1U << 20U);                 // 128 chunks a xorb
    plan.add_known(hash_of(7), xet::XorbHash{hash_of(1'000'000).bytes}, 3);
    ASSERT_TRUE(plan.add_file(chunks, nullptr) && plan.add_file(other, nullptr));
    plan.finish();
    EXPECT_TRUE(plan.relies_on_server());
    EXPECT_EQ(plan.new_bytes(), 549U * 8192U);
    std::map<xet::XorbHash, std::vector<xet::ChunkHash>> xorbs;
    xorbs[xet::XorbHash{hash_of(1'000'000).bytes}] = {{}, {}, {}, hash_of(7)};
    for (const auto& xorb : plan.new_xorbs()) {
        EXPECT_LE(xorb.raw_bytes, 1U << 20U);
        const auto block = plan.xorb_block(xorb, 0);
        EXPECT_EQ(block.raw_bytes, xorb.raw_bytes);
        for (const auto& chunk : block.chunks) {
            xorbs[block.hash].push_back(chunk.hash);
        }
    }
    const std::array<const std::vector<xet::Chunk>*, 2> files{&chunks, &other};
    for (std::size_t file = 0; file < files.size(); ++file) {
        std::size_t at = 0;
        for (const auto& term : plan.file_block(file).terms) {
            for (auto i = term.chunks.begin; i < term.chunks.end; ++i) {
                ASSERT_EQ(xorbs.at(term.xorb).at(i), files.at(file)->at(at++).hash);
            }
        }
        EXPECT_EQ(at, files.at(file)->size());
    }
}

} // namespace
} // namespace locara::hf
