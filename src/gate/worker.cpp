#include "worker.hpp"

#include "protocol.hpp"

#include <locara/formats/byte_source.hpp>

#include <cstdlib>
#include <system_error>

#include <sys/socket.h>
#include <unistd.h>

namespace locara::gate {

namespace {

namespace fs = std::filesystem;

constexpr auto kStartTime = std::chrono::seconds(30);
constexpr std::uint64_t kBytesPerSecond = 16U << 20U; // of a slow disk on a busy machine

Result<fs::path> find_program(const Options& options) {
    if (!options.program.empty()) {
        return options.program;
    }
    if (const char* chosen = std::getenv("LOCARA_GATE"); chosen != nullptr) {
        return fs::path(chosen);
    }
    std::error_code error;
    const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
    for (const fs::path& path :
         {folder / "locara-gate", folder.parent_path() / "libexec/locara/locara-gate"}) {
        if (access(path.c_str(), X_OK) == 0) {
            return path;
        }
    }
    return Error(ErrorCode::NotFound,
                 "locara-gate is neither beside this program nor in ../libexec/locara: install "
                 "Locara again, or set LOCARA_GATE");
}

sandbox::Profile profile_of(const fs::path& program, const Options& options, int channel) {
    constexpr const char* kInside = "/run/locara/gate";
    sandbox::Profile profile;
    profile.name = "the gate's reader of files";
    profile.command = {kInside};
    profile.command.insert(
        profile.command.end(), options.arguments.begin(), options.arguments.end());
    profile.read_only = {{program, kInside}};
    profile.executables = {kInside};
    profile.syscalls = sandbox::SyscallPolicy::Engine;
    profile.channel = channel;
    profile.limits.address_space_bytes = kIdleBytes + options.memory_bytes;
    profile.limits.memory_bytes = kIdleBytes + options.memory_bytes;
    profile.limits.file_bytes = 1; // it writes none
    profile.limits.open_files = 64;
    profile.limits.tasks = 16;
    profile.limits.tmp_bytes = 1U << 20U;
    profile.output_bytes = 4096;
    return profile;
}

struct Range {
    std::uint64_t offset = 0;
    std::size_t length = 0;
};

/// {"read": [OFFSET, LENGTH]} within the bytes, and nothing else.
std::optional<Range> parse_read(const Json& json, std::uint64_t size) {
    if (!json.is_object() || json.size() != 1 || !json.contains("read") ||
        !json["read"].is_array() || json["read"].size() != 2 ||
        !json["read"][0].is_number_unsigned() || !json["read"][1].is_number_unsigned()) {
        return std::nullopt;
    }
    const auto offset = json["read"][0].get<std::uint64_t>();
    const auto length = json["read"][1].get<std::uint64_t>();
    if (length == 0 || length > kMaxMessage || offset > size || length > size - offset) {
        return std::nullopt;
    }
    return Range{offset, static_cast<std::size_t>(length)};
}

} // namespace

Result<std::unique_ptr<Worker>> Worker::start(const Options& options) {
    LOCARA_TRY(const sandbox::Tools tools, sandbox::Tools::find());
    LOCARA_TRY(const fs::path program, find_program(options));
    int ends[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return Error::from_errno("socketpair", errno);
    }
    std::unique_ptr<Worker> worker(new Worker);
    worker->socket_.reset(ends[0]);
    {
        const Fd theirs(ends[1]);
        LOCARA_TRY(
            worker->process_,
            sandbox::Process::start(profile_of(program, options, theirs.get()), tools, kStartTime));
    }
    const auto hello =
        receive_message(worker->socket_, nullptr, std::chrono::steady_clock::now() + kStartTime);
    if (!hello) {
        return Error(ErrorCode::Unavailable,
                     hello.error().describe() + " (" + worker->last_words() + ")");
    }
    if (*hello != Json{{"ready", kProtocol}}) {
        return Error(ErrorCode::Corrupt, "it is no locara-gate of this version");
    }
    return worker;
}

Result<formats::Examination> Worker::ask(const formats::ByteSource& source,
                                         const Fd* file,
                                         std::string_view name,
                                         const Options& options) {
    const auto deadline = std::chrono::steady_clock::now() + options.patience +
                          std::chrono::seconds(source.size() / kBytesPerSecond);
    const Json request = {{"name", std::string(name)},
                          {"time_ms", static_cast<std::uint32_t>(options.time.count())},
                          {"size", file == nullptr ? Json(source.size()) : Json()}};
    LOCARA_CHECK(send_message(socket_, request, file == nullptr ? -1 : file->get(), deadline));
    while (true) {
        LOCARA_TRY(const Json answer, receive_message(socket_, nullptr, deadline));
        const auto wanted = file == nullptr ? parse_read(answer, source.size()) : std::nullopt;
        if (!wanted) {
            return parse_answer(answer);
        }
        Bytes bytes(wanted->length);
        if (!source.read(wanted->offset, bytes)) {
            bytes.clear();
        }
        LOCARA_CHECK(send_block(socket_, bytes, deadline));
    }
}

std::string Worker::last_words() const {
    std::string words;
    if (const auto exit = process_->wait(std::chrono::seconds(2))) {
        words = "it ended with " + exit->describe();
    } else {
        words = "it is still running";
    }
    const std::string said = process_->error_tail();
    const auto end = said.find_last_not_of("\n ");
    if (end != std::string::npos) {
        const auto begin = said.rfind('\n', end);
        words += ": " + said.substr(begin == std::string::npos ? 0 : begin + 1,
                                    end - (begin == std::string::npos ? 0 : begin + 1) + 1);
    }
    return words;
}

} // namespace locara::gate
