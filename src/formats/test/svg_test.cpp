// An SVG is a still drawing or for a curator to see.
#include "svg.hpp"

#include <locara/base/bytes.hpp>
#include <locara/formats/scan.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace locara::formats {
namespace {

/// Within a drawing that declares SVG and XLink.
std::string drawing(const std::string& inside) {
    return "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'>" +
           inside + "</svg>";
}

std::string rule(const std::string& svg) {
    return scan_source(MemorySource(as_bytes(svg)), "a.svg").rule;
}

std::string badge(const std::string& inner) {
    return drawing("<image xlink:href='data:image/svg+xml;base64," +
                   render_base64(as_bytes(inner)) + "'/>");
}

TEST(Svg, passes_what_drawing_programs_write) {
    const std::vector<std::string> clean = {
        "<svg/>",
        "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n"
        "<!-- Created with Inkscape (http://www.inkscape.org/) -->\n"
        "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" "
        "\"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\">\n"
        "<svg:svg xmlns:svg='http://www.w3.org/2000/svg' version='1.1'><svg:g/></svg:svg>",
        drawing("<title>a &amp; b &#169;</title><path d=\"M0 0h9z\" fill=\"url(#g)\" id='p'/>"),
        drawing("<linearGradient id='g' xlink:href='#h'><stop offset='0'/></linearGradient>"
                "<use href='#p' x='1'/><text aria-label='t' data-name='Layer 1'>x</text>"),
        drawing("<image href='data:image/png;base64,iVBORw0KGgo='/>"),
        drawing("<a href='https://example.org/' target='_top'><rect/></a><a xlink:href='b.html'/>"),
        drawing("<style><![CDATA[ .a > .b{fill:url(\"#g\")} @media print{a{fill:red}} ]]></style>"),
        drawing(
            "<style>@font-face{font-family:x;src:url(data:font/woff2;base64,d09GMg==)}</style>"),
        drawing(
            "<text style=\"-inkscape-font-specification:'Inter, @wght=500'\">onload = 1</text>"),
        drawing("<circle r='1'><animate attributeName='r' values='1;2' dur='1s'/></circle>"),
        drawing("<sodipodi:namedview pagecolor='#fff' inkscape:zoom='1' "
                "xmlns:sodipodi='http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd' "
                "xmlns:inkscape='http://www.inkscape.org/namespaces/inkscape'/>"),
        drawing("<metadata><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' "
                "xmlns='http://web.resource.org/cc/'><Work rdf:about=''/></rdf:RDF></metadata>"
                "<path d='M0 0'/>"),
        drawing("<g sketch:type='a' xmlns:sketch='http://www.bohemiancoding.com/sketch/ns'/>"),
        badge(drawing("<path d='M0 0'/>"))};
    for (const std::string& svg : clean) {
        EXPECT_EQ(rule(svg), "content.inert")
            << svg << check_svg(svg).value_or(Finding{"", "", {}}).reason;
    }
}

TEST(Svg, flags_what_no_drawing_has) {
    const std::vector<std::string> active = {
        drawing("<script>1</script>"),
        drawing("<SCRIPT>1</SCRIPT>"),
        drawing("<foreignObject><p/></foreignObject>"),
        drawing("<handler type='text/javascript'/>"),
        drawing("<x:script xmlns:x='http://www.w3.org/2000/svg'/>"),
        drawing("<x:path xmlns:x='http://www.w3.org/1999/xhtml'/>"),
        drawing("<g xmlns='http://www.w3.org/1999/xhtml'/>"),
        drawing("<inkscape:script xmlns:inkscape='http://www.w3.org/2000/sv&#103;'/>"),
        // The namespace of an editor ends with its element.
        drawing("<g xmlns:i='http://ns.adobe.com/x'><i:a/></g><i:script/>"),
        drawing("<i:a xmlns:i='http://ns.adobe.com/x' autofocus='' tabindex='0' onfocus='x()'/>"),
        drawing("<path onclick='x()'/>"),
        drawing("<path OnClick = 'x()'/>"),
        drawing("<path autofocus='' tabindex='0'/>"),
        drawing("<use href='other.svg#a'/>"),
        drawing("<use href='data:image/svg+xml;base64,PHN2Zy8+'/>"),
        drawing("<image xlink:href='http://example.org/a.png'/>"),
        drawing("<image xmlns:l='http://www.w3.org/1999/xlink' l:href='//example.org/a.png'/>"),
        drawing("<a href='javascript:x()'/>"),
        drawing("<a href=' java&Tab;script&colon;x()'/>"),
        drawing("<a href='data:text/html,x'/>"),
        drawing("<a><animate attributeName='href' values='javascript:x()'/></a>"),
        drawing("<a><set attributeName='xlink:href' to='javascript:x()'/></a>"),
        drawing("<path fill='url(http://example.org/a.svg#g)'/>"),
        drawing("<path fill='u\\72l(http://example.org/a.svg#g)'/>"),
        drawing("<path style=\"fill:url( 'http://example.org/')\"/>"),
        drawing("<path style=\"cursor:image-set('http://example.org/' 1x)\"/>"),
        drawing("<style>@import 'http://example.org/a.css';</style>"),
        drawing("<style>a{fill:u<!-- -->rl(http://example.org/)}</style>"),
        drawing("<style>a{fill:u]]><![CDATA[rl(http://example.org/)}]]></style>"),
        drawing("<path fill='ur&#x6C;(http://example.org/)'/>"),
        drawing("<path fill='url&lpar;http://example.org/)'/>"),
        drawing("<g xmlns='http://ns.adobe.com/x'><script>1</script></g>"),
        drawing("<use xmlns:xlink='http://ns.adobe.com/x' xlink:href='http://example.org/'/>"),
        drawing("<i:a xmlns:i='http://ns.adobe.com/x' style='fill:url(http://example.org/)'/>"),
        drawing("<style>a{fill:&#117;rl(http://example.org/)}</style>"),
        drawing("<g xml:base='http://example.org/'><use href='#a'/></g>"),
        drawing("<title><![CDATA[><img src=x onerror=x()>]]></title>"),
        drawing("<!--><script>1</script>-->"),
        drawing("<!-- --!><script>1</script>-->"),
        "<?xml-stylesheet href='a.css'?>" + drawing(""),
        "<?xml version='1.0' encoding='utf-7'?>" + drawing(""),
        "<!DOCTYPE svg [<!ENTITY a 'b'>]>" + drawing("&a;"),
        "<!DOCTYPE svg SYSTEM 'http://example.org/a.dtd'>" + drawing(""),
        badge(drawing("<script>1</script>")),
        badge(badge(drawing("<path d='M0 0'/>")))};
    for (const std::string& svg : active) {
        EXPECT_EQ(rule(svg), "svg.script") << svg;
    }
    EXPECT_EQ(check_svg(drawing("<path onclick='x()'/>"))->reason,
              "an SVG that is more than a drawing: the attribute \"onclick\"; it is shown without "
              "scripts, and a curator looks at it first");
}

TEST(Svg, flags_what_is_not_well_formed) {
    for (const std::string& svg : {std::string("<svg"),
                                   std::string("<svg>"),
                                   std::string("<svg></g></svg>"),
                                   std::string("<svg/></svg>"),
                                   drawing("<path d=\"M0 0>"),
                                   drawing("<path d=M0/>"),
                                   drawing("<path d/>"),
                                   drawing("<path d=\"<g/>\"/>"),
                                   drawing("<!-- "),
                                   drawing("<![CDATA["),
                                   drawing("<? "),
                                   drawing("a < b")}) {
        EXPECT_TRUE(check_svg(svg)) << svg;
    }
}

TEST(Svg, keeps_within_each_limit) {
    const auto nested = [](std::size_t levels) {
        std::string out;
        for (std::size_t i = 0; i < levels; ++i) {
            out += "<g>";
        }
        for (std::size_t i = 0; i < levels; ++i) {
            out += "</g>";
        }
        return drawing(out);
    };
    EXPECT_FALSE(check_svg(nested(511)));
    EXPECT_TRUE(check_svg(nested(512)));
    const auto with = [](std::size_t count, const std::string& attribute) {
        std::string out = "<g";
        for (std::size_t i = 0; i < count; ++i) {
            out += attribute;
        }
        return drawing(out + "></g>");
    };
    EXPECT_FALSE(check_svg(with(256, " id='a'")));
    EXPECT_TRUE(check_svg(with(257, " id='a'")));
    EXPECT_FALSE(check_svg(with(254, " xmlns:a='b'"))); // two stand on the root
    EXPECT_TRUE(check_svg(with(255, " xmlns:a='b'")));
}

} // namespace
} // namespace locara::formats
