// Part::copy_chunks: taking chunks from other files of the store.
#include "store_test_folder.hpp"

#include <locara/base/clock.hpp>
#include <locara/xet/chunker.hpp>

#include <chrono>
#include <cstdlib>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace locara::store {
namespace {

using namespace std::chrono_literals;

/// Copies everything of `text` that the store's other files have, run by run, as a pull does.
Part::Copied copy_all(const Store& store, Part& part, const std::string& text) {
    const auto finder = store.open_finder().value();
    Part::Copied sum;
    std::vector<FoundChunk> run;
    std::uint64_t begin = 0;
    const auto flush = [&] {
        const auto copied = part.copy_chunks(begin, store, run);
        EXPECT_TRUE(copied) << copied.error().describe();
        sum.bytes += copied->bytes;
        sum.shared += copied->shared;
        sum.bad += copied->bad;
        run.clear();
    };
    for (const xet::Chunk& chunk : xet::chunk_bytes(as_bytes(text))) {
        const auto found = finder.find(chunk.hash, run.empty() ? nullptr : &run.back());
        if (!found || (!run.empty() && !run.back().is_before(*found))) {
            flush();
        }
        if (found) {
            if (run.empty()) {
                begin = chunk.offset;
            }
            run.push_back(*found);
        }
    }
    flush();
    return sum;
}

class CopyTest : public StoreFolder {
  protected:
    void SetUp() override {
        base = store.put_bytes(as_bytes(old))->digest;
        ASSERT_TRUE(store.make_index(base));
    }

