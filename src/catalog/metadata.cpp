#include "metadata.hpp"

#include "paths.hpp"

#include <locara/crypto/canonical_json.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace locara::catalog {

namespace {

constexpr std::string_view kSha256 = "sha256";
constexpr std::string_view kSha512 = "sha512";
constexpr std::array<std::string_view, 4> kTopLevelRoles = {
    "root", "timestamp", "snapshot", "targets"};
constexpr std::size_t kQuotedLimit = 80; // of foreign text in our messages

std::string in_quotes(std::string_view text) {
    std::string out = "'";
    for (const char c : text.substr(0, kQuotedLimit)) {
        out += static_cast<unsigned char>(c) < 0x20U || c == 0x7F ? '?' : c;
    }
    return out + (text.size() > kQuotedLimit ? "...'" : "'");
}

Error corrupt(std::string message) {
    return Error(ErrorCode::Corrupt, std::move(message));
}

/// One JSON value and where it stands, so that every error names the place.
class Node {
  public:
    Node(const Json& value, std::string where) : value_(&value), where_(std::move(where)) {}

    const Json& json() const { return *value_; }

    const std::string& where() const { return where_; }

    Error wrong(std::string_view wanted) const {
        return corrupt(where_ + " is " + describe() + "; " + std::string(wanted) + " is wanted");
    }

    std::optional<Node> find(const char* key) const {
        const auto member = value_->find(key);
        if (member == value_->end()) {
            return std::nullopt;
        }
        return Node(*member, where_ + "." + key);
    }

    Result<Node> get(const char* key) const {
        auto member = find(key);
        if (!member) {
            return corrupt(where_ + "." + key + " is missing");
        }
        return *member;
    }

    /// A member by a key from outside.
    Node at(const std::string& key, const Json& value) const {
        return Node(value, where_ + "[" + in_quotes(key) + "]");
    }

    Node at(std::size_t index, const Json& value) const {
        return Node(value, where_ + "[" + std::to_string(index) + "]");
    }

    Result<Node> object(const char* key) const {
        LOCARA_TRY(auto member, get(key));
        if (!member.json().is_object()) {
            return member.wrong("an object");
        }
        return member;
    }

    Result<Node> array(const char* key) const {
        LOCARA_TRY(auto member, get(key));
        if (!member.json().is_array()) {
            return member.wrong("a list");
        }
        return member;
    }

    Result<std::string> text(const char* key) const {
        LOCARA_TRY(const auto member, get(key));
        return member.text();
    }

    Result<std::string> text() const {
        if (!value_->is_string()) {
            return wrong("a string");
        }
        return value_->get<std::string>();
    }

    /// An integer of at least `least`.
    Result<std::uint64_t> count(const char* key, std::uint64_t least) const {
        LOCARA_TRY(const auto member, get(key));
        if (!member.json().is_number_unsigned() || member.json().get<std::uint64_t>() < least) {
            return member.wrong("an integer of at least " + std::to_string(least));
        }
        return member.json().get<std::uint64_t>();
    }

  private:
    std::string describe() const {
        if (value_->is_number()) {
            return value_->dump();
        }
        if (value_->is_string()) {
            return in_quotes(value_->get_ref<const std::string&>());
        }
        return "of type " + std::string(value_->type_name());
    }

