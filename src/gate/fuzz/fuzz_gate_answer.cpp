// What comes back from a worker and from clamd: a verdict that parses is one of the table, and is
// the same when it is rendered and parsed again; an answer of clamd is "clean" only word for word.
#include "../clamd.hpp"
#include "../protocol.hpp"

#include <algorithm>
#include <cstdint>

using namespace locara;
using namespace locara::gate;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto clamd = parse_clamd_answer(text);
    LOCARA_ASSERT((clamd.kind == ClamdAnswer::Kind::Clean) == (text == "stream: OK"));
    const auto json = parse_json(text);
    if (!json) {
        return 0;
    }
    const auto answer = parse_answer(*json);
    if (answer) {
        const formats::Rule* rule = formats::find_rule(answer->verdict.rule);
        LOCARA_ASSERT(rule != nullptr && rule->decision == answer->verdict.decision);
        auto cut = *answer;
        cut.verdict.imports.resize(std::min(cut.verdict.imports.size(), kMaxImports));
        const auto again = parse_answer(render_answer(*answer));
        LOCARA_ASSERT(again && *again == cut);
    }
    return 0;
}
