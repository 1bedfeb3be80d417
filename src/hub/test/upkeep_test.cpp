// gc and fsck of a data folder, with a repository that a seed brought.
#include "../buckets.hpp"
#include "../database.hpp"
#include "../layout.hpp"
#include "../names.hpp"
#include "sample_seed.hpp"

#include <locara/formats/scan.hpp>
#include <locara/hub/git_repo.hpp>
#include <locara/hub/hub.hpp>
#include <locara/hub/pending_takedowns.hpp>
#include <locara/hub/upkeep.hpp>

#include <gmock/gmock.h>

#include <algorithm>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using test::SampleSeed;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class UpkeepTest : public testing::Test {
  protected:
    UpkeepTest() {
        const auto hub = Hub::open(seed_.data(), system_clock(), null_log());
        EXPECT_TRUE(hub);
        EXPECT_TRUE((*hub)->take_seed(seed_.root()));
    }

    Names names() const { return Names(*Database::open(seed_.data() / kNamesFile)); }

    Repo only_repo() const {
        const auto repos = names().list_repos(RepoType::Model);
        EXPECT_TRUE(repos);
        EXPECT_THAT(*repos, SizeIs(1));
        return repos->front();
    }

    CheckReport check(cas::FsckOptions::OnBad on_bad = cas::FsckOptions::OnBad::Report) const {
        CheckOptions options;
        options.on_bad = on_bad;
        auto report = check_data(seed_.data(), system_clock(), options);
        EXPECT_TRUE(report) << report.error().describe();
        return std::move(*report);
    }

    CollectReport collect(TimePoint now, cas::GcOptions options = {}) const {
        const FakeClock clock(now);
        auto report = collect_garbage(seed_.data(), clock, options);
        EXPECT_TRUE(report) << report.error().describe();
        return std::move(*report);
    }

    /// A xorb of the chunk store.
    fs::path a_xorb() const {
        for (const auto& entry :
             fs::recursive_directory_iterator(seed_.data() / kChunks / "objects" / "xorbs")) {
            if (entry.is_regular_file()) {
                return entry.path();
            }
        }
        ADD_FAILURE() << "no xorb";
        return {};
    }

    const SampleSeed seed_;
    const TimePoint later_ = system_clock().now() + hours(25);
};

TEST_F(UpkeepTest, finds_all_well_after_a_seed) {
    const CheckReport report = check();
    EXPECT_THAT(report.bad, IsEmpty());
    EXPECT_EQ(report.repositories, 1U);
    EXPECT_EQ(report.files, 1U);
    EXPECT_GT(report.bytes, 0U);
    EXPECT_EQ(collect(later_).freed_bytes, 0U);
    EXPECT_THAT(check().bad, IsEmpty());
}

TEST_F(UpkeepTest, gives_back_what_a_removed_repository_had) {
    const Repo repo = only_repo();
    ASSERT_TRUE(names().remove_repo(repo.key));
    const fs::path folder = repo_folder(seed_.data() / kRepos, repo.internal);
    ASSERT_TRUE(fs::exists(folder));
    const fs::path xorb = a_xorb();

    EXPECT_EQ(collect(system_clock().now()).freed_bytes, 0U) << "all of it is young";
    cas::GcOptions dry;
    dry.dry_run = cas::GcOptions::DryRun::Yes;
    const CollectReport would = collect(later_, dry);
    ASSERT_TRUE(fs::exists(folder));
    ASSERT_TRUE(fs::exists(xorb));

    const CollectReport done = collect(later_);
    EXPECT_EQ(done.removed_folders, 1U);
    EXPECT_EQ(done.chunks.removed_files, 1U);
    EXPECT_EQ(done.chunks.removed_xorbs, 1U);
    EXPECT_EQ(done.freed_bytes, would.freed_bytes);
    EXPECT_GT(done.freed_bytes, done.chunks.freed_bytes) << "the git folder counts";
    EXPECT_FALSE(fs::exists(folder));
    EXPECT_FALSE(fs::exists(xorb));
}

