#include <locara/base/result.hpp>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

namespace locara {

std::string_view render(ErrorCode code) {
    switch (code) {
    case ErrorCode::NotFound:
        return "not_found";
    case ErrorCode::Corrupt:
        return "corrupt";
    case ErrorCode::InvalidArgument:
        return "invalid_argument";
    case ErrorCode::Unauthorized:
        return "unauthorized";
    case ErrorCode::Forbidden:
        return "forbidden";
    case ErrorCode::Refused:
        return "refused";
    case ErrorCode::Conflict:
        return "conflict";
    case ErrorCode::Busy:
        return "busy";
    case ErrorCode::TooLarge:
        return "too_large";
    case ErrorCode::NoSpace:
        return "no_space";
    case ErrorCode::Timeout:
        return "timeout";
    case ErrorCode::Cancelled:
        return "cancelled";
    case ErrorCode::Unavailable:
        return "unavailable";
    case ErrorCode::Offline:
        return "offline";
    case ErrorCode::Io:
        return "io";
    case ErrorCode::Unsupported:
        return "unsupported";
    case ErrorCode::Internal:
        return "internal";
    }
    return "internal";
}

namespace {

ErrorCode code_of_errno(int system_errno) {
    switch (system_errno) {
    case ENOSPC:
    case EDQUOT:
        return ErrorCode::NoSpace;
    case ENOENT:
        return ErrorCode::NotFound;
    case EACCES:
    case EPERM:
        return ErrorCode::Forbidden;
    default:
        return ErrorCode::Io;
    }
}

} // namespace

Error Error::from_errno(std::string_view what, int system_errno) {
    std::string message(what);
    message += ": ";
    message += std::generic_category().message(system_errno);
    return {code_of_errno(system_errno), std::move(message), system_errno};
}

bool Error::retryable() const {
    return code_ == ErrorCode::Unavailable || code_ == ErrorCode::Timeout ||
           code_ == ErrorCode::Busy;
}

std::string Error::describe() const {
    std::string text;
    for (auto line = trail_.rbegin(); line != trail_.rend(); ++line) {
        text += *line;
        text += ": ";
    }
    return text + message_;
}

void assertion_failed(const char* expression, const char* file, int line) {
    std::fprintf(stderr, "locara: assertion failed: %s (%s:%d)\n", expression, file, line);
    std::abort();
}

} // namespace locara
