// Gated repositories: whoever may see one asks for its files, whoever may write to it decides.
#include "audit_record.hpp"
#include "gate_terms.hpp"
#include "list_page.hpp"
#include "page_parts.hpp"
#include "routes.hpp"

#include <algorithm>
#include <set>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kPage = 1000;
constexpr std::size_t kReasonBytes = 4096;

Refusal not_gated(const Repo& repo) {
    return bad_request(repo.id.render() + " is not gated: whoever may see it may read it");
}

// ----------------------------------------------------------------------------------------- asking

/// What the asker filled in: texts, truths and numbers by name, as texts.
Answer<std::vector<std::pair<std::string, std::string>>> parse_fields(const Request& request) {
    std::vector<std::pair<std::string, std::string>> given;
    if (is_form(request)) {
        LOCARA_TRY(const auto form, http::Query::parse(request.body));
        return form.fields();
    }
    if (request.body.empty()) {
        return given;
    }
    LOCARA_TRY(const Json body, parse_object(request));
    for (const auto& [name, value] : body.items()) {
        if (value.is_structured() || value.is_null()) {
            return bad_request("field '" + name + "' must be a text, a number or a truth");
        }
        given.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
    }
    return given;
}

/// What is kept of a request: what was filled in, and which terms were agreed to with it.
Answer<std::string>
take_fields(const Services& services, const Request& request, const Repo& repo) {
    LOCARA_TRY(const auto given, parse_fields(request));
    LOCARA_TRY(const GateTerms terms, read_gate_terms(services, repo));
    LOCARA_TRY(Json fields, terms.take(given));
    if (!terms.prompt.empty()) {
        fields[kGatePrompt] = "sha256:" + terms.digest();
    }
    return fields.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Who asks or takes it back does so in the name of the account, with a token for all of it.
Answer<Identity> require_account(const Caller& caller) {
    LOCARA_TRY(Identity who, require_known(caller));
    if (who.token.role != TokenRole::Write) {
        return Refusal(403, "", "asking for access needs a token of role write");
    }
    return who;
}

/// By a program with a token, or by the form of the repository's page.
Answer<Response> ask(const Services& services, const Request& request, RepoType type) {
    const bool by_form = !credentials(request) && session_cookie(request);
    if (by_form) {
        LOCARA_CHECK(require_own_page(request));
    }
    LOCARA_TRY(const Caller caller, identify_visitor(services, request));
    LOCARA_TRY(const Repo repo, find_repo(services, request, caller, type, Action::See));
    LOCARA_TRY(const Identity who, require_account(caller));
    if (repo.gate == Gate::Open) {
        return not_gated(repo);
    }
    if (may(who, repo, Action::Read)) {
        return bad_request("user " + who.account.name + " may read " + repo.id.render() +
                           " already");
    }
    AccessRequest asked;
    asked.account = who.account;
    asked.made = services.clock.now();
    asked.state = repo.gate == Gate::Automatic ? RequestState::Accepted : RequestState::Pending;
    LOCARA_TRY(asked.fields, take_fields(services, request, repo));
    LOCARA_CHECK(services.requests.add(repo.key, asked, asked.made));
    services.log.info("hub",
                      "access_asked",
                      {{"repo", repo.id.render()},
                       {"by", who.account.name},
                       {"state", std::string(render(asked.state))}});
    record(services, request, "access-asked", repo, {{"state", render(asked.state)}});
    return by_form ? see_other(page_of(repo)) : json_answer({{"status", render(asked.state)}});
}

/// The same where what is wrong is a page for who sent the form with a browser. What is our own
/// fault is told as everywhere.
Answer<Response> ask_for_people(const Services& services, const Request& request, RepoType type) {
    Answer<Response> answer = ask(services, request, type);
    const std::string_view accepted = request.headers.find("Accept").value_or("");
    if (answer || answer.error().status >= 500 || credentials(request) ||
        accepted.find("text/html") == std::string_view::npos) {
        return answer;
    }
    const Refusal& refusal = answer.error();
    if (refusal.status == 401 || refusal.status == 404) {
        return or_page(request, std::move(answer));
    }
    return page_answer(frame_page("Not sent",
                                  "<p class=\"error\" role=\"alert\">" +
                                      escape_html(refusal.message) + "</p>\n<p>" +
                                      link(request.path, "Back") + "</p>\n",
                                  "'none'"),
                       refusal.status);
}

/// What was rejected stays so: it could be asked for again otherwise.
Answer<Response> cancel(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(const Repo repo, find_repo(services, request, caller, type, Action::See));
    LOCARA_TRY(const Identity who, require_account(caller));
    LOCARA_TRY(const auto known, services.requests.find(repo.key, who.account.key));
    if (!known || known->state == RequestState::Rejected) {
        return Refusal(404, "", "there is no request to take back");
    }
    LOCARA_CHECK(services.requests.remove(repo.key, who.account.key));
    record(services, request, "access-cancelled", repo, {{"state", render(known->state)}});
    return json_answer(Json::object());
}

// ---------------------------------------------------------------------------------------- deciding

/// What a body says about one user's request.
struct Decision {
    Repo repo;
    Identity by;
    AccessRequest request; ///< Its account, end and reason.
};

Answer<Decision> parse_decision(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Caller caller, identify(services, request));
    LOCARA_TRY(Repo repo, find_repo(services, request, caller, type, Action::Write));
    if (repo.gate == Gate::Open) {
        return not_gated(repo);
    }
    LOCARA_TRY(const Json body, parse_object(request));
    LOCARA_TRY(auto account, services.names.find_account(text_at(body, "user").value_or("")));
    if (!account) {
        return Refusal(404, "", "there is no such user");
    }
    Decision decision{std::move(repo), *caller, {}};
    decision.request.account = std::move(*account);
    decision.request.made = services.clock.now();
    decision.request.reason = text_at(body, "rejectionReason").value_or("");
    if (decision.request.reason.size() > kReasonBytes) {
        return bad_request("a reason has at most " + std::to_string(kReasonBytes) + " bytes");
    }
    if (const auto end = text_at(body, "expiresAt")) {
        const auto time = parse_time(*end);
        if (!time || *time <= services.clock.now()) {
            return bad_request("expiresAt is a time to come, such as 2030-01-01T00:00:00Z");
        }
        decision.request.expires = *time;
    }
    return decision;
}

