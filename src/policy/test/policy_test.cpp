#include "samples.hpp"

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/policy/policy.hpp>
#include <locara/test_support/golden.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Policy make_policy(const std::string& text) {
    auto policy = Policy::parse(text, "policy.toml");
    EXPECT_TRUE(policy) << policy.error().describe();
    return *policy;
}

/// The sample app on the sample model, under `license` and made from `base`.
Subject make_subject(const std::string& license, const std::string& base = "") {
    Json json = manifest::sample_model();
    json["license"]["id"] = license;
    if (!base.empty()) {
        json["lineage"] = {{{"repo", "big-corp/base"},
                            {"revision", "0123456789abcdef0123456789abcdef01234567"},
                            {"relation", "finetune"},
                            {"license", base}}};
    }
    const auto model = manifest::ModelManifest::parse(render_json(json));
    EXPECT_TRUE(model) << model.error().describe();
    Subject subject;
    subject.app = "app acme/notes";
    subject.app_publisher = "acme";
    subject.app_license = "MIT OR Apache-2.0";
    subject.add(*model, model->get_default());
    return subject;
}

std::vector<std::string> hits(const std::string& toml, const Subject& subject) {
    std::vector<std::string> out;
    for (const auto& finding : make_policy(toml).judge(subject).findings) {
        out.insert(out.end(), finding.hits.begin(), finding.hits.end());
    }
    return out;
}

TEST(Policy, judges_the_facts_of_an_app_s_own_license) {
    auto app = manifest::AppManifest::parse(render_json(manifest::sample_app()));
    ASSERT_TRUE(app);
    app->license = "CC-BY-NC-SA-4.0";
    Subject subject = make_subject("MIT");
    subject.set_app(*app);
    EXPECT_THAT(hits("[refuse]\nfacts = [\"no-commercial-use\"]\n", subject),
                testing::ElementsAre(testing::HasSubstr("CC-BY-NC-SA-4.0")));
    app->license = "LicenseRef-Own";
    subject.set_app(*app);
    EXPECT_FALSE(hits("[refuse]\nfacts = [\"unknown\"]\n", subject).empty());
    app->license = "MIT";
    subject.set_app(*app);
    EXPECT_THAT(hits("[refuse]\nfacts = [\"no-commercial-use\", \"unknown\"]\n", subject),
                testing::IsEmpty());
}

TEST(Policy, is_ascii_and_says_where_it_is_not) {
    // The first is what toml++ trips over.
    for (const char* text : {"\xef\xbb\xbd", "\xef\xbb\xbf", "# caf\xc3\xa9", "[refuse] \xff"}) {
        const auto parsed = Policy::parse(std::string("\n") + text, "p.toml");
        ASSERT_FALSE(parsed);
        EXPECT_EQ(parsed.error().code(), ErrorCode::InvalidArgument);
        EXPECT_TRUE(parsed.error().message().starts_with("p.toml:2: ")) << parsed.error().message();
    }
}

TEST(Policy, without_rules_refuses_nothing) {
    const auto decision = make_policy("# nothing\n[refuse]\n").judge(make_subject("cc-by-nc-4.0"));
    EXPECT_FALSE(decision.refuses());
    EXPECT_TRUE(decision.status());
    EXPECT_TRUE(make_policy("").rules().empty());
}

TEST(Policy, refuses_by_fact_over_the_whole_derivation) {
    EXPECT_THAT(
        hits("[refuse]\nfacts = ['no-commercial-use']", make_subject("MIT", "cc-by-nc-4.0")),
        ElementsAre("model locara/quick-add: commercial use no (cc-by-nc-4.0, 2(a)(1); "
                    "big-corp/base (finetune))"));
    EXPECT_THAT(hits("[refuse]\nfacts = ['no-commercial-use']", make_subject("MIT")), IsEmpty());
    EXPECT_THAT(hits("[refuse]\nfacts = ['share-alike']", make_subject("agpl-3.0")),
                ElementsAre(HasSubstr("share-alike yes")));
}

