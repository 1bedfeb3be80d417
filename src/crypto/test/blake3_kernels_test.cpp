// The official library takes the widest kernel that the processor has, so each machine uses one of
// them. Here every kernel that this processor can run is held against the portable one.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

extern "C" {
// blake3_impl.h of the library, version 1.3.1.
using HashMany = void(const std::uint8_t* const* inputs,
                      std::size_t count,
                      std::size_t blocks,
                      const std::uint32_t* key,
                      std::uint64_t counter,
                      bool increment_counter,
                      std::uint8_t flags,
                      std::uint8_t flags_start,
                      std::uint8_t flags_end,
                      std::uint8_t* out);
using CompressInPlace = void(std::uint32_t* chaining_value,
                             const std::uint8_t* block,
                             std::uint8_t length,
                             std::uint64_t counter,
                             std::uint8_t flags);
HashMany blake3_hash_many_portable;
CompressInPlace blake3_compress_in_place_portable;
#if defined(__x86_64__)
HashMany blake3_hash_many_sse2;
HashMany blake3_hash_many_sse41;
HashMany blake3_hash_many_avx2;
HashMany blake3_hash_many_avx512;
CompressInPlace blake3_compress_in_place_sse2;
CompressInPlace blake3_compress_in_place_sse41;
CompressInPlace blake3_compress_in_place_avx512;
#endif
}

namespace locara::crypto {
namespace {

constexpr std::size_t kBlockBytes = 64;
constexpr std::size_t kDigestBytes = 32;
constexpr std::array<std::uint32_t, 8> kKey = {
    0x01234567, 0x89abcdef, 0xdeadbeef, 0xffffffff, 0, 1, 0x80000000, 0x7fffffff};

struct Kernel {
    const char* name;
    bool runs;
    HashMany* hash_many;
    CompressInPlace* compress; ///< What the library takes beside it.
};

std::vector<Kernel> kernels() {
#if defined(__x86_64__)
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
    return {{"sse2", true, blake3_hash_many_sse2, blake3_compress_in_place_sse2},
            {"sse4.1",
             __builtin_cpu_supports("sse4.1") != 0,
             blake3_hash_many_sse41,
             blake3_compress_in_place_sse41},
            {"avx2",
             __builtin_cpu_supports("avx2") != 0,
             blake3_hash_many_avx2,
             blake3_compress_in_place_sse41},
            {"avx512", avx512, blake3_hash_many_avx512, blake3_compress_in_place_avx512}};
#else
    return {};
#endif
}

class Blake3Kernels : public testing::TestWithParam<Kernel> {
  protected:
    void SetUp() override {
        if (!GetParam().runs) {
            GTEST_SKIP() << "this processor has no " << GetParam().name;
        }
    }
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Blake3Kernels);

std::vector<std::uint8_t> noise(std::size_t size) {
    std::vector<std::uint8_t> bytes(size);
    std::uint32_t seed = 2463534242;
    for (std::uint8_t& byte : bytes) {
        seed = seed * 1664525U + 1013904223U;
        byte = static_cast<std::uint8_t>(seed >> 24U);
    }
    return bytes;
}

// More inputs than the widest kernel has lanes, so that each narrower rest is taken as well; 16
// blocks are a leaf, one is a node. Counters go over 2^32, where their high word changes.
TEST_P(Blake3Kernels, hashes_many_as_the_portable_one_does) {
    constexpr std::size_t kMost = 35;
    const std::vector<std::uint8_t> bytes = noise(kMost * 16 * kBlockBytes);
    for (std::size_t count = 0; count <= kMost; ++count) {
        for (const std::size_t blocks : {std::size_t{1}, std::size_t{2}, std::size_t{16}}) {
            std::vector<const std::uint8_t*> inputs(count);
            for (std::size_t i = 0; i < count; ++i) {
                inputs[i] = bytes.data() + i * blocks * kBlockBytes;
            }
            for (const std::uint64_t counter : {std::uint64_t{0}, std::uint64_t{0xfffffff0}}) {
                for (const bool increment : {false, true}) {
                    std::vector<std::uint8_t> want(count * kDigestBytes);
                    std::vector<std::uint8_t> got(count * kDigestBytes);
                    const auto run = [&](HashMany* hash_many, std::vector<std::uint8_t>& out) {
                        hash_many(inputs.data(),
                                  count,
                                  blocks,
                                  kKey.data(),
                                  counter,
                                  increment,
                                  16,
                                  1,
                                  2,
                                  out.data());
                    };
                    run(blake3_hash_many_portable, want);
                    run(GetParam().hash_many, got);
                    ASSERT_EQ(got, want) << count << " inputs of " << blocks << " blocks from "
                                         << counter << (increment ? " up" : "");
                }
            }
        }
    }
}

TEST_P(Blake3Kernels, compresses_as_the_portable_one_does) {
    const std::vector<std::uint8_t> block = noise(kBlockBytes);
    for (unsigned length = 0; length <= kBlockBytes; ++length) {
        auto want = kKey;
        auto got = kKey;
        const std::uint64_t counter = (std::uint64_t{length} << 31U) + length;
        blake3_compress_in_place_portable(
            want.data(), block.data(), static_cast<std::uint8_t>(length), counter, 27);
        GetParam().compress(
            got.data(), block.data(), static_cast<std::uint8_t>(length), counter, 27);
        ASSERT_EQ(got, want) << length;
    }
}

INSTANTIATE_TEST_SUITE_P(Library,
                         Blake3Kernels,
                         testing::ValuesIn(kernels()),
                         [](const auto& kernel) {
                             std::string name = kernel.param.name;
                             std::erase(name, '.');
                             return name;
                         });

} // namespace
} // namespace locara::crypto
