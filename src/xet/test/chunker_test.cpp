#include "inputs.hpp"

#include <locara/base/file.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/test_support/folders.hpp>
#include <locara/xet/chunker.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>

#include <fcntl.h>

namespace locara::xet {
namespace {

nlohmann::json vectors(const std::string& name) {
    const auto text = read_file(test_support::data_dir() / (name + ".json"), 1U << 20U);
    return nlohmann::json::parse(text.value());
}

Bytes trigger_pattern() {
    const auto rows = vectors("trigger-patterns");
    Bytes pattern;
    for (const int value : rows["pattern"]) {
        pattern.push_back(static_cast<std::byte>(value));
    }
    return pattern;
}

/// The input of a row of chunking.json; its digest is checked by the caller.
Bytes input_of(const std::string& name, std::size_t size) {
    if (name == "sm1_10mib_insert") {
        Bytes bytes = random_bytes(1, size - 1);
        bytes.insert(bytes.begin() + 5'242'880, std::byte{0xA5});
        return bytes;
    }
    if (name == "seq_256") {
        Bytes bytes;
        for (int i = 0; i < 256; ++i) {
            bytes.push_back(static_cast<std::byte>(i));
        }
        return bytes;
    }
    if (name.starts_with("trigger_pad")) {
        return tiled(trigger_pattern(), std::stoul(name.substr(11)), size);
    }
    if (name.starts_with("sm")) {
        return random_bytes(static_cast<std::uint64_t>(name[2] - '0'), size);
    }
    static const std::map<std::string, int> kFill = {{"const59", 59}, {"one_byte_61", 0x61}};
    for (const auto& [prefix, value] : kFill) {
        if (name.starts_with(prefix)) {
            return Bytes(size, static_cast<std::byte>(value));
        }
    }
    return Bytes(size); // empty, one_byte_00, zeros_*
}

std::vector<Chunk> chunks_of(const nlohmann::json& rows) {
    std::vector<Chunk> chunks;
    for (const auto& row : rows) {
        chunks.push_back({row["offset"].get<std::uint64_t>(),
                          row["length"].get<std::uint32_t>(),
                          ChunkHash::parse(row["hash"].get<std::string>()).value()});
    }
    return chunks;
}

/// The chunks of a stream fed in blocks of what `next_size` says, with a check of the views.
template <class NextSize> std::vector<Chunk> chunk_stream(ByteView bytes, NextSize next_size) {
    std::vector<Chunk> chunks;
    const auto sink = [&](const Chunk& chunk, ByteView raw) -> Status {
        const ByteView want = bytes.subspan(chunk.offset, chunk.length);
        EXPECT_TRUE(std::ranges::equal(raw, want)) << "chunk at " << chunk.offset;
        chunks.push_back(chunk);
        return {};
    };
    Chunker chunker;
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t size = std::min<std::size_t>(next_size(), bytes.size() - at);
        EXPECT_TRUE(chunker.update(bytes.subspan(at, size), sink));
        at += size;
    }
    EXPECT_TRUE(chunker.finish(sink));
    return chunks;
}

/// A file with the given content, open for reading.
struct OpenFile {
    TempFolder folder = TempFolder::create("/tmp", "locara-chunker-").value();
    Fd fd;

    explicit OpenFile(ByteView content) {
        fd = open_file(folder.path() / "file", O_RDWR | O_CREAT).value();
        EXPECT_TRUE(write_all_at(fd, 0, content));
    }
};

TEST(ChunkerTest, chunks_are_those_of_the_reference) {
    const auto rows = vectors("chunking");
    for (const auto& [name, row] : rows.items()) {
        const Bytes input = input_of(name, row["size"].get<std::size_t>());
        ASSERT_EQ(crypto::sha256(input).render(), row["sha256"].get<std::string>()) << name;
        const auto want = chunks_of(row["chunks"]);
        EXPECT_EQ(chunk_bytes(input), want) << name;
        EXPECT_EQ(chunk_stream(input, [] { return 65'521U; }), want) << name;

        const OpenFile file(input);
        const auto index = index_file(file.fd);
        ASSERT_TRUE(index) << name << ": " << index.error().describe();
        EXPECT_EQ(index->size, input.size()) << name;
        EXPECT_EQ(*index->chunks.load(), want) << name;
        EXPECT_EQ(index->hash.render(), row["file_hash"].get<std::string>()) << name;
        EXPECT_FALSE(index->sha256) << name;
    }
}

TEST(ChunkerTest, boundaries_near_the_minimum_are_those_of_the_reference) {
    const auto rows = vectors("trigger-patterns");
    const Bytes pattern = trigger_pattern();
    for (const auto& row : rows["cases"]) {
        const auto padding = row["padding"].get<std::size_t>();
        const Bytes input = tiled(pattern, padding, rows["length"].get<std::size_t>());
        ASSERT_EQ(std::to_integer<int>(input[11'111]), row["byte_at_11111"].get<int>()) << padding;
        std::vector<std::size_t> boundaries;
        for (const Chunk& chunk : chunk_bytes(input)) {
            boundaries.push_back(chunk.offset + chunk.length);
        }
        EXPECT_EQ(boundaries, row["boundaries"].get<std::vector<std::size_t>>()) << padding;
    }
}

TEST(ChunkerTest, an_error_of_the_sink_ends_the_update) {
    const Bytes input(4 * kMaxChunkBytes);
    int calls = 0;
    Chunker chunker;
    const auto status = chunker.update(input, [&](const Chunk&, ByteView) -> Status {
        ++calls;
        return Error(ErrorCode::NoSpace, "full");
    });
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::NoSpace);
    EXPECT_EQ(calls, 1);
}

TEST(IndexFileTest, sha256_comes_from_the_same_pass) {
    const Bytes input = random_bytes(7, 3'000'000);
    const OpenFile file(input);
    for (const unsigned threads : {1U, 2U, 3U}) {
        const auto index = index_file(file.fd, {.threads = threads, .sha256 = WithSha256::Yes});
        ASSERT_TRUE(index);
        EXPECT_EQ(index->sha256, crypto::sha256(input)) << threads;
        EXPECT_EQ(*index->chunks.load(), chunk_bytes(input)) << threads;
    }
}

TEST(IndexFileTest, stop_is_cancelled_and_progress_adds_up) {
    const Bytes input = random_bytes(8, 5'000'001);
    const OpenFile file(input);
    for (const unsigned threads : {1U, 2U, 3U}) {
        std::size_t told = 0;
        ASSERT_TRUE(index_file(
            file.fd, {.threads = threads, .progress = [&](std::size_t bytes) { told += bytes; }}));
        EXPECT_EQ(told, input.size()) << threads;

        std::stop_source stop;
        stop.request_stop();
        const auto stopped = index_file(file.fd, {.threads = threads, .stop = stop.get_token()});
        ASSERT_FALSE(stopped);
        EXPECT_EQ(stopped.error().code(), ErrorCode::Cancelled);
    }
}

TEST(IndexFileTest, only_regular_files_are_read) {
    const auto folder = open_file("/tmp", O_RDONLY | O_DIRECTORY).value();
    const auto index = index_file(folder);
    ASSERT_FALSE(index);
    EXPECT_EQ(index.error().code(), ErrorCode::InvalidArgument);
}

} // namespace
} // namespace locara::xet
