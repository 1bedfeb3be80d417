#include "pushed_objects.hpp"

#include "git_pointers.hpp"

#include <locara/base/path.hpp>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace locara::hub {
namespace {

/// Of one push. A second for ten thousand, about.
constexpr std::size_t kCommitLimit = 100'000;
constexpr std::size_t kObjectLimit = 1'000'000;
/// Of one commit, files and folders; more could not be listed.
constexpr std::uint64_t kEntryLimit = 100'000;
/// Of a path (base/path.hpp).
constexpr std::size_t kPartLimit = 32;
constexpr std::size_t kPathLimit = 1024;

Error refused(std::string message) {
    return {ErrorCode::Refused, std::move(message)};
}

/// What is below a folder, whatever it is called.
struct FolderFacts {
    std::size_t parts = 0;     ///< Of its deepest path.
    std::size_t bytes = 0;     ///< Of its longest path.
    std::uint64_t entries = 0; ///< Files and folders.
};

class Checker {
  public:
    Checker(git_repository* repository, git_odb* objects, const ObjectRules& rules)
        : repository_(repository), objects_(objects), rules_(rules) {}

    Status run(const std::vector<NewTip>& tips) {
        git_revwalk* raw = nullptr;
        int code = git_revwalk_new(&raw, repository_);
        const Walk walk(raw);
        for (const NewTip& tip : tips) {
            LOCARA_TRY(const git_oid commit, commit_of(tip));
            code = code == 0 ? git_revwalk_push(raw, &commit) : code;
        }
        code = code == 0 ? git_revwalk_hide_glob(raw, "refs/*") : code;
        git_oid id{};
        std::size_t commits = 0;
        while (code == 0 && (code = git_revwalk_next(&id, raw)) == 0) {
            if (++commits > kCommitLimit) {
                return Error(ErrorCode::TooLarge,
                             "one push brings at most " + std::to_string(kCommitLimit) +
                                 " commits; push the older ones first");
            }
            LOCARA_CHECK(check_commit(id));
        }
        if (code == GIT_ENOTFOUND) {
            return refused("the history is not whole: a commit names a parent that is neither here "
                           "nor in the push");
        }
        return code == GIT_ITEROVER ? Status() : Status(git_failure("reading the history"));
    }

  private:
    Result<git_oid> commit_of(const NewTip& tip) {
        LOCARA_TRY(const git_oid id, parse_oid(tip.object));
        git_object* raw = nullptr;
        int code = git_object_lookup(&raw, repository_, &id, GIT_OBJECT_ANY);
        const Object object(raw);
        if (code == GIT_ENOTFOUND) {
            return refused("the object " + tip.object + " is neither here nor in the push");
        }
        git_object* raw_commit = nullptr;
        if (code == 0) {
            code = git_object_peel(&raw_commit, raw, GIT_OBJECT_COMMIT);
        }
        const Object commit(raw_commit);
        const bool tag = tip.ref.rfind("refs/tags/", 0) == 0;
        if (code != 0 || (!tag && git_object_type(raw) != GIT_OBJECT_COMMIT)) {
            return refused(tag ? "a tag must point to a commit"
                               : "a branch must point to a commit");
        }
        return *git_object_id(raw_commit);
    }

    Status check_commit(const git_oid& id) {
        git_commit* raw = nullptr;
        const int code = git_commit_lookup(&raw, repository_, &id);
        const Commit commit(raw);
        if (code != 0) {
            return git_failure("reading commit " + render_oid(&id));
        }
        LOCARA_TRY(const FolderFacts facts, check_tree(*git_commit_tree_id(raw), "", 1));
        const std::string where = "commit " + render_oid(&id) + " has ";
        if (facts.parts > kPartLimit || facts.bytes > kPathLimit) {
            return refused(where + "a path of " + std::to_string(facts.parts) + " parts and " +
                           std::to_string(facts.bytes) + " bytes; at most " +
                           std::to_string(kPartLimit) + " and " + std::to_string(kPathLimit) +
                           " are taken");
        }
        if (facts.entries > kEntryLimit) {
            return refused(where + "more than " + std::to_string(kEntryLimit) +
                           " files and folders, which is the most that a repository takes");
        }
        return {};
    }

    /// A tree is read once, wherever it hangs: what is found does not depend on that, and trees
    /// that hold each other many times over cost no more than their number.
    Result<FolderFacts>
    check_tree(const git_oid& id, const std::string& prefix, std::size_t depth) {
        const std::string key = render_oid(&id);
        const auto known = folders_.find(key);
        if (known != folders_.end()) {
            return known->second;
        }
        if (depth > kPartLimit) {
            return refused("the path " + prefix + " has more than " + std::to_string(kPartLimit) +
                           " parts");
        }
        LOCARA_CHECK(count_object());
        git_tree* raw = nullptr;
        const int code = git_tree_lookup(&raw, repository_, &id);
        const Tree tree(raw);
        if (code != 0) {
            return refused("the folder '" + prefix + "' is object " + key +
                           ", which is no tree that is here or in the push");
        }
        PathSet names;
        FolderFacts facts;
        for (std::size_t i = 0; i < git_tree_entrycount(raw); ++i) {
            const git_tree_entry* const entry = git_tree_entry_byindex(raw, i);
            LOCARA_TRY(const FolderFacts below, check_entry(entry, prefix, depth, names));
            const std::size_t length = std::string_view(git_tree_entry_name(entry)).size();
            facts.parts = std::max(facts.parts, 1 + below.parts);
            facts.bytes = std::max(facts.bytes, length + (below.parts > 0 ? 1 + below.bytes : 0));
            facts.entries = std::min(facts.entries + 1 + below.entries, kEntryLimit + 1);
        }
        folders_.emplace(key, facts);
        return facts;
    }

