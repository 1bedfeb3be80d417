#include <locara/base/file.hpp>
#include <locara/crypto/chained_log.hpp>
#include <locara/test_support/golden.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include <sys/stat.h>

namespace locara::crypto {
namespace {

using testing::HasSubstr;

class ChainedLogTest : public testing::Test {
  protected:
    void SetUp() override {
        auto made = TempFolder::create("/tmp", "locara-audit-");
        ASSERT_TRUE(made);
        folder_.emplace(std::move(*made));
        path_ = folder_->path() / "audit.jsonl";
    }

    void write_three() {
        auto log = ChainedLog::open(path_, clock_);
        ASSERT_TRUE(log) << log.error().describe();
        ASSERT_TRUE(log->append("launched", {{"app", "locara/quick-add"}}));
        ASSERT_TRUE(log->append("asked", {{"role", "text"}, {"answer_tokens", 12}}));
        ASSERT_TRUE(log->append("denied", {{"why", "no_token"}}));
    }

    std::vector<std::string> lines() const {
        std::ifstream file(path_);
        std::vector<std::string> all;
        for (std::string line; std::getline(file, line);) {
            all.push_back(line);
        }
        return all;
    }

    void rewrite(const std::vector<std::string>& all) const {
        std::ofstream file(path_);
        for (const auto& line : all) {
            file << line << "\n";
        }
    }

    FakeClock clock_{*parse_time("2026-11-22T19:00:00Z")};
    std::optional<TempFolder> folder_;
    std::filesystem::path path_;
};

TEST_F(ChainedLogTest, lines_say_what_happened_and_hang_together) {
    write_three();
    EXPECT_GOLDEN("chained-log.jsonl", *read_file(path_, 10'000));
    const auto report = ChainedLog::verify(path_);
    ASSERT_TRUE(report) << report.error().describe();
    EXPECT_EQ(report->records, 3U);
    EXPECT_EQ(report->head, (*parse_json(lines()[2]))["hash"]);

    struct stat info {};

    ASSERT_EQ(stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(ChainedLogTest, goes_on_where_it_ended) {
    write_three();
    write_three();
    const auto report = ChainedLog::verify(path_);
    ASSERT_TRUE(report) << report.error().describe();
    EXPECT_EQ(report->records, 6U);
}

TEST_F(ChainedLogTest, a_changed_line_breaks_the_chain) {
    write_three();
    auto all = lines();
    all[1].replace(all[1].find("\"answer_tokens\":12"), 18, "\"answer_tokens\":13");
    rewrite(all);
    const auto report = ChainedLog::verify(path_);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code(), ErrorCode::Corrupt);
    EXPECT_THAT(report.error().describe(), HasSubstr("line 2"));
}

TEST_F(ChainedLogTest, a_line_taken_out_or_moved_breaks_the_chain) {
    write_three();
    const auto all = lines();
    rewrite({all[0], all[2]});
    EXPECT_FALSE(ChainedLog::verify(path_));
    rewrite({all[1], all[2]});
    EXPECT_FALSE(ChainedLog::verify(path_));
    rewrite({all[0], all[2], all[1]});
    EXPECT_FALSE(ChainedLog::verify(path_));
    rewrite(all);
    EXPECT_TRUE(ChainedLog::verify(path_));
}

TEST_F(ChainedLogTest, half_a_line_left_by_a_crash_is_cut_off_and_said) {
    write_three();
    std::ofstream(path_, std::ios::app) << "{\"seq\":4,\"time\":\"2026";
    EXPECT_FALSE(ChainedLog::verify(path_));
    write_three();
    const auto report = ChainedLog::verify(path_);
    ASSERT_TRUE(report) << report.error().describe();
    EXPECT_EQ(report->records, 7U);
    EXPECT_THAT(lines()[3], HasSubstr("\"event\":\"recovered\",\"lost_bytes\":21"));
}

TEST_F(ChainedLogTest, does_not_go_on_after_a_last_line_that_was_changed) {
    write_three();
    auto all = lines();
    all[2].replace(all[2].find("no_token"), 8, "nothing!");
    rewrite(all);
    const auto log = ChainedLog::open(path_, clock_);
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code(), ErrorCode::Corrupt);
}

/// A log of small files: two lines of this test fit into one, a third does not.
class ChainedLogFilesTest : public ChainedLogTest {
  protected:
    static constexpr ChainedLogLimits kSmall{600, 3};

    std::filesystem::path older(int n) const { return path_.string() + "." + std::to_string(n); }

    void write(int lines) {
        auto log = ChainedLog::open(path_, clock_, kSmall);
        ASSERT_TRUE(log) << log.error().describe();
        for (int i = 0; i < lines; ++i) {
            ASSERT_TRUE(log->append("launched", {{"app", "locara/quick-add"}}));
        }
    }

    ChainedLog::Report verify() {
        const auto report = ChainedLog::verify(path_);
        EXPECT_TRUE(report) << report.error().describe();
        return report ? *report : ChainedLog::Report();
    }
};

TEST_F(ChainedLogFilesTest, are_bounded_and_the_chain_goes_on_across_them) {
    write(7);
    EXPECT_EQ(verify().records, 7U);
    EXPECT_EQ(verify().first, 1U);
    EXPECT_EQ(lines().size(), 1U);
    EXPECT_EQ(parse_json(lines()[0])->at("seq"), 7);
    for (int n : {1, 2, 3}) {
        EXPECT_LE(std::filesystem::file_size(older(n)), kSmall.file_bytes);
    }
    write(2); // opened anew: the eighth fits, the ninth does not
    EXPECT_EQ(verify().records, 7U) << "the oldest two went";
    EXPECT_EQ(verify().first, 3U);
    EXPECT_FALSE(std::filesystem::exists(older(4)));

    struct stat info {};

    ASSERT_EQ(stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(ChainedLogFilesTest, go_on_after_a_crash_at_any_step_of_starting_a_new_one) {
    write(4);
    std::filesystem::rename(path_, path_.string() + ".moved"); // as between the renames and open
    std::filesystem::rename(older(1), older(2));
    std::filesystem::rename(path_.string() + ".moved", older(1));
    write(1);
    EXPECT_EQ(verify().records, 5U);
    std::filesystem::rename(older(2), older(3)); // as between two of the renames
    EXPECT_EQ(verify().records, 5U);
    write(2);
    EXPECT_EQ(verify().records, 7U);
}

TEST_F(ChainedLogFilesTest, show_a_file_that_was_taken_out_or_changed) {
    write(6);
    std::filesystem::remove(older(1));
    EXPECT_FALSE(ChainedLog::verify(path_));
    std::filesystem::remove(older(2));
    EXPECT_FALSE(ChainedLog::verify(path_)) << "line 5 cannot be the first of a log of one file";
}

TEST_F(ChainedLogTest, has_one_writer) {
    const auto first = ChainedLog::open(path_, clock_);
    ASSERT_TRUE(first);
    EXPECT_EQ(ChainedLog::open(path_, clock_).error().code(), ErrorCode::Busy);
}

} // namespace
} // namespace locara::crypto
