#include "tokenizer.hpp"

#include "members.hpp"
#include "tokenizer_json.hpp"

#include <locara/base/utf8.hpp>
#include <locara/convert/convert.hpp>

#include <algorithm>
#include <map>
#include <unordered_map>

namespace locara::convert {

namespace {

constexpr std::string_view kConfig = "tokenizer_config.json";

Error unsupported(const std::string& what) {
    return Error(ErrorCode::Unsupported, "tokenizer.json: " + what);
}

Error corrupt(const std::string& what) {
    return Error(ErrorCode::Corrupt, "tokenizer.json: " + what);
}

const Json* find(const Json& object, std::string_view key) {
    if (!object.is_object()) {
        return nullptr;
    }
    const auto at = object.find(key);
    return at == object.end() || at->is_null() ? nullptr : &*at;
}

std::string text_of(const Json& object, std::string_view key) {
    const Json* at = find(object, key);
    return at != nullptr && at->is_string() ? at->get<std::string>() : "";
}

bool is_true(const Json& object, std::string_view key) {
    const Json* at = find(object, key);
    return at != nullptr && at->is_boolean() && at->get<bool>();
}

/// How a text is cut before merges apply, and what the engine calls that.
struct PreTokenizer {
    std::string_view split; ///< The expression of a Split; empty: there is none.
    enum class Digits { Together, Alone } digits = Digits::Together;
    enum class OwnCut { No, Yes } own_cut = OwnCut::No; ///< `use_regex` of ByteLevel: GPT-2's.
    std::string_view name;
    /// With `ignore_merges`, whole words are looked up first; the engine does so by the name.
    enum class WholeWords { Any, Yes, No } whole_words = WholeWords::No;
};

using Digits = PreTokenizer::Digits;
using OwnCut = PreTokenizer::OwnCut;
using WholeWords = PreTokenizer::WholeWords;

constexpr PreTokenizer kPreTokenizers[] = {
    {"", Digits::Together, OwnCut::Yes, "gpt-2", WholeWords::No},
    {"", Digits::Alone, OwnCut::Yes, "smollm", WholeWords::No},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     Digits::Together,
     OwnCut::No,
     "llama-bpe",
     WholeWords::Yes},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     Digits::Together,
     OwnCut::No,
     "qwen2",
     WholeWords::No},
    // Tokens of this family can all be made by merges, so both ways give the same.
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     Digits::Together,
     OwnCut::No,
     "tekken",
     WholeWords::Any},
};

/// One step of `pre_tokenizer`, noted in `found`.
Status read_step(const Json& step, PreTokenizer& found, bool& byte_level) {
    const std::string type = text_of(step, "type");
    if (byte_level) {
        return unsupported("a pre-tokenizer has a step behind ByteLevel");
    }
    if (type == "ByteLevel") {
        byte_level = true;
        const Json* own = find(step, "use_regex");
        found.own_cut = own == nullptr || is_true(step, "use_regex") ? OwnCut::Yes : OwnCut::No;
        if (is_true(step, "add_prefix_space")) {
            return unsupported("ByteLevel with add_prefix_space");
        }
        return {};
    }
    if (type == "Digits" && is_true(step, "individual_digits")) {
        found.digits = Digits::Alone;
        return {};
    }
    const Json* pattern = find(step, "pattern");
    if (type == "Split" && pattern != nullptr && found.split.empty() &&
        text_of(step, "behavior") == "Isolated" && !is_true(step, "invert")) {
        const Json* regex = find(*pattern, "Regex");
        if (regex != nullptr && regex->is_string()) {
            found.split = regex->get_ref<const std::string&>();
            return {};
        }
    }
    return unsupported("pre-tokenizer step " + shown(type) + " is in no table");
}

