#include <locara/base/ascii.hpp>
#include <locara/runtime/origin.hpp>

namespace locara::runtime {

namespace {

// Text of strangers that is put into an answer or a log: short, and plain ASCII.
std::string quote(std::string_view text) {
    std::string shown;
    for (const char c : text.substr(0, 80)) {
        shown += c >= ' ' && c <= '~' ? c : '?';
    }
    return "\"" + shown + "\"";
}

bool is_json_type(std::string_view type) {
    const auto end = type.find_first_of("; \t");
    return equals_ignoring_case(type.substr(0, end), "application/json");
}

} // namespace

bool is_api_path(std::string_view path) {
    return path == "/v1" || path.rfind("/v1/", 0) == 0 || path == "/locara" ||
           path.rfind("/locara/", 0) == 0;
}

std::optional<Site> Origins::find_site(std::string_view host) const {
    const std::string ending = ".localhost" + suffix();
    if (host.size() <= ending.size() || host.substr(host.size() - ending.size()) != ending) {
        return std::nullopt;
    }
    const auto label = host.substr(0, host.size() - ending.size());
    if (label == "locara") {
        return Site{};
    }
    auto app = manifest::AppId::parse_label(label);
    if (!app || app->label() != label) {
        return std::nullopt;
    }
    return Site{std::move(*app)};
}

std::optional<Denial> Origins::check(const http::Request& request, Site& site) const {
    const auto host = request.headers.find("Host");
    if (!host || request.headers.count("Host") != 1) {
        return Denial{400, "foreign_host", "a request must name exactly one Host"};
    }
    const auto found = find_site(*host);
    if (!found) {
        return Denial{421,
                      "foreign_host",
                      "Host is " + quote(*host) + "; here it must be locara.localhost" + suffix() +
                          " or the address of an app"};
    }
    site = *found;
    if (request.method == "OPTIONS") {
        return Denial{403, "preflight_refused", "no other origin may use this address"};
    }
    if (request.method != "GET" && request.method != "HEAD" && request.method != "POST") {
        return Denial{405, "method_not_allowed", "only GET, HEAD and POST are used here"};
    }
    if (request.headers.find("Upgrade")) {
        return Denial{403, "upgrade_refused", "WebSockets and other upgrades are not used here"};
    }
    // What a service worker hands a page comes without our headers, so without its policy.
    if (request.headers.find("Service-Worker") ||
        request.headers.find("Sec-Fetch-Dest").value_or("") == "serviceworker") {
        return Denial{403, "service_worker_refused", "apps cannot have service workers"};
    }
    if (auto denial = check_fetch_metadata(request, site)) {
        return denial;
    }
    if (auto denial = check_origin(request, site)) {
        return denial;
    }
    if (request.method == "POST" &&
        !is_json_type(request.headers.find("Content-Type").value_or(""))) {
        return Denial{415,
                      "not_json",
                      "Content-Type is " +
                          quote(request.headers.find("Content-Type").value_or("")) +
                          "; it must be application/json"};
    }
    return std::nullopt;
}

// https://www.w3.org/TR/fetch-metadata/: what a browser says of a request, out of reach of scripts.
std::optional<Denial> Origins::check_fetch_metadata(const http::Request& request,
                                                    const Site& site) const {
    const auto from = request.headers.find("Sec-Fetch-Site");
    const auto mode = request.headers.find("Sec-Fetch-Mode").value_or("");
    const auto dest = request.headers.find("Sec-Fetch-Dest").value_or("");
    const bool to_frame = mode == "navigate" && dest == "iframe" && request.method == "GET" &&
                          !is_api_path(request.path);
    // The shell frames the app from another host: that one load crosses sites. Who else may frame
    // it is said by frame-ancestors.
    if (from && *from != "same-origin" && *from != "none" && !(to_frame && !site.is_shell())) {
        return Denial{403, "cross_site", "requests from other sites are refused"};
    }
    // Outside its frame nothing would keep a page from taking its data to another address.
    if (!site.is_shell() && dest == "document") {
        return Denial{403,
                      "not_framed",
                      "an app opens inside Locara only: run locara run " + site.app->render()};
    }
    return std::nullopt;
}

std::optional<Denial> Origins::check_origin(const http::Request& request, const Site& site) const {
    const auto origin = request.headers.find("Origin");
    if (!origin) {
        // Browsers send Origin with every POST. The shell's one POST has no token to vouch for it.
        if (site.is_shell() && request.method == "POST") {
            return Denial{403, "foreign_origin", "this request must say its Origin"};
        }
        return std::nullopt;
    }
    if (*origin != origin_of(site) || request.headers.count("Origin") != 1) {
        return Denial{403,
                      "foreign_origin",
                      "Origin is " + quote(*origin) + "; here it must be " + origin_of(site)};
    }
    return std::nullopt;
}

} // namespace locara::runtime
