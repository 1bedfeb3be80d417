// The file `database` of a data folder (database_choice.hpp), as the hub reads it.
#pragma once

#include <locara/base/result.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace locara::hub {

class Database;

inline constexpr const char* kDatabaseFile = "database";
/// In a data folder whose names are in PostgreSQL: 24 hex digits, which the database has too.
inline constexpr const char* kHubIdFile = "hub-id";

/// The address in the file; nothing if there is no file. InvalidArgument when it holds no address.
Result<std::optional<std::string>> find_database_url(const std::filesystem::path& data);

/// Sees that a folder and a PostgreSQL database belong together, by the id that both have: one of a
/// folder without is made, and a database without takes that of the folder. Conflict when they
/// differ, or the database has one and the folder none: it is another folder's.
Status pair_with(const std::filesystem::path& data, Database& database);

} // namespace locara::hub
