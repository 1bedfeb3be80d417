// Audit: who did what to what on a hub, and when: a record whose lines hang together.
//
// Rows of the hub's database, so that all processes of a hub, and its commands, write one record. A
// row is a line of a chained log (docs/formats/audit-log.md has the format of a line,
// docs/formats/hub-audit.md the events), so that what is taken out, changed or put in is told by
// verify. It is never cut; a backup has it.
// A line is written after what it tells of has been done. Threads and processes: as Names.
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

namespace locara::hub {

class Database;

class Audit {
  public:
    /// Shares a database with others. `clock` is borrowed.
    Audit(std::shared_ptr<Database> database, const Clock& clock);

    /// Of a data folder. NotFound if no hub has worked in it.
    static Result<Audit> open(const std::filesystem::path& data, const Clock& clock);

    /// Adds one line: `event` such as "repo-created", `fields` an object without the names of the
    /// chain (seq, time, event, prev, hash). Errors as Database::transact; Corrupt when the last
    /// line cannot be trusted.
    Status append(std::string_view event, const Json& fields);

    /// Whether this is the first time that `what` is said here: for what is to be noted once. A
    /// bounded number of texts is remembered, since the program began.
    bool is_new(const std::string& what);

    struct Report {
        std::uint64_t records = 0;
        std::string head; ///< Hash of the last line: whoever kept it can tell a cut end.
    };

    /// Gets each line, whole and in order.
    using Sink = std::function<Status(const Json& line)>;

    /// Checks the whole chain, and hands each line on as soon as it was checked. Corrupt names the
    /// first bad line; what `sink` answers.
    Result<Report> verify(const Sink& sink = nullptr) const;

  private:
    struct Seen;

    std::shared_ptr<Database> database_;
    const Clock* clock_;
    std::shared_ptr<Seen> seen_; ///< Shared by copies.
};

/// Who a command of the hub's own machine works for: "operator:" and `USER`, else who runs it.
std::string operator_name();

} // namespace locara::hub
