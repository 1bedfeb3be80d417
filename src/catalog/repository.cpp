#include "metadata.hpp"
#include "part_file.hpp"
#include "paths.hpp"

#include <locara/base/file.hpp>
#include <locara/catalog/draft_review.hpp>
#include <locara/catalog/repository.hpp>
#include <locara/crypto/canonical_json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace locara::catalog {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kTakedownTarget = "takedown/list.json";
constexpr std::string_view kSpecification = "1.0.34";
constexpr std::size_t kNameLimit = 1024;
constexpr std::uint64_t kTargetReadLimitBytes = 64U << 20U; // the takedown list
constexpr std::size_t kCopyBlockBytes = 256U << 10U;
constexpr unsigned kKeysLimit = 16;
constexpr std::size_t kTargetsPerRoleLimit = 16'000; // readers take 16,384 keys in a JSON object

/// The order in which signed files are written: what is referred to comes first. Root comes last;
/// until then readers go on with the old root, whose keys sign too while keys are replaced.
constexpr std::array<const char*, 7> kWriteOrder = {
    "takedown", "apps", "models", "targets", "snapshot", "timestamp", "root"};
constexpr std::array<const char*, 4> kTopLevel = {"root", "targets", "snapshot", "timestamp"};

struct DelegationRule {
    const char* role;
    const char* path;
    bool terminating;
};

constexpr std::array<DelegationRule, 3> kDelegations = {{{"takedown", "takedown/*", true},
                                                         {"apps", "apps/*/*", false},
                                                         {"models", "models/*/*/*", false}}};

/// What every catalog of ours has, whoever signs it: which roles there are, in which order and for
/// what, and that a signer is shown all that he signs, since no other member may be there.
Status check_shape(const Envelope& envelope, const std::string& role) {
    static constexpr std::array<std::string_view, 5> kCommon = {
        "_type", "spec_version", "version", "expires", "signed_at"};
    const auto is_known = [&role](const std::string& name) {
        if (std::find(kCommon.begin(), kCommon.end(), name) != kCommon.end()) {
            return true;
        }
        return role == "root" ? name == "consistent_snapshot" || name == "keys" || name == "roles"
                              : name == "targets" || (role == "targets" && name == "delegations");
    };
    const auto refuse = [&role](const std::string& what) {
        return Error(ErrorCode::Refused,
                     "the draft of " + role + " " + what +
                         ", as no catalog does: somebody changed it; look at who has the hub");
    };
    for (const auto& [name, value] : envelope.content.items()) {
        if (!is_known(name)) {
            return refuse("has a member '" + name.substr(0, 80) + "'");
        }
    }
    if (role == "root") {
        LOCARA_TRY(const Root root, parse_root(envelope));
        return root.consistent_snapshot ? Status()
                                        : Status(refuse("turns consistent_snapshot off"));
    }
    if (role != "targets") {
        return {};
    }
    LOCARA_TRY(const Targets targets, parse_targets(envelope, role));
    if (!targets.targets.empty()) {
        return refuse("lists files itself");
    }
    const bool same = std::equal(targets.delegations.begin(),
                                 targets.delegations.end(),
                                 kDelegations.begin(),
                                 kDelegations.end(),
                                 [](const Delegation& one, const DelegationRule& rule) {
                                     return one.name == rule.role &&
                                            one.terminating == rule.terminating &&
                                            one.paths == std::vector<std::string>{rule.path} &&
                                            one.path_hash_prefixes.empty();
                                 });
    return same ? Status()
                : Status(refuse("does not delegate to takedown, first and terminating, to apps and "
                                "to models, each for its own names"));
}

/// What an offline bundle shows of the roles that may have lapsed in it.
void say_when_signed(std::string_view role, Json& content, TimePoint now) {
    if (is_short_lived(role)) {
        content["signed_at"] = render_time(now);
    }
}

/// Of an online role: an earlier version, of a clock that ran ahead, is good for longer.
constexpr const char* kOutlastedUntil = "outlasted_until";

std::optional<TimePoint> outlasted_until(const Json& content) {
    const auto member = content.find(kOutlastedUntil);
    if (member == content.end() || !member->is_string()) {
        return std::nullopt;
    }
    const auto time = parse_time(member->get<std::string>());
    return time ? std::optional(*time) : std::nullopt;
}

bool is_top_level(std::string_view role) {
    return std::find(kTopLevel.begin(), kTopLevel.end(), role) != kTopLevel.end();
}

const RolePolicy* find_policy(const RepositoryOptions& options, std::string_view role) {
    const std::array<std::pair<std::string_view, const RolePolicy*>, 7> policies = {
        {{"root", &options.root},
         {"targets", &options.targets},
         {"takedown", &options.takedown},
         {"apps", &options.apps},
         {"models", &options.models},
         {"snapshot", &options.snapshot},
         {"timestamp", &options.timestamp}}};
    for (const auto& [name, policy] : policies) {
        if (name == role) {
            return policy;
        }
    }
    return nullptr;
}

Error invalid(std::string message) {
    return Error(ErrorCode::InvalidArgument, std::move(message));
}

Status check_options(const RepositoryOptions& options) {
    for (const auto* role : kWriteOrder) {
        const RolePolicy& policy = *find_policy(options, role);
        if (policy.keys < 1 || policy.keys > kKeysLimit || policy.threshold < 1 ||
            policy.threshold > policy.keys || policy.lifetime.count() < 1) {
            return invalid("the role " + std::string(role) + " cannot have " +
                           std::to_string(policy.keys) + " keys, a threshold of " +
                           std::to_string(policy.threshold) + " and a life of " +
                           std::to_string(policy.lifetime.count()) +
                           " hours: 1 to 16 keys, a threshold of 1 to as many, and at least an "
                           "hour are wanted");
        }
    }
    return {};
}

Status check_target_name(std::string_view name) {
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("._+-/").find(c) != std::string_view::npos;
    });
    if (!plain || name.size() > kNameLimit || !is_relative_path(name)) {
        return invalid("'" + std::string(name.substr(0, 80)) +
                       "' cannot be a target: a relative path of A-Z a-z 0-9 . _ + - and / without "
                       "empty, . or .. parts, at most 1024 bytes, is wanted");
    }
    return {};
}

struct LoadedKeys {
    std::map<std::string, crypto::SigningKey> open; ///< By key id.
    std::vector<std::string> closed;                ///< Files that need a passphrase.
};

/// Takes every private key of the folder whose file name starts with `prefix`, by the id of its
/// public key. Encrypted ones stay closed where there is no passphrase.
Result<LoadedKeys> load_keys(const fs::path& dir,
                             const std::optional<Secret>& passphrase,
                             const std::string& prefix = "") {
    LoadedKeys out;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(dir, error)) {
        if (entry.path().extension() == ".pem" &&
            entry.path().filename().string().starts_with(prefix)) {
            auto key = crypto::SigningKey::load(entry.path(), passphrase ? &*passphrase : nullptr);
            if (!key && key.error().code() == ErrorCode::Unauthorized && !passphrase) {
                out.closed.push_back(entry.path().filename().string());
                continue;
            }
            if (!key) {
                return std::move(key).error();
            }
            std::string id = key->public_key().id();
            out.open.emplace(std::move(id), *std::move(key));
        }
    }
    return out;
}

bool signs_unattended(std::string_view role) {
    return role == "snapshot" || role == "timestamp";
}

