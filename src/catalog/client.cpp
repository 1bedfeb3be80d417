#include "paths.hpp"
#include "update.hpp"

#include <locara/base/file.hpp>
#include <locara/base/percent.hpp>
#include <locara/catalog/client.hpp>

#include <algorithm>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace locara::catalog {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kStateSchema = "locara.dev/catalog-state/v1";
constexpr std::string_view kTakedownTarget = "takedown/list.json";
constexpr std::uint64_t kStateLimitBytes = 64U << 10U;        // complete.json: a line per role
constexpr std::uint64_t kTakedownLimitBytes = 64U << 20U;     // all entries ever
constexpr std::uint64_t kMemoryTargetLimitBytes = 16U << 20U; // get_target

RootInfo info_of(const Root& root, std::string_view bytes) {
    const RoleKeys& keys = root.roles.find("root")->second;
    RootInfo info;
    info.fingerprint = crypto::sha256(as_bytes(bytes));
    info.version = root.version;
    info.expires = root.expires;
    info.keys = static_cast<unsigned>(keys.identities().size());
    info.threshold = static_cast<unsigned>(keys.threshold);
    return info;
}

/// The last complete catalog.
struct View {
    TimePoint checked;
    std::map<std::string, std::string> digests; ///< Role to SHA-256 of its bytes.
    std::vector<RoleInfo> roles;
    std::map<std::string, Target, std::less<>> targets;
    std::map<std::string, std::vector<crypto::PublicKey>, std::less<>> keys; ///< By delegated role.
    bool consistent_snapshot = true;
};

} // namespace

// ------------------------------------------------------------------------------------ the state

struct Client::State {
    State(fs::path folder, Fetcher& source, const Clock& time)
        : dir(std::move(folder)), fetcher(&source), clock(&time) {}

    fs::path dir;
    Fetcher* fetcher;
    const Clock* clock;
    std::optional<crypto::Sha256Digest> pinned; ///< Has a value if and only if `root` has.
    std::optional<Root> root;                   ///< The newest one.
    std::string root_bytes;
    std::optional<View> view;
    std::string
        view_text; ///< complete.json as `view` shows it: what did not change is not read again.
    std::optional<TakedownList> takedown; ///< Nothing before the first one.

    fs::path metadata_file(std::string_view role) const {
        return dir / "metadata" / (percent_encode(role) + ".json");
    }

    /// A root that followed the pinned one.
    fs::path root_file(std::uint64_t version) const {
        return dir / "roots" / (std::to_string(version) + ".json");
    }

    fs::path object_file(const std::string& digest) const {
        return dir / "objects" / (digest + ".json");
    }

    fs::path target_file(const Target& target) const {
        return dir / "targets" / name_digest(target);
    }

    Status load();
    Status load_trust();
    Status load_takedown();
    Result<View> load_view(std::string_view text) const;
    Result<std::map<std::string, std::string>> load_objects(const View& view) const;

    Status require_root() const {
        if (!root) {
            return Error(ErrorCode::Refused,
                         "no root is trusted for this hub yet; add the hub first and compare its "
                         "fingerprint with what its operator published");
        }
        return {};
    }

    Result<const Target*> get(std::string_view name) const {
        if (view) {
            const auto target = view->targets.find(name);
            if (target != view->targets.end()) {
                return &target->second;
            }
        }
        return Error(ErrorCode::NotFound,
                     "the catalog has no '" + std::string(name) + "'" +
                         (view ? "" : ": it was never fetched; refresh it first"));
    }

    /// The verified bytes of a target, from this machine or else from the hub, and keeps them.
    Result<std::string> obtain(const Target& target, bool consistent_snapshot) const;

    /// The roots from the pinned one to `last`, each verified by the one before it.
    Result<std::map<std::uint64_t, std::string>> root_chain(std::uint64_t last) const;