Result<std::string> find_pre_tokenizer(const Json& rest) {
    const Json* pre = find(rest, "pre_tokenizer");
    if (pre == nullptr) {
        return unsupported("no pre_tokenizer; only byte-level BPE is converted");
    }
    std::vector<const Json*> steps = {pre};
    if (text_of(*pre, "type") == "Sequence") {
        steps.clear();
        const Json* inner = find(*pre, "pretokenizers");
        for (std::size_t i = 0; inner != nullptr && inner->is_array() && i < inner->size(); ++i) {
            steps.push_back(&(*inner)[i]);
        }
    }
    PreTokenizer found;
    bool byte_level = false;
    for (const auto* step : steps) {
        LOCARA_CHECK(read_step(*step, found, byte_level));
    }
    if (!byte_level) {
        return unsupported("the pre-tokenizer is not byte-level; SentencePiece and Unigram are not "
                           "converted");
    }
    const bool whole_words = is_true(*find(rest, "model"), "ignore_merges");
    std::string known;
    for (const auto& one : kPreTokenizers) {
        if (one.split == found.split && one.digits == found.digits &&
            one.own_cut == found.own_cut &&
            (one.whole_words == WholeWords::Any ||
             whole_words == (one.whole_words == WholeWords::Yes))) {
            return std::string(one.name);
        }
        known += (known.empty() ? "" : ", ") + std::string(one.name);
    }
    return unsupported("pre-tokenizer " +
                       (found.split.empty() ? std::string("of these steps") : shown(found.split)) +
                       (whole_words ? " with ignore_merges" : "") +
                       " is in no table; known are those of " + known);
}

Status check_model(const Json& rest) {
    const Json* model = find(rest, "model");
    if (model == nullptr || !model->is_object()) {
        return corrupt("it has no model");
    }
    const std::string type = text_of(*model, "type");
    if (type != "BPE") {
        return unsupported("tokenizer type " + shown(type) +
                           "; only byte-level BPE is converted, not SentencePiece, Unigram or "
                           "WordPiece");
    }
    if (is_true(*model, "byte_fallback")) {
        return unsupported("BPE with byte_fallback is SentencePiece, which is not converted");
    }
    for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
        if (!text_of(*model, key).empty()) {
            return unsupported(std::string(key) + " " + shown(text_of(*model, key)));
        }
    }
    if (const Json* normalizer = find(rest, "normalizer")) {
        // The engine does not normalize, nor does what llama.cpp makes of these models.
        if (text_of(*normalizer, "type") != "NFC") {
            return unsupported("normalizer " + shown(text_of(*normalizer, "type")));
        }
    }
    const Json* decoder = find(rest, "decoder");
    if (decoder == nullptr || text_of(*decoder, "type") != "ByteLevel") {
        return unsupported("the decoder is not ByteLevel");
    }
    return {};
}

struct AddedToken {
    std::uint64_t id = 0;
    std::string content;
    bool special = false;
    bool normalized = false;
};

Result<std::vector<AddedToken>> read_added(const Json& rest) {
    std::vector<AddedToken> out;
    const Json* list = find(rest, "added_tokens");
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        const Json& one = list->is_array() ? (*list)[i] : *list;
        const Json* id = find(one, "id");
        if (!list->is_array() || id == nullptr || !id->is_number_unsigned() ||
            text_of(one, "content").empty()) {
            return corrupt("an added token has no id or no content");
        }
        out.push_back({id->get<std::uint64_t>(),
                       text_of(one, "content"),
                       is_true(one, "special"),
                       is_true(one, "normalized")});
    }
    return out;
}

/// The bytes that the characters of the byte alphabet stand for (GPT-2, bytes_to_unicode).
const std::unordered_map<std::uint32_t, char>& byte_alphabet() {
    static const auto made = [] {
        std::unordered_map<std::uint32_t, char> out;
        std::uint32_t spare = 256;
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            const bool plain = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) ||
                               (byte >= 174 && byte <= 255);
            out.emplace(plain ? byte : spare++, static_cast<char>(byte));
        }
        return out;
    }();
    return made;
}

/// The code points of UTF-8 that was checked before.
std::vector<std::uint32_t> code_points(std::string_view text) {
    std::vector<std::uint32_t> out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte & 0xC0U) == 0x80U && !out.empty()) {
            out.back() = (out.back() << 6U) | (byte & 0x3FU);
        } else {
            out.push_back(byte < 0x80   ? byte
                          : byte < 0xE0 ? byte & 0x1FU
                          : byte < 0xF0 ? byte & 0x0FU
                                        : byte & 0x07U);
        }
    }
    return out;
}

/// What a byte-level decoder makes of a token, where that is text again; else the token itself.
std::string decode(const std::string& token) {
    std::string out;
    for (const auto point : code_points(token)) {
        const auto at = byte_alphabet().find(point);
        if (at == byte_alphabet().end()) {
            return token;
        }
        out += at->second;
    }
    return is_utf8(out) ? out : token;
}

