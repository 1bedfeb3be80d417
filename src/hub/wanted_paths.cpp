#include "wanted_paths.hpp"

#include "given.hpp"

namespace locara::hub {
namespace {

constexpr std::size_t kPathsLimit = 2000;

} // namespace

Answer<WantedPaths> parse_wanted_paths(const http::Request& request) {
    WantedPaths wanted;
    if (is_form(request)) {
        LOCARA_TRY(const auto form, http::Query::parse(request.body));
        wanted.paths = form.all("paths");
        wanted.expand = form.flag("expand");
    } else {
        LOCARA_TRY(const Json body, parse_object(request));
        const auto found = body.find("paths");
        if (found == body.end() || !found->is_array()) {
            return bad_request("send {\"paths\": [...]} as JSON, or paths=... as a form");
        }
        for (const Json& path : *found) {
            if (!path.is_string()) {
                return bad_request("every element of paths must be a text");
            }
            wanted.paths.push_back(path.get<std::string>());
        }
        LOCARA_TRY(const auto expand, given_truth(body, "expand"));
        wanted.expand = expand.value_or(false);
    }
    if (wanted.paths.size() > kPathsLimit) {
        return bad_request("found " + std::to_string(wanted.paths.size()) + " paths, at most " +
                           std::to_string(kPathsLimit) + " are allowed");
    }
    return wanted;
}

} // namespace locara::hub
