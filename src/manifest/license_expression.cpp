#include "words.hpp"

#include <locara/manifest/license_expression.hpp>

#include <algorithm>

namespace locara::manifest {

namespace {

bool is_id_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '+';
}

/// Recursive descent; each level of parentheses is one level of calls, and their depth is bounded.
class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<LicenseExpression> parse() {
        if (text_.size() > kLicenseExpressionBytes) {
            return Error(ErrorCode::InvalidArgument,
                         "a license expression has at most " +
                             std::to_string(kLicenseExpressionBytes) + " characters");
        }
        LOCARA_TRY(auto out, parse_list(LicenseExpression::Kind::Or, 0));
        if (!peek().empty()) {
            return fault("AND, OR or the end");
        }
        return out;
    }

  private:
    using Kind = LicenseExpression::Kind;

    Error fault(const std::string& wanted) const {
        const auto word = peek();
        return Error(ErrorCode::InvalidArgument,
                     "is no license expression: at " + (word.empty() ? "its end" : quote(word)) +
                         " " + wanted + " is wanted");
    }

    /// The next word, parenthesis or stray character; empty at the end.
    std::string_view peek() const {
        const auto start = std::min(text_.find_first_not_of(' ', at_), text_.size());
        auto end = start;
        while (end < text_.size() && is_id_character(text_[end])) {
            ++end;
        }
        return text_.substr(start, end == start ? 1 : end - start);
    }

    void skip() { at_ = std::min(text_.find_first_not_of(' ', at_), text_.size()) + peek().size(); }

    Result<std::string> parse_id() {
        const auto word = peek();
        if (word.empty() || !is_id_character(word[0]) || word[0] == '+' || word[0] == '-' ||
            word[0] == '.' || word == "AND" || word == "OR" || word == "WITH") {
            return fault("an id");
        }
        skip();
        return std::string(word);
    }

    Result<LicenseExpression> parse_one(std::size_t depth) {
        if (peek() == "(") {
            if (depth == kLicenseExpressionDepth) {
                return Error(ErrorCode::InvalidArgument,
                             "nests parentheses deeper than " +
                                 std::to_string(kLicenseExpressionDepth));
            }
            skip();
            LOCARA_TRY(auto inside, parse_list(Kind::Or, depth + 1));
            if (peek() != ")") {
                return fault(")");
            }
            skip();
            return inside;
        }
        LicenseExpression out;
        LOCARA_TRY(out.id, parse_id());
        if (++ids_ > kLicenseExpressionIds) {
            return Error(ErrorCode::InvalidArgument,
                         "names more than " + std::to_string(kLicenseExpressionIds) + " licenses");
        }
        if (peek() == "WITH") {
            skip();
            LOCARA_TRY(out.exception, parse_id());
        }
        return out;
    }

    /// A list joined by OR, whose members are lists joined by AND.
    Result<LicenseExpression> parse_list(Kind kind, std::size_t depth) {
        LicenseExpression list;
        list.kind = kind;
        while (true) {
            LOCARA_TRY(auto part,
                       kind == Kind::Or ? parse_list(Kind::And, depth) : parse_one(depth));
            if (part.kind == kind) {
                std::move(part.parts.begin(), part.parts.end(), std::back_inserter(list.parts));
            } else {
                list.parts.push_back(std::move(part));
            }
            if (!(kind == Kind::Or ? peek() == "OR" : peek() == "AND")) {
                break;
            }
            skip();
        }
        if (list.parts.size() == 1) {
            auto only = std::move(list.parts.front());
            return only;
        }
        return list;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t ids_ = 0;
};

} // namespace

Result<LicenseExpression> LicenseExpression::parse(std::string_view text) {
    return Parser(text).parse();
}

std::string LicenseExpression::render() const {
    if (kind == Kind::Id) {
        return id + (exception.empty() ? "" : " WITH " + exception);
    }
    std::string out;
    for (const auto& part : parts) {
        out += out.empty() ? "" : kind == Kind::And ? " AND " : " OR ";
        out +=
            kind == Kind::And && part.kind == Kind::Or ? "(" + part.render() + ")" : part.render();
    }
    return out;
}

} // namespace locara::manifest
