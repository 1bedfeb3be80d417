// Shows progress: a bar on a terminal, a line every ten seconds elsewhere, or JSON events.
#pragma once

#include <locara/base/progress.hpp>
#include <locara/base/result.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace locara::cli {

enum class ProgressMode { Auto, Tty, Plain, Json, None };

/// InvalidArgument names the choices.
Result<ProgressMode> parse_progress_mode(std::string_view text);

/// Bytes received over a few seconds give speed and time left. Pure, for tests.
std::string render_bar(const Progress& progress, double bytes_per_second, unsigned width);

/// One line, as in plain mode.
std::string render_line(const Progress& progress, double bytes_per_second);

/// One event, schema locara.progress/1.
std::string render_event(const Progress& progress, double bytes_per_second);

/// Passes the progress of pulls on and adds up what they reused. Like any sink, for one piece of
/// work at a time.
class Tally : public ProgressSink {
  public:
    explicit Tally(ProgressSink& next) : next_(next) {}

    void report(const Progress& progress) override;

    /// Fetched besides files: needed, and not reused.
    void add_fetched(std::uint64_t bytes) { needed_ += bytes; }

    /// "6.6 GB needed, 4.1 GB reused, 2.5 GB fetched, all verified".
    std::string render() const;

  private:
    ProgressSink& next_;
    std::uint64_t needed_ = 0;
    std::uint64_t reused_ = 0;
};

/// Writes to `write`, which must take whole texts. `clear()` removes a bar that stands on the
/// terminal; called before anything else is written there, and at the end.
class ProgressView : public ProgressSink {
  public:
    using Time = std::chrono::steady_clock::time_point;

    /// `mode` is not Auto.
    ProgressView(ProgressMode mode,
                 unsigned width,
                 std::function<void(std::string_view)> write,
                 std::function<Time()> now = std::chrono::steady_clock::now);
    ~ProgressView() override;

    void report(const Progress& progress) override;
    void clear();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace locara::cli
