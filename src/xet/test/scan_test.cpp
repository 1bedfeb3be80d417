// The fast ways to the cuts against the plain one, which is written down here once more.
#include "gear.hpp"
#include "inputs.hpp"
#include "scan.hpp"

#include <locara/base/file.hpp>
#include <locara/test_support/folders.hpp>
#include <locara/xet/chunker.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>

#include <fcntl.h>

namespace locara::xet {
namespace {

using Cuts = std::vector<std::size_t>;

/// Byte by byte, each chunk from an empty hash, as the specification says.
Cuts plain_cuts(ByteView bytes) {
    Cuts cuts;
    std::size_t start = 0;
    std::uint64_t gear = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        gear = 2 * gear + kGearTable[std::to_integer<std::size_t>(bytes[i])];
        const std::size_t length = i + 1 - start;
        if ((length >= kMinChunkBytes && gear < kGearLimit) || length == kMaxChunkBytes) {
            cuts.push_back(i + 1);
            start = i + 1;
            gear = 0;
        }
    }
    if (start < bytes.size()) {
        cuts.push_back(bytes.size());
    }
    return cuts;
}

/// By scans of `window` offsets each, the first of `head` offsets, and walks over them.
Cuts cuts_by_scan(ByteView bytes, std::size_t head, std::size_t window, ScanPath path) {
    Cuts cuts;
    Scan found;
    std::size_t start = 0;
    std::size_t first = kMinChunkBytes;
    for (std::size_t size = head; first <= bytes.size(); size = window) {
        const std::size_t last = std::min(first + size - 1, bytes.size());
        scan(bytes.data(), first, last, found, path);
        Walk walk(bytes.data(), found, start);
        while (const auto cut = walk.next()) {
            cuts.push_back(*cut);
        }
        start = walk.start();
        first = last + 1;
    }
    if (start < bytes.size()) {
        cuts.push_back(bytes.size());
    }
    return cuts;
}

Cuts ends(const std::vector<Chunk>& chunks) {
    Cuts cuts;
    for (const Chunk& chunk : chunks) {
        cuts.push_back(chunk.offset + chunk.length);
    }
    return cuts;
}

Cuts cuts_by_stream(ByteView bytes, std::size_t head, std::size_t block) {
    Cuts cuts;
    const auto sink = [&](const Chunk& chunk, ByteView raw) -> Status {
        EXPECT_TRUE(std::ranges::equal(raw, bytes.subspan(chunk.offset, chunk.length)));
        cuts.push_back(chunk.offset + chunk.length);
        return {};
    };
    Chunker chunker;
    std::size_t size = head;
    for (std::size_t at = 0; at < bytes.size(); size = block) {
        const std::size_t now = std::min(size, bytes.size() - at);
        EXPECT_TRUE(chunker.update(bytes.subspan(at, now), sink));
        at += now;
    }
    EXPECT_TRUE(chunker.finish(sink));
    return cuts;
}

class FileOf {
  public:
    explicit FileOf(ByteView bytes)
        : folder_(TempFolder::create("/tmp", "locara-scan-").value()),
          fd_(open_file(folder_.path() / "file", O_RDWR | O_CREAT).value()) {
        EXPECT_TRUE(write_all_at(fd_, 0, bytes));
    }

    std::vector<Chunk> chunks(std::size_t threads) const {
        const auto index = index_file(fd_, {.threads = static_cast<unsigned>(threads)});
        return index.value().chunks.load().value();
    }

