// Discussions and pull requests by the Hub's API: docs/hub.md, "Discussions and pull requests".
#include "audit_record.hpp"
#include "comment_html.hpp"
#include "given.hpp"
#include "new_repo.hpp"
#include "pulls.hpp"
#include "routes.hpp"

#include <algorithm>
#include <memory>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

/// As the Hub has it; clients count on by what they got.
constexpr std::size_t kPage = 50;
constexpr std::uint64_t kDiffLimit = 8U << 20U;
constexpr const char* kHiddenText = "This comment has been hidden";

/// A discussion, where it is, and who asks.
struct Place {
    Caller caller;
    Repo repo;
    Discussion discussion;
};

Refusal no_such_discussion(const std::string& number) {
    return {404, "DiscussionNotFound", "there is no discussion " + number + " here"};
}

Answer<Place>
find_place(const Services& services, const Request& request, RepoType type, Action action) {
    LOCARA_TRY(Caller caller, identify(services, request));
    LOCARA_TRY(Repo repo, find_repo(services, request, caller, type, action));
    const std::string& text = request.param("number");
    const auto number = parse_discussion_number(text);
    if (!number) {
        return no_such_discussion(text);
    }
    LOCARA_TRY(auto found, services.discussions.find(repo.key, *number));
    if (!found) {
        return no_such_discussion(text);
    }
    return Place{std::move(caller), std::move(repo), std::move(*found)};
}

/// The same for who may change the discussion itself.
Answer<Place> find_own(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(Place place, find_place(services, request, type, Action::Propose));
    if (!may_change(place.caller, place.repo, place.discussion)) {
        return Refusal(403,
                       "",
                       "only who opened discussion " + std::to_string(place.discussion.number) +
                           ", and who may write to " + place.repo.id.render() + ", may do that");
    }
    return place;
}

Deed deed(const Services& services, const Caller& caller) {
    return {caller->account.key, services.clock.now()};
}

/// The text of a comment in a body.
Answer<std::string> comment_of(const Json& body, const char* key) {
    std::string text = text_at(body, key).value_or("");
    if (text.find_first_not_of(" \t\r\n") == std::string::npos || text.size() > kCommentLimit) {
        return bad_request("send \"" + std::string(key) + "\": a text of 1 to " +
                           std::to_string(kCommentLimit) + " bytes");
    }
    return text;
}

/// The comment that may go with another change; empty for none. Python sends no body without one.
Answer<std::string> comment_beside(const Json& body) {
    if (!body.contains("comment") || body["comment"].is_null()) {
        return std::string();
    }
    return comment_of(body, "comment");
}

Answer<Json> parse_optional(const Request& request) {
    if (request.body.empty() || request.body == "null") {
        return Json::object();
    }
    return parse_object(request);
}

// --------------------------------------------------------------------------------------- as JSON

/// Sets "author"; leaves it out when the account is gone, which clients read as "deleted".
void add_author(Json& json, const Author& author) {
    if (author.key != 0) {
        json["author"] = {{"_id", author.id},
                          {"name", author.name},
                          {"fullname", author.full_name},
                          {"avatarUrl", kAvatar},
                          {"type", "user"},
                          {"isPro", false}};
    }
}

Json render(const Repo& repo, const Discussion& discussion) {
    Json json = {{"num", discussion.number},
                 {"title", discussion.title},
                 {"status", render(discussion.status)},
                 {"createdAt", render_date(discussion.created)},
                 {"isPullRequest", discussion.kind == Discussion::Kind::PullRequest},
                 {"repo", {{"name", repo.id.render()}, {"type", render(repo.id.type)}}}};
    add_author(json, discussion.author);
    return json;
}

/// What a comment says, or said.
Json render_text(const Author& author, const std::string& text, TimePoint written) {
    Json json = {{"raw", text}, {"updatedAt", render_date(written)}};
    add_author(json, author);
    return json;
}

