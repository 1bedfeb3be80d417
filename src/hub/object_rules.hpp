// What the hub demands of all that git brings into a repository, by push or by merge: the rules of
// pushed_objects.hpp, with the repository's large files and the gate behind them.
#pragma once

#include "pushed_objects.hpp"
#include "services.hpp"

#include <locara/hub/git_repo.hpp>

#include <string>
#include <unordered_set>
#include <vector>

namespace locara::hub {

/// The rules, with nothing judged yet. Borrows the services.
ObjectRules object_rules(const Services& services, const Repo& repo);

/// The ids of all files of these commits.
Result<std::unordered_set<std::string>> blobs_of(const GitRepo& git,
                                                 const std::vector<std::string>& commits);

} // namespace locara::hub
