// The whole scan over memory: sniffing, archives, NumPy, and the rest. It ends, answers, and what
// it allows as weights is right by the parsers too.
#include "../invariants.hpp"

#include <locara/formats/scan.hpp>
#include <locara/formats/sniff.hpp>

#include <cstdint>

using namespace locara;
using namespace locara::formats;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const MemorySource source(ByteView(reinterpret_cast<const std::byte*>(data), size));
    ScanBudget budget;
    budget.memory_bytes = 4U << 20U;
    budget.unpacked_bytes = 16U << 20U;
    for (const char* name : {"", "model.gguf", "config.json", "a.tar.gz"}) {
        const Verdict verdict = scan_source(source, name, budget);
        LOCARA_ASSERT(!verdict.reason.empty() && !verdict.format.empty());
        LOCARA_ASSERT(find_rule(verdict.rule) != nullptr);
        LOCARA_ASSERT(verdict.rule != "io.read"); // memory never fails
        if (verdict.decision == Decision::Allow) {
            LOCARA_ASSERT(verdict.member.empty());
            if (verdict.format == "gguf") {
                LOCARA_ASSERT(broken_invariant(*check_gguf(source), size).empty());
            }
            if (verdict.format == "safetensors") {
                LOCARA_ASSERT(broken_invariant(*check_safetensors(source), size).empty());
            }
        }
    }
    return 0;
}
