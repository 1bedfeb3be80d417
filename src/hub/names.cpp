#include "names.hpp"

#include <locara/base/ascii.hpp>

#include <algorithm>
#include <array>

namespace locara::hub {
namespace {

constexpr std::array kTypes = {
    RepoType::Model, RepoType::Dataset, RepoType::Space, RepoType::Bucket};

} // namespace

Visibility visibility_of(Origin origin) {
    return origin == Origin::UpstreamGated || origin == Origin::UpstreamPrivate
               ? Visibility::Private
               : Visibility::Public;
}

std::string_view render(RepoType type) {
    switch (type) {
    case RepoType::Model:
        return "model";
    case RepoType::Dataset:
        return "dataset";
    case RepoType::Space:
        return "space";
    case RepoType::Bucket:
        return "bucket";
    }
    return "model";
}

std::string_view render_plural(RepoType type) {
    switch (type) {
    case RepoType::Model:
        return "models";
    case RepoType::Dataset:
        return "datasets";
    case RepoType::Space:
        return "spaces";
    case RepoType::Bucket:
        return "buckets";
    }
    return "models";
}

std::optional<RepoType> parse_repo_type(std::string_view text) {
    if (text == "app") {
        return RepoType::Space;
    }
    for (const RepoType type : kTypes) {
        if (render(type) == text) {
            return type;
        }
    }
    return std::nullopt;
}

std::string_view web_prefix(RepoType type) {
    switch (type) {
    case RepoType::Model:
        return "";
    case RepoType::Dataset:
        return "datasets/";
    case RepoType::Space:
        return "spaces/";
    case RepoType::Bucket:
        return "buckets/";
    }
    return "";
}

bool is_repo_part(std::string_view text) {
    const auto word = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    return !text.empty() && text.size() <= 96 && word(text.front()) && word(text.back()) &&
           text.find("..") == std::string_view::npos &&
           !(text.size() > 4 && text.substr(text.size() - 4) == ".git") &&
           std::all_of(text.begin(), text.end(), [&word](char c) {
               return word(c) || c == '-' || c == '_' || c == '.';
           });
}

std::optional<RepoId> RepoId::parse(RepoType type, std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos || !is_repo_part(text.substr(0, slash)) ||
        !is_repo_part(text.substr(slash + 1))) {
        return std::nullopt;
    }
    return RepoId{type, std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
}

std::optional<RepoId> RepoId::parse_web(std::string_view text) {
    for (const RepoType type : {RepoType::Dataset, RepoType::Space, RepoType::Bucket}) {
        const std::string_view prefix = web_prefix(type);
        if (text.starts_with(prefix)) {
            return parse(type, text.substr(prefix.size()));
        }
    }
    return parse(RepoType::Model, text);
}

std::string RepoId::render() const {
    return space + "/" + name;
}

std::string RepoId::render_web() const {
    return std::string(web_prefix(type)) + render();
}

bool is_reserved_space(std::string_view text) {
    constexpr std::string_view kReserved[] = {"api",
                                              "avatars",
                                              "buckets",
                                              "cas",
                                              "catalog",
                                              "collections",
                                              "datasets",
                                              "kernels",
                                              "models",
                                              "oauth",
                                              "spaces",
                                              "v2"};
    return std::find(std::begin(kReserved), std::end(kReserved), ascii_lower(text)) !=
           std::end(kReserved);
}

namespace {

/// Whether the page of a namespace would be behind one of the hub's own, or, of "me", the
/// namespace behind whoever asks. Upstream's of such names can be mirrored all the same.
bool is_hidden_space(std::string_view text) {
    constexpr std::string_view kHidden[] = {
        "device", "healthz", "login", "logout", "me", "metrics", "openapi.json", "version"};
    return std::find(std::begin(kHidden), std::end(kHidden), ascii_lower(text)) !=
           std::end(kHidden);
}

} // namespace

Status check_space(const std::string& name) {
    if (!is_repo_part(name) || is_reserved_space(name) || is_hidden_space(name)) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + name +
                         "' cannot be a namespace: letters, digits, '-', '_' and '.' make a name, "
                         "at most 96, and names such as 'api' or 'datasets' are the hub's own");
    }
    return {};
}

} // namespace locara::hub
