// What a push brings, looked at before it counts: every commit that is new, and every file of it.
#pragma once

#include <locara/hub/git_repo.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace locara::hub {

/// What is asked about a file.
struct ObjectRules {
    std::uint64_t blob_limit = 0; ///< Bytes that git itself may hold of one file.
    /// Whether the repository has what a pointer stands for.
    std::function<Result<bool>(const LfsPointer&)> has_file;
    /// Whether content may become a file of the repository: a blob that is no pointer, or what a
    /// pointer stands for. Refused says why not.
    std::function<Status(const std::string& path, std::string_view blob)> judge_blob;
    std::function<Status(const std::string& path, const LfsPointer&)> judge_file;
    std::unordered_set<std::string> judged; ///< Blobs, by id, that need not be asked about again.
};

/// Where a ref shall point to.
struct NewTip {
    std::string ref;    ///< Its full name. A branch names a commit, a tag a commit or a tag of one.
    std::string object; ///< 40 hex digits
};

/// Reads every commit that the tips have and no ref of the repository has yet, and all of each
/// one's tree: objects that are there already are no exception, since nothing says that they ever
/// were looked at. New objects may lie in the folder `quarantine` (empty for none). Errors:
/// Refused, in words for whoever pushes (what, where, and what to do), when an object is missing or
/// of the wrong kind, a path is none that is fit for every file system, two names of a folder are
/// the same but for their case, something is neither file nor folder, a file is larger than the
/// limit, or a pointer stands for a file that is not here; TooLarge when it would take too long to
/// look; Io.
Status check_pushed_objects(const std::filesystem::path& repository,
                            const std::filesystem::path& quarantine,
                            const std::vector<NewTip>& tips,
                            const ObjectRules& rules);

} // namespace locara::hub
