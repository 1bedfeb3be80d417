// What the hubs of a home have called back: of each thing, the strictest that any of them says.
// What a hub says is superseded by what the same hub says later, and by no other; a hub that was
// removed is remembered with what it said last.
//
// Threads: not safe. Processes: another may refresh or remove a hub meanwhile; see refresh().
#pragma once

#include <locara/base/clock.hpp>
#include <locara/catalog/takedown.hpp>
#include <locara/runtime/home.hpp>

#include <map>
#include <optional>
#include <span>
#include <string>

namespace locara::runtime {

class Takedowns {
  public:
    /// Knows nothing before the first refresh(). `clock` is borrowed.
    Takedowns(Home home, const Clock& clock) : home_(std::move(home)), clock_(&clock) {}

    /// Takes up what the local copies of the catalogs say, if any file of them has changed. The
    /// error of a hub whose list cannot be read and never was: not knowing is no permission.
    Status refresh();

    /// The strictest of what any hub says of these names.
    std::optional<catalog::TakedownEntry> find(std::span<const catalog::TakedownName> names) const;

  private:
    std::string take_stamp() const;

    Home home_;
    const Clock* clock_;
    /// By the name of a hub's catalog folder: every entry it ever said.
    std::map<std::string, catalog::TakedownList> lists_;
    std::string stamp_; ///< Of the files when `lists_` was read.
};

/// Keeps what a hub has said, for after it is removed.
Status keep_takedowns(const Home& home, const Hub& hub, const catalog::TakedownList& list);

} // namespace locara::runtime
