// Turns for those who make a commit on top of what a ref is and then move the ref there. One at a
// time does so, in all processes that serve a folder; the others wait instead of making what is
// refused then. Pushes bring commits that are made already: they take no turn, and who has one sees
// that the ref was moved.
#pragma once

#include "refusal.hpp"

#include <locara/base/file.hpp>

#include <filesystem>
#include <string>

namespace locara::hub {

/// Waits for a turn at a ref of a git folder; it ends with what is returned. Takes 15 seconds at
/// most, then Busy. Refs may share turns: REQUIRES that the caller has none.
Answer<FileLock> wait_for_turn(const std::filesystem::path& repository, const std::string& ref);

} // namespace locara::hub
