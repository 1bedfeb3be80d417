#include "members.hpp"
#include "words.hpp"

#include <locara/base/bytes.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/manifest/offline_bundle.hpp>

#include <algorithm>

namespace locara::manifest {

namespace {

constexpr std::string_view kSchema = "locara.dev/offline-bundle/v1";
constexpr std::size_t kAddressLimitBytes = 1024;
constexpr std::uint64_t kRootVersionLimit = 1U << 30U;

/// What a copy that went wrong is told by, before anything is looked at. It proves nothing.
std::string check_of(const Json& json) {
    return crypto::sha256(as_bytes(render_json(json))).render();
}

std::string render(const AppRef& app) {
    return app.id.render() + "@" + app.version;
}

/// All but the check.
Json to_json(const OfflineBundle& bundle) {
    Json list = Json::array();
    for (const auto& app : bundle.apps) {
        list.push_back(render(app));
    }
    return {
        {"schema", kSchema}, {"hub", bundle.hub}, {"root", bundle.root}, {"apps", std::move(list)}};
}

Result<AppRef> parse_app(const Json& value, const std::string& where) {
    if (!value.is_string()) {
        return fault(where, "must be publisher/name@version");
    }
    auto app = AppRef::parse(value.get_ref<const std::string&>());
    if (!app) {
        return fault(where, app.error().message());
    }
    if (app->version.empty()) {
        return fault(where, "lacks its version: publisher/name@version");
    }
    return app;
}

} // namespace

Result<OfflineBundle> OfflineBundle::parse(std::string_view text) {
    LOCARA_TRY(const auto json, parse_json(text, {.bytes = kOfflineBundleLimitBytes, .depth = 3}));
    if (!json.is_object() || json.value("schema", Json()) != kSchema) {
        return Error(ErrorCode::Unsupported,
                     "schema must be " + std::string(kSchema) +
                         "; update Locara if the bundle is newer");
    }
    for (const auto& [key, _] : json.items()) {
        if (key != "schema" && key != "hub" && key != "root" && key != "apps" && key != "check") {
            return fault(quote(key), "unknown key; known: schema, hub, root, apps, check");
        }
    }
    OfflineBundle out;
    const auto hub = json.find("hub");
    if (hub == json.end() || !hub->is_string() || hub->get_ref<const std::string&>().empty() ||
        hub->get_ref<const std::string&>().size() > kAddressLimitBytes) {
        return fault("hub", "must be the address of a hub");
    }
    out.hub = hub->get<std::string>();
    const auto root = json.find("root");
    if (root == json.end() || !root->is_number_unsigned() || root->get<std::uint64_t>() < 1 ||
        root->get<std::uint64_t>() > kRootVersionLimit) {
        return fault("root", "must be the version of a root, from 1");
    }
    out.root = root->get<std::uint64_t>();
    const auto apps = json.find("apps");
    if (apps == json.end() || !apps->is_array() || apps->empty()) {
        return fault("apps", "must be a list of at least one app");
    }
    if (apps->size() > kOfflineBundleAppLimit) {
        return Error(ErrorCode::TooLarge,
                     "apps: " + std::to_string(apps->size()) + " of them; at most " +
                         std::to_string(kOfflineBundleAppLimit) + " are read");
    }
    for (const auto& value : *apps) {
        const std::string where = "apps[" + std::to_string(out.apps.size()) + "]";
        LOCARA_TRY(auto app, parse_app(value, where));
        if (std::any_of(out.apps.begin(), out.apps.end(), [&](const AppRef& other) {
                return other.id == app.id;
            })) {
            return fault(where, app.id.render() + " stands there twice");
        }
        out.apps.push_back(std::move(app));
    }
    if (json.value("check", Json()) != check_of(to_json(out))) {
        return fault("check", "is not that of the other members; they were changed");
    }
    return out;
}

std::string OfflineBundle::render() const {
    Json json = to_json(*this);
    json["check"] = check_of(json);
    return render_json(json) + "\n";
}

} // namespace locara::manifest
