// What a fetch asks for: what is read is ids, and is read again from lines that say nothing else.
#include "../git_wire.hpp"

#include <locara/base/bytes.hpp>

using namespace locara;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto wants = hub::parse_wants(as_text(std::as_bytes(std::span(data, size))));
    if (!wants) {
        return 0;
    }
    LOCARA_ASSERT(wants->size() <= size / 40);
    std::string again;
    for (const std::string& id : *wants) {
        LOCARA_ASSERT(id.size() == 40);
        again += hub::render_pkt("want " + id + "\n");
    }
    const auto back = hub::parse_wants(again.append(hub::kFlushPkt));
    LOCARA_ASSERT(back && *back == *wants);
    return 0;
}
