#include "install_fixture.hpp"

#include <locara/runtime/storage.hpp>

#include <fstream>

#include <sys/stat.h>

namespace locara::runtime {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Outcome = AdoptReport::Item::Outcome;

class StorageTest : public InstallTest {
  protected:
    const store::Digest weights_digest_ = crypto::sha256(as_bytes(weights_));

    /// Ages nothing: the clock says that much later.
    static store::GcOptions all() {
        store::GcOptions options;
        options.min_age = std::chrono::seconds(0);
        options.min_part_age = std::chrono::seconds(0);
        return options;
    }

    /// An environment with these variables only.
    static Environment environment(std::map<std::string, std::string> values) {
        return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
            const auto at = values.find(name);
            return at == values.end() ? std::nullopt : std::optional(at->second);
        };
    }

    /// A cache as the Hugging Face client leaves it; returns the blob.
    fs::path fill_cache() {
        const fs::path repo = cache_ / "models--org--tiny";
        const fs::path blob = repo / "blobs" / weights_digest_.render();
        write(blob, weights_);
        fs::create_directories(repo / "snapshots/abc");
        fs::create_symlink("../../blobs/" + weights_digest_.render(),
                           repo / "snapshots/abc/tiny.gguf");
        write(repo / "blobs/0123456789abcdef0123456789abcdef01234567", "{\"a\": 1}");
        return blob;
    }

    /// Changes a byte of the stored weights.
    void damage_weights(Storage& storage) {
        const fs::path path = storage.why(weights_digest_.render())->at(0).path;
        ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
        std::string other = weights_;
        other.back() ^= 1;
        std::ofstream(path, std::ios::binary) << other;
        ASSERT_EQ(::chmod(path.c_str(), 0444), 0);
    }

    fs::path cache_ = temp_.path() / "cache/huggingface/hub";
    Environment hugging_ = environment({{"HF_HUB_CACHE", cache_.string()}});
};

TEST_F(StorageTest, garbage_is_what_no_app_and_no_pin_names) {
    auto installer = open_with_hub();
    auto storage = installer.storage();
    const auto found = installer.find_model(*manifest::ModelId::parse("locara/tiny"), "");
    ASSERT_TRUE(found) << found.error().describe();
    ASSERT_TRUE(installer.pull(found->model, found->hub, null_progress()));
    clock_.set(system_clock().now() + std::chrono::hours(1)); // everything is old now
    EXPECT_EQ(installer.disk_use()->unreferenced_files, 0U);
    EXPECT_THAT(storage.collect_garbage(all())->items, IsEmpty()) << "it was pulled: pinned";
    const auto why = storage.why("locara/tiny");
    ASSERT_TRUE(why) << why.error().describe();
    ASSERT_EQ(why->size(), 1U);
    EXPECT_EQ(why->at(0).digest, weights_digest_);
    EXPECT_EQ(why->at(0).needs.at(0).by, "pin locara/tiny:f32");
    ASSERT_TRUE(storage.remove_pin("locara/tiny:f32"));
    EXPECT_EQ(storage.remove_pin("locara/tiny:f32").error().code(), ErrorCode::NotFound);
    EXPECT_EQ(storage.disk_report()->orphans.files, 1U);
    const auto report = storage.collect_garbage(all());
    ASSERT_TRUE(report) << report.error().describe();
    EXPECT_EQ(report->items.size(), 1U);
    EXPECT_GE(report->freed_bytes, weights_.size());
    EXPECT_EQ(storage.why("locara/tiny").error().code(), ErrorCode::NotFound);
}

