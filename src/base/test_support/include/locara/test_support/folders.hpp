// Where a test program finds its files. For tests only; nothing else may include this.
//
// Threads: any; usable while static objects are made.
#pragma once

#include <filesystem>

namespace locara::test_support {

/// test/data of the module under test.
std::filesystem::path data_dir();

/// The root of the checkout.
std::filesystem::path source_dir();

/// The root of the build; programs are in its bin/.
std::filesystem::path binary_dir();

} // namespace locara::test_support
