#include "discussions.hpp"

#include "database.hpp"
#include "names_rows.hpp"

#include <locara/base/secret.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

constexpr std::size_t kIdBytes = 12;
/// What each text of a discussion counts for beside its own length: who wrote it, and when.
constexpr int kTextBeside = 100;
constexpr std::string_view kPulls = "refs/pr/";

constexpr std::array kStatuses = {DiscussionStatus::Open,
                                  DiscussionStatus::Draft,
                                  DiscussionStatus::Closed,
                                  DiscussionStatus::Merged};

constexpr std::array kTypes = {DiscussionEvent::Type::Comment,
                               DiscussionEvent::Type::StatusChange,
                               DiscussionEvent::Type::TitleChange};

/// The author of a row, from a LEFT JOIN with accounts.
struct AuthorRow {
    long long key = 0;
    std::string id, name, full_name;

    Author take() const { return {key, id, name, full_name}; }
};

constexpr const char* kAuthor = "COALESCE(a.key, 0), COALESCE(a.id, ''), COALESCE(a.name, ''),"
                                " COALESCE(a.full_name, '')";

struct Row {
    long long key = 0, repo = 0, created = 0;
    int number = 0, pull = 0, status = 0;
    std::string title, base, merged;
    AuthorRow author;

    Result<Discussion> take() const {
        if (status < 0 || static_cast<std::size_t>(status) >= kStatuses.size()) {
            return Error(ErrorCode::Corrupt, "a discussion in the database has a wrong status");
        }
        Discussion discussion;
        discussion.key = key;
        discussion.repo = repo;
        discussion.number = number;
        discussion.kind = pull != 0 ? Discussion::Kind::PullRequest : Discussion::Kind::Talk;
        discussion.status = kStatuses[static_cast<std::size_t>(status)];
        discussion.title = title;
        discussion.author = author.take();
        discussion.created = time_of(created);
        discussion.base = base;
        discussion.merged = merged;
        return discussion;
    }
};

constexpr const char* kColumns =
    "d.key, d.repo, d.number, d.pull, d.status, d.title, d.created, d.base, d.merged, ";
constexpr const char* kFrom = " FROM discussions d LEFT JOIN accounts a ON a.key = d.author ";

soci::details::prepare_temp_type into_row(soci::details::prepare_temp_type statement, Row& row) {
    return (std::move(statement),
            into(row.key),
            into(row.repo),
            into(row.number),
            into(row.pull),
            into(row.status),
            into(row.title),
            into(row.created),
            into(row.base),
            into(row.merged),
            into(row.author.key),
            into(row.author.id),
            into(row.author.name),
            into(row.author.full_name));
}

struct EventRow {
    long long key = 0, made = 0, edited = 0;
    int type = 0, hidden = 0;
    std::string id, text, before;
    soci::indicator has_edited = soci::i_ok;
    AuthorRow author;

    Result<DiscussionEvent> take() const {
        if (type < 0 || static_cast<std::size_t>(type) >= kTypes.size()) {
            return Error(ErrorCode::Corrupt, "an event in the database has a wrong type");
        }
        DiscussionEvent event;
        event.key = key;
        event.id = id;
        event.type = kTypes[static_cast<std::size_t>(type)];
        event.author = author.take();
        event.made = time_of(made);
        event.text = text;
        event.before = before;
        if (has_edited == soci::i_ok) {
            event.edited = time_of(edited);
        }
        event.hidden = hidden != 0;
        return event;
    }
};

constexpr const char* kEventColumns =
    "e.key, e.id, e.type, e.made, e.body, e.was, e.edited, e.hidden, ";
constexpr const char* kEventFrom =
    " FROM discussion_events e LEFT JOIN accounts a ON a.key = e.author ";

soci::details::prepare_temp_type into_row(soci::details::prepare_temp_type statement,
                                          EventRow& row) {
    return (std::move(statement),
            into(row.key),
            into(row.id),
            into(row.type),
            into(row.made),
            into(row.text),
            into(row.before),
            into(row.edited, row.has_edited),
            into(row.hidden),
            into(row.author.key),
            into(row.author.id),
            into(row.author.name),
            into(row.author.full_name));
}

