// Pulls by chunks: what is fetched and what is not, to the byte; and servers that lie.
#include "hub_fixture.hpp"
#include "xet_hub.hpp"

#include <locara/xet/chunker.hpp>

#include <algorithm>

namespace locara::hf {
namespace {

using test::WireConnection;
using test::WireRequest;
using test::XetHub;

class XetPullTest : public HubFixture {
  protected:
    XetHub hub;
    xet::FileHash hash;

    XetPullTest() {
        use(random_text(3'000'000));
        options.gap_bytes = 0;
    }

    void use(std::string content) {
        text = std::move(content);
        file.size = text.size();
        file.sha256 = crypto::sha256(as_bytes(text));
        hash = hub.add(file.repo, file.path, text);
        file.xet_hash = hash;
    }

    Result<PullResult> pull_it(Options with = {}) {
        with.token = Secret("hf_home");
        return client(hub.url(), std::move(with)).pull(file, store, recorder, {}, options);
    }

    PullResult expect_pulled() {
        const auto result = pull_it();
        EXPECT_TRUE(result) << result.error().describe();
        expect_stored();
        EXPECT_EQ(hub.token_faults(), std::vector<std::string>());
        return result ? *result : PullResult();
    }

    /// Packed bytes of all chunks of `of` that none of `in` has.
    static std::uint64_t packed_bytes_not_in(const std::string& of, const std::string& in) {
        std::set<xet::ChunkHash> known;
        for (const auto& chunk : xet::chunk_bytes(as_bytes(in))) {
            known.insert(chunk.hash);
        }
        std::uint64_t bytes = 0;
        for (const auto& chunk : xet::chunk_bytes(as_bytes(of))) {
            if (known.insert(chunk.hash).second) { // random bytes do not shrink
                bytes += chunk.length + xet::kChunkHeaderBytes;
            }
        }
        return bytes;
    }

    /// Makes an error that must name the file, the chunk and the xorb.
    void expect_wrong_chunk(const Result<PullResult>& result) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code(), ErrorCode::Corrupt) << result.error().describe();
        const std::string words = result.error().describe();
        EXPECT_NE(words.find("model.gguf"), std::string::npos) << words;
        EXPECT_NE(words.find("chunk "), std::string::npos) << words;
        EXPECT_NE(words.find(" of xorb "), std::string::npos) << words;
        EXPECT_EQ(store.usage()->files, 0U);
    }
};

TEST_F(XetPullTest, fetches_each_xorb_once_and_verifies) {
    const PullResult result = expect_pulled();
    EXPECT_TRUE(result.by_chunks);
    EXPECT_EQ(result.fetched_bytes, packed_bytes_not_in(text, ""));
    EXPECT_EQ(hub.data_bytes(), result.fetched_bytes);
    EXPECT_EQ(result.reused_bytes, 0U);
    EXPECT_EQ(result.source, "127.0.0.1");
    EXPECT_EQ(hub.count("token"), 1);
    EXPECT_EQ(hub.count("shard"), 1);
    EXPECT_EQ(hub.count("plan"), 1);
    EXPECT_EQ(hub.count("resolve"), 0);
    EXPECT_EQ(recorder.events.back().done_bytes, text.size());
    EXPECT_TRUE(store.open_index(file.sha256)) << "what was pulled can be found by chunk";
}

TEST_F(XetPullTest, without_shards_the_plan_is_enough) {
    hub.has_shards = false;
    const PullResult result = expect_pulled();
    EXPECT_TRUE(result.by_chunks);
    EXPECT_EQ(result.fetched_bytes, packed_bytes_not_in(text, ""));
    EXPECT_TRUE(store.open_index(file.sha256));
}

TEST_F(XetPullTest, a_store_with_the_first_form_of_plans_only_is_served) {
    hub.has_v2 = false;
    expect_pulled();
    EXPECT_EQ(hub.count("plan"), 2);
}

