#include "markdown.hpp"

#include "escape_html.hpp"

#include <locara/base/ascii.hpp>

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>

namespace locara::hub {
namespace {

/// What takes cmark-gfm 0.29.0.gfm.6 longest grows with the square: "![[]()" over and over, which
/// is 0.4 s for this much.
constexpr std::size_t kInputLimit = std::size_t{64} << 10U;
constexpr std::size_t kOutputLimit = std::size_t{8} << 20U;
constexpr std::size_t kDepthLimit = 64;
/// A row of a table is filled up to the width of its first, so few bytes can make many cells, of
/// 270 bytes each.
constexpr std::size_t kCellLimit = 20'000;
/// The time for one row grows with the square of its columns.
constexpr std::size_t kColumnLimit = 1000;
/// From each "www." the word is read to its end, which "www._" over and over makes 1.8 s.
constexpr std::size_t kAddressSteps = 50'000'000;
constexpr int kLastHeading = 6;
constexpr const char* kExtensions[] = {"table", "strikethrough", "autolink", "tasklist"};
constexpr std::string_view kForeignLink = "\" rel=\"nofollow noopener noreferrer\">";

// ----------------------------------------------------------------------------------- addresses

/// What an address is, as far as it decides what becomes of it.
enum class Place { Nowhere, Elsewhere, Mail, Here };

Place place_of(std::string_view address) {
    const bool printable = std::all_of(address.begin(), address.end(), [](char c) {
        return static_cast<unsigned char>(c) > 0x20 && c != 0x7f;
    });
    if (address.empty() || !printable || address.substr(0, 2) == "//" ||
        address.find('\\') != std::string_view::npos) {
        return Place::Nowhere;
    }
    const std::size_t end = address.find_first_of(":/?#");
    if (end == std::string_view::npos || address[end] != ':') {
        return Place::Here;
    }
    const std::string scheme = ascii_lower(address.substr(0, end));
    const bool web = scheme == "http" || scheme == "https";
    return web && address.substr(end, 3) == "://" ? Place::Elsewhere
           : scheme == "mailto"                   ? Place::Mail
                                                  : Place::Nowhere;
}

/// "./docs/a.md" -> base + "docs/a.md"; "/ana" and "#there" stay. Empty if it leads nowhere.
std::string resolve(std::string_view address, std::string_view base) {
    if (address.front() == '/' || address.front() == '#') {
        return std::string(address);
    }
    if (base.empty()) {
        return "";
    }
    while (address.substr(0, 2) == "./") {
        address.remove_prefix(2);
    }
    return std::string(base) + std::string(address);
}

// ------------------------------------------------------------------------------------- parsing

struct FreeNode {
    void operator()(cmark_node* node) const { cmark_node_free(node); }
};

struct FreeIterator {
    void operator()(cmark_iter* iterator) const { cmark_iter_free(iterator); }
};

struct FreeParser {
    void operator()(cmark_parser* parser) const { cmark_parser_free(parser); }
};

using Document = std::unique_ptr<cmark_node, FreeNode>;

Document parse(std::string_view text) {
    static std::once_flag registered; // What cmark keeps of its extensions is the process's.
    std::call_once(registered, &cmark_gfm_core_extensions_ensure_registered);
    const std::unique_ptr<cmark_parser, FreeParser> parser(
        cmark_parser_new(CMARK_OPT_VALIDATE_UTF8));
    for (const char* const name : kExtensions) {
        cmark_parser_attach_syntax_extension(parser.get(), cmark_find_syntax_extension(name));
    }
    cmark_parser_feed(parser.get(), text.data(), text.size());
    return Document(cmark_parser_finish(parser.get()));
}

/// What a line may be to a table.
struct Line {
    bool blank = true;       ///< Ends one.
    bool delimiters = true;  ///< May begin one, of at most `columns`.
    std::size_t columns = 0; ///< Never 0 with `delimiters`.
};

/// Looks at a line as cmark-gfm's scanner for "|:-|-|" does, and takes what stands before it in a
/// quote for a part of it.
Line look_at_line(std::string_view line) {
    Line seen;
    std::size_t pipes = 0;
    std::size_t dashes = 0;
    for (const char c : line) {
        seen.blank = seen.blank && (c == ' ' || c == '\t');
        seen.delimiters =
            seen.delimiters && std::string_view("|-: \t\v\f>").find(c) != std::string_view::npos;
        pipes += c == '|' ? 1 : 0;
        dashes += c == '-' ? 1 : 0;
    }
    seen.columns = std::min(pipes + 1, dashes);
    seen.delimiters = seen.delimiters && seen.columns > 0;
    return seen;
}

/// How many cells the tables of a text have at most. A table is one line of delimiters, the line
/// before it, and those that follow up to a blank one; which of several lines begins it is not
/// looked at.
std::size_t count_cells(std::string_view text) {
    std::size_t cells = 0;
    std::size_t columns = 0; // Of the widest table that may be open.
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
        const Line line = look_at_line(text.substr(0, end));
        text.remove_prefix(end);
        text.remove_prefix(text.substr(0, 2) == "\r\n" ? 2 : std::min<std::size_t>(1, text.size()));
        if (line.blank) {
            columns = 0;
        } else if (line.columns > kColumnLimit && line.delimiters) {
            return kCellLimit + 1;
        } else if (line.delimiters) {
            columns = std::max(columns, line.columns);
        }
        cells += columns;
    }
    return cells;
}

/// How many characters are looked at to find the addresses that are no links yet, at most.
std::size_t count_address_steps(std::string_view text) {
    std::size_t steps = 0;
    std::size_t begin = 0; // Of a word.
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find_first_of(" \t\r\n", begin), text.size());
        const std::string_view word = text.substr(begin, end - begin);
        for (std::size_t at = word.find("www."); at != std::string_view::npos;
             at = word.find("www.", at + 1)) {
            steps += word.size();
        }
        begin = end + 1;
    }
    return steps;
}

