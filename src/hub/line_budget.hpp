// How much of what one request asks for is compared line by line, which takes longest of all that
// git does here: the time for a file grows faster than its lines do.
//
// Threads: those of the repository.
#pragma once

#include "git_handles.hpp"

#include <cstdint>
#include <vector>

namespace locara::hub {

/// Of one file, on each side.
inline constexpr std::uint64_t kComparedFileBytes = 1U << 20U;
inline constexpr std::uint64_t kComparedFileLines = 20'000;
/// Of one request, both sides together. A file counts as 20 lines at least.
inline constexpr std::uint64_t kComparedBytes = 16U << 20U;
inline constexpr std::uint64_t kComparedLines = 200'000;

class LineBudget {
  public:
    enum class Verdict {
        Compare,
        TooLarge, ///< This file is; others may go on.
        Spent,    ///< The request has had its share.
    };

    /// Whether the versions of one file may be compared, which takes them from what is left. Ids of
    /// no blob (all zeros, another repository's commit) count as empty. Errors of git.
    Result<Verdict> take(git_repository* repository, const std::vector<git_oid>& versions);

  private:
    std::uint64_t bytes_ = kComparedBytes;
    std::uint64_t lines_ = kComparedLines;
};

} // namespace locara::hub
