// HMAC-SHA-256 (RFC 2104, by OpenSSL): what a server signs its own short-lived tokens with.
//
// Threads: a plain function.
#pragma once

#include <locara/base/bytes.hpp>
#include <locara/crypto/sha256.hpp>

namespace locara::crypto {

/// The code of a message under a key of any length. Compare codes with Secret::equals, never with
/// ==: that one tells by its time how much was right.
Sha256Digest hmac_sha256(ByteView key, ByteView message);

} // namespace locara::crypto
