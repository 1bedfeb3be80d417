// The write API and the CAS over HTTP, with small real xorbs and shards.
#include "../layout.hpp"
#include "hub_client.hpp"
#include "sample_seed.hpp"
#include "sendfile_count.hpp"

#include <locara/base/file.hpp>
#include <locara/hub/accounts.hpp>
#include <locara/hub/hub.hpp>
#include <locara/hub/organizations.hpp>
#include <locara/hub/quotas.hpp>
#include <locara/hub/upkeep.hpp>
#include <locara/xet/shard.hpp>
#include <locara/xet/xorb.hpp>

#include <gmock/gmock.h>

#include <future>
#include <vector>

namespace locara::hub {
namespace {

using test::Reply;
using test::SampleSeed;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// A file as a Xet client sees it: its chunks in one xorb.
struct XetFile {
    std::string content;
    xet::Xorb xorb;
    xet::FileBlock block;

    std::string sha256() const { return crypto::sha256(as_bytes(content)).render(); }

    std::string shard() const {
        xet::Shard shard;
        shard.files = {block};
        auto bytes = xet::render_shard(shard);
        EXPECT_TRUE(bytes);
        return std::string(as_text(*bytes));
    }

    std::string xorb_bytes() const { return std::string(as_text(xorb.bytes)); }
};

/// `count` chunks of 10,000 bytes: every second one packs well, the others not at all.
XetFile make_file(char seed, std::size_t count) {
    XetFile file;
    xet::XorbBuilder builder;
    std::vector<xet::ChunkInfo> chunks;
    std::uint64_t noise = static_cast<unsigned char>(seed);
    for (std::size_t i = 0; i < count; ++i) {
        std::string chunk(10'000, static_cast<char>(seed + static_cast<char>(i)));
        for (std::size_t k = 0; i % 2 == 1 && k < chunk.size(); ++k) {
            noise = noise * 6364136223846793005ULL + 1442695040888963407ULL;
            chunk[k] = static_cast<char>(noise >> 56U);
        }
        const auto hash = xet::chunk_hash(as_bytes(chunk));
        EXPECT_TRUE(builder.add(hash, as_bytes(chunk)));
        chunks.push_back({hash, chunk.size()});
        file.content += chunk;
    }
    file.xorb = builder.finish();
    file.block.hash = xet::file_hash(chunks);
    file.block.terms = {{file.xorb.hash,
                         {0, static_cast<std::uint32_t>(count)},
                         static_cast<std::uint32_t>(file.content.size())}};
    file.block.verification = {xet::range_hash(chunks)};
    file.block.sha256 = crypto::sha256(as_bytes(file.content));
    return file;
}

/// A byte `terms` times, each a term of its own.
XetFile make_many_terms(std::uint32_t terms) {
    XetFile file;
    xet::XorbBuilder builder;
    const xet::ChunkInfo chunk{xet::chunk_hash(as_bytes("x")), 1};
    EXPECT_TRUE(builder.add(chunk.hash, as_bytes("x")));
    file.xorb = builder.finish();
    file.content.assign(terms, 'x');
    file.block.hash = xet::file_hash(std::vector<xet::ChunkInfo>(terms, chunk));
    file.block.terms.assign(terms, {file.xorb.hash, {0, 1}, 1});
    file.block.verification.assign(terms, xet::range_hash(std::span(&chunk, 1)));
    file.block.sha256 = crypto::sha256(as_bytes(file.content));
    return file;
}

class ApiTest : public testing::Test {
  protected:
    void SetUp() override {
        auto hub = Hub::open(seed_.data(), clock_, null_log());
        ASSERT_TRUE(hub) << hub.error().describe();
        hub_ = std::move(*hub);
        hub_->configure(test::with_public_repos());
        ASSERT_TRUE(hub_->take_seed(seed_.root()));
        ASSERT_TRUE(hub_->serve("127.0.0.1", 0));
        ana_ = make_token("ana", TokenRole::Write);
        ben_ = make_token("ben", TokenRole::Write);
    }

    std::string make_token(const std::string& user, TokenRole role, const std::string& name = "t") {
        auto accounts = Accounts::open(seed_.data(), clock_);
        EXPECT_TRUE(accounts);
        static_cast<void>(accounts->add_user(user, "").has_value());
        const auto made =
            accounts->create_token(user, {name, role, clock_.now() + std::chrono::hours(24)});
        EXPECT_TRUE(made) << made.error().describe();
        return made->text.reveal();
    }

    Reply call(const std::string& method,
               const std::string& path,
               const std::string& token,
               const std::string& body = "",
               const std::string& headers = "") const {
        const std::string auth = token.empty() ? "" : "Authorization: Bearer " + token + "\r\n";
        return test::send(
            hub_->port(), method + " " + path + " HTTP/1.1\r\n" + auth + headers, body);
    }

    Reply create(const std::string& token, const std::string& name, const std::string& more = "") {
        return call("POST",
                    "/api/repos/create",
                    token,
                    R"({"type":"model","name":")" + name + "\"" + more + "}");
    }

    Reply commit(const std::string& token,
                 const std::string& repo,
                 const std::string& lines,
                 const std::string& parent = "") {
        const std::string header = R"({"key":"header","value":{"summary":"t")" +
                                   (parent.empty() ? "" : R"(,"parentCommit":")" + parent + "\"") +
                                   "}}\n";
        return call("POST", "/api/models/" + repo + "/commit/main", token, header + lines);
    }

    /// A Xet token of a repository.
    std::string xet_token(const std::string& token, const std::string& repo, const char* kind) {
        const Reply reply =
            call("GET", "/api/models/" + repo + "/xet-" + kind + "-token/main", token);
        EXPECT_EQ(reply.status(), 200) << reply.head << reply.body;
        return reply.status() == 200 ? reply.json()["accessToken"].get<std::string>() : "";
    }

    Reply put_xorb(const std::string& token, const XetFile& file) {
        return call(
            "POST", "/cas/v1/xorbs/default/" + file.xorb.hash.render(), token, file.xorb_bytes());
    }

    /// Uploads a file to a repository and commits it.
    void upload(const std::string& token,
                const std::string& repo,
                const std::string& path,
                const XetFile& file) {
        const std::string xet = xet_token(token, repo, "write");
        ASSERT_EQ(put_xorb(xet, file).status(), 200);
        const Reply shard = call("POST", "/cas/v1/shards", xet, file.shard());
        ASSERT_EQ(shard.status(), 200) << shard.body;
        const Reply made = commit(token, repo, lfs_line(path, file));
        ASSERT_EQ(made.status(), 200) << made.body;
    }