  private:
    TempFolder folder_;
    Fd fd_;
};

/// Every way must give the plain way's cuts. `salt` varies how windows and blocks fall.
void expect_plain_cuts(ByteView bytes, std::size_t salt) {
    const Cuts want = plain_cuts(bytes);
    SplitMix random(salt);
    const std::size_t head = 1 + random.below(300'000);
    const std::size_t window = 1 + random.below(20'000);
    const std::size_t large = 100'000 + random.below(400'000);
    EXPECT_EQ(cuts_by_scan(bytes, head, window, ScanPath::Plain), want);
    EXPECT_EQ(cuts_by_scan(bytes, head, window, ScanPath::Lanes), want);
    EXPECT_EQ(cuts_by_scan(bytes, window, large, ScanPath::Lanes), want);
    EXPECT_EQ(cuts_by_stream(bytes, head, window), want);
    EXPECT_EQ(cuts_by_stream(bytes, window, large), want);
    const auto chunks = chunk_bytes(bytes);
    EXPECT_EQ(ends(chunks), want);
    for (const Chunk& chunk : chunks) {
        EXPECT_EQ(chunk.hash, chunk_hash(bytes.subspan(chunk.offset, chunk.length)));
    }
    const FileOf file(bytes);
    EXPECT_EQ(file.chunks(1), chunks);
    EXPECT_EQ(file.chunks(2 + salt % 3), chunks);
}

/// Windows of kGearWindow bytes after each of which is a candidate.
const std::vector<Bytes>& candidate_windows() {
    static const std::vector<Bytes> kWindows = [] {
        const Bytes noise = random_bytes(99, 3U << 20U);
        Scan found;
        scan(noise.data(), kGearWindow, noise.size(), found, ScanPath::Plain);
        std::vector<Bytes> windows;
        for (const Candidate& candidate : found.candidates) {
            const auto end = noise.begin() + static_cast<std::ptrdiff_t>(candidate.offset);
            windows.emplace_back(end - kGearWindow, end);
        }
        return windows;
    }();
    return kWindows;
}

/// Makes `offset` a candidate.
void plant(Bytes& bytes, std::size_t offset, SplitMix& random) {
    const auto& windows = candidate_windows();
    if (offset >= kGearWindow && offset <= bytes.size()) {
        const Bytes& window = windows[random.below(windows.size())];
        std::ranges::copy(window,
                          bytes.begin() + static_cast<std::ptrdiff_t>(offset - kGearWindow));
    }
}

/// Candidates where decisions are close: around the minimum and the maximum behind each cut, and
/// around the borders of the windows and blocks of the implementation.
Bytes adversarial_bytes(std::size_t size, SplitMix& random) {
    Bytes bytes = random.below(2) == 0 ? Bytes(size) : random_bytes(random.next(), size);
    std::size_t start = 0;
    while (start < size) {
        const std::size_t near = random.below(2) == 0 ? kMinChunkBytes : kMaxChunkBytes;
        const std::size_t count = random.below(4);
        for (std::size_t i = 0; i < count; ++i) {
            plant(bytes, start + near + random.below(400) - 200, random);
        }
        if (random.below(3) == 0) {
            const std::size_t block = std::size_t{1} << (12 + random.below(8));
            plant(bytes, (start / block + 1) * block + random.below(400) - 200, random);
        }
        start += std::min(near, kMinChunkBytes + random.below(kMaxChunkBytes));
    }
    return bytes;
}

/// Rounds of a campaign: a few in the ordinary run, as many as told in a soak.
std::size_t rounds(std::size_t ordinary) {
    const char* soak = std::getenv("LOCARA_XET_SOAK_MIB"); // NOLINT(concurrency-mt-unsafe)
    return soak == nullptr ? ordinary : std::max<std::size_t>(ordinary, std::stoul(soak) / 4);
}

TEST(GearTest, the_table_is_that_of_the_specification) {
    const auto text = read_file(test_support::data_dir() / "gear-table.json", 1U << 20U);
    const auto rows = nlohmann::json::parse(text.value());
    ASSERT_EQ(rows.size(), kGearTable.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        EXPECT_EQ(kGearTable.at(i), std::stoull(rows[i].get<std::string>(), nullptr, 16)) << i;
    }
}

TEST(ScanTest, random_bytes_give_the_plain_cuts) {
    for (std::size_t round = 0; round < rounds(3); ++round) {
        SCOPED_TRACE(round);
        expect_plain_cuts(random_bytes(1000 + round, (2U << 20U) + round * 77'777 % 1'000'000),
                          round);
        ASSERT_FALSE(testing::Test::HasFailure());
    }
}

TEST(ScanTest, close_decisions_give_the_plain_cuts) {
    for (std::size_t round = 0; round < rounds(8); ++round) {
        SCOPED_TRACE(round);
        SplitMix random(round);
        expect_plain_cuts(adversarial_bytes((2U << 20U) + random.below(100'000), random), round);
        ASSERT_FALSE(testing::Test::HasFailure());
    }
}

TEST(ScanTest, tiled_patterns_give_the_plain_cuts) {
    const auto rows = nlohmann::json::parse(
        read_file(test_support::data_dir() / "trigger-patterns.json", 1U << 20U).value());
    Bytes pattern;
    for (const int value : rows["pattern"]) {
        pattern.push_back(static_cast<std::byte>(value));
    }
    // 64 windows behind each other: more candidates than any real data has.
    Bytes dense;
    for (const Bytes& window : candidate_windows()) {
        dense.insert(dense.end(), window.begin(), window.end());
    }
    for (std::size_t padding = 0; padding < 128; padding += 9) {
        SCOPED_TRACE(padding);
        expect_plain_cuts(tiled(pattern, padding, 700'000), padding);
        expect_plain_cuts(tiled(dense, padding, 700'000), padding);
    }
}

TEST(ScanTest, equal_bytes_give_the_plain_cuts) {
    for (const int value : {0, 59, 255}) {
        expect_plain_cuts(Bytes(1'500'000, static_cast<std::byte>(value)), 3);
    }
}

TEST(ScanTest, windows_may_begin_anywhere) {
    SplitMix random(5);
    const Bytes bytes = adversarial_bytes(300'000, random);
    const Cuts want = plain_cuts(bytes);
    for (std::size_t head = 1; head <= 200; ++head) {
        EXPECT_EQ(cuts_by_scan(bytes, head, 70'000, ScanPath::Lanes), want) << head;
        EXPECT_EQ(cuts_by_stream(bytes, kMinChunkBytes - 100 + head, 280'000), want) << head;
    }
}

TEST(ScanTest, chunks_go_over_the_borders_of_blocks) {
    constexpr std::size_t block = 512U << 10U; // of index_file
    for (std::size_t distance = 0; distance <= 200; distance += 5) {
        Bytes bytes(2 * block + 1000);
        SplitMix random(distance);
        plant(bytes, block - kMinChunkBytes - 100 + distance, random);
        plant(bytes, block - 100 + distance, random);
        const FileOf file(bytes);
        EXPECT_EQ(ends(file.chunks(1 + distance % 3)), plain_cuts(bytes)) << distance;
    }
}

} // namespace
} // namespace locara::xet
