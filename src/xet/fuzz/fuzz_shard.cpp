// Shards: what is taken renders, and the rendering reads back as the same shard, with and without
// lookups. Reading it piece by piece gives the same.
#include <locara/xet/shard.hpp>

#include <cstdint>

using namespace locara;
using namespace locara::xet;

namespace {

void check_stored(ByteView bytes, const Result<Shard>& whole) {
    SpillBytes spilled;
    LOCARA_ASSERT(spilled.add(bytes).has_value());
    const auto stored = StoredShard::open(std::move(spilled));
    LOCARA_ASSERT(stored.has_value() == whole.has_value());
    if (!stored) {
        LOCARA_ASSERT(stored.error().code() == whole.error().code());
        return;
    }
    LOCARA_ASSERT(stored->footer() == whole->footer);
    LOCARA_ASSERT(stored->files().size() == whole->files.size());
    for (std::size_t i = 0; i < whole->files.size(); ++i) {
        const auto& file = stored->files()[i];
        LOCARA_ASSERT(file.hash == whole->files[i].hash && file.size == whole->files[i].size());
        LOCARA_ASSERT(file.terms == whole->files[i].terms.size());
        for (std::uint32_t k = 0; k < file.terms; ++k) {
            LOCARA_ASSERT(*stored->term(file, k) == whole->files[i].terms[k]);
        }
    }
    LOCARA_ASSERT(stored->xorbs().size() == whole->xorbs.size());
    for (std::size_t i = 0; i < whole->xorbs.size(); ++i) {
        const auto& xorb = stored->xorbs()[i];
        LOCARA_ASSERT(xorb.hash == whole->xorbs[i].hash);
        LOCARA_ASSERT(*stored->chunks(xorb, {0, xorb.chunks}) == whole->xorbs[i].chunks);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
    const auto shard = parse_shard(bytes);
    check_stored(bytes, shard);
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
