#include "hub_client.hpp"
#include "sample_seed.hpp"

#include <locara/catalog/repository.hpp>
#include <locara/hub/hub.hpp>
#include <locara/hub/model_desk.hpp>
#include <locara/test_support/golden.hpp>

#include <gmock/gmock.h>

#include <regex>
#include <thread>

namespace locara::hub {
namespace {

using test::Reply;
using test::SampleSeed;
using test::send;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class HubTest : public testing::Test {
  protected:
    void SetUp() override {
        start();
        ASSERT_TRUE(hub_);
    }

    void start() {
        auto hub = Hub::open(seed_.data(), clock_, null_log());
        ASSERT_TRUE(hub) << hub.error().describe();
        hub_ = std::move(*hub);
        hub_->configure({}, std::chrono::milliseconds(20));
        const auto report = hub_->take_seed(seed_.root());
        ASSERT_TRUE(report) << report.error().describe();
        report_ = *report;
        const Status served = hub_->serve("127.0.0.1", 0);
        ASSERT_TRUE(served) << served.error().describe();
    }

    void restart() {
        hub_.reset();
        start();
    }

    Reply get(const std::string& path, const std::string& headers = "") const {
        return send(hub_->port(), "GET " + path + " HTTP/1.1\r\n" + headers);
    }

    Reply head(const std::string& path) const {
        return send(hub_->port(), "HEAD " + path + " HTTP/1.1\r\n");
    }

    SampleSeed seed_;
    FakeClock clock_{*parse_time("2026-11-22T19:00:00Z")};
    std::unique_ptr<Hub> hub_;
    SeedReport report_;
};

// ---------------------------------------------------------------------------------------- files

TEST_F(HubTest, resolves_an_lfs_file_with_everything_that_clients_read) {
    const std::string weights = test::weights();
    const std::string hash = crypto::sha256(as_bytes(weights)).render();
    for (const std::string& revision : {std::string("main"), seed_.commit}) {
        const std::string path = "/locara/tiny/resolve/" + revision + "/model.gguf";
        for (const Reply& answer : {get(path), head(path)}) {
            EXPECT_THAT(answer.head, StartsWith("HTTP/1.1 200 OK\r\n"));
            EXPECT_THAT(answer.head, HasSubstr("\r\nX-Repo-Commit: " + seed_.commit + "\r\n"));
            EXPECT_THAT(answer.head, HasSubstr("\r\nETag: \"" + hash + "\"\r\n"));
            EXPECT_THAT(answer.head, HasSubstr("\r\nX-Linked-Etag: \"" + hash + "\"\r\n"));
            const std::string size = std::to_string(weights.size());
            EXPECT_THAT(answer.head, HasSubstr("\r\nX-Linked-Size: " + size + "\r\n"));
            EXPECT_THAT(answer.head, HasSubstr("\r\nContent-Length: " + size + "\r\n"));
            EXPECT_THAT(answer.head, HasSubstr("\r\nAccept-Ranges: bytes\r\n"));
            EXPECT_THAT(answer.head,
                        HasSubstr("\r\nContent-Disposition: inline; "
                                  "filename*=UTF-8''model.gguf"));
            EXPECT_THAT(answer.head, HasSubstr("\r\nConnection: close\r\n"));
            EXPECT_THAT(answer.header("X-Xet-Hash"), testing::SizeIs(64));
            EXPECT_THAT(answer.header("Link"),
                        HasSubstr("/api/models/locara/tiny/xet-read-token/" + seed_.commit +
                                  ">; rel=\"xet-auth\", <http://127.0.0.1:"));
        }
        EXPECT_EQ(get(path).body, weights);
        EXPECT_EQ(head(path).body, "");
    }
}

TEST_F(HubTest, serves_ranges_conditions_and_refuses_what_lies_behind_the_end) {
    const std::string weights = test::weights();
    const std::string path = "/locara/tiny/resolve/main/model.gguf";
    const std::string size = std::to_string(weights.size());
    const Reply one = get(path, "Range: bytes=0-0\r\n");
    EXPECT_THAT(one.head, StartsWith("HTTP/1.1 206 "));
    EXPECT_THAT(one.head, HasSubstr("Content-Range: bytes 0-0/" + size + "\r\n"));
    EXPECT_THAT(one.head, HasSubstr("ETag: "));
    EXPECT_EQ(one.body, weights.substr(0, 1));
    EXPECT_EQ(get(path, "Range: bytes=100-\r\n").body, weights.substr(100));
    EXPECT_EQ(get(path, "Range: bytes=-7\r\n").body, weights.substr(weights.size() - 7));
    const Reply past = get(path, "Range: bytes=" + size + "-\r\n");
    EXPECT_THAT(past.head, StartsWith("HTTP/1.1 416 "));
    EXPECT_THAT(past.head, HasSubstr("Content-Range: bytes */" + size + "\r\n"));
    const std::string etag = "\"" + crypto::sha256(as_bytes(weights)).render() + "\"";
    EXPECT_THAT(get(path, "If-None-Match: " + etag + "\r\n").head, StartsWith("HTTP/1.1 304 "));
}

TEST_F(HubTest, resolves_regular_and_empty_files_with_git_etags) {
    const Reply config = get("/locara/tiny/resolve/main/config.json");
    EXPECT_EQ(config.body, "{\"a\": 1}\n");
    EXPECT_THAT(config.head, HasSubstr("Content-Type: application/json\r\n"));
    EXPECT_THAT(config.head, Not(HasSubstr("\r\nX-Linked")));
    // git hash-object of an empty file
    const Reply empty = get("/locara/tiny/resolve/main/empty.txt", "Range: bytes=0-0\r\n");
    EXPECT_THAT(empty.head, StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(empty.head, HasSubstr("ETag: \"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"\r\n"));
    EXPECT_THAT(empty.head, HasSubstr("Content-Range: bytes */0\r\n"));
    EXPECT_THAT(empty.head, HasSubstr("Content-Length: 0\r\n"));
}

TEST_F(HubTest, takes_names_and_revisions_in_both_encodings) {
    for (const char* path : {"/locara/tiny/resolve/main/extra%20dir/c%231.txt",
                             "/locara/tiny/resolve/main/extra%20dir%2Fc%231.txt",
                             "/locara/tiny/resolve/refs%2Fheads%2Fmain/extra%20dir/c%231.txt",
                             "/locara/tiny/resolve/refs/heads/main/extra%20dir/c%231.txt",
                             "/locara/tiny/resolve/HEAD/extra%20dir/c%231.txt",
                             "/locara/tiny/resolve/v1.0.0/extra%20dir/c%231.txt"}) {
        EXPECT_EQ(get(path).body, "hash\n") << path;
    }
}

TEST_F(HubTest, gives_the_pointer_by_raw) {
    const Reply pointer = get("/locara/tiny/raw/main/model.gguf");
    EXPECT_THAT(pointer.body,
                StartsWith("version https://git-lfs.github.com/spec/v1\noid sha256:"));
    EXPECT_THAT(pointer.body, EndsWith("\n"));
    EXPECT_THAT(get("/locara/tiny/raw/main/.gitattributes").body, HasSubstr("*.gguf filter=lfs"));
}

TEST_F(HubTest, tells_missing_repos_revisions_and_files_apart) {
    const auto expect = [this](const std::string& path, const std::string& code) {
        for (const Reply& answer : {get(path), head(path)}) {
            // Without a token, what may not be seen and what is not there read the same.
            EXPECT_EQ(answer.status(), code == "RepoNotFound" ? 401 : 404) << path;
            EXPECT_THAT(answer.head, HasSubstr("\r\nX-Error-Code: " + code + "\r\n")) << path;
            EXPECT_THAT(answer.head, HasSubstr("\r\nX-Request-Id: ")) << path;
        }
        EXPECT_TRUE(get(path).json()["error"].is_string()) << path;
    };
    expect("/locara/none/resolve/main/a", "RepoNotFound");
    expect("/lo%2Fcara/tiny/resolve/main/a", "RepoNotFound");
    expect("/locara/%2E%2E%2Ftiny/resolve/main/a", "RepoNotFound");
    for (const char* const old : {"/api/models/gpt2",
                                  "/api/models/gpt2/revision/main",
                                  "/api/models/gpt2/tree/main",
                                  "/api/models/gpt2/refs",
                                  "/api/models/gpt2/auth-check",
                                  "/api/datasets/squad",
                                  "/gpt2/resolve/main/config.json",
                                  "/gpt2/raw/main/config.json",
                                  "/datasets/squad/resolve/main/a/b"}) {
        expect(old, "RepoNotFound"); // Ids of one segment, which no hub gives any more.
    }
    expect("/locara/tiny/resolve/other/config.json", "RevisionNotFound");
    expect("/locara/tiny/resolve/" + std::string(40, '0') + "/config.json", "RevisionNotFound");
    expect("/locara/tiny/resolve/main~0/config.json", "RevisionNotFound");
    expect("/locara/tiny/resolve/main/none", "EntryNotFound");
    expect("/locara/tiny/resolve/main/extra%20dir", "EntryNotFound");
    expect("/api/models/locara/none", "RepoNotFound");
    expect("/api/models/locara/tiny/revision/none", "RevisionNotFound");
    expect("/api/models/locara/tiny/tree/main/none", "EntryNotFound");
    EXPECT_THAT(get("/locara/tiny/resolve/main/none").head,
                HasSubstr("X-Repo-Commit: " + seed_.commit));
}

// ------------------------------------------------------------------------------------------ API

TEST_F(HubTest, describes_a_repository) {
    for (const std::string& path :
         std::vector<std::string>{"/api/models/locara/tiny?blobs=true",
                                  "/api/models/locara/tiny/revision/main?blobs=True",
                                  "/api/models/locara/tiny/revision/" + seed_.commit + "?blobs=1",
                                  "/api/models/locara/tiny/revision/HEAD?blobs"}) {
        const Json json = get(path).json();
        EXPECT_EQ(json["id"], "locara/tiny") << path;
        EXPECT_EQ(json["sha"], seed_.commit) << path;
        EXPECT_EQ(json["_id"].get<std::string>().size(), 24U);
        EXPECT_EQ(json["private"], false);
        EXPECT_EQ(json["lastModified"], "2026-01-01T00:00:00.000Z");
        EXPECT_EQ(json["pipeline_tag"], "text-generation");
        EXPECT_THAT(json["tags"].dump(), HasSubstr("license:apache-2.0"));
        bool seen = false;
        for (const Json& sibling : json["siblings"]) {
            if (sibling["rfilename"] == "model.gguf") {
                seen = true;
                EXPECT_EQ(sibling["lfs"]["size"], test::weights().size());
            }
        }
        EXPECT_TRUE(seen) << path;
    }
}

TEST_F(HubTest, lists_trees_by_page_with_absolute_links) {
    const Json flat = get("/api/models/locara/tiny/tree/main").json();
    EXPECT_EQ(flat.size(), 6U); // 4 files, .gitattributes, 1 folder
    const Json deep = get("/api/models/locara/tiny/tree/main?recursive=true&expand=false").json();
    EXPECT_EQ(deep.size(), 7U);
    for (const Json& entry : deep) {
        EXPECT_EQ(entry.contains("lfs"), entry["path"] == "model.gguf");
        EXPECT_EQ(entry.size(), entry.contains("lfs") ? 6U : 4U) << entry;
        EXPECT_EQ(entry["oid"].get<std::string>().size(), 40U);
    }
    const Json sub = get("/api/models/locara/tiny/tree/main/extra%20dir?expand=true").json();
    ASSERT_EQ(sub.size(), 1U);
    EXPECT_EQ(sub[0]["path"], "extra dir/c#1.txt");
    EXPECT_EQ(sub[0]["lastCommit"]["id"], seed_.commit);

    std::string path = "/api/models/locara/tiny/tree/main?recursive=true&limit=3";
    std::size_t entries = 0;
    int pages = 0;
    while (!path.empty() && pages < 10) {
        const Reply page = get(path);
        entries += page.json().size();
        ++pages;
        const std::string start = "Link: <http://127.0.0.1:" + std::to_string(hub_->port());
        const std::size_t at = page.head.find(start);
        path.clear();
        if (at != std::string::npos) {
            const std::size_t begin = at + start.size();
            const std::size_t end = page.head.find(">; rel=\"next\"\r\n", begin);
            ASSERT_NE(end, std::string::npos);
            path = page.head.substr(begin, end - begin);
        }
    }
    EXPECT_EQ(pages, 3);
    EXPECT_EQ(entries, 7U);
}

TEST_F(HubTest, answers_paths_info_as_form_and_as_json) {
    const std::string post = "POST /api/models/locara/tiny/paths-info/main HTTP/1.1\r\n";
    const Json form = send(hub_->port(),
                           post + "Content-Type: application/x-www-form-urlencoded\r\n",
                           "paths=config.json&paths=extra+dir&paths=none&expand=false")
                          .json();
    ASSERT_EQ(form.size(), 2U);
    EXPECT_EQ(form[0]["path"], "config.json");
    EXPECT_EQ(form[1]["type"], "directory");
    const Json json = send(hub_->port(),
                           post + "Content-Type: application/json\r\n",
                           R"({"paths": ["model.gguf"], "expand": true})")
                          .json();
    ASSERT_EQ(json.size(), 1U);
    EXPECT_EQ(json[0]["lastCommit"]["title"], "Publish tiny 1.0.0");
    EXPECT_THAT(send(hub_->port(), post + "Content-Type: application/json\r\n", "[1").head,
                StartsWith("HTTP/1.1 400 "));
}

TEST_F(HubTest, lists_models_and_refs) {
    EXPECT_EQ(get("/api/models").json().size(), 1U);
    EXPECT_EQ(get("/api/models?search=TIN&author=locara&filter=gguf").json().size(), 1U);
    EXPECT_EQ(get("/api/models?search=other").json().size(), 0U);
    EXPECT_EQ(get("/api/models?author=nobody").json().size(), 0U);
    EXPECT_EQ(get("/api/models?filter=onnx").json().size(), 0U);
    const Json refs = get("/api/models/locara/tiny/refs?include_prs=1").json();
    ASSERT_EQ(refs["branches"].size(), 1U);
    EXPECT_EQ(refs["branches"][0]["ref"], "refs/heads/main");
    EXPECT_EQ(refs["branches"][0]["targetCommit"], seed_.commit);
    EXPECT_EQ(refs["tags"][0]["name"], "v1.0.0");
    EXPECT_TRUE(refs["pullRequests"].is_array());
}

// -------------------------------------------------------------------------------------- catalog

TEST_F(HubTest, serves_the_catalog_and_nothing_beside_it) {
    const Reply root = get("/catalog/metadata/1.root.json");
    EXPECT_EQ(root.body, test::read(seed_.data() / "root.json"));
    EXPECT_EQ(crypto::sha256(as_bytes(root.body)).render(), hub_->fingerprint());
    EXPECT_THAT(root.head, HasSubstr("Cache-Control: public, max-age=31536000, immutable"));
    EXPECT_THAT(get("/catalog/metadata/timestamp.json").head, HasSubstr("Cache-Control: no-cache"));
    EXPECT_THAT(get("/catalog/metadata/2.root.json").head, StartsWith("HTTP/1.1 404 "));
    for (const char* path : {"/catalog/metadata/..%2f..%2fkeys%2froot-1.pem",
                             "/catalog/targets/..%2F..%2Flock",
                             "/catalog/metadata/%2Fetc%2Fpasswd",
                             "/catalog/targets/apps",
                             "/catalog/metadata/.lock"}) {
        EXPECT_THAT(get(path).head, StartsWith("HTTP/1.1 404 ")) << path;
    }
    EXPECT_THAT(get("/catalog/metadata/../../keys/root-1.pem").head, StartsWith("HTTP/1.1 400 "));
}

TEST_F(HubTest, gives_targets_under_their_hash) {
    auto repository = catalog::Repository::load(seed_.data() / "catalog", seed_.data() / "keys");
    ASSERT_TRUE(repository);
    std::vector<std::string> names;
    for (const catalog::Target& target : repository->targets()) {
        names.push_back(target.name);
        const test::fs::path name = target.name;
        const std::string hash = target.hashes.at("sha256");
        const Reply answer = get("/catalog/targets/" + name.parent_path().string() + "/" + hash +
                                 "." + name.filename().string());
        EXPECT_EQ(crypto::sha256(as_bytes(answer.body)).render(), hash) << target.name;
    }
    EXPECT_THAT(names,
                testing::IsSupersetOf({"apps/locara/note-taker-1.0.0.json",
                                       "apps/locara/note-taker-1.0.0.locapp",
                                       "models/locara/tiny/1.0.0.json"}));
}

TEST_F(HubTest, shows_a_page_that_cannot_run_anything) {
    const Reply page = get("/");
    EXPECT_THAT(page.head, HasSubstr("Content-Security-Policy: default-src 'none'; style-src"));
    EXPECT_THAT(page.body, HasSubstr("locara/note-taker"));
    EXPECT_THAT(page.body, HasSubstr("Note &amp; Taker"));
    EXPECT_THAT(page.body, HasSubstr("Turns a &lt;note&gt; into a task"));
    EXPECT_THAT(page.body, HasSubstr("Tiny &lt;model&gt;"));
    EXPECT_THAT(page.body, HasSubstr(hub_->fingerprint()));
    EXPECT_EQ(get("/healthz").json()["status"], "ok");
    EXPECT_EQ(get("/version").json()["name"], "locara-hub");
}

TEST_F(HubTest, answers_browsers_of_other_origins) {
    const Reply preflight = send(hub_->port(), "OPTIONS /locara/tiny/raw/main/a HTTP/1.1\r\n");
    EXPECT_THAT(preflight.head, StartsWith("HTTP/1.1 204 "));
    EXPECT_THAT(preflight.head, HasSubstr("Access-Control-Allow-Headers: Authorization, Range"));
    EXPECT_THAT(get("/api/models").head, HasSubstr("Access-Control-Allow-Origin: *\r\n"));
}

// ------------------------------------------------------------------------------ bytes on the wire

// Every kind of answer as clients see it, head and body. What differs from run to run is replaced;
// JSON is indented for people.
TEST_F(HubTest, answers_are_those_that_clients_know) {
    const std::string port = std::to_string(hub_->port());
    const auto steady = [&](std::string text) {
        const auto replace = [&text](const std::string& pattern, const char* by) {
            text = std::regex_replace(text, std::regex(pattern), by);
        };
        replace("127\\.0\\.0\\.1:" + port, "HUB");
        replace("(X-Request-Id|Date): [^\r]*", "$1: *");
        replace(hub_->fingerprint(), "FINGERPRINT");
        replace("\"_id\": \"[0-9a-f]{24}\"", "\"_id\": \"*\"");
        replace("ETag: \"[0-9a-f]{32}\"", "ETag: *"); // of the page, which names the fingerprint
        replace("\"scanners\": \"[^\"]*\"", "\"scanners\": \"*\""); // versions and rules of the day
        replace("\r", ""); // lines end in CRLF; that they do, other tests see
        return text;
    };
    const auto show = [&](const std::string& start, const std::string& body = "") {
        const Reply answer = send(hub_->port(), start, body);
        const auto json = parse_json(answer.body);
        return steady("> " + start + (body.empty() ? "" : "> " + body + "\r\n") + answer.head +
                      (json ? json->dump(2) + "\n" : answer.body));
    };
    const auto show_get = [&](const std::string& path, const std::string& fields = "") {
        return show("GET " + path + " HTTP/1.1\r\n" + fields) + "\n";
    };
    const std::string post = "POST /api/models/locara/tiny/paths-info/main HTTP/1.1\r\n";
    EXPECT_GOLDEN("repository.txt",
                  show_get("/api/models/locara/tiny?blobs=true") +
                      show_get("/api/models/locara/tiny/tree/main?recursive=true") +
                      show_get("/api/models/locara/tiny/tree/main?limit=2") +
                      show_get("/api/models/locara/tiny/tree/main/extra%20dir?expand=true") +
                      show_get("/api/models/locara/tiny/refs") + show_get("/api/models") +
                      show(post + "Content-Type: application/json\r\n",
                           R"({"paths": ["model.gguf", "none"], "expand": true})"));
    EXPECT_GOLDEN("files.txt",
                  show("HEAD /locara/tiny/resolve/main/model.gguf HTTP/1.1\r\n") + "\n" +
                      show_get("/locara/tiny/resolve/main/model.gguf", "Range: bytes=0-3\r\n") +
                      show_get("/locara/tiny/resolve/main/model.gguf", "Range: bytes=9999-\r\n") +
                      show_get("/locara/tiny/resolve/main/config.json") +
                      show_get("/locara/tiny/raw/main/model.gguf"));
    EXPECT_GOLDEN("errors.txt",
                  show_get("/locara/none/resolve/main/a") +
                      show_get("/locara/tiny/resolve/other/config.json") +
                      show_get("/locara/tiny/resolve/main/none") +
                      show_get("/api/models/locara/none") +
                      show_get("/api/models/locara/tiny/tree/main/none") +
                      show_get("/catalog/metadata/2.root.json") + show_get("/none/of/all/that") +
                      show(post + "Content-Type: application/json\r\n", "[1") + "\n" +
                      show("DELETE /api/models HTTP/1.1\r\n"));
    EXPECT_GOLDEN("service.txt",
                  show_get("/") + show_get("/healthz") + show_get("/version") +
                      show("OPTIONS /locara/tiny/raw/main/a HTTP/1.1\r\n"));
}

// --------------------------------------------------------------------------------------- a life

TEST_F(HubTest, publishes_nothing_again_when_the_seed_is_the_same) {
    EXPECT_TRUE(report_.changed);
    EXPECT_EQ(report_.models, 1U);
    EXPECT_EQ(report_.apps, 1U);
    const std::string timestamp = get("/catalog/metadata/timestamp.json").body;
    const std::string root = hub_->fingerprint();
    restart();
    EXPECT_FALSE(report_.changed);
    EXPECT_EQ(get("/catalog/metadata/timestamp.json").body, timestamp);
    EXPECT_EQ(hub_->fingerprint(), root);
}

TEST_F(HubTest, publishes_what_changed_and_keeps_what_was_pinned) {
    const std::string timestamp = get("/catalog/metadata/timestamp.json").body;
    const std::string old = seed_.commit;
    test::write(seed_.repo() / "config.json", "{\"a\": 2}\n");
    seed_.pin("1.1.0");
    restart();
    EXPECT_TRUE(report_.changed);
    EXPECT_NE(seed_.commit, old);
    EXPECT_NE(get("/catalog/metadata/timestamp.json").body, timestamp);
    EXPECT_EQ(get("/locara/tiny/resolve/main/config.json").body, "{\"a\": 2}\n");
    EXPECT_EQ(get("/locara/tiny/resolve/" + old + "/config.json").body, "{\"a\": 1}\n");
}

TEST_F(HubTest, keeps_what_was_published_once_as_it_is) {
    const auto refusal = [this] {
        hub_.reset();
        auto hub = Hub::open(seed_.data(), clock_, null_log());
        EXPECT_TRUE(hub);
        const auto report = (*hub)->take_seed(seed_.root());
        EXPECT_FALSE(report);
        return report ? Error(ErrorCode::Internal, "") : report.error();
    };
    test::write(seed_.app() / "dist" / "index.html", "<!doctype html><title>Other</title>\n");
    Error error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::Conflict);
    EXPECT_THAT(error.describe(),
                HasSubstr("locara/note-taker 1.0.0 was published with other files"));
    test::write(seed_.repo() / "config.json", "{\"a\": 2}\n");
    seed_.pin();
    error = refusal();
    EXPECT_EQ(error.code(), ErrorCode::Conflict);
    EXPECT_THAT(error.describe(), HasSubstr("locara/tiny 1.0.0 was published as sha256:"));
    seed_.pin("1.0.1");
    start();
    EXPECT_TRUE(report_.changed);
}

TEST_F(HubTest, signs_the_models_of_a_seed_with_its_own_key) {
    const auto repository =
        catalog::Repository::load(seed_.data() / "catalog", seed_.data() / "keys");
    ASSERT_TRUE(repository);
    const auto manifest =
        manifest::ModelManifest::parse(test::read(seed_.model() / "manifest.json"));
    ASSERT_TRUE(manifest);
    const auto signer = find_signer(*repository, seed_.data() / "catalog", *manifest);
    ASSERT_TRUE(signer) << signer.error().describe();
    EXPECT_EQ(*signer, repository->keys_of("models").front().id());
}

TEST_F(HubTest, publishes_nothing_of_a_bad_seed) {
    const std::string timestamp = get("/catalog/metadata/timestamp.json").body;
    test::write(seed_.repo() / "config.json", "{\"a\": 2}\n"); // Not pinned.
    hub_.reset();
    auto hub = Hub::open(seed_.data(), clock_, null_log());
    ASSERT_TRUE(hub);
    const auto report = (*hub)->take_seed(seed_.root());
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code(), ErrorCode::Corrupt);
    ASSERT_TRUE((*hub)->serve("127.0.0.1", 0));
    hub_ = std::move(*hub);
    EXPECT_EQ(get("/catalog/metadata/timestamp.json").body, timestamp);
    EXPECT_EQ(get("/locara/tiny/resolve/main/config.json").body, "{\"a\": 1}\n");
}

TEST_F(HubTest, signs_anew_when_it_starts_after_signatures_lapsed) {
    const std::string timestamp = get("/catalog/metadata/timestamp.json").body;
    clock_.advance(std::chrono::hours(24 * 20));
    restart();
    EXPECT_FALSE(report_.changed);
    const Json signed_part = get("/catalog/metadata/timestamp.json").json()["signed"];
    const auto expires = parse_time(signed_part["expires"].get<std::string>());
    ASSERT_TRUE(expires);
    EXPECT_GT(*expires, clock_.now());
}

TEST_F(HubTest, signs_anew_while_it_serves_before_signatures_lapse) {
    const auto expiry = [this] {
        const Json timestamp = get("/catalog/metadata/timestamp.json").json();
        return *parse_time(timestamp["signed"]["expires"].get<std::string>());
    };
    const TimePoint before = expiry();
    clock_.set(before - std::chrono::minutes(1));
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (expiry() == before && std::chrono::steady_clock::now() < give_up) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_GT(expiry(), before + std::chrono::hours(1));
}

TEST_F(HubTest, has_its_data_folder_for_itself_and_says_when_it_serves) {
    EXPECT_THAT(test::read(seed_.data() / "ready"),
                StartsWith("http://127.0.0.1:" + std::to_string(hub_->port())));
    const auto second = Hub::open(seed_.data(), clock_, null_log());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), ErrorCode::Busy);
    hub_->stop();
    EXPECT_FALSE(test::fs::exists(seed_.data() / "ready"));
}

TEST_F(HubTest, starts_over_after_a_first_start_that_was_cut_off) {
    SampleSeed other;
    test::write(other.data() / "joined", ""); // comes first, and says whose the folder is
    test::write(other.data() / "keys" / "root-1.pem", "half");
    const auto hub = Hub::open(other.data(), clock_, null_log());
    EXPECT_TRUE(hub) << hub.error().describe();
}

TEST_F(HubTest, keeps_its_keys_to_itself) {
    using test::fs::perms;
    for (const auto& key : test::fs::directory_iterator(seed_.data() / "keys")) {
        EXPECT_EQ(key.status().permissions(), perms::owner_read | perms::owner_write) << key.path();
    }
}

} // namespace
} // namespace locara::hub
