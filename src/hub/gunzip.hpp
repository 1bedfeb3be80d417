// A request body that came gzipped (RFC 1952), unpacked as it arrives.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/result.hpp>

#include <cstdint>
#include <functional>
#include <memory>

namespace locara::hub {

/// One gzip member. Belongs to one thread at a time.
class Gunzip {
  public:
    /// At most `limit` bytes come out.
    explicit Gunzip(std::uint64_t limit);
    Gunzip(Gunzip&&) noexcept;
    ~Gunzip();

    /// Hands what `packed` unpacks to, block by block, to `take`, whose error ends it. Corrupt when
    /// it is no gzip or something follows its end, TooLarge past the limit.
    Status unpack(ByteView packed, const std::function<Status(ByteView)>& take);

    /// Corrupt unless the member has come to its end.
    Status finish() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace locara::hub