    const Json* value_;
    std::string where_;
};

Status check_object(const Node& node) {
    if (!node.json().is_object()) {
        return node.wrong("an object");
    }
    return {};
}

Result<std::vector<std::string>> text_list(const Node& list) {
    if (!list.json().is_array()) {
        return list.wrong("a list");
    }
    std::vector<std::string> out;
    for (std::size_t i = 0; i < list.json().size(); ++i) {
        LOCARA_TRY(auto text, list.at(i, list.json()[i]).text());
        out.push_back(std::move(text));
    }
    return out;
}

Result<std::map<std::string, std::string>> parse_hashes(const Node& owner, bool required) {
    std::map<std::string, std::string> out;
    const auto hashes = owner.find("hashes");
    if (!hashes && !required) {
        return out;
    }
    LOCARA_TRY(const auto node, owner.object("hashes"));
    if (node.json().empty()) {
        return node.wrong("an object with at least one hash");
    }
    for (const auto& [algorithm, value] : node.json().items()) {
        LOCARA_TRY(auto digest, node.at(algorithm, value).text());
        // What becomes part of an address or a comparison is hex of the right length or refused.
        const std::size_t digits = algorithm == kSha256 ? 64 : algorithm == kSha512 ? 128 : 0;
        if (digits != 0 && (digest.size() != digits || !parse_hex(digest))) {
            return node.at(algorithm, value).wrong(std::to_string(digits) + " digits 0-9 a-f");
        }
        out.emplace(algorithm, std::move(digest));
    }
    return out;
}

/// Keys by id. What is malformed or of a kind we do not know is left out.
Result<std::map<std::string, crypto::PublicKey, std::less<>>> parse_keys(const Node& owner) {
    std::map<std::string, crypto::PublicKey, std::less<>> out;
    LOCARA_TRY(const auto keys, owner.object("keys"));
    for (const auto& [id, value] : keys.json().items()) {
        const Node key = keys.at(id, value);
        LOCARA_CHECK(check_object(key));
        LOCARA_TRY(const auto type, key.text("keytype"));
        LOCARA_TRY(const auto scheme, key.text("scheme"));
        LOCARA_TRY(const auto keyval, key.object("keyval"));
        LOCARA_TRY(const auto text, keyval.text("public"));
        if (auto parsed = crypto::PublicKey::parse(type, scheme, text)) {
            out.emplace(id, *std::move(parsed));
        }
    }
    return out;
}

Result<RoleKeys>
parse_role_keys(const Node& role,
                const std::map<std::string, crypto::PublicKey, std::less<>>& keys) {
    RoleKeys out;
    LOCARA_TRY(out.threshold, role.count("threshold", 1));
    LOCARA_TRY(const auto list, role.array("keyids"));
    LOCARA_TRY(const auto ids, text_list(list));
    std::set<std::string_view> seen;
    for (const auto& id : ids) {
        if (!seen.insert(id).second) {
            return corrupt(list.where() + " names the key " + in_quotes(id) + " twice");
        }
        if (const auto key = keys.find(id); key != keys.end()) {
            out.by_id.emplace(id, key->second);
        }
    }
    return out;
}

Node signed_part(const Envelope& envelope, std::string_view role) {
    return Node(envelope.content, std::string(role) + ": signed");
}

Result<MetaFile> parse_meta_file(const Node& node) {
    LOCARA_CHECK(check_object(node));
    MetaFile out;
    LOCARA_TRY(out.version, node.count("version", 1));
    if (node.find("length")) {
        LOCARA_TRY(out.length, node.count("length", 0));
    }
    LOCARA_TRY(out.hashes, parse_hashes(node, false));
    return out;
}

Result<Target> parse_target(const std::string& name, const Node& node, std::string_view role) {
    LOCARA_CHECK(check_object(node));
    Target out;
    out.name = name;
    out.role = role;
    LOCARA_TRY(out.length, node.count("length", 0));
    LOCARA_TRY(out.hashes, parse_hashes(node, true));
    if (const auto custom = node.find("custom")) {
        LOCARA_CHECK(check_object(*custom));
        out.custom = render_json(custom->json());
    }
    return out;
}

Result<Delegation>
parse_delegation(const Node& node,
                 const std::map<std::string, crypto::PublicKey, std::less<>>& keys) {
    LOCARA_CHECK(check_object(node));
    Delegation out;
    LOCARA_TRY(out.name, node.text("name"));
    if (out.name.empty() ||
        std::find(kTopLevelRoles.begin(), kTopLevelRoles.end(), out.name) != kTopLevelRoles.end()) {
        return corrupt(node.where() + ".name is " + in_quotes(out.name) +
                       ", which no delegated role may be called");
    }
    LOCARA_TRY(out.keys, parse_role_keys(node, keys));
    LOCARA_TRY(const auto terminating, node.get("terminating"));
    if (!terminating.json().is_boolean()) {
        return terminating.wrong("true or false");
    }
    out.terminating = terminating.json().get<bool>();
    const auto paths = node.find("paths");
    const auto prefixes = node.find("path_hash_prefixes");
    if (paths.has_value() == prefixes.has_value()) {
        return corrupt(node.where() + " must have either paths or path_hash_prefixes");
    }
    if (paths) {
        LOCARA_TRY(out.paths, text_list(*paths));
    } else {
        LOCARA_TRY(out.path_hash_prefixes, text_list(*prefixes));
    }
    return out;
}

Result<std::vector<Delegation>> parse_delegations(const Node& owner) {
    std::vector<Delegation> out;
    if (!owner.find("delegations")) {
        return out;
    }
    LOCARA_TRY(const auto node, owner.object("delegations"));
    LOCARA_TRY(const auto keys, parse_keys(node));
    LOCARA_TRY(const auto roles, node.array("roles"));
    std::set<std::string> names;
    for (std::size_t i = 0; i < roles.json().size(); ++i) {
        LOCARA_TRY(auto delegation, parse_delegation(roles.at(i, roles.json()[i]), keys));
        if (!names.insert(delegation.name).second) {
            return corrupt(roles.where() + " names the role " + in_quotes(delegation.name) +
                           " twice");
        }
        out.push_back(std::move(delegation));
    }
    return out;
}

std::string digest_hex(const EVP_MD* algorithm, std::string_view bytes) {
    std::array<std::byte, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): OpenSSL wants unsigned char
    auto* out = reinterpret_cast<unsigned char*>(digest.data());
    LOCARA_ASSERT(EVP_Digest(bytes.data(), bytes.size(), out, &length, algorithm, nullptr) == 1);
    return render_hex(ByteView(digest).first(length));
}

