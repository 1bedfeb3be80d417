#include "words.hpp"

#include <locara/manifest/ids.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>

namespace locara::manifest {

namespace {

bool is_lower_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/// `[a-z0-9]+([<separators>][a-z0-9]+)*` with a length.
bool is_slug(std::string_view text,
             std::size_t least,
             std::size_t most,
             std::string_view separators) {
    if (text.size() < least || text.size() > most || !is_lower_alnum(text.front()) ||
        !is_lower_alnum(text.back())) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!is_lower_alnum(text[i]) &&
            (separators.find(text[i]) == std::string_view::npos || !is_lower_alnum(text[i - 1]))) {
            return false;
        }
    }
    return true;
}

constexpr std::size_t kPublisherLeast = 3;
constexpr std::size_t kPublisherMost = 24;
constexpr std::size_t kAppNameMost = 32;
constexpr std::size_t kModelNameMost = 64;

Error bad_app_id(std::string_view text) {
    return Error(ErrorCode::InvalidArgument,
                 quote(text) +
                     " is no app id; write publisher/name with lower-case letters, digits "
                     "and single hyphens (publisher 3 to 24 characters, name 2 to 32)");
}

/// One code point of UTF-8 at `at`, which moves behind it; nothing if malformed (overlong forms,
/// surrogates and values above U+10FFFF included).
std::optional<char32_t> next_code_point(std::string_view text, std::size_t& at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(at);
    if (first < 0x80) {
        ++at;
        return first;
    }
    std::size_t length = 0;
    char32_t value = 0;
    char32_t least = 0;
    if ((first & 0xE0U) == 0xC0U) {
        length = 2;
        value = first & 0x1FU;
        least = 0x80;
    } else if ((first & 0xF0U) == 0xE0U) {
        length = 3;
        value = first & 0x0FU;
        least = 0x800;
    } else if ((first & 0xF8U) == 0xF0U) {
        length = 4;
        value = first & 0x07U;
        least = 0x10000;
    } else {
        return std::nullopt;
    }
    if (text.size() - at < length) {
        return std::nullopt;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(at + i) & 0xC0U) != 0x80U) {
            return std::nullopt;
        }
        value = (value << 6U) | (byte(at + i) & 0x3FU);
    }
    if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
        return std::nullopt;
    }
    at += length;
    return value;
}

struct Range {
    char32_t first;
    char32_t last;
    const char* what;
};

/// Code points that no name may hold, from the Unicode 15 charts.
constexpr std::array kForbidden = {
    Range{0x00, 0x1F, "a control character"},
    Range{0x7F, 0x9F, "a control character"},
    Range{0xAD, 0xAD, "an invisible character"},
    Range{0x61C, 0x61C, "a bidirectional control"},
    Range{0x180B, 0x180F, "an invisible character"},
    Range{0x200B, 0x200F, "a zero-width or bidirectional character"},
    Range{0x2028, 0x2029, "a line separator"},
    Range{0x202A, 0x202E, "a bidirectional control"},
    Range{0x2060, 0x206F, "an invisible or bidirectional character"},
    Range{0xFE00, 0xFE0F, "an invisible character"},
    Range{0xFEFF, 0xFEFF, "a zero-width character"},
    Range{0xFFF0, 0xFFFF, "a special character"},
    Range{0xE0000, 0xE0FFF, "an invisible character"},
    // Never in NFC, or only next to something it would combine with.
    Range{0x300, 0x36F, "a combining mark (write the composed letter, NFC)"},
    Range{0x1100, 0x11FF, "a decomposed Hangul letter (write the composed one, NFC)"},
    Range{0x1AB0, 0x1AFF, "a combining mark (write the composed letter, NFC)"},
    Range{0x1DC0, 0x1DFF, "a combining mark (write the composed letter, NFC)"},
    Range{0x20D0, 0x20FF, "a combining mark (write the composed letter, NFC)"},
    Range{0x2126, 0x2126, "a compatibility letter (NFC has another)"},
    Range{0x212A, 0x212B, "a compatibility letter (NFC has another)"},
    Range{0x3099, 0x309A, "a combining mark (write the composed letter, NFC)"},
    Range{0xF900, 0xFAFF, "a compatibility ideograph (NFC has another)"},
    Range{0xFE20, 0xFE2F, "a combining mark (write the composed letter, NFC)"},
};

std::string ascii_lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') {
            c = static_cast<char>(c - 'A' + 'a');
        }
    }
    return out;
}

bool is_device_name(std::string_view part) {
    const std::string stem = ascii_lower(part.substr(0, part.find('.')));
    static constexpr std::array<std::string_view, 6> kNames = {
        "con", "prn", "aux", "nul", "conin$", "conout$"};
    if (std::find(kNames.begin(), kNames.end(), stem) != kNames.end()) {
        return true;
    }
    return stem.size() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")) &&
           stem[3] >= '0' && stem[3] <= '9';
}

