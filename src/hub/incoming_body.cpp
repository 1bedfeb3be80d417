#include "incoming_body.hpp"

#include <sys/mman.h>

namespace locara::hub {
namespace {

/// What is in memory of one body.
constexpr std::size_t kBlock = 1U << 20U;

} // namespace

IncomingBody::IncomingBody(IncomingBody&& other) noexcept
    : staged_(std::move(other.staged_)), start_(std::exchange(other.start_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

IncomingBody::~IncomingBody() {
    if (start_ != nullptr) {
        ::munmap(start_, size_);
    }
}

Result<IncomingBody> IncomingBody::map(cas::Staged staged) {
    const std::size_t size = staged.size();
    if (size == 0) {
        return IncomingBody(std::move(staged), nullptr, 0);
    }
    void* const start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, staged.fd().get(), 0);
    if (start == MAP_FAILED) {
        return Error::from_errno("mapping a request body", errno);
    }
    return IncomingBody(std::move(staged), start, size);
}

boost::asio::awaitable<Answer<std::monostate>>
read_blocks(const http::Request& request, http::BlockingPool& pool, TakeBlock take) {
    Bytes block(kBlock);
    while (true) {
        auto count = co_await request.incoming->read(block);
        if (!count && count.error().code() == ErrorCode::Timeout) {
            co_return Refusal(408, "", count.error().message());
        }
        if (!count) {
            co_return Refusal(std::move(count).error());
        }
        if (*count == 0) {
            co_return std::monostate();
        }
        const ByteView bytes = std::span(block).first(*count);
        const auto job = [&take, bytes] { return take(bytes); };
        Status taken = co_await http::run_blocking(pool, job);
        if (!taken) {
            co_return Refusal(std::move(taken).error());
        }
    }
}

boost::asio::awaitable<Answer<IncomingBody>>
receive_body(const http::Request& request, http::BlockingPool& pool, cas::Backend& backend) {
    const auto make = [&backend] { return backend.stage(); };
    auto staged = co_await http::run_blocking(pool, make);
    if (!staged) {
        co_return Refusal(std::move(staged).error());
    }
    TakeBlock append = [&staged](ByteView bytes) { return staged->append(bytes); };
    auto read = co_await read_blocks(request, pool, std::move(append));
    if (!read) {
        co_return std::move(read).error();
    }
    auto mapped = IncomingBody::map(std::move(*staged));
    if (!mapped) {
        co_return Refusal(std::move(mapped).error());
    }
    co_return std::move(*mapped);
}

} // namespace locara::hub
