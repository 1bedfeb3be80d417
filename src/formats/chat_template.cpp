#include "chat_template.hpp"

#include "cursor.hpp"
#include "json_members.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/utf8.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace locara::formats {

namespace {

/// Lists are words with a space before and after each.
bool is_one_of(std::string_view word, std::string_view list) {
    for (std::size_t at = list.find(word); at != std::string_view::npos;
         at = list.find(word, at + 1)) {
        if (!word.empty() && at > 0 && list[at - 1] == ' ' && list[at + word.size()] == ' ') {
            return word.find(' ') == std::string_view::npos;
        }
    }
    return false;
}

// --- the lists, each as docs/formats/chat-template.md has it ---------------------------------

constexpr std::string_view kFilters =
    " abs batch capitalize count d default dictsort e escape first float indent int items "
    "join last length list lower map max min reject rejectattr replace reverse round safe "
    "select selectattr slice sort string sum title tojson trim truncate unique upper "
    "wordcount ";

constexpr std::string_view kTests =
    " boolean callable defined divisibleby eq equalto even false float ge gt in integer "
    "iterable le lower lt mapping ne none number odd sameas sequence string true undefined "
    "upper ";

// Beside the template's own macros. Those of loops are methods below.
constexpr std::string_view kFunctions =
    " caller cycler dict joiner namespace raise_exception range strftime_now ";

// Of strings, lists, mappings, `loop` and what cycler() gives. `format` is not among them: it reads
// attributes by names within a string.
constexpr std::string_view kMethods =
    " append capitalize changed copy count cycle endswith extend find get index insert "
    "isalnum isalpha isdigit islower isspace isupper items join keys lower lstrip next pop "
    "removeprefix removesuffix replace rfind rsplit rstrip split splitlines startswith strip "
    "title update upper values ";

// Statements that read other files.
constexpr std::string_view kOutside = " block extends from import include ";

bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

std::uint64_t multiply_capped(std::uint64_t a, std::uint64_t b) {
    std::uint64_t product = 0;
    return checked_multiply(a, b, product) ? product : ~0ULL;
}

using NameId = std::uint32_t;

/// What matters of an expression.
struct Value {
    std::optional<std::string> literal;   ///< If it is one string literal.
    std::optional<NameId> name;           ///< If it is one variable.
    std::optional<std::uint64_t> integer; ///< If it is one number.
    std::uint64_t steps = 1;              ///< How often a loop over it turns; 1: as data says.
    bool underscored = false; ///< Holds a literal that starts with an underscore, or has two.
    std::vector<NameId> names;
};

/// Takes the parts of another value; what it is itself is no longer known.
void merge(Value& into, Value&& other) {
    into.literal.reset();
    into.name.reset();
    into.integer.reset();
    into.steps = 1;
    into.underscored = into.underscored || other.underscored;
    if (into.names.empty()) {
        into.names = std::move(other.names);
    } else {
        into.names.insert(into.names.end(), other.names.begin(), other.names.end());
    }
}

using Constants = std::map<std::string, std::uint64_t, std::less<>>;

/// Recursive descent, at most kMaxTemplateDepth deep. Every parse function answers false once
/// `problem_` is set, and callers pass that on.
class TemplateParser {
  public:
    /// `constants` are of an earlier run: a variable may be read before the line that sets it.
    explicit TemplateParser(std::string_view text, Constants constants = {})
        : text_(text), constants_(std::move(constants)) {}

    /// After run(): the largest number, written out, that each variable is set to.
    const Constants& constants() const { return constants_; }

    std::optional<Finding> run() {
        if (text_.size() > kMaxTemplateBytes) {
            fail("template.limits", "it is larger than 256 KiB", 0);
        } else if (!is_utf8(text_)) {
            fail("template.syntax", "it is not UTF-8", 0);
        } else if (std::string ended; parse_body({}, ended) && check_macros()) {
            check_subscripts();
        }
        return std::move(problem_);
    }

  private:
    // --- characters --------------------------------------------------------------------------

    bool fail(std::string_view rule, const std::string& reason, std::size_t offset) {
        if (!problem_) {
            problem_ = Finding{
                std::string(rule), "a chat template that is not rendered: " + reason, offset};
        }
        return false;
    }

    bool fail_syntax(const std::string& reason) { return fail("template.syntax", reason, at_); }

    bool starts(std::string_view word) const { return text_.substr(at_).starts_with(word); }

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    void skip_blanks() {
        while (at_ < text_.size() && is_blank(text_[at_])) {
            ++at_;
        }
    }

    /// The symbol, if it comes next. Only outside brackets does a tag end, so only there may
    /// "-%}" not be read as an operator.
    bool take(std::string_view symbol) {
        skip_blanks();
        if (!starts(symbol) || (brackets_ == 0 && at_end_of_tag())) {
            return false;
        }
        at_ += symbol.size();
        return true;
    }

    bool at_end_of_tag() const {
        std::string_view rest = text_.substr(at_);
        if (rest.starts_with('-') || rest.starts_with('+')) {
            rest.remove_prefix(1);
        }
        return rest.starts_with(end_of_tag_);
    }

    bool take_end_of_tag() {
        skip_blanks();
        if (!at_end_of_tag()) {
            return fail_syntax("expected " + std::string(end_of_tag_));
        }
        at_ += (starts(end_of_tag_) ? 0 : 1) + end_of_tag_.size();
        return true;
    }