const char* find_fault_of_part(std::string_view part) {
    if (part.empty()) {
        return "a part is empty (no leading, trailing or double slash)";
    }
    if (part == "." || part == "..") {
        return "a part is \".\" or \"..\"";
    }
    if (part.size() > 255) {
        return "a part is longer than 255 bytes";
    }
    if (part.front() == '-') {
        return "a part starts with a dash";
    }
    if (part.back() == '.' || part.back() == ' ') {
        return "a part ends with a dot or a space";
    }
    const std::string lower = ascii_lower(part);
    if (lower == ".git" || lower == ".locara" || lower == "git~1" || lower == "locara~1") {
        return ".git and .locara are reserved, in every spelling";
    }
    if (is_device_name(part)) {
        return "a part is a Windows device name";
    }
    return nullptr;
}

const char* find_fault(std::string_view path) {
    if (path.empty()) {
        return "it is empty";
    }
    if (path.size() > 1024) {
        return "it is longer than 1024 bytes";
    }
    for (std::size_t at = 0; at < path.size();) {
        const auto code = next_code_point(path, at);
        if (!code) {
            return "it is not valid UTF-8";
        }
        if (*code == '\\') {
            return "it holds a backslash (write / between parts)";
        }
        if (*code == ':') {
            return "it holds a colon";
        }
        for (const auto& range : kForbidden) {
            if (*code >= range.first && *code <= range.last) {
                static thread_local std::string text;
                text = std::string("it holds ") + range.what;
                return text.c_str();
            }
        }
    }
    std::size_t parts = 0;
    for (std::size_t begin = 0; begin <= path.size();) {
        const auto end = std::min(path.find('/', begin), path.size());
        if (++parts > 32) {
            return "it has more than 32 parts";
        }
        if (const char* fault = find_fault_of_part(path.substr(begin, end - begin))) {
            return fault;
        }
        begin = end + 1;
    }
    return nullptr;
}

/// Simple case folding for the alphabets that file systems fold in practice.
std::string fold_case(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t begin = at;
        const auto code = next_code_point(text, at);
        if (!code) {
            return std::string(text); // not reached after validate_path
        }
        char32_t folded = *code;
        if (folded < 0x80) {
            out += ascii_lower(text.substr(begin, 1));
            continue;
        }
        if ((folded >= 0xC0 && folded <= 0xDE && folded != 0xD7) ||
            (folded >= 0x391 && folded <= 0x3A9) || (folded >= 0x410 && folded <= 0x42F)) {
            folded += 32;
        } else if (folded >= 0x400 && folded <= 0x40F) {
            folded += 80;
        } else if ((folded >= 0x100 && folded <= 0x137) || (folded >= 0x14A && folded <= 0x177) ||
                   (folded >= 0x1E00 && folded <= 0x1E95) ||
                   (folded >= 0x1EA0 && folded <= 0x1EFF)) {
            folded |= 1U;
        } else if ((folded >= 0x139 && folded <= 0x148) || (folded >= 0x179 && folded <= 0x17E)) {
            folded += folded & 1U;
        }
        if (folded < 0x800) {
            out += static_cast<char>(0xC0U | (folded >> 6U));
        } else if (folded < 0x10000) {
            out += static_cast<char>(0xE0U | (folded >> 12U));
            out += static_cast<char>(0x80U | ((folded >> 6U) & 0x3FU));
        } else {
            out += static_cast<char>(0xF0U | (folded >> 18U));
            out += static_cast<char>(0x80U | ((folded >> 12U) & 0x3FU));
            out += static_cast<char>(0x80U | ((folded >> 6U) & 0x3FU));
        }
        out += static_cast<char>(0x80U | (folded & 0x3FU));
    }
    return out;
}

bool is_prerelease_char(char c) {
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '-';
}

bool is_number(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

} // namespace

Result<AppId> AppId::parse(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        return bad_app_id(text);
    }
    const auto publisher = text.substr(0, slash);
    const auto name = text.substr(slash + 1);
    if (!is_slug(publisher, kPublisherLeast, kPublisherMost, "-") ||
        !is_slug(name, 2, kAppNameMost, "-")) {
        return bad_app_id(text);
    }
    return AppId{std::string(publisher), std::string(name)};
}

Result<AppId> AppId::parse_label(std::string_view label) {
    const auto hyphens = label.find("--");
    if (hyphens == std::string_view::npos) {
        return Error(ErrorCode::InvalidArgument,
                     quote(label) + " is no app label; it reads publisher--name");
    }
    return parse(std::string(label.substr(0, hyphens)) + "/" +
                 std::string(label.substr(hyphens + 2)));
}

Result<ModelId> ModelId::parse(std::string_view text) {
    const auto slash = text.find('/');
    if (slash != std::string_view::npos) {
        const auto publisher = text.substr(0, slash);
        const auto name = text.substr(slash + 1);
        if (is_slug(publisher, kPublisherLeast, kPublisherMost, "-") &&
            is_slug(name, 2, kModelNameMost, "-.")) {
            return ModelId{std::string(publisher), std::string(name)};
        }
    }
    return Error(ErrorCode::InvalidArgument,
                 quote(text) +
                     " is no model id; write publisher/name with lower-case letters, digits, "
                     "hyphens and dots (publisher 3 to 24 characters, name 2 to 64)");
}

