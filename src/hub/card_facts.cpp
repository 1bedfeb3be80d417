#include "card_facts.hpp"

#include "card_terms.hpp"

#include <locara/manifest/card.hpp>
#include <locara/manifest/license.hpp>

#include <algorithm>
#include <optional>

namespace locara::hub {
namespace {

constexpr std::size_t kTagBytes = 128;

/// The texts of a member that is a text or a list of texts.
std::vector<std::string> texts_of(const Json& data, const char* key) {
    std::vector<std::string> texts;
    const auto found = data.find(key);
    if (found == data.end()) {
        return texts;
    }
    for (const Json& one : found->is_array() ? *found : Json::array({*found})) {
        if (one.is_string()) {
            texts.push_back(one.get<std::string>());
        }
    }
    return texts;
}

std::string text_of(const Json& data, const char* key) {
    const auto texts = texts_of(data, key);
    return texts.empty() ? "" : texts.front();
}

class Tags {
  public:
    void add(const std::string& tag) {
        const bool usable = !tag.empty() && tag.size() <= kTagBytes;
        if (usable && tags_.size() < kCardTagsLimit &&
            std::find(tags_.begin(), tags_.end(), tag) == tags_.end()) {
            tags_.push_back(tag);
        }
    }

    void add_all(const Json& data, const char* key, const std::string& prefix = "") {
        for (const std::string& text : texts_of(data, key)) {
            add(text.empty() ? text : prefix + text);
        }
    }

    std::vector<std::string> take() && { return std::move(tags_); }

  private:
    std::vector<std::string> tags_;
};

void add_model_tags(Tags& tags, const Json& data) {
    tags.add_all(data, "library_name");
    tags.add_all(data, "pipeline_tag");
    tags.add_all(data, "tags");
    tags.add_all(data, "language");
    tags.add_all(data, "datasets", "dataset:");
    tags.add_all(data, "base_model", "base_model:");
    if (const std::string relation = text_of(data, "base_model_relation"); !relation.empty()) {
        tags.add_all(data, "base_model", "base_model:" + relation + ":");
    }
}

void add_dataset_tags(Tags& tags, const Json& data) {
    for (const char* const key : {"task_categories",
                                  "task_ids",
                                  "size_categories",
                                  "annotations_creators",
                                  "language_creators",
                                  "multilinguality",
                                  "source_datasets",
                                  "language"}) {
        tags.add_all(data, key, std::string(key) + ":");
    }
    tags.add_all(data, "tags");
}

/// One member that must be there; a text unless anything will do.
enum class Member { Text, Any };

std::optional<std::string>
lack_of(const Json& object, const std::string& where, const char* key, Member kind) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) {
        return where + "." + key + " is required";
    }
    if (kind == Member::Text && !found->is_string()) {
        return where + "." + key + " must be text";
    }
    return std::nullopt;
}

/// What is wrong with one result of `model-index`; its words are those of the Hub.
std::optional<std::string> fault_of_result(const Json& result, const std::string& where) {
    if (!result.is_object()) {
        return where + " must have members";
    }
    for (const char* const key : {"task", "dataset"}) {
        const auto found = result.find(key);
        if (found == result.end() || !found->is_object()) {
            return where + "." + key + " is required, with members";
        }
        if (auto lack = lack_of(*found, where + "." + key, "type", Member::Text)) {
            return lack;
        }
    }
    if (auto lack = lack_of(result["dataset"], where + ".dataset", "name", Member::Text)) {
        return lack;
    }
    const auto metrics = result.find("metrics");
    if (metrics == result.end() || !metrics->is_array()) {
        return where + ".metrics must be a list";
    }
    for (std::size_t i = 0; i < metrics->size(); ++i) {
        const Json& metric = (*metrics)[i];
        const std::string at = where + ".metrics[" + std::to_string(i) + "]";
        if (!metric.is_object()) {
            return at + " must have members";
        }
        if (auto lack = lack_of(metric, at, "type", Member::Text)) {
            return lack;
        }
        if (auto lack = lack_of(metric, at, "value", Member::Any)) {
            return lack;
        }
    }
    return std::nullopt;
}

