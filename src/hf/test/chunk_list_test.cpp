#include "../chunk_list.hpp"

#include <gmock/gmock.h>

namespace locara::hf {
namespace {

using testing::HasSubstr;

xet::ChunkHash hash_of(std::uint32_t number) {
    return xet::chunk_hash(as_bytes(std::to_string(number)));
}

/// A file of `terms` terms, each all of one xorb of `chunks` chunks of `bytes` bytes.
xet::Shard make_shard(std::uint32_t terms, std::uint32_t chunks, std::uint32_t bytes) {
    xet::XorbBlock xorb;
    xorb.raw_bytes = chunks * bytes;
    std::vector<xet::ChunkInfo> infos;
    for (std::uint32_t i = 0; i < chunks; ++i) {
        xorb.chunks.push_back({hash_of(i), i * bytes, bytes, xet::Offer::No});
        infos.push_back({xorb.chunks.back().hash, bytes});
    }
    xorb.hash = xet::xorb_hash(infos);
    xet::FileBlock file;
    std::vector<xet::ChunkInfo> all;
    for (std::uint32_t i = 0; i < terms; ++i) {
        file.terms.push_back({xorb.hash, {0, chunks}, chunks * bytes});
        all.insert(all.end(), infos.begin(), infos.end());
    }
    file.hash = xet::file_hash(all);
    return {{std::move(file)}, {std::move(xorb)}, std::nullopt};
}

Result<ChunkList> list_of(const xet::Shard& shard) {
    const xet::FileBlock& file = shard.files[0];
    SpillBytes bytes;
    EXPECT_TRUE(bytes.add(*xet::render_shard(shard)));
    const auto stored = xet::StoredShard::open(std::move(bytes));
    EXPECT_TRUE(stored);
    return ChunkList::create(*stored, file.hash, file.size(), scratch_folder());
}

TEST(ChunkList, a_small_shard_of_very_many_chunks_is_refused_before_a_list_is_made) {
    // Some kilobytes that ask for a list of 16 million chunks, 1 GB. The hash is never looked at.
    xet::Shard shard = make_shard(1, 8192, 1);
    shard.files[0].terms.resize(2000, shard.files[0].terms[0]);
    ASSERT_EQ(shard.files[0].size(), 2000U * 8192U);
    const auto list = list_of(shard);
    ASSERT_FALSE(list);
    EXPECT_EQ(list.error().code(), ErrorCode::Corrupt);
    EXPECT_THAT(list.error().message(), HasSubstr("more than the"));
}

TEST(ChunkList, the_shortest_chunks_that_clients_make_are_taken) {
    const xet::Shard shard = make_shard(3, 64, ChunkList::kShortestCut);
    const auto list = list_of(shard);
    ASSERT_TRUE(list) << list.error().describe();
    EXPECT_EQ(list->chunks().size(), 3U * 64U);
    EXPECT_EQ(list->xorbs().size(), 1U);
}

TEST(ChunkList, each_term_may_end_in_a_chunk_of_any_size) {
    const xet::Shard shard = make_shard(5, 1, 7);
    const auto list = list_of(shard);
    ASSERT_TRUE(list) << list.error().describe();
    EXPECT_EQ(list->chunks().size(), 5U);
    EXPECT_EQ(*list->find(3), std::nullopt);
    EXPECT_EQ(*list->find(14), 2U);
    EXPECT_EQ(*list->find(35), std::nullopt) << "past the end";
    // Of [1, 28) the chunks at 7, 14 and 21 are inside; of [1, 27) the last is not.
    for (const std::uint64_t end : {28U, 27U}) {
        auto inside = *list->inside({1, end});
        for (std::uint64_t at = 7; at + 7 <= end; at += 7) {
            EXPECT_EQ((*inside.next())->offset, at);
        }
        EXPECT_EQ(*inside.next(), nullptr);
    }
    EXPECT_EQ(*list->inside({1, 6})->next(), nullptr);
}

TEST(ChunkList, more_chunks_than_the_size_allows_are_refused) {
    // Right in all but that: 40 bytes as 40 chunks of two terms.
    const xet::Shard shard = make_shard(2, 20, 1);
    const auto list = list_of(shard);
    ASSERT_FALSE(list);
    EXPECT_EQ(list.error().code(), ErrorCode::Corrupt);
}

} // namespace
} // namespace locara::hf
