// What locara-sandbox-init tells of the walls that it raised (init/sandbox_init.cpp).
#pragma once

#include <locara/base/file.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace locara::sandbox {

using Deadline = std::chrono::steady_clock::time_point;

struct Report {
    bool ready = false;
    bool timed_out = false;
    std::string failed; ///< "WALL: text"
    int landlock = 0;
    std::vector<std::string> limits;
};

/// Reads its lines until the program runs (the descriptor closes) or all is lost.
Report read_report(const Fd& status, Deadline deadline);

} // namespace locara::sandbox
