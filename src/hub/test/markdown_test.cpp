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
    // A short row of a wide table is filled up: many of them would be much.
    std::string wide = "|" + std::string(2000, '|') + "\n|";
    for (int i = 0; i < 2000; ++i) {
        wide += "---|";
    }
    for (int i = 0; i < 20'000; ++i) {
        wide += "\n|";
    }
    const auto html = render_markdown(wide);
    EXPECT_TRUE(html || html.error().code() == ErrorCode::TooLarge);
}

} // namespace
} // namespace locara::hub
