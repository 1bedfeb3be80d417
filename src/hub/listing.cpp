#include "listing.hpp"

#include <algorithm>
#include <limits>

namespace locara::hub {
namespace {

bool is_oid(std::string_view text) {
    return text.size() == 40 &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Whether this can be a path inside a repository.
bool is_path(std::string_view path) {
    if (path.empty() || path.size() > kListingPathBytes || path.find('\0') != path.npos ||
        path.find('\\') != path.npos) {
        return false;
    }
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        const std::string_view part = path.substr(begin, end - begin);
        if (part.empty() || part == "." || part == "..") {
            return false;
        }
        begin = end + 1;
    }
    return true;
}

std::optional<std::string> text_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? std::optional(found->get<std::string>())
                                                       : std::nullopt;
}

std::optional<std::uint64_t> size_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_unsigned()) {
        return std::nullopt;
    }
    const auto value = found->get<std::uint64_t>();
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return value <= kMost ? std::optional(value) : std::nullopt;
}

Error wrong(std::size_t number, std::string_view what) {
    return Error(ErrorCode::Corrupt,
                 "entry " + std::to_string(number) + " of the tree has " + std::string(what));
}

Result<GitEntry> parse_entry(const Json& json, std::size_t number) {
    if (!json.is_object()) {
        return wrong(number, "no fields");
    }
    GitEntry entry;
    const std::string type = text_of(json, "type").value_or("");
    if (type != "file" && type != "directory") {
        return wrong(number, "a type that is neither file nor directory");
    }
    entry.kind = type == "file" ? GitEntry::Kind::File : GitEntry::Kind::Directory;
    entry.path = text_of(json, "path").value_or("");
    if (!is_path(entry.path)) {
        return wrong(number, "a path that can be in no repository");
    }
    entry.oid = text_of(json, "oid").value_or("");
    if (!is_oid(entry.oid)) {
        return wrong(number, "an oid that is not 40 hex digits");
    }
    const auto size = size_of(json, "size");
    if (!size) {
        return wrong(number, "no size");
    }
    if (entry.kind == GitEntry::Kind::Directory) {
        return entry;
    }
    entry.blob_size = *size;
    const auto lfs = json.find("lfs");
    if (lfs == json.end() || lfs->is_null()) {
        return entry;
    }
    const auto digest =
        crypto::Sha256Digest::parse(lfs->is_object() ? text_of(*lfs, "oid").value_or("") : "");
    const auto lfs_size = lfs->is_object() ? size_of(*lfs, "size") : std::nullopt;
    if (!digest || !lfs_size || *lfs_size != *size) {
        return wrong(number, "an lfs part without a SHA-256 and the file's size");
    }
    entry.lfs = LfsPointer{*digest, *lfs_size};
    entry.blob_size = size_of(*lfs, "pointerSize").value_or(entry.lfs->render().size());
    return entry;
}

} // namespace

Status Listing::add_page(std::string_view json) {
    JsonLimits limits;
    limits.bytes = kListingBytes;
    auto page = parse_json(json, limits);
    if (!page) {
        return Error(page.error().code() == ErrorCode::TooLarge ? ErrorCode::TooLarge
                                                                : ErrorCode::Corrupt,
                     "a page of the tree: " + page.error().message());
    }
    if (!page->is_array()) {
        return Error(ErrorCode::Corrupt, "a page of the tree is no list");
    }
    if (page->size() > kListingEntries - entries_.size()) {
        return Error(ErrorCode::TooLarge,
                     "the commit has more than " + std::to_string(kListingEntries) + " entries");
    }
    for (const Json& one : *page) {
        LOCARA_TRY(GitEntry entry, parse_entry(one, entries_.size()));
        if (!by_path_.emplace(entry.path, entries_.size()).second) {
            return wrong(entries_.size(), "a path that is there already");
        }
        entries_.push_back(std::move(entry));
    }
    return {};
}

const GitEntry* Listing::find(const std::string& path) const {
    const auto found = by_path_.find(path);
    return found == by_path_.end() ? nullptr : &entries_[found->second];
}

std::vector<GitEntry> Listing::below(const std::string& folder,
                                     GitRepo::Recursive recursive) const {
    const std::string prefix = folder.empty() ? "" : folder + "/";
    std::vector<GitEntry> found;
    for (const GitEntry& entry : entries_) {
        const bool inside =
            entry.path.size() > prefix.size() && entry.path.compare(0, prefix.size(), prefix) == 0;
        const bool direct = entry.path.find('/', prefix.size()) == std::string::npos;
        if (inside && (direct || recursive == GitRepo::Recursive::Yes)) {
            found.push_back(entry);
        }
    }
    return found;
}

std::string Listing::render() const {
    Json page = Json::array();
    for (const GitEntry& entry : entries_) {
        page.push_back(render_entry(entry, std::nullopt));
    }
    return render_json(page);
}

Json render_entry(const GitEntry& entry, const std::optional<xet::FileHash>& xet) {
    Json json = {{"type", entry.kind == GitEntry::Kind::Directory ? "directory" : "file"},
                 {"oid", entry.oid},
                 {"size", entry.size()},
                 {"path", entry.path}};
    if (entry.lfs) {
        json["lfs"] = {{"oid", entry.lfs->sha256.render()},
                       {"size", entry.lfs->size},
                       {"pointerSize", entry.blob_size}};
    }
    if (xet) {
        json["xetHash"] = xet->render();
    }
    return json;
}

} // namespace locara::hub
