#include "text_rules.hpp"

#include "chat_template.hpp"
#include "cursor.hpp"
#include "json_members.hpp"
#include "names.hpp"
#include "secrets.hpp"
#include "svg.hpp"

#include <locara/base/ascii.hpp>

#include <algorithm>
#include <array>

namespace locara::formats {

namespace {

constexpr std::string_view kBlanks = " \t\r\n\f";

/// The first of a list of texts, as written; empty if the value is none.
std::string_view first_of_list(std::string_view text, std::size_t at) {
    const std::size_t quote = text.find_first_not_of(kBlanks, at + 1);
    if (quote >= text.size() || text[quote] != '"') {
        return {};
    }
    const std::size_t end = text.find('"', quote + 1);
    return end == std::string_view::npos ? std::string_view()
                                         : text.substr(quote + 1, end - quote - 1);
}

/// Where the parts of a pipeline come from that diffusers loads without code of the repository:
/// libraries, and folders of its own pipelines. Source: diffusers, pipeline_loading_utils.py
/// (LOADABLE_CLASSES) and src/diffusers/pipelines.
bool is_diffusers_library(std::string_view module) {
    constexpr std::string_view kKnown[] = {"diffusers",
                                           "transformers",
                                           "onnxruntime",
                                           "onnxruntime.training",
                                           "optimum",
                                           "peft",
                                           "paint_by_example",
                                           "deepfloyd_if",
                                           "latent_diffusion",
                                           "unclip",
                                           "audioldm",
                                           "audioldm2",
                                           "wuerstchen",
                                           "kandinsky",
                                           "kandinsky2_2",
                                           "versatile_diffusion",
                                           "kolors",
                                           "text_to_video_synthesis",
                                           "unidiffuser",
                                           "shap_e",
                                           "musicldm",
                                           "blip_diffusion",
                                           "alt_diffusion",
                                           "controlnet",
                                           "flux",
                                           "ltx",
                                           "spectrogram_diffusion"};
    return module.starts_with("stable_") ||
           std::find(std::begin(kKnown), std::end(kKnown), module) != std::end(kKnown);
}

// Source: transformers, "Custom models" (auto_map, custom_pipelines); diffusers, "Community
// pipelines" (_class_name as a list, parts of a module); transformers, "Generation strategies"
// (custom_generate); Hydra, "Instantiating objects" (_target_); sentence-transformers, modules.json
// (type); nbformat, "The Notebook file format" (cells beside nbformat, from version 4).
std::optional<Finding> check_json(std::string_view text, std::string_view name) {
    std::optional<Finding> finding;
    std::optional<std::uint64_t> versioned; // the object that says it is a notebook
    std::optional<std::uint64_t> celled;    // the one that has cells
    walk_json_members(text, [&](const JsonMember& member) {
        if (member.key == "nbformat" && !versioned) {
            versioned = member.object;
        } else if (member.key == "cells" && member.kind == '[' && !celled) {
            celled = member.object;
        }
        if (versioned && versioned == celled && !finding) {
            finding = Finding{"json.notebook",
                              "a notebook, whatever it is called: it holds code to run; a curator "
                              "looks at it first",
                              member.offset};
        }
        // In a vocabulary the same words are keys too, but of numbers.
        const bool holds = member.kind == '{' || member.kind == '[' || member.kind == '"';
        const std::string_view own = member.kind == '[' && name == "model_index.json"
                                         ? first_of_list(text, member.value_offset)
                                         : std::string_view();
        const bool remote = (member.key == "auto_map" && holds) ||
                            (member.key == "custom_pipelines" && member.kind == '{') ||
                            (member.key == "_target_" && member.kind == '"') ||
                            (name == "generation_config.json" && member.key == "custom_generate" &&
                             member.kind == '"') ||
                            (member.key == "_class_name" && member.kind == '[') ||
                            (name == "model_index.json" && member.kind == '[' && !own.empty() &&
                             !is_diffusers_library(own)) ||
                            (name == "modules.json" && member.key == "type" && member.kind == '"' &&
                             member.text.find('.') != std::string::npos &&
                             !member.text.starts_with("sentence_transformers."));
        if (remote && !finding) {
            finding = Finding{"json.remote-code",
                              "a configuration whose " + quote_for_message(member.key) +
                                  " names Python code to fetch and run; it is ignored, and a "
                                  "curator looks at it first",
                              member.offset};
        }
    });
    return finding;
}

/// Whether a tag is one that every YAML reader knows (YAML 1.1, "Language-Independent Types").
bool is_plain_tag(std::string_view tag) {
    static constexpr std::array<std::string_view, 14> kPlain = {"binary",
                                                                "bool",
                                                                "float",
                                                                "int",
                                                                "map",
                                                                "merge",
                                                                "null",
                                                                "omap",
                                                                "pairs",
                                                                "seq",
                                                                "set",
                                                                "str",
                                                                "timestamp",
                                                                "value"};
    return std::find(kPlain.begin(), kPlain.end(), tag) != kPlain.end();
}

/// Where a line of YAML names code: npos if it does not. Python's readers make objects of
/// "!!python/...", which may also be written by a directive, by escapes or in full; Hydra and what
/// is built on it (NeMo among them) call what "_target_" names. Sources: PyYAML, "YAML tags and
/// Python types"; YAML 1.1, 7.1 and 8.2.
std::size_t find_code_in_yaml(std::string_view line) {
    constexpr std::string_view kBlank = " \t";
    constexpr std::string_view kEndsTag = " \t,[]{}";
    constexpr std::string_view kTarget = "_target_";
    if (line.starts_with("%TAG")) {
        return 0;
    }
    char before = ' ';
    for (std::size_t at = 0; at < line.size(); before = line[at++]) {
        const bool after_blank = kBlank.find(before) != std::string_view::npos;
        const bool begins =
            after_blank || std::string_view(",[{-:?").find(before) != std::string_view::npos;
        if (line[at] == '#' && after_blank) {
            break; // the rest is a comment
        }
        if (line[at] == '!' && begins) {
            const std::string_view tag =
                line.substr(at, std::min(line.find_first_of(kEndsTag, at), line.size()) - at);
            const bool is_named = tag.find('!', 1) != std::string_view::npos;
            const bool is_plain = tag.starts_with("!!") && is_plain_tag(tag.substr(2));
            if (tag.starts_with("!<") || (is_named && !is_plain)) {
                return at;
            }
        } else if (line.substr(at).starts_with(kTarget) &&
                   (begins || before == '"' || before == '\'')) {
            const std::size_t colon = line.find_first_not_of(" \t\"'", at + kTarget.size());
            if (colon != std::string_view::npos && line[colon] == ':') {
                return at;
            }
        }
    }
    return std::string_view::npos;
}

std::optional<Finding> check_yaml(std::string_view text) {
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find_first_of("\r\n", begin), text.size());
        const std::size_t at = find_code_in_yaml(text.substr(begin, end - begin));
        if (at != std::string_view::npos) {
            return Finding{"yaml.remote-code",
                           "a configuration that names Python code for a loader to call; it is "
                           "ignored, and a curator looks at it first",
                           begin + at};
        }
        begin = end + 1;
    }
    return std::nullopt;
}

