#include "collections.hpp"

#include "database.hpp"
#include "names_rows.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/secret.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using soci::into;
using soci::use;

constexpr std::size_t kIdDigits = 24;
constexpr std::size_t kSlugBytes = 80;

struct Row {
    long long key = 0;
    std::string id, space, title, description, theme;
    int is_private = 0;
    long long updated = 0;

    Collection take() const {
        Collection collection;
        collection.key = key;
        collection.id = id;
        collection.space = space;
        collection.title = title;
        collection.description = description;
        collection.theme = theme;
        collection.visibility = is_private != 0 ? Visibility::Private : Visibility::Public;
        collection.updated = time_of(updated);
        return collection;
    }
};

constexpr const char* kColumns = "key, id, space, title, description, theme, private, updated";

soci::details::prepare_temp_type into_row(soci::details::prepare_temp_type statement, Row& row) {
    return (std::move(statement),
            into(row.key),
            into(row.id),
            into(row.space),
            into(row.title),
            into(row.description),
            into(row.theme),
            into(row.is_private),
            into(row.updated));
}

std::vector<CollectionItem> read_items(soci::session& sql, long long collection) {
    CollectionItem item;
    soci::statement statement =
        (sql.prepare << "SELECT id, type, target, note FROM collection_items"
                        " WHERE collection = :c ORDER BY position",
         use(collection),
         into(item.id),
         into(item.type),
         into(item.target),
         into(item.note));
    statement.execute();
    std::vector<CollectionItem> items;
    while (statement.fetch()) {
        item.position = items.size();
        items.push_back(item);
    }
    return items;
}

/// Writes the items in their order; those that were there before are replaced.
void write_items(soci::session& sql,
                 long long collection,
                 const std::vector<CollectionItem>& items,
                 TimePoint now) {
    sql << "DELETE FROM collection_items WHERE collection = :c", use(collection);
    for (std::size_t i = 0; i < items.size(); ++i) {
        const auto position = static_cast<int>(i);
        const CollectionItem& item = items[i];
        sql << "INSERT INTO collection_items (collection, id, type, target, note, position)"
               " VALUES (:c, :i, :t, :g, :n, :p)",
            use(collection), use(item.id), use(item.type), use(item.target), use(item.note),
            use(position);
    }
    const long long updated = seconds(now);
    sql << "UPDATE collections SET updated = :u WHERE key = :k", use(updated), use(collection);
}

Error no_such_item(const std::string& id) {
    return {ErrorCode::NotFound, "the collection has no item " + id};
}

auto find_item(std::vector<CollectionItem>& items, const std::string& id) {
    return std::find_if(
        items.begin(), items.end(), [&id](const CollectionItem& item) { return item.id == id; });
}

} // namespace

std::string Collection::slug() const {
    std::string words;
    for (const char c : ascii_lower(title)) {
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            words += c;
        } else if (!words.empty() && words.back() != '-') {
            words += '-';
        }
    }
    words.resize(std::min(words.size(), kSlugBytes));
    if (!words.empty() && words.back() != '-') {
        words += '-';
    }
    return space + "/" + words + id;
}

Result<Collection> Collections::add(const Collection& collection) {
    const std::string id = random_hex(kIdDigits / 2);
    LOCARA_CHECK(database_->with([&](soci::session& sql) -> Status {
        const int is_private = collection.visibility == Visibility::Private ? 1 : 0;
        const long long updated = seconds(collection.updated);
        sql << "INSERT INTO collections (id, space, title, description, theme, private, updated)"
               " VALUES (:i, :s, :t, :d, :h, :p, :u)",
            use(id), use(collection.space), use(collection.title), use(collection.description),
            use(collection.theme), use(is_private), use(updated);
        return {};
    }));
    LOCARA_TRY(auto made, find(id));
    if (!made) {
        return Error(ErrorCode::Conflict, "the collection was removed while it was made");
    }
    return std::move(*made);
}

Result<std::optional<Collection>> Collections::find(std::string_view slug) const {
    if (slug.size() < kIdDigits) {
        return std::optional<Collection>();
    }
    const std::string id(slug.substr(slug.size() - kIdDigits));
    return database_->with([&](soci::session& sql) -> Result<std::optional<Collection>> {
        Row row;
        soci::statement statement = into_row(
            (sql.prepare << "SELECT " << kColumns << " FROM collections WHERE id = :i", use(id)),
            row);
        return statement.execute(true) ? std::optional(row.take()) : std::nullopt;
    });
}