Json key_object(const crypto::PublicKey& key) {
    return {{"keytype", key.key_type()},
            {"keyval", {{"public", key.value()}}},
            {"scheme", key.scheme()}};
}

Json role_object(const std::vector<std::string>& ids, unsigned threshold) {
    return {{"keyids", ids}, {"threshold", threshold}};
}

/// A metadata file as it lies in the tree.
struct Published {
    Json content; ///< The `signed` member.
    std::uint64_t version = 0;
    std::uint64_t length = 0;
    std::string sha256;
    TimePoint expires;
};

/// The part of `authority` (a root's or targets' `signed`) that says who signs `role`; null if none
/// does.
const Json* find_role(const Json& authority, const std::string& role) {
    if (is_top_level(role)) {
        const auto roles = authority.find("roles");
        const auto entry = roles->find(role);
        return entry == roles->end() ? nullptr : &*entry;
    }
    for (const auto& entry : authority.at("delegations").at("roles")) {
        if (entry.at("name") == role) {
            return &entry;
        }
    }
    return nullptr;
}

Json* find_role(Json& authority, const std::string& role) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): the document itself is not const
    return const_cast<Json*>(find_role(std::as_const(authority), role));
}

/// A key object that was verified with the metadata it stands in.
Result<crypto::PublicKey> parse_key(const Json& object) {
    return crypto::PublicKey::parse(object.at("keytype").get<std::string>(),
                                    object.at("scheme").get<std::string>(),
                                    object.at("keyval").at("public").get<std::string>());
}

/// The keys that an authority's roles may name, and those roles.
Json& keys_in(Json& authority) {
    return authority.at("_type") == "root" ? authority.at("keys")
                                           : authority.at("delegations").at("keys");
}

Json& roles_in(Json& authority) {
    return authority.at("_type") == "root" ? authority.at("roles")
                                           : authority.at("delegations").at("roles");
}

std::vector<std::string> key_ids(const Json* role) {
    return role == nullptr ? std::vector<std::string>()
                           : role->at("keyids").get<std::vector<std::string>>();
}

/// The public keys that may sign a role.
std::vector<crypto::PublicKey> keys_of_role(Json authority, const std::string& role) {
    std::vector<crypto::PublicKey> out;
    for (const auto& id : key_ids(find_role(std::as_const(authority), role))) {
        if (auto key = parse_key(keys_in(authority).at(id))) {
            out.push_back(*std::move(key));
        }
    }
    return out;
}

/// Removes keys that no role names any more.
void drop_unused_keys(Json& keys, const Json& roles) {
    std::set<std::string> used;
    for (const auto& role : roles) {
        for (const auto& id : key_ids(&role)) {
            used.insert(id);
        }
    }
    Json kept = Json::object();
    for (const auto& [id, key] : keys.items()) {
        if (used.count(id) != 0) {
            kept[id] = key;
        }
    }
    keys = std::move(kept);
}

} // namespace

struct Repository::State {
    State(fs::path tree_dir, fs::path keys_folder, const RepositoryOptions& policies)
        : tree(std::move(tree_dir)), keys_dir(std::move(keys_folder)), options(policies) {}

    using Hashes = std::map<std::string, std::string, std::less<>>; ///< SHA-256 (hex) by target.

    /// As what each target of a role was published last, by its versions from `lowest` to `newest`.
    struct EverPublished {
        std::uint64_t lowest = 0; ///< 0: none was read yet.
        std::uint64_t newest = 0;
        Hashes hashes;
    };

    fs::path tree;
    fs::path keys_dir;
    RepositoryOptions options;
    std::map<std::string, EverPublished> ever_published; ///< By role; as far as it was asked for.
    std::map<std::string, crypto::SigningKey> keys;      ///< By key id; those that are here.
    std::vector<std::string> closed_keys;                ///< Files of those that did not open.
    std::map<std::string, Json> working; ///< Role to its `signed`, with what is new.
    std::set<std::string> dirty;         ///< Roles whose `working` must be signed.
    std::map<std::string, Published> published;
    std::string first_root;
    std::string timestamp_bytes; ///< As read: if the file differs, somebody else published.
    TakedownList takedown;

    // The authority over a role: the root for top-level roles, else targets.
    static std::string authority_of(const std::string& role) {
        return is_top_level(role) ? "root" : "targets";
    }

    fs::path metadata_file(const std::string& role, std::uint64_t version) const {
        const std::string file = role + ".json";
        return tree / "metadata" /
               (role == "timestamp" ? file : std::to_string(version) + "." + file);
    }

    /// What encrypts the private keys of a role; null for those that must sign unattended.
    const Secret* passphrase_for(std::string_view role) const {
        return options.passphrase && !signs_unattended(role) ? &*options.passphrase : nullptr;
    }

    std::chrono::hours lifetime(const std::string& role) const {
        return find_policy(options, role)->lifetime;
    }

    bool due(const std::string& role, TimePoint now) const {
        const auto file = published.find(role);
        return file != published.end() &&
               ((file->second.expires - now) * 2 < lifetime(role) ||
                (signs_unattended(role) && file->second.expires > now + lifetime(role)));
    }

    /// Until when a version of an online role stays good that was dated by a clock which ran ahead:
    /// the published one, or one before it. Nothing if one signed now lasts as long.
    std::optional<TimePoint> outlasting(const std::string& role, TimePoint now) const {
        const Published& file = published.at(role);
        const TimePoint last =
            std::max(file.expires, outlasted_until(file.content).value_or(file.expires));
        return last > now + lifetime(role) ? std::optional(last) : std::nullopt;
    }

    /// Says in the next version of an online role what outlasts it, as long as the role keeps a key
    /// that may have signed that. REQUIRES: `published` is as before the signing.
    void say_what_outlasts(const std::string& role, Json& content, TimePoint now) const {
        content.erase(kOutlastedUntil);
        const auto before = key_ids(find_role(published.at("root").content, role));
        const auto after = key_ids(find_role(working.at("root"), role));
        const bool kept = std::any_of(before.begin(), before.end(), [&after](const auto& id) {
            return std::find(after.begin(), after.end(), id) != after.end();
        });
        if (const auto until = outlasting(role, now); until && kept) {
            content[kOutlastedUntil] = render_time(*until);
        }
    }

    Status load_metadata();
    Status take(const std::string& role, std::string_view bytes);
    /// Of one version of a role; of one that is gone, none.
    Result<Hashes> read_hashes(const std::string& role, std::uint64_t version) const;
    Result<std::string> takedown_bytes(const Json& content) const;
    Status load_takedown();

    Result<std::vector<std::string>>
    new_keys(const std::string& role, std::size_t count, std::vector<fs::path>& files);
    Status make_documents();

    bool can_sign(const std::string& role) const;
    Result<std::string> sign(const std::string& role,
                             const Json& content,
                             const std::map<std::string, Published>& before) const;
    Json snapshot_content() const;
    /// `ready` holds the bytes of roles that were signed already.
    Status sign_and_write(std::set<std::string> roles,
                          const Clock& clock,
                          const std::map<std::string, std::string>& ready = {});
    Result<Json*> authority_for(std::string_view role);
    Status check_serves_no_role(const crypto::PublicKey& key);
    Status stage(const std::string& role,
                 const std::vector<const crypto::PublicKey*>& keys,
                 const std::vector<std::string>& ids,
                 std::uint64_t threshold);
    Status check_draft(const Draft& draft, const std::map<std::string, std::string>& all) const;
    Status check_listed_files(const Json& targets) const;
    Result<Root> root_of(const std::map<std::string, std::string>& drafts) const;
    Status check_nobody_else_published() const;

