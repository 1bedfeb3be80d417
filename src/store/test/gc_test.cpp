#include "store_test_folder.hpp"

#include <algorithm>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

namespace locara::store {
namespace {

using namespace std::chrono_literals;
using Kind = GcItem::Kind;

class GcTest : public StoreFolder {
  protected:
    GcOptions options_for(std::set<Digest> roots) const {
        GcOptions options;
        options.roots = [roots = std::move(roots)] { return roots; };
        options.clock = &later;
        return options;
    }

    Digest put(const std::string& text) { return store.put_bytes(as_bytes(text))->digest; }

    void begin_part(const std::string& text) {
        Part part = part_of(digest_of(text), text.size());
        ASSERT_TRUE(part.write(0, as_bytes(text.substr(0, text.size() / 2))));
        ASSERT_TRUE(part.checkpoint());
    }

    static std::size_t count(const GcReport& report, Kind kind) {
        return static_cast<std::size_t>(
            std::count_if(report.items.begin(), report.items.end(), [&](const GcItem& item) {
                return item.kind == kind;
            }));
    }

    FakeClock later{system_clock().now() + std::chrono::hours(24 * 8)};
};

TEST_F(GcTest, removes_what_nothing_names_and_keeps_the_rest) {
    const Digest pinned = put("pinned");
    const Digest loose = put(random_text(300'000));
    ASSERT_TRUE(store.make_index(pinned));
    ASSERT_TRUE(store.make_index(loose));
    begin_part("a part of something");
    begin_part("a part of a pinned file");
    const Digest bad = put("damaged");
    ASSERT_EQ(::truncate(store.path_of(bad)->c_str(), 3), 0);
    ASSERT_FALSE(store.verify(bad));
    ASSERT_TRUE(write_file_atomically(root / "parts" / "x.tmp-abcdef", as_bytes("left over")));

    auto options = options_for({pinned, digest_of("a part of a pinned file")});
    options.dry_run = GcOptions::DryRun::Yes;
    const auto plan = store.collect_garbage(options);
    ASSERT_TRUE(plan) << plan.error().describe();
    EXPECT_TRUE(store.has(loose)) << "a dry run removes nothing";
    options.dry_run = GcOptions::DryRun::No;
    const auto report = store.collect_garbage(options);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->items.size(), plan->items.size());
    EXPECT_EQ(report->freed_bytes, plan->freed_bytes);
    EXPECT_EQ(count(*report, Kind::File), 1U);
    EXPECT_EQ(count(*report, Kind::Index), 1U);
    EXPECT_EQ(count(*report, Kind::Part), 1U);
    EXPECT_EQ(count(*report, Kind::Quarantine), 1U);
    EXPECT_EQ(count(*report, Kind::Temporary), 1U);
    EXPECT_TRUE(store.has(pinned));
    EXPECT_TRUE(store.open_index(pinned));
    EXPECT_FALSE(store.has(loose));
    ASSERT_EQ(store.list_parts()->size(), 1U);
    EXPECT_EQ(store.list_parts()->at(0).digest, digest_of("a part of a pinned file"));
    EXPECT_TRUE(store.collect_garbage(options)->items.empty()) << "nothing is left to do";
}

TEST_F(GcTest, what_is_young_stays) {
    put("just pulled");
    begin_part("just begun");
    auto options = options_for({});
    options.clock = &system_clock();
    auto report = store.collect_garbage(options);
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->items.empty());
    EXPECT_EQ(report->kept_young, 2U);
    FakeClock tomorrow(system_clock().now() + 24h);
    options.clock = &tomorrow;
    report = store.collect_garbage(options);
    EXPECT_EQ(count(*report, Kind::File), 1U);
    EXPECT_EQ(count(*report, Kind::Part), 0U) << "parts stay for a week";
    options.min_part_age = 1h;
    EXPECT_EQ(count(*store.collect_garbage(options), Kind::Part), 1U);
}

TEST_F(GcTest, runs_alone_and_asks_for_roots_only_then) {
    {
        const auto use = store.use();
        ASSERT_TRUE(use);
        ASSERT_TRUE(store.use()) << "any number of pulls at once";
        auto options = options_for({});
        bool asked = false;
        options.roots = [&]() -> Result<std::set<Digest>> {
            asked = true;
            return std::set<Digest>();
        };
        EXPECT_EQ(store.collect_garbage(options).error().code(), ErrorCode::Busy);
        EXPECT_FALSE(asked);
    }
    auto options = options_for({});
    options.roots = [this]() -> Result<std::set<Digest>> {
        std::stop_source stop;
        stop.request_stop();
        EXPECT_EQ(store.use(stop.get_token()).error().code(), ErrorCode::Cancelled)
            << "nobody begins while a collection runs";
        return Error(ErrorCode::Corrupt, "a lockfile cannot be read");
    };
    put("kept since nobody knows");
    EXPECT_EQ(store.collect_garbage(options).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(store.list()->size(), 1U);
}

TEST_F(GcTest, a_part_that_somebody_works_on_stays) {
    Part part = part_of(digest_of("busy"), 4);
    const auto report = store.collect_garbage(options_for({}));
    ASSERT_TRUE(report);
    EXPECT_EQ(report->kept_busy, 1U);
    EXPECT_TRUE(part.write(0, as_bytes("busy")));
    EXPECT_TRUE(part.publish());
}

TEST_F(GcTest, a_quarantined_file_that_can_be_repaired_stays_while_an_app_needs_it) {
    const std::string text = random_text(300'000);
    const Digest digest = put(text);
    ASSERT_TRUE(store.make_index(digest));
    ASSERT_EQ(::truncate(store.path_of(digest)->c_str(), 250'000), 0);
    ASSERT_FALSE(store.verify(digest));
    EXPECT_TRUE(store.collect_garbage(options_for({digest}))->items.empty());
    EXPECT_EQ(store.collect_garbage(options_for({}))->items.size(), 2U) << "with its index";
}

TEST_F(GcTest, bytes_with_another_name_are_not_counted) {
    const Digest digest = put(random_text(100'000));
    std::filesystem::create_hard_link(*store.path_of(digest), folder.path() / "other");
    const auto report = store.collect_garbage(options_for({}));
    ASSERT_EQ(report->items.size(), 1U);
    EXPECT_EQ(report->items[0].size, 100'000U);
    EXPECT_EQ(report->freed_bytes, 0U);
    EXPECT_TRUE(std::filesystem::exists(folder.path() / "other"));
}

/// On a file system of its own, where nobody else changes the free space.
class OwnDisk : public testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        std::filesystem::create_directory(disk);
        const std::string image = (folder.path() / "image").string();
        const std::string command = "truncate -s 64M " + image + " && mkfs." + GetParam() + " -q " +
                                    image + " && mount -o loop " + image + " " + disk.string();
        if (::geteuid() != 0 || std::system((command + " > /dev/null 2>&1").c_str()) != 0) {
            GTEST_SKIP() << "needs mkfs." << GetParam() << " and the right to mount (run as root)";
        }
        mounted = true;
    }

    void TearDown() override {
        if (mounted) {
            EXPECT_EQ(std::system(("umount " + disk.string()).c_str()), 0);
        }
    }

    std::uint64_t free_bytes() const {
        const Fd fd = locara::open_file(disk, O_RDONLY | O_DIRECTORY).value();
        ::syncfs(fd.get());
        return free_disk_bytes(disk).value();
    }

    TempFolder folder = TempFolder::create(image_folder(), "locara-disk-").value();
    std::filesystem::path disk = folder.path() / "disk";
    bool mounted = false;
};

INSTANTIATE_TEST_SUITE_P(, OwnDisk, testing::Values("ext4"), [](const auto& one) {
    return std::string(one.param);
});

TEST_P(OwnDisk, freed_bytes_are_what_the_file_system_gives_back) {
    Store store = Store::open(disk / "store").value();
    const auto put = [&](std::size_t size, unsigned seed) {
        return store.put_bytes(as_bytes(random_text(size, seed)))->digest;
    };
    const Digest kept = put(3'000'000, 1);
    const Digest linked = put(5'000'000, 2);
    std::filesystem::create_hard_link(*store.path_of(linked), disk / "other");
    ASSERT_TRUE(store.make_index(put(7'000'001, 3)));
    put(1, 4);
    {
        auto opened = store.open_part(digest_of("x"), 20'000'000);
        ASSERT_TRUE(std::get<Part>(*opened).write(9'000'000, as_bytes(random_text(2'000'000))));
        ASSERT_TRUE(std::get<Part>(*opened).checkpoint());
    }
    FakeClock later(system_clock().now() + std::chrono::hours(24 * 8));
    GcOptions options;
    options.clock = &later;
    options.roots = [&]() -> Result<std::set<Digest>> { return std::set<Digest>{kept}; };
    const std::uint64_t before = free_bytes();
    const auto report = store.collect_garbage(options);
    ASSERT_TRUE(report) << report.error().describe();
    EXPECT_EQ(free_bytes() - before, report->freed_bytes);
    EXPECT_GT(report->freed_bytes, 27'000'000U) << "of a part also what is reserved";
    EXPECT_LT(report->freed_bytes, 27'700'000U) << "the linked file is not counted";
}

} // namespace
} // namespace locara::store
