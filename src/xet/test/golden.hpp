// Golden files: the exact bytes of each format we write. LOCARA_ACCEPT=1 writes them anew; the
// change is then reviewed like code.
#pragma once

#include <locara/base/file.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace locara::xet {

inline ::testing::AssertionResult compare_golden(const std::string& name, std::string_view found) {
    const auto path = std::filesystem::path(LOCARA_TEST_DATA) / "golden" / name;
    if (const char* accept = std::getenv("LOCARA_ACCEPT"); accept != nullptr) {
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << found;
        return ::testing::AssertionSuccess();
    }
    const auto kept = read_file(path, 1U << 20U);
    if (!kept) {
        return ::testing::AssertionFailure() << kept.error().describe();
    }
    if (kept.value() != found) {
        return ::testing::AssertionFailure() << name << " differs: " << found.size()
                                             << " bytes found, " << kept->size() << " kept";
    }
    return ::testing::AssertionSuccess();
}

} // namespace locara::xet

#define EXPECT_GOLDEN(name, found) EXPECT_TRUE(::locara::xet::compare_golden((name), (found)))