    /// The name that comes next, without taking it; empty if none does.
    std::string_view peek_name() {
        skip_blanks();
        if (!is_name_start(peek())) {
            return {};
        }
        std::size_t end = at_ + 1;
        while (end < text_.size() && (is_name_start(text_[end]) || is_digit(text_[end]))) {
            ++end;
        }
        return text_.substr(at_, end - at_);
    }

    bool take_word(std::string_view word) {
        if (peek_name() != word) {
            return false;
        }
        at_ += word.size();
        return true;
    }

    bool take_name(std::string_view& name, std::string_view what) {
        name = peek_name();
        if (name.empty()) {
            return fail_syntax("expected the name of " + std::string(what));
        }
        at_ += name.size();
        return true;
    }

    bool count_node() {
        if (++nodes_ > kMaxTemplateNodes) {
            return fail("template.limits", "it has more than 20,000 parts", at_);
        }
        return true;
    }

    /// One level of brackets or blocks.
    class Level {
      public:
        explicit Level(TemplateParser& parser) : parser_(parser), outer_(parser.depth_) {
            ++parser_.depth_;
        }

        ~Level() { parser_.depth_ = outer_; }

        Level(const Level&) = delete;
        Level& operator=(const Level&) = delete;

        bool fits() {
            return parser_.depth_ <= kMaxTemplateDepth ||
                   parser_.fail("template.limits", "it is nested more than 64 deep", parser_.at_);
        }

      private:
        TemplateParser& parser_;
        unsigned outer_;
    };

    // --- names -------------------------------------------------------------------------------

    bool id_of(std::string_view name, NameId& id) {
        if (name.starts_with("__")) {
            return fail("template.attribute",
                        "the name " + quote_for_message(name) + " starts with underscores",
                        at_);
        }
        const auto [place, added] =
            ids_.emplace(std::string(name), static_cast<NameId>(names_.size()));
        if (added && names_.size() > kMaxTemplateNames) {
            return fail("template.limits", "it has more than 2,000 variables", at_);
        }
        if (added) {
            names_.push_back(&place->first);
        }
        id = place->second;
        return true;
    }

    struct Assignment {
        NameId name;
        bool underscored;
        std::vector<NameId> from;
    };

    void assign(NameId name, const Value& value) {
        assignments_.push_back({name, value.underscored, value.names});
        if (value.integer && name != kArguments) {
            std::uint64_t& largest = constants_[*names_[name]];
            largest = std::max(largest, *value.integer);
        }
    }

    bool check_attribute(std::string_view name, std::size_t offset) {
        return !name.starts_with('_') ||
               fail("template.attribute",
                    "the attribute " + quote_for_message(name) + " starts with an underscore",
                    offset);
    }

    // --- text and tags -----------------------------------------------------------------------

    /// Text and tags up to one of the statements `ends` (then `ended` is its name and the rest of
    /// its tag comes next), or to the end of the text if there are none.
    bool parse_body(std::initializer_list<std::string_view> ends, std::string& ended) {
        Level level(*this);
        if (!level.fits()) {
            return false;
        }
        while (at_ < text_.size()) {
            const std::size_t brace = text_.find('{', at_);
            if (brace == std::string_view::npos || brace + 1 == text_.size()) {
                at_ = text_.size();
                break;
            }
            at_ = brace + 2;
            const char kind = text_[brace + 1];
            if (kind == '#') {
                const std::size_t end = text_.find("#}", at_);
                if (end == std::string_view::npos) {
                    return fail_syntax("a comment without end");
                }
                at_ = end + 2;
            } else if (kind == '{') {
                Value ignored;
                end_of_tag_ = "}}";
                skip_sign();
                if (!parse_tuple(ignored) || !take_end_of_tag()) {
                    return false;
                }
            } else if (kind == '%') {
                end_of_tag_ = "%}";
                skip_sign();
                std::string_view word;
                if (!take_name(word, "a statement")) {
                    return false;
                }
                if (std::find(ends.begin(), ends.end(), word) != ends.end()) {
                    ended = word;
                    return true;
                }
                if (!count_node() || !parse_statement(word)) {
                    return false;
                }
            } else {
                at_ = brace + 1;
            }
        }
        if (ends.size() > 0) {
            return fail_syntax("it ends without " + quote_for_message(*(ends.end() - 1)));
        }
        return true;
    }

    void skip_sign() {
        if (peek() == '-' || peek() == '+') {
            ++at_;
        }
    }

    bool parse_statement(std::string_view word) {
        if (word == "if") {
            return parse_if();
        }
        if (word == "for") {
            return parse_for();
        }
        if (word == "set") {
            return parse_set();
        }
        if (word == "macro") {
            return parse_macro();
        }
        if (word == "raw") {
            return parse_raw();
        }
        if (word == "generation" || word == "call" || word == "filter") {
            return parse_wrapper(word);
        }
        if (word == "break" || word == "continue") {
            return (loops_ > 0 || fail_syntax(std::string(word) + " outside of a loop")) &&
                   take_end_of_tag();
        }
        at_ -= word.size();
        if (word.starts_with("end") || word == "else" || word == "elif") {
            return fail_syntax(std::string(word) + " closes nothing");
        }
        return is_one_of(word, kOutside)
                   ? fail("template.outside", std::string(word) + " reads other files", at_)
                   : fail("template.statement",
                          "the statement " + quote_for_message(word) + " is not on the list",
                          at_);
    }

