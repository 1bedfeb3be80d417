// The weights that a submitted app pins, against a hub that has them.
#include "../database.hpp"
#include "../layout.hpp"
#include "../review_pins.hpp"
#include "sample_seed.hpp"

#include <locara/gate/gate.hpp>
#include <locara/hub/git_repo.hpp>
#include <locara/hub/hub.hpp>

#include <gmock/gmock.h>

#include <filesystem>

namespace locara::hub {
namespace {

namespace fs = std::filesystem;

using test::SampleSeed;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ReviewPinsTest : public testing::Test {
  protected:
    ReviewPinsTest() {
        const auto hub = Hub::open(seed_.data(), system_clock(), null_log());
        EXPECT_TRUE(hub);
        EXPECT_TRUE((*hub)->take_seed(seed_.root()));
    }

    Json manifest() const { return Json::parse(test::read(seed_.model() / "manifest.json")); }

    PinReport check(const Json& manifest, PinDepth depth) const {
        const auto model = manifest::ModelManifest::parse(manifest.dump());
        EXPECT_TRUE(model) << model.error().describe();
        auto report = look(*model, depth);
        EXPECT_TRUE(report) << report.error().describe();
        return report ? std::move(*report) : PinReport{};
    }

    Result<PinReport> look(const manifest::ModelManifest& model, PinDepth depth) const {
        const auto database = Database::open(seed_.data() / kNamesFile);
        const Names names(*database);
        const VerdictStore verdicts(*database);
        const auto backend = cas::open_directory(seed_.data() / kChunks, system_clock());
        const cas::Cas chunks(**backend, {.clock = &system_clock()});
        return check_pins({seed_.data(), names, verdicts, chunks, system_clock()}, {model}, depth);
    }

    /// As if the scanners of today had said so of the weights.
    void judge_as(const std::string& rule) const {
        const auto database = Database::open(seed_.data() / kNamesFile);
        const std::string sha256 = manifest()["variants"][0]["files"][0]["sha256"];
        const auto verdict = formats::make_verdict("gguf", {rule, "as the test says", {}});
        EXPECT_TRUE(VerdictStore(*database).note(
            sha256,
            "model.gguf",
            {verdict, *gate::shared_gate().scanners(), system_clock().now(), ""}));
    }

    static std::string state(const PinReport& report) {
        EXPECT_THAT(report.models, SizeIs(1));
        EXPECT_THAT(report.models[0]["files"], SizeIs(1));
        return report.models[0]["files"][0]["state"];
    }

    const SampleSeed seed_;
};

TEST_F(ReviewPinsTest, are_resolved_and_every_byte_is_hashed) {
    const PinReport quick = check(manifest(), PinDepth::Resolve);
    EXPECT_EQ(state(quick), "resolved");
    const PinReport whole = check(manifest(), PinDepth::Hash);
    EXPECT_EQ(state(whole), "verified");
    EXPECT_THAT(whole.wrong, IsEmpty());
    EXPECT_EQ(whole.models[0]["model"], "locara/tiny");
    EXPECT_EQ(whole.models[0]["revision"], seed_.commit);
    EXPECT_EQ(whole.models[0]["files"][0]["path"], "model.gguf");
}

TEST_F(ReviewPinsTest, that_lead_to_something_else_are_named) {
    const auto wrong = [this](const char* member, const Json& value) {
        Json json = manifest();
        json["variants"][0]["files"][0][member] = value;
        const PinReport report = check(json, PinDepth::Resolve);
        EXPECT_EQ(state(report), "wrong") << member;
        EXPECT_THAT(report.wrong, SizeIs(1));
        return report.wrong.empty() ? std::string() : report.wrong.front().message();
    };
    EXPECT_THAT(wrong("sha256", std::string(64, 'b')), HasSubstr("the manifest says sha256:bbbb"));
    EXPECT_THAT(wrong("size", 1), HasSubstr("the manifest says 1"));
    EXPECT_THAT(wrong("path", "other.gguf"), HasSubstr("other.gguf of locara/tiny@"));
}

TEST_F(ReviewPinsTest, of_other_places_are_left_to_them) {
    Json other = manifest();
    other["source"]["repo"] = "far/away";
    EXPECT_EQ(state(check(other, PinDepth::Hash)), "elsewhere");
    Json commit = manifest();
    commit["source"]["revision"] = std::string(40, 'a');
    EXPECT_EQ(state(check(commit, PinDepth::Hash)), "elsewhere");
}

TEST_F(ReviewPinsTest, tell_what_the_gate_flags_and_are_wrong_where_it_refuses) {
    for (const PinDepth depth : {PinDepth::Resolve, PinDepth::Hash}) {
        judge_as("gguf.valid");
        EXPECT_EQ(check(manifest(), depth).models[0]["files"][0]["verdict"], Json());
        judge_as("yara.miner");
        const PinReport flagged = check(manifest(), depth);
        EXPECT_THAT(flagged.wrong, IsEmpty());
        EXPECT_EQ(flagged.models[0]["files"][0]["verdict"]["rule"], "yara.miner");
        judge_as("antivirus.hit");
        const PinReport refused = check(manifest(), depth);
        EXPECT_EQ(state(refused), "wrong");
        ASSERT_THAT(refused.wrong, SizeIs(1));
        EXPECT_EQ(refused.wrong[0].code(), ErrorCode::Refused); // and not "not what was pinned"
        EXPECT_THAT(refused.wrong[0].message(), HasSubstr("is refused: "));
    }
}

TEST_F(ReviewPinsTest, notice_bytes_that_changed_in_the_store) {
    for (const auto& entry :
         fs::recursive_directory_iterator(seed_.data() / kChunks / "objects" / "xorbs")) {
        if (entry.is_regular_file()) {
            std::string bytes = test::read(entry.path());
            for (char& c : bytes) { // Of the one chunk, wherever it lies.
                c = c == 'x' ? 'y' : c;
            }
            fs::permissions(entry.path(), fs::perms::owner_all);
            test::write(entry.path(), bytes);
        }
    }
    const auto model = manifest::ModelManifest::parse(manifest().dump());
    const auto report = look(*model, PinDepth::Hash);
    EXPECT_TRUE(!report || state(*report) == "wrong");
    EXPECT_EQ(state(check(manifest(), PinDepth::Resolve)), "resolved");
}

} // namespace
} // namespace locara::hub