    /// The role that a path belongs to, if targets may be put there.
    static Result<std::string> writable_role(std::string_view name);
    Status list_takedown();
    Status list_target(const std::string& role,
                       std::string_view name,
                       std::uint64_t length,
                       const std::string& sha256,
                       const Json& custom);
};

// ------------------------------------------------------------------------------------ reading

Status Repository::State::take(const std::string& role, std::string_view bytes) {
    // The bytes were verified just before, so that this cannot fail.
    LOCARA_TRY(const Json document, parse_json(bytes));
    Published file;
    file.content = document.at("signed");
    file.version = file.content.at("version").get<std::uint64_t>();
    file.length = bytes.size();
    file.sha256 = crypto::sha256(as_bytes(bytes)).render();
    LOCARA_TRY(file.expires, parse_time(file.content.at("expires").get<std::string>()));
    working[role] = file.content;
    published[role] = std::move(file);
    return {};
}

Status Repository::State::load_metadata() {
    LOCARA_TRY(first_root, read_file(metadata_file("root", 1), kRootLimitBytes));
    LOCARA_TRY(Root root, check_first_root(first_root));
    std::string root_bytes = first_root;
    while (true) {
        auto next = read_file(metadata_file("root", root.version + 1), kRootLimitBytes);
        if (!next && next.error().code() == ErrorCode::NotFound) {
            break;
        }
        if (!next) {
            return std::move(next).error();
        }
        LOCARA_TRY(root, check_next_root(*next, root));
        root_bytes = *std::move(next);
    }
    LOCARA_CHECK(take("root", root_bytes));
    LOCARA_TRY(timestamp_bytes, read_file(metadata_file("timestamp", 0), kTimestampLimitBytes));
    LOCARA_TRY(const Timestamp timestamp, check_timestamp(timestamp_bytes, root));
    LOCARA_CHECK(take("timestamp", timestamp_bytes));
    LOCARA_TRY(
        const std::string snapshot_bytes,
        read_file(metadata_file("snapshot", timestamp.snapshot.version), kSnapshotLimitBytes));
    LOCARA_TRY(const Snapshot snapshot, check_snapshot(snapshot_bytes, root, &timestamp.snapshot));
    LOCARA_CHECK(take("snapshot", snapshot_bytes));
    Delegations delegations(
        root,
        snapshot,
        [this](const std::string& role,
               const MetaFile& meta,
               const RoleKeys& role_keys,
               std::string_view parent) -> Result<Delegations::Loaded> {
            LOCARA_TRY(auto bytes,
                       read_file(metadata_file(role, meta.version), kTargetsLimitBytes));
            LOCARA_TRY(auto content, check_targets(bytes, role, meta, role_keys, parent));
            return Delegations::Loaded{std::move(bytes), std::move(content)};
        });
    LOCARA_CHECK(delegations.load_all());
    for (const auto& [role, loaded] : delegations.loaded()) {
        LOCARA_CHECK(take(role, loaded.bytes));
    }
    for (const auto* role : kWriteOrder) {
        if (published.count(role) == 0) {
            return Error(ErrorCode::Unsupported,
                         "the catalog in " + tree.string() + " has no role '" + role +
                             "': it was made by another program");
        }
    }
    return {};
}

/// The list that metadata of the role takedown names, "" if it names none.
Result<std::string> Repository::State::takedown_bytes(const Json& content) const {
    const Json& targets = content.at("targets");
    const auto entry = targets.find(kTakedownTarget);
    if (entry == targets.end()) {
        return std::string();
    }
    const std::string digest = entry->at("hashes").at("sha256").get<std::string>();
    LOCARA_TRY(const std::string bytes,
               read_file(tree / target_address(kTakedownTarget, digest), kTargetReadLimitBytes));
    if (crypto::sha256(as_bytes(bytes)).render() != digest) {
        return Error(ErrorCode::Corrupt,
                     "the takedown list in " + tree.string() + " is not what was signed");
    }
    return bytes;
}

Status Repository::State::load_takedown() {
    LOCARA_TRY(const std::string bytes, takedown_bytes(working.at("takedown")));
    takedown = TakedownList();
    if (!bytes.empty()) {
        LOCARA_TRY(takedown, TakedownList::parse(bytes));
    }
    return {};
}

// ------------------------------------------------------------------------------------ making

Result<std::vector<std::string>> Repository::State::new_keys(const std::string& role,
                                                             std::size_t count,
                                                             std::vector<fs::path>& files) {
    std::vector<std::string> ids;
    for (unsigned n = 1; ids.size() < count; ++n) {
        const fs::path path = keys_dir / (role + "-" + std::to_string(n) + ".pem");
        if (fs::exists(path)) {
            continue;
        }
        auto key = crypto::SigningKey::generate();
        LOCARA_CHECK(key.save(path, passphrase_for(role)).context("making the keys of " + role));
        files.push_back(path);
        ids.push_back(key.public_key().id());
        keys.emplace(ids.back(), std::move(key));
    }
    return ids;
}

Status Repository::State::make_documents() {
    LOCARA_TRY(LoadedKeys loaded, load_keys(keys_dir, options.passphrase));
    keys = std::move(loaded.open);
    std::map<std::string, std::vector<std::string>> ids;
    for (const auto* role : kWriteOrder) {
        const RolePolicy& policy = *find_policy(options, role);
        for (unsigned n = 1; n <= policy.keys; ++n) {
            const fs::path path = keys_dir / (std::string(role) + "-" + std::to_string(n) + ".pem");
            if (!fs::exists(path)) {
                LOCARA_CHECK(crypto::SigningKey::generate().save(path, passphrase_for(role)));
            }
            LOCARA_TRY(auto key, crypto::SigningKey::load(path, passphrase_for(role)));
            ids[role].push_back(key.public_key().id());
            keys.insert_or_assign(ids[role].back(), std::move(key));
        }
    }
    const auto document = [](const char* type) {
        return Json{{"_type", type}, {"spec_version", kSpecification}, {"version", 0}};
    };
    Json root = document("root");
    root["consistent_snapshot"] = true;
    root["keys"] = Json::object();
    root["roles"] = Json::object();
    for (const auto* role : kTopLevel) {
        for (const auto& id : ids[role]) {
            root["keys"][id] = key_object(keys.at(id).public_key());
        }
        root["roles"][role] = role_object(ids[role], find_policy(options, role)->threshold);
    }
    Json targets = document("targets");
    targets["targets"] = Json::object();
    targets["delegations"] = {{"keys", Json::object()}, {"roles", Json::array()}};
    for (const auto& rule : kDelegations) {
        for (const auto& id : ids[rule.role]) {
            targets["delegations"]["keys"][id] = key_object(keys.at(id).public_key());
        }
        Json entry = {{"name", rule.role}};
        entry.update(role_object(ids[rule.role], find_policy(options, rule.role)->threshold));
        entry["terminating"] = rule.terminating;
        entry["paths"] = Json::array({rule.path});
        targets["delegations"]["roles"].push_back(std::move(entry));
        working[rule.role] = document("targets");
        working[rule.role]["targets"] = Json::object();
    }
    working["root"] = std::move(root);
    working["targets"] = std::move(targets);
    working["snapshot"] = document("snapshot");
    working["timestamp"] = document("timestamp");
    return {};
}

