// How this module quotes what it found, so that an error is one readable line whatever was sent.
#pragma once

#include <string>
#include <string_view>

namespace locara::manifest {

/// In double quotes, control characters as \xNN, cut after 60 bytes at a character.
inline std::string quote(std::string_view text) {
    constexpr std::size_t kMost = 60;
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string out = "\"";
    bool cut = false;
    if (text.size() > kMost) {
        std::size_t end = kMost;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
            --end;
        }
        text = text.substr(0, end);
        cut = true;
    }
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F) {
            out += "\\x";
            out += kHex[byte >> 4U];
            out += kHex[byte & 15U];
        } else {
            out += c;
        }
    }
    return out + (cut ? "...\"" : "\"");
}

} // namespace locara::manifest
