// Clamd: the antivirus, over the Unix socket of `clamd`.
//
// Protocol: clamd(8), commands with the prefix z, whose answers end in a NUL: zPING, zVERSION,
// zINSTREAM with chunks of a 4-byte length (network order) and a zero to end. One connection for
// each command. Threads: all functions may be called from any thread.
#pragma once

#include <locara/formats/byte_source.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

namespace locara::gate {

/// What clamd answered on a stream.
struct ClamdAnswer {
    enum class Kind { Clean, Found, NotLookedAt };
    Kind kind = Kind::NotLookedAt;
    std::string detail; ///< The signature's name, or why it did not look.
};

/// An answer to zINSTREAM, without its NUL: "stream: OK", "stream: NAME FOUND", "... ERROR". What
/// exceeds the limits of clamd (Heuristics.Limits.*) was not looked at; so was anything unknown.
ClamdAnswer parse_clamd_answer(std::string_view text);

class Clamd {
  public:
    /// `time` is for each answer, and for each write on the way.
    explicit Clamd(std::filesystem::path socket,
                   std::chrono::milliseconds time = std::chrono::seconds(60))
        : socket_(std::move(socket)), time_(time) {}

    /// Unavailable if it does not answer PONG.
    Status ping() const;

    /// "ClamAV 1.0.9/27500/Mon Nov 23 ..." as it says: engine, signatures, their date. Unavailable.
    Result<std::string> version() const;

    /// Sends the first `bytes` bytes. Unavailable if clamd is down or the answer does not come, Io
    /// or Corrupt if the source cannot be read.
    Result<ClamdAnswer> look(const formats::ByteSource& content, std::uint64_t bytes) const;

    /// Unsupported if it takes for clean what exceeds its limits, which is how clamd is set up
    /// unless told otherwise; Unavailable.
    Status check_limits() const;

  private:
    std::filesystem::path socket_;
    std::chrono::milliseconds time_;
};

} // namespace locara::gate