TEST_F(XetPullTest, plans_that_need_several_ranges_are_asked_for_in_the_first_form) {
    XetHub wide(8U << 20U); // one xorb has all of it
    const std::string whole = random_text(2'000'000, 8);
    wide.add("locara/other", "x", whole);
    wide.several_ranges = true;
    text = whole.substr(0, 600'000) + whole.substr(1'200'000);
    file.size = text.size();
    file.sha256 = crypto::sha256(as_bytes(text));
    file.xet_hash = wide.add(file.repo, file.path, text);
    const auto result = client(wide.url()).pull(file, store, recorder, {}, options);
    ASSERT_TRUE(result) << result.error().describe();
    expect_stored();
    EXPECT_EQ(wide.count("plan"), 2);
    EXPECT_EQ(wide.data_bytes(), packed_bytes_not_in(text, ""));
}

TEST_F(XetPullTest, the_servers_hint_is_enough) {
    file.xet_hash.reset();
    const PullResult result = expect_pulled();
    EXPECT_TRUE(result.by_chunks);
    EXPECT_EQ(hub.count("resolve"), 1);
    EXPECT_EQ(result.fetched_bytes, packed_bytes_not_in(text, ""));
}

TEST_F(XetPullTest, a_hint_that_is_wrong_costs_requests_and_nothing_else) {
    file.xet_hash.reset();
    const auto other = hub.add(file.repo, "other", random_text(400'000, 5));
    hub.before = [&](const std::string& what, const WireRequest& request, WireConnection& c) {
        if (what == "resolve") {
            locara::test::answer_file(
                request, c, text, commit_header + "X-Xet-Hash: " + other.render() + "\r\n");
        }
        return what == "resolve";
    };
    const PullResult result = expect_pulled();
    EXPECT_FALSE(result.by_chunks);
}

TEST_F(XetPullTest, a_server_without_xet_is_pulled_from_plainly) {
    hub.offers_xet = false;
    const PullResult result = expect_pulled();
    EXPECT_FALSE(result.by_chunks);
    EXPECT_EQ(hub.count("token"), 1);
    EXPECT_EQ(hub.count("data"), 0);
}

TEST_F(XetPullTest, small_files_and_those_who_do_not_want_it_go_plainly) {
    options.xet = UseXet::No;
    EXPECT_FALSE(expect_pulled().by_chunks);
    ASSERT_TRUE(store.remove(file.sha256));
    options.xet = UseXet::Yes;
    options.xet_from_bytes = text.size() + 1;
    EXPECT_FALSE(expect_pulled().by_chunks);
    EXPECT_EQ(hub.count("token"), 0);
}

TEST_F(XetPullTest, only_chunks_that_no_file_here_has_are_fetched) {
    expect_pulled();
    hub.forget_counts();
    const std::string before = text;
    std::string edited = text;
    edited.replace(1'000'000, 20'000, random_text(20'500, 3));
    use(edited);
    const PullResult result = expect_pulled();
    const std::uint64_t fresh = packed_bytes_not_in(text, before);
    EXPECT_LT(fresh, 400'000U);
    EXPECT_EQ(hub.data_bytes(), fresh);
    EXPECT_EQ(result.fetched_bytes, fresh);
    EXPECT_EQ(result.reused_bytes, result.copied_bytes);
    EXPECT_GT(result.copied_bytes, 2'500'000U);
}

TEST_F(XetPullTest, without_shards_chunks_are_found_by_their_place) {
    hub.has_shards = false;
    expect_pulled();
    hub.forget_counts();
    const std::string before = text;
    std::string edited = text;
    edited.replace(1'000'000, 20'000, random_text(20'500, 3));
    use(edited);
    const PullResult result = expect_pulled();
    EXPECT_EQ(hub.data_bytes(), packed_bytes_not_in(text, before));
    EXPECT_GT(result.copied_bytes, 2'500'000U);
}

TEST_F(XetPullTest, many_scattered_changes_are_fetched_in_few_ranges) {
    expect_pulled();
    hub.forget_counts();
    const std::string before = text;
    std::string edited = text;
    for (std::size_t at = 50'000; at < edited.size(); at += 300'000) {
        edited[at] = static_cast<char>(edited[at] + 1);
    }
    use(edited);
    expect_pulled();
    EXPECT_EQ(hub.data_bytes(), packed_bytes_not_in(text, before));
    // The new chunks lie together in new xorbs of 256 KiB, wherever they belong in the file.
    EXPECT_LE(hub.data_ranges().size(), hub.data_bytes() / (128U << 10U) + 1);
}

TEST_F(XetPullTest, a_chunk_that_a_file_has_many_times_is_fetched_once) {
    const std::string block = random_text(400'000, 4);
    std::string repeated;
    for (int i = 0; i < 8; ++i) {
        repeated += block;
    }
    use(repeated);
    expect_pulled();
    EXPECT_EQ(hub.data_bytes(), packed_bytes_not_in(text, ""));
    EXPECT_LT(hub.data_bytes(), 900'000U) << "of 3.2 MB";
}

TEST_F(XetPullTest, a_damaged_file_here_gives_no_wrong_bytes) {
    expect_pulled();
    const auto path = store.path_of(file.sha256).value();
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    {
        const Fd fd = open_file(path, 02).value(); // O_RDWR
        ASSERT_TRUE(write_all_at(fd, 500'000, as_bytes(std::string(100'000, '!'))));
    }
    std::string edited = text;
    edited.replace(2'000'000, 1'000, random_text(1'000, 3));
    use(edited);
    hub.forget_counts();
    const auto result = pull_it();
    ASSERT_TRUE(result) << result.error().describe();
    EXPECT_EQ(read_file(*store.path_of(file.sha256), 1U << 30U).value(), text);
    EXPECT_GT(result->copied_bytes, 2'000'000U);
    EXPECT_GE(hub.data_bytes(), 100'000U);
}

TEST_F(XetPullTest, verified_chunks_are_not_fetched_again_by_the_next_pull) {
    options.connections = 1;
    std::atomic<int> left = 6;
    hub.before = [&](const std::string& what, const WireRequest&, WireConnection& c) {
        if (what == "data" && --left < 0) {
            c.answer(400, "{}", "Content-Type: application/json\r\n");
            return true;
        }
        return false;
    };
    ASSERT_FALSE(pull_it());
    const std::uint64_t first = hub.data_bytes();
    EXPECT_GT(first, 500'000U);
    hub.before = nullptr;
    store = store::Store::open(folder.path() / "store").value();
    const PullResult result = expect_pulled();
    EXPECT_EQ(hub.data_bytes(), packed_bytes_not_in(text, ""));
    EXPECT_EQ(result.fetched_bytes, packed_bytes_not_in(text, "") - first);
    EXPECT_GT(result.reused_bytes, 500'000U);
}

TEST_F(XetPullTest, chunks_that_a_killed_pull_wrote_are_not_fetched_again) {
    const auto chunks = xet::chunk_bytes(as_bytes(text));
    ASSERT_GT(chunks.size(), 30U);
    std::uint64_t good = 0;
    std::uint64_t good_packed = 0;
    {
        auto opened = store.open_part(file.sha256, file.size);
        ASSERT_TRUE(opened);
        auto& part = std::get<store::Part>(*opened);
        part.set_pace({1U << 30U, std::chrono::hours(1)});
        for (const std::size_t i : {0, 1, 2, 3, 4, 5, 6, 20, 21}) {
            const std::uint64_t offset = chunks[i].offset;
            const std::size_t length = chunks[i].length;
            ASSERT_TRUE(
                part.write(offset, as_bytes(std::string_view(text).substr(offset, length))));
            good += length;
            good_packed += length + xet::kChunkHeaderBytes;
        }
    } // Nothing was synced, which is what a kill within the first second leaves.
    const PullResult result = expect_pulled();
    EXPECT_EQ(result.reused_bytes, good);
    EXPECT_EQ(hub.data_bytes(), packed_bytes_not_in(text, "") - good_packed);
}

TEST_F(XetPullTest, a_range_that_was_cut_off_goes_on_after_its_last_chunk) {
    std::atomic<bool> cut = true;
    hub.spoil_data = [&](const xet::XorbHash&, std::string bytes) {
        return cut.exchange(false) ? bytes.substr(0, bytes.size() * 3 / 4) : bytes;
    };
    const PullResult result = expect_pulled();
    EXPECT_EQ(result.retries, 1);
    // Only the chunk that was cut came twice, in part.
    EXPECT_GE(result.fetched_bytes, packed_bytes_not_in(text, ""));
    EXPECT_LT(result.fetched_bytes, packed_bytes_not_in(text, "") + xet::kMaxChunkBytes);
}

TEST_F(XetPullTest, an_address_that_is_no_longer_good_is_asked_for_again) {
    std::atomic<int> denied = 0;
    hub.before = [&](const std::string& what, const WireRequest&, WireConnection& c) {
        if (what == "data" && denied < 3) {
            ++denied;
            c.answer(403, "expired");
            return true;
        }
        return false;
    };
    const PullResult result = expect_pulled();
    EXPECT_GE(hub.count("plan"), 2);
    EXPECT_EQ(result.fetched_bytes, packed_bytes_not_in(text, ""));
}

TEST_F(XetPullTest, addresses_that_stay_bad_lead_to_the_plain_way) {
    hub.before = [&](const std::string& what, const WireRequest&, WireConnection& c) {
        if (what == "data") {
            c.answer(403, "no");
        }
        return what == "data";
    };
    EXPECT_FALSE(expect_pulled().by_chunks);
}

TEST_F(XetPullTest, a_token_that_ends_soon_is_renewed_before_each_call) {
    hub.token_seconds = 59;
    expect_pulled();
    EXPECT_EQ(hub.count("token"), 3) << "to begin with, for the shard, for the plan";
}

TEST_F(XetPullTest, a_token_that_is_refused_is_renewed_once) {
    std::atomic<int> refused = 0;
    hub.before = [&](const std::string& what, const WireRequest&, WireConnection& c) {
        if (what == "shard" && refused++ == 0) {
            c.answer(401, "{}", "Content-Type: application/json\r\n");
            return true;
        }
        return false;
    };
    expect_pulled();
    EXPECT_EQ(hub.count("token"), 2);
}

TEST_F(XetPullTest, busy_servers_are_waited_for) {
    std::mutex mutex;
    std::map<std::string, int> calls;
    hub.before = [&](const std::string& what, const WireRequest&, WireConnection& c) {
        const std::lock_guard guard(mutex);
        if (++calls[what] > 1) {
            return false;
        }
        c.answer(what == "data" ? 429 : 503, "", "Retry-After: 2\r\n");
        return true;
    };
    const PullResult result = expect_pulled();
    EXPECT_EQ(result.retries, 4) << "token, shard, plan, data";
    for (const auto wait : timer.waits()) {
        EXPECT_GE(wait, std::chrono::seconds(2));
    }
}

TEST_F(XetPullTest, no_token_goes_where_a_redirect_of_the_store_leads) {
    std::atomic<int> elsewhere = 0;
    std::atomic<int> with_token = 0;
    locara::test::WireServer other([&](const WireRequest& request, WireConnection& c) {
        ++elsewhere;
        with_token += request.header("authorization").empty() ? 0 : 1;
        c.answer(404, "{}", "Content-Type: application/json\r\n");
    });
    hub.before = [&](const std::string& what, const WireRequest&, WireConnection& c) {
        if (what == "shard") {
            c.answer(307, "", "Location: " + other.other_url() + "/x\r\n");
        }
        return what == "shard";
    };
    expect_pulled();
    EXPECT_EQ(elsewhere, 1);
    EXPECT_EQ(with_token, 0);
}

// --- Lies ---------------------------------------------------------------------------------------

TEST_F(XetPullTest, a_wrong_chunk_is_asked_for_again_once) {
    std::atomic<bool> lie = true;
    hub.spoil_data = [&](const xet::XorbHash&, std::string bytes) {
        if (lie.exchange(false)) {
            bytes[1000] = static_cast<char>(bytes[1000] ^ 1);
        }
        return bytes;
    };
    const PullResult result = expect_pulled();
    EXPECT_EQ(result.retries, 1);
    EXPECT_FALSE(result.fetched_again);
}

TEST_F(XetPullTest, a_chunk_that_stays_wrong_is_an_error_and_all_good_ones_stay) {
    const auto bad_chunk = xet::chunk_bytes(as_bytes(text)).at(20);
    const std::string bad = text.substr(bad_chunk.offset, bad_chunk.length);
    options.connections = 1;
    hub.spoil_data = [&](const xet::XorbHash&, std::string bytes) {
        if (const auto at = bytes.find(bad); at != std::string::npos) {
            bytes[at + 5] = static_cast<char>(bytes[at + 5] ^ 1);
        }
        return bytes;
    };
    expect_wrong_chunk(pull_it());
    const auto parts = store.list_parts();
    ASSERT_EQ(parts->size(), 1U);
    EXPECT_GE(parts->at(0).received_bytes, bad_chunk.offset);
    EXPECT_LT(parts->at(0).received_bytes, text.size());
    hub.spoil_data = nullptr;
    hub.forget_counts();
    const std::uint64_t here = parts->at(0).received_bytes;
    const PullResult result = expect_pulled();
    EXPECT_EQ(result.reused_bytes, here);
    EXPECT_LE(hub.data_bytes(), text.size() - here + 64 * xet::kChunkHeaderBytes);
}

TEST_F(XetPullTest, bytes_that_are_no_records_are_an_error) {
    hub.spoil_data = [&](const xet::XorbHash&, std::string bytes) {
        bytes[0] = 9; // a version that does not exist
        return bytes;
    };
    expect_wrong_chunk(pull_it());
}

TEST_F(XetPullTest, a_chunk_that_unpacks_to_too_much_is_an_error) {
    hub.spoil_data = [&](const xet::XorbHash&, std::string bytes) {
        bytes[4] = 1; // an LZ4 frame, it says, of 16 MiB
        bytes[5] = bytes[6] = bytes[7] = static_cast<char>(0xff);
        return bytes;
    };
    expect_wrong_chunk(pull_it());
}

TEST_F(XetPullTest, more_bytes_than_were_asked_for_are_an_error) {
    hub.spoil_data = [&](const xet::XorbHash&, std::string bytes) { return bytes + bytes; };
    expect_wrong_chunk(pull_it());
}

TEST_F(XetPullTest, another_range_than_was_asked_for_is_an_error) {
    hub.before = [&](const std::string& what, const WireRequest&, WireConnection& c) {
        if (what == "data") {
            c.answer(206, "0123456789", "Content-Range: bytes 7-16/*\r\n");
        }
        return what == "data";
    };
    expect_wrong_chunk(pull_it());
}

TEST_F(XetPullTest, a_whole_object_instead_of_a_range_is_an_error) {
    hub.before = [&](const std::string& what, const WireRequest&, WireConnection& c) {
        if (what == "data") {
            c.answer(200, "0123456789");
        }
        return what == "data";
    };
    expect_wrong_chunk(pull_it());
}

TEST_F(XetPullTest, fewer_bytes_than_were_asked_for_are_not_taken) {
    hub.spoil_data = [&](const xet::XorbHash&, std::string bytes) {
        return bytes.substr(0, bytes.size() - 1);
    };
    const auto result = pull_it();
    ASSERT_FALSE(result);
    EXPECT_EQ(store.usage()->files, 0U);
}

TEST_F(XetPullTest, a_shard_of_other_chunks_is_an_error_before_the_first_byte) {
    hub.spoil_shard = [&](xet::Shard& shard) {
        shard.xorbs[0].chunks[0].hash.bytes[0] ^= std::byte{1};
    };
    const auto result = pull_it();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Corrupt);
    EXPECT_EQ(hub.count("data"), 0);
}

TEST_F(XetPullTest, a_plan_for_another_size_is_an_error_before_the_first_byte) {
    hub.has_shards = false;
    const auto shorter = hub.add(file.repo, "short", text.substr(0, 1'000'000));
    file.xet_hash = shorter;
    const auto result = pull_it();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Corrupt) << result.error().describe();
    EXPECT_EQ(hub.count("data"), 0);
}

TEST_F(XetPullTest, a_plan_that_is_no_json_is_an_error) {
    hub.spoil_plan = [](const std::string&) { return std::string("{\"terms\": 7"); };
    const auto result = pull_it();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Corrupt) << result.error().describe();
}

TEST_F(XetPullTest, wrong_bytes_without_a_shard_are_fetched_again_plainly) {
    hub.has_shards = false;
    hub.spoil_data = [&](const xet::XorbHash&, std::string bytes) {
        // Not bytes[1000] = ...: GCC 12 takes the string for a short one and warns.
        bytes.replace(1000, 1, 1, static_cast<char>(bytes[1000] ^ 1));
        return bytes;
    };
    const PullResult result = expect_pulled();
    EXPECT_TRUE(result.fetched_again);
    EXPECT_FALSE(result.by_chunks);
}

TEST_F(XetPullTest, a_manifest_whose_two_hashes_disagree_gets_what_its_sha256_says) {
    const std::string wanted = random_text(text.size(), 77);
    const auto wrong_hash = hash;
    use(wanted);
    file.xet_hash = wrong_hash;
    const PullResult result = expect_pulled();
    EXPECT_TRUE(result.fetched_again);
}

TEST_F(XetPullTest, a_store_without_tls_behind_a_hub_with_it_is_refused) {
    hub.cas_url = "ftp://127.0.0.1/cas";
    const auto result = pull_it();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Corrupt) << result.error().describe();
}

} // namespace
} // namespace locara::hf
