// What every backend promises, tried on each.
#include <locara/cas/backend.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::cas {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr TimePoint kStart{std::chrono::seconds(1'800'000'000)};

Key key(std::string_view text) {
    return Key::parse(text).value();
}

TEST(KeyTest, parse_takes_plain_paths_and_nothing_that_could_leave_the_folder) {
    for (const char* good : {"a", "xorbs/ab/abcd", "a-b_c.d/0", "x/y.z"}) {
        ASSERT_TRUE(Key::parse(good)) << good;
        EXPECT_EQ(key(good).render(), good);
    }
    EXPECT_TRUE(Key::parse(std::string(255, 'k')));
    const std::string nul("a\0b", 3);
    for (const std::string& bad : {std::string(),
                                   std::string("/a"),
                                   std::string("a/"),
                                   std::string("a//b"),
                                   std::string(".."),
                                   std::string("a/../b"),
                                   std::string("a/.hidden"),
                                   std::string("A"),
                                   std::string("a b"),
                                   std::string("a\\b"),
                                   std::string("a\n"),
                                   std::string("\xc3\xa4"),
                                   nul,
                                   std::string(256, 'k')}) {
        const auto parsed = Key::parse(bad);
        ASSERT_FALSE(parsed) << bad;
        EXPECT_EQ(parsed.error().code(), ErrorCode::InvalidArgument);
    }
}

struct Kind {
    std::string name;
    std::function<std::unique_ptr<Backend>(const std::filesystem::path&, const Clock&)> make;
    bool has_files = false;
};

class BackendContractTest : public testing::TestWithParam<Kind> {
  protected:
    std::vector<std::string> keys(std::string_view prefix, std::size_t page_size) {
        std::vector<std::string> found;
        std::optional<std::string> after = "";
        while (after) {
            const Page page = backend->list(prefix, *after, page_size).value();
            EXPECT_LE(page.objects.size(), page_size);
            for (const ObjectInfo& object : page.objects) {
                found.push_back(object.key.render());
            }
            after = page.next;
        }
        return found;
    }

    std::string content(const Key& k) {
        const Bytes bytes = read_object(*backend, k, 1U << 20U).value();
        return std::string(as_text(bytes));
    }

    TempFolder folder = TempFolder::create(testing::TempDir(), "backend-").value();
    FakeClock clock{kStart};
    std::unique_ptr<Backend> backend = GetParam().make(folder.path(), clock);
};

TEST_P(BackendContractTest, put_stores_once_and_the_first_bytes_stay) {
    EXPECT_EQ(*backend->put_if_absent(key("a/b"), as_bytes("first")), Put::Stored);
    EXPECT_EQ(*backend->put_if_absent(key("a/b"), as_bytes("second")), Put::Existed);
    EXPECT_EQ(content(key("a/b")), "first");
    EXPECT_EQ(*backend->put_if_absent(key("a/empty"), ByteView()), Put::Stored);
    EXPECT_EQ(content(key("a/empty")), "");
}

TEST_P(BackendContractTest, staged_bytes_become_an_object_or_nothing) {
    {
        Staged staged = backend->stage().value();
        ASSERT_TRUE(staged.append(as_bytes("one ")));
        ASSERT_TRUE(staged.append(as_bytes("two")));
        EXPECT_EQ(staged.size(), 7U);
        std::string back(3, ' ');
        ASSERT_TRUE(read_exactly_at(staged.fd(), 4, std::as_writable_bytes(std::span(back))));
        EXPECT_EQ(back, "two");
        EXPECT_THAT(keys("", 10), IsEmpty()) << "not to be seen before it is put";
        EXPECT_EQ(*backend->put_if_absent(key("x"), std::move(staged)), Put::Stored);
    }
    EXPECT_EQ(content(key("x")), "one two");
    {
        Staged dropped = backend->stage().value();
        ASSERT_TRUE(dropped.append(as_bytes("never put")));
    }
    Staged again = backend->stage().value();
    ASSERT_TRUE(again.append(as_bytes("other bytes")));
    EXPECT_EQ(*backend->put_if_absent(key("x"), std::move(again)), Put::Existed);
    EXPECT_EQ(content(key("x")), "one two");
    EXPECT_THAT(keys("", 10), ElementsAre("x"));
}

