// Files out of xorbs: every range of bytes, by every way.
#include "sample.hpp"

#include <locara/base/json.hpp>
#include <locara/test_support/folders.hpp>

#include <map>
#include <utility>

namespace locara::cas {
namespace {

/// A small file of many small chunks, raw and packed, over two xorbs.
class ReaderTest : public CasTest {
  protected:
    void SetUp() override { store(cas); }

    void store(Cas& to) {
        ASSERT_TRUE(to.put_xorb(first.hash, first.bytes));
        ASSERT_TRUE(to.put_xorb(second.hash, second.bytes));
        const auto put = to.put_shard(make_shard({file}), everybody());
        ASSERT_TRUE(put) << put.error().describe();
    }

    /// What a client does with a plan: fetches the ranges, unpacks, joins, cuts.
    Bytes carry_out(const xet::Plan& plan, std::uint64_t wanted) {
        Bytes joined;
        const auto sources = xet::find_sources(plan).value();
        for (std::size_t i = 0; i < plan.terms.size(); ++i) {
            const xet::FileTerm& term = plan.terms[i];
            const xet::PlanSource* const source = &sources.at(i);
            Bytes fetched(source->range->bytes.size());
            EXPECT_TRUE(cas.read_xorb(term.xorb, source->range->bytes.begin, fetched));
            std::uint32_t index = source->range->chunks.begin;
            xet::XorbReader reader([&](const xet::XorbReader::Chunk& chunk) -> Status {
                if (index >= term.chunks.begin && index < term.chunks.end) {
                    joined.insert(joined.end(), chunk.raw.begin(), chunk.raw.end());
                }
                ++index;
                return {};
            });
            EXPECT_TRUE(reader.update(fetched));
            EXPECT_TRUE(reader.finish());
        }
        EXPECT_GE(joined.size(), plan.offset_into_first_range + wanted);
        joined.erase(joined.begin(),
                     joined.begin() + static_cast<std::ptrdiff_t>(plan.offset_into_first_range));
        joined.resize(wanted);
        return joined;
    }

