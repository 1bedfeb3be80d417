#include "weights_info.hpp"

#include <locara/formats/weights_facts.hpp>

#include <algorithm>
#include <map>
#include <optional>

namespace locara::hub {
namespace {

using formats::WeightsFacts;

/// The path of all files of what is split: "model-00001-of-00003.gguf" is of "model.gguf".
std::string whole_path(const std::string& path) {
    constexpr std::string_view kForm = "-00001-of-00003";
    const std::size_t dot = path.rfind('.');
    if (dot < kForm.size()) {
        return path;
    }
    const std::size_t begin = dot - kForm.size();
    for (std::size_t i = 0; i < kForm.size(); ++i) {
        const char c = path[begin + i];
        const bool digit = c >= '0' && c <= '9';
        const bool wants_digit = kForm[i] >= '0' && kForm[i] <= '9';
        if (wants_digit ? !digit : c != kForm[i]) {
            return path;
        }
    }
    return path.substr(0, begin) + path.substr(dot);
}

/// All the files together; metadata is that of the first. Nothing unless all are known.
Result<std::optional<WeightsFacts>> add_up(const VerdictStore& verdicts,
                                           const std::vector<const GitEntry*>& files) {
    std::optional<WeightsFacts> all;
    for (const GitEntry* file : files) {
        LOCARA_TRY(const auto found, verdicts.find(content_id(*file), name_of(file->path)));
        if (!found || found->facts.empty()) {
            return std::optional<WeightsFacts>();
        }
        LOCARA_TRY(const Json json, parse_json(found->facts));
        LOCARA_TRY(WeightsFacts facts, formats::parse_facts(json));
        if (!all) {
            all = std::move(facts);
            continue;
        }
        all->parameters += facts.parameters;
        for (const auto& [type, count] : facts.types) {
            all->types[type] += count;
        }
    }
    return all;
}

Result<std::optional<WeightsFacts>> find_first(const VerdictStore& verdicts,
                                               const std::vector<GitEntry>& entries,
                                               std::string_view suffix) {
    std::map<std::string, std::vector<const GitEntry*>> models;
    for (const GitEntry& entry : entries) {
        if (entry.kind == GitEntry::Kind::File && entry.path.ends_with(suffix)) {
            models[whole_path(entry.path)].push_back(&entry);
        }
    }
    for (auto& [path, files] : models) {
        std::sort(files.begin(), files.end(), [](const GitEntry* a, const GitEntry* b) {
            return a->path < b->path;
        });
        LOCARA_TRY(auto facts, add_up(verdicts, files));
        if (facts) {
            return facts;
        }
    }
    return std::optional<WeightsFacts>();
}

} // namespace

Result<WeightsInfo> read_weights_info(const VerdictStore& verdicts,
                                      const std::vector<GitEntry>& entries) {
    WeightsInfo info;
    LOCARA_TRY(const auto gguf, find_first(verdicts, entries, ".gguf"));
    if (gguf) {
        info.gguf = {{"total", gguf->parameters}};
        const Json all = formats::render_facts(*gguf);
        for (const char* const key :
             {"architecture", "context_length", "chat_template", "bos_token", "eos_token"}) {
            if (!all[key].is_null()) {
                info.gguf[key] = all[key];
            }
        }
    }
    LOCARA_TRY(const auto safetensors, find_first(verdicts, entries, ".safetensors"));
    if (safetensors) {
        info.safetensors = {{"parameters", formats::render_facts(*safetensors)["types"]},
                            {"total", safetensors->parameters}};
    }
    return info;
}

} // namespace locara::hub
