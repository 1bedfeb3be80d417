#include <locara/base/spill.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <random>

#include <sys/resource.h>

namespace locara {
namespace {

struct Record {
    std::uint64_t key = 0;
    std::uint32_t number = 0;

    auto operator<=>(const Record&) const = default;
};

class SpillTest : public testing::Test {
  protected:
    TempFolder folder =
        TempFolder::create(std::filesystem::temp_directory_path(), "locara-spill-").value();

    std::size_t names() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(folder.path()), {}));
    }
};

TEST_F(SpillTest, bytes_come_back_from_memory_and_from_the_file) {
    std::mt19937 random(1);
    Bytes all;
    SpillBytes spilled(folder.path());
    while (all.size() < 5 * SpillBytes::kMemoryBytes) {
        Bytes some(random() % 100'000);
        for (std::byte& one : some) {
            one = static_cast<std::byte>(random());
        }
        ASSERT_TRUE(spilled.add(some));
        all.insert(all.end(), some.begin(), some.end());
        ASSERT_EQ(spilled.size(), all.size());
        for (int i = 0; i < 20; ++i) {
            const std::size_t first = random() % (all.size() + 1);
            Bytes got(random() % (all.size() - first + 1));
            ASSERT_TRUE(spilled.read(first, got));
            ASSERT_TRUE(std::equal(
                got.begin(), got.end(), all.begin() + static_cast<std::ptrdiff_t>(first)));
        }
    }
    EXPECT_EQ(names(), 0U) << "a file that is killed with its owner has no name";
}

TEST_F(SpillTest, a_short_list_needs_no_folder) {
    Spill<Record> list("/nowhere");
    ASSERT_TRUE(list.empty());
    ASSERT_TRUE(list.add({7, 1}) && list.add({5, 2}));
    EXPECT_EQ(list.size(), 2U);
    EXPECT_EQ(*list.get(1), (Record{5, 2}));
    EXPECT_EQ(*list.load(), (std::vector<Record>{{7, 1}, {5, 2}}));
    Status added;
    for (std::uint32_t i = 0; added && i < 100'000; ++i) {
        added = list.add({i, i});
    }
    ASSERT_FALSE(added);
    EXPECT_NE(added.error().describe().find("/nowhere"), std::string::npos);
}

TEST_F(SpillTest, readers_see_every_record_of_their_range_once) {
    Spill<Record> list(folder.path());
    constexpr std::uint32_t kCount = 20'000;
    for (std::uint32_t i = 0; i < kCount; ++i) {
        ASSERT_TRUE(list.add({i * 3U, i}));
    }
    SpillReader<Record> reader(list, 100, kCount - 7);
    for (std::uint32_t i = 100; i < kCount - 7; ++i) {
        const Record* const one = *reader.next();
        ASSERT_TRUE(one != nullptr && one->number == i && one->key == i * 3U);
    }
    EXPECT_EQ(*reader.next(), nullptr);
}

TEST_F(SpillTest, sorted_records_come_out_in_order_however_many_runs_they_are) {
    for (const std::uint32_t count : {0U, 1U, 1000U, 32'768U, 32'769U, 500'000U}) {
        std::mt19937 random(count);
        SpillSorter<Record> sorter(folder.path());
        std::vector<Record> all;
        for (std::uint32_t i = 0; i < count; ++i) {
            all.push_back({random() % 1000, i}); // many keys are equal
            ASSERT_TRUE(sorter.add(all.back()));
        }
        ASSERT_TRUE(sorter.sort());
        std::sort(all.begin(), all.end());
        for (const Record& one : all) {
            const auto next = sorter.next();
            ASSERT_TRUE(next && *next && **next == one);
        }
        EXPECT_FALSE(*sorter.next());
    }
    EXPECT_EQ(names(), 0U);
}

TEST_F(SpillTest, a_disk_that_is_full_is_an_error_with_the_folder) {
    // A limit on the size of files stands in for a small disk; the error is EFBIG there.
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const rlimit small{100'000, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    SpillBytes spilled(folder.path());
    const Bytes some(SpillBytes::kMemoryBytes);
    EXPECT_TRUE(spilled.add(some));
    const Status full = spilled.add(some);
    ::setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_FALSE(full);
    EXPECT_NE(full.error().describe().find(folder.path().string()), std::string::npos);
}

} // namespace
} // namespace locara
