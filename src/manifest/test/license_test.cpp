#include <locara/base/file.hpp>
#include <locara/manifest/license.hpp>
#include <locara/manifest/license_expression.hpp>
#include <locara/test_support/folders.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

namespace locara::manifest {
namespace {

using ::testing::HasSubstr;

TEST(License, knows_ids_in_every_spelling) {
    ASSERT_NE(find_license("apache-2.0"), nullptr);
    EXPECT_EQ(find_license("Apache-2.0")->name, "Apache License 2.0");
    EXPECT_EQ(find_license("APACHE-2.0"), find_license("apache-2.0"));
    EXPECT_EQ(find_license("gpl-3.0"), find_license("GPL-3.0-or-later"));
    EXPECT_EQ(find_license("odc-by"), find_license("ODC-By-1.0"));
    ASSERT_NE(find_license("openrail++"), nullptr);
    EXPECT_EQ(find_license("my-own"), nullptr);
    EXPECT_EQ(find_license(""), nullptr);
    EXPECT_EQ(find_license("gpl-3.0 GPL-3.0-or-later"), nullptr);
}

// Every id that the Hub documents for cards (docs/hub/repositories-licenses, August 2026).
TEST(License, knows_every_id_of_the_hub) {
    for (const auto* id : {"apache-2.0",
                           "mit",
                           "openrail",
                           "bigscience-openrail-m",
                           "creativeml-openrail-m",
                           "bigscience-bloom-rail-1.0",
                           "bigcode-openrail-m",
                           "afl-3.0",
                           "artistic-2.0",
                           "bsl-1.0",
                           "bsd",
                           "bsd-2-clause",
                           "bsd-3-clause",
                           "bsd-3-clause-clear",
                           "c-uda",
                           "cc",
                           "cc0-1.0",
                           "cc-by-2.0",
                           "cc-by-2.5",
                           "cc-by-3.0",
                           "cc-by-4.0",
                           "cc-by-sa-3.0",
                           "cc-by-sa-4.0",
                           "cc-by-nc-2.0",
                           "cc-by-nc-3.0",
                           "cc-by-nc-4.0",
                           "cc-by-nd-4.0",
                           "cc-by-nc-nd-3.0",
                           "cc-by-nc-nd-4.0",
                           "cc-by-nc-sa-2.0",
                           "cc-by-nc-sa-3.0",
                           "cc-by-nc-sa-4.0",
                           "cdla-sharing-1.0",
                           "cdla-permissive-1.0",
                           "cdla-permissive-2.0",
                           "wtfpl",
                           "ecl-2.0",
                           "epl-1.0",
                           "epl-2.0",
                           "etalab-2.0",
                           "eupl-1.1",
                           "eupl-1.2",
                           "agpl-3.0",
                           "gfdl",
                           "gpl",
                           "gpl-2.0",
                           "gpl-3.0",
                           "lgpl",
                           "lgpl-2.1",
                           "lgpl-3.0",
                           "isc",
                           "h-research",
                           "intel-research",
                           "lppl-1.3c",
                           "ms-pl",
                           "apple-ascl",
                           "apple-amlr",
                           "mpl-2.0",
                           "odc-by",
                           "odbl",
                           "openmdw-1.0",
                           "openmdw-1.1",
                           "openrail++",
                           "osl-3.0",
                           "postgresql",
                           "ofl-1.1",
                           "ncsa",
                           "unlicense",
                           "zlib",
                           "pddl",
                           "lgpl-lr",
                           "deepfloyd-if-license",
                           "fair-noncommercial-research-license",
                           "llama2",
                           "llama3",
                           "llama3.1",
                           "llama3.2",
                           "llama3.3",
                           "llama4",
                           "grok2-community",
                           "gemma",
                           "unknown",
                           "other"}) {
        EXPECT_NE(find_license(id), nullptr) << id;
    }
}

TEST(License, every_fact_that_restricts_or_permits_names_its_clause) {
    std::set<std::string> ids;
    for (const auto& license : licenses()) {
        EXPECT_TRUE(ids.insert(std::string(license.id)).second) << license.id;
        EXPECT_TRUE(license.url.starts_with("https://")) << license.id;
        EXPECT_EQ(find_license(license.id), &license) << license.id;
        for (std::size_t i = 0; i < kTextFacts; ++i) {
            // Only "the text asks for no such thing" has no clause to name.
            if (license.facts[i].clause.empty()) {
                const bool obligation = i >= static_cast<std::size_t>(FactKind::Attribution);
                EXPECT_TRUE(license.facts[i].answer == Answer::Unknown ||
                            (obligation && license.facts[i].answer == Answer::No))
                    << license.id << " " << render(kFactKinds[i]);
            }
        }
    }
    EXPECT_TRUE(find_license("other")->is_unknown());
    EXPECT_FALSE(find_license("mit")->is_unknown());
}

TEST(License, says_what_the_texts_say) {
    const auto answers = [](const char* id) {
        std::string out;
        for (const auto& fact : find_license(id)->facts) {
            out += render(fact.answer)[0];
        }
        return out;
    };
    // commercial, redistribution, derivatives, attribution, share-alike, use restrictions
    EXPECT_EQ(answers("mit"), "yyyynn");
    EXPECT_EQ(answers("cc0-1.0"), "yyynnn");
    EXPECT_EQ(answers("agpl-3.0"), "yyyyyn");
    EXPECT_EQ(answers("cc-by-nc-sa-4.0"), "nyyyyn");
    EXPECT_EQ(answers("cc-by-nc-nd-4.0"), "nynynn");
    EXPECT_EQ(answers("llama3"), "yyyyny");
    EXPECT_EQ(answers("gemma"), "yyyyny");
    EXPECT_EQ(answers("deepfloyd-if-license"), "nyyyyy");
    EXPECT_EQ(answers("openrail"), "uuuuuu");
}

// docs/licenses.md shows the table; LOCARA_ACCEPT=1 (./dev test --accept) puts it there.
TEST(License, the_document_shows_the_table) {
    const std::filesystem::path path = test_support::source_dir() / "docs/licenses.md";
    auto text = read_file(path, 1U << 20U);
    ASSERT_TRUE(text) << text.error().describe();
    const std::string start = "<!-- made from src/manifest/license_table.cpp -->\n";
    const auto at = text->find(start);
    ASSERT_NE(at, std::string::npos);
    const std::string head = text->substr(0, at + start.size());
    if (const char* accept = std::getenv("LOCARA_ACCEPT");
        accept != nullptr && std::string_view(accept) == "1") {
        const std::string all = head + render_license_table();
        ASSERT_TRUE(write_file_atomically(path, as_bytes(all)));
        return;
    }
    EXPECT_EQ(text->substr(head.size()), render_license_table()) << "./dev test --accept mends it";
}

std::string again(std::string_view text) {
    const auto parsed = LicenseExpression::parse(text);
    return parsed ? parsed->render() : "error: " + parsed.error().message();
}

TEST(LicenseExpression, render_is_the_inverse_of_parse) {
    EXPECT_EQ(again("MIT"), "MIT");
    EXPECT_EQ(again("openrail++"), "openrail++");
    EXPECT_EQ(again("(MIT)"), "MIT");
    EXPECT_EQ(again("MIT  OR (Apache-2.0 AND gemma)"), "MIT OR Apache-2.0 AND gemma");
    EXPECT_EQ(again("(MIT OR Apache-2.0) AND llama3"), "(MIT OR Apache-2.0) AND llama3");
    EXPECT_EQ(again("MIT OR (Apache-2.0 OR ISC)"), "MIT OR Apache-2.0 OR ISC");
    EXPECT_EQ(again("GPL-2.0-only WITH Classpath-exception-2.0 OR MIT"),
              "GPL-2.0-only WITH Classpath-exception-2.0 OR MIT");
}

TEST(LicenseExpression, and_binds_tighter_than_or) {
    const auto parsed = LicenseExpression::parse("A AND B OR C");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->kind, LicenseExpression::Kind::Or);
    ASSERT_EQ(parsed->parts.size(), 2U);
    EXPECT_EQ(parsed->parts[0].kind, LicenseExpression::Kind::And);
    EXPECT_EQ(parsed->parts[1].id, "C");
}

TEST(LicenseExpression, says_where_it_stops_being_one) {
    EXPECT_THAT(again(""), HasSubstr("at its end an id is wanted"));
    EXPECT_THAT(again("MIT AND"), HasSubstr("at its end an id is wanted"));
    EXPECT_THAT(again("MIT Apache-2.0"), HasSubstr("at \"Apache-2.0\" AND, OR or the end"));
    EXPECT_THAT(again("(MIT"), HasSubstr("at its end ) is wanted"));
    EXPECT_THAT(again("OR MIT"), HasSubstr("at \"OR\" an id is wanted"));
    EXPECT_THAT(again("MIT WITH (x)"), HasSubstr("at \"(\" an id is wanted"));
    EXPECT_THAT(again("MIT or later"), HasSubstr("at \"or\" AND, OR or the end is wanted"));
    EXPECT_THAT(again("MIT; rm"), HasSubstr("at \";\""));
}

TEST(LicenseExpression, has_limits) {
    const std::string deep(kLicenseExpressionDepth + 1, '(');
    EXPECT_THAT(again(deep + "MIT"), HasSubstr("deeper than 8"));
    std::string many = "A";
    for (std::size_t i = 0; i < kLicenseExpressionIds; ++i) {
        many += " OR A";
    }
    EXPECT_THAT(again(many), HasSubstr("more than 32 licenses"));
    EXPECT_THAT(again(std::string(kLicenseExpressionBytes + 1, 'A')), HasSubstr("256"));
}

} // namespace
} // namespace locara::manifest
