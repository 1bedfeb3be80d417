#include "pulls.hpp"

#include "git_merge.hpp"
#include "object_rules.hpp"
#include "place.hpp"
#include "ref_turn.hpp"

#include <locara/base/line.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

/// How often a merge starts over when a push was quicker.
constexpr int kAttempts = 4;
constexpr std::size_t kShownCommits = 250;
constexpr std::size_t kNamedConflicts = 10;
constexpr std::size_t kShownTitle = 1000; // bytes; git does not bound one, nor a name
constexpr std::size_t kShownConflicts = 1000;
constexpr std::size_t kKeptLooks = std::size_t{16} << 20U; // bytes
/// How far back a merge is looked for that was made and not noted.
constexpr std::size_t kMergesBack = 1000;

Refusal conflict(std::string message) {
    return {409, "", std::move(message)};
}

std::string name_of(const Discussion& pull) {
    return "pull request " + std::to_string(pull.number);
}

/// The pull request that a ref belongs to.
Result<std::optional<Discussion>>
find_pull(const Services& services, const Repo& repo, std::int64_t number) {
    LOCARA_TRY(auto found, services.discussions.find(repo.key, number));
    return found && found->kind == Discussion::Kind::PullRequest ? std::move(found) : std::nullopt;
}

Refusal refuse_conflicts(const Discussion& pull, const std::vector<std::string>& paths) {
    std::string names;
    for (std::size_t i = 0; i < std::min(paths.size(), kNamedConflicts); ++i) {
        names += (i == 0 ? "" : ", ") + paths[i];
    }
    if (paths.size() > kNamedConflicts) {
        names += " and " + std::to_string(paths.size() - kNamedConflicts) + " more";
    }
    return conflict(name_of(pull) + " conflicts with " + pull.base + " in " + names +
                    "; change it so that it does not, by a push or a commit to " +
                    pull_ref(pull.number));
}

/// The commit that brought `head` into the history of `base`, along first parents.
Result<std::optional<std::string>>
find_merge_of(const GitRepo& git, const std::string& base, const std::string& head) {
    std::string at = base;
    for (std::size_t i = 0; i < kMergesBack; ++i) {
        LOCARA_TRY(const GitCommit commit, git.commit(at));
        if (commit.parents.size() == 2 && commit.parents[1] == head) {
            return std::optional(at);
        }
        if (commit.parents.empty()) {
            break;
        }
        at = commit.parents.front();
    }
    return std::optional<std::string>();
}

/// What a state takes of memory, about.
std::size_t size_of(const PullState& state) {
    std::size_t bytes = sizeof state;
    for (const std::string& path : state.conflicts) {
        bytes += sizeof path + path.size();
    }
    for (const GitCommit& commit : state.commits) {
        bytes += sizeof commit + commit.title.size() + commit.author.size() + 200; // Ids.
    }
    return bytes;
}

/// One try at a merge: the branch's new commit; nothing if the branch was moved meanwhile.
class Merge {
  public:
    Merge(const Services& services, const Repo& repo, const Discussion& pull, const Identity& who)
        : services_(services), repo_(repo), pull_(pull), who_(who),
          folder_(services.folder_of(repo)) {}

    Answer<std::optional<std::string>> attempt() const {
        LOCARA_TRY(GitRepo git, GitRepo::open(folder_));
        LOCARA_TRY(const auto base, git.find_ref(pull_.base));
        LOCARA_TRY(const auto head, git.find_ref(pull_ref(pull_.number)));
        if (!base || !head) {
            return conflict((base ? pull_ref(pull_.number) : pull_.base) + " is gone");
        }
        LOCARA_TRY(const auto parted, find_merge_base(folder_, base->commit, head->commit));
        if (parted == head->commit) {
            LOCARA_TRY(auto merged, find_merge_of(git, base->commit, head->commit));
            if (!merged) {
                return conflict(name_of(pull_) + " has nothing that " + pull_.base + " has not");
            }
            return merged; // By somebody who was cut off before it was noted.
        }
        LOCARA_TRY(const MergedTree merged,
                   merge_commits(folder_, base->commit, head->commit, Keep::Yes));
        if (!merged.conflicts.empty()) {
            return refuse_conflicts(pull_, merged.conflicts);
        }
        GitSigned by;
        by.message = pull_.title + " (#" + std::to_string(pull_.number) + ")\n";
        by.author_name = who_.account.name;
        by.author_email = author_email(who_.account);
        by.date = services_.clock.now();
        LOCARA_TRY(const std::string commit,
                   git.write_commit(merged.tree, {base->commit, head->commit}, by));
        ObjectRules rules = object_rules(services_, repo_);
        LOCARA_TRY(rules.judged, blobs_of(git, {base->commit, head->commit}));
        LOCARA_CHECK(check_pushed_objects(folder_, {}, {{pull_.base, commit}}, rules));
        const Status moved =
            git.move_refs({{pull_.base, base->object, commit}}, [] { return Status(); });
        if (!moved && moved.error().code() == ErrorCode::Conflict) {
            return std::optional<std::string>();
        }
        LOCARA_CHECK(moved);
        return std::optional(commit);
    }