/// What comments said before; of one event, or of all of a discussion, in the order of their keys.
void read_history(soci::session& sql, std::vector<DiscussionEvent>& events, long long discussion) {
    long long key = 0;
    long long written = 0;
    CommentVersion version;
    soci::statement statement =
        (sql.prepare << "SELECT v.event, v.body, v.written FROM comment_versions v"
                        " JOIN discussion_events e ON e.key = v.event"
                        " WHERE e.discussion = :d ORDER BY v.event, v.position",
         use(discussion),
         into(key),
         into(version.text),
         into(written));
    statement.execute();
    while (statement.fetch()) {
        version.written = time_of(written);
        const auto event = std::lower_bound(
            events.begin(), events.end(), key, [](const DiscussionEvent& one, long long wanted) {
                return one.key < wanted;
            });
        if (event != events.end() && event->key == key) {
            event->history.push_back(version);
        }
    }
}

Result<std::vector<DiscussionEvent>> read_events(soci::session& sql, long long discussion) {
    EventRow row;
    soci::statement statement =
        into_row((sql.prepare << "SELECT " << kEventColumns << kAuthor << kEventFrom
                              << "WHERE e.discussion = :d ORDER BY e.key",
                  use(discussion)),
                 row);
    statement.execute();
    std::vector<DiscussionEvent> events;
    while (statement.fetch()) {
        LOCARA_TRY(DiscussionEvent event, row.take());
        events.push_back(std::move(event));
    }
    return events;
}

Result<std::optional<DiscussionEvent>>
read_event(soci::session& sql, long long discussion, const std::string& id) {
    EventRow row;
    soci::statement statement =
        into_row((sql.prepare << "SELECT " << kEventColumns << kAuthor << kEventFrom
                              << "WHERE e.discussion = :d AND e.id = :i",
                  use(discussion),
                  use(id)),
                 row);
    if (!statement.execute(true)) {
        return std::optional<DiscussionEvent>();
    }
    std::vector<DiscussionEvent> one;
    LOCARA_TRY(one.emplace_back(), row.take());
    read_history(sql, one, discussion);
    return std::optional(std::move(one.front()));
}

/// The comment of this id; NotFound for none.
Result<DiscussionEvent>
get_comment(soci::session& sql, long long discussion, const std::string& id) {
    LOCARA_TRY(auto found, read_event(sql, discussion, id));
    if (!found || found->type != DiscussionEvent::Type::Comment) {
        return Error(ErrorCode::NotFound, "the discussion has no comment " + id);
    }
    return std::move(*found);
}

/// Whether a discussion has room for a text. In characters, as databases count; a character of the
/// new one may count as up to four.
Status check_room(soci::session& sql, long long discussion, const std::string& text) {
    long long events = 0;
    long long versions = 0;
    sql << "SELECT COALESCE(SUM(LENGTH(body) + LENGTH(was) + :t), 0) FROM discussion_events"
           " WHERE discussion = :d",
        use(kTextBeside), use(discussion), into(events);
    sql << "SELECT COALESCE(SUM(LENGTH(v.body) + :t), 0) FROM comment_versions v"
           " JOIN discussion_events e ON e.key = v.event WHERE e.discussion = :d",
        use(kTextBeside), use(discussion), into(versions);
    const auto more = static_cast<long long>(text.size()) + kTextBeside;
    if (events + versions + more > kDiscussionText) {
        return Error(ErrorCode::TooLarge,
                     "a discussion has at most " + std::to_string(kDiscussionText) +
                         " characters, with what its comments said before; open another one");
    }
    return {};
}

/// Whether a discussion may get another event, with this text.
Status check_event(soci::session& sql,
                   long long discussion,
                   DiscussionEvent::Type type,
                   const std::string& text) {
    int count = 0;
    sql << "SELECT COUNT(*) FROM discussion_events WHERE discussion = :d", use(discussion),
        into(count);
    if (static_cast<std::size_t>(count) >= kDiscussionEvents) {
        return Error(ErrorCode::TooLarge,
                     "a discussion has at most " + std::to_string(kDiscussionEvents) +
                         " comments and changes; open another one");
    }
    return type == DiscussionEvent::Type::StatusChange ? Status()
                                                       : check_room(sql, discussion, text);
}

