// The one table from kinds of error to exit codes (docs/cli.md, "Exit codes"), and how an error is
// told: once, in one line, with a hint if there is one.
#pragma once

#include "style.hpp"

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>

#include <string>
#include <string_view>

namespace locara::cli {

enum Exit : int {
    kDone = 0,
    kFailed = 1,
    kUsage = 2,
    kNotFound = 3,
    kDenied = 4,
    kNetwork = 5,
    kVerification = 6,
    kNoRoom = 7,
    kRefused = 8,
    kBusy = 9,
    kPartly = 11,
    kOffline = 12,
    kInterrupted = 130,
    kTerminated = 143,
};

/// The exit code of a kind of error. Cancelled is kInterrupted; main knows if it was a SIGTERM.
int exit_code(ErrorCode code);

/// "locara: <error>\n", or as one JSON object (schema locara.error/1) with a newline.
std::string render_error(const Error& error, int exit, bool json, const Style& style = Style());

/// What to do, of an error's message: by convention it ends in "; what to do", outside of brackets.
/// What stands in brackets may be the words of others and is never taken for ours. "" for none.
std::string hint_of(std::string_view message);

/// The object of schema locara.error/1.
Json error_json(const Error& error, int exit);

/// `text` with control characters made visible, so that what a catalog says cannot drive a
/// terminal.
std::string clean(std::string_view text);

} // namespace locara::cli
