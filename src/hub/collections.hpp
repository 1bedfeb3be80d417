// Collections: shelves of a namespace, lists of repositories and of other collections with notes.
//
// No HTTP in here. Threads, processes, and errors besides those named: as Database.
#pragma once

#include "names.hpp"

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

inline constexpr std::size_t kCollectionItems = 1000;

struct Collection {
    std::int64_t key = 0;    ///< In this database only.
    std::string id;          ///< 24 hex digits for good.
    std::string space;       ///< The namespace it belongs to.
    std::string title;       ///< 1 to 250 bytes.
    std::string description; ///< At most 4 KiB.
    std::string theme;       ///< A colour, for pages.
    Visibility visibility = Visibility::Public;
    TimePoint updated; ///< It or its items.

    /// "ana/small-models-0123456789abcdef01234567"; changes with the title, but for the id at its
    /// end, which is what it is found by.
    std::string slug() const;
};

struct CollectionItem {
    std::string id;           ///< 24 hex digits, of this item of this collection.
    std::string type;         ///< "model", "dataset", "space", "bucket", "collection".
    std::string target;       ///< "namespace/name"; of a collection its id.
    std::string note;         ///< At most 4 KiB.
    std::size_t position = 0; ///< 0, 1, 2, ... without gaps.
};

class Collections {
  public:
    explicit Collections(std::shared_ptr<Database> database) : database_(std::move(database)) {}

    /// Takes one without key and id. Conflict when its namespace has one with this title.
    Result<Collection> add(const Collection& collection);

    /// By the id at the end of a slug, whatever stands before it.
    Result<std::optional<Collection>> find(std::string_view slug) const;
    Result<std::optional<Collection>> find_titled(const std::string& space,
                                                  const std::string& title) const;

    /// All, the one changed last first.
    Result<std::vector<Collection>> list() const;

    /// Title, description, theme, visibility and `updated`. Conflict as for add.
    Status update(const Collection& collection);
    Status remove(const Collection& collection);

    /// By position.
    Result<std::vector<CollectionItem>> items(const Collection& collection) const;

    /// Adds one without id at the end. Conflict when it is in there; TooLarge when there are
    /// kCollectionItems.
    Status add_item(const Collection& collection, const CollectionItem& item, TimePoint now);

    /// Changes an item's note, and its position, if given; the others move up or down. NotFound.
    Status change_item(const Collection& collection,
                       const std::string& id,
                       const std::optional<std::string>& note,
                       std::optional<std::size_t> position,
                       TimePoint now);

    /// NotFound.
    Status remove_item(const Collection& collection, const std::string& id, TimePoint now);

  private:
    std::shared_ptr<Database> database_;
};

} // namespace locara::hub
