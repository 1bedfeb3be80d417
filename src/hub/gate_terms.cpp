#include "gate_terms.hpp"

#include "card_facts.hpp"

#include <locara/crypto/sha256.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

constexpr std::size_t kOptions = 256;

std::vector<GateField::Option> options_of(const Json& field) {
    std::vector<GateField::Option> options;
    const auto list = field.find("options");
    if (list == field.end() || !list->is_array()) {
        return options;
    }
    for (const Json& one : *list) {
        // A text, or a label with the value that stands for it.
        const auto value =
            one.is_string() ? std::optional(one.get<std::string>()) : text_at(one, "value");
        if (value && options.size() < kOptions && value->size() <= kGateFieldBytes) {
            options.push_back({*value, text_at(one, "label").value_or(*value)});
        }
    }
    return options;
}

GateField::Kind kind_of(const std::string& word) {
    return word == "checkbox"      ? GateField::Kind::Checkbox
           : word == "date_picker" ? GateField::Kind::Date
           : word == "country"     ? GateField::Kind::Country
           : word == "select"      ? GateField::Kind::Choice
                                   : GateField::Kind::Text;
}

/// Whether this is what a field asks for; else what it asks for.
std::optional<std::string> fault_of(const GateField& field, const std::string& value) {
    switch (field.kind) {
    case GateField::Kind::Checkbox:
        if (value != "on" && value != "true" && value != "1") {
            return "must be ticked ('true')";
        }
        return std::nullopt;
    case GateField::Kind::Choice:
        if (std::none_of(field.options.begin(), field.options.end(), [&](const auto& option) {
                return option.value == value;
            })) {
            std::string all;
            for (const GateField::Option& option : field.options) {
                all += (all.empty() ? "" : ", ") + option.value;
            }
            return "must be one of: " + all;
        }
        return std::nullopt;
    case GateField::Kind::Text:
    case GateField::Kind::Date:
    case GateField::Kind::Country:
        break;
    }
    if (value.find_first_not_of(" \t\r\n") == std::string::npos) {
        return "must be filled in";
    }
    return std::nullopt;
}

} // namespace

GateTerms GateTerms::of(const Json& card) {
    GateTerms terms;
    if (!card.is_object()) {
        return terms;
    }
    terms.heading = text_at(card, "extra_gated_heading").value_or("");
    terms.description = text_at(card, "extra_gated_description").value_or("");
    terms.prompt = text_at(card, kGatePrompt).value_or("");
    terms.button = text_at(card, "extra_gated_button_content").value_or("");
    const auto fields = card.find("extra_gated_fields");
    if (fields == card.end() || !fields->is_object()) {
        return terms;
    }
    for (const auto& [name, asked] : fields->items()) {
        const auto word =
            asked.is_string() ? std::optional(asked.get<std::string>()) : text_at(asked, "type");
        if (!word || name.empty() || name.size() > kGateFieldNameBytes ||
            terms.fields.size() == kGateFields) {
            continue;
        }
        GateField field{name, kind_of(*word), {}};
        if (field.kind == GateField::Kind::Choice) {
            field.options = options_of(asked);
            if (field.options.empty()) {
                continue; // Nobody could fill it in.
            }
        }
        terms.fields.push_back(std::move(field));
    }
    return terms;
}

std::string GateTerms::digest() const {
    return prompt.empty() ? "" : crypto::sha256(as_bytes(prompt)).render();
}

Answer<Json> GateTerms::take(const std::vector<std::pair<std::string, std::string>>& given) const {
    if (given.size() > kGateFields) {
        return bad_request("at most " + std::to_string(kGateFields) + " fields are taken");
    }
    Json taken = Json::object();
    for (const auto& [name, value] : given) {
        if (name.empty() || name.size() > kGateFieldNameBytes || value.size() > kGateFieldBytes) {
            return bad_request("a field has a name of at most " +
                               std::to_string(kGateFieldNameBytes) + " bytes and at most " +
                               std::to_string(kGateFieldBytes) + " bytes");
        }
        taken[name] = value;
    }
    for (const GateField& field : fields) {
        const auto fault = fault_of(field, text_at(taken, field.name.c_str()).value_or(""));
        if (fault) {
            return bad_request("field '" + field.name + "' " + *fault +
                               ": the card of the repository asks for it");
        }
    }
    return taken;
}

Result<GateTerms> read_gate_terms(const Services& services, const Repo& repo) {
    LOCARA_TRY(const GitRepo git, GitRepo::open(services.folder_of(repo)));
    const auto commit = git.resolve("refs/heads/main");
    if (!commit) {
        return GateTerms(); // It is empty.
    }
    LOCARA_TRY(const CardFacts card, read_card(git, *commit, repo.id.type));
    return GateTerms::of(card.data);
}

} // namespace locara::hub