std::string_view type_of(cmark_node* node) {
    return cmark_node_get_type_string(node);
}

/// Those that are entered only (cmark-gfm.h, "Iterator").
bool is_leaf(cmark_node* node) {
    constexpr std::string_view kLeaves[] = {"html_block",
                                            "thematic_break",
                                            "code_block",
                                            "text",
                                            "softbreak",
                                            "linebreak",
                                            "code",
                                            "html_inline"};
    return std::find(std::begin(kLeaves), std::end(kLeaves), type_of(node)) != std::end(kLeaves);
}

std::string_view literal_of(cmark_node* node) {
    const char* const text = cmark_node_get_literal(node);
    return text == nullptr ? std::string_view() : text;
}

std::string_view address_of(cmark_node* node) {
    const char* const address = cmark_node_get_url(node);
    return address == nullptr ? std::string_view() : address;
}

// ------------------------------------------------------------------------------------- writing

/// Tags of nodes that have nothing to say beside their type.
struct Tags {
    std::string_view type, begin, end;
};

constexpr Tags kTags[] = {{"block_quote", "<blockquote>\n", "</blockquote>\n"},
                          {"item", "<li>", "</li>\n"},
                          {"emph", "<em>", "</em>"},
                          {"strong", "<strong>", "</strong>"},
                          {"strikethrough", "<del>", "</del>"},
                          {"table", "<table>\n", "</table>\n"},
                          {"table_header", "<tr>", "</tr>\n"},
                          {"table_row", "<tr>", "</tr>\n"}};

Tags tags_of(std::string_view type) {
    for (const Tags& tags : kTags) {
        if (tags.type == type) {
            return tags;
        }
    }
    return {}; // The document, and what is left out.
}

/// "th" or "td".
std::string cell_tag(cmark_node* cell) {
    return type_of(cmark_node_parent(cell)) == "table_header" ? "th" : "td";
}

