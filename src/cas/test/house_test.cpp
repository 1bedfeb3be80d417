// gc, fsck, and what is left when a process is killed.
#include "sample.hpp"

#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace locara::cas {
namespace {

class GcTest : public CasTest {
  protected:
    xet::FileHash add(const Bytes& bytes) {
        const auto done = ingest(cas, bytes);
        EXPECT_TRUE(done) << done.error().describe();
        return done->info.hash;
    }

    std::uint64_t bytes_stored() {
        const auto stats = cas.stats().value();
        return stats.xorbs.bytes + stats.files.bytes + stats.entries.bytes + stats.other.bytes;
    }

    Bytes one = random.bytes(300'000);
    Bytes two = random.bytes(400'000);
    Bytes both = join({one, two});
};

TEST_F(GcTest, removes_what_nothing_live_refers_to_and_says_how_much) {
    const auto live = add(one);
    const auto dead = add(two);
    clock.advance(std::chrono::hours(25));
    const std::uint64_t before = bytes_stored();
    GcOptions dry;
    dry.dry_run = GcOptions::DryRun::Yes;
    const auto planned = cas.gc({live}, dry).value();
    EXPECT_EQ(bytes_stored(), before) << "a dry run removes nothing";
    const auto done = cas.gc({live}).value();
    EXPECT_EQ(done.removed_files, 1U);
    EXPECT_EQ(done.removed_xorbs, 1U);
    EXPECT_EQ(done.removed_entries, 2U) << "the first chunk's entry, the SHA-256";
    EXPECT_EQ(done.live_files, 1U);
    EXPECT_EQ(done.freed_bytes, before - bytes_stored());
    EXPECT_EQ(done.kept_bytes, bytes_stored());
    EXPECT_GT(done.freed_bytes, two.size());
    EXPECT_EQ(planned.freed_bytes, done.freed_bytes);
    EXPECT_EQ(planned.removed_entries, done.removed_entries);
    EXPECT_EQ(cas.file_info(dead).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(read_all(cas, live), one);
    EXPECT_TRUE(cas.fsck()->bad.empty());
    EXPECT_TRUE(done.missing_files.empty());
    EXPECT_EQ(cas.gc({live})->freed_bytes, 0U) << "a second run finds nothing";
}

TEST_F(GcTest, a_xorb_stays_while_any_live_file_uses_it) {
    const auto first = add(one);
    const auto joined = add(both);
    clock.advance(std::chrono::hours(25));
    const auto done = cas.gc({joined}).value();
    EXPECT_EQ(done.removed_files, 1U);
    EXPECT_EQ(done.removed_xorbs, 0U);
    EXPECT_EQ(read_all(cas, joined), both);
    EXPECT_EQ(cas.file_info(first).error().code(), ErrorCode::NotFound);
}

TEST_F(GcTest, fresh_uploads_and_what_was_used_lately_stay) {
    const auto xorb = make_xorb({random.bytes(1000)});
    ASSERT_TRUE(cas.put_xorb(xorb.hash, xorb.bytes));
    const auto file = add(one);
    EXPECT_EQ(cas.gc({})->freed_bytes, 0U) << "all of it is young";
    clock.advance(std::chrono::hours(23));
    ASSERT_TRUE(cas.touch(file));
    EXPECT_TRUE(*cas.has_xorb(xorb.hash)) << "asking keeps it";
    clock.advance(std::chrono::hours(23));
    EXPECT_EQ(cas.gc({})->freed_bytes, 0U);
    clock.advance(std::chrono::hours(2));
    const auto done = cas.gc({}).value();
    EXPECT_EQ(done.removed_xorbs, 2U);
    EXPECT_EQ(bytes_stored(), 0U);
}

TEST_F(GcTest, an_old_xorb_that_a_new_shard_uses_stays) {
    const auto xorb = make_xorb({random.bytes(1000)});
    ASSERT_TRUE(cas.put_xorb(xorb.hash, xorb.bytes));
    clock.advance(std::chrono::hours(100));
    const auto file = make_file({{&xorb, {0, 1}}});
    ASSERT_TRUE(cas.put_shard(make_shard({file}), everybody()));
    clock.advance(std::chrono::hours(23));
    EXPECT_EQ(cas.gc({})->freed_bytes, 0U) << "its file is not named yet, but young";
    clock.advance(std::chrono::hours(23));
    EXPECT_EQ(cas.gc({file.hash})->freed_bytes, 0U);
    EXPECT_GT(cas.gc({})->freed_bytes, 0U);
}

TEST_F(GcTest, a_dedup_answer_keeps_its_xorb) {
    const auto xorb = make_xorb({random.bytes(1000), random.bytes(2000)});
    ASSERT_TRUE(cas.put_xorb(xorb.hash, xorb.bytes));
    ASSERT_TRUE(cas.put_shard(make_shard({make_file({{&xorb, {0, 2}}})}), everybody()));
    clock.advance(std::chrono::hours(25));
    const auto all = [](const xet::XorbHash&) { return true; };
    const xet::ChunkHash first = xorb.table.chunks()[0].hash;
    ASSERT_TRUE(cas.find_dedup(first, all).value());
    const auto done = cas.gc({}).value();
    EXPECT_EQ(done.removed_files, 1U);
    EXPECT_EQ(done.removed_xorbs, 0U);
    EXPECT_TRUE(cas.find_dedup(first, all).value());
    clock.advance(std::chrono::hours(25));
    EXPECT_EQ(cas.gc({})->removed_xorbs, 1U);
    EXPECT_FALSE(cas.find_dedup(first, all).value());
}

TEST_F(GcTest, live_files_that_are_not_here_are_named) {
    const auto file = add(one);
    auto gone = file;
    gone.bytes[7] ^= std::byte{1};
    const auto done = cas.gc({file, gone, {}}).value();
    EXPECT_EQ(done.missing_files, std::vector{gone});
}

TEST_F(GcTest, a_file_that_cannot_be_read_ends_it_before_anything_of_its_xorbs_goes) {
    const auto file = add(one);
    clock.advance(std::chrono::hours(25));
    const Key key = Key::parse("files/" + file.render().substr(0, 2) + "/" + file.render()).value();
    ASSERT_TRUE(backend->remove(key));
    ASSERT_TRUE(backend->put_if_absent(key, as_bytes("no shard at all")));
    EXPECT_EQ(cas.gc({file}).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(objects("xorbs/"), 1U);
}

TEST_F(GcTest, it_stops_when_asked) {
    add(one);
    std::stop_source stop;
    stop.request_stop();
    GcOptions o;
    o.stop = stop.get_token();
    EXPECT_EQ(cas.gc({}, o).error().code(), ErrorCode::Cancelled);
}

TEST_F(GcTest, beside_uploads_a_file_that_was_stored_stays_readable) {
    // In each round all is old and unnamed, and is collected while it is uploaded again. Which of
    // the two comes first is chance; an upload that was answered has to be there either way.
    for (int round = 0; round < 20; ++round) {
        clock.advance(std::chrono::hours(48));
        Cas other(*backend, options());
        std::thread collecting([&] {
            const auto collected = other.gc({});
            EXPECT_TRUE(collected) << collected.error().describe();
        });
        const auto in = ingest(cas, one);
        collecting.join();
        if (in) {
            EXPECT_EQ(read_all(cas, in->info.hash), one);
            Cas restarted(*backend, options());
            EXPECT_EQ(read_all(restarted, in->info.hash), one);
        } else {
            EXPECT_EQ(in.error().code(), ErrorCode::Conflict) << in.error().describe();
        }
    }
}

/// Flips a byte of an object, as a bad disk would.
class FsckTest : public testing::Test {
  protected:
    std::filesystem::path path_of(const std::string& key) const {
        return folder.path() / "objects" / key;
    }

    void damage(const std::string& key, std::uint64_t at) {
        ASSERT_EQ(::chmod(path_of(key).c_str(), 0644), 0);
        const Fd fd = locara::open_file(path_of(key), O_RDWR).value();
        std::byte byte{};
        ASSERT_TRUE(read_exactly_at(fd, at, std::span(&byte, 1)));
        byte ^= std::byte{0x20};
        ASSERT_TRUE(write_all_at(fd, at, ByteView(&byte, 1)));
    }

    std::vector<ObjectInfo> list(std::string_view prefix) {
        return backend->list(prefix, "").value().objects;
    }

    Random random{7};
    TempFolder folder = TempFolder::create(testing::TempDir(), "fsck-").value();
    std::unique_ptr<Backend> backend = open_directory(folder.path()).value();
    Cas cas{*backend};
};

TEST_F(FsckTest, a_flipped_byte_anywhere_is_found) {
    ASSERT_TRUE(ingest(cas, random.weights(200'000)));
    ASSERT_TRUE(cas.fsck()->bad.empty());
    for (const ObjectInfo& object : list("")) {
        for (int i = 0; i < 12 && object.size > 0; ++i) {
            std::uint64_t at = random.below(object.size);
            const bool free_bytes = object.key.render().starts_with("xorbs/") &&
                                    object.size - at <= 20; // of the footer: they say nothing
            if (free_bytes || object.key.render().starts_with("files/")) {
                at = 48; // reserved fields of a shard say nothing either; the file's hash does
            }
            damage(object.key.render(), at);
            const auto report = Cas(*backend).fsck().value();
            ASSERT_FALSE(report.bad.empty()) << object.key.render() << " at " << at;
            damage(object.key.render(), at);
        }
    }
    EXPECT_TRUE(Cas(*backend).fsck()->bad.empty());
}

TEST_F(FsckTest, damaged_chunks_are_not_served) {
    const Bytes bytes = random.weights(200'000);
    const auto file = ingest(cas, bytes)->info.hash;
    const auto xorbs = list("xorbs/");
    damage(xorbs.at(0).key.render(), xorbs.at(0).size / 3);
    std::uint64_t good = 0;
    const auto read = cas.read(file, std::nullopt, [&](ByteView piece) -> Status {
        EXPECT_TRUE(std::ranges::equal(piece, ByteView(bytes).subspan(good, piece.size())));
        good += piece.size();
        return {};
    });
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), ErrorCode::Corrupt);
    EXPECT_NE(read.error().describe().find(xorbs.at(0).key.render()), std::string::npos);
}

TEST_F(FsckTest, a_run_stops_at_its_budget_and_goes_on_there) {
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(ingest(cas, random.bytes(100'000)));
    }
    const auto all = cas.fsck().value();
    FsckOptions step;
    step.budget_bytes = 1;
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
    int runs = 0;
    for (std::optional<std::string> next = ""; next;) {
        step.after = *next;
        const auto report = cas.fsck(step).value();
        objects += report.objects;
        bytes += report.bytes;
        next = report.next;
        ASSERT_LT(++runs, 100);
    }
    EXPECT_EQ(objects, all.objects);
    EXPECT_EQ(bytes, all.bytes);
    EXPECT_GT(runs, 5);
    std::stop_source stop;
    stop.request_stop();
    FsckOptions stopped;
    stopped.stop = stop.get_token();
    EXPECT_EQ(*cas.fsck(stopped)->next, "");
}

TEST_F(FsckTest, what_is_set_aside_can_be_uploaded_again) {
    const Bytes bytes = random.weights(200'000);
    const auto file = ingest(cas, bytes)->info.hash;
    const std::string xorb = list("xorbs/").at(0).key.render();
    damage(xorb, 1000);
    FsckOptions o;
    o.on_bad = FsckOptions::OnBad::SetAside;
    const auto report = cas.fsck(o).value();
    ASSERT_EQ(report.bad.size(), 2U) << "the xorb, and the SHA-256 that cannot be computed";
    EXPECT_EQ(list("xorbs/").size(), 0U);
    EXPECT_GE(list("quarantine/").size(), 1U);
    EXPECT_EQ(cas.read(file, std::nullopt, [](ByteView) { return Status(); }).error().code(),
              ErrorCode::NotFound);
    ASSERT_TRUE(ingest(cas, bytes));
    EXPECT_EQ(read_all(cas, file), bytes);
    EXPECT_TRUE(cas.fsck(o)->bad.empty());
}

TEST_F(FsckTest, a_file_whose_xorb_is_gone_is_mended_by_the_next_upload_in_other_xorbs) {
    const std::vector<Bytes> chunks{random.bytes(9000), random.bytes(10'000)};
    const auto one = make_xorb(chunks);
    const auto more = make_xorb({chunks[0], chunks[1], random.bytes(100)});
    ASSERT_TRUE(cas.put_xorb(one.hash, one.bytes));
    const auto file = make_file({{&one, {0, 2}}});
    ASSERT_TRUE(cas.put_shard(make_shard({file}), everybody()));
    ASSERT_TRUE(backend->remove(list("xorbs/").at(0).key));
    ASSERT_TRUE(cas.put_xorb(more.hash, more.bytes));
    const auto again = make_file({{&more, {0, 2}}});
    ASSERT_EQ(again.hash, file.hash);
    const auto put = cas.put_shard(make_shard({again}), everybody());
    ASSERT_TRUE(put) << put.error().describe();
    EXPECT_EQ(put->inserted(), Inserted::Yes);
    EXPECT_EQ(read_all(Cas(*backend), file.hash), join(chunks));
}

TEST_F(FsckTest, foreign_objects_and_wrong_entries_are_reported) {
    ASSERT_TRUE(backend->put_if_absent(Key::parse("what/is/this").value(), as_bytes("x")));
    const auto xorb = make_xorb({random.bytes(10'000)});
    ASSERT_TRUE(cas.put_xorb(xorb.hash, xorb.bytes));
    const std::string entries = "chunks/aa/" + std::string(64, 'a') + "/";
    ASSERT_TRUE(
        backend->put_if_absent(Key::parse(entries + xorb.hash.render()).value(), ByteView()));
    EXPECT_EQ(cas.fsck()->bad.size(), 2U);
    // What a killed gc leaves is not wrong: an entry of a xorb that is no more.
    ASSERT_TRUE(
        backend->put_if_absent(Key::parse(entries + std::string(64, 'b')).value(), ByteView()));
    EXPECT_EQ(cas.fsck()->bad.size(), 2U);
}

/// Ends the process at the n-th call that changes or reads something: before it, or after it.
class Dying : public Backend {
    /// Twice a call: killed before it, and killed after it.
    template <class Call> auto step(Call call) {
        die_at_zero();
        auto result = call();
        die_at_zero();
        return result;
    }

    void die_at_zero() {
        if (left_-- == 0) {
            ::raise(SIGKILL);
        }
    }

  public:
    Dying(Backend& inner, int steps) : inner_(inner), left_(steps) {}

    Result<Staged> stage() override {
        return step([&] { return inner_.stage(); });
    }

    Result<Put> put_if_absent(const Key& key, Staged staged) override {
        return step([&] { return inner_.put_if_absent(key, std::move(staged)); });
    }

    Result<Put> put_if_absent(const Key& key, ByteView bytes) override {
        return step([&] { return inner_.put_if_absent(key, bytes); });
    }

    Status read(const Key& key, std::uint64_t offset, std::span<std::byte> buffer) const override {
        return inner_.read(key, offset, buffer);
    }

    Result<std::optional<Fd>> open(const Key& key) const override { return inner_.open(key); }

    Result<std::optional<ObjectInfo>> find(const Key& key) const override {
        return inner_.find(key);
    }

    Result<Page>
    list(std::string_view prefix, std::string_view after, std::size_t limit) const override {
        return inner_.list(prefix, after, limit);
    }

    Status touch(const Key& key) override {
        return step([&] { return inner_.touch(key); });
    }

    Status remove(const Key& key) override {
        return step([&] { return inner_.remove(key); });
    }

    Result<Removed> remove_if_older(const Key& key, TimePoint limit) override {
        return step([&] { return inner_.remove_if_older(key, limit); });
    }

  private:
    Backend& inner_;
    int left_;
};

/// Everything a hub does with a store, from an empty one: 0 when all of it worked.
int whole_life(Backend& backend) {
    Random random(99);
    Cas cas(backend);
    const auto xorb = make_xorb({random.bytes(10'000), random.weights(20'000)});
    const auto file = make_file({{&xorb, {0, 2}}, {&xorb, {0, 1}}});
    const auto other = make_file({{&xorb, {1, 2}}});
    const Bytes plain = random.weights(40'000);
    const bool uploaded = cas.put_xorb(xorb.hash, xorb.bytes) &&
                          cas.put_shard(make_shard({file, other}), everybody());
    const auto in = ingest(cas, plain, crypto::sha256(plain));
    if (!uploaded || !in || !cas.touch(file.hash) || read_all(cas, in->info.hash) != plain) {
        return 1;
    }
    // Nothing is live but one file, and nothing is young.
    GcOptions o;
    o.grace = -std::chrono::hours(1);
    const auto collected = cas.gc({file.hash}, o);
    return collected && collected->removed_files == 2 && read_all(cas, file.hash).size() == 40'000
               ? 0
               : 2;
}

/// In memory where there is such a place: a kill loses nothing that a write has handed to the
/// kernel, so a disk would only make the many rounds slow.
TempFolder quick_folder() {
    const char* const parent = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    return TempFolder::create(parent, "locara-cas-").value();
}

TEST(CrashTest, a_kill_between_any_two_steps_leaves_only_valid_objects) {
    int steps = 0;
    for (bool killed = true; killed; ++steps) {
        ASSERT_LT(steps, 1000);
        const TempFolder folder = quick_folder();
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            auto inner = open_directory(folder.path());
            Dying dying(**inner, steps);
            ::_exit(whole_life(dying));
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        killed = WIFSIGNALED(status);
        if (!killed) {
            ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
                << "step " << steps << ": " << WEXITSTATUS(status);
        }
        const auto backend = open_directory(folder.path()).value();
        std::error_code error;
        EXPECT_TRUE(std::filesystem::is_empty(folder.path() / "tmp", error)) << "step " << steps;
        Cas cas(*backend);
        const auto report = cas.fsck().value();
        for (const FsckReport::Bad& bad : report.bad) {
            ADD_FAILURE() << "step " << steps << ": " << bad.key << ": " << bad.reason;
        }
        EXPECT_EQ(whole_life(*backend), 0) << "after a kill at step " << steps;
        EXPECT_TRUE(cas.fsck()->bad.empty()) << "step " << steps;
    }
    EXPECT_GT(steps, 40) << "the steps were really taken";
}

TEST(CrashTest, kills_at_any_moment_leave_only_valid_objects) {
    const TempFolder folder = quick_folder();
    Random random(3);
    std::uint64_t stored = 0;
    for (int round = 0; round < 8; ++round) {
        int pipe[2];
        ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            const auto inner = open_directory(folder.path()).value();
            Cas cas(*inner);
            Random content(static_cast<std::uint64_t>(round));
            while (true) { // a byte before each file: what the parent counts its moment by
                if (::write(pipe[1], "x", 1) != 1 || !ingest(cas, content.weights(60'000))) {
                    ::_exit(1);
                }
            }
        }
        ::close(pipe[1]);
        const std::uint64_t files = 1 + random.below(6);
        char byte = 0;
        for (std::uint64_t i = 0; i < files; ++i) {
            ASSERT_EQ(::read(pipe[0], &byte, 1), 1);
        }
        std::uint64_t spins = random.below(300'000); // some microseconds to some milliseconds
        while (spins > 0) {
            spins -= std::min(spins, 1 + (random.next() & 1U));
        }
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        ASSERT_EQ(::waitpid(child, nullptr, 0), child);
        ::close(pipe[0]);
        const auto backend = open_directory(folder.path()).value();
        const auto report = Cas(*backend).fsck().value();
        EXPECT_TRUE(report.bad.empty()) << report.bad.front().key << report.bad.front().reason;
        stored = report.objects;
    }
    EXPECT_GT(stored, 10U);
}

} // namespace
} // namespace locara::cas
