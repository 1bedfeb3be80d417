#include <locara/crypto/hmac.hpp>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace locara::crypto {

Sha256Digest hmac_sha256(ByteView key, ByteView message) {
    Sha256Digest out;
    unsigned length = 0;
    const unsigned char* const done = HMAC(EVP_sha256(),
                                           key.data(),
                                           static_cast<int>(key.size()),
                                           reinterpret_cast<const unsigned char*>(message.data()),
                                           message.size(),
                                           reinterpret_cast<unsigned char*>(out.bytes.data()),
                                           &length);
    LOCARA_ASSERT(done != nullptr && length == out.bytes.size()); // Only for want of memory.
    return out;
}

} // namespace locara::crypto
