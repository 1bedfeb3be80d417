// The hub's API described for programs: /openapi.json.
//
// Follows OpenAPI 3.1.0. It is made of one declared table of routes. Routes (routes.hpp) takes none
// that is not in it; a test calls each one of it.
#pragma once

#include <locara/base/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// A route as the router has it: "GET", "/{org}/{repo}/resolve/{rev}/{*path}".
struct DescribedRoute {
    std::string method;
    std::string pattern;
};

/// All routes of the table, in its order.
std::vector<DescribedRoute> described_routes();

/// Whether a route is in the table.
bool is_described(std::string_view method, std::string_view pattern);

/// The document.
Json render_openapi(std::string_view version);

} // namespace locara::hub
