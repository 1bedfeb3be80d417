// The JSON form of hash subtrees: what is taken renders to the same, and merging with nothing or
// with chunks never fails.
#include <locara/xet/subtree.hpp>

#include <cstdint>

using namespace locara;
using namespace locara::xet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto json = parse_json(as_text({reinterpret_cast<const std::byte*>(data), size}));
    if (!json) {
        return 0;
    }
    const auto run = HashSubtree::parse(*json);
    if (!run) {
        return 0;
    }
    const auto again = HashSubtree::parse(run->render());
    LOCARA_ASSERT(again.has_value() && *again == *run);
    LOCARA_ASSERT(run->root().has_value() ==
                  (run->at_start() == AtStart::Yes && run->at_end() == AtEnd::Yes));
    HashSubtree whole = *run;
    if (whole.at_start() == AtStart::No) {
        const std::vector<ChunkInfo> chunks(5);
        HashSubtree first = HashSubtree::from_chunks(AtStart::Yes, chunks, AtEnd::No);
        LOCARA_ASSERT(first.merge(whole).has_value());
        whole = std::move(first);
    }
    if (whole.at_end() == AtEnd::No) {
        LOCARA_ASSERT(
            whole.merge(HashSubtree::from_chunks(AtStart::No, {}, AtEnd::Yes)).has_value());
    }
    LOCARA_ASSERT(whole.root().has_value());
    return 0;
}
