#include "test/support.hpp"

#include <locara/formats/safetensors.hpp>

#include <gtest/gtest.h>

namespace locara::formats {
namespace {

using test::safetensors;

std::string rule_of(const std::string& bytes) {
    const auto checked = check_safetensors(MemorySource(as_bytes(bytes)));
    return checked ? "valid" : checked.error().rule;
}

std::string entry(const std::string& shape, std::uint64_t end, const std::string& dtype = "U8") {
    return R"({"t":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":[0,)" +
           std::to_string(end) + "]}}";
}

TEST(Safetensors, reads_a_clean_file_in_full) {
    const std::string bytes = test::clean_safetensors();
    const auto parsed = parse_safetensors(MemorySource(as_bytes(bytes)));
    ASSERT_TRUE(parsed) << parsed.error().describe();
    ASSERT_EQ(parsed->tensors.size(), 2U);
    EXPECT_EQ(parsed->tensors[0].name, "a");
    EXPECT_EQ(parsed->tensors[0].dtype, "F32");
    EXPECT_EQ(parsed->tensors[0].shape, (std::vector<std::uint64_t>{2, 2}));
    EXPECT_EQ(parsed->tensors[0].begin, parsed->data_offset);
    EXPECT_EQ(parsed->tensors[1].end, bytes.size());
    EXPECT_EQ(parsed->metadata.at("format"), "pt");
    EXPECT_EQ(parsed->parameter_count(), 7U);
}

TEST(Safetensors, names_the_rule_that_a_file_breaks) {
    struct Case {
        std::string what;
        std::string bytes;
        std::string rule;
    };

    const std::string nine(9, 'x');
    const std::vector<Case> cases = {
        {"nothing", "", "safetensors.header.length"},
        {"seven bytes", std::string(7, '\0'), "safetensors.header.length"},
        {"length 1", safetensors("{", ""), "safetensors.header.length"},
        {"length 2", safetensors("{}", ""), "valid"},
        {"length beyond the file", test::u64(3) + "{}", "safetensors.header.length"},
        {"length at the limit, file too short",
         test::u64(100'000'000) + "{}",
         "safetensors.header.length"},
        {"length above the limit", test::u64(100'000'001) + "{}", "safetensors.header.length"},
        {"length that wraps", test::u64(~0ULL) + "{}", "safetensors.header.length"},
        {"blank before the brace", safetensors(" {}", ""), "safetensors.header.start"},
        {"spaces after", safetensors("{}    ", ""), "valid"},
        {"newline after", safetensors("{}\n", ""), "safetensors.header.padding"},
        {"tab after", safetensors("{} \t ", ""), "safetensors.header.padding"},
        {"NUL and more after",
         safetensors(std::string("{}\0{}", 5), ""),
         "safetensors.header.json"},
        {"second document", safetensors("{}{}", ""), "safetensors.header.json"},
        {"bad UTF-8", safetensors("{\"\xff\":{}}", ""), "safetensors.header.utf8"},
        {"lone surrogate",
         safetensors(R"({"__metadata__":{"a":"\ud800"}})", ""),
         "safetensors.header.json"},
        {"comment", safetensors("{/**/}", ""), "safetensors.header.json"},
        {"trailing comma", safetensors(R"({"__metadata__":{},})", ""), "safetensors.header.json"},
        {"duplicate tensor",
         safetensors(R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
                     R"("\u0074":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                     ""),
         "safetensors.header.duplicate"},
        {"duplicate metadata",
         safetensors(R"({"__metadata__":{"a":"","a":""}})", ""),
         "safetensors.header.duplicate"},
        {"duplicate block",
         safetensors(R"({"__metadata__":{},"__metadata__":{}})", ""),
         "safetensors.header.duplicate"},
        {"duplicate field",
         safetensors(R"({"t":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})", ""),
         "safetensors.header.duplicate"},
        {"duplicate shape",
         safetensors(R"({"t":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}})", ""),
         "safetensors.header.duplicate"},
        {"metadata with a number",
         safetensors(R"({"__metadata__":{"a":1}})", ""),
         "safetensors.metadata.value"},
        {"metadata nested",
         safetensors(R"({"__metadata__":{"a":{}}})", ""),
         "safetensors.metadata.value"},
        {"metadata no object",
         safetensors(R"({"__metadata__":"x"})", ""),
         "safetensors.header.structure"},
        {"tensor no object", safetensors(R"({"t":[]})", ""), "safetensors.header.structure"},
        {"field missing",
         safetensors(R"({"t":{"dtype":"U8","shape":[0]}})", ""),
         "safetensors.tensor.field"},
        {"field too many",
         safetensors(R"({"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}})", ""),
         "safetensors.tensor.field"},
        {"dtype in lower case", safetensors(entry("[0]", 0, "u8"), ""), "safetensors.tensor.dtype"},
        {"dtype unknown", safetensors(entry("[0]", 0, "F128"), ""), "safetensors.tensor.dtype"},
        {"dtype a number",
         safetensors(R"({"t":{"dtype":1,"shape":[0],"data_offsets":[0,0]}})", ""),
         "safetensors.tensor.field"},
        {"shape nested", safetensors(entry("[[1]]", 1), "x"), "safetensors.tensor.shape"},
        {"shape negative", safetensors(entry("[-1]", 0), ""), "safetensors.header.number"},
        {"shape minus zero", safetensors(entry("[-0]", 0), ""), "safetensors.header.number"},
        {"shape fraction", safetensors(entry("[1.0]", 1), "x"), "safetensors.header.number"},
        {"shape exponent", safetensors(entry("[1e0]", 1), "x"), "safetensors.header.number"},
        {"shape null", safetensors(entry("[null]", 0), ""), "safetensors.tensor.shape"},
        {"extent 2^53-1", safetensors(entry("[9007199254740991,0]", 0), ""), "valid"},
        {"extent 2^53",
         safetensors(entry("[9007199254740992,0]", 0), ""),
         "safetensors.tensor.shape"},
        {"extent above 64 bits",
         safetensors(entry("[99999999999999999999]", 0), ""),
         "safetensors.header.number"},
        {"product overflows",
         safetensors(entry("[4294967296,4294967296]", 0), ""),
         "safetensors.tensor.overflow"},
        {"bits overflow",
         safetensors(entry("[4611686018427387,4000]", 0, "F64"), ""),
         "safetensors.tensor.overflow"},
        {"half a byte", safetensors(entry("[1]", 1, "F4"), "x"), "safetensors.tensor.size"},
        {"two halves", safetensors(entry("[2]", 1, "F4"), "x"), "valid"},
        {"four six-bit values", safetensors(entry("[4]", 3, "F6_E2M3"), "xyz"), "valid"},
        {"size one below", safetensors(entry("[9]", 8), nine), "safetensors.tensor.size"},
        {"size right", safetensors(entry("[9]", 9), nine), "valid"},
        {"offset beyond the data",
         safetensors(entry("[10]", 10), nine),
         "safetensors.tensor.offsets"},
        {"offsets swapped",
         safetensors(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", "x"),
         "safetensors.tensor.offsets"},
        {"one offset",
         safetensors(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", "x"),
         "safetensors.tensor.offsets"},
        {"three offsets",
         safetensors(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}})", "x"),
         "safetensors.tensor.offsets"},
        {"scalar", safetensors(entry("[]", 1), "x"), "valid"},
        {"does not start at 0",
         safetensors(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "xy"),
         "safetensors.layout.hole"},
        {"hole",
         safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                     R"("b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
                     "xyz"),
         "safetensors.layout.hole"},
        {"overlap",
         safetensors(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                     R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                     "xyz"),
         "safetensors.layout.overlap"},
        {"order in the header does not matter",
         safetensors(R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},)"
                     R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                     "xy"),
         "valid"},
        {"one byte after", test::clean_safetensors() + "x", "safetensors.layout.trailing"},
        {"bytes after no tensor", safetensors("{}", "x"), "safetensors.layout.trailing"},
        {"cut by one byte",
         test::clean_safetensors().substr(0, test::clean_safetensors().size() - 1),
         "safetensors.tensor.offsets"},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(rule_of(c.bytes), c.rule) << c.what;
    }
}