// ------------------------------------------------------------------------------------ signing

bool Repository::State::can_sign(const std::string& role) const {
    const Json* entry = find_role(working.at(authority_of(role)), role);
    std::uint64_t here = 0;
    for (const auto& id : key_ids(entry)) {
        here += keys.count(id);
    }
    return here >= entry->at("threshold").get<std::uint64_t>();
}

/// Signs with every key here that the new authority names, and the one before it: while keys are
/// replaced, readers of the old root or of the new one both find signatures they know.
Result<std::string> Repository::State::sign(const std::string& role,
                                            const Json& content,
                                            const std::map<std::string, Published>& earlier) const {
    const std::string authority = authority_of(role);
    const Json* now = find_role(role == "root" ? content : working.at(authority), role);
    const auto before = earlier.find(authority);
    const Json* then = before == earlier.end() ? nullptr : find_role(before->second.content, role);

    LOCARA_TRY(const std::string canonical, crypto::render_canonical_json(content));
    std::map<std::string, std::string> signatures;
    const auto sign_for = [&](const Json* entry, bool required) -> Status {
        std::uint64_t count = 0;
        for (const auto& id : key_ids(entry)) {
            if (const auto key = keys.find(id); key != keys.end()) {
                signatures[id] = render_hex(key->second.sign(as_bytes(canonical)));
                ++count;
            }
        }
        if (required && count < entry->at("threshold").get<std::uint64_t>()) {
            return Error(ErrorCode::Refused,
                         "the role " + role + " must be signed by " +
                             std::to_string(entry->at("threshold").get<std::uint64_t>()) +
                             " keys; " + keys_dir.string() + " holds " + std::to_string(count) +
                             " of them. Put the private keys there, or sign where they are");
        }
        return {};
    };
    LOCARA_CHECK(sign_for(now, true));
    if (then != nullptr) {
        LOCARA_CHECK(sign_for(then, role == "root"));
    }
    Json list = Json::array();
    for (const auto& [id, signature] : signatures) {
        list.push_back({{"keyid", id}, {"sig", signature}});
    }
    return render_json({{"signatures", std::move(list)}, {"signed", content}});
}

Json Repository::State::snapshot_content() const {
    Json meta = Json::object();
    for (const auto* role : {"targets", "takedown", "apps", "models"}) {
        const Published& file = published.at(role);
        meta[std::string(role) + ".json"] = {{"version", file.version},
                                             {"length", file.length},
                                             {"hashes", {{"sha256", file.sha256}}}};
    }
    Json content = working.at("snapshot");
    content["meta"] = std::move(meta);
    return content;
}

Status Repository::State::check_nobody_else_published() const {
    const auto bytes = read_file(metadata_file("timestamp", 0), kTimestampLimitBytes);
    const bool same = bytes
                          ? *bytes == timestamp_bytes
                          : bytes.error().code() == ErrorCode::NotFound && timestamp_bytes.empty();
    if (!same) {
        return Error(ErrorCode::Conflict,
                     "another process published into " + tree.string() +
                         " meanwhile: nothing was changed; give the command again");
    }
    return {};
}

/// Others publish within moments.
Result<FileLock> take_turn(const fs::path& tree) {
    constexpr std::chrono::seconds kLongest{10};
    const auto until = std::chrono::steady_clock::now() + kLongest;
    auto turn = FileLock::acquire(tree / "lock",
                                  [until] { return std::chrono::steady_clock::now() >= until; });
    return turn || turn.error().code() != ErrorCode::Cancelled
               ? std::move(turn)
               : Error(ErrorCode::Busy,
                       "another process has been publishing into " + tree.string() +
                           " for ten seconds: nothing was changed; give the command again");
}

Status Repository::State::sign_and_write(std::set<std::string> roles,
                                         const Clock& clock,
                                         const std::map<std::string, std::string>& ready) {
    if (roles.empty()) {
        return {};
    }
    roles.insert("timestamp");
    if (std::any_of(roles.begin(), roles.end(), [](const auto& role) {
            return role != "timestamp" && role != "root";
        })) {
        roles.insert("snapshot");
    }
    LOCARA_TRY(const auto lock, take_turn(tree));
    LOCARA_CHECK(check_nobody_else_published());
    remove_stale_temporaries(keys_dir); // one may be a whole key that nobody will use
    remove_stale_temporaries(tree / "metadata");

    // Sign everything before anything is written. `published` is what later roles describe.
    const auto before = published;
    std::vector<std::pair<fs::path, std::string>> files;
    std::map<std::string, Published> fresh;
    const TimePoint now = clock.now();
    Status signing;
    for (const auto* name : kWriteOrder) {
        const std::string role = name;
        if (roles.count(role) == 0) {
            continue;
        }
        Json content = role == "snapshot" ? snapshot_content() : working.at(role);
        if (role == "timestamp") {
            const Published& snapshot = published.at("snapshot");
            content["meta"] = {{"snapshot.json",
                                {{"version", snapshot.version},
                                 {"length", snapshot.length},
                                 {"hashes", {{"sha256", snapshot.sha256}}}}}};
        }
        const auto was = before.find(role);
        const auto signed_elsewhere = ready.find(role);
        TimePoint expires = now + lifetime(role);
        Result<std::string> bytes = std::string();
        if (signed_elsewhere != ready.end()) {
            bytes = signed_elsewhere->second;
            LOCARA_TRY(expires, parse_time(content.at("expires").get<std::string>()));
        } else {
            content["version"] = was == before.end() ? 1 : was->second.version + 1;
            content["expires"] = render_time(expires);
            say_when_signed(role, content, now);
            if (signs_unattended(role) && was != before.end()) {
                say_what_outlasts(role, content, now);
            }
            bytes = sign(role, content, before);
        }
        if (bytes && bytes->size() > limit_of(role)) {
            bytes = Error(ErrorCode::TooLarge,
                          "the role " + role + " would be " + std::to_string(bytes->size()) +
                              " bytes long, and readers take " + std::to_string(limit_of(role)) +
                              "; remove versions that nobody needs");
        }
        if (!bytes) {
            signing = std::move(bytes).error();
            break;
        }
        Published file;
        file.version = content.at("version").get<std::uint64_t>();
        file.expires = expires;
        file.length = bytes->size();
        file.sha256 = crypto::sha256(as_bytes(*bytes)).render();
        file.content = std::move(content);
        published[role] = std::move(file);
        files.emplace_back(metadata_file(role, published[role].version), *std::move(bytes));
    }
    if (!signing) {
        published = before;
        return signing;
    }
    if (before.empty()) {
        // A first root refers to nothing, and the first timestamp says that the catalog exists.
        std::rotate(files.begin(), std::prev(files.end()), files.end());
    }
    bool visible = false; // whether readers see the new catalog already
    for (const auto& [path, bytes] : files) {
        if (auto written = write_file_atomically(path, as_bytes(bytes)); !written) {
            if (visible) { // only the new root is missing
                published["root"] = before.at("root");
            } else {
                published = before;
            }
            return written;
        }
        if (path.filename() == "timestamp.json") {
            timestamp_bytes = bytes;
            visible = true;
        }
        if (path.filename() == "1.root.json") {
            first_root = bytes;
        }
    }
    for (const auto& role : roles) {
        working[role] = published.at(role).content;
        dirty.erase(role);
    }
    return {};
}

// ------------------------------------------------------------------------------------ targets

