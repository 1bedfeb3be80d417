// What is kept of files: that it is used, and that it is never given when the routes would give
// something else. Changes come by a database of their own, as from another process.
#include "../database.hpp"
#include "../database_watch.hpp"
#include "../routes.hpp"
#include "../verdict_store.hpp"
#include "../warm_files.hpp"
#include "test_database.hpp"

#include <locara/base/secret.hpp>
#include <locara/hub/audit.hpp>
#include <locara/hub/git_repo.hpp>
#include <locara/hub/quotas.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>

#include <fstream>

namespace locara::hub {
namespace {

using std::chrono::seconds;

/// An answer, and whether it was known at once.
struct Got {
    bool warm = false;
    int status = 0;
    std::string body;

    bool operator==(const Got&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Got& got) {
    return out << (got.warm ? "warm " : "cold ") << got.status << " '" << got.body << "'";
}

class WarmFilesTest : public DatabaseTest {
  protected:
    void SetUp() override {
        DatabaseTest::SetUp();
        if (IsSkipped()) {
            return;
        }
        ASSERT_TRUE(create_folders(repos_));
        database_ = open();
        others_ = std::make_unique<Names>(open());
        names_ = std::make_unique<Names>(database_);
        organizations_ = std::make_unique<Organizations>(database_);
        scopes_ = std::make_unique<Scopes>(database_);
        requests_ = std::make_unique<AccessRequests>(database_);
        buckets_ = std::make_unique<Buckets>(database_);
        collections_ = std::make_unique<Collections>(database_);
        discussions_ = std::make_unique<Discussions>(database_);
        sessions_ = std::make_unique<Sessions>(database_);
        oauth_ = std::make_unique<OAuth>(database_);
        audit_ = std::make_unique<Audit>(database_, clock_);
        quotas_ = std::make_unique<Quotas>(database_, repos_);
        verdicts_ = std::make_unique<VerdictStore>(database_);
        auto signer = Signer::open(folder_.path() / "xet.key");
        ASSERT_TRUE(signer);
        signer_.emplace(std::move(*signer));
        auto backend = cas::open_directory(folder_.path() / "cas", clock_);
        ASSERT_TRUE(backend);
        backend_ = std::move(*backend);
        chunks_ = std::make_unique<cas::Cas>(*backend_, cas::CasOptions{.clock = &clock_});
        services_.emplace(Services{repos_,
                                   *names_,
                                   *organizations_,
                                   *scopes_,
                                   *requests_,
                                   *buckets_,
                                   *collections_,
                                   *discussions_,
                                   *sessions_,
                                   *oauth_,
                                   *audit_,
                                   *quotas_,
                                   *verdicts_,
                                   *backend_,
                                   *chunks_,
                                   *signer_,
                                   clock_,
                                   null_log(),
                                   rules_});
        auto watch = is_local() ? DatabaseWatch::open(file()) : DatabaseWatch::connect(url());
        ASSERT_TRUE(watch);
        warm_ = std::make_unique<WarmFiles>(std::move(*watch), *services_);
        Routes routes(router_, {pool_, pool_, pool_, pool_}, null_log());
        add_resolve_routes(routes, *services_, *warm_);

        Repo repo;
        repo.id = {RepoType::Model, "ana", "tiny"};
        repo.internal = random_hex(12);
        repo.created = clock_.now();
        auto added = names_->add_repo(repo);
        ASSERT_TRUE(added);
        repo_ = *added;
        ASSERT_TRUE(GitRepo::create(services_->folder_of(repo_)));
        commit_ = commit("one");
    }

    static bool is_local() { return GetParam() == Backend::Sqlite; }

    template <class Value> static Value wait_for(boost::asio::awaitable<Value> awaited) {
        boost::asio::io_context context;
        auto done = boost::asio::co_spawn(context, std::move(awaited), boost::asio::use_future);
        context.run();
        return done.get();
    }

    /// Moves main to a commit of one file, as a process of its own would.
    std::string commit(const std::string& content) const {
        auto git = GitRepo::open(services_->folder_of(repo_));
        GitSnapshot snapshot;
        snapshot.files = {{"a.txt", content}};
        snapshot.message = content;
        snapshot.author_name = snapshot.author_email = "ana";
        auto made = git->write_snapshot(snapshot);
        EXPECT_TRUE(made && git->set_ref("refs/heads/main", *made));
        return *made;
    }

