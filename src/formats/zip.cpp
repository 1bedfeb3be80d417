#include "zip.hpp"

#include "cursor.hpp"
#include "names.hpp"

#include <algorithm>
#include <array>
#include <unordered_set>

#include <zlib.h>

namespace locara::formats {

namespace {

constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kMaxComment = 65'535;
constexpr std::uint32_t kEndSignature = 0x06054B50;
constexpr std::uint32_t kEnd64Signature = 0x06064B50;
constexpr std::uint32_t kLocator64Signature = 0x07064B50;
constexpr std::uint32_t kCentralSignature = 0x02014B50;
constexpr std::uint32_t kLocalSignature = 0x04034B50;
constexpr std::uint32_t kDescriptorSignature = 0x08074B50;
constexpr std::uint64_t kMaxDirectory = 16U << 20U;

Finding
finding(std::string_view rule, std::string reason, std::optional<std::uint64_t> offset = {}) {
    return Finding{"zip." + std::string(rule), std::move(reason), offset};
}

std::uint64_t le(std::string_view bytes, std::size_t at, unsigned width) {
    std::uint64_t value = 0;
    for (unsigned i = width; i > 0; --i) {
        value = (value << 8U) | static_cast<unsigned char>(bytes[at + i - 1]);
    }
    return value;
}

struct End {
    std::uint64_t offset = 0; ///< of the first of the records at the end
    std::uint64_t entries = 0;
    std::uint64_t directory_size = 0;
    std::uint64_t directory_offset = 0;
};

struct Entry {
    ZipMember member;
    std::uint64_t header_offset = 0;
    std::uint64_t end = 0; ///< of its data, without descriptor
    std::uint16_t flags = 0;
};

class Reader {
  public:
    Reader(const ByteSource& source, std::uint64_t max_members)
        : source_(source), size_(source.size()), max_members_(max_members) {}

    Checked<std::vector<ZipMember>> run() {
        if (!find_end() || !read_directory() || !check_local_headers() || !check_layout()) {
            return tl::unexpected(std::move(*problem_));
        }
        std::vector<ZipMember> members;
        members.reserve(entries_.size());
        for (Entry& entry : entries_) {
            members.push_back(std::move(entry.member));
        }
        return members;
    }

  private:
    bool fail(std::string_view rule, std::string reason, std::optional<std::uint64_t> at = {}) {
        problem_ = finding(rule, std::move(reason), at);
        return false;
    }

    bool read(std::uint64_t offset, std::uint64_t count, std::string& out) {
        if (offset > size_ || count > size_ - offset) {
            return fail("truncated",
                        "the archive points outside itself; it may be cut short",
                        std::min(offset, size_));
        }
        out.resize(static_cast<std::size_t>(count));
        if (auto status =
                source_.read(offset, std::as_writable_bytes(std::span(out.data(), out.size())));
            !status) {
            problem_ = read_failure(status.error());
            return false;
        }
        return true;
    }

    bool find_end() {
        if (size_ < kEndBytes) {
            return fail("truncated", "the archive has no end record; it may be cut short", size_);
        }
        const std::uint64_t tail_size = std::min(size_, kEndBytes + kMaxComment);
        std::string tail;
        if (!read(size_ - tail_size, tail_size, tail)) {
            return false;
        }
        for (std::size_t at = tail.size() - kEndBytes + 1; at-- > 0;) {
            if (le(tail, at, 4) != kEndSignature) {
                continue;
            }
            const std::uint64_t offset = size_ - tail_size + at;
            if (le(tail, at + 20, 2) != tail.size() - at - kEndBytes) {
                return fail("end", "bytes follow the archive's end record", offset);
            }
            if (le(tail, at + 4, 2) != 0 || le(tail, at + 6, 2) != 0 ||
                le(tail, at + 8, 2) != le(tail, at + 10, 2)) {
                return fail("disks", "the archive is one part of several", offset);
            }
            end_ = {offset, le(tail, at + 10, 2), le(tail, at + 12, 4), le(tail, at + 16, 4)};
            // A comment that holds another end record: some readers would find that one.
            for (std::size_t other = at; other-- > 0;) {
                if (le(tail, other, 4) == kEndSignature &&
                    le(tail, other + 20, 2) == tail.size() - other - kEndBytes) {
                    return fail("end", "the archive has two end records", offset);
                }
            }
            const bool is_64 = end_.entries == 0xFFFF || end_.directory_size == 0xFFFFFFFF ||
                               end_.directory_offset == 0xFFFFFFFF;
            return !is_64 || read_end_64();
        }
        return fail("truncated", "the archive has no end record; it may be cut short", size_);
    }