/// Whether a token that was not marked as special is taken for a control token all the same.
bool looks_special(std::string_view token) {
    static constexpr std::string_view kKnown[] = {"<pad>", "<mask>", "<2mass>", "[@BOS@]"};
    static constexpr std::string_view kWide = "\xEF\xBD\x9C"; // U+FF5C
    const std::string wide_start = "<" + std::string(kWide);
    const std::string wide_end = std::string(kWide) + ">";
    return std::find(std::begin(kKnown), std::end(kKnown), token) != std::end(kKnown) ||
           (token.starts_with("<|") && token.ends_with("|>")) ||
           (token.starts_with(wide_start) && token.ends_with(wide_end)) ||
           (token.starts_with("<unused") && token.ends_with(">"));
}

std::string replace_marks(std::string text) {
    static constexpr std::string_view kMark = "\xE2\x96\x81"; // U+2581, a blank of SentencePiece
    for (auto at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at)) {
        text.replace(at, kMark.size(), " ");
    }
    return text;
}

Status fill_tokens(Tokenizer& out,
                   std::vector<std::pair<std::string, std::uint32_t>> vocabulary,
                   const std::vector<AddedToken>& added,
                   std::uint64_t count) {
    out.tokens.resize(count);
    out.types.assign(count, static_cast<std::int32_t>(TokenType::Unused));
    const auto place = [&](std::uint64_t id, std::string text, TokenType type) -> Status {
        if (id >= count) {
            return corrupt("token " + shown(text) + " has number " + std::to_string(id) +
                           ", and config.json says vocab_size " + std::to_string(count));
        }
        out.tokens[id] = std::move(text);
        out.types[id] = static_cast<std::int32_t>(type);
        return {};
    };
    for (auto& [text, id] : vocabulary) {
        if (id < count && !out.tokens[id].empty()) {
            return corrupt("two tokens have number " + std::to_string(id));
        }
        LOCARA_CHECK(place(id, std::move(text), TokenType::Normal));
    }
    for (const auto& one : added) {
        std::string text = one.normalized ? one.content : decode(one.content);
        const bool control = one.special || looks_special(text);
        LOCARA_CHECK(place(one.id,
                           control ? std::move(text) : replace_marks(std::move(text)),
                           control ? TokenType::Control : TokenType::UserDefined));
    }
    for (std::uint64_t id = 0; id < count; ++id) {
        if (out.tokens[id].empty()) {
            out.tokens[id] = "[PAD" + std::to_string(id) + "]";
        }
    }
    return {};
}

template <class T>
void set(std::vector<std::pair<std::string, T>>& list, std::string key, T value) {
    const auto at =
        std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.first == key; });
    if (at != list.end()) {
        at->second = value;
    } else {
        list.emplace_back(std::move(key), value);
    }
}

/// Which tokens have a part of their own, and which of them are put before or behind a text.
class SpecialTokens {
  public:
    SpecialTokens(const std::vector<AddedToken>& added, const Json* config)
        : added_(added), config_(config),
          types_(kSpecialTokens.begin(), kSpecialTokens.begin() + kUsualTokens) {
        for (const auto& type : types_) {
            const Json* entry = config == nullptr ? nullptr : find(*config, type + "_token");
            if (entry != nullptr) {
                names_[type] =
                    entry->is_string() ? entry->get<std::string>() : text_of(*entry, "content");
            }
        }
        adopt("bos", "cls");
        adopt("eos", "sep");
    }

    Status read_post_processor(const Json& rest) {
        const Json* post = find(rest, "post_processor");
        if (post == nullptr) {
            return {};
        }
        std::vector<const Json*> steps = {post};
        if (const Json* inner = find(*post, "processors"); inner != nullptr && inner->is_array()) {
            steps.clear();
            for (const auto& step : *inner) {
                steps.push_back(&step);
            }
        }
        for (const auto* step : steps) {
            const std::string type = text_of(*step, "type");
            if (type == "TemplateProcessing") {
                read_template(*step);
            } else if (type != "ByteLevel") {
                return unsupported("post-processor " + shown(type));
            }
        }
        return {};
    }

