#include "json_members.hpp"

#include "cursor.hpp"

#include <vector>

namespace locara::formats {

namespace {

constexpr std::size_t kMaxText = 256;

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

class Walker {
  public:
    Walker(std::string_view text, const std::function<void(const JsonMember&)>& on_member)
        : text_(text), on_member_(on_member) {}

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
        read_string(member_.key);
        skip_space();
        if (at_ == text_.size() || text_[at_] != ':') {
            return;
        }
        ++at_;
        skip_space();
        member_.kind = at_ < text_.size() ? text_[at_] : '\0';
        member_.object = objects_.empty() ? 0 : objects_.back();
        member_.text.clear();
        if (member_.kind == '"') {
            read_string(member_.text);
        }
        on_member_(member_);
    }

    /// From the quote to behind the other one, or to the end of the text.
    void read_string(std::string& out) {
        out.clear();
        for (++at_; at_ < text_.size() && text_[at_] != '"';) {
            const std::size_t begin = at_;
            std::uint32_t code = 0;
            if (text_[at_] != '\\') {
                ++at_;
                append(out, text_.substr(begin, 1));
            } else if (at_ + 6 <= text_.size() && text_[at_ + 1] == 'u' &&
                       parse_hex_digits(text_.substr(at_ + 2, 4), code)) {
                at_ += 6;
                std::string letter;
                append_utf8(letter, code);
                append(out, letter);
            } else {
                at_ += 2;
                if (begin + 1 < text_.size()) {
                    append(out, text_.substr(begin + 1, 1)); // \" \\ \/, others do not matter
                }
            }
        }
        at_ = std::min(at_ + 1, text_.size());
    }

    static void append(std::string& out, std::string_view part) {
        if (out.size() + part.size() <= kMaxText) {
            out += part;
        }
    }

    std::string_view text_;
    const std::function<void(const JsonMember&)>& on_member_;
    std::size_t at_ = 0;
    std::uint64_t opened_ = 0;
    std::vector<std::uint64_t> objects_;
    JsonMember member_;
};

} // namespace

void walk_json_members(std::string_view text,
                       const std::function<void(const JsonMember& member)>& on_member) {
    Walker(text, on_member).run();
}

} // namespace locara::formats
