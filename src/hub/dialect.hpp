// What databases do not agree on: how to connect, the words of a schema, where its version stands,
// what begins a transaction, and which errors mean what. The one place for such differences.
//
// Threads: constant after construction.
#pragma once

#include <locara/base/result.hpp>

#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <soci/soci.h>

namespace locara::hub {

/// What a thrown error means.
struct DatabaseFailure {
    enum class Retry { No, Yes };

    Error error;
    Retry retry = Retry::No; ///< The same again may go well: somebody else's change got between.
};

/// What it says, without the statement and the values in it: they are not for whoever reads errors.
inline std::string words_of(const std::exception& error) {
    const auto* const known = dynamic_cast<const soci::soci_error*>(&error);
    return "the hub's database: " + (known != nullptr ? known->get_error_message() : error.what());
}

class Dialect {
  public:
    virtual ~Dialect() = default;

    /// "opening /data/names.db", without secrets.
    virtual std::string opening() const = 0;

    /// Whether it is a file of this machine.
    virtual bool is_local() const = 0;

    /// How many sessions may be open at once, 1 or more.
    virtual std::size_t sessions() const = 0;

    // What follows throws what SOCI throws.

    virtual void connect(soci::session& session) const = 0;

    /// Whether an idle session can still be used; asked without a round trip.
    virtual bool is_usable(soci::session& session) const = 0;

    /// Begins a transaction that is as if nobody else were at work.
    virtual void begin(soci::session& session) const = 0;

    /// Begins the transaction of a migration, which only one process is in at a time.
    virtual void begin_migration(soci::session& session) const = 0;

    /// The schema's version, within the above; 0 when nothing was made yet.
    virtual int version(soci::session& session) const = 0;
    virtual void set_version(soci::session& session, int version) const = 0;

    /// A word of schema.hpp in this dialect; empty if it needs none.
    virtual std::string_view word(std::string_view name) const = 0;

    /// The names of a table's columns.
    virtual std::vector<std::string> columns(soci::session& session,
                                             const std::string& table) const = 0;

    /// The greatest {key} that a table has given out, 0 if none; and to go on from one.
    virtual long long last_key(soci::session& session, const std::string& table) const = 0;
    virtual void
    set_last_key(soci::session& session, const std::string& table, long long key) const = 0;

    /// What the database finds wrong with itself.
    virtual std::vector<std::string> check(soci::session& session) const = 0;

    virtual DatabaseFailure failure(const std::exception& error) const = 0;
};

/// A statement of schema.hpp in the words of a dialect.
std::string in_dialect(std::string_view statement, const Dialect& dialect);

/// The first column of all that a statement finds, as text.
std::vector<std::string> first_column(soci::session& session, const std::string& statement);

std::unique_ptr<Dialect> sqlite_dialect(const std::filesystem::path& file);
std::unique_ptr<Dialect> postgresql_dialect(const std::string& url);

} // namespace locara::hub
