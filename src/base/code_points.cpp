#include "code_points.hpp"

#include <algorithm>
#include <array>

namespace locara {

namespace {

/// From the Unicode 15 charts.
constexpr std::array kUnseen = {
    CodePoints{0x00, 0x1F, "a control character"},
    CodePoints{0x7F, 0x9F, "a control character"},
    CodePoints{0xAD, 0xAD, "an invisible character"},
    CodePoints{0x61C, 0x61C, "a bidirectional control"},
    CodePoints{0x180B, 0x180F, "an invisible character"},
    CodePoints{0x200B, 0x200F, "a zero-width or bidirectional character"},
    CodePoints{0x2028, 0x2029, "a line separator"},
    CodePoints{0x202A, 0x202E, "a bidirectional control"},
    CodePoints{0x2060, 0x206F, "an invisible or bidirectional character"},
    CodePoints{0xFE00, 0xFE0F, "an invisible character"},
    CodePoints{0xFEFF, 0xFEFF, "a zero-width character"},
    CodePoints{0xFFF0, 0xFFFF, "a special character"},
    CodePoints{0xE0000, 0xE0FFF, "an invisible character"},
};

/// White_Space of PropList.txt, and what is drawn as a blank.
constexpr std::array kBlank = {
    CodePoints{0x20, 0x20, "a space"},
    CodePoints{0xA0, 0xA0, "a space"},
    CodePoints{0x115F, 0x1160, "a filler"},
    CodePoints{0x1680, 0x1680, "a space"},
    CodePoints{0x2000, 0x200A, "a space"},
    CodePoints{0x202F, 0x202F, "a space"},
    CodePoints{0x205F, 0x205F, "a space"},
    CodePoints{0x2800, 0x2800, "a blank pattern"},
    CodePoints{0x3000, 0x3000, "a space"},
    CodePoints{0x3164, 0x3164, "a filler"},
    CodePoints{0xFFA0, 0xFFA0, "a filler"},
};

} // namespace

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

const char* find_in(std::span<const CodePoints> ranges, char32_t code) {
    const auto found = std::find_if(ranges.begin(), ranges.end(), [code](const CodePoints& one) {
        return code >= one.first && code <= one.last;
    });
    return found == ranges.end() ? nullptr : found->what;
}

const char* find_unseen(char32_t code) {
    return find_in(kUnseen, code);
}

bool is_blank(char32_t code) {
    return find_in(kBlank, code) != nullptr;
}

} // namespace locara
