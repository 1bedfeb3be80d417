#include "report.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <sstream>

#include <poll.h>
#include <unistd.h>

namespace locara::sandbox {

namespace {

int milliseconds_until(Deadline deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000'000));
}

} // namespace

Report read_report(const Fd& status, Deadline deadline) {
    std::string text;
    Report report;
    while (true) {
        pollfd wait{status.get(), POLLIN, 0};
        const int ready = poll(&wait, 1, milliseconds_until(deadline));
        if (ready == 0) {
            report.timed_out = true;
            break;
        }
        std::array<char, 1024> buffer;
        const ssize_t count = ready < 0 ? -1 : ::read(status.get(), buffer.data(), buffer.size());
        if (count == 0 || (count < 0 && errno != EINTR)) {
            break;
        }
        if (count > 0) {
            text.append(buffer.data(), static_cast<std::size_t>(count));
        }
    }
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line == "ready") {
            report.ready = true;
        } else if (line.rfind("failed ", 0) == 0) {
            report.failed = line.substr(7);
        } else if (line.rfind("landlock ", 0) == 0) {
            report.landlock = std::atoi(line.c_str() + 9);
        } else if (line.rfind("limit ", 0) == 0) {
            report.limits.push_back(line.substr(6));
        }
    }
    return report;
}

} // namespace locara::sandbox
