#include "tar.hpp"

#include "cursor.hpp"
#include "names.hpp"

#include <algorithm>
#include <array>
#include <unordered_set>
#include <utility>
#include <vector>

namespace locara::formats {

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::uint64_t kMaxExtended = 1U << 20U; // bytes of one pax or long-name record

using Block = std::array<std::byte, kBlock>;

Finding
finding(std::string_view rule, std::string reason, std::optional<std::uint64_t> offset = {}) {
    return Finding{"tar." + std::string(rule), std::move(reason), offset};
}

std::string_view field(std::string_view header, std::size_t at, std::size_t size) {
    const std::string_view whole = header.substr(at, size);
    return whole.substr(0, std::min(whole.find('\0'), whole.size()));
}

/// Octal with spaces or NULs around, or GNU's base-256 (first bit set).
std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    if (!text.empty() && (static_cast<unsigned char>(text[0]) & 0x80U) != 0) {
        for (std::size_t i = 0; i < text.size(); ++i) {
            const auto byte = static_cast<unsigned char>(text[i]) & (i == 0 ? 0x7FU : 0xFFU);
            if ((value >> 55U) != 0) {
                return std::nullopt;
            }
            value = (value << 8U) | byte;
        }
        return value;
    }
    std::size_t at = 0;
    while (at < text.size() && text[at] == ' ') {
        ++at;
    }
    for (; at < text.size() && text[at] != ' ' && text[at] != '\0'; ++at) {
        if (text[at] < '0' || text[at] > '7') {
            return std::nullopt;
        }
        value = value * 8 + static_cast<std::uint64_t>(text[at] - '0');
    }
    for (; at < text.size(); ++at) {
        if (text[at] != ' ' && text[at] != '\0') {
            return std::nullopt;
        }
    }
    return value;
}

bool is_zero(ByteView block) {
    return std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{0}; });
}

class Walker {
  public:
    Walker(Stream& stream,
           const std::function<std::optional<Finding>(const TarMember& member)>& on_member)
        : stream_(stream), on_member_(on_member) {}

    std::optional<Finding> run() {
        Block block{};
        while (true) {
            const std::uint64_t offset = stream_.position();
            const auto count = stream_.read(block);
            if (!count) {
                return count.error();
            }
            if (*count == 0 && seen_ > 0) {
                return std::nullopt; // without the two blocks of zeros, as some writers leave it
            }
            if (*count != kBlock) {
                return finding("truncated", "the tar archive is cut short", offset);
            }
            if (is_zero(block)) {
                return check_end();
            }
            if (auto problem = read_member(as_text(block), offset)) {
                return problem;
            }
        }
    }

  private:
    std::optional<Finding> check_end() {
        std::array<std::byte, 16 * kBlock> rest{};
        while (true) {
            const std::uint64_t offset = stream_.position();
            const auto count = stream_.read(rest);
            if (!count) {
                return count.error();
            }
            if (!is_zero(std::span(rest).first(*count))) {
                return finding("trailing", "bytes follow the end of the tar archive", offset);
            }
            if (*count < rest.size()) {
                return std::nullopt;
            }
        }
    }

    std::optional<Finding> read_extended(std::uint64_t size, std::string& text) {
        if (size > kMaxExtended) {
            return finding(
                "extended", "an extended tar header is larger than 1 MiB", stream_.position());
        }
        text.resize(static_cast<std::size_t>((size + kBlock - 1) / kBlock * kBlock));
        const auto count =
            stream_.read(std::as_writable_bytes(std::span(text.data(), text.size())));
        if (!count) {
            return count.error();
        }
        if (*count != text.size()) {
            return finding("truncated", "the tar archive is cut short", stream_.position());
        }
        text.resize(static_cast<std::size_t>(size));
        return std::nullopt;
    }

