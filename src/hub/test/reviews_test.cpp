#include <locara/base/file.hpp>
#include <locara/hub/reviews.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

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

TEST_F(ReviewsTest, a_line_that_was_cut_off_stops_nobody) {
    const auto cut = [this] {
        const auto log =
            open_file(folder_.path() / "reviews.jsonl", O_WRONLY | O_CREAT | O_APPEND, 0600);
        ASSERT_TRUE(log);
        ASSERT_EQ(::write(log->get(), "{\"seq\":", 7), 7);
    };
    cut(); // The very first.
    EXPECT_TRUE(reviews_.list().value().empty());
    submit();
    cut();
    EXPECT_EQ(reviews_.list()->size(), 1U);
    cut();
    EXPECT_EQ(reviews_.note_check(1, kGood, true)->state, ReviewState::NeedsReview);
    cut();
    EXPECT_EQ(reviews_.steps(1)->size(), 2U);
    EXPECT_TRUE(reviews_.verify());
}

// What stands against an approval, by the report's member `page`.
TEST(Obstacles, are_named_by_the_words_that_accept_them) {
    const auto words = [](const Json& page) {
        std::string all;
        for (const Obstacle& one : obstacles({{"page", page}})) {
            all += std::string(one.word) + " ";
        }
        return all;
    };
    const Json good = {{"checked", true},
                       {"blank", false},
                       {"violations", {{{"rule", "region"}, {"impact", "moderate"}}}},
                       {"reach", Json::array()}};
    EXPECT_EQ(words(good), "");
    const auto with = [&](const char* member, const Json& value) {
        Json page = good;
        page[member] = value;
        return words(page);
    };
    EXPECT_EQ(with("checked", false), "unchecked ");
    EXPECT_EQ(with("checked", "true"), "unchecked ");
    EXPECT_EQ(with("blank", true), "blank ");
    EXPECT_EQ(with("blank", nullptr), "blank ");
    EXPECT_EQ(with("reach", {{{"kind", "name"}, {"what", "leak.example"}}}), "reach ");
    for (const char* impact : {"serious", "critical"}) {
        EXPECT_EQ(with("violations", {{{"impact", "minor"}}, {{"impact", impact}}}),
                  "accessibility ");
    }
    EXPECT_EQ(words({{"checked", true}}), "blank ");
    EXPECT_EQ(obstacles(Json::object()).at(0).word, "unchecked");
    EXPECT_THAT(obstacles({{"page", {{"checked", false}, {"why", "no browser"}}}}).at(0).text,
                HasSubstr("no browser"));
}

Json flagged(const std::string& path, const std::string& sha256, const std::string& rule) {
    return {{"path", path},
            {"sha256", sha256},
            {"verdict", "flag"},
            {"rule", rule},
            {"reason", "a script"}};
}

const std::string kRule = "code.script";

TEST(Obstacles, are_the_rules_by_which_files_are_flagged_until_they_are_accepted) {
    const Json pin = {
        {"path", "model.gguf"}, {"sha256", "cc"}, {"verdict", flagged("", "", "yara.miner")}};
    Json report = {{"verdicts", {flagged("a.sh", "aa", kRule), flagged("b.sh", "bb", kRule)}},
                   {"pins", {{{"files", {pin}}}}}};
    report["verdicts"].push_back(
        {{"path", "x"}, {"verdict", "refuse"}, {"rule", "executable.elf"}});
    const auto found = flag_obstacles(report);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].word, kRule);
    EXPECT_THAT(found[0].text, HasSubstr("a.sh: a script (and 1 more"));
    EXPECT_EQ(found[1].word, "yara.miner");
    EXPECT_EQ(obstacles(report).back().word, "unchecked"); // beside those of the page
    report["verdicts"][0]["accepted"] = 1;
    EXPECT_THAT(flag_obstacles(report)[0].text, HasSubstr("b.sh: a script"));
    report["verdicts"][1]["accepted"] = 1;
    report["pins"][0]["files"][0]["accepted"] = 2;
    EXPECT_TRUE(flag_obstacles(report).empty());
}

TEST_F(ReviewsTest, what_was_accepted_is_known_by_bytes_and_rule_while_that_stands) {
    const Json report = {
        {"findings", Json::array()},
        {"verdicts", {flagged("a.sh", "aa", kRule), flagged("k.pem", "bb", "secret.token")}}};
    EXPECT_TRUE(reviews_.accepted_flags()->empty());
    EXPECT_TRUE(reviews_.note_check(submit().number, report, true));
    EXPECT_TRUE(reviews_.accepted_flags()->empty());
    EXPECT_TRUE(reviews_.step(
        1, {ReviewState::Approved, "carol", "", "it is a sample", {kRule, "unchecked"}}));
    const AcceptedFlags accepted{{{"aa", kRule}, 1}};
    EXPECT_EQ(reviews_.accepted_flags().value(), accepted);
    EXPECT_TRUE(step(1, ReviewState::Published));
    EXPECT_EQ(reviews_.accepted_flags().value(), accepted);
    EXPECT_TRUE(step(1, ReviewState::TakenDown));
    EXPECT_TRUE(reviews_.accepted_flags()->empty());
}