    /// Puts a target's bytes at its place below `folder`.
    Status copy_target(const Target& target, const fs::path& file, const fs::path& folder) const;

    /// Takes up the takedown list that `target` is; says whether what is in force changed.
    Result<bool> update_takedown(const Target& target, bool consistent_snapshot);
};

Result<std::string> Client::State::obtain(const Target& target, bool consistent_snapshot) const {
    LOCARA_TRY(const std::string address, address_of_target(target, consistent_snapshot));
    const fs::path path = target_file(target);
    if (auto kept = read_file(path, target.length); kept && verify_target(target, *kept)) {
        return kept;
    }
    auto bytes = fetcher->fetch(address, target.length);
    if (!bytes) {
        return fetch_failed(std::move(bytes).error(), address, target.length);
    }
    LOCARA_CHECK(verify_target(target, *bytes));
    LOCARA_CHECK(write_file_atomically(path, as_bytes(*bytes)));
    return bytes;
}

Result<bool> Client::State::update_takedown(const Target& target, bool consistent_snapshot) {
    if (takedown && view) {
        const auto was = view->targets.find(kTakedownTarget);
        if (was != view->targets.end() && was->second == target) {
            return false;
        }
    }
    LOCARA_TRY(const std::string bytes, obtain(target, consistent_snapshot));
    auto list = TakedownList::parse(bytes);
    if (!list) {
        return Error(ErrorCode::Corrupt, list.error().message());
    }
    TakedownList merged = takedown.value_or(TakedownList());
    merged.add(*list);
    if (takedown == merged) {
        return false;
    }
    const bool changed = takedown.has_value() || !merged.entries().empty();
    LOCARA_CHECK(write_file_atomically(dir / "takedown.json", as_bytes(merged.render())));
    takedown = std::move(merged);
    return changed;
}

Status Client::State::load_trust() {
    LOCARA_TRY(const auto pinned_bytes, find_file(dir / "pinned.json", kRootLimitBytes));
    if (!pinned_bytes) {
        return {};
    }
    LOCARA_TRY(auto newest_bytes, read_file(metadata_file("root"), kRootLimitBytes));
    if (!root || newest_bytes != root_bytes) {
        LOCARA_TRY(root, check_first_root(newest_bytes));
        root_bytes = std::move(newest_bytes);
    }
    pinned = crypto::sha256(as_bytes(*pinned_bytes));
    return {};
}

Result<std::map<std::string, std::string>> Client::State::load_objects(const View& stored) const {
    std::map<std::string, std::string> out;
    for (const auto& [role, digest] : stored.digests) {
        LOCARA_TRY(auto bytes, read_file(object_file(digest), limit_of(role)));
        const std::string found = crypto::sha256(as_bytes(bytes)).render();
        if (found != digest) {
            return Error(ErrorCode::Corrupt,
                         object_file(digest).string() + " has the SHA-256 " + found +
                             ", not the one it is named by");
        }
        out.emplace(role, std::move(bytes));
    }
    for (const auto* role : {"root", "timestamp", "snapshot", "targets"}) {
        if (out.count(role) == 0) {
            return Error(ErrorCode::Corrupt, "complete.json names no " + std::string(role));
        }
    }
    return out;
}