    bool read_end_64() {
        std::string locator;
        std::string record;
        if (end_.offset < 76 || !read(end_.offset - 20, 20, locator)) {
            return problem_ ? false : fail("end", "the zip64 records are missing", end_.offset);
        }
        const std::uint64_t at = le(locator, 8, 8);
        if (le(locator, 0, 4) != kLocator64Signature || at > end_.offset - 76 ||
            !read(at, 56, record) || le(record, 0, 4) != kEnd64Signature ||
            le(record, 4, 8) != end_.offset - 20 - at - 12) {
            return problem_ ? false : fail("end", "the zip64 records are malformed", end_.offset);
        }
        end_ = {at, le(record, 32, 8), le(record, 40, 8), le(record, 48, 8)};
        return true;
    }

    bool read_directory() {
        if (end_.entries > max_members_) {
            return fail("members",
                        "the archive has " + std::to_string(end_.entries) + " members; at most " +
                            std::to_string(max_members_) + " are looked at",
                        end_.offset);
        }
        if (end_.directory_size > kMaxDirectory) {
            return fail("members", "the archive's directory is larger than 16 MiB", end_.offset);
        }
        if (end_.directory_offset > end_.offset ||
            end_.directory_size != end_.offset - end_.directory_offset) {
            return fail("prefix",
                        "the archive does not start where it says: other bytes stand before it or "
                        "between its parts",
                        end_.offset);
        }
        std::string directory;
        if (!read(end_.directory_offset, end_.directory_size, directory)) {
            return false;
        }
        std::unordered_set<std::string> names;
        PathSet files;
        std::size_t at = 0;
        for (std::uint64_t i = 0; i < end_.entries; ++i) {
            const std::uint64_t offset = end_.directory_offset + at;
            if (directory.size() - at < 46 || le(directory, at, 4) != kCentralSignature) {
                return fail("directory", "the archive's directory is malformed", offset);
            }
            const std::size_t name_size = le(directory, at + 28, 2);
            const std::size_t extra_size = le(directory, at + 30, 2);
            const std::size_t comment_size = le(directory, at + 32, 2);
            if (directory.size() - at - 46 < name_size + extra_size + comment_size) {
                return fail("directory", "the archive's directory is malformed", offset);
            }
            Entry entry;
            entry.flags = static_cast<std::uint16_t>(le(directory, at + 8, 2));
            entry.member.method = static_cast<std::uint16_t>(le(directory, at + 10, 2));
            entry.member.crc = static_cast<std::uint32_t>(le(directory, at + 16, 4));
            entry.member.packed = le(directory, at + 20, 4);
            entry.member.unpacked = le(directory, at + 24, 4);
            entry.header_offset = le(directory, at + 42, 4);
            entry.member.name = directory.substr(at + 46, name_size);
            if (!read_extra(directory.substr(at + 46 + name_size, extra_size),
                            entry.member.unpacked,
                            entry.member.packed,
                            &entry.header_offset)) {
                return fail("directory", "a zip64 field is malformed", offset);
            }
            if (!check_entry(entry, offset) ||
                !check_type(le(directory, at + 4, 2), le(directory, at + 38, 4), entry, offset) ||
                !check_unicode_name(
                    directory.substr(at + 46 + name_size, extra_size), entry.member.name, offset)) {
                return false;
            }
            if (!names.insert(entry.member.name).second) {
                return fail("duplicate",
                            "the member " + quote_for_message(entry.member.name) + " stands twice",
                            offset);
            }
            if (auto mixed = add_member_name(files, entry.member.name)) {
                return fail("names", std::move(*mixed), offset);
            }
            at += 46 + name_size + extra_size + comment_size;
            entries_.push_back(std::move(entry));
        }
        return at == directory.size() || fail("directory",
                                              "the archive's directory holds more than its members",
                                              end_.directory_offset + at);
    }

