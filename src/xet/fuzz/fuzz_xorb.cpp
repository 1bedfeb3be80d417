// Xorbs: a stream in pieces is the same as the whole, and a footer that is taken agrees with it.
#include <locara/xet/xorb.hpp>

#include <algorithm>
#include <cstdint>

using namespace locara;
using namespace locara::xet;

namespace {

Result<XorbReader::Summary> read(ByteView bytes, std::size_t piece) {
    XorbReader reader([](const XorbReader::Chunk& chunk) -> Status {
        LOCARA_ASSERT(chunk.raw.size() == chunk.header.raw);
        LOCARA_ASSERT(chunk.packed.size() == chunk.header.packed);
        return {};
    });
    while (!bytes.empty()) {
        const std::size_t take = std::min(piece, bytes.size());
        LOCARA_CHECK(reader.update(bytes.first(take)));
        bytes = bytes.subspan(take);
    }
    return reader.finish();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
    const auto whole = read(bytes, size + 1);
    const auto pieces = read(bytes, size % 17 + 1);
    LOCARA_ASSERT(whole.has_value() == pieces.has_value());
    if (!whole) {
        return 0;
    }
    LOCARA_ASSERT(whole->table == pieces->table);
    LOCARA_ASSERT(whole->footer == pieces->footer);
    ByteView rest = bytes;
    std::uint32_t records = 0;
    while (true) {
        const auto record = next_record(rest);
        LOCARA_ASSERT(record.has_value());
        if (!record->has_value()) {
            break;
        }
        ++records;
    }
    LOCARA_ASSERT(records == whole->table.size());
    LOCARA_ASSERT(size - rest.size() == whole->table.packed_bytes());
    const auto footer = find_footer(bytes);
    LOCARA_ASSERT(footer.has_value());
    LOCARA_ASSERT(*footer == whole->footer);
    const XorbFooter own{whole->table.hash(), whole->table};
    const auto again = parse_footer(render_footer(own));
    LOCARA_ASSERT(again.has_value() && *again == own);
    LOCARA_ASSERT(!whole->footer || *whole->footer == own);
    LOCARA_ASSERT(verify_xorb(bytes, own.hash).has_value() == (records > 0));
    return 0;
}