/// `html` renders what all comments of one answer say; what they said before is Markdown only.
Json render(const DiscussionEvent& event, CommentHtml& html) {
    Json json = {{"id", event.id}, {"createdAt", render_date(event.made)}};
    add_author(json, event.author);
    switch (event.type) {
    case DiscussionEvent::Type::Comment: {
        Json history = Json::array();
        for (const CommentVersion& version : event.history) {
            history.push_back(render_text(event.author, version.text, version.written));
        }
        const std::string text = event.hidden ? kHiddenText : event.text;
        Json latest = render_text(event.author, text, event.edited.value_or(event.made));
        latest["html"] = html.show(text);
        json["type"] = "comment";
        json["data"] = {{"edited", event.edited.has_value()},
                        {"hidden", event.hidden},
                        {"numEdits", history.size()},
                        {"history", std::move(history)},
                        {"latest", std::move(latest)}};
        break;
    }
    case DiscussionEvent::Type::StatusChange:
        json["type"] = "status-change";
        json["data"] = {{"status", event.text}};
        break;
    case DiscussionEvent::Type::TitleChange:
        json["type"] = "title-change";
        json["data"] = {{"from", event.before}, {"to", event.text}};
        break;
    }
    return json;
}

Json render(const DiscussionEvent& event) {
    CommentHtml html;
    return render(event, html);
}

/// A commit of a pull request among what was said. Its author is who it says.
Json render(const GitCommit& commit) {
    return {{"id", commit.id.substr(0, 24)},
            {"type", "commit"},
            {"createdAt", render_date(commit.date)},
            {"author", {{"name", commit.author}}},
            {"data", {{"subject", commit.title}, {"oid", commit.id}}}};
}

/// Everything in the order of its time, but what opened the discussion first.
Json render_events(const std::vector<DiscussionEvent>& events,
                   const std::vector<GitCommit>& commits) {
    struct Entry {
        TimePoint time;
        Json json;
    };

    std::vector<Entry> entries;
    for (const GitCommit& commit : commits) {
        entries.push_back({commit.date, render(commit)});
    }
    Json list = Json::array();
    CommentHtml html;
    for (const DiscussionEvent& event : events) {
        if (list.empty()) {
            list.push_back(render(event, html));
        } else {
            entries.push_back({event.made, render(event, html)});
        }
    }
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return a.time < b.time;
    });
    for (Entry& entry : entries) {
        list.push_back(std::move(entry.json));
    }
    return list;
}

/// What a pull request changes, for who may read files; nothing if it is too much to show.
Result<std::optional<std::string>>
diff_of(const Services& services, const Place& place, const PullState& state) {
    if (state.from.empty() || !may(place.caller, place.repo, Action::Read)) {
        return std::optional<std::string>();
    }
    LOCARA_TRY(const GitRepo git, GitRepo::open(services.folder_of(place.repo)));
    auto text = git.diff(state.from, state.head, kDiffLimit);
    if (!text && text.error().code() == ErrorCode::TooLarge) {
        return std::optional<std::string>();
    }
    if (!text) {
        return std::move(text).error();
    }
    return std::optional(std::move(*text));
}

// ---------------------------------------------------------------------------------------- reading

Answer<DiscussionFilter> parse_filter(const Services& services, const Request& request) {
    DiscussionFilter filter;
    const std::string_view kind = request.query.find("type").value_or("all");
    if (kind == "pull_request") {
        filter.kind = Discussion::Kind::PullRequest;
    } else if (kind == "discussion") {
        filter.kind = Discussion::Kind::Talk;
    } else if (kind != "all") {
        return bad_request("type is pull_request, discussion or all");
    }
    const std::string_view status = request.query.find("status").value_or("all");
    if (status == "open") {
        filter.status = DiscussionFilter::Status::Open;
    } else if (status == "closed") {
        filter.status = DiscussionFilter::Status::Closed;
    } else if (status != "all") {
        return bad_request("status is open, closed or all");
    }
    const std::string author(request.query.find("author").value_or(""));
    if (!author.empty()) {
        LOCARA_TRY(const auto account, services.names.find_account(author));
        filter.author = account ? account->key : -1; // Nobody's.
    }
    return filter;
}

