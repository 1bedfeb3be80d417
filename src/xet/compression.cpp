#include "byte_grouping.hpp"

#include <locara/xet/compression.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include <lz4frame.h>

namespace locara::xet {

namespace {

Error corrupt(std::string what) {
    return {ErrorCode::Corrupt, std::move(what)};
}

constexpr std::size_t kFrameHeadBytes =
    6; ///< Magic, FLG, BD: LZ4 frame format, "General structure".
constexpr std::uint32_t kFrameMagic = 0x184D2204U;
constexpr unsigned kDictionaryFlag = 1; ///< Bit 0 of FLG: a dictionary id follows.

/// The frame begins as one that we take: LZ4F itself would also skip user frames, and
/// would read a frame that wants a dictionary without one.
Status check_frame_head(ByteView packed) {
    std::uint32_t magic = 0;
    if (packed.size() >= kFrameHeadBytes) {
        for (std::size_t i = 4; i-- > 0;) {
            magic = magic << 8U | std::to_integer<std::uint32_t>(packed[i]);
        }
    }
    if (magic != kFrameMagic) {
        return corrupt("a packed chunk does not begin as an LZ4 frame");
    }
    if ((std::to_integer<unsigned>(packed[4]) & kDictionaryFlag) != 0) {
        return corrupt("a packed chunk asks for an LZ4 dictionary");
    }
    return {};
}

} // namespace

std::string_view render(Compression scheme) {
    switch (scheme) {
    case Compression::None:
        return "none";
    case Compression::Lz4:
        return "lz4";
    case Compression::Bg4Lz4:
        return "bg4-lz4";
    }
    return "?";
}

Result<Compression> parse_compression(std::uint8_t byte) {
    if (byte > static_cast<std::uint8_t>(Compression::Bg4Lz4)) {
        return corrupt("unknown compression scheme " + std::to_string(byte) +
                       "; 0, 1 and 2 are known");
    }
    return static_cast<Compression>(byte);
}

// --- Compressor ---------------------------------------------------------------------------------

struct Compressor::State {
    Bytes grouped;
    Bytes plain; ///< Packed with scheme 1.
    Bytes group; ///< Packed with scheme 2.
};

namespace {

/// One frame, in `out`.
ByteView frame(ByteView raw, Bytes& out) {
    LZ4F_preferences_t preferences{};
    preferences.frameInfo.blockMode = LZ4F_blockIndependent;
    preferences.frameInfo.blockSizeID = LZ4F_max256KB; // any chunk is one block
    out.resize(LZ4F_compressFrameBound(raw.size(), &preferences));
    const std::size_t bytes =
        LZ4F_compressFrame(out.data(), out.size(), raw.data(), raw.size(), &preferences);
    LOCARA_ASSERT(LZ4F_isError(bytes) == 0); // the bound is the worst case
    return ByteView(out).first(bytes);
}

} // namespace

Compressor::Compressor() : state_(std::make_unique<State>()) {}

Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;
Compressor::~Compressor() = default;

Compressor::Packed Compressor::pack_as(Compression scheme, ByteView raw) {
    LOCARA_ASSERT(!raw.empty() && raw.size() <= kMaxChunkBytes);
    switch (scheme) {
    case Compression::None:
        break;
    case Compression::Lz4:
        return {scheme, frame(raw, state_->plain)};
    case Compression::Bg4Lz4:
        state_->grouped.resize(raw.size());
        bg4_split(raw, state_->grouped);
        return {scheme, frame(state_->grouped, state_->group)};
    }
    return {Compression::None, raw};
}

Compressor::Packed Compressor::pack(ByteView raw) {
    const Packed plain = pack_as(Compression::Lz4, raw);
    const Packed group = pack_as(Compression::Bg4Lz4, raw);
    // On a tie the one that is quicker to unpack.
    const Packed& best = group.bytes.size() < plain.bytes.size() ? group : plain;
    const bool pays = best.bytes.size() * 100 <= raw.size() * 97;
    return pays ? best : Packed{Compression::None, raw};
}

// --- Decompressor -------------------------------------------------------------------------------

namespace {

struct FreeContext {
    void operator()(LZ4F_dctx* context) const { LZ4F_freeDecompressionContext(context); }
};

using FrameContext = std::unique_ptr<LZ4F_dctx, FreeContext>;

FrameContext make_context() {
    LZ4F_dctx* context = nullptr;
    LOCARA_ASSERT(LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)) == 0);
    return FrameContext(context);
}

} // namespace

struct Decompressor::State {
    FrameContext context; ///< Null after a failure.
    Bytes grouped;

    /// One whole frame that gives exactly raw.size() bytes.
    Status unpack_frame(ByteView packed, std::span<std::byte> raw) {
        LOCARA_CHECK(check_frame_head(packed));
        // A context that failed is not used again: LZ4F 1.9.4 remembers, even when it is reset, how
        // many bytes a frame still owed, and would refuse the next one for it.
        FrameContext used = context ? std::move(context) : make_context();
        LOCARA_CHECK(unpack_frame(*used, packed, raw));
        context = std::move(used);
        return {};
    }

    static Status unpack_frame(LZ4F_dctx& context, ByteView packed, std::span<std::byte> raw) {
        LZ4F_resetDecompressionContext(&context);
        LZ4F_decompressOptions_t options{};
        options.stableDst = 1; // `raw` is one buffer to the end, LZ4F need not copy its window
        std::size_t taken = 0;
        std::size_t given = 0;
        for (;;) {
            std::size_t in = packed.size() - taken;
            std::size_t out = raw.size() - given;
            const std::size_t hint = LZ4F_decompress(
                &context, raw.data() + given, &out, packed.data() + taken, &in, &options);
            if (LZ4F_isError(hint) != 0) {
                return corrupt(std::string("a packed chunk is no valid LZ4 frame: ") +
                               LZ4F_getErrorName(hint));
            }
            taken += in;
            given += out;
            if (hint == 0) {
                break; // the frame is complete
            }
            if (in == 0 && out == 0) {
                return corrupt(taken < packed.size() ? "a packed chunk unpacks to more than its " +
                                                           std::to_string(raw.size()) + " bytes"
                                                     : "a packed chunk ends inside its LZ4 frame");
            }
        }
        if (taken != packed.size()) {
            return corrupt(std::to_string(packed.size() - taken) +
                           " bytes follow the LZ4 frame of a packed chunk");
        }
        if (given != raw.size()) {
            return corrupt("a packed chunk unpacks to " + std::to_string(given) + " bytes, not " +
                           std::to_string(raw.size()));
        }
        return {};
    }
};

Decompressor::Decompressor() : state_(std::make_unique<State>()) {}

Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;
Decompressor::~Decompressor() = default;

Status Decompressor::unpack(Compression scheme, ByteView packed, std::span<std::byte> raw) {
    switch (scheme) {
    case Compression::None:
        if (packed.size() != raw.size()) {
            return corrupt("a stored chunk has " + std::to_string(packed.size()) + " bytes, not " +
                           std::to_string(raw.size()));
        }
        std::copy(packed.begin(), packed.end(), raw.begin());
        return {};
    case Compression::Lz4:
        return state_->unpack_frame(packed, raw);
    case Compression::Bg4Lz4:
        state_->grouped.resize(raw.size());
        LOCARA_CHECK(state_->unpack_frame(packed, state_->grouped));
        bg4_regroup(state_->grouped, raw);
        return {};
    }
    return corrupt("unknown compression scheme");
}

} // namespace locara::xet
