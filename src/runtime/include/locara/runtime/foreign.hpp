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

/// A variable of the environment; nullopt if unset.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The environment of this process.
Environment process_environment();

/// Files in the known places of other programs that are there, each once, by path. Files below
/// kMinForeignBytes are left out: no weights are that small.
std::vector<ForeignFile> find_foreign(const Environment& environment);

/// The same for a file, or for everything below a folder. NotFound.
Result<std::vector<ForeignFile>> find_foreign_below(const std::filesystem::path& path);

inline constexpr std::uint64_t kMinForeignBytes = 64U << 10U;

/// The names of the places, for words.
std::vector<std::string_view> foreign_places();

} // namespace locara::runtime
