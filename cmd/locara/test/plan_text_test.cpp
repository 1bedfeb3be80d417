#include "context.hpp"
#include "plan_text.hpp"
#include "samples.hpp"

#include <locara/test_support/golden.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::cli {
namespace {

TEST(Touches, says_nothing_where_nothing_is_touched) {
    EXPECT_EQ(describe_touches({}), "nothing but what you type | network: none");
}

TEST(Touches, names_every_grant) {
    manifest::Capabilities can;
    can.net = {"a.example.org", "b.example.org"};
    can.files = manifest::Capabilities::Files::Picker;
    can.devices = {"microphone"};
    can.save = true;
    EXPECT_EQ(describe_touches(can),
              "files you pick | microphone: asks first | saves files when you say so | network: "
              "a.example.org, b.example.org");
}

runtime::Plan make_plan(const Json& app, const Json& model) {
    runtime::Plan plan;
    plan.app.hub.url = "https://hub.example.org";
    plan.app.entry.manifest = manifest::AppManifest::parse(render_json(app)).value();
    const auto text = render_json(model);
    runtime::PlannedModel planned{
        "text",
        manifest::VerifiedModelManifest::verify(text, crypto::sha256(as_bytes(text))).value(),
        "f16",
        {}};
    planned.files.push_back({planned.get_variant().files[0], false, 400});
    plan.models.push_back(std::move(planned));
    plan.fetch_bytes = 1600;
    plan.here_bytes = 400;
    plan.disk_bytes = 2000;
    plan.memory_bytes = 64'000'000;
    plan.device.memory_available_bytes = 8ULL << 30U;
    plan.device.disk_free_bytes = 100'000'000'000;
    return plan;
}

// What people read before they agree, and what scripts read.
TEST(Plan, says_what_is_agreed_to) {
    const auto plain = make_plan(manifest::sample_app(), manifest::sample_model());
    auto model = manifest::sample_model();
    model["license"]["id"] = "llama3";
    model["license"]["terms"]["use_restrictions"] = {"acceptable-use policy"};
    model["license"]["terms"]["gated"] = true;
    model["lineage"] = {{{"repo", "acme/base"},
                         {"revision", "0123456789abcdef0123456789abcdef01234567"},
                         {"relation", "finetune"},
                         {"license", "cc-by-nc-4.0"}}};
    auto restricted = make_plan(manifest::sample_app(), model);
    restricted.models[0].is_fallback = true;
    restricted.models[0].files[0].here = true;
    for (auto& terms : restricted.models[0].get_license().to_accept) {
        restricted.open_terms.push_back({std::move(terms), "locara/quick-add@1.0.0", {}});
    }
    restricted.replaces = manifest::Version::parse("0.9.0").value();
    restricted.warnings = {"the catalog warns: \x1b[31mslow\nto start"};
    EXPECT_GOLDEN("plan.txt", render_plan(plain) + "\n\n" + render_plan(restricted) + "\n");
    EXPECT_GOLDEN("plan.json", plan_json(restricted).dump(2) + "\n");
    runtime::Receipt receipt{"gemma",
                             "https://ai.google.dev/gemma/terms",
                             "",
                             {"field limits yes"},
                             {},
                             "acme/notes@1.0.0",
                             {},
                             "2026-11-22T12:00:00Z",
                             runtime::AcceptedBy::Prompt};
    EXPECT_GOLDEN("receipts.json", receipts_json({receipt}).dump(2) + "\n");
}

TEST(Count, knows_one) {
    EXPECT_EQ(count(1, "app"), "1 app");
    EXPECT_EQ(count(0, "app"), "0 apps");
}

TEST(Table, pads_by_characters_and_leaves_the_last_column) {
    EXPECT_EQ(render_table({{"a", "bb", "c"}, {"caf\xC3\xA9", "b", "long text"}}),
              "a     bb  c\ncaf\xC3\xA9  b   long text");
}

} // namespace
} // namespace locara::cli