namespace {

Result<View> parse_state(std::string_view text) {
    const Error malformed(ErrorCode::Corrupt, "complete.json is malformed");
    const auto json = parse_json(text, JsonLimits{kStateLimitBytes});
    if (!json || !json->is_object() || json->value("schema", Json()) != kStateSchema) {
        return malformed;
    }
    View view;
    const auto checked = json->find("checked");
    const auto roles = json->find("roles");
    if (checked == json->end() || !checked->is_string() || roles == json->end() ||
        !roles->is_object()) {
        return malformed;
    }
    LOCARA_TRY(view.checked, parse_time(checked->get<std::string>()));
    for (const auto& [role, digest] : roles->items()) {
        if (!digest.is_string()) {
            return malformed;
        }
        LOCARA_TRY(const auto parsed, crypto::Sha256Digest::parse(digest.get<std::string>()));
        view.digests.emplace(role, parsed.render());
    }
    return view;
}

std::string render_state(const View& view) {
    Json roles = Json::object();
    for (const auto& [role, digest] : view.digests) {
        roles[role] = digest;
    }
    return render_json({{"schema", kStateSchema},
                        {"checked", render_time(view.checked)},
                        {"roles", std::move(roles)}});
}

/// Fills what a view shows from metadata that was verified.
Status fill(View& view,
            const Root& root,
            const Timestamp& timestamp,
            const Snapshot& snapshot,
            Delegations& delegations) {
    view.consistent_snapshot = root.consistent_snapshot;
    view.roles = {{"root", root.version, root.expires, std::nullopt},
                  {"timestamp", timestamp.version, timestamp.expires, timestamp.signed_at},
                  {"snapshot", snapshot.version, snapshot.expires, snapshot.signed_at}};
    for (const auto& [role, loaded] : delegations.loaded()) {
        view.roles.push_back(
            {role, loaded.content.version, loaded.content.expires, loaded.content.signed_at});
        for (const auto& delegation : loaded.content.delegations) {
            auto& keys = view.keys[delegation.name];
            for (const auto& [_, key] : delegation.keys.by_id) {
                keys.push_back(key);
            }
        }
    }
    LOCARA_TRY(view.targets, delegations.all());
    return {};
}

} // namespace

Result<View> Client::State::load_view(std::string_view text) const {
    LOCARA_TRY(View stored, parse_state(text));
    LOCARA_TRY(const auto bytes, load_objects(stored));
    LOCARA_TRY(const Root own_root, check_first_root(bytes.at("root")));
    LOCARA_TRY(const Timestamp timestamp, check_timestamp(bytes.at("timestamp"), own_root));
    LOCARA_TRY(const Snapshot snapshot,
               check_snapshot(bytes.at("snapshot"), own_root, &timestamp.snapshot));
    Delegations delegations(
        own_root,
        snapshot,
        [&bytes](const std::string& role,
                 const MetaFile& meta,
                 const RoleKeys& keys,
                 std::string_view parent) -> Result<Delegations::Loaded> {
            const auto found = bytes.find(role);
            if (found == bytes.end()) {
                return Error(ErrorCode::Corrupt, "complete.json names no '" + role + "'");
            }
            LOCARA_TRY(auto content, check_targets(found->second, role, meta, keys, parent));
            return Delegations::Loaded{found->second, std::move(content)};
        });
    LOCARA_CHECK(delegations.load_all());
    LOCARA_CHECK(fill(stored, own_root, timestamp, snapshot, delegations));
    return stored;
}

/// Refreshes that may come between one look and the next.
constexpr int kReadTries = 4;

Status Client::State::load() {
    // What a crash or a disk did is said with a way out; it is never mended in silence.
    if (auto trusted = load_trust(); !trusted) {
        return Error(ErrorCode::Corrupt,
                     "the trusted root stored in " + dir.string() + " does not verify (" +
                         trusted.error().describe() +
                         "); remove that folder and add the hub again");
    }
    const auto find_complete = [this] {
        return find_file(dir / "complete.json", kStateLimitBytes);
    };
    LOCARA_TRY(auto complete, find_complete());
    if (complete && root && *complete != view_text) {
        auto loaded = load_view(*complete);
        // Another process's refresh may have put the next one there and pruned what this one names.
        for (int tries = 0; !loaded && tries < kReadTries; ++tries) {
            LOCARA_TRY(auto now, find_complete());
            if (!now || *now == *complete) {
                break;
            }
            complete = std::move(now);
            loaded = load_view(*complete);
        }
        if (!loaded) {
            return Error(ErrorCode::Corrupt,
                         "the catalog stored in " + dir.string() + " does not verify (" +
                             loaded.error().describe() + "); remove " +
                             (dir / "complete.json").string() + " and refresh the catalog");
        }
        view = *std::move(loaded);
        view_text = *complete;
    }
    return load_takedown();
}

