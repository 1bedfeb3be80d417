#include "sample_seed.hpp"

#include <locara/hub/hub.hpp>
#include <locara/hub/seed.hpp>

#include <gmock/gmock.h>

namespace locara::hub {
namespace {

using test::SampleSeed;
using testing::HasSubstr;

class SeedTest : public testing::Test {
  protected:
    /// The error of reading the seed, "" if there is none.
    Error refusal() {
        auto scratch = TempFolder::create("/tmp", "locara-scratch-");
        EXPECT_TRUE(scratch);
        const auto read = read_seed(seed_.root(), scratch->path(), {});
        return read ? Error(ErrorCode::Internal, "") : read.error();
    }

    SampleSeed seed_;
};

TEST_F(SeedTest, reads_a_whole_seed) {
    auto scratch = TempFolder::create("/tmp", "locara-scratch-");
    const auto read = read_seed(seed_.root(), scratch->path(), {});
    ASSERT_TRUE(read) << read.error().describe();
    ASSERT_EQ(read->models.size(), 1U);
    EXPECT_EQ(read->models[0].target, "models/locara/tiny/1.0.0.json");
    EXPECT_EQ(read->models[0].pin.commit, seed_.commit);
    ASSERT_EQ(read->apps.size(), 1U);
    EXPECT_EQ(read->apps[0].entry_target, "apps/locara/note-taker-1.0.0.json");
    EXPECT_TRUE(test::fs::exists(read->apps[0].archive));
}

TEST_F(SeedTest, pins_the_same_files_to_the_same_commit) {
    const SampleSeed other;
    EXPECT_EQ(other.commit, seed_.commit);
    // Known from the outside: whoever changes how commits are made breaks every pinned manifest.
    EXPECT_EQ(seed_.commit, "9f3eb273907eb8dbc3d0b451d77e941d568e0890");
    test::write(seed_.repo() / "README.md", "other\n");
    EXPECT_NE(pin_model(seed_.model(), "tiny", "1.0.0")->commit, seed_.commit);
}

TEST_F(SeedTest, keeps_weights_out_of_git) {
    const auto pin = pin_model(seed_.model(), "tiny", "1.0.0");
    ASSERT_TRUE(pin);
    for (const RepoFile& file : pin->files) {
        EXPECT_EQ(file.lfs, file.path == "model.gguf") << file.path;
    }
    for (const GitFile& file : pin->snapshot.files) {
        EXPECT_LT(file.content.size(), 1000U) << file.path;
    }
}

TEST_F(SeedTest, refuses_another_license_or_origin_than_the_card_names) {
    seed_.change_manifest([](Json& json) { json["license"]["id"] = "MIT"; });
    EXPECT_EQ(refusal().code(), ErrorCode::Refused);
    EXPECT_THAT(refusal().describe(), HasSubstr("names the license \"apache-2.0\""));
    // What the catalog lists already was asked by the rules of its day.
    auto scratch = TempFolder::create("/tmp", "locara-scratch-");
    const std::string listed = test::read(seed_.model() / "manifest.json");
    Json app = Json::parse(test::read(seed_.app() / "locara.json"));
    app["models"][0]["manifest"] = "sha256:" + crypto::sha256(as_bytes(listed)).render();
    test::write(seed_.app() / "locara.json", app.dump());
    const auto again = read_seed(seed_.root(), scratch->path(), {listed});
    EXPECT_TRUE(again) << again.error().describe();
    test::write(seed_.repo() / "README.md", "---\nlicense: mit\nbase_model: acme/base\n---\n");
    seed_.pin();
    EXPECT_THAT(refusal().describe(), HasSubstr("made from \"acme/base\""));
}

TEST_F(SeedTest, pin_says_whether_the_manifest_is_right_already) {
    EXPECT_FALSE(pin_manifest(seed_.model())->changed);
    test::write(seed_.repo() / "config.json", "{}\n");
    EXPECT_TRUE(pin_manifest(seed_.model())->changed);
}

TEST_F(SeedTest, refuses_an_app_that_hides_what_its_model_forbids) {
    const auto manifest = seed_.model() / "manifest.json";
    Json model = Json::parse(*read_file(manifest, 1U << 20U));
    model["license"]["id"] = "CC-BY-NC-4.0";
    test::write(manifest, model.dump(2));
    test::write(seed_.repo() / "README.md", "---\nlicense: cc-by-nc-4.0\n---\n");
    seed_.pin();
    const Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::Refused);
    EXPECT_THAT(error.describe(),
                HasSubstr("locara.json: terms.commercial: must be there and false: role text, "
                          "model locara/tiny: commercial use no (CC-BY-NC-4.0, 2(a)(1); "
                          "locara/tiny)"));
    Json app = Json::parse(*read_file(seed_.app() / "locara.json", 1U << 20U));
    app["terms"] = {{"commercial", false}};
    test::write(seed_.app() / "locara.json", app.dump(2));
    EXPECT_EQ(refusal().message(), "");
}

TEST_F(SeedTest, refuses_a_wrong_hash_with_both) {
    seed_.change_manifest(
        [](Json& j) { j["variants"][0]["files"][0]["sha256"] = std::string(64, '0'); });
    const Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::Corrupt);
    EXPECT_THAT(error.describe(), HasSubstr("model.gguf has sha256 "));
    EXPECT_THAT(error.describe(), HasSubstr("expects " + std::string(64, '0')));
    EXPECT_THAT(error.describe(), HasSubstr("pin --write"));
}