    static std::string lfs_line(const std::string& path, const XetFile& file) {
        return R"({"key":"lfsFile","value":{"path":")" + path + R"(","algo":"sha256","oid":")" +
               file.sha256() + R"(","size":)" + std::to_string(file.content.size()) + "}}";
    }

    SampleSeed seed_;
    FakeClock clock_{*parse_time("2026-11-22T19:00:00Z")};
    std::unique_ptr<Hub> hub_;
    std::string ana_;
    std::string ben_;
};

// ----------------------------------------------------------------------------------- identities

TEST_F(ApiTest, tells_a_caller_who_it_is_and_refuses_bad_tokens_everywhere) {
    const Json me = call("GET", "/api/whoami-v2", ana_).json();
    EXPECT_EQ(me["name"], "ana");
    EXPECT_EQ(me["auth"]["accessToken"]["role"], "write");
    EXPECT_EQ(me["auth"]["accessToken"]["createdAt"], "2026-11-22T19:00:00.000Z");
    EXPECT_EQ(call("GET", "/api/whoami-v2", "").status(), 401);
    for (const char* path : {"/api/whoami-v2",
                             "/api/models",
                             "/api/models/locara/tiny",
                             "/locara/tiny/resolve/main/config.json"}) {
        const Reply reply = call("GET", path, "hf_" + std::string(40, '0'));
        EXPECT_EQ(reply.status(), 401) << path;
        EXPECT_EQ(reply.json()["error"], "Invalid credentials in Authorization header");
    }
    // Basic with the token as password, as git sends it.
    const std::string basic =
        "Authorization: Basic " + render_base64(as_bytes("any:" + ana_)) + "\r\n";
    EXPECT_EQ(call("GET", "/api/whoami-v2", "", "", basic).json()["name"], "ana");
    clock_.advance(std::chrono::hours(25));
    EXPECT_EQ(call("GET", "/api/whoami-v2", ana_).status(), 401);
}

TEST_F(ApiTest, tells_a_user_its_mail_address_and_nobody_else) {
    const Json before = call("GET", "/api/whoami-v2", ana_).json();
    EXPECT_EQ(before["email"], "ana@users.noreply.locara.dev");
    EXPECT_EQ(before["emailVerified"], false);
    auto accounts = Accounts::open(seed_.data(), clock_);
    ASSERT_TRUE(accounts);
    for (const char* address :
         {"ana", "@b", "a@", "a@b@c", "a b@c", "a@b\n", "<a@b>", "\xc3\xa9@b"}) {
        EXPECT_EQ(accounts->set_email("ana", address).error().code(), ErrorCode::InvalidArgument);
    }
    EXPECT_EQ(accounts->set_email("nobody", "a@b").error().code(), ErrorCode::NotFound);
    ASSERT_TRUE(accounts->set_email("ANA", "ana@example.org"));
    const Json me = call("GET", "/api/whoami-v2", ana_).json();
    EXPECT_EQ(me["email"], "ana@example.org");
    EXPECT_EQ(me["emailVerified"], true);
    EXPECT_EQ(me["avatarUrl"], "/avatars/ee63465620787644e046e9465740f293.svg");
    EXPECT_THAT(call("GET", "/api/users/ana/overview", ben_).body, Not(HasSubstr("example.org")));
    EXPECT_THAT(call("GET", "/api/users/ana/overview", ben_).body, HasSubstr("default.svg"));
    ASSERT_EQ(create(ana_, "m").status(), 200);
    EXPECT_THAT(call("GET", "/api/models/ana/m/commits/main", ben_).body,
                Not(HasSubstr("example.org")));
    ASSERT_TRUE(accounts->set_email("ana", ""));
    EXPECT_EQ(call("GET", "/api/whoami-v2", ana_).json(), before);
}

TEST_F(ApiTest, lets_only_the_owner_with_a_write_token_change_anything) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const std::string reader = make_token("ana", TokenRole::Read, "reader");
    for (const auto& [token, status] :
         {std::pair(std::string(), 401), std::pair(ben_, 403), std::pair(reader, 403)}) {
        EXPECT_EQ(create(token, "x", R"(,"organization":"ana")").status(), status);
        EXPECT_EQ(commit(token, "ana/m", "").status(), status);
        EXPECT_EQ(
            call("POST", "/api/models/ana/m/preupload/main", token, R"({"files":[]})").status(),
            status);
        EXPECT_EQ(call("GET", "/api/models/ana/m/xet-write-token/main", token).status(), status);
        EXPECT_EQ(call("DELETE",
                       "/api/repos/delete",
                       token,
                       R"({"name":"m","organization":"ana","type":"model"})")
                      .status(),
                  status);
    }
    EXPECT_EQ(call("GET", "/api/models/ana/m", "").status(), 200);
}

TEST_F(ApiTest, hides_a_private_repository_from_all_but_its_owner) {
    ASSERT_EQ(create(ana_, "secret", R"(,"visibility":"private")").status(), 200);
    for (const char* path : {"/api/models/ana/secret",
                             "/api/models/ana/secret/tree/main",
                             "/ana/secret/resolve/main/.gitattributes",
                             "/api/models/ana/secret/xet-read-token/main"}) {
        EXPECT_EQ(call("GET", path, ana_).status(), 200) << path;
        const Reply other = call("GET", path, ben_);
        EXPECT_EQ(other.status(), 404) << path;
        EXPECT_EQ(other.header("X-Error-Code"), "RepoNotFound");
        EXPECT_EQ(call("GET", path, "").status(), 401) << path;
    }
    EXPECT_EQ(call("GET", "/api/models?author=ana", ana_).json().size(), 1U);
    EXPECT_EQ(call("GET", "/api/models?author=ana", ben_).json().size(), 0U);
    EXPECT_THAT(
        call("GET", "/ana/secret/resolve/main/.gitattributes", ana_).header("Cache-Control"),
        StartsWith("private"));
}

// ----------------------------------------------------------------------------- making and removing

