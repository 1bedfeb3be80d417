// Starts this program again, as a process of its own in the background.
#pragma once

#include <locara/base/result.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace locara::cli {

/// Runs `locara ARGUMENTS` in a session of its own, without the tokens and the LOCARA_HUB of this
/// environment and with nothing of this process open. What it writes is appended to `log`; with an
/// empty one, standard output goes nowhere and standard error stays this process's. The caller
/// waits for the process.
Result<pid_t> start_own_program(std::vector<std::string> arguments,
                                const std::filesystem::path& log);

} // namespace locara::cli