    bool parse_if() {
        Value condition;
        std::string ended;
        if (!parse_expression(condition)) {
            return false;
        }
        ++conditional_;
        while (true) {
            if (!take_end_of_tag() || !parse_body({"elif", "else", "endif"}, ended)) {
                return false;
            }
            if (ended != "elif") {
                break;
            }
            if (!parse_expression(condition)) {
                return false;
            }
        }
        if (ended == "else" && (!take_end_of_tag() || !parse_body({"endif"}, ended))) {
            return false;
        }
        --conditional_;
        return take_end_of_tag();
    }

    /// One name or several, with or without brackets.
    bool parse_targets(std::vector<NameId>& targets) {
        const bool bracket = take("(");
        do {
            std::string_view name;
            NameId id = 0;
            if (!take_name(name, "a variable") || !count_node() || !id_of(name, id)) {
                return false;
            }
            targets.push_back(id);
        } while (take(","));
        return !bracket || take(")") || fail_syntax("expected )");
    }

    bool parse_for() {
        std::vector<NameId> targets;
        Value over;
        if (!parse_targets(targets)) {
            return false;
        }
        if (!take_word("in")) {
            return fail_syntax("expected in");
        }
        const std::size_t begin = at_;
        if (!parse_tuple(over, WithIf::No)) {
            return false;
        }
        for (const NameId target : targets) {
            assign(target, over);
        }
        if (take_word("if")) {
            Value condition;
            if (!parse_expression(condition)) {
                return false;
            }
        }
        const std::uint64_t outer_steps = steps_;
        steps_ = multiply_capped(steps_, std::max<std::uint64_t>(over.steps, 1));
        ++loops_;
        ++conditional_;
        if (steps_ > kMaxTemplateSteps || loops_ > kMaxTemplateLoops) {
            return fail("template.loop",
                        "its loops turn more than 100,000 times, or are more than 8 in each other",
                        begin);
        }
        std::string ended;
        if (!take_end_of_tag() || !parse_body({"else", "endfor"}, ended)) {
            return false;
        }
        --loops_;
        steps_ = outer_steps;
        if (ended == "else" && (!take_end_of_tag() || !parse_body({"endfor"}, ended))) {
            return false;
        }
        --conditional_;
        return take_end_of_tag();
    }

    bool parse_set() {
        std::vector<NameId> targets;
        if (!parse_targets(targets)) {
            return false;
        }
        while (take(".")) { // of a namespace
            std::string_view attribute;
            if (!take_name(attribute, "an attribute") ||
                !check_attribute(attribute, at_ - attribute.size())) {
                return false;
            }
        }
        Value value;
        if (take("=")) {
            if (!parse_tuple(value)) {
                return false;
            }
        } else { // {% set x %}...{% endset %}, with filters or without
            std::string ended;
            if (!parse_filters(value) || !take_end_of_tag() || !parse_body({"endset"}, ended)) {
                return false;
            }
            value.underscored = true; // whatever the text is
        }
        for (const NameId target : targets) {
            assign(target, value);
        }
        return take_end_of_tag();
    }

    /// "(a, b=1)" behind the name of a macro.
    bool parse_parameters() {
        if (!take("(")) {
            return fail_syntax("expected (");
        }
        ++brackets_;
        while (!take(")")) {
            std::string_view name;
            NameId id = 0;
            if (!take_name(name, "a parameter") || !count_node() || !id_of(name, id)) {
                return false;
            }
            assignments_.push_back({id, false, {kArguments}});
            if (take("=")) {
                Value value;
                if (!parse_expression(value)) {
                    return false;
                }
                assign(id, value);
            }
            skip_blanks();
            if (!take(",") && peek() != ')') {
                return fail_syntax("expected , or )");
            }
        }
        --brackets_;
        return true;
    }

    bool parse_macro() {
        std::string_view name;
        NameId id = 0;
        if (!take_name(name, "a macro") || !id_of(name, id) || !parse_parameters()) {
            return false;
        }
        // A macro in a macro belongs to what surrounds it too: both may run it.
        const auto outer_macro = macro_;
        const unsigned outer_conditional = conditional_;
        const std::uint64_t outer_steps = steps_;
        const unsigned outer_loops = loops_;
        macro_ = id;
        macros_[id];
        conditional_ = 0;
        steps_ = 1;
        loops_ = 0;
        std::string ended;
        if (!take_end_of_tag() || !parse_body({"endmacro"}, ended)) {
            return false;
        }
        macro_ = outer_macro;
        conditional_ = outer_conditional;
        steps_ = outer_steps;
        loops_ = outer_loops;
        take_word(name); // {% endmacro name %}
        return take_end_of_tag();
    }

    bool parse_raw() {
        if (!take_end_of_tag()) {
            return false;
        }
        for (std::size_t end = text_.find("{%", at_); end != std::string_view::npos;
             end = text_.find("{%", end + 2)) {
            at_ = end + 2;
            skip_sign();
            if (take_word("endraw")) {
                return take_end_of_tag();
            }
        }
        return fail_syntax("raw text without end");
    }

