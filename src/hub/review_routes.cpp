// Submissions of apps: what their authors ask for and hear, and what curators read. Curators decide
// on the hub's own machine (`locara-hub review`).
#include "list_page.hpp"
#include "place.hpp"
#include "review_check.hpp"
#include "routes.hpp"

#include <locara/base/ascii.hpp>
#include <locara/hub/pending_takedowns.hpp>
#include <locara/hub/reviews.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

/// Submissions in one answer.
constexpr std::size_t kPage = 100;

/// What every handler here works with.
struct Desk {
    const Services& services;
    const std::filesystem::path& data;
    const std::string& curators; ///< Their organization; empty for none.

    Reviews reviews() const { return Reviews(data, services.clock); }
};

Json render_submission(const Submission& submission) {
    return {{"number", submission.number},
            {"app", submission.app},
            {"version", submission.version},
            {"commit", submission.commit},
            {"by", submission.by},
            {"submitted", render_time(submission.when)},
            {"state", render(submission.state)}};
}

/// With the report of the newest check, if there was one.
Answer<Json> render_whole(const Reviews& reviews, const Submission& submission) {
    Json out = render_submission(submission);
    out["report"] = Json();
    if (!submission.report.empty()) {
        LOCARA_TRY(out["report"], reviews.report(submission));
    }
    out["steps"] = Json::array();
    LOCARA_TRY(const auto steps, reviews.steps(submission.number));
    for (const Json& step : steps) {
        Json shown = {{"time", step.at("time")}, {"event", step.at("event")}};
        for (const char* member : {"rule", "why", "accepted"}) {
            if (step.contains(member)) {
                shown[member] = step.at(member);
            }
        }
        out["steps"].push_back(std::move(shown));
    }
    return out;
}

/// The version that locara.json of a commit names; what else is wrong is the check's affair.
Answer<std::string> read_version(const Place& place) {
    LOCARA_TRY(const auto entry, place.git.find(place.commit, "locara.json"));
    if (!entry || entry->kind == GitEntry::Kind::Directory || entry->lfs) {
        return bad_request("commit " + place.commit + " has no locara.json: it is no app");
    }
    LOCARA_TRY(const std::string text,
               place.git.read_blob(entry->oid, manifest::kManifestLimitBytes));
    const auto app = manifest::AppManifest::parse(text);
    if (!app) {
        return bad_request("locara.json: " + app.error().describe());
    }
    return app->version.render();
}

/// A page of them, the newest first.
Answer<Response> list_page(std::vector<Submission> all, const Request& request) {
    std::reverse(all.begin(), all.end());
    LOCARA_TRY(const ListPage part, page_of(request, all.size(), kPage));
    Json out = Json::array();
    for (std::size_t i = part.begin; i < part.end; ++i) {
        out.push_back(render_submission(all[i]));
    }
    Response response = json_answer(out);
    part.add_next(request, response);
    return response;
}

/// The submission that the request's {number} names, if `fits` says so.
template <class Fits>
Answer<Response> show_one(const Desk& desk, const Request& request, Fits fits) {
    const Reviews reviews = desk.reviews();
    LOCARA_TRY(const auto all, reviews.list());
    const auto found = std::find_if(all.begin(), all.end(), [&](const Submission& one) {
        return std::to_string(one.number) == request.param("number") && fits(one);
    });
    if (found == all.end()) {
        return Refusal(404, "", "there is no such submission");
    }
    LOCARA_TRY(const Json whole, render_whole(reviews, *found));
    return json_answer(whole);
}

// --------------------------------------------------------------------------------------- authors

/// The id of the account that has a namespace; empty if it is nobody's.
Result<std::string> find_owner_id(const Services& services, const std::string& space) {
    LOCARA_TRY(auto owner, services.names.find_account(space));
    if (!owner) {
        LOCARA_TRY(owner, services.organizations.find(space));
    }
    return owner ? owner->id : std::string();
}

