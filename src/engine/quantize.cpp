#include "llama_server.hpp"

#include <locara/engine/quantize.hpp>
#include <locara/sandbox/process.hpp>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>

namespace locara::engine {

namespace {

constexpr const char* kProgramInside = "/run/locara/llama-quantize";
constexpr const char* kFolderInside = "/run/locara/out";
constexpr std::chrono::milliseconds kStep{100};
constexpr std::chrono::milliseconds kStopGrace{2'000};

std::uint32_t thread_count(const QuantizeSpec& spec) {
    return spec.threads != 0 ? spec.threads : std::max(1U, std::thread::hardware_concurrency());
}

sandbox::Profile make_profile(const QuantizeSpec& spec, const std::filesystem::path& program) {
    std::uint64_t bytes = 0;
    for (const auto& file : spec.base) {
        bytes += file.size();
    }
    constexpr std::uint64_t kGiB = 1ULL << 30U;
    sandbox::Profile profile;
    profile.name = "llama-quantize of " + spec.model_id;
    profile.syscalls = sandbox::SyscallPolicy::Engine;
    profile.command = quantize_command(spec);
    profile.read_only.push_back({program, kProgramInside});
    profile.executables = {kProgramInside};
    add_weights(profile, spec.base);
    profile.writable = {{spec.folder, kFolderInside}};
    // The base is mapped; tensors are converted one by one, as 32-bit floats in between.
    profile.limits.memory_bytes = 3 * bytes + 2 * kGiB;
    profile.limits.address_space_bytes = 4 * bytes + 8 * kGiB;
    profile.limits.file_bytes = 2 * bytes + kGiB;
    profile.limits.tasks = 2ULL * thread_count(spec) + 64;
    profile.limits.tmp_bytes = 1 << 20;
    return profile;
}

std::string last_line(const std::string& words) {
    const auto end = words.find_last_not_of('\n');
    if (end == std::string::npos) {
        return "it said nothing";
    }
    const auto begin = words.rfind('\n', end);
    const auto first = begin == std::string::npos ? 0 : begin + 1;
    return words.substr(first, end - first + 1);
}

} // namespace

std::vector<std::string> quantize_command(const QuantizeSpec& spec) {
    return {kProgramInside,
            weight_name(0, spec.base.size()),
            std::string(kFolderInside) + "/" + kQuantized,
            spec.type,
            std::to_string(thread_count(spec))};
}

Status quantize(const QuantizeSpec& spec,
                const std::filesystem::path& llama_quantize,
                const sandbox::Tools& tools,
                ProgressSink& progress,
                const std::stop_token& stop) {
    const bool plain = std::all_of(spec.type.begin(), spec.type.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (spec.base.empty() || spec.type.empty() || !plain) {
        return Error(ErrorCode::InvalidArgument,
                     "quantizing " + spec.model_id + " needs a base and a type such as Q8_0");
    }
    LOCARA_TRY(const auto process,
               sandbox::Process::start(make_profile(spec, llama_quantize), tools));
    Progress state;
    state.task = "quantize";
    state.item = spec.type;
    state.total_bytes = spec.expected_bytes;
    while (true) {
        const auto exit = process->wait(kStep);
        std::error_code none_yet;
        const auto written = std::filesystem::file_size(spec.folder / kQuantized, none_yet);
        state.done_bytes = none_yet ? 0 : written;
        progress.report(state);
        if (exit && exit->code == 0 && exit->signal == 0 && !none_yet) {
            return {};
        }
        if (exit) {
            const std::string words = process->error_tail();
            return Error(ErrorCode::Unsupported,
                         "llama-quantize does not make " + spec.type + " of " + spec.model_id +
                             " (" + exit->describe() + "); its own words: " +
                             last_line(words.empty() ? process->output_tail() : words));
        }
        if (stop.stop_requested()) {
            process->stop(kStopGrace);
            return Error(ErrorCode::Cancelled, "stopped while quantizing");
        }
    }
}

} // namespace locara::engine
