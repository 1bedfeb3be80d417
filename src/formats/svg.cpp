#include "svg.hpp"

#include "cursor.hpp"
#include "names.hpp"
#include "svg_names.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/bytes.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace locara::formats {

namespace {

constexpr std::string_view kBlanks = " \t\r\n\f";
constexpr std::size_t kMaxDepth = 512;
constexpr std::size_t kMaxAttributes = 256; // of one element
constexpr std::size_t kMaxSpaces = 256;     // declared and open at once

// Of the description of a licence, which some bind to no prefix; HTML, which knows no namespaces,
// runs none of them.
constexpr std::string_view kBareElements[] = {
    "Agent", "License", "Work", "permits", "prohibits", "requires"};

template <std::size_t kCount>
bool is_listed(const std::string_view (&list)[kCount], std::string_view name) {
    return std::binary_search(std::begin(list), std::end(list), name);
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> starts) {
    return std::any_of(starts.begin(), starts.end(), [text](std::string_view start) {
        return text.starts_with(start);
    });
}

std::string_view trim(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
    return text.substr(0, text.find_last_not_of(kBlanks) + 1); // npos + 1 is 0
}

std::string without(std::string_view text, std::string_view mark) {
    std::string out;
    while (true) {
        const std::size_t at = text.find(mark);
        out += text.substr(0, at);
        if (at == std::string_view::npos) {
            return out;
        }
        text.remove_prefix(at + mark.size());
    }
}

/// References to characters (XML 1.0, 4.1, and the names that HTML adds for what schemes and CSS
/// need) replaced by those in ASCII, all in lower case; others stay. Control characters go, as they
/// do in links.
std::string decode_references(std::string_view written) {
    struct Named {
        std::string_view name;
        char letter;
    };

    constexpr Named kNames[] = {{"lt;", '<'},
                                {"gt;", '>'},
                                {"amp;", '&'},
                                {"quot;", '"'},
                                {"apos;", '\''},
                                {"colon;", ':'},
                                {"tab;", '\t'},
                                {"newline;", '\n'},
                                {"lpar;", '('},
                                {"bsol;", '\\'},
                                {"commat;", '@'}};
    const std::string folded = ascii_lower(written);
    const std::string_view text = folded;
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        std::uint32_t letter = static_cast<unsigned char>(text[at]);
        std::size_t used = 1;
        const std::string_view rest = text.substr(at + 1, 16);
        if (text[at] == '&' && rest.starts_with('#')) {
            const bool hex = rest.substr(1).starts_with('x');
            const std::string_view digits = hex ? "0123456789abcdef" : "0123456789";
            const std::size_t begin = hex ? 2 : 1;
            std::size_t end = begin;
            std::uint32_t code = 0;
            while (end < rest.size() && digits.find(rest[end]) != std::string_view::npos) {
                code = std::min<std::uint32_t>(
                    code * (hex ? 16U : 10U) + static_cast<std::uint32_t>(digits.find(rest[end])),
                    0x11'0000U);
                ++end;
            }
            if (end > begin && code < 0x80) {
                letter = code;
                used = 1 + end + (end < rest.size() && rest[end] == ';' ? 1 : 0);
            }
        } else if (text[at] == '&') {
            for (const Named& named : kNames) {
                if (rest.starts_with(named.name)) {
                    letter = static_cast<unsigned char>(named.letter);
                    used = 1 + named.name.size();
                }
            }
        }
        if (letter >= 0x20) {
            out += static_cast<char>(letter);
        }
        at += used;
    }
    return ascii_lower(out);
}

/// Within the file: a fragment of it, or a picture or font in the text itself.
bool is_inside(std::string_view target) {
    return target.empty() || target.starts_with("#") ||
           starts_with_any(target,
                           {"data:image/png",
                            "data:image/jpeg",
                            "data:image/jpg",
                            "data:image/gif",
                            "data:image/webp",
                            "data:font/",
                            "data:application/font-woff",
                            "data:application/x-font-"});
}

/// What a reader may follow by a click.
bool is_link(std::string_view target) {
    const std::string_view scheme = target.substr(0, target.find_first_of("/?#"));
    return starts_with_any(target, {"http://", "https://", "mailto:"}) ||
           scheme.find(':') == std::string_view::npos;
}

/// Whether a decoded value loads only what is inside. With escapes of CSS it could be anything.
bool has_urls_inside(std::string_view value) {
    const auto has = [value](std::string_view word) {
        return value.find(word) != std::string_view::npos;
    };
    if ((has("\\") && has("(")) || has("image-set(") || has("src(")) {
        return false;
    }
    for (std::size_t at = value.find("url("); at != std::string_view::npos;
         at = value.find("url(", at + 1)) {
        std::string_view target = trim(value.substr(at + 4, 64));
        if (target.starts_with('"') || target.starts_with('\'')) {
            target = trim(target.substr(1));
        }
        if (target.empty() || !is_inside(target)) {
            return false;
        }
    }
    return true;
}

/// CSS that loads nothing from elsewhere, decoded.
bool is_plain_css(std::string_view css) {
    constexpr std::string_view kWords[] = {
        "\\", "@import", "image(", "expression(", "-moz-binding", "behavior:"};
    return has_urls_inside(css) &&
           std::none_of(std::begin(kWords), std::end(kWords), [css](std::string_view word) {
               return css.find(word) != std::string_view::npos;
           });
}

struct Attribute {
    std::string_view name;
    std::string_view value; // as written
};

std::string_view prefix_of(std::string_view name) {
    const std::size_t colon = name.find(':');
    return colon == std::string_view::npos ? std::string_view() : name.substr(0, colon);
}

std::string_view local_of(std::string_view name) {
    return name.substr(name.find(':') + 1); // npos + 1 is 0
}

/// Reads one SVG from front to back and remembers the first thing that no drawing has.
class Reader {
  public:
    enum class Level { Outer, Inner };

