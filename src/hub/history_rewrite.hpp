// Histories without some of their large files.
#pragma once

#include "named_files.hpp"

#include <locara/hub/git_repo.hpp>

#include <filesystem>
#include <stop_token>
#include <vector>

namespace locara::hub {

/// Writes again every commit that a branch, a tag or a pull request leads to, as it is (author,
/// dates, message) but without the pointers to `files`; a folder that held nothing else goes too.
/// Commits before the first that had one keep their ids; a signature of one that is written anew is
/// left out, since it would be wrong. Returns how the refs would have to move: none has moved yet.
///
/// Errors: TooLarge for histories of more than 100,000 commits or 1,000,000 folders and files,
/// Cancelled, Io (also if a ref cannot be read or a history is not whole), NoSpace.
Result<std::vector<RefMove>> rewrite_without(const std::filesystem::path& repository,
                                             const FileDigests& files,
                                             const std::stop_token& stop);

} // namespace locara::hub
