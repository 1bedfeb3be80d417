#include "database_watch.hpp"

#include <mutex>

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

namespace locara::hub {
namespace {

class SqliteWatch final : public DatabaseWatch {
  public:
    /// Throws what SOCI throws.
    explicit SqliteWatch(const std::filesystem::path& file) {
        session_.open(soci::sqlite3, "dbname=\"" + file.string() + "\"");
        session_ << "PRAGMA busy_timeout = 0"; // It never waits for others.
        session_ << "PRAGMA query_only = ON";
        question_.emplace((session_.prepare << "PRAGMA data_version", soci::into(answer_)));
    }

    bool is_immediate() const override { return true; }

    std::optional<long long> version() override {
        const std::lock_guard lock(mutex_);
        try {
            if (!question_->execute(true)) {
                return std::nullopt;
            }
            const long long answer = answer_;
            // To its end: half done it would be a reader that keeps the log from being taken over.
            while (question_->fetch()) {
            }
            return answer;
        } catch (const std::exception&) {
            return std::nullopt; // Locked just now: that is for a thread that may wait.
        }
    }

    boost::asio::awaitable<std::optional<long long>> ask() override { co_return std::nullopt; }

    std::optional<long long> seen() override { return version(); }

  private:
    std::mutex mutex_;
    soci::session session_;                   // under mutex_, as all below
    std::optional<soci::statement> question_; ///< Prepared once.
    long long answer_ = 0;
};

} // namespace

Result<std::unique_ptr<DatabaseWatch>> DatabaseWatch::open(const std::filesystem::path& file) {
    try {
        return std::unique_ptr<DatabaseWatch>(std::make_unique<SqliteWatch>(file));
    } catch (const std::exception& error) {
        return Error(ErrorCode::Io, "watching " + file.string() + ": " + error.what());
    }
}

} // namespace locara::hub
