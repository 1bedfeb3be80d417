// The schema of the hub's database, as the changes that lead from each version to the next. All
// tables of all classes stand here, in one order; a released version is never changed, the next
// change makes the next one. docs/formats/hub-database.md describes the tables.
#pragma once

#include <span>

namespace locara::hub {

struct SchemaTable {
    enum class Keys { None, Given };

    const char* name;
    Keys keys = Keys::None; ///< Whether its column `key` is a {key}.
};

/// All tables of the last version; what a table refers to stands before it.
std::span<const SchemaTable> schema_tables();

/// Each version's statements; the first makes version 1. Plain SQL, but for words that databases
/// write differently:
///
/// | | |
/// | --- | --- |
/// | {key} | the primary key of a table, whole numbers given out once and never again |
/// | {text} | text, compared byte by byte |
/// | {name} | text, compared without regard to the case of A to Z |
/// | {compact} | at the end of a table with a primary key of its own: no rows beside that key |
///
/// Whole numbers are INTEGER (32 bits) or BIGINT; what refers to a {key} is a BIGINT.
std::span<const std::span<const char* const>> schema_versions();

} // namespace locara::hub