/// An event as it is read back.
Result<DiscussionEvent> add_event(soci::session& sql,
                                  long long discussion,
                                  DiscussionEvent::Type type,
                                  const std::string& text,
                                  const std::string& before,
                                  const Deed& by) {
    LOCARA_CHECK(check_event(sql, discussion, type, text));
    const std::string id = random_hex(kIdBytes);
    const int kind = static_cast<int>(type);
    const long long author = by.account;
    const long long made = seconds(by.time);
    sql << "INSERT INTO discussion_events (id, discussion, type, author, made, body, was, hidden)"
           " VALUES (:i, :d, :t, :a, :m, :b, :w, 0)",
        use(id), use(discussion), use(kind), use(author), use(made), use(text), use(before);
    LOCARA_TRY(auto made_event, read_event(sql, discussion, id));
    LOCARA_ASSERT(made_event.has_value()); // Within one transaction.
    return std::move(*made_event);
}

Result<std::int64_t> next_number(soci::session& sql, long long repo) {
    int last = 0;
    sql << "SELECT discussions FROM repos WHERE key = :r", use(repo), into(last);
    if (!sql.got_data()) {
        return Error(ErrorCode::NotFound, "the repository is gone");
    }
    if (last >= kDiscussionLimit) {
        return Error(ErrorCode::TooLarge,
                     "a repository has at most " + std::to_string(kDiscussionLimit) +
                         " discussions and pull requests");
    }
    ++last;
    sql << "UPDATE repos SET discussions = :n WHERE key = :r", use(last), use(repo);
    return std::int64_t{last};
}

Result<std::optional<Discussion>>
read_discussion(soci::session& sql, long long repo, std::int64_t number) {
    if (number < 1 || number > kDiscussionLimit) {
        return std::optional<Discussion>();
    }
    const int wanted = static_cast<int>(number);
    Row row;
    soci::statement statement = into_row((sql.prepare << "SELECT " << kColumns << kAuthor << kFrom
                                                      << "WHERE d.repo = :r AND d.number = :n",
                                          use(repo),
                                          use(wanted)),
                                         row);
    if (!statement.execute(true)) {
        return std::optional<Discussion>();
    }
    LOCARA_TRY(Discussion found, row.take());
    return std::optional(std::move(found));
}

/// A filter as bounds of columns, which every row is between or is not wanted.
struct Bounds {
    int pull_low = 0, pull_high = 1;
    int status_low = 0, status_high = static_cast<int>(DiscussionStatus::Merged);
    long long author_low = 0, author_high = std::numeric_limits<long long>::max();

    explicit Bounds(const DiscussionFilter& filter) {
        if (filter.kind) {
            pull_low = pull_high = *filter.kind == Discussion::Kind::PullRequest ? 1 : 0;
        }
        if (filter.status == DiscussionFilter::Status::Open) {
            status_high = static_cast<int>(DiscussionStatus::Draft);
        } else if (filter.status == DiscussionFilter::Status::Closed) {
            status_low = static_cast<int>(DiscussionStatus::Closed);
        }
        if (filter.author) {
            author_low = author_high = *filter.author;
        }
    }
};

constexpr const char* kBounds =
    "WHERE d.repo = :r AND d.pull >= :pl AND d.pull <= :ph AND d.status >= :sl"
    " AND d.status <= :sh AND COALESCE(d.author, 0) >= :al AND COALESCE(d.author, 0) <= :ah";

} // namespace

std::string_view render(DiscussionStatus status) {
    switch (status) {
    case DiscussionStatus::Open:
        return "open";
    case DiscussionStatus::Draft:
        return "draft";
    case DiscussionStatus::Closed:
        return "closed";
    case DiscussionStatus::Merged:
        return "merged";
    }
    return "open";
}

std::string pull_ref(std::int64_t number) {
    return std::string(kPulls) + std::to_string(number);
}

std::optional<std::int64_t> parse_discussion_number(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && number > 0 && std::to_string(number) == text
               ? std::optional(number)
               : std::nullopt;
}

std::optional<std::int64_t> parse_pull_ref(std::string_view ref) {
    return ref.substr(0, kPulls.size()) == kPulls
               ? parse_discussion_number(ref.substr(kPulls.size()))
               : std::nullopt;
}

