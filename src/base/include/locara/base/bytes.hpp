// Bytes: views of raw memory, hexadecimal text, and sizes in words.
//
// A ByteView borrows; it goes down the stack and never into a member. Threads: plain functions.
#pragma once

#include <locara/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace locara {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

/// The same memory seen as bytes, or as text. No copy.
ByteView as_bytes(std::string_view text);
std::string_view as_text(ByteView bytes);

/// Lower-case hexadecimal, two digits a byte.
std::string render_hex(ByteView bytes);

/// The inverse of render_hex. Fails with InvalidArgument on an odd length or on anything but
/// 0-9 and a-f (upper case is refused: one spelling for one value).
Result<Bytes> parse_hex(std::string_view text);

/// Base64 with padding (RFC 4648, section 4) and its inverse. parse fails with InvalidArgument
/// on foreign characters, wrong padding, or non-zero spare bits.
std::string render_base64(ByteView bytes);
Result<Bytes> parse_base64(std::string_view text);

/// Base64 for URLs, without padding (RFC 4648, section 5).
std::string render_base64url(ByteView bytes);

/// A file or download size for people, base 10: "999 B", "6.6 GB".
std::string render_size(std::uint64_t bytes);

/// A memory size for people, base 2: "512 MiB", "5.1 GiB".
std::string render_memory(std::uint64_t bytes);

} // namespace locara
