#include "hub_fixture.hpp"

#include <thread>

#include <sys/mount.h>

namespace locara::hf {
namespace {

using test::answer_file;
using test::wire_range;
using test::WireConnection;
using test::WireRequest;
using test::WireServer;
using namespace std::chrono_literals;

class PullTest : public HubFixture {};

TEST_F(PullTest, fetches_ranges_in_parallel_and_stores_the_file) {
    std::mutex mutex;
    std::vector<std::string> ranges;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        {
            const std::lock_guard guard(mutex);
            ranges.push_back(request.header("range"));
            EXPECT_EQ(request.target, target);
        }
        std::this_thread::sleep_for(2ms); // so that one worker cannot take everything
        answer_file(request, c, text, commit_header);
    });
    const auto result = pull(server);
    ASSERT_TRUE(result) << result.error().describe();
    expect_stored();
    EXPECT_EQ(ranges.size(), 16U);
    EXPECT_EQ(ranges.at(0), "bytes=0-65535") << "the first is asked for alone";
    EXPECT_GE(server.connections(), 2U);
    EXPECT_LE(server.connections(), 4U);
    EXPECT_EQ(result->fetched_bytes, text.size());
    EXPECT_EQ(result->reused_bytes, 0U);
    EXPECT_EQ(result->retries, 0);
    EXPECT_EQ(result->source, "127.0.0.1");
    const Progress& last = recorder.events.back();
    EXPECT_EQ(last.task, "pull");
    EXPECT_EQ(last.item, "model.gguf");
    EXPECT_EQ(last.done_bytes, text.size());
    EXPECT_EQ(last.total_bytes, text.size());
    EXPECT_EQ(last.source, "127.0.0.1");
}

TEST_F(PullTest, a_file_that_is_here_is_not_fetched) {
    ASSERT_TRUE(store.put_bytes(as_bytes(text)));
    WireServer server([&](const WireRequest&, WireConnection& c) { c.answer(500, ""); });
    const auto result = pull(server);
    ASSERT_TRUE(result);
    EXPECT_EQ(server.requests(), 0U);
    EXPECT_EQ(result->reused_bytes, text.size());
    EXPECT_EQ(result->source, "already on disk");
    EXPECT_EQ(recorder.events.back().reused_bytes, text.size());
}

TEST_F(PullTest, an_empty_file_needs_no_request) {
    text.clear();
    file.size = 0;
    file.sha256 = crypto::sha256({});
    WireServer server([&](const WireRequest&, WireConnection& c) { c.answer(500, ""); });
    ASSERT_TRUE(pull(server));
    EXPECT_EQ(server.requests(), 0U);
    expect_stored();
}

