#include "text.hpp"

#include <locara/base/bytes.hpp>
#include <locara/store/adopted.hpp>
#include <locara/store/part_journal.hpp>

#include <array>

namespace locara::store {

namespace {

constexpr std::string_view kMagic = "locara-adopted 1 ";
constexpr std::size_t kDigestDigits = 64;

constexpr std::array<std::pair<LinkKind, std::string_view>, 3> kLinks = {{
    {LinkKind::Reflink, "reflink"},
    {LinkKind::Hardlink, "hardlink"},
    {LinkKind::Reference, "reference"},
}};

bool must_escape(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || c == '%';
}

std::string escape(std::string_view path) {
    std::string out;
    for (const char c : path) {
        if (must_escape(c)) {
            const auto byte = static_cast<std::byte>(c);
            out += "%" + render_hex(ByteView(&byte, 1));
        } else {
            out += c;
        }
    }
    return out;
}

std::optional<std::string> unescape(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        if (text.front() != '%') {
            out += text.front();
            text.remove_prefix(1);
            continue;
        }
        const auto byte = parse_hex(text.substr(1, 2));
        if (!byte || byte->size() != 1) {
            return std::nullopt;
        }
        out += static_cast<char>((*byte)[0]);
        text.remove_prefix(3);
    }
    return out;
}

std::int64_t to_ns(const timespec& time) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    return time.tv_sec * kSecond + time.tv_nsec;
}

} // namespace

std::string_view render(LinkKind link) {
    for (const auto& [kind, text] : kLinks) {
        if (kind == link) {
            return text;
        }
    }
    return "";
}

std::optional<LinkKind> parse_link_kind(std::string_view text) {
    for (const auto& [kind, name] : kLinks) {
        if (name == text) {
            return kind;
        }
    }
    return std::nullopt;
}

FileStamp FileStamp::of(const struct stat& info) {
    return {info.st_dev,
            info.st_ino,
            static_cast<std::uint64_t>(info.st_size),
            to_ns(info.st_mtim),
            to_ns(info.st_ctim)};
}

std::string Adopted::render() const {
    // Times as unsigned: one spelling, also before 1970.
    std::string text = std::string(kMagic) + digest.render() + "\nlink " +
                       std::string(store::render(link)) + "\nfrom " + escape(from.native()) +
                       "\nsize " + std::to_string(stamp.size) + "\nat " +
                       std::to_string(stamp.device) + " " + std::to_string(stamp.inode) + " " +
                       std::to_string(static_cast<std::uint64_t>(stamp.modified_ns)) + " " +
                       std::to_string(static_cast<std::uint64_t>(stamp.changed_ns)) + "\nwhen " +
                       render_time(when) + "\n";
    return text + "check " + short_check(text) + "\n";
}

Result<Adopted> Adopted::parse(std::string_view text) {
    const Error bad(ErrorCode::InvalidArgument, "this is no record of an adopted file");
    const std::string_view all = text;
    Adopted record;
    std::string_view line;
    if (text.size() > kMaxAdoptedBytes || !take_line(text, line) || !take(line, kMagic) ||
        line.size() != kDigestDigits) {
        return bad;
    }
    const auto digest = crypto::Sha256Digest::parse(line);
    if (!digest || !take_line(text, line) || !take(line, "link ")) {
        return bad;
    }
    const auto link = parse_link_kind(line);
    if (!link || !take_line(text, line) || !take(line, "from ")) {
        return bad;
    }
    const auto from = unescape(line);
    if (!from || !from->starts_with('/') || from->find('\0') != std::string::npos ||
        !take_line(text, line) || !take(line, "size ")) {
        return bad;
    }
    std::array<std::uint64_t, 5> numbers{};
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const auto number = line.empty() ? std::nullopt : take_number(line);
        if (!number) {
            return bad;
        }
        numbers[i] = *number;
        const bool next = i == 0 ? line.empty() && take_line(text, line) && take(line, "at ")
                          : i + 1 < numbers.size() ? take(line, " ")
                                                   : line.empty();
        if (!next) {
            return bad;
        }
    }
    if (numbers[0] > kMaxFileBytes || !take_line(text, line) || !take(line, "when ")) {
        return bad;
    }
    const auto when = parse_time(line);
    if (!when) {
        return bad;
    }
    record.digest = *digest;
    record.link = *link;
    record.from = *from;
    record.stamp = {numbers[1],
                    numbers[2],
                    numbers[0],
                    static_cast<std::int64_t>(numbers[3]),
                    static_cast<std::int64_t>(numbers[4])};
    record.when = *when;
    // One record has one spelling, and its check.
    return record.render() == all ? Result<Adopted>(std::move(record)) : bad;
}

} // namespace locara::store
