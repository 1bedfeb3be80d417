// NumPy headers: what is accepted as a plain array fills the file, so a byte more is refused.
#include "../numpy.hpp"

#include <cstdint>

using namespace locara;
using namespace locara::formats;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes bytes(reinterpret_cast<const std::byte*>(data),
                reinterpret_cast<const std::byte*>(data) + size);
    const auto array = check_numpy(MemorySource(bytes));
    if (!array) {
        LOCARA_ASSERT(find_rule(array.error().rule) != nullptr);
        return 0;
    }
    const NumpyArray kind = *array;
    bytes.push_back(std::byte{0});
    const auto longer = check_numpy(MemorySource(bytes));
    if (kind == NumpyArray::Plain) {
        LOCARA_ASSERT(!longer && longer.error().rule == "numpy.size");
    } else {
        LOCARA_ASSERT(longer && *longer == kind);
    }
    return 0;
}
