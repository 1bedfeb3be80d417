#include "blake3_lanes.hpp"

#include <gtest/gtest.h>

namespace locara::crypto {
namespace {

Bytes noise(std::size_t size, std::uint32_t seed) {
    Bytes bytes(size);
    for (std::byte& byte : bytes) {
        seed = seed * 1664525U + 1013904223U;
        byte = static_cast<std::byte>(seed >> 24U);
    }
    return bytes;
}

Blake3Key test_key() {
    Blake3Key key{};
    for (std::size_t i = 0; i < key.size(); ++i) {
        key[i] = static_cast<std::byte>(i * 7 + 3);
    }
    return key;
}

/// Hashes the inputs together on every path that this processor has, and one by one.
void expect_same(const std::vector<ByteView>& inputs) {
    std::vector<Blake3Digest> want;
    for (const ByteView& input : inputs) {
        want.push_back(blake3_keyed(test_key(), input));
    }
    std::vector<Blake3Path> paths = {Blake3Path::Library};
    if (best_blake3_path() != Blake3Path::Library) {
        paths.push_back(best_blake3_path());
    }
    for (const Blake3Path path : paths) {
        std::vector<Blake3Digest> got(inputs.size());
        blake3_keyed_many(test_key(), inputs, got, path);
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            EXPECT_EQ(got[i], want[i]) << "input " << i << " of " << inputs[i].size() << " bytes";
        }
    }
}

TEST(Blake3ManyTest, each_length_near_leaves_and_blocks_equals_the_library) {
    // Exact allocations, so that a sanitizer sees a read beyond the end.
    std::vector<Bytes> owned;
    for (std::size_t leaves = 0; leaves <= 33; ++leaves) {
        for (const std::size_t more : {0U, 1U, 63U, 64U, 65U, 127U, 128U, 511U, 960U, 1023U}) {
            owned.push_back(noise(leaves * 1024 + more, static_cast<std::uint32_t>(leaves + more)));
        }
    }
    std::vector<ByteView> together;
    for (const Bytes& bytes : owned) {
        expect_same({bytes});
        together.push_back(bytes);
    }
    expect_same(together);
}

TEST(Blake3ManyTest, sizes_of_chunks_equal_the_library) {
    const Bytes data = noise(3U << 20U, 5);
    std::uint32_t seed = 77;
    for (int round = 0; round < 20; ++round) {
        std::vector<ByteView> inputs;
        for (std::size_t at = 0; at < data.size();) {
            seed = seed * 1664525U + 1013904223U;
            const std::size_t size = std::min<std::size_t>((seed >> 8U) % 131073, data.size() - at);
            inputs.push_back(ByteView(data).subspan(at, size));
            at += std::max<std::size_t>(size, 1);
        }
        expect_same(inputs);
    }
}

TEST(Blake3ManyTest, no_inputs_are_no_digests) {
    expect_same({});
}

} // namespace
} // namespace locara::crypto
