// Discussions of a repository, and those with a change to talk about: pull requests. Both are
// counted by one row of numbers. What a pull request proposes is git's: the commit that its ref
// names; here is only what people said and decided.
//
// No HTTP in here. Threads, processes, and errors besides those named: as Database.
#pragma once

#include "names.hpp"

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// Of one repository; numbers are not given out twice.
inline constexpr std::int64_t kDiscussionLimit = 100'000;
/// Of one discussion: comments, and changes of its title and status.
inline constexpr std::size_t kDiscussionEvents = 10'000;
/// What a comment said before, each time it was changed.
inline constexpr std::size_t kCommentVersions = 100;
/// Characters of one discussion: what its comments say and said, and its titles.
inline constexpr std::int64_t kDiscussionText = 2'000'000;
inline constexpr std::size_t kDiscussionTitleLimit = 250; ///< Bytes.
inline constexpr std::size_t kCommentLimit = 64U << 10U;  ///< Bytes.

/// A draft is a pull request that is not to be merged yet. The order is that of the database.
enum class DiscussionStatus { Open, Draft, Closed, Merged };

/// "open", "draft", "closed", "merged".
std::string_view render(DiscussionStatus status);

/// Who did something; the name is empty when the account is gone.
struct Author {
    std::int64_t key = 0; ///< Account::key
    std::string id;       ///< 24 hex digits.
    std::string name;
    std::string full_name;
};

struct Discussion {
    enum class Kind { Talk, PullRequest };

    std::int64_t key = 0;    ///< In this database only.
    std::int64_t repo = 0;   ///< Repo::key
    std::int64_t number = 0; ///< 1, 2, 3, ... in its repository.
    Kind kind = Kind::Talk;
    DiscussionStatus status = DiscussionStatus::Open;
    std::string title; ///< 1 to kDiscussionTitleLimit bytes.
    Author author;
    TimePoint created;
    std::string base;   ///< Of a pull request: the branch it is for, "refs/heads/main".
    std::string merged; ///< The commit that brought it in, 40 hex digits; empty until then.

    /// Whether it can still be changed and merged.
    bool is_under_way() const {
        return status == DiscussionStatus::Open || status == DiscussionStatus::Draft;
    }
};

/// A number as it stands in addresses; nothing for another text ("0", "01").
std::optional<std::int64_t> parse_discussion_number(std::string_view text);

/// The ref of a pull request, "refs/pr/12", and back: nothing for another text.
std::string pull_ref(std::int64_t number);
std::optional<std::int64_t> parse_pull_ref(std::string_view ref);

/// What a comment said before.
struct CommentVersion {
    std::string text;
    TimePoint written;
};

struct DiscussionEvent {
    enum class Type { Comment, StatusChange, TitleChange };

    std::int64_t key = 0;
    std::string id; ///< 24 hex digits.
    Type type = Type::Comment;
    Author author;
    TimePoint made;
    std::string text;   ///< The comment, the new status, the new title.
    std::string before; ///< The title that was.
    /// Of a comment that was changed: when; only who wrote it changes it.
    std::optional<TimePoint> edited;
    bool hidden = false;                 ///< What it said is gone.
    std::vector<CommentVersion> history; ///< The oldest first.
};

/// Which ones a list shows.
struct DiscussionFilter {
    enum class Status { All, Open, Closed }; ///< Drafts are open, merged ones are closed.

    std::optional<Discussion::Kind> kind;
    Status status = Status::All;
    std::optional<std::int64_t> author; ///< Account::key
};

/// Some of a list, the newest first.
struct DiscussionPage {
    std::vector<Discussion> discussions;
    std::size_t total = 0; ///< Of the whole list.
};

/// Who does something, and when.
struct Deed {
    std::int64_t account = 0; ///< Account::key
    TimePoint time;
};

class Discussions {
  public:
    explicit Discussions(std::shared_ptr<Database> database) : database_(std::move(database)) {}

    /// Gives out the repository's next number, for a pull request whose ref is made before it is
    /// added; it is lost if that fails. TooLarge above kDiscussionLimit, NotFound without the
    /// repository.
    Result<std::int64_t> reserve(std::int64_t repo);

    /// Adds one without key, with the number reserved, or none for the next one; `text` is its
    /// first comment. Its author and time are the deed's. As reserve; Conflict when the number is
    /// taken.
    Result<Discussion> add(const Discussion& discussion, const std::string& text, const Deed& by);

    Result<std::optional<Discussion>> find(std::int64_t repo, std::int64_t number) const;

    /// Those after the first `skip`, at most `limit`.
    Result<DiscussionPage> list(std::int64_t repo,
                                const DiscussionFilter& filter,
                                std::size_t skip,
                                std::size_t limit) const;

    /// Whether the account has a pull request here that it can still change.
    Result<bool> has_pull_under_way(std::int64_t repo, std::int64_t account) const;

    /// In their order.
    Result<std::vector<DiscussionEvent>> events(const Discussion& discussion) const;

    /// Nothing if the discussion has no comment of this id.
    Result<std::optional<DiscussionEvent>> find_comment(const Discussion& discussion,
                                                        const std::string& id) const;

    /// TooLarge when there are kDiscussionEvents, or when there would be more text than
    /// kDiscussionText; likewise for all below, but that a status may always be changed.
    Result<DiscussionEvent>
    comment(const Discussion& discussion, const std::string& text, const Deed& by);

    Result<DiscussionEvent>
    rename(const Discussion& discussion, const std::string& title, const Deed& by);

    /// Gives it another status, with a comment first unless `comment` is empty. `merged` is the
    /// commit that goes with DiscussionStatus::Merged. Conflict when it is not in the status
    /// that `discussion` says any more.
    Result<DiscussionEvent> set_status(const Discussion& discussion,
                                       DiscussionStatus status,
                                       const std::string& merged,
                                       const std::string& comment,
                                       const Deed& by);

    /// TooLarge where set_status would say so to this comment.
    Status check_set_status(const Discussion& discussion, const std::string& comment) const;

    /// Changes a comment; what it said is kept in its history. NotFound, Conflict when it is
    /// hidden, TooLarge after kCommentVersions changes.
    Result<DiscussionEvent> edit_comment(const Discussion& discussion,
                                         const std::string& id,
                                         const std::string& text,
                                         TimePoint now);

    /// What a comment says and said is gone. NotFound.
    Result<DiscussionEvent> hide_comment(const Discussion& discussion, const std::string& id);

  private:
    std::shared_ptr<Database> database_;
};

} // namespace locara::hub
