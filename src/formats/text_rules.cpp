#include "text_rules.hpp"

#include "chat_template.hpp"
#include "cursor.hpp"
#include "json_members.hpp"
#include "secrets.hpp"

namespace locara::formats {

namespace {

constexpr std::string_view kBlanks = " \t\r\n\f";

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return out;
}

/// onload=, onclick= and so on, after a blank, a quote or a slash.
bool has_event_attribute(std::string_view text) {
    for (std::size_t at = text.find("on"); at != std::string_view::npos;
         at = text.find("on", at + 1)) {
        const char before = at == 0 ? ' ' : text[at - 1];
        if (std::string_view(" \t\r\n\f\"'/").find(before) == std::string_view::npos) {
            continue;
        }
        std::size_t end = at + 2;
        while (end < text.size() && text[end] >= 'a' && text[end] <= 'z') {
            ++end;
        }
        const std::size_t letters = end - at - 2;
        end = std::min(text.find_first_not_of(kBlanks, end), text.size());
        if (letters > 2 && end < text.size() && text[end] == '=') {
            return true;
        }
    }
    return false;
}

std::optional<Finding> check_svg(std::string_view whole) {
    const std::string text = lower(whole);
    bool active = has_event_attribute(text);
    for (const std::string_view word :
         {"<script", "javascript:", "<foreignobject", "<!entity", ":script"}) {
        active = active || text.find(word) != std::string::npos;
    }
    return active ? std::optional(Finding{"svg.script",
                                          "an SVG that holds scripts; it is shown without them, "
                                          "and a curator looks at it first",
                                          {}})
                  : std::nullopt;
}

// Source: transformers, "Custom models" (auto_map, custom_pipelines); diffusers, "Community
// pipelines" (_class_name as a list); sentence-transformers, modules.json (type).
std::optional<Finding> check_json(std::string_view text, std::string_view name) {
    std::optional<Finding> finding;
    walk_json_members(text, [&](const JsonMember& member) {
        // In a vocabulary the same words are keys too, but of numbers.
        const bool holds = member.kind == '{' || member.kind == '[' || member.kind == '"';
        const bool remote = (member.key == "auto_map" && holds) ||
                            (member.key == "custom_pipelines" && member.kind == '{') ||
                            (member.key == "_class_name" && member.kind == '[') ||
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

std::optional<Finding> check_text(const ByteSource& source, Kind kind, std::string_view name) {
    const auto secret = find_secret(source);
    if (!secret) {
        return secret.error();
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
    if (kind != Kind::Json && kind != Kind::Svg) {
        return std::nullopt;
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