Result<std::optional<Collection>> Collections::find_titled(const std::string& space,
                                                           const std::string& title) const {
    return database_->with([&](soci::session& sql) -> Result<std::optional<Collection>> {
        Row row;
        soci::statement statement =
            into_row((sql.prepare << "SELECT " << kColumns
                                  << " FROM collections WHERE space = :s AND title = :t",
                      use(space),
                      use(title)),
                     row);
        return statement.execute(true) ? std::optional(row.take()) : std::nullopt;
    });
}

Result<std::vector<Collection>> Collections::list() const {
    return database_->with([&](soci::session& sql) -> Result<std::vector<Collection>> {
        Row row;
        soci::statement statement =
            into_row((sql.prepare << "SELECT " << kColumns
                                  << " FROM collections ORDER BY updated DESC, key DESC"),
                     row);
        statement.execute();
        std::vector<Collection> all;
        while (statement.fetch()) {
            all.push_back(row.take());
        }
        return all;
    });
}

Status Collections::update(const Collection& collection) {
    return database_->with([&](soci::session& sql) -> Status {
        const int is_private = collection.visibility == Visibility::Private ? 1 : 0;
        const long long updated = seconds(collection.updated);
        const long long key = collection.key;
        sql << "UPDATE collections SET title = :t, description = :d, theme = :h, private = :p,"
               " updated = :u WHERE key = :k",
            use(collection.title), use(collection.description), use(collection.theme),
            use(is_private), use(updated), use(key);
        return {};
    });
}

Status Collections::remove(const Collection& collection) {
    return database_->with([&](soci::session& sql) -> Status {
        const long long key = collection.key;
        sql << "DELETE FROM collections WHERE key = :k", use(key);
        return {};
    });
}

Result<std::vector<CollectionItem>> Collections::items(const Collection& collection) const {
    return database_->with([&](soci::session& sql) -> Result<std::vector<CollectionItem>> {
        return read_items(sql, collection.key);
    });
}

Status
Collections::add_item(const Collection& collection, const CollectionItem& item, TimePoint now) {
    return database_->transact([&](soci::session& sql) -> Status {
        auto items = read_items(sql, collection.key);
        if (items.size() >= kCollectionItems) {
            return Error(ErrorCode::TooLarge,
                         "a collection has at most " + std::to_string(kCollectionItems) + " items");
        }
        const bool there =
            std::any_of(items.begin(), items.end(), [&item](const CollectionItem& other) {
                return other.type == item.type && other.target == item.target;
            });
        if (there) {
            return Error(ErrorCode::Conflict, item.target + " is in the collection already");
        }
        items.push_back(item);
        items.back().id = random_hex(kIdDigits / 2);
        write_items(sql, collection.key, items, now);
        return {};
    });
}

Status Collections::change_item(const Collection& collection,
                                const std::string& id,
                                const std::optional<std::string>& note,
                                std::optional<std::size_t> position,
                                TimePoint now) {
    return database_->transact([&](soci::session& sql) -> Status {
        auto items = read_items(sql, collection.key);
        const auto found = find_item(items, id);
        if (found == items.end()) {
            return no_such_item(id);
        }
        CollectionItem item = *found;
        item.note = note.value_or(item.note);
        const std::size_t before = item.position;
        items.erase(found);
        const std::size_t to = std::min(position.value_or(before), items.size());
        items.insert(items.begin() + static_cast<std::ptrdiff_t>(to), std::move(item));
        write_items(sql, collection.key, items, now);
        return {};
    });
}

Status
Collections::remove_item(const Collection& collection, const std::string& id, TimePoint now) {
    return database_->transact([&](soci::session& sql) -> Status {
        auto items = read_items(sql, collection.key);
        const auto found = find_item(items, id);
        if (found == items.end()) {
            return no_such_item(id);
        }
        items.erase(found);
        write_items(sql, collection.key, items, now);
        return {};
    });
}

} // namespace locara::hub
