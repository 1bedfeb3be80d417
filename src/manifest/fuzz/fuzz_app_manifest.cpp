// App manifests from strangers. What parses stays what it is when its prompt is rendered and read
// again, and its label leads back to its id.
#include <locara/base/bytes.hpp>
#include <locara/base/json.hpp>
#include <locara/manifest/app_entry.hpp>
#include <locara/manifest/app_manifest.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace locara;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto manifest = manifest::AppManifest::parse(text);
    if (!manifest) {
        // The validator itself must never be what failed.
        LOCARA_ASSERT(manifest.error().code() != ErrorCode::Internal);
        return 0;
    }
    const auto id = manifest::AppId::parse_label(manifest->id.label());
    LOCARA_ASSERT(id && *id == manifest->id);
    LOCARA_ASSERT(!manifest::facts(*manifest).empty());
    if (manifest->entry.prompt) {
        LOCARA_ASSERT(parse_json(manifest::render(*manifest->entry.prompt)));
    }
    const auto entry =
        manifest::AppEntry::render(text, size, crypto::sha256({}), crypto::sha256({}));
    LOCARA_ASSERT(entry && manifest::AppEntry::parse(*entry));
    return 0;
}
