#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/http/client.hpp>
#include <locara/runtime/home.hpp>

#include <cstdlib>

#include <unistd.h>

namespace locara::runtime {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kHubsSchema = "locara.hubs/1";
constexpr std::uint64_t kHubsLimitBytes = 1U << 20U;

/// A variable as an absolute path; empty if unset or empty.
Result<fs::path> path_from(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') {
        return fs::path();
    }
    fs::path path(value);
    if (!path.is_absolute()) {
        return Error(ErrorCode::InvalidArgument,
                     std::string(name) + " is \"" + value + "\"; an absolute path is wanted");
    }
    return path.lexically_normal();
}

/// $XDG_x/locara, or $HOME/<otherwise>/locara.
Result<fs::path> xdg(const char* name, const char* otherwise) {
    LOCARA_TRY(auto base, path_from(name));
    if (!base.empty()) {
        return base / "locara";
    }
    LOCARA_TRY(const auto user, path_from("HOME"));
    if (user.empty()) {
        return Error(ErrorCode::InvalidArgument,
                     "neither HOME nor LOCARA_HOME is set; set LOCARA_HOME to a folder of yours");
    }
    return user / otherwise / "locara";
}

} // namespace

Result<Home> Home::from_environment() {
    Home home;
    LOCARA_TRY(const auto all, path_from("LOCARA_HOME"));
    if (!all.empty()) {
        home.config = all / "config";
        home.data = all / "data";
        home.state = all / "state";
        home.cache = all / "cache";
        home.run = all / "run";
    } else {
        LOCARA_TRY(home.config, xdg("XDG_CONFIG_HOME", ".config"));
        LOCARA_TRY(home.data, xdg("XDG_DATA_HOME", ".local/share"));
        LOCARA_TRY(home.state, xdg("XDG_STATE_HOME", ".local/state"));
        LOCARA_TRY(home.cache, xdg("XDG_CACHE_HOME", ".cache"));
        LOCARA_TRY(auto run, path_from("XDG_RUNTIME_DIR"));
        // Not every machine has a runtime folder (a container, a plain su).
        home.run = run.empty() ? home.state / "run" : run / "locara";
    }
    LOCARA_TRY(const auto config, path_from("LOCARA_CONFIG"));
    if (!config.empty()) {
        home.config = config;
    }
    LOCARA_TRY(home.store, path_from("LOCARA_STORE"));
    if (home.store.empty()) {
        home.store = home.data / "store";
    }
    return home;
}

Status Home::create_folders() const {
    LOCARA_CHECK(locara::create_folders(data, 0755));
    for (const auto& folder : {config, state, cache, run}) {
        LOCARA_CHECK(locara::create_folders(folder, 0700));
    }
    return {};
}

fs::path Hub::catalog_folder(const Home& home) const {
    // A URL is no file name; its digest is, and two hubs never share one.
    return home.catalogs() / crypto::sha256(as_bytes(url)).render().substr(0, 32);
}

Result<std::string> normalize_hub_url(std::string_view url) {
    std::string text(url);
    while (text.ends_with('/')) {
        text.pop_back();
    }
    auto origin = http::parse_origin(text);
    if (!origin || text.find_first_of("?#") != std::string::npos) {
        return Error(ErrorCode::InvalidArgument,
                     "\"" + text.substr(0, 200) +
                         "\" is no address of a hub; write https://host or http://127.0.0.1:17864");
    }
    if (origin->scheme == "http" && !origin->is_loopback()) {
        return Error(ErrorCode::InvalidArgument,
                     "\"" + text + "\": http is for hubs on this machine; write https://");
    }
    const auto authority_end = text.find('/', text.find("://") + 3);
    const std::string path = authority_end == std::string::npos ? "" : text.substr(authority_end);
    return origin->render() + path;
}

Result<std::vector<Hub>> load_hubs(const Home& home) {
    std::vector<Hub> hubs;
    auto text = read_file(home.hubs_file(), kHubsLimitBytes);
    if (!text) {
        if (text.error().code() == ErrorCode::NotFound) {
            return hubs;
        }
        return std::move(text).error();
    }
    const auto bad = [&](const std::string& what) {
        return Error(ErrorCode::InvalidArgument,
                     home.hubs_file().string() + ": " + what +
                         "; remove the file and add your hubs again with `locara hub add URL`");
    };
    const auto json = parse_json(*text);
    if (!json) {
        return bad(json.error().message());
    }
    if (!json->is_object() || json->value("schema", Json()) != kHubsSchema ||
        !json->contains("hubs") || !json->at("hubs").is_array()) {
        return bad("is not a list of hubs of this version");
    }
    for (const auto& one : json->at("hubs")) {
        if (!one.is_object() || !one.value("url", Json()).is_string() ||
            !one.value("root_sha256", Json()).is_string() ||
            !one.value("added", Json()).is_string()) {
            return bad("a hub lacks url, root_sha256 or added");
        }
        Hub hub;
        auto url = normalize_hub_url(one["url"].get<std::string>());
        auto root = crypto::Sha256Digest::parse(one["root_sha256"].get<std::string>());
        if (!url || !root) {
            return bad(!url ? url.error().message() : "root_sha256 is no SHA-256");
        }
        hubs.push_back({std::move(*url), *root, one["added"]});
    }
    return hubs;
}

Status save_hubs(const Home& home, const std::vector<Hub>& hubs) {
    Json list = Json::array();
    for (const auto& hub : hubs) {
        list.push_back(
            {{"url", hub.url}, {"root_sha256", hub.root.render()}, {"added", hub.added}});
    }
    const Json json = {{"schema", kHubsSchema}, {"hubs", std::move(list)}};
    LOCARA_CHECK(create_folders(home.config, 0700));
    return write_file_atomically(home.hubs_file(), as_bytes(json.dump(2) + "\n"), 0600);
}

} // namespace locara::runtime