TEST_F(UpkeepTest, names_a_flipped_bit_and_can_set_the_object_aside) {
    const fs::path xorb = a_xorb();
    std::string bytes = test::read(xorb);
    bytes[bytes.size() / 2] ^= 1;
    fs::permissions(xorb, fs::perms::owner_all);
    test::write(xorb, bytes);

    const CheckReport report = check(cas::FsckOptions::OnBad::SetAside);
    EXPECT_THAT(report.bad,
                Contains(Field(&CheckReport::Bad::what, HasSubstr(xorb.filename().string()))));
    EXPECT_FALSE(fs::exists(xorb));
    EXPECT_TRUE(fs::exists(seed_.data() / kChunks / "objects" / "quarantine"));
}

TEST_F(UpkeepTest, says_which_files_of_which_repository_are_damaged) {
    const fs::path xorb = a_xorb();
    std::string bytes = test::read(xorb);
    bytes[bytes.size() / 2] ^= 1;
    fs::permissions(xorb, fs::perms::owner_all);
    test::write(xorb, bytes);
    const Repo repo = only_repo();
    const auto files = names().list_files(repo.key);
    ASSERT_TRUE(files);
    ASSERT_THAT(*files, SizeIs(1));

    // Damaged, and set aside; then gone.
    for (const auto on_bad : {cas::FsckOptions::OnBad::SetAside, cas::FsckOptions::OnBad::Report}) {
        const CheckReport report = check(on_bad);
        const auto found =
            std::find_if(report.bad.begin(), report.bad.end(), [](const CheckReport::Bad& one) {
                return one.file.has_value();
            });
        ASSERT_NE(found, report.bad.end());
        EXPECT_EQ(found->type, "model");
        EXPECT_EQ(found->repository, repo.id.render());
        EXPECT_FALSE(found->mirrored);
        EXPECT_THAT(found->what, HasSubstr(repo.id.render() + " file sha256:"));
        EXPECT_THAT(found->reason, HasSubstr("xorb"));
        EXPECT_EQ(found->file->sha256, crypto::sha256(as_bytes(test::weights())));
        EXPECT_EQ(found->file->xet, files->front().xet);
        std::vector<std::string> places;
        for (const CheckReport::Place& place : found->file->places) {
            places.push_back(place.ref + " " + place.path);
        }
        EXPECT_THAT(places,
                    testing::UnorderedElementsAre("refs/heads/main model.gguf",
                                                  "refs/tags/v1.0.0 model.gguf"));
    }
}

TEST_F(UpkeepTest, says_where_a_bucket_has_a_damaged_file) {
    Repo repo = only_repo();
    const StoredFile file = names().list_files(repo.key)->front();
    Repo bucket;
    bucket.id = *RepoId::parse(RepoType::Bucket, "acme/runs");
    bucket.internal = std::string(24, 'b');
    bucket.created = later_;
    ASSERT_TRUE(names().add_repo(bucket));
    bucket = *names().find_repo(bucket.id).value();
    ASSERT_TRUE(names().add_file(bucket.key, file, later_));
    BucketChange change;
    change.file = {"out/w.gguf", file.xet, file.size, later_, {}, ""};
    ASSERT_TRUE(Buckets(*Database::open(seed_.data() / kNamesFile)).apply(bucket, {&change, 1}));
    EXPECT_THAT(check().bad, IsEmpty());

    fs::remove_all(seed_.data() / kChunks / "objects");
    const CheckReport report = check();
    ASSERT_THAT(report.bad, SizeIs(2));
    EXPECT_EQ(report.bad[1].type, "bucket");
    ASSERT_TRUE(report.bad[1].file);
    ASSERT_THAT(report.bad[1].file->places, SizeIs(1));
    EXPECT_EQ(report.bad[1].file->places[0].path, "out/w.gguf");
}

TEST_F(UpkeepTest, names_a_file_that_is_gone) {
    fs::remove_all(seed_.data() / kChunks / "objects");
    const Repo repo = only_repo();
    const CheckReport report = check();
    ASSERT_THAT(report.bad, SizeIs(1));
    EXPECT_THAT(report.bad.front().what, HasSubstr(repo.id.render() + " file sha256:"));
    EXPECT_THAT(collect(later_).chunks.missing_files, SizeIs(1));
}

