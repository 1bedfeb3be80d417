// The words between the gate and its worker, over one connected socket (the worker's standard
// input). Each message is a length (4 bytes, little-endian) and that many bytes of JSON.
//
//   worker -> gate   {"ready": PROTOCOL}                    once the YARA rules are compiled
//   gate -> worker   {"name": NAME, "time_ms": N, "size": N or null}
//                    null: the descriptor of the file comes along. Else the worker asks for bytes:
//   worker -> gate   {"read": [OFFSET, LENGTH]}             at most kMaxMessage
//   gate -> worker   the bytes as a message; an empty one if they cannot be read
//   worker -> gate   {"verdict": {...}, "tensors_at": N or null, "facts": {...} or null}
//
// Both sides read strictly: the worker may be in somebody else's hands by then. Threads: plain
// functions.
#pragma once

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/formats/scan.hpp>

#include <chrono>
#include <optional>

namespace locara::gate {

inline constexpr std::uint64_t kProtocol = 2;
inline constexpr std::size_t kMaxMessage = 1U << 20U; ///< bytes
inline constexpr std::size_t kMaxImports = 64;        ///< of a verdict that is sent

using Deadline = std::chrono::steady_clock::time_point;

/// Sends a message, with a descriptor if `attached` is one. Unavailable if the other side is gone;
/// Timeout.
Status send_message(const Fd& socket, const Json& json, int attached, Deadline deadline);

/// Reads a message; `attached` gets the descriptor that came with it. Unavailable if the other side
/// closed; Timeout; Corrupt if it is too long or no JSON.
Result<Json> receive_message(const Fd& socket, Fd* attached, Deadline deadline);

/// The same for bytes that are no JSON.
Status send_block(const Fd& socket, ByteView bytes, Deadline deadline);
Result<Bytes> receive_block(const Fd& socket, Deadline deadline);

/// A verdict as a message, and back. Of a pickle's imports the first kMaxImports are sent. Corrupt
/// for anything else than exactly that.
Json render_answer(formats::Examination answer);
Result<formats::Examination> parse_answer(const Json& json);

} // namespace locara::gate
