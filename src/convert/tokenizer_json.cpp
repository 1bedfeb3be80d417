#include "tokenizer_json.hpp"

#include "members.hpp"

#include <locara/convert/convert.hpp>
#include <locara/formats/gguf.hpp>

#include <set>

namespace locara::convert {

namespace {

/// As llama.cpp writes a blank inside of a half, since a blank parts the halves.
std::string escape_blanks(std::string_view half) {
    std::string out;
    for (const char c : half) {
        if (c == ' ') {
            out += "\xC4\xA0"; // U+0120
        } else {
            out += c;
        }
    }
    return out;
}

class Reader : public nlohmann::json_sax<Json> {
  public:
    bool null() override { return add(Json()); }

    bool boolean(bool value) override { return add(Json(value)); }

    bool number_integer(number_integer_t value) override { return add(Json(value)); }

    bool number_unsigned(number_unsigned_t value) override {
        if (mode_ != Mode::Vocabulary || depth_ != inner_) {
            return add(Json(value));
        }
        if (value >= formats::kGgufMaxTokens) {
            return fail(ErrorCode::TooLarge, "a token has number " + std::to_string(value));
        }
        out_.vocabulary.emplace_back(std::move(key_), static_cast<std::uint32_t>(value));
        return true;
    }

    bool number_float(number_float_t value, const string_t&) override { return add(Json(value)); }

    bool string(string_t& value) override {
        if (mode_ != Mode::Merges) {
            return add(Json(std::move(value)));
        }
        if (depth_ == inner_) {
            return add_merge(std::move(value));
        }
        halves_.push_back(std::move(value));
        return halves_.size() <= 2 || fail(ErrorCode::Corrupt, "a merge has more than two halves");
    }

    bool binary(binary_t&) override { return fail(ErrorCode::Corrupt, "binary"); }

    bool start_object(std::size_t) override {
        if (!enter()) {
            return false;
        }
        if (mode_ == Mode::Skip) {
            return true;
        }
        if (mode_ != Mode::Rest) {
            return fail(ErrorCode::Corrupt, "an object among tokens or merges");
        }
        if (is_at_model("vocab")) {
            return take(Mode::Vocabulary);
        }
        return open(Json::object());
    }

    bool end_object() override { return leave(); }

    bool start_array(std::size_t) override {
        if (!enter()) {
            return false;
        }
        if (mode_ == Mode::Merges && depth_ == inner_ + 1) {
            halves_.clear();
            return true;
        }
        if (mode_ == Mode::Skip) {
            return true;
        }
        if (mode_ != Mode::Rest) {
            return fail(ErrorCode::Corrupt, "a list among tokens or merges");
        }
        if (is_at_model("vocab") || is_at_model("merges")) {
            return take(key_ == "vocab" ? Mode::Skip : Mode::Merges);
        }
        return open(Json::array());
    }

    bool end_array() override {
        if (mode_ == Mode::Merges && depth_ == inner_ + 1) {
            --depth_;
            if (halves_.size() != 2) {
                return fail(ErrorCode::Corrupt, "a merge has not two halves");
            }
            return add_merge(escape_blanks(halves_[0]) + " " + escape_blanks(halves_[1]));
        }
        return leave();
    }

    bool key(string_t& name) override {
        key_ = std::move(name);
        if (mode_ == Mode::Vocabulary) {
            if (out_.vocabulary.size() >= formats::kGgufMaxTokens) {
                return fail(ErrorCode::TooLarge,
                            "more than " + std::to_string(formats::kGgufMaxTokens) + " tokens");
            }
            return seen_.insert(key_).second || fail(ErrorCode::Corrupt, "a token stands twice");
        }
        if (mode_ == Mode::Skip) {
            return true;
        }
        const Json& object = *open_.back();
        if (object.contains(key_) || (is_model(object) && taken_.contains(key_))) {
            return fail(ErrorCode::Corrupt, "key " + shown(key_) + " stands twice in one object");
        }
        return object.size() < kTokenizerKeys ||
               fail(ErrorCode::TooLarge,
                    "an object has more than " + std::to_string(kTokenizerKeys) + " keys");
    }

    bool parse_error(std::size_t offset,
                     const std::string&,
                     const nlohmann::detail::exception&) override {
        return fail(ErrorCode::Corrupt, "JSON is malformed at byte " + std::to_string(offset));
    }

    Error error() const { return error_; }

    TokenizerJson take() { return std::move(out_); }

