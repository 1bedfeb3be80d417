// The store's small text files: records of adopted files, the journal of verification.
#include "store_test_folder.hpp"

#include <locara/store/adopted.hpp>
#include <locara/store/verify_journal.hpp>
#include <locara/test_support/golden.hpp>

namespace locara::store {
namespace {

Adopted some_record() {
    return {digest_of("weights"),
            LinkKind::Hardlink,
            "/home/u/.cache/a b%\n\x01/\xff.gguf",
            {2049, 77, 123, -5, 1'700'000'000'123'456'789},
            TimePoint(std::chrono::seconds(1'800'000'000))};
}

TEST(AdoptedTest, parse_is_the_inverse_of_render_for_any_path) {
    const Adopted record = some_record();
    const auto again = Adopted::parse(record.render());
    ASSERT_TRUE(again) << record.render();
    EXPECT_EQ(again->digest, record.digest);
    EXPECT_EQ(again->link, record.link);
    EXPECT_EQ(again->from, record.from);
    EXPECT_EQ(again->stamp, record.stamp);
    EXPECT_EQ(again->when, record.when);
}

TEST(AdoptedTest, bytes_are_as_the_format_says) {
    EXPECT_EQ(some_record().render(),
              "locara-adopted 1 " + digest_of("weights").render() +
                  "\n"
                  "link hardlink\n"
                  "from /home/u/.cache/a b%25%0a%01/\xff.gguf\n"
                  "size 123\n"
                  "at 2049 77 18446744073709551611 1700000000123456789\n"
                  "when 2027-01-15T08:00:00Z\n"
                  "check " +
                  some_record().render().substr(some_record().render().size() - 9));
}

TEST(RecordsTest, texts_are_as_they_always_were) {
    std::string text;
    for (const LinkKind link : {LinkKind::Reflink, LinkKind::Hardlink, LinkKind::Reference}) {
        Adopted record = some_record();
        record.link = link;
        record.from = "/home/u/models/a b%\n.gguf";
        text += record.render();
    }
    EXPECT_GOLDEN("adopted.txt", text);
    const TimePoint start(std::chrono::seconds(1'800'000'000));
    EXPECT_GOLDEN("verify-journal.txt",
                  VerifyJournal::render_start(start) +
                      VerifyJournal::render_good(digest_of("a"), start + std::chrono::seconds(1)) +
                      VerifyJournal::render_end(start + std::chrono::seconds(2)));
}

TEST(AdoptedTest, every_cut_and_every_changed_byte_is_noticed) {
    const std::string text = some_record().render();
    for (std::size_t i = 0; i < text.size(); ++i) {
        EXPECT_FALSE(Adopted::parse(text.substr(0, i)));
        std::string changed = text;
        changed[i] = static_cast<char>(changed[i] ^ 2);
        EXPECT_FALSE(Adopted::parse(changed)) << "byte " << i;
    }
    EXPECT_FALSE(Adopted::parse(text + "\n"));
}

TEST(VerifyJournalTest, says_what_was_good_when_and_whether_the_run_ended) {
    const TimePoint start(std::chrono::seconds(1'800'000'000));
    std::string text = VerifyJournal::render_start(start);
    text += VerifyJournal::render_good(digest_of("a"), start + std::chrono::seconds(1));
    text += VerifyJournal::render_good(digest_of("b"), start + std::chrono::seconds(2));
    auto journal = VerifyJournal::parse(text);
    ASSERT_TRUE(journal);
    EXPECT_EQ(journal->started, start);
    EXPECT_EQ(journal->good.size(), 2U);
    EXPECT_EQ(journal->good.at(digest_of("b")), start + std::chrono::seconds(2));
    EXPECT_FALSE(journal->ended);
    journal = VerifyJournal::parse(text + VerifyJournal::render_end(start));
    EXPECT_TRUE(journal->ended);
}

TEST(VerifyJournalTest, a_torn_or_changed_line_ends_it_and_hides_nothing_before) {
    const TimePoint start(std::chrono::seconds(1'800'000'000));
    const std::string head = VerifyJournal::render_start(start);
    const std::string first = VerifyJournal::render_good(digest_of("a"), start);
    const std::string second = VerifyJournal::render_good(digest_of("b"), start);
    for (std::size_t i = 0; i < second.size(); ++i) {
        EXPECT_EQ(VerifyJournal::parse(head + first + second.substr(0, i))->good.size(), 1U);
        std::string changed = second;
        changed[i] = static_cast<char>(changed[i] ^ 2);
        const auto journal = VerifyJournal::parse(head + first + changed + second);
        ASSERT_TRUE(journal);
        EXPECT_TRUE(journal->good.size() == 1) << "byte " << i;
    }
    EXPECT_FALSE(VerifyJournal::parse(head.substr(0, head.size() - 1)));
    EXPECT_FALSE(VerifyJournal::parse(""));
}

} // namespace
} // namespace locara::store
