// What the gate said is kept, shown, and acted upon: the table, the API, rescans and gc.
#include "../database.hpp"
#include "../layout.hpp"
#include "../names.hpp"
#include "../rescan_watch.hpp"
#include "../verdict_store.hpp"
#include "hub_client.hpp"
#include "sample_seed.hpp"
#include "test_database.hpp"

#include <locara/base/bytes.hpp>
#include <locara/formats/verdict_json.hpp>
#include <locara/gate/gate.hpp>
#include <locara/hub/accounts.hpp>
#include <locara/hub/git_repo.hpp>
#include <locara/hub/hub.hpp>

#include <gmock/gmock.h>

namespace locara::hub {
namespace {

using formats::Decision;
using formats::Examination;
using std::chrono::hours;
using test::Reply;
using test::SampleSeed;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Judgement judgement(std::string rule, std::string scanners = "formats 1", TimePoint made = {}) {
    return {formats::make_verdict("x", {std::move(rule), "why", 7}), std::move(scanners), made, ""};
}

// --------------------------------------------------------------------------------------- the table

class VerdictStoreTest : public DatabaseTest {
  protected:
    VerdictStore store() const { return VerdictStore(open()); }

    const std::string file_ = std::string(64, 'a');
    const std::string blob_ = std::string(40, 'b');
    const TimePoint now_ = *parse_time("2026-11-22T19:00:00Z");
};

TEST_P(VerdictStoreTest, keeps_the_last_verdict_on_a_content_under_a_name) {
    const VerdictStore store = this->store();
    EXPECT_FALSE(*store.find(file_, "a.bin"));
    Judgement first = judgement("content.unknown", "formats 1", now_);
    first.verdict.member = "in/\"side";
    first.facts = R"({"a":"\u0000"})";
    ASSERT_TRUE(store.note(file_, "a.bin", first));
    const auto found = *store.find(file_, "a.bin");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->verdict, first.verdict);
    EXPECT_EQ(found->scanners, "formats 1");
    EXPECT_EQ(found->made, now_);
    EXPECT_EQ(found->facts, first.facts);
    EXPECT_FALSE(*store.find(file_, "b.bin"));
    ASSERT_TRUE(store.note(file_, "a.bin", judgement("content.inert", "formats 2", now_)));
    EXPECT_EQ((*store.find(file_, "a.bin"))->verdict.decision, Decision::Allow);
    ASSERT_TRUE(store.note(file_, "A.bin", judgement("content.inert")));
    EXPECT_THAT(*store.names_of(file_), ElementsAre("A.bin", "a.bin"));
}

TEST_P(VerdictStoreTest, takes_no_passing_trouble_for_what_the_content_is) {
    const VerdictStore store = this->store();
    for (const char* const rule : {"gate.worker", "antivirus.down", "scan.time", "io.read"}) {
        ASSERT_TRUE(store.note(file_, "a", judgement(rule)));
        EXPECT_FALSE(*store.find(file_, "a")) << rule;
    }
    ASSERT_TRUE(store.note(file_, "a", judgement("antivirus.unseen")));
    EXPECT_EQ((*store.find(file_, "a"))->scanners, "") << "it is shown, and asked about again";
    ASSERT_TRUE(store.note(file_, "a", judgement("content.inert")));
    ASSERT_TRUE(store.note(file_, "a", judgement("antivirus.unseen")));
    EXPECT_EQ((*store.find(file_, "a"))->verdict.rule, "content.inert");
}

TEST_P(VerdictStoreTest, calls_refused_what_is_refused_under_every_name) {
    const VerdictStore store = this->store();
    ASSERT_TRUE(store.note(file_, "con.txt", judgement("name.hostile")));
    EXPECT_EQ((*store.find_refusal(file_))->rule, "name.hostile");
    ASSERT_TRUE(store.note(file_, "notes.txt", judgement("content.inert")));
    EXPECT_FALSE(*store.find_refusal(file_)) << "a bad name elsewhere says nothing of the content";
    ASSERT_TRUE(store.note(blob_, "x.bin", judgement("name.hostile")));
    ASSERT_TRUE(store.note(blob_, "y.bin", judgement("antivirus.hit")));
    const auto blobs = store.refused_blobs();
    ASSERT_TRUE(blobs && blobs->contains(blob_));
    EXPECT_THAT(blobs->at(blob_), testing::UnorderedElementsAre("x.bin", "y.bin"));
    ASSERT_TRUE(store.note(blob_, "z.bin", judgement("content.unknown")));
    EXPECT_THAT(*store.refused_blobs(), IsEmpty()) << "large files are no blobs";
    ASSERT_TRUE(store.note(file_, "notes.txt", judgement("antivirus.hit")));
    EXPECT_TRUE(*store.find_refusal(file_));
    EXPECT_FALSE(*store.find_refusal(blob_)) << "it passes under one of its names";
}

TEST_P(VerdictStoreTest, forgets_what_is_old_and_nowhere) {
    const auto database = open();
    const VerdictStore store(database);
    Names names(database);
    Repo repo;
    repo.internal = "000000000000000000000001";
    repo.id = {RepoType::Model, "ana", "m"};
    const auto made = names.add_repo(repo);
    ASSERT_TRUE(made);
    const std::string kept(64, 'c');
    ASSERT_TRUE(
        names.add_file(made->key, {*crypto::Sha256Digest::parse(kept), {}, 1}, TimePoint()));
    const std::string young(64, 'd');
    const std::string blob(40, 'e');
    for (const auto& [content, when] : {std::pair(file_, now_ - hours(2)),
                                        std::pair(kept, now_ - hours(2)),
                                        std::pair(young, now_),
                                        std::pair(blob_, now_ - hours(2)),
                                        std::pair(blob, now_ - hours(2))}) {
        ASSERT_TRUE(store.note(content, "x", judgement("content.inert", "s", when)));
    }
    auto blobs = store.old_blobs(now_ - hours(1));
    ASSERT_TRUE(blobs);
    EXPECT_THAT(*blobs, SizeIs(2));
    blobs->erase(blob);                // Some repository has it.
    const std::string bundle(64, 'd'); // No repository has it, the catalog does.
    ASSERT_TRUE(
        store.note(bundle, "app-1.0.0.locapp", judgement("content.inert", "s", now_ - hours(2))));
    EXPECT_EQ(*store.forget(*blobs, now_ - hours(1)), 2U);
    EXPECT_TRUE(*store.find(bundle, "app-1.0.0.locapp"));
    EXPECT_FALSE(*store.find(file_, "x"));
    EXPECT_FALSE(*store.find(blob_, "x"));
    for (const std::string& content : {kept, young, blob}) {
        EXPECT_TRUE(*store.find(content, "x")) << content;
    }
}

LOCARA_WITH_BACKENDS(VerdictStoreTest);

// --------------------------------------------------------------------------------- a hub with them

class VerdictsTest : public testing::Test {
  protected:
    void SetUp() override {
        auto hub = Hub::open(seed_.data(), clock_, null_log());
        ASSERT_TRUE(hub) << hub.error().describe();
        hub_ = std::move(*hub);
        hub_->configure(test::with_public_repos());
        ASSERT_TRUE(hub_->take_seed(seed_.root()));
        ASSERT_TRUE(hub_->serve("127.0.0.1", 0));
        auto accounts = Accounts::open(seed_.data(), clock_);
        ASSERT_TRUE(accounts && accounts->add_user("ana", ""));
        token_ = accounts->create_token("ana", {"t", TokenRole::Write, clock_.now() + hours(24)})
                     ->text.reveal();
        database_ = *Database::open(seed_.data() / kNamesFile);
    }

