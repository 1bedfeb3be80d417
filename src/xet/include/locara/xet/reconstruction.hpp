// Reconstruction plans: how to fetch a file, or a part of it, from ranges of xorbs.
//
// Follows the CAS API of the Xet protocol specification v1.1 (GET /v1 and /v2/reconstructions);
// docs/formats/reconstruction.md. A server makes a plan from a file's terms and the tables of its
// xorbs and renders it; a client parses one, fetches each range, unpacks its chunks and joins them
// in the order of the terms.
//
// A parsed plan is consistent, but nothing is trusted: the bytes that come are hashed, chunk by
// chunk, up to the file hash.
//
// Threads: plain values and functions.
#pragma once

#include <locara/base/result.hpp>
#include <locara/xet/hash.hpp>
#include <locara/xet/merkle.hpp>
#include <locara/xet/shard.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::xet {

/// Limits on plans that are parsed. A file of 1 TB without any dedup has 16,000 terms.
inline constexpr std::size_t kMaxPlanJsonBytes = 64U << 20U;
inline constexpr std::size_t kMaxPlanTerms = 1U << 18U;
inline constexpr std::size_t kMaxPlanXorbs = 16'384;
inline constexpr std::size_t kMaxPlanRanges = 1U << 18U; ///< Over all entries.
inline constexpr std::size_t kMaxPlanUrlBytes = 64U << 10U;

/// A run of chunks and the bytes of their records inside the xorb.
struct FetchRange {
    ChunkRange chunks;
    ByteRange bytes; ///< End open here; JSON and the Range header have it closed.

    bool operator==(const FetchRange&) const = default;
};

/// What one URL gives. More than one range means a multi-range request.
struct FetchEntry {
    std::string url;
    std::vector<FetchRange> ranges; ///< At least one, in ascending order, not overlapping.

    bool operator==(const FetchEntry&) const = default;
};

struct XorbFetch {
    XorbHash xorb;
    std::vector<FetchEntry> entries; ///< At least one.

    bool operator==(const XorbFetch&) const = default;
};

/// The bytes wanted are those of the terms one after another, without the first
/// `offset_into_first_range` bytes, and cut where the wanted length ends.
struct Plan {
    std::uint64_t offset_into_first_range = 0;
    std::vector<FileTerm> terms;
    std::vector<XorbFetch> xorbs; ///< In no order, each xorb once.

    bool operator==(const Plan&) const = default;
};

/// Makes the URL of an entry. Every call must give another URL: some clients tell entries apart by
/// nothing else.
using MakeUrl = std::function<std::string(const XorbHash& xorb, const FetchRange& range)>;

/// Plans a file, or its bytes [wanted.begin, wanted.end), an end past the file's being cut to it.
/// Terms are trimmed to the chunks that hold wanted bytes; ranges of one xorb that touch or overlap
/// become one; each entry has one range. The tables are believed: the file was verified when it was
/// registered. InvalidArgument when `wanted` is empty, backwards or begins at or past the end of
/// the file (HTTP 416); NotFound for a xorb without a table; Corrupt when a term contradicts its
/// table.
Result<Plan> make_plan(const FileBlock& file,
                       std::optional<ByteRange> wanted,
                       const FindTable& find,
                       const MakeUrl& make_url);

/// Where the chunks of a term are fetched: pointers into the plan.
struct PlanSource {
    const XorbFetch* xorb = nullptr;
    const FetchEntry* entry = nullptr;
    const FetchRange* range = nullptr; ///< Holds all chunks of the term.
};

/// The source of each term, in their order. Corrupt if a term lies in no range of its xorb.
Result<std::vector<PlanSource>> find_sources(const Plan& plan);

/// Checks that a plan can be carried out: limits; each term has chunks and a raw size they can
/// have; each lies inside one range of its xorb; the ranges of an entry ascend, do not overlap, and
/// have room for their chunks; URLs are printable; the offset lies in the first term. With
/// `wanted`, the number of bytes asked for: the terms give that many after the offset, and the last
/// one is needed. Corrupt if not, TooLarge past a limit.
Status validate_plan(const Plan& plan, std::optional<std::uint64_t> wanted = std::nullopt);

/// The two JSON forms. v1 has one range an entry, so there an entry with many becomes many with the
/// same URL.
std::string render_plan_v1(const Plan& plan);
std::string render_plan_v2(const Plan& plan);

/// Parses what a server sent and validates it. Fields must have their types and ranges; fields of
/// other names are ignored. TooLarge past a limit, else Corrupt with the place.
Result<Plan> parse_plan_v1(std::string_view json);
Result<Plan> parse_plan_v2(std::string_view json);

} // namespace locara::xet
