// What a store costs: two versions of a file of bf16 weights, taken in one after the other.
//
//     locara_cas_bench [MIB [FOLDER]]      1024 MiB, in a temporary folder of /tmp
//     locara_cas_bench MIB --write FOLDER  only writes the versions, FOLDER/v1 and FOLDER/v2, for
//     other tools
//
// Values are normal(0, 0.02) in bfloat16. The second version has 173 of each 16,384 regions of
// 64 KiB edited (4 KiB rewritten) and 1,000 bytes inserted at one third. Seeds are fixed. What is
// stored is compared with what the chunker alone says must be new, and the second version is read
// back and compared. Time is of the whole ingest: chunking, hashing with SHA-256, packing, fsync.
#include <locara/cas/cas.hpp>
#include <locara/xet/chunker.hpp>

#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unordered_set>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace locara::cas {
namespace {

constexpr std::size_t kRegion = 64U << 10U;
constexpr std::size_t kEdit = 4U << 10U;
constexpr std::size_t kInserted = 1000;
constexpr std::uint64_t kEditedPer16384 = 173;
constexpr double kMega = 1e6;

class Weights {
  public:
    explicit Weights(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() { // splitmix64
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t z = state_;
        z = (z ^ z >> 30U) * 0xBF58476D1CE4E5B9U;
        z = (z ^ z >> 27U) * 0x94D049BB133111EBU;
        return z ^ z >> 31U;
    }

    /// An even number of bytes.
    void fill(std::span<std::byte> out) {
        constexpr float kDeviation = 0.02F;
        constexpr float kUnit = 1.0F / 16777216.0F;
        constexpr float kTurn = 6.2831853F;
        for (std::size_t i = 0; i + 4 <= out.size() + 2; i += 4) { // Box-Muller makes two
            const std::uint64_t bits = next();
            const float u = (static_cast<float>(bits >> 40U) + 1.0F) * kUnit;
            const float v = static_cast<float>(bits & 0xFFFFFFU) * kUnit;
            const float r = kDeviation * std::sqrt(-2.0F * std::log(u));
            put(out, i, r * std::cos(kTurn * v));
            put(out, i + 2, r * std::sin(kTurn * v));
        }
    }

  private:
    static void put(std::span<std::byte> out, std::size_t at, float value) {
        if (at + 2 > out.size()) {
            return;
        }
        const auto bits = std::bit_cast<std::uint32_t>(value);
        const std::uint32_t rounded = (bits + 0x7FFFU + (bits >> 16U & 1U)) >> 16U;
        out[at] = static_cast<std::byte>(rounded & 0xFFU);
        out[at + 1] = static_cast<std::byte>(rounded >> 8U & 0xFFU);
    }

    std::uint64_t state_;
};

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "cas_bench: %s\n", what.c_str());
    std::exit(1);
}

template <class T> T need(Result<T> result) {
    if (!result) {
        fail(result.error().describe());
    }
    return std::move(result).value();
}

void need(const Status& status) {
    if (!status) {
        fail(status.error().describe());
    }
}

/// Both versions as files: held in memory they would drown the peak of what is measured.
void write_versions(const std::filesystem::path& folder, std::uint64_t size) {
    Weights weights(1);
    const Fd v1 = need(locara::open_file(folder / "v1", O_RDWR | O_CREAT | O_TRUNC));
    const Fd v2 = need(locara::open_file(folder / "v2", O_RDWR | O_CREAT | O_TRUNC));
    const std::uint64_t regions = size / kRegion;
    std::unordered_set<std::uint64_t> edited;
    Weights choice(2);
    while (edited.size() < (regions * kEditedPer16384 + 8192) / 16384) {
        edited.insert(choice.next() % regions);
    }
    Weights edits(3);
    const std::uint64_t third = size / 3 / 2 * 2;
    Bytes region(kRegion);
    Bytes edit(kEdit);
    Bytes inserted(kInserted);
    edits.fill(inserted);
    for (std::uint64_t i = 0; i < regions; ++i) {
        const std::uint64_t at = i * kRegion;
        weights.fill(region);
        need(write_all_at(v1, at, region));
        if (edited.contains(i)) {
            edits.fill(edit);
            std::copy(edit.begin(), edit.end(), region.begin());
        }
        const std::uint64_t before =
            at + kRegion <= third ? kRegion : (at >= third ? 0 : third - at);
        need(write_all_at(v2, at, ByteView(region).first(before)));
        if (before < kRegion) {
            if (at <= third) {
                need(write_all_at(v2, third, inserted));
            }
            need(write_all_at(v2, at + before + kInserted, ByteView(region).subspan(before)));
        }
    }
}

/// What must be new, by the chunker alone.
struct Expected {
    std::uint64_t chunks = 0;
    std::uint64_t bytes = 0;
};

