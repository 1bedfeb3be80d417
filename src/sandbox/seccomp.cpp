#include "seccomp.hpp"

#include <seccomp.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <string>

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace locara::sandbox {

namespace {

// What llama-server of llama.cpp v0.5.0 was seen to need (strace -f over loading, chat, embeddings
// and a signal), what glibc 2.36 may use in their place, and what bubblewrap's reaper and
// locara-sandbox-init need. Names unknown to this processor or libseccomp are passed over.
constexpr const char* kEngineCalls[] = {
    // Memory.
    "brk",
    "mmap",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "mlock",
    "munlock",
    "mincore",
    "msync",
    // Files that Landlock and the mounts leave to it.
    "open",
    "openat",
    "close",
    "close_range",
    "read",
    "readv",
    "pread64",
    "preadv",
    "write",
    "writev",
    "lseek",
    "fstat",
    "stat",
    "lstat",
    "newfstatat",
    "statx",
    "statfs",
    "fstatfs",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "fcntl",
    "fadvise64",
    "readahead",
    "unlink",
    "unlinkat",
    "dup",
    "dup2",
    "dup3",
    "umask",
    // Threads and time.
    "futex",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "sched_yield",
    "sched_getaffinity",
    "sched_setaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_setscheduler",
    "getpriority",
    "setpriority",
    "membarrier",
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "times",
    "getrusage",
    "getcpu",
    "exit",
    "exit_group",
    "restart_syscall",
    "alarm",
    "setitimer",
    // Signals to itself (other processes are out of sight in its own process namespace).
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "rt_sigpending",
    "sigaltstack",
    "tgkill",
    "tkill",
    "kill",
    "wait4",
    "waitid",
    // Its socket; socket() itself is a rule of its own below.
    "bind",
    "listen",
    "accept",
    "accept4",
    "getsockname",
    "getpeername",
    "setsockopt",
    "getsockopt",
    "recvfrom",
    "recvmsg",
    "sendto",
    "sendmsg",
    "shutdown",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "eventfd2",
    "pipe",
    "pipe2",
    "sendfile",
    // Looking at itself.
    "getpid",
    "getppid",
    "gettid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "uname",
    "sysinfo",
    "getrandom",
    "prlimit64",
    "getrlimit",
    "setrlimit",
    "arch_prctl",
    "prctl",
    "capget",
    // Becoming the engine: Landlock leaves one file to execute.
    "execve",
    "landlock_create_ruleset",
    "landlock_add_rule",
    "landlock_restrict_self"};

// Doors into the kernel that a small app has no use for.
constexpr const char* kAppDenied[] = {"ptrace",
                                      "process_vm_readv",
                                      "process_vm_writev",
                                      "kcmp",
                                      "pidfd_getfd",
                                      "pidfd_open",
                                      "mount",
                                      "umount",
                                      "umount2",
                                      "pivot_root",
                                      "chroot",
                                      "open_tree",
                                      "move_mount",
                                      "fsopen",
                                      "fsconfig",
                                      "fsmount",
                                      "fspick",
                                      "mount_setattr",
                                      "keyctl",
                                      "add_key",
                                      "request_key",
                                      "bpf",
                                      "perf_event_open",
                                      "userfaultfd",
                                      "io_uring_setup",
                                      "io_uring_enter",
                                      "io_uring_register",
                                      "unshare",
                                      "setns",
                                      "init_module",
                                      "finit_module",
                                      "delete_module",
                                      "kexec_load",
                                      "kexec_file_load",
                                      "reboot",
                                      "swapon",
                                      "swapoff",
                                      "acct",
                                      "quotactl",
                                      "quotactl_fd",
                                      "syslog",
                                      "settimeofday",
                                      "clock_settime",
                                      "clock_adjtime",
                                      "adjtimex",
                                      "sethostname",
                                      "setdomainname",
                                      "iopl",
                                      "ioperm",
                                      "modify_ldt",
                                      "vhangup",
                                      "nfsservctl",
                                      "name_to_handle_at",
                                      "open_by_handle_at",
                                      "fanotify_init",
                                      "move_pages",
                                      "migrate_pages",
                                      "mbind",
                                      "set_mempolicy",
                                      "get_mempolicy",
                                      "uselib",
                                      "ustat",
                                      "sysfs",
                                      "_sysctl",
                                      "lookup_dcookie",
                                      "personality",
                                      "memfd_secret",
                                      "vm86",
                                      "vm86old"};

// What is left to a program that has no namespaces of its own: other processes of its user, memory
// that no limit counts, and changes of files by their names, which Landlock does not see (kernel
// documentation, userspace-api/landlock.rst; truncation it sees from its version 3 on). Calls that
// change an open file stay.
constexpr const char* kConfinedDenied[] = {"kill",
                                           "tkill",
                                           "tgkill",
                                           "rt_sigqueueinfo",
                                           "rt_tgsigqueueinfo",
                                           "pidfd_send_signal",
                                           "process_madvise",
                                           "process_mrelease",
                                           // Out of the process group that is killed.
                                           "setsid",
                                           "setpgid",
                                           "memfd_create",
                                           "shmget",
                                           "shmat",
                                           "mq_open",
                                           "truncate",
                                           "truncate64",
                                           "chmod",
                                           "fchmodat",
                                           "fchmodat2",
                                           "chown",
                                           "lchown",
                                           "fchownat",
                                           "setxattr",
                                           "lsetxattr",
                                           "removexattr",
                                           "lremovexattr",
                                           "utime",
                                           "utimes",
                                           "futimesat"};

constexpr unsigned long kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                          CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                          CLONE_NEWNET | 0x80UL /* CLONE_NEWTIME */;

class Filter {
  public:
    explicit Filter(std::uint32_t otherwise) : context_(seccomp_init(otherwise)) {
        failed_ = context_ == nullptr;
    }

    Filter(const Filter&) = delete;
    Filter& operator=(const Filter&) = delete;

    ~Filter() {
        if (context_ != nullptr) {
            seccomp_release(context_);
        }
    }

    void add(std::uint32_t action,
             const char* name,
             std::initializer_list<scmp_arg_cmp> conditions = {}) {
        const int number = seccomp_syscall_resolve_name(name);
        if (failed_ || number == __NR_SCMP_ERROR) {
            return; // Newer than libseccomp, or of another processor.
        }
        const int code = seccomp_rule_add_array(
            context_, action, number, static_cast<unsigned>(conditions.size()), conditions.begin());
        // -EACCES: the rule says what the filter does anyway. -EDOM: no such call here.
        failed_ = code != 0 && code != -EACCES && code != -EDOM;
    }

    Result<Fd> write() {
        if (failed_) {
            return Error(ErrorCode::Unavailable,
                         "wall seccomp: libseccomp cannot build the filter for this processor; "
                         "install libseccomp2 2.5 or newer");
        }
        Fd file(memfd_create("seccomp", MFD_CLOEXEC));
        if (!file.valid()) {
            return Error::from_errno("wall seccomp: memfd_create", errno);
        }
        const int code = seccomp_export_bpf(context_, file.get());
        if (code != 0 || lseek(file.get(), 0, SEEK_SET) != 0) {
            return Error::from_errno("wall seccomp: writing the filter", code != 0 ? -code : errno);
        }
        return file;
    }

  private:
    scmp_filter_ctx context_;
    bool failed_ = false;
};

scmp_arg_cmp argument(unsigned index, scmp_compare compare, scmp_datum_t a, scmp_datum_t b = 0) {
    return scmp_arg_cmp{index, compare, a, b};
}

void deny_terminal_tricks(Filter& filter) {
    // Pushing characters into a terminal's input (CVE-2017-5226). ioctl takes 32 bits of its
    // request.
    for (const unsigned long request : {0x5412UL /* TIOCSTI */, 0x541CUL /* TIOCLINUX */}) {
        filter.add(SCMP_ACT_ERRNO(EPERM),
                   "ioctl",
                   {argument(1, SCMP_CMP_MASKED_EQ, 0xFFFFFFFFUL, request)});
    }
}

// clone3 keeps its flags in memory where a filter cannot look; without it libc falls back to clone.
void deny_namespaces(Filter& filter, std::uint32_t clone_action) {
    filter.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
    if (clone_action == SCMP_ACT_ALLOW) {
        filter.add(SCMP_ACT_ALLOW, "clone", {argument(0, SCMP_CMP_MASKED_EQ, kNamespaceFlags, 0)});
        return;
    }
    for (unsigned bit = 0; bit < 32; ++bit) {
        const unsigned long flag = 1UL << bit;
        if ((kNamespaceFlags & flag) != 0) {
            filter.add(clone_action, "clone", {argument(0, SCMP_CMP_MASKED_EQ, flag, flag)});
        }
    }
}

Result<Fd> build_engine_filter() {
    Filter filter(SCMP_ACT_ERRNO(EPERM));
    for (const char* name : kEngineCalls) {
        filter.add(SCMP_ACT_ALLOW, name);
    }
    filter.add(SCMP_ACT_ALLOW, "socket", {argument(0, SCMP_CMP_EQ, AF_UNIX)});
    for (const unsigned long request : {0x5421UL /* FIONBIO */,
                                        0x541BUL /* FIONREAD */,
                                        0x5401UL /* TCGETS: isatty */,
                                        0x5413UL /* TIOCGWINSZ */}) {
        filter.add(
            SCMP_ACT_ALLOW, "ioctl", {argument(1, SCMP_CMP_MASKED_EQ, 0xFFFFFFFFUL, request)});
    }
    deny_namespaces(filter, SCMP_ACT_ALLOW);
    return filter.write();
}

/// A rule compares an argument once: of the families that there are, all others one by one.
void deny_other_families(Filter& filter, std::initializer_list<unsigned> allowed) {
    constexpr unsigned kFamilies = 64; // Linux 6.1 has 46
    for (unsigned family = 0; family < kFamilies; ++family) {
        if (std::find(allowed.begin(), allowed.end(), family) == allowed.end()) {
            filter.add(SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", {argument(0, SCMP_CMP_EQ, family)});
        }
    }
    filter.add(SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", {argument(0, SCMP_CMP_GE, kFamilies)});
}

Result<Fd> build_app_filter(SyscallPolicy policy) {
    Filter filter(SCMP_ACT_ALLOW);
    for (const char* name : kAppDenied) {
        filter.add(SCMP_ACT_ERRNO(EPERM), name);
    }
    if (policy == SyscallPolicy::Confined) {
        for (const char* name : kConfinedDenied) {
            filter.add(SCMP_ACT_ERRNO(EPERM), name);
        }
        // Limits of others; times of a file that is named and not open.
        filter.add(SCMP_ACT_ERRNO(EPERM), "prlimit64", {argument(0, SCMP_CMP_NE, 0)});
        filter.add(SCMP_ACT_ERRNO(EPERM), "utimensat", {argument(1, SCMP_CMP_NE, 0)});
        filter.add(SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket");
    } else if (policy == SyscallPolicy::Browser) {
        deny_other_families(filter, {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK});
    } else {
        filter.add(SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", {argument(0, SCMP_CMP_NE, AF_UNIX)});
    }
    deny_terminal_tricks(filter);
    deny_namespaces(filter, SCMP_ACT_ERRNO(EPERM));
    return filter.write();
}

} // namespace

Result<Fd> build_seccomp_filter(SyscallPolicy policy) {
    return policy == SyscallPolicy::Engine ? build_engine_filter() : build_app_filter(policy);
}

} // namespace locara::sandbox
