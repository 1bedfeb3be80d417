// Model manifests on their way into a hub's catalog and out of it.
#include "../database.hpp"
#include "../layout.hpp"
#include "../names.hpp"
#include "../verdict_store.hpp"
#include "sample_seed.hpp"

#include <locara/hub/hub.hpp>
#include <locara/hub/model_desk.hpp>

#include <gmock/gmock.h>

#include <optional>

namespace locara::hub {
namespace {

using test::SampleSeed;
using testing::ElementsAre;
using testing::FieldsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// A hub that has the files of locara/tiny; manifests of others are made of its manifest.
class ModelDeskTest : public testing::Test {
  protected:
    void SetUp() override {
        const auto hub = Hub::open(seed_.data(), system_clock(), null_log());
        ASSERT_TRUE(hub);
        ASSERT_TRUE((*hub)->take_seed(seed_.root()));
        load();
    }

    void load() {
        auto repository =
            catalog::Repository::load(seed_.data() / "catalog", seed_.data() / "keys");
        ASSERT_TRUE(repository) << repository.error().describe();
        repository_.emplace(*std::move(repository));
    }

    /// The seed's manifest with changes: a new version of it, unless they say otherwise.
    template <class Change> std::string manifest(Change change) const {
        Json json = Json::parse(test::read(seed_.model() / "manifest.json"));
        json["version"] = "2.0.0";
        change(json);
        return json.dump();
    }

    std::string manifest() const {
        return manifest([](Json&) {});
    }

    Result<ModelDesk::Added> stage(const std::string& manifest,
                                   const std::optional<std::string>& signature = std::nullopt,
                                   IfUnsigned if_unsigned = IfUnsigned::Refuse) {
        auto desk = ModelDesk::open(seed_.data(), system_clock());
        EXPECT_TRUE(desk);
        return desk->stage(manifest, signature, if_unsigned, *repository_);
    }

    ErrorCode refusal(const std::string& manifest,
                      const std::string& words,
                      const std::optional<std::string>& signature = std::nullopt) {
        const auto before = repository_->targets();
        const auto added = stage(manifest, signature);
        EXPECT_FALSE(added);
        EXPECT_EQ(repository_->targets(), before);
        EXPECT_THAT(added ? "" : added.error().describe(), HasSubstr(words));
        return added ? ErrorCode::Internal : added.error().code();
    }

    void publish() { ASSERT_TRUE(repository_->publish(system_clock())); }

    static std::string sign(const std::string& manifest, const crypto::SigningKey& key) {
        const auto parsed = manifest::ModelManifest::parse(manifest);
        manifest::ModelStatement statement{parsed->source.repo, parsed->source.revision, {}};
        for (const auto& file : parsed->variants.front().files) {
            statement.files.emplace(file.path, file.sha256);
        }
        return manifest::sign_model(statement, key).value();
    }

    /// A key of the role models that only its owner has.
    crypto::SigningKey add_curator() {
        auto key = crypto::SigningKey::generate();
        EXPECT_TRUE(repository_->stage_key("models", key.public_key()));
        publish();
        return key;
    }

    std::vector<ListedModel> list() {
        return ModelDesk::open(seed_.data(), system_clock())->list(*repository_).value();
    }