Expected expect_new(const std::filesystem::path& path, std::unordered_set<xet::ChunkHash>& known) {
    Expected expected;
    const Fd fd = need(locara::open_file(path, O_RDONLY));
    const std::uint64_t size = need(regular_file_size(fd, path));
    xet::Chunker chunker;
    const xet::Chunker::Sink sink = [&](const xet::Chunk& chunk, ByteView) -> Status {
        if (known.insert(chunk.hash).second) {
            ++expected.chunks;
            expected.bytes += chunk.length;
        }
        return {};
    };
    Bytes block(1U << 20U);
    for (std::uint64_t at = 0; at < size; at += block.size()) {
        block.resize(std::min<std::uint64_t>(block.size(), size - at));
        need(read_exactly_at(fd, at, block));
        need(chunker.update(block, sink));
    }
    need(chunker.finish(sink));
    return expected;
}

std::uint64_t bytes_of(const Cas& cas) {
    const Stats stats = need(cas.stats());
    return stats.xorbs.bytes + stats.files.bytes + stats.entries.bytes + stats.other.bytes;
}

long peak_kib() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void check_same(const Cas& cas, const xet::FileHash& file, const std::filesystem::path& path) {
    const Fd fd = need(locara::open_file(path, O_RDONLY));
    std::uint64_t at = 0;
    Bytes there;
    need(cas.read(file, std::nullopt, [&](ByteView bytes) -> Status {
        there.resize(bytes.size());
        LOCARA_CHECK(read_exactly_at(fd, at, there));
        if (!std::equal(there.begin(), there.end(), bytes.begin())) {
            return Error(ErrorCode::Corrupt, "other bytes come back at " + std::to_string(at));
        }
        at += bytes.size();
        return {};
    }));
    if (at != need(regular_file_size(fd, path))) {
        fail("another number of bytes comes back");
    }
}

int run(std::uint64_t mib, const std::filesystem::path& parent) {
    const TempFolder folder = need(TempFolder::create(parent, "cas-bench-"));
    const std::uint64_t size = mib << 20U;
    write_versions(folder.path(), size);
    std::unordered_set<xet::ChunkHash> known;
    const std::array<Expected, 2> expected{expect_new(folder.path() / "v1", known),
                                           expect_new(folder.path() / "v2", known)};
    known = {};
    const auto backend = need(open_directory(folder.path() / "store"));
    const long before_kib = peak_kib();
    std::uint64_t stored = 0;
    std::printf("input: %.1f MB of bf16 weights, then its second version\n",
                static_cast<double>(size) / kMega);
    for (std::size_t i = 0; i < 2; ++i) {
        // A new Cas each time: the second one finds what is known in the store itself.
        Cas cas(*backend);
        const std::filesystem::path path = folder.path() / (i == 0 ? "v1" : "v2");
        const Fd fd = need(locara::open_file(path, O_RDONLY));
        const auto start = std::chrono::steady_clock::now();
        const Ingested in = need(cas.ingest(fd));
        const double seconds = seconds_since(start);
        if (in.new_chunks != expected[i].chunks || in.new_raw_bytes != expected[i].bytes) {
            fail("stored " + std::to_string(in.new_chunks) + " new chunks of " +
                 std::to_string(in.new_raw_bytes) + " bytes; the chunker says " +
                 std::to_string(expected[i].chunks) + " of " + std::to_string(expected[i].bytes));
        }
        const std::uint64_t now = bytes_of(cas);
        std::printf("v%zu: %llu of %llu chunks new, %llu raw bytes; store grew by %llu bytes "
                    "(%.3f of the raw ones, %.4f of the file); %.2f s, %.3f GB/s\n",
                    i + 1,
                    static_cast<unsigned long long>(in.new_chunks),
                    static_cast<unsigned long long>(in.chunks),
                    static_cast<unsigned long long>(in.new_raw_bytes),
                    static_cast<unsigned long long>(now - stored),
                    static_cast<double>(now - stored) / static_cast<double>(in.new_raw_bytes),
                    static_cast<double>(now - stored) / static_cast<double>(in.info.size),
                    seconds,
                    static_cast<double>(in.info.size) / 1e9 / seconds);
        stored = now;
        const auto reading = std::chrono::steady_clock::now();
        check_same(cas, in.info.hash, path);
        std::printf("    read back, every chunk verified, and compared: %.2f s\n",
                    seconds_since(reading));
    }
    std::printf("peak memory: %.1f MiB, %.1f of it before the first ingest\n",
                static_cast<double>(peak_kib()) / 1024,
                static_cast<double>(before_kib) / 1024);
    return 0;
}

} // namespace
} // namespace locara::cas

int main(int argc, char** argv) {
    const std::uint64_t mib = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1024;
    if (mib == 0 || mib > 65'536) {
        locara::cas::fail("the first argument is a size in MiB, 1 to 65536");
    }
    if (argc > 3 && std::string(argv[2]) == "--write") {
        locara::cas::write_versions(argv[3], mib << 20U);
        return 0;
    }
    return locara::cas::run(mib, argc > 2 ? argv[2] : "/tmp");
}