Result<std::string> Repository::State::writable_role(std::string_view name) {
    LOCARA_CHECK(check_target_name(name));
    for (const auto& rule : kDelegations) {
        if (matches_pattern(rule.path, name) && !rule.terminating) {
            return std::string(rule.role);
        }
    }
    return invalid("'" + std::string(name) +
                   "' belongs to no role: apps/<publisher>/<file> or models/<org>/<name>/<file> is "
                   "wanted");
}

/// Writes the takedown list as a target and lists it.
Status Repository::State::list_takedown() {
    LOCARA_TRY(const std::string text, takedown.render_readable());
    const std::string digest = crypto::sha256(as_bytes(text)).render();
    const fs::path path = tree / target_address(kTakedownTarget, digest);
    LOCARA_CHECK(create_folders(path.parent_path()));
    LOCARA_CHECK(write_file_atomically(path, as_bytes(text)));
    return list_target("takedown", kTakedownTarget, text.size(), digest, Json());
}

Status Repository::State::list_target(const std::string& role,
                                      std::string_view name,
                                      std::uint64_t length,
                                      const std::string& sha256,
                                      const Json& custom) {
    Json entry = {{"length", length}, {"hashes", {{"sha256", sha256}}}};
    if (custom.is_object()) {
        entry["custom"] = custom;
    }
    Json& targets = working.at(role).at("targets");
    const std::string key(name);
    if (const auto was = targets.find(key); was != targets.end() && *was == entry) {
        return {};
    }
    if (!targets.contains(key) && targets.size() >= kTargetsPerRoleLimit) {
        return Error(ErrorCode::TooLarge,
                     "the role " + role + " lists " + std::to_string(targets.size()) +
                         " files, as many as a catalog may; remove versions that nobody needs");
    }
    targets[key] = std::move(entry);
    dirty.insert(role);
    return {};
}

namespace {

Result<Json> parse_custom(std::string_view custom) {
    if (custom.empty()) {
        return Json();
    }
    auto json = parse_json(custom);
    if (!json || !json->is_object() || !crypto::render_canonical_json(*json)) {
        return invalid("custom must be a JSON object without fractions");
    }
    return json;
}

} // namespace

Repository::Repository(std::unique_ptr<State> state) : state_(std::move(state)) {}

Repository::Repository(Repository&&) noexcept = default;
Repository& Repository::operator=(Repository&&) noexcept = default;
Repository::~Repository() = default;

Result<Repository> Repository::create(const fs::path& tree,
                                      const fs::path& keys_dir,
                                      const Clock& clock,
                                      const RepositoryOptions& options) {
    LOCARA_CHECK(check_options(options));
    auto state = std::make_unique<State>(tree, keys_dir, options);
    if (fs::exists(state->metadata_file("timestamp", 0))) {
        return Error(ErrorCode::Conflict, tree.string() + " holds a catalog already");
    }
    LOCARA_CHECK(create_folders(keys_dir, 0700));
    LOCARA_CHECK(create_folders(tree / "metadata"));
    LOCARA_CHECK(create_folders(tree / "targets"));
    LOCARA_CHECK(state->make_documents());
    Repository repository(std::move(state));
    LOCARA_CHECK(repository.state_->list_takedown());
    std::set<std::string> all(kWriteOrder.begin(), kWriteOrder.end());
    LOCARA_CHECK(repository.state_->sign_and_write(std::move(all), clock));
    return repository;
}

Result<Repository>
Repository::load(const fs::path& tree, const fs::path& keys_dir, const RepositoryOptions& options) {
    LOCARA_CHECK(check_options(options));
    auto state = std::make_unique<State>(tree, keys_dir, options);
    LOCARA_CHECK(state->load_metadata().context("loading the catalog in " + tree.string()));
    LOCARA_CHECK(state->load_takedown().context("loading the catalog in " + tree.string()));
    LOCARA_TRY(LoadedKeys loaded, load_keys(keys_dir, options.passphrase));
    state->keys = std::move(loaded.open);
    state->closed_keys = std::move(loaded.closed);
    return Repository(std::move(state));
}

const std::string& Repository::first_root() const {
    return state_->first_root;
}

std::string Repository::fingerprint() const {
    return crypto::sha256(as_bytes(state_->first_root)).render();
}

Status Repository::put_target(std::string_view name, ByteView bytes, std::string_view custom) {
    LOCARA_TRY(const Json custom_json, parse_custom(custom));
    LOCARA_TRY(const std::string role, state_->writable_role(name));
    const std::string digest = crypto::sha256(bytes).render();
    const fs::path path = state_->tree / target_address(name, digest);
    if (!fs::exists(path)) {
        LOCARA_CHECK(create_folders(path.parent_path()));
        LOCARA_CHECK(write_file_atomically(path, bytes));
    }
    return state_->list_target(role, name, bytes.size(), digest, custom_json);
}

Status Repository::put_target_file(std::string_view name,
                                   const fs::path& source,
                                   std::string_view custom) {
    LOCARA_TRY(const Json custom_json, parse_custom(custom));
    LOCARA_TRY(const std::string role, state_->writable_role(name));
    LOCARA_TRY(const Fd in, open_file(source, O_RDONLY | O_NONBLOCK));
    LOCARA_TRY(const std::uint64_t length, regular_file_size(in, source));
    const fs::path folder = (state_->tree / target_address(name, "")).parent_path();
    LOCARA_CHECK(create_folders(folder));
    LOCARA_TRY(PartFile part, PartFile::create(folder / "incoming"));
    crypto::Sha256 hasher; // of what is written, not of what may change under our hands
    Bytes block(kCopyBlockBytes);
    for (std::uint64_t offset = 0; offset < length;) {
        const auto view = std::span(block).first(
            static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), length - offset)));
        LOCARA_CHECK(read_exactly_at(in, offset, view).context("reading " + source.string()));
        LOCARA_CHECK(write_all(part.fd(), view).context("copying " + source.string()));
        hasher.update(view);
        offset += view.size();
    }
    const std::string digest = hasher.finish().render();
    LOCARA_CHECK(part.move_to(state_->tree / target_address(name, digest)));
    return state_->list_target(role, name, length, digest, custom_json);
}

Status Repository::remove_target(std::string_view name) {
    LOCARA_TRY(const std::string role, state_->writable_role(name));
    if (state_->working.at(role).at("targets").erase(std::string(name)) == 0) {
        return Error(ErrorCode::NotFound, "the catalog has no '" + std::string(name) + "'");
    }
    state_->dirty.insert(role);
    return {};
}

