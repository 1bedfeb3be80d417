#include <locara/base/clock.hpp>
#include <locara/base/log.hpp>

#include <cstdio>
#include <mutex>

namespace locara {

namespace {

std::string_view level_name(LogLevel level) {
    switch (level) {
    case LogLevel::Debug:
        return "debug";
    case LogLevel::Info:
        return "info";
    case LogLevel::Warning:
        return "warning";
    case LogLevel::Error:
        return "error";
    }
    return "error";
}

void append_value(std::string& line, std::string_view value) {
    bool plain = !value.empty();
    for (const char c : value) {
        plain = plain && c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7f;
    }
    if (plain) {
        line += value;
        return;
    }
    constexpr std::string_view kHex = "0123456789abcdef";
    line += '"';
    for (const char c : value) {
        const auto code = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            line += '\\';
            line += c;
        } else if (c == '\n') {
            line += "\\n";
        } else if (code < 0x20 || code == 0x7f) {
            line += "\\x";
            line += kHex[code >> 4U];
            line += kHex[code & 15U];
        } else {
            line += c;
        }
    }
    line += '"';
}

class StderrLog : public Log {
  public:
    explicit StderrLog(LogLevel least) : least_(least) {}

    void write(LogLevel level,
               std::string_view module,
               std::string_view event,
               std::initializer_list<Field> fields) override {
        if (level < least_) {
            return;
        }
        const std::string line = render_time(system_clock().now()) + " " +
                                 render_log_line(level, module, event, fields) + "\n";
        const std::scoped_lock lock(mutex_);
        std::fwrite(line.data(), 1, line.size(), stderr);
    }

  private:
    const LogLevel least_;
    std::mutex mutex_; // lines of two threads must not mix
};

class NullLog : public Log {
  public:
    void
    write(LogLevel, std::string_view, std::string_view, std::initializer_list<Field>) override {}
};

} // namespace

Log& stderr_log(LogLevel least) {
    static StderrLog debug(LogLevel::Debug);
    static StderrLog info(LogLevel::Info);
    static StderrLog warning(LogLevel::Warning);
    static StderrLog error(LogLevel::Error);
    switch (least) {
    case LogLevel::Debug:
        return debug;
    case LogLevel::Info:
        return info;
    case LogLevel::Warning:
        return warning;
    case LogLevel::Error:
        return error;
    }
    return error;
}

Log& null_log() {
    static NullLog log;
    return log;
}

std::string render_log_line(LogLevel level,
                            std::string_view module,
                            std::string_view event,
                            std::initializer_list<Log::Field> fields) {
    std::string line(level_name(level));
    line += ' ';
    line += module;
    line += ' ';
    line += event;
    for (const auto& [key, value] : fields) {
        line += ' ';
        line += key;
        line += '=';
        append_value(line, value);
    }
    return line;
}

} // namespace locara
