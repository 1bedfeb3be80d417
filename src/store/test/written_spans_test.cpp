#include <locara/store/part_journal.hpp>
#include <locara/store/written_spans.hpp>
#include <locara/test_support/golden.hpp>

#include <gtest/gtest.h>

namespace locara::store {
namespace {

const std::string kDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const std::string kBoot = "0d2b6c1e-9f1c-4c3e-8a52-6f3f0c7b9a10";

WrittenSpans written_of(std::uint64_t size = 100) {
    return {crypto::Sha256Digest::parse(kDigest).value(), size, kBoot};
}

std::vector<Span> parse(const std::string& text) {
    return written_of().parse(text).spans();
}

TEST(WrittenSpansTest, follows_the_document) {
    const WrittenSpans written = written_of();
    const std::string text =
        written.render_head() + written.render_slot({0, 64}) + written.render_slot({70, 100});
    EXPECT_GOLDEN("written-spans.txt", text);
    EXPECT_EQ(parse(text), (std::vector<Span>{{0, 64}, {70, 100}}));
    EXPECT_EQ(written.render_slot({0, 64}).size(), kWrittenSlotBytes);
    EXPECT_EQ(written_of(kMaxFileBytes).render_slot({kMaxFileBytes - 1, kMaxFileBytes}).size(),
              kWrittenSlotBytes);
}

TEST(WrittenSpansTest, says_nothing_of_another_file_or_another_run_of_the_machine) {
    const WrittenSpans written = written_of();
    const std::string slot = written.render_slot({0, 64});
    EXPECT_TRUE(parse(written_of(101).render_head() + slot).empty());
    WrittenSpans other = written;
    other.boot.back() = '1';
    EXPECT_TRUE(parse(other.render_head() + slot).empty());
    other.boot.clear();
    EXPECT_TRUE(other.parse(other.render_head() + slot).spans().empty()) << "no boot id is known";
    for (const std::string& text : {std::string(), std::string("x"), slot, written.render_head()}) {
        EXPECT_TRUE(parse(text).empty()) << text;
    }
}

TEST(WrittenSpansTest, passes_over_slots_that_are_not_valid) {
    const WrittenSpans written = written_of();
    const std::string first = written.render_slot({0, 64});
    const std::string second = written.render_slot({70, 100});
    for (std::string bad : {std::string(kWrittenSlotBytes, '\0'),
                            std::string(kWrittenSlotBytes, ' '),
                            "- " + first.substr(2),
                            first.substr(0, 10) + "x" + first.substr(11),
                            first.substr(0, 16) + "x" + first.substr(17),
                            first.substr(0, kWrittenSlotBytes - 2) + "x\n",
                            written_of(200).render_slot({0, 101}),
                            first.substr(0, kWrittenSlotBytes - 1) + " "}) {
        EXPECT_EQ(parse(written.render_head() + bad + second), (std::vector<Span>{{70, 100}}))
            << bad;
    }
    EXPECT_EQ(parse(written.render_head() + first + second.substr(0, 20)),
              (std::vector<Span>{{0, 64}}));
}

TEST(WrittenSpansTest, counts_no_more_slots_than_there_are) {
    const WrittenSpans written = written_of();
    std::string text = written.render_head();
    for (std::size_t i = 0; i < kWrittenSlots; ++i) {
        text += written.render_slot({0, 1});
    }
    EXPECT_EQ(parse(text + written.render_slot({1, 2})), (std::vector<Span>{{0, 1}}));
}

} // namespace
} // namespace locara::store
