#include "general.hpp"

#include <locara/base/ascii.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <regex>
#include <set>
#include <vector>

namespace locara::convert {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool matches(const std::string& text, const char* pattern) {
    return std::regex_match(text, std::regex(pattern, std::regex::icase));
}

std::vector<std::string> split(std::string_view text, char at) {
    std::vector<std::string> out;
    while (true) {
        const auto end = text.find(at);
        if (end != 0 && !text.empty()) {
            out.emplace_back(text.substr(0, end));
        }
        if (end == std::string_view::npos) {
            return out;
        }
        text.remove_prefix(end + 1);
    }
}

/// Of one piece of a name, what it may be.
enum class Kind { Basename, SizeLabel, Finetune, Version, Type };

struct Piece {
    std::string text;
    std::set<Kind> kinds;
};

/// "7b" -> "7B"; "7b1" (of bloom) -> "7.1B".
std::string normalize_size(std::string text) {
    std::replace(text.begin(), text.end(), '_', '.');
    if (is_digit(text.back())) {
        const std::string start = text.substr(0, text.size() - 2);
        text = start + "." + text.back() + text[text.size() - 2];
    }
    if (text.size() > 1 && is_digit(text[text.size() - 2])) {
        text.back() = upper(text.back());
    }
    return text;
}

/// The number of parameters that a size names; nullopt for "small" and "8x7B".
std::optional<double> read_size(const std::string& text) {
    const std::string number = text.substr(0, text.size() - 1);
    char* end = nullptr;
    const double value = std::strtod(number.c_str(), &end);
    if (number.empty() || end != number.c_str() + number.size() || !is_digit(number.front())) {
        return std::nullopt;
    }
    const auto power = std::string_view("KMBT").find(text.back());
    return power == std::string_view::npos ? std::nullopt
                                           : std::optional(value * std::pow(1000.0, power + 1));
}

void annotate(Piece& piece, bool first, double parameters) {
    if (matches(piece.text, R"((v|iter)?\d+([.]\d+)*)")) {
        piece.kinds.insert(Kind::Version);
    } else if (matches(piece.text, R"(i?q\d(_\w)*|b?fp?(16|32))")) {
        piece.kinds.insert(Kind::Type);
        std::transform(piece.text.begin(), piece.text.end(), piece.text.begin(), upper);
    } else if (!first &&
               matches(piece.text,
                       R"((([A]|\d+[x])?\d+([._]\d+)?[KMBT][\d]?|small|mini|medium|large|x?xl))")) {
        piece.text = normalize_size(piece.text);
        const auto size = read_size(piece.text);
        if (size && parameters != 0 && std::abs(*size - parameters) > 7 * parameters / 8) {
            piece.kinds.insert(Kind::Finetune); // likely a length of context
            piece.text.back() = ascii_lower(piece.text.back());
        } else {
            piece.kinds.insert(Kind::SizeLabel);
        }
    } else if (!first && matches(piece.text, "chat|instruct|vision|lora")) {
        piece.kinds.insert(Kind::Finetune);
    }
}

std::string join(const std::vector<Piece>& pieces, Kind kind) {
    std::string out;
    std::set<std::string> seen;
    for (const auto& piece : pieces) {
        if (!piece.kinds.contains(kind) ||
            (kind == Kind::Version && piece.kinds.contains(Kind::Basename)) ||
            (kind == Kind::SizeLabel && !seen.insert(piece.text).second)) {
            continue;
        }
        out += (out.empty() ? "" : "-") + piece.text;
    }
    return out;
}

std::string text_of(const Json& object, std::string_view key) {
    const auto at = object.find(key);
    return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

/// A text, or a list of texts.
std::vector<std::string> texts_of(const Json& object, std::string_view key) {
    std::vector<std::string> out;
    const auto at = object.find(key);
    if (at == object.end()) {
        return out;
    }
    if (at->is_string()) {
        out.push_back(at->get<std::string>());
    }
    for (std::size_t i = 0; at->is_array() && i < at->size(); ++i) {
        if ((*at)[i].is_string()) {
            out.push_back((*at)[i].get<std::string>());
        }
    }
    return out;
}

/// A key of GGUF and the members of a card that fill it, the first that is there.
struct CardField {
    std::string_view key;
    std::array<std::string_view, 3> members;
};

/// In the order of the file; others stand between them.
constexpr std::array<CardField, 8> kAuthorship = {{
    {"general.name", {"name", "model_name", ""}},
    {"general.author", {"author", "model_author", "model_creator"}},
    {"general.version", {"version", "model_version", ""}},
    {"general.organization", {"organization", "model_organization", ""}},
    {"general.finetune", {"finetune", "model_finetune", ""}},
    {"general.basename", {"basename", "model_basename", "model_type"}},
    {"general.description", {"description", "model_description", ""}},
    {"general.size_label", {"size_label", "model_size_label", ""}},
}};

constexpr std::array<CardField, 7> kTerms = {{
    {"general.license", {"license", "", ""}},
    {"general.license.name", {"license_name", "", ""}},
    {"general.license.link", {"license_link", "", ""}},
    {"general.source.url", {"url", "model_url", ""}},
    {"general.source.doi", {"doi", "model_doi", ""}},
    {"general.source.uuid", {"uuid", "model_uuid", ""}},
    {"general.source.repo_url", {"repo_url", "model_repo_url", ""}},
}};

std::string read_field(const Json& card, const CardField& field) {
    for (const auto member : field.members) {
        if (auto text = member.empty() ? std::string() : text_of(card, member); !text.empty()) {
            return text;
        }
    }
    return "";
}

/// What a name says goes where nothing was said before.
void fill(std::array<std::string, kAuthorship.size()>& values, const NameParts& parts) {
    const auto set = [&](std::string_view key, const std::string& value) {
        for (std::size_t i = 0; i < kAuthorship.size(); ++i) {
            if (kAuthorship[i].key == key && values[i].empty()) {
                values[i] = value;
            }
        }
    };
    set("general.name", to_title(parts.name));
    set("general.organization", to_title(parts.organization));
    set("general.basename", parts.basename);
    set("general.finetune", parts.finetune);
    set("general.version", parts.version);
    set("general.size_label", parts.size_label);
}

/// Models or data that this one was made from: `<stem>.count`, then of each name and address.
void add_origins(GgufHeader& header,
                 const std::string& stem,
                 const Json& card,
                 std::initializer_list<std::string_view> members,
                 std::uint64_t parameters) {
    for (const auto member : members) {
        if (!card.contains(member)) {
            continue;
        }
        const auto origins = texts_of(card, member);
        header.add_u32(stem + ".count", origins.size());
        for (std::size_t i = 0; i < origins.size(); ++i) {
            constexpr std::string_view kHub = "huggingface.co/";
            std::string id = origins[i];
            std::string url = "https://" + std::string(kHub) + id;
            if (const auto scheme = id.find("://"); scheme != std::string::npos) {
                url = id;
                id = id.substr(scheme + 3).starts_with(kHub) ? id.substr(scheme + 3 + kHub.size())
                                                             : "";
                id = std::count(id.begin(), id.end(), '/') == 1 && id.back() != '/' ? id : "";
            }
            const std::string key = stem + "." + std::to_string(i) + ".";
            const auto parts = parse_model_name(id, parameters);
            header.add_text(key + "name", to_title(parts.name));
            header.add_text(key + "version", parts.version);
            header.add_text(key + "organization", to_title(parts.organization));
            if (url == origins[i] || !parts.organization.empty()) {
                header.add_text(key + "repo_url", url);
            }
        }
        return;
    }
}

void add_sampling(GgufHeader& header, const Json& generation) {
    const auto add = [&](std::string_view member, const char* key, bool whole) {
        const auto at = generation.find(member);
        if (at == generation.end() || !at->is_number() ||
            !std::isfinite(static_cast<float>(at->get<double>()))) {
            return;
        }
        if (!whole) {
            header.add_f32(key, at->get<double>());
        } else if (at->is_number_integer() && std::abs(at->get<double>()) < 0x1p31) {
            header.add_i32(key, at->get<std::int32_t>());
        }
    };
    add("top_k", "general.sampling.top_k", true);
    add("top_p", "general.sampling.top_p", false);
    add("min_p", "general.sampling.min_p", false);
    add("xtc_probability", "general.sampling.xtc_probability", false);
    add("xtc_threshold", "general.sampling.xtc_threshold", false);
    add("temperature", "general.sampling.temp", false);
    add("penalty_last_n", "general.sampling.penalty_last_n", true);
    add("penalty_repeat", "general.sampling.penalty_repeat", false);
    add("mirostat", "general.sampling.mirostat", true);
    add("mirostat_tau", "general.sampling.mirostat_tau", false);
    add("mirostat_eta", "general.sampling.mirostat_eta", false);
}

} // namespace

NameParts parse_model_name(std::string_view name, std::uint64_t parameters) {
    NameParts out;
    if (name.empty() || name.size() > kMaxNameBytes || name.find(' ') != std::string_view::npos) {
        out.name = name; // a sentence, not a name of the Hub
        return out;
    }
    const auto slash = name.find('/');
    if (slash != std::string_view::npos) {
        out.organization = name.front() == '.' ? "" : name.substr(0, slash);
        name.remove_prefix(slash + 1);
    }
    out.name = name;
    std::vector<Piece> pieces;
    for (auto& text : split(name, '-')) {
        pieces.push_back({std::move(text), {}});
        annotate(pieces.back(), pieces.size() == 1, static_cast<double>(parameters));
    }
    // Sizes in words count only where none is a number.
    const bool numbered = std::any_of(pieces.begin(), pieces.end(), [](const auto& piece) {
        return piece.kinds.contains(Kind::SizeLabel) &&
               std::any_of(piece.text.begin(), piece.text.end(), is_digit);
    });
    for (auto& piece : pieces) {
        if (numbered && std::all_of(piece.text.begin(), piece.text.end(), is_letter)) {
            piece.kinds.erase(Kind::SizeLabel);
        }
    }
    bool at_start = true;
    for (auto& piece : pieces) {
        if (at_start && ((piece.kinds.empty() && is_letter(piece.text.front())) ||
                         piece.kinds.contains(Kind::Version))) {
            piece.kinds.insert(Kind::Basename);
            continue;
        }
        at_start = false;
        if (piece.kinds.empty()) {
            piece.kinds.insert(Kind::Finetune);
        }
    }
    for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
        if (!piece->kinds.contains(Kind::Basename) || piece->kinds.size() < 2) {
            break;
        }
        piece->kinds.erase(Kind::Basename); // a version at the end
    }
    out.basename = join(pieces, Kind::Basename);
    out.size_label = join(pieces, Kind::SizeLabel);
    out.finetune = join(pieces, Kind::Finetune);
    out.version = join(pieces, Kind::Version);
    if (out.size_label.empty() && out.finetune.empty() && out.version.empty()) {
        out.basename.clear(); // too ambiguous
    }
    return out;
}

