// DatabaseWatch: whether anybody has changed the hub's database since it was last asked.
//
// It has a session of its own, which changes nothing, so that changes by this process count as well
// as those by others. SQLite is asked at once (sqlite.org/pragma.html#pragma_data_version; in WAL
// mode that reads the shared index of the log); PostgreSQL takes a round trip, which all share who
// wait at the same time (PostgreSQL 15, section 9.27.6: pg_current_snapshot; which transactions it
// names as visible changes with each that commits).
// Threads: any.
#pragma once

#include <locara/base/result.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace locara::hub {

/// Versions of a database are numbers: the same as at an earlier call only if nothing was committed
/// in between. Nothing, where one was asked for, means that it cannot be told.
class DatabaseWatch {
  public:
    /// Of a SQLite database that is open, and stays so. Io.
    static Result<std::unique_ptr<DatabaseWatch>> open(const std::filesystem::path& file);

    /// Of a PostgreSQL database, by libpq's address of it. It connects when it is first asked, and
    /// again, once a second at most, when it has lost the connection.
    static std::unique_ptr<DatabaseWatch> connect(std::string url);

    /// Nobody waits in ask() any more.
    virtual ~DatabaseWatch() = default;
    DatabaseWatch(const DatabaseWatch&) = delete;
    DatabaseWatch& operator=(const DatabaseWatch&) = delete;

    /// Whether the version can be told at once. What is not for a watch of this kind tells nothing.
    virtual bool is_immediate() const = 0;

    /// The version now; for one that is immediate.
    virtual std::optional<long long> version() = 0;

    /// The version after this call began; for one that is not. It takes kLongest at most, and
    /// resumes the caller on its own executor.
    virtual boost::asio::awaitable<std::optional<long long>> ask() = 0;

    /// The version at some moment before, at once.
    virtual std::optional<long long> seen() = 0;

    static constexpr std::chrono::milliseconds kLongest{250};

  protected:
    DatabaseWatch() = default;
};

} // namespace locara::hub
