// What a hub that was killed in a commit or a push leaves in its git repositories.
#pragma once

#include <locara/base/result.hpp>

#include <filesystem>

namespace locara::hub {

/// In a data folder: locked, shared, by whoever works in git repositories beside the owner, so that
/// what they are at is not taken for leftovers.
inline constexpr const char* kJoined = "joined";

/// How the folder begins, in a repository's "objects", that holds what a push brings until it is
/// found good. git's own programs take it for one of theirs.
inline constexpr const char* kQuarantine = "tmp_objdir-incoming-";

/// Ends, in all repositories below `repos`, pushes whose refs had begun to move; removes the locks
/// of refs, which nobody would ever let go of, and unfinished objects; mends a HEAD that names no
/// branch. Nobody may write to them meanwhile. Io.
Status remove_git_leftovers(const std::filesystem::path& repos);

} // namespace locara::hub
