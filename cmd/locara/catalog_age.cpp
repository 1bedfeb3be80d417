#include "catalog_age.hpp"

#include "own_program.hpp"

#include <algorithm>
#include <csignal>

#include <sys/wait.h>

namespace locara::cli {

namespace {

constexpr std::chrono::hours kOld{24};
constexpr std::chrono::seconds kTimeAtStart{5};
constexpr std::chrono::minutes kTimeMeanwhile{2};
constexpr std::chrono::hours kLookAgain{1};
constexpr std::chrono::seconds kTick{5}; // also after a suspended machine woke up
constexpr std::chrono::milliseconds kChildTick{100};

bool is_any_old(const runtime::Installer& installer) {
    const TimePoint old = system_clock().now() - kOld;
    const auto states = installer.catalog_states();
    return installer.may_use_network() &&
           std::any_of(states.begin(), states.end(), [old](const auto& state) {
               return !state.last_checked || *state.last_checked < old;
           });
}

} // namespace

void refresh_if_old(Context& context, const runtime::Installer& installer) {
    if (!is_any_old(installer)) {
        return;
    }
    std::stop_source stop;
    const std::stop_callback interrupted(interrupt_token(), [&stop] { stop.request_stop(); });
    const std::jthread timer([&stop](const std::stop_token& done) {
        std::mutex mutex;
        std::condition_variable_any wake;
        std::unique_lock lock(mutex);
        wake.wait_for(lock, done, kTimeAtStart, [] { return false; });
        stop.request_stop();
    });
    auto fresh = context.installer("", stop.get_token());
    const Status refreshed = fresh ? fresh->refresh() : Status(fresh.error());
    if (!refreshed) {
        context.log().info("run", "not_refreshed", {{"error", refreshed.error().describe()}});
    }
}

CatalogWatch::CatalogWatch(Context& context)
    : context_(&context), thread_([this](const std::stop_token& stop) { run(stop); }) {}

CatalogWatch::~CatalogWatch() = default;

bool CatalogWatch::sleep(const std::stop_token& stop, std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, time, [] { return false; });
    return !stop.stop_requested();
}

void CatalogWatch::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const auto installer = context_->installer("", stop);
        if (installer && is_any_old(*installer)) {
            ask(stop);
        }
        // By the clock on the wall: the hour may pass while the machine sleeps, and somebody may
        // set that clock.
        const TimePoint looked = system_clock().now();
        for (TimePoint now = looked; now >= looked && now - looked < kLookAgain;
             now = system_clock().now()) {
            if (!sleep(stop, kTick)) {
                return;
            }
        }
    }
}

void CatalogWatch::ask(const std::stop_token& stop) {
    const auto child = start_own_program({"search", "--refresh"}, {});
    if (!child) {
        context_->log().info("serve", "not_refreshed", {{"error", child.error().describe()}});
        return;
    }
    int status = 0;
    const auto deadline = std::chrono::steady_clock::now() + kTimeMeanwhile;
    while (::waitpid(*child, &status, WNOHANG) == 0) {
        if (!sleep(stop, kChildTick) || std::chrono::steady_clock::now() > deadline) {
            ::kill(*child, SIGTERM);
            ::waitpid(*child, &status, 0);
            break;
        }
    }
    context_->log().info("serve",
                         WIFEXITED(status) && WEXITSTATUS(status) == kDone ? "refreshed"
                                                                           : "not_refreshed",
                         {});
}

} // namespace locara::cli