Answer<Response> list(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Repo repo, find_repo(services, request, type, Action::See));
    LOCARA_TRY(const DiscussionFilter filter, parse_filter(services, request));
    LOCARA_TRY(const auto asked, given_number(request, "p"));
    const std::size_t page = std::min<std::size_t>(asked.value_or(0), kDiscussionLimit);
    LOCARA_TRY(const DiscussionPage found,
               services.discussions.list(repo.key, filter, page * kPage, kPage));
    Json shown = Json::array();
    for (const Discussion& discussion : found.discussions) {
        shown.push_back(render(repo, discussion));
    }
    return json_answer(
        {{"count", found.total}, {"start", page * kPage}, {"discussions", std::move(shown)}});
}

Answer<Response>
details(const Services& services, PullLooks& looks, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, find_place(services, request, type, Action::See));
    LOCARA_TRY(const auto events, services.discussions.events(place.discussion));
    Json json = render(place.repo, place.discussion);
    PullState state;
    if (place.discussion.kind == Discussion::Kind::PullRequest) {
        LOCARA_TRY(state, look_at_pull(services, looks, place.repo, place.discussion));
        json["changes"] = {{"base", place.discussion.base}};
        if (!place.discussion.merged.empty()) {
            json["changes"]["mergeCommitId"] = place.discussion.merged;
        }
        json["filesWithConflicts"] = state.conflicts.empty() ? Json(false) : Json(state.conflicts);
        if (request.query.flag("diff")) {
            LOCARA_TRY(auto text, diff_of(services, place, state));
            if (text) {
                json["diff"] = std::move(*text);
            }
        }
    }
    json["events"] = render_events(events, state.commits);
    return json_answer(json);
}

// --------------------------------------------------------------------------------------- changing

Answer<Response> create(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Repo repo, find_repo(services, request, caller, type, Action::Propose));
    LOCARA_TRY(const Json body, parse_object(request));
    LOCARA_TRY(const std::string title, check_title(text_at(body, "title").value_or("")));
    LOCARA_TRY(const std::string text, comment_of(body, "description"));
    LOCARA_TRY(const auto proposes, given_truth(body, "pullRequest"));
    const Deed by = deed(services, caller);
    Discussion made;
    if (proposes.value_or(false)) {
        // Nothing is proposed yet: its ref begins where the branch is, and it is a draft.
        NewPull pull;
        LOCARA_TRY(pull.base, require_base(services, caller, repo, "main"));
        LOCARA_TRY(const GitRepo git, GitRepo::open(services.folder_of(repo)));
        LOCARA_TRY(pull.commit, git.resolve(pull.base));
        pull.title = title;
        pull.text = text;
        pull.status = DiscussionStatus::Draft;
        LOCARA_TRY(made, open_pull(services, repo, pull, by));
    } else {
        made.repo = repo.key;
        made.title = title;
        LOCARA_TRY(made, services.discussions.add(made, text, by));
    }
    return json_answer(
        {{"num", made.number},
         {"pullRequest", made.kind == Discussion::Kind::PullRequest},
         {"url", repo_url(request, repo.id) + "/discussions/" + std::to_string(made.number)}});
}

Answer<Response> comment(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, find_place(services, request, type, Action::Propose));
    LOCARA_TRY(const Json body, parse_object(request));
    LOCARA_TRY(const std::string text, comment_of(body, "comment"));
    LOCARA_TRY(const DiscussionEvent event,
               services.discussions.comment(place.discussion, text, deed(services, place.caller)));
    return json_answer({{"newMessage", render(event)}});
}

Answer<Response> rename(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, find_own(services, request, type));
    LOCARA_TRY(const Json body, parse_object(request));
    LOCARA_TRY(const std::string title, check_title(text_at(body, "title").value_or("")));
    LOCARA_TRY(const DiscussionEvent event,
               services.discussions.rename(place.discussion, title, deed(services, place.caller)));
    return json_answer({{"newTitle", render(event)}});
}

Answer<Response> change_status(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, find_own(services, request, type));
    LOCARA_TRY(const Json body, parse_object(request));
    const std::string wanted = text_at(body, "status").value_or("");
    if (wanted != "open" && wanted != "closed") {
        return bad_request("status is open or closed");
    }
    LOCARA_TRY(const std::string text, comment_beside(body));
    const DiscussionStatus now = place.discussion.status;
    if (render(now) == wanted || now == DiscussionStatus::Merged) {
        return Refusal(409,
                       "",
                       "discussion " + std::to_string(place.discussion.number) + " is " +
                           std::string(render(now)) + " already");
    }
    LOCARA_TRY(const DiscussionEvent event,
               services.discussions.set_status(place.discussion,
                                               wanted == "open" ? DiscussionStatus::Open
                                                                : DiscussionStatus::Closed,
                                               "",
                                               text,
                                               deed(services, place.caller)));
    return json_answer({{"newStatus", render(event)}});
}

