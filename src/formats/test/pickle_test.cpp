#include <locara/formats/pickle.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <utility>
#include <vector>

namespace locara::formats {
namespace {

using namespace std::string_literals;

PickleWalk walk(const std::string& bytes) {
    return walk_pickle(MemorySource(as_bytes(bytes))).value();
}

std::string rule_of(const std::string& bytes, PickleContext context = PickleContext::Unknown) {
    const auto finding = judge_pickle(walk(bytes), context);
    return finding ? finding->rule : "none";
}

std::string first_import(const std::string& bytes) {
    const auto result = walk(bytes);
    return result.imports.empty() ? "none"
                                  : result.imports[0].opcode + " " + result.imports[0].module +
                                        "." + result.imports[0].name;
}

TEST(Pickle, names_the_import_of_each_opcode) {
    EXPECT_EQ(first_import("cos\nsystem\n."), "GLOBAL os.system");
    EXPECT_EQ(first_import("(ios\nsystem\n."), "INST os.system");
    EXPECT_EQ(first_import("\x80\x04\x8c\x02os\x8c\x06system\x93."), "STACK_GLOBAL os.system");
    EXPECT_EQ(first_import("\x80\x02\x82\x07."), "EXT1 ?.extension 7");
    EXPECT_EQ(first_import("\x80\x02\x83\x07\x01."), "EXT2 ?.extension 263");
    EXPECT_EQ(first_import("\x80\x02\x84\x07\0\0\1."s), "EXT4 ?.extension 16777223");
}

TEST(Pickle, follows_operands_through_stack_and_memo) {
    // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8, UNICODE, STRING, BINSTRING, SHORT_BINSTRING
    EXPECT_EQ(first_import("X\2\0\0\0osX\6\0\0\0system\x93."s), "STACK_GLOBAL os.system");
    EXPECT_EQ(first_import("\x8d\2\0\0\0\0\0\0\0os\x8c\6system\x93."s), "STACK_GLOBAL os.system");
    EXPECT_EQ(first_import("Vos\nVsystem\n\x93."), "STACK_GLOBAL os.system");
    EXPECT_EQ(first_import("S'os'\nS\"system\"\n\x93."), "STACK_GLOBAL os.system");
    EXPECT_EQ(first_import("T\2\0\0\0osU\6system\x93."s), "STACK_GLOBAL os.system");
    EXPECT_EQ(first_import("S'\\157\\x73'\nV\\u0073ystem\n\x93."), "STACK_GLOBAL os.system");
    // put, pop and get, by all three pairs, and MEMOIZE
    EXPECT_EQ(first_import("Vos\np7\n0Vsystem\np8\n0g7\ng8\n\x93."), "STACK_GLOBAL os.system");
    EXPECT_EQ(first_import("Vos\nq\7"
                           "0Vsystem\nq\x08"
                           "0h\7h\x08\x93."),
              "STACK_GLOBAL os.system");
    EXPECT_EQ(first_import("Vos\nr\7\0\0\0"
                           "0Vsystem\nr\x08\0\0\0"
                           "0j\7\0\0\0j\x08\0\0\0\x93."s),
              "STACK_GLOBAL os.system");
    EXPECT_EQ(first_import("Vos\n\x94"
                           "0Vsystem\n\x94"
                           "0h\0h\1\x93."s),
              "STACK_GLOBAL os.system");
    // DUP, POP_MARK, and an overwritten memo entry
    EXPECT_EQ(first_import("Vos\n2\x93."), "STACK_GLOBAL os.os");
    EXPECT_EQ(first_import("Vos\n(Vx\n1Vsystem\n\x93."), "STACK_GLOBAL os.system");
    EXPECT_EQ(first_import("Vx\nq\0000Vos\nq\0000h\0Vsystem\n\x93."s), "STACK_GLOBAL os.system");
    // what is not constant is unknown
    EXPECT_EQ(first_import("P1\nVsystem\n\x93."), "STACK_GLOBAL ?.system");
    EXPECT_EQ(first_import("NVsystem\n\x93."), "none"); // None is constant, and no text
    EXPECT_EQ(first_import("c_codecs\nencode\nVos\n\x85RVsystem\n\x93."), "GLOBAL _codecs.encode");
    EXPECT_EQ(rule_of("c_codecs\nencode\nVos\n\x85RVsystem\n\x93)R."), "pickle.import.unknown");
}

TEST(Pickle, sees_every_way_to_call) {
    EXPECT_TRUE(walk("cos\nsystem\n(Vid\ntR.").calls); // REDUCE
    EXPECT_TRUE(walk("(Vid\nios\nsystem\n.").calls);   // INST
    EXPECT_TRUE(walk("N0(ios\nabort\n.").calls);       // INST of nothing, but not at the start
    EXPECT_TRUE(walk("(cos\nsystem\nVid\no.").calls);  // OBJ
    EXPECT_TRUE(walk("\x80\x02"
                     "cos\nsystem\nVid\n\x85\x81.")
                    .calls); // NEWOBJ
    EXPECT_TRUE(walk("\x80\x04"
                     "cos\nsystem\nVid\n\x85}\x92.")
                    .calls);                                // NEWOBJ_EX
    EXPECT_TRUE(walk("\x80\x02\x82\x07)R.").numbered_call); // EXT1
    EXPECT_EQ(rule_of("\x80\x02\x82\x07)R\xff"), "pickle.import.unknown");
    EXPECT_EQ(rule_of("\x82\x07)R."), "pickle.import.unknown");
    EXPECT_TRUE(walk("P1\nq\0000h\0)R."s).unknown_call);
    EXPECT_FALSE(walk("cos\nsystem\n.").calls);
    for (const char* plain : {"Vos\n", "N", "\x88", "K\1", "F1\n", "]", ")", "}", "\x8f"}) {
        EXPECT_EQ(walk(plain + ")R."s).end, PickleEnd::Malformed) << plain; // cannot be called
    }
}

TEST(Pickle, tells_the_wrong_format_from_malice) {
    EXPECT_EQ(rule_of("\x80\x02}q\0."s), "pickle.wrong-format");
    EXPECT_EQ(rule_of("\x80\x02"
                      "ccollections\nOrderedDict\n)R."),
              "pickle.wrong-format");
    EXPECT_EQ(rule_of("\x80\x02"
                      "ctorch\nFloatStorage\n."),
              "pickle.wrong-format");
    EXPECT_EQ(rule_of("\x80\x02"
                      "ctorch\nbfloat16\n."),
              "pickle.wrong-format");
    EXPECT_EQ(rule_of("\x80\x02"
                      "ctorch._utils\n_rebuild_tensor_v2\n)R."),
              "pickle.wrong-format");
    EXPECT_EQ(rule_of("\x80\x02X\x09\0\0\0os.system\x94."s), "pickle.wrong-format");
    // names that only look like listed ones
    for (const char* line : {"collections\nOrderedDict.x",
                             "Collections\nOrderedDict",
                             "torch\nx.FloatStorage",
                             "torch\nStorage",
                             "torchx\nFloatStorage",
                             "torch._utils\n_rebuild",
                             "numpy\nload",
                             "torch\nload",
                             "torch.hub\nload",
                             "builtins\ngetattr",
                             "_codecs\ndecode",
                             "collections\nOrderedDict "}) {
        EXPECT_EQ(rule_of("\x80\x02"
                          "c"s +
                          line + "\n)R."),
                  "pickle.import.malicious")
            << line;
    }
}

TEST(Pickle, calls_a_change_of_a_class_malicious) {
    const std::string parameter = "\x80\x02"
                                  "ctorch.nn.parameter\nParameter\n";
    // BUILD of the class itself sets its attributes, of an instance only the instance's.
    EXPECT_EQ(rule_of(parameter + "}X\1\0\0\0xNsb."s), "pickle.build.malicious");
    EXPECT_EQ(rule_of(parameter + ")R}X\1\0\0\0xNsb."s), "pickle.wrong-format");
    EXPECT_EQ(rule_of(parameter + "q\0000h\0}b."s), "pickle.build.malicious");
    EXPECT_EQ(rule_of("\x80\x02"
                      "cos\nsystem\n}b."),
              "pickle.import.malicious");
}

TEST(Pickle, lists_what_it_would_import_with_offsets) {
    const auto result = walk("\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R"
                             "0ccollections\nOrderedDict\n)R.");
    ASSERT_EQ(result.imports.size(), 2U);
    EXPECT_EQ(result.imports[0], (PickleImport{"os", "system", "STACK_GLOBAL", 14, false}));
    EXPECT_EQ(result.imports[1], (PickleImport{"collections", "OrderedDict", "GLOBAL", 22, true}));
}

// Sources: CPython Lib/pickletools.py, `opcodes` (3.11): all 68 of protocols 0 to 5. Each is run
// once where it is right; whatever stands in this list is an opcode, whatever does not is none.
TEST(Pickle, knows_every_opcode_of_every_protocol) {
    const std::vector<std::pair<std::string, std::string>> opcodes = {
        {"INT", "I5\n."s},
        {"BININT", "J\1\0\0\0."s},
        {"BININT1", "K\1."s},
        {"BININT2", "M\1\0."s},
        {"LONG", "L5L\n."s},
        {"LONG1", "\x8a\1\1."s},
        {"LONG4", "\x8b\1\0\0\0\1."s},
        {"STRING", "S'a'\n."s},
        {"BINSTRING", "T\1\0\0\0a."s},
        {"SHORT_BINSTRING", "U\1a."s},
        {"BINBYTES", "B\1\0\0\0a."s},
        {"SHORT_BINBYTES", "C\1a."s},
        {"BINBYTES8", "\x8e\1\0\0\0\0\0\0\0a."s},
        {"BYTEARRAY8", "\x96\1\0\0\0\0\0\0\0a."s},
        {"NEXT_BUFFER", "\x97."s},
        {"READONLY_BUFFER", "\x97\x98."s},
        {"NONE", "N."s},
        {"NEWTRUE", "\x88."s},
        {"NEWFALSE", "\x89."s},
        {"UNICODE", "Va\n."s},
        {"SHORT_BINUNICODE", "\x8c\1a."s},
        {"BINUNICODE", "X\1\0\0\0a."s},
        {"BINUNICODE8", "\x8d\1\0\0\0\0\0\0\0a."s},
        {"FLOAT", "F1.5\n."s},
        {"BINFLOAT", "G\0\0\0\0\0\0\0\0."s},
        {"EMPTY_LIST", "]."s},
        {"APPEND", "]Na."s},
        {"APPENDS", "](NNe."s},
        {"LIST", "(Nl."s},
        {"EMPTY_TUPLE", ")."s},
        {"TUPLE", "(Nt."s},
        {"TUPLE1", "N\x85."s},
        {"TUPLE2", "NN\x86."s},
        {"TUPLE3", "NNN\x87."s},
        {"EMPTY_DICT", "}."s},
        {"DICT", "(NNd."s},
        {"SETITEM", "}NNs."s},
        {"SETITEMS", "}(NNu."s},
        {"EMPTY_SET", "\x8f."s},
        {"ADDITEMS", "\x8f(N\x90."s},
        {"FROZENSET", "(N\x91."s},
        {"POP", "NN0."s},
        {"DUP", "N2\x86."s},
        {"MARK", "(t."s},
        {"POP_MARK", "N(N1."s},
        {"GET", "Np0\n0g0\n."s},
        {"BINGET", "Nq\0000h\0."s},
        {"LONG_BINGET", "Nr\1\0\0\0000j\1\0\0\0."s},
        {"PUT", "Np0\n."s},
        {"BINPUT", "Nq\0."s},
        {"LONG_BINPUT", "Nr\0\0\0\0."s},
        {"MEMOIZE", "N\x94."s},
        {"EXT1", "\x82\1."s},
        {"EXT2", "\x83\1\0."s},
        {"EXT4", "\x84\1\0\0\0."s},
        {"GLOBAL", "ca\nb\n."s},
        {"STACK_GLOBAL", "Va\nVb\n\x93."s},
        {"REDUCE", "ca\nb\n)R."s},
        {"BUILD", "NNb."s},
        {"INST", "(ia\nb\n."s},
        {"OBJ", "(ca\nb\no."s},
        {"NEWOBJ", "ca\nb\n)\x81."s},
        {"NEWOBJ_EX", "ca\nb\n)}\x92."s},
        {"PROTO", "\x80\5N."s},
        {"STOP", "N."s},
        {"FRAME", "\x95\0\0\0\0\0\0\0\0N."s},
        {"PERSID", "P1\n."s},
        {"BINPERSID", "NQ."s},
    };
    EXPECT_EQ(opcodes.size(), 68U);
    for (const auto& [name, bytes] : opcodes) {
        EXPECT_EQ(walk(bytes).end, PickleEnd::Stop) << name << ": " << walk(bytes).problem;
    }
    const std::string known = "(.012FIJKLMNPQRSTUVX]abcdeghijloprstuq}BCG)\x80\x81\x82\x83\x84"
                              "\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94"
                              "\x95\x96\x97\x98";
    for (int byte = 0; byte < 256; ++byte) {
        const auto c = static_cast<char>(byte);
        if (known.find(c) == std::string::npos) {
            EXPECT_EQ(walk(std::string(1, c)).problem, "an unknown opcode") << byte;
        } else {
            EXPECT_NE(walk(std::string(1, c)).problem, "an unknown opcode") << byte;
        }
    }
}

TEST(Pickle, judges_what_comes_before_an_error) {
    const std::string call = "cos\nsystem\n(Vid\ntR";
    for (const std::string& rest :
         {""s, "\xff"s, "X\xff\xff\xff\x7f"s, "e"s, "h\x63"s, "#"s, "\x80\x06"s, "I!\n"s}) {
        for (const auto context :
             {PickleContext::Unknown, PickleContext::Text, PickleContext::Known}) {
            EXPECT_EQ(rule_of(call + rest, context), "pickle.import.malicious") << rest;
        }
    }
    EXPECT_EQ(rule_of("\x80\x02}q\0X\1\0\0\0aNsX\xff\xff\xff\x7f"s), "pickle.malformed");
    // Broken at once, with nothing named and nothing called: such bytes are anything.
    for (const std::string& bytes :
         {"\x80\x05"s, "\x80\x04}\xff"s, "\x80\x77}}}}}}}"s, "\x82\x07\xff"s}) {
        EXPECT_EQ(rule_of(bytes), "none") << bytes;
    }
    EXPECT_EQ(rule_of("\x80\x02}.\xff"s), "pickle.wrong-format"); // but a whole one is a pickle
}

// Half of all bytes are opcodes, so random bytes run for a while. They are no pickle.
TEST(Pickle, is_not_seen_in_random_bytes) {
    constexpr int kBlobs = 1'000'000;
    constexpr std::size_t kBytes = 256;
    std::mt19937_64 random(20'261'128);
    std::string blob(kBytes, '\0');
    int alarms = 0;
    for (int i = 0; i < kBlobs; ++i) {
        for (std::size_t at = 0; at < kBytes; at += 8) {
            const std::uint64_t word = random();
            std::memcpy(blob.data() + at, &word, sizeof word);
        }
        if (i % 4 == 0) { // as the binary ones begin, of a protocol that there is not
            blob[0] = '\x80';
            blob[1] = static_cast<char>(blob[1] | 8);
        }
        const std::string rule = rule_of(blob);
        alarms += rule != "none" ? 1 : 0;
        EXPECT_EQ(rule, "none") << i;
    }
    EXPECT_EQ(alarms, 0);
}

TEST(Pickle, asks_more_of_text_than_of_other_bytes) {
    // Python can hardly import these; in bytes that are nothing else a call of them is refused
    // all the same, in text it is taken for prose.
    const std::string odd = "c~min\ng\n)R";
    EXPECT_EQ(rule_of(odd + "\xff"), "pickle.import.malicious");
    EXPECT_EQ(rule_of(odd + "#", PickleContext::Text), "none");
    EXPECT_EQ(rule_of(odd + ".", PickleContext::Text), "pickle.import.malicious");
}

TEST(Pickle, walks_on_after_stop) {
    const auto two = walk("N.cos\nsystem\n(Vid\ntR.");
    EXPECT_EQ(two.pickles, 2U);
    EXPECT_EQ(two.end, PickleEnd::Stop);
    EXPECT_TRUE(two.calls);
    const auto trailing = walk("N.\xff");
    EXPECT_EQ(trailing.pickles, 1U);
    EXPECT_EQ(trailing.end, PickleEnd::Trailing);
    EXPECT_EQ(trailing.end_offset, 2U);
    EXPECT_EQ(rule_of("N.N.N.N.cos\nsystem\n(Vid\ntR.", PickleContext::Text),
              "pickle.import.malicious");
    // Each has a memo of its own, but an Unpickler that is used again keeps the former one.
    EXPECT_EQ(walk("h\0."s).pickles, 0U);
    EXPECT_EQ(rule_of("Vos\nq\0.h\0Vsystem\n\x93(Vid\ntR."s), "pickle.import.unknown");
    std::string five = "N.N.N.N.";
    EXPECT_EQ(rule_of(five + "cos\nsystem\n(Vid\ntR."), "pickle.import.malicious");
    EXPECT_EQ(walk(five + "cos\nsystem\n(Vid\ntR.").imports[0].offset, 8U);
}

TEST(Pickle, finds_stack_and_marks_as_python_does) {
    for (const std::string& bad :
         {"."s,     "0."s,        "a."s,    "Na."s,          "NNs."s,        "t."s,
          "l."s,    "e."s,        "(e."s,   "1."s,           "2."s,          "R."s,
          "b."s,    "(."s,        "(2."s,   "(N\x86."s,      "o."s,          "(o."s,
          "\x93."s, "(N\x85(R."s, "g0\n."s, "ca\xff\nb\n."s, "ca\n\xc3\n."s, "(ia\x80\nb\n."s,
          "h\0."s,  "I\n."s,      "Sx\n."s, "p0\n."s,        "\x94."s,       "Q."s,
          "\x98."s}) {
        EXPECT_EQ(walk(bad).end, PickleEnd::Malformed) << bad;
    }
    for (const std::string& good : {"N."s,
                                    "(t."s,
                                    "(l."s,
                                    "(d."s,
                                    "](Ne."s,
                                    "}(NNu."s,
                                    "\x8f(N\x90."s,
                                    "(N\x91."s,
                                    "(N1N."s,
                                    "(0N."s,
                                    "N2\x86."s,
                                    "NNN\x87."s,
                                    "I01\n."s,
                                    "L5L\n."s,
                                    "F1e5\n."s,
                                    "Fnan\n."s,
                                    "G\0\0\0\0\0\0\0\0."s,
                                    "J\0\0\0\0."s,
                                    "K\0."s,
                                    "M\0\0."s,
                                    "\x8a\1\1."s,
                                    "\x8b\1\0\0\0\1."s,
                                    "B\1\0\0\0x."s,
                                    "C\1x."s,
                                    "\x8e\1\0\0\0\0\0\0\0x."s,
                                    "\x96\1\0\0\0\0\0\0\0x."s,
                                    "Pid\n."s,
                                    "NQ."s,
                                    "NNb."s,
                                    "]Na."s,
                                    "}NNs."s,
                                    "\x88."s,
                                    "\x89."s,
                                    "\x97\x98."s,
                                    "\x80\4\x95\0\0\0\0\0\0\0\0N."s}) {
        EXPECT_EQ(walk(good).end, PickleEnd::Stop) << good << " " << walk(good).problem;
    }
}

TEST(Pickle, does_not_take_prose_for_a_pickle) {
    for (const char* text : {"cat\ndog\n",
                             "cat\ndog\n.\n",
                             "c\n\n.",
                             "cos\nsystem\nR",
                             "(in\nfoo\n",
                             "(in\nfoo\n.\n",
                             "I am.\n",
                             "N.B.\n",
                             "Let it be.\n",
                             "P.S.\n",
                             "",
                             "\n",
                             "c",
                             "c\n",
                             "Vocabulary\n.\n",
                             "K",
                             "X",
                             "].\nx",
                             "}\n",
                             "a.",
                             "g",
                             "p0\n",
                             "import os\nos.system('id')\n"}) {
        EXPECT_EQ(rule_of(text, PickleContext::Text), "none") << text;
    }
}

TEST(Pickle, reads_operands_as_loosely_as_python) {
    // Each goes on in one of Python's readers: _pickle.c, pickle.py, cPickle of Python 2.
    const std::string tail = "0cos\nsystem\n(S'id'\ntR.";
    for (const std::string& start : {"I\f5\n"s,
                                     "L\v5L\n"s,
                                     "I5\0x{}\n"s,
                                     "F7\0\n"s,
                                     "Np\t0\n"s,
                                     "Np-0\n"s,
                                     "Np1\0zz\n"s,
                                     "Npname\n"s,
                                     "Np00000000000000000000001\n0g1\n"s,
                                     "S'a'\t\f\n"s}) {
        EXPECT_EQ(rule_of(start + tail, PickleContext::Text), "pickle.import.malicious") << start;
    }
    for (const std::string& whole : {"cos\nsystem\ncsys\nversion_info\nR."s,
                                     "cos\nsystem\nVid\nR."s,
                                     "csys\npath\nVx\na."s,
                                     "(ios\nabort\nx"s,
                                     "N(Vid\nios\nsystemx"s, // the last line ends with the file
                                     "Ncos\nsystem\np01\n0Vx\np1\n0g01\n(Vid\ntR"s,
                                     "cos\nname\nVsystem\n\x93(Vid\ntR."s}) {
        const auto walk_of = walk(whole);
        EXPECT_TRUE(walk_of.calls) << whole;
        EXPECT_TRUE(walk_of.suspicious()) << whole;
    }
    // What is over budget was not looked through, whatever else the file is.
    EXPECT_EQ(rule_of("N" + std::string(2'000'001, '('), PickleContext::Known), "pickle.budget");
}

TEST(Pickle, ends_within_its_budget) {
    EXPECT_EQ(walk(std::string(3'000'000, '(')).end, PickleEnd::Budget);
    EXPECT_EQ(rule_of(std::string(3'000'000, '(')), "pickle.budget");
    std::string many;
    for (int i = 0; i < 400; ++i) {
        many += "ctorch\nX" + std::to_string(i) + "Storage\n0";
    }
    const auto crowded = walk(many + "cos\nsystem\n(Vid\ntR.");
    EXPECT_EQ(crowded.imports.size(), 256U);
    EXPECT_TRUE(crowded.suspicious()); // the last one is not crowded out
    // Past half a million memo entries, what was not kept reads back as unknown, not as an error.
    std::string memo = "N";
    for (int i = 0; i < 500'001; ++i) {
        memo += "\x94";
    }
    memo += "0Vos\nr\xff\xff\xff\x7f"
            "0j\xff\xff\xff\x7f"
            "Vsystem\n\x93(Vid\ntR.";
    EXPECT_EQ(rule_of(memo), "pickle.import.unknown");
}

} // namespace
} // namespace locara::formats
