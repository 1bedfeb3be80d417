#include "history_rewrite.hpp"

#include "git_pointers.hpp"
#include "git_refs.hpp"

#include <optional>
#include <unordered_map>

namespace locara::hub {
namespace {

constexpr std::size_t kCommitLimit = 100'000;
constexpr std::size_t kObjectLimit = 1'000'000;
/// A push brings no deeper folder; without a bound, what else wrote it could exhaust the stack.
constexpr std::size_t kDepthLimit = 64;

using TreeBuilder = Owned<git_treebuilder, git_treebuilder_free>;
using Tag = Owned<git_tag, git_tag_free>;
template <class Value> using ByOid = std::unordered_map<git_oid, Value, HashOid, SameOid>;

class Rewriter {
  public:
    Rewriter(git_repository* repository, git_odb* objects, const FileDigests& files)
        : repository_(repository), objects_(objects), files_(files) {}

    /// All commits, each after its parents.
    Status rewrite_commits(const std::stop_token& stop) {
        git_revwalk* raw = nullptr;
        int code = git_revwalk_new(&raw, repository_);
        const Walk walk(raw);
        if (code == 0) {
            code = git_revwalk_sorting(raw, GIT_SORT_TOPOLOGICAL | GIT_SORT_REVERSE);
        }
        if (code == 0) {
            LOCARA_CHECK(push_refs(raw));
        }
        git_oid id{};
        while (code == 0 && (code = git_revwalk_next(&id, raw)) == 0) {
            if (stop.stop_requested()) {
                return Error(ErrorCode::Cancelled, "writing the history anew was stopped");
            }
            if (commits_.size() == kCommitLimit) {
                return Error(ErrorCode::TooLarge,
                             "a history of more than " + std::to_string(kCommitLimit) +
                                 " commits is not written anew; squash it first");
            }
            LOCARA_TRY(const git_oid now, rewrite_commit(id));
            commits_.emplace(id, now);
        }
        return code == GIT_ITEROVER ? Status() : Status(git_failure("reading a history"));
    }

    /// Where a ref has to point instead of to `ref.object`: there, if nothing of it changed.
    Result<std::string> target_of(const GitRef& ref) {
        LOCARA_TRY(const git_oid commit, parse_oid(ref.commit));
        const auto now = commits_.find(commit);
        if (now == commits_.end()) {
            return Error(ErrorCode::Conflict, ref.name + " was moved meanwhile");
        }
        if (git_oid_equal(&now->second, &commit) == 1) {
            return ref.object;
        }
        return ref.object == ref.commit ? Result<std::string>(render_oid(&now->second))
                                        : rewrite_tag(ref, now->second);
    }

  private:
    Result<git_oid> rewrite_commit(const git_oid& id) {
        git_commit* raw = nullptr;
        int code = git_commit_lookup(&raw, repository_, &id);
        const Commit commit(raw);
        if (code != 0) {
            return git_failure("reading commit " + render_oid(&id));
        }
        LOCARA_TRY(const auto tree, rewrite_tree(*git_commit_tree_id(raw), 0));
        LOCARA_TRY(const git_oid tree_id, tree ? Result<git_oid>(*tree) : write_empty_tree());
        bool same = git_oid_equal(&tree_id, git_commit_tree_id(raw)) == 1;
        std::vector<Commit> parents;
        std::vector<const git_commit*> raw_parents;
        for (unsigned int i = 0; i < git_commit_parentcount(raw); ++i) {
            const git_oid was = *git_commit_parent_id(raw, i);
            const auto now = commits_.find(was);
            if (now == commits_.end()) {
                return Error(ErrorCode::Corrupt, "commit " + render_oid(&was) + " is missing");
            }
            same = same && git_oid_equal(&was, &now->second) == 1;
            git_commit* parent = nullptr;
            code = git_commit_lookup(&parent, repository_, &now->second);
            parents.emplace_back(parent);
            raw_parents.push_back(parent);
            if (code != 0) {
                return git_failure("reading commit " + render_oid(&now->second));
            }
        }
        if (same) {
            return id;
        }
        git_tree* raw_tree = nullptr;
        code = git_tree_lookup(&raw_tree, repository_, &tree_id);
        const Tree new_tree(raw_tree);
        git_oid written{};
        if (code == 0) {
            code = git_commit_create(&written,
                                     repository_,
                                     nullptr,
                                     git_commit_author(raw),
                                     git_commit_committer(raw),
                                     git_commit_message_encoding(raw),
                                     git_commit_message_raw(raw),
                                     raw_tree,
                                     raw_parents.size(),
                                     raw_parents.data());
        }
        return code == 0 ? Result<git_oid>(written)
                         : git_failure("writing commit " + render_oid(&id) + " anew");
    }

