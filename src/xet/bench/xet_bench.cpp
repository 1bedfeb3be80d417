// How fast chunking and hashing are, and packing chunks and unpacking them, as ratios to stand-ins
// that run in the same process, turn by turn. What the stand-ins stand for is told in
// docs/performance.md, "Chunking and hashing" and "Packing chunks".
//
//     locara_xet_bench [MiB [ROUNDS]]
#include "../byte_grouping.hpp"
#include "../gear.hpp"
#include "../scan.hpp"
#include "../test/inputs.hpp"

#include <locara/base/file.hpp>
#include <locara/crypto/sha256.hpp>
#include <locara/xet/chunker.hpp>
#include <locara/xet/compression.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <thread>

#include <fcntl.h>
#include <lz4frame.h>

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

/// Processor time is what a busy machine bends less; it says nothing of several threads.
enum class Clock { Wall, Thread };

double seconds_of(Clock clock) {
    timespec now{};
    clock_gettime(clock == Clock::Wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// Runs all measures once a round, so that whatever else the machine does hits all alike.
void run_rounds(std::vector<Measure>& measures, int rounds, Clock clock) {
    for (int round = 0; round < rounds; ++round) {
        for (Measure& measure : measures) {
            const double begin = seconds_of(clock);
            measure.run();
            measure.seconds.push_back(seconds_of(clock) - begin);
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
        if (!result || *result->chunks.load() != chunks ||
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
    run_rounds(measures, rounds, Clock::Wall);
    std::vector<Ratio> ratios = {
        {"chunk+hash, 1 thread", "BLAKE3, chunk by chunk", 0.48, 0.52},
        {"index of a file, 2 threads", "BLAKE3, chunk by chunk", 0.76, 0.92},
        {"index with SHA-256, 2 threads", "SHA-256 alone", 0.95, 0.95}};
    // On AMD the one lane alone outruns the whole reference: it stands for nothing there.
    if (processor().find("AMD") == std::string::npos) {
        ratios.push_back({"chunk+hash, 1 thread", "one-lane scan", 1.36, 1.47});
        ratios.push_back({"index of a file, 2 threads", "one-lane scan", 2.15, 2.60});
    }
    print(name, input.size(), measures, ratios);
}

// --- Packing ------------------------------------------------------------------------------------

/// Stand-ins: four bytes a turn of a plain loop. REQUIRES: both have the same size.
void plain_split(ByteView raw, std::span<std::byte> grouped) {
    const auto starts = group_starts(raw.size());
    const std::byte* const from = raw.data();
    std::byte* const to = grouped.data();
    const std::size_t whole = raw.size() / 4;
    for (std::size_t i = 0; i < whole; ++i) {
        for (std::size_t group = 0; group < 4; ++group) {
            to[starts[group] + i] = from[4 * i + group];
        }
    }
    for (std::size_t i = 4 * whole; i < raw.size(); ++i) {
        to[starts[i % 4] + whole] = from[i];
    }
}

void plain_regroup(ByteView grouped, std::span<std::byte> raw) {
    const auto starts = group_starts(raw.size());
    const std::byte* const from = grouped.data();
    std::byte* const to = raw.data();
    const std::size_t whole = raw.size() / 4;
    for (std::size_t i = 0; i < whole; ++i) {
        for (std::size_t group = 0; group < 4; ++group) {
            to[4 * i + group] = from[starts[group] + i];
        }
    }
    for (std::size_t i = 4 * whole; i < raw.size(); ++i) {
        to[i] = from[starts[i % 4] + whole];
    }
}

/// Stand-in: a plain loop and an LZ4 frame by liblz4, the scheme known beforehand.
class PlainPacker {
  public:
    ByteView pack(Compression scheme, ByteView raw) {
        if (scheme == Compression::Bg4Lz4) {
            grouped_.resize(raw.size());
            plain_split(raw, grouped_);
        }
        const ByteView from = scheme == Compression::Bg4Lz4 ? ByteView(grouped_) : raw;
        packed_.resize(LZ4F_compressFrameBound(kMaxChunkBytes, nullptr));
        const std::size_t bytes =
            LZ4F_compressFrame(packed_.data(), packed_.size(), from.data(), from.size(), nullptr);
        if (LZ4F_isError(bytes) != 0) {
            die("liblz4 packs nothing");
        }
        return ByteView(packed_).first(bytes);
    }

    void unpack(Compression scheme, ByteView packed, std::span<std::byte> raw) {
        LZ4F_dctx* context = nullptr;
        LZ4F_createDecompressionContext(&context, LZ4F_VERSION);
        grouped_.resize(raw.size());
        std::size_t in = packed.size();
        std::size_t out = raw.size();
        std::byte* const to = scheme == Compression::Lz4 ? raw.data() : grouped_.data();
        const std::size_t left = LZ4F_decompress(context, to, &out, packed.data(), &in, nullptr);
        LZ4F_freeDecompressionContext(context);
        if (left != 0 || out != raw.size()) {
            die("liblz4 unpacks something else");
        }
        if (scheme == Compression::Bg4Lz4) {
            plain_regroup(grouped_, raw);
        }
    }

  private:
    Bytes grouped_;
    Bytes packed_;
};

/// `plain_scheme` is the stand-in's for all chunks.
void bench_packing(const std::string& name,
                   const Bytes& input,
                   Compression plain_scheme,
                   int rounds) {
    struct Case {
        ByteView raw;
        Compression scheme = Compression::None;
        Bytes packed;
        Bytes plain;
    };

    Compressor compressor;
    Decompressor decompressor;
    PlainPacker plain;
    Bytes back(kMaxChunkBytes);
    std::vector<Case> cases;
    std::size_t packed_bytes = 0;
    std::size_t plain_bytes = 0;
    for (const Chunk& chunk : chunk_bytes(input)) {
        Case c;
        c.raw = ByteView(input).subspan(chunk.offset, chunk.length);
        const auto own = compressor.pack(c.raw);
        c.scheme = own.scheme;
        c.packed.assign(own.bytes.begin(), own.bytes.end());
        const auto other = plain.pack(plain_scheme, c.raw);
        c.plain.assign(other.begin(), other.end());
        packed_bytes += c.packed.size();
        plain_bytes += std::min(c.plain.size(), c.raw.size());
        // Each reads what the other wrote.
        const auto raw = std::span(back).first(c.raw.size());
        if (c.scheme != Compression::None) {
            plain.unpack(c.scheme, c.packed, raw);
        }
        if ((c.scheme != Compression::None && !std::ranges::equal(raw, c.raw)) ||
            !decompressor.unpack(plain_scheme, c.plain, raw) || !std::ranges::equal(raw, c.raw)) {
            die("wrong bytes after packing");
        }
        cases.push_back(std::move(c));
    }
    const auto each = [&](auto&& run) {
        return [&cases, run] {
            for (const Case& c : cases) {
                run(c);
            }
        };
    };
    const auto room = [&back](const Case& c) { return std::span(back).first(c.raw.size()); };
    std::vector<Measure> measures = {
        {"stand-in packs", each([&](const Case& c) {
             sink_word = sink_word + plain.pack(plain_scheme, c.raw).size();
         })},
        {"pack",
         each([&](const Case& c) { sink_word = sink_word + compressor.pack(c.raw).bytes.size(); })},
        {"stand-in groups", each([&](const Case& c) { plain_split(c.raw, room(c)); })},
        {"group", each([&](const Case& c) { bg4_split(c.raw, room(c)); })},
        {"stand-in unpacks",
         each([&](const Case& c) { plain.unpack(plain_scheme, c.plain, room(c)); })},
        {"unpack",
         each([&](const Case& c) { decompressor.unpack(c.scheme, c.packed, room(c)).value(); })},
        {"stand-in regroups", each([&](const Case& c) { plain_regroup(c.raw, room(c)); })},
        {"regroup", each([&](const Case& c) { bg4_regroup(c.raw, room(c)); })},
    };
    run_rounds(measures, rounds, Clock::Thread);
    const bool weights = plain_scheme == Compression::Bg4Lz4;
    print(name + ", packed chunk by chunk",
          input.size(),
          measures,
          {{"pack", "stand-in packs", weights ? 1.25 : 1, weights ? 2.1 : 1},
           {"group", "stand-in groups", 1, 4},
           {"unpack", "stand-in unpacks", weights ? 1.75 : 1, weights ? 2.5 : 1},
           {"regroup", "stand-in regroups", 1, 4}});
    std::printf("  size of what is packed: %.4f of the input, the stand-in's %.4f\n",
                static_cast<double>(packed_bytes) / static_cast<double>(input.size()),
                static_cast<double>(plain_bytes) / static_cast<double>(input.size()));
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
    using locara::xet::Compression;
    const auto random = locara::xet::random_bytes(1, mib << 20U);
    const auto weights = locara::xet::bf16_bytes(mib << 20U);
    locara::xet::bench("random bytes", random, rounds);
    locara::xet::bench("bf16 weights", weights, rounds);
    locara::xet::bench_packing("random bytes", random, Compression::Lz4, rounds);
    locara::xet::bench_packing("bf16 weights", weights, Compression::Bg4Lz4, rounds);
    return 0;
}