    /// Field 0x0001 gives, in this order, those values that read 0xFFFFFFFF.
    static bool read_extra(std::string_view extra,
                           std::uint64_t& unpacked,
                           std::uint64_t& packed,
                           std::uint64_t* header_offset) {
        constexpr std::uint64_t kSee64 = 0xFFFFFFFF;
        while (extra.size() >= 4) {
            const std::size_t size = le(extra, 2, 2);
            if (extra.size() - 4 < size) {
                return true; // padding written by aligners; nothing of ours
            }
            if (le(extra, 0, 2) == 1) {
                std::string_view body = extra.substr(4, size);
                for (std::uint64_t* value : {&unpacked, &packed, header_offset}) {
                    if (value != nullptr && *value == kSee64) {
                        if (body.size() < 8) {
                            return false;
                        }
                        *value = le(body, 0, 8);
                        body.remove_prefix(8);
                    }
                }
                return true;
            }
            extra.remove_prefix(4 + size);
        }
        return true;
    }

    /// Writers of Unix keep the mode in the upper half of the external attributes.
    bool check_type(std::uint64_t made_by,
                    std::uint64_t attributes,
                    const Entry& entry,
                    std::uint64_t offset) {
        constexpr std::uint64_t kUnix = 3;
        constexpr std::uint64_t kDarwin = 19;
        if ((made_by >> 8U) != kUnix && (made_by >> 8U) != kDarwin) {
            return true;
        }
        const std::uint64_t mode = attributes >> 16U;
        const std::uint64_t type = mode & 0170000U;
        const bool plain = type == 0 || type == 0100000U || type == 0040000U;
        return (plain && (mode & 06000U) == 0) ||
               fail("type",
                    "the member " + quote_for_message(entry.member.name) +
                        " is a link or a device, or would run with the rights of its owner",
                    offset);
    }

    /// Info-ZIP's field 0x7075: version, CRC of the name, another name. Some readers take it.
    bool check_unicode_name(std::string_view extra, const std::string& name, std::uint64_t offset) {
        while (extra.size() >= 4) {
            const std::size_t size = std::min<std::size_t>(le(extra, 2, 2), extra.size() - 4);
            if (le(extra, 0, 2) == 0x7075 && (size < 5 || extra.substr(9, size - 5) != name)) {
                return fail("unicode-name",
                            "the member " + quote_for_message(name) +
                                " has a second name that differs from it",
                            offset);
            }
            extra.remove_prefix(4 + size);
        }
        return true;
    }

    bool check_entry(Entry& entry, std::uint64_t offset) {
        const std::string what = "the member " + quote_for_message(entry.member.name);
        if (const auto why = check_member_name(entry.member.name)) {
            return fail("name", *why, offset);
        }
        if ((entry.flags & 0x2041U) != 0) { // encrypted, strongly encrypted, masked headers
            return fail("encrypted", what + " is encrypted; it cannot be looked into", offset);
        }
        if (entry.member.method != 0 && entry.member.method != 8) {
            return fail("method",
                        what + " is packed by method " + std::to_string(entry.member.method) +
                            "; only stored and deflated members are looked into",
                        offset);
        }
        if (entry.member.method == 0 && entry.member.packed != entry.member.unpacked) {
            return fail("size", what + " is stored, but with two sizes", offset);
        }
        entry.member.folder = entry.member.name.ends_with('/');
        if (entry.member.folder && entry.member.unpacked != 0) {
            return fail("size", what + " is a folder with content", offset);
        }
        return true;
    }

