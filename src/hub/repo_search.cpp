#include "repo_search.hpp"

#include <locara/base/ascii.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
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

/// How many parameters a model's weights have; nothing if they are not read.
std::optional<double> parameters_of(const Json& repo) {
    for (const char* const kind : {"gguf", "safetensors"}) {
        const auto found = repo.find(kind);
        if (found != repo.end() && found->is_object() && found->contains("total") &&
            found->at("total").is_number()) {
            return found->at("total").get<double>();
        }
    }
    return std::nullopt;
}

/// "7B", "500M", "1.5T"; nothing for what is none.
std::optional<double> parse_count(std::string_view text) {
    constexpr std::string_view kUnits = "KMBT";
    double factor = 1;
    if (!text.empty()) {
        const char last = text.back();
        const std::size_t unit = kUnits.find(last >= 'a' ? static_cast<char>(last - 32) : last);
        if (unit != std::string_view::npos) {
            factor = std::pow(1000.0, static_cast<double>(unit + 1));
            text.remove_suffix(1);
        }
    }
    double count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole && std::isfinite(count) ? std::optional(count * factor) : std::nullopt;
}

/// Whether weights are of a size: bounds are "min:6B", "max:128B".
bool has_size(const Json& repo, const std::vector<std::string>& bounds) {
    const auto count = parameters_of(repo);
    return std::all_of(bounds.begin(), bounds.end(), [&count](std::string_view bound) {
        const auto limit = bound.size() > 4 ? parse_count(bound.substr(4)) : std::nullopt;
        return count && limit &&
               ((bound.starts_with("min:") && *count >= *limit) ||
                (bound.starts_with("max:") && *count <= *limit));
    });
}

/// Whether an app of that name loads what the repository has.
bool runs_in(const Json& repo, std::string_view app) {
    constexpr std::array<std::string_view, 4> kLoadGguf = {
        "jan", "llama.cpp", "lmstudio", "ollama"};
    return std::find(kLoadGguf.begin(), kLoadGguf.end(), app) != kLoadGguf.end() &&
           has_tag(repo, "gguf");
}

/// What a card lists under a key, as text or a list of texts.
std::vector<std::string> card_lists(const Json& repo, const char* key) {
    const auto card = repo.find("cardData");
    const Json listed = card != repo.end() && card->is_object() ? card->value(key, Json()) : Json();
    std::vector<std::string> out;
    for (const Json& one : listed.is_array() ? listed : Json::array({listed})) {
        if (one.is_string()) {
            out.push_back(one.get<std::string>());
        }
    }
    return out;
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

Status check_search(const http::Request& request) {
    for (const std::string& bound : listed(request, "num_parameters")) {
        const bool known = bound.starts_with("min:") || bound.starts_with("max:");
        if (!known || !parse_count(std::string_view(bound).substr(4))) {
            return Error(ErrorCode::InvalidArgument,
                         "num_parameters: found '" + bound.substr(0, 64) +
                             "', wanted bounds such as min:6B,max:128B");
        }
    }
    const std::string_view direction = request.query.find("direction").value_or("");
    if (!direction.empty() && direction != "1" && direction != "-1") {
        return Error(ErrorCode::InvalidArgument,
                     "direction: found '" + std::string(direction.substr(0, 64)) +
                         "', allowed are 1 and -1");
    }
    return {};
}

bool fits(const http::Request& request, const Json& repo) {
    const std::string id = ascii_lower(repo["id"].get<std::string>());
    for (const std::string& word : request.query.all("search")) {
        if (id.find(ascii_lower(word)) == std::string::npos) {
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
    // Nobody answers for a fee, or without one, with what is here.
    if (request.query.find("inference") || request.query.find("inference_provider")) {
        return false;
    }
    for (const std::string& app : listed(request, "apps")) {
        if (!runs_in(repo, app)) {
            return false;
        }
    }
    if (!has_size(repo, listed(request, "num_parameters"))) {
        return false;
    }
    bool links = false;
    for (const char* const key : {"models", "datasets"}) {
        const auto used = card_lists(repo, key);
        links = links || !used.empty();
        for (const std::string& wanted : listed(request, key)) {
            if (std::find(used.begin(), used.end(), wanted) == used.end()) {
                return false;
            }
        }
    }
    if (request.query.flag("linked") && !links) {
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
        if (key == "num_parameters") {
            return Json(parameters_of(repo).value_or(0));
        }
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
    for (const char* const key :
         {"siblings", "gguf", "safetensors", "models", "datasets", "runtime"}) {
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
