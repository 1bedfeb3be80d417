#include "samples.hpp"

#include <locara/manifest/effective_license.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::manifest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Base {
    std::string repo;
    std::string relation;
    std::string license; ///< Empty: the manifest does not say.
};

ModelManifest make_model(const std::string& license, const std::vector<Base>& bases) {
    Json json = sample_model();
    json["license"]["id"] = license;
    for (const auto& base : bases) {
        Json one = {{"repo", base.repo},
                    {"revision", "0123456789abcdef0123456789abcdef01234567"},
                    {"relation", base.relation}};
        if (!base.license.empty()) {
            one["license"] = base.license;
        }
        json["lineage"].push_back(std::move(one));
    }
    auto model = ModelManifest::parse(render_json(json));
    EXPECT_TRUE(model) << model.error().describe();
    return *model;
}

std::vector<std::string> ids_to_accept(const EffectiveLicense& license) {
    std::vector<std::string> ids;
    for (const auto& one : license.to_accept) {
        ids.push_back(one.id);
    }
    return ids;
}

TEST(EffectiveLicense, of_a_model_from_scratch_is_its_own) {
    const auto license = effective_license(make_model("Apache-2.0", {}));
    EXPECT_EQ(describe(license),
              "commercial use yes, passing on yes, derivatives yes, attribution yes, share-alike "
              "no, field limits none");
    EXPECT_EQ(describe(FactKind::Attribution, license.fact(FactKind::Attribution)),
              "attribution yes (Apache-2.0, 4(a)-(d); locara/quick-add)");
    EXPECT_THAT(license.conflicts, IsEmpty());
    EXPECT_THAT(license.to_accept, IsEmpty());
    EXPECT_FALSE(license.has_unknown());
}

TEST(EffectiveLicense, a_base_keeps_its_terms_whatever_the_card_says) {
    const auto license =
        effective_license(make_model("MIT", {{"meta-llama/Llama-3-8B", "finetune", "llama3"}}));
    EXPECT_TRUE(license.restricts(FactKind::UseRestrictions));
    EXPECT_EQ(license.fact(FactKind::UseRestrictions).from, "meta-llama/Llama-3-8B (finetune)");
    EXPECT_EQ(license.fact(FactKind::UseRestrictions).license, "llama3");
    EXPECT_THAT(license.conflicts,
                ElementsAre("the card says MIT, but meta-llama/Llama-3-8B (finetune) is under "
                            "llama3, of which this stays in force: field limits"));
    EXPECT_THAT(ids_to_accept(license), ElementsAre("llama3"));
    EXPECT_THAT(license.to_accept[0].from, ElementsAre("meta-llama/Llama-3-8B (finetune)"));
    EXPECT_THAT(license.to_accept[0].url, HasSubstr("meta-llama"));
    EXPECT_THAT(license.licenses, ElementsAre("MIT", "llama3"));
}

TEST(EffectiveLicense, tells_of_a_card_that_names_another_license) {
    auto model = make_model("MIT", {{"acme/base", "finetune", "llama3"}});
    model.license.instead_of = "cc-by-nc-4.0";
    EXPECT_THAT(effective_license(model).conflicts,
                ElementsAre("the card of locara/quick-add says cc-by-nc-4.0; the manifest says MIT "
                            "instead",
                            "the manifest says MIT, but acme/base (finetune) is under llama3, of "
                            "which this stays in force: field limits"));
}

TEST(EffectiveLicense, tells_of_weights_that_say_something_else) {
    auto model = make_model("MIT", {});
    model.license.weights_say = {"cc-by-nc-4.0", {"acme/base"}};
    EXPECT_THAT(effective_license(model).conflicts,
                ElementsAre("the weights of locara/quick-add say cc-by-nc-4.0; the manifest says "
                            "MIT instead",
                            "the weights of locara/quick-add say that it was made from acme/base; "
                            "the manifest does not, and nothing is known of the license of that"));
}

