// PlainClient: the catalog client that the TUF specification describes, no more and no less, for
// repositories of any maker. The program `locara-tuf` is made of it.
//
// Unlike Client it keeps one file per role, under names without versions, loads a delegated role
// only when a search leads there, and knows of no takedown list. The checks are the same code. What
// the local folder holds was verified when it was written, and is verified again when it is read.
//
// Errors as those of Client.
//
// Threads: a PlainClient belongs to one thread at a time; processes that share a folder take turns
// by a lock in it (Busy).
#pragma once

#include <locara/base/clock.hpp>
#include <locara/base/result.hpp>
#include <locara/catalog/client.hpp>
#include <locara/catalog/fetcher.hpp>

#include <filesystem>
#include <memory>
#include <string_view>

namespace locara::catalog {

class PlainClient {
  public:
    /// Makes `root_bytes` what `metadata_dir` trusts (`root.json`); the folder is made if it is not
    /// there. Errors as inspect_root; Conflict if another root is there already. Durable on return.
    static Status trust(const std::filesystem::path& metadata_dir, std::string_view root_bytes);

    /// Opens the folder. Refused without a trusted root in it, Corrupt if that does not verify.
    /// `fetcher` and `clock` must outlive the client.
    static Result<PlainClient>
    open(std::filesystem::path metadata_dir, Fetcher& fetcher, const Clock& clock);

    PlainClient(PlainClient&&) noexcept;
    PlainClient& operator=(PlainClient&&) noexcept;
    ~PlainClient();

    /// Root chain, timestamp, snapshot and top-level targets, each stored as soon as it verified.
    /// Delegated roles that were in use are no longer; find() loads them again.
    Status refresh();

    /// Searches a target as section 5.6.7 says, and fetches the delegated roles on the way. Refused
    /// before a refresh() that succeeded; NotFound if no role lists it.
    Result<Target> find(std::string_view name);

    /// Brings a target that find() returned into the file `dest`: not at all if the file has the
    /// right bytes already, else whole, verified, durable, or `dest` stays as it was.
    Status download(const Target& target, const std::filesystem::path& dest);

  private:
    struct State;
    explicit PlainClient(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace locara::catalog
