// The broker's view of what the installer put on disk, and of what was taken down since.
//
// Threads: may be used from any thread.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/runtime/app_registry.hpp>
#include <locara/runtime/home.hpp>
#include <locara/store/store.hpp>

#include <memory>

namespace locara::runtime {

class Registry : public AppRegistry {
  public:
    /// `store` and `clock` are borrowed.
    Registry(Home home, store::Store& store, const Clock& clock);
    ~Registry() override;

    Result<InstalledApp> get(std::string_view label) override;

    /// Reads the catalogs' copies again when they changed on disk. A copy that does not verify
    /// blocks nothing that was not blocked before: the last list that did verify counts.
    std::optional<std::string> blocked(const InstalledApp& app) override;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace locara::runtime