TEST_F(ApiTest, creates_a_repository_with_its_first_files_and_tells_where_it_is) {
    const std::string files =
        R"(,"license":"mit","files":[{"path":"a.txt","content":"aGk=","encoding":"base64"}])";
    const Json made = create(ana_, "m", files).json();
    const std::string url = "http://127.0.0.1:" + std::to_string(hub_->port()) + "/ana/m";
    EXPECT_EQ(made["url"], url);
    EXPECT_EQ(made["name"], "ana/m");
    EXPECT_EQ(made["id"].get<std::string>().size(), 24U);
    EXPECT_EQ(call("GET", "/ana/m/resolve/main/a.txt", "").body, "hi");
    EXPECT_THAT(call("GET", "/ana/m/raw/main/README.md", "").body, HasSubstr("license: mit"));
    EXPECT_THAT(call("GET", "/ana/m/raw/main/.gitattributes", "").body,
                HasSubstr("*.lfs.* filter=lfs"));
    const Reply again = create(ana_, "M");
    EXPECT_EQ(again.status(), 409);
    EXPECT_THAT(again.json()["url"].get<std::string>(), StartsWith("http://"));
    EXPECT_EQ(call("GET", "/api/models/ANA/M", "").json()["id"], "ana/m");
}

TEST_F(ApiTest, tells_what_a_space_is_made_with) {
    const std::string named = R"({"type":"space","name":"app")";
    EXPECT_EQ(call("POST", "/api/repos/create", ana_, named + R"(,"sdk":"a: b"})").status(), 400);
    ASSERT_EQ(call("POST", "/api/repos/create", ana_, named + R"(,"sdk":"gradio"})").status(), 200);
    const std::string one = "/api/spaces/ana/app";
    EXPECT_EQ(call("GET", one, "").json()["sdk"], "gradio");
    // Apps are pages without a server: that needs no card.
    for (const char* const name : {R"("page","sdk":"static")", R"("bare")"}) {
        const std::string body = R"({"type":"space","name":)" + std::string(name) + "}";
        const Json made = call("POST", "/api/repos/create", ana_, body).json();
        const Json page = call("GET", "/api/spaces/" + made["name"].get<std::string>(), "").json();
        EXPECT_EQ(page["sdk"], "static") << page;
        EXPECT_EQ(page["siblings"].size(), 1U) << page;
        EXPECT_EQ(call("DELETE", "/api/repos/delete", ana_, body).status(), 200);
    }
    EXPECT_EQ(call("GET", one, "").json()["runtime"], call("GET", one + "/runtime", "").json());
    ASSERT_EQ(call("POST",
                   one + "/commit/main",
                   ana_,
                   R"({"key":"header","value":{"summary":"t"}})"
                   "\n"
                   R"({"key":"file","value":{"path":"README.md","content":)"
                   R"("---\nsdk: static\nmodels: [a/b]\ndatasets:\n- c/d\n---\n"}})")
                  .status(),
              200);
    const Json about = call("GET", one, "").json();
    EXPECT_EQ(about["sdk"], "static");
    EXPECT_EQ(about["models"], Json::array({"a/b"}));
    EXPECT_EQ(about["datasets"], Json::array({"c/d"}));
    const Json asked =
        call("GET", one + "?expand=sdk&expand=models&expand=datasets&expand=runtime", "").json();
    EXPECT_EQ(asked.size(), 6U) << asked; // _id and id too
    const Json listed = call("GET", "/api/spaces?models=a/b", "").json();
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0]["sdk"], "static");
    EXPECT_FALSE(listed[0].contains("runtime"));
    EXPECT_EQ(call("GET", "/api/spaces?full=true", "").json()[0]["models"], about["models"]);
}

TEST_F(ApiTest, keeps_types_apart_and_removes_what_it_is_told) {
    for (const char* type : {"model", "dataset", "space"}) {
        const Reply reply = call("POST",
                                 "/api/repos/create",
                                 ana_,
                                 R"({"name":"m","type":")" + std::string(type) + "\"}");
        EXPECT_EQ(reply.status(), 200) << reply.body;
    }
    EXPECT_EQ(call("GET", "/api/datasets/ana/m", "").json()["id"], "ana/m");
    EXPECT_EQ(call("GET", "/datasets/ana/m/resolve/main/.gitattributes", "").status(), 200);
    EXPECT_EQ(call("GET", "/spaces/ana/m/resolve/main/none", "").header("X-Error-Code"),
              "EntryNotFound");
    const std::string body = R"({"name":"m","organization":"ana","type":"dataset"})";
    EXPECT_EQ(call("DELETE", "/api/repos/delete", ana_, body).status(), 200);
    EXPECT_EQ(call("DELETE", "/api/repos/delete", ana_, body).status(), 404);
    EXPECT_EQ(call("GET", "/api/datasets/ana/m", ana_).status(), 404);
    EXPECT_EQ(call("GET", "/api/models/ana/m", "").status(), 200);
}

TEST_F(ApiTest, refuses_repositories_that_cannot_be) {
    for (const char* body :
         {R"({"name":"../x"})",
          R"({"name":""})",
          R"({"name":"a","type":"bucket"})",
          R"({"name":"a","license":"a\nb: c"})",
          R"({"name":"a","files":[{"path":"a","content":"%","encoding":"base64"}]})",
          R"([])",
          R"({)"}) {
        EXPECT_EQ(call("POST", "/api/repos/create", ana_, body).status(), 400) << body;
    }
    EXPECT_EQ(create(ana_, "m", R"(,"files":[{"path":"../a","content":""}])").status(), 422);
}

// ----------------------------------------------------------------------------------------- quotas

