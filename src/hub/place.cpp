#include "place.hpp"

#include <algorithm>

namespace locara::hub {
namespace {

/// How many segments of a path, from `at` on, make up its revision.
std::size_t
revision_length(const GitRepo& git, const std::vector<std::string>& segments, std::size_t at) {
    const auto refs = git.refs();
    std::size_t used = 1;
    std::string candidate = segments[at];
    for (std::size_t i = at + 1; refs && i < segments.size(); ++i) {
        candidate += "/" + segments[i];
        const bool known = std::any_of(refs->begin(), refs->end(), [&candidate](const GitRef& ref) {
            return ref.name == candidate || ref.name == "refs/heads/" + candidate ||
                   ref.name == "refs/tags/" + candidate;
        });
        used = known ? i - at + 1 : used;
    }
    return used;
}

std::string join(const std::vector<std::string>& segments, std::size_t begin, std::size_t end) {
    std::string text;
    for (std::size_t i = begin; i < end; ++i) {
        text += (i == begin ? "" : "/") + segments[i];
    }
    return text;
}

} // namespace

Answer<Place> open_place(const Services& services, const Repo& repo, const std::string& revision) {
    LOCARA_TRY(GitRepo git, GitRepo::open(services.folder_of(repo)));
    auto commit = git.resolve(revision);
    if (!commit) {
        return no_such_revision(revision);
    }
    const bool pinned = *commit == revision;
    return Place{repo, std::move(git), std::move(*commit), "", pinned};
}

Answer<Place> locate(const Services& services,
                     const http::Request& request,
                     RepoType type,
                     std::size_t at,
                     Action action) {
    LOCARA_TRY(const Repo repo, find_repo(services, request, type, action));
    const auto& segments = request.segments;
    if (segments.size() <= at) {
        return open_place(services, repo, "main");
    }
    std::size_t used = 1;
    if (segments.size() > at + 1) {
        LOCARA_TRY(const GitRepo git, GitRepo::open(services.folder_of(repo)));
        used = revision_length(git, segments, at);
    }
    LOCARA_TRY(Place place, open_place(services, repo, join(segments, at, at + used)));
    place.path = join(segments, at + used, segments.size());
    return place;
}

std::string branch_ref(const std::string& revision) {
    constexpr std::string_view kHeads = "refs/heads/";
    return revision.rfind(kHeads, 0) == 0 ? revision : std::string(kHeads) + revision;
}

} // namespace locara::hub