std::vector<Target> Repository::targets() const {
    std::vector<Target> out;
    for (const auto& rule : kDelegations) {
        for (const auto& [name, entry] : state_->working.at(rule.role).at("targets").items()) {
            Target target;
            target.name = name;
            target.role = rule.role;
            target.length = entry.at("length").get<std::uint64_t>();
            for (const auto& [algorithm, digest] : entry.at("hashes").items()) {
                target.hashes.emplace(algorithm, digest.get<std::string>());
            }
            if (const auto custom = entry.find("custom"); custom != entry.end()) {
                target.custom = render_json(*custom);
            }
            out.push_back(std::move(target));
        }
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return out;
}

Result<std::optional<std::string>> Repository::find_published(std::string_view name) const {
    LOCARA_TRY(const std::string role, state_->writable_role(name));
    const std::uint64_t newest = state_->published.at(role).version;
    auto& known = state_->ever_published[role];
    if (known.lowest == 0) {
        known = {newest + 1, newest, {}};
    }
    for (; known.newest < newest; ++known.newest) {
        LOCARA_TRY(auto hashes, state_->read_hashes(role, known.newest + 1));
        hashes.merge(known.hashes); // keeps what is newer
        known.hashes = std::move(hashes);
    }
    auto found = known.hashes.find(name);
    for (; found == known.hashes.end() && known.lowest > 1; found = known.hashes.find(name)) {
        LOCARA_TRY(auto hashes, state_->read_hashes(role, known.lowest - 1));
        known.hashes.merge(hashes);
        --known.lowest;
    }
    return found == known.hashes.end() ? std::nullopt : std::optional(found->second);
}

Result<Repository::State::Hashes> Repository::State::read_hashes(const std::string& role,
                                                                 std::uint64_t version) const {
    const auto bytes = read_file(metadata_file(role, version), kTargetsLimitBytes);
    if (!bytes && bytes.error().code() == ErrorCode::NotFound) {
        return Hashes();
    }
    if (!bytes) {
        return bytes.error();
    }
    const std::string what = std::to_string(version) + "." + role + ".json";
    LOCARA_TRY(const auto envelope,
               parse_envelope(*bytes, "targets", role, kTargetsLimitBytes).context(what));
    LOCARA_TRY(const auto content, parse_targets(envelope, role).context(what));
    Hashes hashes;
    for (const auto& [name, target] : content.targets) {
        if (const auto hash = target.hashes.find("sha256"); hash != target.hashes.end()) {
            hashes.emplace(name, hash->second);
        }
    }
    return hashes;
}

const TakedownList& Repository::takedown() const {
    return state_->takedown;
}

Status Repository::add_takedown(TakedownEntry entry) {
    TakedownList list = state_->takedown;
    if (const auto newest = list.newest(); newest && is_before(entry.date, newest->date)) {
        entry.date = newest->date; // else it would lose against an older one (a clock that ran on)
    }
    LOCARA_CHECK(list.append(std::move(entry)));
    std::swap(state_->takedown, list);
    if (auto listed = state_->list_takedown(); !listed) {
        std::swap(state_->takedown, list);
        return listed;
    }
    return {};
}

Status Repository::publish(const Clock& clock) {
    std::set<std::string> roles = state_->dirty;
    for (const auto* role : kWriteOrder) {
        if (state_->due(role, clock.now()) && state_->can_sign(role)) {
            roles.insert(role);
        }
    }
    return state_->sign_and_write(std::move(roles), clock);
}

Result<bool> Repository::resign_online(const Clock& clock) {
    std::set<std::string> roles;
    for (const auto* role : {"snapshot", "timestamp"}) {
        if (state_->due(role, clock.now())) {
            roles.insert(role);
        }
    }
    LOCARA_CHECK(state_->sign_and_write(roles, clock));
    return !roles.empty();
}

Status Repository::rotate_keys(std::string_view name,
                               const Clock& clock,
                               const std::function<Status()>& also) {
    const std::string role(name);
    LOCARA_CHECK(check_makes_keys(role));
    const std::string authority = State::authority_of(role);
    const auto working_was = state_->working;
    const Json& was = working_was.at(authority);
    const auto dirty_was = state_->dirty;
    std::vector<fs::path> fresh_files;
    const auto count = key_ids(find_role(was, role)).size();
    LOCARA_TRY(const auto ids, state_->new_keys(role, count, fresh_files));
    std::vector<const crypto::PublicKey*> fresh;
    for (const auto& id : ids) {
        fresh.push_back(&state_->keys.at(id).public_key());
    }
    const auto threshold = find_role(was, role)->at("threshold").get<std::uint64_t>();
    LOCARA_CHECK(state_->stage(role, fresh, ids, threshold));
    Status done = also ? also() : Status();
    if (done) {
        done = publish(clock);
    }
    if (!done) {
        state_->working = working_was;
        state_->dirty = dirty_was;
        for (const auto& path : fresh_files) { // keys that nothing names
            std::error_code ignored;
            fs::remove(path, ignored);
        }
        for (const auto& id : ids) {
            state_->keys.erase(id);
        }
    }
    return done;
}

std::vector<RoleState> Repository::roles() const {
    std::vector<RoleState> out;
    for (const auto* role :
         {"root", "targets", "takedown", "apps", "models", "snapshot", "timestamp"}) {
        const Published& file = state_->published.at(role);
        const Json* entry =
            find_role(state_->published.at(State::authority_of(role)).content, role);
        RoleState info;
        info.name = role;
        info.version = file.version;
        info.expires = file.expires;
        info.threshold = entry->at("threshold").get<unsigned>();
        info.key_ids = key_ids(entry);
        for (const auto& id : info.key_ids) {
            ++info.keys;
            info.keys_here += static_cast<unsigned>(state_->keys.count(id));
        }
        out.push_back(std::move(info));
    }
    return out;
}

std::optional<TimePoint> Repository::outlasting(std::string_view role, TimePoint now) const {
    return signs_unattended(role) ? state_->outlasting(std::string(role), now) : std::nullopt;
}

std::vector<crypto::PublicKey> Repository::keys_of(std::string_view role) const {
    const std::string name(role);
    return find_policy(state_->options, name) == nullptr
               ? std::vector<crypto::PublicKey>()
               : keys_of_role(state_->published.at(State::authority_of(name)).content, name);
}

std::vector<crypto::PublicKey> Repository::staged_keys_of(std::string_view role) const {
    const std::string name(role);
    return find_policy(state_->options, name) == nullptr
               ? std::vector<crypto::PublicKey>()
               : keys_of_role(state_->working.at(State::authority_of(name)), name);
}

OwnKeys Repository::own_keys_of(std::string_view role) const {
    OwnKeys out;
    for (crypto::PublicKey& key : keys_of(role)) {
        if (state_->keys.contains(key.id())) {
            out.open.push_back(std::move(key));
        }
    }
    const auto& closed = state_->closed_keys;
    out.closed = static_cast<std::size_t>(
        std::count_if(closed.begin(), closed.end(), [&](const std::string& file) {
            return file.starts_with(std::string(role) + "-");
        }));
    return out;
}

const crypto::SigningKey* Repository::find_signing_key(std::string_view role) const {
    for (const crypto::PublicKey& key : staged_keys_of(role)) {
        if (const auto here = state_->keys.find(key.id()); here != state_->keys.end()) {
            return &here->second;
        }
    }
    return nullptr;
}

// ------------------------------------------------------------------------------------ keys

Result<Json*> Repository::State::authority_for(std::string_view role) {
    if (find_policy(options, role) == nullptr) {
        return invalid("there is no role '" + std::string(role) +
                       "': root, targets, takedown, apps, models, snapshot and timestamp are");
    }
    return &working.at(authority_of(std::string(role)));
}

/// Lets `ids` sign a role; `keys` are those among them that its authority may not know yet.
Status Repository::State::stage(const std::string& role,
                                const std::vector<const crypto::PublicKey*>& fresh,
                                const std::vector<std::string>& ids,
                                std::uint64_t threshold) {
    LOCARA_TRY(Json* const document, authority_for(role));
    if (ids.empty() || ids.size() > kKeysLimit || threshold < 1 || threshold > ids.size()) {
        return invalid("the role " + role + " cannot have " + std::to_string(ids.size()) +
                       " keys and a threshold of " + std::to_string(threshold) + ": 1 to " +
                       std::to_string(kKeysLimit) + " keys and a threshold of 1 to as many are " +
                       "wanted");
    }
    for (const auto* key : fresh) {
        keys_in(*document)[key->id()] = key_object(*key);
    }
    Json& entry = *find_role(*document, role);
    entry["keyids"] = ids;
    entry["threshold"] = threshold;
    drop_unused_keys(keys_in(*document), roles_in(*document));
    dirty.insert(authority_of(role));
    dirty.insert(role);
    return {};
}

Status Repository::check_makes_keys(std::string_view name) const {
    const std::string role(name);
    LOCARA_CHECK(state_->authority_for(role));
    if (signs_unattended(role) || state_->can_sign(role)) {
        return {};
    }
    return Error(ErrorCode::Refused,
                 "the keys of " + role + " are not in " + state_->keys_dir.string() +
                     ", or do not open, so that new ones do not belong there either; `locara-hub "
                     "keys new FILE` makes them elsewhere, and `locara-hub keys rotate " +
                     role + " FILE.pub... --to FOLDER` has the change signed");
}

Status Repository::stage_new_keys(std::string_view name) {
    const std::string role(name);
    LOCARA_CHECK(check_makes_keys(role));
    LOCARA_TRY(const Json* const document, state_->authority_for(role));
    const Json was = *find_role(*document, role);
    std::vector<fs::path> files;
    LOCARA_TRY(const auto ids, state_->new_keys(role, key_ids(&was).size(), files));
    std::vector<const crypto::PublicKey*> fresh;
    for (const auto& id : ids) {
        fresh.push_back(&state_->keys.at(id).public_key());
    }
    return state_->stage(role, fresh, ids, was.at("threshold").get<std::uint64_t>());
}

Status Repository::State::check_serves_no_role(const crypto::PublicKey& key) {
    for (const auto* authority : {"root", "targets"}) {
        for (const auto& [id, known] : keys_in(working.at(authority)).items()) {
            if (const auto other = parse_key(known); other && *other == key) {
                return Error(ErrorCode::Conflict,
                             "the key " + key.id() +
                                 " belongs to a role already, and no key serves two roles");
            }
        }
    }
    return {};
}

Status Repository::stage_keys(std::string_view name, std::span<const crypto::PublicKey> keys) {
    const std::string role(name);
    LOCARA_TRY(const Json* const document, state_->authority_for(role));
    const Json was = *find_role(*document, role);
    const auto before = key_ids(&was);
    std::vector<std::string> ids;
    std::vector<const crypto::PublicKey*> fresh;
    for (const auto& key : keys) {
        const std::string id = key.id();
        if (std::find(ids.begin(), ids.end(), id) != ids.end()) {
            return Error(ErrorCode::Conflict, "the key " + id + " is given twice");
        }
        ids.push_back(id);
        if (std::find(before.begin(), before.end(), id) == before.end()) {
            LOCARA_CHECK(state_->check_serves_no_role(key));
            fresh.push_back(&key);
        }
    }
    return state_->stage(role, fresh, ids, was.at("threshold").get<std::uint64_t>());
}

Status Repository::stage_key(std::string_view name, const crypto::PublicKey& key) {
    const std::string role(name);
    LOCARA_TRY(const Json* const document, state_->authority_for(role));
    LOCARA_CHECK(state_->check_serves_no_role(key));
    const Json was = *find_role(*document, role);
    auto ids = key_ids(&was);
    ids.push_back(key.id());
    return state_->stage(role, {&key}, ids, was.at("threshold").get<std::uint64_t>());
}

Status Repository::stage_removal(std::string_view name, std::string_view key_id) {
    const std::string role(name);
    LOCARA_TRY(Json* const document, state_->authority_for(role));
    const Json was = *find_role(*document, role);
    auto ids = key_ids(&was);
    if (std::erase(ids, key_id) == 0) {
        return Error(ErrorCode::NotFound,
                     "the role " + role + " has no key " + std::string(key_id.substr(0, 80)));
    }
    return state_->stage(role, {}, ids, was.at("threshold").get<std::uint64_t>());
}

Status Repository::stage_threshold(std::string_view name, unsigned threshold) {
    const std::string role(name);
    LOCARA_TRY(Json* const document, state_->authority_for(role));
    const Json was = *find_role(*document, role);
    return state_->stage(role, {}, key_ids(&was), threshold);
}

// ------------------------------------------------------------------------------------ drafts

namespace {

const char* type_of(std::string_view role) {
    return role == "root" ? "root" : "targets";
}

Result<Envelope> parse_draft(const Draft& draft) {
    if (signs_unattended(draft.role) ||
        std::find(kWriteOrder.begin(), kWriteOrder.end(), draft.role) == kWriteOrder.end()) {
        return invalid("'" + draft.role.substr(0, 80) +
                       "' is no role that is signed elsewhere: root, targets, takedown, apps and "
                       "models are");
    }
    return parse_envelope(draft.bytes, type_of(draft.role), draft.role, limit_of(draft.role));
}

} // namespace

Result<DraftInfo> inspect_draft(const Draft& draft) {
    LOCARA_TRY(const auto envelope, parse_draft(draft));
    LOCARA_CHECK(check_shape(envelope, draft.role));
    DraftInfo info;
    info.role = draft.role;
    info.version = envelope.version;
    info.expires = envelope.expires;
    if (draft.role == "root") {
        LOCARA_CHECK(parse_root(envelope));
    } else {
        LOCARA_TRY(const auto targets, parse_targets(envelope, draft.role));
        info.targets = targets.targets.size();
    }
    for (const auto& signature : envelope.signatures) {
        info.signed_by.push_back(signature.key_id);
    }
    return info;
}

Status check_lifetime(const DraftInfo& info, TimePoint now, const RepositoryOptions& options) {
    constexpr std::chrono::hours kClocksDiffer{24};
    const RolePolicy* const policy = find_policy(options, info.role);
    if (policy == nullptr || info.expires <= now + policy->lifetime + kClocksDiffer) {
        return {};
    }
    return Error(ErrorCode::Refused,
                 "the draft of " + info.role + " would be good until " + render_time(info.expires) +
                     "; signatures of this role last " +
                     std::to_string(policy->lifetime.count() / 24) +
                     " days. Unless the clock here (" + render_time(now) +
                     ") is wrong somebody changed it; export it again, and look at who has the "
                     "hub");
}

Result<OwnKeys> signers_in(const fs::path& keys_dir,
                           std::string_view role,
                           const std::optional<Secret>& passphrase) {
    LOCARA_TRY(const auto keys, load_keys(keys_dir, passphrase, std::string(role) + "-"));
    OwnKeys out;
    for (const auto& [id, key] : keys.open) {
        out.open.push_back(key.public_key());
    }
    out.closed = keys.closed.size();
    return out;
}

Result<unsigned>
sign_draft(Draft& draft, const fs::path& keys_dir, const std::optional<Secret>& passphrase) {
    LOCARA_TRY(const auto envelope, parse_draft(draft));
    LOCARA_CHECK(inspect_draft(draft)); // nothing that no reader takes is signed
    LOCARA_TRY(const auto loaded, load_keys(keys_dir, passphrase, draft.role + "-"));
    const auto& keys = loaded.open;
    if (keys.empty()) {
        return Error(ErrorCode::NotFound,
                     keys_dir.string() + " has no private key " + draft.role +
                         "-<n>.pem that can be opened" +
                         (passphrase ? "" : "; one that is encrypted needs its passphrase"));
    }
    std::map<std::string, std::string> signatures;
    for (const auto& signature : envelope.signatures) {
        signatures[signature.key_id] = signature.hex;
    }
    for (const auto& [id, key] : keys) {
        signatures[id] = render_hex(key.sign(as_bytes(envelope.canonical)));
    }
    Json list = Json::array();
    for (const auto& [id, signature] : signatures) {
        list.push_back({{"keyid", id}, {"sig", signature}});
    }
    draft.bytes = render_json({{"signatures", std::move(list)}, {"signed", envelope.content}});
    return static_cast<unsigned>(keys.size());
}

Result<Draft> Repository::draft(std::string_view name, const Clock& clock) const {
    Draft draft{std::string(name), {}};
    if (signs_unattended(name) || find_policy(state_->options, name) == nullptr) {
        return parse_draft(draft).error();
    }
    Json content = state_->working.at(draft.role);
    content["version"] = state_->published.at(draft.role).version + 1;
    content["expires"] = render_time(clock.now() + state_->lifetime(draft.role));
    say_when_signed(draft.role, content, clock.now());
    LOCARA_TRY(const std::string canonical, crypto::render_canonical_json(content));
    std::set<std::string> ids;
    const std::string authority = State::authority_of(draft.role);
    for (const Json* entry :
         {find_role(draft.role == "root" ? content : state_->working.at(authority), draft.role),
          find_role(state_->published.at(authority).content, draft.role)}) {
        for (const auto& id : key_ids(entry)) {
            ids.insert(id);
        }
    }
    Json list = Json::array();
    for (const auto& id : ids) {
        if (const auto key = state_->keys.find(id); key != state_->keys.end()) {
            list.push_back(
                {{"keyid", id}, {"sig", render_hex(key->second.sign(as_bytes(canonical)))}});
        }
    }
    draft.bytes = render_json({{"signatures", std::move(list)}, {"signed", std::move(content)}});
    const std::uint64_t version = state_->published.at(draft.role).version;
    LOCARA_TRY(draft.published,
               read_file(state_->metadata_file(draft.role, version), limit_of(draft.role)));
    if (draft.role == "takedown") {
        LOCARA_TRY(draft.list, state_->takedown_bytes(state_->working.at("takedown")));
        LOCARA_TRY(draft.list_was,
                   state_->takedown_bytes(state_->published.at("takedown").content));
    }
    return draft;
}

/// The root that will be in force: the draft of one if there is one, checked against the last.
Result<Root> Repository::State::root_of(const std::map<std::string, std::string>& drafts) const {
    LOCARA_TRY(const std::string bytes,
               read_file(metadata_file("root", published.at("root").version), kRootLimitBytes));
    LOCARA_TRY(Root root, check_first_root(bytes)); // load() followed the chain to it
    if (const auto next = drafts.find("root"); next != drafts.end()) {
        LOCARA_TRY(root, check_next_root(next->second, root));
    }
    return root;
}

Status Repository::State::check_listed_files(const Json& targets) const {
    for (const auto& [name, entry] : targets.items()) {
        const auto digest = entry.at("hashes").find("sha256");
        std::error_code error;
        const bool here = check_target_name(name) && digest != entry.at("hashes").end() &&
                          fs::file_size(tree / target_address(name, digest->get<std::string>()),
                                        error) == entry.at("length").get<std::uint64_t>() &&
                          !error;
        if (!here) {
            return invalid("'" + name + "' is listed, but the hub does not have that file");
        }
    }
    return {};
}

/// Everything that clients will check of a draft, before any of it is public.
Status Repository::State::check_draft(const Draft& draft,
                                      const std::map<std::string, std::string>& all) const {
    LOCARA_TRY(const auto envelope, parse_draft(draft));
    const std::uint64_t next = published.at(draft.role).version + 1;
    if (envelope.version != next) {
        return Error(ErrorCode::Conflict,
                     "the draft of " + draft.role + " is version " +
                         std::to_string(envelope.version) + ", and the next one is " +
                         std::to_string(next) + "; export it again and have that signed");
    }
    LOCARA_TRY(const Root root, root_of(all));
    if (draft.role == "root") {
        return {};
    }
    const MetaFile meta{next, {}, {}};
    if (draft.role == "targets") {
        LOCARA_CHECK(check_targets(
            draft.bytes, "targets", meta, root.roles.find("targets")->second, "the root"));
        return {};
    }
    Envelope targets;
    targets.content = published.at("targets").content;
    if (const auto changed = all.find("targets"); changed != all.end()) {
        LOCARA_TRY(const auto document, parse_json(changed->second));
        targets.content = document.at("signed"); // itself a draft that was checked
    }
    LOCARA_TRY(const auto parsed, parse_targets(targets, "targets"));
    for (const auto& delegation : parsed.delegations) {
        if (delegation.name == draft.role) {
            LOCARA_CHECK(check_targets(draft.bytes, draft.role, meta, delegation.keys, "targets"));
            LOCARA_CHECK(check_listed_files(envelope.content.at("targets")));
            return {};
        }
    }
    return invalid("targets delegates nothing to " + draft.role);
}

Status Repository::adopt(const std::vector<Draft>& drafts, const Clock& clock) {
    State& state = *state_;
    std::map<std::string, std::string> ready;
    for (const auto& draft : drafts) {
        LOCARA_CHECK(parse_draft(draft));
        if (!ready.emplace(draft.role, draft.bytes).second) {
            return invalid("there are two drafts of " + draft.role);
        }
    }
    const auto working_was = state.working;
    const auto takedown_was = state.takedown;
    std::set<std::string> roles;
    const auto take = [&]() -> Status {
        for (const auto* role : {"root", "targets", "takedown", "apps", "models"}) {
            const auto bytes = ready.find(role);
            if (bytes == ready.end()) {
                continue;
            }
            const Draft draft{role, bytes->second};
            LOCARA_TRY(const auto info, inspect_draft(draft));
            LOCARA_CHECK(state.check_draft(draft, ready)); // an authority before its roles
            LOCARA_TRY(const Json document, parse_json(draft.bytes));
            const Json& content = document.at("signed");
            LOCARA_TRY(const TimePoint expires,
                       parse_time(content.at("expires").get<std::string>()));
            if (expires <= clock.now()) {
                return invalid("the draft of " + draft.role + " expired on " +
                               render_time(expires) + "; export it again and have that signed");
            }
            LOCARA_CHECK(check_lifetime(info, clock.now(), state.options));
            state.working[draft.role] = content;
            roles.insert(draft.role);
        }
        if (ready.count("takedown") != 0) {
            LOCARA_CHECK(state.load_takedown());
            TakedownList merged = takedown_was;
            merged.add(state.takedown);
            if (merged.entries().size() != state.takedown.entries().size()) {
                return invalid("the draft's takedown list lacks entries of the one in force; "
                               "entries are added or superseded, never dropped");
            }
        }
        for (const auto* role : kWriteOrder) {
            const std::string authority = State::authority_of(role);
            if (ready.count(authority) != 0 &&
                *find_role(std::as_const(state.working.at(authority)), role) !=
                    *find_role(state.published.at(authority).content, role)) {
                roles.insert(role); // its signers changed
            }
        }
        return state.sign_and_write(roles, clock, ready);
    };
    auto done = take();
    if (!done) {
        state.working = working_was;
        state.takedown = takedown_was;
    }
    return done;
}

} // namespace locara::catalog
