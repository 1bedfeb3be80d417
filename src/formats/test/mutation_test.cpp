// Deterministic mutations of clean files: whatever a parser accepts must satisfy what callers rely
// on, and the scan must answer something for everything.
#include "invariants.hpp"
#include "test/support.hpp"

#include <locara/formats/gguf.hpp>
#include <locara/formats/safetensors.hpp>
#include <locara/formats/scan.hpp>

#include <gtest/gtest.h>

#include <random>

namespace locara::formats {
namespace {

constexpr int kMutations = 25'000;

/// One to four small changes, leaning to the ends of the integers where parsers go wrong.
std::string mutate(std::string bytes, std::mt19937_64& random) {
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    for (std::size_t i = 0, n = 1 + below(4); i < n && !bytes.empty(); ++i) {
        const std::size_t at = below(bytes.size());
        switch (below(8)) {
        case 0:
            bytes[at] = static_cast<char>(random());
            break;
        case 1:
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
            break;
        case 2:
            bytes[at] = static_cast<char>(bytes[at] + (below(2) == 0 ? 1 : -1));
            break;
        case 3:
            bytes.erase(at, 1 + below(16));
            break;
        case 4:
            bytes.insert(at, bytes.substr(below(bytes.size()), below(32)));
            break;
        case 5:
            bytes.resize(at);
            break;
        case 6: {
            constexpr std::uint64_t kEdges[] = {0,
                                                1,
                                                0x7F,
                                                0xFF,
                                                0xFFFF,
                                                0x7FFFFFFF,
                                                0xFFFFFFFF,
                                                1ULL << 32U,
                                                (1ULL << 63U) - 1,
                                                1ULL << 63U,
                                                ~0ULL};
            const std::string edge = test::u64(kEdges[below(std::size(kEdges))]);
            const std::size_t width = below(2) == 0 ? 4 : 8;
            bytes.replace(at, width, edge.substr(0, width));
            break;
        }
        default:
            bytes += std::string(below(40), static_cast<char>(random()));
            break;
        }
    }
    return bytes;
}

TEST(Mutation, what_gguf_accepts_tiles_the_file) {
    std::mt19937_64 random(20'260'101);
    const std::string clean = test::clean_gguf().build();
    int accepted = 0;
    for (int i = 0; i < kMutations; ++i) {
        const std::string bytes = mutate(clean, random);
        const MemorySource source(as_bytes(bytes));
        const auto checked = check_gguf(source);
        if (checked) {
            ++accepted;
            ASSERT_EQ(broken_invariant(*checked, bytes.size()), "") << i;
        } else {
            ASSERT_TRUE(checked.error().rule.starts_with("gguf.")) << checked.error().rule;
            ASSERT_FALSE(checked.error().reason.empty());
        }
        const Verdict verdict = scan_source(source, "m.gguf");
        ASSERT_TRUE(checked || verdict.decision != Decision::Allow || verdict.format != "gguf")
            << i;
    }
    EXPECT_GT(accepted, 100); // mutations of names, texts and numbers are right files
    EXPECT_LT(accepted, kMutations / 2);
}

TEST(Mutation, what_safetensors_accepts_tiles_the_file) {
    std::mt19937_64 random(20'260'102);
    const std::string clean = test::clean_safetensors();
    int accepted = 0;
    for (int i = 0; i < kMutations; ++i) {
        const std::string bytes = mutate(clean, random);
        const MemorySource source(as_bytes(bytes));
        const auto checked = check_safetensors(source);
        if (checked) {
            ++accepted;
            ASSERT_EQ(broken_invariant(*checked, bytes.size()), "") << i;
        } else {
            ASSERT_TRUE(checked.error().rule.starts_with("safetensors.")) << checked.error().rule;
            ASSERT_FALSE(checked.error().reason.empty());
        }
        const Verdict verdict = scan_source(source, "m.safetensors");
        ASSERT_TRUE(checked || verdict.decision != Decision::Allow ||
                    verdict.format != "safetensors")
            << i;
    }
    EXPECT_GT(accepted, 100);
    EXPECT_LT(accepted, kMutations / 2);
}

} // namespace
} // namespace locara::formats