    /// The folder without the files; nothing if it held nothing else. One that was empty stays.
    Result<std::optional<git_oid>> rewrite_tree(const git_oid& id, std::size_t depth) {
        if (const auto known = trees_.find(id); known != trees_.end()) {
            return known->second;
        }
        if (depth == kDepthLimit) {
            return Error(ErrorCode::TooLarge, "folders lie too deep to be written anew");
        }
        git_tree* raw = nullptr;
        int code = git_tree_lookup(&raw, repository_, &id);
        const Tree tree(raw);
        git_treebuilder* raw_builder = nullptr;
        if (code == 0) {
            code = git_treebuilder_new(&raw_builder, repository_, raw);
        }
        const TreeBuilder builder(raw_builder);
        bool same = true;
        for (std::size_t i = 0; code == 0 && i < git_tree_entrycount(raw); ++i) {
            const git_tree_entry* const entry = git_tree_entry_byindex(raw, i);
            const git_oid was = *git_tree_entry_id(entry);
            LOCARA_TRY(const auto now, rewrite_entry(entry, depth));
            if (!now) {
                same = false;
                code = git_treebuilder_remove(raw_builder, git_tree_entry_name(entry));
            } else if (git_oid_equal(&was, &*now) == 0) {
                same = false;
                code = git_treebuilder_insert(nullptr,
                                              raw_builder,
                                              git_tree_entry_name(entry),
                                              &*now,
                                              git_tree_entry_filemode_raw(entry));
            }
        }
        std::optional<git_oid> result = id;
        if (code == 0 && !same && git_treebuilder_entrycount(raw_builder) == 0) {
            result.reset();
        } else if (code == 0 && !same) {
            code = git_treebuilder_write(&*result, raw_builder);
        }
        if (code != 0) {
            return git_failure("writing folder " + render_oid(&id) + " anew");
        }
        trees_.emplace(id, result);
        return result;
    }

    Result<std::optional<git_oid>> rewrite_entry(const git_tree_entry* entry, std::size_t depth) {
        const git_oid id = *git_tree_entry_id(entry);
        if (git_tree_entry_type(entry) == GIT_OBJECT_TREE) {
            return rewrite_tree(id, depth + 1);
        }
        if (git_tree_entry_type(entry) != GIT_OBJECT_BLOB) {
            return std::optional(id);
        }
        auto known = blobs_.find(id);
        if (known == blobs_.end()) {
            if (blobs_.size() + trees_.size() >= kObjectLimit) {
                return Error(ErrorCode::TooLarge,
                             "a history of more than " + std::to_string(kObjectLimit) +
                                 " files and folders is not written anew; squash it first");
            }
            LOCARA_TRY(const auto pointer, read_pointer(repository_, objects_, id));
            const bool goes = pointer && files_.contains(pointer->sha256);
            known = blobs_.emplace(id, goes).first;
        }
        return known->second ? std::optional<git_oid>() : std::optional(id);
    }

    Result<git_oid> write_empty_tree() {
        git_treebuilder* raw = nullptr;
        int code = git_treebuilder_new(&raw, repository_, nullptr);
        const TreeBuilder builder(raw);
        git_oid id{};
        if (code == 0) {
            code = git_treebuilder_write(&id, raw);
        }
        return code == 0 ? Result<git_oid>(id) : git_failure("writing an empty folder");
    }

    /// An annotated tag of the commit that was written anew.
    Result<std::string> rewrite_tag(const GitRef& ref, const git_oid& commit) {
        LOCARA_TRY(const git_oid id, parse_oid(ref.object));
        git_tag* raw = nullptr;
        int code = git_tag_lookup(&raw, repository_, &id);
        const Tag tag(raw);
        git_object* raw_target = nullptr;
        if (code == 0) {
            code = git_object_lookup(&raw_target, repository_, &commit, GIT_OBJECT_COMMIT);
        }
        const Object target(raw_target);
        git_oid written{};
        if (code == 0 && git_tag_tagger(raw) == nullptr) {
            return render_oid(&commit); // Tags without who made them are older than 2005.
        }
        if (code == 0) {
            const char* const message = git_tag_message(raw);
            code = git_tag_annotation_create(&written,
                                             repository_,
                                             git_tag_name(raw),
                                             raw_target,
                                             git_tag_tagger(raw),
                                             message == nullptr ? "" : message);
        }
        return code == 0 ? Result<std::string>(render_oid(&written))
                         : git_failure("writing " + ref.name + " anew");
    }

    git_repository* const repository_;
    git_odb* const objects_;
    const FileDigests& files_;
    ByOid<git_oid> commits_;
    ByOid<std::optional<git_oid>> trees_;
    ByOid<bool> blobs_; ///< Whether it goes.
};

} // namespace

Result<std::vector<RefMove>> rewrite_without(const std::filesystem::path& repository,
                                             const FileDigests& files,
                                             const std::stop_token& stop) {
    LOCARA_TRY(const GitRepo git, GitRepo::open(repository));
    LOCARA_TRY(const auto refs, git.refs());
    LOCARA_TRY(const Repository opened, open_repository(repository));
    git_odb* raw = nullptr;
    const int code = git_repository_odb(&raw, opened.get());
    const ObjectDatabase objects(raw);
    if (code != 0) {
        return git_failure("opening the objects of a repository");
    }
    Rewriter rewriter(opened.get(), raw, files);
    LOCARA_CHECK(rewriter.rewrite_commits(stop));
    std::vector<RefMove> moves;
    for (const GitRef& ref : refs) {
        LOCARA_TRY(std::string target, rewriter.target_of(ref));
        if (target != ref.object) {
            moves.push_back({ref.name, ref.object, std::move(target)});
        }
    }
    return moves;
}

} // namespace locara::hub