    Status finish(Tokenizer& out, const ModelConfig& model) {
        for (const auto& type : types_) {
            const Json* add =
                config_ == nullptr ? nullptr : find(*config_, "add_" + type + "_token");
            if (add != nullptr && add->is_boolean()) {
                set(adds_, type, add->get<bool>());
            }
            if (config_ != nullptr) {
                set_by_name(type);
            }
        }
        for (const auto& type : types_) {
            const auto at = std::find(kSpecialTokens.begin(), kSpecialTokens.end(), type);
            const auto id = model.special[static_cast<std::size_t>(at - kSpecialTokens.begin())];
            if (id && !has(type)) {
                ids_.emplace_back(type, *id);
            }
        }
        for (const auto& [type, id] : ids_) {
            if (id >= model.vocabulary) {
                return Error(ErrorCode::Corrupt,
                             "the " + type + " token has number " + std::to_string(id) + ", of " +
                                 std::to_string(model.vocabulary) + " tokens");
            }
            if (const auto key = key_of(type); !key.empty()) {
                out.special.emplace_back(key, id);
            }
        }
        for (const auto& [type, value] : adds_) {
            if (type == "bos" || type == "eos" || type == "sep") {
                out.adds.emplace_back("tokenizer.ggml.add_" + type + "_token", value);
            }
        }
        return {};
    }

  private:
    static std::string key_of(const std::string& type) {
        static const std::map<std::string, std::string> kKeys = {{"bos", "bos"},
                                                                 {"eos", "eos"},
                                                                 {"unk", "unknown"},
                                                                 {"sep", "seperator"}, // sic
                                                                 {"pad", "padding"},
                                                                 {"mask", "mask"},
                                                                 {"eot", "eot"},
                                                                 {"eom", "eom"}};
        const auto at = kKeys.find(type);
        return at == kKeys.end() ? "" : "tokenizer.ggml." + at->second + "_token_id";
    }

    static std::string id_of(const Json& list, bool last, const char* kind) {
        const Json& piece = last ? list.back() : list.front();
        const Json* inner = find(piece, kind);
        return inner == nullptr ? "" : text_of(*inner, "id");
    }

    bool has(std::string_view type) const {
        return std::any_of(
            ids_.begin(), ids_.end(), [&](const auto& one) { return one.first == type; });
    }

    void adopt(const std::string& type, const std::string& other) {
        if (names_[type].empty()) {
            names_[type] = names_[other];
        }
    }

    void set_by_name(const std::string& type) {
        const std::string& name = names_[type];
        const auto at = std::find_if(
            added_.begin(), added_.end(), [&](const auto& one) { return one.content == name; });
        if (!name.empty() && at != added_.end() && !has(type)) {
            ids_.emplace_back(type, at->id);
        }
    }

    /// TemplateProcessing: what stands around one text, and between two.
    void read_template(const Json& step) {
        const Json* single = find(step, "single");
        std::string first;
        std::string last;
        if (single != nullptr && single->is_array() && single->size() > 1) {
            first = id_of(*single, false, "SpecialToken");
            last = id_of(*single, true, "SpecialToken");
        }
        std::string& bos = names_["bos"];
        std::string& cls = names_["cls"];
        std::string& eos = names_["eos"];
        if (!first.empty()) {
            if (first != bos && first != cls) {
                bos = bos.empty() ? first : bos;
                cls = cls.empty() ? first : cls;
            }
            set(adds_, "bos", first == bos || first == cls);
        }
        if (!last.empty()) {
            if (config_ != nullptr && last != eos && types_.size() < kSpecialTokens.size()) {
                types_.emplace_back(kSpecialTokens[types_.size()]); // the one that eos was is kept
                names_[types_.back()] = eos;
            }
            eos = last;
            set(adds_, "eos", true);
        }
        read_pair(step, first, last);
    }

    void read_pair(const Json& step, const std::string& first, const std::string& last) {
        const Json* pair = find(step, "pair");
        if (pair == nullptr || !pair->is_array() || pair->empty()) {
            return;
        }
        std::size_t begin = 0;
        std::size_t end = pair->size();
        begin += !first.empty() && id_of(*pair, false, "SpecialToken") == first ? 1 : 0;
        end -= !last.empty() && id_of(*pair, true, "SpecialToken") == last ? 1 : 0;
        if (begin + 2 >= end) {
            return; // nothing stands between
        }
        const auto piece = [&](std::size_t at, const char* kind) {
            const Json* inner = find((*pair)[at], kind);
            return inner == nullptr ? std::string() : text_of(*inner, "id");
        };
        if (piece(begin, "Sequence") != "A" || piece(end - 1, "Sequence") != "B") {
            return;
        }
        const auto parts = [&](std::size_t at) {
            const std::string id = piece(at, "SpecialToken");
            return !id.empty() && (id == names_["sep"] || id == names_["eos"]);
        };
        bool add = parts(begin + 1) && last.empty();
        if (end - begin == 4) {
            add = add || parts(begin + 2);
        }
        set(adds_, "sep", add);
        if (add && names_["sep"].empty()) {
            names_["sep"] = names_["eos"];
        }
    }

