#include <locara/base/file.hpp>
#include <locara/crypto/chained_line.hpp>
#include <locara/crypto/chained_log.hpp>

#include <fstream>
#include <mutex>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::crypto {

namespace {

constexpr unsigned kMaxOlderFiles = 100;

/// The file at `path` itself for 0, else the n-th older one.
std::filesystem::path numbered(const std::filesystem::path& path, unsigned n) {
    return n == 0 ? path : std::filesystem::path(path.string() + "." + std::to_string(n));
}

bool is_there(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
}

/// Where a file's lines end, and what is left behind them of one that a crash cut off.
struct End {
    std::optional<ChainedLine> last; ///< Null if there is no whole line.
    std::uint64_t whole_bytes = 0;
    std::uint64_t torn_bytes = 0;
};

Result<End> read_end(const Fd& file, const std::filesystem::path& path) {
    LOCARA_TRY(const auto size, regular_file_size(file, path));
    // The last whole line is within the last two lines' worth of bytes.
    const std::uint64_t from = size > 2 * kMaxLineBytes ? size - 2 * kMaxLineBytes : 0;
    std::string tail(static_cast<std::size_t>(size - from), '\0');
    LOCARA_CHECK(read_exactly_at(file, from, std::as_writable_bytes(std::span(tail))));
    const auto last_newline = tail.rfind('\n');
    const std::size_t whole = last_newline == std::string::npos ? 0 : last_newline + 1;
    End end;
    end.torn_bytes = tail.size() - whole;
    end.whole_bytes = size - end.torn_bytes;
    if (whole > 0) {
        const auto before = whole >= 2 ? tail.rfind('\n', whole - 2) : std::string::npos;
        const std::size_t begin = before == std::string::npos ? 0 : before + 1;
        LOCARA_TRY(end.last,
                   ChainedLine::parse(std::string_view(tail).substr(begin, whole - 1 - begin))
                       .context("the last line cannot be trusted; move the log's files away to "
                                "start a new one, and keep them"));
    }
    return end;
}

/// The last line of the newest older file, for a log whose own file is new; null if there is none.
Result<std::optional<ChainedLine>> find_older_end(const std::filesystem::path& path,
                                                  unsigned older_files) {
    for (unsigned n = 1; n <= older_files; ++n) {
        const auto older = numbered(path, n);
        if (is_there(older)) {
            LOCARA_TRY(const auto file, open_file(older, O_RDONLY));
            LOCARA_TRY(auto end, read_end(file, older).context(older.string()));
            return std::move(end.last);
        }
    }
    return std::optional<ChainedLine>();
}

} // namespace

struct ChainedLog::State {
    /// Makes room: the file becomes "<name>.1", and a new one is opened. A crash in between leaves
    /// files that open() and verify() take as they are.
    Status rotate() {
        // Up to the first number that is free, else over the oldest.
        unsigned free = 1;
        while (free < limits.older_files && is_there(numbered(path, free))) {
            ++free;
        }
        for (unsigned n = free; n > 0; --n) {
            if (is_there(numbered(path, n - 1))) { // the first may be gone after a try that failed
                LOCARA_CHECK(rename_file(numbered(path, n - 1), numbered(path, n), Replace::Yes));
            }
        }
        LOCARA_TRY(file, open_file(path, O_RDWR | O_CREAT | O_APPEND, 0600));
        end_bytes = 0;
        return sync_folder(path.parent_path());
    }

    std::filesystem::path path;
    ChainedLogLimits limits;
    std::optional<FileLock> lock;
    const Clock* clock = nullptr;

    std::mutex mutex;
    Fd file;                     // GUARDED_BY(mutex)
    ChainEnd end;                // GUARDED_BY(mutex)
    std::uint64_t end_bytes = 0; // GUARDED_BY(mutex)
};

ChainedLog::ChainedLog(std::unique_ptr<State> state) : state_(std::move(state)) {}

ChainedLog::ChainedLog(ChainedLog&&) noexcept = default;
ChainedLog& ChainedLog::operator=(ChainedLog&&) noexcept = default;
ChainedLog::~ChainedLog() = default;

