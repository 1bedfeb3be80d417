// Deterministic mutations of clean files: whatever a parser accepts must satisfy what callers rely
// on, and the scan must answer something for everything.
#include "invariants.hpp"
#include "test/mutate.hpp"
#include "test/support.hpp"

#include <locara/formats/gguf.hpp>
#include <locara/formats/safetensors.hpp>
#include <locara/formats/scan.hpp>

#include <gtest/gtest.h>

#include <random>

namespace locara::formats {
namespace {

constexpr int kMutations = 25'000;

TEST(Mutation, what_gguf_accepts_tiles_the_file) {
    std::mt19937_64 random(20'260'101);
    const std::string clean = test::clean_gguf().build();
    int accepted = 0;
    for (int i = 0; i < kMutations; ++i) {
        const std::string bytes = test::mutate(clean, random);
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
        const std::string bytes = test::mutate(clean, random);
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
