#include <locara/crypto/sha256.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <unistd.h>

namespace locara::crypto {

namespace {

constexpr std::size_t kBlockBytes = 256U << 10U; // large enough to amortise the calls, fits in L2

} // namespace

Result<Sha256Digest> Sha256Digest::parse(std::string_view text) {
    Sha256Digest digest;
    const auto bytes = parse_hex(text);
    if (!bytes || bytes->size() != digest.bytes.size()) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + std::string(text.substr(0, 80)) +
                         "' is not a SHA-256: 64 digits 0-9 a-f are wanted");
    }
    std::copy(bytes->begin(), bytes->end(), digest.bytes.begin());
    return digest;
}

std::string Sha256Digest::render() const {
    return render_hex(bytes);
}

struct Sha256::State {
    struct Free {
        void operator()(EVP_MD_CTX* spent) const { EVP_MD_CTX_free(spent); }
    };

    std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
    LOCARA_ASSERT(EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) == 1);
}

Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(ByteView bytes) {
    LOCARA_ASSERT(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

Sha256Digest Sha256::finish() {
    Sha256Digest digest;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): OpenSSL wants unsigned char
    auto* out = reinterpret_cast<unsigned char*>(digest.bytes.data());
    LOCARA_ASSERT(EVP_DigestFinal_ex(state_->context.get(), out, nullptr) == 1);
    return digest;
}

Sha256Digest sha256(ByteView bytes) {
    Sha256 hasher;
    hasher.update(bytes);
    return hasher.finish();
}

Result<Sha256Digest> sha256_file(const Fd& fd, const std::function<bool(std::size_t)>& progress) {
    Sha256 hasher;
    Bytes block(kBlockBytes);
    std::uint64_t offset = 0;
    while (true) {
        const ssize_t got =
            ::pread(fd.get(), block.data(), block.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return Error::from_errno("read failed", errno);
        }
        if (got == 0) {
            return hasher.finish();
        }
        const auto count = static_cast<std::size_t>(got);
        hasher.update(ByteView(block).first(count));
        offset += count;
        if (progress && !progress(count)) {
            return Error(ErrorCode::Cancelled, "stopped while hashing");
        }
    }
}

} // namespace locara::crypto

std::size_t std::hash<locara::crypto::Sha256Digest>::operator()(
    const locara::crypto::Sha256Digest& digest) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, digest.bytes.data(), sizeof(value)); // it is a hash already
    return value;
}
