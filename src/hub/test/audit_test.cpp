#include "test_database.hpp"

#include <locara/crypto/chained_line.hpp>
#include <locara/hub/audit.hpp>

#include <gmock/gmock.h>

#include <thread>

namespace locara::hub {
namespace {

using testing::HasSubstr;

class AuditTest : public DatabaseTest {
  protected:
    void SetUp() override {
        DatabaseTest::SetUp();
        if (IsSkipped()) {
            return;
        }
        database_ = open();
        audit_.emplace(database_, clock_);
    }

    void run_sql(const std::string& statement) {
        const Status done = database_->with([&](soci::session& sql) -> Status {
            sql << statement;
            return {};
        });
        ASSERT_TRUE(done) << done.error().describe();
    }

    void add(int count) {
        for (int i = 0; i < count; ++i) {
            ASSERT_TRUE(audit_->append("user-added", {{"user", "u" + std::to_string(i)}}));
        }
    }

    std::string finding() const {
        const auto report = audit_->verify();
        return report ? "no error" : report.error().describe();
    }

    const FakeClock clock_{*parse_time("2026-11-22T19:00:00Z")};
    std::shared_ptr<Database> database_;
    std::optional<Audit> audit_;
};

TEST_P(AuditTest, hands_on_every_line_in_its_order) {
    add(2500); // More than are read at once.
    std::uint64_t next = 0;
    const auto report = audit_->verify([&](const Json& line) -> Status {
        EXPECT_EQ(line["user"], "u" + std::to_string(next));
        EXPECT_EQ(line["event"], "user-added");
        EXPECT_EQ(line["time"], "2026-11-22T19:00:00Z");
        EXPECT_EQ(line["seq"], ++next);
        return {};
    });
    ASSERT_TRUE(report) << report.error().describe();
    EXPECT_EQ(report->records, 2500U);
}

TEST_P(AuditTest, tells_of_lines_that_were_changed_taken_out_or_moved) {
    add(4);
    EXPECT_EQ(finding(), "no error");
    run_sql("UPDATE audit SET line = replace(line, 'u2', 'u9') WHERE seq = 3");
    EXPECT_THAT(finding(), HasSubstr("line 3 of the audit log"));
    run_sql("UPDATE audit SET line = replace(line, 'u9', 'u2') WHERE seq = 3");
    EXPECT_EQ(finding(), "no error");
    run_sql("UPDATE audit SET seq = 20 WHERE seq = 2");
    EXPECT_THAT(finding(), HasSubstr("line 3 of the audit log does not follow"));
    run_sql("UPDATE audit SET seq = 2 WHERE seq = 20");
    run_sql("DELETE FROM audit WHERE seq = 1");
    EXPECT_THAT(finding(), HasSubstr("line 2 of the audit log does not follow"));
}

TEST_P(AuditTest, goes_on_from_no_line_that_cannot_be_trusted) {
    add(1);
    run_sql("UPDATE audit SET line = 'x'");
    const Status added = audit_->append("user-added", Json::object());
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code(), ErrorCode::Corrupt);
}

TEST_P(AuditTest, processes_that_write_at_once_write_one_chain) {
    constexpr int kWriters = 4;
    constexpr int kLines = 25;
    std::vector<std::thread> writers;
    for (int i = 0; i < kWriters; ++i) {
        writers.emplace_back([this, i] {
            Audit own(open(), clock_); // As a process of its own would.
            for (int line = 0; line < kLines; ++line) {
                const Status added = own.append("user-added", {{"user", std::to_string(i)}});
                EXPECT_TRUE(added) << added.error().describe();
            }
        });
    }
    for (std::thread& writer : writers) {
        writer.join();
    }
    const auto report = audit_->verify();
    ASSERT_TRUE(report) << report.error().describe();
    EXPECT_EQ(report->records, static_cast<std::uint64_t>(kWriters * kLines));
}

LOCARA_WITH_BACKENDS(AuditTest);

} // namespace
} // namespace locara::hub