    Reply call(const std::string& method, const std::string& path, const std::string& body = "") {
        return test::send(hub_->port(),
                          method + " " + path + " HTTP/1.1\r\nAuthorization: Bearer " + token_ +
                              "\r\n",
                          body);
    }

    Reply commit(const std::string& path, const std::string& content) {
        return call("POST",
                    "/api/models/ana/m/commit/main",
                    R"({"key":"header","value":{"summary":"t"}}
{"key":"file","value":{"path":")" +
                        path + R"(","encoding":"base64","content":")" +
                        render_base64(as_bytes(content)) + "\"}}\n");
    }

    void make_repo() {
        ASSERT_EQ(call("POST", "/api/repos/create", R"({"type":"model","name":"m"})").status(),
                  200);
    }

    VerdictStore store() const { return VerdictStore(database_); }

    /// The file of a tree with this path.
    static Json entry(const Json& tree, const std::string& path) {
        for (const Json& one : tree) {
            if (one["path"] == path) {
                return one;
            }
        }
        ADD_FAILURE() << path << " is not in " << tree;
        return {};
    }

    /// The real gate, which counts how often it is asked.
    RescanOptions options() {
        RescanOptions options;
        options.judge = [this](const formats::ByteSource& content, std::string_view name) {
            ++asked_;
            return gate::shared_gate().examine(content, name);
        };
        options.scanners = *gate::shared_gate().scanners();
        return options;
    }

    RescanReport rescan(const RescanOptions& options) {
        auto report = hub::rescan(seed_.data(), clock_, options);
        EXPECT_TRUE(report) << report.error().describe();
        return std::move(*report);
    }

    SampleSeed seed_;
    FakeClock clock_{*parse_time("2026-11-22T19:00:00Z")};
    std::unique_ptr<Hub> hub_;
    std::shared_ptr<Database> database_;
    std::string token_;
    int asked_ = 0;
};

TEST_F(VerdictsTest, are_kept_of_a_commit_and_shown_as_clients_of_the_hub_read_them) {
    make_repo();
    ASSERT_EQ(commit("notes.txt", "all is well\n").status(), 200);
    ASSERT_EQ(commit("code/run.py", "print(1)\n").status(), 200);
    const Json tree = call("GET", "/api/models/ana/m/tree/main?recursive=true&expand=true").json();
    const Json fine = entry(tree, "notes.txt")["securityFileStatus"];
    EXPECT_EQ(fine["status"], "safe");
    EXPECT_TRUE(fine["avScan"].is_null() && fine["pickleImportScan"].is_null()) << fine;
    EXPECT_EQ(fine["locaraScan"]["rule"], "content.inert");
    EXPECT_EQ(fine["locaraScan"]["judged"], "2026-11-22T19:00:00Z");
    EXPECT_THAT(fine["locaraScan"]["scanners"].get<std::string>(),
                HasSubstr("locara-formats " + std::string(formats::kScannerVersion) + "; yara "));
    const Json flagged = entry(tree, "code/run.py")["securityFileStatus"];
    EXPECT_EQ(flagged["status"], "suspicious");
    EXPECT_EQ(flagged["locaraScan"]["verdict"], "flag");
    EXPECT_EQ(flagged["locaraScan"]["rule"], "name.code");
    EXPECT_FALSE(entry(tree, "code").contains("securityFileStatus"));
    EXPECT_EQ(entry(tree, ".gitattributes")["securityFileStatus"]["status"], "safe")
        << "though the hub made it itself: else whoever gives it a bad name has it withheld";

    const Json some = call("POST",
                           "/api/models/ana/m/paths-info/main",
                           R"({"paths": ["code/run.py"], "expand": true})")
                          .json();
    ASSERT_THAT(some, SizeIs(1));
    EXPECT_EQ(some[0]["securityFileStatus"], flagged);
    EXPECT_FALSE(entry(call("GET", "/api/models/ana/m/tree/main").json(), "notes.txt")
                     .contains("securityFileStatus"));

    for (const char* query : {"securityStatus=true", "expand[]=securityRepoStatus"}) {
        const Json info = call("GET", std::string("/api/models/ana/m?") + query).json();
        EXPECT_EQ(info["securityRepoStatus"]["scansDone"], true) << query;
        EXPECT_EQ(info["securityRepoStatus"]["filesWithIssues"],
                  Json::parse(R"([{"path":"code/run.py","level":"suspicious"}])"));
    }
    EXPECT_FALSE(call("GET", "/api/models/ana/m").json().contains("securityRepoStatus"));
    const auto listed = list_verdicts(seed_.data(), "ana/m", "main");
    ASSERT_TRUE(listed) << listed.error().describe();
    EXPECT_EQ(listed->repo, "models/ana/m");
    EXPECT_THAT(listed->files, SizeIs(3));
    EXPECT_TRUE(std::all_of(listed->files.begin(), listed->files.end(), [](const auto& file) {
        return file.found.has_value();
    }));
    EXPECT_EQ(list_verdicts(seed_.data(), "ana/none", "main").error().code(), ErrorCode::NotFound);
    EXPECT_EQ(list_verdicts(seed_.data(), "ana/m", "none").error().code(), ErrorCode::NotFound);
    EXPECT_EQ(list_verdicts(seed_.data(), "ana", "main").error().code(),
              ErrorCode::InvalidArgument);
}

TEST_F(VerdictsTest, are_kept_of_a_seed_when_it_is_taken_in) {
    const auto listed = list_verdicts(seed_.data(), "locara/tiny", "main");
    ASSERT_TRUE(listed) << listed.error().describe();
    EXPECT_THAT(listed->files, SizeIs(Ge(3U)));
    for (const FileVerdict& file : listed->files) {
        ASSERT_TRUE(file.found) << file.path;
        EXPECT_EQ(file.found->verdict.decision, formats::Decision::Allow) << file.path;
        EXPECT_EQ(file.found->scanners, *gate::shared_gate().scanners()) << file.path;
        EXPECT_EQ(file.found->made, clock_.now()) << file.path;
        EXPECT_EQ(file.found->facts.empty(), file.path != "model.gguf") << file.path;
    }
    EXPECT_EQ(call("GET", "/api/models/locara/tiny?securityStatus=true")
                  .json()["securityRepoStatus"]["scansDone"],
              true);
}

TEST_F(VerdictsTest, are_kept_of_what_is_refused_too) {
    make_repo();
    const std::string pickle = "cos\nsystem\n(S'true'\ntR.";
    EXPECT_EQ(commit("model.bin", pickle).status(), 403);
    const auto found = store().find(id_of_blob(pickle), "model.bin");
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->verdict.rule, "pickle.import.malicious");
    ASSERT_THAT((*found)->verdict.imports, SizeIs(1));
    EXPECT_EQ((*found)->verdict.imports[0].module, "os");
}

TEST_F(VerdictsTest, are_believed_at_the_next_door_while_the_scanners_are_the_same) {
    make_repo();
    const std::string text = "once judged\n";
    // Known as refused, by the scanners of today: the gate itself would let it pass.
    ASSERT_TRUE(store().note(
        id_of_blob(text), "a.txt", judgement("antivirus.hit", *gate::shared_gate().scanners())));
    EXPECT_EQ(commit("sub/a.txt", text).status(), 403);
    EXPECT_EQ(commit("b.txt", text).status(), 200) << "another name is another question";
    ASSERT_TRUE(store().note(id_of_blob(text), "a.txt", judgement("antivirus.hit", "older")));
    EXPECT_EQ(commit("sub/a.txt", text).status(), 200) << "the scanners have learned";
    EXPECT_EQ((*store().find(id_of_blob(text), "a.txt"))->verdict.rule, "content.inert");
}

TEST_F(VerdictsTest, of_today_keep_a_file_that_was_let_in_from_being_given_away) {
    const std::string weights = crypto::sha256(as_bytes(test::weights())).render();
    const std::string resolve = "/locara/tiny/resolve/main/";
    ASSERT_EQ(call("GET", resolve + "model.gguf").status(), 200);
    ASSERT_TRUE(store().note(weights, "model.gguf", judgement("antivirus.hit")));
    const Reply refused = call("GET", resolve + "model.gguf");
    EXPECT_EQ(refused.status(), 403);
    EXPECT_THAT(refused.body, HasSubstr("antivirus.hit"));
    EXPECT_EQ(call("GET", "/locara/tiny.git/info/lfs/objects/" + weights).status(), 403);
    ASSERT_TRUE(
        store().note(id_of_blob("{\"a\": 1}\n"), "config.json", judgement("antivirus.hit")));
    EXPECT_EQ(call("GET", resolve + "config.json").status(), 403);
    EXPECT_EQ(call("GET", "/locara/tiny/raw/main/config.json").status(), 403);
    EXPECT_EQ(call("GET", resolve + "README.md").status(), 200);
    // Cleared: a signature was wrong.
    rescan(options());
    EXPECT_EQ(call("GET", resolve + "model.gguf").status(), 200);
}

TEST_F(VerdictsTest, say_what_is_in_weights) {
    const Json expected = {{"total", 1000}, {"architecture", "llama"}};
    EXPECT_EQ(call("GET", "/api/models/locara/tiny").json()["gguf"], expected);
    const Json listed = call("GET", "/api/models?filter=gguf&expand[]=gguf").json();
    ASSERT_THAT(listed, SizeIs(1));
    EXPECT_EQ(listed[0]["gguf"], expected);
    EXPECT_FALSE(call("GET", "/api/models?library=gguf").json()[0].contains("gguf"));
    EXPECT_THAT(call("GET", "/api/models?filter=safetensors").json(), SizeIs(0));
}

/// A safetensors file of this header and as many bytes of data.
std::string safetensors(const std::string& header, std::size_t bytes) {
    std::string out;
    test::put_number(out, header.size(), 8);
    return out + header + std::string(bytes, '\1');
}

TEST_F(VerdictsTest, add_up_the_parts_of_split_safetensors) {
    make_repo();
    const std::string first = safetensors(
        R"({"a":{"dtype":"BF16","shape":[10,3],"data_offsets":[0,60]},"b":{"dtype":"F32","shape":[2],"data_offsets":[60,68]}})",
        68);
    const std::string second =
        safetensors(R"({"c":{"dtype":"BF16","shape":[5],"data_offsets":[0,10]}})", 10);
    ASSERT_EQ(commit("model-00001-of-00002.safetensors", first).status(), 200);
    ASSERT_EQ(commit("model-00002-of-00002.safetensors", second).status(), 200);
    const Json expected = {{"parameters", {{"BF16", 35}, {"F32", 2}}}, {"total", 37}};
    const Json info = call("GET", "/api/models/ana/m").json();
    EXPECT_EQ(info["safetensors"], expected);
    EXPECT_FALSE(info.contains("gguf"));
    const Json listed = call("GET", "/api/models?filter=safetensors&expand[]=safetensors").json();
    ASSERT_THAT(listed, SizeIs(1));
    EXPECT_EQ(listed[0]["safetensors"], expected);
    EXPECT_FALSE(call("GET", "/api/models?filter=safetensors").json()[0].contains("safetensors"));
}

TEST_F(VerdictsTest, spare_a_rescan_what_the_same_scanners_saw_and_bound_its_steps) {
    EXPECT_EQ(rescan(options()).judged, 1U) << "the seed's files were judged when it came, but for "
                                               "the bundle that was made of an app";
    const int bundle = asked_; // Its files; it counts as one.
    RescanOptions once = options();
    once.scanners = "others";
    const RescanReport first = rescan(once);
    EXPECT_THAT(first.refused, IsEmpty());
    EXPECT_EQ(first.judged, first.files);
    EXPECT_EQ(asked_, static_cast<int>(first.files) - 1 + 2 * bundle);
    const RescanReport second = rescan(once);
    EXPECT_EQ(second.files, first.files);
    EXPECT_EQ(second.judged, 0U);
    once.known = RescanOptions::Known::JudgeAgain;
    EXPECT_EQ(rescan(once).judged, first.files);

    RescanOptions step = options();
    step.scanners = "yet others";
    step.budget_bytes = 1;
    std::uint64_t judged = 0;
    std::uint64_t steps = 0;
    do {
        const RescanReport report = rescan(step);
        EXPECT_LE(report.judged, 1U);
        judged += report.judged;
        step.from = report.next;
        ++steps;
    } while (step.from && steps < 100);
    EXPECT_EQ(judged, first.files);
    EXPECT_GE(steps, first.files);
}

TEST_F(VerdictsTest, change_by_themselves_when_scanners_learn) {
    const auto backend = cas::open_directory(seed_.data() / kChunks, clock_);
    ASSERT_TRUE(backend);
    const cas::Cas chunks(**backend, {.clock = &clock_});
    Names names(database_);
    const Buckets buckets(database_);
    const VerdictStore verdicts(database_);
    const std::filesystem::path data = seed_.data();
    std::string scanners = "formats 1";
    bool known = false;
    RescanWatch::Options options;
    options.step_bytes = 1;
    options.scanners = [&scanners]() -> Result<std::string> {
        return scanners.empty() ? Result<std::string>(Error(ErrorCode::Unavailable, "down"))
                                : Result<std::string>(scanners);
    };
    options.judge = [&](const formats::ByteSource& content, std::string_view name) {
        ++asked_;
        return known && name == "model.gguf"
                   ? Examination{formats::make_verdict("gguf", {"antivirus.hit", "x", {}}), {}}
                   : formats::examine_source(content, name);
    };
    RescanWatch watch(
        RescanSources{data, names, buckets, verdicts, chunks, clock_}, names, null_log(), options);
    const auto finish = [&watch] {
        for (int i = 0; i < 100; ++i) {
            const auto done = watch.step();
            ASSERT_TRUE(done) << done.error().describe();
            if (*done == RescanWatch::Step::Idle) {
                return;
            }
        }
        FAIL() << "it does not end";
    };
    finish();
    const int all = asked_;
    EXPECT_GT(all, 3);
    finish();
    EXPECT_EQ(asked_, all) << "nothing has changed";
    ASSERT_EQ(call("GET", "/locara/tiny/resolve/main/model.gguf").status(), 200);

    known = true;
    scanners = "formats 1; ClamAV 1.0.9/27501";
    finish();
    EXPECT_EQ(asked_, 2 * all);
    EXPECT_EQ(call("GET", "/locara/tiny/resolve/main/model.gguf").status(), 403);
    scanners = "";
    EXPECT_EQ(watch.step().error().code(), ErrorCode::Unavailable);
}

TEST_F(VerdictsTest, go_with_the_content_that_they_are_about) {
    make_repo();
    ASSERT_EQ(commit("notes.txt", "in git\n").status(), 200);
    EXPECT_EQ(commit("x.bin", "cos\nsystem\n(S'true'\ntR.").status(), 403);
    const auto collect = [this](TimePoint now) {
        const FakeClock clock(now);
        const auto report = collect_garbage(seed_.data(), clock, {});
        EXPECT_TRUE(report) << report.error().describe();
        return report->removed_verdicts;
    };
    EXPECT_EQ(collect(clock_.now()), 0U) << "they are young";
    const TimePoint later = system_clock().now() + hours(25);
    EXPECT_EQ(collect(later), 1U) << "what was refused is nowhere";
    EXPECT_TRUE(*store().find(id_of_blob("in git\n"), "notes.txt"));
    ASSERT_EQ(
        call("DELETE", "/api/repos/delete", R"({"name":"m","organization":"ana","type":"model"})")
            .status(),
        200);
    collect(later);
    EXPECT_FALSE(*store().find(id_of_blob("in git\n"), "notes.txt"));
}

} // namespace
} // namespace locara::hub
