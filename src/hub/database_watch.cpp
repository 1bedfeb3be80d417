#include "database_watch.hpp"

#include <mutex>

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

namespace locara::hub {

struct DatabaseWatch::State {
    std::mutex mutex;
    soci::session session;                   // under mutex, as all below
    std::optional<soci::statement> question; ///< Prepared once.
    long long answer = 0;
};

DatabaseWatch::DatabaseWatch(std::unique_ptr<State> state) : state_(std::move(state)) {}

DatabaseWatch::~DatabaseWatch() = default;

Result<std::unique_ptr<DatabaseWatch>> DatabaseWatch::open(const std::filesystem::path& file) {
    auto state = std::make_unique<State>();
    try {
        state->session.open(soci::sqlite3, "dbname=\"" + file.string() + "\"");
        state->session << "PRAGMA busy_timeout = 0"; // It never waits for others.
        state->session << "PRAGMA query_only = ON";
        state->question.emplace(
            (state->session.prepare << "PRAGMA data_version", soci::into(state->answer)));
    } catch (const std::exception& error) {
        return Error(ErrorCode::Io, "watching " + file.string() + ": " + error.what());
    }
    return std::unique_ptr<DatabaseWatch>(new DatabaseWatch(std::move(state)));
}

std::optional<long long> DatabaseWatch::version() {
    const std::lock_guard lock(state_->mutex);
    try {
        if (!state_->question->execute(true)) {
            return std::nullopt;
        }
        const long long answer = state_->answer;
        // To its end: half done it would be a reader that keeps the log from being taken over.
        while (state_->question->fetch()) {
        }
        return answer;
    } catch (const std::exception&) {
        return std::nullopt; // Locked just now: that is for a thread that may wait.
    }
}

} // namespace locara::hub