TEST_F(SeedTest, refuses_a_wrong_size) {
    seed_.change_manifest([](Json& j) { j["variants"][0]["files"][0]["size"] = 5; });
    EXPECT_THAT(refusal().describe(), HasSubstr("bytes, the manifest expects 5"));
}

TEST_F(SeedTest, refuses_a_file_that_is_not_there) {
    seed_.change_manifest([](Json& j) { j["variants"][0]["files"][0]["path"] = "other.gguf"; });
    EXPECT_THAT(refusal().describe(), HasSubstr("other.gguf is not in"));
}

TEST_F(SeedTest, refuses_another_revision_with_both) {
    const std::string other(40, '1');
    seed_.change_manifest([&other](Json& j) { j["source"]["revision"] = other; });
    const Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::Corrupt);
    EXPECT_THAT(error.describe(), HasSubstr(other));
    EXPECT_THAT(error.describe(), HasSubstr(seed_.commit));
}

TEST_F(SeedTest, refuses_a_model_that_was_not_validated) {
    seed_.change_manifest([](Json& j) { j["validation"].erase("variants"); });
    const Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::Refused);
    EXPECT_THAT(error.describe(), HasSubstr("locara/tiny is not validated: variant f32"));
    EXPECT_THAT(error.describe(), HasSubstr("manifest.json"));
}

TEST_F(SeedTest, takes_a_model_that_is_listed_with_a_record_of_an_earlier_version) {
    seed_.change_manifest([](Json& j) { j["validation"]["variants"][0].erase("probes_sha256"); });
    EXPECT_THAT(refusal().describe(), HasSubstr("which probes it was asked"));
    const auto listed = read_file(seed_.model() / "manifest.json", 1U << 20U);
    ASSERT_TRUE(listed);
    // Then only the app's pin, of the manifest before it was changed, is wrong.
    const auto scratch = TempFolder::create("/tmp", "locara-scratch-");
    const auto read = read_seed(seed_.root(), scratch->path(), {*listed});
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), ErrorCode::Corrupt);
}

TEST_F(SeedTest, refuses_an_app_that_pins_an_unknown_manifest) {
    test::write(seed_.app() / "locara.json", test::app_manifest(std::string(64, 'c')).dump());
    const Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::Corrupt);
    EXPECT_THAT(error.describe(), HasSubstr("sha256:" + std::string(64, 'c')));
    EXPECT_THAT(error.describe(), HasSubstr("sha256:" + seed_.manifest_digest));
}

TEST_F(SeedTest, refuses_a_pickle_under_any_name_with_file_and_reason) {
    const std::string pickle = "\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.";
    test::write(seed_.repo() / "model.gguf", pickle);
    const Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::Refused);
    EXPECT_THAT(error.describe(), HasSubstr("model.gguf"));
    EXPECT_THAT(error.describe(), HasSubstr("pickle"));
}

TEST_F(SeedTest, refuses_a_pickle_in_an_app) {
    test::write(seed_.app() / "dist" / "data.bin", "\x80\x04\x8c\x02id\x85R.");
    EXPECT_EQ(refusal().code(), ErrorCode::Refused);
}

TEST_F(SeedTest, refuses_symbolic_links_and_bad_names) {
    test::fs::create_symlink("/etc/passwd", seed_.repo() / "link.txt");
    Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    EXPECT_THAT(error.describe(), HasSubstr("link.txt"));
    test::fs::remove(seed_.repo() / "link.txt");
    test::write(seed_.repo() / "CON", "x");
    EXPECT_EQ(refusal().code(), ErrorCode::InvalidArgument);
}

TEST_F(SeedTest, names_the_capability_that_nobody_knows) {
    Json app = test::app_manifest(seed_.manifest_digest);
    app["capabilities"]["network"] = {"example.org"};
    test::write(seed_.app() / "locara.json", app.dump());
    EXPECT_THAT(refusal().describe(), HasSubstr("capabilities.network"));
}

TEST_F(SeedTest, refuses_two_folders_that_publish_the_same) {
    test::fs::copy(seed_.app(), seed_.root() / "apps" / "twin", test::fs::copy_options::recursive);
    EXPECT_EQ(refusal().code(), ErrorCode::Conflict);
}

TEST_F(SeedTest, has_a_digest_of_content_and_names) {
    const auto before = digest_seed(seed_.root());
    ASSERT_TRUE(before);
    EXPECT_EQ(*digest_seed(seed_.root()), *before);
    test::fs::rename(seed_.repo() / "empty.txt", seed_.repo() / "empty2.txt");
    EXPECT_NE(*digest_seed(seed_.root()), *before);
    EXPECT_EQ(digest_seed(seed_.root() / "nothing").error().code(), ErrorCode::NotFound);
}

} // namespace
} // namespace locara::hub
