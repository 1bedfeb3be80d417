// A client that sends exactly what it is told: for requests that no honest client would send.
#pragma once

#include <cstdint>
#include <string>

namespace locara::runtime {

struct RawAnswer {
    int status = 0;
    std::string head; ///< Status line and fields.
    std::string body; ///< As sent; chunks are taken apart.

    /// The value of a field, "" if it is not there. Names compare without regard to case.
    std::string field(const std::string& name) const;
};

/// Sends the text to 127.0.0.1:port and reads to the end of the connection. Status 0 if nothing
/// came.
RawAnswer send_raw(std::uint16_t port, const std::string& text);

} // namespace locara::runtime
