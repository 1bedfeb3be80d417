#include "support.hpp"

#include <locara/test_support/golden.hpp>
#include <locara/xet/subtree.hpp>

#include <gtest/gtest.h>

namespace locara::xet {
namespace {

/// Random chunks; `cut_chance` in 16 of them are natural cuts at the lowest level.
std::vector<ChunkInfo> random_chunks(SplitMix& random, std::size_t count, unsigned cut_chance) {
    std::vector<ChunkInfo> chunks(count);
    for (ChunkInfo& chunk : chunks) {
        const Bytes bytes = next_bytes(random, kHashBytes);
        std::copy(bytes.begin(), bytes.end(), chunk.hash.bytes.begin());
        std::byte& low = chunk.hash.bytes[24]; // of the last word
        low &= std::byte{0xfc};
        if (random.below(16) >= cut_chance) {
            low |= std::byte{1};
        }
        chunk.size = random.below(kMaxChunkBytes);
    }
    return chunks;
}

/// Subtrees over consecutive runs of `chunks`, cut at random places.
std::vector<HashSubtree>
split(SplitMix& random, std::span<const ChunkInfo> chunks, std::size_t pieces) {
    std::vector<std::size_t> cuts{0, chunks.size()};
    for (std::size_t i = 1; i < pieces; ++i) {
        cuts.push_back(random.below(chunks.size() + 1));
    }
    std::ranges::sort(cuts);
    std::vector<HashSubtree> runs;
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
        runs.push_back(HashSubtree::from_chunks(i == 0 ? AtStart::Yes : AtStart::No,
                                                chunks.subspan(cuts[i], cuts[i + 1] - cuts[i]),
                                                i + 2 == cuts.size() ? AtEnd::Yes : AtEnd::No));
    }
    return runs;
}

/// Joins neighbours in a random order until one is left.
HashSubtree merge_in_any_order(SplitMix& random, std::vector<HashSubtree> runs) {
    while (runs.size() > 1) {
        const auto i = static_cast<std::ptrdiff_t>(random.below(runs.size() - 1));
        EXPECT_TRUE(runs[static_cast<std::size_t>(i)].merge(runs[static_cast<std::size_t>(i) + 1]));
        runs.erase(runs.begin() + i + 1);
    }
    return runs.front();
}

TEST(SubtreeTest, whole_lists_have_the_root_of_the_reference) {
    for (const auto& row : read_vectors("merkle")) {
        std::vector<ChunkInfo> leaves;
        for (const auto& leaf : row["leaves"]) {
            leaves.push_back({ChunkHash::parse(leaf["hash"].get<std::string>()).value(),
                              leaf["size"].get<std::uint64_t>()});
        }
        const auto whole = HashSubtree::from_chunks(AtStart::Yes, leaves, AtEnd::Yes);
        EXPECT_EQ(whole.root()->render(), row["xorb_hash"].get<std::string>());
    }
}

TEST(SubtreeTest, any_split_and_any_order_of_merging_gives_the_root_of_the_whole) {
    SplitMix random(20);
    for (int round = 0; round < 4'000; ++round) {
        // Usual lists, and those with few or many cuts, where boundaries are rarely stable.
        const std::array<unsigned, 6> chances = {4, 4, 1, 0, 9, 16};
        const std::size_t count = random.below(round % 50 == 0 ? 3'000 : 200);
        const auto chunks = random_chunks(random, count, chances.at(random.below(6)));
        const auto runs = split(random, chunks, 1 + random.below(12));
        const auto merged = merge_in_any_order(random, runs);
        ASSERT_TRUE(merged.root());
        ASSERT_EQ(*merged.root(), xorb_hash(chunks)) << round;
    }
}

TEST(SubtreeTest, json_form_has_golden_text) {
    SplitMix random(26);
    const auto chunks = random_chunks(random, 40, 5);
    const auto run = HashSubtree::from_chunks(AtStart::No, chunks, AtEnd::No);
    EXPECT_EQ(run.render()["levels"].size(), 2U);
    EXPECT_GOLDEN("subtree.json", render_json(run.render()));
}

TEST(SubtreeTest, json_form_reads_back_and_merges_the_same) {
    SplitMix random(21);
    for (int round = 0; round < 300; ++round) {
        const auto chunks = random_chunks(random, random.below(400), 4);
        auto runs = split(random, chunks, 4);
        for (HashSubtree& run : runs) {
            const Json json = run.render();
            auto parsed = HashSubtree::parse(json);
            ASSERT_TRUE(parsed) << parsed.error().describe();
            ASSERT_EQ(*parsed, run);
            ASSERT_EQ(parsed->render(), json);
            run = std::move(*parsed);
        }
        ASSERT_EQ(merge_in_any_order(random, runs).root(), xorb_hash(chunks));
    }
}

/// What the reference writes after a merge that grouped nothing: both parts on the left.
Json joined_on_the_left(const HashSubtree& run) {
    Json json = run.render();
    const std::size_t levels = json["levels"].size();
    std::vector<Json> lefts(levels);
    std::vector<Json> rights(levels);
    std::size_t next = 0;
    for (std::size_t i = 0; i < levels; ++i) {
        for (auto n = json["levels"][i][0].get<std::size_t>(); n > 0; --n) {
            lefts[i].push_back(json["nodes"][next++]);
        }
    }
    for (std::size_t i = levels; i-- > 0;) {
        for (auto n = json["levels"][i][1].get<std::size_t>(); n > 0; --n) {
            lefts[i].push_back(json["nodes"][next++]);
        }
    }
    json["nodes"] = Json::array();
    for (std::size_t i = 0; i < levels; ++i) {
        for (const Json& node : lefts[i]) {
            json["nodes"].push_back(node);
        }
        json["levels"][i] = Json::array({lefts[i].size(), 0U});
    }
    return json;
}

TEST(SubtreeTest, parts_that_the_reference_joined_are_told_apart) {
    SplitMix random(22);
    for (int round = 0; round < 200; ++round) {
        const auto chunks = random_chunks(random, 200, 4);
        for (const AtStart at_start : {AtStart::No, AtStart::Yes}) {
            const auto run = HashSubtree::from_chunks(at_start, chunks, AtEnd::No);
            const auto parsed = HashSubtree::parse(joined_on_the_left(run));
            ASSERT_TRUE(parsed) << parsed.error().describe();
            ASSERT_EQ(*parsed, run);
        }
    }
}

TEST(SubtreeTest, only_neighbours_merge) {
    const auto chunks = std::vector<ChunkInfo>(3);
    auto whole = HashSubtree::from_chunks(AtStart::Yes, chunks, AtEnd::Yes);
    const auto middle = HashSubtree::from_chunks(AtStart::No, chunks, AtEnd::No);
    EXPECT_EQ(whole.merge(middle).error().code(), ErrorCode::InvalidArgument);
    auto other = middle;
    EXPECT_EQ(other.merge(HashSubtree::from_chunks(AtStart::Yes, chunks, AtEnd::No)).error().code(),
              ErrorCode::InvalidArgument);
    EXPECT_EQ(other, middle);
    EXPECT_FALSE(middle.root());
    EXPECT_FALSE(HashSubtree().root());
}

TEST(SubtreeTest, empty_runs_change_nothing) {
    SplitMix random(23);
    const auto chunks = random_chunks(random, 100, 4);
    auto run = HashSubtree::from_chunks(AtStart::Yes, {}, AtEnd::No);
    EXPECT_EQ(HashSubtree::from_chunks(AtStart::Yes, {}, AtEnd::Yes).root(), XorbHash{});
    ASSERT_TRUE(run.merge(HashSubtree()));
    ASSERT_TRUE(run.merge(HashSubtree::from_chunks(AtStart::No, chunks, AtEnd::No)));
    ASSERT_TRUE(run.merge(HashSubtree()));
    ASSERT_TRUE(run.merge(HashSubtree::from_chunks(AtStart::No, {}, AtEnd::Yes)));
    EXPECT_EQ(run.root(), xorb_hash(chunks));
}

TEST(SubtreeTest, a_file_hash_from_a_stream_is_that_of_the_list) {
    SplitMix random(11);
    for (const std::size_t count : {0, 1, 2, 1023, 1024, 1025, 2048, 5000}) {
        for (const unsigned cut_chance : {0U, 4U, 16U}) {
            const auto chunks = random_chunks(random, count, cut_chance);
            FileHasher hasher;
            for (const ChunkInfo& chunk : chunks) {
                hasher.add(chunk);
            }
            EXPECT_EQ(hasher.finish(), file_hash(chunks)) << count << " chunks";
        }
    }
}

TEST(SubtreeTest, space_grows_with_the_logarithm) {
    SplitMix random(24);
    auto run = HashSubtree::from_chunks(AtStart::Yes, {}, AtEnd::No);
    std::size_t most = 0;
    for (int i = 0; i < 200; ++i) {
        const auto chunks = random_chunks(random, 500, 4);
        ASSERT_TRUE(run.merge(HashSubtree::from_chunks(AtStart::No, chunks, AtEnd::No)));
        most = std::max(most, run.nodes());
    }
    EXPECT_LT(most, 1'000U); // of 100,000 chunks
}

TEST(SubtreeTest, malformed_json_is_refused) {
    SplitMix random(25);
    const auto run =
        HashSubtree::from_chunks(AtStart::No, random_chunks(random, 300, 4), AtEnd::No);
    const Json good = run.render();
    ASSERT_GT(good["levels"].size(), 1U);
    const auto refused = [&good](auto change) {
        Json json = good;
        change(json);
        const auto parsed = HashSubtree::parse(json);
        return parsed ? std::nullopt : std::optional(parsed.error().code());
    };
    using Code = ErrorCode;
    EXPECT_EQ(refused([](Json&) {}), std::nullopt);
    EXPECT_EQ(refused([](Json& j) { j = 3; }), Code::InvalidArgument);
    EXPECT_EQ(refused([](Json& j) { j.erase("levels"); }), Code::InvalidArgument);
    EXPECT_EQ(refused([](Json& j) { j["at_end"] = 1; }), Code::InvalidArgument);
    EXPECT_EQ(refused([](Json& j) { j["at_end"] = true; }), Code::InvalidArgument);
    EXPECT_EQ(refused([](Json& j) { j["at_start"] = true; }), Code::InvalidArgument);
    EXPECT_EQ(refused([](Json& j) { j["nodes"].erase(0); }), Code::InvalidArgument);
    EXPECT_EQ(refused([](Json& j) { j["nodes"][0]["hash"] = "00"; }), Code::InvalidArgument);
    EXPECT_EQ(refused([](Json& j) { j["nodes"][0]["size"] = -1; }), Code::InvalidArgument);
    EXPECT_EQ(refused([](Json& j) { j["levels"][0] = {1, 2, 3}; }), Code::InvalidArgument);
    EXPECT_EQ(refused([](Json& j) { j["levels"][0][0] = ~0ULL; }), Code::InvalidArgument);
    EXPECT_EQ(refused([](Json& j) { j["levels"] = Json(65, Json({0, 0})); }), Code::TooLarge);
    EXPECT_EQ(refused([](Json& j) { j["nodes"] = Json(65'537, 0); }), Code::TooLarge);
}

} // namespace
} // namespace locara::xet