TEST_F(PullTest, only_commits_and_sane_options_are_taken) {
    WireServer server([&](const WireRequest&, WireConnection& c) { c.answer(500, ""); });
    for (const char* revision : {"main", "v1.0", "0123456", ""}) {
        file.revision = revision;
        EXPECT_EQ(pull(server).error().code(), ErrorCode::InvalidArgument) << revision;
    }
    file.revision = kCommit;
    options.connections = 0;
    EXPECT_EQ(pull(server).error().code(), ErrorCode::InvalidArgument);
    options.connections = 4;
    options.range_bytes = 1;
    EXPECT_EQ(pull(server).error().code(), ErrorCode::InvalidArgument);
    options.range_bytes = 1U << 20U;
    file.path = "../x";
    EXPECT_EQ(pull(server).error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(server.requests(), 0U);
}

TEST_F(PullTest, a_server_that_ignores_ranges_is_read_as_one_stream) {
    WireServer server(
        [&](const WireRequest&, WireConnection& c) { c.answer(200, text, commit_header); });
    const auto result = pull(server);
    ASSERT_TRUE(result) << result.error().describe();
    expect_stored();
    EXPECT_EQ(server.requests(), 1U);
}

TEST_F(PullTest, a_stream_that_is_cut_goes_on_and_keeps_what_it_had) {
    std::atomic<int> calls = 0;
    WireServer server([&](const WireRequest&, WireConnection& c) {
        if (++calls == 1) {
            c.send("HTTP/1.1 200 X\r\nContent-Length: 1000000\r\n\r\n" + text.substr(0, 400'000));
            c.close();
        } else {
            c.answer(200, std::string(400'000, '?') + text.substr(400'000));
        }
    });
    const auto result = pull(server);
    ASSERT_TRUE(result) << result.error().describe();
    expect_stored(); // the question marks were never needed
    EXPECT_EQ(result->retries, 1);
    EXPECT_FALSE(result->fetched_again);
}

TEST_F(PullTest, a_server_that_stops_serving_ranges_halfway_is_followed) {
    std::atomic<int> calls = 0;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        if (++calls <= 5) {
            answer_file(request, c, text);
        } else {
            c.answer(200, text);
        }
    });
    const auto result = pull(server);
    ASSERT_TRUE(result) << result.error().describe();
    expect_stored();
}

TEST_F(PullTest, cut_connections_are_taken_up_where_they_ended) {
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        std::size_t first = 0;
        std::size_t last = 0;
        wire_range(request, text.size(), first, last);
        const std::size_t size = last - first + 1;
        if (size > 40'000) { // each range is cut in its middle
            c.send("HTTP/1.1 206 X\r\nContent-Length: " + std::to_string(size) +
                   "\r\nContent-Range: bytes " + std::to_string(first) + "-" +
                   std::to_string(last) + "/1000000\r\n\r\n" + text.substr(first, size / 2));
            c.close();
        } else {
            answer_file(request, c, text);
        }
    });
    const auto result = pull(server);
    ASSERT_TRUE(result) << result.error().describe();
    expect_stored();
    EXPECT_EQ(result->retries, 15); // the last range is a short one
    EXPECT_EQ(result->fetched_bytes, text.size()) << "no byte twice";
    EXPECT_EQ(timer.waits().size(), static_cast<std::size_t>(result->retries));
}

TEST_F(PullTest, wrong_bytes_once_are_fetched_again) {
    std::string wrong = text;
    wrong[500'000] = static_cast<char>(wrong[500'000] ^ 1);
    std::atomic<std::uint64_t> served = 0;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        answer_file(request, c, served++ < 16 ? wrong : text, commit_header);
    });
    const auto result = pull(server);
    ASSERT_TRUE(result) << result.error().describe();
    expect_stored();
    EXPECT_TRUE(result->fetched_again);
    EXPECT_EQ(result->fetched_bytes, 2 * text.size());
}

TEST_F(PullTest, wrong_bytes_always_fail_and_leave_nothing) {
    std::string wrong = text;
    wrong[500'000] = static_cast<char>(wrong[500'000] ^ 1);
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        answer_file(request, c, wrong, commit_header);
    });
    const auto result = pull(server);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Corrupt);
    for (const std::string& part : {std::string("model.gguf"),
                                    file.sha256.render(),
                                    crypto::sha256(as_bytes(wrong)).render(),
                                    std::string("1000000 bytes")}) {
        EXPECT_NE(result.error().message().find(part), std::string::npos)
            << part << " is not in: " << result.error().message();
    }
    EXPECT_EQ(server.requests(), 32U) << "twice, and no third time";
    expect_nothing_stored();
    for (const Progress& progress : recorder.events) {
        EXPECT_LT(progress.done_bytes, progress.total_bytes) << "it was never verified";
    }
}

TEST_F(PullTest, a_file_of_another_size_is_never_taken) {
    for (const std::string& other : {text + "more", text.substr(1)}) {
        for (const bool with_ranges : {true, false}) {
            WireServer server([&](const WireRequest& request, WireConnection& c) {
                if (with_ranges) {
                    answer_file(request, c, other);
                } else {
                    c.answer(200, other);
                }
            });
            const auto result = pull(server);
            ASSERT_FALSE(result);
            EXPECT_EQ(result.error().code(), ErrorCode::Corrupt);
            EXPECT_NE(
                result.error().message().find("found " + std::to_string(other.size()) + " bytes"),
                std::string::npos)
                << result.error().message();
            EXPECT_EQ(server.requests(), 2U);
            expect_nothing_stored();
        }
    }
}

TEST_F(PullTest, a_range_past_the_end_of_a_shorter_file_is_wrong_bytes) {
    WireServer server([&](const WireRequest&, WireConnection& c) {
        c.answer(416, "", "Content-Range: bytes */10\r\n");
    });
    const auto result = pull(server);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Corrupt);
    EXPECT_NE(result.error().message().find("found 10 bytes"), std::string::npos);
    expect_nothing_stored();
}