    /// Records of "LENGTH KEY=VALUE\n". Only names and sizes matter here.
    std::optional<Finding> read_pax(std::string_view text, bool global) {
        while (!text.empty()) {
            std::size_t length = 0;
            std::size_t at = 0;
            while (at < text.size() && at < 8 && text[at] >= '0' && text[at] <= '9') {
                length = length * 10 + static_cast<std::size_t>(text[at++] - '0');
            }
            if (at == 0 || at >= text.size() || text[at] != ' ' || length > text.size() ||
                length < at + 3 || text[length - 1] != '\n') {
                return finding(
                    "extended", "an extended tar header is malformed", stream_.position());
            }
            const std::string_view record = text.substr(at + 1, length - at - 2);
            const std::size_t equals = record.find('=');
            if (equals == std::string_view::npos) {
                return finding(
                    "extended", "an extended tar header is malformed", stream_.position());
            }
            const std::string_view key = record.substr(0, equals);
            const std::string_view value = record.substr(equals + 1);
            if (key == "path" || key == "size" || key == "linkpath" || key.starts_with("GNU.")) {
                if (global || (key != "path" && key != "size")) {
                    return finding("extended",
                                   "the extended tar header " + quote_for_message(key) +
                                       " is not allowed",
                                   stream_.position());
                }
                if (key == "path") {
                    long_name_ = std::string(value);
                } else {
                    std::uint64_t size = 0;
                    for (const char c : value) {
                        if (c < '0' || c > '9' || size > (1ULL << 56U)) {
                            return finding("extended",
                                           "a size in a tar header is malformed",
                                           stream_.position());
                        }
                        size = size * 10 + static_cast<std::uint64_t>(c - '0');
                    }
                    long_size_ = size;
                }
            }
            text.remove_prefix(length);
        }
        return std::nullopt;
    }

    std::optional<Finding> read_member(std::string_view header, std::uint64_t offset) {
        if (!is_tar_header(as_bytes(header))) {
            return finding("header", "a tar header does not match its checksum", offset);
        }
        const auto size = number(header.substr(124, 12));
        const auto mode = number(header.substr(100, 8));
        if (!size || !mode || *size > (1ULL << 56U)) {
            return finding("header", "a number in a tar header is malformed", offset);
        }
        const char type = header[156];
        std::string text;
        switch (type) {
        case 'x':
        case 'g':
            if (auto problem = read_extended(*size, text)) {
                return problem;
            }
            return read_pax(text, type == 'g');
        case 'L':
            if (auto problem = read_extended(*size, text)) {
                return problem;
            }
            long_name_ = text.substr(0, text.find('\0'));
            return std::nullopt;
        case '\0':
        case '0':
        case '7':
        case '5':
            break;
        default:
            return finding("type",
                           "the tar member " + quote_for_message(field(header, 0, 100)) +
                               " is a link, a device or something else that is no file or folder",
                           offset);
        }

        TarMember member;
        member.folder = type == '5';
        member.size = long_size_.value_or(*size);
        member.name = std::string(field(header, 0, 100));
        if (header.substr(257, 5) == "ustar" && header[345] != '\0' && header[262] == '\0') {
            member.name = std::string(field(header, 345, 155)) + "/" + member.name;
        }
        if (long_name_) {
            member.name = *long_name_;
        }
        long_name_.reset();
        long_size_.reset();

        if (const auto why = check_member_name(member.name)) {
            return finding("name", *why, offset);
        }
        if (!member.folder && member.name.ends_with('/')) {
            member.folder = true; // before POSIX a folder was a name with a slash
        }
        if (member.folder && member.size != 0) {
            return finding("size", "a folder in the tar archive has content", offset);
        }
        if ((*mode & 06000U) != 0) {
            return finding("mode",
                           "the tar member " + quote_for_message(member.name) +
                               " would run with the rights of its owner",
                           offset);
        }
        if (!names_.insert(member.name).second) {
            return finding("duplicate",
                           "the tar member " + quote_for_message(member.name) + " stands twice",
                           offset);
        }
        const bool slash = member.folder && !member.name.ends_with('/');
        if (auto mixed = add_member_name(files_, member.name + (slash ? "/" : ""))) {
            return finding("names", std::move(*mixed), offset);
        }
        ++seen_;
        const std::uint64_t begin = stream_.position();
        if (auto problem = on_member_(member)) {
            return problem;
        }
        LOCARA_ASSERT(stream_.position() - begin == member.size);
        return skip_padding(member.size);
    }

    std::optional<Finding> skip_padding(std::uint64_t size) {
        Block block{};
        const auto rest = static_cast<std::size_t>((kBlock - size % kBlock) % kBlock);
        const auto count = stream_.read(std::span(block).first(rest));
        if (!count) {
            return count.error();
        }
        return *count == rest
                   ? std::nullopt
                   : std::optional(
                         finding("truncated", "the tar archive is cut short", stream_.position()));
    }

