#include <locara/base/percent.hpp>
#include <locara/base/utf8.hpp>

namespace locara {

namespace {

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

} // namespace

std::string percent_encode(std::string_view text, std::string_view keep) {
    constexpr std::string_view kDigits = "0123456789ABCDEF"; // upper case: section 6.2.2.1
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (is_unreserved(c) || keep.find(c) != std::string_view::npos) {
            out += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out += '%';
            out += kDigits[byte >> 4U];
            out += kDigits[byte & 15U];
        }
    }
    return out;
}

Result<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\0') { // As of a form: a head could not hold one.
            return Error(ErrorCode::InvalidArgument, "the text holds a NUL");
        }
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
        if (low < 0) {
            return Error(ErrorCode::InvalidArgument,
                         "the target holds '%' at offset " + std::to_string(i) +
                             " without two hexadecimal digits behind it; write %25 for a percent "
                             "sign");
        }
        const char value = static_cast<char>(high * 16 + low);
        if (value == '\0') {
            return Error(ErrorCode::InvalidArgument, "the target holds an encoded NUL (%00)");
        }
        out += value;
        i += 2;
    }
    if (!is_utf8(out)) { // PostgreSQL would not take it as a text.
        return Error(ErrorCode::InvalidArgument, "the target holds bytes that are no UTF-8");
    }
    return out;
}

} // namespace locara