TEST(EffectiveLicense, takes_the_strictest_of_a_whole_chain_and_names_the_nearest) {
    const auto license = effective_license(make_model("cc0-1.0",
                                                      {{"acme/tuned", "quantized", "mit"},
                                                       {"acme/base", "finetune", "cc-by-nc-4.0"},
                                                       {"acme/other", "merge", "cc-by-nc-4.0"}}));
    EXPECT_EQ(license.fact(FactKind::CommercialUse).answer, Answer::No);
    EXPECT_EQ(license.fact(FactKind::CommercialUse).from, "acme/base (finetune)");
    EXPECT_EQ(license.fact(FactKind::CommercialUse).clause, "2(a)(1)");
    EXPECT_EQ(license.fact(FactKind::Attribution).from, "acme/tuned (quantized)");
    EXPECT_THAT(ids_to_accept(license), ElementsAre("cc-by-nc-4.0"));
    EXPECT_THAT(license.to_accept[0].from,
                ElementsAre("acme/base (finetune)", "acme/other (merge)"));
}

TEST(EffectiveLicense, what_is_unknown_counts_as_the_strictest_and_is_called_so) {
    const auto own = effective_license(make_model("acme-1.0", {}));
    EXPECT_TRUE(own.restricts(FactKind::CommercialUse));
    EXPECT_EQ(own.fact(FactKind::CommercialUse).answer, Answer::Unknown);
    EXPECT_THAT(own.conflicts,
                ElementsAre("nothing is known of the license \"acme-1.0\" of locara/quick-add: it "
                            "is taken as the strictest"));
    EXPECT_THAT(ids_to_accept(own), ElementsAre("acme-1.0"));
    EXPECT_THAT(describe(own), HasSubstr("commercial use unknown"));

    const auto silent = effective_license(make_model("MIT", {{"acme/base", "finetune", ""}}));
    EXPECT_TRUE(silent.has_unknown());
    EXPECT_THAT(silent.conflicts,
                ElementsAre(HasSubstr("license \"unknown\" of acme/base (finetune)"),
                            HasSubstr("nothing is known as to")));
    EXPECT_THAT(ids_to_accept(silent), ElementsAre("unknown"));
}

TEST(EffectiveLicense, no_is_stricter_than_unknown) {
    const auto license =
        effective_license(make_model("acme-1.0", {{"acme/base", "finetune", "cc-by-nc-4.0"}}));
    EXPECT_EQ(license.fact(FactKind::CommercialUse).answer, Answer::No);
}

TEST(EffectiveLicense, an_or_is_a_choice_and_an_and_is_none) {
    const auto either = effective_license(make_model("MIT OR cc-by-nc-4.0", {}));
    EXPECT_FALSE(either.restricts(FactKind::CommercialUse));
    EXPECT_THAT(either.licenses, ElementsAre("MIT"));
    const auto both = effective_license(make_model("MIT AND cc-by-nc-4.0", {}));
    EXPECT_TRUE(both.restricts(FactKind::CommercialUse));
    EXPECT_THAT(both.licenses, ElementsAre("MIT", "cc-by-nc-4.0"));
    const auto mixed = effective_license(make_model("acme-1.0 OR (gemma AND MIT)", {}));
    EXPECT_THAT(mixed.licenses, ElementsAre("gemma", "MIT")) << "unknown is the worst choice";
}

TEST(EffectiveLicense, an_exception_is_left_out_and_a_plus_is_this_version) {
    const auto license = effective_license(make_model("GPL-2.0+ WITH Classpath-exception-2.0", {}));
    EXPECT_EQ(license.fact(FactKind::ShareAlike).answer, Answer::Yes);
    EXPECT_THAT(license.licenses, ElementsAre("GPL-2.0+"));
}

