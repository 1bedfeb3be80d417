#include "exit_codes.hpp"

#include <algorithm>

namespace locara::cli {

int exit_code(ErrorCode code) {
    switch (code) {
    case ErrorCode::NotFound:
        return kNotFound;
    case ErrorCode::Corrupt:
        return kVerification;
    case ErrorCode::InvalidArgument:
        return kUsage;
    case ErrorCode::Unauthorized:
    case ErrorCode::Forbidden:
        return kDenied;
    case ErrorCode::Refused:
        return kRefused;
    case ErrorCode::Busy:
        return kBusy;
    case ErrorCode::NoSpace:
        return kNoRoom;
    case ErrorCode::Timeout:
    case ErrorCode::Unavailable:
        return kNetwork;
    case ErrorCode::Cancelled:
        return kInterrupted;
    case ErrorCode::Offline:
        return kOffline;
    case ErrorCode::Conflict:
    case ErrorCode::TooLarge:
    case ErrorCode::Io:
    case ErrorCode::Unsupported:
    case ErrorCode::Internal:
        return kFailed;
    }
    return kFailed;
}

namespace {

/// How many bytes a character takes at the beginning of `text`, which is not empty, that would
/// drive a terminal or turn round what is read: C0, DEL, C1 (U+0080 to U+009F), line separators and
/// bidirectional controls (U+2028 to U+202E, U+2066 to U+2069). 0 for any other.
std::size_t find_control(std::string_view text) {
    const auto byte = [text](std::size_t at) {
        return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
    };
    if (byte(0) < 0x20 || byte(0) == 0x7F) {
        return 1;
    }
    if (byte(0) == 0xC2 && byte(1) >= 0x80 && byte(1) < 0xA0) {
        return 2;
    }
    if (byte(0) == 0xE2 && ((byte(1) == 0x80 && byte(2) >= 0xA8 && byte(2) <= 0xAE) ||
                            (byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9))) {
        return 3;
    }
    return 0;
}

} // namespace

std::string clean(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t hidden = find_control(text);
        out += hidden > 0 ? '?' : text.front();
        text.remove_prefix(std::max<std::size_t>(hidden, 1));
    }
    return out;
}

std::string hint_of(std::string_view message) {
    int depth = 0;
    for (std::size_t at = message.size(); at-- > 0;) {
        depth += message[at] == ')' ? 1 : message[at] == '(' ? -1 : 0;
        if (depth < 0) {
            return ""; // a bracket that others opened and did not close
        }
        if (depth == 0 && message.substr(at).starts_with("; ")) {
            return std::string(message.substr(at + 2));
        }
    }
    return "";
}

Json error_json(const Error& error, int exit) {
    const std::string message = error.describe();
    const std::string hint = hint_of(message);
    return {{"schema", "locara.error/1"},
            {"code", render(error.code())},
            {"message", message},
            {"hint", hint.empty() ? Json() : Json(hint)},
            {"exit", exit}};
}

std::string render_error(const Error& error, int exit, bool json, const Style& style) {
    if (json) {
        return render_json(error_json(error, exit)) + "\n";
    }
    return style.paint(Tone::Bad, "locara:") + " " + clean(error.describe()) + "\n";
}

} // namespace locara::cli