    const SampleSeed seed_;
    std::optional<catalog::Repository> repository_;
};

TEST_F(ModelDeskTest, lists_a_model_whose_files_are_here_and_signs_them) {
    const auto before = repository_->targets();
    const auto added = stage(manifest());
    ASSERT_TRUE(added) << added.error().describe();
    EXPECT_TRUE(added->is_new);
    EXPECT_TRUE(added->signed_here);
    EXPECT_EQ(added->pins["files"][0]["state"], "verified");
    publish();
    const auto models = list();
    ASSERT_THAT(models, SizeIs(2));
    EXPECT_EQ(models[1].manifest.version.render(), "2.0.0");
    EXPECT_EQ(models[1].signed_by, repository_->keys_of("models").front().id());
    const auto changes = model_changes(before, repository_->targets());
    EXPECT_THAT(changes,
                ElementsAre(FieldsAre(
                    "model-added", "locara/tiny", "2.0.0", models[1].digest.render(), true)));
    // What was signed is every file of the commit, for others too.
    const auto name = manifest::model_signature_target(added->manifest.id, added->manifest.version);
    const auto digest = repository_->find_published(name).value().value();
    const auto statement = manifest::VerifiedModelStatement::verify(
        test::read(seed_.data() / "catalog/targets/models/locara/tiny" / (digest + ".2.0.0.sig")),
        repository_->keys_of("models"));
    ASSERT_TRUE(statement);
    EXPECT_TRUE((*statement)->files.contains("extra dir/c#1.txt"));
    EXPECT_FALSE(stage(manifest())->is_new);
    EXPECT_THAT(model_changes(before, before), IsEmpty());
}

TEST_F(ModelDeskTest, signs_nothing_whose_files_it_has_not_read) {
    const auto far = manifest([](Json& j) { j["source"]["repo"] = "far/away"; });
    EXPECT_EQ(refusal(far, "locara/tiny 2.0.0 has no signature"), ErrorCode::Refused);
    const auto before = repository_->targets();
    const auto added = stage(far, std::nullopt, IfUnsigned::List);
    ASSERT_TRUE(added) << added.error().describe();
    EXPECT_THAT(model_changes(before, repository_->targets()),
                ElementsAre(FieldsAre("model-added", "locara/tiny", "2.0.0", testing::_, false)));
    EXPECT_EQ(added->pins["files"][0]["state"], "elsewhere");
    EXPECT_EQ(added->signed_by, "");
    EXPECT_FALSE(added->new_signature);
}

TEST_F(ModelDeskTest, refuses_a_license_that_the_card_does_not_name_unless_that_is_declared) {
    const auto mit = [](Json& j) { j["license"]["id"] = "MIT"; };
    EXPECT_EQ(refusal(manifest(mit),
                      "the card of locara/tiny names the license \"apache-2.0\", the manifest MIT"),
              ErrorCode::Refused);
    const auto declared = stage(manifest([&](Json& j) {
        mit(j);
        j["license"]["instead_of"] = "apache-2.0";
    }));
    ASSERT_TRUE(declared) << declared.error().describe();
    EXPECT_THAT(declared->unseen_cards, IsEmpty());
}

TEST_F(ModelDeskTest, holds_the_lineage_against_the_cards_that_are_here_and_says_which_are_not) {
    const auto made_from = [&](const char* license, const std::string& commit) {
        return manifest([&](Json& j) {
            j["source"]["repo"] = "far/away";
            j["lineage"] = {{{"repo", "locara/tiny"},
                             {"revision", commit},
                             {"relation", "finetune"},
                             {"license", license}}};
        });
    };
    EXPECT_EQ(refusal(made_from("MIT", seed_.commit), "lineage says \"MIT\""), ErrorCode::Refused);
    const auto unseen = [&](const std::string& text) {
        const auto added = stage(text, std::nullopt, IfUnsigned::List);
        EXPECT_TRUE(added) << added.error().describe();
        return added ? added->unseen_cards : std::vector<std::string>();
    };
    EXPECT_THAT(unseen(made_from("Apache-2.0", seed_.commit)), ElementsAre("far/away"));
    EXPECT_THAT(unseen(made_from("MIT", std::string(40, '1'))),
                ElementsAre("far/away", "locara/tiny"));
}

TEST_F(ModelDeskTest, refuses_what_was_not_validated) {
    EXPECT_EQ(refusal(manifest([](Json& j) { j["validation"].erase("variants"); }),
                      "locara/tiny is not validated"),
              ErrorCode::Refused);
}

TEST_F(ModelDeskTest, refuses_other_bytes_under_a_version_that_ever_was) {
    const auto other = [](Json& j) { j["description"] = "Something else"; };
    ASSERT_TRUE(stage(manifest()));
    publish();
    EXPECT_EQ(refusal(manifest(other), "locara/tiny 2.0.0 was published as sha256:"),
              ErrorCode::Conflict);
    auto desk = ModelDesk::open(seed_.data(), system_clock());
    const auto id = *manifest::ModelId::parse("locara/tiny");
    ASSERT_TRUE(desk->unstage(id, manifest::Version::parse("2.0.0").value(), *repository_));
    publish();
    EXPECT_EQ(refusal(manifest(other), "stays as it is"), ErrorCode::Conflict);
    EXPECT_TRUE(stage(manifest())->is_new);
}

TEST_F(ModelDeskTest, refuses_pins_that_lead_to_something_else) {
    const std::string text =
        manifest([](Json& j) { j["variants"][0]["files"][0]["path"] = "other.gguf"; });
    EXPECT_EQ(refusal(text, "other.gguf of locara/tiny@"), ErrorCode::Corrupt);
}

TEST_F(ModelDeskTest, refuses_what_the_takedown_list_blocks_and_tells_what_it_warns_of) {
    catalog::TakedownEntry entry;
    entry.kind = "model";
    entry.id = "locara/tiny";
    entry.versions = std::vector<std::string>{"2.0.0"};
    entry.action = catalog::TakedownAction::BlockInstall;
    entry.reason = "it lies";
    entry.date = "2026-11-22";
    ASSERT_TRUE(repository_->add_takedown(entry));
    EXPECT_EQ(refusal(manifest(), "it lies"), ErrorCode::Refused);
    entry.action = catalog::TakedownAction::Warn;
    entry.date = "2026-11-23";
    ASSERT_TRUE(repository_->add_takedown(entry));
    EXPECT_EQ(stage(manifest())->warning,
              "locara/tiny 2.0.0 was called back on 2026-11-23: it lies");
    catalog::TakedownEntry file;
    file.kind = "file";
    file.id = "sha256:" + crypto::sha256(as_bytes(test::weights())).render();
    file.action = catalog::TakedownAction::BlockRun;
    file.reason = "it bites";
    file.date = "2026-11-24";
    ASSERT_TRUE(repository_->add_takedown(file));
    EXPECT_EQ(refusal(manifest(), "was called back on 2026-11-24: it bites"), ErrorCode::Refused);
}

TEST_F(ModelDeskTest, refuses_files_that_the_gate_refuses_also_elsewhere) {
    const VerdictStore verdicts(*Database::open(seed_.data() / kNamesFile));
    const std::string weights = crypto::sha256(as_bytes(test::weights())).render();
    Judgement judgement;
    judgement.verdict.decision = formats::Decision::Refuse;
    judgement.verdict.label = formats::Label::Malicious;
    judgement.verdict.rule = "antivirus.hit";
    judgement.verdict.reason = "a virus by now";
    ASSERT_TRUE(verdicts.note(weights, "model.gguf", judgement));
    EXPECT_EQ(refusal(manifest(), "a virus by now"), ErrorCode::Refused);
    EXPECT_EQ(refusal(manifest([](Json& j) { j["source"]["repo"] = "far/away"; }), "a virus"),
              ErrorCode::Refused);
}

TEST_F(ModelDeskTest, takes_the_signature_of_a_curator_and_no_other) {
    const auto curator = add_curator();
    const std::string text = manifest();
    EXPECT_EQ(refusal(text, "none of the 2 trusted", sign(text, crypto::SigningKey::generate())),
              ErrorCode::Refused);
    const std::string other =
        manifest([](Json& j) { j["source"]["revision"] = std::string(40, '1'); });
    EXPECT_EQ(refusal(text, "the signature is of", sign(other, curator)), ErrorCode::Corrupt);
    const auto before = repository_->targets();
    const auto added = stage(text, sign(text, curator));
    ASSERT_TRUE(added) << added.error().describe();
    EXPECT_EQ(added->signed_by, curator.public_key().id());
    publish();
    // The signature of a listed manifest may be replaced, and stays without one.
    const auto listed = repository_->targets();
    EXPECT_EQ(stage(text)->signed_by, curator.public_key().id());
    EXPECT_EQ(repository_->targets(), listed);
    const auto again = stage(text, sign(text, *repository_->find_signing_key("models")));
    EXPECT_TRUE(again->new_signature);
    EXPECT_FALSE(again->is_new);
    EXPECT_THAT(model_changes(listed, repository_->targets()),
                ElementsAre(FieldsAre("model-signed", "locara/tiny", "2.0.0", testing::_, true)));
}

TEST_F(ModelDeskTest, takes_a_model_out_and_names_who_pins_it) {
    auto desk = ModelDesk::open(seed_.data(), system_clock());
    const auto before = repository_->targets();
    const auto id = *manifest::ModelId::parse("locara/tiny");
    EXPECT_EQ(
        desk->unstage(id, manifest::Version::parse("9.0.0").value(), *repository_).error().code(),
        ErrorCode::NotFound);
    const auto removed = desk->unstage(id, std::nullopt, *repository_);
    ASSERT_TRUE(removed) << removed.error().describe();
    EXPECT_THAT(removed->versions, ElementsAre("1.0.0"));
    EXPECT_THAT(removed->pinned_by, ElementsAre("locara/note-taker 1.0.0"));
    EXPECT_THAT(list(), IsEmpty());
    EXPECT_THAT(model_changes(before, repository_->targets()),
                ElementsAre(FieldsAre("model-removed", "locara/tiny", "1.0.0", testing::_, true)));
}

TEST_F(ModelDeskTest, notes_with_the_repository_which_manifest_pins_it) {
    ASSERT_TRUE(stage(manifest()));
    publish();
    const std::string digest = list()[1].digest.render();
    auto desk = ModelDesk::open(seed_.data(), system_clock());
    ASSERT_TRUE(desk->note({{"model-added", "locara/tiny", "2.0.0", digest}}));
    const Names names(*Database::open(seed_.data() / kNamesFile));
    EXPECT_EQ((*names.find_repo(RepoId{RepoType::Model, "locara", "tiny"}))->facts.manifest,
              digest);
}

TEST_F(ModelDeskTest, makes_signatures_anew_when_their_key_goes) {
    const auto tree = seed_.data() / "catalog";
    ASSERT_TRUE(repository_->rotate_keys("models", system_clock(), [&]() -> Status {
        const auto resigned = resign_models(*repository_, tree);
        EXPECT_TRUE(resigned) << resigned.error().describe();
        EXPECT_THAT(resigned->done, ElementsAre("locara/tiny 1.0.0"));
        EXPECT_THAT(resigned->left, IsEmpty());
        return {};
    }));
    EXPECT_EQ(list()[0].signed_by, repository_->keys_of("models").front().id());
    // A key that stays needs nothing.
    add_curator();
    EXPECT_THAT(resign_models(*repository_, tree)->done, IsEmpty());
    // Where only somebody else's stays, it is said.
    ASSERT_TRUE(repository_->stage_removal("models", repository_->keys_of("models").front().id()));
    const auto resigned = resign_models(*repository_, tree);
    EXPECT_THAT(resigned->done, IsEmpty());
    EXPECT_THAT(resigned->left, ElementsAre("locara/tiny 1.0.0"));
}

} // namespace
} // namespace locara::hub