TEST(Policy, takes_what_is_unknown_for_what_it_refuses) {
    EXPECT_THAT(hits("[refuse]\nfacts = ['no-commercial-use']", make_subject("acme-1.0")),
                ElementsAre(HasSubstr("commercial use unknown")));
    EXPECT_THAT(hits("[refuse]\nfacts = ['unknown']", make_subject("MIT")), IsEmpty());
    EXPECT_THAT(hits("[refuse]\nfacts = ['unknown']", make_subject("acme-1.0")),
                ::testing::Contains(HasSubstr("passing on unknown")));
}

TEST(Policy, refuses_by_license_in_any_spelling) {
    EXPECT_THAT(hits("[refuse]\nlicenses = ['AGPL-3.0-only']", make_subject("MIT", "agpl-3.0")),
                ElementsAre("model locara/quick-add: agpl-3.0 is among its licenses"));
    EXPECT_THAT(hits("[refuse]\nlicenses = ['acme-1.0']", make_subject("Acme-1.0")),
                ElementsAre(HasSubstr("Acme-1.0")));
    EXPECT_THAT(hits("[refuse]\nlicenses = ['apache-2.0']", make_subject("MIT")),
                ElementsAre("app acme/notes: its license is MIT OR Apache-2.0"));
    EXPECT_THAT(hits("[refuse]\nlicenses = ['llama3']", make_subject("MIT")), IsEmpty());
    EXPECT_THAT(hits("[refuse]\nlicenses = ['GPL-2.0-only']", make_subject("GPL-2.0+")),
                ElementsAre(HasSubstr("GPL-2.0+ is among its licenses")));
    EXPECT_THAT(
        hits("[refuse]\nlicenses = ['AGPL-3.0-only']", make_subject("MIT", "MIT OR AGPL-3.0-only")),
        ElementsAre(HasSubstr("MIT OR AGPL-3.0-only is among its licenses")));
}

TEST(Policy, refuses_by_publisher_of_app_model_and_base) {
    EXPECT_THAT(hits("[refuse]\npublishers = ['acme']", make_subject("MIT")),
                ElementsAre("app acme/notes: its publisher is acme"));
    EXPECT_THAT(hits("[refuse]\npublishers = ['Big-Corp']", make_subject("MIT", "MIT")),
                ElementsAre(HasSubstr("big-corp published it or what it is made from")));
    EXPECT_THAT(hits("[refuse]\npublishers = ['locara']", make_subject("MIT")),
                ElementsAre(HasSubstr("model locara/quick-add")));
    EXPECT_THAT(hits("[refuse]\npublishers = ['acm']", make_subject("MIT")), IsEmpty());
}

TEST(Policy, refuses_by_format) {
    EXPECT_THAT(hits("[refuse]\nformats = ['gguf']", make_subject("MIT")),
                ElementsAre("model locara/quick-add: has files of the format gguf"));
    EXPECT_THAT(hits("[refuse]\nformats = ['safetensors']", make_subject("MIT")), IsEmpty());
}

TEST(Policy, a_refusal_names_the_rule_its_place_and_the_reason) {
    const auto policy = make_policy("[refuse]\n\nfacts = ['share-alike', 'no-commercial-use']\n"
                                    "reason = 'ask legal@example.org'\n");
    const auto status = policy.judge(make_subject("cc-by-nc-4.0")).status();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::Refused);
    EXPECT_EQ(status.error().message(),
              "the policy of this machine refuses it: model locara/quick-add: commercial use no "
              "(cc-by-nc-4.0, 2(a)(1); locara/quick-add) (facts: no-commercial-use, "
              "policy.toml:3); ask legal@example.org; `locara policy test` explains every rule");
}

