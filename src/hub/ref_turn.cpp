#include "ref_turn.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>

namespace locara::hub {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLongest{15};
constexpr std::chrono::milliseconds kFirstPause{1};
constexpr std::chrono::milliseconds kLongestPause{20};
/// Lock files of a repository: few, for they stay, and enough that two refs seldom share one.
constexpr std::uint32_t kTurns = 16;

/// FNV-1a, the same in every process.
std::uint32_t hash_of(const std::string& ref) {
    std::uint32_t hash = 2166136261U;
    for (const char c : ref) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    }
    return hash;
}

} // namespace

Answer<FileLock> wait_for_turn(const std::filesystem::path& repository, const std::string& ref) {
    // Not "*.lock": what is called so is swept up at a start (git_leftovers.hpp).
    const auto path = repository / ("locara-turn-" + std::to_string(hash_of(ref) % kTurns));
    const auto until = Clock::now() + kLongest;
    auto pause = kFirstPause;
    while (true) {
        auto turn = FileLock::try_acquire(path);
        if (turn) {
            return std::move(*turn);
        }
        if (turn.error().code() != ErrorCode::Busy) {
            return std::move(turn).error();
        }
        if (Clock::now() >= until) {
            Refusal later(503, "", "many others are changing " + ref + "; try again later");
            later.headers.add("Retry-After", "5");
            return later;
        }
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, kLongestPause);
    }
}

} // namespace locara::hub
