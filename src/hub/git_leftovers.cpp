#include "git_leftovers.hpp"

#include <system_error>
#include <vector>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

/// libgit2 writes a ref into "<ref>.lock", made with O_EXCL, and renames it; an object into
/// "objects/tmp_object_git2_XXXXXX" (libgit2 1.5, filebuf.c and odb_loose.c).
std::error_code clean(const fs::path& repository) {
    std::vector<fs::path> left;
    std::error_code error;
    for (fs::recursive_directory_iterator at(repository, error), end; !error && at != end;
         at.increment(error)) {
        const std::string name = at->path().filename().string();
        if (name.ends_with(".lock") || name.starts_with("tmp_object_git2_")) {
            left.push_back(at->path());
        }
        // Nothing unfinished lies among the objects that are done, and they are many.
        if (at.depth() == 1 && at->path().parent_path().filename() == "objects") {
            at.disable_recursion_pending();
        }
    }
    for (const fs::path& file : left) {
        if (!error) {
            fs::remove(file, error);
        }
    }
    return error;
}

} // namespace

Status remove_git_leftovers(const fs::path& repos) {
    std::error_code error;
    for (fs::directory_iterator at(repos, error), end; !error && at != end; at.increment(error)) {
        const std::error_code failed = clean(at->path());
        // A gc may remove the whole repository just now.
        if (failed && failed != std::errc::no_such_file_or_directory) {
            return Error(ErrorCode::Io,
                         "cleaning up in " + at->path().string() + ": " + failed.message());
        }
    }
    return error
               ? Status(Error(ErrorCode::Io, "listing " + repos.string() + ": " + error.message()))
               : Status();
}

} // namespace locara::hub