Answer<Response> submit(const Desk& desk, const Request& request) {
    const Services& services = desk.services;
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Repo repo,
               find_repo(services, request, caller, RepoType::Space, Action::Write));
    LOCARA_TRY(const Json body, parse_object(request));
    LOCARA_TRY(const Place place,
               open_place(services, repo, text_at(body, "revision").value_or("main")));
    LOCARA_TRY(const std::string version, read_version(place));
    LOCARA_TRY(const std::string publisher, find_owner_id(services, repo.id.space));
    Reviews reviews = desk.reviews();
    LOCARA_TRY(
        Submission submission,
        reviews.submit(repo.id.render(), version, place.commit, caller->account.name, publisher));
    if (submission.state == ReviewState::Checking) {
        const ReviewSources sources{
            desk.data, services.names, services.verdicts, services.cas, services.clock};
        LOCARA_TRY(const auto checked, check_submission(sources, submission));
        LOCARA_TRY(submission,
                   reviews.note_check(submission.number, checked.report, checked.passes()));
    }
    LOCARA_TRY(const Json whole, render_whole(reviews, submission));
    Response response = json_answer(whole);
    response.status = 201;
    return response;
}

Answer<Response> list(const Desk& desk, const Request& request) {
    LOCARA_TRY(const Repo repo, find_repo(desk.services, request, RepoType::Space, Action::Write));
    LOCARA_TRY(auto all, desk.reviews().list());
    std::erase_if(all, [&repo](const Submission& one) { return one.app != repo.id.render(); });
    return list_page(std::move(all), request);
}

Answer<Response> show(const Desk& desk, const Request& request) {
    LOCARA_TRY(const Repo repo, find_repo(desk.services, request, RepoType::Space, Action::Write));
    return show_one(
        desk, request, [&repo](const Submission& one) { return one.app == repo.id.render(); });
}

// -------------------------------------------------------------------------------------- curators

/// Submissions are of private repositories too: to whom they are not shown, they are not there.
Answer<std::monostate> require_curator(const Desk& desk, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(desk.services, request));
    LOCARA_TRY(const Identity who, require_known(caller));
    const auto is_theirs = [&desk](std::string_view space) {
        return equals_ignoring_case(space, desk.curators);
    };
    const bool belongs = std::any_of(
        who.memberships.begin(), who.memberships.end(), [&is_theirs](const Membership& one) {
            return one.role != OrgRole::NoAccess && is_theirs(one.organization.name);
        });
    const bool covered =
        who.token.role != TokenRole::FineGrained ||
        std::any_of(who.scopes.begin(), who.scopes.end(), [&is_theirs](const Scope& scope) {
            return scope.kind == Scope::Kind::Space && is_theirs(scope.name);
        });
    if (!belongs || !covered) {
        return Refusal(404, "", "there is nothing here, or nothing that you may see");
    }
    return std::monostate();
}

/// Of every app, or those in the state that `state` names.
Answer<Response> list_all(const Desk& desk, const Request& request) {
    LOCARA_CHECK(require_curator(desk, request));
    LOCARA_TRY(auto all, desk.reviews().list());
    if (const auto wanted = request.query.find("state")) {
        const auto state = parse_review_state(*wanted);
        if (!state) {
            return bad_request("there is no state '" + std::string(*wanted) + "'");
        }
        std::erase_if(all, [&state](const Submission& one) { return one.state != *state; });
    }
    return list_page(std::move(all), request);
}

Answer<Response> show_any(const Desk& desk, const Request& request) {
    LOCARA_CHECK(require_curator(desk, request));
    return show_one(desk, request, [](const Submission&) { return true; });
}

Answer<Response> list_pending(const Desk& desk, const Request& request) {
    LOCARA_CHECK(require_curator(desk, request));
    LOCARA_TRY(const auto pending, list_pending_takedowns(desk.data, desk.services.clock));
    Json out = Json::array();
    for (const PendingTakedown& one : pending) {
        out.push_back(render(one));
    }
    return json_answer(out);
}

} // namespace

void add_review_routes(Routes& routes,
                       const Services& services,
                       const std::filesystem::path& data,
                       const std::string& curators) {
    const auto bind = [desk = Desk{services, data, curators}](auto handle) {
        return [desk, handle](const Request& request) { return handle(desk, request); };
    };
    routes.post("/api/spaces/{org}/{repo}/submissions", bind(submit));
    routes.get("/api/spaces/{org}/{repo}/submissions", bind(list));
    routes.get("/api/spaces/{org}/{repo}/submissions/{number}", bind(show));
    routes.get("/api/review/submissions", bind(list_all));
    routes.get("/api/review/submissions/{number}", bind(show_any));
    routes.get("/api/review/takedowns", bind(list_pending));
}

} // namespace locara::hub