    /// Statements that only surround text: generation, call and filter.
    bool parse_wrapper(std::string_view word) {
        Value value;
        bool right = true;
        if (word == "filter") {
            right = parse_filter(value) && parse_filters(value);
        } else if (word == "call") {
            skip_blanks();
            right = (peek() != '(' || parse_parameters()) && parse_expression(value);
        }
        const std::string end = "end" + std::string(word);
        std::string ended;
        return right && take_end_of_tag() && parse_body({end}, ended) && take_end_of_tag();
    }

    // --- expressions, from the loosest binding to the tightest --------------------------------

    enum class WithIf { No, Yes };

    /// One expression, or several with commas between.
    bool parse_tuple(Value& out, WithIf with_if = WithIf::Yes) {
        if (!parse_expression(out, with_if)) {
            return false;
        }
        std::uint64_t count = 1;
        while (take(",")) {
            skip_blanks();
            if (at_end_of_tag() || peek() == ')' || peek() == ']') {
                break;
            }
            Value next;
            if (!parse_expression(next, with_if)) {
                return false;
            }
            merge(out, std::move(next));
            ++count;
        }
        if (count > 1) {
            out.steps = count;
        }
        return true;
    }

    bool parse_expression(Value& out, WithIf with_if = WithIf::Yes) {
        Level level(*this);
        const std::size_t ran_before = macro_ ? macros_[*macro_].size() : 0;
        if (!level.fits() || !parse_or(out)) {
            return false;
        }
        while (with_if == WithIf::Yes && take_word("if")) {
            if (macro_) {
                macros_[*macro_].resize(ran_before); // they had a condition, which comes only now
            }
            const Part part(*this);
            Value condition;
            if (!parse_or(condition)) {
                return false;
            }
            if (take_word("else")) {
                Value other;
                if (!parse_expression(other)) {
                    return false;
                }
                const std::uint64_t steps = std::max(out.steps, other.steps);
                merge(out, std::move(other));
                out.steps = steps;
            }
        }
        return true;
    }

    /// What follows may not be evaluated.
    class Part {
      public:
        explicit Part(TemplateParser& parser) : parser_(parser) { ++parser_.conditional_; }

        ~Part() { --parser_.conditional_; }

        Part(const Part&) = delete;
        Part& operator=(const Part&) = delete;

      private:
        TemplateParser& parser_;
    };

    bool parse_or(Value& out) {
        if (!parse_and(out)) {
            return false;
        }
        while (take_word("or")) {
            const Part part(*this);
            Value next;
            if (!parse_and(next)) {
                return false;
            }
            merge(out, std::move(next));
        }
        return true;
    }

    bool parse_and(Value& out) {
        if (!parse_not(out)) {
            return false;
        }
        while (take_word("and")) {
            const Part part(*this);
            Value next;
            if (!parse_not(next)) {
                return false;
            }
            merge(out, std::move(next));
        }
        return true;
    }

    bool parse_not(Value& out) {
        bool negated = false;
        while (take_word("not")) {
            negated = true;
            if (!count_node()) {
                return false;
            }
        }
        if (!parse_compare(out)) {
            return false;
        }
        if (negated) {
            merge(out, Value());
        }
        return true;
    }

    bool take_comparison() {
        if (take_word("in")) {
            return true;
        }
        const std::size_t begin = at_;
        if (take_word("not")) {
            if (take_word("in")) {
                return true;
            }
            at_ = begin;
            return false;
        }
        return take("==") || take("!=") || take("<=") || take(">=") || take("<") || take(">");
    }

    bool parse_compare(Value& out) {
        if (!parse_sum(out)) {
            return false;
        }
        while (take_comparison()) {
            Value next;
            if (!parse_sum(next)) {
                return false;
            }
            merge(out, std::move(next));
        }
        return true;
    }

    bool parse_sum(Value& out) {
        if (!parse_concat(out)) {
            return false;
        }
        while (take("+") || take("-")) {
            Value next;
            if (!parse_concat(next)) {
                return false;
            }
            join(out, std::move(next));
        }
        return true;
    }

    bool parse_concat(Value& out) {
        if (!parse_product(out)) {
            return false;
        }
        while (take("~")) {
            Value next;
            if (!parse_product(next)) {
                return false;
            }
            join(out, std::move(next));
        }
        return true;
    }

    /// The largest number that the operands of sums and products could make of literals.
    void join(Value& out, Value&& next) {
        const std::uint64_t bound = multiply_capped(bound_of(out), bound_of(next));
        merge(out, std::move(next));
        bounds_ = std::max(bounds_, bound);
    }

    static std::uint64_t bound_of(const Value& value) {
        return std::max<std::uint64_t>(value.integer.value_or(1), 1);
    }

    bool parse_product(Value& out) {
        if (!parse_unary(out)) {
            return false;
        }
        std::uint64_t product = bound_of(out);
        while (true) {
            skip_blanks();
            const std::size_t begin = at_;
            if (starts("**")) {
                return fail("template.loop", "a power can take for ever", at_);
            }
            const bool times = take("*");
            if (!times && !take("//") && !take("/") && !take("%")) {
                return true;
            }
            Value next;
            if (!parse_unary(next)) {
                return false;
            }
            product = times ? multiply_capped(product, bound_of(next)) : product;
            if (times && product > kMaxTemplateSteps) {
                return fail("template.loop", "a repetition of more than 100,000 times", begin);
            }
            join(out, std::move(next));
        }
    }

