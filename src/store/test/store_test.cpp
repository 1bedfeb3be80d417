#include "store_test_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

namespace locara::store {
namespace {

class StoreTest : public StoreFolder {
  protected:
    /// Flips one bit of a stored file, as a bad disk would.
    void damage(const Digest& digest) {
        const auto path = store.path_of(digest).value();
        ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
        const Fd fd = locara::open_file(path, O_RDWR).value();
        std::byte byte{};
        ASSERT_TRUE(read_exactly_at(fd, 2, std::span(&byte, 1)));
        byte ^= std::byte{4};
        ASSERT_TRUE(write_all_at(fd, 2, ByteView(&byte, 1)));
        ASSERT_EQ(::chmod(path.c_str(), 0444), 0);
    }
};

class Recorder : public ProgressSink {
  public:
    void report(const Progress& progress) override { events.push_back(progress); }

    std::vector<Progress> events;
};

TEST_F(StoreTest, put_bytes_and_files_by_digest_read_only_and_once) {
    const std::string text = random_text(3'000'000);
    ASSERT_TRUE(write_file_atomically(folder.path() / "in", as_bytes(text)));
    const auto put = store.put_file(folder.path() / "in");
    ASSERT_TRUE(put) << put.error().describe();
    EXPECT_EQ(put->digest, digest_of(text));
    EXPECT_EQ(put->size, text.size());
    EXPECT_EQ(*store.path_of(put->digest),
              root / "files" / put->digest.render().substr(0, 2) / put->digest.render());
    EXPECT_EQ(mode_of(*store.path_of(put->digest)), 0444U);
    EXPECT_EQ(content(store, put->digest), text);
    EXPECT_EQ(store.put_bytes(as_bytes(text))->digest, put->digest);
    EXPECT_EQ(store.put_bytes({})->size, 0U);
    EXPECT_EQ(store.list()->size(), 2U);
    EXPECT_EQ(entries(root / "tmp"), 0U);
    EXPECT_EQ(store.put_file(folder.path()).error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(store.put_file(folder.path() / "no").error().code(), ErrorCode::NotFound);
}

TEST_F(StoreTest, absent_files_are_not_found) {
    const Digest digest = digest_of("absent");
    EXPECT_FALSE(store.has(digest));
    EXPECT_FALSE(store.find(digest));
    EXPECT_EQ(store.path_of(digest).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(store.open_file(digest).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(store.verify(digest).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(store.remove(digest).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(store.remove_part(digest).error().code(), ErrorCode::NotFound);
}

TEST_F(StoreTest, verify_tells_good_from_damaged_and_quarantines) {
    const Digest good = store.put_bytes(as_bytes("a good file"))->digest;
    const Digest bad = store.put_bytes(as_bytes("a file to damage"))->digest;
    EXPECT_TRUE(store.verify(bad));
    damage(bad);
    EXPECT_TRUE(store.verify(good));
    const auto verified = store.verify(bad);
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error().code(), ErrorCode::Corrupt);
    EXPECT_NE(verified.error().message().find(bad.render()), std::string::npos);
    EXPECT_FALSE(store.has(bad)) << "never served again";
    EXPECT_EQ(store.usage()->quarantined, 1U);
    EXPECT_EQ(mode_of(std::filesystem::directory_iterator(root / "quarantine")->path()), 0400U);
    EXPECT_TRUE(store.put_bytes(as_bytes("a file to damage")));
    EXPECT_TRUE(store.verify(bad));
}

TEST_F(StoreTest, verify_all_reports_every_bad_file_and_progress) {
    std::vector<Digest> digests;
    for (int i = 0; i < 5; ++i) {
        digests.push_back(store.put_bytes(as_bytes("file " + std::to_string(i)))->digest);
    }
    damage(digests[1]);
    damage(digests[4]);
    Recorder recorder;
    const auto report = store.verify_all({}, recorder);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->files, 5U);
    EXPECT_EQ(report->bytes, 18U);
    ASSERT_EQ(report->bad.size(), 2U);
    for (const BadFile& bad : report->bad) {
        EXPECT_TRUE(bad.digest == digests[1] || bad.digest == digests[4]);
        EXPECT_TRUE(bad.found && *bad.found != bad.digest);
        EXPECT_TRUE(std::filesystem::exists(bad.moved_to));
    }
    ASSERT_EQ(recorder.events.size(), 5U);
    EXPECT_EQ(recorder.events.back().done_bytes, 30U);
    EXPECT_EQ(recorder.events.back().total_bytes, 30U);
    EXPECT_TRUE(store.verify_all()->bad.empty());

    std::stop_source stop;
    stop.request_stop();
    VerifyOptions options;
    options.stop = stop.get_token();
    EXPECT_EQ(store.verify_all(options).error().code(), ErrorCode::Cancelled);
}

TEST_F(StoreTest, open_part_checks_the_size_of_what_is_here) {
    const Digest digest = store.put_bytes(as_bytes("twelve bytes"))->digest;
    EXPECT_TRUE(std::holds_alternative<FileInfo>(*store.open_part(digest, 12)));
    EXPECT_EQ(store.open_part(digest, 13).error().code(), ErrorCode::Corrupt);
    EXPECT_TRUE(store.has(digest)) << "an intact file stays";
    const auto path = *store.path_of(digest);
    ASSERT_EQ(::truncate(path.c_str(), 5), 0); // root may; a bad disk, too
    auto opened = store.open_part(digest, 12);
    ASSERT_TRUE(opened) << opened.error().describe();
    EXPECT_TRUE(std::holds_alternative<Part>(*opened));
    EXPECT_EQ(store.usage()->quarantined, 1U);
    EXPECT_EQ(store.open_part(digest_of("x"), kMaxFileBytes + 1).error().code(),
              ErrorCode::TooLarge);
}

TEST_F(StoreTest, list_and_usage_ignore_foreign_names) {
    const Digest digest = store.put_bytes(as_bytes("mine"))->digest;
    std::filesystem::create_directories(root / "files" / "zz");
    ASSERT_TRUE(write_file_atomically(root / "files" / "zz" / "README", as_bytes("x")));
    ASSERT_TRUE(write_file_atomically(root / "files" / "loose", as_bytes("x")));
    ASSERT_TRUE(
        write_file_atomically(root / "files" / "zz" / digest_of("y").render(), as_bytes("y")));
    ASSERT_EQ(store.list()->size(), 1U);
    EXPECT_EQ(store.list()->at(0).digest, digest);
    EXPECT_EQ(store.usage()->files, 1U);
    ASSERT_TRUE(store.remove(digest));
    EXPECT_TRUE(store.list()->empty());
}

TEST_F(StoreTest, opening_removes_temporaries_of_the_dead_and_nothing_else) {
    const Digest digest = store.put_bytes(as_bytes("kept"))->digest;
    const Digest part = digest_of("some part");
    {
        Part begun = part_of(part, 9);
        ASSERT_TRUE(begun.write(0, as_bytes("some")));
        ASSERT_TRUE(begun.checkpoint());
    }
    ASSERT_TRUE(write_file_atomically(root / "tmp" / "put-dead", as_bytes("x")));
    ASSERT_TRUE(write_file_atomically(root / "tmp" / "put-live", as_bytes("x")));
    const Fd live = locara::open_file(root / "tmp" / "put-live", O_RDONLY).value();
    ASSERT_EQ(::flock(live.get(), LOCK_EX), 0);
    const auto orphan = root / "parts" / (digest_of("published").render() + ".journal");
    ASSERT_TRUE(write_file_atomically(orphan, as_bytes("x")));
    ASSERT_TRUE(Store::open(root));
    EXPECT_FALSE(std::filesystem::exists(root / "tmp" / "put-dead"));
    EXPECT_TRUE(std::filesystem::exists(root / "tmp" / "put-live"));
    EXPECT_FALSE(std::filesystem::exists(orphan));
    EXPECT_TRUE(store.has(digest));
    EXPECT_EQ(store.list_parts()->at(0).received_bytes, 4U);
    ASSERT_TRUE(store.remove_part(part));
    EXPECT_EQ(entries(root / "parts"), 0U);
}

TEST_F(StoreTest, a_store_of_another_layout_is_refused) {
    ASSERT_TRUE(write_file_atomically(root / "version", as_bytes("locara-store 2\n")));
    EXPECT_EQ(Store::open(root).error().code(), ErrorCode::Unsupported);
}

TEST_F(StoreTest, putting_the_same_bytes_from_many_processes_gives_one_file) {
    const std::string text = random_text(500'000);
    std::vector<pid_t> children;
    for (int i = 0; i < 4; ++i) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            auto mine = Store::open(root);
            ::_exit(mine && mine->put_bytes(as_bytes(text)) ? 0 : 1);
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 1;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(store.list()->size(), 1U);
    EXPECT_EQ(content(store, digest_of(text)), text);
    EXPECT_EQ(entries(root / "tmp"), 0U);
}

} // namespace
} // namespace locara::store
