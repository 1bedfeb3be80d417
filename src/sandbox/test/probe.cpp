// Tries, from inside a sandbox, what a sandbox must not let it do. One line per attempt on standard
// output: "name=0" if it worked, "name=ERRNO" if not. Argument: paths to read and to write.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void tell(const std::string& name, long result) {
    std::printf("%s=%d\n", name.c_str(), result < 0 ? errno : 0);
    std::fflush(stdout);
}

void try_read(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    tell("read " + path, fd);
    if (fd >= 0) {
        close(fd);
    }
}

void try_write(const std::string& path) {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    tell("write " + path, fd);
    if (fd >= 0) {
        close(fd);
    }
}

void try_connect(const char* address) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        tell(std::string("connect ") + address, -1);
        return;
    }
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(80);
    inet_pton(AF_INET, address, &to.sin_addr);
    tell(std::string("connect ") + address,
         connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to));
    close(fd);
}

void try_network() {
    tell("socket AF_INET", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    tell("socket AF_INET6", socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    tell("socket AF_NETLINK", socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
    tell("socket AF_PACKET", socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    tell("socket AF_UNIX", socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    try_connect("127.0.0.1");
    try_connect("1.1.1.1");
    std::FILE* devices = std::fopen("/proc/self/net/dev", "re");
    char line[256];
    for (int n = 0; devices != nullptr && std::fgets(line, sizeof line, devices) != nullptr; ++n) {
        if (n >= 2) {
            *std::strchr(line, ':') = '\0';
            std::printf("device=%s\n", line + std::strspn(line, " "));
        }
    }
}

void try_kernel() {
    tell("ptrace", ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
    tell("mount", mount("none", "/tmp", "tmpfs", 0, nullptr));
    tell("keyctl", syscall(SYS_keyctl, 0, -3, 1));
    tell("bpf", syscall(SYS_bpf, 0, nullptr, 0));
    tell("perf_event_open", syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0));
    tell("userfaultfd", syscall(SYS_userfaultfd, 1));
    char parameters[256] = {};
    tell("io_uring", syscall(425, 1, parameters));
    tell("unshare user", unshare(CLONE_NEWUSER));
    tell("unshare net", unshare(CLONE_NEWNET));
    tell("clone user", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, 0));
    tell("clone3", syscall(435, parameters, 64));
    char push = 'x';
    tell("TIOCSTI", ioctl(0, TIOCSTI, &push));
    tell("chroot", chroot("/tmp"));
    tell("setuid", setuid(1));
    const pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    tell("fork", child);
    waitpid(child, nullptr, 0);
}

// What reaches others without opening anything of theirs.
void try_others() {
    tell("signal parent", kill(getppid(), 0));
    tell("limit parent", prlimit(getppid(), RLIMIT_CORE, nullptr, nullptr));
    tell("setsid", setsid());
    tell("memfd_create", memfd_create("probe", MFD_CLOEXEC));
}

void try_change(const std::string& path) {
    tell("truncate " + path, truncate(path.c_str(), 0));
    tell("chmod " + path, chmod(path.c_str(), 0777));
    tell("utime " + path, utimensat(AT_FDCWD, path.c_str(), nullptr, 0));
}

void list_processes() {
    DIR* folder = opendir("/proc");
    int count = 0;
    while (const dirent* entry = folder == nullptr ? nullptr : readdir(folder)) {
        count += std::atoi(entry->d_name) > 0 ? 1 : 0;
    }
    std::printf("processes=%d\n", count);
    tell("kill 1", kill(1, SIGKILL));
}

void show_limits() {
    const auto show = [](const char* name, __rlimit_resource resource) {
        rlimit limit{};
        getrlimit(resource, &limit);
        std::printf("limit %s=%llu\n", name, static_cast<unsigned long long>(limit.rlim_cur));
    };
    show("open_files", RLIMIT_NOFILE);
    show("address_space", RLIMIT_AS);
    show("core", RLIMIT_CORE);
    std::printf("descriptors=");
    for (int fd = 3; fd < 1024; ++fd) {
        if (fcntl(fd, F_GETFD) >= 0) {
            std::printf("%d,", fd);
        }
    }
    std::printf("\n");
    for (char** entry = environ; *entry != nullptr; ++entry) {
        std::printf("environment=%s\n", *entry);
    }
}

} // namespace

int main(int count, char** words) {
    std::string mode = count > 1 ? words[1] : "";
    if (mode == "sleep") {
        std::printf("sleeping\n");
        std::fflush(stdout);
        sleep(600);
        return 0;
    }
    if (mode == "flood") {
        for (int line = 0; line < 100000; ++line) {
            std::fprintf(stderr, "line %d of many\n", line);
        }
        return 3;
    }
    if (mode == "crash") {
        std::abort();
    }
    if (mode == "eat") {
        std::size_t eaten = 0;
        for (; eaten < (1ULL << 30U); eaten += 16U << 20U) {
            void* block = std::malloc(16U << 20U);
            if (block == nullptr) {
                break;
            }
            std::memset(block, 1, 16U << 20U);
        }
        std::printf("eaten=%zu\n", eaten);
        return 0;
    }
    show_limits(); // First: the others leave descriptors open.
    try_network();
    try_kernel();
    list_processes();
    try_others();
    for (int at = 1; at + 1 < count; at += 2) {
        const std::string verb = words[at];
        if (verb == "read") {
            try_read(words[at + 1]);
        } else if (verb == "write") {
            try_write(words[at + 1]);
        } else if (verb == "change") {
            try_change(words[at + 1]);
        } else if (verb == "exec") {
            const pid_t child = fork();
            if (child == 0) {
                execl(words[at + 1], words[at + 1], nullptr);
                _exit(errno);
            }
            int status = 0;
            waitpid(child, &status, 0);
            errno = WEXITSTATUS(status);
            tell(std::string("exec ") + words[at + 1], errno == 0 ? 0 : -1);
        }
    }
    std::printf("done=0\n");
}
