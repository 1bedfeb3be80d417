#include <locara/base/file.hpp>
#include <locara/hub/reviews.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

namespace locara::hub {
namespace {

using testing::HasSubstr;

const std::string kCommit(40, 'a');
const std::string kOther(40, 'b');
const Json kGood = {{"findings", Json::array()}};
const Json kBad = {{"findings", {{{"level", "error"}, {"rule", "gate"}, {"message", "an ELF"}}}}};

class ReviewsTest : public testing::Test {
  protected:
    Submission submit(const std::string& version = "1.0.0", const std::string& commit = kCommit) {
        return reviews_.submit("ana/app", version, commit, "ana").value();
    }

    Submission checked(const std::string& version = "1.0.0") {
        return reviews_.note_check(submit(version).number, kGood, true).value();
    }

    Status step(std::uint64_t number, ReviewState to) {
        const auto done = reviews_.step(number, {to, "carol", "", "as seen"});
        return done ? Status() : Status(done.error());
    }

    TempFolder folder_ = *TempFolder::create(testing::TempDir(), "reviews-");
    Reviews reviews_{folder_.path(), system_clock()};
};

TEST_F(ReviewsTest, without_a_submission_there_is_nothing) {
    EXPECT_TRUE(reviews_.list().value().empty());
    EXPECT_EQ(reviews_.get(1).error().code(), ErrorCode::NotFound);
}

TEST_F(ReviewsTest, an_app_goes_its_way_and_each_step_is_on_record) {
    EXPECT_EQ(submit().state, ReviewState::Checking);
    EXPECT_EQ(reviews_.note_check(1, kGood, true)->state, ReviewState::NeedsReview);
    EXPECT_TRUE(step(1, ReviewState::Approved));
    EXPECT_TRUE(step(1, ReviewState::Published));
    EXPECT_TRUE(step(1, ReviewState::Yanked));
    EXPECT_TRUE(step(1, ReviewState::TakenDown));
    std::vector<std::string> events;
    const auto steps = reviews_.steps(1).value();
    for (const Json& line : steps) {
        events.push_back(line.at("event"));
    }
    EXPECT_THAT(events,
                testing::ElementsAre(
                    "submitted", "needs-review", "approved", "published", "yanked", "taken-down"));
    EXPECT_EQ(reviews_.verify()->records, 6U);
    // Another process sees the same.
    const Reviews others(folder_.path(), system_clock());
    EXPECT_EQ(others.get(1)->state, ReviewState::TakenDown);
    EXPECT_EQ(others.report(*others.get(1)).value(), kGood);
}

TEST_F(ReviewsTest, an_error_of_the_check_rejects_by_itself) {
    const auto done = reviews_.note_check(submit().number, kBad, false).value();
    EXPECT_EQ(done.state, ReviewState::Rejected);
    const Json last = reviews_.steps(1).value().back();
    EXPECT_EQ(last.at("by"), "hub");
    EXPECT_EQ(last.at("rule"), "gate");
    EXPECT_EQ(last.at("why"), "an ELF");
}

TEST_F(ReviewsTest, only_steps_that_lead_on_are_taken) {
    submit();
    for (const auto to : {ReviewState::Approved, ReviewState::Published, ReviewState::Yanked}) {
        EXPECT_EQ(step(1, to).error().code(), ErrorCode::Conflict) << render(to);
    }
    EXPECT_TRUE(reviews_.note_check(1, kGood, true));
    EXPECT_FALSE(step(1, ReviewState::Published)); // not before somebody approved
    EXPECT_TRUE(step(1, ReviewState::Rejected));
    EXPECT_FALSE(step(1, ReviewState::Approved));
    EXPECT_EQ(reviews_.note_check(1, kGood, true).error().code(), ErrorCode::Conflict);
    EXPECT_EQ(step(7, ReviewState::Approved).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(reviews_.verify()->records, 3U); // what was refused left no line
}

TEST_F(ReviewsTest, the_same_commit_is_submitted_once_and_another_takes_its_place) {
    EXPECT_EQ(checked().number, 1U);
    EXPECT_EQ(submit().number, 1U);
    EXPECT_EQ(submit("1.0.0", kOther).number, 2U);
    EXPECT_EQ(reviews_.get(1)->state, ReviewState::Rejected);
    EXPECT_EQ(reviews_.steps(1).value().back().at("rule"), "superseded");
    EXPECT_EQ(submit("1.1.0").number, 3U); // another version: both stand
    EXPECT_EQ(reviews_.get(2)->state, ReviewState::Checking);
}

TEST_F(ReviewsTest, what_was_published_once_is_never_submitted_again) {
    checked();
    EXPECT_TRUE(step(1, ReviewState::Approved));
    EXPECT_TRUE(step(1, ReviewState::Published));
    for (const std::string& commit : {kCommit, kOther}) {
        const auto again = reviews_.submit("ana/app", "1.0.0", commit, "ana");
        EXPECT_EQ(again.error().code(), ErrorCode::Conflict);
    }
    EXPECT_TRUE(step(1, ReviewState::Yanked));
    EXPECT_FALSE(reviews_.submit("ana/app", "1.0.0", kOther, "ana"));
}

TEST_F(ReviewsTest, a_changed_line_or_report_is_noticed) {
    const Submission done = checked();
    const auto report = folder_.path() / "reviews" / (done.report + ".json");
    write_file_atomically(report, as_bytes("{}")).value();
    EXPECT_EQ(reviews_.report(done).error().code(), ErrorCode::Corrupt);

    const auto log = folder_.path() / "reviews.jsonl";
    std::string text = *read_file(log, 1U << 20U);
    text.replace(text.find("ana/app"), 7, "ben/app");
    write_file_atomically(log, as_bytes(text)).value();
    EXPECT_EQ(reviews_.verify().error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(reviews_.list().error().code(), ErrorCode::Corrupt);
}

TEST_F(ReviewsTest, many_at_once_take_turns) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([this, i] {
            Reviews mine(folder_.path(), system_clock());
            EXPECT_TRUE(mine.submit("ana/app", "1.0." + std::to_string(i), kCommit, "ana"));
        });
    }
    threads.clear();
    EXPECT_EQ(reviews_.list()->size(), 8U);
    EXPECT_EQ(reviews_.verify()->records, 8U);
}

} // namespace
} // namespace locara::hub