TEST(Policy, errors_name_place_key_and_what_is_allowed) {
    std::string text;
    for (const auto* toml : {"[refuse]\nfacts = ['no-fun']",
                             "[refuse]\nfacts = 'gated'",
                             "[refuse]\nfacts = ['gated', 1]",
                             "[refuse]\nlicenses = ['MIT OR ISC']",
                             "[refuse]\nlicenses = ['']",
                             "[refuse]\npublishers = ['acme/notes']",
                             "[refuse]\nformats = ['pickle']",
                             "[refuse]\nreason = 7",
                             "[refuse]\nlicences = ['MIT']",
                             "[allow]\nlicenses = ['MIT']",
                             "refuse = true",
                             "[scanners]\nclamd = 'clamd.sock'",
                             "[scanners]\nclamd = 3310",
                             "[scanners]\nvirus = '/x'",
                             "scanners = '/x'",
                             "[refuse]\nfacts = [",
                             "[refuse]\nfacts = []\nfacts = []"}) {
        const auto parsed = Policy::parse(toml, "policy.toml");
        ASSERT_FALSE(parsed) << toml;
        EXPECT_EQ(parsed.error().code(), ErrorCode::InvalidArgument) << toml;
        text += std::string(toml) + "\n    " + parsed.error().describe() + "\n";
    }
    EXPECT_GOLDEN("errors.txt", text);
    EXPECT_EQ(Policy::parse(std::string(kPolicyBytes + 1, '#'), "policy.toml").error().code(),
              ErrorCode::TooLarge);
    std::string many = "[refuse]\npublishers = [";
    for (std::size_t i = 0; i <= kPolicyRules; ++i) {
        many += "'a',";
    }
    EXPECT_THAT(Policy::parse(many + "]", "policy.toml").error().message(),
                HasSubstr("more than 1024 rules"));
}

TEST(Policy, names_the_antivirus_and_the_first_file_wins) {
    EXPECT_EQ(make_policy("[scanners]\nclamd = '/run/clamav/clamd.ctl'\n").clamd(),
              "/run/clamav/clamd.ctl");
    EXPECT_EQ(make_policy("[refuse]\nfacts = ['gated']\n").clamd(), "");
    auto temp = *TempFolder::create("/tmp", "locara-policy-");
    const auto organisation = temp.path() / "organisation.toml";
    const auto user = temp.path() / "user.toml";
    ASSERT_TRUE(write_file_atomically(user, as_bytes("[scanners]\nclamd = '/user'\n")));
    EXPECT_EQ(Policy::load({organisation, user})->clamd(), "/user");
    ASSERT_TRUE(write_file_atomically(organisation, as_bytes("[scanners]\nclamd = '/theirs'\n")));
    EXPECT_EQ(Policy::load({organisation, user})->clamd(), "/theirs");
}

TEST(Policy, files_add_up_and_a_missing_one_is_none) {
    auto temp = *TempFolder::create("/tmp", "locara-policy-");
    const auto organisation = temp.path() / "organisation.toml";
    const auto user = temp.path() / "user.toml";
    ASSERT_TRUE(Policy::load({organisation, user})->rules().empty());
    ASSERT_TRUE(write_file_atomically(organisation, as_bytes("[refuse]\nlicenses = ['llama3']\n")));
    ASSERT_TRUE(write_file_atomically(user, as_bytes("[refuse]\nfacts = ['gated']\n")));
    const auto both = Policy::load({organisation, user});
    ASSERT_TRUE(both) << both.error().describe();
    ASSERT_EQ(both->rules().size(), 2U);
    EXPECT_EQ(both->rules()[0].origin, organisation.string() + ":2");
    EXPECT_TRUE(both->judge(make_subject("MIT", "llama3")).refuses());
    ASSERT_TRUE(write_file_atomically(user, as_bytes("[refuse]\nfacts = ['gatd']\n")));
    EXPECT_FALSE(Policy::load({organisation, user})) << "a broken policy is not no policy";
    std::filesystem::create_symlink(temp.path() / "nowhere", temp.path() / "link.toml");
    EXPECT_FALSE(Policy::load({temp.path() / "link.toml"})) << "nor is one whose file is away";
}

} // namespace
} // namespace locara::policy