/// What is wrong with `model-index`, the results of evaluations (huggingface_hub,
/// repocard_data.py): [{name, results: [{task: {type}, dataset: {type, name}, metrics: [{type,
/// value}]}]}]. The first fault; nothing without one.
std::optional<std::string> fault_of_model_index(const Json& index) {
    const std::string name = "model-index";
    if (!index.is_array()) {
        return name + " must be a list";
    }
    for (std::size_t i = 0; i < index.size(); ++i) {
        const std::string where = name + "[" + std::to_string(i) + "]";
        if (!index[i].is_object()) {
            return where + " must have members";
        }
        if (auto lack = lack_of(index[i], where, "name", Member::Text)) {
            return lack;
        }
        const auto results = index[i].find("results");
        if (results == index[i].end() || !results->is_array()) {
            return where + ".results must be a list";
        }
        for (std::size_t j = 0; j < results->size(); ++j) {
            const std::string at = where + ".results[" + std::to_string(j) + "]";
            if (auto fault = fault_of_result((*results)[j], at)) {
                return fault;
            }
        }
    }
    return std::nullopt;
}

/// Adds a warning for each text of a member that is no word known here.
void warn_of_unknown(const Json& data,
                     const char* key,
                     const char* what,
                     bool (*known)(std::string_view),
                     std::vector<std::string>& warnings) {
    for (const std::string& text : texts_of(data, key)) {
        if (!known(text)) {
            warnings.push_back(std::string(key) + " \"" + text + "\" is no id of a " + what);
        }
    }
}

} // namespace

CardFacts CardFacts::of(Json data, RepoType type) {
    CardFacts facts;
    facts.data = std::move(data);
    if (!facts.data.is_object()) {
        return facts;
    }
    Tags tags;
    switch (type) {
    case RepoType::Model:
        add_model_tags(tags, facts.data);
        facts.task = text_of(facts.data, "pipeline_tag");
        facts.library = text_of(facts.data, "library_name");
        break;
    case RepoType::Dataset:
        add_dataset_tags(tags, facts.data);
        break;
    case RepoType::Space:
        facts.sdk = text_of(facts.data, "sdk");
        facts.models = texts_of(facts.data, "models");
        facts.datasets = texts_of(facts.data, "datasets");
        tags.add_all(facts.data, "sdk");
        tags.add_all(facts.data, "tags");
        break;
    case RepoType::Bucket:
        break;
    }
    tags.add_all(facts.data, "license", "license:");
    facts.tags = std::move(tags).take();
    return facts;
}

Result<std::string>
read_card_text(const GitRepo& git, const std::string& commit, std::uint64_t limit) {
    LOCARA_TRY(const auto entry, git.find(commit, "README.md"));
    if (!entry || entry->kind != GitEntry::Kind::File || entry->lfs || entry->blob_size > limit) {
        return std::string();
    }
    return git.read_blob(entry->oid, limit);
}

Result<CardFacts> read_card(const GitRepo& git, const std::string& commit, RepoType type) {
    LOCARA_TRY(const std::string text, read_card_text(git, commit, manifest::kCardLimitBytes));
    auto data = manifest::read_front_matter(text);
    return data && *data ? CardFacts::of(**std::move(data), type) : CardFacts();
}

CardCheck check_card(std::string_view card, RepoType type) {
    CardCheck check;
    auto data = manifest::read_front_matter(card);
    if (!data) {
        check.errors.push_back(data.error().message());
        return check;
    }
    if (!*data) {
        check.warnings.emplace_back(
            "the card has no metadata: YAML between two lines \"---\" at its start");
        return check;
    }
    const Json& json = **data;
    const auto expect_texts = [&](const char* key) {
        const auto found = json.find(key);
        if (found == json.end() || found->is_null() || found->is_string()) {
            return;
        }
        const bool texts =
            found->is_array() && std::all_of(found->begin(), found->end(), [](const Json& one) {
                return one.is_string();
            });
        if (!texts) {
            check.errors.push_back(std::string(key) + " must be text or a list of texts");
        }
    };
    for (const char* const key : {"license",
                                  "language",
                                  "tags",
                                  "datasets",
                                  "base_model",
                                  "pipeline_tag",
                                  "library_name",
                                  "metrics",
                                  "task_categories",
                                  "task_ids"}) {
        expect_texts(key);
    }
    if (const auto index = json.find("model-index"); index != json.end() && !index->is_null()) {
        if (auto fault = fault_of_model_index(*index)) {
            check.errors.push_back(std::move(*fault));
        }
    }
    if (!check.errors.empty()) {
        return check;
    }
    const auto licenses = texts_of(json, "license");
    if (licenses.empty() && type != RepoType::Space) {
        check.warnings.emplace_back("the card names no license");
    }
    for (const std::string& license : licenses) {
        if (manifest::find_license(license) == nullptr) {
            check.warnings.push_back("license \"" + license + "\" is no id that is known here");
        }
    }
    warn_of_unknown(json,
                    type == RepoType::Dataset ? "task_categories" : "pipeline_tag",
                    "task",
                    &is_task,
                    check.warnings);
    warn_of_unknown(json, "language", "language", &is_language, check.warnings);
    return check;
}

} // namespace locara::hub
