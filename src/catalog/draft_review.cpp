#include "metadata.hpp"

#include <locara/base/bytes.hpp>
#include <locara/catalog/draft_review.hpp>

#include <algorithm>
#include <map>

namespace locara::catalog {

namespace {

constexpr const char* kForSigners = "for_signers";
// Two levels deeper than the metadata inside it.
constexpr JsonLimits kDraftFileLimits{kDraftFileLimitBytes, kJsonDepthLimit + 2};
constexpr std::string_view kTakedownTarget = "takedown/list.json";

Error corrupt(std::string message) {
    return Error(ErrorCode::Corrupt, std::move(message));
}

Result<Envelope> parse_role(const std::string& role, std::string_view bytes) {
    return parse_envelope(bytes, role == "root" ? "root" : "targets", role, limit_of(role));
}

std::string sha256_of(const Target& target) {
    const auto found = target.hashes.find("sha256");
    return found == target.hashes.end() ? "" : found->second;
}

/// "1.0.0" of apps/bob/notes-1.0.0.json and of models/org/name/1.0.0.json: where a digit follows
/// the slash or a dash (a version has two dots, a name none).
std::string version_in(std::string_view path) {
    std::string_view file = path.substr(path.rfind('/') + 1);
    file = file.substr(0, file.rfind('.'));
    for (std::size_t at = 0; at < file.size(); ++at) {
        const bool starts = at == 0 || file[at - 1] == '-';
        const std::string_view rest = file.substr(at);
        if (starts && rest[0] >= '0' && rest[0] <= '9' &&
            std::count(rest.begin(), rest.end(), '.') >= 2) {
            return std::string(rest);
        }
    }
    return "";
}

template <typename List> void changed_first(List& list) {
    std::stable_partition(
        list.begin(), list.end(), [](const auto& one) { return one.change != Change::Same; });
}

using TargetMap = std::map<std::string, Target, std::less<>>;

std::vector<ReviewedTarget> compare(const TargetMap& now, const TargetMap& before) {
    std::vector<ReviewedTarget> out;
    for (const auto& [name, target] : now) {
        ReviewedTarget one{Change::Same, name, version_in(name), sha256_of(target), ""};
        if (const auto was = before.find(name); was == before.end()) {
            one.change = Change::Added;
        } else if (!(was->second == target)) {
            one.change = Change::Changed;
            one.was = sha256_of(was->second) == one.sha256 ? "" : sha256_of(was->second);
        }
        out.push_back(std::move(one));
    }
    for (const auto& [name, target] : before) {
        if (!now.contains(name)) {
            out.push_back({Change::Removed, name, version_in(name), sha256_of(target), ""});
        }
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    changed_first(out);
    return out;
}

struct Signers {
    std::uint64_t threshold = 0;
    std::vector<std::string> keys;
    std::vector<std::string> paths;
};

/// `named` are the ids as the metadata lists them.
Signers signers_of(const RoleKeys& keys, const Json& named) {
    Signers out;
    out.threshold = keys.threshold;
    for (const auto& id : named) {
        const auto known = keys.by_id.find(id.get<std::string>());
        out.keys.push_back(known == keys.by_id.end()
                               ? id.get<std::string>() + " (a kind of key that is not known here)"
                               : known->second.id());
    }
    std::sort(out.keys.begin(), out.keys.end());
    return out;
}

/// Every role that the metadata says the signers of, in its order. It was parsed before.
Result<std::vector<std::pair<std::string, Signers>>> roles_in(const Envelope& envelope,
                                                              const std::string& role) {
    std::vector<std::pair<std::string, Signers>> out;
    if (role == "root") {
        LOCARA_TRY(const auto root, parse_root(envelope));
        for (const auto& [name, keys] : root.roles) {
            out.emplace_back(name,
                             signers_of(keys, envelope.content.at("roles").at(name).at("keyids")));
        }
        return out;
    }
    LOCARA_TRY(const auto targets, parse_targets(envelope, role));
    for (std::size_t i = 0; i < targets.delegations.size(); ++i) {
        const Delegation& one = targets.delegations[i];
        out.emplace_back(
            one.name,
            signers_of(one.keys,
                       envelope.content.at("delegations").at("roles").at(i).at("keyids")));
        Signers& signers = out.back().second;
        signers.paths = one.paths;
        for (const auto& prefix : one.path_hash_prefixes) {
            signers.paths.push_back("SHA-256 from " + prefix);
        }
        if (one.terminating) {
            signers.paths.push_back("terminating");
        }
    }
    return out;
}

ReviewedRole compare(const std::string& name, const Signers& now, const Signers* before) {
    ReviewedRole out{before == nullptr ? Change::Added : Change::Same,
                     name,
                     now.threshold,
                     {},
                     {},
                     now.paths,
                     {}};
    const auto has = [](const Signers& signers, const std::string& id) {
        return std::binary_search(signers.keys.begin(), signers.keys.end(), id);
    };
    for (const auto& id : now.keys) {
        const bool known = before != nullptr && has(*before, id);
        out.keys.push_back({known ? Change::Same : Change::Added, id});
    }
    if (before == nullptr) {
        return out;
    }
    for (const auto& id : before->keys) {
        if (!has(now, id)) {
            out.keys.push_back({Change::Removed, id});
        }
    }
    if (before->threshold != now.threshold) {
        out.threshold_was = before->threshold;
    }
    if (before->paths != now.paths) {
        out.paths_were = before->paths;
    }
    const bool same_keys = std::all_of(out.keys.begin(), out.keys.end(), [](const auto& key) {
        return key.change == Change::Same;
    });
    if (!same_keys || out.threshold_was || out.paths_were) {
        out.change = Change::Changed;
    }
    return out;
}

Result<std::vector<ReviewedRole>>
compare_roles(const Envelope& now, const Envelope* before, const std::string& role) {
    LOCARA_TRY(const auto here, roles_in(now, role));
    std::vector<std::pair<std::string, Signers>> there;
    if (before != nullptr) {
        LOCARA_TRY(there, roles_in(*before, role));
    }
    const auto find = [](const auto& list, const std::string& name) {
        const auto found = std::find_if(
            list.begin(), list.end(), [&](const auto& one) { return one.first == name; });
        return found == list.end() ? nullptr : &found->second;
    };
    std::vector<ReviewedRole> out;
    for (const auto& [name, signers] : here) {
        out.push_back(compare(name, signers, find(there, name)));
    }
    for (const auto& [name, signers] : there) {
        if (find(here, name) == nullptr) {
            out.push_back({Change::Removed, name, signers.threshold, {}, {}, signers.paths, {}});
        }
    }
    return out;
}

/// The list, if it is the one that the metadata names. Nothing if it names none.
Result<TakedownList> list_of(const Targets& targets, const std::string& bytes) {
    const auto named = targets.targets.find(kTakedownTarget);
    if (named == targets.targets.end()) {
        return TakedownList();
    }
    LOCARA_CHECK(
        verify_target(named->second, bytes).context("the takedown list that came with a draft"));
    return TakedownList::parse(bytes);
}

std::vector<ReviewedEntry> compare(const TakedownList& now, const TakedownList& before) {
    std::vector<ReviewedEntry> out;
    std::vector<TakedownEntry> rest = before.entries();
    for (const auto& entry : now.entries()) {
        const auto known = std::find(rest.begin(), rest.end(), entry);
        out.push_back({known == rest.end() ? Change::Added : Change::Same, entry});
        if (known != rest.end()) {
            rest.erase(known);
        }
    }
    for (auto& entry : rest) {
        out.push_back({Change::Removed, std::move(entry)});
    }
    changed_first(out);
    return out;
}

std::vector<std::string> good_signatures(const Envelope& envelope,
                                         std::span<const crypto::PublicKey> keys) {
    std::vector<std::string> out;
    for (const auto& key : keys) {
        for (const auto& signature : envelope.signatures) {
            const auto bytes = parse_hex(signature.hex);
            if (bytes && key.verify(as_bytes(envelope.canonical), *bytes)) {
                out.push_back(key.id());
                break;
            }
        }
    }
    return out;
}

} // namespace

char mark(Change change) {
    switch (change) {
    case Change::Same:
        return ' ';
    case Change::Added:
        return '+';
    case Change::Removed:
        return '-';
    case Change::Changed:
        return '~';
    }
    return ' ';
}

std::string_view render(Change change) {
    switch (change) {
    case Change::Same:
        return "same";
    case Change::Added:
        return "added";
    case Change::Removed:
        return "removed";
    case Change::Changed:
        return "changed";
    }
    return "same";
}

Result<DraftReview> review_draft(const Draft& draft, const Draft* since, const OwnKeys& mine) {
    DraftReview out;
    out.keys_open = mine.open.size();
    out.keys_closed = mine.closed;
    LOCARA_TRY(out.info, inspect_draft(draft));
    LOCARA_TRY(const auto now, parse_role(draft.role, draft.bytes));
    const std::string& before_bytes = since != nullptr ? since->bytes : draft.published;
    const std::string& list_was = since != nullptr ? since->list : draft.list_was;
    std::optional<Envelope> before;
    if (!before_bytes.empty()) {
        LOCARA_TRY(before,
                   parse_role(draft.role, before_bytes).context("what the draft is compared with"));
        out.since = before->version;
        out.since_mine = good_signatures(*before, mine.open);
    }
    if (draft.role == "root" || draft.role == "targets") {
        LOCARA_TRY(out.roles, compare_roles(now, before ? &*before : nullptr, draft.role));
    }
    if (draft.role == "root") {
        return out;
    }
    LOCARA_TRY(const Targets here, parse_targets(now, draft.role));
    Targets there;
    if (before) {
        LOCARA_TRY(there, parse_targets(*before, draft.role));
    }
    out.targets = compare(here.targets, there.targets);
    if (draft.role == "takedown" && here.targets.contains(kTakedownTarget)) {
        if (draft.list.empty()) {
            return Error(ErrorCode::Refused,
                         "the draft came without the takedown list that it names, so nobody can "
                         "see what it calls back; export it again");
        }
        LOCARA_TRY(const auto list, list_of(here, draft.list));
        // What was compared with may come without its list: then every entry counts as new.
        TakedownList was;
        if (!list_was.empty()) {
            LOCARA_TRY(was, list_of(there, list_was));
        }
        out.takedown = compare(list, was);
    }
    return out;
}

Status check_signable(const DraftReview& review, TimePoint now) {
    LOCARA_CHECK(check_lifetime(review.info, now));
    if (!review.since || review.info.version == *review.since + 1) {
        return {};
    }
    return Error(ErrorCode::Refused,
                 "the draft of " + review.info.role + " is version " +
                     std::to_string(review.info.version) + ", and version " +
                     std::to_string(*review.since) +
                     " that it is compared with is not the one before it; export it again, or give "
                     "the version before it by --since FILE");
}

std::string render_draft_file(const Draft& draft) {
    auto document = parse_json(draft.bytes, kDraftFileLimits);
    if (!document || !document->is_object()) {
        return draft.bytes;
    }
    Json more = Json::object();
    if (auto published = parse_json(draft.published, kDraftFileLimits)) {
        more["published"] = *std::move(published);
    }
    if (!draft.list.empty()) {
        more["takedown_list"] = draft.list;
    }
    if (!draft.list_was.empty()) {
        more["takedown_list_published"] = draft.list_was;
    }
    if (more.empty()) {
        return draft.bytes;
    }
    (*document)[kForSigners] = std::move(more);
    return render_json(*document);
}

Result<Draft> parse_draft_file(std::string_view role, std::string_view bytes) {
    Draft draft{std::string(role), std::string(bytes)};
    auto document = parse_json(bytes, kDraftFileLimits);
    if (!document) {
        return corrupt(draft.role.substr(0, 80) + ": " + document.error().message());
    }
    if (!document->is_object() || !document->contains(kForSigners)) {
        return draft;
    }
    const Json more = document->at(kForSigners);
    document->erase(std::string(kForSigners));
    draft.bytes = render_json(*document);
    const auto text = [&more](const char* name) -> std::string {
        const auto found = more.find(name);
        return found != more.end() && found->is_string() ? found->get<std::string>() : "";
    };
    if (!more.is_object()) {
        return corrupt(draft.role.substr(0, 80) + ": for_signers is no object");
    }
    if (const auto published = more.find("published"); published != more.end()) {
        draft.published = render_json(*published);
    }
    draft.list = text("takedown_list");
    draft.list_was = text("takedown_list_published");
    return draft;
}

Json render(const DraftReview& review) {
    Json targets = Json::array();
    for (const auto& one : review.targets) {
        targets.push_back({{"change", render(one.change)},
                           {"name", one.name},
                           {"version", one.version.empty() ? Json() : Json(one.version)},
                           {"sha256", one.sha256.empty() ? Json() : Json(one.sha256)},
                           {"was", one.was.empty() ? Json() : Json(one.was)}});
    }
    Json roles = Json::array();
    for (const auto& one : review.roles) {
        Json keys = Json::array();
        for (const auto& key : one.keys) {
            keys.push_back({{"change", render(key.change)}, {"id", key.id}});
        }
        roles.push_back({{"change", render(one.change)},
                         {"name", one.name},
                         {"threshold", one.threshold},
                         {"threshold_was", one.threshold_was ? Json(*one.threshold_was) : Json()},
                         {"keys", std::move(keys)},
                         {"paths", one.paths},
                         {"paths_were", one.paths_were ? Json(*one.paths_were) : Json()}});
    }
    Json takedown = Json::array();
    for (const auto& [change, entry] : review.takedown) {
        takedown.push_back({{"change", render(change)}, {"entry", render(entry)}});
    }
    Json since;
    if (review.since) {
        since = {{"version", *review.since},
                 {"signed_by_your_keys", review.since_mine},
                 {"your_keys_open", review.keys_open},
                 {"your_keys_closed", review.keys_closed}};
    }
    return {{"role", review.info.role},
            {"version", review.info.version},
            {"expires", render_time(review.info.expires)},
            {"signed_by", review.info.signed_by},
            {"compared_with", std::move(since)},
            {"targets", std::move(targets)},
            {"roles", std::move(roles)},
            {"takedown", std::move(takedown)}};
}

} // namespace locara::catalog
