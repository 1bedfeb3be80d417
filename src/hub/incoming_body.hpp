// A large request body, gathered on disk while it arrives: memory stays small whoever sends.
#pragma once

#include "answers.hpp"

#include <locara/base/bytes.hpp>
#include <locara/cas/backend.hpp>
#include <locara/http/server.hpp>

#include <memory>

namespace locara::hub {

/// A body that has come in whole, mapped from a file that nobody else sees.
class IncomingBody {
  public:
    /// Maps what was staged.
    static Result<IncomingBody> map(cas::Staged staged);

    IncomingBody(IncomingBody&& other) noexcept;
    IncomingBody& operator=(IncomingBody&&) = delete;
    ~IncomingBody();

    ByteView bytes() const { return {static_cast<const std::byte*>(start_), size_}; }

  private:
    IncomingBody(cas::Staged staged, void* start, std::size_t size)
        : staged_(std::move(staged)), start_(start), size_(size) {}

    cas::Staged staged_;
    void* start_ = nullptr;
    std::size_t size_ = 0;
};

/// Takes a block of the body; it blocks, so it runs on the pool.
using TakeBlock = std::function<Status(ByteView)>;

/// Reads the streamed body of a request to its end, block by block, each handed to `take`. The
/// refusal of what could not be read or taken.
boost::asio::awaitable<Answer<std::monostate>>
read_blocks(const http::Request& request, http::BlockingPool& pool, TakeBlock take);

/// The whole body on disk. The route's limit bounds it.
boost::asio::awaitable<Answer<IncomingBody>>
receive_body(const http::Request& request, http::BlockingPool& pool, cas::Backend& backend);

} // namespace locara::hub
