#include "store_test_folder.hpp"

#include <locara/store/written_spans.hpp>

#include <array>
#include <atomic>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace locara::store {
namespace {

using namespace std::chrono_literals;

class PartTest : public StoreFolder {
  protected:
    std::string text = random_text(300'000);
    Digest digest = digest_of(text);

    Part open() { return part_of(digest, text.size()); }

    Status put(Part& part, std::uint64_t first, std::uint64_t end) {
        return part.write(first, as_bytes(std::string_view(text).substr(first, end - first)));
    }

    /// What is durable.
    std::vector<Span> journaled() const {
        const auto journal = root / "parts" / (digest.render() + ".journal");
        return PartJournal::parse(*read_file(journal, kMaxJournalBytes))->spans.spans();
    }
};

TEST_F(PartTest, publishes_bytes_that_came_in_any_order) {
    {
        Part part = open();
        ASSERT_TRUE(put(part, 200'000, 300'000));
        ASSERT_TRUE(put(part, 0, 100'000));
        EXPECT_EQ(part.missing(), (std::vector<Span>{{100'000, 200'000}}));
        EXPECT_EQ(part.advance_hash(1U << 30U).value(), 100'000U);
        EXPECT_EQ(part.finish_hash().error().code(), ErrorCode::InvalidArgument);
        EXPECT_EQ(part.publish().error().code(), ErrorCode::InvalidArgument);
        ASSERT_TRUE(put(part, 100'000, 200'000));
        EXPECT_FALSE(store.has(digest));
        const auto info = part.publish();
        ASSERT_TRUE(info) << info.error().describe();
        EXPECT_EQ(info->size, text.size());
    }
    EXPECT_EQ(content(store, digest), text);
    EXPECT_EQ(mode_of(*store.path_of(digest)), 0444U);
    EXPECT_EQ(entries(root / "parts"), 0U);
    EXPECT_EQ(entries(root / "locks"), 0U);
}

TEST_F(PartTest, wrong_bytes_are_not_published_and_reset_starts_over) {
    Part part = open();
    std::string wrong = text;
    wrong[150'000] = static_cast<char>(wrong[150'000] ^ 1);
    ASSERT_TRUE(part.write(0, as_bytes(wrong)));
    EXPECT_EQ(part.publish().error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(part.finish_hash().value(), digest_of(wrong));
    EXPECT_FALSE(store.has(digest));
    ASSERT_TRUE(part.reset());
    EXPECT_EQ(part.received_bytes(), 0U);
    ASSERT_TRUE(part.write(0, as_bytes(text)));
    ASSERT_TRUE(part.publish());
    EXPECT_EQ(content(store, digest), text);
}

TEST_F(PartTest, gate_sees_the_whole_file_read_only_and_may_refuse_it) {
    Part part = open();
    ASSERT_TRUE(part.write(0, as_bytes(text)));
    const auto refused = part.publish([&](const Fd& file) -> Status {
        std::string seen(text.size(), '\0');
        EXPECT_TRUE(read_exactly_at(file, 0, std::as_writable_bytes(std::span(seen))));
        EXPECT_EQ(seen, text);
        EXPECT_FALSE(write_all_at(file, 0, as_bytes("x")));
        return Error(ErrorCode::Refused, "a pickle");
    });
    EXPECT_EQ(refused.error().code(), ErrorCode::Refused);
    EXPECT_FALSE(store.has(digest));
    ASSERT_TRUE(part.discard());
    EXPECT_EQ(entries(root / "parts"), 0U);
}

TEST_F(PartTest, keeps_what_was_written_while_the_machine_runs) {
    {
        Part part = open();
        part.set_pace({1U << 30U, 1h});
        ASSERT_TRUE(put(part, 0, 1000));
        ASSERT_TRUE(put(part, 5000, 6000));
        ASSERT_TRUE(part.checkpoint());
        ASSERT_TRUE(put(part, 1000, 2000)); // never synced
        ASSERT_TRUE(put(part, 2000, 3000));
        ASSERT_TRUE(put(part, 8000, 9000));
    }
    EXPECT_EQ(journaled(), (std::vector<Span>{{0, 1000}, {5000, 6000}}));
    EXPECT_EQ(store.list_parts()->at(0).received_bytes, 5000U);
    Part part = open();
    EXPECT_EQ(part.reused_bytes(), 5000U);
    EXPECT_EQ(part.missing(), (std::vector<Span>{{3000, 5000}, {6000, 8000}, {9000, 300'000}}));
    // It is durable from then on.
    EXPECT_EQ(journaled(), (std::vector<Span>{{0, 3000}, {5000, 6000}, {8000, 9000}}));
    ASSERT_TRUE(part.write(0, as_bytes(text)));
    ASSERT_TRUE(part.publish());
    EXPECT_EQ(content(store, digest), text);
    EXPECT_EQ(entries(root / "parts"), 0U);
}

TEST_F(PartTest, keeps_checkpointed_bytes_only_when_the_machine_stopped) {
    {
        Part part = open();
        part.set_pace({1U << 30U, 1h});
        ASSERT_TRUE(put(part, 0, 1000));
        ASSERT_TRUE(part.checkpoint());
        ASSERT_TRUE(put(part, 1000, 5000));
    }
    const auto notes = root / "parts" / (digest.render() + ".written");
    std::string text_of_notes = *read_file(notes, 1U << 20U);
    char& last_of_boot_id = text_of_notes.at(text_of_notes.find('\n') - 1);
    last_of_boot_id = last_of_boot_id == '0' ? '1' : '0';
    ASSERT_TRUE(write_file_atomically(notes, as_bytes(text_of_notes)));
    EXPECT_EQ(store.list_parts()->at(0).received_bytes, 1000U);
    EXPECT_EQ(open().reused_bytes(), 1000U);
}

TEST_F(PartTest, keeps_what_was_written_in_more_places_than_there_are_slots) {
    constexpr std::uint64_t kPlaces = 3 * kWrittenSlots;
    {
        Part part = open();
        part.set_pace({1U << 30U, 1h});
        for (std::uint64_t i = 0; i < kPlaces; ++i) {
            ASSERT_TRUE(put(part, 2 * i, 2 * i + 1));
        }
    }
    EXPECT_EQ(open().reused_bytes(), kPlaces);
}

TEST_F(PartTest, wrong_bytes_that_were_forgotten_are_not_taken_up) {
    {
        Part part = open();
        part.set_pace({1U << 30U, 1h});
        ASSERT_TRUE(part.write(0, as_bytes(std::string(text.size(), 'x'))));
        ASSERT_TRUE(part.reset());
        ASSERT_TRUE(put(part, 0, 10));
    }
    EXPECT_EQ(open().reused_bytes(), 10U);
}

TEST_F(PartTest, notes_bytes_by_itself_at_its_pace) {
    Part part = open();
    part.set_pace({10'000, 1h});
    ASSERT_TRUE(put(part, 0, 9'999));
    EXPECT_EQ(journaled(), std::vector<Span>());
    ASSERT_TRUE(put(part, 9'999, 10'000));
    EXPECT_EQ(journaled(), (std::vector<Span>{{0, 10'000}}));
    part.set_pace({1U << 30U, 0ms});
    ASSERT_TRUE(put(part, 10'000, 10'001));
    EXPECT_EQ(journaled(), (std::vector<Span>{{0, 10'001}}));
}

TEST_F(PartTest, skips_bytes_that_are_here_already) {
    Part part = open();
    ASSERT_TRUE(put(part, 1000, 2000));
    ASSERT_TRUE(
        part.write(0, as_bytes(text.substr(0, 1000) + std::string(1000, '?') + text.substr(2000))));
    ASSERT_TRUE(part.publish());
    EXPECT_EQ(content(store, digest), text);
}

TEST_F(PartTest, bytes_never_change_once_they_are_here_even_when_writers_overlap) {
    Part part = open();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            const std::string mine(1000, static_cast<char>('a' + t));
            for (std::uint64_t at = 0; at + 1000 <= text.size(); at += 500) {
                EXPECT_TRUE(part.write(at, as_bytes(mine)));
            }
        });
    }
    while (part.hashed_bytes() < text.size()) {
        ASSERT_TRUE(part.advance_hash(1U << 20U));
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    const Fd file = locara::open_file(root / "parts" / digest.render(), O_RDONLY).value();
    EXPECT_EQ(part.finish_hash().value(), crypto::sha256_file(file).value());
}

TEST_F(PartTest, refuses_bytes_past_the_end) {
    Part part = open();
    EXPECT_EQ(part.write(299'999, as_bytes("ab")).error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(part.write(~std::uint64_t{0}, as_bytes("ab")).error().code(),
              ErrorCode::InvalidArgument);
}

TEST_F(PartTest, an_empty_file_needs_no_bytes) {
    Part part = part_of(digest_of(""), 0);
    ASSERT_TRUE(part.publish());
    EXPECT_EQ(store.find(digest_of(""))->size, 0U);
}

TEST_F(PartTest, a_torn_journal_costs_bytes_and_nothing_else) {
    {
        Part part = open();
        ASSERT_TRUE(put(part, 0, 1000));
        ASSERT_TRUE(part.checkpoint());
        ASSERT_TRUE(put(part, 1000, 2000));
        ASSERT_TRUE(part.checkpoint());
    }
    const auto journal = root / "parts" / (digest.render() + ".journal");
    const auto written = root / "parts" / (digest.render() + ".written");
    std::filesystem::resize_file(journal, std::filesystem::file_size(journal) - 3);
    std::filesystem::remove(written); // the machine stopped
    {
        Part part = open();
        EXPECT_EQ(part.reused_bytes(), 1000U);
        ASSERT_TRUE(put(part, 1000, 3000)); // appends after the torn line was removed
        ASSERT_TRUE(part.checkpoint());
    }
    EXPECT_EQ(open().reused_bytes(), 3000U);
    ASSERT_TRUE(write_file_atomically(journal, as_bytes("not a journal")));
    std::filesystem::remove(written);
    EXPECT_EQ(open().reused_bytes(), 0U);
}

TEST_F(PartTest, a_journal_without_its_bytes_counts_for_nothing) {
    {
        Part part = open();
        ASSERT_TRUE(put(part, 0, 1000));
        ASSERT_TRUE(part.checkpoint());
    }
    std::filesystem::resize_file(root / "parts" / digest.render(), 500);
    EXPECT_EQ(open().reused_bytes(), 0U);
    {
        Part part = open();
        ASSERT_TRUE(put(part, 0, 1000)); // written only
    }
    std::filesystem::remove(root / "parts" / digest.render());
    EXPECT_EQ(open().reused_bytes(), 0U);
}

TEST_F(PartTest, another_claimed_size_starts_over) {
    {
        Part part = open();
        ASSERT_TRUE(put(part, 0, 1000));
        ASSERT_TRUE(part.checkpoint());
    }
    EXPECT_EQ(part_of(digest, text.size() + 1).reused_bytes(), 0U);
}

TEST_F(PartTest, a_long_journal_is_written_anew) {
    const auto journal = root / "parts" / (digest.render() + ".journal");
    std::string text_of_journal;
    {
        Part part = open();
        ASSERT_TRUE(put(part, 0, 6000));
        auto empty = PartJournal::parse(*read_file(journal, kMaxJournalBytes));
        text_of_journal = empty->render();
        for (std::uint64_t at = 0; at < 6000; ++at) {
            text_of_journal += empty->render_line({at, at + 1});
        }
    }
    ASSERT_TRUE(write_file_atomically(journal, as_bytes(text_of_journal)));
    EXPECT_GT(std::filesystem::file_size(journal), kCompactJournalBytes);
    EXPECT_EQ(open().reused_bytes(), 6000U);
    EXPECT_LT(std::filesystem::file_size(journal), 200U);
}

TEST_F(PartTest, a_second_opener_waits_and_then_finds_the_file) {
    std::atomic<int> waited = 0;
    std::thread second;
    {
        Part part = open();
        second = std::thread([&] {
            auto opened = store.open_part(digest, text.size(), {}, [&] { ++waited; });
            EXPECT_TRUE(opened && std::holds_alternative<FileInfo>(*opened));
        });
        while (waited == 0) {
            std::this_thread::yield();
        }
        std::stop_source stop;
        stop.request_stop();
        EXPECT_EQ(store.open_part(digest, text.size(), stop.get_token()).error().code(),
                  ErrorCode::Cancelled);
        EXPECT_EQ(store.remove_part(digest).error().code(), ErrorCode::Busy);
        EXPECT_EQ(store.remove(digest).error().code(), ErrorCode::Busy);
        ASSERT_TRUE(part.write(0, as_bytes(text)));
        ASSERT_TRUE(part.publish());
    }
    second.join();
}

TEST_F(PartTest, the_lock_goes_from_hand_to_hand_and_never_to_two) {
    std::atomic<int> holders = 0;
    std::atomic<int> most = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 50;) {
                std::stop_source at_once;
                at_once.request_stop();
                auto opened = store.open_part(digest, text.size(), at_once.get_token());
                if (!opened) {
                    std::this_thread::yield();
                    continue;
                }
                most = std::max(most.load(), ++holders);
                --holders;
                ++i;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(most, 1);
    EXPECT_EQ(entries(root / "locks"), 0U);
}

TEST_F(PartTest, writers_and_the_hash_may_run_side_by_side) {
    Part part = open();
    part.set_pace({20'000, 1ms});
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (std::uint64_t at = t * 75'000; at < (t + 1) * 75'000; at += 1500) {
                EXPECT_TRUE(put(part, at, at + 1500));
            }
        });
    }
    while (part.hashed_bytes() < text.size()) {
        ASSERT_TRUE(part.advance_hash(50'000));
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    ASSERT_TRUE(part.publish());
    EXPECT_EQ(content(store, digest), text);
}

/// What a child does until it is killed: writes pieces, publishes, and says each step on a pipe.
void fill_and_publish(const std::filesystem::path& root, const std::string& bytes, int steps) {
    auto store = Store::open(root);
    if (!store) {
        return;
    }
    auto opened = store->open_part(digest_of(bytes), bytes.size());
    if (!opened || !std::holds_alternative<Part>(*opened)) {
        return;
    }
    Part& part = std::get<Part>(*opened);
    part.set_pace({16'384, 1h});
    for (const Span& gap : part.missing()) {
        for (std::uint64_t at = gap.first; at < gap.end; at += 4096) {
            const auto piece =
                std::string_view(bytes).substr(at, std::min<std::uint64_t>(4096, gap.end - at));
            if (!part.write(at, as_bytes(piece)) || ::write(steps, "x", 1) != 1) {
                return;
            }
        }
    }
    (void)part.publish().has_value();
}

TEST_F(PartTest, killed_anywhere_the_store_holds_whole_files_and_resumable_parts) {
    int published = 0;
    int resumed = 0;
    unsigned file = 0; // the next one begins when this one is there
    for (unsigned round = 0; round < 60; ++round) {
        const std::string bytes = random_text(100'000, 100 + file);
        const Digest wanted = digest_of(bytes);
        std::array<int, 2> steps{};
        ASSERT_EQ(::pipe2(steps.data(), O_CLOEXEC), 0);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            fill_and_publish(root, bytes, steps[1]);
            ::_exit(0);
        }
        ::close(steps[1]);
        char step = 0;
        for (unsigned left = (round * 7919U) % 27U; left > 0; --left) { // a file has 25 steps
            if (::read(steps[0], &step, 1) != 1) {
                break; // it has come to its end
            }
        }
        ::usleep((round * 104'729U) % 2'000U);
        ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        ::close(steps[0]);

        auto reopened = Store::open(root);
        ASSERT_TRUE(reopened) << reopened.error().describe();
        store = std::move(*reopened);
        const auto report = store.verify_all();
        ASSERT_TRUE(report) << report.error().describe();
        ASSERT_TRUE(report->bad.empty()) << "round " << round;
        EXPECT_EQ(entries(root / "tmp"), 0U);
        if (store.has(wanted)) {
            ++published;
            ++file;
        }
        auto opened = store.open_part(wanted, bytes.size());
        ASSERT_TRUE(opened) << opened.error().describe();
        if (std::holds_alternative<Part>(*opened)) { // what is noted is right
            Part& part = std::get<Part>(*opened);
            resumed += part.reused_bytes() > 0 ? 1 : 0;
            const auto stored = read_file(root / "parts" / wanted.render(), 1U << 30U);
            ASSERT_TRUE(stored) << stored.error().describe();
            std::uint64_t at = 0;
            auto gaps = part.missing();
            gaps.push_back({bytes.size(), bytes.size()});
            for (const Span& gap : gaps) {
                ASSERT_EQ(stored->substr(at, gap.first - at), bytes.substr(at, gap.first - at));
                at = gap.end;
            }
        }
    }
    EXPECT_GT(resumed, 0) << "no kill hit the middle of a part: the test shows nothing";
    EXPECT_GT(published, 0) << "no child came to the end: the test shows little";
}

class SmallDisk : public PartTest {
  protected:
    void SetUp() override {
        std::filesystem::create_directory(disk);
        if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1m") != 0) {
            GTEST_SKIP() << "needs the right to mount a tmpfs (run as root)";
        }
        mounted = true;
        small = Store::open(disk / "store").value();
    }

    void TearDown() override {
        if (mounted) {
            small.reset();
            ::umount2(disk.c_str(), MNT_DETACH);
        }
    }

    std::filesystem::path disk = folder.path() / "disk";
    bool mounted = false;
    std::optional<Store> small;
};

TEST_F(SmallDisk, what_cannot_fit_is_refused_before_with_numbers) {
    const auto opened = small->open_part(digest, 5'000'000);
    ASSERT_EQ(opened.error().code(), ErrorCode::NoSpace);
    EXPECT_NE(opened.error().message().find("MB are needed"), std::string::npos)
        << opened.error().message();
    EXPECT_EQ(small->put_bytes(Bytes(5'000'000)).error().code(), ErrorCode::NoSpace);
    EXPECT_EQ(small->usage()->parts, 0U);
}

TEST_F(SmallDisk, a_disk_that_is_too_full_says_so_at_the_first_byte_and_takes_nothing) {
    auto opened = small->open_part(digest, text.size());
    ASSERT_TRUE(opened) << opened.error().describe();
    Part& part = std::get<Part>(*opened);
    ASSERT_TRUE(write_file_atomically(disk / "other", as_bytes(std::string(800'000, 'x'))));
    const Status status = put(part, 0, 1000);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::NoSpace);
    EXPECT_NE(status.error().message().find("still to come"), std::string::npos);
    EXPECT_EQ(part.received_bytes(), 0U);
    EXPECT_EQ(small->usage()->part_bytes, 0U) << "what was reserved before it failed is given back";
    std::filesystem::remove(disk / "other");
    ASSERT_TRUE(part.write(0, as_bytes(text)));
    ASSERT_TRUE(part.publish());
    EXPECT_EQ(content(*small, digest), text);
}

TEST_F(SmallDisk, two_pulls_do_not_count_on_the_same_room) {
    const std::string one = random_text(600'000, 5);
    const std::string two = random_text(600'000, 6);
    {
        auto first = small->open_part(digest_of(one), one.size());
        auto second = small->open_part(digest_of(two), two.size());
        ASSERT_TRUE(first && second) << "there is room for each by itself";
        Part& winner = std::get<Part>(*first);
        ASSERT_TRUE(winner.write(0, as_bytes(one).first(100)));
        EXPECT_GE(small->usage()->part_bytes, one.size()) << "df says what the disk holds";
        const Status late = std::get<Part>(*second).write(0, as_bytes(two).first(100));
        ASSERT_FALSE(late) << "at once, and not when both have half";
        EXPECT_EQ(late.error().code(), ErrorCode::NoSpace);
        ASSERT_TRUE(winner.write(50'000, as_bytes(one).subspan(50'000, 100'000)));
        ASSERT_TRUE(winner.checkpoint());
    }
    // A later process goes on: what the part holds of the disk counts for it.
    {
        auto again = small->open_part(digest_of(one), one.size());
        ASSERT_TRUE(again) << again.error().describe();
        Part& part = std::get<Part>(*again);
        EXPECT_EQ(part.reused_bytes(), 100'100U);
        ASSERT_TRUE(part.write(0, as_bytes(one)));
        ASSERT_TRUE(part.publish());
    }
    EXPECT_EQ(content(*small, digest_of(one)), one);
    ASSERT_TRUE(small->remove(digest_of(one)));
    {
        auto other = small->open_part(digest_of(two), two.size());
        ASSERT_TRUE(other);
        ASSERT_TRUE(std::get<Part>(*other).write(0, as_bytes(two).first(1)));
    }
    ASSERT_TRUE(small->remove_part(digest_of(two)));
    EXPECT_EQ(small->usage()->part_bytes, 0U);
    EXPECT_TRUE(write_file_atomically(disk / "other", as_bytes(std::string(800'000, 'x'))))
        << "a part that is dropped gives its room back";
}

} // namespace
} // namespace locara::store
