#include <locara/formats/gguf.hpp>

namespace locara::formats {

namespace {

// Numbers from enum ggml_type (ggml/include/ggml.h), blocks from ggml/src/ggml-common.h, both of
// llama.cpp v0.5.0. Left out are the numbers that were removed from files: 4, 5, 31 to 33 and 36
// to 38. Formulas in comments: h = 2 bytes of half-precision scale; QK_K = 256 elements.
constexpr GgmlType kTypes[] = {
    {0, "F32", 1, 4},         {1, "F16", 1, 2},       {2, "Q4_0", 32, 18}, // h + 32/2
    {3, "Q4_1", 32, 20},                                                   // 2h + 32/2
    {6, "Q5_0", 32, 22},                                                   // h + 4 + 32/2
    {7, "Q5_1", 32, 24},                                                   // 2h + 4 + 32/2
    {8, "Q8_0", 32, 34},                                                   // h + 32
    {9, "Q8_1", 32, 36},                                                   // 2h + 32
    {10, "Q2_K", 256, 84},                                                 // 2h + 256/16 + 256/4
    {11, "Q3_K", 256, 110},                                                // h + 256/4 + 256/8 + 12
    {12, "Q4_K", 256, 144},                                                // 2h + 12 + 256/2
    {13, "Q5_K", 256, 176},   // 2h + 12 + 256/2 + 256/8
    {14, "Q6_K", 256, 210},   // h + 256/16 + 3*256/4
    {15, "Q8_K", 256, 292},   // 4 + 256 + 256/16*2
    {16, "IQ2_XXS", 256, 66}, // h + 256/8*2
    {17, "IQ2_XS", 256, 74},  // h + 256/8*2 + 256/32
    {18, "IQ3_XXS", 256, 98}, // h + 3*(256/8)
    {19, "IQ1_S", 256, 50},   // h + 256/8 + 256/16
    {20, "IQ4_NL", 32, 18},   // h + 32/2
    {21, "IQ3_S", 256, 110},  // h + 13*(256/32) + 256/64
    {22, "IQ2_S", 256, 82},   // h + 256/4 + 256/16
    {23, "IQ4_XS", 256, 136}, // h + 2 + 256/64 + 256/2
    {24, "I8", 1, 1},         {25, "I16", 1, 2},      {26, "I32", 1, 4},   {27, "I64", 1, 8},
    {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56}, // 256/8 + 256/16 + 256/32
    {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54}, // h + 256/64 + (256 - 4*256/64)/5
    {35, "TQ2_0", 256, 66},                           // h + 256/4
    {39, "MXFP4", 32, 17},                            // 1 + 32/2
    {40, "NVFP4", 64, 36},                            // 64/16 + 64/2
    {41, "Q1_0", 128, 18},                            // h + 128/8
    {42, "Q2_0", 64, 18},                             // h + 64/4
};

} // namespace

const GgmlType* find_ggml_type(std::uint32_t id) {
    for (const GgmlType& type : kTypes) {
        if (type.id == id) {
            return &type;
        }
    }
    return nullptr;
}

} // namespace locara::formats
