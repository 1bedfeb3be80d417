#include <locara/crypto/blake3.hpp>

#include <blake3.h>

namespace locara::crypto {

namespace {

// The C interface counts in uint8_t, which std::byte may be read as.
const std::uint8_t* raw(const std::byte* bytes) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
    return reinterpret_cast<const std::uint8_t*>(bytes);
}

Blake3Digest take(const blake3_hasher& hasher) {
    Blake3Digest digest;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
    blake3_hasher_finalize(&hasher, reinterpret_cast<std::uint8_t*>(digest.data()), digest.size());
    return digest;
}

} // namespace

struct Blake3::State {
    blake3_hasher hasher;
};

Blake3::Blake3(const Blake3Key& key) : state_(std::make_unique<State>()) {
    blake3_hasher_init_keyed(&state_->hasher, raw(key.data()));
}

Blake3::Blake3(Blake3&&) noexcept = default;
Blake3& Blake3::operator=(Blake3&&) noexcept = default;
Blake3::~Blake3() = default;

void Blake3::update(ByteView bytes) {
    blake3_hasher_update(&state_->hasher, bytes.data(), bytes.size());
}

Blake3Digest Blake3::finish() {
    return take(state_->hasher);
}

Blake3Digest blake3_keyed(const Blake3Key& key, ByteView bytes) {
    blake3_hasher hasher; // NOLINT(cppcoreguidelines-pro-type-member-init): init_keyed fills it
    blake3_hasher_init_keyed(&hasher, raw(key.data()));
    blake3_hasher_update(&hasher, bytes.data(), bytes.size());
    return take(hasher);
}

} // namespace locara::crypto