TEST(EffectiveLicense, names_share_alikes_that_cannot_both_be_followed) {
    const auto mixed =
        effective_license(make_model("cc-by-nc-4.0", {{"acme/a", "merge", "cc-by-sa-4.0"}}));
    EXPECT_THAT(mixed.conflicts,
                ::testing::Contains("cc-by-sa-4.0 of acme/a (merge) wants what is made from it "
                                    "under the same license, but cc-by-nc-4.0 of locara/quick-add "
                                    "sets other terms: both cannot be followed when it is passed "
                                    "on"));
    const auto two = effective_license(make_model(
        "agpl-3.0", {{"acme/a", "merge", "agpl-3.0"}, {"acme/b", "merge", "cc-by-nc-sa-4.0"}}));
    int told = 0;
    for (const auto& sentence : two.conflicts) {
        told += sentence.find("both cannot be followed") == std::string::npos ? 0 : 1;
    }
    EXPECT_EQ(told, 2) << "agpl-3.0 of the model and of acme/a, each against acme/b";
    const auto same =
        effective_license(make_model("AGPL-3.0-or-later", {{"acme/a", "merge", "agpl-3.0"}}));
    EXPECT_THAT(same.conflicts, IsEmpty());
}

TEST(EffectiveLicense, names_a_base_of_which_nothing_may_be_made) {
    const auto license =
        effective_license(make_model("cc-by-nd-4.0", {{"acme/base", "finetune", "cc-by-nd-4.0"}}));
    EXPECT_THAT(license.conflicts,
                ElementsAre("cc-by-nd-4.0 of acme/base (finetune) lets nobody pass on what is made "
                            "from it; this model is"));
    EXPECT_EQ(license.fact(FactKind::Redistribution).answer, Answer::No);
    EXPECT_EQ(license.fact(FactKind::Redistribution).from, "acme/base (finetune)");
    EXPECT_EQ(
        effective_license(make_model("cc-by-nd-4.0", {})).fact(FactKind::Redistribution).answer,
        Answer::Yes);
}

TEST(EffectiveLicense, declared_terms_may_only_be_stricter_than_the_text) {
    Json json = sample_model();
    json["license"]["id"] = "MIT";
    json["license"]["terms"]["commercial"] = false;
    json["license"]["terms"]["use_restrictions"] = {"medical advice"};
    json["license"]["terms"]["gated"] = true;
    const auto stricter = effective_license(*ModelManifest::parse(render_json(json)));
    EXPECT_EQ(stricter.fact(FactKind::CommercialUse).answer, Answer::No);
    EXPECT_EQ(stricter.fact(FactKind::Gated).answer, Answer::Yes);
    EXPECT_THAT(stricter.to_accept[0].terms,
                ::testing::IsSupersetOf({"commercial use no (MIT, grant)",
                                         "field limits yes (MIT, grant)",
                                         "gated yes",
                                         "forbidden: medical advice"}));
    EXPECT_THAT(describe(stricter), HasSubstr("field limits medical advice, gated at its source"));

    json = sample_model();
    json["license"]["id"] = "CC-BY-NC-4.0";
    const auto looser = effective_license(*ModelManifest::parse(render_json(json)));
    EXPECT_EQ(looser.fact(FactKind::CommercialUse).answer, Answer::No);
    EXPECT_THAT(looser.conflicts,
                ElementsAre("license.terms.commercial: says yes, but CC-BY-NC-4.0 does not allow "
                            "commercial use"));
    json["license"]["id"] = "llama3";
    EXPECT_THAT(effective_license(*ModelManifest::parse(render_json(json))).conflicts,
                ElementsAre(HasSubstr("license.terms.use_restrictions: is empty, but llama3")));
}

TEST(EffectiveLicense, is_gated_where_what_it_was_made_from_is) {
    auto model = make_model(
        "Apache-2.0",
        {{"acme/base", "quantized", "apache-2.0"}, {"acme/root", "finetune", "apache-2.0"}});
    const auto open = effective_license(model);
    EXPECT_FALSE(open.restricts(FactKind::Gated));
    EXPECT_THAT(open.conflicts, IsEmpty());
    EXPECT_THAT(open.to_accept, IsEmpty());

    model.lineage[1].gated = true;
    const auto license = effective_license(model);
    EXPECT_EQ(describe(FactKind::Gated, license.fact(FactKind::Gated)),
              "gated yes (apache-2.0, as the lineage declares; acme/root (finetune))");
    EXPECT_THAT(describe(license), HasSubstr("gated at its source"));
    EXPECT_THAT(license.conflicts,
                ElementsAre("acme/root (finetune) asks for an account and consent before it hands "
                            "its files out; locara/quick-add, made from it, does not"));
    ASSERT_THAT(ids_to_accept(license), ElementsAre("apache-2.0"));
    EXPECT_THAT(license.to_accept[0].terms, ::testing::Contains("gated yes (acme/root)"));
    EXPECT_THAT(license.to_accept[0].from, ElementsAre("acme/root (finetune)"));

    // Where it is gated itself, nothing is hidden.
    model.license.terms.gated = true;
    EXPECT_THAT(effective_license(model).conflicts, IsEmpty());
    EXPECT_THAT(ids_to_accept(effective_license(model)), ElementsAre("Apache-2.0", "apache-2.0"));
}