/// What was taken down stays so, also if the file of all entries was deleted or damaged: the last
/// list as it was signed lies among the targets.
Status Client::State::load_takedown() {
    std::optional<TakedownList> signed_list;
    if (view) {
        const auto target = view->targets.find(kTakedownTarget);
        if (target != view->targets.end()) {
            const auto bytes = read_file(target_file(target->second), target->second.length);
            if (bytes && verify_target(target->second, *bytes)) {
                if (auto list = TakedownList::parse(*bytes)) {
                    signed_list = *std::move(list);
                }
            }
        }
    }
    const fs::path path = dir / "takedown.json";
    LOCARA_TRY(const auto stored, find_file(path, kTakedownLimitBytes));
    if (stored) {
        auto list = TakedownList::parse(*stored);
        if (!list && !signed_list) {
            return Error(ErrorCode::Corrupt,
                         path.string() + " is damaged (" + list.error().message() +
                             "); remove it and refresh the catalog");
        }
        if (list) {
            takedown = signed_list.value_or(TakedownList());
            takedown->add(*list); // never older than the one among the targets
            return {};
        }
    }
    if (signed_list) {
        takedown = std::move(signed_list);
        return {};
    }
    if (view && view->targets.count(kTakedownTarget) != 0 && !takedown) {
        return Error(ErrorCode::Corrupt,
                     "the takedown list stored in " + dir.string() + " is gone; remove " +
                         (dir / "complete.json").string() + " and refresh the catalog");
    }
    return {};
}

// ------------------------------------------------------------------------------------ the update

namespace {

Changes compare(const std::optional<View>& before, const View& after) {
    static const View kNothing;
    const View& old = before ? *before : kNothing;
    Changes changes;
    const auto version_in = [](const View& view, const std::string& role) -> std::uint64_t {
        for (const auto& info : view.roles) {
            if (info.name == role) {
                return info.version;
            }
        }
        return 0;
    };
    for (const auto& role : after.roles) {
        if (const auto from = version_in(old, role.name); from != role.version) {
            changes.roles.push_back({role.name, from, role.version});
        }
    }
    for (const auto& role : old.roles) {
        if (version_in(after, role.name) == 0) {
            changes.roles.push_back({role.name, role.version, 0});
        }
    }
    for (const auto& [name, target] : after.targets) {
        const auto was = old.targets.find(name);
        if (was == old.targets.end()) {
            changes.added.push_back(name);
        } else if (!(was->second == target)) {
            changes.changed.push_back(name);
        }
    }
    for (const auto& [name, target] : old.targets) {
        if (after.targets.count(name) == 0) {
            changes.removed.push_back(name);
        }
    }
    return changes;
}

/// Removes the files of `folder` whose names are not in `wanted`. What cannot be removed stays: it
/// costs space and nothing else.
void prune(const fs::path& folder, const std::set<std::string>& wanted) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        if (wanted.count(entry.path().filename().string()) == 0) {
            fs::remove(entry.path(), ignored);
        }
    }
}

} // namespace

Result<RootInfo> inspect_root(std::string_view root_bytes) {
    if (root_bytes.size() > kRootLimitBytes) {
        return Error(ErrorCode::TooLarge,
                     "the root has " + std::to_string(root_bytes.size()) + " bytes; at most " +
                         std::to_string(kRootLimitBytes) + " are read");
    }
    const auto envelope = parse_envelope(root_bytes, "root", "root", kRootLimitBytes);
    if (!envelope) {
        return Error(ErrorCode::InvalidArgument, envelope.error().message());
    }
    const auto root = parse_root(*envelope);
    if (!root) {
        return Error(ErrorCode::InvalidArgument, root.error().message());
    }
    LOCARA_CHECK(check_first_root(root_bytes));
    return info_of(*root, root_bytes);
}

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}

Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::open(fs::path state_dir, Fetcher& fetcher, const Clock& clock) {
    auto state = std::make_unique<State>(std::move(state_dir), fetcher, clock);
    LOCARA_CHECK(state->load());
    return Client(std::move(state));
}

