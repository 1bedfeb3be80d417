// Golden files: the exact bytes that leave our programs, kept beside the tests that make them.
//
// EXPECT_GOLDEN("lock.json", text) compares `text` with test/data/golden/lock.json of the module.
// A golden file that is missing fails the test, and one that no test of a whole run named fails the
// program. `./dev test --accept` (LOCARA_ACCEPT=1) writes what was found and removes what nothing
// names; the change is then reviewed like code. For tests only; nothing else may include this.
//
// Threads: one.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace locara::test_support {

/// A folder of golden files and which of them were named so far.
class GoldenFolder {
  public:
    enum class Mode { Compare, Accept };

    GoldenFolder(std::filesystem::path folder, Mode mode)
        : folder_(std::move(folder)), mode_(mode) {}

    /// Whether file `name` (a path below the folder) holds exactly `found`; the message is a
    /// readable difference and how to accept it. In Mode::Accept the file is written instead.
    ::testing::AssertionResult compare(std::string_view name, std::string_view found);

    /// The files that no comparison named, sorted. In Mode::Accept they are removed first and the
    /// answer is empty.
    std::vector<std::string> take_unused();

  private:
    std::filesystem::path folder_;
    Mode mode_;
    std::set<std::string, std::less<>> named_;
};

/// The golden files of this test program; test_main.cpp opens them.
GoldenFolder& golden_files();

/// What test_main.cpp does: opens `folder` as LOCARA_ACCEPT says, runs the tests and, if all of
/// them ran and passed, looks for files that none named.
int run_tests(int argc, char** argv, const std::filesystem::path& folder);

} // namespace locara::test_support

#define EXPECT_GOLDEN(name, found)                                                                 \
    EXPECT_TRUE(::locara::test_support::golden_files().compare((name), (found)))
