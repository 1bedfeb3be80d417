#include "place_check.hpp"

#include "database_choice_file.hpp"
#include "git_leftovers.hpp"
#include "layout.hpp"

#include <algorithm>
#include <array>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

/// A hub's folder has one of these; a start that was cut off, `joined` or `hub-id` at least; what
/// `keys init` made, a catalog.
constexpr std::array kMarks = {
    kJoined, kNamesFile, kDatabaseFile, kHubIdFile, "catalog/metadata/timestamp.json", "hub.toml"};

} // namespace

Status require_place(const fs::path& data) {
    std::error_code error;
    if (std::any_of(kMarks.begin(), kMarks.end(), [&](const char* mark) {
            return fs::exists(data / mark, error);
        })) {
        return {};
    }
    fs::directory_iterator at(data, error);
    for (const fs::directory_iterator end; !error && at != end; at.increment(error)) {
        const std::string name = at->path().filename().string();
        if (name != "lost+found" && name != "lock") { // a first start may have come no further
            return Error(ErrorCode::Conflict,
                         data.string() + " is no hub's folder and not empty, it has " + name +
                             "; give a new or an empty folder, or put a hub.toml into this one if "
                             "it is meant");
        }
    }
    return {};
}

} // namespace locara::hub
