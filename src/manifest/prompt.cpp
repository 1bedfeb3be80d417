#include "prompt_template.hpp"
#include "words.hpp"

#include <locara/base/json.hpp>
#include <locara/manifest/prompt.hpp>

#include <algorithm>

namespace locara::manifest {

namespace {

constexpr std::size_t kFilledLimitBytes = 100'000;

std::string_view render(PromptField::Kind kind) {
    switch (kind) {
    case PromptField::Kind::Line:
        return "line";
    case PromptField::Kind::Text:
        return "text";
    case PromptField::Kind::Choice:
        return "choice";
    }
    return "";
}

Status check_value(const PromptField& field, const std::string& value) {
    if (value.empty()) {
        return {};
    }
    if (field.kind == PromptField::Kind::Line && value.find_first_of("\r\n") != std::string::npos) {
        return Error(ErrorCode::InvalidArgument,
                     "the field " + quote(field.name) + " takes one line; remove the line breaks");
    }
    if (field.kind == PromptField::Kind::Choice &&
        std::find(field.choices.begin(), field.choices.end(), value) == field.choices.end()) {
        std::string known;
        for (const auto& choice : field.choices) {
            known += (known.empty() ? "" : ", ") + choice;
        }
        return Error(ErrorCode::InvalidArgument,
                     "the field " + quote(field.name) + " does not offer " + quote(value) +
                         "; choose one of: " + known);
    }
    return {};
}

} // namespace

Result<std::vector<TemplatePart>> split_template(std::string_view text) {
    std::vector<TemplatePart> parts;
    while (!text.empty()) {
        const auto open = text.find("{{");
        if (open != 0) {
            parts.push_back({false, std::string(text.substr(0, open))});
            if (open == std::string_view::npos) {
                break;
            }
            text.remove_prefix(open);
        }
        const auto close = text.find("}}");
        if (close == std::string_view::npos) {
            return Error(ErrorCode::InvalidArgument,
                         "\"{{\" is never closed near " + quote(text) + "; write {{field}}");
        }
        std::string_view name = text.substr(2, close - 2);
        while (name.starts_with(' ')) {
            name.remove_prefix(1);
        }
        while (name.ends_with(' ')) {
            name.remove_suffix(1);
        }
        parts.push_back({true, std::string(name)});
        text.remove_prefix(close + 2);
    }
    return parts;
}

Result<std::string> fill_prompt(const Prompt& prompt,
                                const std::map<std::string, std::string>& values) {
    for (const auto& [name, _] : values) {
        if (std::none_of(
                prompt.fields.begin(),
                prompt.fields.end(),
                [&, &field_name = name](const auto& field) { return field.name == field_name; })) {
            return Error(ErrorCode::InvalidArgument, "there is no field " + quote(name));
        }
    }
    for (const auto& field : prompt.fields) {
        const auto value = values.find(field.name);
        if (value != values.end() && !value->second.empty()) {
            LOCARA_CHECK(check_value(field, value->second));
        } else if (field.required) {
            return Error(ErrorCode::InvalidArgument,
                         "the field " + quote(field.name) + " must be filled in");
        }
    }
    LOCARA_TRY(const auto parts, split_template(prompt.template_text));
    std::string out;
    for (const auto& part : parts) {
        if (!part.is_field) {
            out += part.text;
        } else if (const auto value = values.find(part.text); value != values.end()) {
            out += value->second;
        }
        if (out.size() > kFilledLimitBytes) {
            return Error(ErrorCode::TooLarge,
                         "the filled prompt is longer than 100000 bytes; shorten the text");
        }
    }
    return out;
}

std::string render(const Prompt& prompt) {
    Json fields = Json::array();
    for (const auto& field : prompt.fields) {
        Json one = {{"name", field.name}, {"label", field.label}, {"kind", render(field.kind)}};
        if (field.kind == PromptField::Kind::Choice) {
            one["choices"] = field.choices;
        }
        if (!field.placeholder.empty()) {
            one["placeholder"] = field.placeholder;
        }
        one["required"] = field.required;
        fields.push_back(std::move(one));
    }
    Json out = {
        {"role", prompt.role}, {"fields", std::move(fields)}, {"template", prompt.template_text}};
    if (prompt.output_schema) {
        out["output"] = {{"schema", Json::parse(*prompt.output_schema)}};
    }
    return render_json(out);
}

} // namespace locara::manifest
