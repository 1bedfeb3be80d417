// Uploads: what is sent and what is not, to the byte; and servers that lie.
#include "hub_fixture.hpp"
#include "xet_hub.hpp"

#include <locara/xet/chunker.hpp>

#include <sys/stat.h>

namespace locara::hf {
namespace {

using test::WireConnection;
using test::WireRequest;
using test::XetHub;

class UploadTest : public HubFixture {
  protected:
    XetHub hub;
    Upload job;
    UploadOptions how;

    UploadTest() {
        job.repo = "locara/quick-add";
        how.xorb_bytes = 1U << 20U;
    }

    std::filesystem::path write(const std::string& name, const std::string& content) {
        const auto path = folder.path() / name;
        EXPECT_TRUE(write_file_atomically(path, as_bytes(content)));
        return path;
    }

    void add(const std::string& path, const std::string& content) {
        job.files.push_back({write(std::to_string(job.files.size()) + ".local", content), path});
    }

    Result<UploadResult> upload() {
        Options with;
        with.token = Secret("hf_home");
        return client(hub.url(), std::move(with)).upload(job, recorder, {}, how);
    }

    UploadResult expect_uploaded() {
        const auto result = upload();
        EXPECT_TRUE(result) << result.error().describe();
        EXPECT_EQ(hub.token_faults(), std::vector<std::string>());
        return result ? *result : UploadResult();
    }