TEST_F(ApiTest, takes_no_more_than_an_owner_may_store) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    auto quotas = Quotas::open(seed_.data());
    ASSERT_TRUE(quotas);
    const std::uint64_t used = *quotas->used("ana");
    ASSERT_TRUE(quotas->set("ana", used + 100'000));
    const auto refused = [](const Reply& reply) {
        EXPECT_EQ(reply.status(), 403) << reply.body;
        EXPECT_THAT(reply.header("X-Error-Message"),
                    StartsWith("Storage limit reached: ana uses "));
    };
    // Some 90 KB on the wire, 160 KB as a file.
    const XetFile large = make_file('a', 16);
    const std::string size = std::to_string(large.content.size());
    refused(call("POST",
                 "/api/models/ana/m/preupload/main",
                 ana_,
                 R"({"files":[{"path":"a.bin","sample":"AAAA","size":)" + size + "}]}"));
    const std::string objects = R"("objects":[{"oid":")" + large.sha256() + R"(","size":)" + size +
                                R"(}],"ref":{"name":"main"}})";
    refused(call(
        "POST", "/ana/m.git/info/lfs/objects/batch", ana_, R"({"operation":"upload",)" + objects));
    const std::string xet = xet_token(ana_, "ana/m", "write");
    ASSERT_EQ(put_xorb(xet, large).status(), 200);
    refused(call("POST", "/cas/v1/shards", xet, large.shard()));
    EXPECT_THAT(call("POST", "/cas/v2/shards", xet, large.shard()).body,
                HasSubstr("Storage limit reached"));
    EXPECT_EQ(commit(ana_, "ana/m", lfs_line("a.bin", large)).status(), 400); // It is not there.
    upload(ana_, "ana/m", "b.bin", make_file('b', 2));
    // Full: nothing more comes in by any door, what is there can be read and removed.
    ASSERT_TRUE(quotas->set("ana", used));
    refused(call("GET", "/api/models/ana/m/xet-write-token/main", ana_));
    refused(put_xorb(xet, make_file('c', 2)));
    refused(create(ana_, "n"));
    refused(
        commit(ana_, "ana/m", R"({"key":"file","value":{"path":"c.txt","content":"some text"}})"));
    const Reply push = call("GET", "/ana/m.git/info/refs?service=git-receive-pack", ana_);
    refused(push);
    EXPECT_THAT(push.body, StartsWith("Storage limit reached: ana uses "));
    EXPECT_EQ(call("GET", "/ana/m/resolve/main/b.bin", "").status(), 200);
    EXPECT_EQ(commit(ana_, "ana/m", R"({"key":"deletedFile","value":{"path":"b.bin"}})").status(),
              200);
    // Nor can it be given to who has no room for it.
    ASSERT_TRUE(quotas->set("ana", Quota()));
    auto organizations = Organizations::open(seed_.data());
    ASSERT_TRUE(organizations);
    ASSERT_TRUE(organizations->create("lab", "", clock_.now()));
    ASSERT_TRUE(organizations->add_member("lab", "ana", OrgRole::Admin));
    ASSERT_TRUE(quotas->set("lab", 10'000U));
    const std::string move = R"({"fromRepo":"ana/m","toRepo":"lab/m"})";
    EXPECT_EQ(call("POST", "/api/repos/move", ana_, move).status(), 403);
    ASSERT_TRUE(quotas->reset("lab"));
    EXPECT_EQ(call("POST", "/api/repos/move", ana_, move).status(), 200);
}

TEST_F(ApiTest, counts_xorbs_until_a_shard_names_them) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    ASSERT_EQ(create(ana_, "n").status(), 200);
    auto quotas = Quotas::open(seed_.data());
    ASSERT_TRUE(quotas);
    ASSERT_TRUE(quotas->set("ana", *quotas->used("ana") + 100'000));
    const std::string xet = xet_token(ana_, "ana/m", "write");
    // Some 45 KB on the wire each, 80 KB as a file; one file fits.
    const XetFile first = make_file('a', 8);
    const XetFile second = make_file('b', 8);
    ASSERT_EQ(put_xorb(xet, first).status(), 200);
    ASSERT_EQ(put_xorb(xet, second).status(), 200);
    const std::string other = xet_token(ana_, "ana/n", "write");
    for (const std::string& token : {xet, other}) {
        const Reply refused = put_xorb(token, make_file('c', 8));
        EXPECT_EQ(refused.status(), 403) << refused.body;
        EXPECT_THAT(refused.body, HasSubstr("Storage limit reached: ana uses "));
    }
    // What is here already may come again, and its file counts once.
    EXPECT_EQ(put_xorb(xet, first).status(), 200);
    const Reply shard = call("POST", "/cas/v1/shards", xet, first.shard());
    EXPECT_EQ(shard.status(), 200) << shard.body;
    EXPECT_EQ(call("POST", "/cas/v1/shards", xet, second.shard()).status(), 403);
    // Once gc took what no shard named, there is room again.
    EXPECT_EQ(put_xorb(xet, make_file('c', 2)).status(), 403);
    clock_.advance(std::chrono::hours(25));
    ASSERT_TRUE(collect_garbage(seed_.data(), clock_));
    const std::string again = xet_token(make_token("ana", TokenRole::Write, "u"), "ana/m", "write");
    EXPECT_EQ(put_xorb(again, make_file('c', 2)).status(), 200);
}

// ---------------------------------------------------------------------------------------- commits

TEST_F(ApiTest, deletes_no_large_file_while_a_backup_copies) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const XetFile file = make_file('a', 2);
    upload(ana_, "ana/m", "a.bin", file);
    const std::string path =
        "/api/models/ana/m/lfs-files/" + file.sha256() + "?rewriteHistory=true";
    {
        const auto held = FileLock::try_acquire(seed_.data() / kGcLock);
        ASSERT_TRUE(held);
        const Reply later = call("DELETE", path, ana_);
        EXPECT_EQ(later.status(), 503) << later.body;
        EXPECT_EQ(later.header("Retry-After"), "60");
        EXPECT_THAT(later.body, HasSubstr("a backup or gc is at work"));
        EXPECT_EQ(call("GET", "/ana/m/resolve/main/a.bin", "").body, file.content);
    }
    EXPECT_EQ(call("DELETE", path, ana_).status(), 200);
    EXPECT_EQ(call("GET", "/ana/m/resolve/main/a.bin", "").status(), 404);
}

TEST_F(ApiTest, commits_files_and_shows_them_at_once) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const Json made =
        commit(ana_,
               "ana/m",
               R"({"key":"file","value":{"path":"d/a.txt","content":"one"}})"
               "\n"
               R"({"key":"file","value":{"path":"b.txt","content":"dHdv","encoding":"base64"}})")
            .json();
    EXPECT_EQ(made["success"], true);
    const std::string first = made["commitOid"];
    EXPECT_EQ(made["commitUrl"],
              "http://127.0.0.1:" + std::to_string(hub_->port()) + "/ana/m/commit/" + first);
    EXPECT_EQ(call("GET", "/ana/m/resolve/main/d/a.txt", "").body, "one");
    EXPECT_EQ(call("GET", "/api/models/ana/m", "").json()["sha"], first);

    const Json second = commit(ana_,
                               "ana/m",
                               R"({"key":"deletedFolder","value":{"path":"d/"}})"
                               "\n"
                               R"({"key":"file","value":{"path":"b.txt","content":"three"}})",
                               first)
                            .json();
    EXPECT_EQ(call("GET", "/ana/m/resolve/main/d/a.txt", "").status(), 404);
    EXPECT_EQ(call("GET", "/ana/m/resolve/" + first + "/d/a.txt", "").body, "one");
    const Json tree = call("GET", "/api/models/ana/m/tree/main?expand=true", "").json();
    for (const Json& entry : tree) {
        EXPECT_EQ(entry["lastCommit"]["id"] == second["commitOid"], entry["path"] == "b.txt");
    }
    // Nothing changes, so nothing is committed.
    const Json same =
        commit(ana_, "ana/m", R"({"key":"file","value":{"path":"b.txt","content":"three"}})")
            .json();
    EXPECT_EQ(same["commitOid"], second["commitOid"]);
}

TEST_F(ApiTest, refuses_commits_that_do_not_fit) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const std::string old = call("GET", "/api/models/ana/m", "").json()["sha"];
    ASSERT_EQ(commit(ana_, "ana/m", R"({"key":"file","value":{"path":"a","content":""}})").status(),
              200);
    const Reply behind =
        commit(ana_, "ana/m", R"({"key":"file","value":{"path":"b","content":""}})", old);
    EXPECT_EQ(behind.status(), 412);
    EXPECT_THAT(behind.body, HasSubstr("The branch was updated since"));
    const Reply none = commit(ana_, "ana/m", R"({"key":"deletedFile","value":{"path":"none"}})");
    EXPECT_EQ(none.status(), 404);
    EXPECT_EQ(none.header("X-Error-Code"), "EntryNotFound");
    EXPECT_EQ(
        commit(ana_, "ana/m", R"({"key":"file","value":{"path":"a/b","content":""}})").status(),
        400);
    EXPECT_EQ(commit(ana_, "ana/m", "{").status(), 400);
    const std::string header = R"({"key":"header","value":{"summary":"t"}})";
    EXPECT_EQ(call("POST", "/api/models/ana/m/commit/other", ana_, header).header("X-Error-Code"),
              "RevisionNotFound");
    EXPECT_EQ(call("POST", "/api/models/ana/m/commit/" + old, ana_, header).header("X-Error-Code"),
              "RevisionNotFound");
    EXPECT_THAT(call("POST", "/api/models/ana/m/commit/main?create_pr=1", ana_, header).body,
                HasSubstr("nothing to propose"));
}

TEST_F(ApiTest, commits_all_that_come_at_once) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const auto put = [this](std::size_t i, const char* revision) {
        const std::string name = "f" + std::to_string(i);
        return call("POST",
                    std::string("/api/models/ana/m/commit/") + revision,
                    ana_,
                    R"({"key":"header","value":{"summary":"t"}})"
                    "\n"
                    R"({"key":"file","value":{"path":")" +
                        name + R"(","content":")" + name + "\"}}");
    };
    constexpr std::size_t kCallers = 16;
    std::vector<std::future<Reply>> commits;
    for (std::size_t i = 0; i < kCallers; ++i) {
        commits.push_back(std::async(std::launch::async, put, i, "main"));
    }
    for (std::future<Reply>& commit : commits) {
        const Reply reply = commit.get();
        EXPECT_EQ(reply.status(), 200) << reply.body;
    }
    for (std::size_t i = 0; i < kCallers; ++i) {
        const std::string name = "f" + std::to_string(i);
        EXPECT_EQ(call("GET", "/ana/m/resolve/main/" + name, "").body, name);
    }

    // Merges too, beside commits and a squash.
    constexpr std::size_t kPulls = 4;
    for (std::size_t i = 0; i < kPulls; ++i) {
        ASSERT_EQ(put(100 + i, "main?create_pr=1").status(), 200);
    }
    std::vector<std::future<Reply>> changes;
    for (std::size_t i = 0; i < kPulls; ++i) {
        const std::string pull =
            "/api/models/ana/m/discussions/" + std::to_string(i + 1) + "/merge";
        changes.push_back(std::async(std::launch::async,
                                     [this, pull] { return call("POST", pull, ana_, "{}"); }));
        changes.push_back(std::async(std::launch::async, put, 200 + i, "main"));
    }
    for (std::future<Reply>& change : changes) {
        const Reply reply = change.get();
        EXPECT_EQ(reply.status(), 200) << reply.body;
    }
    for (std::size_t i = 0; i < kPulls; ++i) {
        for (const std::size_t made : {100 + i, 200 + i}) {
            const std::string name = "f" + std::to_string(made);
            EXPECT_EQ(call("GET", "/ana/m/resolve/main/" + name, "").body, name);
        }
    }
}

