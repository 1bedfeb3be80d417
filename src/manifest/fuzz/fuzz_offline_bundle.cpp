// bundle.json of strangers: what parses says so again word for word once it is rendered.
#include <locara/manifest/offline_bundle.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace locara;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = manifest::OfflineBundle::parse(text);
    if (!parsed) {
        LOCARA_ASSERT(parsed.error().code() != ErrorCode::Internal);
        return 0;
    }
    LOCARA_ASSERT(!parsed->apps.empty() && !parsed->hub.empty());
    const auto again = manifest::OfflineBundle::parse(parsed->render());
    LOCARA_ASSERT(again && again->render() == parsed->render());
    return 0;
}