TEST_P(BackendContractTest, read_takes_ranges_and_tells_absent_from_too_short) {
    ASSERT_TRUE(backend->put_if_absent(key("o"), as_bytes("0123456789")));
    std::string three(3, ' ');
    const auto buffer = std::as_writable_bytes(std::span(three));
    ASSERT_TRUE(backend->read(key("o"), 7, buffer));
    EXPECT_EQ(three, "789");
    EXPECT_EQ(backend->read(key("o"), 8, buffer).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(backend->read(key("o"), 11, buffer).error().code(), ErrorCode::Corrupt);
    EXPECT_TRUE(backend->read(key("o"), 10, {}));
    EXPECT_EQ(backend->read(key("p"), 0, buffer).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(backend->read(key("o/p"), 0, buffer).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(read_object(*backend, key("o"), 9).error().code(), ErrorCode::TooLarge);
    EXPECT_EQ(read_object(*backend, key("p"), 9).error().code(), ErrorCode::NotFound);
}

TEST_P(BackendContractTest, open_gives_a_file_that_survives_removal_where_there_are_files) {
    ASSERT_TRUE(backend->put_if_absent(key("o"), as_bytes("bytes")));
    auto opened = backend->open(key("o"));
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->has_value(), GetParam().has_files);
    EXPECT_EQ(backend->open(key("p")).error().code(), ErrorCode::NotFound);
    if (*opened) {
        ASSERT_TRUE(backend->remove(key("o")));
        std::string back(5, ' ');
        ASSERT_TRUE(read_exactly_at(**opened, 0, std::as_writable_bytes(std::span(back))));
        EXPECT_EQ(back, "bytes");
        EXPECT_EQ(::pwrite((*opened)->get(), "x", 1, 0), -1) << "read-only";
    }
}

TEST_P(BackendContractTest, find_says_size_and_time) {
    EXPECT_FALSE(backend->find(key("o")).value());
    ASSERT_TRUE(backend->put_if_absent(key("o"), as_bytes("12345")));
    const auto found = backend->find(key("o")).value();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->key, key("o"));
    EXPECT_EQ(found->size, 5U);
    EXPECT_EQ(found->touched, kStart);
    EXPECT_FALSE(backend->find(key("o/p")).value());
}

TEST_P(BackendContractTest, time_moves_with_touch_and_with_a_put_that_finds_the_object) {
    ASSERT_TRUE(backend->put_if_absent(key("o"), as_bytes("x")));
    clock.advance(std::chrono::seconds(100));
    ASSERT_TRUE(backend->touch(key("o")));
    EXPECT_EQ(backend->find(key("o")).value()->touched, kStart + std::chrono::seconds(100));
    clock.advance(std::chrono::seconds(100));
    ASSERT_TRUE(backend->put_if_absent(key("o"), as_bytes("y")));
    EXPECT_EQ(backend->find(key("o")).value()->touched, kStart + std::chrono::seconds(200));
    EXPECT_EQ(backend->touch(key("p")).error().code(), ErrorCode::NotFound);
    EXPECT_FALSE(backend->find(key("p")).value()) << "touch makes nothing";
}

TEST_P(BackendContractTest, list_is_sorted_bytewise_paged_and_cut_by_prefix) {
    const std::vector<std::string> sorted{"a-b",
                                          "a.b",
                                          "a/x/1",
                                          "a/x/2",
                                          "a/x-y",
                                          "a/y",
                                          "a0/z",
                                          "b/1",
                                          "b/10",
                                          "b/2",
                                          "c/d/e",
                                          "c/d/f",
                                          "cc"};
    auto expected = sorted;
    std::sort(expected.begin(), expected.end());
    for (auto it = sorted.rbegin(); it != sorted.rend(); ++it) {
        ASSERT_TRUE(backend->put_if_absent(key(*it), as_bytes(*it)));
    }
    for (const std::size_t size : {1U, 2U, 3U, 5U, 12U, 13U, 1000U}) {
        EXPECT_EQ(keys("", size), expected) << size;
        EXPECT_THAT(keys("b/1", size), ElementsAre("b/1", "b/10"));
        EXPECT_THAT(keys("c/", size), ElementsAre("c/d/e", "c/d/f"));
        EXPECT_THAT(keys("c/d/e", size), ElementsAre("c/d/e"));
        EXPECT_THAT(keys("c/d/e/", size), IsEmpty());
        EXPECT_THAT(keys("zz", size), IsEmpty());
        EXPECT_THAT(keys("a/x", size), ElementsAre("a/x-y", "a/x/1", "a/x/2"));
    }
    // From anywhere, also from between the keys.
    for (const std::string after : {"a/x/1", "a/x/", "a/xx", "b", "b/", "c/d/e", "zz"}) {
        std::vector<std::string> rest;
        std::copy_if(expected.begin(), expected.end(), std::back_inserter(rest), [&](auto& k) {
            return k > after;
        });
        std::vector<std::string> found;
        const Page page = backend->list("", after).value();
        for (const auto& object : page.objects) {
            found.push_back(object.key.render());
        }
        EXPECT_EQ(found, rest) << after;
        EXPECT_FALSE(page.next);
    }
    EXPECT_FALSE(backend->list("", "", expected.size()).value().next) << "exactly full";
    EXPECT_EQ(backend->list("a-b", "").value().objects.front().size, 3U);
}

TEST_P(BackendContractTest, removed_objects_are_gone_and_can_be_put_again) {
    ASSERT_TRUE(backend->put_if_absent(key("d/e/f"), as_bytes("x")));
    ASSERT_TRUE(backend->remove(key("d/e/f")));
    EXPECT_FALSE(backend->find(key("d/e/f")).value());
    EXPECT_THAT(keys("", 10), IsEmpty());
    EXPECT_EQ(backend->remove(key("d/e/f")).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(*backend->put_if_absent(key("d/e/f"), as_bytes("y")), Put::Stored);
    EXPECT_EQ(content(key("d/e/f")), "y");
}

TEST_P(BackendContractTest, remove_if_older_leaves_what_was_touched_since) {
    ASSERT_TRUE(backend->put_if_absent(key("o"), as_bytes("x")));
    EXPECT_EQ(*backend->remove_if_older(key("o"), kStart), Backend::Removed::No);
    const TimePoint later = kStart + std::chrono::seconds(10);
    clock.set(later);
    ASSERT_TRUE(backend->touch(key("o")));
    EXPECT_EQ(*backend->remove_if_older(key("o"), later), Backend::Removed::No);
    EXPECT_EQ(content(key("o")), "x");
    EXPECT_EQ(*backend->remove_if_older(key("o"), later + std::chrono::seconds(1)),
              Backend::Removed::Yes);
    EXPECT_FALSE(backend->find(key("o")).value());
    EXPECT_EQ(backend->remove_if_older(key("o"), later).error().code(), ErrorCode::NotFound);
}

TEST_P(BackendContractTest, of_many_puts_at_once_exactly_one_stores) {
    constexpr int kThreads = 4;
    constexpr int kKeys = 10;
    std::vector<std::atomic<int>> stored(kKeys);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int k = 0; k < kKeys; ++k) {
                const auto put = backend->put_if_absent(
                    key("many/" + std::to_string(k)), as_bytes("from thread " + std::to_string(t)));
                ASSERT_TRUE(put) << put.error().describe();
                stored[static_cast<std::size_t>(k)] += *put == Put::Stored ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (int k = 0; k < kKeys; ++k) {
        EXPECT_EQ(stored[static_cast<std::size_t>(k)], 1);
        EXPECT_THAT(content(key("many/" + std::to_string(k))), testing::StartsWith("from thread "));
    }
}

TEST_P(BackendContractTest, what_is_touched_while_it_is_collected_stays_or_the_touch_fails) {
    // The collector thinks that everything is old; the toucher makes it young. Whatever the order,
    // a touch that succeeded means that the object is there afterwards.
    for (int round = 0; round < 50; ++round) {
        clock.set(kStart);
        const Key k = key("race/" + std::to_string(round));
        ASSERT_TRUE(backend->put_if_absent(k, as_bytes("x")));
        clock.set(kStart + std::chrono::seconds(100));
        bool touched = false;
        std::thread toucher([&] { touched = backend->touch(k).has_value(); });
        const auto removed = backend->remove_if_older(k, kStart + std::chrono::seconds(50));
        toucher.join();
        ASSERT_TRUE(removed) << removed.error().describe();
        const bool there = backend->find(k).value().has_value();
        EXPECT_EQ(there, *removed == Backend::Removed::No);
        EXPECT_TRUE(there || !touched) << "a touched object was removed";
    }
}

const Kind kDirectory{"directory",
                      [](const std::filesystem::path& root, const Clock& clock) {
                          return open_directory(root / "store/", clock).value();
                      },
                      true};
const Kind kMemory{
    "memory",
    [](const std::filesystem::path&, const Clock& clock) { return make_memory_backend(clock); },
    false};

INSTANTIATE_TEST_SUITE_P(All,
                         BackendContractTest,
                         testing::Values(kDirectory, kMemory),
                         [](const auto& kind) { return kind.param.name; });

class DirectoryTest : public testing::Test {
  protected:
    std::size_t temporaries() const {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto& entry :
             std::filesystem::directory_iterator(root / "tmp")) {
            ++count;
        }
        return count;
    }

    TempFolder folder = TempFolder::create(testing::TempDir(), "directory-").value();
    std::filesystem::path root = folder.path() / "store";
    std::unique_ptr<Backend> backend = open_directory(root).value();
};

TEST_F(DirectoryTest, objects_are_read_only_files_by_their_keys_and_nothing_is_left_behind) {
    ASSERT_TRUE(backend->put_if_absent(key("a/b"), as_bytes("x")));
    ASSERT_TRUE(backend->put_if_absent(key("a/b"), as_bytes("x")));

    struct stat info {};

    ASSERT_EQ(::stat((root / "objects/a/b").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0444U);
    { const auto dropped = backend->stage().value(); }
    EXPECT_EQ(temporaries(), 0U);
}

TEST_F(DirectoryTest, opening_removes_what_dead_processes_staged_and_leaves_the_living_theirs) {
    ASSERT_TRUE(write_file_atomically(root / "tmp/put-dead01", as_bytes("half an obj")));
    Staged living = backend->stage().value();
    ASSERT_TRUE(living.append(as_bytes("whole")));
    EXPECT_EQ(temporaries(), 2U);
    const auto second = open_directory(root).value();
    EXPECT_EQ(temporaries(), 1U);
    EXPECT_EQ(*backend->put_if_absent(key("k"), std::move(living)), Put::Stored);
    EXPECT_EQ(second->find(key("k")).value()->size, 5U);
}

TEST_F(DirectoryTest, opening_puts_back_what_a_killed_removal_took_away) {
    // As if killed between taking it from its name and looking at its time once more.
    ASSERT_TRUE(backend->put_if_absent(key("a/b/c"), as_bytes("x")));
    std::filesystem::rename(root / "objects/a/b/c", root / "gone/a+b+c");
    std::filesystem::remove_all(root / "objects/a");
    ASSERT_FALSE(backend->find(key("a/b/c")).value());
    const auto second = open_directory(root).value();
    EXPECT_EQ(second->find(key("a/b/c")).value()->size, 1U);
    EXPECT_TRUE(std::filesystem::is_empty(root / "gone"));

    // The same, and somebody has put it again before the next opening.
    std::filesystem::rename(root / "objects/a/b/c", root / "gone/a+b+c");
    ASSERT_EQ(*backend->put_if_absent(key("a/b/c"), as_bytes("x")), Put::Stored);
    const TimePoint later = system_clock().now() + std::chrono::hours(1);
    EXPECT_EQ(*backend->remove_if_older(key("a/b/c"), later), Backend::Removed::No);
    const auto third = open_directory(root).value();
    EXPECT_TRUE(std::filesystem::is_empty(root / "gone"));
    EXPECT_EQ(*third->remove_if_older(key("a/b/c"), later), Backend::Removed::Yes);
    EXPECT_TRUE(std::filesystem::is_empty(root / "gone"));
}

TEST_F(DirectoryTest, foreign_files_are_neither_listed_nor_followed) {
    ASSERT_TRUE(backend->put_if_absent(key("k"), as_bytes("x")));
    ASSERT_TRUE(write_file_atomically(root / "objects/Foreign~", as_bytes("x")));
    ASSERT_EQ(::symlink("/etc/passwd", (root / "objects/link").c_str()), 0);
    ASSERT_EQ(::mkfifo((root / "objects/pipe").c_str(), 0600), 0);
    EXPECT_EQ(backend->list("", "").value().objects.size(), 1U);
    EXPECT_FALSE(backend->find(key("link")).value());
    EXPECT_FALSE(backend->open(key("link")));
    std::byte byte{};
    EXPECT_FALSE(backend->read(key("link"), 0, std::span(&byte, 1)));
    EXPECT_FALSE(backend->read(key("pipe"), 0, std::span(&byte, 1)));
}

TEST_F(DirectoryTest, a_put_that_fails_leaves_nothing_and_says_where) {
    // A folder where the object should be; nothing that we make, but disks do odd things.
    ASSERT_TRUE(create_folders(root / "objects/k"));
    const auto put = backend->put_if_absent(key("k"), as_bytes("x"));
    ASSERT_FALSE(put);
    EXPECT_NE(put.error().describe().find("objects/k"), std::string::npos);
    EXPECT_EQ(temporaries(), 0U);
}

} // namespace
} // namespace locara::cas
