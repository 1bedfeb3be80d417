// Chat templates: whether one stays within the safe subset of Jinja. A parser, not a renderer.
//
// Source of the grammar: pallets/jinja, src/jinja2/lexer.py and parser.py, with the settings that
// transformers uses (trim_blocks, lstrip_blocks, loop controls, the `generation` tag). Allowed are
// literals, variables, if, for, set, namespace, macros of the same file, and the filters, tests,
// functions and methods of the lists in chat_template.cpp; docs/formats/chat-template.md has them.
// Linear in the text; nothing is evaluated. Threads: plain functions.
#pragma once

#include <locara/formats/verdict.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace locara::formats {

inline constexpr std::size_t kMaxTemplateBytes = 256U << 10U;
inline constexpr unsigned kMaxTemplateDepth = 64;           ///< blocks and brackets in each other
inline constexpr std::size_t kMaxTemplateNodes = 20'000;    ///< operands, operators and statements
inline constexpr std::size_t kMaxTemplateNames = 2'000;     ///< different variables
inline constexpr std::uint64_t kMaxTemplateSteps = 100'000; ///< of loops over literals and ranges
inline constexpr unsigned kMaxTemplateLoops = 8;            ///< loops in each other

/// The first rule ("template.*") that the template breaks, with the offset in its text.
std::optional<Finding> check_chat_template(std::string_view text);

/// The same for the templates in a JSON file of a tokenizer or processor: the string, and every
/// string below the list or object, that is the value of a member "chat_template". The offset is
/// that of the member's name in `json`; the reason says where in the template.
std::optional<Finding> check_json_chat_templates(std::string_view json);

} // namespace locara::formats
