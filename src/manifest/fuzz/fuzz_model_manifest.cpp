// Model manifests from strangers. What parses has a default variant, paths that are safe, and an
// effective license each of whose facts comes from somewhere.
#include <locara/base/path.hpp>
#include <locara/manifest/effective_license.hpp>
#include <locara/manifest/verified.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace locara;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = manifest::ModelManifest::parse(text);
    if (!parsed) {
        LOCARA_ASSERT(parsed.error().code() != ErrorCode::Internal);
        return 0;
    }
    LOCARA_ASSERT(!parsed->get_default().files.empty());
    for (const auto& variant : parsed->variants) {
        for (const auto& file : variant.files) {
            LOCARA_ASSERT(validate_path(file.path));
        }
    }
    const auto license = manifest::effective_license(*parsed);
    LOCARA_ASSERT(!license.licenses.empty());
    for (const auto kind : manifest::kFactKinds) {
        LOCARA_ASSERT(!license.fact(kind).from.empty());
    }
    const auto digest = crypto::sha256(as_bytes(text));
    LOCARA_ASSERT(manifest::VerifiedModelManifest::verify(std::string(text), digest));
    return 0;
}
