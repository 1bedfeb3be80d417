// A program of the system behind walls that need no namespaces: for one that is started often, and
// reads what strangers sent with nothing but descriptors, some folders and itself.
//
// The walls are those of docs/sandbox.md, "Without namespaces": Landlock, a seccomp filter,
// setrlimit, no new privileges, no capabilities (of root but the one that overrides modes). They
// are raised by locara-sandbox-init in the process that becomes the program, so that they cost no
// process. On a kernel without Landlock the files stay open to it: say so to the operator
// (landlock_abi() in profile.hpp).
// Threads: all functions may be called from any thread.
#pragma once

#include <locara/base/result.hpp>
#include <locara/sandbox/profile.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace locara::sandbox {

/// Paths are absolute; one that does not exist is passed over.
struct Confined {
    std::string name;                     ///< For messages: "git".
    std::vector<std::string> command;     ///< [0] is the absolute path of the program.
    std::vector<std::string> environment; ///< "NAME=value"; the whole of it.

    /// /usr, the loader's cache, /dev/null and /dev/urandom are there without being named.
    std::vector<std::filesystem::path> readable; ///< Files, or folders with all below them.
    std::vector<std::filesystem::path> writable; ///< Folders, readable as well.
    /// All that may be executed, [0] of the command included.
    std::vector<std::filesystem::path> executables;

    /// But those that need a control group or a mount: memory_bytes, tmp_bytes. `tasks` counts all
    /// that its user has running.
    Limits limits;

    int input = -1; ///< Becomes 0, 1 and 2. Borrowed.
    int output = -1;
    int error = -1;
};

/// Raises the walls and starts the program, in a process group of its own that it cannot leave,
/// with no signal blocked or ignored. Returns when the program's own code is about to run; the
/// child is to be waited for. Blocks for some milliseconds, 10 s at most. Errors, each naming the
/// wall: Unavailable (locara-sandbox-init missing; Landlock, seccomp or a limit refused; the
/// program cannot be executed), Timeout, Io (no process or descriptor left).
Result<pid_t> start_confined(const Confined& confined);

} // namespace locara::sandbox
