// The table of rules, docs/formats-gate.md and the tests tell the same story.
#include <locara/base/file.hpp>
#include <locara/formats/rules.hpp>
#include <locara/test_support/folders.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <sstream>

namespace locara::formats {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
    return read_file(test_support::source_dir() / path, 8U << 20U).value();
}

/// Each test's text by "Suite.name", from its TEST line to the next one.
void read_tests(const fs::path& folder, std::map<std::string, std::string>& tests) {
    for (const auto& entry : fs::directory_iterator(test_support::source_dir() / folder)) {
        if (entry.path().extension() != ".cpp") {
            continue;
        }
        const std::string text = read(folder / entry.path().filename());
        for (std::size_t at = text.find("\nTEST"); at != std::string::npos;) { // or TEST_F
            const std::size_t next = text.find("\nTEST", at + 1);
            const std::size_t begin = text.find('(', at) + 1;
            std::string name = text.substr(begin, text.find(')', begin) - begin);
            name.replace(name.find(", "), 2, ".");
            tests[name] = text.substr(at, next - at);
            at = next;
        }
    }
}

TEST(Rules, have_unique_names_and_an_answer) {
    std::set<std::string_view> names;
    for (const Rule& rule : rules()) {
        EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
        EXPECT_EQ(find_rule(rule.name), &rule);
        EXPECT_FALSE(rule.meaning.empty()) << rule.name;
        EXPECT_EQ(rule.decision == Decision::Allow, rule.label == Label::Ok) << rule.name;
        EXPECT_EQ(rule.decision == Decision::Refuse, rule.label >= Label::WrongFormat) << rule.name;
    }
    EXPECT_EQ(find_rule("no.such-rule"), nullptr);
}

// The document's rows are the table's, with a last column: the test that shows the rule.
TEST(Rules, stand_in_the_document_each_with_a_test_that_shows_it) {
    const std::string document = read("docs/formats-gate.md");
    std::map<std::string, std::string> tests;
    read_tests("src/formats/test", tests);
    read_tests("src/gate/test", tests); // its rules stand in the one table
    std::size_t rows = 0;
    for (std::size_t at = document.find("\n| `"); at != std::string::npos;
         at = document.find("\n| `", at + 1)) {
        ++rows;
    }
    EXPECT_EQ(rows, rules().size()) << "the document has rows that the table lacks, or the reverse";
    for (const Rule& rule : rules()) {
        const std::string row =
            "\n| `" + std::string(rule.name) + "` | " + std::string(render(rule.decision)) + " | " +
            std::string(render(rule.label)) + " | " + std::string(rule.meaning) + " | `";
        const std::size_t at = document.find(row);
        ASSERT_NE(at, std::string::npos) << "missing in docs/formats-gate.md:" << row;
        const std::size_t begin = at + row.size();
        const std::string test = document.substr(begin, document.find('`', begin) - begin);
        ASSERT_TRUE(tests.contains(test)) << rule.name << " names the test " << test;
        // The tests of one format leave its name out.
        std::string wanted = "\"" + std::string(rule.name) + "\"";
        for (const auto& [suite, format] :
             {std::pair("Gguf.", "gguf."), std::pair("Safetensors.", "safetensors.")}) {
            if (test.starts_with(suite) && rule.name.starts_with(format)) {
                wanted = rule.name.substr(std::string_view(format).size());
                wanted += '"';
            }
        }
        EXPECT_NE(tests.at(test).find(wanted), std::string::npos)
            << test << " does not mention " << rule.name;
    }
}

} // namespace
} // namespace locara::formats
