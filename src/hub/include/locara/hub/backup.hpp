// Backup and restore of a hub: its data folder as it was at one moment, in another folder.
//
// A backup is a data folder by itself, with the names as a SQLite file wherever the hub has them,
// and `backup.json`, which says that it is whole. docs/hub.md, "Backups", has what it holds.
// Processes: a backup is made beside a hub that serves and takes uploads; gc waits for its end.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

namespace locara::hub {

struct BackupOptions {
    /// Yes: content of large files, which never changes, is hard links where that is possible: no
    /// space and no time, and no help against a disk that fails.
    enum class Link { No, Yes } link = Link::No;

    std::function<void(std::uint64_t bytes)> progress; ///< If set, is told of bytes copied so far.
    std::stop_token stop;                              ///< Asked to stop, the answer is Cancelled.
};

struct BackupReport {
    std::uint64_t repositories = 0; ///< With their git folder here.
    std::uint64_t files = 0;        ///< Copied or linked, of all kinds.
    std::uint64_t bytes = 0;        ///< In them.
};

/// Copies a hub into the new folder `to`. Everything acknowledged before the call is in it; what
/// comes meanwhile may be, but never in half. `to` appears when it is whole and on the disk; until
/// then the copy is beside it, in `<to>.unfinished`, which the next try replaces. Errors: NotFound
/// (no hub in `data`), Conflict (`to` is there), Busy (gc or another backup is at work), Cancelled,
/// NoSpace, Io, those of Database.
Result<BackupReport> back_up(const std::filesystem::path& data,
                             const std::filesystem::path& to,
                             const Clock& clock,
                             const BackupOptions& options = {});

/// Makes a data folder of a backup; `data` appears when it is whole. With a `database` (as for
/// choose_database, else empty) the names go into it; it must have no rows in the hub's tables.
/// Errors: NotFound (no whole backup in `from`), Conflict (`data` is there, or the database has
/// rows), Cancelled, NoSpace, Io, those of Database.
Result<BackupReport> restore(const std::filesystem::path& from,
                             const std::filesystem::path& data,
                             const std::string& database,
                             const BackupOptions& options = {});

} // namespace locara::hub