    bool parse_unary(Value& out) {
        if (take("-") || take("+")) {
            Level level(*this);
            if (!level.fits() || !count_node() || !parse_unary(out)) {
                return false;
            }
            merge(out, Value());
            return true;
        }
        skip_blanks();
        if (starts("**")) {
            return fail("template.loop", "a power can take for ever", at_);
        }
        return parse_primary(out) && parse_postfix(out) && parse_filters(out);
    }

    bool parse_primary(Value& out) {
        if (!count_node()) {
            return false;
        }
        skip_blanks();
        const char c = peek();
        if (c == '"' || c == '\'') {
            return parse_string(out);
        }
        if (is_digit(c)) {
            return parse_number(out);
        }
        if (c == '(' || c == '[' || c == '{') {
            ++at_;
            ++brackets_;
            const bool right = c == '{' ? parse_mapping(out) : parse_sequence(out, c);
            --brackets_;
            return right;
        }
        const std::string_view name = peek_name();
        if (name.empty()) {
            return fail_syntax("expected a value");
        }
        constexpr std::string_view kReserved = " and elif else if in is not or ";
        if (is_one_of(name, kReserved)) {
            return fail_syntax("expected a value and not " + quote_for_message(name));
        }
        at_ += name.size();
        constexpr std::string_view kConstants = " False None True false none true ";
        if (is_one_of(name, kConstants)) {
            return true;
        }
        NameId id = 0;
        if (!id_of(name, id)) {
            return false;
        }
        out.name = id;
        out.names.push_back(id);
        if (const auto constant = constants_.find(name); constant != constants_.end()) {
            out.integer = constant->second;
        }
        return true;
    }

    // Strings as in Python; the ones behind each other are one.
    bool parse_string(Value& out) {
        std::string value;
        skip_blanks();
        const std::size_t begin = at_;
        while (peek() == '"' || peek() == '\'') {
            const char quote = text_[at_];
            for (++at_; at_ < text_.size() && text_[at_] != quote;) {
                if (text_[at_] == '\\') {
                    parse_escape(value);
                } else {
                    value += text_[at_++];
                }
            }
            if (at_ >= text_.size()) {
                at_ = begin;
                return fail_syntax("a string without end");
            }
            ++at_;
            skip_blanks();
        }
        out.underscored = value.starts_with('_') || value.find("__") != std::string::npos;
        out.steps = std::max<std::size_t>(value.size(), 1);
        out.literal = std::move(value);
        return true;
    }

    void parse_escape(std::string& out) {
        const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
        const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
        std::uint32_t code = 0;
        if (digits > 0 && at_ + 2 + digits <= text_.size() &&
            parse_hex_digits(text_.substr(at_ + 2, digits), code)) {
            append_utf8(out, code > 0xFFFF ? 0xFFFD : code); // only what is ASCII matters
            at_ += 2 + digits;
            return;
        }
        if (c >= '0' && c <= '7') {
            for (++at_; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7' && code < 64;
                 ++at_) {
                code = code * 8 + static_cast<std::uint32_t>(text_[at_] - '0');
            }
            append_utf8(out, code);
            return;
        }
        if (c == 'N') {
            out += "__"; // a character by its name: could be any
        } else {
            constexpr std::string_view kLetters = "abfnrtv";
            out += kLetters.find(c) == std::string_view::npos ? c : ' ';
        }
        at_ = std::min(at_ + 2, text_.size());
    }

