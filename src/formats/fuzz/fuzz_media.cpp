// The walks over media: they end inside the file, and what pads it with zeros changes nothing.
#include "../media.hpp"

#include <cstdint>
#include <string>

using namespace locara;
using namespace locara::formats;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const MemorySource source(ByteView(reinterpret_cast<const std::byte*>(data), size));
    const auto kind = sniff(source);
    if (!kind || !is_media(*kind)) {
        return 0;
    }
    const auto layout = walk_media(source, *kind);
    if (!layout || layout->end > size) {
        __builtin_trap();
    }
    if (!layout->whole || layout->end < size) {
        return 0;
    }
    std::string padded(reinterpret_cast<const char*>(data), size);
    padded.append(3, '\0');
    const auto again = walk_media(MemorySource(as_bytes(padded)), *kind);
    if (!again || !again->whole || again->end != padded.size()) {
        __builtin_trap();
    }
    return 0;
}
