// Every repository of a hub, for who goes through all of them.
#pragma once

#include "names.hpp"

#include <vector>

namespace locara::hub {

/// Of all types, in the order in which they were made; mirrored ones too.
Result<std::vector<Repo>> list_all_repos(const Names& names);

} // namespace locara::hub
