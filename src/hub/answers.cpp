#include "answers.hpp"

#include "lfs_json.hpp"

#include <locara/base/percent.hpp>

#include <algorithm>
#include <charconv>

namespace locara::hub {
namespace {

/// Header values are ASCII without line breaks.
std::string to_ascii(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    return text;
}

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Whether a text anywhere in it, or a key, holds a NUL.
bool has_nul(const Json& json) {
    if (json.is_string()) {
        return json.get_ref<const std::string&>().find('\0') != std::string::npos;
    }
    for (auto at = json.begin(); json.is_structured() && at != json.end(); ++at) {
        if (has_nul(*at) || (json.is_object() && at.key().find('\0') != std::string::npos)) {
            return true;
        }
    }
    return false;
}

/// What strangers are told of a failure that is the hub's own.
std::string_view words_of(const Error& ours) {
    return ours.code() == ErrorCode::NoSpace ? "this hub has no space left"
                                             : "something went wrong on this hub";
}

} // namespace

http::Response render_refusal(const Refusal& refusal, const http::Request& request, Log& log) {
    std::string message = refusal.message;
    if (refusal.status >= 500 && refusal.cause) {
        log.error("hub",
                  "request_failed",
                  {{"request", request.id}, {"error", refusal.cause->describe()}});
        message = std::string(words_of(*refusal.cause)) + "; its log has request " + request.id;
    }
    Json body = {{"error", message}};
    std::string type = "application/json; charset=utf-8";
    if (is_lfs(request)) {
        body["message"] = message;
        type = kLfsJson;
    }
    http::Response response = http::json_response(refusal.status, dump(body));
    response.headers = refusal.headers;
    response.headers.add("Content-Type", type);
    if (!refusal.code.empty()) {
        response.headers.add("X-Error-Code", refusal.code);
    }
    response.headers.add("X-Error-Message", to_ascii(std::move(message)));
    return response;
}

Refusal no_such_repo() {
    return {404, "RepoNotFound", "Repository not found"};
}

Refusal no_such_revision(std::string_view revision) {
    return {404, "RevisionNotFound", "Invalid rev id: " + std::string(revision)};
}

Refusal no_such_entry(const std::string& commit, const std::string& message) {
    Refusal refusal(404, "EntryNotFound", message);
    if (!commit.empty()) {                            // A bucket has none.
        refusal.headers.add("X-Repo-Commit", commit); // Clients cache the miss by it.
    }
    return refusal;
}

http::Response json_answer(const Json& json) {
    return http::json_response(200, dump(json));
}

bool is_form(const http::Request& request) {
    constexpr std::string_view kForm = "application/x-www-form-urlencoded";
    return request.headers.find("Content-Type").value_or("").substr(0, kForm.size()) == kForm;
}

Answer<Json> parse_object(const http::Request& request) {
    auto json = parse_json(request.body);
    if (!json) {
        return bad_request("the body is no JSON: " + json.error().describe());
    }
    if (!json->is_object()) {
        return bad_request("the body must be a JSON object");
    }
    if (has_nul(*json)) { // A database may end a text there.
        return bad_request("a text in the body holds a NUL (\\u0000), which none may");
    }
    return std::move(*json);
}

std::string render_date(TimePoint time) {
    std::string text = render_time(time);
    text.insert(text.size() - 1, ".000");
    return text;
}

bool is_secure(const http::Request& request) {
    return request.headers.find(kForwardedScheme).value_or("") == "https";
}

std::string endpoint(const http::Request& request) {
    const std::string_view host = request.headers.find("Host").value_or("");
    const bool plain =
        !host.empty() && host.find_first_not_of("abcdefghijklmnopqrstuvwxyz"
                                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                "0123456789.-:[]") == std::string_view::npos;
    return (is_secure(request) ? "https://" : "http://") +
           (plain ? std::string(host) : "localhost");
}

std::optional<std::size_t> number(const http::Request& request, std::string_view key) {
    const auto text = request.query.find(key);
    std::size_t value = 0;
    if (!text) {
        return std::nullopt;
    }
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    return error == std::errc() && end == text->data() + text->size() ? std::optional(value)
                                                                      : std::nullopt;
}

std::string next_page(const http::Request& request, std::size_t limit, std::size_t cursor) {
    std::string link = "<" + endpoint(request) + request.path + "?";
    for (const auto& [key, value] : request.query.fields()) {
        if (key != "cursor" && key != "limit") {
            link += percent_encode(key) + "=" + percent_encode(value) + "&";
        }
    }
    return link + "limit=" + std::to_string(limit) + "&cursor=" + std::to_string(cursor) +
           ">; rel=\"next\"";
}

} // namespace locara::hub