    bool parse_number(Value& out) {
        std::uint64_t value = 0;
        const bool other_base =
            peek() == '0' && at_ + 1 < text_.size() &&
            std::string_view("xXoObB").find(text_[at_ + 1]) != std::string_view::npos;
        bool whole = !other_base;
        if (other_base) {
            at_ += 2;
            value = ~0ULL; // as if it were very large
            while (is_digit(peek()) || is_name_start(peek())) {
                ++at_;
            }
        }
        while (is_digit(peek()) || peek() == '_') {
            if (peek() != '_') {
                const auto digit = static_cast<std::uint64_t>(peek() - '0');
                value = value > (~0ULL - digit) / 10 ? ~0ULL : value * 10 + digit;
            }
            ++at_;
        }
        if (!other_base && peek() == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1])) {
            whole = false;
            for (++at_; is_digit(peek()) || peek() == '_'; ++at_) {
            }
        }
        if (!other_base && (peek() == 'e' || peek() == 'E')) {
            std::size_t end = at_ + 1;
            end += end < text_.size() && (text_[end] == '-' || text_[end] == '+') ? 1 : 0;
            if (end < text_.size() && is_digit(text_[end])) {
                whole = false;
                value = ~0ULL;
                for (at_ = end; is_digit(peek()) || peek() == '_'; ++at_) {
                }
            }
        }
        if (is_name_start(peek())) {
            return fail_syntax("a number that goes on as a name");
        }
        if (whole || value == ~0ULL) {
            out.integer = value;
        }
        return true;
    }

    /// Behind "(" or "[".
    bool parse_sequence(Value& out, char open) {
        const std::string_view close = open == '(' ? ")" : "]";
        std::uint64_t count = 0;
        bool comma = false;
        while (!take(close)) {
            if (count > 0 && !comma) {
                return fail_syntax("expected " + std::string(close));
            }
            Value next;
            if (!parse_expression(next)) {
                return false;
            }
            comma = take(",");
            if (count == 0 && open == '(' && !comma) { // only brackets
                if (!take(")")) {
                    return fail_syntax("expected )");
                }
                out = std::move(next);
                return true;
            }
            merge(out, std::move(next));
            ++count;
        }
        out.steps = std::max<std::uint64_t>(count, 1);
        return true;
    }

    /// Behind "{".
    bool parse_mapping(Value& out) {
        std::uint64_t count = 0;
        while (!take("}")) {
            if (count > 0 && !take(",")) {
                return fail_syntax("expected , or }");
            }
            if (count > 0 && take("}")) {
                break;
            }
            Value key;
            Value value;
            if (!parse_expression(key)) {
                return false;
            }
            if (!take(":")) {
                return fail_syntax("expected :");
            }
            if (!parse_expression(value)) {
                return false;
            }
            merge(out, std::move(key));
            merge(out, std::move(value));
            ++count;
        }
        out.steps = std::max<std::uint64_t>(count, 1);
        return true;
    }

    bool parse_postfix(Value& out) {
        while (true) {
            skip_blanks();
            if (starts(".") && !starts("..")) {
                ++at_;
                if (!parse_attribute(out)) {
                    return false;
                }
            } else if (starts("[")) {
                ++at_;
                if (!parse_subscript(out)) {
                    return false;
                }
            } else if (starts("(")) {
                if (!parse_call(out)) {
                    return false;
                }
            } else {
                return true;
            }
            if (!count_node()) {
                return false;
            }
        }
    }

    /// Behind "."; with the call of a method if one follows.
    bool parse_attribute(Value& out) {
        skip_blanks();
        const std::size_t begin = at_;
        if (is_digit(peek())) {
            Value ignored;
            if (!parse_number(ignored)) {
                return false;
            }
            merge(out, Value());
            return true;
        }
        std::string_view name;
        if (!take_name(name, "an attribute") || !check_attribute(name, begin)) {
            return false;
        }
        const std::vector<NameId> of = out.names;
        merge(out, Value());
        skip_blanks();
        if (peek() != '(') {
            return true;
        }
        if (!is_one_of(name, kMethods)) {
            return fail("template.name",
                        "the method " + quote_for_message(name) + " is not on the list",
                        begin);
        }
        return parse_arguments([&](std::size_t position, std::string_view, Value&& value) {
            if ((name == "get" || name == "pop") && position == 0) { // the same as [key]
                if (value.literal && !check_attribute(*value.literal, begin)) {
                    return false;
                }
                if (!value.literal && (value.underscored || !value.names.empty())) {
                    subscripts_.push_back({begin, value.underscored, value.names});
                }
            }
            if (is_one_of(name, " append extend insert update ")) {
                for (const NameId changed : of) {
                    assignments_.push_back({changed, value.underscored, value.names});
                }
            }
            merge(out, std::move(value));
            return true;
        });
    }

    /// Behind "[": a key, or a slice.
    bool parse_subscript(Value& out) {
        const std::size_t begin = at_;
        ++brackets_;
        Value key;
        bool slice = false;
        for (bool first = true; !take("]"); first = false) {
            if (take(":")) {
                slice = true;
            } else {
                if (!first && !slice) {
                    return fail_syntax("expected ]");
                }
                Value part;
                if (!parse_expression(part)) {
                    return false;
                }
                if (first) {
                    key = std::move(part);
                } else {
                    merge(key, std::move(part));
                }
            }
        }
        --brackets_;
        if (at_ == begin + 1) {
            return fail_syntax("expected a key");
        }
        if (!slice && key.literal && !check_attribute(*key.literal, begin)) {
            return false;
        }
        if (!slice && !key.literal && (key.underscored || !key.names.empty())) {
            subscripts_.push_back({begin, key.underscored, std::move(key.names)});
        }
        merge(out, Value());
        return true;
    }

    /// At "(" behind a variable: only functions of the list and macros are called.
    bool parse_call(Value& out) {
        const std::size_t begin = at_;
        if (!out.name) {
            return fail("template.name", "a call of something that is not a function", begin);
        }
        const NameId callee = *out.name;
        const std::string& name = *names_[callee];
        const bool range = name == "range";
        const bool macro = !is_one_of(name, kFunctions);
        if (macro) {
            calls_.push_back({begin, callee});
            if (macro_ && conditional_ == 0) {
                macros_[*macro_].push_back(callee);
            }
        }
        const std::uint64_t outer_bounds = bounds_;
        std::uint64_t steps = 1;
        bounds_ = 1;
        Value result;
        const bool right = parse_arguments([&](std::size_t, std::string_view, Value&& value) {
            steps = std::max(steps, bound_of(value));
            merge(result, std::move(value));
            return true;
        });
        if (!right) {
            return false;
        }
        if (range) {
            steps = std::max(steps, bounds_);
            if (steps > kMaxTemplateSteps) {
                return fail("template.loop", "a range of more than 100,000 steps", begin);
            }
        }
        bounds_ = outer_bounds;
        if (macro) {
            assign(kArguments, result);
        }
        if (macro || name == "caller") {
            result.underscored = true; // whatever its text is
        }
        out = std::move(result);
        out.steps = range ? steps : 1;
        return true;
    }

    /// "(a, b, name=c)"; `on_argument` gets position, name or nothing, and value.
    template <class OnArgument> bool parse_arguments(OnArgument on_argument) {
        if (!take("(")) {
            return fail_syntax("expected (");
        }
        ++brackets_;
        for (std::size_t position = 0; !take(")"); ++position) {
            skip_blanks();
            if (peek() == '*') {
                return fail("template.name", "arguments from a list or mapping", at_);
            }
            std::string_view keyword = peek_name();
            const std::size_t begin = at_;
            if (!keyword.empty()) {
                at_ += keyword.size();
                skip_blanks();
                if (peek() == '=' && !starts("==")) {
                    if (!check_attribute(keyword, begin)) { // dict(_=1) has it as a key
                        return false;
                    }
                    ++at_;
                } else {
                    at_ = begin;
                    keyword = {};
                }
            }
            Value value;
            if (!parse_expression(value) || !on_argument(position, keyword, std::move(value))) {
                return false;
            }
            skip_blanks();
            if (!take(",") && peek() != ')') {
                return fail_syntax("expected , or )");
            }
        }
        --brackets_;
        return true;
    }

    bool parse_filters(Value& out) {
        while (true) {
            if (take("|")) {
                if (!parse_filter(out)) {
                    return false;
                }
            } else if (take_word("is")) {
                if (!parse_test(out)) {
                    return false;
                }
            } else {
                skip_blanks();
                if (!starts("(")) {
                    return true;
                }
                return fail("template.name", "a call of something that is not a function", at_);
            }
        }
    }

    bool parse_filter(Value& out) {
        skip_blanks();
        const std::size_t begin = at_;
        std::string_view name;
        if (!count_node() || !take_name(name, "a filter")) {
            return false;
        }
        if (name == "attr") {
            return fail("template.outside", "the filter attr reads any attribute", begin);
        }
        if (!is_one_of(name, kFilters)) {
            return fail("template.name",
                        "the filter " + quote_for_message(name) + " is not on the list",
                        begin);
        }
        merge(out, Value());
        skip_blanks();
        return peek() != '(' ||
               parse_arguments([&](std::size_t position, std::string_view keyword, Value&& value) {
                   const bool right = check_filter_argument(name, position, keyword, value, begin);
                   merge(out, std::move(value));
                   return right;
               });
    }

    /// Some filters take the name of an attribute, a filter or a test.
    bool check_filter_argument(std::string_view filter,
                               std::size_t position,
                               std::string_view keyword,
                               const Value& value,
                               std::size_t offset) {
        const bool by_attribute = filter == "selectattr" || filter == "rejectattr";
        const bool by_test = by_attribute || filter == "select" || filter == "reject";
        const std::size_t attribute_at =
            by_attribute || filter == "sum" ? 0
            : filter == "sort"              ? 2
            : filter == "join" || filter == "unique" || filter == "max" || filter == "min"
                ? 1
                : ~std::size_t{0};
        if (keyword == "attribute" || (keyword.empty() && position == attribute_at)) {
            if (value.integer && !value.name) {
                return true;
            }
            if (!value.literal || value.literal->starts_with('_') ||
                value.literal->find("._") != std::string::npos) {
                return fail("template.attribute",
                            "an attribute for " + quote_for_message(filter) +
                                " that starts with an underscore, or is not written out",
                            offset);
            }
            return true;
        }
        if (is_one_of(filter, " batch indent slice ") && bound_of(value) > kMaxTemplateSteps) {
            return fail("template.loop", "a repetition of more than 100,000 times", offset);
        }
        const bool names_test = by_test && keyword.empty() && position == (by_attribute ? 1 : 0);
        const bool names_filter = filter == "map" && keyword.empty() && position == 0;
        if (!names_test && !names_filter) {
            return true;
        }
        constexpr std::string_view kSymbols = " != < <= == > >= ";
        const bool listed = value.literal && (names_test ? is_one_of(*value.literal, kTests) ||
                                                               is_one_of(*value.literal, kSymbols)
                                                         : is_one_of(*value.literal, kFilters));
        return listed || fail(value.literal == "attr" ? "template.outside" : "template.name",
                              std::string(filter) + " by a " + (names_test ? "test" : "filter") +
                                  " that is not on the list, or not written out",
                              offset);
    }

    bool parse_test(Value& out) {
        while (take_word("not")) {
        }
        skip_blanks();
        const std::size_t begin = at_;
        std::string_view name;
        if (!count_node() || !take_name(name, "a test")) {
            return false;
        }
        std::string lower(name);
        lower[0] = ascii_lower(lower[0]);
        if (!is_one_of(lower, kTests)) { // None, True and False are names of tests too
            return fail("template.name",
                        "the test " + quote_for_message(name) + " is not on the list",
                        begin);
        }
        merge(out, Value());
        skip_blanks();
        if (peek() == '(') {
            return parse_arguments([&](std::size_t, std::string_view, Value&& value) {
                merge(out, std::move(value));
                return true;
            });
        }
        constexpr std::string_view kTakesOne = " divisibleby eq equalto ge gt in le lt ne sameas ";
        if (!is_one_of(lower, kTakesOne)) {
            return true;
        }
        Value value;
        if (!parse_primary(value) || !parse_postfix(value)) {
            return false;
        }
        merge(out, std::move(value));
        return true;
    }

    // --- what only the whole template tells ----------------------------------------------------

    /// Calls go to macros of this template, and none runs itself without a condition.
    bool check_macros() {
        for (const auto& [offset, callee] : calls_) {
            if (!macros_.contains(callee)) {
                return fail("template.name",
                            "the function " + quote_for_message(*names_[callee]) +
                                " is neither on the list nor a macro of the template",
                            offset);
            }
        }
        // Those that only run such as end are taken away until none is left, or a circle.
        std::vector<bool> ends(names_.size(), false);
        for (std::size_t left = macros_.size(), before = left + 1; left < before;) {
            before = left;
            for (const auto& [macro, runs] : macros_) {
                if (!ends[macro] &&
                    std::all_of(runs.begin(), runs.end(), [&](NameId id) { return ends[id]; })) {
                    ends[macro] = true;
                    --left;
                }
            }
            if (left > 0 && left == before) {
                return fail("template.loop", "a macro that runs itself without end", 0);
            }
        }
        return true;
    }

    /// Keys that hold, or come by variables from, a text with underscores. Which assignment comes
    /// first does not matter, so nothing is hidden by their order.
    void check_subscripts() {
        std::vector<bool> underscored(names_.size(), false);
        const auto any = [&](const std::vector<NameId>& names) {
            return std::any_of(
                names.begin(), names.end(), [&](NameId id) { return underscored[id]; });
        };
        for (bool changed = true; changed;) {
            changed = false;
            for (const Assignment& a : assignments_) {
                if (!underscored[a.name] && (a.underscored || any(a.from))) {
                    underscored[a.name] = true;
                    changed = true;
                }
            }
        }
        for (const Subscript& key : subscripts_) {
            if (key.underscored || any(key.names)) {
                fail("template.attribute",
                     "a key that is made of a text with underscores",
                     key.offset);
                return;
            }
        }
    }

    struct Subscript {
        std::size_t offset;
        bool underscored;
        std::vector<NameId> names;
    };

    struct Call {
        std::size_t offset;
        NameId callee;
    };

    std::string_view text_;
    std::size_t at_ = 0;
    std::string_view end_of_tag_ = "}}";
    unsigned brackets_ = 0; ///< open in this tag
    unsigned depth_ = 0;
    std::size_t nodes_ = 0;
    unsigned loops_ = 0;
    std::uint64_t steps_ = 1;  ///< of all loops around, as far as literals say
    std::uint64_t bounds_ = 1; ///< largest number made of literals in the call's arguments
    unsigned conditional_ = 0; ///< conditions around, within the macro
    std::optional<NameId> macro_;

    static constexpr NameId kArguments = 0; ///< Stands for what macros are called with.

    std::map<std::string, NameId, std::less<>> ids_;
    std::vector<const std::string*> names_{nullptr}; ///< by id
    std::vector<Assignment> assignments_;
    std::vector<Subscript> subscripts_;
    std::vector<Call> calls_;
    std::map<NameId, std::vector<NameId>> macros_; ///< which ones each runs in any case
    Constants constants_;
    std::optional<Finding> problem_;
};

