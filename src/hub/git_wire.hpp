// What git speaks around its packs (git's Documentation: gitprotocol-common, gitprotocol-pack,
// gitprotocol-v2, gitprotocol-http): pkt-lines, and the list of commands that a push begins with,
// and what a fetch asks for.
//
// Threads: plain functions and values.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/result.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// The longest pkt-line, its four digits included.
inline constexpr std::size_t kPktLimit = 65520;
/// Refs that one push may change, and shallow commits that it may name.
inline constexpr std::size_t kPushCommandLimit = 1000;
inline constexpr std::size_t kPushShallowLimit = 10'000;

inline constexpr std::string_view kFlushPkt = "0000";
/// The id of no object: what a ref that is not there points to.
inline constexpr std::string_view kNoObject = "0000000000000000000000000000000000000000";

/// "0006a\n" for "a\n". REQUIRES: at most kPktLimit - 4 bytes.
std::string render_pkt(std::string_view text);

/// `text` in pkt-lines of a side band, as many as it needs. Band 1 is the answer, 2 what the client
/// shows to its user.
enum class Band : char { Answer = 1, Progress = 2 };
std::string render_band(Band band, std::string_view text);

/// The line that ends a conversation, in which the client shows `why` (gitprotocol-pack, "ERR").
/// REQUIRES: as render_pkt, with 4 bytes less.
std::string render_error(std::string_view why);

/// One ref that a push wants to move.
struct RefCommand {
    std::string from; ///< 40 hex digits; kNoObject to make it.
    std::string to;   ///< 40 hex digits; kNoObject to delete it.
    std::string name; ///< As sent; 1 to kPktLimit bytes without NUL.

    bool removes() const { return to == kNoObject; }

    bool operator==(const RefCommand&) const = default;
};

struct PushRequest {
    std::vector<RefCommand> commands;
    std::vector<std::string> abilities; ///< Of the client: "report-status", "side-band-64k", ...

    bool can(std::string_view ability) const;

    bool operator==(const PushRequest&) const = default;
};

/// The ids of the objects that a fetch asks for, in lower case and as often as it names them: the
/// lines "want ID" of all versions of the protocol. `body` is whole. InvalidArgument if it is not
/// made of pkt-lines, or wants what is no id.
Result<std::vector<std::string>> parse_wants(std::string_view body);

/// Reads the list of commands off the front of a push.
class PushParser {
  public:
    /// Takes what belongs to the list off the front of `bytes`, the rest of which is the pack. The
    /// request when the list has ended; nothing while more must come. Once it has ended, or failed,
    /// do not call it again. Errors: InvalidArgument for what is no such list, TooLarge,
    /// Unsupported (signed pushes, SHA-256 repositories).
    Result<std::optional<PushRequest>> take(ByteView& bytes);

  private:
    Status take_line(std::string_view line);
    Status take_command(std::string_view line);

    std::string partial_; ///< The beginning of a pkt-line.
    PushRequest request_;
    std::size_t shallow_ = 0;
};

} // namespace locara::hub
