#include "place.hpp"

#include <algorithm>

namespace locara::hub {
namespace {

/// Whether a revision is a ref, by its full name or without what it begins with.
bool is_ref(const GitRepo& git, const std::string& revision) {
    std::vector<std::string> names = {"refs/heads/" + revision, "refs/tags/" + revision};
    for (const char* const kind : {"refs/heads/", "refs/pr/", "refs/tags/"}) {
        if (revision.rfind(kind, 0) == 0) {
            names.push_back(revision);
        }
    }
    return std::any_of(names.begin(), names.end(), [&git](const std::string& name) {
        const auto found = git.find_ref(name);
        return found && *found;
    });
}

/// How many segments of a path, from `at` on, make up its revision.
std::size_t
revision_length(const GitRepo& git, const std::vector<std::string>& segments, std::size_t at) {
    if (git.commit(segments[at])) {
        return 1; // The whole id of a commit that is here.
    }
    std::size_t used = 1;
    std::string candidate = segments[at];
    for (std::size_t i = at + 1; i < segments.size(); ++i) {
        candidate += "/" + segments[i];
        used = is_ref(git, candidate) ? i - at + 1 : used;
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

Answer<Place> place_in(const Repo& repo, GitRepo git, const std::string& revision) {
    auto commit = git.resolve(revision);
    if (!commit && commit.error().code() == ErrorCode::NotFound) {
        return no_such_revision(revision);
    }
    if (!commit) {
        return std::move(commit).error();
    }
    const bool pinned = *commit == revision;
    return Place{repo, std::move(git), std::move(*commit), "", revision, pinned};
}

} // namespace

Answer<Place> open_place(const Services& services, const Repo& repo, const std::string& revision) {
    LOCARA_TRY(GitRepo git, GitRepo::open(services.folder_of(repo)));
    return place_in(repo, std::move(git), revision);
}

Answer<Place> locate(const Services& services,
                     const http::Request& request,
                     RepoType type,
                     std::size_t at,
                     Action action) {
    LOCARA_TRY(const Repo repo, find_repo(services, request, type, action));
    return locate_in(services, request, repo, at);
}

Answer<Place> locate_in(const Services& services,
                        const http::Request& request,
                        const Repo& repo,
                        std::size_t at) {
    LOCARA_TRY(GitRepo git, GitRepo::open(services.folder_of(repo)));
    const auto& segments = request.segments;
    if (segments.size() <= at) {
        return place_in(repo, std::move(git), "main");
    }
    const std::size_t used = revision_length(git, segments, at);
    LOCARA_TRY(Place place, place_in(repo, std::move(git), join(segments, at, at + used)));
    place.path = join(segments, at + used, segments.size());
    return place;
}

std::string branch_ref(const std::string& revision) {
    constexpr std::string_view kHeads = "refs/heads/";
    return revision.rfind(kHeads, 0) == 0 ? revision : std::string(kHeads) + revision;
}

} // namespace locara::hub