TEST_F(ApiTest, renames_in_a_pull_request_what_was_at_its_parent) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const auto put = [this](const char* file) { return commit(ana_, "ana/m", file).json(); };
    const std::string parent =
        put(R"({"key":"file","value":{"path":"a.txt","content":"one"}})")["commitOid"];
    put(R"({"key":"deletedFile","value":{"path":"a.txt"}})");
    const std::string rename = R"({"key":"file","value":{"path":"b.txt","oldPath":"a.txt"}})";
    const auto propose = [&](const std::string& start) {
        return call("POST",
                    "/api/models/ana/m/commit/main?create_pr=1",
                    ana_,
                    R"({"key":"header","value":{"summary":"t")" + start + "}}\n" + rename);
    };
    EXPECT_EQ(propose("").header("X-Error-Code"), "EntryNotFound");
    const std::string unknown(40, '1');
    EXPECT_EQ(propose(R"(,"parentCommit":")" + unknown + '"').header("X-Error-Code"),
              "RevisionNotFound");
    const Reply made = propose(R"(,"parentCommit":")" + parent + '"');
    ASSERT_EQ(made.status(), 200) << made.body;
    const std::string commit = made.json()["commitOid"];
    EXPECT_EQ(call("GET", "/ana/m/resolve/" + commit + "/b.txt", "").body, "one");
}

TEST_F(ApiTest, says_how_each_file_has_to_come) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const auto ask = [this](const std::string& more) {
        const Json files = {{{"path", "a.txt"}, {"size", 3}, {"sample", "aGk="}},
                            {{"path", "b.gguf"}, {"size", 3}, {"sample", "aGk="}},
                            {{"path", "c.dat"}, {"size", 3}, {"sample", "AAE="}},
                            {{"path", "d.txt"}, {"size", 20'000'000}, {"sample", "aGk="}},
                            {{"path", "e.gguf"}, {"size", 0}, {"sample", ""}}};
        const Reply reply = call("POST",
                                 "/api/models/ana/m/preupload/main",
                                 ana_,
                                 R"({"files":)" + files.dump() + more + "}");
        EXPECT_EQ(reply.status(), 200) << reply.body;
        const Json answer = reply.json();
        std::string modes;
        for (const Json& file : answer["files"]) {
            modes += file["uploadMode"] == "lfs" ? 'L' : 'r';
            modes += file["shouldIgnore"] == true ? '!' : '.';
        }
        return modes;
    };
    EXPECT_EQ(ask(""), "r.L.L.L.r.");
    EXPECT_EQ(ask(R"(,"gitAttributes":"*.txt filter=lfs")"), "L.r.L.L.r.");
    EXPECT_EQ(ask(R"(,"gitIgnore":"*.dat")"), "r.L.L!L.r.");
    const Json again = call("POST",
                            "/api/models/ana/m/preupload/main",
                            ana_,
                            R"({"files":[{"path":".gitattributes","size":9,"sample":""}]})")
                           .json();
    EXPECT_EQ(again["files"][0]["oid"].get<std::string>().size(), 40U);
}

