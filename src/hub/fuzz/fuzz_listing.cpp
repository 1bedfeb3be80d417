// Pages of another hub's tree. What is taken renders to a page that is taken again and is the same.
#include "../listing.hpp"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace locara;
    hub::Listing listing;
    const Status added =
        listing.add_page(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!added) {
        LOCARA_ASSERT(added.error().code() == ErrorCode::Corrupt ||
                      added.error().code() == ErrorCode::TooLarge);
        return 0;
    }
    const std::string text = listing.render();
    hub::Listing again;
    LOCARA_ASSERT(again.add_page(text).has_value());
    LOCARA_ASSERT(again.render() == text);
    for (const hub::GitEntry& entry : listing.entries()) {
        LOCARA_ASSERT(listing.find(entry.path) != nullptr);
    }
    return 0;
}