Result<Version> Version::parse(std::string_view text) {
    const auto bad = [&] {
        return Error(ErrorCode::InvalidArgument,
                     quote(text) +
                         " is no version; write three numbers such as 1.0.0, or 1.0.0-beta.1");
    };
    if (text.size() > 64) {
        return bad();
    }
    Version version;
    std::string_view core = text.substr(0, text.find('-'));
    std::array<std::uint32_t*, 3> numbers = {&version.major, &version.minor, &version.patch};
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const auto dot = i < 2 ? core.find('.') : core.size();
        if (dot == std::string_view::npos) {
            return bad();
        }
        const auto digits = core.substr(0, dot);
        if (digits.empty() || digits.size() > 9 || !is_number(digits) ||
            (digits.size() > 1 && digits[0] == '0')) {
            return bad();
        }
        std::from_chars(digits.data(), digits.data() + digits.size(), *numbers[i]);
        core.remove_prefix(std::min(dot + 1, core.size()));
    }
    const auto dash = text.find('-');
    if (dash == std::string_view::npos) {
        return version;
    }
    for (std::size_t begin = dash + 1; begin <= text.size();) {
        const auto end = std::min(text.find('.', begin), text.size());
        const auto part = text.substr(begin, end - begin);
        if (part.empty() || !std::all_of(part.begin(), part.end(), is_prerelease_char) ||
            (is_number(part) && part.size() > 1 && part[0] == '0')) {
            return bad();
        }
        version.prerelease.emplace_back(part);
        begin = end + 1;
    }
    return version;
}

std::string Version::render() const {
    std::string out =
        std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
    for (std::size_t i = 0; i < prerelease.size(); ++i) {
        out += (i == 0 ? "-" : ".") + prerelease[i];
    }
    return out;
}

std::strong_ordering Version::operator<=>(const Version& other) const {
    if (const auto c = major <=> other.major; c != 0) {
        return c;
    }
    if (const auto c = minor <=> other.minor; c != 0) {
        return c;
    }
    if (const auto c = patch <=> other.patch; c != 0) {
        return c;
    }
    // semver.org, rule 11: a release is later than its pre-releases.
    if (prerelease.empty() != other.prerelease.empty()) {
        return prerelease.empty() ? std::strong_ordering::greater : std::strong_ordering::less;
    }
    for (std::size_t i = 0; i < std::min(prerelease.size(), other.prerelease.size()); ++i) {
        const auto& a = prerelease[i];
        const auto& b = other.prerelease[i];
        if (a == b) {
            continue;
        }
        const bool a_number = is_number(a);
        if (a_number != is_number(b)) {
            return a_number ? std::strong_ordering::less : std::strong_ordering::greater;
        }
        if (a_number && a.size() != b.size()) {
            return a.size() <=> b.size();
        }
        return a.compare(b) < 0 ? std::strong_ordering::less : std::strong_ordering::greater;
    }
    return prerelease.size() <=> other.prerelease.size();
}

Result<AppRef> AppRef::parse(std::string_view text) {
    const auto at = text.find('@');
    LOCARA_TRY(auto id, AppId::parse(text.substr(0, at)));
    AppRef ref{std::move(id), {}};
    if (at != std::string_view::npos) {
        LOCARA_TRY(const auto version, Version::parse(text.substr(at + 1)));
        ref.version = version.render();
    }
    return ref;
}

Status validate_path(std::string_view path) {
    if (const char* fault = find_fault(path)) {
        return Error(ErrorCode::InvalidArgument,
                     "the path " + quote(path) + " is not allowed: " + fault);
    }
    return {};
}

Status validate_path_set(const std::vector<std::string>& paths) {
    std::vector<std::pair<std::string, const std::string*>> folded;
    folded.reserve(paths.size());
    for (const auto& path : paths) {
        folded.emplace_back(fold_case(path), &path);
    }
    std::sort(folded.begin(), folded.end(), [](const auto& a, const auto& b) {
        return a.first < b.first;
    });
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < folded.size(); ++i) {
        if (i > 0 && folded[i].first == folded[i - 1].first) {
            return Error(ErrorCode::InvalidArgument,
                         "the paths " + quote(*folded[i - 1].second) + " and " +
                             quote(*folded[i].second) +
                             " are the same on a file system that ignores case; rename one");
        }
        names.insert(folded[i].first);
    }
    for (const auto& [fold, path] : folded) {
        for (auto slash = fold.find('/'); slash != std::string::npos;
             slash = fold.find('/', slash + 1)) {
            if (names.contains(std::string_view(fold).substr(0, slash))) {
                return Error(ErrorCode::InvalidArgument,
                             quote(path->substr(0, slash)) + " is a file and also the folder of " +
                                 quote(*path) + "; rename one");
            }
        }
    }
    return {};
}

} // namespace locara::manifest
