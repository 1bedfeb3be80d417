#include "term.hpp"

#include <locara/base/json.hpp>
#include <locara/xet/reconstruction.hpp>

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

namespace locara::xet {

namespace {

Error corrupt(std::string what) {
    return {ErrorCode::Corrupt, "a reconstruction is not valid: " + std::move(what)};
}

Error too_large(std::string what) {
    return {ErrorCode::TooLarge, "a reconstruction has too many " + std::move(what)};
}

std::string render(ChunkRange range) {
    return std::to_string(range.begin) + ".." + std::to_string(range.end);
}

// --- Planning -----------------------------------------------------------------------------------

/// The chunk of a term that holds raw byte `offset` of its xorb. REQUIRES: there is one.
std::uint32_t chunk_at(const XorbTable& table, std::uint64_t offset) {
    const auto chunks = table.chunks();
    const auto found =
        std::ranges::upper_bound(chunks, offset, {}, [](const TableChunk& c) { return c.raw_end; });
    LOCARA_ASSERT(found != chunks.end());
    return static_cast<std::uint32_t>(found - chunks.begin());
}

/// Joins ranges that touch or overlap; the answer ascends.
std::vector<ChunkRange> merge_ranges(std::vector<ChunkRange> ranges) {
    std::ranges::sort(ranges);
    std::vector<ChunkRange> merged;
    for (const ChunkRange& range : ranges) {
        if (!merged.empty() && range.begin <= merged.back().end) {
            merged.back().end = std::max(merged.back().end, range.end);
        } else {
            merged.push_back(range);
        }
    }
    return merged;
}

Result<const XorbTable*> find_table(const FindTable& find, const XorbHash& hash) {
    const XorbTable* table = find(hash);
    if (table == nullptr) {
        return Error(ErrorCode::NotFound, "xorb " + hash.render() + " is not known");
    }
    return table;
}

} // namespace

Result<Plan> make_plan(const FileBlock& file,
                       std::optional<ByteRange> wanted,
                       const FindTable& find,
                       const MakeUrl& make_url) {
    ByteRange bytes{0, file.size()};
    if (wanted) {
        if (wanted->begin >= wanted->end || wanted->begin >= bytes.end) {
            return Error(ErrorCode::InvalidArgument,
                         "the file of " + std::to_string(bytes.end) + " bytes has no bytes " +
                             std::to_string(wanted->begin) + " to " + std::to_string(wanted->end));
        }
        bytes = {wanted->begin, std::min(wanted->end, bytes.end)};
    }
    Plan plan;
    std::unordered_map<XorbHash, std::size_t> places; // in plan.xorbs and needed
    std::vector<std::vector<ChunkRange>> needed;
    std::uint64_t begin = 0; // of the term, in the file
    for (const FileTerm& whole : file.terms) {
        const std::uint64_t end = begin + whole.raw_bytes;
        if (end > bytes.begin && begin < bytes.end) {
            LOCARA_TRY(const XorbTable* table, find_table(find, whole.xorb));
            const auto raw = table->raw_range(whole.chunks);
            if (!raw || raw->size() != whole.raw_bytes) {
                return Error(ErrorCode::Corrupt,
                             "a term of file " + file.hash.render() + " contradicts xorb " +
                                 whole.xorb.render());
            }
            FileTerm term = whole;
            std::uint64_t skipped = 0;
            if (begin < bytes.begin) {
                term.chunks.begin = chunk_at(*table, raw->begin + (bytes.begin - begin));
                skipped = table->raw_range({whole.chunks.begin, term.chunks.begin})->size();
                plan.offset_into_first_range = bytes.begin - begin - skipped;
            }
            if (end > bytes.end) {
                term.chunks.end = chunk_at(*table, raw->begin + (bytes.end - begin) - 1) + 1;
            }
            term.raw_bytes = static_cast<std::uint32_t>(table->raw_range(term.chunks)->size());
            plan.terms.push_back(term);
            const auto [place, added] = places.try_emplace(term.xorb, needed.size());
            if (added) {
                needed.emplace_back();
                plan.xorbs.push_back({term.xorb, {}});
            }
            needed[place->second].push_back(term.chunks);
        }
        begin = end;
    }
    for (std::size_t i = 0; i < needed.size(); ++i) {
        XorbFetch& fetch = plan.xorbs[i];
        LOCARA_TRY(const XorbTable* table, find_table(find, fetch.xorb));
        for (const ChunkRange& chunks : merge_ranges(std::move(needed[i]))) {
            LOCARA_TRY(const auto packed, table->packed_range(chunks));
            const FetchRange range{chunks, packed};
            fetch.entries.push_back({make_url(fetch.xorb, range), {range}});
        }
    }
    return plan;
}

// --- Validation ---------------------------------------------------------------------------------

namespace {

/// The ranges of a xorb by their first chunk, each with the one that reaches furthest so far: a
/// term lies inside some range exactly if it lies inside the furthest of those that begin early
/// enough.
struct RangeIndex {
    struct Row {
        std::uint32_t begin = 0;
        PlanSource furthest;
    };