bool Client::has_root() const {
    return state_->root.has_value();
}

Result<RootInfo> Client::root() const {
    LOCARA_CHECK(state_->require_root());
    return info_of(*state_->root, state_->root_bytes);
}

Result<crypto::Sha256Digest> Client::pinned() const {
    LOCARA_CHECK(state_->require_root());
    return *state_->pinned;
}

Result<std::string> Client::fetch_first_root(std::uint64_t version) {
    const std::string name = "metadata/" + metadata_file_name("root", version, true);
    auto bytes = state_->fetcher->fetch(name, kRootLimitBytes);
    if (!bytes) {
        return fetch_failed(std::move(bytes).error(), name, kRootLimitBytes);
    }
    return bytes;
}

Result<RootInfo> Client::trust(std::string_view root_bytes) {
    State& state = *state_;
    LOCARA_TRY(const RootInfo info, inspect_root(root_bytes));
    LOCARA_CHECK(create_folders(state.dir, 0700));
    LOCARA_TRY(const auto lock, FileLock::try_acquire(state.dir / "lock"));
    LOCARA_CHECK(state.load()); // another process may have pinned one meanwhile
    if (state.pinned) {
        if (*state.pinned != info.fingerprint) {
            return Error(ErrorCode::Conflict,
                         "another root is trusted for this hub already: fingerprint " +
                             state.pinned->render() + ", not " + info.fingerprint.render() +
                             "; remove the hub first if its operator really started anew");
        }
        return info;
    }
    for (const auto* folder : {"metadata", "objects", "targets"}) {
        LOCARA_CHECK(create_folders(state.dir / folder, 0700));
    }
    LOCARA_CHECK(write_file_atomically(state.metadata_file("root"), as_bytes(root_bytes)));
    // Last, since it is what makes the root trusted.
    LOCARA_CHECK(write_file_atomically(state.dir / "pinned.json", as_bytes(root_bytes)));
    LOCARA_CHECK(state.load());
    return info;
}

Result<Changes> Client::refresh(Expiry rule) {
    State& state = *state_;
    LOCARA_CHECK(state.require_root());
    LOCARA_TRY(const auto lock, FileLock::try_acquire(state.dir / "lock"));
    LOCARA_CHECK(state.load()); // what another process did meanwhile
    const TimePoint now = state.clock->now();

    Update update([&state](std::string_view role) { return state.metadata_file(role); },
                  *state.fetcher,
                  now,
                  rule,
                  [&state](std::uint64_t version, std::string_view bytes) -> Status {
                      LOCARA_CHECK(create_folders(state.dir / "roots", 0700));
                      return write_file_atomically(state.root_file(version), as_bytes(bytes));
                  });
    LOCARA_CHECK(update.update_root(*state.root, state.root_bytes));
    const Root& root = *state.root;
    LOCARA_TRY(const Timestamp timestamp, update.update_timestamp(root));
    LOCARA_TRY(const Snapshot snapshot, update.update_snapshot(root, timestamp));
    Delegations delegations(root,
                            snapshot,
                            [&](const std::string& role,
                                const MetaFile& meta,
                                const RoleKeys& keys,
                                std::string_view parent) {
                                return update.update_targets(root, role, meta, keys, parent);
                            });
    // The takedown list before the rest: a catalog that is broken elsewhere must not hold it up.
    bool takedown_changed = false;
    LOCARA_TRY(const auto list, delegations.find(kTakedownTarget));
    if (list) {
        LOCARA_TRY(takedown_changed, state.update_takedown(*list, root.consistent_snapshot));
    }
    LOCARA_CHECK(delegations.load_all());
    View fresh;
    // Files say nothing of later than when they were signed.
    fresh.checked = rule == Expiry::Strict
                        ? now
                        : std::min(now, timestamp.signed_at.value_or(timestamp.expires));
    LOCARA_CHECK(fill(fresh, root, timestamp, snapshot, delegations));
    update.bytes()["root"] = state.root_bytes;
    for (const auto& [role, bytes] : update.bytes()) {
        fresh.digests[role] = crypto::sha256(as_bytes(bytes)).render();
    }
    Changes changes = compare(state.view, fresh);
    changes.takedown = takedown_changed;

    std::set<std::string> objects;
    for (const auto& [role, bytes] : update.bytes()) {
        const fs::path path = state.object_file(fresh.digests.at(role));
        objects.insert(path.filename().string());
        if (::access(path.c_str(), F_OK) != 0) {
            LOCARA_CHECK(write_file_atomically(path, as_bytes(bytes)));
        }
    }
    std::string text = render_state(fresh);
    LOCARA_CHECK(write_file_atomically(state.dir / "complete.json", as_bytes(text)));
    state.view = std::move(fresh);
    state.view_text = std::move(text);

    std::set<std::string> targets;
    for (const auto& [name, target] : state.view->targets) {
        targets.insert(name_digest(target));
    }
    prune(state.dir / "objects", objects);
    prune(state.dir / "targets", targets);
    return changes;
}

