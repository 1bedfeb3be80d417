// The pages of a repository: what it is, its card, how to ask for its files, its discussions.
// docs/hub.md, "Pages".
#include "card_facts.hpp"
#include "comment_html.hpp"
#include "file_security.hpp"
#include "gate_terms.hpp"
#include "markdown.hpp"
#include "page_parts.hpp"
#include "place.hpp"
#include "routes.hpp"

#include <locara/base/percent.hpp>
#include <locara/manifest/card.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kShownFiles = 500;
constexpr std::size_t kShownDiscussions = 100;
constexpr std::size_t kCardLimit = std::size_t{1} << 20U;

/// Where a repository's page is, or why it cannot be shown to who asks.
struct Visit {
    Caller caller; ///< Signed in, or with a token.
    Repo repo;
};

Answer<Visit> visit(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(Caller caller, identify_visitor(services, request));
    LOCARA_TRY(Repo repo, find_repo(services, request, caller, type, Action::See));
    return Visit{std::move(caller), std::move(repo)};
}

// ---------------------------------------------------------------------------------- the repository

struct Card {
    Json data;        ///< The front matter; null without one.
    std::string text; ///< What follows it.
};

Result<Card> read_whole_card(const GitRepo& git, const std::string& commit) {
    Card card;
    LOCARA_TRY(card.text, read_card_text(git, commit, kCardLimit));
    auto front = manifest::read_front_matter(card.text);
    if (front && *front) {
        card.data = std::move(**front);
    }
    card.text = std::string(manifest::without_front_matter(card.text));
    return card;
}

std::string render_facts(const Repo& repo, const CardFacts& facts) {
    std::string line = repo.visibility == Visibility::Private ? "private" : "public";
    if (repo.gate != Gate::Open) {
        line += ", gated";
    }
    for (const std::string& tag : facts.tags) {
        line += ", " + tag;
    }
    return "<p><small>" + escape_html(line) + "</small></p>\n";
}

/// How the request of who is signed in stands; "" if there is none that stands.
Result<std::string> render_request(const Services& services, const Visit& visit) {
    LOCARA_TRY(const auto asked, services.requests.find(visit.repo.key, visit.caller->account.key));
    if (!asked || asked->is_over(services.clock.now())) {
        return std::string();
    }
    std::string line = "Your request for its files is " + std::string(render(asked->state));
    if (!asked->reason.empty()) {
        line += ": " + asked->reason;
    }
    return "<p>" + escape_html(line) + "</p>\n";
}

/// How the visitor stands to the files of a gated repository.
Result<std::string> render_gate(const Services& services, const Visit& visit) {
    if (visit.repo.gate == Gate::Open || may(visit.caller, visit.repo, Action::Read)) {
        return std::string();
    }
    const std::string ask = "<p>Its files are for those who were let in. " +
                            link(page_of(visit.repo) + "/ask-access", "Ask for access") + "</p>\n";
    if (!visit.caller) {
        return ask;
    }
    LOCARA_TRY(const std::string asked, render_request(services, visit));
    return asked.empty() ? ask : asked;
}

/// What the gate says of a file: a word and its evidence.
std::string render_verdict(const std::optional<Judgement>& found) {
    const std::string level(security_level(found));
    if (!found) {
        return level;
    }
    const formats::Verdict& verdict = found->verdict;
    std::string evidence = verdict.format + ", rule " + verdict.rule;
    if (!verdict.member.empty()) {
        evidence += " in " + verdict.member;
    }
    if (verdict.offset) {
        evidence += " at byte " + std::to_string(*verdict.offset);
    }
    evidence += ", by " + verdict.scanner + " " + verdict.scanner_version;
    if (verdict.decision != formats::Decision::Allow) {
        evidence = verdict.reason + " (" + evidence + ")";
    }
    return level + "<br><small>" + escape_html(evidence) + "</small>";
}

Result<std::string>
render_files(const Services& services, const Visit& visit, const std::vector<GitEntry>& entries) {
    const bool linked = may(visit.caller, visit.repo, Action::Read);
    const std::string base = page_of(visit.repo) + "/resolve/main/";
    std::string rows;
    std::size_t shown = 0;
    std::size_t files = 0;
    for (const GitEntry& entry : entries) {
        if (entry.kind == GitEntry::Kind::Directory) {
            continue;
        }
        ++files;
        if (shown == kShownFiles) {
            continue;
        }
        ++shown;
        LOCARA_TRY(const auto found,
                   services.verdicts.find(content_id(entry), name_of(entry.path)));
        rows += "<tr><td>" +
                (linked ? link(base + percent_encode(entry.path, "/"), entry.path)
                        : escape_html(entry.path)) +
                "</td><td align=\"right\">" + escape_html(render_size(entry.size())) + "</td><td>" +
                render_verdict(found) + "</td></tr>\n";
    }
    std::string html = "<h2>Files</h2>\n";
    if (files == 0) {
        return html + "<p>None.</p>\n";
    }
    html += "<table>\n<thead><tr><th>Path</th><th "
            "align=\"right\">Size</th><th>Gate</th></tr></thead>\n<tbody>\n" +
            rows + "</tbody>\n</table>\n";
    if (files > shown) {
        html += "<p>and " + std::to_string(files - shown) + " more</p>\n";
    }
    return html;
}