Result<std::int64_t> Discussions::reserve(std::int64_t repo) {
    return database_->transact(
        [&](soci::session& sql) -> Result<std::int64_t> { return next_number(sql, repo); });
}

Result<Discussion>
Discussions::add(const Discussion& discussion, const std::string& text, const Deed& by) {
    return database_->transact([&](soci::session& sql) -> Result<Discussion> {
        const long long repo = discussion.repo;
        std::int64_t number = discussion.number;
        if (number == 0) {
            LOCARA_TRY(number, next_number(sql, repo));
        }
        const int shown = static_cast<int>(number);
        const int pull = discussion.kind == Discussion::Kind::PullRequest ? 1 : 0;
        const int status = static_cast<int>(discussion.status);
        const long long author = by.account;
        const long long created = seconds(by.time);
        sql << "INSERT INTO discussions"
               " (repo, number, pull, status, title, author, created, base, merged)"
               " VALUES (:r, :n, :p, :s, :t, :a, :c, :b, '')",
            use(repo), use(shown), use(pull), use(status), use(discussion.title), use(author),
            use(created), use(discussion.base);
        LOCARA_TRY(auto made, read_discussion(sql, repo, number));
        LOCARA_ASSERT(made.has_value()); // Within one transaction.
        LOCARA_CHECK(add_event(sql, made->key, DiscussionEvent::Type::Comment, text, "", by));
        return std::move(*made);
    });
}

Result<std::optional<Discussion>> Discussions::find(std::int64_t repo, std::int64_t number) const {
    return database_->with([&](soci::session& sql) { return read_discussion(sql, repo, number); });
}

Result<DiscussionPage> Discussions::list(std::int64_t repo,
                                         const DiscussionFilter& filter,
                                         std::size_t skip,
                                         std::size_t limit) const {
    return database_->transact([&](soci::session& sql) -> Result<DiscussionPage> {
        const long long of = repo;
        const Bounds in(filter);
        DiscussionPage page;
        long long total = 0;
        sql << "SELECT COUNT(*) FROM discussions d " << kBounds, use(of), use(in.pull_low),
            use(in.pull_high), use(in.status_low), use(in.status_high), use(in.author_low),
            use(in.author_high), into(total);
        page.total = static_cast<std::size_t>(total);
        const auto most = static_cast<long long>(limit);
        const auto after = static_cast<long long>(skip);
        Row row;
        soci::statement statement =
            into_row((sql.prepare << "SELECT " << kColumns << kAuthor << kFrom << kBounds
                                  << " ORDER BY d.number DESC LIMIT :n OFFSET :o",
                      use(of),
                      use(in.pull_low),
                      use(in.pull_high),
                      use(in.status_low),
                      use(in.status_high),
                      use(in.author_low),
                      use(in.author_high),
                      use(most),
                      use(after)),
                     row);
        statement.execute();
        while (statement.fetch()) {
            LOCARA_TRY(Discussion discussion, row.take());
            page.discussions.push_back(std::move(discussion));
        }
        return page;
    });
}

Result<bool> Discussions::has_pull_under_way(std::int64_t repo, std::int64_t account) const {
    DiscussionFilter filter;
    filter.kind = Discussion::Kind::PullRequest;
    filter.status = DiscussionFilter::Status::Open;
    filter.author = account;
    LOCARA_TRY(const DiscussionPage page, list(repo, filter, 0, 1));
    return page.total > 0;
}

Result<std::vector<DiscussionEvent>> Discussions::events(const Discussion& discussion) const {
    return database_->transact([&](soci::session& sql) -> Result<std::vector<DiscussionEvent>> {
        LOCARA_TRY(auto events, read_events(sql, discussion.key));
        read_history(sql, events, discussion.key);
        return events;
    });
}

Result<std::optional<DiscussionEvent>> Discussions::find_comment(const Discussion& discussion,
                                                                 const std::string& id) const {
    return database_->transact([&](soci::session& sql) -> Result<std::optional<DiscussionEvent>> {
        auto found = get_comment(sql, discussion.key, id);
        if (!found && found.error().code() == ErrorCode::NotFound) {
            return std::optional<DiscussionEvent>();
        }
        if (!found) {
            return std::move(found).error();
        }
        return std::optional(std::move(*found));
    });
}