    const std::string old = random_text(2'000'000);
    /// 12 KiB changed in the middle, 100 bytes put in before the last part.
    const std::string text = old.substr(0, 900'000) + random_text(12'288, 2) +
                             old.substr(912'288, 600'000) + random_text(100, 3) +
                             old.substr(1'512'288);
    const Digest digest = digest_of(text);
    Digest base;
};

TEST_F(CopyTest, copies_what_is_here_and_leaves_the_rest_to_be_fetched) {
    Part part = part_of(digest, text.size());
    const auto copied = copy_all(store, part, text);
    EXPECT_EQ(copied.bad, 0U);
    EXPECT_EQ(part.received_bytes(), copied.bytes);
    EXPECT_GT(copied.bytes, text.size() - 600'000) << "a change costs the chunks it touches";
    std::uint64_t fetched = 0;
    for (const Span& gap : part.missing()) {
        ASSERT_TRUE(
            part.write(gap.first, as_bytes(std::string_view(text).substr(gap.first, gap.size()))));
        fetched += gap.size();
    }
    EXPECT_EQ(fetched + copied.bytes, text.size());
    ASSERT_TRUE(part.publish());
    EXPECT_EQ(content(store, digest), text);
    EXPECT_EQ(content(store, base), old);
}

TEST_F(CopyTest, copied_chunks_are_journaled_as_written_bytes_are) {
    std::uint64_t bytes = 0;
    {
        Part part = part_of(digest, text.size());
        part.set_pace({1U << 30U, 1h});
        bytes = copy_all(store, part, text).bytes;
        ASSERT_TRUE(part.checkpoint());
    }
    EXPECT_EQ(store.list_parts()->at(0).received_bytes, bytes);
    Part part = part_of(digest, text.size());
    EXPECT_EQ(part.reused_bytes(), bytes);
    EXPECT_EQ(copy_all(store, part, text).bytes, 0U) << "they are here already";
}

TEST_F(CopyTest, a_chunk_that_went_bad_is_left_out_and_may_be_fetched) {
    const auto chunks = xet::chunk_bytes(as_bytes(old));
    ASSERT_GT(chunks.size(), 3U);
    const Fd fd = locara::open_file(*store.path_of(base), O_RDWR).value();
    ASSERT_TRUE(write_all_at(fd, chunks[2].offset + 10, as_bytes("bad")));
    // A whole run, as if the new file were the old one with another name.
    const auto finder = store.open_finder().value();
    std::vector<FoundChunk> run;
    for (const xet::Chunk& chunk : chunks) {
        run.push_back(*finder.find(chunk.hash));
    }
    const std::string longer = old + "!";
    Part part = part_of(digest_of(longer), longer.size());
    const auto copied = part.copy_chunks(0, store, run);
    ASSERT_TRUE(copied) << copied.error().describe();
    EXPECT_EQ(copied->bad, chunks[2].length);
    EXPECT_EQ(copied->bytes, old.size() - chunks[2].length);
    EXPECT_EQ(part.missing(),
              (std::vector<Span>{{chunks[2].offset, chunks[2].offset + chunks[2].length},
                                 {old.size(), longer.size()}}));
    ASSERT_TRUE(part.write(0, as_bytes(longer)));
    ASSERT_TRUE(part.publish());
    EXPECT_EQ(content(store, digest_of(longer)), longer);
}

TEST_F(CopyTest, a_source_that_ends_early_costs_only_its_last_chunks) {
    const auto finder = store.open_finder().value();
    std::vector<FoundChunk> run;
    for (const xet::Chunk& chunk : xet::chunk_bytes(as_bytes(old))) {
        run.push_back(*finder.find(chunk.hash));
    }
    ASSERT_EQ(::truncate(store.path_of(base)->c_str(), static_cast<off_t>(run[3].offset + 5)), 0);
    Part part = part_of(digest, text.size());
    const auto copied = part.copy_chunks(0, store, run);
    ASSERT_TRUE(copied) << copied.error().describe();
    EXPECT_EQ(copied->bytes, run[3].offset);
    EXPECT_EQ(copied->bad, old.size() - run[3].offset);
}

TEST_F(CopyTest, refuses_what_is_no_run_or_does_not_fit) {
    const auto finder = store.open_finder().value();
    const auto chunks = xet::chunk_bytes(as_bytes(old));
    std::vector<FoundChunk> run = {*finder.find(chunks[0].hash), *finder.find(chunks[2].hash)};
    Part part = part_of(digest, text.size());
    EXPECT_EQ(part.copy_chunks(0, store, run).error().code(), ErrorCode::InvalidArgument);
    run.pop_back();
    EXPECT_EQ(part.copy_chunks(text.size() - 1, store, run).error().code(),
              ErrorCode::InvalidArgument);
    EXPECT_EQ(part.copy_chunks(0, store, {})->bytes, 0U);
    ASSERT_TRUE(store.remove(base));
    EXPECT_EQ(part.copy_chunks(0, store, run).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(part.received_bytes(), 0U);
}

/// A store on a file system that can share blocks.
class SharingDisk : public testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        const std::string image = (folder.path() / "image").string();
        const std::string disk_text = disk.string();
        const std::string kind = GetParam();
        const std::string make = kind == "xfs" ? "mkfs.xfs -q -m reflink=1 " : "mkfs.btrfs -q ";
        std::filesystem::create_directory(disk);
        const std::string command = "truncate -s 320M " + image + " && " + make + image +
                                    " && mount -o loop " + image + " " + disk_text;
        if (::geteuid() != 0 || std::system((command + " > /dev/null 2>&1").c_str()) != 0) {
            GTEST_SKIP() << "needs mkfs." << kind << " and the right to mount (run as root)";
        }
        mounted = true;
    }

    void TearDown() override {
        if (mounted) {
            EXPECT_EQ(std::system(("umount " + disk.string()).c_str()), 0);
        }
    }

    void expect_given_back(std::uint64_t free_before, std::uint64_t bytes) const;

    TempFolder folder = TempFolder::create(image_folder(), "locara-disk-").value();
    std::filesystem::path disk = folder.path() / "disk";
    bool mounted = false;
};

INSTANTIATE_TEST_SUITE_P(, SharingDisk, testing::Values("btrfs", "xfs"), [](const auto& one) {
    return std::string(one.param);
});

std::uint64_t free_after_sync(const std::filesystem::path& path) {
    const Fd fd = locara::open_file(path, O_RDONLY | O_DIRECTORY).value();
    ::syncfs(fd.get());
    return free_disk_bytes(path).value();
}

/// Metadata of the file system itself may come and go beside the blocks of files, and btrfs and XFS
/// free behind the back of who removes.
void SharingDisk::expect_given_back(std::uint64_t free_before, std::uint64_t bytes) const {
    constexpr std::uint64_t kMetadata = 512U << 10U;
    const auto until = std::chrono::steady_clock::now() + 10s;
    std::uint64_t given = free_after_sync(disk) - free_before;
    while (given + kMetadata < bytes && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(10ms);
        given = free_after_sync(disk) - free_before;
    }
    EXPECT_GE(given + kMetadata, bytes);
    EXPECT_LE(given, bytes + kMetadata);
}

TEST_P(SharingDisk, shares_the_blocks_of_chunks_that_lie_alike) {
    Store store = Store::open(disk / "store").value();
    const std::string old = random_text(12'000'000);
    std::string text = old;
    text.replace(6'000'000, 8192, random_text(8192, 2)); // same length: the rest lies alike
    ASSERT_TRUE(store.make_index(store.put_bytes(as_bytes(old))->digest));
    const std::uint64_t before = free_after_sync(disk);
    auto opened = store.open_part(digest_of(text), text.size());
    ASSERT_TRUE(opened);
    {
        Part& part = std::get<Part>(*opened);
        const auto copied = copy_all(store, part, text);
        EXPECT_EQ(copied.bad, 0U);
        EXPECT_GT(copied.shared, 11'500'000U);
        ASSERT_TRUE(part.write(0, as_bytes(text)));
        ASSERT_TRUE(part.publish());
    }
    EXPECT_EQ(read_file(*store.path_of(digest_of(text)), 1U << 30U).value(), text);
    const std::uint64_t taken = before - free_after_sync(disk);
    EXPECT_LT(taken, 2'000'000U) << "a second file of 12 MB";
    EXPECT_GT(store.usage()->shared_bytes, 2 * 11'500'000U) << "counted in both files";
    // Writing to neither is possible, but removing one leaves the other whole.
    ASSERT_TRUE(store.remove(digest_of(old)));
    EXPECT_EQ(read_file(*store.path_of(digest_of(text)), 1U << 30U).value(), text);
}

TEST_P(SharingDisk, a_dry_run_of_garbage_collection_says_what_the_real_one_gives_back) {
    Store store = Store::open(disk / "store").value();
    // Three versions that share most of their blocks, and a file that was adopted by reflink.
    std::vector<std::string> versions = {random_text(8'000'000)};
    ASSERT_TRUE(store.make_index(store.put_bytes(as_bytes(versions[0]))->digest));
    for (unsigned i = 1; i < 3; ++i) {
        versions.push_back(versions.back());
        versions.back().replace(i * 2'000'000, 8192, random_text(8192, i + 1));
        auto opened = store.open_part(digest_of(versions[i]), versions[i].size());
        ASSERT_TRUE(opened);
        Part& part = std::get<Part>(*opened);
        EXPECT_GT(copy_all(store, part, versions[i]).shared, 7'000'000U);
        ASSERT_TRUE(part.write(0, as_bytes(versions[i])));
        ASSERT_TRUE(part.publish());
        ASSERT_TRUE(store.make_index(digest_of(versions[i])));
    }
    const std::string foreign = random_text(4'000'000, 9);
    ASSERT_TRUE(write_file_atomically(disk / "foreign", as_bytes(foreign)));
    ASSERT_TRUE(store.adopt(disk / "foreign"));
    free_after_sync(disk);
    FakeClock later(system_clock().now() + std::chrono::hours(24 * 8));
    GcOptions options;
    options.clock = &later;
    options.adopted = GcOptions::Adopted::Collect;
    // First with one version that stays, then with none.
    for (const std::set<Digest>& roots : {std::set<Digest>{digest_of(versions[1])}, {}}) {
        options.roots = [&]() -> Result<std::set<Digest>> { return roots; };
        options.dry_run = GcOptions::DryRun::Yes;
        const auto would = store.collect_garbage(options);
        ASSERT_TRUE(would) << would.error().describe();
        const std::uint64_t before = free_after_sync(disk);
        options.dry_run = GcOptions::DryRun::No;
        const auto did = store.collect_garbage(options);
        ASSERT_TRUE(did) << did.error().describe();
        // btrfs gives back whole extents only, of which FIEMAP shows parts.
        const std::uint64_t slack = std::string_view(GetParam()) == "btrfs" ? 512U << 10U : 0;
        const auto expect_same = [&](std::uint64_t one, std::uint64_t other) {
            EXPECT_LE(one, other + slack);
            EXPECT_GE(one + slack, other);
        };
        expect_same(would->freed_bytes, did->freed_bytes);
        ASSERT_EQ(would->items.size(), did->items.size());
        for (std::size_t i = 0; i < did->items.size(); ++i) {
            EXPECT_EQ(would->items[i].path, did->items[i].path);
            expect_same(would->items[i].freed_bytes, did->items[i].freed_bytes);
        }
        expect_given_back(before, did->freed_bytes);
        const bool last = roots.empty();
        EXPECT_GT(did->freed_bytes, last ? 8'000'000U : 0U);
        EXPECT_LT(did->freed_bytes, last ? 8'700'000U : 1'000'000U);
    }
}

} // namespace
} // namespace locara::store
