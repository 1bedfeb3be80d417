// Profile: what a sandboxed program gets. Everything that is not named here it does not get.
//
// The walls are those of docs/sandbox.md: namespaces by bubblewrap, a seccomp filter, Landlock as a
// second wall where the kernel has it, setrlimit, and a control group where we may write one.
// Threads: plain values.
#pragma once

#include <locara/base/result.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace locara::sandbox {

/// A file or folder of the host shown at a path inside.
struct Bind {
    std::filesystem::path host;
    std::filesystem::path inside;
};

/// Which system calls may pass.
enum class SyscallPolicy {
    Engine, ///< Only those on a list: what an inference server needs.
    App,    ///< All but those on a list: ptrace, mount, keyctl, bpf, io_uring, namespaces, ...
    /// As App, but sockets of IP and netlink too: a browser and the server that it looks at talk by
    /// the loopback of their own network namespace, which has nothing else.
    Browser,
    /// As App, without what namespaces would take care of: see confined.hpp.
    Confined
};

/// Limits on what the program may use. 0 means no limit.
struct Limits {
    std::uint64_t memory_bytes = 0;        ///< By control group, where we may write one.
    std::uint64_t address_space_bytes = 0; ///< RLIMIT_AS, per process; count mappings, not use.
    std::uint64_t file_bytes = 0;          ///< RLIMIT_FSIZE: size of any one written file.
    std::uint64_t open_files = 256;        ///< RLIMIT_NOFILE, per process.
    /// Processes and threads together: RLIMIT_NPROC (which the kernel does not apply to root), and
    /// a control group where we may write one.
    std::uint64_t tasks = 128;
    std::uint64_t cpu_seconds = 0;      ///< RLIMIT_CPU, per process.
    std::uint64_t tmp_bytes = 64 << 20; ///< Size of the tmpfs at /tmp.
};

struct Profile {
    std::string name; ///< For messages: "engine of locara/quick-add".

    /// The program and its arguments; [0] is an absolute path inside.
    std::vector<std::string> command;

    /// /usr is there without being named, read-only; so are /dev (null, zero, full, random,
    /// urandom, tty), an own /proc, and an empty /tmp.
    std::vector<Bind> read_only;
    std::vector<Bind> writable; ///< Folders.

    /// The unix socket that is the only way out (an app's way to the broker), if it gets one.
    std::optional<Bind> socket;

    /// A connected socket that becomes standard input, or -1 for /dev/null. Borrowed for start().
    int channel = -1;

    /// The whole environment.
    std::vector<std::pair<std::string, std::string>> environment;
    std::filesystem::path working_folder = "/";

    /// Paths inside that may be executed, by Landlock. Empty: /usr and everything read-only.
    std::vector<std::filesystem::path> executables;

    SyscallPolicy syscalls = SyscallPolicy::App;
    Limits limits;

    /// How much of the end of standard output and of standard error is kept, each.
    std::size_t output_bytes = 64 << 10;
};

/// The programs that build the walls.
struct Tools {
    std::filesystem::path bubblewrap; ///< "/usr/bin/bwrap"
    std::filesystem::path init;       ///< locara-sandbox-init, which sets the inner walls.

    /// bubblewrap from /usr/bin, /usr/local/bin or /bin; locara-sandbox-init from beside this
    /// program, else from <prefix>/libexec/locara, or wherever LOCARA_SANDBOX_INIT says.
    /// Errors: Unavailable, naming the wall that cannot be built and how to mend that.
    static Result<Tools> find();

    /// locara-sandbox-init alone, for programs behind walls that need no bubblewrap.
    static Result<std::filesystem::path> find_init();
};

/// Which walls stand around a running program.
struct Walls {
    int landlock_abi = 0;                  ///< 0: this kernel has no Landlock.
    std::vector<std::string> in_force;     ///< "network: none (own namespace)", ...
    std::vector<std::string> not_in_force; ///< "memory by control group: ... may not be written"
};

/// The Landlock version of this kernel, 0 without Landlock. For `locara doctor`.
int landlock_abi();

} // namespace locara::sandbox