std::vector<crypto::PublicKey> Client::keys_of(std::string_view role) const {
    if (!state_->view) {
        return {};
    }
    const auto keys = state_->view->keys.find(role);
    return keys == state_->view->keys.end() ? std::vector<crypto::PublicKey>() : keys->second;
}

std::optional<TimePoint> Client::last_checked() const {
    if (!state_->view) {
        return std::nullopt;
    }
    return state_->view->checked;
}

std::vector<RoleInfo> Client::roles() const {
    return state_->view ? state_->view->roles : std::vector<RoleInfo>();
}

Status Client::check_fresh(Expiry rule) const {
    if (!state_->view) {
        return Error(ErrorCode::NotFound, "the catalog was never fetched; refresh it first");
    }
    const TimePoint now = state_->clock->now();
    for (const auto& role : state_->view->roles) {
        LOCARA_CHECK(
            verify_unexpired(role.name, role.expires, now, rule)
                .context("the catalog was last checked on " + render_time(state_->view->checked)));
    }
    return {};
}

std::vector<Target> Client::targets(std::string_view pattern) const {
    std::vector<Target> out;
    if (state_->view) {
        for (const auto& [name, target] : state_->view->targets) {
            if (matches_pattern(pattern, name)) {
                out.push_back(target);
            }
        }
    }
    return out;
}

std::optional<Target> Client::find_target(std::string_view name) const {
    const auto target = state_->get(name);
    return target ? std::optional<Target>(**target) : std::nullopt;
}

Result<std::string> Client::get_target(std::string_view name) {
    LOCARA_TRY(const Target* target, state_->get(name));
    if (target->length > kMemoryTargetLimitBytes) {
        return Error(ErrorCode::TooLarge,
                     "'" + target->name + "' has " + render_size(target->length) + "; at most " +
                         render_size(kMemoryTargetLimitBytes) + " are read into memory");
    }
    return state_->obtain(*target, state_->view->consistent_snapshot);
}

Status Client::get_target_file(std::string_view name, const fs::path& dest) {
    LOCARA_TRY(const Target* target, state_->get(name));
    return fetch_target_file(*state_->fetcher, *target, state_->view->consistent_snapshot, dest);
}

namespace {

/// One file as a repository, so that its bytes go through the checks of one.
class OneFile : public Fetcher {
  public:
    explicit OneFile(fs::path file) : file_(std::move(file)) {}

