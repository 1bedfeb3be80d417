// Shards: what is taken renders, and the rendering reads back as the same shard, with and without
// lookups.
#include <locara/xet/shard.hpp>

#include <cstdint>

using namespace locara;
using namespace locara::xet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
    const auto shard = parse_shard(bytes);
    if (!shard) {
        return 0;
    }
    const auto rendered = render_shard(*shard);
    LOCARA_ASSERT(rendered.has_value());
    LOCARA_ASSERT(rendered->size() <= size); // lookups are left out
    const auto again = parse_shard(*rendered);
    LOCARA_ASSERT(again.has_value() && *again == *shard);
    if (shard->footer) {
        const auto lookups = render_shard(*shard, Lookups::With);
        LOCARA_ASSERT(lookups.has_value());
        const auto third = parse_shard(*lookups);
        LOCARA_ASSERT(third.has_value() && *third == *shard);
    }
    for (const FileBlock& file : shard->files) {
        const auto none = [](const XorbHash&) -> const XorbTable* { return nullptr; };
        LOCARA_ASSERT(!verify_file(file, none) || file.terms.empty());
    }
    return 0;
}
