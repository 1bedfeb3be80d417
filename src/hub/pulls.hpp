// Pull requests: a ref of git (refs/pr/N) and a discussion (discussions.hpp). The ref is made
// before the row that names it, and a merge moves the branch before it is noted, so whoever reads
// finds what he is told of.
#pragma once

#include "access.hpp"
#include "discussions.hpp"

#include <locara/hub/git_repo.hpp>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace locara::hub {

/// Whether the caller may change what a pull request proposes, its title and its status: who opened
/// it, and who may write to the repository.
bool may_change(const Caller& caller, const Repo& repo, const Discussion& discussion);

/// The ref that a revision is for who wants to change it, if the caller may: a branch as in
/// branch_ref, or "refs/pr/N" of a pull request that is under way. The branch is not looked up.
Answer<std::string> require_target(const Services& services,
                                   const Caller& caller,
                                   const Repo& repo,
                                   const std::string& revision);

/// The branch that a pull request is to be opened for, if the caller may and it is there.
Answer<std::string> require_base(const Services& services,
                                 const Caller& caller,
                                 const Repo& repo,
                                 const std::string& revision);

/// What a pull request begins with.
struct NewPull {
    std::string base;   ///< "refs/heads/main"
    std::string commit; ///< What it proposes.
    std::string title;
    std::string text; ///< Its first comment.
    DiscussionStatus status = DiscussionStatus::Open;
};

Answer<Discussion>
open_pull(const Services& services, const Repo& repo, const NewPull& pull, const Deed& by);

/// A title as it is kept, without spaces around it: 400 when it has no letters, too many, or lines.
Answer<std::string> check_title(const std::string& title);

/// What a pull request comes down to, as things stand.
struct PullState {
    std::string from;                   ///< The commit where its branch and it part; may be empty.
    std::string head;                   ///< What it proposes.
    std::vector<std::string> conflicts; ///< Paths, up to 1000; of one that is under way.
    /// Its own, the oldest first: the newest 250. Without their messages.
    std::vector<GitCommit> commits;
};

/// What looks came to, so that they are not merged anew each time: what two commits make together
/// stays as it is. Up to 16 MiB are kept. Threads: any.
class PullLooks {
  public:
    std::optional<PullState> find(const std::string& key) const;
    void put(const std::string& key, const PullState& state);

  private:
    mutable std::mutex mutex_;
    std::map<std::string, PullState> states_; // under mutex_
    std::size_t bytes_ = 0;                   // under mutex_
};

/// Looks only, and keeps what it saw. A pull request whose ref is gone has an empty head.
Result<PullState>
look_at_pull(const Services& services, PullLooks& looks, const Repo& repo, const Discussion& pull);

/// Brings what a pull request proposes into its branch, by a commit of both, and notes that. The
/// branch moves from where it was merged with, or not at all. 409 when it is a draft, closed or
/// merged, when files conflict, when there is nothing to bring, and when the branch is gone; 412
/// when others keep moving it.
Answer<DiscussionEvent> merge_pull(const Services& services,
                                   const Repo& repo,
                                   const Discussion& pull,
                                   const Identity& who,
                                   const std::string& comment);

} // namespace locara::hub
