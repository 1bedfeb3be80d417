#include "store_test_folder.hpp"

#include <locara/xet/chunker.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace locara::store {
namespace {

using Resume = VerifyOptions::Resume;

class VerifyTest : public StoreFolder {
  protected:
    /// Overwrites bytes of a stored file, as a bad disk would.
    void damage(const Digest& digest, std::uint64_t at, std::string_view bytes = "bad") {
        const Fd fd = locara::open_file(*store.path_of(digest), O_RDWR).value(); // root may
        ASSERT_TRUE(write_all_at(fd, at, as_bytes(bytes)));
    }

    Digest put(const std::string& content_text) {
        return store.put_bytes(as_bytes(content_text))->digest;
    }

    const std::string text = random_text(1'500'000);
    const std::vector<xet::Chunk> chunks = xet::chunk_bytes(as_bytes(text));
};

TEST_F(VerifyTest, bad_chunks_are_named_by_the_index) {
    const Digest digest = put(text);
    ASSERT_TRUE(store.make_index(digest));
    damage(digest, chunks[3].offset + 7);
    damage(digest, chunks[4].offset);
    damage(digest, chunks[9].offset + 1);
    const auto report = store.verify_all();
    ASSERT_TRUE(report);
    ASSERT_EQ(report->bad.size(), 1U);
    const BadFile& bad = report->bad[0];
    EXPECT_TRUE(bad.has_index);
    EXPECT_EQ(bad.bad_spans,
              (std::vector<Span>{{chunks[3].offset, chunks[5].offset},
                                 {chunks[9].offset, chunks[10].offset}}));
    EXPECT_TRUE(std::filesystem::exists(bad.moved_to));
    EXPECT_FALSE(bad.part);
    EXPECT_FALSE(store.has(digest));
}

TEST_F(VerifyTest, repair_keeps_the_good_chunks_and_a_pull_brings_only_the_bad_ones) {
    const Digest digest = put(text);
    ASSERT_TRUE(store.make_index(digest));
    damage(digest, chunks[5].offset + 100);
    const auto bad = store.check(digest, OnBad::Repair);
    ASSERT_TRUE(bad && *bad);
    ASSERT_TRUE((*bad)->part);
    EXPECT_EQ((*bad)->part->received_bytes, text.size() - chunks[5].length);
    EXPECT_FALSE(store.has(digest)) << "never served";
    EXPECT_EQ(store.usage()->quarantined, 0U);
    {
        Part part = part_of(digest, text.size());
        EXPECT_EQ(part.reused_bytes(), text.size() - chunks[5].length);
        const auto missing = part.missing();
        EXPECT_EQ(missing, (std::vector<Span>{{chunks[5].offset, chunks[6].offset}}));
        ASSERT_TRUE(part.write(
            missing[0].first,
            as_bytes(std::string_view(text).substr(missing[0].first, missing[0].size()))));
        ASSERT_TRUE(part.publish());
    }
    EXPECT_EQ(content(store, digest), text);
    EXPECT_EQ(mode_of(*store.path_of(digest)), 0444U);
    EXPECT_TRUE(store.open_index(digest)) << "it is still right";
    EXPECT_FALSE(*store.check(digest, OnBad::Repair));
}

TEST_F(VerifyTest, repair_of_a_file_that_was_cut_or_grew) {
    for (const off_t size : {off_t{700'000}, off_t{1'600'000}}) {
        const Digest digest = put(text);
        ASSERT_TRUE(store.make_index(digest));
        ASSERT_EQ(::truncate(store.path_of(digest)->c_str(), size), 0);
        const auto bad = store.check(digest, OnBad::Repair);
        ASSERT_TRUE(bad && *bad && (*bad)->part) << size;
        Part part = part_of(digest, text.size());
        for (const Span& gap : part.missing()) {
            ASSERT_TRUE(part.write(gap.first,
                                   as_bytes(std::string_view(text).substr(gap.first, gap.size()))));
        }
        ASSERT_TRUE(part.publish());
        EXPECT_EQ(content(store, digest), text);
    }
}

TEST_F(VerifyTest, without_an_index_or_a_good_chunk_the_file_goes_to_quarantine) {
    const Digest plain = put("no index");
    damage(plain, 0);
    const auto bad = store.check(plain, OnBad::Repair);
    ASSERT_TRUE(bad && *bad);
    EXPECT_FALSE((*bad)->has_index);
    EXPECT_TRUE(std::filesystem::exists((*bad)->moved_to));
    const Digest small = put("one chunk");
    ASSERT_TRUE(store.make_index(small));
    damage(small, 0);
    const auto other = store.check(small, OnBad::Repair);
    EXPECT_TRUE((*other)->has_index);
    EXPECT_FALSE((*other)->part);
    EXPECT_TRUE(std::filesystem::exists((*other)->moved_to));
}

TEST_F(VerifyTest, repair_does_not_believe_a_damaged_index) {
    const Digest digest = put(text);
    ASSERT_TRUE(store.make_index(digest));
    const auto path = root / "chunks" / digest.render().substr(0, 2) / digest.render();
    const Fd fd = locara::open_file(path, O_RDWR).value();
    ASSERT_TRUE(write_all_at(fd, 150, as_bytes("x"))); // in a chunk hash
    damage(digest, 0);
    const auto bad = store.check(digest, OnBad::Repair);
    EXPECT_FALSE((*bad)->has_index);
    EXPECT_TRUE(std::filesystem::exists((*bad)->moved_to));
}

TEST_F(VerifyTest, what_lies_in_quarantine_can_still_be_repaired) {
    const Digest digest = put(text);
    ASSERT_TRUE(store.make_index(digest));
    damage(digest, chunks[2].offset);
    ASSERT_FALSE(store.verify(digest));
    EXPECT_EQ(store.usage()->quarantined, 1U);
    VerifyOptions options;
    options.on_bad = OnBad::Repair;
    const auto report = store.verify_all(options);
    ASSERT_TRUE(report);
    ASSERT_EQ(report->bad.size(), 1U);
    EXPECT_EQ(report->bad[0].part->received_bytes, text.size() - chunks[2].length);
    EXPECT_EQ(store.usage()->quarantined, 0U);
    EXPECT_EQ(part_of(digest, text.size()).missing(),
              (std::vector<Span>{{chunks[2].offset, chunks[3].offset}}));
}

TEST_F(VerifyTest, a_bad_file_with_another_hard_link_is_copied_and_the_other_left_alone) {
    const Digest digest = put(text);
    ASSERT_TRUE(store.make_index(digest));
    const auto other = folder.path() / "other";
    std::filesystem::create_hard_link(*store.path_of(digest), other);
    damage(digest, chunks[1].offset);
    const std::string bad_text = read_file(other, 1U << 30U).value();
    const auto bad = store.check(digest, OnBad::Repair);
    ASSERT_TRUE(bad && *bad && (*bad)->part);
    {
        Part part = part_of(digest, text.size());
        ASSERT_TRUE(part.write(0, as_bytes(text)));
        ASSERT_TRUE(part.publish());
    }
    EXPECT_EQ(content(store, digest), text);
    EXPECT_EQ(read_file(other, 1U << 30U).value(), bad_text);
    EXPECT_EQ(mode_of(other), 0444U);
}

/// Asks to stop after some bytes.
class StopAfter : public ProgressSink {
  public:
    explicit StopAfter(std::uint64_t bytes) : bytes_(bytes) {}

    void report(const Progress& progress) override {
        if (progress.done_bytes >= bytes_) {
            stop.request_stop();
        }
        last = progress;
    }

    std::stop_source stop;
    Progress last;

  private:
    std::uint64_t bytes_;
};

TEST_F(VerifyTest, an_interrupted_run_goes_on_and_a_finished_one_starts_anew) {
    for (int i = 0; i < 6; ++i) {
        put(random_text(100'000, static_cast<unsigned>(i)));
    }
    // Files of this very second are not skipped: notes have whole seconds.
    FakeClock clock(system_clock().now() + std::chrono::hours(1));
    StopAfter half(250'000);
    VerifyOptions options;
    options.resume = Resume::Yes;
    options.clock = &clock;
    options.stop = half.stop.get_token();
    EXPECT_EQ(store.verify_all(options, half).error().code(), ErrorCode::Cancelled);

    options.stop = {};
    StopAfter rest(~0ULL);
    auto report = store.verify_all(options, rest);
    ASSERT_TRUE(report) << report.error().describe();
    EXPECT_EQ(report->skipped, 2U);
    EXPECT_EQ(report->files, 4U);
    EXPECT_EQ(rest.last.total_bytes, 400'000U);
    EXPECT_EQ(rest.last.done_bytes, 400'000U);
    report = store.verify_all(options);
    EXPECT_EQ(report->skipped, 0U) << "the last run had ended";
    EXPECT_EQ(report->files, 6U);
}

TEST_F(VerifyTest, going_on_skips_nothing_that_changed_and_nothing_that_is_old) {
    for (int i = 0; i < 3; ++i) {
        put(random_text(100'000, static_cast<unsigned>(i)));
    }
    const auto interrupt = [&](const Clock& clock) {
        StopAfter almost(250'000);
        VerifyOptions options;
        options.clock = &clock;
        options.stop = almost.stop.get_token();
        EXPECT_FALSE(store.verify_all(options, almost)); // Resume::No: starts anew
    };
    VerifyOptions options;
    options.resume = Resume::Yes;
    FakeClock past(system_clock().now() - std::chrono::hours(1));
    options.clock = &past;
    interrupt(past); // noted before the files' last change
    EXPECT_EQ(store.verify_all(options)->skipped, 0U);
    FakeClock future(system_clock().now() + std::chrono::hours(1));
    options.clock = &future;
    interrupt(future);
    future.advance(std::chrono::hours(24 * 8));
    EXPECT_EQ(store.verify_all(options)->skipped, 0U);
}

TEST_F(VerifyTest, many_threads_find_the_same_as_one) {
    std::vector<Digest> digests;
    for (int i = 0; i < 40; ++i) {
        digests.push_back(put(
            random_text(20'000 + static_cast<std::size_t>(i) * 1000, static_cast<unsigned>(i))));
    }
    for (const int i : {3, 17, 39}) {
        damage(digests[static_cast<std::size_t>(i)], 5);
    }
    VerifyOptions options;
    options.threads = 4;
    const auto report = store.verify_all(options);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->files, 40U);
    ASSERT_EQ(report->bad.size(), 3U);
    EXPECT_TRUE(std::is_sorted(
        report->bad.begin(), report->bad.end(), [](const BadFile& a, const BadFile& b) {
            return a.digest < b.digest;
        }));
}

TEST_F(VerifyTest, two_runs_at_once_are_told_apart) {
    const Fd journal = locara::open_file(root / "verify.journal", O_RDWR | O_CREAT, 0600).value();
    ASSERT_EQ(::flock(journal.get(), LOCK_EX), 0);
    EXPECT_EQ(store.verify_all().error().code(), ErrorCode::Busy);
}

} // namespace
} // namespace locara::store