TEST_F(PullTest, an_endless_body_is_cut_off) {
    for (const bool with_ranges : {true, false}) {
        WireServer server([&](const WireRequest& request, WireConnection& c) {
            std::size_t first = 0;
            std::size_t last = 0;
            wire_range(request, text.size(), first, last);
            if (with_ranges) {
                c.send("HTTP/1.1 206 X\r\nContent-Range: bytes " + std::to_string(first) + "-" +
                       std::to_string(last) + "/1000000\r\n\r\n" +
                       text.substr(first, last - first + 1));
            } else {
                c.send("HTTP/1.1 200 X\r\n\r\n" + text);
            }
            while (c.send(std::string(10'000, 'x'))) {
            }
            c.close();
        });
        const auto result = pull(server);
        if (with_ranges) { // each range is right, and what follows it is not looked at
            ASSERT_TRUE(result) << result.error().describe();
            expect_stored();
            ASSERT_TRUE(store.remove(file.sha256));
        } else {
            ASSERT_FALSE(result);
            EXPECT_EQ(result.error().code(), ErrorCode::Corrupt);
            EXPECT_NE(result.error().message().find("more than 1000000 bytes"), std::string::npos);
            expect_nothing_stored();
        }
    }
}

TEST_F(PullTest, a_lie_about_the_length_of_a_range_is_not_believed_for_ever) {
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        std::size_t first = 0;
        std::size_t last = 0;
        wire_range(request, text.size(), first, last);
        c.send("HTTP/1.1 206 X\r\nContent-Length: 10\r\nContent-Range: bytes " +
               std::to_string(first) + "-" + std::to_string(last) + "/1000000\r\n\r\n" +
               text.substr(first, 10));
    });
    const auto result = pull(server);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Unavailable);
    EXPECT_NE(result.error().message().find("too early"), std::string::npos)
        << result.error().message();
    EXPECT_EQ(store.usage()->files, 0U);
}

TEST_F(PullTest, another_range_than_the_asked_one_is_not_taken) {
    WireServer server([&](const WireRequest&, WireConnection& c) {
        c.answer(206, text.substr(5, 10), "Content-Range: bytes 5-14/1000000\r\n");
    });
    const auto result = pull(server);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Unavailable);
    EXPECT_EQ(store.list_parts()->at(0).received_bytes, 0U);
}

TEST_F(PullTest, another_commit_or_digest_is_refused_before_any_byte) {
    std::string header = "X-Repo-Commit: " + std::string(40, 'f') + "\r\n";
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        answer_file(request, c, text, header);
    });
    auto result = pull(server);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Corrupt);
    EXPECT_NE(result.error().message().find("commit"), std::string::npos);
    header = "X-Linked-Etag: \"" + std::string(64, 'a') + "\"\r\n";
    result = pull(server);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Corrupt);
    EXPECT_NE(result.error().message().find(std::string(64, 'a')), std::string::npos);
    header = "X-Linked-Etag: \"" + file.sha256.render() + "\"\r\n";
    EXPECT_TRUE(pull(server));
    expect_stored();
}

TEST_F(PullTest, waits_as_the_server_asks_and_then_goes_on) {
    std::atomic<int> calls = 0;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        const int call = ++calls;
        if (call == 1) {
            c.answer(429, "{\"error\":\"slow down\"}", "Retry-After: 9\r\n");
        } else if (call == 2) {
            c.answer(429, "", "RateLimit: \"resolve\";r=0;t=11\r\n");
        } else if (call == 3) {
            c.answer(503, "");
        } else {
            answer_file(request, c, text);
        }
    });
    const auto result = pull(server);
    ASSERT_TRUE(result) << result.error().describe();
    expect_stored();
    const auto waits = timer.waits();
    ASSERT_EQ(waits.size(), 3U);
    EXPECT_GE(waits[0], 9s);
    EXPECT_GE(waits[1], 11s);
    EXPECT_GE(waits[2], 1s); // the third: 0.5 s, doubled twice, at least half of it
    EXPECT_LE(waits[2], 2s);
}

