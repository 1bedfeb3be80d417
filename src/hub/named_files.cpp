#include "named_files.hpp"

#include "git_pointers.hpp"
#include "git_refs.hpp"

#include <unordered_set>
#include <vector>

namespace locara::hub {
namespace {

class Walker {
  public:
    Walker(git_repository* repository, git_odb* objects, FileDigests& files)
        : repository_(repository), objects_(objects), files_(files) {}

    Status run(std::string_view refs, const std::stop_token& stop) {
        git_revwalk* raw = nullptr;
        int code = git_revwalk_new(&raw, repository_);
        const Walk walk(raw);
        if (code == 0) {
            LOCARA_CHECK(push_refs(raw, refs));
        }
        git_oid id{};
        while (code == 0 && !files_.empty() && (code = git_revwalk_next(&id, raw)) == 0) {
            if (stop.stop_requested()) {
                return Error(ErrorCode::Cancelled, "looking for named files was stopped");
            }
            git_commit* raw_commit = nullptr;
            code = git_commit_lookup(&raw_commit, repository_, &id);
            const Commit commit(raw_commit);
            if (code == 0) {
                LOCARA_CHECK(read_tree(*git_commit_tree_id(raw_commit)));
            }
        }
        return code == 0 || code == GIT_ITEROVER ? Status()
                                                 : Status(git_failure("reading a history"));
    }

  private:
    /// Folders below folders wait in a list: how deep they lie is for who pushed them to say.
    Status read_tree(const git_oid& root) {
        std::vector<git_oid> waiting = {root};
        while (!waiting.empty()) {
            const git_oid id = waiting.back();
            waiting.pop_back();
            if (!seen_.insert(id).second) {
                continue;
            }
            git_tree* raw = nullptr;
            const int code = git_tree_lookup(&raw, repository_, &id);
            const Tree tree(raw);
            if (code != 0) {
                return git_failure("reading folder " + render_oid(&id));
            }
            for (std::size_t i = 0; i < git_tree_entrycount(raw); ++i) {
                const git_tree_entry* const entry = git_tree_entry_byindex(raw, i);
                if (git_tree_entry_type(entry) == GIT_OBJECT_TREE) {
                    waiting.push_back(*git_tree_entry_id(entry));
                } else if (git_tree_entry_type(entry) == GIT_OBJECT_BLOB) {
                    LOCARA_CHECK(read_file(*git_tree_entry_id(entry)));
                }
            }
        }
        return {};
    }

    Status read_file(const git_oid& id) {
        if (!seen_.insert(id).second) {
            return {};
        }
        LOCARA_TRY(const auto pointer, read_pointer(repository_, objects_, id));
        if (pointer) {
            files_.erase(pointer->sha256);
        }
        return {};
    }

    git_repository* const repository_;
    git_odb* const objects_;
    FileDigests& files_;
    std::unordered_set<git_oid, HashOid, SameOid> seen_; ///< Folders and files.
};

} // namespace

Status take_out_named(const std::filesystem::path& repository,
                      FileDigests& files,
                      const std::stop_token& stop,
                      std::string_view refs) {
    if (files.empty()) {
        return {};
    }
    LOCARA_TRY(const Repository opened, open_repository(repository));
    git_odb* raw = nullptr;
    const int code = git_repository_odb(&raw, opened.get());
    const ObjectDatabase objects(raw);
    if (code != 0) {
        return git_failure("opening the objects of a repository");
    }
    return Walker(opened.get(), raw, files).run(refs, stop);
}

} // namespace locara::hub
