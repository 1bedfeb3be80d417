#include "dialect.hpp"

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

class Sqlite : public Dialect {
  public:
    explicit Sqlite(std::filesystem::path file) : file_(std::move(file)) {}

    std::string opening() const override { return "opening " + file_.string(); }

    /// One writer is all that SQLite has, and with one session nobody waits for locks inside of
    /// this process.
    std::size_t sessions() const override { return 1; }

    void connect(soci::session& session) const override {
        // Quoted, since a path may hold spaces. Seconds to wait for other processes.
        session.open(soci::sqlite3, "dbname=\"" + file_.string() + "\" timeout=10");
        session << "PRAGMA foreign_keys = ON";
        session << "PRAGMA synchronous = FULL";
        std::string mode;
        session << "PRAGMA journal_mode = WAL", soci::into(mode);
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

    DatabaseFailure failure(const std::exception& error) const override {
        const auto* const own = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
        const ErrorCode code = own != nullptr ? code_of(own->result()) : ErrorCode::Io;
        return {Error(code, std::string("the hub's database: ") + error.what())};
    }

  private:
    const std::filesystem::path file_;
};

} // namespace

std::unique_ptr<Dialect> sqlite_dialect(const std::filesystem::path& file) {
    return std::make_unique<Sqlite>(file);
}

} // namespace locara::hub
