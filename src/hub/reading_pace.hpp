// ReadingPace: tells a client that is slow from one that only keeps something busy.
//
// An answer that a program makes while it is sent holds that program for as long as its client
// reads. Time counts while the client is waited for, not while the program is; a client has
// `patience`, and what its bytes take at `slowest` besides, which is the pace of uploads
// (http::ServerLimits). Threads: a plain value.
#pragma once

#include <chrono>
#include <cstdint>

namespace locara::hub {

class ReadingPace {
  public:
    struct Limits {
        std::chrono::milliseconds patience{60'000};
        std::uint64_t slowest = 64U << 10U; ///< Bytes a second.
    };

    explicit ReadingPace(const Limits& limits) : limits_(limits) {}

    /// The client took `bytes` and was waited for this long meanwhile; whether it may go on.
    bool took(std::uint64_t bytes, std::chrono::steady_clock::duration waited) {
        bytes_ += bytes;
        waited_ += waited;
        return waited_ <=
               limits_.patience + std::chrono::milliseconds(bytes_ * 1000 / limits_.slowest);
    }

    std::uint64_t bytes() const { return bytes_; }

  private:
    Limits limits_;
    std::uint64_t bytes_ = 0;
    std::chrono::steady_clock::duration waited_{0};
};

} // namespace locara::hub