  private:
    enum class Mode { Rest, Vocabulary, Merges, Skip };

    bool fail(ErrorCode code, const std::string& what) {
        error_ = Error(code, "tokenizer.json: " + what);
        return false;
    }

    bool enter() {
        return ++depth_ <= kTokenizerDepth ||
               fail(ErrorCode::TooLarge,
                    "nested deeper than " + std::to_string(kTokenizerDepth) + " levels");
    }

    bool leave() {
        if (mode_ == Mode::Rest) {
            open_.pop_back();
        } else if (depth_ == inner_) {
            mode_ = Mode::Rest;
            seen_.clear();
        }
        --depth_;
        return true;
    }

    bool take(Mode mode) {
        mode_ = mode;
        inner_ = depth_;
        taken_.insert(key_);
        return true;
    }

    /// Whether it is the object that is the root's `model`.
    bool is_model(const Json& object) const {
        if (open_.size() != 2 || !object.is_object() || !out_.rest.is_object()) {
            return false;
        }
        const auto at = out_.rest.find("model");
        return at != out_.rest.end() && &*at == &object;
    }

    /// Whether the value that begins now is this member of the root's `model`.
    bool is_at_model(std::string_view name) const {
        return !open_.empty() && key_ == name && is_model(*open_.back());
    }

    bool add_merge(std::string merge) {
        if (out_.merges.size() >= kMaxMerges) {
            return fail(ErrorCode::TooLarge, "more than " + std::to_string(kMaxMerges) + " merges");
        }
        const auto blank = merge.find(' ');
        if (blank == 0 || blank == std::string::npos || blank + 1 == merge.size() ||
            merge.find(' ', blank + 1) != std::string::npos) {
            return fail(ErrorCode::Corrupt, "merge " + shown(merge) + " has not two halves");
        }
        out_.merges.push_back(std::move(merge));
        return true;
    }

    bool add(Json value) {
        if (mode_ == Mode::Skip) {
            return true;
        }
        if (mode_ != Mode::Rest) {
            return fail(ErrorCode::Corrupt, "a token's number or a merge is something else");
        }
        return place(std::move(value)) != nullptr;
    }

    bool open(Json value) {
        Json* const placed = place(std::move(value));
        if (placed != nullptr) {
            open_.push_back(placed);
        }
        return placed != nullptr;
    }

    /// Where it stands now. Pointers to open containers stay valid: nothing is added to a container
    /// while one inside of it is open.
    Json* place(Json value) {
        if (++nodes_ > kTokenizerNodes) {
            fail(ErrorCode::TooLarge, "more than " + std::to_string(kTokenizerNodes) + " values");
            return nullptr;
        }
        if (open_.empty()) {
            out_.rest = std::move(value);
            return &out_.rest;
        }
        Json& parent = *open_.back();
        if (parent.is_array()) {
            parent.push_back(std::move(value));
            return &parent.back();
        }
        Json& placed = parent[key_];
        placed = std::move(value);
        return &placed;
    }

    TokenizerJson out_;
    std::vector<Json*> open_;
    std::string key_;
    std::set<std::string> seen_;  ///< Tokens.
    std::set<std::string> taken_; ///< Members of `model` that are not in `rest`.
    std::vector<std::string> halves_;
    Mode mode_ = Mode::Rest;
    std::size_t depth_ = 0;
    std::size_t inner_ = 0; ///< The depth inside of the vocabulary or the merges.
    std::size_t nodes_ = 0;
    Error error_{ErrorCode::Corrupt, "tokenizer.json: JSON is malformed"};
};

} // namespace

Result<TokenizerJson> parse_tokenizer_json(std::string_view text) {
    if (text.size() > kMaxTokenizer) {
        return Error(ErrorCode::TooLarge,
                     "tokenizer.json has more than " + std::to_string(kMaxTokenizer) + " bytes");
    }
    if (text.starts_with("\xEF\xBB\xBF") || text.find('\0') != std::string_view::npos) {
        return Error(ErrorCode::Corrupt,
                     "tokenizer.json starts with a byte order mark or holds a NUL byte");
    }
    Reader reader;
    if (!Json::sax_parse(text, &reader)) {
        return reader.error();
    }
    auto out = reader.take();
    if (!out.rest.is_object()) {
        return Error(ErrorCode::Corrupt, "tokenizer.json is no JSON object");
    }
    return out;
}

} // namespace locara::convert
