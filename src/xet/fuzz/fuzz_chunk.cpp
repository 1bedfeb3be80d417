// Packed chunks. The first byte is the scheme, the next three the raw length, the rest the packed
// bytes: unpacking stays inside, and what it gives packs and unpacks again, as do the bytes
// themselves.
#include "../byte_grouping.hpp"

#include <locara/xet/compression.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

using namespace locara;
using namespace locara::xet;

namespace {

void check_round_trip(ByteView raw) {
    static Compressor compressor;
    static Decompressor decompressor;
    Bytes back(raw.size());
    for (const Compression scheme : {Compression::Lz4, Compression::Bg4Lz4}) {
        const auto packed = compressor.pack_as(scheme, raw);
        LOCARA_ASSERT(decompressor.unpack(scheme, packed.bytes, back).has_value());
        LOCARA_ASSERT(std::ranges::equal(back, raw));
    }
    const auto best = compressor.pack(raw);
    LOCARA_ASSERT(best.scheme == Compression::None || best.bytes.size() * 100 <= raw.size() * 97);
    Bytes grouped(raw.size());
    Bytes reference(raw.size());
    bg4_split(raw, grouped);
    bg4_split_reference(raw, reference);
    LOCARA_ASSERT(grouped == reference);
    bg4_regroup(grouped, back);
    LOCARA_ASSERT(std::ranges::equal(back, raw));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 4) {
        return 0;
    }
    const ByteView packed(reinterpret_cast<const std::byte*>(data) + 4, size - 4);
    const auto scheme = parse_compression(data[0]);
    LOCARA_ASSERT(scheme.has_value() == (data[0] < 3));
    const std::size_t length = data[1] + 256UL * data[2] + 65'536UL * data[3];
    if (!scheme || length > kMaxChunkBytes) {
        return 0;
    }
    // Its own allocation of exactly this size: the sanitizer sees a byte too far.
    Bytes raw(length);
    Decompressor decompressor;
    const bool good = decompressor.unpack(*scheme, packed, raw).has_value();
    if (!packed.empty() && packed.size() <= kMaxChunkBytes) {
        check_round_trip(packed); // any bytes will do for that
    }
    // Whatever it met, it unpacks the next chunk, and this one again, as if it were new.
    static const Bytes kGood = parse_hex("04224d186040820500008068656c6c6f00000000").value();
    Bytes hello(5);
    LOCARA_ASSERT(decompressor.unpack(Compression::Lz4, kGood, hello).has_value());
    LOCARA_ASSERT(as_text(hello) == "hello");
    Bytes again(length);
    LOCARA_ASSERT(decompressor.unpack(*scheme, packed, again).has_value() == good);
    if (good) {
        LOCARA_ASSERT(raw == again);
        if (!raw.empty()) {
            check_round_trip(raw);
        }
    }
    return 0;
}
