// The body of a paths-info call.
#pragma once

#include "answers.hpp"

#include <string>
#include <vector>

namespace locara::hub {

/// What a paths-info call asks for; Python sends a form, JavaScript JSON.
struct WantedPaths {
    std::vector<std::string> paths;
    bool expand = false;
};

Answer<WantedPaths> parse_wanted_paths(const http::Request& request);

} // namespace locara::hub
