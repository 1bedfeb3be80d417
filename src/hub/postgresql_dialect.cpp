#include "dialect.hpp"

#include <stdexcept>

#include <poll.h>
#include <soci/postgresql/soci-postgresql.h>

namespace locara::hub {
namespace {

/// Of one process. Each costs the server a process of its own.
constexpr std::size_t kSessions = 8;

/// Key of the advisory lock that a migration holds: "locarahb" as a number.
constexpr long long kMigrationLock = 0x6c6f'6361'7261'6862;

/// No session could be opened; SOCI does not tell this from other errors by its type.
class NoConnection : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// By SQLSTATE (PostgreSQL 15, appendix A).
DatabaseFailure of_state(const std::string& state, std::string message) {
    using Retry = DatabaseFailure::Retry;
    if (state == "40001" || state == "40P01") { // serialization failure, deadlock
        return {Error(ErrorCode::Busy, std::move(message)), Retry::Yes};
    }
    const std::string kind = state.substr(0, 2);
    // Callers are told of these two; the statement and what was in it are not for them.
    const std::string by = " (SQLSTATE " + state + ")";
    if (kind == "23") { // integrity constraint violation
        return {Error(ErrorCode::Conflict,
                      "the hub's database: what is to be kept conflicts with what is there" + by)};
    }
    if (kind == "22") { // data exception: a text that is no UTF-8, a number out of range
        return {Error(ErrorCode::InvalidArgument,
                      "the hub's database cannot keep such a text or number" + by)};
    }
    if (state == "55P03" || state == "57014") { // lock or statement timeout
        return {Error(ErrorCode::Busy, std::move(message))};
    }
    if (state == "53100") { // disk full
        return {Error(ErrorCode::NoSpace, std::move(message))};
    }
    // Connection exceptions, too many of them, the server stopping or starting; no state at all
    // when the connection went away under the statement.
    if (kind == "08" || kind == "53" || kind == "57" || state.empty() || state == "     ") {
        return {Error(ErrorCode::Unavailable, std::move(message))};
    }
    return {Error(kind == "XX" ? ErrorCode::Corrupt : ErrorCode::Io, std::move(message))};
}

/// Seconds, and milliseconds for the last one (PostgreSQL 15, 34.1.2).
constexpr std::pair<std::string_view, std::string_view> kBounds[] = {{"connect_timeout", "5"},
                                                                     {"keepalives_idle", "5"},
                                                                     {"keepalives_interval", "2"},
                                                                     {"keepalives_count", "3"},
                                                                     {"tcp_user_timeout", "10000"}};

/// An address that reaches libpq as it is meant. SOCI (4.0.3) takes any for KEY=VALUE, to look for
/// an option of its own, and puts it together again: with a '=' if there was none, and without a
/// space in a key and quotes around a value. And one that bounds how long a server is waited for
/// that is not there (any more), unless it says so itself.
std::string address_for_soci(const std::string& url) {
    std::string address;
    for (const char c : url) {
        address += c == ' ' ? "%20" : c == '"' ? "%22" : std::string(1, c);
    }
    bool has_query = address.find('?') != std::string::npos;
    for (const auto& [key, value] : kBounds) {
        if (address.find(std::string(key) + "=") == std::string::npos) {
            address += has_query ? (address.back() == '?' ? "" : "&") : "?";
            address += std::string(key) + "=" + std::string(value);
            has_query = true;
        }
    }
    return address;
}

class Postgresql : public Dialect {
  public:
    explicit Postgresql(std::string url) : url_(std::move(url)) {}

    std::string opening() const override { return "opening the PostgreSQL database"; }

    bool is_local() const override { return false; }

    std::size_t sessions() const override { return kSessions; }

    void connect(soci::session& session) const override {
        try {
            session.open(soci::postgresql, address_for_soci(url_));
        } catch (const std::exception& error) {
            throw NoConnection(error.what());
        }
        // Single statements too: what one reads and writes is as if nobody else were at work.
        session << "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE";
        session << "SET client_encoding = 'UTF8'";
        session << "SET client_min_messages = 'error'"; // libpq prints what is less.
        session << "SET lock_timeout = '10s'";
        session << "SET idle_in_transaction_session_timeout = '60s'";
    }

    /// A server says nothing to an idle connection but that it ends it; if it has another reason
    /// to, a new connection does no harm.
    bool is_usable(soci::session& session) const override {
        // It is one by connect(); its type information is not exported, so it cannot be asked.
        const PGconn* const connection =
            static_cast<soci::postgresql_session_backend*>(session.get_backend())->conn_;
        if (connection == nullptr || PQstatus(connection) != CONNECTION_OK ||
            PQtransactionStatus(connection) != PQTRANS_IDLE) {
            return false;
        }
        pollfd waiting{PQsocket(connection), POLLIN, 0};
        return ::poll(&waiting, 1, 0) == 0;
    }

    void begin(soci::session& session) const override { session << "BEGIN"; }

    void begin_migration(soci::session& session) const override {
        // Not serializable: what it sees must be what is there once it has the lock.
        session << "BEGIN ISOLATION LEVEL READ COMMITTED";
        session << "SELECT pg_advisory_xact_lock(" + std::to_string(kMigrationLock) + ")";
        session << "CREATE EXTENSION IF NOT EXISTS citext";
        session << "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)";
    }

    int version(soci::session& session) const override {
        int version = 0;
        session << "SELECT COALESCE(MAX(version), 0) FROM schema_version", soci::into(version);
        return version;
    }

    void set_version(soci::session& session, int version) const override {
        session << "DELETE FROM schema_version";
        session << "INSERT INTO schema_version (version) VALUES (" + std::to_string(version) + ")";
    }

    /// Collation "C" is that of SQLite: byte by byte, whatever the server's locale is.
    std::string_view word(std::string_view name) const override {
        if (name == "key") {
            return "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY";
        }
        if (name == "text") {
            return "TEXT COLLATE \"C\"";
        }
        return name == "name" ? "CITEXT COLLATE \"C\"" : "";
    }

    std::vector<std::string> columns(soci::session& session,
                                     const std::string& table) const override {
        return first_column(session,
                            "SELECT CAST(attname AS TEXT) FROM pg_attribute WHERE attrelid ="
                            " to_regclass('" +
                                table + "') AND attnum > 0 AND NOT attisdropped ORDER BY attnum");
    }

    long long last_key(soci::session& session, const std::string& table) const override {
        long long key = 0;
        session << "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM " + table +
                       "_key_seq",
            soci::into(key);
        return key;
    }

    void
    set_last_key(soci::session& session, const std::string& table, long long key) const override {
        if (key > 0) { // It has not been called at 0.
            long long set = 0;
            session << "SELECT setval('" + table + "_key_seq', " + std::to_string(key) + ")",
                soci::into(set);
        }
    }

    /// It keeps its promises by itself; damaged pages show when they are read.
    std::vector<std::string> check(soci::session& /*session*/) const override { return {}; }

    DatabaseFailure failure(const std::exception& error) const override {
        const std::string message = words_of(error);
        if (const auto* const own = dynamic_cast<const soci::postgresql_soci_error*>(&error)) {
            return of_state(own->sqlstate(), message);
        }
        return {Error(dynamic_cast<const NoConnection*>(&error) != nullptr ? ErrorCode::Unavailable
                                                                           : ErrorCode::Io,
                      message)};
    }

  private:
    const std::string url_; ///< May hold a password.
};

} // namespace

std::unique_ptr<Dialect> postgresql_dialect(const std::string& url) {
    return std::make_unique<Postgresql>(url);
}

} // namespace locara::hub
