// What the tests of the chunk store make their stores and files of.
#pragma once

#include <locara/cas/cas.hpp>
#include <locara/xet/shard.hpp>
#include <locara/xet/xorb.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace locara::cas {

inline constexpr TimePoint kStart{std::chrono::seconds(1'800'000'000)};

/// The splitmix64 stream of a seed.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t z = state_;
        z = (z ^ z >> 30U) * 0xBF58476D1CE4E5B9U;
        z = (z ^ z >> 27U) * 0x94D049BB133111EBU;
        return z ^ z >> 31U;
    }

    std::uint64_t below(std::uint64_t n) { return next() % n; }

    Bytes bytes(std::size_t count) {
        Bytes out(count);
        for (std::size_t i = 0; i < count; i += 8) {
            std::uint64_t word = next();
            for (std::size_t k = i; k < std::min(count, i + 8); ++k, word >>= 8U) {
                out[k] = static_cast<std::byte>(word & 0xFFU);
            }
        }
        return out;
    }

    /// Bytes that compress: 16-bit values with few exponents.
    Bytes weights(std::size_t count) {
        Bytes out = bytes(count);
        for (std::size_t i = 1; i < count; i += 2) {
            out[i] = (out[i] & std::byte{0x81}) | std::byte{0x3C};
        }
        return out;
    }

  private:
    std::uint64_t state_;
};

inline Bytes join(const std::vector<Bytes>& parts) {
    Bytes out;
    for (const Bytes& part : parts) {
        out.insert(out.end(), part.begin(), part.end());
    }
    return out;
}

/// A xorb made of these chunks.
inline xet::Xorb make_xorb(const std::vector<Bytes>& chunks,
                           xet::Footer footer = xet::Footer::Without) {
    xet::XorbBuilder builder;
    for (const Bytes& chunk : chunks) {
        EXPECT_TRUE(builder.add(xet::chunk_hash(chunk), chunk));
    }
    return builder.finish(footer);
}

/// A run of chunks of a xorb.
struct Run {
    const xet::Xorb* xorb;
    xet::ChunkRange chunks;
};

/// The file that these runs make, with all proofs.
inline xet::FileBlock make_file(const std::vector<Run>& runs,
                                std::optional<Sha256> sha256 = std::nullopt) {
    xet::FileBlock file;
    std::vector<xet::ChunkInfo> all;
    for (const Run& run : runs) {
        const auto infos = run.xorb->table.infos(run.chunks).value();
        std::uint64_t size = 0;
        for (const auto& info : infos) {
            size += info.size;
        }
        file.terms.push_back({run.xorb->hash, run.chunks, static_cast<std::uint32_t>(size)});
        file.verification.push_back(xet::range_hash(infos));
        all.insert(all.end(), infos.begin(), infos.end());
    }
    file.hash = xet::file_hash(all);
    file.sha256 = sha256;
    return file;
}

inline Bytes make_shard(std::vector<xet::FileBlock> files) {
    xet::Shard shard;
    shard.files = std::move(files);
    return xet::render_shard(shard).value();
}

inline ShardOptions everybody() {
    ShardOptions options;
    options.may_use = [](const xet::XorbHash&) { return true; };
    return options;
}

inline Bytes read_all(const Cas& cas,
                      const xet::FileHash& file,
                      std::optional<xet::ByteRange> range = std::nullopt) {
    Bytes out;
    const auto read = cas.read(file, range, [&](ByteView bytes) -> Status {
        out.insert(out.end(), bytes.begin(), bytes.end());
        return {};
    });
    EXPECT_TRUE(read) << read.error().describe();
    return out;
}

inline Result<Ingested> ingest(Cas& cas,
                               ByteView bytes,
                               const std::optional<Sha256>& expected = std::nullopt,
                               std::size_t piece = 1U << 20U) {
    LOCARA_TRY(Ingest in, cas.begin_ingest());
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        LOCARA_CHECK(in.write(bytes.subspan(at, std::min(piece, bytes.size() - at))));
    }
    return in.finish(expected);
}

/// A Cas on a backend in memory, with a clock that tests move.
class CasTest : public testing::Test {
  protected:
    CasOptions options() {
        CasOptions o;
        o.clock = &clock;
        return o;
    }

    std::uint64_t objects(std::string_view prefix) {
        const auto page = backend->list(prefix, "").value();
        EXPECT_FALSE(page.next);
        return page.objects.size();
    }

    ErrorCode shard_error(const Bytes& shard, const ShardOptions& o = everybody()) {
        const auto put = cas.put_shard(shard, o);
        EXPECT_FALSE(put) << "the shard was taken";
        return put ? ErrorCode::Internal : put.error().code();
    }

    FakeClock clock{kStart};
    std::unique_ptr<Backend> backend = make_memory_backend(clock);
    Cas cas{*backend, options()};
    Random random{42};
};

} // namespace locara::cas