/// JSON is read by recursion in most programs: Python's stops at about 1,000 levels, others crash.
std::optional<Finding> check_depth(const ByteSource& source) {
    std::uint64_t depth = 0;
    bool inside = false; // a string
    bool escaped = false;
    Cursor cursor(source);
    for (std::string_view part = cursor.ahead(); !part.empty(); part = cursor.ahead()) {
        for (std::size_t i = 0; i < part.size(); ++i) {
            const char c = part[i];
            if (inside) {
                inside = escaped || c != '"';
                escaped = !escaped && c == '\\';
            } else if (c == '"') {
                inside = true;
            } else if (c == '[' || c == '{') {
                if (++depth > kMaxJsonDepth) {
                    return Finding{"json.depth",
                                   "JSON that is nested more than " +
                                       std::to_string(kMaxJsonDepth) + " levels deep",
                                   cursor.offset() + i};
                }
            } else if ((c == ']' || c == '}') && depth > 0) {
                --depth;
            }
        }
        cursor.skip(part.size());
    }
    return cursor.io_error() ? std::optional(read_failure(*cursor.io_error())) : std::nullopt;
}

Checked<std::string> read_text(const ByteSource& source) {
    std::string text(static_cast<std::size_t>(source.size()), '\0');
    if (auto status = source.read(0, std::as_writable_bytes(std::span(text.data(), text.size())));
        !status) {
        return tl::unexpected(read_failure(status.error()));
    }
    return text;
}

/// Files of a tokenizer or processor that hold chat templates. Source: transformers,
/// tokenization_utils_base.py and processing_utils.py.
bool is_tokenizer_file(std::string_view name) {
    return name == "tokenizer_config.json" || name == "chat_template.json" ||
           name == "processor_config.json";
}

/// Files that are a template as a whole: chat_template.jinja, additional_chat_templates/*.jinja.
bool is_template_file(std::string_view name) {
    return name.ends_with(".jinja") || name.ends_with(".jinja2") || name.ends_with(".j2");
}

} // namespace

std::optional<Finding> check_text(const ByteSource& source, Kind kind, std::string_view as) {
    const std::string name = ascii_lower(as); // as file systems that fold case look it up
    const auto secret = find_secret(source);
    if (!secret) {
        return secret.error();
    }
    if (kind != Kind::Script && name.ends_with(".svg")) {
        kind = Kind::Svg; // whoever shows it goes by the name
    }
    const bool is_template = is_template_file(name);
    const bool holds_template = is_tokenizer_file(name); // whatever a file of that name looks like
    if (is_template || holds_template) {
        if (source.size() > (is_template ? kMaxTemplateBytes : kMaxInspectedText)) {
            return Finding{"template.limits", "too large to look for chat templates in it", {}};
        }
        const auto text = read_text(source);
        if (!text) {
            return text.error();
        }
        if (auto finding =
                is_template ? check_chat_template(*text) : check_json_chat_templates(*text)) {
            return finding;
        }
    }
    if (*secret) {
        return **secret;
    }
    const bool is_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
    if (is_yaml) {
        if (source.size() > kMaxInspectedText) {
            return Finding{"yaml.remote-code",
                           "a configuration too large to look through for code that it names; a "
                           "curator looks at it first",
                           {}};
        }
        const auto text = read_text(source);
        if (!text) {
            return text.error();
        }
        if (auto finding = check_yaml(*text)) {
            return finding;
        }
    }
    if (kind != Kind::Json && kind != Kind::Svg) {
        return std::nullopt;
    }
    if (kind == Kind::Json && name.ends_with(".json")) {
        if (auto finding = check_depth(source)) {
            return finding;
        }
    }
    if (source.size() > kMaxInspectedText) {
        if (kind == Kind::Svg) {
            return Finding{"svg.script",
                           "an SVG too large to look through for scripts; a curator looks at it "
                           "first",
                           {}};
        }
        return name.ends_with("config.json")
                   ? std::optional(Finding{"json.remote-code",
                                           "a configuration too large to look through for "
                                           "auto_map; a curator looks at it first",
                                           {}})
                   : std::nullopt;
    }
    const auto text = read_text(source);
    if (!text) {
        return text.error();
    }
    return kind == Kind::Svg ? check_svg(*text) : check_json(*text, name);
}

} // namespace locara::formats
