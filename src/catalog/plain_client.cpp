#include "update.hpp"

#include <locara/base/file.hpp>
#include <locara/base/percent.hpp>
#include <locara/catalog/plain_client.hpp>

namespace locara::catalog {

namespace fs = std::filesystem;

namespace {

fs::path file_in(const fs::path& dir, std::string_view role) {
    return dir / (percent_encode(role) + ".json");
}

} // namespace

struct PlainClient::State {
    State(fs::path folder, Fetcher& source, const Clock& time)
        : dir(std::move(folder)), fetcher(source), clock(time) {}

    const fs::path dir;
    Fetcher& fetcher;
    const Clock& clock;
    Root root;
    std::string root_bytes;
    // Of the last refresh. `delegations` refers to those above it.
    std::optional<Update> update;
    Snapshot snapshot;
    std::optional<Delegations> delegations;
};

PlainClient::PlainClient(std::unique_ptr<State> state) : state_(std::move(state)) {}

PlainClient::PlainClient(PlainClient&&) noexcept = default;
PlainClient& PlainClient::operator=(PlainClient&&) noexcept = default;
PlainClient::~PlainClient() = default;

Status PlainClient::trust(const fs::path& metadata_dir, std::string_view root_bytes) {
    LOCARA_CHECK(inspect_root(root_bytes));
    LOCARA_CHECK(create_folders(metadata_dir));
    LOCARA_TRY(const auto lock, FileLock::try_acquire(metadata_dir / "lock"));
    const fs::path path = file_in(metadata_dir, "root");
    LOCARA_TRY(const auto before, find_file(path, kRootLimitBytes));
    if (before && *before != root_bytes) {
        return Error(ErrorCode::Conflict, path.string() + " holds another trusted root already");
    }
    return before ? Status() : write_file_atomically(path, as_bytes(root_bytes));
}

Result<PlainClient> PlainClient::open(fs::path metadata_dir, Fetcher& fetcher, const Clock& clock) {
    auto state = std::make_unique<State>(std::move(metadata_dir), fetcher, clock);
    LOCARA_TRY(auto bytes, find_file(file_in(state->dir, "root"), kRootLimitBytes));
    if (!bytes) {
        return Error(ErrorCode::Refused,
                     "no root is trusted in " + state->dir.string() + "; init it with one first");
    }
    LOCARA_TRY(state->root,
               check_first_root(*bytes).context("the root stored in " + state->dir.string()));
    state->root_bytes = *std::move(bytes);
    return PlainClient(std::move(state));
}

Status PlainClient::refresh() {
    State& state = *state_;
    LOCARA_TRY(const auto lock, FileLock::try_acquire(state.dir / "lock"));
    state.delegations.reset();
    state.update.emplace([&state](std::string_view role) { return file_in(state.dir, role); },
                         state.fetcher,
                         state.clock.now());
    LOCARA_CHECK(state.update->update_root(state.root, state.root_bytes));
    LOCARA_TRY(const Timestamp timestamp, state.update->update_timestamp(state.root));
    LOCARA_TRY(state.snapshot, state.update->update_snapshot(state.root, timestamp));
    Delegations delegations(state.root,
                            state.snapshot,
                            [&state](const std::string& role,
                                     const MetaFile& meta,
                                     const RoleKeys& keys,
                                     std::string_view parent) {
                                return state.update->update_targets(
                                    state.root, role, meta, keys, parent);
                            });
    LOCARA_CHECK(delegations.load_top());
    state.delegations.emplace(std::move(delegations));
    return {};
}

Result<Target> PlainClient::find(std::string_view name) {
    State& state = *state_;
    if (!state.delegations) {
        return Error(ErrorCode::Refused, "the metadata was not refreshed; nothing is searched");
    }
    LOCARA_TRY(const auto lock, FileLock::try_acquire(state.dir / "lock"));
    LOCARA_TRY(auto target, state.delegations->find(name));
    if (!target) {
        return Error(ErrorCode::NotFound, "no role lists '" + std::string(name) + "'");
    }
    return *std::move(target);
}

Status PlainClient::download(const Target& target, const fs::path& dest) {
    if (holds_target(dest, target)) {
        return {};
    }
    return fetch_target_file(state_->fetcher, target, state_->root.consistent_snapshot, dest);
}

} // namespace locara::catalog
