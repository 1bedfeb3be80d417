#include "database.hpp"
#include "database_choice_file.hpp"
#include "layout.hpp"
#include "place_check.hpp"

#include <locara/base/file.hpp>
#include <locara/base/secret.hpp>
#include <locara/hub/database_choice.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kUrlBytes = 4096;
constexpr std::size_t kIdBytes = 64;

Status check_url(const std::string& url) {
    const bool known = url.rfind("postgresql://", 0) == 0 || url.rfind("postgres://", 0) == 0;
    const bool plain = std::all_of(url.begin(), url.end(), [](char c) {
        return static_cast<unsigned char>(c) > 0x20 && c != 0x7f;
    });
    if (!known || !plain || url.size() > kUrlBytes) {
        return Error(ErrorCode::InvalidArgument,
                     "a database is given as postgresql://HOST/NAME, of at most " +
                         std::to_string(kUrlBytes) + " bytes, without spaces");
    }
    return {};
}

Error belongs_elsewhere(const fs::path& data, const std::string& why) {
    return Error(ErrorCode::Conflict,
                 "this database is not that of " + data.string() + ": " + why +
                     ". One more process of a hub is `serve --join` with the folder of the first "
                     "one; a copy of a hub is `restore --database` into an empty database");
}

/// The id of a data folder; nothing if it has none yet.
Result<std::optional<std::string>> find_hub_id(const fs::path& data) {
    auto text = read_file(data / kHubIdFile, kIdBytes);
    if (!text) {
        return text.error().code() == ErrorCode::NotFound
                   ? Result<std::optional<std::string>>(std::nullopt)
                   : text.error();
    }
    while (text->ends_with('\n')) {
        text->pop_back();
    }
    return std::optional(std::move(*text));
}

/// Makes the id of a folder, unless another process makes one just now; and reads it.
Result<std::string> make_hub_id(const fs::path& data) {
    const fs::path draft = data / (std::string(kHubIdFile) + "." + random_hex(4));
    LOCARA_CHECK(write_file_atomically(draft, as_bytes(random_hex(12) + "\n"), 0600));
    const Status named = rename_file(draft, data / kHubIdFile, Replace::No);
    if (!named) {
        std::error_code ignored; // A leftover that nobody reads.
        fs::remove(draft, ignored);
    }
    if (!named && named.error().code() != ErrorCode::Conflict) {
        return named.error();
    }
    LOCARA_CHECK(sync_folder(data));
    LOCARA_TRY(const auto id, find_hub_id(data));
    return id.value_or("");
}

Result<std::optional<std::string>> find_hub_id(Database& database) {
    return database.with([](soci::session& sql) -> Result<std::optional<std::string>> {
        std::string id;
        sql << "SELECT id FROM hub WHERE one = 1", soci::into(id);
        return sql.got_data() ? std::optional(id) : std::nullopt;
    });
}

/// A folder that has used no database yet may take one that nobody has used.
Status require_unused(const fs::path& data, Database& database) {
    LOCARA_TRY(const auto sizes, database.sizes());
    const bool used = std::any_of(sizes.begin(), sizes.end(), [](const TableSize& table) {
        return table.table != "hub" && table.rows > 0;
    });
    LOCARA_TRY(const auto own, find_hub_id(data));
    LOCARA_TRY(const auto its, find_hub_id(database));
    return used && (!own || own != its)
               ? Status(belongs_elsewhere(data, "it has the names of another hub"))
               : Status();
}

} // namespace

Status pair_with(const fs::path& data, Database& database) {
    LOCARA_TRY(auto own, find_hub_id(data));
    LOCARA_TRY(auto its, find_hub_id(database));
    if (!own && !its) {
        // The folder's first: one that is cut off here goes on with it.
        LOCARA_TRY(own, make_hub_id(data));
    }
    if (own && !its) {
        LOCARA_CHECK(database.with([&own](soci::session& sql) -> Status {
            sql << "INSERT INTO hub (one, id) VALUES (1, :id) ON CONFLICT (one) DO NOTHING",
                soci::use(*own);
            return {};
        }));
        LOCARA_TRY(its, find_hub_id(database));
    }
    if (own != its) {
        return belongs_elsewhere(data,
                                 "it is of the hub " + its.value_or("?") + ", and " +
                                     (data / kHubIdFile).string() +
                                     (own ? " says " + *own : " is not there"));
    }
    return {};
}

Result<std::optional<std::string>> find_database_url(const fs::path& data) {
    auto text = read_file(data / kDatabaseFile, kUrlBytes + 1);
    if (!text) {
        if (text.error().code() == ErrorCode::NotFound) {
            return std::optional<std::string>();
        }
        return std::move(text).error();
    }
    while (!text->empty() && text->back() == '\n') {
        text->pop_back();
    }
    LOCARA_CHECK(check_url(*text).context((data / kDatabaseFile).string()));
    return std::optional(std::move(*text));
}

Status choose_database(const fs::path& data, const std::string& url) {
    LOCARA_CHECK(check_url(url));
    LOCARA_TRY(const auto noted, find_database_url(data));
    if (noted == url) {
        return {};
    }
    std::error_code error;
    if (noted || fs::exists(data / kNamesFile, error)) {
        return Error(ErrorCode::Conflict,
                     "the names of this hub are elsewhere already: " +
                         (noted ? "in the database that " + (data / kDatabaseFile).string() +
                                      " names; change it there if the database was moved"
                                : "in " + (data / kNamesFile).string()));
    }
    LOCARA_CHECK(require_place(data));
    LOCARA_CHECK(create_folders(data, 0700));
    LOCARA_TRY(const auto database, Database::connect(url));
    LOCARA_CHECK(require_unused(data, *database));
    LOCARA_CHECK(pair_with(data, *database));
    return write_file_atomically(data / kDatabaseFile, as_bytes(url + "\n"), 0600);
}

} // namespace locara::hub
