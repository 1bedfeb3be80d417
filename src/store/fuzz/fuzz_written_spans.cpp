// Any bytes as notes of what was written: never a crash, and what was read is inside the file.
#include <locara/store/written_spans.hpp>

#include <cstddef>
#include <cstdint>

using locara::store::WrittenSpans;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const WrittenSpans written{{}, 100, "boot"};
    // As a whole, and behind the head that it would take long to guess.
    for (const std::string& notes :
         {std::string(text), written.render_head() + std::string(text)}) {
        std::string again = written.render_head();
        const auto spans = written.parse(notes);
        for (const auto& span : spans.spans()) {
            LOCARA_ASSERT(span.first < span.end && span.end <= written.size);
            again += written.render_slot(span);
        }
        LOCARA_ASSERT(written.parse(again).spans() == spans.spans());
    }
    return 0;
}
