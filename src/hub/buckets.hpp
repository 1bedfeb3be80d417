// Buckets: files by their paths, without history and without git. A bucket is a repository of type
// bucket (names.hpp), and its content is among that repository's files; here stands which path is
// which file.
//
// No HTTP in here: the routes of the Hub's API (bucket_routes.cpp) are one door, others may follow.
// Threads, processes, and errors besides those named: as Database.
#pragma once

#include "named_files.hpp"
#include "names.hpp"

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/xet/hash.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace locara::hub {

/// Entries of a page at most.
inline constexpr std::size_t kBucketPage = 5000;

struct BucketFile {
    std::string path; ///< As in a repository: see validate_path.
    xet::FileHash xet;
    std::uint64_t size = 0;               ///< Bytes; as the chunk store knows it.
    TimePoint uploaded;                   ///< When this hub took it.
    std::optional<std::int64_t> modified; ///< What its uploader said, milliseconds since 1970.
    std::string content_type;             ///< Likewise; empty if nothing was said.
};

/// A file, or a folder as seen from above it: folders are there while files are below them.
struct BucketEntry {
    enum class Kind { File, Directory };
    Kind kind = Kind::File;
    BucketFile file; ///< Of a folder: its path, and the time of its newest file.
};

struct BucketPage {
    std::vector<BucketEntry> entries; ///< By path, byte by byte.
    std::string next;                 ///< Where the next page begins; empty after the last.
};

struct BucketTotals {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;           ///< Of every path, the same content twice counted twice.
    std::optional<TimePoint> uploaded; ///< Of the newest.
};

/// One change; all that come together happen together, in their order.
struct BucketChange {
    enum class Kind { Put, Remove };
    Kind kind = Kind::Put;
    BucketFile file; ///< Remove: its path only.
};

class Buckets {
  public:
    explicit Buckets(std::shared_ptr<Database> database) : database_(std::move(database)) {}

    enum class Recursive { No, Yes };

    /// Makes the changes, all or none. Content that no path names any more is the bucket's no
    /// longer, so that gc gives its space back. To remove what is not there is no error. Conflict
    /// if content that is put is not the bucket's (any more).
    Status apply(const Repo& bucket, std::span<const BucketChange> changes);

    Result<std::optional<BucketFile>> find(const Repo& bucket, const std::string& path) const;

    /// The folder at a path, if files are below it.
    Result<std::optional<BucketEntry>> find_folder(const Repo& bucket,
                                                   const std::string& path) const;

    /// What lies below a folder ("" is all), of every depth or directly, from the cursor `from` on
    /// ("" is the first page), at most `limit` of it (1 to kBucketPage). Nothing below it, or no
    /// such folder: an empty page.
    Result<BucketPage> list(const Repo& bucket,
                            const std::string& folder,
                            Recursive recursive,
                            const std::string& from,
                            std::size_t limit) const;

    Result<BucketTotals> totals(const Repo& bucket) const;

    /// Content that came and that no path names, and nobody used since `limit`: what its uploader
    /// never put anywhere.
    Result<FileDigests> list_unnamed(const Repo& bucket, TimePoint limit) const;

  private:
    std::shared_ptr<Database> database_;
};

} // namespace locara::hub
