// The log as JSON: one object a line, for programs that gather logs.
//
// Members: "time" (UTC, whole seconds), "level", "module", "event", then the fields. Values are
// texts, but those of kLogNumbers, which are numbers wherever they are logged. What is not UTF-8 in
// a value becomes U+FFFD.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/log.hpp>

#include <initializer_list>
#include <string>
#include <string_view>

namespace locara {

/// Fields that are numbers.
inline constexpr std::string_view kLogNumbers[] = {"bytes_in", "bytes_out", "ms", "status"};

/// Writes lines at or above `least` to standard error. Lives as long as the program.
Log& stderr_json_log(LogLevel least);

/// One line without its newline.
std::string render_json_log_line(TimePoint time,
                                 LogLevel level,
                                 std::string_view module,
                                 std::string_view event,
                                 std::initializer_list<Log::Field> fields);

} // namespace locara
