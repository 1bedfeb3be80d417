// What the store remembers of a file that it took over from another program: where it lies, how it
// is linked, and how it looked then. Text form and back.
//
// Follows docs/formats/store.md, "Adopted files". Threads: plain values and functions.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/crypto/sha256.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <sys/stat.h>

namespace locara::store {

/// How an adopted file is the store's.
enum class LinkKind {
    Reflink,   ///< A file of its own that shares blocks: whatever the other program does is no
               ///< matter.
    Hardlink,  ///< The same inode: stays when the other program removes its name.
    Reference, ///< Only remembered where it lies: gone when the other program removes it.
};

std::string_view render(LinkKind link);
std::optional<LinkKind> parse_link_kind(std::string_view text);

/// What a file looks like to the kernel. ctime cannot be set back by whoever writes to the file.
struct FileStamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;

    static FileStamp of(const struct stat& info);

    bool operator==(const FileStamp&) const = default;
};

struct Adopted {
    crypto::Sha256Digest digest;
    LinkKind link = LinkKind::Reference;
    std::filesystem::path from; ///< Absolute, without symbolic links at that time.
    FileStamp stamp;            ///< Of the file at `from`, when it last had this digest.
    TimePoint when{};           ///< When it was adopted.

    /// InvalidArgument unless it is exactly what render gives.
    static Result<Adopted> parse(std::string_view text);
    std::string render() const;
};

inline constexpr std::uint64_t kMaxAdoptedBytes = 64U << 10U;

} // namespace locara::store