TEST_F(ReviewsTest, nothing_is_rejected_or_yanked_without_a_why_that_says_something) {
    const auto number = checked().number;
    const auto refused = [&](ReviewState to, const std::string& why) {
        const auto done = reviews_.step(number, {to, "carol", "", why});
        return !done && done.error().code() == ErrorCode::InvalidArgument;
    };
    for (const char* why : {"", "  ", "\xC2\xA0", "a\nb"}) {
        EXPECT_TRUE(refused(ReviewState::Rejected, why)) << why;
    }
    EXPECT_TRUE(refused(ReviewState::Approved, " "));
    EXPECT_EQ(reviews_.steps(number)->size(), 2U) << "nothing of it is on record";
    EXPECT_TRUE(reviews_.step(number, {ReviewState::Approved, "carol", "", ""}));
    EXPECT_TRUE(step(number, ReviewState::Published));
    EXPECT_TRUE(refused(ReviewState::Yanked, ""));
    EXPECT_TRUE(step(number, ReviewState::Yanked));
}

class CalledBack : public ReviewsTest {
  protected:
    /// A submission that came as far as `state`; its bundle has the digests aa... and bb...
    std::uint64_t made(const std::string& version, ReviewState state) {
        const Json report = {{"findings", Json::array()},
                             {"bundle", {{"id", kId}, {"archive", kArchive}}}};
        const auto one = reviews_.note_check(submit(version).number, report, true).value();
        if (state != ReviewState::NeedsReview) {
            EXPECT_TRUE(step(one.number, ReviewState::Approved));
            EXPECT_TRUE(step(one.number, ReviewState::Published));
        }
        if (state == ReviewState::Yanked) {
            EXPECT_TRUE(step(one.number, ReviewState::Yanked));
        }
        return one.number;
    }

    void call_back(const std::string& kind,
                   const std::string& id,
                   catalog::TakedownAction action,
                   std::optional<std::vector<std::string>> versions = {}) {
        EXPECT_TRUE(
            list_.append({kind, id, std::move(versions), action, "it sends notes", "2026-11-28"}));
    }

    std::size_t moved() { return reviews_.follow(list_, "carol").value().size(); }

    ReviewState state(std::uint64_t number) { return reviews_.get(number)->state; }

    const std::string kId = "sha256:" + std::string(64, 'a');
    const std::string kArchive = "sha256:" + std::string(64, 'b');
    catalog::TakedownList list_;
};

TEST_F(CalledBack, without_submissions_no_file_is_made) {
    call_back("app", "ana/app", catalog::TakedownAction::BlockRun);
    EXPECT_EQ(moved(), 0U);
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(CalledBack, what_was_published_is_taken_down_and_lifted_to_where_it_stood) {
    const auto published = made("1.0.0", ReviewState::Published);
    const auto yanked = made("1.1.0", ReviewState::Yanked);
    const auto waiting = made("1.2.0", ReviewState::NeedsReview);
    call_back("app", "ana/other", catalog::TakedownAction::BlockRun);
    call_back("app", "ana/app", catalog::TakedownAction::Warn); // shown, but not taken down
    EXPECT_EQ(moved(), 0U);
    call_back("app", "ana/app", catalog::TakedownAction::BlockInstall);
    EXPECT_EQ(moved(), 2U);
    EXPECT_EQ(moved(), 0U);
    EXPECT_EQ(state(published), ReviewState::TakenDown);
    EXPECT_EQ(state(yanked), ReviewState::TakenDown);
    EXPECT_EQ(state(waiting), ReviewState::NeedsReview);
    const Json last = reviews_.steps(published)->back();
    EXPECT_EQ(last.at("event"), "taken-down");
    EXPECT_EQ(last.at("by"), "carol");
    EXPECT_EQ(last.at("why"), "it sends notes");
    EXPECT_EQ(step(yanked, ReviewState::Published).error().code(), ErrorCode::Conflict);
    call_back("app", "ana/app", catalog::TakedownAction::Warn);
    EXPECT_EQ(moved(), 2U);
    EXPECT_EQ(state(published), ReviewState::Published);
    EXPECT_EQ(state(yanked), ReviewState::Yanked);
    EXPECT_EQ(reviews_.steps(yanked)->back().at("why"), "lifted: it sends notes");
    EXPECT_TRUE(reviews_.verify());
}

TEST_F(CalledBack, versions_and_bundles_tell_one_submission_from_another) {
    const auto one = made("1.0.0", ReviewState::Published);
    const auto two = made("2.0.0", ReviewState::Published);
    call_back("app", "ana/app", catalog::TakedownAction::BlockRun, {{"2.0.0"}});
    EXPECT_EQ(moved(), 1U);
    EXPECT_EQ(state(one), ReviewState::Published);
    EXPECT_EQ(state(two), ReviewState::TakenDown);
    for (const std::string& digest : {kId, kArchive}) {
        call_back("bundle", digest, catalog::TakedownAction::BlockRun);
        EXPECT_EQ(moved(), 1U) << digest;
        EXPECT_EQ(state(one), ReviewState::TakenDown);
        call_back("bundle", digest, catalog::TakedownAction::Warn);
        EXPECT_EQ(moved(), 1U);
        EXPECT_EQ(state(one), ReviewState::Published);
        EXPECT_EQ(state(two), ReviewState::TakenDown);
    }
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
    EXPECT_EQ(reviews_.verify().error().code(), ErrorCode::Corrupt);
    std::filesystem::remove(report);
    EXPECT_EQ(reviews_.verify().error().code(), ErrorCode::Corrupt);

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
