// The store on a disk that fails at every call in turn, and on a machine that stops before every
// call in turn. What must hold whatever happens:
//
//   - no wrong byte can be read as a file of the store,
//   - nothing that is pinned is gone,
//   - no span that was noted is lost, and what stands in a journal, and among what was written
//     since the machine was started, is right,
//   - the same work, done again, comes to its end.
//
// A quick slice of the calls by default; all of them with LOCARA_FAULTS=all (`./dev soak`).
#include "store_test_folder.hpp"

#include <locara/store/part_journal.hpp>
#include <locara/store/written_spans.hpp>
#include <locara/test_support/fault_fs.hpp>
#include <locara/xet/chunker.hpp>

#include <cstdlib>
#include <functional>
#include <map>
#include <set>

#include <fcntl.h>

namespace locara::store {
namespace {

namespace fs = std::filesystem;
namespace fault = test_support::fault;
using fault::Fault;
using fault::Survives;

/// All that a run noted, to be held against what is found afterwards.
struct Notes {
    /// Spans of parts, until they are published: noted as written, or by a checkpoint, which
    /// appends to a journal and does not sync it, since losing lines only costs fetching some bytes
    /// again (store.md). Those outlive a kill.
    std::map<Digest, SpanSet> outlive_kill;
    std::map<Digest, SpanSet> outlive_power_cut; ///< What a repair kept.
    std::set<Digest> published;                  ///< By a call that returned success.
    Fault fault = Fault::None;                   ///< What the run meets.
};

struct Scenario {
    std::string name;
    std::function<void(Store&)> prepare;
    std::function<Status(Store&, Notes&)> work;
    /// Files that were damaged before the work began: until it has dealt with them they read wrong.
    std::set<Digest> damaged;
};

class FaultTest : public testing::Test {
  protected:
    FaultTest() : texts(make_texts()) { fs::create_directories(root); }

    static std::map<Digest, std::string> make_texts() {
        std::map<Digest, std::string> all;
        for (const std::string& text : {base(), changed(), pinned(), loose()}) {
            all[digest_of(text)] = text;
        }
        return all;
    }