TEST_F(StorageTest, an_app_keeps_its_weights_and_an_unreadable_lockfile_keeps_everything) {
    auto installer = open_with_hub();
    auto storage = installer.storage();
    const auto plan = installer.plan(ref("locara/first"));
    ASSERT_TRUE(plan) << plan.error().describe();
    ASSERT_TRUE(installer.install(*plan, null_progress()));
    clock_.set(system_clock().now() + std::chrono::hours(1)); // everything is old now
    EXPECT_THAT(storage.collect_garbage(all())->items, IsEmpty());
    const auto why = storage.why(weights_digest_.render());
    ASSERT_TRUE(why);
    EXPECT_EQ(why->at(0).needs.at(0).by, "app locara/first 1.0.0");
    EXPECT_EQ(why->at(0).needs.at(0).role, "text");
    EXPECT_EQ(why->at(0).freed_bytes, storage.disk_report()->store.file_bytes);
    const auto disk = storage.disk_report();
    ASSERT_EQ(disk->apps.size(), 1U);
    EXPECT_GT(disk->apps[0].bytes, weights_.size());
    ASSERT_EQ(disk->models.size(), 1U);
    EXPECT_EQ(disk->models[0].name, "locara/tiny:f32");
    write(home_.apps() / "locara/first/1.0.0/lock.json", "{}");
    const auto refused = storage.collect_garbage(all());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::Corrupt);
    EXPECT_THAT(refused.error().message(), HasSubstr("locara/first"));
    EXPECT_TRUE(storage.disk_report().error().code() == ErrorCode::Corrupt);
}