  private:
    const Services& services_;
    const Repo& repo_;
    const Discussion& pull_;
    const Identity& who_;
    const std::filesystem::path folder_;
};

} // namespace

bool may_change(const Caller& caller, const Repo& repo, const Discussion& discussion) {
    return may(caller, repo, Action::Write) || (may(caller, repo, Action::Propose) && caller &&
                                                discussion.author.key == caller->account.key);
}

Answer<std::string> require_target(const Services& services,
                                   const Caller& caller,
                                   const Repo& repo,
                                   const std::string& revision) {
    const auto number = parse_pull_ref(revision);
    if (!number) {
        LOCARA_CHECK(require(caller, repo, Action::Write));
        return branch_ref(revision);
    }
    LOCARA_CHECK(require(caller, repo, Action::Propose));
    LOCARA_TRY(const auto pull, find_pull(services, repo, *number));
    if (!pull) {
        return no_such_revision(revision);
    }
    if (!may_change(caller, repo, *pull)) {
        return Refusal(403,
                       "",
                       "only who opened " + name_of(*pull) + ", and who may write to " +
                           repo.id.render() + ", may change it");
    }
    if (!pull->is_under_way()) {
        return conflict(name_of(*pull) + " is " + std::string(render(pull->status)) +
                        (pull->status == DiscussionStatus::Merged ? "; open another one"
                                                                  : "; open it again first"));
    }
    return pull_ref(*number);
}

Answer<std::string> require_base(const Services& services,
                                 const Caller& caller,
                                 const Repo& repo,
                                 const std::string& revision) {
    LOCARA_CHECK(require(caller, repo, Action::Propose));
    const std::string ref = branch_ref(revision);
    LOCARA_TRY(const GitRepo git, GitRepo::open(services.folder_of(repo)));
    LOCARA_TRY(const auto found, git.find_ref(ref));
    if (!found) {
        return no_such_revision(revision);
    }
    return ref;
}

Answer<Discussion>
open_pull(const Services& services, const Repo& repo, const NewPull& pull, const Deed& by) {
    Discussion made;
    made.repo = repo.key;
    made.kind = Discussion::Kind::PullRequest;
    made.status = pull.status;
    made.base = pull.base;
    LOCARA_TRY(made.title, check_title(pull.title));
    LOCARA_TRY(made.number, services.discussions.reserve(repo.key));
    LOCARA_TRY(GitRepo git, GitRepo::open(services.folder_of(repo)));
    LOCARA_CHECK(git.move_refs({{pull_ref(made.number), std::nullopt, pull.commit}},
                               [] { return Status(); }));
    LOCARA_TRY(Discussion added, services.discussions.add(made, pull.text, by));
    services.log.info("hub",
                      "pull_request_opened",
                      {{"repo", repo.id.render()},
                       {"number", std::to_string(added.number)},
                       {"by", added.author.name}});
    return added;
}

Answer<std::string> check_title(const std::string& title) {
    const std::size_t begin = std::min(title.find_first_not_of(" \t\r\n"), title.size());
    const std::size_t end = title.find_last_not_of(" \t\r\n") + 1;
    std::string kept = title.substr(begin, std::max(begin, end) - begin);
    const bool lines = std::any_of(
        kept.begin(), kept.end(), [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; });
    if (kept.empty() || kept.size() > kDiscussionTitleLimit || lines) {
        return bad_request("a title is one line of 1 to " + std::to_string(kDiscussionTitleLimit) +
                           " bytes");
    }
    return kept;
}