std::string to_title(std::string_view name) {
    std::string plain(name);
    if (plain.size() > kMaxNameBytes) {
        return plain; // no name; a regular expression would recurse with its length
    }
    std::replace(plain.begin(), plain.end(), '-', ' ');
    std::string out;
    for (auto& word : split(plain, ' ')) {
        const bool small =
            std::any_of(word.begin(), word.end(), is_letter) &&
            std::none_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
        const bool version =
            is_digit(word.front()) || std::regex_match(word, std::regex(R"(v\d+(\.\d+)*)"));
        for (std::size_t i = 0; small && !version && i < word.size(); ++i) {
            word[i] = i == 0 || !is_letter(word[i - 1]) ? upper(word[i]) : word[i];
        }
        out += (out.empty() ? "" : " ") + word;
    }
    return out;
}

std::string size_label(std::uint64_t parameters) {
    const auto count = static_cast<double>(parameters);
    const auto scaled = [&]() -> std::pair<double, char> {
        if (count > 1e12) {
            return {count * 1e-12, 'T'};
        }
        if (count > 1e9) {
            return {count * 1e-9, 'B'};
        }
        if (count > 1e6) {
            return {count * 1e-6, 'M'};
        }
        return {count * 1e-3, 'K'};
    }();
    const double whole = std::nearbyint(scaled.first); // ties to even, as Python rounds
    const int digits =
        whole == 0 ? 0 : static_cast<int>(std::to_string(std::llround(whole)).size());
    std::array<char, 32> text{};
    (void)std::snprintf(
        text.data(), text.size(), "%.*f%c", std::max(2 - digits, 0), scaled.first, scaled.second);
    return text.data();
}

