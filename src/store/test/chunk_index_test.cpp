#include "store_test_folder.hpp"

#include <locara/test_support/golden.hpp>
#include <locara/xet/chunker.hpp>
#include <locara/xet/merkle.hpp>

#include <map>
#include <numeric>

#include <fcntl.h>
#include <unistd.h>

namespace locara::store {
namespace {

xet::ChunkHash chunk_named(unsigned n) {
    return xet::chunk_hash(as_bytes(std::to_string(n)));
}

xet::XorbHash xorb_named(unsigned n) {
    return xet::XorbHash{chunk_named(1000 + n).bytes};
}

/// An IndexedFile that can be looked at and bent.
struct ListedFile {
    Digest sha256;
    xet::FileHash hash;
    std::vector<xet::XorbHash> xorbs;
    std::vector<IndexedFile::Chunk> chunks;

    std::uint64_t size() const {
        return std::accumulate(chunks.begin(),
                               chunks.end(),
                               std::uint64_t{0},
                               [](std::uint64_t sum, const auto& one) { return sum + one.size; });
    }

    IndexedFile indexed() const {
        IndexedFile file;
        file.sha256 = sha256;
        file.hash = hash;
        file.xorbs = xorbs;
        for (const auto& chunk : chunks) {
            EXPECT_TRUE(file.add(chunk));
        }
        return file;
    }
};

Result<Bytes> render(const IndexedFile& file) {
    Bytes bytes;
    LOCARA_CHECK(ChunkIndex::render(file, [&](ByteView piece) {
        bytes.insert(bytes.end(), piece.begin(), piece.end());
        return Status{};
    }));
    return bytes;
}

Result<Bytes> render(const ListedFile& file) {
    return render(file.indexed());
}

/// `count` chunks, every third of which is one of an earlier place, some in xorbs.
ListedFile some_file(unsigned count, unsigned seed = 1) {
    std::mt19937 random(seed);
    ListedFile file;
    file.sha256 = digest_of("file " + std::to_string(seed));
    file.xorbs = {xorb_named(seed * 10), xorb_named(seed * 10 + 1), xorb_named(seed * 10 + 2)};
    std::vector<xet::ChunkInfo> infos;
    for (unsigned i = 0; i < count; ++i) {
        IndexedFile::Chunk chunk;
        const unsigned name = i % 3 == 2 ? static_cast<unsigned>(random() % i) : i + seed * 10'000;
        chunk.hash = i % 3 == 2 ? file.chunks[name].hash : chunk_named(name);
        chunk.size = i % 3 == 2 ? file.chunks[name].size
                                : static_cast<std::uint32_t>(1 + random() % kMaxIndexedChunkBytes);
        if (i % 5 != 0) {
            chunk.xorb = static_cast<std::uint32_t>(random() % 3);
            chunk.index = i;
        }
        infos.push_back({chunk.hash, chunk.size});
        file.chunks.push_back(chunk);
    }
    file.hash = xet::file_hash(infos);
    return file;
}

ChunkIndex index_of(const ListedFile& file) {
    const auto bytes = render(file);
    EXPECT_TRUE(bytes) << bytes.error().describe();
    auto index = ChunkIndex::parse(*bytes, file.sha256);
    EXPECT_TRUE(index) << index.error().describe();
    return *std::move(index);
}

TEST(ChunkIndexTest, finds_every_chunk_by_hash_and_by_place) {
    const ListedFile file = some_file(500);
    const ChunkIndex index = index_of(file);
    EXPECT_EQ(index.sha256(), file.sha256);
    EXPECT_EQ(index.file_hash(), file.hash);
    EXPECT_EQ(index.file_size(), file.size());
    ASSERT_EQ(index.chunk_count(), 500U);
    std::map<xet::ChunkHash, std::uint32_t> first;
    std::uint64_t offset = 0;
    for (std::uint32_t i = 0; i < 500; ++i) {
        const auto& given = file.chunks[i];
        first.emplace(given.hash, i);
        const auto chunk = index.chunk(i);
        ASSERT_TRUE(chunk);
        EXPECT_EQ(chunk->hash, given.hash);
        EXPECT_EQ(chunk->size, given.size);
        EXPECT_EQ(chunk->offset, offset);
        offset += given.size;
        EXPECT_EQ(index.find(given.hash), first.at(given.hash));
        EXPECT_TRUE(index.is_at(i, given.hash));
        if (given.xorb != IndexedFile::kNoXorb) {
            EXPECT_EQ(index.find(file.xorbs[given.xorb], given.index), i);
            EXPECT_TRUE(index.is_at(i, file.xorbs[given.xorb], given.index));
            EXPECT_FALSE(index.is_at(i, file.xorbs[(given.xorb + 1) % 3], given.index));
        }
    }
    EXPECT_FALSE(index.find(chunk_named(77)));
    EXPECT_FALSE(index.find(xorb_named(1), 1));
    EXPECT_FALSE(index.find(file.xorbs[0], 1U << 20U));
    EXPECT_FALSE(index.is_at(500, file.chunks[0].hash));
    EXPECT_TRUE(index.verify());
}

TEST(ChunkIndexTest, load_gives_back_what_was_rendered) {
    ListedFile file = some_file(60);
    const auto loaded = index_of(file).load();
    ASSERT_TRUE(loaded);
    EXPECT_EQ(*render(*loaded), *render(file));
    const ListedFile empty{digest_of(""), {}, {}, {}};
    EXPECT_EQ(index_of(empty).chunk_count(), 0U);
    EXPECT_FALSE(index_of(empty).find(chunk_named(1)));
}

TEST(ChunkIndexTest, long_lists_are_ordered_as_short_ones_are) {
    // More than one run of both sorted lists, equal hashes in different runs.
    ListedFile file = some_file(200'000);
    const ChunkIndex index = index_of(file);
    EXPECT_TRUE(index.verify());
    for (std::uint32_t i = 0; i < file.chunks.size(); i += 977) {
        const auto at = index.find(file.chunks[i].hash);
        ASSERT_TRUE(at && *at <= i);
        EXPECT_EQ(file.chunks[*at].hash, file.chunks[i].hash);
        if (file.chunks[i].xorb != IndexedFile::kNoXorb) {
            EXPECT_EQ(index.find(file.xorbs[file.chunks[i].xorb], file.chunks[i].index), i);
        }
    }
}

TEST(ChunkIndexTest, lists_that_contradict_themselves_are_not_rendered) {
    const auto code_of = [](const ListedFile& file) { return render(file).error().code(); };
    ListedFile file = some_file(9);
    file.hash.bytes[3] ^= std::byte{1};
    EXPECT_EQ(code_of(file), ErrorCode::InvalidArgument);
    file = some_file(9);
    file.chunks[2].size = 0;
    EXPECT_EQ(code_of(file), ErrorCode::InvalidArgument);
    file.chunks[2].size = kMaxIndexedChunkBytes + 1;
    EXPECT_EQ(code_of(file), ErrorCode::InvalidArgument);
    file = some_file(9);
    file.chunks[4].xorb = 3;
    EXPECT_EQ(code_of(file), ErrorCode::InvalidArgument);
    IndexedFile longer = some_file(9).indexed();
    ++longer.size;
    EXPECT_EQ(render(longer).error().code(), ErrorCode::InvalidArgument);
    file = some_file(9);
    file.xorbs[1] = file.xorbs[0];
    EXPECT_EQ(code_of(file), ErrorCode::InvalidArgument);
}

TEST(ChunkIndexTest, every_damaged_bit_is_found_by_the_whole_check) {
    const ListedFile file = some_file(7);
    const Bytes good = *render(file);
    // Of places nothing is proven: they are what a hub said.
    const auto is_place = [](std::size_t byte) {
        constexpr std::size_t kRecords = 104 + 3 * 32;
        return byte >= 104 &&
               (byte < kRecords || (byte < kRecords + 7 * 48 && (byte - kRecords) % 48 >= 40));
    };
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        Bytes bad = good;
        bad[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        const auto index = ChunkIndex::parse(bad, file.sha256);
        EXPECT_FALSE(index && index->verify() && !is_place(bit / 8)) << "bit " << bit;
        if (index) { // and nothing leads out of bounds on the way
            for (const auto& chunk : file.chunks) {
                if (const auto at = index->find(chunk.hash)) {
                    (void)index->chunk(*at).has_value();
                }
            }
        }
    }
    for (std::size_t size = 0; size < good.size(); ++size) {
        EXPECT_FALSE(ChunkIndex::parse(ByteView(good).first(size), file.sha256));
    }
    EXPECT_EQ(ChunkIndex::parse(good, digest_of("other")).error().code(), ErrorCode::Corrupt);
}

TEST(ChunkIndexTest, bytes_are_as_the_format_says) {
    EXPECT_GOLDEN("chunk-index", as_text(*render(some_file(5))));
}

class FinderTest : public StoreFolder {};

TEST_F(FinderTest, makes_an_index_once_and_reads_chunks_with_a_look_at_their_bytes) {
    const std::string text = random_text(700'000);
    const Digest digest = store.put_bytes(as_bytes(text))->digest;
    EXPECT_EQ(store.open_index(digest).error().code(), ErrorCode::NotFound);
    const auto index = store.make_index(digest, 2);
    ASSERT_TRUE(index) << index.error().describe();
    EXPECT_EQ(index->file_size(), text.size());
    const auto chunks = xet::chunk_bytes(as_bytes(text));
    ASSERT_EQ(index->chunk_count(), chunks.size());
    const auto finder = store.open_finder();
    ASSERT_TRUE(finder);
    EXPECT_EQ(finder->files(), 1U);
    std::optional<FoundChunk> before;
    for (const xet::Chunk& chunk : chunks) {
        const auto found = finder->find(chunk.hash, before ? &*before : nullptr);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->file, digest);
        EXPECT_EQ(found->offset, chunk.offset);
        EXPECT_TRUE(!before || before->is_before(*found));
        const auto bytes = store.read_chunk(*found);
        ASSERT_TRUE(bytes);
        EXPECT_EQ(as_text(*bytes), text.substr(chunk.offset, chunk.length));
        before = found;
    }
    FoundChunk wrong = *before;
    wrong.offset -= 1;
    EXPECT_EQ(store.read_chunk(wrong).error().code(), ErrorCode::Corrupt);
    ASSERT_TRUE(store.remove(digest));
    EXPECT_EQ(store.read_chunk(*before).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(store.open_finder()->files(), 0U);
    EXPECT_EQ(store.usage()->indexes, 0U);
}

TEST_F(FinderTest, a_damaged_file_gets_no_index_and_a_damaged_index_is_made_anew) {
    const std::string text = random_text(300'000);
    const Digest digest = store.put_bytes(as_bytes(text))->digest;
    const auto path = *store.path_of(digest);
    ASSERT_TRUE(store.make_index(digest));
    const auto index_path = root / "chunks" / digest.render().substr(0, 2) / digest.render();
    EXPECT_EQ(mode_of(index_path), 0444U);
    ASSERT_EQ(::truncate(index_path.c_str(), 200), 0);
    EXPECT_EQ(store.open_finder()->files(), 0U);
    EXPECT_FALSE(std::filesystem::exists(index_path));
    const Fd fd = locara::open_file(path, O_RDWR).value();
    ASSERT_TRUE(write_all_at(fd, 1000, as_bytes("?")));
    EXPECT_EQ(store.make_index(digest).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(store.open_index(digest).error().code(), ErrorCode::NotFound);
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(store.make_index(digest, 1, null_progress(), stop.get_token()).error().code(),
              ErrorCode::Cancelled);
}

TEST_F(FinderTest, keeps_an_index_that_was_made_elsewhere_and_finds_by_place) {
    const std::string text = random_text(400'000);
    const auto chunks = xet::chunk_bytes(as_bytes(text));
    ListedFile file;
    file.sha256 = digest_of(text);
    file.xorbs = {xorb_named(1), xorb_named(2)};
    std::vector<xet::ChunkInfo> infos;
    for (std::uint32_t i = 0; i < chunks.size(); ++i) {
        file.chunks.push_back({chunks[i].hash, chunks[i].length, i % 2, 10 + i});
        infos.push_back(chunks[i].info());
    }
    file.hash = xet::file_hash(infos);
    EXPECT_EQ(store.put_index(file.indexed()).error().code(), ErrorCode::NotFound);
    ASSERT_TRUE(store.put_bytes(as_bytes(text)));
    ASSERT_TRUE(store.put_index(file.indexed()));
    const auto finder = store.open_finder();
    for (std::uint32_t i = 0; i < chunks.size(); ++i) {
        const auto found = finder->find(file.xorbs[i % 2], 10 + i);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->hash, chunks[i].hash);
        EXPECT_EQ(found->offset, chunks[i].offset);
    }
    EXPECT_FALSE(finder->find(xorb_named(3), 10));
    file.chunks.pop_back();
    infos.pop_back();
    file.hash = xet::file_hash(infos);
    EXPECT_EQ(store.put_index(file.indexed()).error().code(), ErrorCode::InvalidArgument);
}

} // namespace
} // namespace locara::store