TEST_F(PullTest, a_server_that_stays_away_is_given_up_and_what_came_is_kept) {
    std::atomic<bool> well = true;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        if (well.exchange(false)) {
            answer_file(request, c, text);
        } else {
            c.answer(500, "");
        }
    });
    options.connections = 1;
    const auto result = pull(server);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Unavailable);
    EXPECT_NE(result.error().message().find("6 tries"), std::string::npos);
    EXPECT_EQ(server.requests(), 7U);
    EXPECT_EQ(store.list_parts()->at(0).received_bytes, 65'536U);
}

TEST_F(PullTest, refusals_are_not_repeated) {
    std::string answer = "X-Error-Code: GatedRepo\r\n";
    int status = 403;
    WireServer server([&](const WireRequest&, WireConnection& c) { c.answer(status, "", answer); });
    EXPECT_EQ(pull(server).error().code(), ErrorCode::Forbidden);
    status = 404;
    answer = "X-Error-Code: EntryNotFound\r\n";
    EXPECT_EQ(pull(server).error().code(), ErrorCode::NotFound);
    EXPECT_EQ(server.requests(), 2U);
    EXPECT_TRUE(timer.waits().empty());
}

TEST_F(PullTest, redirect_to_another_host_drops_the_token_and_is_asked_directly_then) {
    std::mutex mutex;
    std::map<std::string, int> at_hub;
    int at_host = 0;
    std::string other;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        const std::string token = request.header("authorization");
        if (request.header("host").starts_with("127.0.0.1")) {
            const std::lock_guard guard(mutex);
            EXPECT_EQ(token, "Bearer hf_secret");
            ++at_hub[request.target];
            c.answer(302, "", commit_header + "Location: " + other + "/blob\r\n");
            return;
        }
        EXPECT_EQ(token, "") << "a token went to another host";
        bool expired = false;
        {
            const std::lock_guard guard(mutex);
            expired = ++at_host == 8; // addresses of download hosts are good for a while only
        }
        if (expired) {
            c.answer(403, "expired");
        } else {
            answer_file(request, c, text);
        }
    });
    other = server.other_url();
    Options with_token;
    with_token.token = Secret("hf_secret");
    const auto result = pull(server, with_token);
    ASSERT_TRUE(result) << result.error().describe();
    expect_stored();
    EXPECT_EQ(result->source, "localhost");
    EXPECT_EQ(at_hub.size(), 1U);
    EXPECT_LE(at_hub[target], 5) << "not once for each of the 16 ranges";
    EXPECT_GE(at_hub[target], 2) << "once more after the address had expired";
    EXPECT_EQ(result->retries, 1);
}

TEST_F(PullTest, a_redirect_loop_is_refused) {
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        c.answer(302, "", "Location: " + request.target + "\r\n");
    });
    EXPECT_EQ(pull(server).error().code(), ErrorCode::Refused);
    EXPECT_EQ(server.requests(), 11U);
}

TEST_F(PullTest, a_stalled_connection_is_given_up_and_asked_again) {
    std::atomic<int> calls = 0;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        if (++calls == 2) {
            c.send("HTTP/1.1 206 X\r\nContent-Length: 65536\r\n");
            c.wait_for_end();
        } else {
            answer_file(request, c, text);
        }
    });
    Options impatient;
    impatient.stall_timeout = 1s;
    const auto result = pull(server, impatient);
    ASSERT_TRUE(result) << result.error().describe();
    expect_stored();
    EXPECT_EQ(result->retries, 1);
}

TEST_F(PullTest, stop_ends_a_pull_at_once_and_the_next_one_goes_on) {
    std::stop_source stop;
    std::atomic<int> calls = 0;
    std::atomic<bool> well = false;
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        if (!well && ++calls > 6) {
            stop.request_stop();
            c.wait_for_end();
        } else {
            answer_file(request, c, text);
        }
    });
    Client hub = client(server.url());
    const auto start = std::chrono::steady_clock::now();
    const auto stopped = hub.pull(file, store, recorder, stop.get_token(), options);
    EXPECT_EQ(stopped.error().code(), ErrorCode::Cancelled);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
    const auto kept = store.list_parts()->at(0).received_bytes;
    EXPECT_GE(kept, 3U * 65'536U);
    well = true;
    const auto result = pull(server);
    ASSERT_TRUE(result) << result.error().describe();
    expect_stored();
    EXPECT_EQ(result->reused_bytes, kept);
    EXPECT_EQ(result->fetched_bytes, text.size() - kept);
}

