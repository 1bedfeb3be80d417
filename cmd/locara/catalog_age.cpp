#include "catalog_age.hpp"

#include "own_program.hpp"

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

/// The hubs that nobody asked within a day.
std::vector<std::string> find_old(const runtime::Installer& installer) {
    const TimePoint old = system_clock().now() - kOld;
    std::vector<std::string> hubs;
    for (const auto& state : installer.catalog_states()) {
        if (installer.may_use_network() && (!state.last_checked || *state.last_checked < old)) {
            hubs.push_back(state.hub.url);
        }
    }
    return hubs;
}

void refresh(Context& context, const std::string& hub, const std::stop_token& stop) {
    auto installer = context.installer_of(hub, stop);
    const Status done = installer ? installer->refresh() : Status(installer.error());
    if (!done) {
        context.log().info(
            "run", "not_refreshed", {{"hub", hub}, {"error", done.error().describe()}});
    }
}

} // namespace

void refresh_if_old(Context& context) {
    const auto installer = context.installer_of("", interrupt_token());
    const auto hubs = installer ? find_old(*installer) : std::vector<std::string>();
    if (hubs.empty()) {
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
    // All at once: one that is slow takes no time from the others.
    std::vector<std::jthread> asking;
    asking.reserve(hubs.size());
    for (const auto& hub : hubs) {
        asking.emplace_back([&context, &stop, &hub] { refresh(context, hub, stop.get_token()); });
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
        const auto installer = context_->installer_of("", stop);
        for (const auto& hub : installer ? find_old(*installer) : std::vector<std::string>()) {
            ask(hub, stop);
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

void CatalogWatch::ask(const std::string& hub, const std::stop_token& stop) {
    const auto child = start_own_program({"search", "--refresh", "--hub", hub}, {});
    if (!child) {
        context_->log().info(
            "serve", "not_refreshed", {{"hub", hub}, {"error", child.error().describe()}});
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
                         {{"hub", hub}});
}

} // namespace locara::cli
