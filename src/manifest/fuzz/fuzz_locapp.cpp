// Bundles from strangers: the archive, and the file list as text. What reads as a list renders back
// to the same text.
#include <locara/manifest/bundle.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace locara;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto list = manifest::BundleFileList::parse(text)) {
        LOCARA_ASSERT(list->render() == text);
    }
    manifest::BundleLimits limits;
    limits.unpacked_bytes = 8U << 20U; // keeps a run short
    if (const auto list = manifest::read_bundle_list(as_bytes(text), limits)) {
        const auto again = manifest::BundleFileList::parse(list->render());
        LOCARA_ASSERT(again && again->id() == list->id());
    }
    return 0;
}
