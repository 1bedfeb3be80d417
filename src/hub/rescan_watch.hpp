// RescanWatch: has what a hub holds judged again when its scanners have learned, a little at a time
// while it serves, and takes down what they refuse by now.
//
// Taken down here: a file of this hub's own repositories is given away no more (check_served, by
// the verdict that is kept); content of mirrored ones is forgotten, and comes again only past the
// gate. What clients have already is called back by a person (pending_takedowns.hpp). The log says
// what.
// Threads: `start` and `stop` by one thread; the work has a thread of its own.
#pragma once

#include "rescan.hpp"

#include <locara/base/log.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <thread>

namespace locara::hub {

class RescanWatch {
  public:
    struct Options {
        /// Who judges (gate::Gate::scanners), and the judge (gate::Gate::examine). Must be set.
        std::function<Result<std::string>()> scanners;
        std::function<formats::Examination(const formats::ByteSource& content,
                                           std::string_view name)>
            judge;
        std::uint64_t step_bytes = 64U << 20U; ///< As RescanOptions::budget_bytes.
        std::chrono::milliseconds pause = std::chrono::seconds(1); ///< Between steps.
        std::chrono::milliseconds every =
            std::chrono::seconds(10); ///< Between looks at the scanners, which are cheap.
        /// If set, called whenever everything was judged and something is refused.
        std::function<Status()> after;
    };

    /// Borrows the sources and the log. `names` are those of the sources.
    RescanWatch(const RescanSources& sources, Names& names, Log& log, Options options)
        : sources_(sources), names_(names), log_(log), options_(std::move(options)) {}

    ~RescanWatch() { stop(); }

    RescanWatch(const RescanWatch&) = delete;
    RescanWatch& operator=(const RescanWatch&) = delete;

    enum class Step { Idle, More };

    /// One step, if the scanners are not those that everything was judged by last. More: there is
    /// more to do. Unavailable if the scanners do not answer; errors of rescan.
    Result<Step> step();

    void start(); ///< The first step comes after `every`.
    void stop();  ///< Idempotent.

  private:
    void work();
    Status take_down(const RescanReport::Refused& file);

    const RescanSources sources_;
    Names& names_;
    Log& log_;
    const Options options_;
    std::string done_;                ///< The scanners that have judged everything.
    std::string current_;             ///< Those that are at it.
    std::optional<RescanPlace> from_; ///< Where they go on.
    bool refused_ = false;            ///< Whether they refuse anything.
    std::stop_source stop_;
    std::thread thread_;
};

} // namespace locara::hub