    static std::string base() { return random_text(400'000, 1); }

    /// base with a few bytes in the middle replaced.
    static std::string changed() {
        std::string text = base();
        text.replace(200'000, 100, random_text(100, 2));
        return text;
    }

    static std::string pinned() { return "pinned " + random_text(5'000, 3); }

    static std::string loose() { return "loose " + random_text(5'000, 4); }

    fs::path store_root() const { return root / "store"; }

    /// Records of adopted files hold inodes; a tree that was put down has others.
    void put(const fault::Tree& tree) {
        const auto became = fault::put(root, tree);
        for (const auto& entry : fs::directory_iterator(store_root() / "adopted")) {
            const auto text = read_file(entry.path(), kMaxAdoptedBytes);
            auto record = text ? Adopted::parse(*text) : Result<Adopted>(text.error());
            if (!record) {
                continue; // half written
            }
            const auto now = became.find(static_cast<ino_t>(record->stamp.inode));

            struct stat info {};

            if (now != became.end() && ::stat(record->from.c_str(), &info) == 0 &&
                info.st_ino == now->second) {
                record->stamp = FileStamp::of(info);
            } else if (now != became.end()) {
                record->stamp.inode = now->second; // and so it looks changed
            }
            ASSERT_TRUE(write_file_atomically(entry.path(), as_bytes(record->render()), 0600));
        }
    }

    void check(const Scenario& scenario,
               const Notes& notes,
               const std::string& when,
               Survives survives = Survives::All) {
        SCOPED_TRACE(scenario.name + ", " + when);
        auto opened = Store::open(store_root());
        ASSERT_TRUE(opened) << opened.error().describe();
        Store& store = *opened;
        const auto files = store.list();
        ASSERT_TRUE(files) << files.error().describe();
        for (const FileInfo& file : *files) {
            const auto fd = store.open_file(file.digest);
            if (!fd || scenario.damaged.contains(file.digest)) {
                continue; // an adopted file that looks changed is dropped; that is checked below
            }
            EXPECT_EQ(crypto::sha256_file(*fd).value(), file.digest) << "a wrong byte can be read";
        }
        EXPECT_TRUE(store.has(digest_of(pinned()))) << "a pinned file is gone";
        for (const Digest& digest : notes.published) {
            EXPECT_TRUE(store.has(digest)) << "a published file is gone";
        }
        const auto parts = check_journals();
        const auto expect_kept = [&](const std::map<Digest, SpanSet>& noted) {
            for (const auto& [digest, spans] : noted) {
                const auto at = parts.find(digest);
                for (const Span& span : spans.spans()) {
                    EXPECT_TRUE(store.has(digest) || (at != parts.end() && at->second.covers(span)))
                        << "a noted span is lost";
                }
            }
        };
        expect_kept(notes.outlive_power_cut);
        if (survives == Survives::All) {
            expect_kept(notes.outlive_kill);
        }
        // The other program's file is as it was, always.
        if (fs::exists(root / "foreign")) {
            EXPECT_EQ(read_file(root / "foreign", 1U << 20U).value(), loose());
            EXPECT_EQ(::access((root / "foreign").c_str(), W_OK), 0);
        }
        Notes again;
        const Status done = scenario.work(store, again);
        EXPECT_TRUE(done) << "done again: " << done.error().describe();
    }

    /// The id of this run of the machine.
    static std::string boot_id() {
        return read_file("/proc/sys/kernel/random/boot_id", 64).value().substr(0, 36);
    }

    /// As if the machine had been started anew.
    void reboot() const {
        for (const auto& entry : fs::directory_iterator(store_root() / "parts")) {
            std::string text = read_file(entry.path(), 1U << 20U).value();
            const std::size_t at = text.find(boot_id());
            if (entry.path().extension() == ".written" && at != std::string::npos) {
                text.replace(at, 1, text[at] == '0' ? "1" : "0");
                ASSERT_TRUE(write_file_atomically(entry.path(), as_bytes(text)));
            }
        }
    }

    /// The spans of all parts, whose bytes are looked at.
    std::map<Digest, SpanSet> check_journals() const {
        std::map<Digest, SpanSet> found;
        for (const auto& [digest, text] : texts) {
            const auto journal_text =
                read_file(store_root() / "parts" / (digest.render() + ".journal"), 1U << 20U);
            const auto journal =
                journal_text ? PartJournal::parse(*journal_text) : std::optional<PartJournal>();
            const auto part = read_file(store_root() / "parts" / digest.render(), 1U << 20U);
            if (!journal || !part || part->size() != text.size()) {
                continue;
            }
            found[digest] = journal->spans;
            const auto written =
                read_file(store_root() / "parts" / (digest.render() + ".written"), 1U << 20U);
            for (const Span& span : WrittenSpans{digest, text.size(), boot_id()}
                                        .parse(written ? *written : std::string())
                                        .spans()) {
                found[digest].add(span);
            }
            for (const Span& span : found[digest].spans()) {
                EXPECT_TRUE(part->substr(span.first, span.size()) ==
                            text.substr(span.first, span.size()))
                    << "bytes are noted that are not there";
            }
        }
        return found;
    }

    /// Runs the scenario with every fault at every call, or at some of them.
    void campaign(const Scenario& scenario) {
        {
            auto store = Store::open(store_root());
            ASSERT_TRUE(store);
            ASSERT_TRUE(store->put_bytes(as_bytes(pinned())));
            scenario.prepare(*store);
        }
        const fault::Tree start = fault::take(root);
        const auto run = [&](Fault kind, std::uint64_t at, Notes& notes) {
            put(start);
            fault::watch(root, kind, at);
            auto store = Store::open(store_root());
            return store ? scenario.work(*store, notes) : Status(store.error());
        };
        Notes plain;
        const Status undisturbed = run(Fault::None, 0, plain);
        const std::uint64_t calls = fault::stop();
        ASSERT_TRUE(undisturbed) << undisturbed.error().describe();
        ASSERT_GT(calls, 3U);
        check(scenario, plain, "undisturbed");

        const char* const wish = std::getenv("LOCARA_FAULTS");
        const bool all = wish != nullptr && std::string_view(wish) == "all";
        const std::uint64_t step = all ? 1 : std::max<std::uint64_t>(1, calls / 5);
        std::uint64_t runs = 0;
        for (std::uint64_t at = 1; at <= calls && !HasFailure(); at += step) {
            for (const Fault kind : {Fault::Io, Fault::NoSpace, Fault::Short}) {
                Notes notes;
                notes.fault = kind;
                (void)run(kind, at, notes).has_value();
                fault::stop();
                check(scenario,
                      notes,
                      "fault " + std::to_string(static_cast<int>(kind)) + " at call " +
                          std::to_string(at));
                ++runs;
            }
            Notes notes;
            notes.fault = Fault::Crash;
            (void)run(Fault::Crash, at, notes).has_value();
            std::map<Survives, fault::Tree> trees;
            for (const Survives survives :
                 {Survives::Synced, Survives::Names, Survives::Data, Survives::All}) {
                trees[survives] = fault::after_crash(survives);
            }
            fault::stop();
            for (const auto& [survives, tree] : trees) {
                put(tree);
                if (survives != Survives::All) {
                    reboot();
                }
                check(scenario,
                      notes,
                      "crash before call " + std::to_string(at) + ", disk " +
                          std::to_string(static_cast<int>(survives)),
                      survives);
                ++runs;
            }
        }
        RecordProperty("calls", static_cast<int>(calls));
        RecordProperty("runs", static_cast<int>(runs));
        std::printf("%s: %d calls, %d runs\n",
                    scenario.name.c_str(),
                    static_cast<int>(calls),
                    static_cast<int>(runs));
    }

    static void damage(const Store& store, const std::string& text, std::uint64_t at) {
        const Fd fd = locara::open_file(*store.path_of(digest_of(text)), O_RDWR).value();
        ASSERT_TRUE(write_all_at(fd, at, as_bytes("bad")));
    }

    /// Fetches what is missing of a text, a checkpoint after each piece, and publishes it.
    static Status fetch(Store& store, Notes& notes, const std::string& text) {
        const Digest digest = digest_of(text);
        LOCARA_TRY(auto opened, store.open_part(digest, text.size()));
        if (std::holds_alternative<FileInfo>(opened)) {
            return {};
        }
        Part& part = std::get<Part>(opened);
        part.set_pace({1U << 30U, std::chrono::hours(1)});
        LOCARA_CHECK(take_chunks(store, part, text));
        constexpr std::uint64_t kPiece = 120'000;
        for (const Span& gap : part.missing()) {
            for (std::uint64_t at = gap.first; at < gap.end; at += kPiece) {
                const std::uint64_t size = std::min(kPiece, gap.end - at);
                LOCARA_CHECK(part.write(at, as_bytes(std::string_view(text).substr(at, size))));
                SpanSet here;
                here.add({0, text.size()});
                for (const Span& missing : part.missing()) {
                    here.remove(missing);
                }
                // The note may be what met the fault: then the checkpoint stands for it.
                const SpanSet durable = notes.outlive_kill[digest];
                if (received_of(store, digest) == here.bytes()) {
                    notes.outlive_kill[digest] = here;
                }
                const Status synced = part.checkpoint();
                if (!synced && notes.fault != Fault::Crash) {
                    // What could not be synced may be gone: its notes were dropped.
                    notes.outlive_kill[digest] = durable;
                }
                LOCARA_CHECK(synced);
                notes.outlive_kill[digest] = here;
            }
        }
        LOCARA_CHECK(part.publish());
        notes.outlive_kill.erase(digest);
        notes.outlive_power_cut.erase(digest);
        notes.published.insert(digest);
        return {};
    }

    static std::uint64_t received_of(const Store& store, const Digest& digest) {
        const auto parts = store.list_parts().value();
        for (const PartInfo& part : parts) {
            if (part.digest == digest) {
                return part.received_bytes;
            }
        }
        return 0;
    }

    static Status take_chunks(const Store& store, Part& part, const std::string& text) {
        LOCARA_TRY(const auto finder, store.open_finder());
        for (const xet::Chunk& chunk : xet::chunk_bytes(as_bytes(text))) {
            if (const auto found = finder.find(chunk.hash)) {
                LOCARA_CHECK(part.copy_chunks(chunk.offset, store, std::span(&*found, 1)));
            }
        }
        return {};
    }

    TempFolder folder = TempFolder::create(image_folder(), "locara-fault-").value();
    fs::path root = folder.path() / "disk";
    std::map<Digest, std::string> texts;
};

TEST_F(FaultTest, fetching_a_file) {
    campaign({"fetch",
              [](Store&) {},
              [](Store& store, Notes& notes) { return fetch(store, notes, base()); },
              {}});
}

TEST_F(FaultTest, fetching_a_file_of_which_chunks_are_here) {
    campaign({"fetch with chunks",
              [](Store& store) {
                  ASSERT_TRUE(store.put_bytes(as_bytes(base())));
                  ASSERT_TRUE(store.make_index(digest_of(base())));
              },
              [](Store& store, Notes& notes) { return fetch(store, notes, changed()); },
              {}});
}

TEST_F(FaultTest, putting_and_indexing) {
    campaign({"put and index",
              [](Store&) {},
              [](Store& store, Notes& notes) -> Status {
                  LOCARA_CHECK(store.put_bytes(as_bytes(base())));
                  notes.published.insert(digest_of(base()));
                  LOCARA_TRY(const auto index, store.make_index(digest_of(base())));
                  return index.verify();
              },
              {}});
}

TEST_F(FaultTest, collecting_garbage) {
    campaign({"gc",
              [](Store& store) {
                  ASSERT_TRUE(store.put_bytes(as_bytes(loose())));
                  ASSERT_TRUE(store.make_index(digest_of(loose())));
                  ASSERT_TRUE(store.make_index(digest_of(pinned())));
                  ASSERT_TRUE(store.put_bytes(as_bytes(base())));
                  damage(store, base(), 3);
                  ASSERT_FALSE(store.verify(digest_of(base())));
                  auto part = store.open_part(digest_of(changed()), changed().size());
                  ASSERT_TRUE(std::get<Part>(*part).write(0, as_bytes(changed().substr(0, 9))));
                  ASSERT_TRUE(std::get<Part>(*part).checkpoint());
              },
              [](Store& store, Notes&) -> Status {
                  FakeClock later(system_clock().now() + std::chrono::hours(24 * 30));
                  GcOptions options;
                  options.clock = &later;
                  options.roots = []() -> Result<std::set<Digest>> {
                      return std::set<Digest>{digest_of(pinned())};
                  };
                  LOCARA_CHECK(store.collect_garbage(options));
                  const bool stays = store.has(digest_of(loose()));
                  return stays ? Error(ErrorCode::Io, "garbage is still in the store") : Status{};
              },
              {}});
}

TEST_F(FaultTest, adopting_by_hard_link_and_letting_go) {
    campaign({"adopt",
              [this](Store&) {
                  ASSERT_TRUE(write_file_atomically(root / "foreign", as_bytes(loose()), 0644));
              },
              [this](Store& store, Notes&) -> Status {
                  AdoptOptions options;
                  options.link = LinkKind::Hardlink;
                  LOCARA_CHECK(store.adopt(root / "foreign", options));
                  LOCARA_CHECK(store.open_file(digest_of(loose())));
                  return store.remove(digest_of(loose()));
              },
              {}});
}

TEST_F(FaultTest, adopting_by_reference) {
    campaign({"reference",
              [this](Store&) {
                  ASSERT_TRUE(write_file_atomically(root / "foreign", as_bytes(loose()), 0644));
              },
              [this](Store& store, Notes&) -> Status {
                  AdoptOptions options;
                  options.link = LinkKind::Reference;
                  LOCARA_CHECK(store.adopt(root / "foreign", options));
                  LOCARA_CHECK(store.open_file(digest_of(loose())));
                  return {};
              },
              {}});
}

TEST_F(FaultTest, repairing_a_damaged_file) {
    campaign({"repair",
              [](Store& store) {
                  ASSERT_TRUE(store.put_bytes(as_bytes(base())));
                  ASSERT_TRUE(store.make_index(digest_of(base())));
                  damage(store, base(), 200'000);
              },
              [](Store& store, Notes& notes) -> Status {
                  VerifyOptions options;
                  options.on_bad = OnBad::Repair;
                  LOCARA_TRY(const auto report, store.verify_all(options));
                  for (const BadFile& bad : report.bad) {
                      if (bad.part) {
                          const Digest& digest = bad.digest;
                          notes.outlive_power_cut[digest].add({0, base().size()});
                          for (const Span& span : bad.bad_spans) {
                              notes.outlive_power_cut[digest].remove(span);
                          }
                      }
                  }
                  LOCARA_CHECK(fetch(store, notes, base()));
                  return store.verify(digest_of(base()));
              },
              {digest_of(base())}});
}

TEST_F(FaultTest, setting_a_damaged_file_aside) {
    campaign({"quarantine",
              [](Store& store) {
                  ASSERT_TRUE(store.put_bytes(as_bytes(loose())));
                  damage(store, loose(), 2'000);
              },
              [](Store& store, Notes&) -> Status {
                  LOCARA_TRY(const auto report, store.verify_all());
                  const bool stays = !report.bad.empty() && store.has(digest_of(loose()));
                  return stays ? Error(ErrorCode::Io, "a bad file is still in the store")
                               : Status{};
              },
              {digest_of(loose())}});
}

} // namespace
} // namespace locara::store