    Result<std::string> fetch(std::string_view /*path*/, std::uint64_t limit_bytes) override {
        return read_file(file_, limit_bytes);
    }

    Status stream(std::string_view /*path*/,
                  std::uint64_t limit_bytes,
                  const std::function<Status(ByteView)>& sink) override {
        return stream_file(file_, limit_bytes, sink);
    }

  private:
    fs::path file_;
};

} // namespace

Result<std::map<std::uint64_t, std::string>> Client::State::root_chain(std::uint64_t last) const {
    std::map<std::uint64_t, std::string> chain;
    LOCARA_TRY(std::string bytes, read_file(dir / "pinned.json", kRootLimitBytes));
    LOCARA_TRY(Root root_now, check_first_root(bytes));
    chain.emplace(root_now.version, std::move(bytes));
    while (root_now.version < last) {
        const std::uint64_t version = root_now.version + 1;
        // A state folder of before they were kept: the hub has them for ever.
        auto next = read_file(root_file(version), kRootLimitBytes);
        if (!next) {
            const std::string name = "metadata/" + metadata_file_name("root", version, true);
            next = fetcher->fetch(name, kRootLimitBytes);
            if (!next) {
                return fetch_failed(std::move(next).error(), name, kRootLimitBytes);
            }
        }
        LOCARA_TRY(root_now, check_next_root(*next, root_now));
        chain.emplace(version, *std::move(next));
    }
    return chain;
}

Status Client::State::copy_target(const Target& target,
                                  const fs::path& file,
                                  const fs::path& folder) const {
    LOCARA_TRY(const std::string address, address_of_target(target, view->consistent_snapshot));
    const fs::path dest = folder / address;
    if (holds_target(dest, target)) {
        return {};
    }
    LOCARA_CHECK(create_folders(dest.parent_path()));
    for (const auto& here : {file, target_file(target)}) {
        if (!here.empty() && holds_target(here, target)) {
            OneFile source(here);
            return fetch_target_file(source, target, view->consistent_snapshot, dest);
        }
    }
    return fetch_target_file(*fetcher, target, view->consistent_snapshot, dest);
}

Result<std::uint64_t> Client::copy_to(const fs::path& folder,
                                      const std::vector<CopiedTarget>& targets) {
    State& state = *state_;
    LOCARA_CHECK(state.require_root());
    if (!state.view) {
        return Error(ErrorCode::NotFound, "the catalog was never fetched; refresh it first");
    }
    const View& view = *state.view;
    LOCARA_TRY(const auto objects, state.load_objects(view));
    LOCARA_CHECK(create_folders(folder / "metadata"));
    LOCARA_TRY(const Root last, check_first_root(objects.at("root")));
    LOCARA_TRY(const auto chain, state.root_chain(last.version));
    for (const auto& [version, bytes] : chain) {
        LOCARA_CHECK(write_file_atomically(
            folder / "metadata" / metadata_file_name("root", version, true), as_bytes(bytes)));
    }
    if (const auto list = view.targets.find(kTakedownTarget); list != view.targets.end()) {
        LOCARA_CHECK(state.copy_target(list->second, {}, folder));
    }
    for (const auto& wanted : targets) {
        LOCARA_TRY(const Target* target, state.get(wanted.name));
        LOCARA_CHECK(state.copy_target(*target, wanted.file, folder));
    }
    for (const auto& role : view.roles) {
        if (role.name == "root") {
            continue;
        }
        const bool versioned = view.consistent_snapshot && role.name != "timestamp";
        LOCARA_CHECK(write_file_atomically(
            folder / "metadata" / metadata_file_name(role.name, role.version, versioned),
            as_bytes(objects.at(role.name))));
    }
    return chain.begin()->first;
}

const TakedownList& Client::takedown() const {
    static const TakedownList kNone;
    return state_->takedown ? *state_->takedown : kNone;
}

} // namespace locara::catalog
