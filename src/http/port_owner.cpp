#include "port_owner.hpp"

#include <locara/base/file.hpp>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>

namespace locara::http {
namespace {

namespace fs = std::filesystem;

/// The inodes of the sockets that listen on the port, as "socket:[123]".
std::set<std::string> listening_sockets(std::uint16_t port) {
    std::set<std::string> sockets;
    for (const char* const table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        std::ifstream lines(table);
        std::string line;
        std::getline(lines, line); // the heading
        while (std::getline(lines, line)) {
            std::istringstream words(line);
            std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
            words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
                timeout >> inode;
            const std::size_t colon = local.rfind(':');
            if (!words || state != "0A" || colon == std::string::npos) { // 0A: TCP_LISTEN
                continue;
            }
            unsigned value = 0;
            std::from_chars(local.data() + colon + 1, local.data() + local.size(), value, 16);
            if (value == port) {
                sockets.insert("socket:[" + inode + "]");
            }
        }
    }
    return sockets;
}

} // namespace

std::string describe_port_owner(std::uint16_t port) {
    const std::set<std::string> sockets = listening_sockets(port);
    if (sockets.empty()) {
        return "";
    }
    std::error_code error;
    for (fs::directory_iterator process("/proc", error), end; !error && process != end;
         process.increment(error)) {
        const std::string pid = process->path().filename().string();
        if (pid.find_first_not_of("0123456789") != std::string::npos) {
            continue;
        }
        std::error_code hidden; // Other users' processes do not show their descriptors.
        for (fs::directory_iterator fd(process->path() / "fd", hidden); !hidden && fd != end;
             fd.increment(hidden)) {
            std::error_code gone;
            const fs::path target = fs::read_symlink(fd->path(), gone);
            if (!gone && sockets.count(target.string()) != 0) {
                std::string name;
                std::ifstream(process->path() / "comm") >> name;
                return " (held by process " + pid + ", '" + name + "')";
            }
        }
    }
    return "";
}

} // namespace locara::http
