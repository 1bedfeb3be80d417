#include <locara/base/clock.hpp>
#include <locara/base/json.hpp>
#include <locara/base/line.hpp>
#include <locara/catalog/takedown.hpp>

#include <algorithm>
#include <set>
#include <tuple>

namespace locara::catalog {

namespace {

constexpr std::string_view kSchema = "locara.dev/takedown/v1";
constexpr std::size_t kLimitBytes = 5'000'000;
constexpr std::size_t kEntryLimit = 100'000;

Error wrong(const std::string& where, std::string_view wanted) {
    return Error(ErrorCode::InvalidArgument,
                 "takedown list: " + where + ": " + std::string(wanted) + " is wanted");
}

Result<std::string> text(const Json& object, const char* key, const std::string& where) {
    const auto member = object.find(key);
    if (member == object.end() || !member->is_string() || member->get<std::string>().empty()) {
        return wrong(where + "." + key, "a string that is not empty");
    }
    return member->get<std::string>();
}

/// Strict on what weakens, lenient on what a later version may add.
TakedownAction parse_action(std::string_view text) {
    if (text == "warn") {
        return TakedownAction::Warn;
    }
    return text == "block-install" ? TakedownAction::BlockInstall : TakedownAction::BlockRun;
}

/// Days come first on their day: "2026-11-22" counts as its midnight.
Result<std::string> comparable(const std::string& date) {
    const std::string time = date.size() == 10 ? date + "T00:00:00Z" : date;
    LOCARA_CHECK(parse_time(time));
    return time;
}

Result<TakedownEntry> parse_entry(const Json& value, const std::string& where) {
    if (!value.is_object()) {
        return wrong(where, "an object");
    }
    TakedownEntry entry;
    LOCARA_TRY(entry.kind, text(value, "kind", where));
    LOCARA_TRY(entry.id, text(value, "id", where));
    LOCARA_TRY(const std::string action, text(value, "action", where));
    entry.action = parse_action(action);
    LOCARA_TRY(entry.reason, text(value, "reason", where));
    LOCARA_TRY(entry.date, text(value, "date", where));
    if (!comparable(entry.date)) {
        return wrong(where + ".date", "a day as 2026-11-22 or a time as 2026-11-22T19:06:28Z");
    }
    const auto versions = value.find("versions");
    if (versions != value.end() && !versions->is_null()) {
        if (!versions->is_array()) {
            return wrong(where + ".versions", "null or a list of strings");
        }
        entry.versions.emplace();
        for (const auto& version : *versions) {
            if (!version.is_string()) {
                return wrong(where + ".versions", "null or a list of strings");
            }
            entry.versions->push_back(version.get<std::string>());
        }
    }
    return entry;
}

bool is_hex(std::string_view text, std::size_t size) {
    return text.size() == size && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

bool is_digest(std::string_view id) {
    constexpr std::string_view kPrefix = "sha256:";
    return id.starts_with(kPrefix) && is_hex(id.substr(kPrefix.size()), 64);
}

/// "org/repo@<commit>", whatever repositories elsewhere may be called.
bool is_pinned_repository(std::string_view id) {
    const auto slash = id.find('/');
    const auto at = id.rfind('@');
    return at != std::string_view::npos && slash != std::string_view::npos && slash > 0 &&
           slash + 1 < at && id.find('/', slash + 1) == std::string_view::npos &&
           is_hex(id.substr(at + 1), 40);
}

/// InvalidArgument for an entry that no app, bundle, model or file can ever match.
Status check_matchable(const TakedownEntry& entry) {
    bool has_versions = false;
    if (entry.kind == "app") {
        LOCARA_CHECK(manifest::AppId::parse(entry.id).context("the id of an app"));
        has_versions = true;
    } else if (entry.kind == "model") {
        has_versions = manifest::ModelId::parse(entry.id).has_value();
        if (!has_versions && !is_digest(entry.id) && !is_pinned_repository(entry.id)) {
            return wrong("'" + entry.id.substr(0, 120) + "'",
                         "a model's publisher/name, org/repo@ and 40 hex digits of a commit, or "
                         "sha256: and 64 of a manifest");
        }
    } else if (entry.kind == "bundle" || entry.kind == "file") {
        if (!is_digest(entry.id)) {
            return wrong("'" + entry.id.substr(0, 120) + "'",
                         "sha256: and 64 small hex digits, for a " + entry.kind + ",");
        }
    } else {
        return wrong("the new entry's kind", "app, bundle, model or file");
    }
    if (!entry.versions) {
        return {};
    }
    if (!has_versions) {
        return Error(ErrorCode::InvalidArgument,
                     "'" + entry.id.substr(0, 120) +
                         "' has no versions; leave them out, and all of it is called back");
    }
    if (entry.versions->empty()) {
        return wrong("the new entry's versions", "at least one, or none for all of them,");
    }
    for (const auto& version : *entry.versions) {
        LOCARA_CHECK(manifest::Version::parse(version).context("a version to call back"));
    }
    return {};
}

} // namespace

std::string_view render(TakedownAction action) {
    switch (action) {
    case TakedownAction::Warn:
        return "warn";
    case TakedownAction::BlockInstall:
        return "block-install";
    case TakedownAction::BlockRun:
        return "block-run";
    }
    return "block-run";
}

Json render(const TakedownEntry& entry) {
    return {{"kind", entry.kind},
            {"id", entry.id},
            {"versions", entry.versions ? Json(*entry.versions) : Json(nullptr)},
            {"action", render(entry.action)},
            {"reason", entry.reason},
            {"date", entry.date}};
}

TakedownName takedown_name(const crypto::Sha256Digest& file) {
    return {"file", "sha256:" + file.render(), ""};
}

std::vector<TakedownName> takedown_names(const std::string& source,
                                         const manifest::ModelId& id,
                                         const manifest::Version& version,
                                         const crypto::Sha256Digest& manifest,
                                         std::span<const crypto::Sha256Digest> files) {
    std::vector<TakedownName> names = {{"model", source, ""},
                                       {"model", id.render(), version.render()},
                                       {"model", "sha256:" + manifest.render(), ""}};
    for (const auto& file : files) {
        names.push_back(takedown_name(file));
    }
    return names;
}

std::vector<TakedownName> takedown_names(const manifest::ModelManifest& model,
                                         const crypto::Sha256Digest& manifest,
                                         std::span<const crypto::Sha256Digest> files) {
    return takedown_names(
        model.source.repo + "@" + model.source.revision, model.id, model.version, manifest, files);
}

std::vector<TakedownName> takedown_names(const manifest::ModelManifest& model,
                                         const crypto::Sha256Digest& manifest) {
    std::vector<crypto::Sha256Digest> files;
    for (const manifest::Variant& variant : model.variants) {
        for (const manifest::ModelFile& file : variant.files) {
            files.push_back(file.sha256);
        }
    }
    return takedown_names(model, manifest, files);
}

std::vector<TakedownName> takedown_names(const manifest::AppId& app,
                                         const manifest::Version& version,
                                         std::span<const crypto::Sha256Digest> bundle,
                                         std::span<const manifest::BundleFile> files) {
    std::vector<TakedownName> names = {{"app", app.render(), version.render()}};
    for (const auto& digest : bundle) {
        names.push_back({"bundle", "sha256:" + digest.render(), ""});
    }
    for (const auto& file : files) {
        names.push_back(takedown_name(file.sha256));
    }
    return names;
}

std::optional<TakedownEntry> stricter(std::optional<TakedownEntry> one,
                                      std::optional<TakedownEntry> other) {
    return other && (!one || one->action < other->action) ? other : one;
}

Result<TakedownList> TakedownList::parse(std::string_view text_bytes) {
    LOCARA_TRY(const auto json, parse_json(text_bytes, JsonLimits{kLimitBytes}));
    if (!json.is_object()) {
        return wrong("the document", "an object");
    }
    LOCARA_TRY(const std::string schema, text(json, "schema", "the document"));
    if (schema != kSchema) {
        return wrong("schema", "\"" + std::string(kSchema) + "\"");
    }
    const auto entries = json.find("entries");
    if (entries == json.end() || !entries->is_array()) {
        return wrong("entries", "a list");
    }
    if (entries->size() > kEntryLimit) {
        return Error(ErrorCode::TooLarge,
                     "the takedown list has " + std::to_string(entries->size()) +
                         " entries; at most " + std::to_string(kEntryLimit) + " are read");
    }
    TakedownList list;
    for (std::size_t i = 0; i < entries->size(); ++i) {
        LOCARA_TRY(auto entry, parse_entry((*entries)[i], "entries[" + std::to_string(i) + "]"));
        list.entries_.push_back(std::move(entry));
    }
    return list;
}

std::string TakedownList::render() const {
    Json entries = Json::array();
    for (const auto& entry : entries_) {
        entries.push_back(catalog::render(entry));
    }
    return render_json({{"schema", kSchema}, {"entries", std::move(entries)}});
}

Result<std::string> TakedownList::render_readable() const {
    std::string text = render();
    LOCARA_CHECK(parse(text).context("nobody could read the takedown list any more, so it stays as "
                                     "it is"));
    return text;
}

std::optional<TakedownEntry>
TakedownList::find(std::string_view kind, std::string_view id, std::string_view version) const {
    std::optional<TakedownEntry> latest;
    std::string latest_date;
    for (const auto& entry : entries_) {
        if (entry.kind != kind || entry.id != id) {
            continue;
        }
        if (entry.versions && std::find(entry.versions->begin(), entry.versions->end(), version) ==
                                  entry.versions->end()) {
            continue;
        }
        const std::string date = comparable(entry.date).value(); // parse and append see to it
        if (!latest || date >= latest_date) {
            latest = entry;
            latest_date = date;
        }
    }
    return latest;
}

std::optional<TakedownEntry> TakedownList::find(std::span<const TakedownName> names) const {
    std::optional<TakedownEntry> strictest;
    for (const TakedownName& name : names) {
        strictest = stricter(std::move(strictest), find(name.kind, name.id, name.version));
    }
    return strictest;
}

std::optional<TakedownEntry> TakedownList::newest() const {
    std::optional<TakedownEntry> latest;
    for (const auto& entry : entries_) {
        if (!latest || comparable(entry.date).value() >= comparable(latest->date).value()) {
            latest = entry;
        }
    }
    return latest;
}

bool is_before(const std::string& date, const std::string& other) {
    const auto one = comparable(date);
    const auto two = comparable(other);
    return one && two && *one < *two;
}

void TakedownList::add(const TakedownList& newer) {
    const auto less = [](const TakedownEntry* a, const TakedownEntry* b) {
        return std::tie(a->kind, a->id, a->versions, a->action, a->reason, a->date) <
               std::tie(b->kind, b->id, b->versions, b->action, b->reason, b->date);
    };
    std::set<const TakedownEntry*, decltype(less)> known(less);
    for (const auto& entry : newer.entries_) {
        known.insert(&entry);
    }
    std::vector<TakedownEntry> merged;
    for (const auto& entry : entries_) {
        if (known.count(&entry) == 0) {
            merged.push_back(entry);
        }
    }
    merged.insert(merged.end(), newer.entries_.begin(), newer.entries_.end());
    entries_ = std::move(merged);
}

Status TakedownList::append(TakedownEntry entry) {
    LOCARA_CHECK(check_matchable(entry));
    LOCARA_CHECK(check_filled_line(entry.reason).context("the reason"));
    if (entry.reason.size() > kTakedownReasonBytes) {
        return Error(ErrorCode::InvalidArgument,
                     "the reason has " + std::to_string(entry.reason.size()) + " bytes; at most " +
                         std::to_string(kTakedownReasonBytes) + " are taken");
    }
    LOCARA_CHECK(check_line(entry.id).context("the id"));
    if (!comparable(entry.date)) {
        return wrong("the new entry's date",
                     "a day as 2026-11-22 or a time as 2026-11-22T19:06:28Z");
    }
    entries_.push_back(std::move(entry));
    return {};
}

} // namespace locara::catalog
