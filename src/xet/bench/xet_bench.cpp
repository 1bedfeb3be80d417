// How fast chunking and hashing are, as ratios to stand-ins that run in the same process, turn by
// turn. What the stand-ins stand for is told in docs/performance.md, "Chunking and hashing".
//
//     locara_xet_bench [MiB [ROUNDS]]
#include "../gear.hpp"
#include "../scan.hpp"
#include "../test/inputs.hpp"

#include <locara/base/file.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/xet/chunker.hpp>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <thread>

#include <fcntl.h>

namespace locara::xet {
namespace {

/// Weights as models have them: bf16 values, normally distributed around 0 with deviation 0.02.
Bytes bf16_bytes(std::size_t size) {
    constexpr double deviation = 0.02;
    constexpr double turn = 6.283185307179586;
    SplitMix random(2);
    const auto uniform = [&] { return (static_cast<double>(random.next() >> 11U) + 1) * 0x1p-53; };
    Bytes bytes;
    bytes.reserve(size + 4);
    const auto add = [&](double value) {
        const auto narrow = static_cast<float>(value);
        std::uint32_t bits = 0;
        std::memcpy(&bits, &narrow, sizeof(bits));
        bits += 0x7FFFU + (bits >> 16U & 1U); // to nearest, ties to even
        bytes.push_back(static_cast<std::byte>(bits >> 16U));
        bytes.push_back(static_cast<std::byte>(bits >> 24U));
    };
    while (bytes.size() < size) {
        // Two values a draw (Box and Muller, 1958).
        const double radius = deviation * std::sqrt(-2 * std::log(uniform()));
        const double angle = turn * uniform();
        add(radius * std::cos(angle));
        add(radius * std::sin(angle));
    }
    bytes.resize(size);
    return bytes;
}

/// A result that must not be optimised away.
volatile std::uint64_t sink_word = 0;

/// Stand-in: the gear hash over every byte by one lane, no skipping.
void scan_one_lane(ByteView bytes) {
    std::uint64_t gear = 0;
    std::uint64_t hits = 0;
    for (const std::byte byte : bytes) {
        gear = 2 * gear + kGearTable[std::to_integer<std::size_t>(byte)];
        if (gear < kGearLimit) [[unlikely]] {
            ++hits;
        }
    }
    sink_word = sink_word + hits;
}

/// The plain way to the cuts.
std::vector<std::size_t> plain_cuts(ByteView bytes) {
    std::vector<std::size_t> cuts;
    std::size_t start = 0;
    std::uint64_t gear = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        gear = 2 * gear + kGearTable[std::to_integer<std::size_t>(bytes[i])];
        const std::size_t length = i + 1 - start;
        if ((length >= kMinChunkBytes && gear < kGearLimit) || length == kMaxChunkBytes ||
            i + 1 == bytes.size()) {
            cuts.push_back(i + 1);
            start = i + 1;
            gear = 0;
        }
    }
    return cuts;
}

[[noreturn]] void die(const std::string& what) {
    std::fprintf(stderr, "xet_bench: %s\n", what.c_str());
    std::exit(1);
}

void check_cuts(const std::vector<Chunk>& chunks, const std::vector<std::size_t>& cuts) {
    if (chunks.size() != cuts.size()) {
        die("wrong number of chunks");
    }
    for (std::size_t i = 0; i < cuts.size(); ++i) {
        if (chunks[i].offset + chunks[i].length != cuts[i]) {
            die("wrong cut");
        }
    }
}

struct Measure {
    std::string name;
    std::function<void()> run;
    std::vector<double> seconds{};

    double median() const {
        auto sorted = seconds;
        std::sort(sorted.begin(), sorted.end());
        return sorted[sorted.size() / 2];
    }
};

/// Runs all measures once a round, so that whatever else the machine does hits all alike.
void run_rounds(std::vector<Measure>& measures, int rounds) {
    for (int round = 0; round < rounds; ++round) {
        for (Measure& measure : measures) {
            const auto begin = std::chrono::steady_clock::now();
            measure.run();
            measure.seconds.push_back(
                std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
        }
    }
}

struct Ratio {
    const char* of;
    const char* to;
    double floor;
    double target;
};

void print(const std::string& input,
           std::size_t bytes,
           const std::vector<Measure>& measures,
           const std::vector<Ratio>& ratios) {
    std::map<std::string, const Measure*> by_name;
    for (const Measure& measure : measures) {
        by_name[measure.name] = &measure;
    }
    std::printf("\n%s\n", input.c_str());
    for (const Measure& measure : measures) {
        std::printf("  %-34s %7.3f GB/s\n",
                    measure.name.c_str(),
                    static_cast<double>(bytes) / 1e9 / measure.median());
    }
    for (const Ratio& ratio : ratios) {
        // The median of the ratios of each round: both sides of one round saw the same machine.
        std::vector<double> values;
        for (std::size_t i = 0; i < by_name[ratio.of]->seconds.size(); ++i) {
            values.push_back(by_name[ratio.to]->seconds[i] / by_name[ratio.of]->seconds[i]);
        }
        std::sort(values.begin(), values.end());
        std::printf("  %-34s / %-30s %5.2fx  (%.2f to %.2f; floor %.2f, target %.2f)\n",
                    ratio.of,
                    ratio.to,
                    values[values.size() / 2],
                    values.front(),
                    values.back(),
                    ratio.floor,
                    ratio.target);
    }
}

std::string processor() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("model name")) {
            return line.substr(line.find(':') + 2);
        }
    }
    return "unknown processor";
}