    Reader(std::string_view text, Level level) : text_(text), level_(level) {}

    std::optional<Finding> read() {
        while (!found_ && (at_ = text_.find('<', at_)) != std::string_view::npos) {
            const std::string_view rest = text_.substr(at_);
            if (rest.starts_with("<!--")) {
                read_comment();
            } else if (rest.starts_with("<![CDATA[")) {
                read_cdata();
            } else if (rest.starts_with("<?")) {
                read_instruction();
            } else if (rest.starts_with("<!")) {
                read_declaration();
            } else if (rest.starts_with("</")) {
                read_end();
            } else {
                read_tag();
            }
        }
        if (!found_ && !open_.empty()) {
            at_ = text_.size();
            flag("an element without an end");
        }
        return found_;
    }

  private:
    enum class Space { Drawing, Inert, Link, Other };

    struct Binding {
        std::string_view prefix;
        Space space;
    };

    struct Open {
        std::string_view name;
        std::size_t bindings; // before it
    };

    void flag(const std::string& what) {
        found_ = Finding{"svg.script",
                         "an SVG that is more than a drawing: " + what +
                             "; it is shown without scripts, and a curator looks at it first",
                         at_};
    }

    /// Goes behind the next `end`. What lies before it, nothing if there is none.
    std::string_view pass(std::string_view end) {
        const std::size_t to = text_.find(end, at_);
        if (to == std::string_view::npos) {
            flag("markup without an end");
            return {};
        }
        const std::string_view passed = text_.substr(at_, to - at_);
        at_ = to + end.size();
        return passed;
    }

    /// HTML ends a comment in more ways than XML does.
    void read_comment() {
        at_ += 4;
        const std::string_view comment = pass("-->");
        if (starts_with_any(comment, {">", "->"}) ||
            comment.find("--!>") != std::string_view::npos) {
            flag("a comment that browsers end elsewhere");
        }
    }

    /// Text to XML; within <title> and <desc> markup to HTML. That of style sheets is read there.
    void read_cdata() {
        at_ += 9;
        if (pass("]]>").find('<') != std::string_view::npos) {
            flag("markup in a section of characters");
        }
    }

