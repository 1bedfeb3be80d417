// Id tokens: what tells a program who somebody is, so that it can check it by itself.
//
// A JWT (RFC 7519) signed by EdDSA (RFC 8037) with the claims of OpenID Connect Core 1.0,
// section 2. The key is derived from the hub's own; programs get its public half from
// `/oauth/jwks`. Threads: const after making; use it from any.
#pragma once

#include "signer.hpp"

#include <locara/base/json.hpp>
#include <locara/crypto/keys.hpp>

#include <string>

namespace locara::hub {

class IdTokens {
  public:
    explicit IdTokens(const Signer& signer);

    /// The token of these claims.
    std::string sign(const Json& claims) const;

    /// A JSON Web Key Set (RFC 7517, section 5) with the one key.
    Json key_set() const;

  private:
    crypto::SigningKey key_;
};

} // namespace locara::hub
