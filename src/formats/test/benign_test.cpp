// False alarms are defects.
#include "test/benign_repositories.hpp"

#include <locara/base/path.hpp>
#include <locara/formats/scan.hpp>
#include <locara/test_support/folders.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>

namespace locara::formats {
namespace {

namespace fs = std::filesystem;
using namespace benign;

TEST(Benign, passes_small_repositories_whole) {
    auto folder = TempFolder::create(fs::temp_directory_path(), "benign-");
    ASSERT_TRUE(folder);
    const auto all = repositories();
    EXPECT_GE(all.size(), 40U);
    std::size_t files = 0;
    for (const auto& [name, repository] : all) {
        for (const auto& [path, bytes] : repository) {
            const fs::path target = folder->path() / name / path;
            fs::create_directories(target.parent_path());
            std::ofstream(target, std::ios::binary) << bytes;
            ++files;
        }
        const std::vector<fs::path> paths = {folder->path() / name};
        const auto items = scan_paths(paths);
        ASSERT_TRUE(items) << items.error().describe();
        EXPECT_EQ(items->size(), repository.size()) << name;
        for (const ScanItem& item : *items) {
            EXPECT_EQ(item.verdict.decision, Decision::Allow)
                << item.path << ": " << item.verdict.rule << " " << item.verdict.member << " ("
                << item.verdict.reason << ")";
        }
    }
    EXPECT_GE(files, 300U);
}

// Any bytes may stand in a tensor: what starts like another format is still weights.
TEST(Benign, passes_tensors_of_any_content) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        const std::string bytes = noise(64 + seed % 64, seed);
        const Verdict verdict =
            scan_source(MemorySource(as_bytes(weights(bytes))), "m.safetensors");
        EXPECT_EQ(verdict.rule, "safetensors.valid") << seed << " " << verdict.reason;
    }
}

// Lines of words are prose, whatever the first letters are: most letters are opcodes.
TEST(Benign, passes_prose_of_any_first_letters) {
    std::size_t flagged = 0;
    for (std::uint64_t seed = 0; seed < 3'000; ++seed) {
        std::mt19937_64 random(seed);
        std::string text;
        for (std::size_t i = 0, n = 2 + random() % 40; i < n; ++i) {
            const std::size_t length = 1 + random() % 8;
            for (std::size_t k = 0; k < length; ++k) {
                text += static_cast<char>(' ' + random() % 95);
            }
            text += random() % 4 == 0 ? '\n' : ' ';
        }
        text += "\n";
        const Verdict verdict = scan_source(MemorySource(as_bytes(text)), "notes.txt");
        if (verdict.decision != Decision::Allow && verdict.rule != "code.script") {
            ++flagged;
            ADD_FAILURE() << seed << " " << verdict.rule << " " << verdict.reason << "\n" << text;
        }
    }
    EXPECT_EQ(flagged, 0U);
}

} // namespace
} // namespace locara::formats
