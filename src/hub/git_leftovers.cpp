#include "git_leftovers.hpp"

#include "git_refs.hpp"

#include <locara/base/file.hpp>
#include <locara/hub/git_repo.hpp>

#include <system_error>
#include <vector>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

/// What a push brings lies in "objects/tmp_objdir-..." until it is found good.
bool is_quarantine(const fs::path& path) {
    return path.filename().string().starts_with(kQuarantine);
}

/// A pack is moved in before its index, without which nobody looks at it.
bool is_unfinished_pack(const fs::path& path) {
    std::error_code error;
    return path.extension() == ".pack" &&
           !fs::exists(fs::path(path).replace_extension(".idx"), error);
}

/// libgit2 writes a ref into "<ref>.lock", made with O_EXCL, and renames it; an object into
/// "objects/tmp_object_git2_XXXXXX" (libgit2 1.5, filebuf.c and odb_loose.c).
std::error_code clean(const fs::path& repository) {
    std::vector<fs::path> left;
    std::error_code error;
    for (fs::recursive_directory_iterator at(repository, error), end; !error && at != end;
         at.increment(error)) {
        const std::string name = at->path().filename().string();
        if (name.ends_with(".lock") || name.starts_with("tmp_object_git2_") ||
            name.starts_with("tmp_pack_") || name.starts_with("tmp_idx_") ||
            name.starts_with("tmp_rev_") || is_quarantine(at->path()) ||
            is_unfinished_pack(at->path())) {
            left.push_back(at->path());
        }
        // Nothing unfinished lies among the loose objects that are done, and they are many.
        if (at.depth() == 1 && at->path().parent_path().filename() == "objects" && name != "pack") {
            at.disable_recursion_pending();
        }
    }
    for (const fs::path& file : left) {
        if (!error) {
            fs::remove_all(file, error);
        }
    }
    return error;
}

/// Hubs before this one did not sync HEAD when they made a repository.
Status mend_head(const fs::path& repository) {
    return read_head(repository)
               ? Status()
               : write_file_atomically(repository / "HEAD", as_bytes("ref: refs/heads/main\n"));
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
        auto git = GitRepo::open(at->path());
        if (git) { // fsck tells of one that cannot be opened.
            LOCARA_CHECK(mend_head(at->path()));
            LOCARA_CHECK(git->finish_moves().context("cleaning up in " + at->path().string()));
        }
    }
    return error
               ? Status(Error(ErrorCode::Io, "listing " + repos.string() + ": " + error.message()))
               : Status();
}

} // namespace locara::hub
