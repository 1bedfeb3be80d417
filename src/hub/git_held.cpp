#include "git_held.hpp"

#include "git_program.hpp"

#include <locara/hub/git_repo.hpp>

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

constexpr std::size_t kOid = 40;
constexpr std::size_t kBlock = 64U << 10U;
constexpr std::chrono::minutes kWalkTime{5};

/// A line "ID PATH" of `git rev-list --objects`; commits have no path.
std::optional<HeldFile> find_in_line(const RefusedBlobs& held, std::string_view line) {
    const auto found = held.find(std::string(line.substr(0, kOid)));
    if (found == held.end()) {
        return std::nullopt;
    }
    HeldFile file{found->first, std::string(line.substr(std::min(line.size(), kOid + 1)))};
    // Another name is another question, and was asked when the file came.
    const auto& names = found->second;
    const bool refused = file.path.empty() ||
                         std::find(names.begin(), names.end(), name_of(file.path)) != names.end();
    return refused ? std::optional(std::move(file)) : std::nullopt;
}

} // namespace

Result<RefusedBlobs> find_held(const Services& services, const Repo& repo) {
    LOCARA_TRY(RefusedBlobs refused, services.verdicts.refused_blobs());
    if (refused.empty()) {
        return refused;
    }
    LOCARA_TRY(const GitRepo git, GitRepo::open(services.folder_of(repo)));
    RefusedBlobs held;
    for (auto& [blob, names] : refused) {
        LOCARA_TRY(const auto size, git.find_blob(blob));
        if (size) {
            held.emplace(blob, std::move(names));
        }
    }
    return held;
}

boost::asio::awaitable<Result<std::optional<HeldFile>>>
find_held_file(http::BlockingPool& pool,
               std::filesystem::path repository,
               std::vector<std::string> wants,
               RefusedBlobs held) {
    const auto executor = co_await boost::asio::this_coro::executor;
    const auto start = [&] {
        GitProgram::Call call;
        call.arguments = {"rev-list", "--objects", "--stdin"};
        call.repository = repository;
        call.time = kWalkTime;
        return GitProgram::start(executor, std::move(call));
    };
    LOCARA_CO_TRY(const auto program, co_await http::run_blocking(pool, start));
    std::string ids;
    for (const std::string& want : wants) {
        ids.append(want).append("\n");
    }
    const Status sent = co_await program->write(as_bytes(ids));
    if (!sent && sent.error().code() != ErrorCode::Conflict) { // It says below why it stopped.
        co_return sent.error();
    }
    program->close_input();
    Bytes block(kBlock);
    std::string text; // Not yet a whole line.
    while (true) {
        LOCARA_CO_TRY(const std::size_t count, co_await program->read(block));
        if (count == 0) {
            break;
        }
        text.append(as_text(ByteView(block).first(count)));
        std::size_t begin = 0;
        for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos;
             begin = end + 1) {
            auto file = find_in_line(held, std::string_view(text).substr(begin, end - begin));
            if (file) {
                co_return file;
            }
        }
        text.erase(0, begin);
    }
    LOCARA_CO_TRY(const GitProgram::End end, co_await program->wait());
    if (end.code != 0) {
        co_return Error(ErrorCode::NotFound, "not all that is asked for is here: " + end.message);
    }
    co_return std::optional<HeldFile>();
}

} // namespace locara::hub
