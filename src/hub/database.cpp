#include "database.hpp"

#include "database_choice_file.hpp"
#include "dialect.hpp"
#include "layout.hpp"
#include "schema.hpp"

#include <locara/base/file.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include <fcntl.h>

namespace locara::hub {
namespace {

/// A change that always meets others' is given up after so many tries.
constexpr int kTries = 20;

Status make_file(const std::filesystem::path& file) {
    LOCARA_TRY(const Fd made, open_file(file, O_RDWR | O_CREAT | O_EXCL, 0600));
    return {};
}

} // namespace

Database::Database(std::unique_ptr<Dialect> dialect) : dialect_(std::move(dialect)) {}

Database::~Database() = default;

Result<std::shared_ptr<Database>> Database::open(const std::filesystem::path& file) {
    if (file.string().find('"') != std::string::npos) {
        // SOCI could not pass it on.
        return Error(ErrorCode::Unsupported, "a data folder's path must not hold '\"'");
    }
    // One that is there must not be opened here: to close any descriptor of it takes from this
    // process all of SQLite's locks on it (POSIX, fcntl), and the next program to leave would
    // remove the log that this process goes on writing to.
    const Status made = make_file(file);
    if (!made && made.error().system_errno() != EEXIST) {
        return made.error();
    }
    return open(sqlite_dialect(file));
}

Result<std::shared_ptr<Database>> Database::connect(const std::string& url) {
    return open(postgresql_dialect(url));
}

Result<std::shared_ptr<Database>> Database::open_in(const std::filesystem::path& data,
                                                    IfMissing missing) {
    LOCARA_TRY(const auto url, find_database_url(data));
    if (url) {
        LOCARA_TRY(auto database, connect(*url));
        LOCARA_CHECK(pair_with(data, *database));
        return database;
    }
    if (missing == IfMissing::Fail) {
        const Status found = require_hub(data);
        if (!found) {
            return Error(found.error().code(),
                         found.error().message() +
                             ", or make a hub of it: locara-hub init --data " + data.string());
        }
    }
    return open(data / kNamesFile);
}

Status Database::ping() {
    return with([](soci::session& sql) -> Status {
        int one = 0;
        sql << "SELECT 1", soci::into(one);
        return {};
    });
}

bool Database::is_local() const {
    return dialect_->is_local();
}

Result<std::shared_ptr<Database>> Database::open(std::unique_ptr<Dialect> dialect) {
    std::shared_ptr<Database> database(new Database(std::move(dialect)));
    LOCARA_CHECK(database->migrate().context(database->dialect_->opening()));
    return database;
}

Status Database::migrate() {
    const auto versions = schema_versions();
    auto change = [&](soci::session& sql) -> Status {
        const auto version = static_cast<std::size_t>(dialect_->version(sql));
        if (version > versions.size()) {
            return Error(ErrorCode::Unsupported,
                         "the hub's database has version " + std::to_string(version) +
                             ", this program knows " + std::to_string(versions.size()) +
                             "; use the newer program that wrote it");
        }
        if (version < versions.size()) {
            for (const auto statements : versions.subspan(version)) {
                for (const char* const statement : statements) {
                    sql << in_dialect(statement, *dialect_);
                }
            }
            dialect_->set_version(sql, static_cast<int>(versions.size()));
        }
        return {};
    };
    return run(Scope::Migration, change);
}

void Database::begin(soci::session& session, Scope scope) const {
    if (scope == Scope::Migration) {
        dialect_->begin_migration(session);
    } else {
        dialect_->begin(session);
    }
}

std::optional<Error> Database::failure(int tries) {
    try {
        throw;
    } catch (const std::exception& error) {
        DatabaseFailure failure = dialect_->failure(error);
        if (failure.retry == DatabaseFailure::Retry::Yes && tries < kTries) {
            // Whoever got in between is given time to be done; two that wait wait differently long.
            std::this_thread::sleep_for(std::chrono::microseconds(
                500 * tries + std::hash<std::thread::id>()(std::this_thread::get_id()) % 2000));
            return std::nullopt;
        }
        if (failure.error.code() != ErrorCode::Conflict) {
            ++failures_;
        }
        return std::move(failure.error);
    }
}

std::string in_dialect(std::string_view statement, const Dialect& dialect) {
    std::string text;
    while (!statement.empty()) {
        const std::size_t open = std::min(statement.find('{'), statement.size());
        text += statement.substr(0, open);
        statement.remove_prefix(open);
        if (!statement.empty()) {
            const std::size_t close = statement.find('}');
            LOCARA_ASSERT(close != std::string_view::npos);
            text += dialect.word(statement.substr(1, close - 1));
            statement.remove_prefix(close + 1);
        }
    }
    return text;
}

std::vector<std::string> first_column(soci::session& session, const std::string& statement) {
    std::string value;
    soci::statement found = (session.prepare << statement, soci::into(value));
    found.execute();
    std::vector<std::string> values;
    while (found.fetch()) {
        values.push_back(value);
    }
    return values;
}

// ------------------------------------------------------------------------------------------ leases

Database::Lease::Lease(Database& database) : database_(database) {
    {
        std::unique_lock lock(database.mutex_);
        database.freed_.wait(
            lock, [&database] { return database.leased_ < database.dialect_->sessions(); });
        ++database.leased_;
        if (!database.idle_.empty()) {
            session_ = std::move(database.idle_.back());
            database.idle_.pop_back();
        }
    }
    try {
        if (session_ && !database.dialect_->is_usable(*session_)) {
            session_.reset();
        }
        if (!session_) {
            auto session = std::make_unique<soci::session>();
            database.dialect_->connect(*session);
            session_ = std::move(session);
        }
    } catch (...) {
        give_back();
        throw;
    }
}

Database::Lease::~Lease() {
    give_back();
}

void Database::Lease::give_back() {
    {
        const std::lock_guard lock(database_.mutex_);
        --database_.leased_;
        if (session_) {
            database_.idle_.push_back(std::move(session_));
        }
    }
    database_.freed_.notify_one();
}

void Database::Lease::roll_back() {
    try {
        *session_ << "ROLLBACK";
    } catch (const std::exception&) {
        // Nothing was begun, or the connection is gone, and with it what was begun. A session that
        // cannot even say so must not be used again.
        session_.reset();
    }
}

} // namespace locara::hub
