// Making one quantization of a model out of another, by llama-quantize in a sandbox.
//
// It has no network, sees its input read-only and writes one file into a folder that is made for
// it. Facts about llama-quantize: llama.cpp v0.5.0, tools/quantize/README.md. The same program on
// the same input gives the same bytes, whatever the number of threads.
// Threads: plain functions; quantize blocks, for minutes with a large model.
#pragma once

#include <locara/base/progress.hpp>
#include <locara/base/result.hpp>
#include <locara/engine/model_file.hpp>
#include <locara/sandbox/profile.hpp>

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace locara::engine {

/// llama-quantize, looked for where find_llama_server looks: beside the program that LOCARA_ENGINE
/// names, if set. Unavailable, saying where it looked.
Result<std::filesystem::path> find_llama_quantize();

struct QuantizeSpec {
    std::string model_id;             ///< For messages.
    std::vector<ModelFile> base;      ///< GGUF; first part first.
    std::string type;                 ///< As llama-quantize names it: "Q8_0".
    std::filesystem::path folder;     ///< Exists, private and empty; the result goes there.
    std::uint64_t expected_bytes = 0; ///< For progress; 0 if unknown.
    std::uint32_t threads = 0;        ///< 0: the machine's processors.
};

/// The name of the result in the folder.
inline constexpr const char* kQuantized = "quantized.gguf";

/// The command line inside the sandbox, for statements of how something was made.
std::vector<std::string> quantize_command(const QuantizeSpec& spec);

/// Runs it. Errors: InvalidArgument (no base, or a type with other characters than letters, digits
/// and _), Unsupported (llama-quantize does not want to; carries its own last words), Unavailable
/// (a wall cannot be built), Cancelled, Io. Progress: task "quantize", item = the type, bytes
/// written.
Status quantize(const QuantizeSpec& spec,
                const std::filesystem::path& llama_quantize,
                const sandbox::Tools& tools,
                ProgressSink& progress = null_progress(),
                const std::stop_token& stop = {});

} // namespace locara::engine
