// Any bytes as a chunk index: never a crash, nothing outside the file, and what stands the whole
// check is written the same way again.
#include <locara/store/chunk_index.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

using locara::store::ChunkIndex;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const locara::ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
    locara::crypto::Sha256Digest sha256; // the one it says: else nothing would be looked at
    if (size >= 48) {
        std::memcpy(sha256.bytes.data(), data + 16, 32);
    }
    const auto index = ChunkIndex::parse(bytes, sha256);
    if (!index) {
        return 0;
    }
    for (std::uint32_t i = 0; i < index->chunk_count(); ++i) {
        const auto chunk = index->chunk(i);
        if (!chunk) {
            continue;
        }
        LOCARA_ASSERT(chunk->size > 0 && chunk->offset + chunk->size <= index->file_size());
        LOCARA_ASSERT(index->is_at(i, chunk->hash));
        if (const auto found = index->find(chunk->hash)) {
            LOCARA_ASSERT(index->is_at(*found, chunk->hash));
        }
        (void)index->find(locara::xet::XorbHash{chunk->hash.bytes}, i);
    }
    const auto file = index->load();
    LOCARA_ASSERT(file.has_value() == index->verify().has_value());
    if (file) {
        locara::Bytes again;
        LOCARA_ASSERT(ChunkIndex::render(*file, [&](locara::ByteView piece) {
                          again.insert(again.end(), piece.begin(), piece.end());
                          return locara::Status{};
                      }).has_value());
        LOCARA_ASSERT(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
        const auto chunks = file->chunks.load();
        for (const auto& chunk : *chunks) {
            LOCARA_ASSERT(index->find(chunk.hash));
            if (chunk.xorb != locara::store::IndexedFile::kNoXorb) {
                LOCARA_ASSERT(index->find(file->xorbs[chunk.xorb], chunk.index));
            }
        }
    }
    return 0;
}
