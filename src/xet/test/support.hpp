// What the tests of this module share: the vectors and the inputs they are made of.
#pragma once

#include "inputs.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/file.hpp>
#include <locara/test_support/folders.hpp>
#include <locara/xet/merkle.hpp>
#include <locara/xet/shard.hpp>
#include <locara/xet/xorb.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace locara::xet {

inline std::string read_data(const std::string& name) {
    return read_file(test_support::data_dir() / name, 1U << 20U).value();
}

inline Bytes read_bytes(const std::string& name) {
    const std::string text = read_data(name);
    const ByteView view = as_bytes(text);
    return {view.begin(), view.end()};
}

inline nlohmann::json read_vectors(const std::string& name) {
    return nlohmann::json::parse(read_data(name + ".json"));
}

/// The next `count` bytes of a generator; REQUIRES: a multiple of 8, else some are lost.
inline Bytes next_bytes(SplitMix& random, std::size_t count) {
    Bytes out;
    for (std::size_t i = 0; i < count; i += 8) {
        std::uint64_t word = random.next();
        for (std::size_t k = i; k < i + 8 && k < count; ++k, word >>= 8U) {
            out.push_back(static_cast<std::byte>(word & 0xFFU));
        }
    }
    return out;
}

/// Little-endian 16-bit numbers that look like half-precision weights.
inline Bytes weights(std::uint64_t seed, std::size_t count) {
    SplitMix random(seed);
    Bytes out;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t value = (random.next() & 0x80ffU) | 0x3c00U;
        out.push_back(static_cast<std::byte>(value & 0xFFU));
        out.push_back(static_cast<std::byte>(value >> 8U));
    }
    return out;
}

inline Bytes text_lines(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += "line " + std::to_string(i) + "\n";
    }
    const ByteView view = as_bytes(text);
    return {view.begin(), view.end()};
}

/// Twelve-byte words from a list of 16, one random byte between them: plain LZ4 finds the words,
/// byte grouping tears them apart.
inline Bytes words(std::uint64_t seed, std::size_t count) {
    SplitMix random(seed);
    const Bytes list = next_bytes(random, 16 * 12UL);
    Bytes out;
    for (std::size_t i = 0; i < count; ++i) {
        const auto word = list.begin() + static_cast<std::ptrdiff_t>(12 * random.below(16));
        out.insert(out.end(), word, word + 12);
        out.push_back(static_cast<std::byte>(random.below(256)));
    }
    return out;
}

/// A table over random hashes: chunk sizes cycle through a few, packed is a little smaller.
inline XorbTable random_table(std::uint64_t seed, std::uint32_t chunks) {
    SplitMix random(seed);
    XorbTable table;
    for (std::uint32_t i = 0; i < chunks; ++i) {
        ChunkHash hash;
        const Bytes bytes = next_bytes(random, kHashBytes);
        std::copy(bytes.begin(), bytes.end(), hash.bytes.begin());
        const auto raw = static_cast<std::uint32_t>(1 + random.below(kMaxChunkBytes));
        const std::uint32_t packed = raw - raw / 4;
        EXPECT_TRUE(table.append(hash, {Compression::Lz4, packed, raw}));
    }
    return table;
}

/// Tables by xorb hash, as verify_file and make_plan ask for them.
class Tables {
  public:
    XorbHash add(XorbTable table) {
        const XorbHash hash = table.hash();
        tables_.insert_or_assign(hash, std::move(table));
        return hash;
    }

    const XorbTable& get(const XorbHash& hash) const { return tables_.at(hash); }

    FindTable find() const {
        return [this](const XorbHash& hash) -> const XorbTable* {
            const auto found = tables_.find(hash);
            return found == tables_.end() ? nullptr : &found->second;
        };
    }

  private:
    std::unordered_map<XorbHash, XorbTable> tables_;
};

/// The file that these terms make, with its hash and proofs.
inline FileBlock make_file(const Tables& tables,
                           const std::vector<std::pair<XorbHash, ChunkRange>>& terms) {
    FileBlock file;
    std::vector<ChunkInfo> all;
    for (const auto& [xorb, range] : terms) {
        const XorbTable& table = tables.get(xorb);
        const auto infos = table.infos(range).value();
        file.terms.push_back(
            {xorb, range, static_cast<std::uint32_t>(table.raw_range(range)->size())});
        file.verification.push_back(range_hash(infos));
        all.insert(all.end(), infos.begin(), infos.end());
    }
    file.hash = file_hash(all);
    return file;
}

} // namespace locara::xet
