// The file `database` of a data folder (database_choice.hpp), as the hub reads it.
#pragma once

#include <locara/base/result.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace locara::hub {

inline constexpr const char* kDatabaseFile = "database";

/// The address in the file; nothing if there is no file. InvalidArgument when it holds no address.
Result<std::optional<std::string>> find_database_url(const std::filesystem::path& data);

} // namespace locara::hub
