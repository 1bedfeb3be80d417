#include "dialect.hpp"

#include <chrono>
#include <thread>

#include <soci/sqlite3/soci-sqlite3.h>

namespace locara::hub {
namespace {

/// Result codes (sqlite.org/rescode.html), without what extends them.
constexpr int kBusy = 5;
constexpr int kCorrupt = 11;
constexpr int kFull = 13;
constexpr int kConstraint = 19;
constexpr int kNotADatabase = 26;

ErrorCode code_of(int result) {
    switch (result & 0xff) {
    case kBusy:
        return ErrorCode::Busy;
    case kCorrupt:
    case kNotADatabase:
        return ErrorCode::Corrupt;
    case kFull:
        return ErrorCode::NoSpace;
    case kConstraint:
        return ErrorCode::Conflict;
    default:
        return ErrorCode::Io;
    }
}

/// What it needs to be opened: a page of the shared index (sqlite.org/walformat.html, 2.1).
constexpr std::uintmax_t kSharedBytes = 32U << 10U;

constexpr int kJournalTries = 500;
constexpr std::chrono::milliseconds kJournalPause{20};

class Sqlite : public Dialect {
  public:
    explicit Sqlite(std::filesystem::path file) : file_(std::move(file)) {}

    std::string opening() const override { return "opening " + file_.string(); }

    bool is_local() const override { return true; }

    /// One writer is all that SQLite has, and with one session nobody waits for locks inside of
    /// this process.
    std::size_t sessions() const override { return 1; }

    void connect(soci::session& session) const override {
        // Quoted, since a path may hold spaces. Seconds to wait for other processes.
        session.open(soci::sqlite3, "dbname=\"" + file_.string() + "\" timeout=10");
        session << "PRAGMA foreign_keys = ON";
        session << "PRAGMA synchronous = FULL";
        // For this one SQLite does not wait while another makes the same file.
        for (int tries = 1;; ++tries) {
            try {
                std::string mode;
                session << "PRAGMA journal_mode = WAL", soci::into(mode);
                return;
            } catch (const soci::sqlite3_soci_error& error) {
                if ((error.result() & 0xff) != kBusy || tries == kJournalTries) {
                    throw;
                }
                std::this_thread::sleep_for(kJournalPause);
            }
        }
    }

    bool is_usable(soci::session& /*session*/) const override { return true; }

    /// Immediately: what is read in it must still be so when it writes.
    void begin(soci::session& session) const override { session << "BEGIN IMMEDIATE"; }

    void begin_migration(soci::session& session) const override { begin(session); }

    int version(soci::session& session) const override {
        int version = 0;
        session << "PRAGMA user_version", soci::into(version);
        return version;
    }

    void set_version(soci::session& session, int version) const override {
        session << "PRAGMA user_version = " + std::to_string(version);
    }

    std::string_view word(std::string_view name) const override {
        if (name == "key") {
            // AUTOINCREMENT: without it a key comes back once the last row is removed.
            return "INTEGER PRIMARY KEY AUTOINCREMENT";
        }
        if (name == "text") {
            return "TEXT";
        }
        return name == "name" ? "TEXT COLLATE NOCASE" : name == "compact" ? "WITHOUT ROWID" : "";
    }

    std::vector<std::string> columns(soci::session& session,
                                     const std::string& table) const override {
        return first_column(session, "SELECT name FROM pragma_table_info('" + table + "')");
    }

    long long last_key(soci::session& session, const std::string& table) const override {
        long long key = 0;
        session << "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = :t",
            soci::use(table), soci::into(key);
        return key;
    }

    void
    set_last_key(soci::session& session, const std::string& table, long long key) const override {
        session << "DELETE FROM sqlite_sequence WHERE name = :t", soci::use(table);
        session << "INSERT INTO sqlite_sequence (name, seq) VALUES (:t, :k)", soci::use(table),
            soci::use(key);
    }

    std::vector<std::string> check(soci::session& session) const override {
        std::vector<std::string> wrong =
            first_column(session, "SELECT integrity_check FROM pragma_integrity_check");
        std::erase(wrong, "ok");
        for (const std::string& table :
             first_column(session, "SELECT \"table\" FROM pragma_foreign_key_check")) {
            wrong.push_back("a row of " + table + " belongs to one that is not there");
        }
        return wrong;
    }

    DatabaseFailure failure(const std::exception& error) const override {
        const auto* const own = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
        const ErrorCode code = own != nullptr ? code_of(own->result()) : ErrorCode::Io;
        if (code == ErrorCode::Conflict) { // Callers are told of it: no statement, no values.
            return {
                Error(code, "the hub's database: what is to be kept conflicts with what is there")};
        }
        if (code == ErrorCode::NoSpace || (code == ErrorCode::Io && is_disk_full())) {
            return {Error(ErrorCode::NoSpace,
                          words_of(error) + "; free some space on the disk of " + file_.string())};
        }
        return {Error(code, words_of(error))};
    }

  private:
    /// Without room for the file that its processes share, SQLite says "disk I/O error".
    bool is_disk_full() const {
        std::error_code error;
        const auto space = std::filesystem::space(file_.parent_path(), error);
        return !error && space.available < kSharedBytes;
    }

    const std::filesystem::path file_;
};

} // namespace

std::unique_ptr<Dialect> sqlite_dialect(const std::filesystem::path& file) {
    return std::make_unique<Sqlite>(file);
}

} // namespace locara::hub
