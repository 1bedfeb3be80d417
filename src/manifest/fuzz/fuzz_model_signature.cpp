// Model signatures of strangers: a bundle is never taken without its key, and a statement that
// parses says the same once it is rendered.
#include <locara/base/path.hpp>
#include <locara/manifest/model_signature.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace locara;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    // The key whose bundle is in the corpus (seed of 32 times 7), so that what is behind the
    // signature is reached.
    static const auto key = crypto::SigningKey::from_seed(Bytes(32, std::byte{7})).value();
    static const std::vector<crypto::PublicKey> trusted = {key.public_key()};
    const auto verified = manifest::VerifiedModelStatement::verify(text, trusted);
    LOCARA_ASSERT(verified || verified.error().code() != ErrorCode::Internal);
    LOCARA_ASSERT(!manifest::VerifiedModelStatement::verify(text, {}));
    const auto statement = manifest::ModelStatement::parse(text);
    if (!statement) {
        LOCARA_ASSERT(statement.error().code() != ErrorCode::Internal);
        return 0;
    }
    for (const auto& file : statement->files) {
        LOCARA_ASSERT(validate_path(file.first));
    }
    const auto rendered = statement->render();
    LOCARA_ASSERT(rendered);
    const auto again = manifest::ModelStatement::parse(*rendered);
    LOCARA_ASSERT(again && again->files == statement->files && again->repo == statement->repo);
    return 0;
}
