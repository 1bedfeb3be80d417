#include "id_token.hpp"

namespace locara::hub {
namespace {

crypto::SigningKey key_of(const Signer& signer) {
    const Secret seed = signer.derive("id tokens");
    auto key = crypto::SigningKey::from_seed(as_bytes(seed.reveal()));
    LOCARA_ASSERT(key); // 32 bytes always are one.
    return std::move(*key);
}

} // namespace

IdTokens::IdTokens(const Signer& signer) : key_(key_of(signer)) {}

std::string IdTokens::sign(const Json& claims) const {
    const Json header = {{"alg", "EdDSA"}, {"kid", key_.public_key().id()}, {"typ", "JWT"}};
    const std::string text =
        render_base64url(as_bytes(header.dump())) + "." + render_base64url(as_bytes(claims.dump()));
    return text + "." + render_base64url(key_.sign(as_bytes(text)));
}

Json IdTokens::key_set() const {
    const auto raw = parse_hex(key_.public_key().value());
    LOCARA_ASSERT(raw);
    return {{"keys",
             {{{"kty", "OKP"},
               {"crv", "Ed25519"},
               {"use", "sig"},
               {"alg", "EdDSA"},
               {"kid", key_.public_key().id()},
               {"x", render_base64url(*raw)}}}}};
}

} // namespace locara::hub
