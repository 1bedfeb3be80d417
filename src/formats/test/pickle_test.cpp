#include <locara/formats/pickle.hpp>

#include <gtest/gtest.h>

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
    EXPECT_EQ(first_import("NVsystem\n\x93."), "STACK_GLOBAL ?.system");
    EXPECT_EQ(first_import("c_codecs\nencode\nVos\n\x85RVsystem\n\x93."), "GLOBAL _codecs.encode");
    EXPECT_EQ(rule_of("c_codecs\nencode\nVos\n\x85RVsystem\n\x93)R."), "pickle.import.unknown");
}

TEST(Pickle, sees_every_way_to_call) {
    EXPECT_TRUE(walk("cos\nsystem\n(Vid\ntR.").calls); // REDUCE
    EXPECT_TRUE(walk("(Vid\nios\nsystem\n.").calls);   // INST
    EXPECT_TRUE(walk("(cos\nsystem\nVid\no.").calls);  // OBJ
    EXPECT_TRUE(walk("\x80\x02"
                     "cos\nsystem\nVid\n\x85\x81.")
                    .calls); // NEWOBJ
    EXPECT_TRUE(walk("\x80\x04"
                     "cos\nsystem\nVid\n\x85}\x92.")
                    .calls);                        // NEWOBJ_EX
    EXPECT_TRUE(walk("\x80\x02\x82\x07)R.").calls); // EXT1
    EXPECT_TRUE(walk("Nq\0000h\0)R."s).unknown_call);
    EXPECT_FALSE(walk("cos\nsystem\n.").calls);
    EXPECT_EQ(walk("Vos\n)R.").end, PickleEnd::Malformed); // a text cannot be called
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

TEST(Pickle, judges_what_comes_before_an_error) {
    const std::string call = "cos\nsystem\n(Vid\ntR";
    for (const std::string& rest :
         {""s, "\xff"s, "X\xff\xff\xff\x7f"s, "e"s, "h\x63"s, "#"s, "\x80\x06"s, "I!\n"s}) {
        for (const auto context :
             {PickleContext::Unknown, PickleContext::Text, PickleContext::Known}) {
            EXPECT_EQ(rule_of(call + rest, context), "pickle.import.malicious") << rest;
        }
    }
    EXPECT_EQ(rule_of("\x80\x02}q\0X\xff\xff\xff\x7f"s), "pickle.malformed");
    EXPECT_EQ(rule_of("\x80\x05"s), "pickle.malformed");
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
    EXPECT_EQ(walk("Nq\0.h\0."s).pickles, 1U); // each has a memo of its own
}

TEST(Pickle, finds_stack_and_marks_as_python_does) {
    for (const std::string& bad :
         {"."s,    "0."s,      "a."s,    "Na."s,   "NNs."s,  "t."s,        "l."s,
          "e."s,   "(e."s,     "1."s,    "2."s,    "R."s,    "b."s,        "(."s,
          "(2."s,  "(N\x86."s, "o."s,    "(o."s,   "\x93."s, "(N\x85(R."s, "g0\n."s,
          "h\0."s, "I\n."s,    "Sx\n."s, "p0\n."s, "\x94."s, "Q."s,        "\x98."s}) {
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
