// Where in a repository a request points to: the repository, the commit of its revision, the path.
#pragma once

#include "access.hpp"

#include <locara/hub/git_repo.hpp>

#include <string>

namespace locara::hub {

/// An open repository and the commit that a request is about.
struct Place {
    Repo repo;
    GitRepo git;
    std::string commit;
    std::string path;     ///< What follows the revision, "" for nothing.
    std::string revision; ///< As the request has it.
    bool pinned = false;  ///< The revision was the commit itself, so the answer never changes.
};

/// Opens a repository at a revision.
Answer<Place> open_place(const Services& services, const Repo& repo, const std::string& revision);

/// The place of a request whose revision is the segment `at`, or, when its slashes came unencoded,
/// the longest known ref that the path begins with; a commit of the repository by its whole id
/// always is one. Without that segment: main. For a caller who
/// may do `action`.
Answer<Place> locate(const Services& services,
                     const http::Request& request,
                     RepoType type,
                     std::size_t at,
                     Action action);

/// The same in a repository that the caller may do it to.
Answer<Place>
locate_in(const Services& services, const http::Request& request, const Repo& repo, std::size_t at);

/// The branch that a revision is, "refs/heads/x", written with or without "refs/heads/". Not looked
/// up.
std::string branch_ref(const std::string& revision);

} // namespace locara::hub