TEST(EffectiveLicense, a_text_that_a_base_brings_is_part_of_the_question) {
    auto model = make_model("MIT", {{"acme/base", "finetune", "llama3"}});
    const auto ask = [&] { return effective_license(model).to_accept.at(0); };
    const auto before = ask();
    EXPECT_EQ(before.text_sha256, "");
    model.lineage[0].license_url = "https://hub.example/acme/base/blob/0/LICENSE";
    model.lineage[0].license_text_sha256 = std::string(64, 'a');
    const auto pinned = ask();
    EXPECT_EQ(pinned.url, "https://hub.example/acme/base/blob/0/LICENSE");
    EXPECT_EQ(pinned.text_sha256, std::string(64, 'a'));
    EXPECT_NE(pinned.digest(), before.digest());
    // Two texts under one name are two questions; "other" with a text stands for that one.
    model.lineage.push_back(model.lineage[0]);
    model.lineage[1].license_text_sha256 = std::string(64, 'b');
    EXPECT_THAT(ids_to_accept(effective_license(model)), ElementsAre("llama3", "llama3"));
    model.lineage[0].license = "other";
    EXPECT_EQ(ask().whose, "");
}

TEST(EffectiveLicense, other_terms_are_another_question) {
    Json json = sample_model();
    json["license"]["id"] = "gemma";
    const auto ask = [&] {
        return effective_license(*ModelManifest::parse(render_json(json))).to_accept.at(0).digest();
    };
    const auto first = ask();
    json["version"] = "2.0.0";
    json["description"] = "Retrained";
    EXPECT_EQ(ask(), first);
    json["license"]["text_sha256"] = std::string(64, 'a');
    const auto other_text = ask();
    EXPECT_NE(other_text, first);
    json["license"]["terms"]["use_restrictions"] = {"medical advice"};
    EXPECT_NE(ask(), other_text);
}

TEST(EffectiveLicense, a_yes_to_a_text_without_a_name_is_for_one_text) {
    const auto ask = [](Json json) {
        return effective_license(*ModelManifest::parse(render_json(json))).to_accept.at(0).digest();
    };
    for (const char* id : {"other", "acme-1.0"}) {
        Json json = sample_model();
        json["license"]["id"] = id;
        const auto first = ask(json);
        EXPECT_EQ(ask(json), first);
        Json later = json;
        later["source"]["revision"] = std::string(40, 'b');
        EXPECT_NE(ask(later), first) << id;
        later["license"]["text_sha256"] = json["license"]["text_sha256"] = std::string(64, 'a');
        EXPECT_EQ(ask(later), ask(json)) << "the text is named";
    }
    EXPECT_NE(effective_license(make_model("MIT", {{"acme/one", "finetune", "other"}}))
                  .to_accept.at(0)
                  .digest(),
              effective_license(make_model("MIT", {{"acme/two", "finetune", "other"}}))
                  .to_accept.at(0)
                  .digest());

    Json json = sample_app();
    json["license"] = "other";
    const auto of = [&](const char* version) {
        json["version"] = version;
        return effective_license(*AppManifest::parse(render_json(json)), {})
            .to_accept.at(0)
            .digest();
    };
    EXPECT_NE(of("1.0.0"), of("1.0.1"));
}