std::string_view cell_alignment(cmark_node* cell, std::size_t column) {
    cmark_node* const table = cmark_node_parent(cmark_node_parent(cell));
    const std::uint8_t* const all = cmark_gfm_extensions_get_table_alignments(table);
    if (all == nullptr || column >= cmark_gfm_extensions_get_table_columns(table)) {
        return "";
    }
    switch (all[column]) {
    case 'l':
        return " align=\"left\"";
    case 'c':
        return " align=\"center\"";
    case 'r':
        return " align=\"right\"";
    default:
        return "";
    }
}

/// Whether a paragraph is an item of a list without blank lines, which shows its text only.
bool is_tight(cmark_node* paragraph) {
    cmark_node* const item = cmark_node_parent(paragraph);
    cmark_node* const list = item == nullptr ? nullptr : cmark_node_parent(item);
    return list != nullptr && type_of(list) == "list" && cmark_node_get_list_tight(list) != 0;
}

/// The page's own heading is the first; a text's begin with the second.
std::string heading_tag(cmark_node* heading) {
    return "h" + std::to_string(std::min(cmark_node_get_heading_level(heading) + 1, kLastHeading));
}

class Writer {
  public:
    explicit Writer(std::string_view base) : base_(base) {}

    void enter(cmark_node* node);
    void leave(cmark_node* node);

    std::size_t size() const { return html_.size() + description_.size(); }

    std::string take() && { return std::move(html_); }

  private:
    void put(std::string_view html) { html_ += html; }

    void write_text(std::string_view text);
    void enter_list(cmark_node* node);
    void enter_link(cmark_node* node);
    void leave_link(cmark_node* node);
    void leave_picture();

    std::string_view base_;
    std::string html_;
    cmark_node* link_ = nullptr; ///< The one that is open and has a tag: they do not nest.

    /// The picture that is open; what is inside of it is its description, without tags.
    cmark_node* picture_ = nullptr;
    std::string description_; ///< HTML.

    std::size_t column_ = 0; ///< Of the next cell.
};

void Writer::write_text(std::string_view text) {
    (picture_ == nullptr ? html_ : description_) += escape_html(text);
}

void Writer::enter_list(cmark_node* node) {
    const int start = cmark_node_get_list_start(node);
    if (cmark_node_get_list_type(node) == CMARK_BULLET_LIST) {
        put("<ul>\n");
    } else {
        put(start == 1 ? "<ol>\n" : "<ol start=\"" + std::to_string(start) + "\">\n");
    }
}

void Writer::enter_link(cmark_node* node) {
    const std::string_view address = address_of(node);
    const Place place = link_ != nullptr ? Place::Nowhere : place_of(address);
    std::string to;
    switch (place) {
    case Place::Elsewhere:
    case Place::Mail:
        to = address;
        break;
    case Place::Here:
        to = resolve(address, base_);
        break;
    case Place::Nowhere:
        break;
    }
    if (!to.empty()) {
        link_ = node;
        put("<a href=\"" + escape_html(to));
        put(place == Place::Elsewhere ? kForeignLink : "\">");
    }
}

void Writer::leave_link(cmark_node* node) {
    if (link_ == node) {
        link_ = nullptr;
        put("</a>");
    }
}

void Writer::leave_picture() {
    const std::string_view address = address_of(picture_);
    const Place place = place_of(address);
    const std::string here = place == Place::Here ? resolve(address, base_) : "";
    if (!here.empty()) {
        put("<img src=\"" + escape_html(here) + "\" alt=\"" + description_ + "\">");
    } else if (place == Place::Elsewhere && link_ == nullptr) {
        const std::string there = escape_html(address);
        put("<a href=\"" + there);
        put(kForeignLink);
        put((description_.empty() ? there : description_) + "</a>");
    } else {
        put(description_);
    }
    picture_ = nullptr;
    description_.clear();
}

