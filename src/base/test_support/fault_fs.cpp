#include <locara/test_support/fault_fs.hpp>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::test_support::fault {

namespace fs = std::filesystem;

namespace {

template <class Function> Function* real(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

struct Disk {
    bool on = false;
    bool crashed = false;
    bool busy = false; ///< In our own work: nothing counts.
    std::string root;
    Fault fault = Fault::None;
    std::uint64_t at = 0;
    std::uint64_t calls = 0;

    std::map<ino_t, std::string> synced_content;
    std::map<ino_t, mode_t> modes;
    std::map<ino_t, std::map<std::string, ino_t>> synced_names; ///< Of folders.
    std::map<ino_t, int> held; ///< Keeps inode numbers from being used again.
};

Disk disk;

/// While one lives, system calls are only passed on.
class Quiet {
  public:
    Quiet() : before_(disk.busy) { disk.busy = true; }

    ~Quiet() { disk.busy = before_; }

    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;

  private:
    bool before_;
};

bool is_below(const char* path) {
    return disk.on && !disk.busy && path != nullptr &&
           std::string_view(path).starts_with(disk.root);
}

std::optional<struct stat> status(int fd) {
    struct stat info {};

    return ::fstat(fd, &info) == 0 ? std::optional(info) : std::nullopt;
}

bool is_watched(int fd) {
    if (!disk.on || disk.busy) {
        return false;
    }
    const auto info = status(fd);
    return info && disk.held.contains(info->st_ino);
}

/// Learns of an inode.
void hold(const fs::path& path) {
    const Quiet quiet;

    struct stat info {};

    if (::lstat(path.c_str(), &info) != 0 || disk.held.contains(info.st_ino)) {
        return;
    }
    disk.held[info.st_ino] = ::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    disk.modes[info.st_ino] = info.st_mode;
}

std::string content_of(int fd) {
    // Not by path: it may have none any more.
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::map<std::string, ino_t> names_in(const fs::path& folder) {
    std::map<std::string, ino_t> names;
    for (const auto& entry : fs::directory_iterator(folder)) {
        struct stat info {};

        if (::lstat(entry.path().c_str(), &info) == 0) {
            names[entry.path().filename().string()] = info.st_ino;
        }
    }
    return names;
}

void note_synced(int fd) {
    const Quiet quiet;
    const auto info = status(fd);
    if (!info) {
        return;
    }
    if (S_ISDIR(info->st_mode)) {
        disk.synced_names[info->st_ino] = names_in("/proc/self/fd/" + std::to_string(fd));
    } else {
        disk.synced_content[info->st_ino] = content_of(fd);
    }
}

/// Counts a call. The errno it must fail with, 0 if none.
int count(bool can_be_short = false) {
    ++disk.calls;
    if (disk.calls == disk.at) {
        switch (disk.fault) {
        case Fault::Io:
            return EIO;
        case Fault::NoSpace:
            return ENOSPC;
        case Fault::Crash:
            disk.crashed = true;
            break;
        case Fault::Short:
            return can_be_short ? -1 : 0;
        case Fault::None:
            break;
        }
    }
    return disk.crashed ? EIO : 0;
}

int fail(int error) {
    errno = error;
    return -1;
}

void gather(Tree& tree,
            const std::string& below,
            ino_t folder,
            const std::map<ino_t, std::map<std::string, ino_t>>& names,
            const std::map<ino_t, std::string>& content,
            const std::map<ino_t, mode_t>& modes) {
    const auto at = names.find(folder);
    if (at == names.end()) {
        return;
    }
    for (const auto& [name, inode] : at->second) {
        const std::string path = below.empty() ? name : below + "/" + name;
        const auto mode = modes.find(inode);
        Tree::Node node{inode, mode != modes.end() && S_ISDIR(mode->second), 0600, ""};
        if (mode != modes.end()) {
            node.mode = mode->second & 07777U;
        }
        if (const auto found = content.find(inode); found != content.end()) {
            node.content = found->second;
        }
        tree.nodes[path] = node;
        if (node.is_folder) {
            gather(tree, path, inode, names, content, modes);
        }
    }
}

} // namespace

Tree take(const fs::path& root) {
    const Quiet quiet;
    Tree tree;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
        struct stat info {};

        if (::lstat(entry.path().c_str(), &info) != 0) {
            continue;
        }
        Tree::Node node{info.st_ino, S_ISDIR(info.st_mode), info.st_mode & 07777U, ""};
        if (!node.is_folder) {
            std::ifstream file(entry.path(), std::ios::binary);
            node.content.assign(std::istreambuf_iterator<char>(file), {});
        }
        tree.nodes[entry.path().lexically_relative(root).string()] = std::move(node);
    }
    return tree;
}

std::map<ino_t, ino_t> put(const fs::path& root, const Tree& tree) {
    const Quiet quiet;
    for (const auto& entry : fs::directory_iterator(root)) {
        fs::remove_all(entry.path());
    }
    std::map<ino_t, fs::path> first;
    std::map<ino_t, ino_t> became;
    for (const auto& [name, node] : tree.nodes) {
        const fs::path path = root / name;
        if (node.is_folder) {
            fs::create_directories(path);
        } else if (const auto [at, is_new] = first.emplace(node.inode, path); is_new) {
            std::ofstream(path, std::ios::binary) << node.content;
        } else {
            fs::create_hard_link(at->second, path);
        }
        ::chmod(path.c_str(), node.is_folder ? 0755 : node.mode);

        struct stat info {};

        if (::lstat(path.c_str(), &info) == 0) {
            became[node.inode] = info.st_ino;
        }
    }
    return became;
}

void watch(const fs::path& root, Fault fault, std::uint64_t at) {
    const Quiet quiet;
    disk.root = root.string();
    disk.fault = fault;
    disk.at = at;
    disk.calls = 0;
    disk.crashed = false;
    hold(root);

    struct stat info {};

    ::lstat(root.c_str(), &info);
    disk.synced_names[info.st_ino] = names_in(root);
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
        hold(entry.path());
        ::lstat(entry.path().c_str(), &info);
        if (S_ISDIR(info.st_mode)) {
            disk.synced_names[info.st_ino] = names_in(entry.path());
        } else {
            std::ifstream file(entry.path(), std::ios::binary);
            disk.synced_content[info.st_ino] = {std::istreambuf_iterator<char>(file), {}};
        }
    }
    disk.on = true;
}

