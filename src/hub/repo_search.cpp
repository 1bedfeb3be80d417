#include "repo_search.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace locara::hub {
namespace {

constexpr std::array<std::string_view, 10> kSortKeys = {"createdAt",
                                                        "downloads",
                                                        "id",
                                                        "lastModified",
                                                        "likes",
                                                        "likes30d",
                                                        "mainSize",
                                                        "num_parameters",
                                                        "trendingScore",
                                                        "usedStorage"};

bool has_tag(const Json& repo, const std::string& tag) {
    const Json& tags = repo["tags"];
    return std::find(tags.begin(), tags.end(), Json(tag)) != tags.end();
}

/// Tags of datasets say what they are about themselves: "language:en".
bool has_tag_of(const Json& repo, const std::string& key, const std::string& value) {
    return has_tag(repo, value) || has_tag(repo, key + ":" + value);
}

std::string type_of_tag(const Json& repo, const std::string& tag) {
    if (const std::size_t colon = tag.find(':'); colon != std::string::npos) {
        return tag.substr(0, colon);
    }
    const auto is = [&](const char* key) {
        const auto found = repo.find(key);
        return found != repo.end() && *found == Json(tag);
    };
    if (is("pipeline_tag")) {
        return "pipeline_tag";
    }
    return is("library_name") || tag == "gguf" || tag == "safetensors" ? "library" : "other";
}

} // namespace

std::string to_lower(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return lower;
}

std::vector<std::string> listed(const http::Request& request, std::string_view key) {
    std::vector<std::string> values;
    for (const std::string& name : {std::string(key), std::string(key) + "[]"}) {
        for (const std::string& list : request.query.all(name)) {
            for (std::size_t begin = 0; begin <= list.size();) {
                const std::size_t end = std::min(list.find(',', begin), list.size());
                values.push_back(list.substr(begin, end - begin));
                begin = end + 1;
            }
        }
    }
    return values;
}

bool fits(const http::Request& request, const Json& repo) {
    const std::string id = to_lower(repo["id"].get<std::string>());
    for (const std::string& word : request.query.all("search")) {
        if (id.find(to_lower(word)) == std::string::npos) {
            return false;
        }
    }
    const bool gated = repo["gated"] != Json(false);
    if (request.query.find("gated") && request.query.flag("gated") != gated) {
        return false;
    }
    if (request.query.find("gguf") && request.query.flag("gguf") != has_tag(repo, "gguf")) {
        return false;
    }
    for (const std::string& tag : listed(request, "filter")) {
        if (!has_tag(repo, tag)) {
            return false;
        }
    }
    for (const char* const key :
         {"pipeline_tag", "library", "license", "language", "task_categories", "size_categories"}) {
        for (const std::string& value : listed(request, key)) {
            if (!has_tag_of(repo, key, value)) {
                return false;
            }
        }
    }
    return true;
}

Status sort_by_query(const http::Request& request, std::vector<Json>& repos) {
    const auto asked = request.query.find("sort");
    if (!asked || asked->empty()) {
        return {};
    }
    if (std::find(kSortKeys.begin(), kSortKeys.end(), *asked) == kSortKeys.end()) {
        std::string known;
        for (const std::string_view key : kSortKeys) {
            known += (known.empty() ? "" : ", ") + std::string(key);
        }
        return Error(ErrorCode::InvalidArgument,
                     "nothing can be sorted by \"" + std::string(*asked) + "\", but by " + known);
    }
    const std::string key(*asked);
    const std::string_view direction = request.query.find("direction").value_or("");
    const bool falling = direction == "-1" || (direction != "1" && key != "id");
    const auto value = [&](const Json& repo) {
        const auto found = repo.find(key);
        return found == repo.end() ? Json(0) : *found;
    };
    std::stable_sort(repos.begin(), repos.end(), [&](const Json& a, const Json& b) {
        return falling ? value(b) < value(a) : value(a) < value(b);
    });
    return {};
}

void keep_only(Json& repo, const std::vector<std::string>& keys) {
    Json kept = {{"_id", repo["_id"]}, {"id", repo["id"]}};
    for (const std::string& key : keys) {
        const auto found = repo.find(key);
        if (found != repo.end()) {
            kept[key] = *found;
        }
    }
    repo = std::move(kept);
}

void shape_for_list(const http::Request& request, Json& repo) {
    const auto keys = listed(request, "expand");
    if (!keys.empty()) {
        keep_only(repo, keys);
        return;
    }
    if (request.query.flag("full")) {
        return;
    }
    for (const char* const key : {"siblings", "gguf", "safetensors"}) {
        repo.erase(key);
    }
    if (!request.query.flag("cardData")) {
        repo.erase("cardData");
    }
}

Json tags_by_type(const std::vector<Json>& repos) {
    std::map<std::string, std::set<std::string>> found;
    for (const Json& repo : repos) {
        for (const Json& tag : repo["tags"]) {
            const std::string text = tag.get<std::string>();
            found[type_of_tag(repo, text)].insert(text);
        }
    }
    Json json = Json::object();
    for (const auto& [type, tags] : found) {
        for (const std::string& tag : tags) {
            const std::size_t colon = tag.find(':');
            json[type].push_back(
                {{"id", tag},
                 {"label", colon == std::string::npos ? tag : tag.substr(colon + 1)},
                 {"type", type}});
        }
    }
    return json;
}

} // namespace locara::hub