std::optional<PullState> PullLooks::find(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = states_.find(key);
    return found == states_.end() ? std::nullopt : std::optional(found->second);
}

void PullLooks::put(const std::string& key, const PullState& state) {
    const std::size_t bytes = key.size() + size_of(state);
    const std::lock_guard lock(mutex_);
    if (bytes > kKeptLooks || states_.contains(key)) {
        return;
    }
    if (bytes_ + bytes > kKeptLooks) {
        states_.clear(); // Those that are still asked for come back.
        bytes_ = 0;
    }
    states_.emplace(key, state);
    bytes_ += bytes;
}

Result<PullState>
look_at_pull(const Services& services, PullLooks& looks, const Repo& repo, const Discussion& pull) {
    const std::filesystem::path folder = services.folder_of(repo);
    LOCARA_TRY(const GitRepo git, GitRepo::open(folder));
    PullState state;
    LOCARA_TRY(const auto head, git.find_ref(pull_ref(pull.number)));
    if (!head) {
        return state;
    }
    state.head = head->commit;
    std::string base; // What it is, or was, brought into.
    if (!pull.merged.empty()) {
        LOCARA_TRY(const GitCommit merge, git.commit(pull.merged));
        base = merge.parents.empty() ? "" : merge.parents.front();
    } else {
        LOCARA_TRY(const auto branch, git.find_ref(pull.base));
        base = branch ? branch->commit : "";
    }
    if (base.empty()) {
        return state;
    }
    const std::string key = base + state.head + (pull.is_under_way() ? "?" : "");
    if (auto kept = looks.find(key)) {
        return std::move(*kept);
    }
    LOCARA_TRY(const auto parted, find_merge_base(folder, base, state.head));
    state.from = parted.value_or(base);
    if (state.from == state.head) {
        return state;
    }
    LOCARA_TRY(GitHistory history, git.history(state.head, 0, kShownCommits, base));
    for (GitCommit& commit : history.commits) {
        commit.message.clear();
        commit.title = cut_line(std::move(commit.title), kShownTitle);
        commit.author = cut_line(std::move(commit.author), kShownTitle);
    }
    state.commits.assign(std::make_move_iterator(history.commits.rbegin()),
                         std::make_move_iterator(history.commits.rend()));
    if (pull.is_under_way()) {
        LOCARA_TRY(MergedTree merged, merge_commits(folder, base, state.head, Keep::No));
        merged.conflicts.resize(std::min(merged.conflicts.size(), kShownConflicts));
        state.conflicts = std::move(merged.conflicts);
    }
    looks.put(key, state);
    return state;
}

Answer<DiscussionEvent> merge_pull(const Services& services,
                                   const Repo& repo,
                                   const Discussion& pull,
                                   const Identity& who,
                                   const std::string& comment) {
    if (pull.status == DiscussionStatus::Draft) {
        return conflict(name_of(pull) + " is a draft; give it the status open first");
    }
    if (pull.status != DiscussionStatus::Open) {
        return conflict(name_of(pull) + " is " + std::string(render(pull.status)));
    }
    // While nothing has moved yet.
    LOCARA_CHECK(services.discussions.check_set_status(pull, comment));
    LOCARA_TRY(const FileLock turn, wait_for_turn(services.folder_of(repo), pull.base));
    const Merge merge(services, repo, pull, who);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        LOCARA_TRY(const auto commit, merge.attempt());
        if (!commit) {
            continue;
        }
        LOCARA_TRY(DiscussionEvent merged,
                   services.discussions.set_status(pull,
                                                   DiscussionStatus::Merged,
                                                   *commit,
                                                   comment,
                                                   {who.account.key, services.clock.now()}));
        services.log.info("hub",
                          "pull_request_merged",
                          {{"repo", repo.id.render()},
                           {"number", std::to_string(pull.number)},
                           {"by", who.account.name}});
        return merged;
    }
    return Refusal(412, "", pull.base + " is being moved by others; try again");
}

} // namespace locara::hub
