// Pickle: the walk ends, twice the same, sees at least what stands before its end, and never
// forgets a call that bytes behind it would hide.
#include <locara/formats/pickle.hpp>

#include <cstdint>

using namespace locara;
using namespace locara::formats;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
    const auto first = walk_pickle(MemorySource(bytes));
    LOCARA_ASSERT(first.has_value());
    LOCARA_ASSERT(first->end_offset <= size);
    LOCARA_ASSERT((first->end == PickleEnd::Stop) == (first->problem.empty()));
    LOCARA_ASSERT(first->opcodes <= size + 1);
    const auto again = walk_pickle(SliceSource(MemorySource(bytes), 0, size));
    LOCARA_ASSERT(again->imports == first->imports && again->calls == first->calls);

    for (const auto context : {PickleContext::Unknown, PickleContext::Text, PickleContext::Known}) {
        const auto finding = judge_pickle(*first, context);
        LOCARA_ASSERT(!finding || finding->rule.starts_with("pickle."));
        // A call that Python could make is refused in every context.
        LOCARA_ASSERT(!first->calls || finding);
        // Whatever has an import that is not listed is never called merely the wrong format.
        LOCARA_ASSERT(!finding || !first->suspicious() ||
                      find_rule(finding->rule)->label == Label::Malicious);
    }
    // Bytes behind cannot take back what the walk has seen, but for a line that ends with the file.
    const bool cut_short = first->end == PickleEnd::Trailing && first->end_offset < size;
    if (first->end == PickleEnd::Stop || cut_short) {
        Bytes longer(bytes.begin(), bytes.end());
        longer.push_back(std::byte{0xFF});
        const auto more = walk_pickle(MemorySource(longer));
        LOCARA_ASSERT(!first->calls || more->calls);
        LOCARA_ASSERT(more->imports.size() >= first->imports.size());
    }
    return 0;
}
