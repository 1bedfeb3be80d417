#include "cgroup.hpp"

#include "kernel_file.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/file.hpp>
#include <locara/base/secret.hpp>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace locara::sandbox {

namespace {

namespace fs = std::filesystem;

constexpr const char* kRoot = "/sys/fs/cgroup";

struct Wanted {
    const char* controller;
    const char* file_v1;
    const char* file_v2;
    std::uint64_t value;
    std::string words;
};

Status write_text(const fs::path& path, const std::string& text) {
    LOCARA_TRY(auto fd, open_file(path, O_WRONLY));
    return write_all(fd, as_bytes(text));
}

// Lines of /proc/self/cgroup are "id:controllers:path"; see cgroups(7).
struct Membership {
    std::string unified; // path of "0::", empty if none
    std::vector<std::pair<std::string, std::string>> v1;
};

Membership read_membership() {
    Membership found;
    const auto text = read_kernel_file("/proc/self/cgroup");
    if (!text) {
        return found;
    }
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);) {
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) {
            continue;
        }
        const std::string path = line.substr(second + 1);
        std::istringstream names(line.substr(first + 1, second - first - 1));
        for (std::string name; std::getline(names, name, ',');) {
            found.v1.emplace_back(name, path);
        }
        if (second == first + 1) {
            found.unified = path;
        }
    }
    return found;
}

bool holds_word(const std::string& text, const std::string& word) {
    std::istringstream words(text);
    for (std::string each; words >> each;) {
        if (each == word) {
            return true;
        }
    }
    return false;
}

// Version 2: a group that hands the controller to its children and may be written. Our own group
// holds processes and so hands on nothing (the rule against inner processes); its parent may.
std::optional<fs::path> parent_v2(const std::string& own, const char* controller) {
    for (const fs::path& root : {fs::path(kRoot), fs::path(kRoot) / "unified"}) {
        for (fs::path at = root / fs::path(own).relative_path();
             at.string().size() >= root.string().size();
             at = at.parent_path()) {
            const auto handed_on = read_kernel_file(at / "cgroup.subtree_control");
            if (handed_on && holds_word(*handed_on, controller) && access(at.c_str(), W_OK) == 0 &&
                access((at / "cgroup.procs").c_str(), W_OK) == 0) {
                return at;
            }
        }
    }
    return std::nullopt;
}

std::optional<fs::path> parent_v1(const Membership& own, const char* controller) {
    for (const auto& [name, path] : own.v1) {
        const fs::path at = fs::path(kRoot) / controller / fs::path(path).relative_path();
        if (name == controller && access(at.c_str(), W_OK) == 0) {
            return at;
        }
    }
    return std::nullopt;
}

// Removes empty groups whose maker was killed before it could.
void sweep(const fs::path& parent) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(parent, error)) {
        const std::string name = entry.path().filename().string();
        if (name.rfind("locara-", 0) != 0) {
            continue;
        }
        const int maker = std::atoi(name.c_str() + 7);
        if (maker > 0 && kill(maker, 0) != 0 && errno == ESRCH) {
            ::rmdir(entry.path().c_str());
        }
    }
}

} // namespace

Cgroup Cgroup::create(const Limits& limits, Walls& walls) {
    const std::array<Wanted, 2> all{
        Wanted{"memory",
               "memory.limit_in_bytes",
               "memory.max",
               limits.memory_bytes,
               "memory " + render_memory(limits.memory_bytes)},
        Wanted{
            "pids", "pids.max", "pids.max", limits.tasks, std::to_string(limits.tasks) + " tasks"}};
    const Membership own = read_membership();
    const std::string name = "locara-" + std::to_string(getpid()) + "-" + random_hex(4);
    Cgroup group;
    for (const Wanted& wanted : all) {
        if (wanted.value == 0) {
            continue;
        }
        const char* version = "2";
        const char* file = wanted.file_v2;
        auto parent = parent_v2(own.unified, wanted.controller);
        if (!parent) {
            version = "1";
            file = wanted.file_v1;
            parent = parent_v1(own, wanted.controller);
        }
        if (!parent) {
            walls.not_in_force.push_back(wanted.words + " by control group: no group for " +
                                         wanted.controller + " may be written");
            continue;
        }
        sweep(*parent);
        const fs::path folder = *parent / name;
        std::error_code ignored;
        fs::create_directory(folder, ignored);
        const auto written = write_text(folder / file, std::to_string(wanted.value));
        if (!written) {
            fs::remove(folder, ignored);
            walls.not_in_force.push_back(wanted.words +
                                         " by control group: " + written.error().message());
            continue;
        }
        if (group.folders_.empty() || group.folders_.back() != folder) {
            group.folders_.push_back(folder);
        }
        walls.in_force.push_back(wanted.words + " (control group, version " + version + ")");
    }
    return group;
}

Cgroup& Cgroup::operator=(Cgroup&& other) noexcept {
    std::swap(folders_, other.folders_);
    return *this;
}

Cgroup::~Cgroup() {
    for (const auto& folder : folders_) {
        // A group may hold its dead for a moment; rmdir says EBUSY until they are gone.
        for (int tries = 0; tries < 50 && ::rmdir(folder.c_str()) != 0 && errno == EBUSY; ++tries) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    }
}

Status Cgroup::add(pid_t process) const {
    for (const auto& folder : folders_) {
        LOCARA_CHECK(write_text(folder / "cgroup.procs", std::to_string(process))
                         .context("wall control group"));
    }
    return {};
}

} // namespace locara::sandbox
