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

/// Where part `index` of a model's weights lies inside a sandbox. llama.cpp finds the parts of a
/// split model by the first one's name (llama_split_path).
std::string weight_name(std::size_t index, std::size_t count);

/// Lets a sandbox read these weights, each part under its name there.
void add_weights(sandbox::Profile& profile, const std::vector<ModelFile>& weights);

/// The socket's name inside `folder`; llama-server takes names that end in ".sock" for sockets.
inline constexpr const char* kSocketName = "engine.sock";

/// Why it ended before it was healthy, in its own words.
Error explain_failed_start(const EngineSpec& spec,
                           const sandbox::ExitStatus& exit,
                           const std::string& words);

} // namespace locara::engine
