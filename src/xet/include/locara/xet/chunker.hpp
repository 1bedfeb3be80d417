// Cutting data into content-defined chunks, and hashing them: streams, buffers and files.
//
// Follows the Xet protocol specification v1.1, "Content-defined chunking": a gear hash runs over
// the bytes, and a chunk ends where its top 16 bits are zero, at 8 KiB at the earliest and 128 KiB
// at the latest (the last chunk of the data may be shorter). Boundaries depend on content alone, so
// the same data is cut the same way wherever it stands.
//
// Threads: a Chunker belongs to one thread; everything else is plain functions and values.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/base/file.hpp>
#include <locara/base/result.hpp>
#include <locara/base/spill.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/xet/hash.hpp>
#include <locara/xet/merkle.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

namespace locara::xet {

inline constexpr std::size_t kMinChunkBytes = 8U << 10U;
inline constexpr std::size_t kTargetChunkBytes = 64U << 10U;

/// One chunk: where it stands in its file or stream, and the hash of its bytes.
struct Chunk {
    std::uint64_t offset = 0;
    std::uint32_t length = 0; ///< From 1 to kMaxChunkBytes.
    ChunkHash hash;

    /// As hash trees want it.
    ChunkInfo info() const { return {hash, length}; }

    bool operator==(const Chunk&) const = default;
};

/// Cuts a stream that arrives in blocks of any size. The chunks depend on the bytes alone, not on
/// how they were cut into blocks. Keeps at most kBufferBytes of the stream, so chunks come out up
/// to that much later than their last byte went in; blocks of a MiB or more are mostly not copied.
class Chunker {
  public:
    static constexpr std::size_t kBufferBytes = 384U << 10U;

    /// Takes the next chunk and its raw bytes, which are valid during the call only. An error ends
    /// the update or finish that called it and is its answer; the chunker is spent then.
    using Sink = std::function<Status(const Chunk& chunk, ByteView bytes)>;

    Chunker();
    Chunker(Chunker&&) noexcept;
    Chunker& operator=(Chunker&&) noexcept;
    ~Chunker();

    /// Takes the next bytes and hands out the chunks that they complete, in order. Fails only with
    /// an error of the sink.
    Status update(ByteView block, const Sink& sink);

    /// Hands out what is left. The chunker is spent afterwards. Fails as update does.
    Status finish(const Sink& sink);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// All chunks of a buffer that holds a whole file. None if it is empty.
std::vector<Chunk> chunk_bytes(ByteView bytes);

/// Whether a file's SHA-256 (the git-lfs identity) is computed along with its chunks.
enum class WithSha256 { No, Yes };

struct IndexOptions {
    /// Threads that work on the file, the calling one among them; at least 1 is taken. With a
    /// SHA-256 one of two or more does nothing else.
    unsigned threads = 1;
    WithSha256 sha256 = WithSha256::No;
    /// When asked to stop, the answer is Cancelled within a few MiB of work.
    std::stop_token stop = {};
    /// If given, is told the bytes of each piece that is done (a MiB or less), from any of the
    /// threads, one call at a time. Must not block for long.
    std::function<void(std::size_t)> progress = nullptr;
    /// Where the list of chunks lies if it is long.
    std::filesystem::path scratch = scratch_folder();
};

/// What a file is made of.
struct FileIndex {
    std::uint64_t size = 0;
    Spill<Chunk> chunks; ///< In order, without gaps, from 0 to size.
    FileHash hash;
    std::optional<crypto::Sha256Digest> sha256; ///< Set if it was asked for.
};

/// Reads an open regular file once, from first to last byte, and says what it is made of. The file
/// must not change meanwhile: if it gets shorter the answer is Corrupt, if it grows what is new is
/// left out. Other errors: InvalidArgument if it is not a regular file, Io, NoSpace for the list,
/// Cancelled. Uses pread, so the descriptor's position stays; memory is at most 64 MiB.
Result<FileIndex> index_file(const Fd& fd, const IndexOptions& options = {});

} // namespace locara::xet
