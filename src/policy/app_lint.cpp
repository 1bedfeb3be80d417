#include "app_lint.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/file.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <set>

#include <unistd.h>

namespace locara::policy {

namespace {

constexpr std::array<std::string_view, 8> kTexts = {
    ".html", ".htm", ".xhtml", ".svg", ".js", ".mjs", ".cjs", ".css"};
constexpr std::array<std::string_view, 4> kSchemes = {"http://", "https://", "ws://", "wss://"};

/// What stands before an address that is fetched or shown, not merely named. In small letters.
constexpr std::array<std::string_view, 19> kFetches = {"src=",
                                                       "href=",
                                                       "action=",
                                                       "srcset=",
                                                       "poster=",
                                                       "data=",
                                                       "fetch(",
                                                       "import(",
                                                       "websocket(",
                                                       "eventsource(",
                                                       "worker(",
                                                       "request(",
                                                       "sendbeacon(",
                                                       "importscripts(",
                                                       "url(",
                                                       "@import",
                                                       " from",
                                                       "}from",
                                                       ".open("};

bool is_device(const manifest::AppManifest& app, std::string_view name) {
    const auto& devices = app.capabilities.devices;
    return std::find(devices.begin(), devices.end(), name) != devices.end();
}

struct Power {
    std::string_view words; ///< In the text, as written.
    bool (*declared)(const manifest::AppManifest&);
    std::string_view what; ///< Behind "uses X, ".
};

constexpr std::array<Power, 3> kPowers = {{
    {"getUserMedia",
     [](const manifest::AppManifest& app) {
         return is_device(app, "microphone") || is_device(app, "camera");
     },
     "but capabilities.devices has neither microphone nor camera: the call will fail"},
    {"WebAssembly.",
     [](const manifest::AppManifest& app) { return app.capabilities.wasm; },
     "but capabilities.wasm is not true: nothing of it will run"},
    {"navigator.geolocation",
     [](const manifest::AppManifest&) { return false; },
     "which no app is given: the call will fail"},
}};

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// Whether the address at `at` is fetched or shown, by what stands before it. `text` is in small
/// letters.
bool is_fetched(std::string_view text, std::size_t at) {
    constexpr std::size_t kMostBefore = 64;
    std::string_view before = text.substr(0, at);
    const auto trim = [&before](bool quotes) {
        while (!before.empty() && (is_space(before.back()) ||
                                   (quotes && std::string_view("\"'`").find(before.back()) !=
                                                  std::string_view::npos))) {
            before.remove_suffix(1);
        }
    };
    trim(true);
    // x.open("GET", "https://..."): the address is the second argument.
    if (before.ends_with(',')) {
        const std::string_view near =
            before.substr(before.size() - std::min<std::size_t>(before.size(), 16));
        return near.find(".open(") != std::string_view::npos;
    }
    // `src = "..."`
    std::string squeezed(before.substr(before.size() - std::min(before.size(), kMostBefore)));
    if (squeezed.ends_with('=')) {
        squeezed.pop_back();
        while (!squeezed.empty() && is_space(squeezed.back())) {
            squeezed.pop_back();
        }
        squeezed += '=';
    }
    const bool fetches = std::any_of(kFetches.begin(), kFetches.end(), [&](std::string_view one) {
        return squeezed.ends_with(one);
    });
    if (!fetches || !squeezed.ends_with("href=")) {
        return fetches;
    }
    // A link that a person may follow is no fetch. Not looked for far away: an app may hold a
    // million addresses.
    constexpr std::size_t kLongestTag = 4096;
    before.remove_prefix(before.size() - std::min(before.size(), kLongestTag));
    const auto tag = before.rfind('<');
    return tag == std::string_view::npos || !before.substr(tag).starts_with("<a") ||
           (before.size() > tag + 2 && !is_space(before[tag + 2]));
}

std::string_view host_at(std::string_view text, std::size_t at) {
    const auto end = text.find_first_of("/?#\"'`)<> \t\r\n\\:", at);
    return text.substr(at, end == std::string_view::npos ? std::string_view::npos : end - at);
}

/// Hosts that are fetched from, in their order, each once, at most kLintWarningLimit.
std::vector<std::string> foreign_hosts(const std::string& text, const manifest::AppManifest& app) {
    std::vector<std::string> out;
    std::set<std::string> seen(app.capabilities.net.begin(), app.capabilities.net.end());
    for (std::size_t at = text.find("//"); at != std::string::npos; at = text.find("//", at + 2)) {
        std::size_t begin = at;
        for (const std::string_view scheme : kSchemes) {
            const std::size_t name = scheme.size() - 2;
            if (at >= name && text.compare(at - name, scheme.size(), scheme) == 0) {
                begin = at - name;
            }
        }
        // Without a scheme it is an address only in quotes or brackets; else a comment.
        const bool bare = begin == at;
        if (bare &&
            (at == 0 || std::string_view("\"'`(=").find(text[at - 1]) == std::string_view::npos)) {
            continue;
        }
        std::string host(host_at(text, at + 2));
        const bool name =
            !host.empty() &&
            (std::isalnum(static_cast<unsigned char>(host[0])) != 0 || host[0] == '[');
        if (name && is_fetched(text, begin) && seen.insert(host).second) {
            out.push_back(std::move(host));
        }
        if (out.size() == kLintWarningLimit) {
            break;
        }
    }
    return out;
}

bool is_text(std::string_view path) {
    const std::string name = ascii_lower(path);
    return std::any_of(kTexts.begin(), kTexts.end(), [&name](std::string_view ending) {
        return name.ends_with(ending);
    });
}

} // namespace

std::vector<std::string>
lint_text(std::string_view path, std::string_view text, const manifest::AppManifest& app) {
    std::vector<std::string> out;
    if (!is_text(path)) {
        return out;
    }
    const std::string where(path);
    for (const std::string& host : foreign_hosts(ascii_lower(text), app)) {
        out.push_back(where + " asks " + host.substr(0, 255) +
                      " for something, but an app's page reaches nothing but itself; bring the "
                      "file along");
    }
    for (const Power& power : kPowers) {
        if (text.find(power.words) != std::string_view::npos && !power.declared(app)) {
            std::string_view name = power.words;
            name.remove_suffix(name.ends_with('.') ? 1 : 0);
            out.push_back(where + " uses " + std::string(name) + ", " + std::string(power.what));
        }
    }
    return out;
}

Result<std::vector<std::string>>
lint_file(const Fd& fd, std::string_view path, const manifest::AppManifest& app) {
    if (!is_text(path)) {
        return std::vector<std::string>();
    }
    std::string text(kLintLimitBytes, '\0');
    std::size_t have = 0;
    while (have < text.size()) {
        const auto got =
            ::pread(fd.get(), text.data() + have, text.size() - have, static_cast<off_t>(have));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return Error::from_errno("reading " + std::string(path), errno);
        }
        if (got == 0) {
            break;
        }
        have += static_cast<std::size_t>(got);
    }
    text.resize(have);
    return lint_text(path, text, app);
}

} // namespace locara::policy