const EVP_MD* known_algorithm(std::string_view name) {
    return name == kSha256 ? EVP_sha256() : name == kSha512 ? EVP_sha512() : nullptr;
}

Error not_the_hash(std::string_view what,
                   std::string_view algorithm,
                   std::string_view found,
                   std::string_view expected) {
    return corrupt(std::string(what) + " has the " + std::string(algorithm) + " " +
                   std::string(found) + "; the catalog's signed metadata says " +
                   std::string(expected) +
                   ". Nothing of it was taken; try again, and tell the hub's operator if it stays "
                   "so");
}

Error not_the_length(std::string_view what, std::uint64_t found, std::uint64_t expected) {
    return corrupt(std::string(what) + " has " + std::to_string(found) +
                   " bytes; the catalog's signed metadata says " + std::to_string(expected) +
                   ". Nothing of it was taken; try again, and tell the hub's operator if it stays "
                   "so");
}

const RoleKeys& keys_of(const Root& root, std::string_view role) {
    const auto keys = root.roles.find(role);
    LOCARA_ASSERT(keys != root.roles.end()); // parse_root wants all four
    return keys->second;
}

std::string name_of(const Root& root) {
    return "the trusted root (version " + std::to_string(root.version) + ")";
}

Status
verify_version(std::string_view role, std::uint64_t found, std::uint64_t wanted, const char* by) {
    if (found != wanted) {
        return corrupt(std::string(role) + ": version " + std::to_string(found) + " was served, " +
                       by + " says version " + std::to_string(wanted) +
                       "; an old or foreign file was mixed in, so nothing was taken");
    }
    return {};
}

} // namespace

std::uint64_t limit_of(std::string_view role) {
    if (role == "root") {
        return kRootLimitBytes;
    }
    if (role == "timestamp") {
        return kTimestampLimitBytes;
    }
    return role == "snapshot" ? kSnapshotLimitBytes : kTargetsLimitBytes;
}

std::set<std::string> RoleKeys::identities() const {
    std::set<std::string> out;
    for (const auto& [id, key] : by_id) {
        out.insert(key.identity());
    }
    return out;
}

