#include "git_merge.hpp"

#include "git_handles.hpp"
#include "line_budget.hpp"

#include <git2/sys/mempack.h>
#include <git2/sys/merge.h>
#include <git2/sys/odb_backend.h>

#include <mutex>
#include <set>

namespace locara::hub {
namespace {

using Conflicts = Owned<git_index_conflict_iterator, git_index_conflict_iterator_free>;

/// What merges the lines of a file as git does, unless that would take too long.
constexpr const char* kDriver = "locara";
/// How often the common ancestors of histories that crossed are merged themselves; beyond it one of
/// them is taken.
constexpr unsigned int kCrossings = 8;
constexpr std::size_t kMixedPairs = 100;

/// Of the merge that this thread is in.
thread_local LineBudget* budget = nullptr; // NOLINT

int apply_driver(git_merge_driver*,
                 const char**,
                 std::uint32_t*,
                 git_buf*,
                 const char*,
                 const git_merge_driver_source* source) {
    std::vector<git_oid> versions;
    for (const git_index_entry* const entry : {git_merge_driver_source_ancestor(source),
                                               git_merge_driver_source_ours(source),
                                               git_merge_driver_source_theirs(source)}) {
        if (entry != nullptr) {
            versions.push_back(entry->id);
        }
    }
    LOCARA_ASSERT(budget != nullptr);
    const auto verdict = budget->take(git_merge_driver_source_repo(source), versions);
    if (!verdict) {
        return GIT_ERROR; // libgit2 has said why.
    }
    return *verdict == LineBudget::Verdict::Compare ? GIT_PASSTHROUGH : GIT_EMERGECONFLICT;
}

Status register_driver() {
    static git_merge_driver driver{};
    static std::once_flag once;
    static int code = 0;
    std::call_once(once, [] {
        driver.version = GIT_MERGE_DRIVER_VERSION;
        driver.apply = &apply_driver;
        code = git_merge_driver_register(kDriver, &driver);
    });
    return code == 0 ? Status() : Status(git_failure("preparing merges"));
}

/// Gives the merges of this thread a budget as long as it lives.
class BudgetScope {
  public:
    BudgetScope() { budget = &mine_; }

    ~BudgetScope() { budget = nullptr; }

    BudgetScope(const BudgetScope&) = delete;
    BudgetScope& operator=(const BudgetScope&) = delete;

  private:
    LineBudget mine_;
};

/// Before the backends of the repository, so that what is written goes there.
constexpr int kFirst = 1000;

Status write_to_memory(git_repository* repository) {
    git_odb* raw = nullptr;
    int code = git_repository_odb(&raw, repository);
    const ObjectDatabase objects(raw);
    git_odb_backend* memory = nullptr; // The database frees it.
    if (code == 0) {
        code = git_mempack_new(&memory);
    }
    if (code == 0) {
        code = git_odb_add_backend(raw, memory, kFirst);
    }
    return code == 0 ? Status() : Status(git_failure("merging in memory"));
}

Result<Commit> look_up(git_repository* repository, const std::string& id) {
    LOCARA_TRY(const git_oid oid, parse_oid(id));
    git_commit* raw = nullptr;
    const int code = git_commit_lookup(&raw, repository, &oid);
    if (code != 0) {
        return git_failure("commit " + id);
    }
    return Commit(raw);
}

Result<std::vector<std::string>> list_conflicts(git_index* index) {
    git_index_conflict_iterator* raw = nullptr;
    int code = git_index_conflict_iterator_new(&raw, index);
    const Conflicts iterator(raw);
    std::set<std::string> paths;
    const git_index_entry* ancestor = nullptr;
    const git_index_entry* ours = nullptr;
    const git_index_entry* theirs = nullptr;
    while (code == 0 && (code = git_index_conflict_next(&ancestor, &ours, &theirs, raw)) == 0) {
        for (const git_index_entry* const entry : {ancestor, ours, theirs}) {
            if (entry != nullptr) {
                paths.insert(entry->path);
            }
        }
    }
    if (code != GIT_ITEROVER) {
        return git_failure("listing conflicts");
    }
    return std::vector<std::string>(paths.begin(), paths.end());
}

} // namespace

Result<MergedTree> merge_commits(const std::filesystem::path& path,
                                 const std::string& ours,
                                 const std::string& theirs,
                                 Keep keep) {
    LOCARA_TRY(const Repository repository, open_repository(path));
    if (keep == Keep::No) {
        LOCARA_CHECK(write_to_memory(repository.get()));
    }
    LOCARA_TRY(const Commit our_commit, look_up(repository.get(), ours));
    LOCARA_TRY(const Commit their_commit, look_up(repository.get(), theirs));
    git_merge_options options{};
    git_merge_options_init(&options, GIT_MERGE_OPTIONS_VERSION);
    options.flags = 0; // To look for renames compares every file with every other.
    options.default_driver = kDriver;
    options.recursion_limit = kCrossings;
    LOCARA_CHECK(register_driver());
    const BudgetScope scope;
    git_index* raw = nullptr;
    int code =
        git_merge_commits(&raw, repository.get(), our_commit.get(), their_commit.get(), &options);
    const Index index(raw);
    if (code != 0) {
        return git_failure("merging " + theirs + " into " + ours);
    }
    MergedTree merged;
    if (git_index_has_conflicts(raw) != 0) {
        LOCARA_TRY(merged.conflicts, list_conflicts(raw));
        return merged;
    }
    merged.conflicts = find_mixed_names(raw, kMixedPairs).paths;
    if (!merged.conflicts.empty()) {
        return merged;
    }
    git_oid tree{};
    code = git_index_write_tree_to(&tree, raw, repository.get());
    if (code != 0) {
        return git_failure("writing the tree of a merge");
    }
    merged.tree = render_oid(&tree);
    return merged;
}

Result<std::optional<std::string>> find_merge_base(const std::filesystem::path& path,
                                                   const std::string& one,
                                                   const std::string& other) {
    LOCARA_TRY(const Repository repository, open_repository(path));
    LOCARA_TRY(const git_oid a, parse_oid(one));
    LOCARA_TRY(const git_oid b, parse_oid(other));
    git_oid base{};
    const int code = git_merge_base(&base, repository.get(), &a, &b);
    if (code == GIT_ENOTFOUND) {
        return std::optional<std::string>();
    }
    if (code != 0) {
        return git_failure("looking where " + one + " and " + other + " part");
    }
    return std::optional(render_oid(&base));
}

} // namespace locara::hub
