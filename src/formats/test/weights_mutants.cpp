// locara_weights_mutants: changes a clean file of weights again and again, asks the gate's formats
// about each, and holds what passes against a second, plain reader. tests/campaign/weights.py gives
// the GGUF files that pass to llama.cpp as well. For the preset asan, but it runs in any.
//
//   locara_weights_mutants gguf|safetensors FILE COUNT SEED [FOLDER]
//
// FOLDER gets the files that pass, and below FOLDER/refused/RULE those that do not. Prints one JSON
// object: how many passed; of the others how many each rule refused, and (safetensors) how many of
// these the plain reader would have read. Ends with 1 when the two readers disagree on what passes.
#include "invariants.hpp"
#include "test/mutate.hpp"

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>
#include <locara/formats/gguf.hpp>
#include <locara/formats/safetensors.hpp>
#include <locara/formats/scan.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>

namespace {

using namespace locara;
using namespace locara::formats;

constexpr std::uint64_t kFileLimit = 64U << 20U;

/// What a loader does with safetensors, by the words of the format's own page and no check of ours:
/// length, JSON, and each tensor's bytes by its offsets. A sum over all of them, so that a
/// sanitizer sees every byte touched. Throws where a loader would fail.
std::uint64_t load_plainly(const std::string& file) {
    std::uint64_t length = 0;
    for (unsigned i = 0; i < 8; ++i) {
        length |= static_cast<std::uint64_t>(static_cast<unsigned char>(file.at(i))) << (8 * i);
    }
    const auto header = nlohmann::json::parse(file.substr(8, length));
    const std::string heap = file.substr(8 + length);
    const std::map<std::string, std::uint64_t> bits = {
        {"BOOL", 8}, {"U8", 8},      {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8},
        {"I16", 16}, {"U16", 16},    {"F16", 16}, {"BF16", 16},   {"I32", 32},
        {"U32", 32}, {"F32", 32},    {"F64", 64}, {"I64", 64},    {"U64", 64},
        {"C64", 64}, {"F8_E8M0", 8}, {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}};
    std::uint64_t sum = 0;
    for (const auto& [name, tensor] : header.items()) {
        if (name == "__metadata__") {
            continue;
        }
        const auto begin = tensor.at("data_offsets").at(0).get<std::uint64_t>();
        const auto end = tensor.at("data_offsets").at(1).get<std::uint64_t>();
        std::uint64_t product = bits.at(tensor.at("dtype").get<std::string>());
        for (const auto& extent : tensor.at("shape")) {
            product *= extent.get<std::uint64_t>();
        }
        if (product != (end - begin) * 8) {
            throw std::runtime_error(name + ": the shape is not as large as the bytes");
        }
        for (std::uint64_t at = begin; at < end; ++at) {
            sum += static_cast<unsigned char>(heap.at(at));
        }
    }
    return sum;
}

struct Campaign {
    bool gguf;
    std::string clean;
    std::filesystem::path folder;
    std::map<std::string, int> refused;
    std::map<std::string, int> read_all_the_same; ///< Of the refused, by the plain reader.
    int passed = 0;
    int disagreed = 0;

    void disagree(int number, const std::string& why) {
        ++disagreed;
        std::fprintf(stderr, "%d: %s\n", number, why.c_str());
    }

    void take(int number, const std::string& bytes) {
        const MemorySource source(as_bytes(bytes));
        const Verdict verdict = scan_source(source, gguf ? "m.gguf" : "m.safetensors");
        if (verdict.decision != Decision::Allow) {
            ++refused[verdict.rule];
            take_refused(number, bytes, verdict.rule);
            return;
        }
        // A name is no promise: what is empty, or text, is allowed as that and never loaded.
        if (verdict.rule != (gguf ? "gguf.valid" : "safetensors.valid")) {
            ++refused[verdict.rule];
            return;
        }
        ++passed;
        try {
            const std::string broken =
                gguf ? broken_invariant(check_gguf(source).value(), bytes.size())
                     : broken_invariant(check_safetensors(source).value(), bytes.size());
            if (!broken.empty()) {
                disagree(number, broken);
            }
            if (!gguf) {
                load_plainly(bytes);
            }
        } catch (const std::exception& error) {
            disagree(number, error.what());
        }
        keep(folder, number, bytes);
    }

    void take_refused(int number, const std::string& bytes, const std::string& rule) {
        if (!gguf) {
            try {
                load_plainly(bytes);
                ++read_all_the_same[rule];
            } catch (const std::exception&) { // As it should be.
            }
        }
        keep(folder.empty() ? folder : folder / "refused" / rule, number, bytes);
    }

    void keep(const std::filesystem::path& to, int number, const std::string& bytes) const {
        if (to.empty()) {
            return;
        }
        std::filesystem::create_directories(to);
        const auto path = to / (std::to_string(number) + (gguf ? ".gguf" : ".safetensors"));
        std::ofstream out(path, std::ios::binary); // Not synced: thousands, for minutes.
        if (!out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) {
            throw std::runtime_error("writing " + path.string());
        }
    }
};

} // namespace

int main(int count, char** words) {
    if (count < 5 || (std::string(words[1]) != "gguf" && std::string(words[1]) != "safetensors")) {
        std::fprintf(stderr, "locara_weights_mutants gguf|safetensors FILE COUNT SEED [FOLDER]\n");
        return 2;
    }
    Campaign campaign;
    campaign.gguf = std::string(words[1]) == "gguf";
    auto clean = read_file(words[2], kFileLimit);
    if (!clean) {
        std::fprintf(stderr, "%s\n", clean.error().describe().c_str());
        return 2;
    }
    campaign.clean = *std::move(clean);
    campaign.folder = count > 5 ? words[5] : "";
    const MemorySource source(as_bytes(campaign.clean));
    const auto head = campaign.gguf ? check_gguf(source).value().data_offset
                                    : check_safetensors(source).value().data_offset;
    std::mt19937_64 random(std::strtoull(words[4], nullptr, 10));
    const int wanted = std::atoi(words[3]);
    for (int i = 0; i < wanted; ++i) {
        // Nine of ten in what is parsed; the bytes of tensors are inert.
        const std::size_t end = i % 10 == 0 ? std::string::npos : static_cast<std::size_t>(head);
        campaign.take(i, test::mutate(campaign.clean, random, end));
    }
    Json out = {{"format", words[1]},
                {"mutations", wanted},
                {"passed", campaign.passed},
                {"disagreed", campaign.disagreed},
                {"refused", campaign.refused}};
    if (!campaign.gguf) {
        out["read_all_the_same"] = campaign.read_all_the_same;
    }
    std::printf("%s\n", render_json(out).c_str());
    return campaign.disagreed == 0 ? 0 : 1;
}