bool Delegation::covers(std::string_view target) const {
    if (std::any_of(paths.begin(), paths.end(), [&](const auto& pattern) {
            return matches_pattern(pattern, target);
        })) {
        return true;
    }
    if (path_hash_prefixes.empty()) {
        return false;
    }
    const std::string digest = digest_hex(EVP_sha256(), target);
    return std::any_of(path_hash_prefixes.begin(), path_hash_prefixes.end(), [&](const auto& p) {
        return digest.starts_with(p);
    });
}

Result<Envelope> parse_envelope(std::string_view bytes,
                                std::string_view type,
                                std::string_view role,
                                std::uint64_t limit_bytes) {
    auto json = parse_json(bytes, JsonLimits{limit_bytes, kJsonDepthLimit});
    if (!json) {
        return corrupt(std::string(role) + ": " + json.error().message());
    }
    const Node document(*json, std::string(role) + ":");
    LOCARA_CHECK(check_object(document));
    LOCARA_TRY(const auto content, document.object("signed"));
    LOCARA_TRY(const auto signatures, document.array("signatures"));

    Envelope out;
    auto canonical = crypto::render_canonical_json(content.json());
    if (!canonical) {
        return corrupt(std::string(role) + ": " + canonical.error().message());
    }
    out.canonical = *std::move(canonical);
    std::set<std::string> ids;
    for (std::size_t i = 0; i < signatures.json().size(); ++i) {
        const Node signature = signatures.at(i, signatures.json()[i]);
        LOCARA_CHECK(check_object(signature));
        LOCARA_TRY(auto id, signature.text("keyid"));
        LOCARA_TRY(auto hex, signature.text("sig"));
        if (!ids.insert(id).second) {
            return corrupt(std::string(role) + ": the key " + in_quotes(id) + " signs twice");
        }
        out.signatures.push_back({std::move(id), std::move(hex)});
    }
    LOCARA_TRY(const auto found_type, content.text("_type"));
    if (found_type != type) {
        return corrupt(std::string(role) + ": _type is " + in_quotes(found_type) + "; '" +
                       std::string(type) + "' is wanted");
    }
    LOCARA_TRY(const auto specification, content.text("spec_version"));
    if (!specification.starts_with("1.")) {
        return corrupt(std::string(role) + ": spec_version is " + in_quotes(specification) +
                       "; TUF 1.x is understood");
    }
    LOCARA_TRY(out.version, content.count("version", 1));
    LOCARA_TRY(const auto expires, content.text("expires"));
    const auto time = parse_time(expires);
    if (!time) {
        return corrupt(std::string(role) + ": expires is " + in_quotes(expires) +
                       "; a time as 2026-11-22T19:06:28Z is wanted");
    }
    out.expires = *time;
    // A field beyond the specification: what others may mean by it is not judged.
    if (const auto at = content.find("signed_at"); at && at->json().is_string()) {
        if (auto when = parse_time(at->json().get<std::string>())) {
            out.signed_at = *when;
        }
    }
    out.content = std::move(json->at("signed")); // `content` looked into it until here
    return out;
}

Result<Root> parse_root(const Envelope& envelope) {
    const Node node = signed_part(envelope, "root");
    Root out;
    out.version = envelope.version;
    out.expires = envelope.expires;
    if (const auto consistent = node.find("consistent_snapshot")) {
        if (!consistent->json().is_boolean()) {
            return consistent->wrong("true or false");
        }
        out.consistent_snapshot = consistent->json().get<bool>();
    }
    LOCARA_TRY(const auto keys, parse_keys(node));
    LOCARA_TRY(const auto roles, node.object("roles"));
    for (const auto role : kTopLevelRoles) {
        LOCARA_TRY(const auto entry, roles.object(std::string(role).c_str()));
        LOCARA_TRY(auto role_keys, parse_role_keys(entry, keys));
        out.roles.emplace(role, std::move(role_keys));
    }
    return out;
}

Result<Timestamp> parse_timestamp(const Envelope& envelope) {
    LOCARA_TRY(const auto meta, signed_part(envelope, "timestamp").object("meta"));
    LOCARA_TRY(const auto snapshot, meta.object("snapshot.json"));
    Timestamp out;
    out.version = envelope.version;
    out.expires = envelope.expires;
    out.signed_at = envelope.signed_at;
    LOCARA_TRY(out.snapshot, parse_meta_file(snapshot));
    return out;
}

