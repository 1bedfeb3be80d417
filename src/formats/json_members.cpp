#include "json_members.hpp"

#include "cursor.hpp"

#include <vector>

namespace locara::formats {

namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

class Walker {
  public:
    Walker(std::string_view text,
           const std::function<void(const JsonMember&)>& on_member,
           std::size_t max_text)
        : text_(text), on_member_(on_member), max_text_(max_text) {}

    void run() {
        while (at_ < text_.size()) {
            switch (text_[at_]) {
            case '{':
                objects_.push_back(++opened_);
                ++at_;
                break;
            case '}':
                if (!objects_.empty()) {
                    objects_.pop_back();
                }
                ++at_;
                break;
            case '"':
                read_member();
                break;
            default:
                ++at_;
            }
        }
    }

  private:
    void skip_space() {
        while (at_ < text_.size() && is_space(text_[at_])) {
            ++at_;
        }
    }

    void read_member() {
        member_.offset = at_;
        read_string(member_.key, kMaxJsonKey);
        skip_space();
        if (at_ == text_.size() || text_[at_] != ':') {
            return;
        }
        ++at_;
        skip_space();
        member_.value_offset = at_;
        member_.kind = at_ < text_.size() ? text_[at_] : '\0';
        member_.object = objects_.empty() ? 0 : objects_.back();
        member_.text.clear();
        if (member_.kind == '"') {
            read_string(member_.text, max_text_);
        }
        on_member_(member_);
    }

    /// From the quote to behind the other one, or to the end of the text.
    void read_string(std::string& out, std::size_t limit) {
        out.clear();
        for (++at_; at_ < text_.size() && text_[at_] != '"';) {
            const std::size_t begin = at_;
            std::uint32_t code = 0;
            if (text_[at_] != '\\') {
                ++at_;
                append(out, text_.substr(begin, 1), limit);
            } else if (at_ + 6 <= text_.size() && text_[at_ + 1] == 'u' &&
                       parse_hex_digits(text_.substr(at_ + 2, 4), code)) {
                at_ += 6;
                std::string letter;
                append_utf8(letter, code);
                append(out, letter, limit);
            } else {
                at_ += 2;
                if (begin + 1 < text_.size()) {
                    append(out, unescape(text_.substr(begin + 1, 1)), limit);
                }
            }
        }
        at_ = std::min(at_ + 1, text_.size());
    }

    static std::string_view unescape(std::string_view letter) {
        constexpr std::string_view kLetters = "bfnrt";
        constexpr std::string_view kMeanings = "\b\f\n\r\t";
        const std::size_t at = kLetters.find(letter);
        return at == std::string_view::npos ? letter : kMeanings.substr(at, 1);
    }

    static void append(std::string& out, std::string_view part, std::size_t limit) {
        if (out.size() + part.size() <= limit) {
            out += part;
        }
    }

    std::string_view text_;
    const std::function<void(const JsonMember&)>& on_member_;
    std::size_t max_text_;
    std::size_t at_ = 0;
    std::uint64_t opened_ = 0;
    std::vector<std::uint64_t> objects_;
    JsonMember member_;
};

} // namespace

void walk_json_members(std::string_view text,
                       const std::function<void(const JsonMember& member)>& on_member,
                       std::size_t max_text) {
    Walker(text, on_member, max_text).run();
}

} // namespace locara::formats
