// Process: a program running behind walls, and the only way to start one.
//
// If a wall cannot be built the program does not start, and the error names the wall. The program
// dies with us: with this process, with the Process object, and with bubblewrap's own process.
// Threads: all functions may be called from any thread.
#pragma once

#include <locara/sandbox/profile.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <sys/types.h>

namespace locara::sandbox {

struct ExitStatus {
    int code = 0;   ///< Exit code, when signal is 0.
    int signal = 0; ///< The signal that ended it, or 0.

    /// "exit code 3" or "signal 9".
    std::string describe() const;
};

class Process {
  public:
    /// Builds the walls and starts the program. Returns when the program's own code is about to
    /// run, at most `start_timeout` later. Errors, each naming the wall and the fix: Unavailable
    /// (bubblewrap missing, namespaces not allowed, seccomp, Landlock or a limit refused), NotFound
    /// (a path to show does not exist), InvalidArgument (a relative path, an empty command),
    /// Timeout.
    static Result<std::unique_ptr<Process>>
    start(const Profile& profile,
          const Tools& tools,
          std::chrono::milliseconds start_timeout = std::chrono::seconds(10));

    /// Kills and waits.
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    /// The program's process id as this process sees it (not the id inside).
    pid_t host_pid() const;

    const Walls& walls() const;

    /// How it ended, or nothing while it runs.
    std::optional<ExitStatus> exit_status() const;
    /// Waits for the end, at most `timeout`.
    std::optional<ExitStatus> wait(std::chrono::milliseconds timeout) const;

    /// Sends a signal to the program itself. Does nothing after its end.
    void signal(int number) const;
    /// SIGTERM, then SIGKILL to everything inside after `grace`. Returns when all is over.
    void stop(std::chrono::milliseconds grace);

    /// The last bytes it wrote (Profile::output_bytes), whole lines as far as possible.
    std::string output_tail() const;
    std::string error_tail() const;

  private:
    struct State;
    explicit Process(std::shared_ptr<State> state);
    std::shared_ptr<State> state_; ///< Shared with the thread that watches the child.
};

} // namespace locara::sandbox
