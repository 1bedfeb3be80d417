#include "exit_codes.hpp"

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

std::string clean(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        // C0, DEL, and C1 (U+0080 to U+009F, in UTF-8 C2 80 to C2 9F).
        const bool c1 =
            byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
        if (byte < 0x20 || byte == 0x7F || c1) {
            out += '?';
            i += c1 ? 1 : 0;
        } else {
            out += text[i];
        }
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