void log_decision(const Services& services, const Request& request, const Decision& decision) {
    services.log.info("hub",
                      "access_decided",
                      {{"repo", decision.repo.id.render()},
                       {"user", decision.request.account.name},
                       {"state", std::string(render(decision.request.state))},
                       {"by", decision.by.account.name}});
    record(services,
           request,
           "access-decided",
           {{"repo", decision.repo.id.render()},
            {"type", render(decision.repo.id.type)},
            {"user", decision.request.account.name},
            {"state", render(decision.request.state)}});
}

Answer<Response> handle(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(Decision decision, parse_decision(services, request, type));
    LOCARA_TRY(const Json body, parse_object(request));
    const auto state = parse_request_state(text_at(body, "status").value_or(""));
    if (!state) {
        return bad_request("status is accepted, rejected or pending");
    }
    decision.request.state = *state;
    if (*state != RequestState::Rejected) {
        decision.request.reason.clear();
    }
    if (*state != RequestState::Accepted) {
        decision.request.expires.reset();
    }
    const Status done =
        services.requests.decide(decision.repo.key, decision.request, services.clock.now());
    if (!done && done.error().code() == ErrorCode::Conflict) {
        return Refusal(404, "", done.error().message()); // As clients of the Hub know it.
    }
    if (!done) {
        return done.error();
    }
    log_decision(services, request, decision);
    return json_answer(Json::object());
}

/// Access for who has not asked, or not been accepted.
Answer<Response> grant(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(Decision decision, parse_decision(services, request, type));
    decision.request.state = RequestState::Accepted;
    decision.request.reason.clear();
    const TimePoint now = services.clock.now();
    LOCARA_TRY(const auto known,
               services.requests.find(decision.repo.key, decision.request.account.key));
    decision.request.granted = true;
    const bool asked = known && !known->is_over(now);
    const Status done = asked ? services.requests.decide(decision.repo.key, decision.request, now)
                              : services.requests.add(decision.repo.key, decision.request, now);
    if (!done && done.error().code() == ErrorCode::Conflict) {
        return bad_request(done.error().message());
    }
    if (!done) {
        return done.error();
    }
    log_decision(services, request, decision);
    return json_answer(Json::object());
}

// --------------------------------------------------------------------------------------- reporting

