// Submissions of apps: what their authors ask for and hear. Curators work on the hub's own machine.
#include "place.hpp"
#include "review_check.hpp"
#include "routes.hpp"

#include <locara/hub/reviews.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kShown = 100;

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

Answer<Response>
submit(const Services& services, const std::filesystem::path& data, const Request& request) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Repo repo,
               find_repo(services, request, caller, RepoType::Space, Action::Write));
    LOCARA_TRY(const Json body, parse_object(request));
    LOCARA_TRY(const Place place,
               open_place(services, repo, text_at(body, "revision").value_or("main")));
    LOCARA_TRY(const std::string version, read_version(place));
    Reviews reviews(data, services.clock);
    LOCARA_TRY(Submission submission,
               reviews.submit(repo.id.render(), version, place.commit, caller->account.name));
    if (submission.state == ReviewState::Checking) {
        const ReviewSources sources{data, services.names, services.cas, services.clock};
        LOCARA_TRY(const auto checked, check_submission(sources, submission));
        LOCARA_TRY(submission,
                   reviews.note_check(submission.number, checked.report, checked.passes()));
    }
    LOCARA_TRY(const Json whole, render_whole(reviews, submission));
    Response response = json_answer(whole);
    response.status = 201;
    return response;
}

Answer<Response>
list(const Services& services, const std::filesystem::path& data, const Request& request) {
    LOCARA_TRY(const Repo repo, find_repo(services, request, RepoType::Space, Action::Write));
    const Reviews reviews(data, services.clock);
    LOCARA_TRY(auto all, reviews.list());
    std::erase_if(all, [&repo](const Submission& one) { return one.app != repo.id.render(); });
    std::reverse(all.begin(), all.end()); // the newest first
    Json out = Json::array();
    for (std::size_t i = 0; i < std::min(all.size(), kShown); ++i) {
        out.push_back(render_submission(all[i]));
    }
    return json_answer(out);
}

Answer<Response>
show(const Services& services, const std::filesystem::path& data, const Request& request) {
    LOCARA_TRY(const Repo repo, find_repo(services, request, RepoType::Space, Action::Write));
    const Reviews reviews(data, services.clock);
    LOCARA_TRY(const auto all, reviews.list());
    const auto found = std::find_if(all.begin(), all.end(), [&](const Submission& one) {
        return one.app == repo.id.render() && std::to_string(one.number) == request.param("number");
    });
    if (found == all.end()) {
        return Refusal(404, "", "this app has no such submission");
    }
    LOCARA_TRY(const Json whole, render_whole(reviews, *found));
    return json_answer(whole);
}

} // namespace

void add_review_routes(Routes& routes,
                       const Services& services,
                       const std::filesystem::path& data) {
    const auto bind = [&services, data](auto handle) {
        return [&services, data, handle](const Request& request) {
            return handle(services, data, request);
        };
    };
    routes.post("/api/spaces/{org}/{repo}/submissions", bind(submit));
    routes.get("/api/spaces/{org}/{repo}/submissions", bind(list));
    routes.get("/api/spaces/{org}/{repo}/submissions/{number}", bind(show));
}

} // namespace locara::hub
