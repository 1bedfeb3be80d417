#include "resolve.hpp"

#include <locara/base/percent.hpp>

#include <algorithm>

namespace locara::hf {

namespace {

bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
}

/// For messages: control characters replaced, cut to a length that fits a line.
std::string shown(std::string_view text) {
    std::string copy(text.substr(0, 120));
    std::replace_if(
        copy.begin(),
        copy.end(),
        [](char c) {
            return has_control({&c, 1});
        },
        '?');
    return copy;
}

bool is_repo_part(std::string_view part) {
    return !part.empty() && part.size() <= kMaxRepoPartBytes &&
           (is_alnum(part.front()) || part.front() == '_') &&
           part.find("..") == std::string_view::npos &&
           std::all_of(part.begin(), part.end(), [](char c) {
               return is_alnum(c) || c == '.' || c == '_' || c == '-';
           });
}

bool is_repo(std::string_view repo) {
    const std::size_t slash = repo.find('/');
    return slash != std::string_view::npos && is_repo_part(repo.substr(0, slash)) &&
           is_repo_part(repo.substr(slash + 1));
}

bool is_path(std::string_view path) {
    if (path.empty() || path.size() > kMaxPathBytes || has_control(path)) {
        return false;
    }
    while (true) {
        const std::size_t slash = path.find('/');
        const std::string_view segment = path.substr(0, slash);
        if (segment.empty() || segment == "." || segment == "..") {
            return false;
        }
        if (slash == std::string_view::npos) {
            return true;
        }
        path.remove_prefix(slash + 1);
    }
}

Status check_repo(std::string_view repo) {
    if (is_repo(repo)) {
        return {};
    }
    return Error(ErrorCode::InvalidArgument,
                 "'" + shown(repo) +
                     "' is not a repository: it must be org/name, of letters, "
                     "digits and . _ -, each at most 96 characters");
}

Status check_revision(std::string_view revision) {
    if (!revision.empty() && revision.size() <= kMaxRevisionBytes && !has_control(revision) &&
        revision.find("..") == std::string_view::npos) {
        return {};
    }
    return Error(ErrorCode::InvalidArgument,
                 "'" + shown(revision) + "' is not a revision: give a commit, branch or tag");
}

} // namespace

bool is_commit(std::string_view revision) {
    constexpr std::size_t kCommitDigits = 40;
    return revision.size() == kCommitDigits &&
           std::all_of(revision.begin(), revision.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

Status check_path(std::string_view path) {
    if (is_path(path)) {
        return {};
    }
    return Error(ErrorCode::InvalidArgument,
                 "'" + shown(path) +
                     "' is not a path inside a repository: it must be relative, at most 1024 "
                     "bytes, without empty parts, '.', '..' and control characters");
}

Result<std::string> make_resolve_url(std::string_view endpoint,
                                     std::string_view repo,
                                     std::string_view revision,
                                     std::string_view path) {
    LOCARA_CHECK(check_repo(repo));
    LOCARA_CHECK(check_revision(revision));
    LOCARA_CHECK(check_path(path));
    return std::string(endpoint) + "/" + std::string(repo) + "/resolve/" +
           percent_encode(revision) + "/" + percent_encode(path, "/");
}

Result<std::string> make_api_url(std::string_view endpoint,
                                 std::string_view plural,
                                 std::string_view repo,
                                 std::string_view call,
                                 std::string_view revision) {
    LOCARA_CHECK(check_repo(repo));
    std::string url = std::string(endpoint) + "/api/" + std::string(plural) + "/" +
                      std::string(repo) + "/" + std::string(call);
    if (!revision.empty()) {
        LOCARA_CHECK(check_revision(revision));
        url += "/" + percent_encode(revision);
    }
    return url;
}

} // namespace locara::hf