// -------------------------------------------------------------------------------------------- Xet

TEST_F(ApiTest, takes_a_file_by_xet_and_gives_it_back_whole_in_ranges_and_by_plan) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const XetFile file = make_file('a', 6);
    upload(ana_, "ana/m", "w.unknown", file);

    // The path was not tracked before.
    EXPECT_THAT(call("GET", "/ana/m/raw/main/.gitattributes", "").body,
                HasSubstr("/w.unknown filter=lfs"));
    EXPECT_THAT(call("GET", "/ana/m/raw/main/w.unknown", "").body,
                HasSubstr("oid sha256:" + file.sha256()));
    const std::string path = "/ana/m/resolve/main/w.unknown";
    const Reply whole = call("GET", path, "");
    EXPECT_EQ(whole.header("ETag"), "\"" + file.sha256() + "\"");
    EXPECT_TRUE(whole.body == file.content);
    for (const auto& [begin, end] :
         {std::pair<std::size_t, std::size_t>{0, 1}, {9'999, 10'001}, {15'000, 45'000}}) {
        const std::string range =
            "Range: bytes=" + std::to_string(begin) + "-" + std::to_string(end - 1) + "\r\n";
        const Reply part = call("GET", path, "", "", range);
        EXPECT_EQ(part.status(), 206);
        EXPECT_TRUE(part.body == file.content.substr(begin, end - begin)) << range;
    }
    const Reply head = call("HEAD", path, "");
    EXPECT_EQ(head.header("Content-Length"), "60000");
    EXPECT_EQ(head.body, "");

    const Reply info =
        call("GET", path, "", "", "Accept: application/vnd.xet-fileinfo+json, */*\r\n");
    EXPECT_EQ(info.header("Content-Type"), "application/vnd.xet-fileinfo+json");
    EXPECT_EQ(info.json()["hash"], file.block.hash.render());
    EXPECT_EQ(info.header("X-Xet-Hash"), file.block.hash.render());

    const std::string reader = xet_token("", "ana/m", "read");
    const Json plan =
        call("GET", "/cas/v2/reconstructions/" + file.block.hash.render(), reader).json();
    ASSERT_EQ(plan["terms"].size(), 1U);
    const Json& entry = plan["xorbs"][file.xorb.hash.render()][0];
    const std::string url = entry["url"];
    const std::string bytes =
        "Range: bytes=0-" + std::to_string(file.xorb.table.packed_bytes() - 1) + "\r\n";
    const Reply data = call("GET", url.substr(url.find("/cas/")), "", "", bytes);
    EXPECT_EQ(data.status(), 206) << data.body;
    EXPECT_TRUE(data.body == file.xorb_bytes().substr(0, file.xorb.table.packed_bytes()));
}

TEST_F(ApiTest, gives_data_urls_that_open_only_what_was_signed) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const XetFile file = make_file('a', 6);
    upload(ana_, "ana/m", "w.bin", file);
    const std::string reader = xet_token("", "ana/m", "read");
    const std::string plan_path = "/cas/v1/reconstructions/" + file.block.hash.render();
    const Json plan = call("GET", plan_path, reader, "", "Range: bytes=20000-29999\r\n").json();
    EXPECT_EQ(plan["offset_into_first_range"], 0);
    const Json& entry = plan["fetch_info"][file.xorb.hash.render()][0];
    const std::size_t first = entry["url_range"]["start"];
    const std::size_t last = entry["url_range"]["end"];
    const std::string full = entry["url"];
    const std::string url = full.substr(full.find("/cas/"));
    const auto get = [this](const std::string& where, std::size_t a, std::size_t b) {
        return call("GET",
                    where,
                    "",
                    "",
                    "Range: bytes=" + std::to_string(a) + "-" + std::to_string(b) + "\r\n");
    };
    const std::uint64_t before = locara::test::sendfile_bytes();
    EXPECT_EQ(get(url, first, last).status(), 206);
    EXPECT_EQ(locara::test::sendfile_bytes() - before, last + 1 - first) << "it was copied";
    EXPECT_EQ(get(url, first + 1, last - 1).status(), 206);
    EXPECT_EQ(get(url, first - 1, last).status(), 403);
    EXPECT_EQ(get(url, first, last + 1).status(), 403);
    EXPECT_EQ(call("GET", url, "").status(), 403);
    EXPECT_EQ(get(url + "0", first, last).status(), 403);
    const Reply two = call("GET",
                           url,
                           "",
                           "",
                           "Range: bytes=" + std::to_string(first) + "-" + std::to_string(first) +
                               "," + std::to_string(last) + "-" + std::to_string(last) + "\r\n");
    EXPECT_THAT(two.header("Content-Type"), StartsWith("multipart/byteranges; boundary="));
    EXPECT_THAT(two.body, HasSubstr("Content-Range: bytes " + std::to_string(last) + "-"));
    EXPECT_EQ(std::to_string(two.body.size()), two.header("Content-Length"));
    clock_.advance(std::chrono::hours(2));
    EXPECT_EQ(get(url, first, last).status(), 403);
    EXPECT_EQ(call("GET", plan_path, reader).status(), 401);
}

