// The body of a commit call: JSON documents, one a line, read one after the other.
//
// The whole is never in memory as objects: a line is parsed, handed on, and forgotten.
// docs/hub.md has the limits. Threads: a plain function.
#pragma once

#include "refusal.hpp"

#include <locara/base/bytes.hpp>
#include <locara/crypto/sha256.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace locara::hub {

inline constexpr std::uint64_t kCommitBodyLimit = 1ULL << 30U;
/// One inline file. Larger ones go to the chunk store.
inline constexpr std::uint64_t kInlineFileLimit = 10'000'000;
/// A line: an inline file as base64, or as text in which many bytes are escaped.
inline constexpr std::uint64_t kCommitLineLimit = 2 * kInlineFileLimit;
inline constexpr std::size_t kCommitOperationLimit = 25'000;
inline constexpr std::size_t kSummaryLimit = 4096;
inline constexpr std::size_t kDescriptionLimit = 64U << 10U;

struct CommitHeader {
    std::string summary;
    std::string description;
    std::optional<std::string> parent; ///< What the caller thinks the branch points to.
};

/// One change that a line asks for.
struct CommitOperation {
    enum class Kind { Text, Stored, Rename, RemoveFile, RemoveFolder };
    Kind kind = Kind::Text;
    std::string path;
    std::string old_path;              ///< Of a file that gets another name, and maybe content.
    std::string content;               ///< Text: the file's bytes.
    crypto::Sha256Digest oid;          ///< Stored: the content that git holds a pointer to.
    std::optional<std::uint64_t> size; ///< Stored, if the caller said it.
};

/// Takes the operations in their order, each with the header that came before them all; a refusal
/// ends the reading with it.
using TakeOperation = std::function<Answer<std::monostate>(const CommitHeader&, CommitOperation)>;

/// Reads the lines; the header must come first and alone. Refusals: 400 for what is no such body,
/// 413 past a limit, 422 for a path that no repository takes.
Answer<CommitHeader> read_commit_body(ByteView body, const TakeOperation& take);

/// The bytes of an inline file from its JSON ("content", "encoding"), as create and commit have it.
Answer<std::string> inline_content(const Json& file);

/// 422 for a path that no repository takes.
Answer<std::monostate> check_path(const std::string& path);

} // namespace locara::hub
