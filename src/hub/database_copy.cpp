#include "database.hpp"
#include "dialect.hpp"
#include "schema.hpp"

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

/// "a, b, c", each made of a column by `render`.
template <class Render> std::string list(const std::vector<std::string>& columns, Render render) {
    std::string out;
    for (const std::string& column : columns) {
        out += (out.empty() ? "" : ", ") + render(column);
    }
    return out;
}

/// Copies the rows of a table, each value as text: both sides make of it what the column is.
void copy_rows(soci::session& from,
               soci::session& to,
               const std::string& table,
               const std::vector<std::string>& columns) {
    const std::size_t count = columns.size();
    std::vector<std::string> values(count);
    std::vector<soci::indicator> present(count, soci::i_ok);

    soci::statement read(from);
    soci::statement write(to);
    for (std::size_t i = 0; i < count; ++i) {
        read.exchange(into(values[i], present[i]));
        write.exchange(use(values[i], present[i], columns[i]));
    }
    read.alloc();
    read.prepare("SELECT " +
                 list(columns, [](const auto& name) { return "CAST(" + name + " AS TEXT)"; }) +
                 " FROM " + table);
    read.define_and_bind();
    write.alloc();
    write.prepare("INSERT INTO " + table + " (" +
                  list(columns, [](const auto& name) { return name; }) + ") VALUES (" +
                  list(columns, [](const auto& name) { return ":" + name; }) + ")");
    write.define_and_bind();
    read.execute();
    while (read.fetch()) {
        write.execute(true);
    }
}

long long count_rows(soci::session& sql, const std::string& table) {
    long long count = 0;
    sql << "SELECT COUNT(*) FROM " + table, into(count);
    return count;
}

} // namespace

Status Database::copy_to(Database& other) {
    return transact([&](soci::session& from) -> Status {
        return other.transact([&](soci::session& to) -> Status {
            for (const SchemaTable& table : schema_tables()) {
                if (count_rows(to, table.name) != 0) {
                    return Error(ErrorCode::Conflict,
                                 "the hub's database is not empty: it has rows in the table " +
                                     std::string(table.name));
                }
                copy_rows(from, to, table.name, dialect_->columns(from, table.name));
                if (table.keys == SchemaTable::Keys::Given) {
                    other.dialect_->set_last_key(
                        to, table.name, dialect_->last_key(from, table.name));
                }
            }
            return {};
        });
    });
}

Result<std::vector<TableSize>> Database::sizes() {
    return transact([](soci::session& sql) -> Result<std::vector<TableSize>> {
        std::vector<TableSize> sizes;
        for (const SchemaTable& table : schema_tables()) {
            const long long rows = count_rows(sql, table.name);
            sizes.push_back({table.name, static_cast<std::uint64_t>(rows)});
        }
        return sizes;
    });
}

Result<std::vector<std::string>> Database::check() {
    return transact([&](soci::session& sql) -> Result<std::vector<std::string>> {
        std::vector<std::string> wrong = dialect_->check(sql);
        for (const SchemaTable& table : schema_tables()) {
            // Reads every value, which is how a damaged page shows.
            const std::string all =
                list(dialect_->columns(sql, table.name), [](const std::string& name) {
                    return "MAX(LENGTH(CAST(" + name + " AS TEXT)))";
                });
            soci::row row;
            sql << "SELECT " + all + " FROM " + table.name, into(row);
        }
        return wrong;
    });
}

} // namespace locara::hub
