// Progress of long work, as events. Libraries report; the CLI draws a bar, lines or JSON.
#pragma once

#include <cstdint>
#include <string>

namespace locara {

/// One state of one piece of work. Bytes count what is *verified*, never what merely arrived.
struct Progress {
    std::string task;               ///< What is being done: "pull", "verify", ...
    std::string item;               ///< Which file or object.
    std::uint64_t done_bytes = 0;   ///< Verified bytes of `item`.
    std::uint64_t total_bytes = 0;  ///< Size of `item`, 0 if unknown.
    std::uint64_t reused_bytes = 0; ///< Of done_bytes, what was on this machine before.
    std::string source;             ///< Where bytes come from: a host name, or "already on disk".
    /// Bytes of `item` that are here, verified or not: what speed and time left are made of. At
    /// least done_bytes; 0 in work that receives nothing.
    std::uint64_t received_bytes = 0;
};

/// Takes progress events. Calls come from any thread, one at a time per piece of work; an
/// implementation must not block for long.
class ProgressSink {
  public:
    virtual ~ProgressSink() = default;
    virtual void report(const Progress& progress) = 0;
};

/// Drops everything.
ProgressSink& null_progress();

} // namespace locara
