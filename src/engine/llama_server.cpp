#include "llama_server.hpp"

#include <locara/engine/quantize.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <system_error>
#include <thread>

#include <unistd.h>

namespace locara::engine {

namespace {

namespace fs = std::filesystem;

constexpr const char* kServerName = "llama-server";
constexpr const char* kProgramInside = "/run/locara/llama-server";
constexpr const char* kSocketFolderInside = "/run/locara/socket";

std::uint32_t thread_count(const EngineSpec& spec) {
    return spec.threads != 0 ? spec.threads : std::max(1U, std::thread::hardware_concurrency());
}

sandbox::Limits make_limits(const EngineSpec& spec) {
    std::uint64_t weights = 0;
    for (const auto& file : spec.weights) {
        weights += file.size();
    }
    const std::uint64_t context =
        spec.kv_bytes_per_token * spec.context_tokens * std::max(1U, spec.parallel);
    constexpr std::uint64_t kGiB = 1ULL << 30U;
    sandbox::Limits limits;
    // Weights are mapped, and copied once more where the processor likes another layout. The rest
    // is compute buffers, tokenizer and libc; address space also holds thread stacks and arenas.
    limits.memory_bytes = 2 * weights + context + context / 4 + 2 * kGiB;
    limits.address_space_bytes = 3 * weights + 2 * context + 8 * kGiB;
    limits.file_bytes = 1 << 20; // It has nothing to write.
    limits.open_files = 256;
    limits.tasks = 2ULL * thread_count(spec) + 64;
    limits.tmp_bytes = 1 << 20;
    return limits;
}

bool holds(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

// The line that says most: the first that tells of an error in loading, else the last one.
std::string pick_words(const std::string& words) {
    std::istringstream lines(words);
    std::string last;
    for (std::string line; std::getline(lines, line);) {
        for (const char* mark : {"error loading model", "error: ", "failed to allocate"}) {
            if (holds(line, mark)) {
                return line;
            }
        }
        if (!line.empty()) {
            last = line;
        }
    }
    return last.empty() ? "it said nothing" : last;
}

} // namespace

std::string weight_name(std::size_t index, std::size_t count) {
    if (count == 1) {
        return "/run/locara/weights/model.gguf";
    }
    char name[64];
    std::snprintf(
        name, sizeof name, "/run/locara/weights/model-%05zu-of-%05zu.gguf", index + 1, count);
    return name;
}

void add_weights(sandbox::Profile& profile, const std::vector<ModelFile>& weights) {
    for (std::size_t index = 0; index < weights.size(); ++index) {
        profile.read_only.push_back({weights[index].path(), weight_name(index, weights.size())});
    }
}

namespace {

Result<fs::path> find_program(const std::string& name) {
    std::string looked;
    std::error_code error;
    std::vector<fs::path> places;
    if (const char* chosen = std::getenv("LOCARA_ENGINE"); chosen != nullptr && *chosen != '\0') {
        places = {chosen};
        if (name != std::string_view(
                        kServerName)) { // beside the server that was chosen, wherever a link leads
            const fs::path real = fs::canonical(chosen, error);
            places = {(error ? fs::path(chosen) : real).parent_path() / name};
        }
    } else {
        const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
        places = {folder / name, folder.parent_path() / "libexec/locara" / name};
    }
    for (const auto& place : places) {
        if (access(place.c_str(), X_OK) == 0) {
            const fs::path real = fs::canonical(place, error);
            return error ? place : real;
        }
        looked += (looked.empty() ? "" : ", ") + place.string();
    }
    return Error(ErrorCode::Unavailable,
                 name + " was not found (looked for " + looked +
                     "): run ./dev build, or set LOCARA_ENGINE to the path of llama-server");
}

} // namespace

Result<std::filesystem::path> find_llama_server() {
    return find_program(kServerName);
}

Result<std::filesystem::path> find_llama_quantize() {
    return find_program("llama-quantize");
}

Result<sandbox::Profile> make_profile(const EngineSpec& spec,
                                      const std::filesystem::path& llama_server,
                                      const std::filesystem::path& folder) {
    if (spec.weights.empty() || spec.context_tokens == 0) {
        return Error(ErrorCode::InvalidArgument,
                     "the engine of " + spec.model_id +
                         " needs weights and a context of 1 or more");
    }
    const std::uint32_t parallel = std::max(1U, spec.parallel);
    sandbox::Profile profile;
    profile.name = "the engine of " + spec.model_id;
    profile.syscalls = sandbox::SyscallPolicy::Engine;
    profile.limits = make_limits(spec);
    profile.read_only.push_back({llama_server, kProgramInside});
    profile.executables = {kProgramInside};
    add_weights(profile, spec.weights);
    profile.writable = {{folder, kSocketFolderInside}};
    profile.command = {kProgramInside,
                       "--model",
                       weight_name(0, spec.weights.size()),
                       "--host",
                       std::string(kSocketFolderInside) + "/" + kSocketName,
                       "--alias",
                       spec.model_id,
                       "--ctx-size",
                       std::to_string(spec.context_tokens * parallel),
                       "--parallel",
                       std::to_string(parallel),
                       "--threads",
                       std::to_string(thread_count(spec)),
                       "--threads-http",
                       std::to_string(parallel + 3),
                       "--fit",
                       "off",
                       "--cache-ram",
                       "256",
                       "--sse-ping-interval",
                       "-1",
                       "--log-verbosity",
                       "2",
                       "--cors-origins",
                       "localhost"};
    for (const char* flag : {"--offline",
                             "--no-ui",
                             "--no-slots",
                             "--no-context-shift",
                             "--no-log-prefix",
                             "--no-log-timestamps"}) {
        profile.command.emplace_back(flag);
    }
    if (spec.purpose == Purpose::Embeddings) {
        profile.command.insert(profile.command.end(), {"--embeddings", "--pooling", "mean"});
    } else {
        profile.command.emplace_back("--jinja");
    }
    return profile;
}

Error explain_failed_start(const EngineSpec& spec,
                           const sandbox::ExitStatus& exit,
                           const std::string& words) {
    const std::string line = pick_words(words);
    ErrorCode code = ErrorCode::Unavailable;
    if (exit.signal == 0 && holds(words, "load")) {
        const bool foreign = holds(words, "unknown model architecture") ||
                             holds(words, "unknown pre-tokenizer") || holds(words, "unsupported") ||
                             holds(words, "unknown type");
        code = foreign ? ErrorCode::Unsupported : ErrorCode::Corrupt;
    }
    if (holds(words, "failed to allocate") || holds(words, "out of memory") ||
        holds(words, "bad_alloc")) {
        code = ErrorCode::NoSpace;
    }
    return Error(code,
                 "the engine cannot run " + spec.model_id + " (" + exit.describe() +
                     "); its own words: " + line);
}

} // namespace locara::engine
