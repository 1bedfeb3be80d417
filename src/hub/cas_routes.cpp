// The questions of a Xet client: how to put a file together, which chunks are here already.
#include "cas_access.hpp"
#include "routes.hpp"
#include "xet_links.hpp"

#include <set>
#include <tuple>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kBatchLimit = 100;
/// Over all files of a batch; 16 GiB of weights without anything in common have about 1,000.
constexpr std::size_t kBatchTermLimit = 1U << 16U;
/// Ranges behind one URL, so that it stays short enough for every client and proxy.
constexpr std::size_t kRangesPerUrl = 32;
constexpr std::size_t kTelemetryLimit = 64U << 10U;

// --------------------------------------------------------------------------------------- URLs

/// How many ranges of a xorb share a URL. The first version of the protocol knows only one.
enum class UrlFor { EachRange, ManyRanges };

/// The entries of one xorb with signed URLs, each another one: clients tell entries apart by them.
std::vector<xet::FetchEntry> sign_entries(const Services& services,
                                          const std::string& base,
                                          const xet::XorbFetch& fetch,
                                          UrlFor url_for) {
    const std::size_t most = url_for == UrlFor::EachRange ? 1 : kRangesPerUrl;
    const TimePoint expires = services.clock.now() + kDataUrlLife;
    std::vector<xet::FetchEntry> entries;
    for (const xet::FetchEntry& unsigned_entry : fetch.entries) {
        for (const xet::FetchRange& range : unsigned_entry.ranges) {
            if (entries.empty() || entries.back().ranges.size() == most) {
                entries.emplace_back();
            }
            entries.back().ranges.push_back(range);
        }
    }
    for (xet::FetchEntry& entry : entries) {
        std::vector<Span> spans;
        for (const xet::FetchRange& range : entry.ranges) {
            spans.push_back({range.bytes.begin, range.bytes.end});
        }
        entry.url = base + "/xorbs/" + fetch.xorb.render() + "?" +
                    services.signer.make_query(fetch.xorb, spans, expires);
    }
    return entries;
}

// ----------------------------------------------------------------------------- reconstruction

/// The bytes of a file that a request's Range header names; all without one.
Answer<std::optional<xet::ByteRange>> wanted_range(const Request& request, std::uint64_t size) {
    const auto range = http::resolve_range(request.headers.find("Range"), size);
    if (range.kind == http::ByteRange::Kind::Unsatisfiable) {
        Refusal refusal(
            416, "", "the range lies behind the end of these " + std::to_string(size) + " bytes");
        refusal.headers.add("Content-Range", "bytes */" + std::to_string(size));
        return refusal;
    }
    if (range.kind == http::ByteRange::Kind::Whole) {
        return std::optional<xet::ByteRange>();
    }
    return std::optional(xet::ByteRange{range.offset, range.offset + range.length});
}

/// A plan whose URLs are still to come: which ranges share one is known later.
Answer<xet::Plan> unsigned_plan(const Services& services,
                                const StoredFile& file,
                                std::optional<xet::ByteRange> range) {
    const auto none = [](const xet::XorbHash&, const xet::FetchRange&) { return std::string(); };
    LOCARA_TRY(xet::Plan plan, services.cas.plan(file.xet, range, none));
    return plan;
}

void sign_plan(const Services& services, const Request& request, xet::Plan& plan, UrlFor url_for) {
    const std::string base = cas_url(request);
    for (xet::XorbFetch& fetch : plan.xorbs) {
        fetch.entries = sign_entries(services, base, fetch, url_for);
    }
}

Answer<Response> reconstruct(const Services& services, const Request& request, UrlFor url_for) {
    LOCARA_TRY(const XetClaims claims, require_xet(services, request, XetRole::Read));
    LOCARA_TRY(const StoredFile file, require_file(services, claims, request.param("file")));
    LOCARA_TRY(const auto range, wanted_range(request, file.size));
    LOCARA_TRY(xet::Plan plan, unsigned_plan(services, file, range));
    sign_plan(services, request, plan, url_for);
    return http::json_response(
        200, url_for == UrlFor::EachRange ? xet::render_plan_v1(plan) : xet::render_plan_v2(plan));
}