Result<DiscussionEvent>
Discussions::comment(const Discussion& discussion, const std::string& text, const Deed& by) {
    return database_->transact([&](soci::session& sql) -> Result<DiscussionEvent> {
        return add_event(sql, discussion.key, DiscussionEvent::Type::Comment, text, "", by);
    });
}

Result<DiscussionEvent>
Discussions::rename(const Discussion& discussion, const std::string& title, const Deed& by) {
    return database_->transact([&](soci::session& sql) -> Result<DiscussionEvent> {
        LOCARA_TRY(const auto now, read_discussion(sql, discussion.repo, discussion.number));
        if (!now) {
            return Error(ErrorCode::NotFound, "the discussion is gone");
        }
        const long long key = discussion.key;
        sql << "UPDATE discussions SET title = :t WHERE key = :k", use(title), use(key);
        return add_event(sql, key, DiscussionEvent::Type::TitleChange, title, now->title, by);
    });
}

Status Discussions::check_set_status(const Discussion& discussion,
                                     const std::string& comment) const {
    return database_->transact([&](soci::session& sql) -> Status {
        const auto type =
            comment.empty() ? DiscussionEvent::Type::StatusChange : DiscussionEvent::Type::Comment;
        return check_event(sql, discussion.key, type, comment);
    });
}

Result<DiscussionEvent> Discussions::set_status(const Discussion& discussion,
                                                DiscussionStatus status,
                                                const std::string& merged,
                                                const std::string& comment,
                                                const Deed& by) {
    return database_->transact([&](soci::session& sql) -> Result<DiscussionEvent> {
        LOCARA_TRY(const auto now, read_discussion(sql, discussion.repo, discussion.number));
        if (!now || now->status != discussion.status) {
            return Error(ErrorCode::Conflict, "somebody else changed its status meanwhile");
        }
        const long long key = discussion.key;
        const int value = static_cast<int>(status);
        sql << "UPDATE discussions SET status = :s, merged = :m WHERE key = :k", use(value),
            use(merged), use(key);
        if (!comment.empty()) {
            LOCARA_CHECK(add_event(sql, key, DiscussionEvent::Type::Comment, comment, "", by));
        }
        return add_event(
            sql, key, DiscussionEvent::Type::StatusChange, std::string(render(status)), "", by);
    });
}

Result<DiscussionEvent> Discussions::edit_comment(const Discussion& discussion,
                                                  const std::string& id,
                                                  const std::string& text,
                                                  TimePoint now) {
    return database_->transact([&](soci::session& sql) -> Result<DiscussionEvent> {
        LOCARA_TRY(const DiscussionEvent was, get_comment(sql, discussion.key, id));
        if (was.hidden) {
            return Error(ErrorCode::Conflict, "this comment is hidden");
        }
        if (was.history.size() >= kCommentVersions) {
            return Error(ErrorCode::TooLarge,
                         "a comment is changed at most " + std::to_string(kCommentVersions) +
                             " times");
        }
        LOCARA_CHECK(check_room(sql, discussion.key, text));
        const long long key = was.key;
        const auto position = static_cast<int>(was.history.size());
        const long long written = seconds(was.edited.value_or(was.made));
        const long long edited = seconds(now);
        sql << "INSERT INTO comment_versions (event, position, body, written)"
               " VALUES (:e, :p, :b, :w)",
            use(key), use(position), use(was.text), use(written);
        sql << "UPDATE discussion_events SET body = :b, edited = :t WHERE key = :k", use(text),
            use(edited), use(key);
        return get_comment(sql, discussion.key, id);
    });
}

Result<DiscussionEvent> Discussions::hide_comment(const Discussion& discussion,
                                                  const std::string& id) {
    return database_->transact([&](soci::session& sql) -> Result<DiscussionEvent> {
        LOCARA_TRY(const DiscussionEvent was, get_comment(sql, discussion.key, id));
        const long long key = was.key;
        sql << "DELETE FROM comment_versions WHERE event = :e", use(key);
        sql << "UPDATE discussion_events SET body = '', hidden = 1 WHERE key = :k", use(key);
        return get_comment(sql, discussion.key, id);
    });
}

} // namespace locara::hub
