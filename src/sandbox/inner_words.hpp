// Words of a command line for locara-sandbox-init, for what raises walls by it.
#pragma once

#include <locara/sandbox/profile.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace locara::sandbox {

/// "--limit NAME=N" for each that is set, and for core dumps, of which there are none.
void append_limits(std::vector<std::string>& words, const Limits& limits);

/// "--exec PATH" for each, and for the dynamic loader, which is executed too as far as Landlock is
/// concerned.
void append_executables(std::vector<std::string>& words,
                        const std::vector<std::filesystem::path>& paths);

} // namespace locara::sandbox
