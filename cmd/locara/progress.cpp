#include "progress.hpp"

#include "exit_codes.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/json.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>

namespace locara::cli {

using namespace std::chrono_literals;

namespace {

/// Speed is taken over this much time: shorter jumps about, longer lags behind.
constexpr auto kSpeedWindow = 5s;
constexpr auto kPlainEvery = 10s;
constexpr auto kBarEvery = 100ms;
constexpr auto kEventEvery = 200ms;

std::uint64_t arrived(const Progress& progress) {
    return std::max(progress.received_bytes, progress.done_bytes);
}

std::string render_time_left(const Progress& progress, double bytes_per_second) {
    if (bytes_per_second < 1 || progress.total_bytes == 0) {
        return "";
    }
    const auto left = progress.total_bytes - std::min(arrived(progress), progress.total_bytes);
    const auto seconds = static_cast<std::uint64_t>(static_cast<double>(left) / bytes_per_second);
    if (seconds >= 3600) {
        return std::to_string(seconds / 3600) + " h " + std::to_string(seconds / 60 % 60) +
               " min left";
    }
    return seconds >= 60 ? std::to_string(seconds / 60) + " min left"
                         : std::to_string(seconds) + " s left";
}

std::string render_numbers(const Progress& progress, double bytes_per_second) {
    std::string out = render_size(progress.done_bytes) + " of " +
                      render_size(progress.total_bytes) +
                      (progress.task == "upload" ? " on the hub" : " verified");
    if (bytes_per_second >= 1) {
        out += ", " + render_size(static_cast<std::uint64_t>(bytes_per_second)) + "/s";
    }
    if (const auto left = render_time_left(progress, bytes_per_second); !left.empty()) {
        out += ", " + left;
    }
    return out;
}

} // namespace

void Tally::report(const Progress& progress) {
    next_.report(progress);
    if (progress.done_bytes == progress.total_bytes) { // each file ends once
        needed_ += progress.total_bytes;
        reused_ += progress.reused_bytes;
    }
}

std::string Tally::render() const {
    return render_size(needed_) + " needed, " + render_size(reused_) + " reused, " +
           render_size(needed_ - std::min(reused_, needed_)) + " fetched, all verified";
}

Result<ProgressMode> parse_progress_mode(std::string_view text) {
    if (text == "auto") {
        return ProgressMode::Auto;
    }
    if (text == "tty") {
        return ProgressMode::Tty;
    }
    if (text == "plain") {
        return ProgressMode::Plain;
    }
    if (text == "json") {
        return ProgressMode::Json;
    }
    if (text == "none") {
        return ProgressMode::None;
    }
    return Error(ErrorCode::InvalidArgument,
                 "--progress \"" + std::string(text.substr(0, 40)) +
                     "\" is not one of: auto, tty, plain, json, none");
}

std::string render_bar(const Progress& progress, double bytes_per_second, unsigned width) {
    constexpr std::uint64_t kCells = 20;
    const auto total = std::max<std::uint64_t>(progress.total_bytes, 1);
    const auto cells = [&](std::uint64_t bytes) {
        return static_cast<std::size_t>(static_cast<double>(std::min(bytes, total)) /
                                        static_cast<double>(total) * kCells);
    };
    // '=' is verified, '-' has arrived and is not verified yet.
    std::string bar(kCells, ' ');
    std::fill_n(bar.begin(), cells(arrived(progress)), '-');
    std::fill_n(bar.begin(), cells(progress.done_bytes), '=');
    std::string line =
        "[" + bar + "] " + render_numbers(progress, bytes_per_second) + "  " + clean(progress.item);
    if (line.size() > width) {
        line.resize(width);
    }
    return line;
}

std::string render_line(const Progress& progress, double bytes_per_second) {
    return clean(progress.task) + " " + clean(progress.item) + ": " +
           render_numbers(progress, bytes_per_second) +
           (progress.source.empty() ? "" : " (" + clean(progress.source) + ")");
}

std::string render_event(const Progress& progress, double bytes_per_second) {
    const Json event = {{"schema", "locara.progress/1"},
                        {"task", progress.task},
                        {"item", progress.item},
                        {"verified_bytes", progress.done_bytes},
                        {"received_bytes", arrived(progress)},
                        {"total_bytes", progress.total_bytes},
                        {"reused_bytes", progress.reused_bytes},
                        {"bytes_per_second", static_cast<std::uint64_t>(bytes_per_second)},
                        {"source", progress.source}};
    return render_json(event);
}

struct ProgressView::State {
    struct Item {
        std::deque<std::pair<Time, std::uint64_t>> samples;
        Time shown{};
        bool finished = false;
    };

    ProgressMode mode;
    unsigned width;
    std::function<void(std::string_view)> write;
    std::function<Time()> now;
    std::mutex mutex;
    std::map<std::string, Item> items; ///< Guarded by mutex.
    bool bar_stands = false;           ///< Guarded by mutex.

    void clear() {
        if (bar_stands) {
            write("\r\x1b[K");
            bar_stands = false;
        }
    }
};

ProgressView::ProgressView(ProgressMode mode,
                           unsigned width,
                           std::function<void(std::string_view)> write,
                           std::function<Time()> now)
    : state_(new State{mode, width, std::move(write), std::move(now), {}, {}, false}) {}

ProgressView::~ProgressView() {
    clear();
}

void ProgressView::clear() {
    const std::lock_guard guard(state_->mutex);
    state_->clear();
}

void ProgressView::report(const Progress& progress) {
    auto& state = *state_;
    if (state.mode == ProgressMode::None) {
        return;
    }
    const std::lock_guard guard(state.mutex);
    const auto now = state.now();
    auto& item = state.items[progress.item];
    item.samples.emplace_back(now, arrived(progress));
    while (item.samples.size() > 2 && now - item.samples.front().first > kSpeedWindow) {
        item.samples.pop_front();
    }
    const std::chrono::duration<double> span = now - item.samples.front().first;
    const auto bytes = arrived(progress) - std::min(arrived(progress), item.samples.front().second);
    const double speed = span.count() > 0.2 ? static_cast<double>(bytes) / span.count() : 0;

    const bool finished = progress.total_bytes > 0 && progress.done_bytes >= progress.total_bytes;
    const bool last = finished && !item.finished;
    item.finished = finished;
    const bool first = item.shown == Time{};
    const auto due = [&](auto every) { return first || last || now - item.shown >= every; };
    switch (state.mode) {
    case ProgressMode::Tty:
        if (due(kBarEvery)) {
            state.write("\r\x1b[K" + render_bar(progress, speed, state.width));
            state.bar_stands = true;
            item.shown = now;
        }
        break;
    case ProgressMode::Plain:
        // The first line comes after ten seconds: what is quicker needs no report.
        if (first) {
            item.shown = now;
        } else if (now - item.shown >= kPlainEvery) {
            state.write(render_line(progress, speed) + "\n");
            item.shown = now;
        }
        break;
    case ProgressMode::Json:
        if (due(kEventEvery)) {
            state.write(render_event(progress, speed) + "\n");
            item.shown = now;
        }
        break;
    case ProgressMode::Auto:
    case ProgressMode::None:
        break;
    }
}

} // namespace locara::cli