Result<Snapshot> parse_snapshot(const Envelope& envelope) {
    LOCARA_TRY(const auto meta, signed_part(envelope, "snapshot").object("meta"));
    Snapshot out;
    out.version = envelope.version;
    out.expires = envelope.expires;
    out.signed_at = envelope.signed_at;
    for (const auto& [file, value] : meta.json().items()) {
        LOCARA_TRY(auto entry, parse_meta_file(meta.at(file, value)));
        out.files.emplace(file, std::move(entry));
    }
    return out;
}

Result<Targets> parse_targets(const Envelope& envelope, std::string_view role) {
    const Node node = signed_part(envelope, role);
    LOCARA_TRY(const auto targets, node.object("targets"));
    Targets out;
    out.version = envelope.version;
    out.expires = envelope.expires;
    out.signed_at = envelope.signed_at;
    for (const auto& [name, value] : targets.json().items()) {
        LOCARA_TRY(auto target, parse_target(name, targets.at(name, value), role));
        out.targets.emplace(name, std::move(target));
    }
    LOCARA_TRY(out.delegations, parse_delegations(node));
    return out;
}

Status verify_signatures(const Envelope& envelope,
                         const RoleKeys& keys,
                         std::string_view role,
                         std::string_view signer) {
    std::set<std::string_view> good; // identities of keys
    for (const auto& signature : envelope.signatures) {
        if (good.size() >= keys.threshold) {
            break;
        }
        const auto key = keys.by_id.find(signature.key_id);
        if (key == keys.by_id.end() || good.count(key->second.identity()) != 0) {
            continue;
        }
        const auto bytes = parse_hex(signature.hex);
        if (bytes && key->second.verify(as_bytes(envelope.canonical), *bytes)) {
            good.insert(key->second.identity());
        }
    }
    if (good.size() >= keys.threshold) {
        return {};
    }
    return corrupt(std::string(role) + ": version " + std::to_string(envelope.version) +
                   " has good signatures of " + std::to_string(good.size()) + " of the " +
                   std::to_string(keys.threshold) + " keys that " + std::string(signer) +
                   " wants; it was changed on its way or not signed by the hub's curators. "
                   "Nothing of it was taken");
}

Status verify_meta_file(std::string_view bytes, const MetaFile& meta, std::string_view role) {
    if (meta.length && bytes.size() != *meta.length) {
        return not_the_length("the " + std::string(role) + " metadata", bytes.size(), *meta.length);
    }
    bool known = meta.hashes.empty();
    for (const auto& [algorithm, expected] : meta.hashes) {
        const EVP_MD* function = known_algorithm(algorithm);
        if (function == nullptr) {
            continue;
        }
        known = true;
        if (const auto found = digest_hex(function, bytes); found != expected) {
            return not_the_hash(
                "the " + std::string(role) + " metadata", algorithm, found, expected);
        }
    }
    if (!known) {
        return corrupt(std::string(role) + " is listed with unknown hash algorithms only; sha256 "
                                           "or sha512 is wanted");
    }
    return {};
}

struct TargetCheck::State {
    struct Hash {
        std::string algorithm;
        std::string expected;
        std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free};
    };

    const Target* target;
    std::string what;
    std::vector<Hash> hashes;
    std::uint64_t length = 0;
};

TargetCheck::TargetCheck(const Target& target) : state_(std::make_unique<State>()) {
    state_->target = &target;
    state_->what = "the file " + in_quotes(target.name);
    for (const auto& [algorithm, expected] : target.hashes) {
        if (const EVP_MD* function = known_algorithm(algorithm)) {
            State::Hash hash{algorithm, expected};
            LOCARA_ASSERT(EVP_DigestInit_ex(hash.context.get(), function, nullptr) == 1);
            state_->hashes.push_back(std::move(hash));
        }
    }
}

TargetCheck::TargetCheck(TargetCheck&&) noexcept = default;
TargetCheck::~TargetCheck() = default;

