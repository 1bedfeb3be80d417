#include <locara/base/file.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/runtime/audit.hpp>

#include <fstream>
#include <mutex>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::runtime {

namespace {

constexpr std::size_t kMaxLineBytes = 64U << 10U;
constexpr std::string_view kHashMember = ",\"hash\":\"";
const std::string kNoHash(64, '0');

// "<body>,"hash":"<64 hex>"}" -> body and hash, with the body's own members.
struct Line {
    std::uint64_t seq = 0;
    std::string prev;
    std::string hash;
};

Result<Line> parse_line(std::string_view text) {
    const auto bad = [](const char* why) { return Error(ErrorCode::Corrupt, why); };
    const std::size_t tail = kHashMember.size() + 64 + 2;
    if (text.size() <= tail || text.size() > kMaxLineBytes ||
        text.substr(text.size() - tail, kHashMember.size()) != kHashMember) {
        return bad("it does not end in a hash");
    }
    const auto body = text.substr(0, text.size() - tail);
    Line line;
    line.hash = text.substr(text.size() - 66, 64);
    if (crypto::sha256(as_bytes(body)).render() != line.hash) {
        return bad("its text does not have the hash it names");
    }
    const auto json = parse_json(text);
    if (!json || !json->is_object() || !json->contains("seq") ||
        !(*json)["seq"].is_number_unsigned() || !json->contains("prev") ||
        !(*json)["prev"].is_string()) {
        return bad("it is not a line of this log");
    }
    line.seq = (*json)["seq"].get<std::uint64_t>();
    line.prev = (*json)["prev"].get<std::string>();
    return line;
}

} // namespace

struct AuditLog::State {
    Fd file;
    std::optional<FileLock> lock;
    const Clock* clock = nullptr;

    std::mutex mutex;
    std::uint64_t seq = 0;       // GUARDED_BY(mutex)
    std::string head = kNoHash;  // GUARDED_BY(mutex)
    std::uint64_t end_bytes = 0; // GUARDED_BY(mutex)
};

AuditLog::AuditLog(std::unique_ptr<State> state) : state_(std::move(state)) {}

AuditLog::AuditLog(AuditLog&&) noexcept = default;
AuditLog& AuditLog::operator=(AuditLog&&) noexcept = default;
AuditLog::~AuditLog() = default;

Result<AuditLog> AuditLog::open(const std::filesystem::path& path, const Clock& clock) {
    const std::string context = "opening the audit log " + path.string();
    auto state = std::make_unique<State>();
    state->clock = &clock;
    LOCARA_TRY(state->lock, FileLock::try_acquire(path.string() + ".lock").context(context));
    LOCARA_TRY(state->file, open_file(path, O_RDWR | O_CREAT | O_APPEND, 0600).context(context));
    LOCARA_TRY(const auto size, regular_file_size(state->file, path).context(context));

    // The last whole line is within the last two lines' worth of bytes.
    const std::uint64_t from = size > 2 * kMaxLineBytes ? size - 2 * kMaxLineBytes : 0;
    std::string tail(static_cast<std::size_t>(size - from), '\0');
    LOCARA_CHECK(read_exactly_at(state->file, from, std::as_writable_bytes(std::span(tail)))
                     .context(context));
    const auto last_newline = tail.rfind('\n');
    const std::size_t whole = last_newline == std::string::npos ? 0 : last_newline + 1;
    const std::size_t torn = tail.size() - whole;
    if (torn > 0 && ftruncate(state->file.get(), static_cast<off_t>(size - torn)) != 0) {
        return Error::from_errno(context, errno);
    }
    state->end_bytes = size - torn;
    if (whole > 0) {
        const auto before = whole >= 2 ? tail.rfind('\n', whole - 2) : std::string::npos;
        const std::size_t begin = before == std::string::npos ? 0 : before + 1;
        LOCARA_TRY(const Line line,
                   parse_line(std::string_view(tail).substr(begin, whole - 1 - begin))
                       .context(context + ": the last line cannot be trusted; move the file away "
                                          "to start a new one, and keep it"));
        state->seq = line.seq;
        state->head = line.hash;
    }
    AuditLog log(std::move(state));
    if (torn > 0) {
        LOCARA_CHECK(log.append("recovered", Json{{"lost_bytes", torn}}).context(context));
    }
    return log;
}

Status AuditLog::append(std::string_view event, const Json& fields) {
    const std::lock_guard lock(state_->mutex);
    Json record = Json::object();
    record["seq"] = state_->seq + 1;
    record["time"] = render_time(state_->clock->now());
    record["event"] = event;
    for (const auto& [name, value] : fields.items()) {
        record[name] = value;
    }
    record["prev"] = state_->head;
    std::string text = render_json(record);
    text.pop_back(); // The closing brace; the hash comes before it.
    const std::string hash = crypto::sha256(as_bytes(text)).render();
    text.append(kHashMember).append(hash).append("\"}\n");
    LOCARA_ASSERT(text.size() <= kMaxLineBytes);
    auto written = write_all(state_->file, as_bytes(text));
    if (written) {
        written = ::fdatasync(state_->file.get()) == 0
                      ? Status()
                      : Status(Error::from_errno("writing the audit log", errno));
    }
    if (!written) {
        // Nothing may stand after half a line. If this fails too, the next open cuts it off.
        static_cast<void>(!::ftruncate(state_->file.get(), static_cast<off_t>(state_->end_bytes)));
        return std::move(written).context("writing the audit log");
    }
    ++state_->seq;
    state_->head = hash;
    state_->end_bytes += text.size();
    return {};
}

Result<AuditLog::Report> AuditLog::verify(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return Error(ErrorCode::NotFound, "there is no audit log at " + path.string());
    }
    Report report;
    report.head = kNoHash;
    for (std::string text; std::getline(file, text);) {
        const std::string where =
            path.string() + ", line " + std::to_string(report.records + 1) + ": ";
        if (file.eof()) {
            return Error(ErrorCode::Corrupt, where + "it is cut off");
        }
        auto line = parse_line(text);
        if (!line) {
            return Error(ErrorCode::Corrupt, where + line.error().message());
        }
        if (line->seq != report.records + 1 || line->prev != report.head) {
            return Error(ErrorCode::Corrupt,
                         where + "it does not follow the line before it (something was taken out, "
                                 "put in or moved)");
        }
        ++report.records;
        report.head = line->hash;
    }
    return report;
}

} // namespace locara::runtime