    bool check_local_headers() {
        for (Entry& entry : entries_) {
            const std::string what = "the member " + quote_for_message(entry.member.name);
            std::string header;
            std::string rest;
            if (!read(entry.header_offset, 30, header)) {
                return false;
            }
            const std::uint64_t name_size = le(header, 26, 2);
            const std::uint64_t extra_size = le(header, 28, 2);
            if (le(header, 0, 4) != kLocalSignature ||
                !read(entry.header_offset + 30, name_size + extra_size, rest)) {
                return problem_ ? false
                                : fail("local", what + " has no local header", entry.header_offset);
            }
            const std::string_view view = rest;
            const bool described = (entry.flags & 8U) != 0;
            std::uint64_t packed = le(header, 18, 4);
            std::uint64_t unpacked = le(header, 22, 4);
            const auto crc = static_cast<std::uint32_t>(le(header, 14, 4));
            const bool empty = described && packed == 0 && unpacked == 0 && crc == 0;
            const std::string_view extra = view.substr(static_cast<std::size_t>(name_size));
            if (!read_extra(extra, unpacked, packed, nullptr)) {
                return fail("local", what + " has a malformed zip64 field", entry.header_offset);
            }
            if (!check_unicode_name(extra, entry.member.name, entry.header_offset)) {
                return false;
            }
            const bool same_sizes =
                (packed == entry.member.packed && unpacked == entry.member.unpacked &&
                 crc == entry.member.crc) ||
                empty || (described && crc == 0); // sizes then follow in the descriptor
            if (view.substr(0, static_cast<std::size_t>(name_size)) != entry.member.name ||
                le(header, 6, 2) != entry.flags || le(header, 8, 2) != entry.member.method ||
                !same_sizes) {
                return fail("local",
                            what + " has a local header that tells another story than the "
                                   "directory: name, flags, method, sizes or CRC differ",
                            entry.header_offset);
            }
            entry.member.data_offset = entry.header_offset + 30 + name_size + extra_size;
            if (entry.member.packed > size_ - entry.member.data_offset) {
                return fail("truncated", what + " is cut short", entry.member.data_offset);
            }
            entry.end = entry.member.data_offset + entry.member.packed;
        }
        return true;
    }

    /// From byte 0 on, each member begins where the one before ends, and the directory follows.
    bool check_layout() {
        std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
            return a.header_offset < b.header_offset;
        });
        std::uint64_t reached = 0;
        for (std::size_t i = 0; i <= entries_.size(); ++i) {
            const std::uint64_t next =
                i < entries_.size() ? entries_[i].header_offset : end_.directory_offset;
            if (next != reached && !(i > 0 && is_descriptor(entries_[i - 1], reached, next))) {
                return fail("layout",
                            next < reached ? "two members of the archive overlap"
                                           : "bytes in the archive belong to no member",
                            std::min(next, reached));
            }
            reached = i < entries_.size() ? entries_[i].end : next;
        }
        return true;
    }

    bool is_descriptor(const Entry& entry, std::uint64_t begin, std::uint64_t end) {
        if ((entry.flags & 8U) == 0 || end < begin) {
            return false;
        }
        std::string bytes;
        const std::uint64_t count = end - begin;
        if ((count != 12 && count != 16 && count != 20 && count != 24) ||
            !read(begin, count, bytes)) {
            return false;
        }
        std::size_t at = 0;
        if (count == 16 || count == 24) {
            if (le(bytes, 0, 4) != kDescriptorSignature) {
                return false;
            }
            at = 4;
        }
        const unsigned width = count >= 20 ? 8 : 4;
        return le(bytes, at, 4) == entry.member.crc &&
               le(bytes, at + 4, width) == entry.member.packed &&
               le(bytes, at + 4 + width, width) == entry.member.unpacked;
    }

    const ByteSource& source_;
    std::uint64_t size_;
    std::uint64_t max_members_;
    End end_;
    std::vector<Entry> entries_;
    std::optional<Finding> problem_;
};

} // namespace

Checked<std::vector<ZipMember>> check_zip(const ByteSource& source, std::uint64_t max_members) {
    return Reader(source, max_members).run();
}

