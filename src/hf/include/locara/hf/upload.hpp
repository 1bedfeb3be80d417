// What Client::upload takes and gives: local files that become files of a repository, by Xet.
//
// Files are cut into chunks and hashed; chunks that the server has are not sent: those of the file
// that stood at the same path before, those that the server names when it is asked about a chunk
// (global dedup), and those of this very upload. The others go into xorbs, then a shard says which
// chunks make which file, then one commit names the files. Small text files go inside the commit,
// as the server wishes.
//
// Xorbs are made the same way each time from the same files and answers, and are asked for before
// they are sent: an upload that was cut off goes on when it is called again.
//
// Threads: plain values.
#pragma once

#include <locara/crypto/sha256.hpp>
#include <locara/xet/hash.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace locara::hf {

/// The kinds of repositories. Apps live in what the protocol calls spaces.
enum class RepoKind { Model, Dataset, App };

struct UploadFile {
    std::filesystem::path local; ///< A regular file. It must not change meanwhile.
    std::string path;            ///< In the repository, with '/'.
};

struct Upload {
    RepoKind kind = RepoKind::Model;
    std::string repo; ///< "org/name".
    std::string revision = "main";
    std::vector<UploadFile> files; ///< 1 to kMaxUploadFiles, each path once.
    std::string message;           ///< First line of the commit; one is made up if it is empty.
    std::string description;       ///< The rest of it.
    /// The commit that the caller has seen: if the branch has moved on the answer is Conflict.
    /// Empty: whatever is there is built upon.
    std::string parent_commit;
    /// What becomes of the repository's other files. Removed: afterwards it holds these files and
    /// its .gitattributes, and the branch must not move meanwhile (Conflict).
    enum class Others { Keep, Remove } others = Others::Keep;
};

inline constexpr std::size_t kMaxUploadFiles = 10'000;

/// The most that is sent inside a commit, over all files that the server wants there.
inline constexpr std::uint64_t kMaxInlineBytes = 64U << 20U;

struct UploadOptions {
    int connections = 2; ///< Xorbs made and sent at once, 1 to 8: memory for two xorbs each.
    unsigned hash_threads = 2;
    /// Most raw bytes of a xorb, 1 MiB to 64 MiB.
    std::uint64_t xorb_bytes = 16U << 20U;
};

struct UploadedFile {
    std::string path;
    std::uint64_t size = 0;
    crypto::Sha256Digest sha256;
    std::optional<xet::FileHash> xet_hash; ///< Absent for files inside the commit.
    bool unchanged = false;                ///< The repository had these bytes at this path.
    bool ignored = false;                  ///< The repository's .gitignore keeps it out.
};

struct UploadResult {
    std::string commit;     ///< What the revision points to now.
    std::string url;        ///< Of the commit, for people; may be empty if nothing was committed.
    bool committed = false; ///< No: the repository had everything already.
    std::vector<UploadedFile> files;
    std::vector<std::string> removed; ///< Paths, with Others::Remove.
    std::uint64_t size = 0;           ///< Of all files.
    std::uint64_t known_bytes = 0;    ///< Raw bytes that the server had.
    std::uint64_t new_bytes = 0;      ///< Raw bytes in the xorbs of this upload.
    std::uint64_t sent_bytes = 0;     ///< Bodies sent: xorbs, shards, files inside the commit.
    std::uint64_t xorbs_sent = 0;
    std::uint64_t xorbs_there = 0; ///< Made by an earlier try: not sent again.
    int retries = 0;
};

} // namespace locara::hf