TEST_F(UpkeepTest, names_what_git_lost) {
    const Repo repo = only_repo();
    const fs::path folder = repo_folder(seed_.data() / kRepos, repo.internal);
    {
        const auto git = GitRepo::open(folder);
        ASSERT_TRUE(git);
        const auto commit = git->resolve("main");
        ASSERT_TRUE(commit);
        const auto entry = git->find(*commit, ".gitattributes");
        ASSERT_TRUE(entry && *entry);
        const std::string oid = (*entry)->oid;
        ASSERT_TRUE(fs::remove(folder / "objects" / oid.substr(0, 2) / oid.substr(2)));
    }
    const CheckReport report = check();
    ASSERT_THAT(report.bad, SizeIs(1)) << "the tag leads to nothing else";
    EXPECT_THAT(report.bad.front().what, HasSubstr(repo.id.render() + " refs/heads/main"));
    EXPECT_THAT(report.bad.front().reason, HasSubstr(".gitattributes"));
}

TEST_F(UpkeepTest, names_what_an_old_commit_lost) {
    const Repo repo = only_repo();
    const fs::path folder = repo_folder(seed_.data() / kRepos, repo.internal);
    const auto remove_object = [&folder](const std::string& oid) {
        EXPECT_TRUE(fs::remove(folder / "objects" / oid.substr(0, 2) / oid.substr(2)));
    };
    auto git = GitRepo::open(folder);
    ASSERT_TRUE(git);
    const auto old_blob = git->write_blob("once\n");
    ASSERT_TRUE(old_blob);
    std::vector<std::string> parents;
    for (const auto& blob : {*old_blob, id_of_blob("now\n")}) {
        ASSERT_TRUE(git->write_blob("now\n"));
        const auto tree =
            git->write_tree(std::nullopt, {{GitChange::Kind::Put, "docs/a.txt", blob}});
        ASSERT_TRUE(tree);
        const auto commit =
            git->write_commit(*tree, parents, {"a\n", "Locara", "noreply@locara.dev", later_});
        ASSERT_TRUE(commit);
        parents = {*commit};
    }
    ASSERT_TRUE(git->set_ref("refs/heads/main", parents[0]));
    EXPECT_THAT(check().bad, IsEmpty());

    remove_object(*old_blob);
    const CheckReport report = check();
    ASSERT_THAT(report.bad, SizeIs(1));
    EXPECT_EQ(report.bad.front().what, repo.id.render() + " refs/heads/main");
    EXPECT_THAT(report.bad.front().reason, HasSubstr("docs/a.txt"));

    remove_object(git->commit(parents[0])->parents[0]);
    EXPECT_THAT(check().bad, SizeIs(1));
}

/// A repository whose branch `main` alone names a large file, which gc has to keep.
class DamagedRefTest : public UpkeepTest {
  protected:
    DamagedRefTest() {
        Repo repo = only_repo();
        folder_ = repo_folder(seed_.data() / kRepos, repo.internal);
        StoredFile file;
        file.sha256 = crypto::sha256(as_bytes("large"));
        file.size = 5;
        EXPECT_TRUE(names().add_file(repo.key, file, system_clock().now()));
        auto git = GitRepo::open(folder_);
        EXPECT_TRUE(git);
        GitSnapshot snapshot;
        snapshot.files = {{"z.bin", LfsPointer{file.sha256, file.size}.render()}};
        snapshot.author_name = "Locara";
        snapshot.author_email = "noreply@locara.dev";
        EXPECT_TRUE(git->set_ref("refs/heads/main", *git->write_snapshot(snapshot)));
        test::write(folder_ / "refs/heads/side", test::read(folder_ / "refs/tags/v1.0.0"));
    }

    void expect_told_and_kept(const std::string& words) const {
        EXPECT_THAT(check().bad, Contains(Field(&CheckReport::Bad::reason, HasSubstr(words))));
        const CollectReport report = collect(later_);
        EXPECT_EQ(report.forgotten_files, 0U);
        ASSERT_THAT(report.damaged, SizeIs(1));
        EXPECT_EQ(report.damaged[0].type, "model");
        EXPECT_EQ(report.damaged[0].repository, only_repo().id.render());
        EXPECT_THAT(report.damaged[0].reason, testing::Not(IsEmpty()));
    }

    fs::path folder_;
};

TEST_F(DamagedRefTest, is_empty) {
    test::write(folder_ / "refs/heads/main", "");
    expect_told_and_kept("no object's id");
}

TEST_F(DamagedRefTest, is_garbage) {
    test::write(folder_ / "refs/heads/main", "zzzz\n");
    expect_told_and_kept("no object's id");
}