std::uint64_t stop() {
    disk.on = false;
    for (const auto& [inode, fd] : disk.held) {
        ::close(fd);
    }
    disk.held.clear();
    disk.modes.clear();
    disk.synced_content.clear();
    disk.synced_names.clear();
    return disk.calls;
}

Tree after_crash(Survives survives) {
    const Quiet quiet;
    auto names = disk.synced_names;
    auto content = disk.synced_content;

    struct stat info {};

    ::lstat(disk.root.c_str(), &info);
    const ino_t top = info.st_ino;
    const bool all_names = survives == Survives::Names || survives == Survives::All;
    const bool all_data = survives == Survives::Data || survives == Survives::All;
    if (all_names) {
        names[top] = names_in(disk.root);
    }
    for (const auto& entry : fs::recursive_directory_iterator(disk.root)) {
        if (::lstat(entry.path().c_str(), &info) != 0) {
            continue;
        }
        if (S_ISDIR(info.st_mode) && all_names) {
            names[info.st_ino] = names_in(entry.path());
        } else if (S_ISREG(info.st_mode) && all_data) {
            std::ifstream file(entry.path(), std::ios::binary);
            content[info.st_ino] = {std::istreambuf_iterator<char>(file), {}};
        }
    }
    Tree tree;
    gather(tree, "", top, names, content, disk.modes);
    return tree;
}

} // namespace locara::test_support::fault

// The system calls. Each has the name and type that the C library gives it.
using namespace locara::test_support::fault;

