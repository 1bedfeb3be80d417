// How a chunk is packed inside a xorb: as it is, as an LZ4 frame, or its bytes grouped by four and
// then an LZ4 frame.
//
// Follows the Xet protocol specification v1.1, "Xorb"; docs/formats/xorb.md. LZ4 is the system's
// liblz4, frame format (LZ4 frame format description 1.6.x); grouped bytes are packed by an encoder
// of our own, as blocks that any reader of LZ4 takes.
//
// Threads: a Compressor or Decompressor belongs to one thread (each keeps its work memory, well
// under 10 MiB); the rest are plain functions.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/result.hpp>
#include <locara/xet/merkle.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace locara::xet {

/// The largest packed form that is read. No sensible writer makes one larger than the chunk.
inline constexpr std::size_t kMaxPackedBytes = 2 * kMaxChunkBytes;

/// As it stands in a chunk's header.
enum class Compression : std::uint8_t {
    None = 0,   ///< Raw bytes.
    Lz4 = 1,    ///< One LZ4 frame.
    Bg4Lz4 = 2, ///< One LZ4 frame of the bytes grouped by four: bytes 0, 4, 8..., then 1, 5, 9...
};

/// "none", "lz4", "bg4-lz4".
std::string_view render(Compression scheme);

/// The scheme of a header's byte. Corrupt for any other number.
Result<Compression> parse_compression(std::uint8_t byte);

/// Packs chunks.
class Compressor {
  public:
    Compressor();
    Compressor(Compressor&&) noexcept;
    Compressor& operator=(Compressor&&) noexcept;
    ~Compressor();

    struct Packed {
        Compression scheme = Compression::None;
        ByteView bytes; ///< In the Compressor's memory, or `raw` itself; valid until the next call.
    };

    /// Packs with the scheme that promises the fewest bytes by a sample of the chunk, with both if
    /// both promise some, and leaves the chunk raw unless that saves at least 3 % of it: chunks
    /// that stay raw can leave a server by sendfile. REQUIRES: raw has 1 to kMaxChunkBytes bytes.
    Packed pack(ByteView raw);

    /// Packs with the given scheme whatever that costs. REQUIRES: as above.
    Packed pack_as(Compression scheme, ByteView raw);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Unpacks chunks.
class Decompressor {
  public:
    Decompressor();
    Decompressor(Decompressor&&) noexcept;
    Decompressor& operator=(Decompressor&&) noexcept;
    ~Decompressor();

    /// Fills the whole of `raw` from the whole of `packed`. Corrupt when the packed bytes are
    /// malformed, give another number of bytes, end early, or go on after their end; `raw` is then
    /// in no defined state. Never writes outside `raw`.
    Status unpack(Compression scheme, ByteView packed, std::span<std::byte> raw);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace locara::xet
