#include "pages.hpp"

#include <locara/base/file.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

namespace locara::runtime {

namespace {

constexpr std::size_t kMaxDepth = 32;

constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kTypes{{
    {".html", "text/html; charset=utf-8"},
    {".htm", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".avif", "image/avif"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".woff", "font/woff"},
    {".wasm", "application/wasm"},
    {".txt", "text/plain; charset=utf-8"},
    {".mp3", "audio/mpeg"},
    {".wav", "audio/wav"},
    {".mp4", "video/mp4"},
    {".webm", "video/webm"},
}};

// Everything that a page could ask the browser for. What the manifest names is given to the app's
// own origin; the rest is denied to it and to whatever it frames.
constexpr std::array<std::string_view, 22> kFeatures{"accelerometer",
                                                     "ambient-light-sensor",
                                                     "autoplay",
                                                     "bluetooth",
                                                     "browsing-topics",
                                                     "camera",
                                                     "display-capture",
                                                     "encrypted-media",
                                                     "geolocation",
                                                     "gyroscope",
                                                     "hid",
                                                     "idle-detection",
                                                     "local-fonts",
                                                     "magnetometer",
                                                     "microphone",
                                                     "midi",
                                                     "payment",
                                                     "publickey-credentials-get",
                                                     "screen-wake-lock",
                                                     "serial",
                                                     "usb",
                                                     "xr-spatial-tracking"};

std::string permissions_policy(const manifest::AppManifest* app) {
    std::string policy;
    for (const auto feature : kFeatures) {
        bool granted = false;
        if (app != nullptr) {
            const auto& devices = app->capabilities.devices;
            granted = std::find(devices.begin(), devices.end(), feature) != devices.end();
        }
        policy += policy.empty() ? "" : ", ";
        policy += std::string(feature) + (granted ? "=(self)" : "=()");
    }
    return policy;
}

bool is_host(std::string_view text) {
    return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.:") ==
                                std::string_view::npos;
}

std::string app_policy(const Origins& origins, const manifest::AppManifest& app) {
    std::string connect = "'self'";
    for (const auto& host : app.capabilities.net) {
        connect += is_host(host) ? " https://" + host : "";
    }
    const std::string script = app.capabilities.wasm ? "'self' 'wasm-unsafe-eval'" : "'self'";
    return "default-src 'none'; script-src " + script +
           "; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; "
           "media-src 'self' blob:; worker-src 'self' blob:; connect-src " +
           connect + "; form-action 'none'; base-uri 'none'; frame-ancestors " +
           origins.shell_origin();
}

void add_common(http::Response& response) {
    response.headers.set("X-Content-Type-Options", "nosniff");
    response.headers.set("Referrer-Policy", "no-referrer");
}

} // namespace

std::string_view content_type(std::string_view name) {
    for (const auto& [ending, type] : kTypes) {
        if (name.size() > ending.size() && name.substr(name.size() - ending.size()) == ending) {
            return type;
        }
    }
    return "application/octet-stream";
}

Result<http::Content> open_page_file(const std::filesystem::path& root,
                                     const std::vector<std::string>& segments,
                                     std::string_view index) {
    std::vector<std::string> parts = segments;
    if (parts.empty() || parts.back().empty()) {
        if (!parts.empty()) {
            parts.pop_back();
        }
        // The manifest's index may lie in a folder below root.
        std::string_view left = index;
        while (!left.empty()) {
            const auto slash = left.find('/');
            parts.emplace_back(left.substr(0, slash));
            left = slash == std::string_view::npos ? "" : left.substr(slash + 1);
        }
    }
    const Error absent(ErrorCode::NotFound, "there is no such file in this app");
    if (parts.empty() || parts.size() > kMaxDepth) {
        return absent;
    }
    LOCARA_TRY(Fd at, open_file(root, O_PATH | O_DIRECTORY));
    for (std::size_t depth = 0; depth < parts.size(); ++depth) {
        const std::string& part = parts[depth];
        if (part.empty() || part.front() == '.' || part.find('/') != std::string::npos ||
            part.find('\0') != std::string::npos) {
            return absent;
        }
        const bool last = depth + 1 == parts.size();
        const int flags = last ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY;
        Fd next(openat(at.get(), part.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
        if (!next.valid()) {
            return absent;
        }
        at = std::move(next);
    }

    struct stat info {};

    if (fstat(at.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return absent;
    }
    http::Content content;
    content.content_type = content_type(parts.back());
    content.etag = "\"" + std::to_string(info.st_ino) + "-" + std::to_string(info.st_size) + "-" +
                   std::to_string(info.st_mtim.tv_sec) + "." +
                   std::to_string(info.st_mtim.tv_nsec) + "\"";
    content.body = http::FileBody{
        std::make_shared<const Fd>(std::move(at)), 0, static_cast<std::uint64_t>(info.st_size)};
    return content;
}

void add_plain_headers(http::Response& response) {
    add_common(response);
    response.headers.set("Cache-Control", "no-store");
    response.headers.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    response.headers.set("Cross-Origin-Resource-Policy", "same-origin");
}

void add_shell_headers(http::Response& response,
                       const Origins& origins,
                       const std::optional<manifest::AppId>& app) {
    add_common(response);
    response.headers.set("Cache-Control", "no-cache");
    response.headers.set("Content-Security-Policy",
                         "default-src 'none'; script-src 'self'; style-src 'self'; "
                         "img-src 'self' data:; connect-src 'self'; frame-src " +
                             (app ? origins.app_origin(*app) : std::string("'none'")) +
                             "; form-action 'none'; base-uri 'none'; frame-ancestors 'none'");
    response.headers.set("Cross-Origin-Opener-Policy", "same-origin");
    response.headers.set("Cross-Origin-Embedder-Policy", "require-corp");
    response.headers.set("Cross-Origin-Resource-Policy", "same-origin");
    response.headers.set("X-Frame-Options", "DENY");
}

void add_app_headers(http::Response& response,
                     const Origins& origins,
                     const manifest::AppManifest& app,
                     std::string_view type) {
    add_common(response);
    const bool document = type.rfind("text/html", 0) == 0;
    response.headers.set("Cache-Control", "no-cache");
    response.headers.set("Content-Security-Policy", app_policy(origins, app));
    response.headers.set("Permissions-Policy", permissions_policy(&app));
    response.headers.set("Cross-Origin-Embedder-Policy", "require-corp");
    // Looking up a name tells it to others; a policy does not cover that.
    response.headers.set("X-DNS-Prefetch-Control", "off");
    // The shell is another site: with "same-origin" the browser would show nothing in its frame.
    response.headers.set("Cross-Origin-Resource-Policy", document ? "cross-origin" : "same-origin");
}

} // namespace locara::runtime
