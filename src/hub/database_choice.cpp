#include "database.hpp"
#include "database_choice_file.hpp"
#include "layout.hpp"

#include <locara/base/file.hpp>
#include <locara/hub/database_choice.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kUrlBytes = 4096;

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

} // namespace

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
    LOCARA_CHECK(create_folders(data, 0700));
    LOCARA_CHECK(Database::connect(url));
    return write_file_atomically(data / kDatabaseFile, as_bytes(url + "\n"), 0600);
}

} // namespace locara::hub
