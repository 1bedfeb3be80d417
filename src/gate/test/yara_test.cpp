#include "samples.hpp"
#include "yara_scanner.hpp"

#include <locara/base/file.hpp>
#include <locara/test_support/folders.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace locara::gate {
namespace {

namespace fs = std::filesystem;
using formats::MemorySource;
using formats::Verdict;

YaraScanner& scanner() {
    static const auto made = YaraScanner::create().value();
    return *made;
}

Verdict scan(const std::string& bytes, std::string_view name = "file") {
    return formats::scan_source(MemorySource(as_bytes(bytes)), name, {}, &scanner());
}

std::string read(const std::string& name) {
    if (name == "eicar.txt") {
        return test::eicar();
    }
    return read_file(test_support::data_dir() / "yara" / name, 1U << 20U).value();
}

TEST(Yara, finds_what_each_rule_is_for) {
    std::set<std::string> left;
    for (const std::string& name : scanner().rule_names()) {
        EXPECT_NE(formats::find_rule(name), nullptr) << name << " has no row in the table";
        left.insert(name);
    }
    for (const auto& [rule, file] :
         std::map<std::string, std::string>{{"yara.eicar", "eicar.txt"},
                                            {"yara.embedded-program", "embedded-program.jpg"},
                                            {"yara.php-in-image", "php-in-image.gif"},
                                            {"yara.powershell", "powershell.txt"},
                                            {"yara.reverse-shell", "reverse-shell.txt"},
                                            {"yara.miner", "miner.json"}}) {
        const Verdict verdict = scan(read(file), file);
        EXPECT_EQ(verdict.rule, rule) << verdict.reason;
        EXPECT_EQ(verdict.scanner, "yara");
        EXPECT_THAT(verdict.scanner_version, testing::StartsWith("4."));
        const Verdict packed = scan(test::deflate_text(read(file), 31), file + ".gz");
        EXPECT_EQ(packed.rule, rule) << "as a member";
        EXPECT_FALSE(packed.member.empty());
        left.erase(rule);
    }
    EXPECT_TRUE(left.empty()) << *left.begin() << " is shown by no file";
}

TEST(Yara, leaves_alone_what_only_speaks_of_such_things) {
    const std::string eicar = read("eicar.txt");
    EXPECT_EQ(scan("The test file is " + eicar + "\n", "README.md").rule, "content.inert");
    EXPECT_EQ(scan(eicar + std::string(200, ' ') + "x", "a.txt").rule, "content.inert");
    for (const char* text :
         {"An executable starts with MZ and says: This program cannot be run in DOS mode.\n",
          "Run `powershell -File build.ps1` or `curl https://example.org/x.sh | sh`.\n",
          "Open a socket with socket.socket() and copy it by os.dup2(a, b).\n",
          "Pools speak stratum+tcp://pool.example.org:3333, says the specification.\n",
          "GIF89a is how a GIF starts; <?php eval($x); ?> is PHP.\n"}) {
        EXPECT_EQ(scan(std::string("# Notes\n\n") + text, "README.md").rule, "content.inert")
            << text;
    }
    // Tensors may hold anything: they are not looked at.
    EXPECT_EQ(scan(test::weights("note", read("embedded-program.jpg")), "m.safetensors").rule,
              "safetensors.valid");
    EXPECT_EQ(scan(test::weights("stratum+tcp://a.example:3333 xmrig", "x"), "m").rule,
              "yara.miner")
        << "metadata is looked at";
}

// The benign repositories are judged by Benign.* in src/formats; these are their files on disk.
TEST(Yara, finds_nothing_in_what_is_clean) {
    std::size_t files = 0;
    for (const char* folder : {"benign", "template/allowed", "archive/allowed"}) {
        for (const auto& entry : fs::directory_iterator(test_support::source_dir() /
                                                        "src/formats/test/data" / folder)) {
            const std::string bytes = read_file(entry.path(), 1U << 20U).value();
            const Verdict verdict = scan(bytes, entry.path().filename().string());
            EXPECT_NE(verdict.scanner, "yara") << entry.path() << " " << verdict.rule;
            ++files;
        }
    }
    EXPECT_GE(files, 50U);
}

TEST(Yara, finds_what_lies_across_its_blocks) {
    const std::string program = read("embedded-program.jpg");
    for (const std::size_t at :
         {std::size_t{4} << 20U, (std::size_t{4} << 20U) - 60, (std::size_t{8} << 20U) - 9000}) {
        std::string bytes = "\xFF\xD8\xFF\xE0" + std::string(at, '\x11') + program.substr(4);
        EXPECT_EQ(scan(bytes, "x.jpg").rule, "yara.embedded-program") << at;
    }
}

TEST(Yara, refuses_rules_that_do_not_compile) {
    const auto made = YaraScanner::create("rule broken {\n condition:\n nothing\n}");
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code(), ErrorCode::InvalidArgument);
    EXPECT_THAT(made.error().message(), testing::HasSubstr("line 3"));
}

TEST(Yara, stops_when_its_time_is_over) {
    const auto slow = YaraScanner::create(
        "rule slow { condition: for all i in (1..1000000000) : (i > 0) }", std::chrono::seconds(1));
    ASSERT_TRUE(slow);
    const auto finding = (*slow)->look(MemorySource(as_bytes(std::string_view("x"))), 1);
    ASSERT_TRUE(finding);
    EXPECT_EQ(finding->rule, "yara.time");
}

TEST(Yara, reports_a_source_that_cannot_be_read) {
    class Broken final : public formats::ByteSource {
      public:
        std::uint64_t size() const override { return 10; }

        Status read(std::uint64_t, std::span<std::byte>) const override {
            return Error(ErrorCode::Io, "the disk is gone");
        }
    };

    const auto finding = scanner().look(Broken(), 10);
    ASSERT_TRUE(finding);
    EXPECT_EQ(finding->rule, formats::kRuleRead);
}

} // namespace
} // namespace locara::gate