    std::vector<Bytes> one{
        random.bytes(5), Bytes(70, std::byte{3}), random.bytes(1), random.bytes(9)};
    std::vector<Bytes> two{Bytes(64, std::byte{9}), random.bytes(13), random.bytes(2)};
    xet::Xorb first = make_xorb(one);
    xet::Xorb second = make_xorb(two);
    xet::FileBlock file =
        make_file({{&first, {1, 4}}, {&second, {0, 2}}, {&first, {3, 4}}, {&first, {0, 2}}});
    Bytes content = join({one[1], one[2], one[3], two[0], two[1], one[3], one[0], one[1]});
    xet::MakeUrl make_url = [](const xet::XorbHash& xorb, const xet::FetchRange& range) {
        return xorb.render() + "?" + std::to_string(range.bytes.begin);
    };
};

TEST_F(ReaderTest, every_range_of_a_file_reads_as_its_bytes) {
    EXPECT_EQ(read_all(cas, file.hash), content);
    for (std::uint64_t begin = 0; begin < content.size(); ++begin) {
        for (std::uint64_t end = begin + 1; end <= content.size(); ++end) {
            const Bytes wanted(content.begin() + static_cast<std::ptrdiff_t>(begin),
                               content.begin() + static_cast<std::ptrdiff_t>(end));
            ASSERT_EQ(read_all(cas, file.hash, xet::ByteRange{begin, end}), wanted)
                << begin << " to " << end;
        }
    }
}

TEST_F(ReaderTest, every_plan_carried_out_gives_the_bytes) {
    const auto whole = cas.plan(file.hash, std::nullopt, make_url);
    ASSERT_TRUE(whole) << whole.error().describe();
    EXPECT_EQ(carry_out(*whole, content.size()), content);
    for (std::uint64_t begin = 0; begin < content.size(); begin += 3) {
        for (std::uint64_t end = begin + 1; end <= content.size(); end += 7) {
            const auto plan = cas.plan(file.hash, xet::ByteRange{begin, end}, make_url);
            ASSERT_TRUE(plan) << plan.error().describe();
            ASSERT_TRUE(xet::validate_plan(*plan, end - begin));
            const Bytes wanted(content.begin() + static_cast<std::ptrdiff_t>(begin),
                               content.begin() + static_cast<std::ptrdiff_t>(end));
            ASSERT_EQ(carry_out(*plan, end - begin), wanted) << begin << " to " << end;
        }
    }
}

TEST_F(ReaderTest, ranges_are_cut_at_the_end_and_refused_past_it) {
    const std::uint64_t size = content.size();
    EXPECT_EQ(read_all(cas, file.hash, xet::ByteRange{size - 1, size + 100}).size(), 1U);
    for (const xet::ByteRange bad : {xet::ByteRange{size, size + 1},
                                     xet::ByteRange{5, 5},
                                     xet::ByteRange{6, 5},
                                     xet::ByteRange{~0ULL - 1, ~0ULL}}) {
        EXPECT_EQ(cas.open_file(file.hash, bad).error().code(), ErrorCode::InvalidArgument);
        EXPECT_EQ(cas.plan(file.hash, bad, make_url).error().code(), ErrorCode::InvalidArgument);
    }
    EXPECT_EQ(cas.plan({}, xet::ByteRange{0, 1}, make_url).error().code(),
              ErrorCode::InvalidArgument);
    xet::FileHash unknown = file.hash;
    unknown.bytes[0] ^= std::byte{1};
    EXPECT_EQ(cas.open_file(unknown).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(cas.plan(unknown, std::nullopt, make_url).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(cas.file_info(unknown).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(cas.shard_of(unknown).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(cas.touch(unknown).error().code(), ErrorCode::NotFound);
}

TEST_F(ReaderTest, raw_chunks_are_named_as_parts_of_files_and_the_others_are_bytes) {
    const TempFolder folder = TempFolder::create(testing::TempDir(), "reader-").value();
    const auto directory = open_directory(folder.path(), clock).value();
    Cas local(*directory, options());
    store(local);
    for (std::uint64_t begin = 0; begin < content.size(); begin += 2) {
        for (std::uint64_t end = begin + 1; end <= content.size(); end += 5) {
            auto reader =
                local.open_file(file.hash, xet::ByteRange{begin, end}, RawChunks::Named).value();
            EXPECT_EQ(reader.size(), end - begin);
            Bytes got;
            for (Piece piece = reader.next().value(); piece.size() > 0;
                 piece = reader.next().value()) {
                Bytes bytes(piece.bytes.begin(), piece.bytes.end());
                if (piece.file != nullptr) {
                    bytes.resize(piece.length);
                    ASSERT_TRUE(read_exactly_at(*piece.file, piece.offset, bytes));
                }
                // Runs of one byte are what packs here.
                const bool packs = std::ranges::count(bytes, bytes.front()) ==
                                       static_cast<std::ptrdiff_t>(bytes.size()) &&
                                   bytes.size() > 13;
                if (packs) {
                    EXPECT_EQ(piece.file, nullptr);
                }
                if (bytes.size() > 1 && !packs && bytes.front() != bytes.back()) {
                    EXPECT_NE(piece.file, nullptr);
                }
                got.insert(got.end(), bytes.begin(), bytes.end());
            }
            const Bytes wanted(content.begin() + static_cast<std::ptrdiff_t>(begin),
                               content.begin() + static_cast<std::ptrdiff_t>(end));
            ASSERT_EQ(got, wanted) << begin << " to " << end;
        }
    }
}

TEST_F(ReaderTest, named_pieces_fall_back_to_bytes_where_there_are_no_files) {
    auto reader = cas.open_file(file.hash, std::nullopt, RawChunks::Named).value();
    Bytes got;
    for (Piece piece = reader.next().value(); piece.size() > 0; piece = reader.next().value()) {
        EXPECT_EQ(piece.file, nullptr);
        got.insert(got.end(), piece.bytes.begin(), piece.bytes.end());
    }
    EXPECT_EQ(got, content);
}

TEST_F(ReaderTest, a_sink_that_fails_ends_the_reading) {
    int calls = 0;
    const auto read = cas.read(file.hash, std::nullopt, [&](ByteView) -> Status {
        return ++calls == 2 ? Status(Error(ErrorCode::Cancelled, "enough")) : Status();
    });
    EXPECT_EQ(read.error().code(), ErrorCode::Cancelled);
    EXPECT_EQ(calls, 2);
}

TEST_F(ReaderTest, the_files_own_shard_proves_the_file) {
    const Bytes bytes = cas.shard_of(file.hash).value();
    const auto shard = xet::parse_shard(bytes).value();
    ASSERT_EQ(shard.files.size(), 1U);
    EXPECT_EQ(shard.files[0], file);
    ASSERT_EQ(shard.xorbs.size(), 2U);
    ASSERT_TRUE(shard.footer);
    EXPECT_TRUE(shard.footer->key.is_zero());
    EXPECT_GT(shard.footer->key_expiry, shard.footer->created);
    std::map<xet::XorbHash, xet::XorbTable> tables{{first.hash, first.table},
                                                   {second.hash, second.table}};
    for (const xet::XorbBlock& block : shard.xorbs) {
        EXPECT_TRUE(xet::verify_xorb_block(block, tables.at(block.hash)));
    }
    // It registers the file at another hub that has the xorbs.
    const auto other = make_memory_backend();
    Cas there(*other);
    ASSERT_TRUE(there.put_xorb(first.hash, first.bytes));
    ASSERT_TRUE(there.put_xorb(second.hash, second.bytes));
    ASSERT_TRUE(there.put_shard(bytes, everybody()));
    EXPECT_EQ(read_all(there, file.hash), content);
}

TEST_F(ReaderTest, the_first_chunk_of_a_file_is_found_by_whoever_may_use_its_xorb) {
    const xet::ChunkHash chunk = xet::chunk_hash(one[1]);
    const auto yes = [](const xet::XorbHash&) { return true; };
    const auto no = [](const xet::XorbHash&) { return false; };
    EXPECT_FALSE(cas.find_dedup(chunk, no).value());
    EXPECT_FALSE(cas.find_dedup(xet::chunk_hash(one[2]), yes).value()) << "not eligible";
    EXPECT_FALSE(cas.find_dedup(xet::chunk_hash(random.bytes(10)), yes).value());

    const auto plain = xet::parse_shard(cas.find_dedup(chunk, yes).value().value()).value();
    EXPECT_TRUE(plain.files.empty());
    ASSERT_EQ(plain.xorbs.size(), 1U);
    EXPECT_EQ(plain.xorbs[0].hash, first.hash);
    ASSERT_EQ(plain.xorbs[0].chunks.size(), one.size());
    EXPECT_EQ(plain.xorbs[0].chunks[1].hash, chunk);
    ASSERT_TRUE(plain.footer);
    const auto now = static_cast<std::uint64_t>(clock.now().time_since_epoch().count());
    EXPECT_EQ(plain.footer->created, now);
    EXPECT_EQ(plain.footer->key_expiry, now + 24 * 3600);

    xet::DedupKey key;
    key.bytes[3] = std::byte{9};
    const auto keyed =
        xet::parse_shard(cas.find_dedup(chunk, yes, key, std::chrono::seconds(60)).value().value())
            .value();
    EXPECT_EQ(keyed.footer->key, key);
    EXPECT_EQ(keyed.footer->key_expiry, now + 60);
    EXPECT_EQ(keyed.xorbs[0].chunks[1].hash, xet::keyed_chunk_hash(chunk, key));
}

TEST_F(ReaderTest, a_dedup_answer_has_the_offsets_that_the_javascript_client_reads) {
    const auto yes = [](const xet::XorbHash&) { return true; };
    const Bytes bytes = cas.find_dedup(xet::chunk_hash(one[1]), yes).value().value();
    const auto word = [&](std::size_t at) {
        std::uint64_t value = 0;
        for (std::size_t i = 8; i-- > 0;) {
            value = value << 8U | std::to_integer<std::uint64_t>(bytes[at + i]);
        }
        return value;
    };
    constexpr std::size_t kFooter = 200;
    ASSERT_GT(bytes.size(), kFooter);
    const std::size_t footer = bytes.size() - kFooter;
    EXPECT_EQ(word(32), 2U) << "header version";
    EXPECT_EQ(word(40), kFooter) << "footer size in the header";
    EXPECT_EQ(word(footer), 1U) << "footer version";
    EXPECT_EQ(word(footer + 16), 96U) << "xorbs after the header and an empty file section";
    EXPECT_GT(word(footer + 24), word(footer + 16)) << "file lookup beyond them";
}

TEST_F(ReaderTest, of_several_xorbs_with_a_chunk_one_that_may_be_used_is_named) {
    // The same first chunk in two xorbs of two owners.
    const auto other = make_xorb({one[1], random.bytes(77)});
    ASSERT_TRUE(cas.put_xorb(other.hash, other.bytes));
    ASSERT_TRUE(cas.put_shard(make_shard({make_file({{&other, {0, 2}}})}), everybody()));
    for (const xet::Xorb* const mine : {&std::as_const(first), &other}) {
        const auto found =
            cas.find_dedup(xet::chunk_hash(one[1]),
                           [&](const xet::XorbHash& xorb) { return xorb == mine->hash; })
                .value();
        ASSERT_TRUE(found);
        EXPECT_EQ(xet::parse_shard(*found)->xorbs.at(0).hash, mine->hash);
    }
}

/// What a client of another make uploaded (src/xet/test/data/README.md says where it is from).
class ExampleTest : public CasTest {
  protected:
    static Bytes data(const std::string& name) {
        const std::string text =
            read_file(test_support::source_dir() / "src/xet/test/data" / name, 1U << 20U).value();
        const ByteView view = as_bytes(text);
        return {view.begin(), view.end()};
    }

    Json example = parse_json(as_text(data("example.json"))).value();
    Bytes xorb = data("example.xorb");
    Bytes shard = data("example.shard");
};

TEST_F(ExampleTest, the_upload_of_the_javascript_client_is_taken_and_served) {
    const auto hash = xet::verify_xorb(xorb, xet::parse_shard(shard)->xorbs.at(0).hash)->hash();
    EXPECT_EQ(*cas.put_xorb(hash, xorb), Inserted::Yes);
    auto now = everybody();
    now.check_sha256 = ShardOptions::CheckSha256::Now;
    const auto put = cas.put_shard(shard, now);
    ASSERT_TRUE(put) << put.error().describe();
    EXPECT_EQ(put->files.size(), example["files"].size());
    for (const auto& [name, facts] : example["files"].items()) {
        const auto file = xet::FileHash::parse(facts["file_hash"].get<std::string>()).value();
        const Bytes bytes = read_all(cas, file);
        EXPECT_EQ(bytes.size(), facts["size"].get<std::uint64_t>()) << name;
        const auto sha256 = Sha256::parse(facts["sha256"].get<std::string>()).value();
        EXPECT_EQ(crypto::sha256(bytes), sha256) << name;
        EXPECT_EQ(cas.file_info(file)->proof, FileInfo::Proof::Verified);
        EXPECT_EQ(*cas.verify_sha256(file), sha256);
        const auto first =
            xet::ChunkHash::parse(facts["chunks"][0]["hash"].get<std::string>()).value();
        EXPECT_TRUE(cas.find_dedup(first, [](const auto&) { return true; }).value()) << name;
    }
    EXPECT_TRUE(cas.fsck()->bad.empty());
}

TEST_F(ExampleTest, the_shard_without_the_xorb_is_refused) {
    EXPECT_EQ(shard_error(shard), ErrorCode::NotFound);
}

} // namespace
} // namespace locara::cas