Answer<Response> merge(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, find_place(services, request, type, Action::Write));
    LOCARA_TRY(const Json body, parse_optional(request));
    LOCARA_TRY(const std::string text, comment_beside(body));
    if (place.discussion.kind != Discussion::Kind::PullRequest) {
        return bad_request("discussion " + std::to_string(place.discussion.number) +
                           " is no pull request");
    }
    LOCARA_TRY(const DiscussionEvent event,
               merge_pull(services, place.repo, place.discussion, *place.caller, text));
    LOCARA_TRY(const auto merged,
               services.discussions.find(place.repo.key, place.discussion.number));
    return json_answer(
        {{"newStatus", render(event)}, {"mergeCommitId", merged ? merged->merged : std::string()}});
}

/// The comment of a request.
Answer<DiscussionEvent>
find_comment(const Services& services, const Request& request, const Place& place) {
    const std::string& id = request.param("comment");
    LOCARA_TRY(auto found, services.discussions.find_comment(place.discussion, id));
    if (!found) {
        return Refusal(404, "", "the discussion has no comment " + id);
    }
    return std::move(*found);
}

/// By whoever wrote it.
Answer<Response> edit(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, find_place(services, request, type, Action::Propose));
    LOCARA_TRY(const DiscussionEvent found, find_comment(services, request, place));
    if (found.author.key != place.caller->account.key) {
        return Refusal(403, "", "a comment is changed by who wrote it");
    }
    LOCARA_TRY(const Json body, parse_object(request));
    LOCARA_TRY(const std::string text, comment_of(body, "content"));
    LOCARA_TRY(
        const DiscussionEvent event,
        services.discussions.edit_comment(place.discussion, found.id, text, services.clock.now()));
    return json_answer({{"updatedComment", render(event)}});
}

/// By whoever wrote it, and by who may write to the repository.
Answer<Response> hide(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Place place, find_place(services, request, type, Action::Propose));
    LOCARA_TRY(const DiscussionEvent found, find_comment(services, request, place));
    if (found.author.key != place.caller->account.key &&
        !may(place.caller, place.repo, Action::Write)) {
        return Refusal(403,
                       "",
                       "a comment is hidden by who wrote it, and by who may write to " +
                           place.repo.id.render());
    }
    LOCARA_TRY(const DiscussionEvent event,
               services.discussions.hide_comment(place.discussion, found.id));
    record(services,
           request,
           "comment-hidden",
           place.repo,
           {{"discussion", place.discussion.number},
            {"comment", found.id},
            {"author", found.author.name}});
    return json_answer({{"updatedComment", render(event)}});
}

} // namespace

void add_discussion_routes(Routes& routes, const Services& services) {
    using Handle = Answer<Response> (*)(const Services&, const Request&, RepoType);
    const auto looks = std::make_shared<PullLooks>();
    for_each_type([&](RepoType type, const std::string&) {
        const std::string all =
            "/api/" + std::string(render_plural(type)) + "/{org}/{repo}/discussions";
        const auto add = [&](std::string_view method, const std::string& path, Handle handle) {
            routes.add(method, path, [&services, type, handle](const Request& request) {
                return handle(services, request, type);
            });
        };
        const std::string one = all + "/{number}";
        add("GET", all, &list);
        add("POST", all, &create);
        routes.add_compare("GET", one, [&services, type, looks](const Request& request) {
            return details(services, *looks, request, type);
        });
        add("POST", one + "/comment", &comment);
        add("POST", one + "/title", &rename);
        add("POST", one + "/status", &change_status);
        routes.add_compare("POST", one + "/merge", [&services, type](const Request& request) {
            return merge(services, request, type);
        });
        add("POST", one + "/comment/{comment}/edit", &edit);
        add("POST", one + "/comment/{comment}/hide", &hide);
    });
}

} // namespace locara::hub