// Whichever way a file comes, and before the branch moves.
TEST_F(ApiTest, refuses_what_the_gate_refuses) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const std::string pickle =
        R"({"key":"file","value":{"path":"a.txt","content":"cos\nsystem\n(S'id'\ntR."}})";
    const Reply refused = commit(ana_, "ana/m", pickle);
    EXPECT_EQ(refused.status(), 403) << refused.body;
    EXPECT_THAT(refused.body, HasSubstr("a.txt is refused"));
    EXPECT_EQ(refused.header("X-Error-Code"), "RefusedByGate");
    EXPECT_THAT(refused.body, HasSubstr("pickle.import.malicious"));

    const XetFile file = make_file('a', 6); // no safetensors at all
    upload(ana_, "ana/m", "w.bin", file);   // flagged as unknown, and kept
    const Reply weights = commit(ana_, "ana/m", lfs_line("w.safetensors", file));
    EXPECT_EQ(weights.status(), 403) << weights.body;
    EXPECT_THAT(weights.body, HasSubstr("(safetensors."));
    const Json tree = call("GET", "/api/models/ana/m/tree/main", ana_).json();
    for (const Json& entry : tree) {
        EXPECT_THAT(entry["path"].get<std::string>(), testing::AnyOf(".gitattributes", "w.bin"));
    }
    const Reply made = create(
        ana_,
        "n",
        R"(,"files":[{"path":"x","content":"cos\nsystem\n(S'id'\ntR.","encoding":"utf-8"}])");
    EXPECT_EQ(made.status(), 403) << made.body;
    EXPECT_EQ(call("GET", "/api/models/ana/n", ana_).status(), 404);
}

TEST_F(ApiTest, answers_plans_exactly) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const XetFile file = make_file('a', 6);
    upload(ana_, "ana/m", "w.bin", file);
    const std::string reader = xet_token("", "ana/m", "read");
    const std::string path = "/cas/v1/reconstructions/" + file.block.hash.render();
    EXPECT_EQ(call("GET", path, reader, "", "Range: bytes=60000-\r\n").status(), 416);
    EXPECT_EQ(call("GET", "/cas/v1/reconstructions/" + std::string(64, '0'), reader).status(), 404);
    EXPECT_EQ(call("GET", "/cas/v1/reconstructions/none", reader).status(), 400);
    EXPECT_EQ(call("GET", path, "").status(), 401);
    EXPECT_EQ(call("GET", path, reader + "0").status(), 401);
    EXPECT_EQ(call("GET", path, ana_).status(), 401);
    const Json ranged = call("GET", path, reader, "", "Range: bytes=15000-15000\r\n").json();
    EXPECT_EQ(ranged["offset_into_first_range"], 5000);
    EXPECT_EQ(ranged["terms"][0]["unpacked_length"], 10'000);
    const Json batch = call("GET",
                            "/cas/v1/reconstructions?file_id=" + file.block.hash.render() +
                                "&file_id=" + file.block.hash.render(),
                            reader)
                           .json();
    EXPECT_EQ(batch["files"].size(), 1U);
    EXPECT_EQ(batch["fetch_info"][file.xorb.hash.render()].size(), 1U);
    const Reply shard = call("GET", "/cas/v1/files/" + file.block.hash.render() + "/shard", reader);
    const auto parsed = xet::parse_shard(as_bytes(shard.body));
    ASSERT_TRUE(parsed) << parsed.error().describe();
    EXPECT_EQ(parsed->files.at(0).hash, file.block.hash);
    EXPECT_EQ(call("POST", "/cas/v1/telemetry", "", "{}").status(), 200);
}

TEST_F(ApiTest, plans_several_files_at_once_with_each_range_once_and_a_limit) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const XetFile file = make_file('a', 4);
    XetFile twice = file;
    twice.content += file.content;
    twice.block.terms.push_back(file.block.terms[0]);
    twice.block.verification.push_back(file.block.verification[0]);
    std::vector<xet::ChunkInfo> chunks;
    for (std::uint32_t i = 0; i < 8; ++i) {
        chunks.push_back({file.xorb.table.info(i % 4).hash, 10'000});
    }
    twice.block.hash = xet::file_hash(chunks);
    twice.block.sha256 = crypto::sha256(as_bytes(twice.content));
    upload(ana_, "ana/m", "w.bin", file);
    upload(ana_, "ana/m", "twice.bin", twice);
    const std::string reader = xet_token("", "ana/m", "read");
    const auto batch = [&](const XetFile& a, const XetFile& b) {
        return call("GET",
                    "/cas/v1/reconstructions?file_id=" + a.block.hash.render() +
                        "&file_id=" + b.block.hash.render(),
                    reader);
    };
    const Json plans = batch(file, twice).json();
    EXPECT_EQ(plans["files"][file.block.hash.render()].size(), 1U);
    EXPECT_EQ(plans["files"][twice.block.hash.render()].size(), 2U);
    EXPECT_EQ(plans["fetch_info"][file.xorb.hash.render()].size(), 1U);

    const XetFile many = make_many_terms(33'000);
    const XetFile more = make_many_terms(33'001);
    upload(ana_, "ana/m", "many.bin", many);
    upload(ana_, "ana/m", "more.bin", more);
    EXPECT_EQ(batch(many, many).status(), 200) << "named twice, planned once";
    const Reply refused = batch(many, more);
    EXPECT_EQ(refused.status(), 413);
    EXPECT_THAT(refused.body, HasSubstr("65536 terms"));
}

TEST_F(ApiTest, keeps_files_and_xorbs_of_private_repositories_to_themselves) {
    ASSERT_EQ(create(ana_, "secret", R"(,"private":true)").status(), 200);
    ASSERT_EQ(create(ben_, "own").status(), 200);
    const XetFile file = make_file('a', 4);
    upload(ana_, "ana/secret", "w.bin", file);
    const std::string ben = xet_token(ben_, "ben/own", "write");
    const std::string hash = file.block.hash.render();
    // Neither reading by the hash, nor asking for its chunks, nor naming it makes it ben's.
    EXPECT_EQ(call("GET", "/cas/v2/reconstructions/" + hash, ben).status(), 404);
    EXPECT_EQ(call("GET", "/cas/v1/files/" + hash + "/shard", ben).status(), 404);
    const auto chunk = file.xorb.table.info(0).hash.render();
    EXPECT_EQ(call("GET", "/cas/v1/chunks/default/" + chunk, ben).status(), 404);
    EXPECT_EQ(call("HEAD", "/cas/v1/xorbs/default/" + file.xorb.hash.render(), ben).status(), 404);
    EXPECT_EQ(call("POST", "/cas/v1/shards", ben, file.shard()).status(), 400);
    EXPECT_EQ(commit(ben_, "ben/own", lfs_line("w.bin", file)).status(), 400);
    const std::string ana = xet_token(ana_, "ana/secret", "read");
    EXPECT_EQ(call("GET", "/cas/v1/chunks/default/" + chunk, ana).status(), 200);
    // Who has the bytes may bring them.
    EXPECT_EQ(put_xorb(ben, file).json()["was_inserted"], false);
    EXPECT_EQ(call("POST", "/cas/v1/shards", ben, file.shard()).json()["result"], 0);
    EXPECT_EQ(commit(ben_, "ben/own", lfs_line("w.bin", file)).status(), 200);
}

TEST_F(ApiTest, believes_no_upload) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const std::string writer = xet_token(ana_, "ana/m", "write");
    const XetFile file = make_file('a', 4);
    const XetFile other = make_file('k', 4);
    const std::string path = "/cas/v1/xorbs/default/" + file.xorb.hash.render();
    EXPECT_EQ(call("POST", path, writer, other.xorb_bytes()).status(), 400);
    EXPECT_EQ(call("POST", path, writer, file.xorb_bytes().substr(9)).status(), 400);
    EXPECT_EQ(call("POST", path, writer, "").status(), 400);
    EXPECT_EQ(call("POST", path, "", file.xorb_bytes()).status(), 401);
    const std::string reader = xet_token("", "ana/m", "read");
    EXPECT_EQ(call("POST", path, reader, file.xorb_bytes()).status(), 403);
    EXPECT_EQ(call("POST", "/cas/v1/shards", reader, file.shard()).status(), 403);
    EXPECT_EQ(call("HEAD", path, writer).status(), 404);
    // A shard before its xorb, one with a wrong SHA-256, one that is none.
    EXPECT_EQ(call("POST", "/cas/v1/shards", writer, file.shard()).status(), 400);
    ASSERT_EQ(put_xorb(writer, file).status(), 200);
    EXPECT_EQ(call("HEAD", path, writer).status(), 200);
    XetFile liar = file;
    liar.block.sha256 = crypto::sha256(as_bytes("other"));
    EXPECT_EQ(call("POST", "/cas/v1/shards", writer, liar.shard()).status(), 400);
    EXPECT_EQ(call("POST", "/cas/v1/shards", writer, "no shard").status(), 400);
    EXPECT_EQ(commit(ana_, "ana/m", lfs_line("w.bin", file)).status(), 400);
    EXPECT_EQ(call("POST", "/cas/v1/shards", writer, file.shard()).json()["result"], 1);
    EXPECT_EQ(call("POST", "/cas/v1/shards", writer, file.shard()).json()["result"], 0);
}

TEST_F(ApiTest, reports_while_it_checks_a_shard) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const std::string writer = xet_token(ana_, "ana/m", "write");
    const XetFile file = make_file('a', 4);
    const std::string early = call("POST", "/cas/v2/shards", writer, file.shard()).body;
    EXPECT_THAT(early, HasSubstr(R"({"type":"error","message":"the shard names a xorb)"));
    ASSERT_EQ(put_xorb(writer, file).status(), 200);
    const Reply reply = call("POST", "/cas/v2/shards", writer, file.shard());
    EXPECT_EQ(reply.status(), 200);
    EXPECT_THAT(reply.body, HasSubstr(R"({"type":"validating","verified":)"));
    EXPECT_THAT(reply.body, HasSubstr(R"({"type":"result","result":1})"));
}

TEST_F(ApiTest, answers_lfs_clients) {
    ASSERT_EQ(create(ana_, "m").status(), 200);
    const XetFile file = make_file('a', 4);
    std::string size;
    const auto batch = [&](const std::string& operation, const std::string& transfers) {
        return call("POST",
                    "/ana/m.git/info/lfs/objects/batch",
                    ana_,
                    R"({"operation":")" + operation + R"(","transfers":[)" + transfers +
                        R"(],"hash_algo":"sha_256","objects":[{"oid":")" + file.sha256() +
                        R"(","size":)" + size + "}]}")
            .json();
    };
    size = "2199023255552"; // 2 TiB, which no file of the store can have
    EXPECT_EQ(batch("upload", R"("basic")")["objects"][0]["error"]["code"], 413);
    size = "40000";
    const Json offered = batch("upload", R"("basic","xet")");
    EXPECT_EQ(offered["transfer"], "xet");
    const Json& upload_action = offered["objects"][0]["actions"]["upload"];
    EXPECT_EQ(upload_action["header"]["X-Xet-Cas-Url"],
              "http://127.0.0.1:" + std::to_string(hub_->port()) + "/cas");
    EXPECT_THAT(upload_action["href"].get<std::string>(), HasSubstr("/xet-write-token/main"));
    EXPECT_EQ(batch("download", R"("basic")")["objects"][0]["error"]["code"], 404);
    upload(ana_, "ana/m", "w.bin", file);
    EXPECT_FALSE(batch("upload", R"("xet")")["objects"][0].contains("actions"));
    const std::string href = batch("download", "")["objects"][0]["actions"]["download"]["href"];
    EXPECT_TRUE(call("GET", href.substr(href.find("/ana/")), ana_).body == file.content);
}

