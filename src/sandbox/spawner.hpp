// Starting child processes from one thread that never ends.
//
// PR_SET_PDEATHSIG fires when the *thread* that made the child ends, not its process. So every
// sandboxed program is made by one thread that lives as long as the process does.
#pragma once

#include <locara/base/result.hpp>

#include <string>
#include <vector>

#include <sys/types.h>

namespace locara::sandbox {

struct SpawnRequest {
    std::vector<std::string> command; ///< [0] is the path of the program.
    int input = -1;                   ///< Becomes 0, 1 and 2. Borrowed.
    int output = -1;
    int error = -1;
    std::vector<int> keep; ///< Descriptors the child gets under the same number. Borrowed.
};

/// Blocks all signals in the calling thread: the threads of this module are not the ones that a
/// program waits for its signals with. What they start has none blocked (locara-sandbox-init).
void block_signals();

/// The child's process id. Its environment is empty. Io or NotFound if the program cannot be
/// started.
Result<pid_t> spawn(const SpawnRequest& request);

} // namespace locara::sandbox