Result<ChainedLog>
ChainedLog::open(const std::filesystem::path& path, const Clock& clock, ChainedLogLimits limits) {
    LOCARA_ASSERT(limits.older_files > 0 && limits.older_files <= kMaxOlderFiles);
    const std::string context = "opening the log " + path.string();
    auto state = std::make_unique<State>();
    state->path = path;
    state->limits = limits;
    state->clock = &clock;
    LOCARA_TRY(state->lock, FileLock::try_acquire(path.string() + ".lock").context(context));
    LOCARA_TRY(state->file, open_file(path, O_RDWR | O_CREAT | O_APPEND, 0600).context(context));
    LOCARA_TRY(auto end, read_end(state->file, path).context(context));
    const auto torn = end.torn_bytes;
    if (torn > 0 && ftruncate(state->file.get(), static_cast<off_t>(end.whole_bytes)) != 0) {
        return Error::from_errno(context, errno);
    }
    state->end_bytes = end.whole_bytes;
    if (!end.last) {
        LOCARA_TRY(end.last, find_older_end(path, limits.older_files).context(context));
    }
    if (end.last) {
        state->end = end.last->end();
    }
    ChainedLog log(std::move(state));
    if (torn > 0) {
        LOCARA_CHECK(log.append("recovered", Json{{"lost_bytes", torn}}).context(context));
    }
    return log;
}

Status ChainedLog::append(std::string_view event, const Json& fields) {
    const std::lock_guard lock(state_->mutex);
    const std::string text =
        ChainedLine::render(state_->end, state_->clock->now(), event, fields) + "\n";
    if (state_->end_bytes > 0 && state_->end_bytes + text.size() > state_->limits.file_bytes) {
        LOCARA_CHECK(state_->rotate().context("starting a new log file"));
    }
    auto written = write_all(state_->file, as_bytes(text));
    if (written) {
        written = ::fdatasync(state_->file.get()) == 0
                      ? Status()
                      : Status(Error::from_errno("writing the log", errno));
    }
    if (!written) {
        // Nothing may stand after half a line. If this fails too, the next open cuts it off.
        static_cast<void>(!::ftruncate(state_->file.get(), static_cast<off_t>(state_->end_bytes)));
        return std::move(written).context("writing the log");
    }
    ++state_->end.seq;
    state_->end.hash = text.substr(text.size() - 67, 64); // Before `"}` and the newline.
    state_->end_bytes += text.size();
    return {};
}

namespace {

/// What the first line of all may be. Only where there are older files may some have gone.
enum class Start { First, Any };

/// Checks one file and adds it to what the report says of those before it.
Status verify_file(const std::filesystem::path& path,
                   ChainedLog::Report& report,
                   Start start,
                   const ChainedLog::Sink& sink) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return Error(ErrorCode::Io, path.string() + " cannot be read");
    }
    std::uint64_t number = 0;
    for (std::string text; std::getline(file, text);) {
        const std::string where = path.string() + ", line " + std::to_string(++number) + ": ";
        if (file.eof()) {
            return Error(ErrorCode::Corrupt, where + "it is cut off");
        }
        auto line = ChainedLine::parse(text);
        if (!line) {
            return Error(ErrorCode::Corrupt, where + line.error().message());
        }
        if (report.records == 0) {
            report.first = start == Start::First ? 1 : line->end().seq;
            report.head = report.first == 1 ? ChainEnd().hash : line->prev();
        }
        if (!line->follows({report.first + report.records - 1, report.head})) {
            return Error(ErrorCode::Corrupt,
                         where + "it does not follow the line before it (something was taken out, "
                                 "put in or moved)");
        }
        ++report.records;
        report.head = line->end().hash;
        if (sink) {
            LOCARA_CHECK(sink(line->members()));
        }
    }
    return {};
}

} // namespace

Result<ChainedLog::Report> ChainedLog::verify(const std::filesystem::path& path, const Sink& sink) {
    // The oldest first. A crash may have left a number out.
    std::vector<std::filesystem::path> files;
    for (unsigned n = kMaxOlderFiles; n > 0; --n) {
        if (is_there(numbered(path, n))) {
            files.push_back(numbered(path, n));
        }
    }
    if (is_there(path)) {
        files.push_back(path);
    }
    if (files.empty()) {
        return Error(ErrorCode::NotFound, "there is no log at " + path.string());
    }
    Report report;
    report.head = ChainEnd().hash;
    for (const auto& name : files) {
        LOCARA_CHECK(verify_file(name, report, files.size() > 1 ? Start::Any : Start::First, sink));
    }
    return report;
}

} // namespace locara::crypto
