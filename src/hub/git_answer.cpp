#include "git_answer.hpp"

#include <locara/base/bytes.hpp>

namespace locara::hub {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kBlock = 64U << 10U;

/// Writes, and sees that the client keeps the pace.
asio::awaitable<Status>
write_at_pace(Log& log, ReadingPace& pace, http::BodyWriter& writer, std::string_view bytes) {
    const auto began = std::chrono::steady_clock::now();
    LOCARA_CO_CHECK(co_await writer.write(bytes));
    if (!pace.took(bytes.size(), std::chrono::steady_clock::now() - began)) {
        log.warning("git", "reader_too_slow", {{"bytes", std::to_string(pace.bytes())}});
        co_return Error(ErrorCode::Cancelled, "the client reads too slowly");
    }
    co_return Status();
}

} // namespace

asio::awaitable<Status> send_answer(GitProgram& program,
                                    std::string_view first,
                                    const ReadingPace::Limits& limits,
                                    Log& log,
                                    http::BodyWriter& writer) {
    ReadingPace pace(limits);
    LOCARA_CO_CHECK(co_await write_at_pace(log, pace, writer, first));
    Bytes block(kBlock);
    while (true) {
        LOCARA_CO_TRY(const std::size_t count, co_await program.read(block));
        if (count == 0) {
            break;
        }
        const std::string_view text = as_text(ByteView(block).first(count));
        LOCARA_CO_CHECK(co_await write_at_pace(log, pace, writer, text));
    }
    LOCARA_CO_TRY(const GitProgram::End end, co_await program.wait());
    if (end.code < 0) {
        co_return Error(ErrorCode::Internal, "git was ended by a signal: " + end.message);
    }
    co_return Status();
}

} // namespace locara::hub