Json render_request(const AccessRequest& request, TimePoint now) {
    Json user = {{"user", request.account.name}, {"fullname", request.account.full_name}};
    if (!request.granted) { // Who was not asked has not agreed to show it.
        user["email"] = author_email(request.account);
    }
    Json json = {{"user", std::move(user)},
                 {"status", request.is_over(now) ? "expired" : render(request.state)},
                 {"timestamp", render_date(request.made)},
                 {"fields", Json::parse(request.fields, nullptr, false)}};
    if (request.expires) {
        json["expiresAt"] = render_date(*request.expires);
    }
    if (!request.reason.empty()) {
        json["rejectionReason"] = request.reason;
    }
    return json;
}

Answer<Response> list(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Repo repo, find_repo(services, request, type, Action::Write));
    const auto state = parse_request_state(request.param("state"));
    if (!state) {
        return bad_request("requests are pending, accepted or rejected");
    }
    const TimePoint now = services.clock.now();
    LOCARA_TRY(auto all, services.requests.list(repo.key, *state));
    std::erase_if(all, [now](const AccessRequest& one) { return one.is_over(now); });
    LOCARA_TRY(const ListPage part, page_of(request, all.size(), kPage));
    Json page = Json::array();
    for (std::size_t i = part.begin; i < part.end; ++i) {
        page.push_back(render_request(all[i], now));
    }
    Response response = json_answer(page);
    part.add_next(request, response);
    return response;
}

/// A value of CSV (RFC 4180). What a spreadsheet would take for a formula is made a text.
std::string render_cell(std::string text) {
    if (!text.empty() &&
        std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos) {
        text.insert(0, 1, '\'');
    }
    std::string cell = "\"";
    for (const char c : text) {
        cell += c == '"' ? "\"\"" : std::string(1, c);
    }
    return cell + "\"";
}

/// One line for each request, with a column for each field that anybody filled in.
std::string render_csv(const Json& requests) {
    std::set<std::string> fields;
    for (const Json& one : requests) {
        for (const auto& [name, value] : one["fields"].items()) {
            fields.insert(name);
        }
    }
    std::string text = "user,fullname,email,status,timestamp,expiresAt,rejectionReason";
    for (const std::string& field : fields) {
        text += "," + render_cell(field);
    }
    text += "\r\n";
    for (const Json& one : requests) {
        std::string line;
        for (const char* key : {"user", "fullname", "email"}) {
            line += (line.empty() ? "" : ",") + render_cell(text_at(one["user"], key).value_or(""));
        }
        for (const char* key : {"status", "timestamp", "expiresAt", "rejectionReason"}) {
            line += "," + render_cell(text_at(one, key).value_or(""));
        }
        for (const std::string& field : fields) {
            line += "," + render_cell(text_at(one["fields"], field.c_str()).value_or(""));
        }
        text += line + "\r\n";
    }
    return text;
}

/// All requests: CSV, or JSON for who asks for it by `format=json` or Accept.
Answer<Response> report(const Services& services, const Request& request, RepoType type) {
    LOCARA_TRY(const Repo repo, find_repo(services, request, type, Action::Write));
    LOCARA_TRY(const auto all, services.requests.list(repo.key));
    Json list = Json::array();
    for (const AccessRequest& one : all) {
        list.push_back(render_request(one, services.clock.now()));
    }
    const bool json = request.query.find("format").value_or("") == "json" ||
                      request.headers.find("Accept").value_or("") == "application/json";
    Response response = json
                            ? json_answer(list)
                            : http::text_response(200, "text/csv; charset=utf-8", render_csv(list));
    response.headers.add("Content-Disposition",
                         std::string("attachment; filename=\"user-access-report.") +
                             (json ? "json\"" : "csv\""));
    response.headers.add("Cache-Control", "private, no-store");
    return response;
}

} // namespace

void add_gate_routes(Routes& routes, const Services& services) {
    using Handle = Answer<Response> (*)(const Services&, const Request&, RepoType);
    for_each_type([&](RepoType type, const std::string& prefix) {
        const auto bind = [&services, type](Handle handle) {
            return [&services, type, handle](const Request& request) {
                return handle(services, request, type);
            };
        };
        const std::string web = prefix + "{org}/{repo}/";
        routes.post(web + "ask-access", bind(&ask_for_people));
        routes.get(web + "user-access-report", bind(&report));
        const std::string api =
            "/api/" + std::string(render_plural(type)) + "/{org}/{repo}/user-access-request/";
        routes.post(api + "handle", bind(&handle));
        routes.post(api + "grant", bind(&grant));
        routes.post(api + "cancel", bind(&cancel));
        routes.get(api + "{state}", bind(&list));
    });
}

} // namespace locara::hub
