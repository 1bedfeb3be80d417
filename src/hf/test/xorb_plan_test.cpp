#include "../xorb_plan.hpp"

#include <locara/xet/xorb.hpp>

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <numeric>

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

/// A plan, and the list of the chunks of its files.
struct Planned {
    explicit Planned(std::uint64_t xorb_bytes) : plan(chunks, xorb_bytes) {}

    /// A file of chunks of 8192 bytes, which these numbers stand for.
    void add_file(const std::vector<std::uint64_t>& numbers) {
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            ASSERT_TRUE(chunks.add({i * 8192, 8192, hash_of(numbers[i])}));
        }
        ASSERT_TRUE(plan.add_file(numbers.size(), nullptr));
    }

    Spill<xet::Chunk> chunks;
    XorbPlan plan;
};

std::vector<std::uint64_t> numbers_from(std::uint64_t first, std::size_t count) {
    std::vector<std::uint64_t> numbers(count);
    std::iota(numbers.begin(), numbers.end(), first);
    return numbers;
}

/// Bytes that are allocated now; always 0 under sanitizers.
std::size_t heap_bytes() {
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

TEST(XorbPlan, keeps_chunks_out_of_memory) {
    constexpr std::size_t kChunks = 200'000; // as 12 GiB of weights
    const auto numbers = numbers_from(0, kChunks);
    const std::size_t before = heap_bytes();
    Planned planned(16U << 20U);
    planned.add_file(numbers);
    planned.plan.finish();
    EXPECT_EQ(planned.plan.new_bytes(), kChunks * 8192);
    EXPECT_EQ(planned.plan.file_block(0)->terms.size(), planned.plan.new_xorbs().size());
    EXPECT_LT(heap_bytes() - before, 1U << 20U);
}

TEST(XorbPlan, a_server_that_knows_ever_more_chunks_is_not_believed_for_ever) {
    const std::size_t before = heap_bytes();
    Planned planned(16U << 20U);
    XorbPlan& plan = planned.plan;
    std::uint64_t number = 0;
    while (number < kMaxKnownChunks + 4 * xet::kMaxXorbChunks) {
        xet::Shard answer;
        answer.xorbs.resize(1);
        answer.xorbs[0].hash = xet::XorbHash{hash_of(~number).bytes};
        for (std::size_t i = 0; i < xet::kMaxXorbChunks; ++i) {
            answer.xorbs[0].chunks.push_back({hash_of(number++), 0, 1, xet::Offer::Yes});
        }
        ASSERT_TRUE(plan.add_known(answer));
    }
    EXPECT_LT(heap_bytes() - before, 2U << 20U);
    // What it said first counts, and nothing is lost of the rest.
    planned.add_file(numbers_from(0, 10));
    planned.add_file(numbers_from(number - 10, 10));
    plan.finish();
    EXPECT_EQ(plan.known_bytes(), 10U * 8192U);
    EXPECT_EQ(plan.new_bytes(), 10U * 8192U);
}

TEST(XorbPlan, a_chunk_goes_into_a_xorb_once_and_terms_lead_to_it) {
    auto numbers = numbers_from(0, 500);
    const auto again = numbers_from(100, 200);
    numbers.insert(numbers.end(), again.begin(), again.end());
    const auto other = numbers_from(450, 100); // 50 of them are new
    Planned planned(1U << 20U);                // 128 chunks a xorb
    XorbPlan& plan = planned.plan;
    ASSERT_TRUE(plan.add_known(hash_of(7), xet::XorbHash{hash_of(1'000'000).bytes}, 3));
    planned.add_file(numbers);
    planned.add_file(other);
    plan.finish();
    EXPECT_TRUE(plan.relies_on_server());
    EXPECT_EQ(plan.new_bytes(), 549U * 8192U);
    std::map<xet::XorbHash, std::vector<xet::ChunkHash>> xorbs;
    xorbs[xet::XorbHash{hash_of(1'000'000).bytes}] = {{}, {}, {}, hash_of(7)};
    for (const auto& xorb : plan.new_xorbs()) {
        EXPECT_LE(xorb.raw_bytes, 1U << 20U);
        const auto block = plan.xorb_block(xorb, 0);
        ASSERT_TRUE(block);
        EXPECT_EQ(block->raw_bytes, xorb.raw_bytes);
        for (const auto& chunk : block->chunks) {
            xorbs[block->hash].push_back(chunk.hash);
        }
    }
    const std::array<const std::vector<std::uint64_t>*, 2> files{&numbers, &other};
    for (std::size_t file = 0; file < files.size(); ++file) {
        std::size_t at = 0;
        const auto block = plan.file_block(file);
        for (const auto& term : block->terms) {
            for (auto i = term.chunks.begin; i < term.chunks.end; ++i) {
                ASSERT_EQ(xorbs.at(term.xorb).at(i), hash_of(files.at(file)->at(at++)));
            }
        }
        EXPECT_EQ(at, files.at(file)->size());
    }
}

TEST(ChunkSlots, finds_what_was_added_in_memory_and_in_a_file) {
    const auto found = [](std::uint32_t i) -> Result<xet::ChunkHash> { return hash_of(i); };
    ChunkSlots slots(scratch_folder());
    constexpr std::uint32_t kCount = 60'000; // the table leaves memory at some 6,000
    for (std::uint32_t i = 0; i < kCount; ++i) {
        ASSERT_EQ(*slots.find(hash_of(i), found), std::nullopt);
        ASSERT_TRUE(slots.add(i, hash_of(i)));
    }
    for (std::uint32_t i = 0; i < kCount; ++i) {
        ASSERT_EQ(*slots.find(hash_of(i), found), i);
    }
}

TEST(ChunkSlots, hashes_that_all_fall_on_one_place_cost_a_bounded_time) {
    const auto same = [](std::uint32_t number) {
        xet::ChunkHash hash;
        for (std::size_t i = 0; i < 4; ++i) {
            hash.bytes[20 + i] = static_cast<std::byte>(number >> (8 * i));
        }
        return hash;
    };
    std::size_t looked_at = 0;
    const auto found = [&](std::uint32_t i) -> Result<xet::ChunkHash> {
        ++looked_at;
        return same(i);
    };
    ChunkSlots slots(scratch_folder());
    for (std::uint32_t i = 0; i < 20'000; ++i) {
        ASSERT_TRUE(slots.add(i, same(i)));
    }
    EXPECT_EQ(*slots.find(same(3), found), 3U);
    looked_at = 0;
    EXPECT_EQ(*slots.find(same(19'999), found), std::nullopt) << "forgotten, not wrong";
    EXPECT_LE(looked_at, 256U);
}

} // namespace
} // namespace locara::hf
