// Where a data folder's names are: in names.db there (SQLite), which is what happens by itself, or
// in the PostgreSQL database that the file `database` of the folder names.
//
// Threads and processes: one at a time, before a hub serves the folder for the first time.
#pragma once

#include <locara/base/result.hpp>

#include <filesystem>
#include <string>

namespace locara::hub {

/// Notes that the names of this data folder (made if it is not there) are in the database of this
/// address, after connecting to it and making its tables. Saying the same again changes nothing.
///
/// `url` is libpq's: postgresql://[user@]host[:port]/name[?options]. It may hold a password, and
/// the file is 0600; better is a password that libpq finds by itself (~/.pgpass). No error has it.
/// Errors: InvalidArgument (no such address), Conflict (the folder's names are elsewhere already,
/// or the database is another hub's), those of opening a Database.
Status choose_database(const std::filesystem::path& data, const std::string& url);

} // namespace locara::hub
