#include <locara/base/bytes.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

namespace locara {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64Digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return -1;
}

/// "1.5 GB" for a value with a list of units, each `step` times the one before.
std::string render_scaled(std::uint64_t bytes, double step, std::span<const char* const> units) {
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    // A value that would print as "1000" of a unit prints as "1.0" of the next.
    while (value >= step - 0.5 && unit + 1 < units.size()) {
        value /= step;
        ++unit;
    }
    std::array<char, 32> text{};
    const bool whole = unit == 0 || value >= 99.95;
    std::snprintf(text.data(), text.size(), whole ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text.data();
}

} // namespace

ByteView as_bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

std::string_view as_text(ByteView bytes) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): char may view any object
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string render_hex(ByteView bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::byte b : bytes) {
        text += kHexDigits[std::to_integer<std::size_t>(b >> 4)];
        text += kHexDigits[std::to_integer<std::size_t>(b & std::byte{15})];
    }
    return text;
}

Result<Bytes> parse_hex(std::string_view text) {
    if (text.size() % 2 != 0) {
        return Error(ErrorCode::InvalidArgument, "hexadecimal text has an odd number of digits");
    }
    Bytes bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) {
            return Error(ErrorCode::InvalidArgument,
                         "hexadecimal text holds something other than 0-9 and a-f at position " +
                             std::to_string(high < 0 ? i : i + 1));
        }
        bytes.push_back(static_cast<std::byte>(high * 16 + low));
    }
    return bytes;
}

std::string render_base64(ByteView bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            group = group << 8U | (k < have ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0U);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            text += k <= have ? kBase64Digits[group >> (18 - 6 * k) & 63U] : '=';
        }
    }
    return text;
}

std::string render_base64url(ByteView bytes) {
    std::string text = render_base64(bytes);
    text.resize(std::min(text.find('='), text.size()));
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    return text;
}

Result<Bytes> parse_base64(std::string_view text) {
    const auto malformed = [](std::string_view why) {
        return Error(ErrorCode::InvalidArgument, "base64 text " + std::string(why));
    };
    if (text.size() % 4 != 0) {
        return malformed("has a length that is not a multiple of four");
    }
    Bytes bytes;
    bytes.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        const bool last = i + 4 == text.size();
        const std::size_t padding =
            last && text[i + 3] == '=' ? (text[i + 2] == '=' ? 2U : 1U) : 0U;
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            std::size_t digit = 0;
            if (k < 4 - padding) {
                digit = kBase64Digits.find(text[i + k]);
                if (digit == std::string_view::npos) {
                    return malformed("holds a foreign character");
                }
            }
            group = group << 6U | static_cast<std::uint32_t>(digit);
        }
        if ((padding == 1 && (group >> 6U & 3U) != 0) ||
            (padding == 2 && (group >> 12U & 15U) != 0)) {
            return malformed("has non-zero spare bits");
        }
        for (std::size_t k = 0; k < 3 - padding; ++k) {
            bytes.push_back(static_cast<std::byte>(group >> (16 - 8 * k) & 255U));
        }
    }
    return bytes;
}

std::string render_size(std::uint64_t bytes) {
    constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    return render_scaled(bytes, 1000.0, kUnits);
}

std::string render_memory(std::uint64_t bytes) {
    constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    return render_scaled(bytes, 1024.0, kUnits);
}

} // namespace locara
