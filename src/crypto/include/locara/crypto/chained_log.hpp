// ChainedLog: what happened, as lines that hang together. The broker keeps one of what apps asked
// of it, the hub one of its reviews.
//
// Format (docs/formats/audit-log.md): one JSON object a line. "seq" counts from 1, "prev" is the
// "hash" of the line before (64 zeros for the first), and "hash", the last member, is the SHA-256
// of the line's text before `,"hash":`. Taking a line out, changing or reordering lines breaks the
// chain. A file that is full becomes "<name>.1", older ones move up, the oldest goes; the chain
// goes on across them.
// Threads: all functions may be called from any thread; append blocks on the disk.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/json.hpp>
#include <locara/base/result.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace locara::crypto {

/// How much of the log is kept.
struct ChainedLogLimits {
    std::uint64_t file_bytes = 16U << 20U; ///< A line that would pass this starts a new file.
    unsigned older_files = 4;              ///< 1 to 100.
};

class ChainedLog {
  public:
    /// Opens or creates the log (mode 0600) and locks it. What a crash left of a line at the end is
    /// cut off, which the next line ("recovered") says. Errors: Busy (another process has it open),
    /// Corrupt (the last line does not fit its hash), Io.
    static Result<ChainedLog>
    open(const std::filesystem::path& path, const Clock& clock, ChainedLogLimits limits = {});

    ChainedLog(ChainedLog&&) noexcept;
    ChainedLog& operator=(ChainedLog&&) noexcept;
    ~ChainedLog();

    /// Adds one line and makes it durable. `fields` is an object without the names of the chain
    /// (seq, time, event, prev, hash). Errors: NoSpace, Io; the log then ends as before.
    Status append(std::string_view event, const Json& fields);

    struct Report {
        std::uint64_t records = 0; ///< In all files that are here.
        std::uint64_t first = 0;   ///< Number of the first of them; above 1 if older ones went.
        std::string head;          ///< Hash of the last line; whoever kept it can tell a cut end.
    };

    /// Gets each line, whole and in order.
    using Sink = std::function<Status(const Json& line)>;

    /// Checks the whole chain across the files, and hands each line on as soon as it was checked.
    /// Corrupt names the first bad line. NotFound; what `sink` answers.
    static Result<Report> verify(const std::filesystem::path& path, const Sink& sink = nullptr);

  private:
    struct State;
    explicit ChainedLog(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace locara::crypto
