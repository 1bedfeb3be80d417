// Hub: a data folder made into a running server: the signed catalog, model repositories by the
// Hugging Face Hub's protocol, and a page to look at.
//
// Data folder: `keys/` (private keys, 0700), `catalog/` (the TUF repository as served), `names.db`
// (accounts, tokens, repositories), `repos/` (bare git repositories), `cas/` (the chunk store with
// the content of large files), `mirror/` (of a hub that mirrors another one), `xet.key` (signs Xet
// tokens and URLs), `root.json` (what clients pin), `ready` (there while serving). One process has
// a data folder; others may join it (ADR 11). Routes and operation: docs/hub.md. Threads: a Hub
// belongs to one thread; its server and its pool have their own.
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/log.hpp>
#include <locara/base/result.hpp>
#include <locara/hub/config.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace locara::hub {

/// What taking a seed in did.
struct SeedReport {
    bool changed = false; ///< False: this very seed was taken in before.
    std::size_t models = 0;
    std::size_t apps = 0;
};

class Hub {
  public:
    /// What of a folder's work is done here.
    enum class Part {
        Owner,  ///< All of it. A folder has one at a time.
        Joined, ///< Answering requests: no signing, no seed, no fetching, no clearing up.
    };

    /// Opens a data folder; makes folder, keys and an empty signed catalog if there are none,
    /// unless it joins. `clock` and `log` are borrowed and must outlive the hub. Errors: Busy
    /// (another process owns it), NotFound (there is nothing to join), Corrupt (the catalog does
    /// not verify), Forbidden, NoSpace, Io.
    static Result<std::unique_ptr<Hub>>
    open(const std::filesystem::path& data, const Clock& clock, Log& log, Part part = Part::Owner);

    ~Hub(); ///< stop()
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;

    /// Checks a seed as a whole and publishes what is new in it; see seed.hpp for the checks and
    /// their errors, and Conflict for other files under a version that was published before.
    /// Nothing is published when anything is wrong. What an earlier seed brought and this one lacks
    /// stays. A model without a signature gets the hub's own, if its key is here. Call it before
    /// serve, as the owner.
    Result<SeedReport> take_seed(const std::filesystem::path& seed);

    /// What the operator wants beyond the defaults, and how often it is looked whether signatures
    /// are due. Call it before serve. A hub that joined serves what is mirrored, and fetches
    /// nothing.
    void configure(HubConfig config,
                   std::chrono::milliseconds sign_every = std::chrono::minutes(1));

    /// Starts to serve; as the owner also to sign the catalog anew before it lapses, and writes
    /// `ready`, which holds the address. Errors as http::Server::start. Port 0 takes a free one.
    Status serve(const std::string& address, std::uint16_t port);

    /// The port in use; 0 before serve.
    std::uint16_t port() const;

    /// SHA-256 of the root that clients pin, in hex.
    std::string fingerprint() const;

    /// Stops to serve and removes `ready`. Idempotent.
    void stop();

  private:
    struct State;
    explicit Hub(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// The version of this program, "0.1.0".
std::string_view version();

} // namespace locara::hub