Answer<Response> repository(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Visit seen, visit(services, request, type));
    const Repo& repo = seen.repo;
    const std::string here = page_of(repo);
    LOCARA_TRY(const std::string gate, render_gate(services, seen));
    const std::string kind =
        type == RepoType::Model ? "" : " --repo-type " + std::string(render(type));
    const std::string how =
        "<h2>Use it</h2>\n<pre>" +
        escape_html("git clone " + endpoint(request) + here + "\nHF_ENDPOINT=" + endpoint(request) +
                    " hf download " + repo.id.render() + kind) +
        "</pre>\n<p>" + link(here + "/discussions", "Discussions") + "</p>\n";
    LOCARA_TRY(const GitRepo git, GitRepo::open(services.folder_of(repo)));
    const auto commit = git.resolve("refs/heads/main");
    if (!commit) {
        return show(repo.id.render(), gate + "<p>It is empty.</p>\n" + how);
    }
    LOCARA_TRY(const Card card, read_whole_card(git, *commit));
    LOCARA_TRY(const auto entries, git.list(*commit, "", GitRepo::Recursive::Yes));
    LOCARA_TRY(const std::string files, render_files(services, seen, entries));
    // Relative addresses lead nowhere for who may not read the files; render_gate says why.
    const std::string base =
        may(seen.caller, repo, Action::Read) ? here + "/resolve/main/" : std::string();
    const std::string text = card.text.find_first_not_of(" \t\r\n") == std::string::npos
                                 ? ""
                                 : "<article>\n" + show_markdown(card.text, base) + "</article>\n";
    return show(repo.id.render(),
                "<p>Of " + link("/" + repo.id.space, repo.id.space) + "</p>\n" +
                    render_facts(repo, CardFacts::of(card.data, type)) + gate + text + files + how);
}

// ------------------------------------------------------------------------------- asking for access

std::string render_field(const GateField& field) {
    const std::string name = escape_html(field.name);
    switch (field.kind) {
    case GateField::Kind::Checkbox:
        return "<p><label><input type=\"checkbox\" name=\"" + name + "\" required> " + name +
               "</label></p>\n";
    case GateField::Kind::Choice: {
        std::string html = "<label>" + name + "<select name=\"" + name + "\" required>\n";
        html += "<option value=\"\"></option>\n";
        for (const GateField::Option& option : field.options) {
            html += "<option value=\"" + escape_html(option.value) + "\">" +
                    escape_html(option.label) + "</option>\n";
        }
        return html + "</select></label>\n";
    }
    case GateField::Kind::Date:
        return "<label>" + name + "<input type=\"date\" name=\"" + name + "\" required></label>\n";
    case GateField::Kind::Text:
    case GateField::Kind::Country:
        break;
    }
    return "<label>" + name + "<input name=\"" + name + "\" maxlength=\"" +
           std::to_string(kGateFieldBytes / 4) + "\" required></label>\n";
}

Answer<Response> ask_page(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Visit seen, visit(services, request, type));
    if (!seen.caller) {
        return see_other("/login?next=" + percent_encode(request.target));
    }
    if (seen.repo.gate == Gate::Open || may(seen.caller, seen.repo, Action::Read)) {
        return see_other(page_of(seen.repo)); // There is nothing to ask for.
    }
    LOCARA_TRY(const std::string asked, render_request(services, seen));
    if (!asked.empty()) { // It cannot be sent twice.
        return show("Access to " + seen.repo.id.render(),
                    asked + "<p>" + link(page_of(seen.repo), seen.repo.id.render()) + "</p>\n");
    }
    LOCARA_TRY(const GateTerms terms, read_gate_terms(services, seen.repo));
    std::string body =
        "<p>" +
        escape_html(terms.description.empty()
                        ? "Who keeps " + seen.repo.id.render() + " sees that " +
                              seen.caller->account.name + " asks, and what you fill in here."
                        : terms.description) +
        "</p>\n";
    if (!terms.prompt.empty()) {
        body += "<article>\n" + show_markdown(terms.prompt) + "</article>\n";
    }
    body += "<form method=\"post\">\n";
    for (const GateField& field : terms.fields) {
        body += render_field(field);
    }
    body += "<button class=\"main\">" +
            escape_html(!terms.button.empty()  ? terms.button
                        : terms.prompt.empty() ? "Ask for access"
                                               : "Agree and ask for access") +
            "</button>\n</form>\n";
    return show(terms.heading.empty() ? "Access to " + seen.repo.id.render() : terms.heading,
                body,
                "'self'");
}

// --------------------------------------------------------------------------------------
// discussions

std::string name_of(const Author& author) {
    return author.name.empty() ? "somebody who left" : author.name;
}