void add_general(GgufHeader& header, const GeneralFacts& facts) {
    header.add_text("general.type", "model");
    if (facts.generation && facts.generation->is_object()) {
        add_sampling(header, *facts.generation);
    }
    const Json card = facts.card && facts.card->is_object() ? *facts.card : Json::object();
    std::array<std::string, kAuthorship.size()> values;
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = read_field(card, kAuthorship[i]);
    }
    if (!facts.name_or_path.empty() &&
        std::count(facts.name_or_path.begin(), facts.name_or_path.end(), '/') <= 1) {
        fill(values, parse_model_name(facts.name_or_path, facts.parameters));
    }
    // llama.cpp has a folder there, whose name has no organization.
    fill(values, parse_model_name(facts.repo.substr(facts.repo.find('/') + 1), facts.parameters));
    if (values.back().empty()) {
        values.back() = size_label(facts.parameters);
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        header.add_text(kAuthorship[i].key, values[i]);
    }
    for (const auto& field : kTerms) {
        const auto several =
            field.key == "general.license" ? texts_of(card, "license") : std::vector<std::string>();
        std::string joined;
        for (const auto& one : several) {
            joined += (joined.empty() ? "" : ",") + one;
        }
        header.add_text(field.key, joined.empty() ? read_field(card, field) : joined);
    }
    add_origins(header,
                "general.base_model",
                card,
                {"base_model", "base_models", "base_model_sources"},
                facts.parameters);
    add_origins(header,
                "general.dataset",
                card,
                {"datasets", "dataset", "dataset_sources"},
                facts.parameters);
    auto tags = texts_of(card, "tags");
    for (auto& tag : texts_of(card, "pipeline_tag")) {
        tags.push_back(std::move(tag));
    }
    auto languages = texts_of(card, "languages");
    for (auto& language : texts_of(card, "language")) {
        languages.push_back(std::move(language));
    }
    if (!tags.empty()) {
        header.add_texts("general.tags", tags);
    }
    if (!languages.empty()) {
        header.add_texts("general.languages", languages);
    }
}

} // namespace locara::convert