TEST(AppLicense, must_say_what_its_models_forbid) {
    Json json = sample_app();
    const auto check = [&](const std::string& model, const std::vector<Base>& bases = {}) {
        const auto app = AppManifest::parse(render_json(json));
        EXPECT_TRUE(app) << app.error().describe();
        return check_app_license(
            *app,
            {{"text", *ModelId::parse("acme/model"), effective_license(make_model(model, bases))}});
    };
    EXPECT_THAT(check("MIT"), IsEmpty());
    EXPECT_THAT(check("MIT", {{"acme/base", "finetune", "cc-by-nc-4.0"}}),
                ElementsAre("terms.commercial: must be there and false: role text, model "
                            "acme/model: commercial use no (cc-by-nc-4.0, 2(a)(1); acme/base "
                            "(finetune))"));
    EXPECT_THAT(check("acme-1.0"), ElementsAre(HasSubstr("commercial use unknown")));
    json["license"] = "CC-BY-NC-4.0";
    EXPECT_THAT(check("MIT"), ElementsAre(HasSubstr("the app's own license CC-BY-NC-4.0")));
    json["license"] = "Proprietary";
    EXPECT_THAT(check("MIT"), ElementsAre(HasSubstr("Proprietary is not known to allow")));
    json["terms"] = {{"commercial", false}};
    EXPECT_THAT(check("cc-by-nc-4.0"), IsEmpty());
    const auto app = AppManifest::parse(render_json(json));
    EXPECT_EQ(facts(*app).back().text, "No commercial use.");
}

TEST(AppLicense, of_its_own_is_accepted_by_name_like_that_of_a_model) {
    Json json = sample_app();
    const auto asked = [&](const std::string& license) {
        json["license"] = license;
        const auto app = AppManifest::parse(render_json(json));
        EXPECT_TRUE(app) << app.error().describe();
        std::vector<std::string> ids;
        for (const auto& terms : effective_license(*app, {}).to_accept) {
            EXPECT_THAT(terms.from, ElementsAre(app->id.render()));
            EXPECT_FALSE(terms.terms.empty());
            ids.push_back(terms.id);
        }
        return ids;
    };
    EXPECT_THAT(asked("MIT"), IsEmpty());
    EXPECT_THAT(asked("MIT AND CC-BY-NC-4.0"), ElementsAre("CC-BY-NC-4.0"));
    EXPECT_THAT(asked("LicenseRef-Own"), ElementsAre("LicenseRef-Own"));
}

TEST(AppLicense, is_the_strictest_over_the_app_and_its_models) {
    Json json = sample_app();
    json["license"] = "MIT";
    const auto app = AppManifest::parse(render_json(json));
    ASSERT_TRUE(app) << app.error().describe();
    const auto whole = [&](const std::string& license, const std::vector<Base>& bases = {}) {
        const auto model = effective_license(make_model(license, bases));
        return effective_license(*app, {{"text", *ModelId::parse("acme/model"), model}});
    };
    EXPECT_THAT(whole("MIT").conflicts, IsEmpty());
    EXPECT_EQ(whole("MIT").fact(FactKind::CommercialUse).from, app->id.render());

    const auto shared = whole("CC-BY-SA-4.0");
    EXPECT_THAT(shared.licenses, ElementsAre("MIT", "CC-BY-SA-4.0"));
    EXPECT_EQ(shared.fact(FactKind::ShareAlike).answer, Answer::Yes);
    EXPECT_EQ(shared.fact(FactKind::ShareAlike).from, sample_model().at("id"));
    EXPECT_THAT(shared.conflicts,
                ElementsAre("the app says MIT, but with its model acme/model (text) this is in "
                            "force: share-alike"));

    // What the model's own card does not say either.
    const auto limited = whole("MIT", {{"meta-llama/Llama-3.2-1B", "finetune", "llama3.2"}});
    EXPECT_TRUE(limited.restricts(FactKind::UseRestrictions));
    EXPECT_THAT(limited.conflicts, ElementsAre(HasSubstr("field limits")));
    EXPECT_THAT(limited.conflicts, ElementsAre(HasSubstr("the app says MIT")));
    EXPECT_THAT(ids_to_accept(limited), ElementsAre("llama3.2"));
    EXPECT_THAT(whole("acme-1.0").conflicts, ElementsAre(HasSubstr("nothing is known as to")));
}

} // namespace
} // namespace locara::manifest