    Result<FolderFacts> check_entry(const git_tree_entry* entry,
                                    const std::string& prefix,
                                    std::size_t depth,
                                    PathSet& names) {
        const std::string name = git_tree_entry_name(entry);
        const std::string path = prefix + name;
        const Status fine = validate_path(name);
        const Status fresh = fine ? names.add(name) : fine;
        if (!fresh) {
            return refused("in folder '" + prefix + "': " + fresh.error().message());
        }
        const git_oid& id = *git_tree_entry_id(entry);
        switch (git_tree_entry_filemode_raw(entry)) {
        case GIT_FILEMODE_TREE:
            return check_tree(id, path + "/", depth + 1);
        case GIT_FILEMODE_BLOB:
        case GIT_FILEMODE_BLOB_EXECUTABLE:
            LOCARA_CHECK(check_blob(id, path));
            return FolderFacts();
        case GIT_FILEMODE_LINK:
            return refused(path + " is a symbolic link; commit the file itself");
        case GIT_FILEMODE_COMMIT:
            return refused(path + " is a submodule; commit its files, or leave it out");
        default:
            return refused(path + " has a mode that is neither a file's nor a folder's");
        }
    }

    Status check_blob(const git_oid& id, const std::string& path) {
        if (!blobs_.insert(render_oid(&id)).second) {
            return {};
        }
        LOCARA_CHECK(count_object());
        std::size_t size = 0;
        git_object_t kind = GIT_OBJECT_INVALID;
        const int code = git_odb_read_header(&size, &kind, objects_, &id);
        if (code != 0 || kind != GIT_OBJECT_BLOB) {
            return refused("the file " + path + " is object " + render_oid(&id) +
                           ", which is no blob that is here or in the push");
        }
        if (size > rules_.blob_limit) {
            return refused(path + " has " + std::to_string(size) + " bytes; files of more than " +
                           std::to_string(rules_.blob_limit) +
                           " must be tracked by Git LFS. Run: git lfs migrate import --include='" +
                           path + "' and push again");
        }
        const bool judged = rules_.judged.contains(render_oid(&id));
        return judged && size >= kPointerLimit ? Status() : check_content(id, path, judged);
    }

    Status check_content(const git_oid& id, const std::string& path, bool judged) {
        git_blob* raw = nullptr;
        const int code = git_blob_lookup(&raw, repository_, &id);
        const Blob blob(raw);
        if (code != 0) {
            return git_failure("reading " + path);
        }
        const std::string_view content(static_cast<const char*>(git_blob_rawcontent(raw)),
                                       git_blob_rawsize(raw));
        const auto pointer =
            content.size() < kPointerLimit ? LfsPointer::parse(content) : std::nullopt;
        if (!pointer) {
            return judged ? Status() : rules_.judge_blob(path, content);
        }
        LOCARA_TRY(const bool here, rules_.has_file(*pointer));
        return here ? (judged ? Status() : rules_.judge_file(path, *pointer))
                    : Status(refused(path + " is a pointer to sha256:" + pointer->sha256.render() +
                                     " of " + std::to_string(pointer->size) +
                                     " bytes, which this repository has not got. Run: git lfs push "
                                     "--all origin, and push again"));
    }

    Status count_object() {
        return ++objects_read_ <= kObjectLimit
                   ? Status()
                   : Status(Error(ErrorCode::TooLarge,
                                  "one push may have at most " + std::to_string(kObjectLimit) +
                                      " files and folders in all its commits; push the older ones "
                                      "first"));
    }

    git_repository* const repository_;
    git_odb* const objects_;
    const ObjectRules& rules_;
    std::unordered_map<std::string, FolderFacts> folders_; ///< By the id of their tree.
    std::unordered_set<std::string> blobs_;                ///< That were looked at.
    std::size_t objects_read_ = 0;
};

} // namespace

Status check_pushed_objects(const std::filesystem::path& repository,
                            const std::filesystem::path& quarantine,
                            const std::vector<NewTip>& tips,
                            const ObjectRules& rules) {
    LOCARA_TRY(const Repository opened, open_repository(repository));
    git_odb* raw = nullptr;
    int code = git_repository_odb(&raw, opened.get());
    const ObjectDatabase objects(raw);
    if (code == 0 && !quarantine.empty()) {
        code = git_odb_add_disk_alternate(raw, quarantine.c_str());
    }
    if (code != 0) {
        return git_failure("opening the objects of a push");
    }
    return Checker(opened.get(), raw, rules).run(tips);
}

} // namespace locara::hub