    /// The XML declaration, in an encoding in which ASCII is ASCII, and what wraps XMP or the
    /// source of a diagram.
    void read_instruction() {
        const std::string written = ascii_lower(pass("?>"));
        const std::string_view instruction = written;
        const std::size_t encoding = instruction.find("encoding");
        std::string_view name = instruction.substr(std::min(encoding + 8, instruction.size()));
        name.remove_prefix(std::min(name.find_first_not_of(" \t\r\n=\"'"), name.size()));
        const bool known = encoding == std::string_view::npos ||
                           starts_with_any(name, {"utf-8", "us-ascii", "iso-8859-", "windows-125"});
        const bool xml = starts_with_any(instruction, {"<?xml ", "<?xml\n", "<?xml\r", "<?xml\t"});
        if (instruction.find('>') != std::string_view::npos ||
            !(xml ? known : starts_with_any(instruction, {"<?xpacket", "<?plantuml"}))) {
            flag("a processing instruction");
        }
    }

    /// The document type by its public name; never with declarations of its own.
    void read_declaration() {
        const std::string declaration = ascii_lower(pass(">"));
        if (!declaration.starts_with("<!doctype") || declaration.find('[') != std::string::npos ||
            declaration.find(" system ") != std::string::npos) {
            flag("a declaration");
        }
    }

    void read_end() {
        at_ += 2;
        const std::string_view name = trim(pass(">"));
        if (found_ || open_.empty() || open_.back().name != name) {
            flag("an end without a start");
            return;
        }
        bindings_.resize(open_.back().bindings);
        open_.pop_back();
    }

    void read_tag() {
        const std::size_t begin = at_ + 1;
        std::size_t end = std::min(text_.find_first_of(" \t\r\n\f/>", begin), text_.size());
        const std::string_view name = text_.substr(begin, end - begin);
        const std::size_t bound = bindings_.size();
        std::vector<Attribute> attributes;
        if (!read_attributes(end, attributes)) {
            flag("a tag that is not well-formed");
            return;
        }
        for (const Attribute& attribute : attributes) {
            bind(attribute);
        }
        judge(name, attributes);
        at_ = end + 1;
        if (text_[end] == '>') {
            open_.push_back({name, bound});
            if (local_of(name) == "style") {
                judge_style();
            }
        } else { // "/>"
            ++at_;
            bindings_.resize(bound);
        }
        if (!found_ && (open_.size() > kMaxDepth || bindings_.size() > kMaxSpaces)) {
            flag("more levels or namespaces than are read");
        }
    }

    /// From behind the name up to ">" or "/>".
    bool read_attributes(std::size_t& at, std::vector<Attribute>& out) const {
        while ((at = text_.find_first_not_of(kBlanks, at)) != std::string_view::npos) {
            if (text_[at] == '>' || text_.substr(at, 2) == "/>") {
                return true;
            }
            const std::size_t name_end = text_.find_first_of(" \t\r\n\f=<>\"'/", at);
            const std::size_t equals = text_.find_first_not_of(kBlanks, name_end);
            if (equals == std::string_view::npos || text_[equals] != '=') {
                return false;
            }
            const std::size_t quote = text_.find_first_not_of(kBlanks, equals + 1);
            if (quote == std::string_view::npos || (text_[quote] != '"' && text_[quote] != '\'')) {
                return false;
            }
            const std::size_t end = text_.find(text_[quote], quote + 1);
            if (end == std::string_view::npos || out.size() == kMaxAttributes) {
                return false;
            }
            out.push_back(
                {text_.substr(at, name_end - at), text_.substr(quote + 1, end - quote - 1)});
            if (out.back().value.find('<') != std::string_view::npos) {
                return false;
            }
            at = end + 1;
        }
        return false;
    }

    /// Namespaces in XML 1.0, 3: those of `xmlns` and `xmlns:prefix`.
    void bind(const Attribute& attribute) {
        const bool plain = attribute.name == "xmlns";
        if (!plain && prefix_of(attribute.name) != "xmlns") {
            return;
        }
        const std::string uri = decode_references(attribute.value);
        const bool inert =
            std::any_of(std::begin(kInertSvgSpaces),
                        std::end(kInertSvgSpaces),
                        [&](std::string_view start) { return uri.starts_with(start); });
        bindings_.push_back({plain ? std::string_view() : local_of(attribute.name),
                             uri == "http://www.w3.org/2000/svg"     ? Space::Drawing
                             : uri == "http://www.w3.org/1999/xlink" ? Space::Link
                             : inert                                 ? Space::Inert
                                                                     : Space::Other});
    }