    Stream& stream_;
    const std::function<std::optional<Finding>(const TarMember& member)>& on_member_;
    std::optional<std::string> long_name_;
    std::optional<std::uint64_t> long_size_;
    std::unordered_set<std::string> names_;
    PathSet files_;
    std::uint64_t seen_ = 0;
};

/// Text of a field as Python's int(text, 8) reads it, which passes over more than others do.
std::optional<std::int64_t> read_octal(std::string_view text) {
    const auto is_blank = [](char c) {
        return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1C' && c <= '\x1F');
    };
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) {
        text.remove_prefix(1);
    }
    if (text.starts_with("0o") || text.starts_with("0O")) {
        text.remove_prefix(2);
    }
    std::int64_t value = 0;
    for (const char c : text) {
        if (c != '_' && (c < '0' || c > '7')) {
            return std::nullopt;
        }
        value = c == '_' ? value : value * 8 + (c - '0');
    }
    return negative ? -value : value;
}

/// What GNU tar 1.13.6 wrote where octal was too short: a sign, then base 64.
std::int64_t read_base64(std::string_view text) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::int64_t value = 0;
    for (const char c : text.substr(1)) {
        const auto digit = kDigits.find(c);
        if (digit == std::string_view::npos) {
            break;
        }
        value = value * 64 + static_cast<std::int64_t>(digit);
    }
    return text.front() == '-' ? -value : value;
}

/// Every number that some reader takes the text of a header's sum for (tarfile.nti, from_header of
/// GNU tar, tar_atol of libarchive).
std::vector<std::int64_t> stated_sums(std::string_view bytes) {
    if ((static_cast<unsigned char>(bytes[0]) & 0x80U) != 0) { // base 256
        std::uint64_t value = (static_cast<unsigned char>(bytes[0]) & 0x40U) != 0 ? ~0ULL : 0;
        for (const char c : bytes.substr(1)) {
            value = (value << 8U) | static_cast<unsigned char>(c);
        }
        return {static_cast<std::int64_t>(value)};
    }
    const std::string_view text = bytes.substr(0, std::min(bytes.find('\0'), bytes.size()));
    std::vector<std::int64_t> sums;
    if (const auto value = read_octal(text)) {
        sums.push_back(*value);
    }
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin != std::string_view::npos) {
        const std::string_view rest = text.substr(begin);
        if (const auto value = read_octal(rest.substr(0, rest.find_first_not_of("01234567")))) {
            sums.push_back(*value);
        }
        if (rest.front() == '-' || rest.front() == '+') {
            sums.push_back(read_base64(rest));
        }
    }
    return sums;
}

/// Whether every number of a header is one to Python, which asks for that.
bool has_numbers(std::string_view header) {
    constexpr std::pair<std::size_t, std::size_t> kFields[] = {
        {100, 8}, {108, 8}, {116, 8}, {124, 12}, {136, 12}, {329, 8}, {337, 8}};
    return std::all_of(std::begin(kFields), std::end(kFields), [&header](const auto& at) {
        const auto first = static_cast<unsigned char>(header[at.first]);
        return first == 0x80U || first == 0xFFU ||
               read_octal(field(header, at.first, at.second)).has_value();
    });
}

} // namespace

bool is_tar_header(ByteView block) {
    if (block.size() < kBlock) {
        return false;
    }
    constexpr std::size_t kSumBegin = 148;
    constexpr std::size_t kSumEnd = 156;
    const std::string_view header = as_text(block.first(kBlock));
    std::int64_t plain = 0; // of unsigned bytes, as POSIX says; readers take the other as well
    std::int64_t as_signed = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
        const char c = i >= kSumBegin && i < kSumEnd ? ' ' : header[i];
        plain += static_cast<unsigned char>(c);
        as_signed += static_cast<signed char>(c);
    }
    const std::string_view stated = header.substr(kSumBegin, kSumEnd - kSumBegin);
    const auto sums = stated_sums(stated);
    return std::any_of(sums.begin(), sums.end(), [&](std::int64_t sum) {
        // Nothing at all is 0 to Python, and by chance the signed sum of some bytes.
        return (sum == plain || sum == as_signed) && (sum != 0 || has_numbers(header));
    });
}

std::optional<Finding>
walk_tar(Stream& stream,
         const std::function<std::optional<Finding>(const TarMember& member)>& on_member) {
    return Walker(stream, on_member).run();
}

} // namespace locara::formats