std::string kind_of(const Discussion& discussion) {
    return discussion.kind == Discussion::Kind::PullRequest ? "pull request" : "discussion";
}

Answer<Response> discussions(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Visit seen, visit(services, request, type));
    const std::string here = page_of(seen.repo);
    LOCARA_TRY(const auto page, services.discussions.list(seen.repo.key, {}, 0, kShownDiscussions));
    std::string body = "<p>" + link(here, seen.repo.id.render()) + "</p>\n";
    body += page.discussions.empty() ? "<p>None yet.</p>\n" : "<ul>\n";
    for (const Discussion& one : page.discussions) {
        body += "<li>" +
                link(here + "/discussions/" + std::to_string(one.number),
                     "#" + std::to_string(one.number) + " " + one.title) +
                "<br><small>" +
                escape_html(kind_of(one) + ", " + std::string(render(one.status)) + ", by " +
                            name_of(one.author) + ", " + render_time(one.created)) +
                "</small></li>\n";
    }
    body += page.discussions.empty() ? "" : "</ul>\n";
    if (page.total > page.discussions.size()) {
        body += "<p>and " + std::to_string(page.total - page.discussions.size()) + " older</p>\n";
    }
    return show("Discussions", body);
}

std::string render_event(const DiscussionEvent& event, CommentHtml& html) {
    const std::string who = "<strong>" + escape_html(name_of(event.author)) + "</strong> <small>" +
                            escape_html(render_time(event.made)) +
                            (event.edited ? ", changed" : "") + "</small>";
    switch (event.type) {
    case DiscussionEvent::Type::Comment:
        return "<h2>" + who + "</h2>\n<article>\n" +
               (event.hidden ? "<p><em>hidden</em></p>\n" : html.show(event.text)) + "</article>\n";
    case DiscussionEvent::Type::StatusChange:
        return "<p>" + who + ": " + escape_html(event.text) + "</p>\n";
    case DiscussionEvent::Type::TitleChange:
        return "<p>" + who + ": was \u201c" + escape_html(event.before) + "\u201d</p>\n";
    }
    return "";
}

Answer<Response> discussion(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Visit seen, visit(services, request, type));
    const std::string here = page_of(seen.repo);
    const auto number = parse_discussion_number(request.param("number"));
    if (!number) {
        return Refusal(404, "", "there is no such discussion");
    }
    LOCARA_TRY(const auto found, services.discussions.find(seen.repo.key, *number));
    if (!found) {
        return Refusal(404, "", "there is no such discussion");
    }
    LOCARA_TRY(const auto events, services.discussions.events(*found));
    std::string body = "<p>" + link(here, seen.repo.id.render()) + ", " +
                       link(here + "/discussions", "discussions") + "<br><small>" +
                       escape_html(kind_of(*found) + ", " + std::string(render(found->status))) +
                       "</small></p>\n";
    if (found->kind == Discussion::Kind::PullRequest) {
        const std::string n = std::to_string(found->number);
        body +=
            "<pre>" +
            escape_html("git fetch " + endpoint(request) + here + " refs/pr/" + n + ":pr/" + n) +
            "</pre>\n";
    }
    CommentHtml html;
    for (const DiscussionEvent& event : events) {
        body += render_event(event, html);
    }
    return show("#" + std::to_string(found->number) + " " + found->title, body);
}

// ------------------------------------------------------------ addresses that others hand out

/// This hub shows a repository on one page, whatever revision or folder is asked for.
Answer<Response> lead_to_page(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Visit seen, visit(services, request, type));
    return see_other(page_of(seen.repo));
}

/// What the Hub shows on a page is a file here: "blob" to "resolve".
Answer<Response> lead_to_file(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Visit seen, visit(services, request, type));
    std::string rest;
    for (std::size_t i = web_revision_at(type); i < request.segments.size(); ++i) {
        rest += "/" + percent_encode(request.segments[i]);
    }
    return see_other(page_of(seen.repo) + "/resolve" + rest);
}

} // namespace

std::string page_of(const Repo& repo) {
    return "/" + repo.id.render_web();
}

void add_repo_pages(Routes& routes, const Services& services) {
    using Handle = Answer<Response> (*)(const Services&, const Request&, RepoType);
    for_each_type([&](RepoType type, const std::string& prefix) {
        const auto bind = [&services, type](Handle handle) {
            return [&services, type, handle](const Request& request) {
                return or_page(request, handle(services, request, type));
            };
        };
        const std::string here = prefix + "{org}/{repo}";
        routes.get(here, bind(&repository));
        routes.get(here + "/ask-access", bind(&ask_page));
        routes.get(here + "/discussions", bind(&discussions));
        routes.add_compare("GET", here + "/discussions/{number}", bind(&discussion));
        for (const char* const other : {"/tree/{*rev}", "/commit/{*rev}", "/commits/{*rev}"}) {
            routes.get(here + other, bind(&lead_to_page));
        }
        routes.get(here + "/blob/{rev}/{*path}", bind(&lead_to_file));
    });
}

} // namespace locara::hub
