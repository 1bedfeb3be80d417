// The hub's chunk store in a folder, on a disk that fails at every call in turn, and on a machine
// that stops before every call in turn. What must hold whatever happens:
//
//   - every object that is there is whole and right: fsck finds nothing, files read as they were,
//   - nothing that a call stored with success is gone, nor anything that a name refers to,
//   - the same work, done again, comes to its end.
//
// A quick slice of the calls by default; all of them with LOCARA_FAULTS=all (`./dev soak`).
#include "sample.hpp"

#include <locara/test_support/fault_fs.hpp>
#include <locara/xet/chunker.hpp>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>

namespace locara::cas {
namespace {

namespace fs = std::filesystem;
namespace fault = test_support::fault;
using fault::Fault;
using fault::Survives;

/// What must be there afterwards.
using Kept = std::set<xet::FileHash>;

struct Scenario {
    std::string name;
    std::function<Status(Cas&, Kept&)> prepare;
    /// Adds to `kept` what is stored for good, and takes out what it is about to remove.
    std::function<Status(Cas&, Kept&)> work;
};

class DirectoryFaultTest : public testing::Test {
  protected:
    DirectoryFaultTest() { fs::create_directories(root); }

    static fs::path image_folder() {
        const fs::path memory = "/dev/shm"; // quick to sync
        return fs::is_directory(memory) ? memory : fs::temp_directory_path();
    }

    static CasOptions options(const Clock& clock) {
        CasOptions o;
        o.clock = &clock;
        o.threads = 1; // the disk that fails belongs to one thread
        return o;
    }

    Status run(const std::function<Status(Cas&, Kept&)>& work, Kept& kept) {
        LOCARA_TRY(const auto backend, open_directory(root, clock));
        Cas cas(*backend, options(clock));
        return work(cas, kept);
    }

    void check(const Scenario& scenario, Kept kept, const std::string& when) {
        SCOPED_TRACE(scenario.name + ", " + when);
        auto backend = open_directory(root, clock);
        ASSERT_TRUE(backend) << backend.error().describe();
        Cas cas(**backend, options(clock));
        const auto report = cas.fsck();
        ASSERT_TRUE(report) << report.error().describe();
        EXPECT_TRUE(report->bad.empty()) << report->bad.front().key;
        for (const auto& [hash, bytes] : contents) {
            if (cas.file_info(hash)) {
                EXPECT_TRUE(read_all(cas, hash) == bytes) << "a wrong byte can be read";
            } else {
                EXPECT_FALSE(kept.contains(hash)) << "a stored file is gone";
            }
        }
        const Status again = scenario.work(cas, kept);
        EXPECT_TRUE(again) << "done again: " << again.error().describe();
    }

    /// Runs the scenario with every fault at every call, or at some of them.
    void campaign(const Scenario& scenario) {
        Kept prepared;
        ASSERT_TRUE(run(scenario.prepare, prepared));
        const fault::Tree start = fault::take(root);
        const auto meet = [&](Fault kind, std::uint64_t at, Kept& kept) {
            fault::put(root, start);
            kept = prepared;
            fault::watch(root, kind, at);
            return run(scenario.work, kept);
        };
        Kept kept;
        const Status undisturbed = meet(Fault::None, 0, kept);
        const std::uint64_t calls = fault::stop();
        ASSERT_TRUE(undisturbed) << undisturbed.error().describe();
        ASSERT_GT(calls, 3U);
        check(scenario, kept, "undisturbed");

        const char* const wish = std::getenv("LOCARA_FAULTS");
        const bool all = wish != nullptr && std::string_view(wish) == "all";
        constexpr std::uint64_t kSlice = 12;
        const std::uint64_t step = all ? 1 : std::max<std::uint64_t>(1, calls / kSlice);
        for (std::uint64_t at = 1; at <= calls && !HasFailure(); at += step) {
            for (const Fault kind : {Fault::Io, Fault::NoSpace, Fault::Short}) {
                (void)meet(kind, at, kept).has_value();
                fault::stop();
                check(scenario,
                      kept,
                      "fault " + std::to_string(static_cast<int>(kind)) + " at call " +
                          std::to_string(at));
            }
            (void)meet(Fault::Crash, at, kept).has_value();
            std::map<Survives, fault::Tree> trees;
            for (const Survives survives :
                 {Survives::Synced, Survives::Names, Survives::Data, Survives::All}) {
                trees[survives] = fault::after_crash(survives);
            }
            fault::stop();
            for (const auto& [survives, tree] : trees) {
                fault::put(root, tree);
                check(scenario,
                      kept,
                      "crash before call " + std::to_string(at) + ", disk " +
                          std::to_string(static_cast<int>(survives)));
            }
        }
        std::printf("%s: %d calls\n", scenario.name.c_str(), static_cast<int>(calls));
    }