    std::vector<Row> rows;

    explicit RangeIndex(const XorbFetch& fetch) {
        for (const FetchEntry& entry : fetch.entries) {
            for (const FetchRange& range : entry.ranges) {
                rows.push_back({range.chunks.begin, {&fetch, &entry, &range}});
            }
        }
        std::ranges::stable_sort(rows, {}, &Row::begin);
        for (std::size_t i = 1; i < rows.size(); ++i) {
            const PlanSource& before = rows[i - 1].furthest;
            if (before.range->chunks.end >= rows[i].furthest.range->chunks.end) {
                rows[i].furthest = before;
            }
        }
    }

    const PlanSource* find(ChunkRange chunks) const {
        auto row = std::ranges::upper_bound(rows, chunks.begin, {}, &Row::begin);
        if (row == rows.begin() || (--row)->furthest.range->chunks.end < chunks.end) {
            return nullptr;
        }
        return &row->furthest;
    }
};

bool is_printable(std::string_view url) {
    return std::ranges::all_of(url, [](char c) { return c > ' ' && c < '\x7f'; });
}

Status check_fetch_range(const FetchRange& range) {
    if (range.chunks.begin >= range.chunks.end || range.chunks.end > kMaxXorbChunks) {
        return corrupt("no xorb has the chunks " + render(range.chunks));
    }
    if (range.bytes.begin >= range.bytes.end || range.bytes.end > kMaxRecordBytes) {
        return corrupt("no xorb has the bytes " + std::to_string(range.bytes.begin) + ".." +
                       std::to_string(range.bytes.end));
    }
    const std::uint64_t count = range.chunks.size();
    if (range.bytes.size() < count * (kChunkHeaderBytes + 1) ||
        range.bytes.size() > count * (kChunkHeaderBytes + kMaxPackedBytes)) {
        return corrupt(std::to_string(count) + " chunks cannot have " +
                       std::to_string(range.bytes.size()) + " bytes");
    }
    return {};
}

Status check_entry(const FetchEntry& entry) {
    if (entry.url.empty() || entry.url.size() > kMaxPlanUrlBytes || !is_printable(entry.url)) {
        return corrupt("a URL is empty, too long or not printable");
    }
    if (entry.ranges.empty()) {
        return corrupt("an entry has no ranges");
    }
    for (std::size_t i = 0; i < entry.ranges.size(); ++i) {
        const FetchRange& range = entry.ranges[i];
        LOCARA_CHECK(check_fetch_range(range));
        if (i > 0 && (range.chunks.begin < entry.ranges[i - 1].chunks.end ||
                      range.bytes.begin < entry.ranges[i - 1].bytes.end)) {
            return corrupt("the ranges of an entry overlap or do not ascend");
        }
    }
    return {};
}

} // namespace

Result<std::vector<PlanSource>> find_sources(const Plan& plan) {
    std::unordered_map<XorbHash, RangeIndex> indices;
    for (const XorbFetch& fetch : plan.xorbs) {
        if (!indices.try_emplace(fetch.xorb, fetch).second) {
            return corrupt("xorb " + fetch.xorb.render() + " is there twice");
        }
    }
    std::vector<PlanSource> sources;
    sources.reserve(plan.terms.size());
    for (const FileTerm& term : plan.terms) {
        const auto index = indices.find(term.xorb);
        const PlanSource* source =
            index == indices.end() ? nullptr : index->second.find(term.chunks);
        if (source == nullptr) {
            return corrupt("no range has the chunks " + render(term.chunks) + " of xorb " +
                           term.xorb.render());
        }
        sources.push_back(*source);
    }
    return sources;
}

Status validate_plan(const Plan& plan, std::optional<std::uint64_t> wanted) {
    if (plan.terms.size() > kMaxPlanTerms) {
        return too_large("terms");
    }
    if (plan.xorbs.size() > kMaxPlanXorbs) {
        return too_large("xorbs");
    }
    std::size_t ranges = 0;
    for (const XorbFetch& fetch : plan.xorbs) {
        if (fetch.entries.empty()) {
            return corrupt("a xorb has no entries");
        }
        for (const FetchEntry& entry : fetch.entries) {
            LOCARA_CHECK(check_entry(entry).context("xorb " + fetch.xorb.render()));
            ranges += entry.ranges.size();
        }
    }
    if (ranges > kMaxPlanRanges) {
        return too_large("ranges");
    }
    std::uint64_t total = 0;
    for (const FileTerm& term : plan.terms) {
        LOCARA_CHECK(check_term(term).context("a reconstruction is not valid"));
        total += term.raw_bytes;
    }
    LOCARA_CHECK(find_sources(plan));
    const std::uint64_t offset = plan.offset_into_first_range;
    if (plan.terms.empty() ? offset != 0 : offset >= plan.terms.front().raw_bytes) {
        return corrupt("the offset " + std::to_string(offset) + " is not in the first term");
    }
    if (wanted) {
        const std::uint64_t given = total - offset;
        const std::uint64_t last = plan.terms.empty() ? 0 : plan.terms.back().raw_bytes;
        // With one term the offset is inside it.
        const std::uint64_t before_last = plan.terms.size() > 1 ? given - last : 0;
        if (given < *wanted || (!plan.terms.empty() && before_last >= *wanted)) {
            return corrupt("the terms give " + std::to_string(given) + " bytes, " +
                           std::to_string(*wanted) + " are wanted");
        }
    }
    return {};
}

// --- JSON ---------------------------------------------------------------------------------------

namespace {

// Written by hand: ordered JSON objects take quadratic time in their keys, and a plan may have
// thousands of xorbs.
void append_range(std::string& out, const char* key, std::uint64_t start, std::uint64_t end) {
    out += '"';
    out += key;
    out += "\":{\"start\":";
    out += std::to_string(start);
    out += ",\"end\":";
    out += std::to_string(end);
    out += '}';
}

void append_bytes(std::string& out, const char* key, ByteRange bytes) {
    append_range(out, key, bytes.begin, bytes.end - 1); // closed end
}

void append_url(std::string& out, const std::string& url) {
    out += "\"url\":";
    out += render_json(Json(url));
}

/// Separates the members of a list: nothing before the first.
class Comma {
  public:
    void append(std::string& out) {
        if (!first_) {
            out += ',';
        }
        first_ = false;
    }

