// Who may see and change collections, and what stands on them: as the API and the pages ask it.
#pragma once

#include "access.hpp"
#include "collections.hpp"

#include <optional>

namespace locara::hub {

/// A collection is as visible, and as much its namespace's, as a repository would be.
bool may(const Caller& caller, const Collection& collection, Action action);

/// The repository of an item, if it is one that the caller may see; also one that this hub mirrors
/// and upstream shows to everybody.
Result<std::optional<Repo>>
find_target(const Services& services, const Caller& caller, const CollectionItem& item);

} // namespace locara::hub
