#include <locara/store/spans.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace locara::store {
namespace {

using Spans = std::vector<Span>;

TEST(SpansTest, merges_what_touches_and_overlaps) {
    SpanSet set;
    set.add({10, 20});
    set.add({30, 40});
    EXPECT_EQ(set.spans(), (Spans{{10, 20}, {30, 40}}));
    set.add({20, 30});
    EXPECT_EQ(set.spans(), (Spans{{10, 40}}));
    set.add({5, 12});
    set.add({39, 50});
    set.add({7, 7});
    EXPECT_EQ(set.spans(), (Spans{{5, 50}}));
    EXPECT_EQ(set.bytes(), 45U);
    EXPECT_EQ(set.front(), 0U);
    set.add({0, 5});
    EXPECT_EQ(set.front(), 50U);
}

TEST(SpansTest, gaps_are_what_is_not_covered) {
    SpanSet set;
    EXPECT_EQ(set.gaps({0, 10}), (Spans{{0, 10}}));
    EXPECT_EQ(set.gaps({0, 0}), Spans{});
    set.add({2, 4});
    set.add({6, 8});
    EXPECT_EQ(set.gaps({0, 10}), (Spans{{0, 2}, {4, 6}, {8, 10}}));
    EXPECT_EQ(set.gaps({3, 7}), (Spans{{4, 6}}));
    EXPECT_EQ(set.gaps({4, 6}), (Spans{{4, 6}}));
    EXPECT_TRUE(set.covers({6, 8}));
    EXPECT_FALSE(set.covers({6, 9}));
}

TEST(SpansTest, agrees_with_a_plain_bitmap) {
    std::mt19937 random(7);
    constexpr std::uint64_t kSize = 64;
    for (int round = 0; round < 300; ++round) {
        SpanSet set;
        std::vector<bool> bits(kSize);
        for (int i = 0; i < 12; ++i) {
            const std::uint64_t first = random() % kSize;
            const std::uint64_t end = first + random() % (kSize - first + 1);
            set.add({first, end});
            std::fill(bits.begin() + static_cast<long>(first),
                      bits.begin() + static_cast<long>(end),
                      true);
            ASSERT_EQ(set.bytes(),
                      static_cast<std::uint64_t>(std::count(bits.begin(), bits.end(), true)));
            std::vector<bool> from_gaps(kSize, true);
            for (const Span& gap : set.gaps({0, kSize})) {
                std::fill(from_gaps.begin() + static_cast<long>(gap.first),
                          from_gaps.begin() + static_cast<long>(gap.end),
                          false);
            }
            ASSERT_EQ(bits, from_gaps);
        }
    }
}

} // namespace
} // namespace locara::store
