// Any bytes as a part journal: never a crash, and what was read is inside the file and stable.
#include <locara/store/part_journal.hpp>

#include <cstddef>
#include <cstdint>

using locara::store::PartJournal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto journal = PartJournal::parse(text);
    if (!journal) {
        return 0;
    }
    LOCARA_ASSERT(journal->spans.bytes() <= journal->size);
    for (const auto& span : journal->spans.spans()) {
        LOCARA_ASSERT(span.first < span.end && span.end <= journal->size);
    }
    const auto again = PartJournal::parse(journal->render());
    LOCARA_ASSERT(again && again->clean);
    LOCARA_ASSERT(again->digest == journal->digest && again->size == journal->size);
    LOCARA_ASSERT(again->spans.spans() == journal->spans.spans());
    return 0;
}