  private:
    bool first_ = true;
};

void append_head(std::string& out, const Plan& plan) {
    out += "{\"offset_into_first_range\":";
    out += std::to_string(plan.offset_into_first_range);
    out += ",\"terms\":[";
    Comma comma;
    for (const FileTerm& term : plan.terms) {
        comma.append(out);
        out += "{\"hash\":\"";
        out += term.xorb.render();
        out += "\",\"unpacked_length\":";
        out += std::to_string(term.raw_bytes);
        out += ',';
        append_range(out, "range", term.chunks.begin, term.chunks.end);
        out += '}';
    }
    out += ']';
}

/// The map of xorbs; `append_entry` writes what stands in one's list.
template <class AppendEntry>
std::string render_plan(const Plan& plan, const char* key, AppendEntry append_entry) {
    std::string out;
    append_head(out, plan);
    out += ",\"";
    out += key;
    out += "\":{";
    Comma comma;
    for (const XorbFetch& fetch : plan.xorbs) {
        comma.append(out);
        out += '"';
        out += fetch.xorb.render();
        out += "\":[";
        Comma entries;
        for (const FetchEntry& entry : fetch.entries) {
            append_entry(out, entry, entries);
        }
        out += ']';
    }
    out += "}}";
    return out;
}

} // namespace

std::string render_plan_v1(const Plan& plan) {
    return render_plan(
        plan, "fetch_info", [](std::string& out, const FetchEntry& entry, Comma& comma) {
            for (const FetchRange& range : entry.ranges) {
                comma.append(out);
                out += '{';
                append_range(out, "range", range.chunks.begin, range.chunks.end);
                out += ',';
                append_url(out, entry.url);
                out += ',';
                append_bytes(out, "url_range", range.bytes);
                out += '}';
            }
        });
}

std::string render_plan_v2(const Plan& plan) {
    return render_plan(plan, "xorbs", [](std::string& out, const FetchEntry& entry, Comma& comma) {
        comma.append(out);
        out += '{';
        append_url(out, entry.url);
        out += ",\"ranges\":[";
        Comma ranges;
        for (const FetchRange& range : entry.ranges) {
            ranges.append(out);
            out += '{';
            append_range(out, "chunks", range.chunks.begin, range.chunks.end);
            out += ',';
            append_bytes(out, "bytes", range.bytes);
            out += '}';
        }
        out += "]}";
    });
}

namespace {

/// The member of an object. Corrupt unless `json` is an object that has it.
Result<const Json*> member(const Json& json, const char* name) {
    if (!json.is_object()) {
        return corrupt(std::string("an object with '") + name + "' is wanted");
    }
    const auto found = json.find(name);
    if (found == json.end()) {
        return corrupt(std::string("'") + name + "' is missing");
    }
    return &*found;
}

Result<std::uint64_t> number(const Json& json, const char* name, std::uint64_t largest) {
    LOCARA_TRY(const Json* value, member(json, name));
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() > largest) {
        return corrupt(std::string("'") + name + "' is not a whole number up to " +
                       std::to_string(largest));
    }
    return value->get<std::uint64_t>();
}

Result<const Json*> list(const Json& json, const char* name, std::size_t largest) {
    LOCARA_TRY(const Json* value, member(json, name));
    if (!value->is_array()) {
        return corrupt(std::string("'") + name + "' is no list");
    }
    if (value->size() > largest) {
        return too_large(name);
    }
    return value;
}

Result<std::string> text(const Json& json, const char* name) {
    LOCARA_TRY(const Json* value, member(json, name));
    if (!value->is_string()) {
        return corrupt(std::string("'") + name + "' is no text");
    }
    return value->get<std::string>();
}

Result<XorbHash> hash(std::string_view text) {
    auto parsed = XorbHash::parse(text);
    if (!parsed) {
        return corrupt(parsed.error().message());
    }
    return parsed;
}

constexpr std::uint64_t kMaxIndex = std::numeric_limits<std::uint32_t>::max();

Result<ChunkRange> chunk_range(const Json& json, const char* name) {
    LOCARA_TRY(const Json* value, member(json, name));
    LOCARA_TRY(const auto start, number(*value, "start", kMaxIndex));
    LOCARA_TRY(const auto end, number(*value, "end", kMaxIndex));
    return ChunkRange{static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(end)};
}

Result<ByteRange> byte_range(const Json& json, const char* name) {
    LOCARA_TRY(const Json* value, member(json, name));
    LOCARA_TRY(const auto start, number(*value, "start", kMaxIndex));
    LOCARA_TRY(const auto last, number(*value, "end", kMaxIndex));
    return ByteRange{start, last + 1};
}

Result<FetchEntry> parse_entry_v1(const Json& json) {
    FetchEntry entry;
    FetchRange range;
    LOCARA_TRY(range.chunks, chunk_range(json, "range"));
    LOCARA_TRY(entry.url, text(json, "url"));
    LOCARA_TRY(range.bytes, byte_range(json, "url_range"));
    entry.ranges.push_back(range);
    return entry;
}

Result<FetchEntry> parse_entry_v2(const Json& json) {
    FetchEntry entry;
    LOCARA_TRY(entry.url, text(json, "url"));
    LOCARA_TRY(const Json* ranges, list(json, "ranges", kMaxPlanRanges));
    for (const Json& value : *ranges) {
        FetchRange range;
        LOCARA_TRY(range.chunks, chunk_range(value, "chunks"));
        LOCARA_TRY(range.bytes, byte_range(value, "bytes"));
        entry.ranges.push_back(range);
    }
    return entry;
}

Result<FileTerm> parse_term(const Json& json) {
    FileTerm term;
    LOCARA_TRY(const auto name, text(json, "hash"));
    LOCARA_TRY(term.xorb, hash(name));
    LOCARA_TRY(const auto raw, number(json, "unpacked_length", kMaxIndex));
    LOCARA_TRY(term.chunks, chunk_range(json, "range"));
    term.raw_bytes = static_cast<std::uint32_t>(raw);
    return term;
}

Result<Plan>
parse_plan(std::string_view json, const char* key, Result<FetchEntry> (*parse_entry)(const Json&)) {
    const auto parsed =
        parse_json(json, {.bytes = kMaxPlanJsonBytes, .depth = 8, .keys = kMaxPlanXorbs});
    if (!parsed) {
        if (parsed.error().code() == ErrorCode::TooLarge) {
            return parsed.error();
        }
        return corrupt(parsed.error().message());
    }
    Plan plan;
    LOCARA_TRY(plan.offset_into_first_range, number(*parsed, "offset_into_first_range", kMaxIndex));
    LOCARA_TRY(const Json* terms, list(*parsed, "terms", kMaxPlanTerms));
    for (const Json& value : *terms) {
        LOCARA_TRY(const auto term, parse_term(value));
        plan.terms.push_back(term);
    }
    LOCARA_TRY(const Json* xorbs, member(*parsed, key));
    if (!xorbs->is_object()) {
        return corrupt(std::string("'") + key + "' is no object");
    }
    for (const auto& [name, entries] : xorbs->items()) {
        XorbFetch fetch;
        LOCARA_TRY(fetch.xorb, hash(name));
        if (!entries.is_array()) {
            return corrupt("the entries of a xorb are no list");
        }
        for (const Json& value : entries) {
            LOCARA_TRY(auto entry, parse_entry(value));
            fetch.entries.push_back(std::move(entry));
        }
        plan.xorbs.push_back(std::move(fetch));
    }
    LOCARA_CHECK(validate_plan(plan));
    return plan;
}

} // namespace

Result<Plan> parse_plan_v1(std::string_view json) {
    return parse_plan(json, "fetch_info", parse_entry_v1);
}

Result<Plan> parse_plan_v2(std::string_view json) {
    return parse_plan(json, "xorbs", parse_entry_v2);
}

} // namespace locara::xet