TEST_F(PullTest, a_part_with_wrong_bytes_from_an_earlier_pull_is_found_out) {
    {
        auto opened = store.open_part(file.sha256, file.size);
        auto& part = std::get<store::Part>(*opened);
        ASSERT_TRUE(part.write(0, as_bytes(std::string(100'000, 'x'))));
        ASSERT_TRUE(part.checkpoint());
    }
    WireServer server(
        [&](const WireRequest& request, WireConnection& c) { answer_file(request, c, text); });
    const auto result = pull(server);
    ASSERT_TRUE(result) << result.error().describe();
    expect_stored();
    EXPECT_TRUE(result->fetched_again);
    EXPECT_EQ(result->reused_bytes, 0U);
    EXPECT_EQ(result->fetched_bytes, 2 * text.size() - 100'000U);
}

TEST_F(PullTest, the_gate_decides_before_the_store_takes_it) {
    WireServer server(
        [&](const WireRequest& request, WireConnection& c) { answer_file(request, c, text); });
    options.gate = [&](const Fd& fd, const std::string& path) -> Status {
        EXPECT_EQ(path, "model.gguf");
        EXPECT_EQ(regular_file_size(fd, path).value(), text.size());
        EXPECT_FALSE(store.has(file.sha256));
        return Error(ErrorCode::Refused, "model.gguf is a pickle");
    };
    const auto result = pull(server);
    EXPECT_EQ(result.error().code(), ErrorCode::Refused);
    expect_nothing_stored();
    options.gate = [&](const Fd&, const std::string&) -> Status { return {}; };
    EXPECT_TRUE(pull(server));
    expect_stored();
}

TEST_F(PullTest, the_rate_limit_spreads_bytes_over_time) {
    WireServer server(
        [&](const WireRequest& request, WireConnection& c) { answer_file(request, c, text); });
    options.limit_bytes_per_second = 100'000;
    options.connections = 1;
    ASSERT_TRUE(pull(server));
    std::chrono::milliseconds waited{0};
    for (const auto wait : timer.waits()) {
        waited += wait;
    }
    EXPECT_GE(waited, 7s); // 10 s less the first bytes, which may come at once
    EXPECT_LE(waited, 11s);
}

TEST_F(PullTest, threads_that_want_one_file_fetch_it_once) {
    WireServer server([&](const WireRequest& request, WireConnection& c) {
        std::this_thread::sleep_for(5ms);
        answer_file(request, c, text);
    });
    Client hub = client(server.url());
    std::atomic<std::uint64_t> fetched = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
            const auto result = hub.pull(file, store, null_progress(), {}, options);
            ASSERT_TRUE(result) << result.error().describe();
            fetched += result->fetched_bytes;
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(fetched, text.size());
    expect_stored();
}

TEST_F(PullTest, a_full_disk_ends_the_pull_at_once_and_room_that_was_had_is_kept) {
    const auto disk = folder.path() / "disk";
    std::filesystem::create_directory(disk);
    if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0) {
        GTEST_SKIP() << "needs the right to mount a tmpfs (run as root)";
    }
    {
        auto small = store::Store::open(disk / "store").value();
        std::atomic<int> calls = 0;
        WireServer server([&](const WireRequest& request, WireConnection& c) {
            if (++calls == 2) { // somebody else wants the disk meanwhile
                EXPECT_FALSE(
                    write_file_atomically(disk / "late", as_bytes(std::string(1'500'000, 'x'))));
            }
            answer_file(request, c, text);
        });
        options.connections = 1;
        Client hub = client(server.url());
        ASSERT_TRUE(write_file_atomically(disk / "other", as_bytes(std::string(1'500'000, 'x'))));
        const auto full = hub.pull(file, small, recorder, {}, options);
        ASSERT_FALSE(full);
        EXPECT_EQ(full.error().code(), ErrorCode::NoSpace);
        EXPECT_EQ(small.usage()->files, 0U);
        calls = 0;
        std::filesystem::remove(disk / "other");
        const auto result = hub.pull(file, small, recorder, {}, options);
        ASSERT_TRUE(result) << result.error().describe();
        EXPECT_GE(calls, 2);
        EXPECT_TRUE(small.verify(file.sha256));
    }
    ::umount2(disk.c_str(), MNT_DETACH);
}

} // namespace
} // namespace locara::hf
