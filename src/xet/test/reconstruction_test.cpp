#include "support.hpp"

#include <locara/base/json.hpp>
#include <locara/test_support/golden.hpp>
#include <locara/xet/reconstruction.hpp>

#include <gtest/gtest.h>

namespace locara::xet {
namespace {

std::string url(const XorbHash& xorb, const FetchRange& range) {
    return "http://127.0.0.1/xorbs/" + xorb.render() +
           "?chunks=" + std::to_string(range.chunks.begin);
}

/// The files of the example shard over the example xorb.
struct Example {
    Shard shard = parse_shard(read_bytes("example.shard")).value();
    Bytes xorb = read_bytes("example.xorb");
    Tables tables;

    Example() { tables.add(verify_xorb(xorb, shard.xorbs[0].hash).value()); }

    const FileBlock& copy() const { return shard.files[3]; }

    Plan plan(std::optional<ByteRange> wanted = std::nullopt) const {
        return make_plan(copy(), wanted, tables.find(), url).value();
    }
};

/// Carries a plan out as a client would, over one xorb in memory.
Bytes carry_out(const Plan& plan, ByteView xorb, std::uint64_t wanted) {
    Bytes out;
    const auto sources = find_sources(plan).value();
    for (std::size_t i = 0; i < plan.terms.size(); ++i) {
        const FetchRange& range = *sources[i].range;
        std::uint32_t index = range.chunks.begin;
        XorbReader reader([&](const XorbReader::Chunk& chunk) -> Status {
            if (index >= plan.terms[i].chunks.begin && index < plan.terms[i].chunks.end) {
                out.insert(out.end(), chunk.raw.begin(), chunk.raw.end());
            }
            ++index;
            return {};
        });
        EXPECT_TRUE(reader.update(xorb.subspan(range.bytes.begin, range.bytes.size())));
        EXPECT_EQ(reader.finish()->table.size(), range.chunks.size());
    }
    out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(plan.offset_into_first_range));
    EXPECT_GE(out.size(), wanted);
    out.resize(wanted);
    return out;
}

Bytes copy_bin() {
    Bytes bytes = random_bytes(7, 150'000);
    const Bytes text = text_lines(20'000);
    bytes.insert(bytes.end(), text.begin(), text.end());
    return bytes;
}

// --- Planning -----------------------------------------------------------------------------------

TEST(PlanTest, whole_file_merges_ranges_that_touch) {
    const Example example;
    const Plan plan = example.plan();
    EXPECT_EQ(plan.offset_into_first_range, 0U);
    EXPECT_EQ(plan.terms, example.copy().terms);
    ASSERT_EQ(plan.xorbs.size(), 1U);
    // 8..10 alone; 13..15 and 12..13 become 12..15 (docs/formats/reconstruction.md).
    ASSERT_EQ(plan.xorbs[0].entries.size(), 2U);
    EXPECT_EQ(plan.xorbs[0].entries[0].ranges,
              (std::vector<FetchRange>{{{8, 10}, {241'090, 279'856}}}));
    EXPECT_EQ(plan.xorbs[0].entries[1].ranges,
              (std::vector<FetchRange>{{{12, 15}, {410'790, 577'168}}}));
    EXPECT_NE(plan.xorbs[0].entries[0].url, plan.xorbs[0].entries[1].url);
    EXPECT_TRUE(validate_plan(plan, example.copy().size()));
}

TEST(PlanTest, a_few_bytes_take_the_chunk_that_holds_them) {
    const Example example;
    const Plan plan = example.plan(ByteRange{40'000, 40'010});
    EXPECT_EQ(plan.offset_into_first_range, 1'250U);
    ASSERT_EQ(plan.terms.size(), 1U);
    EXPECT_EQ(plan.terms[0].chunks, (ChunkRange{13, 14}));
    EXPECT_EQ(plan.terms[0].raw_bytes, 131'072U);
    EXPECT_EQ(plan.xorbs[0].entries[0].ranges[0].bytes, (ByteRange{443'710, 561'911}));
}

TEST(PlanTest, carried_out_it_gives_the_bytes_asked_for) {
    const Example example;
    const Bytes file = copy_bin();
    EXPECT_EQ(carry_out(example.plan(), example.xorb, file.size()), file);
    SplitMix random(30);
    std::vector<ByteRange> ranges{{0, 1}, {358'889, 358'890}, {22'352, 22'354}, {38'750, 269'522}};
    for (int i = 0; i < 60; ++i) {
        const std::uint64_t begin = random.below(file.size());
        ranges.push_back({begin, begin + 1 + random.below(file.size() - begin)});
    }
    for (const ByteRange& range : ranges) {
        const Plan plan = example.plan(range);
        ASSERT_TRUE(validate_plan(plan, range.size())) << range.begin << ' ' << range.end;
        const auto bytes = carry_out(plan, example.xorb, range.size());
        ASSERT_EQ(bytes,
                  Bytes(file.begin() + static_cast<std::ptrdiff_t>(range.begin),
                        file.begin() + static_cast<std::ptrdiff_t>(range.end)));
    }
}

TEST(PlanTest, an_end_past_the_file_is_cut_and_a_begin_past_it_is_refused) {
    const Example example;
    EXPECT_EQ(example.plan(ByteRange{5, ~0ULL}), example.plan(ByteRange{5, 358'890}));
    for (const ByteRange bad : {ByteRange{358'890, 358'891}, {7, 7}, {9, 3}, {~0ULL, ~0ULL}}) {
        const auto plan = make_plan(example.copy(), bad, example.tables.find(), url);
        ASSERT_FALSE(plan);
        EXPECT_EQ(plan.error().code(), ErrorCode::InvalidArgument);
    }
}

TEST(PlanTest, empty_file_has_an_empty_plan) {
    const auto plan = make_plan({}, std::nullopt, Tables().find(), url);
    ASSERT_TRUE(plan);
    EXPECT_EQ(*plan, Plan{});
    EXPECT_TRUE(validate_plan(*plan, 0));
    EXPECT_FALSE(make_plan({}, ByteRange{0, 1}, Tables().find(), url));
    EXPECT_EQ(parse_plan_v2(render_plan_v2(*plan)).value(), *plan);
}

TEST(PlanTest, unknown_xorbs_and_terms_that_contradict_them_are_errors) {
    const Example example;
    EXPECT_EQ(make_plan(example.copy(), {}, Tables().find(), url).error().code(),
              ErrorCode::NotFound);
    FileBlock file = example.copy();
    file.terms[1].raw_bytes -= 1;
    EXPECT_EQ(make_plan(file, {}, example.tables.find(), url).error().code(), ErrorCode::Corrupt);
    file = example.copy();
    file.terms[1].chunks.end = 16;
    EXPECT_EQ(make_plan(file, {}, example.tables.find(), url).error().code(), ErrorCode::Corrupt);
}

// --- JSON ---------------------------------------------------------------------------------------

TEST(PlanTest, json_has_golden_text_and_reads_back) {
    const Example example;
    const Plan plan = example.plan(ByteRange{30'000, 300'000});
    const std::string v1 = render_plan_v1(plan);
    const std::string v2 = render_plan_v2(plan);
    EXPECT_GOLDEN("plan-v1.json", v1);
    EXPECT_GOLDEN("plan-v2.json", v2);
    EXPECT_EQ(parse_plan_v1(v1).value(), plan);
    EXPECT_EQ(parse_plan_v2(v2).value(), plan);
}

TEST(PlanTest, examples_of_the_api_description_parse) {
    const std::string hash = "a1b2c3d4e5f6789012345678901234567890abcdef1234567890abcdef123456";
    const std::string head = R"({"offset_into_first_range": 0, "terms": [{"hash": ")" + hash +
                             R"(", "unpacked_length": 263873, "range": {"start": 0, "end": 4}}], )";
    const auto v1 = parse_plan_v1(head + R"("fetch_info": {")" + hash +
                                  R"(": [{"range": {"start": 0, "end": 4},
        "url": "https://transfer.example/xorb", "url_range": {"start": 0, "end": 131071}}]}})");
    ASSERT_TRUE(v1) << v1.error().describe();
    EXPECT_EQ(v1->xorbs[0].entries[0].ranges[0].bytes, (ByteRange{0, 131'072}));
    const auto v2 = parse_plan_v2(head + R"("xorbs": {")" + hash +
                                  R"(": [{"url": "https://transfer.example/xorb", "ranges":
        [{"chunks": {"start": 0, "end": 4}, "bytes": {"start": 0, "end": 131071}}]}]}})");
    ASSERT_TRUE(v2) << v2.error().describe();
    EXPECT_EQ(*v2, *v1);
}

TEST(PlanTest, entries_with_many_ranges_become_many_in_v1) {
    const Example example;
    Plan plan = example.plan();
    auto& entries = plan.xorbs[0].entries;
    entries[0].ranges.push_back(entries[1].ranges[0]);
    entries.pop_back();
    ASSERT_TRUE(validate_plan(plan));
    EXPECT_EQ(parse_plan_v2(render_plan_v2(plan)).value(), plan);
    const Plan v1 = parse_plan_v1(render_plan_v1(plan)).value();
    ASSERT_EQ(v1.xorbs[0].entries.size(), 2U);
    EXPECT_EQ(v1.xorbs[0].entries[1].url, v1.xorbs[0].entries[0].url);
}

TEST(PlanTest, plans_that_cannot_be_carried_out_are_refused) {
    const Example example;
    const auto refused = [&example](auto change) {
        Plan plan = example.plan();
        change(plan);
        const auto direct = validate_plan(plan);
        const auto v2 = parse_plan_v2(render_plan_v2(plan));
        return !direct && direct.error().code() == ErrorCode::Corrupt && !v2;
    };
    const auto range = [](Plan& p) -> FetchRange& { return p.xorbs[0].entries[1].ranges[0]; };
    EXPECT_FALSE(refused([](Plan&) {}));
    EXPECT_TRUE(refused([](Plan& p) { p.offset_into_first_range = 38'750; }));
    EXPECT_TRUE(refused([](Plan& p) { p.terms.clear(), p.offset_into_first_range = 1; }));
    EXPECT_TRUE(refused([](Plan& p) { p.terms[0].chunks.end = 11; }));
    EXPECT_TRUE(refused([](Plan& p) { p.terms[0].chunks = {9, 9}; }));
    EXPECT_TRUE(refused([](Plan& p) { p.terms[0].raw_bytes = 1; }));
    EXPECT_TRUE(refused([](Plan& p) { p.terms[0].xorb = {}; }));
    EXPECT_TRUE(refused([](Plan& p) { p.xorbs.clear(); }));
    EXPECT_TRUE(refused([](Plan& p) { p.xorbs.push_back(p.xorbs[0]); }));
    EXPECT_TRUE(refused([](Plan& p) { p.xorbs[0].entries.clear(); }));
    EXPECT_TRUE(refused([](Plan& p) { p.xorbs[0].entries[0].ranges.clear(); }));
    EXPECT_TRUE(refused([](Plan& p) { p.xorbs[0].entries[0].url.clear(); }));
    EXPECT_TRUE(refused([](Plan& p) { p.xorbs[0].entries[0].url += "\n"; }));
    EXPECT_TRUE(refused([](Plan& p) { p.xorbs[0].entries[0].url.resize(65'537, 'x'); }));
    EXPECT_TRUE(refused([&](Plan& p) { range(p).chunks.end = 8'193; }));
    EXPECT_TRUE(refused([&](Plan& p) { range(p).chunks.end = range(p).chunks.begin; }));
    EXPECT_TRUE(refused([&](Plan& p) { range(p).bytes.end = range(p).bytes.begin + 26; }));
    EXPECT_TRUE(refused([&](Plan& p) { range(p).bytes.end = kMaxRecordBytes + 1; }));
    EXPECT_TRUE(refused([&](Plan& p) {
        auto& ranges = p.xorbs[0].entries[0].ranges;
        ranges.insert(ranges.begin(), range(p)); // descending
    }));
}

TEST(PlanTest, lengths_must_add_up_to_what_was_asked_for) {
    const Example example;
    const Plan plan = example.plan(ByteRange{40'000, 300'000});
    EXPECT_TRUE(validate_plan(plan, 260'000));
    std::uint64_t given = 0;
    for (const FileTerm& term : plan.terms) {
        given += term.raw_bytes;
    }
    given -= plan.offset_into_first_range;
    EXPECT_TRUE(validate_plan(plan, given));
    EXPECT_FALSE(validate_plan(plan, given + 1));
    EXPECT_FALSE(
        validate_plan(plan, given - plan.terms.back().raw_bytes)); // the last is not needed
    EXPECT_TRUE(validate_plan(plan, given - plan.terms.back().raw_bytes + 1));
    EXPECT_FALSE(validate_plan(plan, 0));
}

TEST(PlanTest, a_term_over_two_ranges_has_no_source) {
    const Example example;
    Plan plan = example.plan();
    auto& entries = plan.xorbs[0].entries;
    const FetchEntry whole = entries[1]; // 12..15
    entries[1].ranges = {{{12, 14}, {410'790, 561'911}}};
    entries.push_back({"http://127.0.0.1/x", {{{14, 15}, {561'911, 577'168}}}});
    EXPECT_FALSE(find_sources(plan)); // 13..15 lies across both
    entries.push_back(whole);         // overlapping entries are allowed
    const auto sources = find_sources(plan);
    ASSERT_TRUE(sources);
    EXPECT_EQ(sources.value()[1].range->chunks, (ChunkRange{12, 15}));
}

TEST(PlanTest, malformed_json_is_corrupt_and_too_much_is_too_large) {
    const Example example;
    const std::string good = render_plan_v2(example.plan());
    ASSERT_TRUE(parse_plan_v2(good));
    for (std::size_t size = 0; size < good.size(); ++size) {
        const auto parsed = parse_plan_v2(good.substr(0, size));
        ASSERT_FALSE(parsed);
        EXPECT_EQ(parsed.error().code(), ErrorCode::Corrupt);
    }
    const auto with = [&good](const std::string& from, const std::string& to) {
        std::string text = good;
        text.replace(text.find(from), from.size(), to);
        const auto parsed = parse_plan_v2(text);
        return parsed ? std::nullopt : std::optional(parsed.error().code());
    };
    EXPECT_EQ(with("\"terms\":", "\"more\":{\"a\":[1]},\"terms\":"), std::nullopt);
    EXPECT_EQ(with("_range\":0", "_range\":-1"), ErrorCode::Corrupt);
    EXPECT_EQ(with("_range\":0", "_range\":0.0"), ErrorCode::Corrupt);
    EXPECT_EQ(with("_range\":0", "_range\":\"0\""), ErrorCode::Corrupt);
    EXPECT_EQ(with("_range\":0", "_range\":99999999999999999999"), ErrorCode::Corrupt);
    EXPECT_EQ(with("\"start\":8", "\"start\":4294967304"), ErrorCode::Corrupt);
    EXPECT_EQ(with("\"url\":", "\"uri\":"), ErrorCode::Corrupt);
    EXPECT_EQ(with("8044d1ca", "8044D1CA"), ErrorCode::Corrupt);
    EXPECT_EQ(parse_plan_v1(good).error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(parse_plan_v2(std::string(kMaxPlanJsonBytes + 1, ' ')).error().code(),
              ErrorCode::TooLarge);
    std::string many = R"({"offset_into_first_range":0,"xorbs":{},"terms":[)";
    for (std::size_t i = 0; i < kMaxPlanTerms; ++i) {
        many += "0,";
    }
    EXPECT_EQ(parse_plan_v2(many + "0]}").error().code(), ErrorCode::TooLarge);
}

} // namespace
} // namespace locara::xet
