#include <locara/base/clock.hpp>
#include <locara/base/json.hpp>
#include <locara/base/json_log.hpp>
#include <locara/base/log.hpp>

#include <algorithm>
#include <charconv>
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

using RenderLine = std::string (*)(
    TimePoint, LogLevel, std::string_view, std::string_view, std::initializer_list<Log::Field>);

std::string render_text_line(TimePoint time,
                             LogLevel level,
                             std::string_view module,
                             std::string_view event,
                             std::initializer_list<Log::Field> fields) {
    return render_time(time) + " " + render_log_line(level, module, event, fields);
}

class StderrLog : public Log {
  public:
    StderrLog(LogLevel least, RenderLine render) : least_(least), render_(render) {}

    void write(LogLevel level,
               std::string_view module,
               std::string_view event,
               std::initializer_list<Field> fields) override {
        if (level < least_) {
            return;
        }
        const std::string line = render_(system_clock().now(), level, module, event, fields) + "\n";
        const std::scoped_lock lock(mutex_);
        std::fwrite(line.data(), 1, line.size(), stderr);
    }

  private:
    const LogLevel least_;
    const RenderLine render_;
    std::mutex mutex_; // lines of two threads must not mix
};

/// One for each level.
class StderrLogs {
  public:
    explicit StderrLogs(RenderLine render)
        : debug_(LogLevel::Debug, render), info_(LogLevel::Info, render),
          warning_(LogLevel::Warning, render), error_(LogLevel::Error, render) {}

    Log& at(LogLevel least) {
        switch (least) {
        case LogLevel::Debug:
            return debug_;
        case LogLevel::Info:
            return info_;
        case LogLevel::Warning:
            return warning_;
        case LogLevel::Error:
            return error_;
        }
        return error_;
    }

  private:
    StderrLog debug_;
    StderrLog info_;
    StderrLog warning_;
    StderrLog error_;
};

class NullLog : public Log {
  public:
    void
    write(LogLevel, std::string_view, std::string_view, std::initializer_list<Field>) override {}
};

} // namespace

Log& stderr_log(LogLevel least) {
    static StderrLogs logs(render_text_line);
    return logs.at(least);
}

Log& stderr_json_log(LogLevel least) {
    static StderrLogs logs(render_json_log_line);
    return logs.at(least);
}

Log& null_log() {
    static NullLog log;
    return log;
}

std::string render_json_log_line(TimePoint time,
                                 LogLevel level,
                                 std::string_view module,
                                 std::string_view event,
                                 std::initializer_list<Log::Field> fields) {
    Json line;
    line["time"] = render_time(time);
    line["level"] = level_name(level);
    line["module"] = module;
    line["event"] = event;
    for (const auto& [key, value] : fields) {
        const std::string name(key);
        std::uint64_t number = 0;
        const char* const last = value.data() + value.size();
        const auto [end, error] = std::from_chars(value.data(), last, number);
        const bool counts =
            std::find(std::begin(kLogNumbers), std::end(kLogNumbers), key) != std::end(kLogNumbers);
        if (counts && error == std::errc() && end == last) {
            line[name] = number;
        } else {
            line[name] = value;
        }
    }
    return line.dump(-1, ' ', false, Json::error_handler_t::replace);
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
