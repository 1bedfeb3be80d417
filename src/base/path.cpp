#include "code_points.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/path.hpp>

#include <algorithm>
#include <array>

namespace locara {

namespace {

/// What no name may hold beside what find_unseen finds, from the Unicode 15 charts: never in NFC,
/// or only next to something it would combine with.
constexpr std::array kNotComposed = {
    CodePoints{0x300, 0x36F, "a combining mark (write the composed letter, NFC)"},
    CodePoints{0x1100, 0x11FF, "a decomposed Hangul letter (write the composed one, NFC)"},
    CodePoints{0x1AB0, 0x1AFF, "a combining mark (write the composed letter, NFC)"},
    CodePoints{0x1DC0, 0x1DFF, "a combining mark (write the composed letter, NFC)"},
    CodePoints{0x20D0, 0x20FF, "a combining mark (write the composed letter, NFC)"},
    CodePoints{0x2126, 0x2126, "a compatibility letter (NFC has another)"},
    CodePoints{0x212A, 0x212B, "a compatibility letter (NFC has another)"},
    CodePoints{0x3099, 0x309A, "a combining mark (write the composed letter, NFC)"},
    CodePoints{0xF900, 0xFAFF, "a compatibility ideograph (NFC has another)"},
    CodePoints{0xFE20, 0xFE2F, "a combining mark (write the composed letter, NFC)"},
};

bool is_device_name(std::string_view part) {
    // Windows passes over spaces before the dot, and takes superscript digits for digits.
    std::string stem = ascii_lower(part.substr(0, part.find('.')));
    stem.erase(stem.find_last_not_of(' ') + 1);
    static constexpr std::array<std::string_view, 6> kNames = {
        "con", "prn", "aux", "nul", "conin$", "conout$"};
    if (std::find(kNames.begin(), kNames.end(), stem) != kNames.end()) {
        return true;
    }
    static constexpr std::array<std::string_view, 3> kSuperscripts = {"\u00B9", "\u00B2", "\u00B3"};
    const std::string_view number =
        std::string_view(stem).substr(std::min<std::size_t>(3, stem.size()));
    return (stem.starts_with("com") || stem.starts_with("lpt")) &&
           ((number.size() == 1 && number[0] >= '0' && number[0] <= '9') ||
            std::find(kSuperscripts.begin(), kSuperscripts.end(), number) != kSuperscripts.end());
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
        const char* what = find_unseen(*code);
        if (what == nullptr) {
            what = find_in(kNotComposed, *code);
        }
        if (what != nullptr) {
            static thread_local std::string text;
            text = std::string("it holds ") + what;
            return text.c_str();
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

/// For a message: all but printable ASCII as \xNN, whatever was sent.
std::string shown(std::string_view path) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    constexpr std::size_t kMost = 80;
    std::string out = "\"";
    for (const char c : path.substr(0, kMost)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x7F) {
            out += "\\x";
            out += kHex[byte >> 4U];
            out += kHex[byte & 15U];
        } else {
            out += c;
        }
    }
    return out + (path.size() > kMost ? "...\"" : "\"");
}

Error mixed_up(std::string_view file, std::string_view other) {
    return Error(ErrorCode::InvalidArgument,
                 shown(file) + " is a file and also the folder of " + shown(other) +
                     "; rename one");
}

} // namespace

Status validate_path(std::string_view path) {
    if (const char* fault = find_fault(path)) {
        return Error(ErrorCode::InvalidArgument,
                     "the path " + shown(path) + " is not allowed: " + fault);
    }
    return {};
}

Status PathSet::add(std::string_view path) {
    const std::string folded = fold_case(path);
    if (const auto same = files_.find(folded); same != files_.end()) {
        return Error(ErrorCode::InvalidArgument,
                     "the paths " + shown(same->second) + " and " + shown(path) +
                         " are the same on a file system that ignores case; rename one");
    }
    if (const auto folder = folders_.find(folded); folder != folders_.end()) {
        return mixed_up(path, folder->second);
    }
    LOCARA_CHECK(add_above(path, folded));
    files_.emplace(folded, path);
    return {};
}

Status PathSet::add_folder(std::string_view path) {
    const std::string folded = fold_case(path);
    if (const auto file = files_.find(folded); file != files_.end()) {
        return mixed_up(file->second, path);
    }
    LOCARA_CHECK(add_above(path, folded));
    folders_.try_emplace(folded, path);
    return {};
}

Status PathSet::add_above(std::string_view path, const std::string& folded) {
    for (auto slash = folded.find('/'); slash != std::string::npos;
         slash = folded.find('/', slash + 1)) {
        const std::string above = folded.substr(0, slash);
        if (const auto file = files_.find(above); file != files_.end()) {
            return mixed_up(file->second, path);
        }
        folders_.try_emplace(above, path);
    }
    return {};
}

Status validate_path_set(const std::vector<std::string>& paths) {
    PathSet set;
    for (const auto& path : paths) {
        LOCARA_CHECK(set.add(path));
    }
    return {};
}

} // namespace locara
