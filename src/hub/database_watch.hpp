// DatabaseWatch: whether anybody has changed the hub's SQLite database, asked without waiting.
//
// It has a session of its own, which changes nothing, so that changes by this process count as well
// as those by others. (sqlite.org/pragma.html#pragma_data_version; in WAL mode that reads the
// shared index of the log.)
// Threads: any.
#pragma once

#include <locara/base/result.hpp>

#include <filesystem>
#include <memory>
#include <optional>

namespace locara::hub {

class DatabaseWatch {
  public:
    /// Of a database that is open, and stays so. Io.
    static Result<std::unique_ptr<DatabaseWatch>> open(const std::filesystem::path& file);

    ~DatabaseWatch();
    DatabaseWatch(const DatabaseWatch&) = delete;
    DatabaseWatch& operator=(const DatabaseWatch&) = delete;

    /// A number that is the same as at an earlier call only if nothing was committed in between.
    /// Nothing when that cannot be told at once.
    std::optional<long long> version();

  private:
    struct State;
    explicit DatabaseWatch(std::unique_ptr<State> state);
    const std::unique_ptr<State> state_;
};

} // namespace locara::hub
