#include "../markdown.hpp"

#include <gmock/gmock.h>

namespace locara::hub {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string render(std::string_view text, std::string_view base = "/ana/tiny/resolve/main/") {
    const auto html = render_markdown(text, base);
    EXPECT_TRUE(html) << html.error().describe();
    return html ? *html : "";
}

TEST(Markdown, becomes_html_one_heading_below_the_pages) {
    EXPECT_EQ(render("# Hi\n\na *b* **c** `d<e>` ~~f~~\n"),
              "<h2>Hi</h2>\n<p>a <em>b</em> <strong>c</strong> <code>d&lt;e&gt;</code> "
              "<del>f</del></p>\n");
    EXPECT_EQ(render("###### six\n"), "<h6>six</h6>\n");
    EXPECT_EQ(render("3. a\n4. b\n"), "<ol start=\"3\">\n<li>a</li>\n<li>b</li>\n</ol>\n");
    EXPECT_EQ(render("- [ ] a\n- [x] b\n"), "<ul>\n<li>\u2610 a</li>\n<li>\u2611 b</li>\n</ul>\n");
    EXPECT_EQ(render("```sh\n<x>\n```\n"), "<pre><code>&lt;x&gt;\n</code></pre>\n");
    EXPECT_EQ(render("|a|b|\n|-|-:|\n|1|2|\n"),
              "<table>\n<tr><th>a</th><th align=\"right\">b</th></tr>\n"
              "<tr><td>1</td><td align=\"right\">2</td></tr>\n</table>\n");
    EXPECT_EQ(render("a & b &copy; &#60;\n"), "<p>a &amp; b \u00a9 &lt;</p>\n");
}

TEST(Markdown, has_no_html_but_its_own) {
    EXPECT_EQ(render("<script>alert(1)</script>\n\n<b onclick=\"x()\">b</b>\n"), "<p>b</p>\n");
    EXPECT_EQ(render("<div align=\"center\">\n\n*in*\n\n</div>\n"), "<p><em>in</em></p>\n");
    for (const char* const text : {"<img src=x onerror=alert(1)>",
                                   "a <svg/onload=alert(1)> b",
                                   "<!-- --><script>x</script>",
                                   "<style>*{}</style>",
                                   "<a href=\"javascript:x\">y</a>"}) {
        const std::string html = render(text);
        for (const char* const tag : {"<script", "<svg", "<img", "<style", "<a", "<!--"}) {
            EXPECT_THAT(html, Not(HasSubstr(tag))) << html;
        }
    }
}

TEST(Markdown, links_lead_to_the_web_to_mail_and_to_this_hub) {
    const std::string out = " rel=\"nofollow noopener noreferrer\">";
    EXPECT_EQ(render("[a](https://example.org/?x=1&y)"),
              "<p><a href=\"https://example.org/?x=1&amp;y\"" + out + "a</a></p>\n");
    EXPECT_EQ(render("https://example.org"),
              "<p><a href=\"https://example.org\"" + out + "https://example.org</a></p>\n");
    EXPECT_EQ(render("<mailto:a@example.org>"),
              "<p><a href=\"mailto:a@example.org\">mailto:a@example.org</a></p>\n");
    EXPECT_EQ(render("[a](docs/b.md) [c](./d) [e](/ana/f) [g](#h)"),
              "<p><a href=\"/ana/tiny/resolve/main/docs/b.md\">a</a> "
              "<a href=\"/ana/tiny/resolve/main/d\">c</a> <a href=\"/ana/f\">e</a> "
              "<a href=\"#h\">g</a></p>\n");
    EXPECT_EQ(render("[a](b)", ""), "<p>a</p>\n");
    EXPECT_EQ(render("[a](<\"x'>)"),
              "<p><a href=\"/ana/tiny/resolve/main/&quot;x&#39;\">a</a></p>\n");
}

TEST(Markdown, other_addresses_are_no_links) {
    for (const char* const address : {"javascript:alert(1)",
                                      "JaVaScRiPt:alert(1)",
                                      "java&#115;cript:alert(1)",
                                      "javascript&#58;alert(1)",
                                      "javascript&colon;alert(1)",
                                      "java&Tab;script:alert(1)",
                                      "&#1;javascript:alert(1)",
                                      "data:text/html,x",
                                      "vbscript:x",
                                      "file:///etc/passwd",
                                      "https:evil.example",
                                      "//evil.example/x",
                                      "/\\evil.example",
                                      "&#x2f;/evil.example"}) {
        const std::string html = render("[a](" + std::string(address) + ")");
        EXPECT_THAT(html, Not(HasSubstr("<a"))) << html;
        EXPECT_THAT(render("![a](" + std::string(address) + ")"), Not(HasSubstr("<img"))) << html;
    }
}

TEST(Markdown, pictures_come_from_this_hub_and_others_are_links) {
    EXPECT_EQ(render("![a *b* \"c\"](d.png)"),
              "<p><img src=\"/ana/tiny/resolve/main/d.png\" alt=\"a b &quot;c&quot;\"></p>\n");
    EXPECT_EQ(render("![a](https://example.org/b.png)"),
              "<p><a href=\"https://example.org/b.png\" rel=\"nofollow noopener noreferrer\">"
              "a</a></p>\n");
    EXPECT_EQ(
        render("[![a](https://example.org/b.png)](https://example.org)"),
        "<p><a href=\"https://example.org\" rel=\"nofollow noopener noreferrer\">a</a></p>\n");
    EXPECT_EQ(render("![a ![b](c.png) d](e.png)"),
              "<p><img src=\"/ana/tiny/resolve/main/e.png\" alt=\"a b d\"></p>\n");
    EXPECT_EQ(render("![a](b.png)", ""), "<p>a</p>\n");
}

TEST(Markdown, has_limits_and_shows_what_is_beyond_them_as_it_is) {
    EXPECT_EQ(render_markdown(std::string((64U << 10U) + 1, 'a')).error().code(),
              ErrorCode::TooLarge);
    const std::string deep = std::string(100, '>') + " <b>";
    EXPECT_EQ(render_markdown(deep).error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(show_markdown(deep).substr(0, 9), "<pre>&gt;");
}

std::string table(std::size_t columns, std::size_t rows, std::string_view end = "\n") {
    std::string text;
    for (const char* const cell : {"|a", "|-"}) {
        for (std::size_t i = 0; i < columns; ++i) {
            text += cell;
        }
        text += "|" + std::string(end);
    }
    for (std::size_t i = 0; i < rows; ++i) {
        text += "x" + std::string(end);
    }
    return text;
}

std::size_t count(std::string_view text, std::string_view what) {
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string_view::npos;
         at = text.find(what, at + 1)) {
        ++found;
    }
    return found;
}

TEST(Markdown, cells_that_short_rows_leave_out_are_bounded) {
    // A short row is filled up: these are 20,000 cells with those that name the columns.
    EXPECT_EQ(count(render(table(10, 1999)), "<td>"), 19'990U);
    for (const std::string& text : {table(2000, 4000),
                                    table(10, 2000),
                                    table(1001, 0),
                                    table(1000, 20, "\r"),
                                    table(1000, 20, "\r\n"),
                                    "not a row\n" + table(1000, 20),
                                    table(1000, 9) + "\n" + table(1000, 11)}) {
        EXPECT_EQ(render_markdown(text).error().code(), ErrorCode::TooLarge) << text.size();
    }
    std::string quoted;
    for (const char* const line : {"|a|b|c|d|e|f|g|h\n", "|-|-|-|-|-|-|-|-\n"}) {
        quoted += "> " + std::string(line);
    }
    for (int i = 0; i < 2600; ++i) {
        quoted += ">x\n";
    }
    EXPECT_EQ(render_markdown(quoted).error().code(), ErrorCode::TooLarge);
    // Many small ones, and what follows the last of them, are few.
    std::string small;
    for (int i = 0; i < 500; ++i) {
        small += table(3, 9) + "\n";
    }
    EXPECT_EQ(count(render(small + std::string(20'000, '\n')), "<table>"), 500U);
}

TEST(Markdown, addresses_in_one_word_are_bounded) {
    std::string text;
    while (text.size() < (64U << 10U) - 8) {
        text += "www._";
    }
    EXPECT_EQ(render_markdown(text).error().code(), ErrorCode::TooLarge);
    text.clear();
    for (int i = 0; i < 3000; ++i) {
        text += "www.a" + std::to_string(i) + ".org ";
    }
    EXPECT_EQ(count(render(text), "<a href=\"http://www.a"), 3000U);
}

TEST(Markdown, columns_keep_their_alignment_whatever_is_in_a_cell) {
    EXPECT_EQ(render("|a|b|c|\n|:-|-:|:-:|\n|*1*|~~2~~ `x`|![p](q)|\n"),
              "<table>\n<tr><th align=\"left\">a</th><th align=\"right\">b</th>"
              "<th align=\"center\">c</th></tr>\n<tr><td align=\"left\"><em>1</em></td>"
              "<td align=\"right\"><del>2</del> <code>x</code></td><td align=\"center\">"
              "<img src=\"/ana/tiny/resolve/main/q\" alt=\"p\"></td></tr>\n</table>\n");
}

} // namespace
} // namespace locara::hub