Status TargetCheck::update(ByteView bytes) {
    state_->length += bytes.size();
    if (state_->length > state_->target->length) {
        return not_the_length(state_->what, state_->length, state_->target->length);
    }
    for (const auto& hash : state_->hashes) {
        LOCARA_ASSERT(EVP_DigestUpdate(hash.context.get(), bytes.data(), bytes.size()) == 1);
    }
    return {};
}

Status TargetCheck::finish() {
    if (state_->length != state_->target->length) {
        return not_the_length(state_->what, state_->length, state_->target->length);
    }
    if (state_->hashes.empty()) {
        return corrupt(state_->what +
                       " is listed with unknown hash algorithms only; sha256 or sha512 is wanted");
    }
    for (const auto& hash : state_->hashes) {
        std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
        unsigned length = 0;
        LOCARA_ASSERT(EVP_DigestFinal_ex(hash.context.get(), digest.data(), &length) == 1);
        const std::string found = render_hex(std::as_bytes(std::span(digest)).first(length));
        if (found != hash.expected) {
            return not_the_hash(state_->what, hash.algorithm, found, hash.expected);
        }
    }
    return {};
}

Status verify_target(const Target& target, std::string_view bytes) {
    TargetCheck check(target);
    LOCARA_CHECK(check.update(as_bytes(bytes)));
    return check.finish();
}

bool is_short_lived(std::string_view role) {
    return role == "timestamp" || role == "snapshot" || role == "takedown";
}

Status verify_unexpired(std::string_view role, TimePoint expires, TimePoint now, Expiry rule) {
    if (expires > now || (rule == Expiry::OfflineBundle && is_short_lived(role))) {
        return {};
    }
    return corrupt("the hub's " + std::string(role) + " expired on " + render_time(expires) +
                   ", and it is " + render_time(now) +
                   " here; the hub's operator must re-sign it, or this machine's clock is wrong");
}

Result<Root> check_first_root(std::string_view bytes) {
    LOCARA_TRY(const auto envelope, parse_envelope(bytes, "root", "root", kRootLimitBytes));
    LOCARA_TRY(auto root, parse_root(envelope));
    LOCARA_CHECK(verify_signatures(envelope, keys_of(root, "root"), "root", "it itself"));
    return root;
}

Result<Root> check_next_root(std::string_view bytes, const Root& trusted) {
    LOCARA_TRY(const auto envelope, parse_envelope(bytes, "root", "root", kRootLimitBytes));
    // The keys we trust first: what they did not sign may not make us work.
    LOCARA_CHECK(verify_signatures(envelope, keys_of(trusted, "root"), "root", name_of(trusted)));
    LOCARA_TRY(auto root, parse_root(envelope));
    LOCARA_CHECK(verify_signatures(envelope, keys_of(root, "root"), "root", "it itself"));
    LOCARA_CHECK(
        verify_version("root", root.version, trusted.version + 1, "its place in the chain"));
    return root;
}

Result<Timestamp> check_timestamp(std::string_view bytes, const Root& root) {
    LOCARA_TRY(const auto envelope,
               parse_envelope(bytes, "timestamp", "timestamp", kTimestampLimitBytes));
    LOCARA_CHECK(
        verify_signatures(envelope, keys_of(root, "timestamp"), "timestamp", name_of(root)));
    return parse_timestamp(envelope);
}

Result<Snapshot> check_snapshot(std::string_view bytes, const Root& root, const MetaFile* meta) {
    if (meta != nullptr) {
        LOCARA_CHECK(verify_meta_file(bytes, *meta, "snapshot"));
    }
    LOCARA_TRY(const auto envelope,
               parse_envelope(bytes, "snapshot", "snapshot", kSnapshotLimitBytes));
    LOCARA_CHECK(verify_signatures(envelope, keys_of(root, "snapshot"), "snapshot", name_of(root)));
    if (meta != nullptr) {
        LOCARA_CHECK(verify_version("snapshot", envelope.version, meta->version, "the timestamp"));
    }
    return parse_snapshot(envelope);
}