    std::string add_token(std::optional<TimePoint> expires = {}) {
        auto account = others_->find_account("bea");
        if (!*account) {
            account = std::optional(*others_->add_account("bea", "Bea", clock_.now()));
        }
        NewToken token{"t" + std::to_string(++tokens_), TokenRole::Read, expires, {}};
        const std::string text = "hf_" + token.name;
        auto added =
            others_->add_token(**account, token, crypto::sha256(as_bytes(text)), clock_.now());
        EXPECT_TRUE(added);
        token_id_ = added->id;
        return text;
    }

    static http::Request request_of(const std::string& path, const std::string& method = "GET") {
        http::Request request;
        request.method = method;
        request.path = request.target = path;
        request.segments = *http::split_path(path.substr(1));
        request.headers.add("Host", "hub");
        return request;
    }

    Got
    ask(const std::string& path, const std::string& token = "", const std::string& method = "GET") {
        http::Request request = request_of(path, method);
        if (!token.empty()) {
            request.headers.add("Authorization", "Bearer " + token);
        }
        auto known = is_local() ? warm_->answer(request) : wait_for(warm_->ask(request));
        const bool warm = known.has_value();
        if (!known) {
            known = wait_for(router_.handle(std::move(request)));
        }
        return {warm, known->status, std::get<std::string>(known->body)};
    }

    /// Asks until it is kept, which a branch that moved just now is not at once.
    void warm_up(const std::string& path, const std::string& token = "") {
        const auto limit = std::chrono::steady_clock::now() + seconds(10);
        while (!ask(path, token).warm) {
            ASSERT_LT(std::chrono::steady_clock::now(), limit);
        }
    }

