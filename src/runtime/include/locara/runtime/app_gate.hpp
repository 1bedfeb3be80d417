// AppGate: the gate's question about the files of an app, when it is installed and before it
// starts. A curator let in what the gate flags; what it refuses is not let in here either, and it,
// or an antivirus of this machine, may know more than the hub did.
//
// Beside the unpacked bundle `scanners` says who let all of it pass: while the scanners stay what
// they are, another start asks nobody.
// Threads: all functions may be called from any thread. They block.
#pragma once

#include <locara/manifest/bundle.hpp>
#include <locara/runtime/load_gate.hpp>

#include <filesystem>

namespace locara::runtime {

class AppGate {
  public:
    using Gate = LoadGate::Gate;

    /// Without a gate of its own it asks the shared one.
    AppGate();

    explicit AppGate(Gate gate) : gate_(std::move(gate)) {}

    /// Whether every file of the list may be used. `folder` is that of one version, with the files
    /// in `bundle/`. Refused, with file, reason and rule, if not. A record that cannot be read or
    /// kept costs another question and is no error. While an antivirus is down, what passed before
    /// goes on to.
    Status check(const std::filesystem::path& folder, const manifest::BundleFileList& list) const;

  private:
    Gate gate_;
};

} // namespace locara::runtime
