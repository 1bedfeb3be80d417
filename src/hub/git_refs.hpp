// Where the refs of a git repository stand, as its files say.
//
// libgit2 lists no ref that it cannot read. Who asks which objects are still named must hear of
// such a ref: else what only that branch named would count as named by none.
#pragma once

#include "git_handles.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

struct RefFile {
    std::string name;              ///< "refs/heads/main"
    std::optional<git_oid> target; ///< Nothing if the file holds no object's id.
};

/// Every ref, of any kind, sorted by name. Io also if packed-refs is not as git writes it.
Result<std::vector<RefFile>> read_refs(const std::filesystem::path& repository);

/// The ref that HEAD names. Io also if it names no branch, without which git's programs take the
/// repository for none; NotFound.
Result<std::string> read_head(const std::filesystem::path& repository);

/// Io unless the branch that HEAD names is one of `refs`; else as read_head. A repository of
/// this hub has it from the beginning, and it cannot be removed.
Status check_head(const std::filesystem::path& repository, const std::vector<RefFile>& refs);

/// Has `walk` begin at every ref of its repository whose name begins so. Io, naming the ref, also
/// when one cannot be read or leads to no commit, and when HEAD's branch is missing.
Status push_refs(git_revwalk* walk, std::string_view prefix = "refs/");

} // namespace locara::hub
