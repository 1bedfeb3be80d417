// What a mirror did since the program began, for /metrics.
#pragma once

#include <atomic>
#include <cstdint>

namespace locara::hub {

/// Counted from any thread.
struct MirrorCounts {
    std::atomic<std::uint64_t> hits{0};   ///< GETs of files that were here.
    std::atomic<std::uint64_t> misses{0}; ///< GETs of files that were, or are being, fetched.
    std::atomic<std::uint64_t> fetched_bytes{0}; ///< Of files, from upstream.
    /// Requests to upstream that brought no good answer: none at all, a lie, or one that says that
    /// something is wrong there. A plain 4xx is an answer.
    std::atomic<std::uint64_t> upstream_errors{0};
};

} // namespace locara::hub