TEST(Safetensors, knows_every_dtype_and_its_width) {
    const std::vector<std::pair<std::string, unsigned>> dtypes = {
        {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
        {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
        {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
        {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
        {"I64", 64},        {"U64", 64}};
    for (const auto& [name, bits] : dtypes) {
        EXPECT_EQ(rule_of(safetensors(entry("[4]", bits / 2, name), std::string(bits / 2, 'x'))),
                  "valid")
            << name;
    }
}

TEST(Safetensors, bounds_the_number_of_tensors_metadata_and_dimensions) {
    const auto tensors = [](std::uint64_t count) {
        std::string header = "{";
        for (std::uint64_t i = 0; i < count; ++i) {
            header += (i == 0 ? "\"" : ",\"") + std::to_string(i) +
                      R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
        }
        return safetensors(header + "}", "");
    };
    EXPECT_EQ(rule_of(tensors(100'000)), "valid");
    EXPECT_EQ(rule_of(tensors(100'001)), "safetensors.header.tensors");

    const auto metadata = [](std::uint64_t count) {
        std::string header = R"({"__metadata__":{)";
        for (std::uint64_t i = 0; i < count; ++i) {
            header += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":"")";
        }
        return safetensors(header + "}}", "");
    };
    EXPECT_EQ(rule_of(metadata(100'000)), "valid");
    EXPECT_EQ(rule_of(metadata(100'001)), "safetensors.metadata.entries");

    const auto text = [](std::size_t size) {
        return safetensors(R"({"__metadata__":{"a":")" + std::string(size, 'x') + "\"}}", "");
    };
    EXPECT_EQ(rule_of(text(16U << 20U)), "valid");
    EXPECT_EQ(rule_of(text((16U << 20U) + 1)), "safetensors.header.string");

    const auto dimensions = [](unsigned count) {
        std::string shape = "[1";
        for (unsigned i = 1; i < count; ++i) {
            shape += ",1";
        }
        return safetensors(entry(shape + "]", 1), "x");
    };
    EXPECT_EQ(rule_of(dimensions(64)), "valid");
    EXPECT_EQ(rule_of(dimensions(65)), "safetensors.tensor.shape");
}

TEST(Safetensors, tells_where_and_what_in_one_printable_line) {
    const auto parsed =
        parse_safetensors(MemorySource(as_bytes(safetensors("{\"a\nb\x01\":{}}", ""))));
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code(), ErrorCode::Corrupt);
    for (const char c : parsed.error().message()) {
        EXPECT_TRUE(c >= 0x20 && c < 0x7F) << parsed.error().message();
    }
}

} // namespace
} // namespace locara::formats
