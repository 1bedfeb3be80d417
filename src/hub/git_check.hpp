// Whether the histories of a git repository are whole.
#pragma once

#include "git_pointers.hpp"

#include <filesystem>
#include <functional>
#include <stop_token>
#include <unordered_set>

namespace locara::hub {

/// Reads what refs lead to: each commit, folder and file once, whose bytes have the hash that they
/// are named by. Keeps their ids in memory, about 60 bytes each, and one file.
///
/// Threads: one. Blocks for as long as the disk takes.
class GitCheck {
  public:
    /// Whether the repository has the large file of a pointer.
    using HasFile = std::function<Result<bool>(const LfsPointer& pointer)>;

    /// Io, also if there is no repository.
    static Result<GitCheck> open(const std::filesystem::path& repository, HasFile has_file);

    /// The first thing wrong with what `target`, a commit or a tag, leads to, and nothing that was
    /// checked before; its message says in which commit and at which path. Cancelled.
    Status check(const git_oid& target, const std::stop_token& stop);

  private:
    /// What is to be read, and how one came to it.
    struct Step {
        git_oid id{};
        git_object_t kind = GIT_OBJECT_ANY;
        git_oid commit{};
        std::string path;
    };

    GitCheck(Repository repository, HasFile has_file);
    Status read(const Step& step);
    void add(Step step);

    Repository repository_;
    HasFile has_file_;
    std::unordered_set<git_oid, HashOid, SameOid> seen_;
    std::vector<Step> waiting_;
};

} // namespace locara::hub
