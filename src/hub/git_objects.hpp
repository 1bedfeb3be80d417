// The objects of a git repository, whatever names them.
#pragma once

#include <locara/base/result.hpp>

#include <filesystem>
#include <functional>
#include <string>

namespace locara::hub {

/// Calls `take` with the id of every object that the repository has, of any kind, in no order.
/// Io, also if there is none.
Status for_each_object(const std::filesystem::path& repository,
                       const std::function<void(const std::string& oid)>& take);

} // namespace locara::hub