Result<Targets> check_targets(std::string_view bytes,
                              std::string_view role,
                              const MetaFile& meta,
                              const RoleKeys& keys,
                              std::string_view parent) {
    LOCARA_CHECK(verify_meta_file(bytes, meta, role));
    LOCARA_TRY(const auto envelope, parse_envelope(bytes, "targets", role, kTargetsLimitBytes));
    LOCARA_CHECK(verify_signatures(envelope, keys, role, parent));
    LOCARA_CHECK(verify_version(role, envelope.version, meta.version, "the snapshot"));
    return parse_targets(envelope, role);
}

Result<const Targets*>
Delegations::get(const std::string& role, const RoleKeys& keys, const std::string& parent) {
    const auto file = snapshot_.files.find(role + ".json");
    if (file == snapshot_.files.end()) {
        return corrupt(in_quotes(role) + ": the role is delegated to by " + parent +
                       ", but the snapshot does not list it; a part of the catalog was left out");
    }
    const auto loaded = loaded_.find(role);
    if (loaded == loaded_.end()) {
        if (loaded_.size() > kDelegatedRoleLimit) { // the top-level role is one of them
            return corrupt("the catalog has more than " + std::to_string(kDelegatedRoleLimit) +
                           " delegated roles");
        }
        LOCARA_TRY(auto fresh, obtain_(role, file->second, keys, parent));
        checked_.emplace(parent, role);
        return &loaded_.emplace(role, std::move(fresh)).first->second.content;
    }
    // Reached through another parent: its keys have their own say.
    if (checked_.count({parent, role}) == 0) {
        LOCARA_CHECK(check_targets(loaded->second.bytes, role, file->second, keys, parent));
        checked_.emplace(parent, role);
    }
    return &loaded->second.content;
}

Status Delegations::load_top() {
    LOCARA_CHECK(get("targets", keys_of(root_, "targets"), name_of(root_)));
    return {};
}

Status Delegations::load_all() {
    LOCARA_TRY(const Targets* const top, get("targets", keys_of(root_, "targets"), name_of(root_)));
    for (const Delegation& delegation : top->delegations) {
        LOCARA_TRY(const Targets* const role, get(delegation.name, delegation.keys, "targets"));
        if (!role->delegations.empty()) {
            return corrupt(in_quotes(delegation.name) + " delegates to " +
                           in_quotes(role->delegations.front().name) +
                           ", and only targets may; tell the hub's operator. Nothing was taken");
        }
    }
    return {};
}

Result<std::optional<Target>> Delegations::find(std::string_view name) {
    struct Step {
        std::string role;
        const RoleKeys* keys;
        std::string parent;
    };

    std::set<std::string> visited;
    std::vector<Step> to_visit = {{"targets", &keys_of(root_, "targets"), name_of(root_)}};
    while (!to_visit.empty() && visited.size() <= kDelegatedRoleLimit) {
        const Step step = std::move(to_visit.back());
        to_visit.pop_back();
        if (!visited.insert(step.role).second) {
            continue;
        }
        LOCARA_TRY(const Targets* targets, get(step.role, *step.keys, step.parent));
        if (const auto target = targets->targets.find(name); target != targets->targets.end()) {
            return std::optional<Target>(target->second);
        }
        std::vector<Step> children;
        for (const auto& delegation : targets->delegations) {
            if (!delegation.covers(name)) {
                continue;
            }
            children.push_back({delegation.name, &delegation.keys, step.role});
            if (delegation.terminating) {
                to_visit.clear(); // no backtracking beyond this delegation
                break;
            }
        }
        std::move(children.rbegin(), children.rend(), std::back_inserter(to_visit));
    }
    return std::optional<Target>();
}

Result<std::map<std::string, Target, std::less<>>> Delegations::all() {
    std::map<std::string, Target, std::less<>> out;
    for (const auto& [role, loaded] : loaded_) {
        for (const auto& [name, target] : loaded.content.targets) {
            if (out.count(name) != 0) {
                continue;
            }
            LOCARA_TRY(auto found, find(name)); // another role, or none, may have the word
            if (found) {
                out.emplace(name, *std::move(found));
            }
        }
    }
    return out;
}

} // namespace locara::catalog
