#include <locara/base/file.hpp>
#include <locara/crypto/blake3.hpp>
#include <locara/test_support/folders.hpp>
#include <locara/xet/merkle.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace locara::xet {
namespace {

nlohmann::json vectors(const std::string& name) {
    const auto text = read_file(test_support::data_dir() / (name + ".json"), 1U << 20U);
    return nlohmann::json::parse(text.value());
}

ChunkHash chunk(const nlohmann::json& text) {
    return ChunkHash::parse(text.get<std::string>()).value();
}

TEST(HashTest, string_form_turns_each_group_of_eight_bytes_round) {
    const auto rows = vectors("hashing");
    for (const auto& row : rows["string_form"]) {
        const auto text = row["string"].get<std::string>();
        const auto hash = ChunkHash::parse(text).value();
        EXPECT_EQ(render_hex(hash.bytes), row["bytes"].get<std::string>());
        EXPECT_EQ(hash.render(), text);
        EXPECT_EQ(text.substr(0, 16), "d6834b04843aaf16");
        EXPECT_EQ(hash.word(0), 0xd6834b04843aaf16U);
    }
}

TEST(HashTest, each_kind_of_hash_has_the_key_of_the_specification) {
    const auto rows = vectors("hashing");
    const auto key = [&](const char* name) {
        crypto::Blake3Key bytes{};
        const Bytes hex = parse_hex(rows[name].get<std::string>()).value();
        EXPECT_EQ(hex.size(), bytes.size());
        std::copy(hex.begin(), hex.end(), bytes.begin());
        return bytes;
    };
    const std::string text = "some bytes";
    const ChunkHash one = chunk_hash(as_bytes(text));
    const ChunkHash two = chunk_hash(as_bytes("others"));
    EXPECT_EQ(one.bytes, crypto::blake3_keyed(key("data_key"), as_bytes(text)));
    const std::vector<ChunkInfo> chunks{{one, 10}, {two, 6}};
    const std::string lines = one.render() + " : 10\n" + two.render() + " : 6\n";
    EXPECT_EQ(xorb_hash(chunks).bytes,
              crypto::blake3_keyed(key("internal_node_key"), as_bytes(lines)));
    Bytes both(one.bytes.begin(), one.bytes.end());
    both.insert(both.end(), two.bytes.begin(), two.bytes.end());
    EXPECT_EQ(range_hash(chunks).bytes, crypto::blake3_keyed(key("verification_key"), both));
}

TEST(HashTest, parse_takes_64_lower_case_digits_and_nothing_else) {
    const std::string good(64, 'a');
    EXPECT_TRUE(ChunkHash::parse(good));
    for (const std::string& bad : {std::string(),
                                   std::string(63, 'a'),
                                   std::string(66, 'a'),
                                   std::string(64, 'A'),
                                   std::string(63, 'a') + "g"}) {
        const auto parsed = ChunkHash::parse(bad);
        ASSERT_FALSE(parsed) << bad;
        EXPECT_EQ(parsed.error().code(), ErrorCode::InvalidArgument);
    }
}

TEST(MerkleTest, xorb_and_file_hashes_are_those_of_the_reference) {
    for (const auto& row : vectors("merkle")) {
        std::vector<ChunkInfo> leaves;
        for (const auto& leaf : row["leaves"]) {
            leaves.push_back({chunk(leaf["hash"]), leaf["size"].get<std::uint64_t>()});
        }
        EXPECT_EQ(xorb_hash(leaves).render(), row["xorb_hash"].get<std::string>());
        for (const auto& salted : row["file_hash_with_salt"]) {
            const auto salt = FileSalt::parse(salted["salt"].get<std::string>()).value();
            const auto expected = salted["file_hash"].get<std::string>();
            EXPECT_EQ(file_hash(leaves, salt).render(), expected);
            if (!leaves.empty()) {
                EXPECT_EQ(file_hash_of_root(xorb_hash(leaves), salt).render(), expected);
            }
        }
    }
}

TEST(MerkleTest, keyed_hash_of_a_hash_is_that_of_the_reference) {
    const auto rows = vectors("hashing");
    for (const auto& row : rows["keyed_hash_of_hash"]) {
        const auto key = DedupKey::parse(row["key"].get<std::string>()).value();
        const ChunkHash hash = chunk(row["hash"]);
        EXPECT_EQ(keyed_chunk_hash(hash, key).render(), row["result"].get<std::string>());
        EXPECT_EQ(keyed_chunk_hash(hash, {}), hash);
    }
}

TEST(MerkleTest, range_hash_is_that_of_the_reference) {
    const auto rows = vectors("hashing");
    for (const auto& row : rows["range_verification"]) {
        std::vector<ChunkInfo> chunks;
        for (const auto& hash : row["chunk_hashes"]) {
            chunks.push_back({chunk(hash), 1});
        }
        EXPECT_EQ(range_hash(chunks).render(), row["result"].get<std::string>());
    }
}

TEST(MerkleTest, hashes_of_real_chunk_lists_are_those_of_the_reference) {
    const auto inputs = vectors("chunking");
    for (const auto& [name, row] : inputs.items()) {
        std::vector<ChunkInfo> chunks;
        for (const auto& entry : row["chunks"]) {
            chunks.push_back({chunk(entry["hash"]), entry["length"].get<std::uint64_t>()});
        }
        EXPECT_EQ(xorb_hash(chunks).render(), row["xorb_hash"].get<std::string>()) << name;
        EXPECT_EQ(file_hash(chunks).render(), row["file_hash"].get<std::string>()) << name;
        EXPECT_EQ(range_hash(chunks).render(), row["range_verification_hash"].get<std::string>())
            << name;
    }
}

TEST(MerkleTest, one_chunk_in_1024_may_be_asked_for_everywhere) {
    ChunkHash hash;
    hash.bytes[24] = std::byte{0};
    hash.bytes[25] = std::byte{4}; // 1024
    EXPECT_TRUE(is_dedup_eligible(hash));
    hash.bytes[24] = std::byte{1};
    EXPECT_FALSE(is_dedup_eligible(hash));
}

} // namespace
} // namespace locara::xet
