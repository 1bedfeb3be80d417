#include "oci.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::hub {
namespace {

using testing::HasSubstr;

GitEntry large(const std::string& path) {
    return {GitEntry::Kind::File,
            path,
            "0123456789012345678901234567890123456789",
            130,
            LfsPointer{crypto::sha256(as_bytes(path)), path.size()}};
}

std::vector<GitEntry> sample() {
    return {{GitEntry::Kind::File, "README.md", "0123456789012345678901234567890123456789", 9, {}},
            large("mmproj-tiny-F16.gguf"),
            large("tiny-F16.gguf"),
            large("tiny-Q8_0.gguf"),
            large("tiny-UD-Q4_K_XL.gguf"),
            large("vast-00001-of-00002.gguf"),
            large("model.safetensors")};
}

std::string path_of(std::string_view tag) {
    const auto entries = sample();
    auto found = find_oci_model(entries, tag);
    return found ? found->weights.path : std::to_string(found.error().status);
}

TEST(Oci, a_tag_is_a_file_or_a_quantization_in_any_case) {
    EXPECT_EQ(path_of("latest"), "tiny-Q8_0.gguf"); // There is no Q4_K_M.
    EXPECT_EQ(path_of("f16"), "tiny-F16.gguf");
    EXPECT_EQ(path_of("Q8_0"), "tiny-Q8_0.gguf");
    EXPECT_EQ(path_of("UD-Q4_K_XL"), "tiny-UD-Q4_K_XL.gguf");
    EXPECT_EQ(path_of("tiny-f16.GGUF"), "tiny-F16.gguf");
    EXPECT_EQ(path_of("Q4_K"), "404"); // A part of a word is not it.
    EXPECT_EQ(path_of("mmproj-tiny-F16"), "404");
    EXPECT_EQ(path_of("vast-00001-of-00002"), "501");
    EXPECT_EQ(path_of(""), "404");
}

TEST(Oci, an_unknown_tag_is_told_those_there_are) {
    const auto entries = sample();
    const auto found = find_oci_model(entries, "q2_k");
    ASSERT_FALSE(found);
    EXPECT_THAT(found.error().message, HasSubstr("tiny-f16, tiny-q8_0"));
    const auto none = find_oci_model({}, "latest");
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().status, 404);
}

TEST(Oci, every_digest_of_a_manifest_leads_to_its_blob) {
    const auto entries = sample();
    auto found = find_oci_model(entries, "f16");
    ASSERT_TRUE(found);
    const auto manifest = parse_json(found->render());
    ASSERT_TRUE(manifest);
    const Json& layers = (*manifest)["layers"];
    ASSERT_EQ(layers.size(), 2U);
    EXPECT_EQ(layers[0]["mediaType"], "application/vnd.ollama.image.model");
    EXPECT_EQ(layers[1]["mediaType"], "application/vnd.ollama.image.projector");
    for (std::size_t i = 0; i < 2; ++i) {
        auto blob = find_oci_blob(entries, layers[i]["digest"].get<std::string>());
        ASSERT_TRUE(blob);
        EXPECT_EQ(blob->file->path, i == 0 ? "tiny-F16.gguf" : "mmproj-tiny-F16.gguf");
    }
    auto config = find_oci_blob(entries, (*manifest)["config"]["digest"].get<std::string>());
    ASSERT_TRUE(config);
    EXPECT_EQ(config->config, found->config);
    EXPECT_EQ((*manifest)["config"]["size"], found->config.size());
}

TEST(Oci, a_digest_that_is_none_is_refused) {
    const auto entries = sample();
    const std::string unknown(64, 'a');
    for (const auto& [digest, status] : {std::pair(std::string("latest"), 400),
                                         std::pair("sha256:" + unknown.substr(1), 400),
                                         std::pair("md5:" + unknown, 400),
                                         std::pair("sha256:" + unknown, 404)}) {
        const auto found = find_oci_blob(entries, digest);
        ASSERT_FALSE(found) << digest;
        EXPECT_EQ(found.error().status, status) << digest;
    }
}

TEST(Oci, elder_clients_of_llama_cpp_read_names) {
    const auto entries = sample();
    auto found = find_oci_model(entries, "F16");
    ASSERT_TRUE(found);
    const Json files = found->render_files();
    EXPECT_EQ(files["ggufFile"]["rfilename"], "tiny-F16.gguf");
    EXPECT_EQ(files["mmprojFile"]["rfilename"], "mmproj-tiny-F16.gguf");
}

} // namespace
} // namespace locara::hub