    const std::vector<AddedToken>& added_;
    const Json* config_; ///< nullptr: there is none.
    std::vector<std::string> types_;
    std::map<std::string, std::string> names_;
    std::vector<std::pair<std::string, bool>> adds_;
    std::vector<std::pair<std::string, std::uint64_t>> ids_;
};

void read_templates(Tokenizer& out, const Json& config, std::string_view file) {
    out.chat_template = file;
    const Json* own = find(config, "chat_template");
    if (own == nullptr) {
        return;
    }
    if (own->is_string()) {
        out.chat_template = own->get<std::string>();
        return;
    }
    out.chat_template.clear();
    for (std::size_t i = 0; own->is_array() && i < own->size(); ++i) {
        std::string name = text_of((*own)[i], "name");
        std::replace_if(
            name.begin(),
            name.end(),
            [](char c) {
                return !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                         (c >= 'A' && c <= 'Z'));
            },
            '_');
        if (name == "default") {
            out.chat_template = text_of((*own)[i], "template");
        } else if (!name.empty()) {
            set(out.templates, std::move(name), text_of((*own)[i], "template"));
        }
    }
}

} // namespace

void Tokenizer::add_to(GgufHeader& header) const {
    if (space_prefix) {
        header.add_bool("tokenizer.ggml.add_space_prefix", *space_prefix);
    }
    header.add_text("tokenizer.ggml.model", "gpt2");
    header.add_text("tokenizer.ggml.pre", pre);
    header.add_texts("tokenizer.ggml.tokens", tokens);
    header.add_i32s("tokenizer.ggml.token_type", types);
    header.add_texts("tokenizer.ggml.merges", merges); // the engine wants the key, also without any
    for (const auto& [key, id] : special) {
        header.add_u32(key, id);
    }
    for (const auto& [key, value] : adds) {
        header.add_bool(key, value);
    }
    std::vector<std::string> names;
    for (const auto& [name, text] : templates) {
        header.add_text("tokenizer.chat_template." + name, text);
        names.push_back(name);
    }
    if (!names.empty()) {
        header.add_texts("tokenizer.chat_templates", names);
    }
    header.add_text("tokenizer.chat_template", chat_template);
}

Result<Tokenizer> read_tokenizer(std::string_view tokenizer,
                                 std::string_view tokenizer_config,
                                 std::string_view chat_template,
                                 const ModelConfig& model) {
    LOCARA_TRY(auto json, parse_tokenizer_json(tokenizer));
    LOCARA_CHECK(check_model(json.rest));
    Json config;
    if (!tokenizer_config.empty()) {
        LOCARA_TRY(config, parse_members(tokenizer_config, kConfig));
    }
    const bool has_config =
        config.is_object() && !config.empty(); // llama.cpp: an empty one is none
    Tokenizer out;
    LOCARA_TRY(out.pre, find_pre_tokenizer(json.rest));
    LOCARA_TRY(const auto added, read_added(json.rest));
    LOCARA_CHECK(fill_tokens(out, std::move(json.vocabulary), added, model.vocabulary));
    out.merges = std::move(json.merges);
    SpecialTokens special(added, has_config ? &config : nullptr);
    LOCARA_CHECK(special.read_post_processor(json.rest));
    LOCARA_CHECK(special.finish(out, model));
    if (model.architecture->is_llama) {
        if (const Json* prefix = find(config, "add_prefix_space");
            prefix != nullptr && prefix->is_boolean()) {
            out.space_prefix = prefix->get<bool>();
        }
        // llama.cpp, LlamaModel.set_vocab: "granite small models".
        constexpr std::uint64_t kGraniteTokens = 49'152;
        if (model.vocabulary == kGraniteTokens) {
            set(out.adds, "tokenizer.ggml.add_bos_token", false);
        }
    }
    read_templates(out, config, has_config ? chat_template : std::string_view());
    return out;
}

} // namespace locara::convert
