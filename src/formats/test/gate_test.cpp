// The gate, row by row of the classes in docs/formats-gate.md: one test for each.
#include "test/support.hpp"

#include <locara/formats/scan.hpp>
#include <locara/test_support/folders.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <random>

namespace locara::formats {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using test::deflate_text;
using test::TarBuilder;
using test::ZipBuilder;

const std::string kHostile = "cos\nsystem\n(S'id'\ntR.";
const std::string kHarmless = "\x80\x02}q\0."s;

Verdict
scan(const std::string& bytes, std::string_view name = "file", const ScanBudget& budget = {}) {
    Verdict verdict = scan_source(MemorySource(as_bytes(bytes)), name, budget);
    EXPECT_NE(find_rule(verdict.rule), nullptr) << verdict.rule;
    EXPECT_EQ(verdict.scanner, kScannerName);
    return verdict;
}

std::string
rule(const std::string& bytes, std::string_view name = "file", const ScanBudget& budget = {}) {
    return scan(bytes, name, budget).rule;
}

std::string fixture(const fs::path& path) {
    return read_file(test_support::data_dir() / path, 64U << 20U).value();
}

ZipBuilder zip_of(std::vector<std::pair<std::string, std::string>> files) {
    ZipBuilder zip;
    for (auto& [name, bytes] : files) {
        zip.members.push_back({.name = name, .data = bytes});
    }
    return zip;
}

// --- pickles ---------------------------------------------------------------------------------

TEST(Gate, finds_a_pickle_under_any_name) {
    for (const char* name :
         {"m.safetensors", "m.gguf", "m.json", "m.txt", "m.bin", "m", "README.md", "a.png", ""}) {
        const Verdict hostile = scan(kHostile, name);
        EXPECT_EQ(hostile.decision, Decision::Refuse) << name;
        EXPECT_EQ(hostile.label, Label::Malicious) << name;
        EXPECT_EQ(hostile.rule, "pickle.import.malicious") << name;
        EXPECT_EQ(hostile.offset, 0U);
        ASSERT_EQ(hostile.imports.size(), 1U);
        EXPECT_EQ(hostile.imports[0], (PickleImport{"os", "system", "GLOBAL", 0, false}));
        const Verdict harmless = scan(kHarmless, name);
        EXPECT_EQ(harmless.rule, "pickle.wrong-format") << name;
        EXPECT_EQ(harmless.label, Label::WrongFormat) << name;
    }
}

TEST(Gate, finds_a_payload_in_the_second_and_the_fifth_of_several_pickles) {
    std::string before;
    for (int i = 1; i <= 5; ++i) {
        const Verdict verdict = scan(before + kHostile, "checkpoint.pt");
        EXPECT_EQ(verdict.rule, "pickle.import.malicious") << i;
        EXPECT_EQ(verdict.offset, before.size()) << i;
        before += kHarmless;
    }
    EXPECT_EQ(rule(before), "pickle.wrong-format");
    // torch before 1.6: pickles in a row, then the bytes of the storages.
    EXPECT_EQ(rule(before + std::string(64, '\x3F')), "pickle.wrong-format");
    EXPECT_EQ(rule(before + kHostile + std::string(64, '\x3F')), "pickle.import.malicious");
}

TEST(Gate, judges_what_a_broken_pickle_did_before_it_broke) {
    const std::string call = "\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R";
    for (const std::string& end : {"\xff"s, ""s, "X\xff\xff\xff\x7f"s}) { // opcode, STOP, short
        EXPECT_EQ(scan(call + end).label, Label::Malicious);
        EXPECT_EQ(rule(call + end), "pickle.import.malicious");
    }
    const std::string dict = "\x80\x04}\x8c\x01xK\x01s\x8c\x01yK\x02s";
    for (const std::string& end : {"\xff"s, ""s, "X\xff\xff\xff\x7f"s}) {
        EXPECT_EQ(scan(dict + end).label, Label::Malformed);
        EXPECT_EQ(rule(dict + end), "pickle.malformed");
    }
}

TEST(Gate, does_not_call_scary_strings_malware) {
    for (const char* words : {"os.system", "eval(compile('1','','exec'))", "cos\nsystem\n(tR."}) {
        const std::string text = words;
        const std::string bytes = "\x80\x02}X" + test::u32(text.size()) + text + "Ns.";
        EXPECT_EQ(scan(bytes).label, Label::WrongFormat) << words;
    }
}

TEST(Gate, calls_a_pickle_with_a_computed_import_malicious) {
    EXPECT_EQ(rule("\x80\x04P1\nVsystem\n\x93)R."), "pickle.import.unknown");
    EXPECT_EQ(rule("\x80\x02"
                   "ctorch.nn.parameter\nParameter\n}b."),
              "pickle.build.malicious");
    EXPECT_EQ(rule("\x80\x02" + std::string(3'000'000, '(')), "pickle.budget");
}

TEST(Gate, finds_an_import_in_text_that_goes_on_as_prose) {
    EXPECT_EQ(rule("cthis\ns\n.\nplain words\n", "notes.txt"), "pickle.import.malicious");
    EXPECT_EQ(rule("cantigravity\nfly\n.\nplain words\n", "notes.txt"), "pickle.import.malicious");
    EXPECT_EQ(rule("GIF89a\1\0\1cantigravity\nfly\n.\0\0"s, "a.gif"), "pickle.import.malicious");
    for (const char* prose : {"cat\ndog\n.\nbird\n", "Vocabulary\n.", "N.", "S'hi'\n.", "I5\n."}) {
        EXPECT_EQ(rule(prose, "words.txt"), "content.inert") << prose;
    }
    EXPECT_EQ(rule("(lp0\nI1\na.", "list.txt"), "pickle.wrong-format");
}

TEST(Gate, calls_no_file_text_that_holds_control_characters) {
    for (char control = 1; control < 0x20; ++control) {
        const bool layout = std::string_view("\t\n\f\r\x1B").find(control) != std::string::npos;
        EXPECT_EQ(rule("words" + std::string(1, control) + "and words\n", "notes.txt"),
                  layout ? "content.inert" : "content.unknown")
            << int{control};
    }
    // Prose stays prose for the walk of pickles.
    EXPECT_EQ(rule("chapter\none\n\x0B and more\n", "notes.txt"), "content.unknown");
    EXPECT_EQ(rule("{\"\x7F\":1}", "vocab.json"), "content.inert");
}

// --- archives --------------------------------------------------------------------------------

TEST(Gate, looks_into_every_packing) {
    const std::string tar = TarBuilder{{{.name = "m.bin", .data = kHostile}}}.build();
    EXPECT_EQ(rule(deflate_text(kHostile, 31), "m.gz"), "pickle.import.malicious");
    EXPECT_EQ(rule(deflate_text(kHostile, 15), "m.pkl.z"), "pickle.import.malicious");
    EXPECT_EQ(rule(fixture("archive/refused/pickle.pkl.bz2")), "pickle.import.malicious");
    EXPECT_EQ(rule(fixture("archive/refused/pickle.pkl.xz")), "pickle.import.malicious");
    EXPECT_EQ(rule(fixture("archive/refused/pickle.pkl.lzma")), "pickle.import.malicious");
    EXPECT_EQ(rule(fixture("archive/refused/pickle.pkl.zst")), "pickle.import.malicious");
    EXPECT_EQ(rule(tar), "pickle.import.malicious");
    EXPECT_EQ(rule(deflate_text(tar, 31)), "pickle.import.malicious");
    EXPECT_EQ(rule(deflate_text(deflate_text(tar, 15), 31)), "pickle.import.malicious");
    EXPECT_EQ(scan(deflate_text(tar, 31)).member, "m.bin");
    // Two streams of gzip in a row are one file.
    EXPECT_EQ(rule(deflate_text(kHostile.substr(0, 9), 31) + deflate_text(kHostile.substr(9), 31)),
              "pickle.import.malicious");
    EXPECT_EQ(rule(deflate_text("only words\n", 31), "words.txt.gz"), "archive.members");
    EXPECT_EQ(rule(deflate_text("only words, packed by zlib\n", 15), "w.z"), "archive.members");
}

TEST(Gate, sees_packed_bytes_that_look_like_something_else) {
    // A stored block of zlib: its length, a byte pair and its complement, are letters in UTF-8.
    const std::string head = "x^A\x50\xC5\xAF\x3A";
    const std::string inside = kHostile + std::string(0xC550 - kHostile.size(), 'x');
    for (const char* name : {"a.txt", "a.json", "a.joblib"}) {
        EXPECT_EQ(rule(head + inside + "abcd", name), "pickle.import.malicious") << name;
        EXPECT_EQ(rule(head + inside, name), "pickle.import.malicious") << name;
        EXPECT_EQ(rule(head + kHostile, name), "pickle.import.malicious") << name;
    }
    for (const char* prose :
         {"x^2 + 1 is a polynomial\n", "(See the notes below.)\n", "hC\n", "8O\n"}) {
        EXPECT_EQ(rule(prose, "notes.txt"), "content.inert") << prose;
    }
    // Empty blocks first, more of them than the first 4 KiB hold.
    std::string blocks;
    for (int i = 0; i < 2'000; ++i) {
        blocks += "\0\0\0\xFF\xFF"s;
    }
    EXPECT_EQ(rule("x\x9C" + blocks + deflate_text(kHostile, 15).substr(2), "m.bin"),
              "pickle.import.malicious");
    // LZMA_Alone of other properties (lc 0, lp 0, pb 2), and a dictionary of 5,000 bytes.
    std::string lzma;
    for (const int byte :
         {90,  0,   24,  0,   0,  255, 255, 255, 255, 255, 255, 255, 255, 0,  49, 156,
          134, 140, 5,   25,  74, 246, 145, 236, 217, 124, 218, 47,  27,  90, 58, 16,
          79,  162, 164, 161, 8,  190, 51,  78,  58,  215, 255, 255, 144, 18, 0,  0}) {
        lzma += static_cast<char>(byte);
    }
    EXPECT_EQ(rule(lzma, "m.bin"), "pickle.import.malicious");
    EXPECT_EQ(
        rule(std::string("\1\0\0\0\2\0\0\0\0\0\0\0\0\0", 14) + std::string(50, '\0'), "t.bin"),
        "content.unknown");
}

TEST(Gate, judges_what_comes_before_the_damage_of_an_archive) {
    std::string noise(100'000, '\0');
    std::mt19937_64 random(1);
    for (char& c : noise) {
        c = static_cast<char>(random());
    }
    for (const int bits : {15, 31}) {
        const std::string packed = deflate_text(kHostile + noise, bits);
        EXPECT_EQ(rule(packed.substr(0, packed.size() - 50)), "pickle.import.malicious") << bits;
        const std::string words = deflate_text("words\n" + noise, bits);
        EXPECT_EQ(rule(words.substr(0, words.size() - 50)), "archive.damaged") << bits;
        EXPECT_EQ(rule(words + "x"), "archive.trailing") << bits;
        EXPECT_EQ(rule(deflate_text("plain words for a file\n", bits) + std::string(512, '\0')),
                  "archive.members")
            << bits;
    }
    for (const char* name :
         {"pickle.pkl.bz2", "pickle.pkl.xz", "pickle.pkl.lzma", "pickle.pkl.zst"}) {
        const std::string packed = fixture(fs::path("archive/refused") / name);
        EXPECT_EQ(scan(packed + "x").decision, Decision::Refuse) << name;
        EXPECT_EQ(scan(packed.substr(0, packed.size() - 3)).decision, Decision::Refuse) << name;
    }
    EXPECT_EQ(rule(fixture("archive/allowed/vocab.txt.gz") + kHostile), "archive.trailing");
}

TEST(Gate, refuses_archives_that_it_cannot_look_into) {
    for (const std::string& head : {"7z\xBC\xAF\x27\x1C"s,
                                    "Rar!\x1A\x07\x00"s,
                                    "\x04\x22\x4D\x18"s,
                                    "\x02\x21\x4C\x18"s,
                                    "\x5A\x2A\x4D\x18"s,
                                    "ZF0x1c"s,
                                    "LZIP\x01"s,
                                    "MSCF\0\0\0\0"s,
                                    "!<arch>\n"s,
                                    "070701\0"s,
                                    "070707\0"s,
                                    "\xC7\x71"s,
                                    "xar!\0"s,
                                    "\x60\xEA"s,
                                    "\x1F\x9D"s,
                                    "..-lh5-\0"s,
                                    "ZPAQ\0"s,
                                    "7kSt\0"s,
                                    "LRZI\0"s,
                                    "\x89LZO\0\r\n\x1A\n"s,
                                    "\xFF\x06\0\0sNaPpY"s,
                                    "hsqs\0"s,
                                    "\xED\xAB\xEE\xDB"s,
                                    "MSWIM\0\0\0"s,
                                    "vhdxfile"s,
                                    "conectix"s,
                                    "KDMV"s,
                                    "QFI\xFB"s}) {
        const Verdict verdict = scan(head + std::string(64, '\xEE'), "weights.bin");
        EXPECT_EQ(verdict.rule, "archive.kind") << head;
        EXPECT_EQ(verdict.label, Label::Opaque) << head;
    }
    // Disks: what is before the name may be anything.
    const std::string sectors(32769, '\xEE');
    for (const char* const name : {"CD001", "BEA01"}) {
        EXPECT_EQ(rule(sectors + name), "archive.kind") << name;
        EXPECT_EQ(rule("#!/bin/sh\n" + sectors.substr(10) + name + "\1"), "archive.kind") << name;
        EXPECT_EQ(rule(sectors + "\xEE" + name), "content.unknown") << name;
    }
    for (const char* const name : {"koly", "conectix"}) {
        EXPECT_EQ(rule(sectors + name + std::string(512 - std::string_view(name).size(), '\0')),
                  "archive.kind")
            << name;
    }
    ZipBuilder zip = zip_of({{"a.txt", "hello"}});
    zip.members[0].flags = 1;
    EXPECT_EQ(rule(zip.build()), "zip.encrypted");
    EXPECT_EQ(scan(zip.build()).label, Label::Opaque);
}

TEST(Gate, tells_the_worst_of_all_members) {
    const std::string onnx = fixture("wrong/model.onnx");
    EXPECT_EQ(rule(zip_of({{"a.onnx", onnx}, {"b.bin", kHostile}}).build()),
              "pickle.import.malicious");
    EXPECT_EQ(rule(zip_of({{"b.bin", kHostile}, {"a.onnx", onnx}}).build()),
              "pickle.import.malicious");
    EXPECT_EQ(rule(zip_of({{"a.onnx", onnx}, {"b.bin", kHarmless}}).build()),
              "pickle.wrong-format");
    EXPECT_EQ(rule(zip_of({{"a.py", "import os\n"}, {"b.onnx", onnx}}).build()), "format.onnx");
    EXPECT_EQ(scan(zip_of({{"a.py", "import os\n"}, {"b.txt", "x"}}).build()).decision,
              Decision::Flag);
    const std::string tar =
        TarBuilder{{{.name = "a.onnx", .data = onnx}, {.name = "b", .data = kHostile}}}.build();
    EXPECT_EQ(rule(tar), "pickle.import.malicious");
    EXPECT_EQ(scan(tar).member, "b");
}

TEST(Gate, compares_directory_and_local_headers_of_a_zip) {
    const auto broken = [](auto change) {
        ZipBuilder zip = zip_of({{"a.txt", "hello"}, {"b/c.txt", "world"}});
        change(zip);
        return rule(zip.build());
    };
    EXPECT_EQ(broken([](auto&) {}), "archive.members");
    EXPECT_EQ(broken([](auto& z) { z.members[0].add_crc = 1; }), "zip.crc");
    EXPECT_EQ(broken([](auto& z) { z.members[0].local_name = "z.txt"; }), "zip.local");
    EXPECT_EQ(broken([](auto& z) { z.members[1].gap = "between"; }), "zip.layout");
    EXPECT_EQ(broken([](auto& z) { z.members[1].name = "a.txt"; }), "zip.duplicate");
    EXPECT_EQ(broken([](auto& z) { z.members[0].flags = 0x40; }), "zip.encrypted");
    EXPECT_EQ(rule("PK\x03\x04" + zip_of({{"a", "b"}}).build()), "zip.prefix");
    // The sum is wrong, the content worse.
    ZipBuilder hostile = zip_of({{"archive/data.pkl", kHostile}});
    hostile.members[0].add_crc = 1;
    EXPECT_EQ(rule(hostile.build()), "pickle.import.malicious");
    // A second name: Info-ZIP's Unicode path.
    const auto second = [&](const std::string& name) {
        return broken([&](auto& z) {
            const std::string body = "\1" + test::u32(0) + name;
            z.members[0].extra =
                "\x75\x70" + test::le(static_cast<std::uint16_t>(body.size())) + body;
        });
    };
    EXPECT_EQ(second("a.txt"), "archive.members");
    EXPECT_EQ(second("b.pkl"), "zip.unicode-name");
    EXPECT_EQ(broken([](auto& z) { z.members[0].unpacked = "hell"; }), "zip.size");
    std::string disks = zip_of({{"a.txt", "hello"}}).build();
    EXPECT_EQ(rule(disks.substr(0, disks.size() - 10)), "zip.truncated");
    disks[disks.size() - 18] = 1;
    EXPECT_EQ(rule(disks), "zip.disks");
    // Two ends: the comment of the first archive holds the end of another one.
    ZipBuilder two = zip_of({{"a.txt", "hello"}});
    two.comment = zip_of({}).build();
    EXPECT_EQ(rule(two.build()), "zip.end");
    // Links and set-id bits.
    EXPECT_EQ(broken([](auto& z) { z.members[0].mode = 0100644; }), "archive.members");
    EXPECT_EQ(broken([](auto& z) { z.members[0].mode = 0120777; }), "zip.type");
    EXPECT_EQ(broken([](auto& z) { z.members[0].mode = 0104755; }), "zip.type");
    EXPECT_EQ(broken([](auto& z) { z.members[0].mode = 0020644; }), "zip.type");
}

TEST(Gate, keeps_within_each_limit) {
    // Ratio 200:1, counted from the first MiB on.
    const auto bomb = [](std::size_t zeros, std::size_t noise) {
        std::string text(zeros, '\0');
        std::mt19937_64 random(7);
        for (std::size_t i = 0; i < noise; ++i) {
            text += static_cast<char>(random());
        }
        return text;
    };
    const std::string below = bomb(4U << 20U, 30'000); // about 140:1
    const std::string above = bomb(4U << 20U, 1'000);  // about 700:1
    EXPECT_NE(rule(deflate_text(below, 31)), "scan.ratio");
    EXPECT_EQ(rule(deflate_text(above, 31)), "scan.ratio");
    const auto packed = [](const std::string& text) {
        ZipBuilder zip;
        zip.members.push_back(
            {.name = "z", .data = deflate_text(text, -15), .method = 8, .unpacked = text});
        return zip.build();
    };
    EXPECT_NE(rule(packed(below)), "scan.ratio");
    EXPECT_EQ(rule(packed(above)), "scan.ratio");
    EXPECT_EQ(scan(packed(above)).label, Label::OverBudget);

    // Unpacked bytes, memory, members, levels: one at the limit, one above.
    const std::string text(100'000, 'a');
    const std::string one = deflate_text(text, 31);
    EXPECT_EQ(rule(one, "a.txt.gz", {.unpacked_bytes = 100'000}), "archive.members");
    EXPECT_EQ(rule(one, "a.txt.gz", {.unpacked_bytes = 99'999}), "scan.unpacked");
    EXPECT_EQ(rule(one, "a.txt.gz", {.memory_bytes = 100'000}), "archive.members");
    EXPECT_EQ(rule(one, "a.txt.gz", {.memory_bytes = 99'999}), "scan.memory");
    EXPECT_EQ(rule(packed(text), "a.zip", {.unpacked_bytes = 99'999}), "scan.unpacked");
    EXPECT_EQ(rule(packed(text), "a.zip", {.memory_bytes = 99'999}), "scan.memory");
    TarBuilder tar;
    for (int i = 0; i < 40; ++i) {
        tar.members.push_back({.name = std::to_string(i), .data = "x"});
    }
    EXPECT_EQ(rule(tar.build(), "a.tar", {.members = 40}), "archive.members");
    EXPECT_EQ(rule(tar.build(), "a.tar", {.members = 39}), "scan.members");
    const std::string nested = zip_of({{"a", zip_of({{"b", "x"}, {"c", "y"}}).build()}}).build();
    EXPECT_EQ(rule(nested, "a.zip", {.members = 3}), "archive.members");
    EXPECT_EQ(rule(nested, "a.zip", {.members = 2}), "scan.members");
    EXPECT_EQ(rule(nested, "a.zip", {.levels = 2}), "archive.members");
    EXPECT_EQ(rule(nested, "a.zip", {.levels = 1}), "scan.levels");
    EXPECT_EQ(rule(nested, "a.zip", {.time = std::chrono::milliseconds(-1)}), "scan.time");
    // Depth costs us nothing, but others read JSON by recursion.
    EXPECT_EQ(rule(std::string(512, '[') + std::string(512, ']'), "a.json"), "content.inert");
    EXPECT_EQ(rule(std::string(513, '[') + std::string(513, ']'), "a.JSON"), "json.depth");
    EXPECT_EQ(rule(std::string(1'000'000, '['), "config.json"), "json.depth");
    EXPECT_EQ(
        rule("[\"" + std::string(600, '[') + "\\\"" + std::string(600, '{') + "\"]", "a.json"),
        "content.inert");
    EXPECT_EQ(rule(std::string(1'000'000, '['), "art.txt"), "content.inert");
}

TEST(Gate, reads_tar_archives_strictly) {
    const auto broken = [](auto change) {
        TarBuilder tar{{{.name = "a/b.txt", .data = "hello"}, {.name = "c.txt", .data = "x"}}};
        change(tar);
        return rule(tar.build());
    };
    EXPECT_EQ(broken([](auto&) {}), "archive.members");
    for (const char type : {'1', '2', '3', '4', '6', 'K', 'S', 'V'}) {
        EXPECT_EQ(broken([&](auto& t) { t.members[0].type = type; }), "tar.type") << type;
    }
    EXPECT_EQ(broken([](auto& t) { t.members[0].mode = 04755; }), "tar.mode");
    EXPECT_EQ(broken([](auto& t) { t.members[0].name = "../x"; }), "tar.name");
    EXPECT_EQ(broken([](auto& t) { t.members[1].name = "a/b.txt"; }), "tar.duplicate");
    EXPECT_EQ(broken([](auto& t) { t.members[1].name = "A/B.txt"; }), "tar.names");
    EXPECT_EQ(broken([](auto& t) { t.members[1].name = "a/b.txt/c"; }), "tar.names");
    EXPECT_EQ(broken([](auto& t) { t.members[1].name = "a"; }), "tar.names");
    EXPECT_EQ(broken([](auto& t) { t.members[0].type = '5'; }), "tar.size");
    EXPECT_EQ(broken([](auto& t) { t.members[1] = {.name = "x", .data = "junk", .type = 'x'}; }),
              "tar.extended");
    const std::string good = TarBuilder{{{.name = "a", .data = "x"}}}.build();
    EXPECT_EQ(rule(good + "x"), "tar.trailing");
    EXPECT_EQ(rule(good.substr(0, 700)), "tar.truncated");
    std::string two = good.substr(0, 1024) + good;
    two[1024] ^= 1;
    EXPECT_EQ(rule(two), "tar.header");
    // Folders may stand beside what is in them.
    EXPECT_EQ(rule(TarBuilder{{{.name = "./", .type = '5'},
                               {.name = "./a/", .type = '5'},
                               {.name = "./a/b", .data = "x"}}}
                       .build()),
              "archive.members");
}

TEST(Gate, refuses_hostile_names_in_archives) {
    const auto zip = [](const std::string& name) {
        return rule(zip_of({{name, "x"}, {"readme", "y"}}).build());
    };
    const auto tar = [](const std::string& name) {
        return rule(TarBuilder{{{.name = name, .data = "x"}}}.build());
    };
    EXPECT_EQ(zip("a b/c-d.txt"), "archive.members");
    EXPECT_EQ(tar("caf\xC3\xA9"), "archive.members");
    for (const std::string& name : {"../a"s,
                                    "/a"s,
                                    "a/../b"s,
                                    "a//b"s,
                                    "a\\b"s,
                                    "c:a"s,
                                    ".git/config"s,
                                    "x/.GIT/y"s,
                                    "GIT~1/x"s,
                                    ".locara/x"s,
                                    "-a"s,
                                    "a."s,
                                    "a "s,
                                    "nul"s,
                                    "com1.txt"s,
                                    "a\x01"
                                    "b"s,
                                    "e\xCC\x81"s,
                                    "a\xE2\x80\xAE"
                                    "b"s,
                                    "a\xE2\x80\x8B"
                                    "b"s,
                                    "\xFF"s}) {
        EXPECT_EQ(zip(name), "zip.name") << name;
        EXPECT_EQ(tar(name), "tar.name") << name;
    }
    EXPECT_EQ(zip("README"), "zip.names");
    EXPECT_EQ(zip("readme/x"), "zip.names");
    EXPECT_EQ(scan(zip_of({{"../../x", "y"}}).build()).label, Label::BadName);
}

// --- formats that are not loaded -------------------------------------------------------------

TEST(Gate, refuses_numpy_objects_wherever_they_hide) {
    const std::string object = fixture("wrong/object.npy");
    EXPECT_EQ(rule(object), "numpy.object");
    EXPECT_EQ(rule(fixture("wrong/record-object.npy")), "numpy.object");
    EXPECT_EQ(rule(fixture("wrong/expression.npy")), "numpy.header");
    EXPECT_EQ(rule(fixture("wrong/short.npy")), "numpy.size");
    EXPECT_EQ(rule(fixture("benign/array.npy")), "numpy.valid");
    const auto array = [](const std::string& header, std::size_t bytes) {
        return rule("\x93NUMPY\1\0"s + test::le(static_cast<std::uint16_t>(header.size())) +
                    header + std::string(bytes, '\1'));
    };
    EXPECT_EQ(array("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24),
              "numpy.valid");
    EXPECT_EQ(array("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 25),
              "numpy.size");
    EXPECT_EQ(
        array("{'descr': [('a', '<i4'), ('b', '<f8')], 'fortran_order': False, 'shape': (1,)}", 12),
        "numpy.record");
    EXPECT_EQ(array("{'descr': [('a', [('b', '|O')])], 'fortran_order': False, 'shape': (1,)}", 8),
              "numpy.object");
    for (const char* fields : {"('b', '(2,)O')",
                               "('b', 'i4,O')",
                               "('b', 'OBJECT')",
                               "('b', 'object_')",
                               "('b', ('<i4', {'x': ('O', 0)}))",
                               "('b', '<i4', (2,)), ('c', [('d', 'object')])"}) {
        EXPECT_EQ(array("{'descr': ["s + fields + "], 'fortran_order': False, 'shape': (1,)}", 8),
                  "numpy.object")
            << fields;
    }
    EXPECT_EQ(array("{'descr': [(('title', 'a'), '<f4', (2, 2)), ('t', '<M8[ns]'), ('', '|V4'), "
                    "('r', [('x', '|S3')], (3,))], 'fortran_order': False, 'shape': (1,)}",
                    37),
              "numpy.record");
    EXPECT_EQ(
        array("{'descr': __import__('os').system('id'), 'fortran_order': False, 'shape': ()}", 0),
        "numpy.header");
    const Verdict npz =
        scan(zip_of({{"a.npy", fixture("benign/array.npy")}, {"b.npy", object}}).build(), "x.npz");
    EXPECT_EQ(npz.rule, "numpy.object");
    EXPECT_EQ(npz.label, Label::Malicious);
    EXPECT_EQ(npz.member, "b.npy");
    EXPECT_EQ(rule(zip_of({{"a.npy", fixture("benign/array.npy")}}).build()), "zip.npz");
}

TEST(Gate, tells_keras_code_from_keras) {
    const auto keras = [](const std::string& config) {
        return zip_of({{"metadata.json", "{}"}, {"config.json", config}}).build();
    };
    EXPECT_EQ(rule(keras(R"({"module":"keras.layers","class_name":"Dense"})")), "format.keras");
    EXPECT_EQ(rule(keras(R"({"module":"keras.src.models.functional","class_name":"Functional",
        "config":{"activation":{"module":"builtins","class_name":"function","config":"relu"}}})")),
              "format.keras");
    EXPECT_EQ(rule(keras(R"({"class_name":"Lambda"})")), "keras.lambda");
    EXPECT_EQ(rule(keras(R"({"class_name":"\u004cambda"})")), "keras.lambda"); // unescaped first
    EXPECT_EQ(rule(keras(R"({"class\u005fname" : "__lambda__"})")), "keras.lambda");
    for (const char* reference :
         {R"({"module":"os","class_name":"function","config":"system"})",
          R"({"module":"subprocess","class_name":"Popen"})",
          R"({"module":"builtins","class_name":"function","config":"eval"})",
          R"({"config":"exec","class_name":"function","module":"builtins"})",
          R"({"module":"keras.utils","class_name":"function","config":"get_file"})",
          R"({"module":"keras.src.utils.file_utils","class_name":"function","config":"get_file"})",
          R"({"module":"kerasx","class_name":"X"})"}) {
        const Verdict verdict =
            scan(keras(R"({"class_name":"Sequential","config":)"s + reference + "}"));
        EXPECT_EQ(verdict.rule, "keras.module") << reference;
        EXPECT_EQ(verdict.label, Label::Malicious) << reference;
        EXPECT_EQ(verdict.member, "config.json");
    }
    // The configuration alone, and one that cannot be looked through.
    const std::string lambda =
        R"({"class_name":"Functional","config":{"layers":[{"class_name":"Lambda"}]}})";
    const auto alone = [](const std::string& config) {
        return rule(zip_of({{"config.json", config}}).build(), "m.keras");
    };
    EXPECT_EQ(alone(lambda), "keras.lambda");
    EXPECT_EQ(alone(lambda + std::string(17U << 20U, ' ')), "keras.lambda");
    EXPECT_EQ(alone(lambda + std::string(33U << 20U, ' ')), "format.keras");
    EXPECT_EQ(alone("\xFF\xFE{\0\"\0}\0"s), "format.keras");
    EXPECT_EQ(alone(R"({"hidden_size":64,"class_name":"x"})"), "archive.members");
    const std::string hdf5 = "\x89HDF\r\n\x1A\n" + std::string(100, '\0');
    EXPECT_EQ(rule(hdf5 + R"({"class_name": "Dense"})"), "format.hdf5");
    EXPECT_EQ(rule(hdf5 + R"({"class_name": "Lambda", "config": {}})"), "keras.lambda");
    EXPECT_EQ(rule(std::string(4096, '\xEE') + hdf5), "format.hdf5"); // behind a user block
}

TEST(Gate, tells_skops_code_from_skops) {
    const auto skops = [](const std::string& schema) {
        return rule(zip_of({{"schema.json", schema}}).build(), "m.skops");
    };
    EXPECT_EQ(skops(R"({"__module__":"sklearn.linear_model","__class__":"Ridge"})"),
              "format.skops");
    EXPECT_EQ(skops(R"({"__module__":"builtins","__class__":"dict"})"), "format.skops");
    EXPECT_EQ(skops(R"({"__module__":"os","__class__":"system"})"), "skops.module");
    EXPECT_EQ(skops(R"({"__module__":"builtins","__class__":"eval"})"), "skops.module");
    EXPECT_EQ(
        skops(R"({"__module__":"sklearn.x","c":{"module_path":"posix","function":"system"}})"),
        "skops.module");
    const std::string os = R"({"__module__":"os","__class__":"x"})";
    EXPECT_EQ(skops(os + std::string(17U << 20U, ' ')), "skops.module");
    EXPECT_EQ(skops(os + std::string(33U << 20U, ' ')), "format.skops");
}

TEST(Gate, refuses_onnx_and_names_paths_that_lead_outside) {
    const std::string model = fixture("wrong/model.onnx");
    const auto part = [](char tag, const std::string& bytes) {
        return std::string(1, tag) + static_cast<char>(bytes.size()) + bytes;
    };
    const std::string version = "\x08\x08";
    const auto graph = [&](const std::string& entry) { // 5 initializer, 13 external_data
        return part('\x3A', part('\x2A', "\x08\x01" + part('\x6A', entry)) + part('\x12', "g"));
    };
    const auto external = [&](const std::string& path) {
        return rule(version + graph(part('\x0A', "location") + part('\x12', path)));
    };
    // Fields in any order, unknown ones among them, whatever the first one is.
    const std::string outside = part('\x12', "../../x") + part('\x0A', "location");
    const std::string producer = part('\x12', "pytorch");
    const std::string opset = part('\x42', "\x10\x0D");
    for (const std::string& bytes : {producer + version + graph(outside) + opset,
                                     graph(outside) + opset + version,
                                     graph(outside),
                                     "\x08\x28" + graph(outside),
                                     "\x08\x88\0"s + graph(outside),
                                     version + graph(outside) +
                                         "\xF2\x01\x01"
                                         "a"}) {
        EXPECT_EQ(rule(bytes, "model"), "onnx.external-path");
        EXPECT_EQ(rule(bytes, "model.txt"), "onnx.external-path");
    }
    EXPECT_EQ(rule(part('\x12', part('\x12', "")) + "\x08\x01"), "format.savedmodel");
    EXPECT_EQ(rule(":\n0123456789", "notes.txt"), "content.inert");
    EXPECT_EQ(rule(model), "format.onnx");
    EXPECT_EQ(external("model.onnx_data"), "format.onnx");
    EXPECT_EQ(external("./weights/a.bin"), "format.onnx");
    EXPECT_EQ(external("../../etc/passwd"), "onnx.external-path");
    EXPECT_EQ(external("/etc/passwd"), "onnx.external-path");
    EXPECT_EQ(external("C:\\x"), "onnx.external-path");
}

TEST(Gate, refuses_every_other_format_of_weights) {
    const std::map<std::string, std::string> expected = {
        {"wrong/model.h5", "format.hdf5"},
        {"wrong/saved_model.pb", "format.savedmodel"},
        {"wrong/model.tflite", "format.tflite"},
        {"wrong/old.bin", "format.ggml"},
        {"wrong/ggjt.bin", "format.ggml"},
        {"archive/refused/torchscript.pt", "format.torchscript"},
        {"archive/refused/torch.zip.pt", "pickle.wrong-format"},
    };
    for (const auto& [path, wanted] : expected) {
        const Verdict verdict = scan(fixture(path), "model.bin");
        EXPECT_EQ(verdict.rule, wanted) << path;
        EXPECT_EQ(verdict.label, Label::WrongFormat) << path;
    }
}

TEST(Gate, takes_more_fields_than_it_looks_at_for_a_model) {
    std::string fields; // field 1, a number; over and over
    for (int i = 0; i < 10'000'001; ++i) {
        fields += "\b\b";
    }
    EXPECT_EQ(rule(fields), "format.onnx");
}

TEST(Gate, refuses_programs_and_flags_what_names_code) {
    const std::map<std::string, std::string> programs = {
        {"\x7F"
         "ELF\2\1\1",
         "executable.elf"},
        {"\xCF\xFA\xED\xFE", "executable.mach-o"},
        {"\xCA\xFE\xBA\xBE\0\0\0\x34"s, "executable.java-class"},
        {"L\0\0\0\x01\x14\x02\0"s, "executable.program"},
        {"dex\n035\0"s, "executable.program"},
        {"BC\xC0\xDE", "executable.program"},
        {"\x1BLua", "executable.program"},
        {"\xA7\x0D\r\n\0\0\0\0"s, "executable.python-bytecode"},
    };
    for (const auto& [head, wanted] : programs) {
        for (const char* name : {"model.bin", "helper.so", "m.pyc", "x"}) {
            const Verdict verdict = scan(head + std::string(64, '\0'), name);
            EXPECT_EQ(verdict.rule, wanted) << name;
            EXPECT_EQ(verdict.label, Label::Executable) << name;
        }
    }
    EXPECT_EQ(rule(fixture("wrong/program.exe")), "executable.pe");
    std::string dos = "MZ\x10\0\1\0\0\0\4\0"s + std::string(600, '\0');
    EXPECT_EQ(rule(dos), "executable.pe");
    EXPECT_EQ(rule("#!/bin/sh\necho\n", "model.bin"), "executable.script");
    EXPECT_EQ(rule("#!/bin/sh\necho\n", "run"), "code.script");
    for (const char* name :
         {"m.py",  "M.PY",  "a.ipynb", "a.sh",  "a.bat", "a.ps1",  "a.vbs", "a.pth",
          "a.pl",  "a.rb",  "a.php",   "a.lua", "a.zsh", "a.psm1", "a.jse", "a.wsh",
          "a.url", "a.pyi", "a.pyo",   "a.so",  "a.exe", "a.dll"}) {
        EXPECT_EQ(rule("x = 1\n", name), "name.code") << name;
    }
    EXPECT_EQ(rule("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" + std::string(64, '\0'), "a.doc"),
              "document.office");
    EXPECT_EQ(rule("%PDF-1.7\n%\xE2\xE3\n", "a.pdf"), "document.pdf");
}

TEST(Gate, flags_configurations_that_name_code) {
    const std::string remote = "json.remote-code";
    EXPECT_EQ(rule(R"({"auto_map":{"AutoModel":"m.M"}})", "config.json"), remote);
    EXPECT_EQ(rule(R"({"auto\u005fmap":{"AutoModel":"m.M"}})", "config.json"), remote);
    EXPECT_EQ(rule(R"({"a":{"auto_map" : "x--m.M"}})", "tokenizer_config.json"), remote);
    EXPECT_EQ(rule(R"({"auto_map":["a"]} // NaN)", "x.json"), remote);
    EXPECT_EQ(rule(std::string(500, '[') + R"({"auto_map":{}})", "config.json"), remote);
    EXPECT_EQ(rule(R"({"custom_pipelines":{"p":{"impl":"a.B"}}})", "config.json"), remote);
    EXPECT_EQ(rule(R"({"_class_name":["pipeline","P"]})", "model_index.json"), remote);
    EXPECT_EQ(rule(R"({"unet":["my_module","Foo"]})", "model_index.json"), remote);
    EXPECT_EQ(rule(R"({"unet":[ "diffusers","UNet"],"x":[null,null],"t":["transformers","T"],
        "s":["stable_diffusion","StableDiffusionSafetyChecker"]})",
                   "model_index.json"),
              "content.inert");
    EXPECT_EQ(rule(R"([{"type":"custom.T"}])", "modules.json"), remote);
    EXPECT_EQ(rule(R"([{"type":"custom.T"}])", "Modules.JSON"), remote);
    EXPECT_EQ(rule(R"([{"type":"sentence_transformers.models.Transformer"}])", "modules.json"),
              "content.inert");
    EXPECT_EQ(rule(R"([{"type":"module"}])", "modules.json"), "content.inert");
    EXPECT_EQ(rule(R"({"auto_map":17,"_class_name":1})", "vocab.json"), "content.inert");
    EXPECT_EQ(rule(R"({"text":"the \"auto_map\": {} of a config"})", "config.json"),
              "content.inert");
    EXPECT_EQ(rule("{" + std::string(9U << 20U, ' ') + "}", "config.json"), remote);
    EXPECT_EQ(rule("{" + std::string(9U << 20U, ' ') + "}", "vocab.json"), "content.inert");
}

TEST(Gate, flags_yaml_that_names_code) {
    for (const char* hostile : {"model: !!python/object/apply:os.system [\"id\"]",
                                "a: 1\r\nb: !!python/name:os.system",
                                "[!!python/tuple [1]]",
                                "- !<tag:yaml.org,2002:python/object/apply:os.system> [id]",
                                "%TAG !p! tag:yaml.org,2002:python/\n---\na: !p!name:os.system",
                                "a: !!%70ython/name:os.system",
                                "a: !!unknown x",
                                "model:\n  _target_: os.system\n  command: id",
                                "- _target_: a.B",
                                "{_target_: a.B}",
                                "{\"_target_\" : a.B}"}) {
        EXPECT_EQ(rule(hostile, "model_config.yaml"), "yaml.remote-code") << hostile;
        EXPECT_EQ(rule(hostile, "Config.YML"), "yaml.remote-code") << hostile;
    }
    for (const char* plain : {"a: !!str 1\nb: !!int \"2\"\nc: !local x",
                              "text: wow!! python/paths _target_ is a word",
                              "# a: !!python/name:os.system\nb: 1 # _target_: a.B",
                              "train:\n  lr: 1e-4\n  targets: [a, b]",
                              "my_target_: x"}) {
        EXPECT_EQ(rule(plain, "model_config.yaml"), "content.inert") << plain;
    }
    EXPECT_EQ(rule("in PyYAML `!!python/object` builds objects", "README.md"), "content.inert");
    EXPECT_EQ(rule(std::string(9U << 20U, ' '), "config.yaml"), "yaml.remote-code");
    EXPECT_EQ(rule(R"({"_target_":"os.system","command":"id"})", "model_config.json"),
              "json.remote-code");
    EXPECT_EQ(rule(R"({"custom_generate":"me/there"})", "generation_config.json"),
              "json.remote-code");
}

TEST(Gate, judges_notebooks_by_what_they_are) {
    const std::string cell = R"({"cell_type":"code","source":["import os"],"outputs":[]})";
    for (const std::string& notebook :
         {R"({"cells":[)" + cell + R"(],"metadata":{},"nbformat":4,"nbformat_minor":5})",
          R"({"nbformat":4,"cells":[]})"s}) {
        for (const char* name : {"notes.txt", "a.json", "README", "a.ipynb"}) {
            EXPECT_EQ(rule(notebook, name), "json.notebook") << name;
        }
    }
    EXPECT_EQ(rule(R"({"nbformat":4})", "a.json"), "content.inert");
    EXPECT_EQ(rule(R"({"cells":[1,2]})", "a.json"), "content.inert");
    EXPECT_EQ(rule(R"({"nbformat":4,"x":{"cells":[]}})", "a.json"), "content.inert");
}

TEST(Gate, flags_what_runs_in_an_svg_however_it_is_written) {
    const std::string script = "<script>alert(1)</script>";
    const std::string open = R"(<svg xmlns="http://www.w3.org/2000/svg">)";
    for (const std::string& svg :
         {R"(<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:script>1</s:script></s:svg>)"s,
          "<!-- " + std::string(5'000, 'x') + " -->" + open + script + "</svg>",
          "<?foo?>" + open + script + "</svg>",
          "<!doctype svg>" + open + script + "</svg>",
          R"x(<!DOCTYPE  svg [<!ELEMENT a ANY>]><svg onload="alert(1)"/>)x"s,
          open + R"x(<a href="java&#115;cript:alert(1)"/></svg>)x",
          open + R"x(<a href="java&#x73;cript&colon;alert(1)"/></svg>)x",
          open + R"x(<a href="java&#10;script:alert(1)"/></svg>)x",
          open + R"(<x:iframe srcdoc="&lt;script>1&lt;/script>"/></svg>)"}) {
        EXPECT_EQ(rule(svg, "a"), "svg.script") << svg;
        EXPECT_EQ(rule(svg, "a.svg"), "svg.script") << svg;
    }
    EXPECT_EQ(rule("text <script>1</script>", "a.SVG"), "svg.script");
    EXPECT_EQ(rule(open + R"(<title>a &amp; b</title><path d="M0 0h9z"/></svg>)", "a.svg"),
              "content.inert");
    EXPECT_EQ(rule("<!-- " + std::string(5'000, 'x') + " --><p>text</p>", "a.md"), "content.inert");
}

TEST(Gate, refuses_two_formats_in_one_file) {
    const std::string zip = zip_of({{"a.txt", "hello"}}).build();
    for (const std::string& first : {test::clean_gguf().build(), test::clean_safetensors()}) {
        EXPECT_EQ(rule(first + zip), "polyglot.zip");
        EXPECT_EQ(scan(first + zip).label, Label::Polyglot);
        EXPECT_EQ(scan(first + "x").label, Label::Polyglot); // *.layout.trailing
    }
    // As inert data of a tensor the layout is right, and still other readers find it.
    const auto around = [](std::size_t at, const std::string& inside) {
        std::string tensor(2'048, '\0');
        std::string header = R"({"t":{"dtype":"U8","shape":[2048],"data_offsets":[0,2048]}})";
        tensor.replace(at - header.size() - 8, inside.size(), inside);
        return test::safetensors(header, tensor);
    };
    EXPECT_EQ(rule(around(513, "\x89HDF\r\n\x1A\n")), "safetensors.valid");
    EXPECT_EQ(rule(around(512, "\x89HDF\r\n\x1A\n")), "polyglot.hdf5");
    // Readers of tar take a sum of signed bytes as well.
    for (const bool as_signed : {false, true}) {
        std::string tar = around(300, "\xFF\xFE");
        tar.replace(148, 8, "        ");
        std::int64_t sum = 0;
        for (std::size_t i = 0; i < 512; ++i) {
            sum +=
                as_signed ? static_cast<signed char>(tar[i]) : static_cast<unsigned char>(tar[i]);
        }
        tar.replace(148, 8, TarBuilder::octal(static_cast<std::uint64_t>(sum), 6) + " ");
        EXPECT_EQ(rule(tar), "polyglot.tar") << as_signed;
    }
    // A member may lie so that the whole is a file of HDF5, too.
    const std::string inert = around(1'024 - 512, "\x89HDX\r\n\x1A\n");
    std::string archive = TarBuilder{{{.name = "a.safetensors", .data = inert}}}.build();
    EXPECT_EQ(rule(archive), "archive.members");
    archive[1'027] = 'F';
    EXPECT_EQ(rule(archive), "polyglot.hdf5");
    const std::string icon = fixture("benign/icon.png");
    EXPECT_EQ(rule(icon, "a.png"), "content.inert");
    EXPECT_EQ(rule(icon + "x", "a.png"), "media.trailing");
}

// --- secrets and the rest ----------------------------------------------------------------------

/// Put together here, so that no scanner of other people takes this file for a leak.
std::string joined(std::initializer_list<const char*> parts) {
    std::string out;
    for (const char* part : parts) {
        out += part;
    }
    return out;
}

TEST(Gate, flags_secrets_and_not_their_look_alikes) {
    // The example of "Behind GitHub's new authentication token formats"; its checksum is right.
    const std::string github = joined({"ghp", "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"});
    const std::vector<std::string> tokens = {
        github,
        joined({"npm", "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"}),
        joined({"hf", "_qTzKXmWbRvLpYdNcGhJfSwEuAoBiQxVrMk"}),
        joined({"AK", "IAQ3EGWZ7TNPXL4KBV"}),
        joined({"AI", "zaSyB7qPz0Xw3LrTnVk9MdHcYfGjU5EoIa2xZ"}),
        joined({"xo", "xb-2048761935-7391046528-kQwZrTnVbXcLpMdHsYe4W"}),
        joined({"sk", "_live_9fKq2ZrXw7TbNvLc4MdHyPgJ"}),
        joined({"sk", "-proj-Qz7Xw3LrTnVk9MdHcYf", "T3BlbkFJ", "GjU5EoIa2Bq8PzXw1Nr"}),
        joined({"hf", "_9c1f3b7e5d0a8264c7e1935bd02f84a6137cbe59"}),
        joined({"gl", "pat-Zr7Xw3LqTnVk9MdHcYfG"}),
        joined({"gl", "pat-Zr7Xw3LqTnVk9MdHcYfGbW2sQeR", ".01.1a09x4k2p"}),
        joined({"github",
                "_pat_11AQ7XW3L0rTnVk9MdHcYf_",
                "GjU5EoIa2Bq8PzXw1NrZk4TbVc6LdHyPs0WqXmJvRfKgT9uEoNi3BaQzY7w"}),
    };
    for (const std::string& token : tokens) {
        for (const std::string& text : {token,
                                        "TOKEN=" + token + "\n",
                                        "{\"token\":\"" + token + "\"}",
                                        "https://user:" + token + "@example.org/x.git"}) {
            EXPECT_EQ(rule(text, "notes.txt"), "secret.token") << text;
            EXPECT_EQ(scan(text, "notes.txt").decision, Decision::Flag);
        }
        EXPECT_EQ(rule("x" + token, "notes.txt"), "content.inert") << token; // inside a word
        EXPECT_EQ(rule(token + "Z9q", "notes.txt"),
                  token.starts_with("sk") || token.starts_with("xo") ||
                          token.find('.') != std::string::npos
                      ? "secret.token"
                      : "content.inert")
            << token;
    }
    // In the header of weights: the value of a key of GGUF, and of metadata of safetensors.
    test::GgufBuilder gguf = test::clean_gguf();
    gguf.pairs.push_back(test::text_pair("general.description", tokens[2]));
    gguf.pairs.push_back(test::text_pair(std::string(65, 'a'), "x")); // its length is a letter
    EXPECT_EQ(rule(gguf.build(), "m.gguf"), "secret.token");
    const std::string header = R"({"__metadata__":{"k":")" + tokens[2] + R"("}})";
    EXPECT_EQ(rule(test::safetensors(header, ""), "m.safetensors"), "secret.token");
    // Four of a letter in a row are chance.
    EXPECT_EQ(rule(joined({"AK", "IAQSAJ2XUID5ZZZZG6"}), "notes.txt"), "secret.token");
    EXPECT_EQ(rule(joined({"AK", "IAQSAJ2XUID5XXXXXX"}), "notes.txt"), "content.inert");
    std::string wrong = github;
    wrong.back() = '8';
    for (const std::string& look_alike :
         {wrong,
          joined({"hf", "_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}),
          joined({"hf", "_YOURTOKENHEREabcdefghijklmnopqrstu"}),
          joined({"AK", "IAIOSFODNN7EXAMPLE"}),
          joined({"AI", "zaXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"}),
          joined({"sk", "-1234567890abcdef1234567890abcdef1234567890abcdef"}),
          "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n"s,
          "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA...\n-----END RSA PRIVATE KEY-----\n"s,
          "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"s,
          "the words BEGIN PRIVATE KEY in prose\n"s}) {
        EXPECT_EQ(rule(look_alike, "notes.txt"), "content.inert") << look_alike;
    }
}

TEST(Gate, flags_private_keys) {
    // An Ed25519 key of PKCS #8 (RFC 8410) whose seed is zeros: 0x30, a length that is right.
    const std::string body = "MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const std::string begin = joined({"-----BEGIN ", "PRIVATE KEY-----"});
    const std::string end = joined({"-----END ", "PRIVATE KEY-----"});
    EXPECT_EQ(rule(begin + "\n" + body + "\n" + end + "\n", "key.pem"), "secret.private-key");
    EXPECT_EQ(rule("{\"key\":\"" + begin + "\\n" + body + "\\n" + end + "\\n\"}", "a.json"),
              "secret.private-key");
    EXPECT_EQ(rule(begin + "\n" + body.substr(0, 60) + "\n" + end + "\n", "key.pem"),
              "content.inert"); // not a whole one
    // Beginnings without end are looked at once each, and not up to the longest key.
    std::string many;
    for (int i = 0; i < 200'000; ++i) {
        many += begin + "A";
    }
    const auto started = std::chrono::steady_clock::now();
    EXPECT_EQ(rule(many, "log.txt"), "content.inert");
    EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(2));
    // Far inside a large file, across the edge of a window.
    const std::string far = std::string((1U << 20U) - 40, '\n') + begin + "\n" + body + "\n" + end;
    EXPECT_EQ(rule(far, "log.txt"), "secret.private-key");
    EXPECT_EQ(scan(far, "log.txt").offset, (1U << 20U) - 40);
}

TEST(Gate, keeps_what_it_does_not_know_out_of_the_catalog) {
    std::string noise(4'096, '\0');
    std::mt19937_64 random(3);
    for (char& c : noise) {
        c = static_cast<char>(random());
    }
    EXPECT_EQ(rule(noise), "content.unknown");
    EXPECT_EQ(scan(noise).decision, Decision::Flag);
    EXPECT_EQ(rule("PAR1" + noise + "PAR1", "table.parquet"), "content.unknown");
    EXPECT_EQ(rule("SQLite format 3\0"s + noise, "table.db"), "content.unknown");
    for (const char* name :
         {"m.bin", "m.pkl", "m.pt", "table"}) { // as a pickle begins, and is none
        EXPECT_EQ(rule("\x80" + noise, name), "content.unknown") << name;
        EXPECT_EQ(rule("\x80\x04\x93" + noise, name), "content.unknown") << name;
        EXPECT_EQ(scan("\x80\x77" + noise, name).decision, Decision::Flag) << name;
    }
    EXPECT_EQ(rule(""), "content.empty");
    EXPECT_EQ(scan("").decision, Decision::Allow);
    EXPECT_EQ(rule("", "m.gguf"), "name.mismatch");
}

TEST(Gate, tells_symlinks_and_what_cannot_be_read) {
    auto folder = TempFolder::create(fs::temp_directory_path(), "gate-");
    ASSERT_TRUE(folder);
    fs::create_symlink("/etc/passwd", folder->path() / "link");
    const std::vector<fs::path> paths = {folder->path()};
    const auto items = scan_paths(paths);
    ASSERT_TRUE(items);
    ASSERT_EQ(items->size(), 1U);
    EXPECT_EQ((*items)[0].verdict.rule, "io.symlink");
    EXPECT_EQ(scan_file(folder->path()).rule, "io.type");
    EXPECT_EQ(scan_file(folder->path() / "none").rule, "io.open");
    EXPECT_EQ(scan_file(folder->path() / "none").label, Label::Unreadable);
    EXPECT_EQ(scan_file(folder->path() / "none").decision, Decision::Refuse);

    class Failing final : public ByteSource {
      public:
        std::uint64_t size() const override { return 100; }

        Status read(std::uint64_t, std::span<std::byte>) const override {
            return Error(ErrorCode::Io, "the disk is gone");
        }
    };

    EXPECT_EQ(scan_source(Failing(), "x").rule, "io.read");
}

} // namespace
} // namespace locara::formats
