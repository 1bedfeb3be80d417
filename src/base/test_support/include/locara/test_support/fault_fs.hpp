// A disk that fails, and one that forgets: stands between this program and the system calls by
// which it changes files below one folder (fault_fs.cpp defines them anew and passes them on).
//
// It counts those calls, and can make the n-th fail or write less than asked, or let the machine
// "crash" before the n-th: that and all later calls fail, and what was never synced is gone.
//
// What is synced: fsync and fdatasync of a file keep its content as it is then; of a folder, its
// names as they are then. (Real file systems keep more, never less.)
//
// A test program that uses it is one of its own and compiles fault_fs.cpp in: the functions must
// come before those of the C library. For tests only.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace locara::test_support::fault {

/// A folder with everything in it, in memory. Hard links share `inode`.
struct Tree {
    struct Node {
        ino_t inode = 0;
        bool is_folder = false;
        mode_t mode = 0;
        std::string content;
    };

    std::map<std::string, Node> nodes; ///< By path below the folder; parents come before children.
};

Tree take(const std::filesystem::path& root);

/// Empties the folder and fills it anew. Returns which inode became which.
std::map<ino_t, ino_t> put(const std::filesystem::path& root, const Tree& tree);

enum class Fault { None, Io, NoSpace, Short, Crash };

/// What is on the disk after a crash.
enum class Survives {
    Synced, ///< Only what was synced.
    Names,  ///< All names, but only synced content (an empty file where there is none).
    Data,   ///< Only synced names, but all content.
    All,    ///< Everything: the program was killed, not the machine.
};

/// Watches from now on what happens below `root`, which is synced as it is. The `at`-th call
/// (from 1) meets the fault.
void watch(const std::filesystem::path& root, Fault fault, std::uint64_t at);

/// Ends it and says how many calls there were.
std::uint64_t stop();

/// What the disk holds, as if the machine had stopped now. Call it before stop().
Tree after_crash(Survives survives);

} // namespace locara::test_support::fault
