// ChainedLine: one line of a chained log, by itself: for logs that are not files (chained_log.hpp).
//
// Format: docs/formats/audit-log.md. Threads: plain values.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/json.hpp>
#include <locara/base/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace locara::crypto {

/// Most bytes of a line.
inline constexpr std::size_t kMaxLineBytes = 64U << 10U;

/// Where a chain stands: what its next line hangs on.
struct ChainEnd {
    std::uint64_t seq = 0; ///< Of the last line; 0 without one.
    std::string hash = std::string(64, '0');
};

class ChainedLine {
  public:
    /// The text of the line that comes next, without a newline. `fields` is an object without the
    /// names of the chain (seq, time, event, prev, hash). Asserts that it is no longer than
    /// kMaxLineBytes.
    static std::string
    render(const ChainEnd& before, TimePoint time, std::string_view event, const Json& fields);

    /// Corrupt when it is no line, or its text does not have the hash it names.
    static Result<ChainedLine> parse(std::string_view text);

    bool follows(const ChainEnd& before) const {
        return end_.seq == before.seq + 1 && prev_ == before.hash;
    }

    const ChainEnd& end() const { return end_; } ///< Of the chain up to this line.

    const std::string& prev() const { return prev_; }

    const Json& members() const { return members_; }

  private:
    ChainEnd end_;
    std::string prev_;
    Json members_;
};

} // namespace locara::crypto