    /// Takes bytes in, and notes that they are there for good.
    Status add(Cas& cas, Kept& kept, const Bytes& bytes) {
        LOCARA_TRY(const Ingested done, ingest(cas, bytes));
        kept.insert(done.info.hash);
        contents[done.info.hash] = bytes;
        return {};
    }

    TempFolder folder = TempFolder::create(image_folder(), "locara-cas-fault-").value();
    fs::path root = folder.path() / "cas";
    FakeClock clock{system_clock().now()};
    std::map<xet::FileHash, Bytes> contents; ///< Of all files that ever were stored.
    Random random{42};
    Bytes one = random.bytes(300'000);
    Bytes two = random.bytes(400'000);
    Bytes both = join({one, two});
};

TEST_F(DirectoryFaultTest, taking_plain_bytes) {
    campaign({"plain bytes",
              [this](Cas& cas, Kept& kept) { return add(cas, kept, one); },
              [this](Cas& cas, Kept& kept) { return add(cas, kept, both); }});
}

TEST_F(DirectoryFaultTest, taking_a_xorb_and_its_shard) {
    const std::vector<Bytes> chunks = {random.bytes(9000), random.bytes(20'000), random.bytes(70)};
    const auto xorb = make_xorb(chunks);
    const auto block = make_file({{&xorb, {0, 2}}, {&xorb, {1, 3}}});
    contents[block.hash] = join({chunks[0], chunks[1], chunks[1], chunks[2]});
    campaign({"xorb and shard",
              [this](Cas& cas, Kept& kept) { return add(cas, kept, one); },
              [&](Cas& cas, Kept& kept) -> Status {
                  LOCARA_CHECK(cas.put_xorb(xorb.hash, xorb.bytes));
                  LOCARA_CHECK(cas.put_shard(make_shard({block}), everybody()));
                  kept.insert(block.hash);
                  LOCARA_CHECK(cas.touch(block.hash));
                  return Status{};
              }});
}

TEST_F(DirectoryFaultTest, collecting_garbage) {
    std::set<xet::FileHash> live;
    campaign({"gc",
              [&](Cas& cas, Kept& kept) -> Status {
                  LOCARA_CHECK(add(cas, kept, both));
                  live = kept;
                  Kept dead;
                  LOCARA_CHECK(add(cas, dead, random.bytes(200'000)));
                  LOCARA_CHECK(add(cas, dead, random.bytes(100'000)));
                  // Files put down anew by a campaign have the time of this machine.
                  clock.advance(std::chrono::hours(30));
                  return Status{};
              },
              [&](Cas& cas, Kept&) -> Status {
                  LOCARA_TRY(const GcReport report, cas.gc(live));
                  return report.missing_files.empty()
                             ? Status{}
                             : Error(ErrorCode::Internal, "a live file is missing");
              }});
    const auto backend = open_directory(root, clock).value();
    Cas cas(*backend, options(clock));
    EXPECT_EQ(cas.stats()->files.objects, 1U) << "in the end the garbage is gone";
}

} // namespace
} // namespace locara::cas
