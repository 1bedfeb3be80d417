// GGUF: what is accepted keeps its promises, twice the same, and the rest names a rule.
#include "../invariants.hpp"

#include <locara/formats/gguf.hpp>

#include <cstdint>

using namespace locara;
using namespace locara::formats;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
    const MemorySource memory(bytes);
    const auto first = check_gguf(memory);
    const auto again = check_gguf(SliceSource(memory, 0, size));
    LOCARA_ASSERT(first.has_value() == again.has_value());
    if (!first) {
        LOCARA_ASSERT(first.error().rule.starts_with("gguf."));
        LOCARA_ASSERT(first.error().rule == again.error().rule);
        LOCARA_ASSERT(first.error().reason == again.error().reason);
        LOCARA_ASSERT(!first.error().offset || *first.error().offset <= size);
        return 0;
    }
    LOCARA_ASSERT(broken_invariant(*first, size).empty());
    LOCARA_ASSERT(first->tensors.size() == again->tensors.size());
    LOCARA_ASSERT(first->parameter_count() == again->parameter_count());
    // A byte more or one less than the last tensor's is never right.
    if (!first->tensors.empty()) {
        const GgufTensor& last = first->tensors.back();
        LOCARA_ASSERT(!check_gguf(MemorySource(bytes.first(last.offset + last.size - 1))));
    }
    return 0;
}