TEST_F(StorageTest, weights_of_other_programs_are_adopted_by_content) {
    auto installer = open_with_hub();
    auto storage = installer.storage();
    const fs::path blob = fill_cache();
    write(cache_ / "models--org--bad/blobs/x",
          "\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R." + std::string(70'000, 'c'));
    AdoptRequest request;
    request.environment = hugging_;
    request.dry_run = AdoptRequest::DryRun::Yes;
    auto report = storage.adopt(request, null_progress());
    ASSERT_TRUE(report) << report.error().describe();
    EXPECT_EQ(report->adopted_bytes, weights_.size());
    request.dry_run = AdoptRequest::DryRun::No;
    report = storage.adopt(request, null_progress());
    ASSERT_TRUE(report);
    ASSERT_EQ(report->items.size(), 2U) << "small files are not even looked at";
    EXPECT_EQ(report->items[0].outcome, Outcome::Refused) << "a pickle under any name";
    EXPECT_EQ(report->items[1].outcome, Outcome::Adopted);
    EXPECT_EQ(report->items[1].file.place, "Hugging Face cache");
    EXPECT_EQ(report->items[1].digest, weights_digest_);
    EXPECT_EQ(storage.adopt(request, null_progress())->items[1].outcome, Outcome::AlreadyHere);
    const auto why = storage.why(blob.string());
    ASSERT_TRUE(why) << why.error().describe();
    EXPECT_EQ(why->at(0).adopted->from, fs::canonical(blob));
    // And an install fetches no weights.
    const auto plan = installer.plan(ref("locara/first"));
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->here_bytes, weights_.size());
    ASSERT_TRUE(installer.install(*plan, null_progress()));
    EXPECT_EQ(installer.verify(std::nullopt, {}, null_progress())->problems.size(), 0U);
    // Removing the app leaves what the other program has in any case.
    ASSERT_TRUE(installer.remove(*manifest::AppId::parse("locara/first")));
    EXPECT_TRUE(fs::exists(blob));
    EXPECT_EQ(storage.why(weights_digest_.render())->at(0).needs.size(), 0U);
}

TEST_F(StorageTest, what_is_bad_or_missing_is_fetched_again_for_who_names_it) {
    auto installer = open_with_hub();
    auto storage = installer.storage();
    const auto plan = installer.plan(ref("locara/first"));
    ASSERT_TRUE(plan) << plan.error().describe();
    ASSERT_TRUE(installer.install(*plan, null_progress()));
    damage_weights(storage);
    auto outcome = installer.verify(std::nullopt, {}, null_progress());
    ASSERT_TRUE(outcome) << outcome.error().describe();
    ASSERT_EQ(outcome->problems.size(), 1U);
    EXPECT_EQ(outcome->problems[0].file, weights_digest_);
    outcome = installer.verify(std::nullopt, {}, null_progress());
    ASSERT_EQ(outcome->problems.size(), 1U) << "still missing";
    EXPECT_THAT(outcome->problems[0].text, HasSubstr("is not in the store"));
    // Policy is asked again, and what nothing names has no source.
    write(home_.config / "policy.toml", "[refuse]\npublishers = [\"locara\"]\n");
    auto fetched = installer.refetch({weights_digest_, crypto::sha256({})}, null_progress());
    ASSERT_TRUE(fetched) << fetched.error().describe();
    EXPECT_THAT(fetched->files, IsEmpty());
    ASSERT_EQ(fetched->problems.size(), 1U);
    EXPECT_EQ(fetched->problems[0].subject, "locara/first");
    fs::remove(home_.config / "policy.toml");
    fetched = installer.refetch({weights_digest_, crypto::sha256({})}, null_progress());
    ASSERT_TRUE(fetched);
    EXPECT_THAT(fetched->problems, IsEmpty());
    EXPECT_THAT(fetched->files, testing::ElementsAre(weights_digest_));
    EXPECT_THAT(installer.verify(std::nullopt, {}, null_progress())->problems, IsEmpty());
}

TEST_F(StorageTest, a_pulled_model_is_fetched_again_without_its_catalog) {
    auto installer = open_with_hub();
    auto storage = installer.storage();
    const auto found = installer.find_model(*manifest::ModelId::parse("locara/tiny"), "");
    ASSERT_TRUE(found) << found.error().describe();
    ASSERT_TRUE(installer.pull(found->model, found->hub, null_progress()));
    ASSERT_TRUE(installer.remove_hub(found->hub.url));
    damage_weights(storage);
    auto outcome = installer.verify(std::nullopt, {}, null_progress());
    ASSERT_EQ(outcome->problems.size(), 1U);
    outcome = installer.verify(std::nullopt, {}, null_progress());
    ASSERT_EQ(outcome->problems.size(), 1U) << "a pin misses it, too";
    EXPECT_EQ(outcome->problems[0].subject, "locara/tiny:f32");
    EXPECT_THAT(outcome->problems[0].text, HasSubstr("locara verify --repair"));
    const auto fetched = installer.refetch({weights_digest_}, null_progress());
    ASSERT_TRUE(fetched) << fetched.error().describe();
    EXPECT_THAT(fetched->problems, IsEmpty());
    EXPECT_THAT(installer.verify(std::nullopt, {}, null_progress())->problems, IsEmpty());
}

TEST_F(StorageTest, a_changed_or_lost_reference_does_not_vanish_without_a_word) {
    auto installer = open_with_hub();
    auto storage = installer.storage();
    const fs::path blob = fill_cache();
    AdoptRequest request;
    request.environment = hugging_;
    request.link = store::LinkKind::Reference;
    ASSERT_EQ(storage.adopt(request, null_progress())->items.at(0).outcome, Outcome::Adopted);
    const std::string name = "sha256:" + weights_digest_.render();
    ASSERT_TRUE(storage.add_pin(
        {name, "2026-11-22T12:00:00Z", {{name, "", weights_.size(), weights_digest_}}}));
    EXPECT_THAT(*storage.broken_pins(), IsEmpty());
    // Another size: it is not here any more, and verify says why.
    write(blob, weights_ + "x");
    auto outcome = installer.verify(std::nullopt, {}, null_progress());
    ASSERT_EQ(outcome->problems.size(), 1U);
    EXPECT_EQ(outcome->problems[0].subject, name);
    EXPECT_THAT(outcome->problems[0].text, HasSubstr(blob.string()));
    ASSERT_EQ(outcome->lost.size(), 1U);
    EXPECT_THAT(storage.why(name)->at(0).problem, HasSubstr("gone or has another size"));
    // Other bytes: the first look drops it, and says so; a later one still misses it.
    std::string other = weights_;
    other.back() ^= 1;
    write(blob, other);
    const auto why = storage.why(name);
    ASSERT_TRUE(why) << why.error().describe();
    EXPECT_THAT(why->at(0).problem, HasSubstr("another program changed"));
    EXPECT_FALSE(why->at(0).size);
    EXPECT_EQ(why->at(0).freed_bytes, 0U);
    outcome = installer.verify(std::nullopt, {}, null_progress());
    ASSERT_EQ(outcome->problems.size(), 1U);
    EXPECT_THAT(outcome->problems[0].text, HasSubstr("nothing says where it came from"));
    EXPECT_THAT(outcome->lost, IsEmpty());
    ASSERT_EQ(storage.broken_pins()->size(), 1U);
    EXPECT_EQ(storage.broken_pins()->at(0).command(), "locara unpin " + name);
    EXPECT_THAT(installer.refetch({weights_digest_}, null_progress())->files, IsEmpty());
}

TEST_F(StorageTest, a_pin_keeps_its_manifest_and_reads_without_one) {
    Pin pin{
        "locara/tiny:f32", "2026-11-22T12:00:00Z", {}, "http://127.0.0.1:1", "{\"a\": \"\\n\"}"};
    pin.files.push_back({"tiny.gguf", "gguf", 1, weights_digest_});
    const auto again = Pin::parse(pin.render());
    ASSERT_TRUE(again) << again.error().describe();
    EXPECT_EQ(again->hub, pin.hub);
    EXPECT_EQ(again->manifest, pin.manifest);
    pin.manifest.clear();
    EXPECT_EQ(Pin::parse(pin.render())->manifest, "");
    EXPECT_EQ(open_with_hub().storage().why("").error().code(), ErrorCode::InvalidArgument);
}

TEST_F(StorageTest, names_tell_what_need_not_be_fetched) {
    auto installer = open_with_hub();
    auto storage = installer.storage();
    fill_cache();
    const auto named = storage.find_named({weights_digest_}, hugging_);
    ASSERT_EQ(named.size(), 1U);
    EXPECT_EQ(named[0].size, weights_.size());
    EXPECT_THAT(storage.find_named({crypto::sha256({})}, hugging_), IsEmpty());
}

TEST_F(StorageTest, places_are_found_by_variables_and_patterns) {
    const std::string big(kMinForeignBytes, 'x');
    const fs::path home = temp_.path() / "ana";
    const std::string hex = crypto::sha256(as_bytes(big)).render();
    write(home / ".ollama/models/blobs" / ("sha256-" + hex), big);
    write(home / ".ollama/models/blobs/sha256-short-partial", "x");
    write(home / ".lmstudio/models/org/repo/model.gguf", big + "2");
    write(home / ".lmstudio/models/org/repo/readme.md", big);
    write(home / ".cache/huggingface/hub/blobs/91" / hex, big + "3");
    fs::create_directories(home / ".cache/huggingface/hub/models--a--b/blobs");
    fs::create_symlink("../../blobs/91/" + hex,
                       home / ".cache/huggingface/hub/models--a--b/blobs" / std::string(64, 'a'));
    const auto files = find_foreign(environment({{"HOME", home.string()}})).files;
    ASSERT_EQ(files.size(), 3U);
    EXPECT_EQ(files[0].place, "Hugging Face cache");
    EXPECT_EQ(files[0].named->render(), std::string(64, 'a')) << "the name in the repository";
    EXPECT_EQ(files[1].place, "LM Studio");
    EXPECT_EQ(files[1].hint, "org/repo/model.gguf");
    EXPECT_EQ(files[2].place, "Ollama");
    EXPECT_EQ(files[2].named->render(), hex);
    EXPECT_THAT(find_foreign(environment({})).files, IsEmpty());
}

TEST_F(StorageTest, a_folder_that_was_downloaded_to_is_walked_with_its_notes) {
    const fs::path folder = temp_.path() / "downloads";
    write(folder / "sub/tiny.gguf", weights_);
    write(folder / ".cache/huggingface/download/sub/tiny.gguf.metadata",
          std::string(kRevision) + "\n" + weights_digest_.render() + "\n1700000000.5\n");
    fs::create_directory_symlink(folder, folder / "loop");
    const auto found = find_foreign_below(folder);
    ASSERT_TRUE(found) << found.error().describe();
    ASSERT_EQ(found->files.size(), 1U);
    EXPECT_EQ(found->files[0].named, weights_digest_);
    EXPECT_EQ(found->files[0].hint, "sub/tiny.gguf");
    EXPECT_THAT(found->unseen, IsEmpty());
    EXPECT_EQ(find_foreign_below(temp_.path() / "no").error().code(), ErrorCode::NotFound);
    EXPECT_THAT(find_foreign_below("/proc/self")->files, IsEmpty());
}

TEST_F(StorageTest, a_folder_that_cannot_be_listed_is_told_and_costs_only_itself) {
    const fs::path folder = temp_.path() / "walked";
    write(folder / "a/closed/tiny.gguf", weights_);
    write(folder / "z/tiny.gguf", weights_);
    ASSERT_EQ(::chmod((folder / "a/closed").c_str(), 0), 0);
    // Root may read everything: be somebody else meanwhile.
    const uid_t self = ::geteuid();
    constexpr uid_t kNobody = 65534;
    if (self == 0) {
        for (fs::path up = folder; up != temp_.path().parent_path(); up = up.parent_path()) {
            ASSERT_EQ(::chmod(up.c_str(), 0755), 0);
        }
        ASSERT_EQ(::seteuid(kNobody), 0);
    }
    const auto found = find_foreign_below(folder);
    const auto known = find_foreign(environment({{"LLAMA_CACHE", (folder / "a/closed").string()}}));
    if (self == 0) {
        ASSERT_EQ(::seteuid(self), 0);
    }
    ::chmod((folder / "a/closed").c_str(), 0755);
    ASSERT_TRUE(found) << found.error().describe();
    ASSERT_EQ(found->files.size(), 1U) << "what comes after it is found";
    EXPECT_EQ(found->files[0].hint, "z/tiny.gguf");
    ASSERT_EQ(found->unseen.size(), 1U);
    EXPECT_EQ(found->unseen[0].path, folder / "a/closed");
    EXPECT_THAT(found->unseen[0].reason, HasSubstr("Permission denied"));
    ASSERT_EQ(known.unseen.size(), 1U);
    EXPECT_EQ(known.unseen[0].place, "llama.cpp");
}

TEST_F(StorageTest, limits_of_a_walk_are_told) {
    const fs::path folder = temp_.path() / "walked";
    for (int i = 0; i < 3; ++i) {
        write(folder / std::to_string(i) / "tiny.gguf", weights_);
    }
    auto found = find_foreign_below(folder, {2, 16});
    EXPECT_EQ(found->files.size(), 2U);
    ASSERT_EQ(found->unseen.size(), 1U);
    EXPECT_THAT(found->unseen[0].reason, HasSubstr("at most 2 files"));
    write(folder / "0/1/2/tiny.gguf", weights_);
    found = find_foreign_below(folder, {100, 2});
    EXPECT_EQ(found->files.size(), 3U);
    ASSERT_EQ(found->unseen.size(), 1U);
    EXPECT_EQ(found->unseen[0].path, folder / "0/1/2");
    AdoptRequest request;
    fs::path deep = folder;
    for (int i = 0; i < 18; ++i) {
        deep /= "x";
    }
    write(deep / "tiny.gguf", weights_);
    request.paths = {folder};
    auto installer = open_with_hub();
    const auto report = installer.storage().adopt(request, null_progress());
    ASSERT_TRUE(report) << report.error().describe();
    EXPECT_EQ(report->items.back().outcome, Outcome::Failed);
    EXPECT_THAT(report->items.back().reason, HasSubstr("deeper than 16 folders"));
}

TEST_F(StorageTest, what_was_called_back_is_not_adopted) {
    auto installer = open_with_hub();
    take_down(*repository_,
              "file",
              "sha256:" + weights_digest_.render(),
              catalog::TakedownAction::BlockInstall,
              "it leaks");
    ASSERT_TRUE(installer.refresh());
    write(temp_.path() / "walked/tiny.gguf", weights_);
    AdoptRequest request;
    request.paths = {temp_.path() / "walked"};
    auto storage = installer.storage();
    const auto report = storage.adopt(request, null_progress());
    ASSERT_TRUE(report) << report.error().describe();
    ASSERT_EQ(report->items.size(), 1U);
    EXPECT_EQ(report->items[0].outcome, Outcome::Refused);
    EXPECT_THAT(report->items[0].reason, HasSubstr("it leaks"));
    EXPECT_FALSE(store::Store::open(home_.store)->has(weights_digest_));
    EXPECT_THAT(*store::Store::open(home_.store)->list_adopted(), IsEmpty());
}

TEST_F(StorageTest, refusals_are_told_of_what_passes_for_weights_only) {
    const fs::path folder = temp_.path() / "walked";
    const std::string program = read_file("/proc/self/exe", 1U << 30U)->substr(0, 100'000);
    write(folder / "a/program", program);
    write(folder / "b/model.gguf", program);
    AdoptRequest request;
    request.paths = {folder};
    auto installer = open_with_hub();
    const auto report = installer.storage().adopt(request, null_progress());
    ASSERT_TRUE(report) << report.error().describe();
    ASSERT_EQ(report->items.size(), 2U);
    EXPECT_EQ(report->items[0].outcome, Outcome::NotWeights);
    EXPECT_EQ(report->items[1].outcome, Outcome::Refused);
}

} // namespace
} // namespace locara::runtime
