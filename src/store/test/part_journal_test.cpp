#include <locara/store/part_journal.hpp>
#include <locara/test_support/golden.hpp>

#include <gtest/gtest.h>

namespace locara::store {
namespace {

// SHA-256 of the empty text; the checks below were made with sha256sum, as docs/formats/store.md
// shows.
const std::string kDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const std::string kHead = "locara-part 1 " + kDigest + " 100\n";
const std::string kFirst = "+ 0 64 28b23bdd\n";
const std::string kSecond = "+ 70 100 710f1ead\n";

TEST(PartJournalTest, parse_and_render_are_inverse_and_follow_the_document) {
    const auto journal = PartJournal::parse(kHead + kFirst + kSecond);
    ASSERT_TRUE(journal);
    EXPECT_TRUE(journal->clean);
    EXPECT_EQ(journal->digest.render(), kDigest);
    EXPECT_EQ(journal->size, 100U);
    EXPECT_EQ(journal->spans.spans(), (std::vector<Span>{{0, 64}, {70, 100}}));
    EXPECT_EQ(journal->render(), kHead + kFirst + kSecond);
    EXPECT_GOLDEN("part-journal.txt", journal->render());
    EXPECT_EQ(journal->render_line({70, 100}), kSecond);
}

TEST(PartJournalTest, spans_may_touch_and_overlap_and_are_merged_by_render) {
    auto journal = *PartJournal::parse(kHead);
    const std::string text = kHead + kFirst + journal.render_line({60, 70}) + kSecond;
    const auto read = PartJournal::parse(text);
    EXPECT_EQ(read->spans.spans(), (std::vector<Span>{{0, 100}}));
    EXPECT_EQ(read->render(), kHead + journal.render_line({0, 100}));
}

TEST(PartJournalTest, says_nothing_about_a_part_whose_first_line_is_not_valid) {
    for (const std::string& text : {std::string(),
                                    std::string("locara-part 1 "),
                                    kHead.substr(0, kHead.size() - 1),
                                    "locara-part 2 " + kDigest + " 100\n",
                                    "locara-part 1 " + kDigest + "\n",
                                    "locara-part 1 " + kDigest + " \n",
                                    "locara-part 1 " + kDigest + " 0100\n",
                                    "locara-part 1 " + kDigest + " -1\n",
                                    "locara-part 1 " + kDigest + " 100 \n",
                                    "locara-part 1 " + kDigest + " 17592186044417\n",
                                    "locara-part 1 " + kDigest + " 99999999999999999999\n",
                                    "locara-part 1 E" + kDigest.substr(1) + " 100\n",
                                    std::string(kMaxJournalBytes + 1, 'x')}) {
        EXPECT_FALSE(PartJournal::parse(text)) << text.substr(0, 100);
    }
}

TEST(PartJournalTest, spans_count_up_to_the_first_line_that_is_not_valid) {
    for (const std::string& bad : {std::string("+ 70 100 00000000\n"),
                                   kSecond.substr(0, kSecond.size() - 1),
                                   kSecond.substr(0, 5),
                                   std::string("\n"),
                                   std::string(8, '\0'),
                                   std::string("- 70 100 x\n"),
                                   std::string("+ 70 070 x\n"),
                                   std::string("+ 100 70 x\n"),
                                   std::string("+ 70 101 x\n"),
                                   std::string("+ 70 99999999999999999999 x\n")}) {
        const auto journal = PartJournal::parse(kHead + kFirst + bad + kSecond);
        ASSERT_TRUE(journal) << bad;
        EXPECT_FALSE(journal->clean) << bad;
        EXPECT_EQ(journal->spans.spans(), (std::vector<Span>{{0, 64}})) << bad;
    }
}

TEST(PartJournalTest, a_line_of_another_file_or_size_does_not_count) {
    auto other = *PartJournal::parse("locara-part 1 " + kDigest + " 101\n");
    EXPECT_TRUE(PartJournal::parse(kHead + other.render_line({0, 64}))->spans.spans().empty());
}

} // namespace
} // namespace locara::store
