#include <locara/base/file.hpp>
#include <locara/catalog/client.hpp>
#include <locara/runtime/hub_fetcher.hpp>
#include <locara/runtime/takedowns.hpp>

namespace locara::runtime {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kKeptLimitBytes = 64U << 20U;
constexpr std::string_view kKeptSuffix = ".json";

fs::path kept_file(const Home& home, const std::string& folder) {
    return home.kept_takedowns() / (folder + std::string(kKeptSuffix));
}

/// What removed hubs said, by the names of the catalog folders that they had.
Result<std::map<std::string, catalog::TakedownList>> read_kept(const Home& home) {
    std::map<std::string, catalog::TakedownList> lists;
    std::error_code failed;
    for (fs::directory_iterator it(home.kept_takedowns(), failed), end; !failed && it != end;
         it.increment(failed)) {
        if (it->path().extension() != kKeptSuffix) {
            continue; // a temporary file
        }
        LOCARA_TRY(const auto text, read_file(it->path(), kKeptLimitBytes));
        LOCARA_TRY(auto list, catalog::TakedownList::parse(text).context(it->path().string()));
        lists.emplace(it->path().stem().string(), std::move(list));
    }
    if (failed && failed != std::errc::no_such_file_or_directory) {
        return Error(ErrorCode::Io, home.kept_takedowns().string() + ": " + failed.message());
    }
    return lists;
}

} // namespace

std::string Takedowns::take_stamp() const {
    std::string out;
    for (const fs::path& folder : {home_.catalogs(), home_.kept_takedowns()}) {
        std::error_code failed;
        for (fs::recursive_directory_iterator it(folder, failed), end; !failed && it != end;
             it.increment(failed)) {
            std::error_code ignored;
            if (it->is_regular_file(ignored)) {
                const auto time = it->last_write_time(ignored).time_since_epoch().count();
                out += it->path().string() + " " + std::to_string(time) + "\n";
            }
        }
    }
    return out;
}

Status Takedowns::refresh() {
    auto now = take_stamp();
    if (!stamp_.empty() && now == stamp_) {
        return {};
    }
    LOCARA_TRY(const auto kept, read_kept(home_));
    LOCARA_TRY(const auto hubs, load_hubs(home_));
    for (const auto& [folder, list] : kept) {
        lists_[folder].add(list);
    }
    bool complete = true;
    for (const Hub& hub : hubs) {
        const fs::path folder = hub.catalog_folder(home_);
        HubFetcher fetcher(nullptr, hub.url, {});
        const auto client = catalog::Client::open(folder, fetcher, *clock_);
        if (client) {
            lists_[folder.filename().string()].add(client->takedown());
            continue;
        }
        // Being written, perhaps: what was read before counts, and it is looked at again.
        complete = false;
        if (!lists_.contains(folder.filename().string())) {
            return Error(client.error().code(),
                         "what " + hub.url +
                             " took down cannot be read: " + client.error().describe());
        }
    }
    if (complete) {
        stamp_ = std::move(now);
    }
    return {};
}

std::optional<catalog::TakedownEntry>
Takedowns::find(std::span<const catalog::TakedownName> names) const {
    std::optional<catalog::TakedownEntry> strictest;
    for (const auto& [_, list] : lists_) {
        strictest = catalog::stricter(std::move(strictest), list.find(names));
    }
    return strictest;
}

Status keep_takedowns(const Home& home, const Hub& hub, const catalog::TakedownList& list) {
    LOCARA_TRY(const auto before, read_kept(home));
    const std::string folder = hub.catalog_folder(home).filename().string();
    catalog::TakedownList all;
    if (const auto known = before.find(folder); known != before.end()) {
        all = known->second; // it was removed once before
    }
    all.add(list);
    if (all.entries().empty()) {
        return {};
    }
    LOCARA_CHECK(create_folders(home.kept_takedowns(), 0700));
    return write_file_atomically(kept_file(home, folder), as_bytes(all.render()));
}

} // namespace locara::runtime