extern "C" {

int open(const char* path, int flags, ...) {
    mode_t mode = 0;
    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    const bool changes = is_below(path) && (flags & (O_CREAT | O_TRUNC)) != 0;
    if (changes) {
        if (const int error = count(); error != 0) {
            return fail(error);
        }
    }
    const int fd = real<int(const char*, int, ...)>("open")(path, flags, mode);
    if (fd >= 0 && changes) {
        hold(path);
    }
    return fd;
}

int mkostemp(char* path, int flags) {
    const bool below = is_below(path);
    if (below) {
        if (const int error = count(); error != 0) {
            return fail(error);
        }
    }
    const int fd = real<int(char*, int)>("mkostemp")(path, flags);
    if (fd >= 0 && below) {
        hold(path);
    }
    return fd;
}

ssize_t write(int fd, const void* bytes, size_t size) {
    if (is_watched(fd)) {
        const int error = count(true);
        if (error > 0) {
            return fail(error);
        }
        if (error < 0) {
            size = (size + 1) / 2;
        }
    }
    return real<ssize_t(int, const void*, size_t)>("write")(fd, bytes, size);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
    if (is_watched(fd)) {
        const int error = count(true);
        if (error > 0) {
            return fail(error);
        }
        if (error < 0) {
            size = (size + 1) / 2;
        }
    }
    return real<ssize_t(int, const void*, size_t, off_t)>("pwrite")(fd, bytes, size, offset);
}

ssize_t copy_file_range(int in, off64_t* from, int out, off64_t* to, size_t size, unsigned flags) {
    if (is_watched(out)) {
        const int error = count(true);
        if (error > 0) {
            return fail(error);
        }
        if (error < 0) {
            size = (size + 1) / 2;
        }
    }
    return real<ssize_t(int, off64_t*, int, off64_t*, size_t, unsigned)>("copy_file_range")(
        in, from, out, to, size, flags);
}

int fsync(int fd) {
    const bool watched = is_watched(fd);
    if (watched) {
        if (const int error = count(); error != 0) {
            return fail(error);
        }
        note_synced(fd);
    }
    return real<int(int)>("fsync")(fd);
}

int fdatasync(int fd) {
    const bool watched = is_watched(fd);
    if (watched) {
        if (const int error = count(); error != 0) {
            return fail(error);
        }
        note_synced(fd);
    }
    return real<int(int)>("fdatasync")(fd);
}

int ftruncate(int fd, off_t size) noexcept {
    if (is_watched(fd)) {
        if (const int error = count(); error != 0) {
            return fail(error);
        }
    }
    return real<int(int, off_t)>("ftruncate")(fd, size);
}

int truncate(const char* path, off_t size) noexcept {
    if (is_below(path)) {
        if (const int error = count(); error != 0) {
            return fail(error);
        }
    }
    return real<int(const char*, off_t)>("truncate")(path, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
    if (is_watched(fd)) {
        if (const int error = count(); error != 0) {
            return fail(error);
        }
    }
    return real<int(int, int, off_t, off_t)>("fallocate")(fd, mode, offset, size);
}

int renameat2(
    int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
    if (is_below(from) || is_below(to)) {
        if (const int error = count(); error != 0) {
            return fail(error);
        }
    }
    return real<int(int, const char*, int, const char*, unsigned)>("renameat2")(
        from_folder, from, to_folder, to, flags);
}

int link(const char* from, const char* to) noexcept {
    if (is_below(to)) {
        if (const int error = count(); error != 0) {
            return fail(error);
        }
    }
    return real<int(const char*, const char*)>("link")(from, to);
}

int unlink(const char* path) noexcept {
    if (is_below(path)) {
        if (const int error = count(); error != 0) {
            return fail(error);
        }
    }
    return real<int(const char*)>("unlink")(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
    const bool below = is_below(path);
    if (below) {
        if (const int error = count(); error != 0) {
            return fail(error);
        }
    }
    const int result = real<int(const char*, mode_t)>("mkdir")(path, mode);
    if (result == 0 && below) {
        hold(path);
    }
    return result;
}

int fchmod(int fd, mode_t mode) noexcept {
    if (is_watched(fd)) {
        if (const int error = count(); error != 0) {
            return fail(error);
        }
    }
    return real<int(int, mode_t)>("fchmod")(fd, mode);
}

int chmod(const char* path, mode_t mode) noexcept {
    if (is_below(path)) {
        if (const int error = count(); error != 0) {
            return fail(error);
        }
    }
    return real<int(const char*, mode_t)>("chmod")(path, mode);
}

} // extern "C"