TEST_F(DamagedRefTest, is_missing) {
    fs::remove(folder_ / "refs/heads/main");
    expect_told_and_kept("HEAD names refs/heads/main, which is missing");
    fs::remove_all(folder_ / "refs/heads");
    expect_told_and_kept("HEAD names refs/heads/main, which is missing");
}

TEST_F(DamagedRefTest, is_packed_and_cut) {
    const std::string main = test::read(folder_ / "refs/heads/main");
    fs::remove(folder_ / "refs/heads/main");
    const std::string good = main.substr(0, 40) + " refs/heads/main\n";
    test::write(folder_ / "packed-refs", "# pack-refs with: peeled fully-peeled sorted\n" + good);
    EXPECT_EQ(collect(later_).forgotten_files, 0U);
    test::write(folder_ / "packed-refs", good.substr(0, 30) + "\n");
    expect_told_and_kept("packed-refs is not as git writes it");
}

TEST_F(DamagedRefTest, names_what_is_not_there) {
    test::write(folder_ / "refs/heads/main", std::string(40, '1') + "\n");
    expect_told_and_kept("object not found");
}

TEST_F(UpkeepTest, names_a_pointer_to_what_the_repository_has_not_got) {
    const Repo repo = only_repo();
    auto git = GitRepo::open(repo_folder(seed_.data() / kRepos, repo.internal));
    ASSERT_TRUE(git);
    const LfsPointer pointer{crypto::sha256(as_bytes("nowhere")), 7};
    GitSnapshot snapshot;
    snapshot.files = {{"lost.bin", pointer.render()}};
    snapshot.message = "lost\n";
    snapshot.author_name = "Locara";
    snapshot.author_email = "noreply@locara.dev";
    const auto commit = git->write_snapshot(snapshot);
    ASSERT_TRUE(commit);
    ASSERT_TRUE(git->set_ref("refs/heads/lost", *commit));
    const CheckReport report = check();
    ASSERT_THAT(report.bad, SizeIs(1));
    EXPECT_THAT(report.bad.front().what, HasSubstr("refs/heads/lost"));
    EXPECT_THAT(report.bad.front().reason, HasSubstr("lost.bin is sha256:"));
}

TEST_F(UpkeepTest, has_everything_judged_again_and_names_what_is_refused_now) {
    std::vector<std::string> asked;
    RescanOptions options;
    const auto pass = [&asked](const formats::ByteSource& content, std::string_view name) {
        asked.emplace_back(name);
        return formats::examine_source(content, name);
    };
    options.judge = pass;
    const auto before = rescan(seed_.data(), system_clock(), options);
    ASSERT_TRUE(before) << before.error().describe();
    EXPECT_THAT(before->refused, IsEmpty());
    EXPECT_EQ(before->files, asked.size() - 2) << "the app's bundle counts once for its 3 files";
    EXPECT_THAT(asked, testing::IsSupersetOf({"model.gguf", "README.md"}));

    // The gate learns something about the weights, and is down for the card.
    options.judge = [&pass](const formats::ByteSource& content, std::string_view name) {
        return name == "model.gguf"
                   ? formats::Examination{formats::make_verdict("gguf",
                                                                {"antivirus.hit", "known", {}}),
                                          {}}
               : name == "README.md"
                   ? formats::Examination{formats::make_verdict(
                                              "text", {"antivirus.down", "it is down", {}}),
                                          {}}
                   : pass(content, name);
    };
    const auto after = rescan(seed_.data(), system_clock(), options);
    ASSERT_TRUE(after) << after.error().describe();
    EXPECT_EQ(after->unjudged, 1U);
    ASSERT_THAT(after->refused, SizeIs(1));
    EXPECT_EQ(after->refused[0].repo, "models/locara/tiny");
    EXPECT_EQ(after->refused[0].path, "model.gguf");
    EXPECT_EQ(after->refused[0].sha256, crypto::sha256(as_bytes(test::weights())));
    EXPECT_EQ(after->refused[0].verdict.rule, "antivirus.hit");

    // A repository that lacks what it had keeps nobody from the others.
    fs::remove_all(repo_folder(seed_.data() / kRepos, only_repo().internal) / "objects");
    const auto damaged = rescan(seed_.data(), system_clock(), options);
    ASSERT_TRUE(damaged) << damaged.error().describe();
    ASSERT_THAT(damaged->unread, SizeIs(1));
    EXPECT_EQ(damaged->unread[0].repo, "models/locara/tiny");
    EXPECT_EQ(damaged->files, 1U) << "the app's bundle";

    std::stop_source stop;
    stop.request_stop();
    options.stop = stop.get_token();
    EXPECT_EQ(rescan(seed_.data(), system_clock(), options).error().code(), ErrorCode::Cancelled);
}

