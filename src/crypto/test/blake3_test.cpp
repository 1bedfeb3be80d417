#include <locara/crypto/blake3.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace locara::crypto {
namespace {

/// Key and input of the official test vectors (test_vectors.json of the BLAKE3 project).
Blake3Key official_key() {
    Blake3Key key{};
    std::ranges::copy(as_bytes("whats the Elvish word for friend"), key.begin());
    return key;
}

Bytes official_input(std::size_t size) {
    Bytes input(size);
    for (std::size_t i = 0; i < size; ++i) {
        input[i] = static_cast<std::byte>(i % 251);
    }
    return input;
}

struct Vector {
    std::size_t size;
    const char* digest;
};

class Blake3Vectors : public testing::TestWithParam<Vector> {};

TEST_P(Blake3Vectors, keyed_hash_is_the_official_one) {
    const auto [size, digest] = GetParam();
    EXPECT_EQ(render_hex(blake3_keyed(official_key(), official_input(size))), digest);
}

TEST_P(Blake3Vectors, streaming_gives_the_same_as_one_buffer) {
    const Bytes input = official_input(GetParam().size);
    for (const std::size_t step : {std::size_t{1}, std::size_t{1000}, std::size_t{70'000}}) {
        Blake3 hasher(official_key());
        for (std::size_t at = 0; at < input.size(); at += step) {
            hasher.update(ByteView(input).subspan(at, std::min(step, input.size() - at)));
        }
        EXPECT_EQ(render_hex(hasher.finish()), GetParam().digest) << step;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Official,
    Blake3Vectors,
    testing::Values(Vector{0, "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26"},
                    Vector{1, "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b"}));

} // namespace
} // namespace locara::crypto
