#include "rescan_watch.hpp"

#include <condition_variable>
#include <exception>
#include <mutex>

namespace locara::hub {

Result<RescanWatch::Step> RescanWatch::step() {
    LOCARA_TRY(const std::string scanners, options_.scanners());
    if (scanners == done_) {
        return Step::Idle;
    }
    if (scanners != current_) {
        current_ = scanners;
        from_.reset();
        refused_ = false;
    }
    RescanOptions options;
    options.judge = options_.judge;
    options.scanners = scanners;
    options.from = from_;
    options.budget_bytes = options_.step_bytes;
    options.stop = stop_.get_token();
    LOCARA_TRY(const RescanReport report, rescan(sources_, options));
    for (const RescanReport::Unread& one : report.unread) {
        log_.warning("hub", "rescan_failed", {{"repo", one.repo}, {"error", one.error.describe()}});
    }
    for (const RescanReport::Refused& file : report.refused) {
        LOCARA_CHECK(take_down(file));
        refused_ = true;
    }
    if (report.judged > 0) {
        log_.info("hub",
                  "rescan",
                  {{"judged", std::to_string(report.judged)},
                   {"refused", std::to_string(report.refused.size())},
                   {"unjudged", std::to_string(report.unjudged)},
                   {"scanners", scanners}});
    }
    from_ = report.next;
    if (from_) {
        return Step::More;
    }
    if (refused_ && options_.after) {
        LOCARA_CHECK(options_.after());
    }
    done_ = scanners;
    return Step::Idle;
}

Status RescanWatch::take_down(const RescanReport::Refused& file) {
    LOCARA_TRY(const auto repo, names_.find_repo(file.key));
    if (repo && repo->origin != Origin::Here) {
        LOCARA_TRY(const auto mirrored, names_.list_mirrored_files());
        for (const MirroredFile& one : mirrored) {
            if (one.repo == file.key && one.sha256 == file.sha256) {
                LOCARA_CHECK(names_.remove_mirrored_file(one));
            }
        }
    }
    log_.warning("hub",
                 "file_taken_down",
                 {{"repo", file.repo},
                  {"path", file.path},
                  {"sha256", file.sha256.render()},
                  {"rule", file.verdict.rule},
                  {"reason", file.verdict.reason},
                  {"label", std::string(formats::render(file.verdict.label))},
                  {"call_it_back",
                   "locara-hub takedown add sha256:" + file.sha256.render() + " --kind " +
                       std::string(render(file.kind))}});
    return {};
}

void RescanWatch::start() {
    thread_ = std::thread([this] { work(); });
}

void RescanWatch::stop() {
    stop_.request_stop();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void RescanWatch::work() {
    const std::stop_token stop = stop_.get_token();
    std::mutex mutex;
    std::condition_variable_any never;
    std::string trouble; // Said once, not every minute.
    std::chrono::milliseconds wait = options_.every;
    std::unique_lock guard(mutex);
    while (!never.wait_for(guard, stop, wait, [&stop] { return stop.stop_requested(); })) {
        const auto done = [this]() -> Result<Step> {
            try {
                return step();
            } catch (const std::exception& error) { // Libraries may throw.
                return Error(ErrorCode::Internal, error.what());
            }
        }();
        wait = done && *done == Step::More ? options_.pause : options_.every;
        if (stop.stop_requested()) {
            return;
        }
        if (!done && done.error().describe() != trouble) {
            log_.warning("hub", "rescan_failed", {{"error", done.error().describe()}});
        }
        trouble = done ? "" : done.error().describe();
    }
}

} // namespace locara::hub