Result<bool> ends_as_zip(const ByteSource& source) {
    const std::uint64_t size = source.size();
    if (size < kEndBytes) {
        return false;
    }
    const std::uint64_t tail_size = std::min(size, kEndBytes + kMaxComment);
    std::string tail(static_cast<std::size_t>(tail_size), '\0');
    LOCARA_CHECK(
        source.read(size - tail_size, std::as_writable_bytes(std::span(tail.data(), tail.size()))));
    constexpr std::string_view kSignature = "PK\x05\x06";
    for (std::size_t at = tail.rfind(kSignature); at != std::string::npos;
         at = at == 0 ? std::string::npos : tail.rfind(kSignature, at - 1)) {
        if (tail.size() - at < kEndBytes) {
            continue;
        }
        const std::uint64_t offset = size - tail_size + at;
        const std::uint64_t directory_size = le(tail, at + 12, 4);
        std::array<std::byte, 4> word{};
        const auto holds = [&](std::uint64_t begin, std::uint32_t signature) {
            return source.read(begin, word) && le(as_text(word), 0, 4) == signature;
        };
        // Readers find the directory by its size or by its stated offset.
        if (directory_size >= 46 &&
            ((directory_size <= offset && holds(offset - directory_size, kCentralSignature)) ||
             (le(tail, at + 16, 4) < offset && holds(le(tail, at + 16, 4), kCentralSignature)))) {
            return true;
        }
        if (offset >= 20 && holds(offset - 20, kLocator64Signature)) {
            return true;
        }
    }
    return false;
}

Checked<Bytes>
unpack(const ByteSource& source, const ZipMember& member, std::uint64_t limit_bytes) {
    const std::string what = "the member " + quote_for_message(member.name);
    if (member.unpacked > limit_bytes) {
        return tl::unexpected(Finding{"scan.memory", what + " is too large to look into", {}});
    }
    Bytes out(static_cast<std::size_t>(member.unpacked));
    if (member.method == 0) {
        if (auto status = source.read(member.data_offset, out); !status) {
            return tl::unexpected(read_failure(status.error()));
        }
    } else {
        z_stream stream{};
        if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
            return tl::unexpected(Finding{"scan.memory", "no memory to unpack " + what, {}});
        }
        std::vector<std::byte> block(
            static_cast<std::size_t>(std::min<std::uint64_t>(64U << 10U, member.packed)));
        std::uint64_t taken = 0;
        std::byte spill{};
        stream.next_out = reinterpret_cast<Bytef*>(out.empty() ? &spill : out.data());
        stream.avail_out = static_cast<uInt>(out.size());
        int status = Z_OK;
        std::optional<Finding> problem;
        while (status == Z_OK) {
            if (stream.avail_in == 0 && taken < member.packed) {
                const auto count = static_cast<std::size_t>(
                    std::min<std::uint64_t>(block.size(), member.packed - taken));
                if (auto read =
                        source.read(member.data_offset + taken, std::span(block).first(count));
                    !read) {
                    problem = read_failure(read.error());
                    break;
                }
                taken += count;
                stream.next_in = reinterpret_cast<Bytef*>(block.data());
                stream.avail_in = static_cast<uInt>(count);
            }
            status = inflate(&stream, Z_NO_FLUSH);
        }
        const bool whole = status == Z_STREAM_END && stream.total_out == member.unpacked &&
                           taken == member.packed && stream.avail_in == 0;
        inflateEnd(&stream);
        if (problem) {
            return tl::unexpected(std::move(*problem));
        }
        if (!whole) {
            return tl::unexpected(finding("deflate",
                                          what + " does not unpack to the size that is stated",
                                          member.data_offset));
        }
    }
    if (crc32_z(0, reinterpret_cast<const Bytef*>(out.data()), out.size()) != member.crc) {
        return tl::unexpected(finding("crc", what + " does not match its CRC", member.data_offset));
    }
    return out;
}

Checked<std::uint32_t> crc_of(const ByteSource& source, const std::function<bool()>& go_on) {
    std::vector<std::byte> block(
        static_cast<std::size_t>(std::min<std::uint64_t>(256U << 10U, source.size())));
    unsigned long crc = 0;
    for (std::uint64_t offset = 0; offset < source.size();) {
        if (!go_on()) {
            return tl::unexpected(Finding{"scan.time", "the archive takes too long to check", {}});
        }
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), source.size() - offset));
        if (auto status = source.read(offset, std::span(block).first(count)); !status) {
            return tl::unexpected(read_failure(status.error()));
        }
        crc = crc32_z(crc, reinterpret_cast<const Bytef*>(block.data()), count);
        offset += count;
    }
    return static_cast<std::uint32_t>(crc);
}

} // namespace locara::formats