/// Several files at once, each whole; always in the first version's form. Signing and rendering
/// cost time for every term, so there is a limit on all of them together.
Answer<Response> reconstruct_batch(const Services& services, const Request& request) {
    LOCARA_TRY(const XetClaims claims, require_xet(services, request, XetRole::Read));
    const auto wanted = request.query.all("file_id");
    if (wanted.empty() || wanted.size() > kBatchLimit) {
        return bad_request("name 1 to " + std::to_string(kBatchLimit) + " files as file_id=...");
    }
    Json files = Json::object();
    Json fetch = Json::object();
    std::set<std::tuple<xet::XorbHash, xet::ChunkRange, xet::ByteRange>> listed;
    std::size_t terms = 0;
    for (const std::string& hash : wanted) {
        if (files.contains(hash)) {
            continue; // named twice
        }
        LOCARA_TRY(const StoredFile file, require_file(services, claims, hash));
        LOCARA_TRY(xet::Plan plan, unsigned_plan(services, file, std::nullopt));
        terms += plan.terms.size();
        if (terms > kBatchTermLimit) {
            return Refusal(413,
                           "",
                           "these files have more than " + std::to_string(kBatchTermLimit) +
                               " terms; ask for fewer at once, or for each by itself");
        }
        for (xet::XorbFetch& xorb : plan.xorbs) {
            for (xet::FetchEntry& entry : xorb.entries) {
                std::erase_if(entry.ranges, [&](const xet::FetchRange& range) {
                    return !listed.emplace(xorb.xorb, range.chunks, range.bytes).second;
                });
            }
        }
        sign_plan(services, request, plan, UrlFor::EachRange);
        Json one = Json::parse(xet::render_plan_v1(plan)); // Our own text.
        files[hash] = std::move(one["terms"]);
        for (auto& [xorb, entries] : one["fetch_info"].items()) {
            Json& all = fetch[xorb];
            for (Json& entry : entries) {
                all.push_back(std::move(entry));
            }
        }
    }
    return json_answer({{"files", std::move(files)}, {"fetch_info", std::move(fetch)}});
}

// ------------------------------------------------------------------------------------- questions

Response shard_response(const Bytes& shard) {
    return http::text_response(200, "application/octet-stream", std::string(as_text(shard)));
}

/// Our own extension: the file's shard, so that a client can prove every chunk as it lands.
Answer<Response> file_shard(const Services& services, const Request& request) {
    LOCARA_TRY(const XetClaims claims, require_xet(services, request, XetRole::Read));
    LOCARA_TRY(const StoredFile file, require_file(services, claims, request.param("file")));
    LOCARA_TRY(const Bytes shard, services.cas.shard_of(file.xet));
    return shard_response(shard);
}

Answer<Response> find_chunk(const Services& services, const Request& request) {
    LOCARA_TRY(const XetClaims claims, require_xet(services, request, XetRole::Read));
    LOCARA_TRY(const auto chunk, parse_path_hash<xet::ChunkHash>(request.param("hash")));
    LOCARA_TRY(const auto shard, services.cas.find_dedup(chunk, may_use(services, claims)));
    if (!shard) {
        return Refusal(404, "", "no xorb with this chunk is known");
    }
    return shard_response(*shard);
}

Answer<Response> has_xorb(const Services& services, const Request& request) {
    LOCARA_TRY(const XetClaims claims, require_xet(services, request, XetRole::Read));
    LOCARA_TRY(const auto xorb, parse_path_hash<xet::XorbHash>(request.param("hash")));
    LOCARA_TRY(const bool here, services.cas.has_xorb(xorb));
    if (!here || !may_use(services, claims)(xorb)) {
        return Refusal(404, "", "there is no such xorb");
    }
    return http::json_response(200, "{}");
}

} // namespace

void add_cas_routes(Routes& routes, const Services& services) {
    const auto bind = [&services](Answer<Response> (*handle)(const Services&, const Request&)) {
        return [&services, handle](const Request& request) { return handle(services, request); };
    };
    routes.get("/cas/v1/reconstructions/{file}", [&services](const Request& request) {
        return reconstruct(services, request, UrlFor::EachRange);
    });
    routes.get("/cas/v2/reconstructions/{file}", [&services](const Request& request) {
        return reconstruct(services, request, UrlFor::ManyRanges);
    });
    routes.get("/cas/v1/reconstructions", bind(&reconstruct_batch));
    routes.get("/cas/v1/files/{file}/shard", bind(&file_shard));
    routes.get("/cas/v1/chunks/{prefix}/{hash}", bind(&find_chunk));
    routes.add("HEAD", "/cas/v1/xorbs/{prefix}/{hash}", bind(&has_xorb));
    // Taken and dropped: a hub has no use for what clients measure, and they insist.
    routes.add("POST", "/cas/v1/telemetry", [](const Request& request) -> Answer<Response> {
        if (request.body.size() > kTelemetryLimit) {
            return Refusal(413, "", "that is too much telemetry");
        }
        return json_answer(Json::object());
    });
    add_cas_upload_routes(routes, services);
    add_cas_data_routes(routes, services);
}

} // namespace locara::hub
