// UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, at most U+10FFFF. Threads: plain
// functions; one Utf8Checker is for one thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace locara {

bool is_utf8(std::string_view text);

/// The same for a stream: feed() blocks in order, then ask complete().
class Utf8Checker {
  public:
    /// False from the first byte that cannot be UTF-8 on.
    bool feed(std::string_view block);

    /// Whether all bytes fed are whole characters.
    bool complete() const { return valid_ && pending_ == 0; }

  private:
    bool valid_ = true;
    unsigned pending_ = 0;    // continuation bytes still to come
    std::uint8_t low_ = 0x80; // allowed range of the next one
    std::uint8_t high_ = 0xBF;
};

} // namespace locara