TEST_F(UpkeepTest, has_bundles_of_the_catalog_judged_file_by_file) {
    RescanOptions options;
    options.scanners = "what they know today";
    std::vector<std::string> asked;
    options.judge = [&asked](const formats::ByteSource& content, std::string_view name) {
        asked.emplace_back(name);
        return formats::examine_source(content, name);
    };
    EXPECT_THAT(rescan(seed_.data(), system_clock(), options)->refused, IsEmpty());
    EXPECT_THAT(asked, testing::IsSupersetOf({"locara.json", "icon.svg", "index.html"}));
    EXPECT_THAT(*list_pending_takedowns(seed_.data(), system_clock()), IsEmpty());

    options.scanners = "what they learned";
    options.judge = [](const formats::ByteSource& content, std::string_view name) {
        return name == "index.html"
                   ? formats::Examination{formats::make_verdict("text",
                                                                {"antivirus.hit", "known", {}}),
                                          {}}
                   : formats::examine_source(content, name);
    };
    options.budget_bytes = 1; // A step ends behind each content, and between bundles too.
    std::vector<RescanReport::Refused> refused;
    int steps = 0;
    do {
        const auto report = rescan(seed_.data(), system_clock(), options);
        ASSERT_TRUE(report) << report.error().describe();
        refused.insert(refused.end(), report->refused.begin(), report->refused.end());
        options.from = report->next;
        ASSERT_LT(++steps, 100);
    } while (options.from);
    ASSERT_THAT(refused, SizeIs(1));
    EXPECT_EQ(render(refused[0].kind), "bundle");
    EXPECT_EQ(refused[0].repo, "catalog");
    EXPECT_EQ(refused[0].path, "apps/locara/note-taker-1.0.0.locapp");
    EXPECT_EQ(refused[0].verdict.member, "dist/index.html");

    // It waits to be called back, and is known as long as the catalog has it.
    const auto wait = [this] {
        return list_pending_takedowns(seed_.data(), system_clock()).value();
    };
    ASSERT_THAT(wait(), SizeIs(1));
    EXPECT_EQ(wait()[0].entry.kind, "bundle");
    EXPECT_EQ(wait()[0].entry.id, "sha256:" + refused[0].sha256.render());
    EXPECT_THAT(wait()[0].entry.reason,
                HasSubstr("locara/note-taker 1.0.0, dist/index.html: known"));
    EXPECT_THAT(wait()[0].pinned_by, testing::ElementsAre("locara/note-taker 1.0.0"));
    const FakeClock later(system_clock().now() + std::chrono::hours(24 * 365));
    EXPECT_TRUE(collect_garbage(seed_.data(), later));
    EXPECT_THAT(wait(), SizeIs(1));
}

TEST_F(UpkeepTest, makes_no_hub_where_none_is) {
    const auto nowhere = seed_.data() / "nowhere";
    EXPECT_EQ(collect_garbage(nowhere, system_clock()).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(check_data(nowhere, system_clock()).error().code(), ErrorCode::NotFound);
    EXPECT_FALSE(fs::exists(nowhere));
}

TEST_F(UpkeepTest, lets_one_gc_work_at_a_time_and_stops_when_asked) {
    std::stop_source source;
    source.request_stop();
    cas::GcOptions options;
    options.stop = source.get_token();
    EXPECT_EQ(collect_garbage(seed_.data(), system_clock(), options).error().code(),
              ErrorCode::Cancelled);
    CheckOptions checking;
    checking.stop = source.get_token();
    EXPECT_EQ(check_data(seed_.data(), system_clock(), checking).error().code(),
              ErrorCode::Cancelled);
    const auto held = FileLock::try_acquire(seed_.data() / kGcLock);
    ASSERT_TRUE(held);
    EXPECT_EQ(collect_garbage(seed_.data(), system_clock()).error().code(), ErrorCode::Busy);
}

} // namespace
} // namespace locara::hub