TEST_F(ApiTest, takes_a_file_by_plain_lfs_at_the_url_that_was_made_for_it) {
    ASSERT_EQ(create(ana_, "m", R"(,"private":true)").status(), 200);
    const XetFile file = make_file('a', 4);
    const XetFile other = make_file('b', 4);
    const auto put_url = [&](const XetFile& wanted) {
        const Json action =
            call("POST",
                 "/ana/m.git/info/lfs/objects/batch",
                 ana_,
                 R"({"operation":"upload","transfers":["basic"],"objects":[{"oid":")" +
                     wanted.sha256() + R"(","size":40000}]})")
                .json()["objects"][0]["actions"]["upload"];
        const std::string href = action["href"];
        return href.substr(href.find("/ana/"));
    };
    const std::string url = put_url(file);

    EXPECT_EQ(call("PUT", url, "", other.content).status(), 400) << "other bytes of that size";
    EXPECT_EQ(call("PUT", url, "", file.content.substr(1)).status(), 400);
    EXPECT_EQ(call("PUT", url, "", file.content + "x").status(), 400);
    std::string forged = url;
    forged.replace(forged.find(file.sha256()), 64, other.sha256());
    EXPECT_EQ(call("PUT", forged, "", other.content).status(), 403);
    EXPECT_EQ(call("PUT", url.substr(0, url.find('?')), ana_, file.content).status(), 403);
    EXPECT_EQ(commit(ana_, "ana/m", lfs_line("w.bin", file)).status(), 400) << "none of it counts";

    EXPECT_EQ(call("PUT", url, "", file.content).status(), 200);
    EXPECT_EQ(commit(ana_, "ana/m", lfs_line("w.bin", file)).status(), 200);
    EXPECT_TRUE(call("GET", "/ana/m/resolve/main/w.bin", ana_).body == file.content);

    const std::string late = put_url(other);
    clock_.advance(std::chrono::hours(1));
    EXPECT_EQ(call("PUT", late, "", other.content).status(), 403) << "the URL has expired";
    const std::string gone = put_url(other);
    EXPECT_EQ(call("DELETE", "/api/repos/delete", ana_, R"({"name":"m"})").status(), 200);
    EXPECT_EQ(call("PUT", gone, "", other.content).status(), 404) << "so has the repository";
}

} // namespace
} // namespace locara::hub
