// Any bytes as a record of an adopted file and as a journal of verification: never a crash, and
// what was read has one spelling.
#include <locara/store/adopted.hpp>
#include <locara/store/verify_journal.hpp>

#include <cstddef>
#include <cstdint>

using locara::store::Adopted;
using locara::store::VerifyJournal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto record = Adopted::parse(text)) {
        LOCARA_ASSERT(record->render() == text);
        LOCARA_ASSERT(record->from.is_absolute());
    }
    if (const auto journal = VerifyJournal::parse(text)) {
        LOCARA_ASSERT(journal->valid_bytes <= size);
        // What counted is all in what is kept when a run goes on.
        const auto kept = VerifyJournal::parse(text.substr(0, journal->valid_bytes));
        LOCARA_ASSERT(kept && kept->good == journal->good && kept->ended == journal->ended);
    }
    return 0;
}
