// AuditLog: what each app asked of the broker and what was denied, as lines that hang together.
//
// Format (docs/formats/audit-log.md): one JSON object a line. "seq" counts from 1, "prev" is the
// "hash" of the line before (64 zeros for the first), and "hash", the last member, is the SHA-256
// of the line's text before `,"hash":`. Taking a line out, changing or reordering lines breaks the
// chain. Words that a person typed or a model wrote never stand in it. A file that is full becomes
// "<name>.1", older ones move up, the oldest goes; the chain goes on across them.
// Threads: all functions may be called from any thread; append blocks on the disk.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/json.hpp>
#include <locara/base/result.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace locara::runtime {

/// How much of the log is kept.
struct AuditLimits {
    std::uint64_t file_bytes = 16U << 20U; ///< A line that would pass this starts a new file.
    unsigned older_files = 4;              ///< 1 to 100.
};

class AuditLog {
  public:
    /// Opens or creates the log (mode 0600) and locks it. What a crash left of a line at the end is
    /// cut off, which the next line ("recovered") says. Errors: Busy (another broker writes it),
    /// Corrupt (the last line does not fit its hash), Io.
    static Result<AuditLog>
    open(const std::filesystem::path& path, const Clock& clock, AuditLimits limits = {});

    AuditLog(AuditLog&&) noexcept;
    AuditLog& operator=(AuditLog&&) noexcept;
    ~AuditLog();

    /// Adds one line and makes it durable. `fields` is an object without the names of the chain
    /// (seq, time, event, prev, hash). Errors: NoSpace, Io; the log then ends as before.
    Status append(std::string_view event, const Json& fields);

    struct Report {
        std::uint64_t records = 0; ///< In all files that are here.
        std::uint64_t first = 0;   ///< Number of the first of them; above 1 if older ones went.
        std::string head;          ///< Hash of the last line; whoever kept it can tell a cut end.
    };

    /// Checks the whole chain across the files. Corrupt names the first bad line. NotFound.
    static Result<Report> verify(const std::filesystem::path& path);

  private:
    struct State;
    explicit AuditLog(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace locara::runtime
