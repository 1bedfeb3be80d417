// A control group for one sandboxed program, where this process may make one (version 1 or 2).
#pragma once

#include <locara/base/result.hpp>
#include <locara/sandbox/profile.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace locara::sandbox {

/// Owns the folders of a control group and removes them (they must be empty of processes).
class Cgroup {
  public:
    /// Makes groups for the limits that are set. Never fails: what could not be had is told in
    /// `walls`, as is what could.
    static Cgroup create(const Limits& limits, Walls& walls);

    Cgroup() = default;

    Cgroup(Cgroup&& other) noexcept : folders_(std::move(other.folders_)) {
        other.folders_.clear();
    }

    Cgroup& operator=(Cgroup&& other) noexcept;
    ~Cgroup();

    bool empty() const { return folders_.empty(); }

    /// Moves a process into every group. Its later children follow.
    Status add(pid_t process) const;

  private:
    std::vector<std::filesystem::path> folders_;
};

} // namespace locara::sandbox
