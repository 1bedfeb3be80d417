// The trees of many inputs, compressed side by side (the BLAKE3 paper, section 2.1 and 5.1).
//
// The official C interface hashes one input a call, so the ends of inputs and the upper levels of
// their trees leave lanes empty. Here leaves and nodes of all inputs fill the lanes together.
#include "blake3_lanes.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace locara::crypto {

namespace {

constexpr std::size_t kLeafBytes = 1024;
constexpr std::size_t kBlockBytes = 64;

// Domain flags, table 3 of the paper.
constexpr std::uint32_t kChunkStart = 1U << 0U;
constexpr std::uint32_t kChunkEnd = 1U << 1U;
constexpr std::uint32_t kParent = 1U << 2U;
constexpr std::uint32_t kRoot = 1U << 3U;
constexpr std::uint32_t kKeyedHash = 1U << 4U;

#if defined(__x86_64__)

std::uint32_t narrow(std::size_t value) {
    return static_cast<std::uint32_t>(value);
}

/// Collects lanes and runs them when all are taken.
class Lanes {
  public:
    explicit Lanes(const Blake3Key& key) : padded_(LaneBatch::kLanes * kLeafBytes) {
        std::memcpy(key_.data(), key.data(), key.size());
        batch_.bytes.fill(padded_.data());
        batch_.out.fill(&unused_);
        batch_.flags.fill(kKeyedHash);
    }

    void add_leaf(ByteView leaf, std::size_t index, ChainingValue* out) {
        const std::byte* bytes = leaf.data();
        if (leaf.size() < kLeafBytes) {
            // Lanes read as far as the longest of them does.
            std::byte* padded = padded_.data() + used_ * kLeafBytes;
            std::memcpy(padded, leaf.data(), leaf.size());
            std::memset(padded + leaf.size(), 0, kLeafBytes - leaf.size());
            bytes = padded;
        }
        const std::size_t full = (leaf.size() - 1) / kBlockBytes; // blocks before the last
        batch_.counter[used_] = narrow(index);
        batch_.blocks[used_] = narrow(full + 1);
        batch_.last_length[used_] = narrow(leaf.size() - full * kBlockBytes);
        batch_.flags[used_] = kKeyedHash;
        batch_.first_flags[used_] = kChunkStart;
        batch_.last_flags[used_] = kChunkEnd;
        add(bytes, out);
    }

    enum class IsRoot { No, Yes };

    /// `children` are two values beside each other.
    void add_parent(const ChainingValue* children, IsRoot is_root, ChainingValue* out) {
        batch_.counter[used_] = 0;
        batch_.blocks[used_] = 1;
        batch_.last_length[used_] = kBlockBytes;
        batch_.flags[used_] = kKeyedHash | kParent | (is_root == IsRoot::Yes ? kRoot : 0U);
        batch_.first_flags[used_] = 0;
        batch_.last_flags[used_] = 0;
        add(std::as_bytes(std::span(children, 2)).data(), out);
    }

    void flush() {
        if (used_ == 0) {
            return;
        }
        for (std::size_t lane = used_; lane < LaneBatch::kLanes; ++lane) {
            batch_.bytes[lane] = padded_.data();
            batch_.out[lane] = &unused_;
            batch_.blocks[lane] = 0;
        }
        run_lanes_avx512(
            key_, batch_, *std::max_element(batch_.blocks.begin(), batch_.blocks.end()));
        used_ = 0;
    }

  private:
    void add(const std::byte* bytes, ChainingValue* out) {
        batch_.bytes[used_] = bytes;
        batch_.out[used_] = out;
        if (++used_ == LaneBatch::kLanes) {
            flush();
        }
    }

    LaneBatch batch_;
    std::size_t used_ = 0;
    ChainingValue key_{};
    ChainingValue unused_{};
    Bytes padded_; ///< A leaf a lane, for those that do not end with a block.
};

/// The values of one level of an input's tree, in the array of all inputs.
struct Tree {
    std::size_t input = 0;
    std::size_t first = 0;
    std::size_t count = 0;
};

void hash_wide(const Blake3Key& key,
               std::span<const ByteView> inputs,
               std::span<Blake3Digest> digests) {
    std::vector<Tree> trees;
    std::size_t leaves = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (inputs[i].size() <= kLeafBytes) {
            digests[i] = blake3_keyed(key, inputs[i]); // the leaf is the root: another flag
            continue;
        }
        const std::size_t count = (inputs[i].size() + kLeafBytes - 1) / kLeafBytes;
        trees.push_back({i, leaves, count});
        leaves += count;
    }
    std::vector<ChainingValue> values(leaves);
    std::vector<ChainingValue> above(leaves);
    Lanes lanes(key);
    for (const Tree& tree : trees) {
        ByteView rest = inputs[tree.input];
        for (std::size_t i = 0; i < tree.count; ++i) {
            const std::size_t size = std::min(rest.size(), kLeafBytes);
            lanes.add_leaf(rest.first(size), i, &values[tree.first + i]);
            rest = rest.subspan(size);
        }
    }
    lanes.flush();

    // Pairing neighbours level by level, an odd one going up as it is, makes the tree of the paper:
    // the left subtree of each node is full, and as large as may be.
    while (!trees.empty()) {
        for (const Tree& tree : trees) {
            const auto is_root = tree.count == 2 ? Lanes::IsRoot::Yes : Lanes::IsRoot::No;
            for (std::size_t i = 0; i + 1 < tree.count; i += 2) {
                lanes.add_parent(&values[tree.first + i], is_root, &above[tree.first + i / 2]);
            }
            if (tree.count % 2 == 1) {
                above[tree.first + tree.count / 2] = values[tree.first + tree.count - 1];
            }
        }
        lanes.flush();
        std::swap(values, above);
        for (Tree& tree : trees) {
            tree.count = (tree.count + 1) / 2;
            if (tree.count == 1) {
                std::memcpy(digests[tree.input].data(), &values[tree.first], sizeof(Blake3Digest));
            }
        }
        std::erase_if(trees, [](const Tree& tree) { return tree.count == 1; });
    }
}

#endif

} // namespace

Blake3Path best_blake3_path() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        return Blake3Path::Avx512;
    }
#endif
    return Blake3Path::Library;
}

void blake3_keyed_many(const Blake3Key& key,
                       std::span<const ByteView> inputs,
                       std::span<Blake3Digest> digests,
                       Blake3Path path) {
    LOCARA_ASSERT(inputs.size() == digests.size());
#if defined(__x86_64__)
    if (path == Blake3Path::Avx512) {
        hash_wide(key, inputs, digests);
        return;
    }
#endif
    static_cast<void>(path);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        digests[i] = blake3_keyed(key, inputs[i]);
    }
}

void blake3_keyed_many(const Blake3Key& key,
                       std::span<const ByteView> inputs,
                       std::span<Blake3Digest> digests) {
    blake3_keyed_many(key, inputs, digests, best_blake3_path());
}

} // namespace locara::crypto
