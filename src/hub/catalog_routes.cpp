#include "published_catalog.hpp"
#include "routes.hpp"
#include "verdict_store.hpp"

#include <locara/policy/doors.hpp>

#include <algorithm>
#include <array>

#include <fcntl.h>

namespace locara::hub {
namespace {

/// A path as the catalog's writer makes them: parts of plain characters, none hidden.
bool is_plain(std::string_view path) {
    bool first = true;
    for (const char c : path) {
        const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '~' || c == '%' ||
                          ((c == '-' || c == '.' || c == '/') && !first);
        if (!fine) {
            return false;
        }
        first = c == '/';
    }
    return !first;
}

/// Why the bundle of an app is not given away: its curators have called it back, or the gate, which
/// let it in, has learned since, and they will (docs/security.md). Nothing for any other target.
Result<std::optional<std::string>> why_held(const Services& services, const std::string& path) {
    constexpr std::string_view kBundle = ".locapp";
    constexpr std::size_t kDigits = 64;
    const std::string name = name_of(path); // DIGEST.NAME (docs/formats/catalog.md, "Layout")
    if (!name.ends_with(kBundle) || name.size() <= kDigits || name[kDigits] != '.') {
        return std::optional<std::string>();
    }
    const std::string digest = name.substr(0, kDigits);
    LOCARA_TRY(const auto catalog, services.published->get());
    const auto called_back = catalog->called_back.bundles.find(digest);
    if (called_back != catalog->called_back.bundles.end()) {
        const auto fine =
            policy::check(policy::Door::Serve, "this app", std::optional(called_back->second));
        if (!fine) {
            return std::optional(fine.error().message());
        }
    }
    LOCARA_TRY(const auto known, services.verdicts.find(digest, name.substr(kDigits + 1)));
    if (!known || policy::answer(policy::Door::Serve, known->verdict) != policy::Answer::Refuse) {
        return std::optional<std::string>();
    }
    return std::optional(known->verdict.member + ": " + known->verdict.reason + " (" +
                         known->verdict.rule + ")");
}

http::Response serve(const std::filesystem::path& folder, const http::Request& request) {
    const std::string& path = request.param("path");
    if (!is_plain(path)) {
        return http::problem(404, "there is no such file in the catalog", "not_found");
    }
    auto file = open_file(folder / path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!file) {
        return file.error().code() == ErrorCode::NotFound
                   ? http::problem(404, "there is no such file in the catalog", "not_found")
                   : http::problem(file.error());
    }
    const auto size = regular_file_size(*file, path);
    if (!size) {
        return http::problem(404, "there is no such file in the catalog", "not_found");
    }
    http::Content content;
    content.body = http::FileBody{std::make_shared<const Fd>(std::move(*file)), 0, *size};
    const bool json = path.size() > 5 && path.substr(path.size() - 5) == ".json";
    content.content_type = json ? "application/json" : "application/octet-stream";
    http::Response response = http::content_response(request, std::move(content));
    // Only timestamp.json ever changes; a root that is not there yet may come at any time, but a
    // 404 is not cached.
    response.headers.add("Cache-Control",
                         path == "timestamp.json" ? "no-cache"
                                                  : "public, max-age=31536000, immutable");
    return response;
}

} // namespace

void add_catalog_routes(Routes& routes,
                        const Services& services,
                        const std::filesystem::path& tree) {
    routes.get(
        "/catalog/metadata/{*path}",
        [folder = tree / "metadata"](const http::Request& request) -> Answer<http::Response> {
            return serve(folder, request);
        });
    routes.get("/catalog/targets/{*path}",
               [folder = tree / "targets",
                &services](const http::Request& request) -> Answer<http::Response> {
                   LOCARA_TRY(const auto held, why_held(services, request.param("path")));
                   return held ? http::problem(403, *held, "refused") : serve(folder, request);
               });
}

} // namespace locara::hub
