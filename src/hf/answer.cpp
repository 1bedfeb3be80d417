#include "answer.hpp"

#include <locara/base/json.hpp>

#include <algorithm>
#include <charconv>

namespace locara::hf {

namespace {

/// What the server says about an error, in one line; may be empty.
std::string words_of(const http::ResponseHead& head, std::string_view body) {
    if (const auto message = head.headers.find("X-Error-Message")) {
        return printable(*message);
    }
    const auto json = parse_json(body);
    if (json && json->is_object()) {
        for (const char* key : {"error", "message", "detail"}) {
            if (json->contains(key) && (*json)[key].is_string()) {
                return printable((*json)[key].get_ref<const std::string&>());
            }
        }
    }
    return {};
}

const std::string kSetToken = "set HF_TOKEN (LOCARA_TOKEN for a hub of your own)";

Error not_found(const std::string& code, const Asked& asked) {
    if (code == "RepoNotFound") {
        return Error(ErrorCode::NotFound,
                     "there is no repository " + asked.repo + " at " + asked.endpoint +
                         (asked.with_token
                              ? " that this token may read; check the name and the token's rights"
                              : "; check the name, or " + kSetToken + " if it is private"));
    }
    if (code == "RevisionNotFound") {
        return Error(ErrorCode::NotFound,
                     asked.repo + " at " + asked.endpoint + " has no revision " + asked.revision +
                         "; it may have been removed: look for a newer version of the model");
    }
    return Error(ErrorCode::NotFound,
                 asked.repo + " at " + asked.endpoint + " has no file " + asked.path +
                     " in revision " + asked.revision + "; check the path");
}

Error no_access(int status, const std::string& code, const std::string& words, const Asked& asked) {
    const std::string page = asked.endpoint + "/" + asked.repo;
    if (code == "GatedRepo") {
        return status == 401
                   ? Error(ErrorCode::Unauthorized,
                           asked.repo + " asks its users to accept terms: open " + page +
                               " in a browser, accept them, and set HF_TOKEN to a token of that "
                               "account")
                   : Error(ErrorCode::Forbidden,
                           "the account of this token has no access to " + asked.repo + ": open " +
                               page +
                               " in a browser, ask for access, and pull again when it is "
                               "granted");
    }
    if (is_refused(code)) {
        return Error(ErrorCode::Refused,
                     asked.endpoint + " refuses content for " + asked.repo +
                         (words.empty() ? "" : " (" + words + ")") +
                         "; `locara scan FILE...` shows what the gate finds in it");
    }
    if (status == 401) {
        return Error(ErrorCode::Unauthorized,
                     asked.with_token
                         ? asked.endpoint + " does not accept the token" +
                               (words.empty() ? "" : " (" + words + ")") +
                               ": make a new one there and " + kSetToken
                         : asked.repo + " at " + asked.endpoint +
                               " does not exist or is private: check the name, or " + kSetToken);
    }
    return Error(ErrorCode::Forbidden,
                 asked.endpoint + " denies access to " + asked.repo +
                     (words.empty() ? "" : " (" + words + ")") +
                     ": ask its owner, or use a token with more rights");
}

} // namespace

bool is_refused(std::string_view error_code) {
    return error_code == "RefusedByGate";
}

std::string printable(std::string_view text) {
    constexpr std::size_t kMostShown = 200;
    std::string copy(text.substr(0, kMostShown));
    std::replace_if(
        copy.begin(), copy.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    return copy;
}

std::string said_in(const http::ResponseHead& head, std::string_view body) {
    const std::string words = words_of(head, body);
    return words.empty() ? std::string() : " (" + words + ")";
}

Failure failure_of(const http::ResponseHead& head, std::string_view body, const Asked& asked) {
    using Again = Failure::Again;
    const std::string words = words_of(head, body);
    const std::string code(head.headers.find("X-Error-Code").value_or(""));
    const auto origin = http::parse_origin(head.url);
    const std::string host = origin ? origin->render() : asked.endpoint;
    const std::string said = host + " answers " + std::to_string(head.status) +
                             (words.empty() ? "" : " (" + words + ")");
    switch (head.status) {
    case 400:
        return {Error(ErrorCode::InvalidArgument, said + " to " + asked.repo), Again::Never, {}};
    case 401:
    case 403:
    case 451:
        return {no_access(head.status, code, words, asked), Again::Never, {}};
    case 404:
    case 410:
        return {not_found(code, asked), Again::Never, {}};
    case 408:
        return {Error(ErrorCode::Timeout, said), Again::Later, asked_wait(head.headers)};
    case 409:
    case 412:
        return {Error(ErrorCode::Conflict, said + " for " + asked.repo), Again::Never, {}};
    case 413:
        return {Error(ErrorCode::TooLarge, said + " for " + asked.repo), Again::Never, {}};
    case 422:
        return {Error(ErrorCode::InvalidArgument, said + " for " + asked.repo), Again::Never, {}};
    case 429:
        return {Error(ErrorCode::Unavailable, said + ": too many requests"),
                Again::Later,
                asked_wait(head.headers)};
    default:
        return {Error(ErrorCode::Unavailable, said),
                head.status >= 500 ? Again::Later : Again::Never,
                asked_wait(head.headers)};
    }
}

std::optional<std::uint64_t> parse_length(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::optional<ContentRange> ContentRange::parse(std::string_view text) {
    constexpr std::string_view kUnit = "bytes ";
    const std::size_t dash = text.find('-');
    const std::size_t slash = text.find('/');
    if (!text.starts_with(kUnit) || dash == std::string_view::npos ||
        slash == std::string_view::npos || slash < dash) {
        return std::nullopt;
    }
    const auto first = parse_length(text.substr(kUnit.size(), dash - kUnit.size()));
    const auto last = parse_length(text.substr(dash + 1, slash - dash - 1));
    const auto total = parse_length(text.substr(slash + 1));
    if (!first || !last || *first > *last || (!total && text.substr(slash + 1) != "*")) {
        return std::nullopt;
    }
    return ContentRange{*first, *last, total};
}

std::string bare_etag(std::string_view etag) {
    if (etag.starts_with("W/")) {
        etag.remove_prefix(2);
    }
    if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
        etag = etag.substr(1, etag.size() - 2);
    }
    return std::string(etag);
}

Status check_commit(const http::ResponseHead& head, const Asked& asked) {
    const auto check = [&](const http::Hop& hop) -> Status {
        const auto commit = hop.headers.find("X-Repo-Commit");
        if (!commit || *commit == asked.revision) {
            return {};
        }
        return Error(ErrorCode::Corrupt,
                     asked.endpoint + " answers for " + asked.repo + " with commit " +
                         printable(*commit) + " where " + asked.revision +
                         " was asked for; nothing of it was taken");
    };
    for (const http::Hop& hop : head.redirects) {
        LOCARA_CHECK(check(hop));
    }
    return check(head);
}

} // namespace locara::hf
