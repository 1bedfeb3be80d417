#include "chat_template.hpp"
#include "test/support.hpp"

#include <locara/base/json.hpp>
#include <locara/formats/scan.hpp>
#include <locara/test_support/folders.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

namespace locara::formats {
namespace {

namespace fs = std::filesystem;

/// The templates of test/data/template/allowed, by name.
std::map<std::string, std::string> allowed() {
    std::map<std::string, std::string> all;
    for (const auto& entry :
         fs::directory_iterator(test_support::data_dir() / "template/allowed")) {
        all[entry.path().filename()] = read_file(entry.path(), kMaxTemplateBytes).value();
    }
    EXPECT_GE(all.size(), 15U);
    return all;
}

Verdict scan(const std::string& bytes, std::string_view name) {
    return scan_source(MemorySource(as_bytes(bytes)), name);
}

std::string gguf_with(const std::string& key, const std::string& text) {
    test::GgufBuilder b = test::clean_gguf();
    std::erase(b.pairs, test::text_pair("tokenizer.chat_template", "{{ messages[0].content }}"));
    b.pairs.push_back(test::text_pair(key, text));
    return b.build();
}

/// The rule that a template breaks; empty if none.
std::string broken(const std::string& text) {
    const auto finding = check_chat_template(text);
    if (finding) {
        EXPECT_NE(find_rule(finding->rule), nullptr) << finding->rule;
        EXPECT_LE(finding->offset.value_or(0), text.size());
    }
    return finding ? finding->rule : "";
}

std::string repeat(const std::string& text, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        out += text;
    }
    return out;
}

// A template of a public family that is refused is a defect: these have the shapes of Llama,
// Qwen, Mistral, Gemma, Phi, DeepSeek, SmolLM, Granite, Command and ChatML, wherever they stand.
TEST(ChatTemplate, passes_the_shapes_of_public_families_wherever_they_stand) {
    for (const auto& [name, text] : allowed()) {
        const auto finding = check_chat_template(text);
        EXPECT_FALSE(finding) << name << " " << finding->rule << ": " << finding->reason << "\n"
                              << text.substr(finding->offset.value_or(0), 60);
        EXPECT_EQ(scan(text, name).decision, Decision::Allow) << name;
        EXPECT_EQ(scan(gguf_with("tokenizer.chat_template", text), "m.gguf").rule, "gguf.valid");
        EXPECT_EQ(scan(gguf_with("tokenizer.chat_template.tool_use", text), "m.gguf").rule,
                  "gguf.valid");
        const Json string = {{"chat_template", text}, {"model_max_length", 1e30}};
        EXPECT_EQ(scan(string.dump(2), "tokenizer_config.json").decision, Decision::Allow) << name;
        EXPECT_EQ(scan(string.dump(), "chat_template.json").decision, Decision::Allow) << name;
        const Json list = {{"chat_template",
                            Json::array({{{"name", "default"}, {"template", text}},
                                         {{"name", "tool_use"}, {"template", text}}})}};
        EXPECT_EQ(scan(list.dump(), "tokenizer_config.json").decision, Decision::Allow) << name;
    }
}

TEST(ChatTemplate, is_checked_wherever_it_stands) {
    const std::string bad = "{{ x.__class__ }}";
    const auto refused = [&](const std::string& bytes, std::string_view name) {
        const Verdict verdict = scan(bytes, name);
        EXPECT_EQ(verdict.rule, "template.attribute") << name << " " << verdict.reason;
        EXPECT_EQ(verdict.label, Label::Malicious);
        return verdict.offset.value_or(0);
    };
    for (const char* key : {"tokenizer.chat_template", "tokenizer.chat_template.tool_use"}) {
        const std::string file = gguf_with(key, bad);
        EXPECT_EQ(refused(file, "m.gguf"), file.find("__class__")) << "the offset is the file's";
        EXPECT_EQ(scan(file, "no name at all").rule, "template.attribute");
    }
    EXPECT_EQ(scan(gguf_with("tokenizer.other", bad), "m.gguf").rule, "gguf.valid");
    EXPECT_EQ(refused(bad, "chat_template.jinja"), 5U);
    refused("{}" + bad, "additional_chat_templates/tool_use.jinja");
    refused("#!/bin/sh\n" + bad, "x.jinja");
    for (const char* name :
         {"tokenizer_config.json", "chat_template.json", "processor_config.json"}) {
        const std::string plain = Json{{"a", "x"}, {"chat_template", bad}}.dump();
        EXPECT_EQ(refused(plain, name), plain.find("\"chat_template\""));
        // With an escape in the key, behind an allowed one, in the list form and in an object.
        refused(R"({"chat_template":"ok","chat_templat\u0065":"{{ x.__class__ }}"})", name);
        refused(Json{{"chat_template",
                      Json::array({{{"name", "default"}, {"template", "{{ messages }}"}},
                                   {{"name", "rag"}, {"template", bad}}})}}
                    .dump(),
                name);
        refused(Json{{"chat_template", {{"default", bad}}}}.dump(), name);
        refused(R"({"n": NaN, "chat_template": "{{ x\u002e__class__ }}", })", name);
    }
    EXPECT_EQ(scan(Json{{"chat_template", bad}}.dump(), "notes.json").rule, "content.inert");
    EXPECT_EQ(
        scan(Json{{"chat_template", "{{ 'a\\n' }}\n{% if x %}"}}.dump(), "tokenizer_config.json")
            .rule,
        "template.syntax");
    const std::string number =
        test::pair("tokenizer.chat_template", 4, test::u32(7)); // no text at all
    test::GgufBuilder b = test::clean_gguf();
    std::erase(b.pairs, test::text_pair("tokenizer.chat_template", "{{ messages[0].content }}"));
    b.pairs.push_back(number);
    EXPECT_EQ(scan(b.build(), "m.gguf").rule, "template.syntax");
}

TEST(ChatTemplate, refuses_attributes_and_keys_with_underscores) {
    for (const char* text : {
             "{{ x.__class__ }}",
             "{{ ''.__class__.__mro__[1].__subclasses__() }}",
             "{{ x._private }}",
             "{{ x . _private }}",
             "{{ x['__class__'] }}",
             "{{ x[('__class__')] }}",
             "{{ x.get('__class__') }}",
             "{% set k = '__class__' %}{{ x.get(k, 1) }}",
             "{{ x['\\x5f\\x5fclass__'] }}",
             "{{ x['\\137_class__'] }}",
             "{{ x['\\u005f_class__'] }}",
             "{{ x['\\N{LOW LINE}_class__'] }}",
             "{{ x['_' '_class__'] }}",
             "{{ x['_' ~ '_class__'] }}",
             "{{ x['_' + k] }}",
             "{{ x['x__class__'[1:]] }}",
             "{{ x['__CLASS__'|lower] }}",
             "{{ x[('_', '_class__')|join] }}",
             "{{ x['%s_class__' % '_'] }}",
             "{{ x['__class__' if y else 'z'] }}",
             "{% set k = '__class__' %}{{ x[k] }}",
             "{% set l = [] %}{% set _ = l.append('__class__') %}{{ x[l[0]] }}",
             "{% set d = {} %}{% set _ = d.update({'a': '__class__'}) %}{{ x[d.a] }}",
             "{% macro m() %}{{ x[caller()] }}{% endmacro %}{% call m() %}_a{% endcall %}",
             "{% set u = dict(_=1)|list|first %}{{ x[u ~ u ~ 'class'] }}",
             "{{ x.pop('__class__') }}",
             "{{ x[k] }}{% set k = '__class__' %}",
             "{% set a = '_' %}{% set b = a ~ a %}{% set c = b ~ 'class' ~ b %}{{ x[c] }}",
             "{% set ns = namespace(k='__class__') %}{{ x[ns.k] }}",
             "{% set ns = namespace() %}{% set ns.k = '__class__' %}{{ x[ns.k] }}",
             "{% set ns._k = 1 %}",
             "{% set k %}__class__{% endset %}{{ x[k] }}",
             "{% for k in ['__class__'] %}{{ x[k] }}{% endfor %}",
             "{% macro m(k) %}{{ x[k] }}{% endmacro %}{{ m('__class__') }}",
             "{% macro m(k='__class__') %}{{ x[k] }}{% endmacro %}{{ m() }}",
             "{% macro m() %}__class__{% endmacro %}{{ x[m()] }}",
             "{{ x|map(attribute='__class__') }}",
             "{{ x|map(attribute='a.__class__') }}",
             "{{ x|map(attribute=y) }}",
             "{{ x|selectattr('__class__') }}",
             "{{ x|rejectattr(y) }}",
             "{{ x|sort(false, false, '__class__') }}",
             "{{ x|sum('__class__') }}",
             "{{ x|join(',', '__class__') }}",
             "{{ __builtins__ }}",
             "{% for __x in y %}{% endfor %}",
             "{% if x.__class__ %}{% endif %}",
         }) {
        EXPECT_EQ(broken(text), "template.attribute") << text;
    }
    // Look-alikes.
    for (const char* text : {
             "{{ 'x.__class__' }}",
             "x.__class__ {# x.__class__ #}",
             "{% raw %}{{ x.__class__ }}{% endraw %}",
             "{{ '__class__' ~ x }}",
             "{{ x['tool_calls'] }}",
             "{{ x.a__b }}",
             "{% for _ in x %}{% endfor %}",
             "{{ tool_use_ }}",
             "{% set k = 'a_b' ~ c %}{{ x[k] }}",
         }) {
        EXPECT_EQ(broken(text), "") << text;
    }
}

TEST(ChatTemplate, refuses_what_reads_other_files_or_attributes_by_name) {
    for (const char* text : {
             "{% import 'x' as y %}",
             "{% from 'x' import y %}",
             "{% include 'x' %}",
             "{% extends 'x' %}",
             "{% block x %}{% endblock %}",
             "{%- include\n'x' -%}",
             "{{ x|attr('y') }}",
             "{{ x | map('attr', 'y') }}",
             "{% filter attr('y') %}{% endfilter %}",
             "{% set x | attr('y') %}{% endset %}",
         }) {
        EXPECT_EQ(broken(text), "template.outside") << text;
    }
}

TEST(ChatTemplate, refuses_what_is_not_on_the_lists) {
    for (const char* text : {
             "{{ x|format('y') }}",
             "{{ x|xmlattr }}",
             "{{ x|urlize }}",
             "{{ x|random }}",
             "{{ x|map('pprint') }}",
             "{{ x|map(y) }}",
             "{{ x|select('filter') }}",
             "{{ x|selectattr('a', y) }}",
             "{{ x is filter }}",
             "{{ x is not escaped }}",
             "{{ lipsum() }}",
             "{{ self() }}",
             "{{ open('/etc/passwd') }}",
             "{{ x.format(y) }}",
             "{{ '{0.a}'.format(y) }}",
             "{{ x.encode() }}",
             "{{ x.read() }}",
             "{{ x['read']() }}",
             "{{ range(1)() }}",
             "{{ 'a'() }}",
             "{{ x|trim() () }}",
             "{{ range(*y) }}",
             "{{ dict(**y) }}",
             "{% set f = range %}{{ f(3) }}",
         }) {
        EXPECT_EQ(broken(text), "template.name") << text;
    }
    for (const char* text : {"{% do x.append(1) %}",
                             "{% with x = 1 %}{% endwith %}",
                             "{% autoescape true %}{% endautoescape %}",
                             "{% trans %}{% endtrans %}",
                             "{% debug %}",
                             "{% python %}"}) {
        EXPECT_EQ(broken(text), "template.statement") << text;
    }
}

TEST(ChatTemplate, refuses_what_does_not_parse) {
    for (const char* text : {
             "{{",
             "{{ }}",
             "{{ x",
             "{{ x }",
             "{{ x %}",
             "{% if x }}{% endif %}",
             "{# x",
             "{% raw %}",
             "{% if x %}",
             "{% if %}{% endif %}",
             "{% endif %}",
             "{% else %}",
             "{% if x %}{% else %}{% elif y %}{% endif %}",
             "{% for x %}{% endfor %}",
             "{% for x in %}{% endfor %}",
             "{% for x in y recursive %}{% endfor %}",
             "{% for x in y %}{% endif %}",
             "{% break %}",
             "{% macro %}{% endmacro %}",
             "{% macro m %}{% endmacro %}",
             "{% macro m() %}{% break %}{% endmacro %}",
             "{% set %}",
             "{% set x = %}",
             "{% set x = 1 2 %}",
             "{% %}",
             "{% 1 %}",
             "{{ 'x }}",
             "{{ x' }}",
             "{{ x. }}",
             "{{ x[] }}",
             "{{ x[1 }}",
             "{{ x[1, 2] }}",
             "{{ (1 }}",
             "{{ [1 2] }}",
             "{{ {1} }}",
             "{{ {1: } }}",
             "{{ {1: 2 3: 4} }}",
             "{{ x | }}",
             "{{ x is }}",
             "{{ x + }}",
             "{{ and }}",
             "{{ x not y }}",
             "{{ 1x }}",
             "{{ x = 1 }}",
             "{{ x & y }}",
             "{{ x; y }}",
             "{{ `x` }}",
             "{{ \xFF }}",
             "\xC0\x80",
             "{{ x(1 2) }}",
         }) {
        EXPECT_EQ(broken(text), "template.syntax") << text;
    }
}

TEST(ChatTemplate, refuses_what_may_not_end) {
    for (const char* text : {
             "{% for i in range(100001) %}{% endfor %}",
             "{% for i in range(999999999999999999999999) %}{% endfor %}",
             "{% for i in range(0x7fffffff) %}{% endfor %}",
             "{% for i in range(1e9) %}{% endfor %}",
             "{% for i in range(1000 * 1000) %}{% endfor %}",
             "{% for i in range(1000) %}{% for j in range(101) %}{% endfor %}{% endfor %}",
             "{{ 9 ** 9 }}",
             "{{ 'x' * 100001 }}",
             "{{ 'x' * 1000 * 1000 * 1000 }}",
             "{% macro a() %}{{ a() }}{% endmacro %}",
             "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() "
             "}}",
         }) {
        EXPECT_EQ(broken(text), "template.loop") << text;
    }
    EXPECT_EQ(broken(repeat("{% for i in x %}", 9) + repeat("{% endfor %}", 9)), "template.loop");
    EXPECT_EQ(broken(repeat("{% for i in x %}", 8) + repeat("{% endfor %}", 8)), "");
    EXPECT_EQ(broken("{% for i in range(100000) %}{% endfor %}"), "");
    // A macro that calls itself under a condition ends with the data: tools are rendered so.
    EXPECT_EQ(broken("{% macro a(x) %}{% if x %}{{ a(x[1:]) }}{% endif %}{% endmacro %}"), "");
    EXPECT_EQ(broken("{% macro a(x) %}{{ a(x[1:]) if x }}{% endmacro %}"), "");
}

TEST(ChatTemplate, follows_numbers_through_variables) {
    EXPECT_EQ(broken("{% set n = 1000 %}{% for a in range(n) %}{% for b in range(n) %}x"
                     "{% endfor %}{% endfor %}"),
              "template.loop");
    EXPECT_EQ(broken("{% for a in range(n) %}x{% endfor %}{% set n = 100001 %}"), "template.loop");
    EXPECT_EQ(broken("{% set n = 100001 %}{{ 'a' * n }}"), "template.loop");
    EXPECT_EQ(broken("{{ 'a\n'|indent(100001) }}"), "template.loop");
    EXPECT_EQ(broken("{% set n = 100000 %}{{ x[:n] }}{{ 'a' * n }}{{ n + 1 }}"), "");
    EXPECT_EQ(broken("{% set n = 1 %}{% set n = 'a' %}{{ x|map(attribute=n) }}"),
              "template.attribute");
}

TEST(ChatTemplate, keeps_to_its_limits) {
    EXPECT_EQ(broken(std::string(kMaxTemplateBytes, 'x')), "");
    EXPECT_EQ(broken(std::string(kMaxTemplateBytes + 1, 'x')), "template.limits");
    EXPECT_EQ(scan(std::string(kMaxTemplateBytes + 1, 'x'), "x.jinja").rule, "template.limits");
    EXPECT_EQ(scan(gguf_with("tokenizer.chat_template", std::string(3U << 20U, 'x')), "m").rule,
              "template.limits");
    EXPECT_EQ(scan(Json{{"chat_template", std::string(kMaxTemplateBytes + 1, 'x')}}.dump(),
                   "tokenizer_config.json")
                  .rule,
              "template.limits");
    for (const auto& [open, close, most] :
         {std::tuple("(", ")", 62), std::tuple("[", "]", 62), std::tuple("-", "", 62)}) {
        const auto nested = [&, open = open, close = close](int count) {
            return "{{ " + repeat(open, static_cast<std::size_t>(count)) + "1" +
                   repeat(close, static_cast<std::size_t>(count)) + " }}";
        };
        EXPECT_EQ(broken(nested(most)), "") << open;
        EXPECT_EQ(broken(nested(most + 1)), "template.limits") << open;
        EXPECT_EQ(broken(nested(50'000)), "template.limits") << open;
    }
    EXPECT_EQ(broken(repeat("{% if x %}", 62) + repeat("{% endif %}", 62)), "");
    EXPECT_EQ(broken(repeat("{% if x %}", 64) + repeat("{% endif %}", 64)), "template.limits");
    EXPECT_EQ(broken("{{ 1" + repeat("+1", 19'000) + " }}"), "");
    EXPECT_EQ(broken("{{ 1" + repeat("+1", 20'000) + " }}"), "template.limits");
    std::string names;
    for (int i = 0; i < 2'001; ++i) {
        names += "{{ v" + std::to_string(i) + " }}";
    }
    EXPECT_EQ(broken(names), "template.limits");
}

// Whatever is cut off or repeated, the answer comes, and quickly.
TEST(ChatTemplate, answers_for_every_prefix) {
    for (const auto& [name, text] : allowed()) {
        for (std::size_t size = 0; size < text.size(); size += 7) {
            broken(text.substr(0, size));
            broken(text.substr(size));
        }
    }
    // Chains of assignments against their order, the worst that a fixpoint meets.
    std::string chain;
    for (int i = 0; i < 1'900; ++i) {
        chain += "{% set v" + std::to_string(i) + " = v" + std::to_string(i + 1) + " %}";
    }
    EXPECT_EQ(broken(chain + "{% set v1900 = '_x' %}{{ x[v0] }}"), "template.attribute");
}

} // namespace
} // namespace locara::formats
