#include "samples.hpp"

#include <locara/manifest/provenance.hpp>
#include <locara/test_support/golden.hpp>

#include <gtest/gtest.h>

namespace locara::manifest {
namespace {

TEST(Provenance, names_what_was_made_and_all_that_it_was_made_from) {
    Json json = sample_model();
    Json base = json["variants"][0];
    base["name"] = "base";
    base["files"][0]["path"] = "base.gguf";
    json["variants"].push_back(base);
    const auto model = ModelManifest::parse(render_json(json)).value();
    Provenance made;
    made.model = &model;
    made.variant = model.default_variant;
    made.base_source = &model.source;
    made.base = model.find_variant("base")->files;
    made.command = {"/run/locara/llama-quantize", "model.gguf", "quantized.gguf", "Q8_0", "2"};
    made.engine_version = "v0.5.0";
    made.locara_version = "0.0.0";
    made.started = parse_time("2026-11-28T04:00:00Z").value();
    made.finished = parse_time("2026-11-28T04:00:01Z").value();
    EXPECT_GOLDEN("provenance.json", made.render());
    made.converted = "BF16";
    made.base.front().path = "model.safetensors";
    EXPECT_GOLDEN("provenance-converted-and-quantized.json", made.render());
    made.command.clear();
    EXPECT_GOLDEN("provenance-converted.json", made.render());
}

} // namespace
} // namespace locara::manifest