    const std::string main_ = "/ana/tiny/resolve/main/a.txt";
    TempFolder folder_ = *TempFolder::create(std::filesystem::temp_directory_path(), "warm-");
    const std::filesystem::path repos_ = folder_.path() / "repos";
    FakeClock clock_{*parse_time("2026-11-22T19:00:00Z")};
    const RepoConfig rules_{};
    std::shared_ptr<Database> database_;
    std::unique_ptr<Names> names_;
    std::unique_ptr<Names> others_; ///< By another connection.
    std::unique_ptr<Organizations> organizations_;
    std::unique_ptr<Scopes> scopes_;
    std::unique_ptr<AccessRequests> requests_;
    std::unique_ptr<Buckets> buckets_;
    std::unique_ptr<Collections> collections_;
    std::unique_ptr<Discussions> discussions_;
    std::unique_ptr<Sessions> sessions_;
    std::unique_ptr<OAuth> oauth_;
    std::unique_ptr<Audit> audit_;
    std::unique_ptr<Quotas> quotas_;
    std::unique_ptr<VerdictStore> verdicts_;
    std::optional<Signer> signer_;
    std::unique_ptr<cas::Backend> backend_;
    std::unique_ptr<cas::Cas> chunks_;
    std::optional<Services> services_;
    std::unique_ptr<WarmFiles> warm_;
    http::Router router_;
    http::BlockingPool pool_{1};
    Repo repo_;
    std::string commit_;
    std::string token_id_;
    int tokens_ = 0;
};

TEST_P(WarmFilesTest, a_second_request_is_answered_at_once_and_the_same) {
    const std::string pinned = "/ana/tiny/resolve/" + commit_ + "/a.txt";
    for (const std::string& path : {main_, pinned}) {
        EXPECT_EQ(ask(path), (Got{false, 200, "one"}));
        warm_up(path);
        EXPECT_EQ(ask(path), (Got{true, 200, "one"}));
        EXPECT_TRUE(ask(path, "", "HEAD").warm);
        EXPECT_FALSE(ask(path, "", "POST").warm);
    }
    EXPECT_EQ(ask("/ana/tiny/resolve/main/b.txt").status, 404);
    EXPECT_FALSE(ask("/ana/tiny/resolve/main/b.txt").warm);
}

TEST_P(WarmFilesTest, a_branch_that_moved_is_seen_at_once) {
    warm_up(main_);
    commit("two");
    EXPECT_EQ(ask(main_), (Got{false, 200, "two"}));
    warm_up(main_);
    EXPECT_EQ(ask(main_), (Got{true, 200, "two"}));
    // To and fro between two looks.
    commit("one");
    commit("two");
    commit("one");
    EXPECT_EQ(ask(main_), (Got{false, 200, "one"}));
    EXPECT_EQ(ask("/ana/tiny/resolve/" + commit_ + "/a.txt").body, "one");
}

TEST_P(WarmFilesTest, a_ref_that_reads_the_path_in_another_way_is_seen_at_once) {
    warm_up(main_);
    auto git = GitRepo::open(services_->folder_of(repo_));
    ASSERT_TRUE(git->set_ref("refs/tags/main/a.txt", commit_));
    EXPECT_EQ(ask(main_).status, 404); // The tag's root, which is no file.
}

TEST_P(WarmFilesTest, refs_that_git_has_packed_are_left_to_git) {
    warm_up(main_);
    std::ofstream(services_->folder_of(repo_) / "packed-refs")
        << "# pack-refs with: peeled fully-peeled sorted\n"
        << commit_ << " refs/tags/main/a.txt\n";
    EXPECT_EQ(ask(main_).status, 404);
}

TEST_P(WarmFilesTest, what_is_made_private_is_hidden_from_the_next_request_on) {
    const std::string token = add_token();
    warm_up(main_);
    warm_up(main_, token);
    ASSERT_TRUE(others_->set_visibility(repo_.key, Visibility::Private));
    EXPECT_EQ(ask(main_).status, 401);
    EXPECT_EQ(ask(main_, token).status, 404);
    ASSERT_TRUE(names_->set_visibility(repo_.key, Visibility::Public));
    warm_up(main_);
    ASSERT_TRUE(names_->set_visibility(repo_.key, Visibility::Private)); // By this process.
    EXPECT_EQ(ask(main_).status, 401);
}

TEST_P(WarmFilesTest, what_is_gated_removed_or_moved_is_not_given) {
    warm_up(main_);
    ASSERT_TRUE(others_->set_gate(repo_.key, Gate::Automatic));
    EXPECT_EQ(ask(main_).status, 401);
    ASSERT_TRUE(others_->set_gate(repo_.key, Gate::Open));
    warm_up(main_);
    ASSERT_TRUE(others_->move_repo(repo_.key, {RepoType::Model, "ana", "other"}));
    EXPECT_EQ(ask(main_).status, 307);
    ASSERT_TRUE(others_->move_repo(repo_.key, repo_.id));
    warm_up(main_);
    ASSERT_TRUE(others_->remove_repo(repo_.key));
    EXPECT_EQ(ask(main_).status, 401);
}

TEST_P(WarmFilesTest, a_token_counts_for_as_long_as_it_is_good) {
    const std::string ends = add_token(clock_.now() + seconds(3));
    warm_up(main_, ends);
    clock_.advance(seconds(2));
    EXPECT_TRUE(ask(main_, ends).warm);
    clock_.advance(seconds(1));
    EXPECT_EQ(ask(main_, ends).status, 401);
    const std::string revoked = add_token();
    warm_up(main_, revoked);
    ASSERT_TRUE(others_->remove_token(token_id_));
    EXPECT_EQ(ask(main_, revoked).status, 401);
    EXPECT_EQ(ask(main_, "hf_unknown").status, 401);
    EXPECT_EQ(ask(main_).status, 200);
}

TEST_P(WarmFilesTest, what_one_may_read_is_not_given_to_another) {
    const std::string token = add_token();
    ASSERT_TRUE(names_->move_repo(repo_.key, {RepoType::Model, "bea", "tiny"}));
    ASSERT_TRUE(names_->set_visibility(repo_.key, Visibility::Private));
    const std::string path = "/bea/tiny/resolve/main/a.txt";
    warm_up(path, token);
    EXPECT_EQ(ask(path).status, 401);
    EXPECT_EQ(ask(path, "hf_other").status, 401);
    EXPECT_TRUE(ask(path, token).warm);
}

TEST_P(WarmFilesTest, is_looked_for_again_after_a_while_and_when_the_clock_goes_back) {
    warm_up(main_);
    clock_.advance(WarmFiles::kKeptFor);
    EXPECT_FALSE(ask(main_).warm);
    warm_up(main_);
    clock_.advance(seconds(-1));
    EXPECT_FALSE(ask(main_).warm);
}

TEST_P(WarmFilesTest, keeps_no_large_file_and_not_too_many) {
    const std::string large = commit(std::string(WarmFiles::kLargestFile + 1, 'x'));
    static_cast<void>(ask("/ana/tiny/resolve/" + large + "/a.txt"));
    EXPECT_EQ(warm_->size(), 0U);
    const std::string fits = commit(std::string(WarmFiles::kLargestFile, 'x'));
    // The same file by many names.
    const std::size_t room = WarmFiles::kMostBytes / WarmFiles::kLargestFile;
    for (std::size_t i = 0; i < room + 9; ++i) {
        std::string path;
        std::size_t letter = 0;
        for (const char c : "/ana/tiny/resolve/" + fits + "/a.txt") {
            const bool encoded = c != '/' && (i >> letter++ & 1U) != 0;
            path += encoded ? "%" + render_hex(as_bytes({&c, 1})) : std::string(1, c);
        }
        EXPECT_EQ(ask(path).status, 200) << path;
    }
    // A PostgreSQL that is slow to say its version for a moment has nothing kept meanwhile.
    EXPECT_TRUE(is_local() ? warm_->size() == room : warm_->size() <= room) << warm_->size();
}

TEST_P(WarmFilesTest, what_is_mirrored_is_given_until_it_has_to_be_asked_for_again) {
    Repo mirrored;
    mirrored.id = {RepoType::Model, "upstream", "tiny"};
    mirrored.internal = random_hex(12);
    mirrored.created = clock_.now();
    mirrored.origin = Origin::Upstream;
    auto added = names_->add_repo(mirrored);
    ASSERT_TRUE(added);
    mirrored = *added;
    const std::string path = "/upstream/tiny/resolve/main/a.txt";
    std::atomic<std::uint64_t> hits{0};
    const auto keep = [&](seconds good_for) {
        warm_->keep_mirrored(warm_->before(),
                             request_of(path),
                             {mirrored, commit_, "a.txt", false},
                             {"0123", "theirs", {}},
                             clock_.now() + good_for,
                             hits);
    };
    keep(seconds(0));
    EXPECT_EQ(warm_->size(), 0U);
    const auto limit = std::chrono::steady_clock::now() + seconds(10);
    do { // What PostgreSQL says of its version comes a moment later.
        keep(seconds(30));
        ASSERT_LT(std::chrono::steady_clock::now(), limit);
    } while (!ask(path, "", "HEAD").warm);
    EXPECT_EQ(ask(path), (Got{true, 200, "theirs"}));
    EXPECT_TRUE(ask(path, "", "HEAD").warm);
    EXPECT_EQ(hits, 1U);
    clock_.advance(seconds(30));
    EXPECT_FALSE(ask(path).warm);
    keep(seconds(30));
    EXPECT_TRUE(ask(path).warm);
    ASSERT_TRUE(others_->set_origin(mirrored.key, Origin::UpstreamGated));
    EXPECT_FALSE(ask(path).warm);
    for (const Origin origin : {Origin::UpstreamGated, Origin::UpstreamPrivate}) {
        mirrored.origin = origin;
        keep(seconds(30));
        EXPECT_FALSE(ask(path).warm);
    }
}

TEST_P(WarmFilesTest, asking_for_changes_keeps_no_log_from_being_taken_over) {
    if (!is_local()) {
        GTEST_SKIP() << "PostgreSQL has no log that readers could keep";
    }
    auto watch = DatabaseWatch::open(file());
    ASSERT_TRUE(watch);
    const auto first = (*watch)->version();
    ASSERT_TRUE(first);
    EXPECT_EQ((*watch)->version(), first);
    ASSERT_TRUE(others_->set_gate(repo_.key, Gate::Manual));
    EXPECT_NE((*watch)->version(), first);
    const auto busy = database_->with([](soci::session& sql) -> Result<int> {
        int blocked = 1;
        sql << "PRAGMA wal_checkpoint(TRUNCATE)", soci::into(blocked);
        return Result<int>(blocked);
    });
    ASSERT_TRUE(busy);
    EXPECT_EQ(*busy, 0);
}

TEST_P(WarmFilesTest, nothing_is_known_while_the_database_cannot_be_asked) {
    if (is_local()) {
        GTEST_SKIP() << "a file has no connection to lose";
    }
    warm_up(main_);
    const auto ended = database_->with([](soci::session& sql) -> Result<int> {
        int count = 0;
        sql << "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity "
               "WHERE query LIKE 'SELECT pg_catalog.pg_current_snapshot%'",
            soci::into(count);
        return Result<int>(count);
    });
    ASSERT_TRUE(ended);
    EXPECT_EQ(*ended, 1);
    EXPECT_EQ(ask(main_), (Got{false, 200, "one"}));
    warm_up(main_);
}

LOCARA_WITH_BACKENDS(WarmFilesTest);

} // namespace
} // namespace locara::hub
