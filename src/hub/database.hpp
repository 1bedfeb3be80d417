// The hub's database as such: sessions, transactions, the schema, and errors as values. What the
// tables mean is known to those who keep something in them (Names and its neighbours); they share
// one Database, and write plain SQL that every backend knows. What backends do not agree on is a
// Dialect's; how tables are written down is told in schema.hpp.
//
// Rules for SQL: parameters, never text put together; `INSERT ... ON CONFLICT (...) DO NOTHING` or
// `DO UPDATE SET x = excluded.x`; an ORDER BY over columns, not `rowid`.
// Threads and processes: calls may come from any thread, and other processes may work on the same
// database. Calls block: for a free session, and for others' changes, ten seconds at most.
#pragma once

#include <locara/base/result.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <soci/soci.h>

namespace locara::hub {

class Dialect;

struct TableSize {
    std::string table;
    std::uint64_t rows = 0;
};

class Database {
  public:
    /// Opens the SQLite file of this name, making it (0600) if it is not there, and brings its
    /// tables to the schema of this program. Unsupported when a newer program wrote it, or when its
    /// path holds '"'; Corrupt when it is no database.
    static Result<std::shared_ptr<Database>> open(const std::filesystem::path& file);

    /// The same with a PostgreSQL database (14 or newer), by libpq's address of it. Its user may
    /// make tables in it, and the extension citext unless that is there. Unavailable when it cannot
    /// be reached.
    static Result<std::shared_ptr<Database>> connect(const std::string& url);

    enum class IfMissing { Make, Fail };

    /// A data folder's (database_choice.hpp). NotFound without a hub; Conflict if it is another's.
    static Result<std::shared_ptr<Database>> open_in(const std::filesystem::path& data,
                                                     IfMissing missing);

    /// Whether it answers: the errors of with().
    Status ping();

    /// How many calls ended in an error of the database itself: not those of `work`, nor Conflict.
    std::uint64_t failures() const { return failures_; }

    /// Whether it is a file of the data folder.
    bool is_local() const;

    /// Copies all rows of all tables, as they are at one moment, into a database without any, which
    /// may be of the other kind. All of them come, or none. Conflict when `other` has rows.
    Status copy_to(Database& other);

    /// How many rows each table has, at one moment.
    Result<std::vector<TableSize>> sizes();

    /// Reads everything and holds it to what the tables promise; a line for each thing wrong.
    Result<std::vector<std::string>> check();

    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    /// Calls `work(session)`, which makes one statement and returns a Result. Errors beside its
    /// own: Conflict when a row may not be (UNIQUE, foreign keys), Busy when others held the
    /// database for too long, NoSpace, Corrupt, Unavailable (no connection), else Io.
    ///
    /// `work` may be called again after a change of others got in between, so it must change
    /// nothing outside before it succeeds. It must not call the Database.
    template <class Work> auto with(Work work) -> std::invoke_result_t<Work&, soci::session&> {
        return run(Scope::Statement, work);
    }

    /// The same for several statements: all of them happen or, if `work` returns an error, none;
    /// and as if nobody else were at work meanwhile. Conflict leaves nothing behind either.
    template <class Work> auto transact(Work work) -> std::invoke_result_t<Work&, soci::session&> {
        return run(Scope::Transaction, work);
    }

  private:
    enum class Scope { Statement, Transaction, Migration };

    /// A session of the pool, for as long as this lives.
    class Lease {
      public:
        explicit Lease(Database& database);
        ~Lease();
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;

        soci::session& session() { return *session_; }

        /// Ends what was begun without an effect; never throws.
        void roll_back();

      private:
        void give_back();

        Database& database_;
        std::unique_ptr<soci::session> session_;
    };

    explicit Database(std::unique_ptr<Dialect> dialect);
    static Result<std::shared_ptr<Database>> open(std::unique_ptr<Dialect> dialect);
    Status migrate();
    void begin(soci::session& session, Scope scope) const;

    /// What was thrown just now, as an error; nothing if another try may go well.
    std::optional<Error> failure(int tries);

    template <class Work>
    auto run(Scope scope, Work& work) -> std::invoke_result_t<Work&, soci::session&> {
        for (int tries = 1;; ++tries) {
            std::optional<Error> error;
            try {
                Lease lease(*this);
                try {
                    if (scope == Scope::Statement) {
                        return work(lease.session());
                    }
                    begin(lease.session(), scope);
                    auto result = work(lease.session());
                    if (result) {
                        lease.session() << "COMMIT";
                    } else {
                        lease.roll_back();
                    }
                    return result;
                } catch (...) {
                    if (scope != Scope::Statement) {
                        lease.roll_back();
                    }
                    throw;
                }
            } catch (...) {
                error = failure(tries);
            }
            if (error) {
                return std::move(*error);
            }
        }
    }

    const std::unique_ptr<Dialect> dialect_;
    std::mutex mutex_;
    std::condition_variable freed_;
    std::atomic<std::uint64_t> failures_{0};
    std::size_t leased_ = 0;                           // under mutex_
    std::vector<std::unique_ptr<soci::session>> idle_; // under mutex_
};

} // namespace locara::hub
