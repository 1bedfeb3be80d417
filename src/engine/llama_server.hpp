// What we know of llama-server: its arguments, its sandbox, and how to read its last words.
#pragma once

#include <locara/engine/engine.hpp>
#include <locara/sandbox/process.hpp>
#include <locara/sandbox/profile.hpp>

#include <filesystem>
#include <string>

namespace locara::engine {

/// The sandbox of an engine whose socket will be `folder`/engine.sock.
/// InvalidArgument if the spec has no weights or no context.
Result<sandbox::Profile> make_profile(const EngineSpec& spec,
                                      const std::filesystem::path& llama_server,
                                      const std::filesystem::path& folder);

/// The socket's name inside `folder`; llama-server takes names that end in ".sock" for sockets.
inline constexpr const char* kSocketName = "engine.sock";

/// Why it ended before it was healthy, in its own words.
Error explain_failed_start(const EngineSpec& spec,
                           const sandbox::ExitStatus& exit,
                           const std::string& words);

} // namespace locara::engine
