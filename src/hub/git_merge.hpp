// Bringing two histories of a repository together, as git does, without a working tree.
// Threads: plain functions that touch the disk.
#pragma once

#include <locara/base/result.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace locara::hub {

/// What two commits make together.
struct MergedTree {
    std::string tree; ///< Its id; empty if there are conflicts.
    /// Paths that both changed, each in its own way; else names, of up to 100 pairs, that came
    /// together and that a file system could mix up. Sorted.
    std::vector<std::string> conflicts;
};

/// Keep::No only looks: nothing of it is written.
enum class Keep { No, Yes };

/// Merges two commits by all that changed since they parted; renamed files count as removed and
/// new. Files of text are merged line by line, so a file may come out that is in neither commit;
/// those of more than 1 MiB or 20,000 lines conflict if both changed them, and so do those that are
/// left when 200,000 lines or 16 MiB were compared.
Result<MergedTree> merge_commits(const std::filesystem::path& repository,
                                 const std::string& ours,
                                 const std::string& theirs,
                                 Keep keep);

/// The best commit that both come of; nothing if there is none.
Result<std::optional<std::string>> find_merge_base(const std::filesystem::path& repository,
                                                   const std::string& one,
                                                   const std::string& other);

} // namespace locara::hub
