// What a card says of license and origin against what a manifest says.
#include "samples.hpp"

#include <locara/manifest/card_license.hpp>

#include <gmock/gmock.h>

namespace locara::manifest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";

ModelCard card(const std::string& front_matter) {
    const auto parsed = ModelCard::parse("---\n" + front_matter + "---\n# A model\n");
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().describe());
    return parsed ? *parsed : ModelCard();
}

/// The sample with another license, and made from these.
ModelManifest model(const std::string& license,
                    const std::string& instead_of = "",
                    Json lineage = Json::array()) {
    Json json = sample_model();
    json["license"]["id"] = license;
    if (!instead_of.empty()) {
        json["license"]["instead_of"] = instead_of;
    }
    json["lineage"] = std::move(lineage);
    const auto parsed = ModelManifest::parse(render_json(json));
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().describe());
    return *parsed;
}

Json base(const char* repo, const char* relation, const char* license) {
    return Json{
        {"repo", repo}, {"revision", kCommit}, {"relation", relation}, {"license", license}};
}

TEST(CardLicense, agrees_with_the_same_license_however_it_is_spelled) {
    for (const auto& [says, id] : {std::pair("apache-2.0", "Apache-2.0"),
                                   std::pair("gpl-3.0", "GPL-3.0-only"),
                                   std::pair("Acme-1", "acme-1"),
                                   std::pair("other", "other"),
                                   std::pair("other\nlicense_name: llama3", "llama3"),
                                   std::pair("other\nlicense_name: Acme-1", "acme-1")}) {
        EXPECT_THAT(find_undeclared(model(id), card("license: " + std::string(says) + "\n")),
                    IsEmpty())
            << says;
    }
    EXPECT_THAT(find_undeclared(model("MIT"), card("tags: [a]\n")), IsEmpty()) << "it says nothing";
    EXPECT_TRUE(check_card(model("MIT"), "# A card without front matter\n"));
}

TEST(CardLicense, another_license_than_the_cards_must_be_declared) {
    const auto says = card("license: cc-by-nc-4.0\n");
    EXPECT_THAT(
        find_undeclared(model("MIT"), says),
        ElementsAre("the card of locara/quick-add names the license \"cc-by-nc-4.0\", the manifest "
                    "MIT: if the card is wrong, write \"instead_of\": \"cc-by-nc-4.0\" into "
                    "license; else that is its id"));
    EXPECT_THAT(find_undeclared(model("MIT", "CC-BY-NC-4.0"), says), IsEmpty());
    EXPECT_THAT(find_undeclared(model("MIT", "gemma"), says),
                ElementsAre(AllOf(HasSubstr("\"cc-by-nc-4.0\", not \"gemma\""),
                                  HasSubstr("write there what it names"))));
    EXPECT_THAT(find_undeclared(model("CC-BY-NC-4.0", "gemma"), says),
                ElementsAre(HasSubstr("take license.instead_of out")));
    EXPECT_THAT(find_undeclared(model("MIT", "gemma"), card("")),
                ElementsAre(HasSubstr("names no license, not \"gemma\"")));
    // What nobody knows is no license that one may pick.
    EXPECT_THAT(find_undeclared(model("MIT"), card("license: other\nlicense_name: Acme-1\n")),
                ElementsAre(HasSubstr("names the license \"other\"")));
}

TEST(CardLicense, what_the_card_was_made_from_must_stand_in_the_lineage) {
    const auto says = card("license: mit\nbase_model: [acme/a, acme/b, locara/quick-add]\n");
    EXPECT_THAT(find_undeclared(model("MIT"), says),
                ElementsAre(AllOf(HasSubstr("made from \"acme/a\""), HasSubstr("into lineage")),
                            HasSubstr("made from \"acme/b\"")));
    EXPECT_THAT(
        find_undeclared(
            model("MIT", "", {base("Acme/A", "merge", "mit"), base("acme/b", "merge", "gemma")}),
            says),
        IsEmpty());
}

TEST(CardLicense, a_relation_that_the_card_names_is_that_of_the_lineage) {
    const Json lineage = {base("acme/a", "finetune", "mit")};
    const std::string from_a = "license: mit\nbase_model: acme/a\n";
    EXPECT_THAT(
        find_undeclared(model("MIT", "", lineage), card(from_a + "base_model_relation: merge\n")),
        ElementsAre("the card of locara/quick-add calls its relation to acme/a merge, lineage "
                    "finetune: write there what the card says"));
    for (const char* const same :
         {"", "base_model_relation: finetune\n", "base_model_relation: x\n"}) {
        EXPECT_THAT(find_undeclared(model("MIT", "", lineage), card(from_a + same)), IsEmpty());
    }
}

TEST(CardLicense, the_card_of_a_base_is_held_against_the_lineage) {
    const auto made = model("MIT", "", {base("acme/a", "finetune", "MIT")});
    const auto& ancestor = made.lineage.front();
    EXPECT_THAT(find_undeclared(made, ancestor, card("license: mit\n")), IsEmpty());
    EXPECT_THAT(find_undeclared(made, ancestor, card("license: llama3\nbase_model: acme/root\n")),
                ElementsAre(AllOf(HasSubstr("the card of acme/a names the license \"llama3\""),
                                  HasSubstr("lineage says \"MIT\"")),
                            HasSubstr("the card of acme/a says that it was made from "
                                      "\"acme/root\"")));
}

TEST(CardLicense,
     check_card_refuses_with_every_difference_and_shows_nothing_that_drives_a_terminal) {
    const auto refused =
        check_card(model("MIT"), "---\nlicense: \"a\\e[31mb\"\nbase_model: \"x\\u202ey\"\n---\n");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::Refused);
    EXPECT_THAT(refused.error().message(),
                AllOf(HasSubstr("the license \"a?[31mb\""), HasSubstr("; "), HasSubstr("\"x?y\"")));
    const auto broken = check_card(model("MIT"), "---\nlicense: [a\n---\n");
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code(), ErrorCode::InvalidArgument);
}

} // namespace
} // namespace locara::manifest
