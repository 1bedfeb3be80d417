// Repositories as they begin: their git folder with one commit, then their name.
#pragma once

#include "services.hpp"

#include <locara/hub/git_repo.hpp>

namespace locara::hub {

/// Makes the git repository with one commit of these files and notes the repository's name. The
/// repository's internal id is made here. Conflict when the name is taken; nothing is left then.
Result<Repo> create_repo(const Services& services, Repo repo, const GitSnapshot& first);

} // namespace locara::hub
