// Prompt: a declarative form and the text it becomes. Part of an app manifest.
//
// `{{field}}` is replaced by what was entered. There is no logic, no nesting and no second pass: an
// entered "{{x}}" stays text.
#pragma once

#include <locara/base/result.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace locara::manifest {

struct PromptField {
    enum class Kind { Line, Text, Choice };

    std::string name;
    std::string label;
    Kind kind = Kind::Line;
    std::vector<std::string> choices; ///< Only for Choice, never empty there.
    std::string placeholder;
    bool required = false;
};

struct Prompt {
    std::string role; ///< Which of the app's models answers.
    std::vector<PromptField> fields;
    std::string template_text;
    std::optional<std::string> output_schema; ///< JSON Schema of the answer, as JSON text.
};

/// The text for the model. Absent values of optional fields become empty. InvalidArgument for an
/// unknown field, a missing required one, a choice that is not offered, or a line with a line
/// break; TooLarge above 100,000 bytes.
Result<std::string> fill_prompt(const Prompt& prompt,
                                const std::map<std::string, std::string>& values);

/// The prompt as JSON text, in the form it has in the manifest (docs/formats/app-manifest.md).
std::string render(const Prompt& prompt);

} // namespace locara::manifest
