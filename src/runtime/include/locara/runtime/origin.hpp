// Who may talk to the broker over TCP: checks of Host, Origin and fetch metadata.
//
// Loopback is no boundary: every page in the user's browser and every local user can reach the
// port. Follows docs/threat-model.md, "The local API". These checks come before any route; tokens
// come after. Threads: plain values.
#pragma once

#include <locara/base/result.hpp>
#include <locara/http/message.hpp>
#include <locara/manifest/ids.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace locara::runtime {

/// Which of our hosts a request names.
struct Site {
    std::optional<manifest::AppId> app; ///< None: the shell.

    bool is_shell() const { return !app; }
};

/// Why a request is turned away.
struct Denial {
    int status = 403;
    std::string code;   ///< Stable: "foreign_host", "foreign_origin", "cross_site", ...
    std::string detail; ///< What was found, what is allowed.
};

class Origins {
  public:
    explicit Origins(std::uint16_t port) : port_(port) {}

    std::string shell_origin() const { return "http://locara.localhost" + suffix(); }

    std::string app_origin(const manifest::AppId& app) const {
        return "http://" + app.label() + ".localhost" + suffix();
    }

    std::string origin_of(const Site& site) const {
        return site.is_shell() ? shell_origin() : app_origin(*site.app);
    }

    /// The site of a `Host` field: exactly "locara.localhost:PORT" or "<label>.localhost:PORT",
    /// byte for byte (the port is left out on 80 alone). Everything else is none of ours: other
    /// names and addresses, another port, upper case, a trailing dot, user info.
    std::optional<Site> find_site(std::string_view host) const;

    /// Host, method, Upgrade, Sec-Fetch-*, Origin and content type, in this order. Nothing if the
    /// request may go on; `site` is then set.
    std::optional<Denial> check(const http::Request& request, Site& site) const;

  private:
    std::string suffix() const { return port_ == 80 ? "" : ":" + std::to_string(port_); }

    std::optional<Denial> check_fetch_metadata(const http::Request& request,
                                               const Site& site) const;
    std::optional<Denial> check_origin(const http::Request& request, const Site& site) const;

    std::uint16_t port_;
};

/// Whether a path belongs to the API (and not to files of a page).
bool is_api_path(std::string_view path);

} // namespace locara::runtime
