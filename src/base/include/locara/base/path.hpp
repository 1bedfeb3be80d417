// Paths inside a revision, a bundle or an archive: which ones are fit for every file system.
//
// These are the rules of the threat model for names that come from outside. They say nothing about
// paths of this machine. Threads: plain functions.
#pragma once

#include <locara/base/result.hpp>

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace locara {

/// Checks a relative path by the rules for names in the threat model: UTF-8, `/` between parts, 1
/// to 255 bytes a part, at most 1,024 bytes and 32 parts, none empty, `.` or `..`; no NUL, control,
/// bidirectional or zero-width characters; no backslash or colon; no `.git` or `.locara` in any
/// case or NTFS spelling; no leading dash, no trailing dot or space, no Windows device names. Text
/// that is not ASCII must be composed (NFC): combining marks are refused, which is stricter.
/// InvalidArgument names the path and the rule.
Status validate_path(std::string_view path);

/// Paths of one revision, held against each other. Not for several threads at once.
class PathSet {
  public:
    /// Adds a path that passed validate_path. InvalidArgument, naming both, if it equals one that
    /// was added after case folding (ASCII and Latin, Greek, Cyrillic capitals), or if one of the
    /// two would be a file and the folder of the other; the set is then as before or, of a path
    /// below a file, knows its upper folders.
    Status add(std::string_view path);

    /// The same for a folder. It may be added more than once, and before or after its files.
    Status add_folder(std::string_view path);

  private:
    Status add_above(std::string_view path, const std::string& folded);

    std::unordered_map<std::string, std::string> files_;   // folded -> as added
    std::unordered_map<std::string, std::string> folders_; // folded -> a path below it
};

/// The same for all of `paths`, in their order.
Status validate_path_set(const std::vector<std::string>& paths);

} // namespace locara