void bench(const std::string& name, const Bytes& input, int rounds) {
    const auto folder = TempFolder::create("/tmp", "locara-bench-").value();
    const Fd file = open_file(folder.path() / "file", O_RDWR | O_CREAT).value();
    write_all_at(file, 0, input).value();

    const auto chunks = chunk_bytes(input);
    check_cuts(chunks, plain_cuts(input));
    for (const Chunk& chunk : chunks) {
        if (chunk_hash(ByteView(input).subspan(chunk.offset, chunk.length)) != chunk.hash) {
            die("wrong hash");
        }
    }
    const auto digest = crypto::sha256(input);
    const auto index = [&](unsigned threads, WithSha256 with) {
        const auto result = index_file(file, {.threads = threads, .sha256 = with});
        if (!result || result->chunks != chunks ||
            (with == WithSha256::Yes && result->sha256 != digest)) {
            die("wrong index");
        }
    };
    Scan found;
    std::vector<Measure> measures = {
        {"one-lane scan", [&] { scan_one_lane(input); }},
        {"BLAKE3, chunk by chunk",
         [&] {
             for (const Chunk& chunk : chunks) {
                 const auto hash = chunk_hash(ByteView(input).subspan(chunk.offset, chunk.length));
                 sink_word = sink_word + hash.word(0);
             }
         }},
        {"BLAKE3, 4 chunks at once",
         [&] {
             std::vector<ByteView> views;
             std::vector<ChunkHash> hashes(4);
             for (std::size_t i = 0; i < chunks.size(); i += 4) {
                 views.clear();
                 for (std::size_t k = i; k < std::min(i + 4, chunks.size()); ++k) {
                     views.push_back(ByteView(input).subspan(chunks[k].offset, chunks[k].length));
                 }
                 hashes.resize(views.size());
                 chunk_hashes(views, hashes);
                 sink_word = sink_word + hashes[0].word(0);
             }
         }},
        {"own scan",
         [&] {
             constexpr std::size_t window = 256U << 10U;
             for (std::size_t at = kMinChunkBytes; at < input.size(); at += window) {
                 scan(input.data(), at, std::min(at + window - 1, input.size()), found);
             }
         }},
        {"chunk+hash, 1 thread",
         [&] { sink_word = sink_word + chunk_bytes(input).back().hash.word(0); }},
        {"stream of 8 MiB blocks",
         [&] {
             Chunker chunker;
             const auto sink = [&](const Chunk& chunk, ByteView) -> Status {
                 sink_word = sink_word + chunk.hash.word(0);
                 return {};
             };
             for (std::size_t at = 0; at < input.size(); at += 8U << 20U) {
                 const auto size = std::min<std::size_t>(8U << 20U, input.size() - at);
                 chunker.update(ByteView(input).subspan(at, size), sink).value();
             }
             chunker.finish(sink).value();
         }},
        {"index of a file, 1 thread", [&] { index(1, WithSha256::No); }},
        {"index of a file, 2 threads", [&] { index(2, WithSha256::No); }},
        {"SHA-256 alone",
         [&] {
             sink_word = sink_word + static_cast<std::uint64_t>(crypto::sha256(input).bytes[0]);
         }},
        {"index with SHA-256, 2 threads", [&] { index(2, WithSha256::Yes); }},
    };
    run_rounds(measures, rounds);
    print(name,
          input.size(),
          measures,
          {{"chunk+hash, 1 thread", "one-lane scan", 1.36, 1.47},
           {"chunk+hash, 1 thread", "BLAKE3, chunk by chunk", 0.48, 0.52},
           {"index of a file, 2 threads", "one-lane scan", 2.15, 2.60},
           {"index of a file, 2 threads", "BLAKE3, chunk by chunk", 0.76, 0.92},
           {"index with SHA-256, 2 threads", "SHA-256 alone", 0.95, 0.95}});
}

} // namespace
} // namespace locara::xet

int main(int argc, char** argv) {
    const std::size_t mib = argc > 1 ? std::stoul(argv[1]) : 256;
    const int rounds = argc > 2 ? std::stoi(argv[2]) : 5;
    std::printf("%s, %u cores, compiler %s, %zu MiB, %d rounds\n",
                locara::xet::processor().c_str(),
                std::thread::hardware_concurrency(),
                __VERSION__,
                mib,
                rounds);
    locara::xet::bench("random bytes", locara::xet::random_bytes(1, mib << 20U), rounds);
    locara::xet::bench("bf16 weights", locara::xet::bf16_bytes(mib << 20U), rounds);
    return 0;
}
