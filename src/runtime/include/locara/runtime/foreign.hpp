// Where other programs keep weights: a table of places, and a walk over them.
//
// Nothing is read but names, sizes and, in folders that the Hugging Face client filled, its small
// metadata files. What a file is, its content decides (Storage::adopt); names are hints.
//
// Threads: plain functions.
#pragma once

#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::runtime {

/// A file that may hold weights.
struct ForeignFile {
    std::string place;          ///< "Hugging Face cache", or the path that was given.
    std::filesystem::path path; ///< Absolute, without symbolic links.
    std::string hint;           ///< How it is called there, below its place.
    std::uint64_t size = 0;
    std::optional<crypto::Sha256Digest> named; ///< What its name claims its SHA-256 is.
};

/// A place that was not looked at, or not to its end.
struct Unseen {
    std::string place; ///< As in ForeignFile.
    std::filesystem::path path;
    std::string reason; ///< "cannot list it: ...", or the limit that was reached.
};

struct ForeignFiles {
    std::vector<ForeignFile> files; ///< By path, each inode once.
    std::vector<Unseen> unseen;     ///< In the order they were met.
};

/// A cache that was grown by a loop of links must not hold us forever. What lies beyond is told as
/// Unseen.
struct ForeignLimits {
    std::size_t files = 200'000;
    int depth = 16; ///< Folders within folders.
};

/// A variable of the environment; nullopt if unset.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The environment of this process.
Environment process_environment();

/// Files in the known places of other programs that are there. Files below kMinForeignBytes are
/// left out: no weights are that small. A folder that cannot be read costs only what is in it.
ForeignFiles find_foreign(const Environment& environment, const ForeignLimits& limits = {});

/// The same for a file, or for everything below a folder but the kernel's own file systems (/proc,
/// /sys). NotFound.
Result<ForeignFiles> find_foreign_below(const std::filesystem::path& path,
                                        const ForeignLimits& limits = {});

inline constexpr std::uint64_t kMinForeignBytes = 64U << 10U;

} // namespace locara::runtime