/// The end of the JSON list or object that starts at `begin`.
std::size_t end_of_value(std::string_view json, std::size_t begin) {
    std::size_t depth = 0;
    for (std::size_t at = begin; at < json.size(); ++at) {
        const char c = json[at];
        if (c == '"') {
            for (++at; at < json.size() && json[at] != '"'; ++at) {
                at += json[at] == '\\' ? 1 : 0;
            }
        } else if (c == '{' || c == '[') {
            ++depth;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return at + 1;
        }
    }
    return json.size();
}

} // namespace

std::optional<Finding> check_chat_template(std::string_view text) {
    TemplateParser first(text);
    if (auto finding = first.run()) {
        return finding;
    }
    return TemplateParser(text, first.constants()).run();
}

std::optional<Finding> check_json_chat_templates(std::string_view json) {
    std::optional<Finding> finding;
    std::uint64_t done = 0; // members before it were looked at as part of one around them
    const auto check = [&finding](const JsonMember& member, std::uint64_t offset) {
        if (finding || member.kind != '"') {
            return;
        }
        finding = check_chat_template(member.text);
        if (finding) {
            finding->reason +=
                " (byte " + std::to_string(finding->offset.value_or(0)) + " of the template)";
            finding->offset = offset;
        }
    };
    constexpr std::size_t kHeld = kMaxTemplateBytes + 16; // one that was cut is still too large
    walk_json_members(
        json,
        [&](const JsonMember& member) {
            if (member.key != "chat_template" || member.offset < done) {
                return;
            }
            check(member, member.offset);
            if (member.kind == '[' || member.kind == '{') {
                done = end_of_value(json, member.value_offset);
                const std::string_view value =
                    json.substr(member.value_offset, done - member.value_offset);
                walk_json_members(
                    value,
                    [&](const JsonMember& inner) {
                        check(inner, member.value_offset + inner.offset);
                    },
                    kHeld);
            }
        },
        kHeld);
    return finding;
}

} // namespace locara::formats