    /// Of a prefix that is not declared: what HTML takes it for.
    Space space_of(std::string_view prefix) const {
        const auto found = std::find_if(bindings_.rbegin(),
                                        bindings_.rend(),
                                        [prefix](const Binding& b) { return b.prefix == prefix; });
        if (found != bindings_.rend()) {
            return found->space;
        }
        return prefix.empty() ? Space::Drawing : prefix == "xlink" ? Space::Link : Space::Other;
    }

    void judge(std::string_view name, const std::vector<Attribute>& attributes) {
        const Space space = space_of(prefix_of(name));
        const std::string_view element = local_of(name);
        const bool listed = space == Space::Drawing ? is_listed(kSvgElements, element)
                            : name == element       ? is_listed(kBareElements, element)
                                                    : true;
        if (!listed || space == Space::Link || space == Space::Other) {
            flag("the element " + quote_for_message(name));
            return;
        }
        for (const Attribute& attribute : attributes) {
            const bool fine = space == Space::Inert ? judge_inert_attribute(attribute)
                                                    : judge_attribute(element, attribute);
            if (!fine) {
                flag("the attribute " + quote_for_message(attribute.name));
                return;
            }
        }
    }

    /// HTML knows these of any element.
    static bool judge_inert_attribute(const Attribute& attribute) {
        const std::string name = ascii_lower(attribute.name);
        return !name.starts_with("on") &&
               (name != "style" || is_plain_css(decode_references(attribute.value)));
    }

    bool judge_attribute(std::string_view element, const Attribute& attribute) const {
        const std::string_view prefix = prefix_of(attribute.name);
        const std::string_view name = local_of(attribute.name);
        if (attribute.name == "xmlns" || prefix == "xmlns") {
            return true;
        }
        if (prefix == "xml") {
            return name == "space" || name == "lang" || name == "id";
        }
        // To HTML the prefix is a part of the name, whatever it is bound to.
        const bool link = prefix == "xlink" || (!prefix.empty() && space_of(prefix) == Space::Link);
        if (!prefix.empty() && !link) {
            return true; // means nothing to a renderer
        }
        const std::string value = decode_references(attribute.value);
        if (name == "href") {
            const std::string_view target = trim(value);
            return is_inside(target) || (element == "a" && is_link(target)) ||
                   (element == "image" && is_inner_drawing(attribute.value));
        }
        if (link || starts_with_any(name, {"data-", "aria-"})) {
            return true;
        }
        if (name == "attributeName") { // of an animation
            return value != "href" && is_listed(kSvgAttributes, attribute.value);
        }
        return is_listed(kSvgAttributes, name) &&
               (name == "style" ? is_plain_css(value) : has_urls_inside(value));
    }

    /// A drawing in the drawing, as badges have it, one level deep.
    bool is_inner_drawing(std::string_view target) const {
        constexpr std::string_view kStart = "data:image/svg+xml;base64,";
        if (level_ == Level::Inner || !target.starts_with(kStart)) {
            return false;
        }
        const auto bytes = parse_base64(target.substr(kStart.size()));
        return bytes && !Reader(as_text(*bytes), Level::Inner).read();
    }

    /// The text of a style sheet: markup in it would join what stands around it.
    void judge_style() {
        const std::size_t end = std::min(text_.find("</", at_), text_.size());
        const std::string css = without(without(text_.substr(at_, end - at_), "<![CDATA["), "]]>");
        if (css.find('<') != std::string::npos || !is_plain_css(ascii_lower(css)) ||
            !is_plain_css(decode_references(css))) {
            flag("a style sheet that reaches out of the file");
        }
        at_ = end;
    }

    std::string_view text_; // a view in a member: the reader lives in one call of check_svg
    Level level_;
    std::size_t at_ = 0;
    std::vector<Open> open_;
    std::vector<Binding> bindings_;
    std::optional<Finding> found_;
};

} // namespace

std::optional<Finding> check_svg(std::string_view text) {
    return Reader(text, Reader::Level::Outer).read();
}

} // namespace locara::formats
