#include "avatar.hpp"

#include <locara/base/bytes.hpp>

#include <openssl/evp.h>

#include <array>

namespace locara::hub {

std::string avatar_of(const Account& account) {
    std::array<std::byte, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): OpenSSL wants unsigned char
    auto* const out = reinterpret_cast<unsigned char*>(digest.data());
    if (account.email.empty() ||
        EVP_Digest(account.email.data(), account.email.size(), out, &size, EVP_md5(), nullptr) !=
            1) {
        return kAvatar;
    }
    return "/avatars/" + render_hex(ByteView(digest).first(size)) + ".svg";
}

} // namespace locara::hub