void Writer::enter(cmark_node* node) {
    const std::string_view type = type_of(node);
    if (type == "text" || (type == "code" && picture_ != nullptr)) {
        write_text(literal_of(node));
    } else if (type == "softbreak" || (type == "linebreak" && picture_ != nullptr)) {
        write_text("\n");
    } else if (picture_ != nullptr) {
        return;
    } else if (type == "linebreak") {
        put("<br>\n");
    } else if (type == "image") {
        picture_ = node;
    } else if (type == "code") {
        put("<code>" + escape_html(literal_of(node)) + "</code>");
    } else if (type == "code_block") {
        put("<pre><code>" + escape_html(literal_of(node)) + "</code></pre>\n");
    } else if (type == "thematic_break") {
        put("<hr>\n");
    } else if (type == "heading") {
        put("<" + heading_tag(node) + ">");
    } else if (type == "paragraph") {
        put(is_tight(node) ? "" : "<p>");
    } else if (type == "list") {
        enter_list(node);
    } else if (type == "tasklist") {
        put(cmark_gfm_extensions_get_tasklist_item_checked(node) ? "<li>\u2611 " : "<li>\u2610 ");
    } else if (type == "link") {
        enter_link(node);
    } else if (type == "table_cell") {
        put("<" + cell_tag(node));
        put(cell_alignment(node, column_++));
        put(">");
    } else {
        if (type == "table_header" || type == "table_row") {
            column_ = 0;
        }
        put(tags_of(type).begin);
    }
}

void Writer::leave(cmark_node* node) {
    const std::string_view type = type_of(node);
    if (node == picture_) {
        leave_picture();
    } else if (picture_ != nullptr) {
        return;
    } else if (type == "heading") {
        put("</" + heading_tag(node) + ">\n");
    } else if (type == "paragraph") {
        put(is_tight(node) ? "" : "</p>\n");
    } else if (type == "list") {
        put(cmark_node_get_list_type(node) == CMARK_BULLET_LIST ? "</ul>\n" : "</ol>\n");
    } else if (type == "tasklist") {
        put("</li>\n");
    } else if (type == "link") {
        leave_link(node);
    } else if (type == "table_cell") {
        put("</" + cell_tag(node) + ">");
    } else {
        put(tags_of(type).end);
    }
}

} // namespace

Result<std::string> render_markdown(std::string_view text, std::string_view base) {
    if (text.size() > kInputLimit) {
        return Error(ErrorCode::TooLarge, "the text has more than 64 KiB");
    }
    if (count_cells(text) > kCellLimit) {
        return Error(ErrorCode::TooLarge,
                     "the text's tables may have more than " + std::to_string(kCellLimit) +
                         " cells");
    }
    if (count_address_steps(text) > kAddressSteps) {
        return Error(ErrorCode::TooLarge, "the text has too many addresses in one word");
    }
    const Document document = parse(text);
    const std::unique_ptr<cmark_iter, FreeIterator> iterator(cmark_iter_new(document.get()));
    Writer writer(base);
    std::size_t depth = 0;
    for (cmark_event_type event = cmark_iter_next(iterator.get()); event != CMARK_EVENT_DONE;
         event = cmark_iter_next(iterator.get())) {
        cmark_node* const node = cmark_iter_get_node(iterator.get());
        if (event == CMARK_EVENT_EXIT) {
            --depth;
            writer.leave(node);
            continue;
        }
        writer.enter(node);
        depth += is_leaf(node) ? 0 : 1;
        if (depth > kDepthLimit) {
            return Error(ErrorCode::InvalidArgument,
                         "the text nests more than " + std::to_string(kDepthLimit) + " deep");
        }
        if (writer.size() > kOutputLimit) {
            return Error(ErrorCode::TooLarge, "the text becomes more than 8 MiB of HTML");
        }
    }
    return std::move(writer).take();
}

std::string show_markdown(std::string_view text, std::string_view base) {
    auto html = render_markdown(text, base);
    return html ? std::move(*html) : "<pre>" + escape_html(text) + "</pre>\n";
}

} // namespace locara::hub