    static std::uint64_t raw_bytes_not_in(const std::string& of, const std::string& in) {
        std::set<xet::ChunkHash> known;
        for (const auto& chunk : xet::chunk_bytes(as_bytes(in))) {
            known.insert(chunk.hash);
        }
        std::uint64_t bytes = 0;
        for (const auto& chunk : xet::chunk_bytes(as_bytes(of))) {
            bytes += known.insert(chunk.hash).second ? chunk.length : 0;
        }
        return bytes;
    }
};

TEST_F(UploadTest, files_arrive_whole_by_one_commit) {
    const std::string weights = random_text(3'000'000);
    add("model.gguf", weights);
    add("notes/a b#1.txt", "hello");
    add("empty.bin", "");
    const UploadResult result = expect_uploaded();
    EXPECT_EQ(hub.text_of(job.repo, "model.gguf"), weights);
    EXPECT_EQ(hub.text_of(job.repo, "notes/a b#1.txt"), "hello");
    EXPECT_EQ(hub.text_of(job.repo, "empty.bin"), "");
    EXPECT_TRUE(result.committed);
    EXPECT_EQ(result.commit, std::string(40, 'b'));
    EXPECT_EQ(result.url, hub.url() + "/locara/quick-add/commit/" + result.commit);
    EXPECT_EQ(result.size, weights.size() + 5);
    EXPECT_EQ(result.new_bytes, weights.size());
    EXPECT_EQ(result.known_bytes, 0U);
    EXPECT_EQ(result.files.at(0).sha256, crypto::sha256(as_bytes(weights)));
    EXPECT_EQ(hub.count("commit"), 1);
    EXPECT_GE(hub.count("xorb"), 3) << "3 MB in xorbs of at most 1 MiB";
    EXPECT_LE(hub.count("xorb"), 4);
    EXPECT_EQ(recorder.events.back().done_bytes, weights.size());
}

TEST_F(UploadTest, what_was_uploaded_is_pulled_by_chunks) {
    add("model.gguf", text);
    const UploadResult sent = expect_uploaded();
    file.xet_hash = sent.files.at(0).xet_hash;
    Options with;
    const auto pulled = client(hub.url(), with).pull(file, store, recorder, {}, options);
    ASSERT_TRUE(pulled) << pulled.error().describe();
    EXPECT_TRUE(pulled->by_chunks);
    expect_stored();
}

TEST_F(UploadTest, a_second_run_sends_nothing_and_commits_nothing) {
    add("model.gguf", text);
    expect_uploaded();
    hub.forget_counts();
    const UploadResult again = expect_uploaded();
    EXPECT_FALSE(again.committed);
    EXPECT_TRUE(again.files.at(0).unchanged);
    EXPECT_EQ(again.sent_bytes, 0U);
    EXPECT_EQ(hub.xorb_bytes_taken(), 0U);
    EXPECT_EQ(hub.count("commit"), 0);
}

TEST_F(UploadTest, of_an_edited_file_only_new_chunks_are_sent) {
    const std::string before = random_text(4'000'000);
    add("model.gguf", before);
    expect_uploaded();
    hub.forget_counts();
    std::string edited = before;
    edited.replace(2'000'000, 40'000, random_text(41'000, 8));
    job.files.clear();
    add("model.gguf", edited);
    const UploadResult result = expect_uploaded();
    const std::uint64_t fresh = raw_bytes_not_in(edited, before);
    EXPECT_LT(fresh, 400'000U);
    EXPECT_EQ(result.new_bytes, fresh);
    EXPECT_EQ(result.known_bytes, edited.size() - fresh);
    EXPECT_LT(hub.xorb_bytes_taken(), fresh + 1'000);
    EXPECT_EQ(hub.text_of(job.repo, "model.gguf"), edited);
    EXPECT_EQ(hub.count("paths"), 1);
}

TEST_F(UploadTest, without_file_shards_the_store_is_asked_about_chunks) {
    hub.has_shards = false;
    const std::string before = random_text(900'000);
    add("model.gguf", before);
    expect_uploaded();
    hub.forget_counts();
    job.files.clear();
    add("copy.gguf", before + random_text(300'000, 5));
    const UploadResult result = expect_uploaded();
    EXPECT_GE(hub.count("chunk"), 1);
    EXPECT_LT(result.new_bytes, 500'000U);
    EXPECT_EQ(result.new_bytes, raw_bytes_not_in(before + random_text(300'000, 5), before));
}

TEST_F(UploadTest, dedup_answers_under_a_key_are_understood) {
    hub.has_shards = false;
    hub.key.bytes.fill(std::byte{7});
    const std::string before = random_text(900'000);
    add("model.gguf", before);
    expect_uploaded();
    job.files.clear();
    add("copy.gguf", before);
    EXPECT_EQ(expect_uploaded().new_bytes, 0U);
}

TEST_F(UploadTest, chunks_that_come_twice_in_one_upload_are_sent_once) {
    hub.knows_chunks = false;
    const std::string same = random_text(1'000'000);
    add("a.gguf", same);
    add("b.gguf", same);
    const UploadResult result = expect_uploaded();
    EXPECT_EQ(result.new_bytes, same.size());
    EXPECT_EQ(hub.text_of(job.repo, "b.gguf"), same);
}

TEST_F(UploadTest, a_store_with_the_first_form_of_shard_uploads_is_served) {
    hub.has_v2 = false;
    add("model.gguf", text);
    expect_uploaded();
    EXPECT_EQ(hub.count("put_shard"), 2);
}

TEST_F(UploadTest, an_upload_that_was_cut_off_sends_only_the_rest) {
    const std::string weights = random_text(4'000'000);
    add("model.gguf", weights);
    hub.knows_chunks = false;
    how.connections = 1;
    std::atomic<int> left = 2;
    hub.before = [&](const std::string& what, const WireRequest&, WireConnection& c) {
        if (what == "xorb" && --left < 0) {
            c.answer(400, "{\"error\":\"no\"}", "Content-Type: application/json\r\n");
            return true;
        }
        return false;
    };
    ASSERT_FALSE(upload());
    hub.before = nullptr;
    hub.forget_counts();
    const UploadResult result = expect_uploaded();
    EXPECT_EQ(result.xorbs_there, 2U);
    EXPECT_GE(result.xorbs_sent, 2U);
    EXPECT_LT(hub.xorb_bytes_taken(), weights.size() - 1'500'000);
    EXPECT_EQ(hub.text_of(job.repo, "model.gguf"), weights);
}

TEST_F(UploadTest, chunks_that_the_store_knows_no_longer_are_sent_after_all) {
    const std::string weights = random_text(1'000'000);
    hub.add("locara/other", "x", weights);
    add("model.gguf", weights);
    std::atomic<bool> gone = true;
    hub.before = [&](const std::string& what, const WireRequest& request, WireConnection& c) {
        if (what == "put_shard" && gone) {
            gone = request.target != "/cas/v1/shards";
            c.answer(404, "{\"error\":\"unknown xorb\"}", "Content-Type: application/json\r\n");
            return true;
        }
        return false;
    };
    const UploadResult result = expect_uploaded();
    EXPECT_EQ(result.new_bytes, weights.size());
    EXPECT_EQ(hub.text_of(job.repo, "model.gguf"), weights);
}

TEST_F(UploadTest, a_branch_that_moved_on_is_a_conflict_and_said_so) {
    add("notes.txt", "hello");
    job.parent_commit = std::string(40, '0');
    const auto result = upload();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Conflict);
    EXPECT_NE(result.error().describe().find("moved on"), std::string::npos);
    job.parent_commit = hub.head;
    EXPECT_TRUE(upload());
}

TEST_F(UploadTest, ignored_files_are_left_out) {
    add("a.tmp", "x");
    const UploadResult result = expect_uploaded();
    EXPECT_TRUE(result.files.at(0).ignored);
    EXPECT_FALSE(result.committed);
}

TEST_F(UploadTest, a_hub_without_xet_says_so) {
    hub.offers_xet = false;
    add("model.gguf", text);
    const auto result = upload();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Unsupported) << result.error().describe();
}

TEST_F(UploadTest, a_file_that_changes_meanwhile_is_noticed) {
    add("model.gguf", text);
    hub.before = [&](const std::string& what, const WireRequest&, WireConnection&) {
        if (what == "has") {
            write("0.local", random_text(text.size(), 99));
        }
        return false;
    };
    const auto result = upload();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Conflict) << result.error().describe();
}

TEST_F(UploadTest, requests_that_make_no_sense_are_refused_at_once) {
    EXPECT_EQ(upload().error().code(), ErrorCode::InvalidArgument) << "no files";
    add("a.txt", "x");
    add("a.txt", "y");
    EXPECT_EQ(upload().error().code(), ErrorCode::InvalidArgument) << "one path twice";
    job.files.pop_back();
    job.files[0].path = "../a";
    EXPECT_EQ(upload().error().code(), ErrorCode::InvalidArgument);
    job.files[0].path = "a.txt";
    job.repo = "nobody";
    EXPECT_EQ(upload().error().code(), ErrorCode::InvalidArgument);
    job.repo = "locara/quick-add";
    job.files[0].local = folder.path() / "absent";
    EXPECT_EQ(upload().error().code(), ErrorCode::NotFound);
    job.files[0].local = folder.path() / "fifo"; // refused and not waited for
    ASSERT_EQ(::mkfifo(job.files[0].local.c_str(), 0600), 0);
    EXPECT_EQ(upload().error().code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(hub.count("preupload"), 0);
}

TEST_F(UploadTest, answers_that_contradict_themselves_are_errors) {
    add("model.gguf", text);
    for (const std::string what : {"preupload", "token", "commit"}) {
        for (const char* body : {"[]", "{}", "{\"files\":[{}]}", "nonsense", "\xff"}) {
            hub.before = [&](const std::string& asked, const WireRequest&, WireConnection& c) {
                if (asked == what) {
                    c.answer(200, body, "Content-Type: application/json\r\n");
                }
                return asked == what;
            };
            const auto result = upload();
            ASSERT_FALSE(result) << what << " " << body;
            EXPECT_EQ(result.error().code(), ErrorCode::Corrupt) << result.error().describe();
        }
    }
}

TEST_F(UploadTest, a_shard_that_is_refused_in_the_middle_of_its_answer_is_an_error) {
    add("model.gguf", text);
    hub.before = [&](const std::string& what, const WireRequest&, WireConnection& c) {
        if (what == "put_shard") {
            c.answer(200,
                     "{\"type\":\"validating\",\"verified\":0,\"total\":9}\n"
                     "{\"type\":\"error\",\"message\":\"bad proof\",\"retryable\":false}\n");
        }
        return what == "put_shard";
    };
    const auto result = upload();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::Corrupt);
    EXPECT_NE(result.error().describe().find("bad proof"), std::string::npos);
}

TEST_F(UploadTest, a_repository_that_is_there_already_is_fine) {
    hub.before = [&](const std::string& what, const WireRequest& request, WireConnection& c) {
        if (what == "create") {
            EXPECT_EQ(request.body,
                      "{\"name\":\"quick-add\",\"organization\":\"locara\",\"type\":\"model\"}");
            c.answer(409, "{\"error\":\"exists\"}", "Content-Type: application/json\r\n");
        }
        return what == "create";
    };
    Options with;
    EXPECT_TRUE(client(hub.url(), with).create_repo(RepoKind::Model, "locara/quick-add"));
}

} // namespace
} // namespace locara::hf
