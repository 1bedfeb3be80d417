#include "media.hpp"

#include "cursor.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace locara::formats {

namespace {

using namespace std::string_view_literals;

constexpr unsigned kMaxParts = 4'000'000;
constexpr std::size_t kWindow = 4096; // bytes; most of a file is skipped

/// A cursor that remembers where the last whole part ended, and counts the parts.
///
/// Each walk below answers whether the layout is whole. What cannot begin a part ends it.
struct Walk {
    explicit Walk(const ByteSource& bytes) : source(bytes), in(bytes, 0, kWindow) {}

    /// What was read so far is whole. False if that were too many parts.
    bool part() {
        end = in.offset();
        return count();
    }

    bool count() { return ++parts < kMaxParts; }

    const ByteSource& source;
    Cursor in;
    std::uint64_t end = 0;
    unsigned parts = 0;
};

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// PNG (ISO/IEC 15948, 5.3): chunks of length, type, data and CRC; IEND is the last one.
bool walk_png(Walk& walk) {
    std::string type;
    std::uint32_t length = 0;
    walk.in.skip(8);
    while (type != "IEND") {
        const bool whole = walk.part() && walk.in.take_be(length) && walk.in.take_text(4, type) &&
                           std::all_of(type.begin(), type.end(), is_letter) &&
                           walk.in.skip(length + std::uint64_t{4});
        if (!whole) {
            return false;
        }
    }
    return walk.part();
}

bool is_restart(std::uint8_t marker) {
    return marker >= 0xD0 && marker <= 0xD7;
}

/// JPEG (ITU-T T.81, B.1.1): a marker comes next, or behind entropy-coded bytes, where FF 00 is
/// data.
bool take_marker(Cursor& in, bool coded, std::uint8_t& marker) {
    for (std::string_view part = in.ahead(); !part.empty(); part = in.ahead()) {
        const std::size_t at = part.find('\xFF');
        if (at != 0 && !coded) {
            return false;
        }
        in.skip(std::min(at, part.size()));
        if (at == std::string_view::npos) {
            continue;
        }
        do { // any number of FF may fill
            if (!in.next(marker)) {
                return false;
            }
        } while (marker == 0xFF);
        if (!coded) {
            return marker != 0;
        }
        if (marker != 0 && !is_restart(marker)) {
            return true;
        }
    }
    return false;
}

/// JPEG, and the pictures that may follow the first one (CIPA DC-007, Multi-Picture Format).
bool walk_jpeg(Walk& walk) {
    constexpr std::uint8_t kTem = 0x01;
    constexpr std::uint8_t kStart = 0xD8;
    constexpr std::uint8_t kEnd = 0xD9;
    constexpr std::uint8_t kScan = 0xDA;
    std::uint8_t marker = 0;
    while (walk.part() && take_marker(walk.in, marker == kScan, marker)) {
        if (marker == kEnd) {
            walk.part();
            std::uint8_t byte = 0;
            while (walk.in.peek(byte) && byte == 0) {
                walk.in.skip(1);
            }
            if (!walk.in.starts_with("\xFF\xD8\xFF")) {
                return true;
            }
        } else if (marker != kStart && marker != kTem && !is_restart(marker)) {
            std::uint16_t length = 0; // counts itself
            if (!walk.in.take_be(length) || length < 2 || !walk.in.skip(length - 2U)) {
                return false;
            }
        }
    }
    return false;
}

/// Bytes of the table of colours that flags announce.
std::uint64_t gif_table(std::uint8_t flags) {
    return (flags & 0x80U) != 0 ? std::uint64_t{3} << ((flags & 7U) + 1) : 0;
}

bool skip_gif_blocks(Walk& walk) {
    std::uint8_t size = 0;
    do {
        if (!walk.count() || !walk.in.next(size) || !walk.in.skip(size)) {
            return false;
        }
    } while (size != 0);
    return true;
}

/// GIF (GIF89a specification, appendix A).
bool walk_gif(Walk& walk) {
    Cursor& in = walk.in;
    std::uint8_t flags = 0;
    std::uint8_t kind = 0;
    bool whole = in.skip(10) && in.next(flags) && in.skip(2 + gif_table(flags));
    while (whole && walk.part() && in.next(kind)) {
        if (kind == 0x3B) {
            return walk.part();
        }
        if (kind == 0x2C) { // an image
            whole = in.skip(8) && in.next(flags) && in.skip(gif_table(flags) + 1);
        } else {
            whole = kind == 0x21 && in.skip(1); // an extension
        }
        whole = whole && skip_gif_blocks(walk);
    }
    return false;
}

/// The chunks of one RIFF up to `end`. Source: Multimedia Programming Interface and Data
/// Specifications 1.0, "RIFF": each is padded to an even length.
bool skip_riff_chunks(Walk& walk, std::uint64_t end) {
    std::uint32_t size = 0;
    while (walk.in.offset() < end) {
        if (!walk.count() || !walk.in.skip(4) || !walk.in.take_le(size)) {
            return false;
        }
        const std::uint64_t padded = std::uint64_t{size} + size % 2;
        const std::uint64_t room = end - std::min(end, walk.in.offset());
        if (size > room) {
            return false;
        }
        walk.in.skip(std::min(padded, room));
    }
    return true;
}

/// WebP, WAV and AVI; large AVI goes on in further RIFFs (OpenDML).
bool walk_riff(Walk& walk) {
    do {
        std::uint32_t size = 0;
        walk.in.skip(4);
        if (!walk.in.take_le(size) || size < 4 || size > walk.in.remaining()) {
            return false;
        }
        const std::uint64_t end = walk.in.offset() + size;
        walk.in.skip(4);
        if (!skip_riff_chunks(walk, end) || !walk.part()) {
            return false;
        }
    } while (walk.in.starts_with("RIFF"));
    return true;
}

bool is_box_letter(char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == ' ';
}

/// MP4, M4A, AVIF, HEIC: boxes (ISO/IEC 14496-12, 4.2; QuickTime File Format for `pnot`, `wide`).
/// Makers have boxes of their own, which state a length that fits; else other bytes begin here.
bool walk_boxes(Walk& walk) {
    constexpr std::string_view kBoxes[] = {"ftyp", "moov", "mdat", "free", "skip", "wide", "uuid",
                                           "meta", "moof", "mfra", "sidx", "ssix", "styp", "prft",
                                           "emsg", "pdin", "pnot", "meco", "udta", "imda"};
    std::uint32_t size = 0;
    std::string type;
    while (walk.part() && walk.in.remaining() > 0) {
        if (!walk.in.take_be(size) || !walk.in.take_text(4, type) ||
            !std::all_of(type.begin(), type.end(), is_box_letter)) {
            return true;
        }
        const bool known =
            std::find(std::begin(kBoxes), std::end(kBoxes), type) != std::end(kBoxes);
        std::uint64_t length = size;
        if (size == 1 && known && !walk.in.take_be(length)) {
            return false;
        }
        const std::uint64_t header = walk.in.offset() - walk.end;
        if (size == 0 && known) { // to the end of the file
            length = header + walk.in.remaining();
        }
        if (length < header || !walk.in.skip(length - header)) {
            return !known;
        }
    }
    return walk.in.remaining() == 0;
}

/// Ogg (RFC 3533, 6): pages whose segments have one byte of length each.
bool walk_ogg(Walk& walk) {
    while (walk.part() && walk.in.starts_with("OggS")) {
        std::uint8_t segments = 0;
        if (!walk.in.skip(26) || !walk.in.next(segments)) {
            return false;
        }
        std::uint64_t length = 0;
        for (; segments > 0; --segments) {
            std::uint8_t size = 0;
            if (!walk.in.next(size)) {
                return false;
            }
            length += size;
        }
        if (!walk.in.skip(length)) {
            return false;
        }
    }
    return walk.parts < kMaxParts;
}

/// FLAC (RFC 9639, 8 and 9): blocks of metadata, then frames, whose ends only a decoder finds.
bool walk_flac(Walk& walk) {
    std::uint32_t block = 0; // the last one has the first bit; the next seven are its type
    walk.in.skip(4);
    while ((block >> 31U) == 0) {
        if (!walk.part() || !walk.in.take_be(block) || !walk.in.skip(block & 0xFF'FFFFU)) {
            return false;
        }
    }
    if (walk.part() && (walk.in.starts_with("\xFF\xF8") || walk.in.starts_with("\xFF\xF9"))) {
        walk.in.skip(walk.in.remaining());
        walk.part();
    }
    return true;
}

/// Bytes of a frame of MPEG audio, layer III, with its header (ISO/IEC 11172-3 and 13818-3,
/// 2.4.2.3; version 2.5 as decoders know it). 0: not the header of one with a stated rate.
std::uint64_t mp3_frame(std::uint32_t header) {
    constexpr std::array<unsigned, 15> kRates1 = {
        0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320};
    constexpr std::array<unsigned, 15> kRates2 = {
        0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160};
    constexpr std::array<unsigned, 3> kSamples = {44'100, 48'000, 32'000};
    const unsigned version = (header >> 19U) & 3U; // 3 is 1, 2 is 2, 0 is 2.5
    const unsigned layer = (header >> 17U) & 3U;   // 1 is III
    const unsigned rate = (header >> 12U) & 15U;
    const unsigned samples = (header >> 10U) & 3U;
    if ((header >> 21U) != 0x7FF || version == 1 || layer != 1 || rate == 0 || rate == 15 ||
        samples == 3) {
        return 0;
    }
    const unsigned padding = (header >> 9U) & 1U;
    const unsigned slower = version == 3 ? 1 : version == 2 ? 2 : 4;
    return version == 3 ? 144'000 * kRates1[rate] / kSamples[samples] + padding
                        : 72'000 * kRates2[rate] * slower / kSamples[samples] + padding;
}

/// Begins a tag beside the frames: ID3v2 (id3.org, 3.1: seven bits a byte), ID3v1, APEv2. What is
/// left of it, in bytes; nullopt if none comes next.
std::optional<std::uint64_t> begin_tag(Cursor& in) {
    std::uint32_t size = 0;
    if (in.starts_with("ID3")) {
        std::uint8_t flags = 0;
        in.skip(5);
        if (!in.next(flags)) {
            return 0;
        }
        in.take_be(size);
        const std::uint64_t bytes = ((size >> 3U) & 0xFE0'0000U) | ((size >> 2U) & 0x1F'C000U) |
                                    ((size >> 1U) & 0x3F80U) | (size & 0x7FU);
        return bytes + ((flags & 0x10U) != 0 ? 10 : 0);
    }
    if (in.starts_with("TAG")) {
        return 128;
    }
    if (in.starts_with("APETAGEX")) {
        in.skip(12);
        in.take_le(size);
        return std::uint64_t{16} + size;
    }
    return std::nullopt;
}

/// MP3: frames and tags, in any order. The last frame is often cut, and players do not mind.
bool walk_mp3(Walk& walk) {
    bool frames = false;
    while (walk.part()) {
        if (walk.in.starts_with("fLaC")) {
            return walk_flac(walk);
        }
        if (const auto tag = begin_tag(walk.in)) {
            if (!walk.in.skip(*tag)) {
                return false;
            }
            continue;
        }
        std::uint32_t header = 0;
        const std::uint64_t frame = walk.in.take_be(header) ? mp3_frame(header) : 0;
        if (frame < sizeof(header)) {
            return frames;
        }
        if (!walk.in.skip(frame - sizeof(header)) && !frames) {
            return false;
        }
        frames = true;
    }
    return false;
}

bool walk_audio(Walk& walk) {
    return walk.in.starts_with("RIFF")   ? walk_riff(walk)
           : walk.in.starts_with("OggS") ? walk_ogg(walk)
           : walk.in.starts_with("fLaC") ? walk_flac(walk)
                                         : walk_mp3(walk);
}

/// A number of EBML (RFC 8794, 4): as many zeros as bytes follow, then a one.
bool take_vint(Cursor& in, unsigned max_bytes, std::uint64_t& value, unsigned& bytes) {
    std::uint8_t byte = 0;
    if (!in.next(byte) || byte == 0) {
        return false;
    }
    value = byte;
    bytes = static_cast<unsigned>(std::countl_zero(byte)) + 1;
    for (unsigned i = 1; i < bytes; ++i) {
        if (!in.next(byte)) {
            return false;
        }
        value = (value << 8U) | byte;
    }
    return bytes <= max_bytes;
}

/// WebM and Matroska (RFC 9559, 5): a live recording does not know the size of its segment and
/// clusters; these are entered, all else is skipped.
bool walk_ebml(Walk& walk) {
    constexpr std::uint64_t kSegment = 0x1853'8067;
    constexpr std::uint64_t kCluster = 0x1F43'B675;
    constexpr std::uint64_t kElements[] = {0x1A45'DFA3,
                                           kSegment,
                                           kCluster,
                                           0x114D'9B74,
                                           0x1549'A966,
                                           0x1654'AE6B,
                                           0x1C53'BB6B,
                                           0x1941'A469,
                                           0x1043'A770,
                                           0x1254'C367, // of a segment
                                           0xE7,
                                           0xA7,
                                           0xAB,
                                           0xA0,
                                           0xA3,
                                           0x5854, // of a cluster
                                           0xEC,
                                           0xBF}; // anywhere
    bool segment = false;
    while (walk.part() && walk.in.remaining() > 0) {
        std::uint64_t id = 0;
        std::uint64_t size = 0;
        unsigned bytes = 0;
        if (!take_vint(walk.in, 4, id, bytes) ||
            std::find(std::begin(kElements), std::end(kElements), id) == std::end(kElements)) {
            return segment;
        }
        segment = segment || id == kSegment;
        if (!take_vint(walk.in, 8, size, bytes)) {
            return false;
        }
        const std::uint64_t marker = std::uint64_t{1} << (7 * bytes);
        const bool unknown = size == 2 * marker - 1;
        if (unknown ? id != kSegment && id != kCluster : !walk.in.skip(size - marker)) {
            return false;
        }
    }
    return segment && walk.in.remaining() == 0;
}

bool walk_video(Walk& walk) {
    return walk.in.starts_with("RIFF")               ? walk_riff(walk)
           : walk.in.starts_with("\x1A\x45\xDF\xA3") ? walk_ebml(walk)
                                                     : walk_boxes(walk);
}

/// Ends the walk where the part that lies furthest back does.
bool finish_at(Walk& walk, std::uint64_t end) {
    walk.end = std::min(end, walk.source.size());
    return end <= walk.source.size();
}

/// One font (OpenType 1.9, "Table Directory"): tables of tag, checksum, offset and length.
bool reach_tables(Walk& walk, std::uint64_t at, std::uint64_t& end) {
    Cursor in(walk.source, at, kWindow);
    std::uint16_t tables = 0;
    if (!in.skip(4) || !in.take_be(tables) || tables == 0 || !in.skip(6)) {
        return false;
    }
    for (; tables > 0; --tables) {
        std::uint32_t offset = 0;
        std::uint32_t length = 0;
        if (!walk.count() || !in.skip(8) || !in.take_be(offset) || !in.take_be(length)) {
            return false;
        }
        end = std::max(end, std::uint64_t{offset} + length);
    }
    end = std::max(end, in.offset());
    return true;
}

/// A collection of fonts, and the signature that version 2 may have.
bool walk_collection(Walk& walk) {
    std::uint32_t version = 0;
    std::uint32_t fonts = 0;
    std::uint64_t end = 0;
    walk.in.skip(4);
    bool whole = walk.in.take_be(version) && walk.in.take_be(fonts) && fonts > 0;
    for (; whole && fonts > 0; --fonts) {
        std::uint32_t at = 0;
        whole = walk.in.take_be(at) && reach_tables(walk, at, end);
    }
    std::uint32_t length = 0;
    std::uint32_t offset = 0;
    if (whole && version >= 0x2'0000) {
        whole = walk.in.skip(4) && walk.in.take_be(length) && walk.in.take_be(offset);
    }
    end = std::max({end, walk.in.offset(), std::uint64_t{offset} + length});
    return finish_at(walk, end) && whole;
}

/// Fonts. WOFF and WOFF2 state the length of the file behind signature and flavour (W3C, "WOFF
/// File Format 1.0", 4).
bool walk_font(Walk& walk) {
    if (walk.in.starts_with("ttcf")) {
        return walk_collection(walk);
    }
    if (walk.in.starts_with("wOFF") || walk.in.starts_with("wOF2")) {
        std::uint32_t length = 0;
        return walk.in.skip(8) && walk.in.take_be(length) && length >= walk.in.offset() &&
               finish_at(walk, length);
    }
    std::uint64_t end = 0;
    return reach_tables(walk, 0, end) && finish_at(walk, end);
}

/// ICO and CUR: a directory of pictures, each with size and offset in its last eight bytes.
bool walk_icon(Walk& walk) {
    std::uint16_t pictures = 0;
    if (!walk.in.skip(4) || !walk.in.take_le(pictures) || pictures == 0) {
        return false;
    }
    std::uint64_t end = 0;
    for (; pictures > 0; --pictures) {
        std::uint32_t size = 0;
        std::uint32_t offset = 0;
        if (!walk.in.skip(8) || !walk.in.take_le(size) || !walk.in.take_le(offset)) {
            return false;
        }
        end = std::max({end, walk.in.offset(), std::uint64_t{offset} + size});
    }
    return finish_at(walk, end);
}

/// LEB128 of at most 32 bits (WebAssembly core specification, 5.2.2).
bool take_leb(Cursor& in, std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        std::uint8_t byte = 0;
        if (!in.next(byte)) {
            return false;
        }
        value |= std::uint64_t{byte & 0x7FU} << shift;
        if ((byte & 0x80U) == 0) {
            return true;
        }
    }
    return false;
}

/// WebAssembly (core specification, 5.5): sections of one byte and a length.
bool walk_wasm(Walk& walk) {
    constexpr std::uint8_t kLastSection = 13; // tags
    std::uint8_t section = 0;
    walk.in.skip(8);
    while (walk.part() && walk.in.peek(section) && section <= kLastSection) {
        std::uint64_t length = 0;
        walk.in.skip(1);
        const bool stated = take_leb(walk.in, length);
        if (section == 0 && length == 0) { // one of these has a name at least: zeros that pad
            return true;
        }
        if (!stated || !walk.in.skip(length)) {
            return false;
        }
    }
    return walk.parts < kMaxParts;
}

using Walker = bool (*)(Walk&);

Walker walker_of(Kind kind) {
    switch (kind) {
    case Kind::Png:
        return walk_png;
    case Kind::Jpeg:
        return walk_jpeg;
    case Kind::Gif:
        return walk_gif;
    case Kind::WebP:
        return walk_riff;
    case Kind::Icon:
        return walk_icon;
    case Kind::Font:
        return walk_font;
    case Kind::Audio:
        return walk_audio;
    case Kind::Video:
        return walk_video;
    case Kind::WebAssembly:
        return walk_wasm;
    default:
        return nullptr;
    }
}

} // namespace

bool is_media(Kind kind) {
    return walker_of(kind) != nullptr;
}

Result<Layout> walk_media(const ByteSource& source, Kind kind) {
    const Walker walker = walker_of(kind);
    LOCARA_ASSERT(walker != nullptr);
    Walk walk(source);
    const bool whole = walker(walk);
    if (walk.in.io_error()) {
        return *walk.in.io_error();
    }
    Cursor behind(source, walk.end, kWindow);
    for (std::string_view part = behind.ahead(); !part.empty(); part = behind.ahead()) {
        const std::size_t zeros = std::min(part.find_first_not_of('\0'), part.size());
        behind.skip(zeros);
        if (zeros < part.size()) {
            break;
        }
    }
    if (behind.io_error()) {
        return *behind.io_error();
    }
    return Layout{behind.offset(), whole};
}

} // namespace locara::formats
