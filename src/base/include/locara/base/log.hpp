// The log: lines of `time level module event key=value ...` on standard error.
//
// Libraries never print; they are handed a Log&. Info is what an operator wants to see, debug what
// a developer wants. An error is logged once, where it is handled. Secrets are never logged.
// Threads: a Log may be used from any thread; a line is written whole.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace locara {

enum class LogLevel { Debug, Info, Warning, Error };

class Log {
  public:
    using Field = std::pair<std::string_view, std::string>;

    virtual ~Log() = default;

    virtual void write(LogLevel level,
                       std::string_view module,
                       std::string_view event,
                       std::initializer_list<Field> fields) = 0;

    void debug(std::string_view m, std::string_view e, std::initializer_list<Field> f = {}) {
        write(LogLevel::Debug, m, e, f);
    }

    void info(std::string_view m, std::string_view e, std::initializer_list<Field> f = {}) {
        write(LogLevel::Info, m, e, f);
    }

    void warning(std::string_view m, std::string_view e, std::initializer_list<Field> f = {}) {
        write(LogLevel::Warning, m, e, f);
    }

    void error(std::string_view m, std::string_view e, std::initializer_list<Field> f = {}) {
        write(LogLevel::Error, m, e, f);
    }
};

/// Writes lines at or above `least` to standard error. Lives as long as the program.
Log& stderr_log(LogLevel least);

/// Drops everything.
Log& null_log();

/// One line without its newline, as stderr_log writes it after the time: values with spaces,
/// quotes or control characters are quoted and escaped, so that one event is always one line.
std::string render_log_line(LogLevel level,
                            std::string_view module,
                            std::string_view event,
                            std::initializer_list<Log::Field> fields);

} // namespace locara
