// Sessions and OAuth's codes, on each kind of database.
#include "../id_token.hpp"
#include "../names.hpp"
#include "../sessions.hpp"
#include "../web_address.hpp"
#include "test_database.hpp"

#include <locara/base/file.hpp>
#include <locara/hub/oauth.hpp>

#include <gtest/gtest.h>

namespace locara::hub {
namespace {

using std::chrono::seconds;

const TimePoint kNow(seconds(1'800'000'000));
/// The example of RFC 7636, appendix B.
const std::string kVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const std::string kChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

TEST(OAuthScopes, are_those_that_are_asked_for_and_allowed) {
    EXPECT_EQ(grantable_scopes("openid profile", "openid profile email"), "openid profile");
    EXPECT_EQ(grantable_scopes("profile openid openid", "openid profile"), "openid profile");
    EXPECT_EQ(grantable_scopes("inference-api openid", "openid"), "openid");
    EXPECT_EQ(grantable_scopes("", "openid"), "");
    // Writing implies reading, and becomes that where no more is allowed.
    EXPECT_EQ(grantable_scopes("write-repos", "write-repos"), "write-repos");
    EXPECT_EQ(grantable_scopes("read-repos", "write-repos"), "read-repos");
    EXPECT_EQ(grantable_scopes("read-repos write-repos", "write-repos"), "write-repos");
    EXPECT_EQ(grantable_scopes("write-repos", "openid read-repos"), "read-repos");
    EXPECT_EQ(grantable_scopes("write-repos", "openid"), "");
    EXPECT_EQ(role_of_scopes("openid write-repos"), TokenRole::Write);
    EXPECT_EQ(role_of_scopes("read-repos"), TokenRole::Read);
    EXPECT_EQ(role_of_scopes("openid xread-repos"), TokenRole::FineGrained);
}

TEST(WebAddress, has_a_host_and_nothing_that_could_be_misread) {
    for (const char* const good :
         {"https://example.org", "http://localhost:3000", "https://[::1]:8/in?x=1&y=%20"}) {
        EXPECT_TRUE(check_web_address(good)) << good;
    }
    for (const char* const bad : {"",
                                  "example.org",
                                  "javascript:alert(1)",
                                  "https://",
                                  "https:///in",
                                  "https://user@host/",
                                  "https://example.org/#here",
                                  "https://example.org/a b",
                                  "https://example.org/\r\nSet-Cookie:x=1",
                                  "https://example.org/;x",
                                  "https://example.org\\@evil.example"}) {
        EXPECT_FALSE(check_web_address(bad)) << bad;
    }
    EXPECT_EQ(origin_of("https://example.org:8443/in?x=1"), "https://example.org:8443");
    EXPECT_EQ(origin_of("http://localhost?x"), "http://localhost");
}

TEST(IdToken, is_a_jwt_that_its_key_set_verifies) {
    const auto folder = TempFolder::create("/tmp", "locara-oauth-");
    const auto signer = Signer::open(folder->path() / "xet.key");
    ASSERT_TRUE(signer);
    const IdTokens tokens(*signer);
    const std::string token = tokens.sign({{"sub", "ana"}});
    const std::size_t first = token.find('.');
    const std::size_t last = token.rfind('.');
    ASSERT_NE(first, last);
    const Json key = tokens.key_set().at("keys").at(0);
    EXPECT_EQ(token.substr(0, first),
              render_base64url(as_bytes(
                  Json({{"alg", "EdDSA"}, {"kid", key.at("kid")}, {"typ", "JWT"}}).dump())));
    EXPECT_EQ(token.substr(first + 1, last - first - 1),
              render_base64url(as_bytes("{\"sub\":\"ana\"}")));
    // The same after a restart: the key is the hub's.
    EXPECT_EQ(IdTokens(*Signer::open(folder->path() / "xet.key")).sign({{"sub", "ana"}}), token);
}

class OAuthTest : public DatabaseTest {
  protected:
    void SetUp() override {
        DatabaseTest::SetUp();
        if (IsSkipped()) {
            return;
        }
        database_ = open();
        names_.emplace(database_);
        oauth_.emplace(database_);
        sessions_.emplace(database_);
        ASSERT_TRUE(names_->add_account("ana", "Ana", kNow));
        account_ = **names_->find_account("ana");
        ASSERT_TRUE(oauth_->add_client(
            {"board", "The board", {"https://board.example.org/in"}, "openid read-repos"}));
    }

    OAuthGrant grant() const {
        return {"board",
                account_.key,
                "openid read-repos",
                "https://board.example.org/in",
                kChallenge,
                "once"};
    }

    std::shared_ptr<Database> database_;
    std::optional<Names> names_;
    std::optional<OAuth> oauth_;
    std::optional<Sessions> sessions_;
    Account account_;
};

TEST_P(OAuthTest, knows_its_programs_and_the_command_of_the_hub) {
    EXPECT_EQ(oauth_->clients()->size(), 2U);
    EXPECT_EQ((*oauth_->find_client("board"))->name, "The board");
    EXPECT_FALSE(*oauth_->find_client("Board"));
    EXPECT_EQ(oauth_->add_client({"board", "Another", {}, ""}).error().code(), ErrorCode::Conflict);
    EXPECT_EQ(oauth_->add_client(oauth_->clients()->front()).error().code(), ErrorCode::Conflict);
    for (const OAuthClient& bad : {OAuthClient{"", "x", {}, ""},
                                   OAuthClient{"a b", "x", {}, ""},
                                   OAuthClient{"a", "", {}, ""},
                                   OAuthClient{"a", "x", {"nowhere"}, ""},
                                   OAuthClient{"a", "x", {}, "everything"}}) {
        EXPECT_EQ(oauth_->add_client(bad).error().code(), ErrorCode::InvalidArgument) << bad.id;
    }
    EXPECT_EQ(oauth_->remove_client("nothing").error().code(), ErrorCode::NotFound);
}

TEST_P(OAuthTest, a_code_is_good_once_for_what_it_was_made_for) {
    const auto code = oauth_->make_code(grant(), kNow);
    ASSERT_TRUE(code);
    const auto token = oauth_->take_code(
        code->reveal(), "https://board.example.org/in", "", kVerifier, kNow + seconds(1));
    ASSERT_TRUE(token) << token.error().describe();
    EXPECT_EQ(token->grant.nonce, "once");
    EXPECT_EQ(token->expires, kNow + seconds(1) + kCodeTokenLife);
    const auto digest = crypto::sha256(as_bytes(token->text.reveal()));
    const auto known = names_->find_token(digest, kNow + seconds(1));
    ASSERT_TRUE(known && *known);
    EXPECT_EQ((*known)->account.name, "ana");
    EXPECT_EQ((*known)->token.role, TokenRole::Read);
    EXPECT_FALSE(*names_->find_token(digest, token->expires));
    const auto again = oauth_->take_code(
        code->reveal(), "https://board.example.org/in", "", kVerifier, kNow + seconds(2));
    EXPECT_EQ(again.error().code(), ErrorCode::Unauthorized);
    // The program's tokens go with it.
    ASSERT_TRUE(oauth_->remove_client("board"));
    EXPECT_FALSE(*names_->find_token(digest, kNow + seconds(3)));
}

TEST_P(OAuthTest, a_code_with_anything_wrong_is_gone) {
    const std::string here = "https://board.example.org/in";

    struct Try {
        std::string redirect, client, verifier;
        seconds after;
    };

    for (const Try& wrong : {Try{here + "/else", "", kVerifier, seconds(1)},
                             Try{here, "other", kVerifier, seconds(1)},
                             Try{here, "board", kVerifier + "x", seconds(1)},
                             Try{here, "board", "", seconds(1)},
                             Try{here, "board", kVerifier, kCodeLife}}) {
        const auto code = oauth_->make_code(grant(), kNow);
        ASSERT_TRUE(code);
        EXPECT_FALSE(oauth_->take_code(
            code->reveal(), wrong.redirect, wrong.client, wrong.verifier, kNow + wrong.after));
        EXPECT_FALSE(oauth_->take_code(code->reveal(), here, "board", kVerifier, kNow))
            << wrong.redirect << wrong.client << wrong.verifier;
    }
    EXPECT_TRUE(names_->list_tokens()->empty());
}

TEST_P(OAuthTest, a_device_waits_until_somebody_decides) {
    const OAuthClient board = **oauth_->find_client("board");
    const auto device = oauth_->begin_device(board, "openid read-repos", kNow);
    ASSERT_TRUE(device);
    EXPECT_EQ(device->user_code.size(), 9U);
    const std::string& code = device->code.reveal();
    EXPECT_EQ(oauth_->take_device(code, "board", kNow).error().code(), ErrorCode::Busy);
    EXPECT_EQ(oauth_->take_device(code, "other", kNow).error().code(), ErrorCode::Timeout);
    std::string written = " " + device->user_code + " ";
    for (char& c : written) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    const auto found = oauth_->find_device(written, kNow);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->client.name, "The board");
    EXPECT_FALSE(*oauth_->find_device(written, kNow + kDeviceLife));
    EXPECT_FALSE(*oauth_->find_device("BCDF-GHJ", kNow));
    EXPECT_FALSE(*oauth_->find_device("%' OR 1", kNow));
    ASSERT_TRUE(oauth_->decide_device(written, account_.key, "openid", kNow));
    EXPECT_EQ(oauth_->decide_device(written, account_.key, "openid", kNow).error().code(),
              ErrorCode::NotFound);
    const auto token = oauth_->take_device(code, "board", kNow + seconds(5));
    ASSERT_TRUE(token) << token.error().describe();
    EXPECT_EQ(token->grant.account, account_.key);
    EXPECT_EQ(token->grant.scopes, "openid"); // What the person had to give, no more.
    EXPECT_EQ(oauth_->take_device(code, "board", kNow + seconds(9)).error().code(),
              ErrorCode::Timeout);
}

TEST_P(OAuthTest, a_device_is_told_no_and_too_late) {
    const OAuthClient board = **oauth_->find_client("board");
    const auto no = oauth_->begin_device(board, "", kNow);
    ASSERT_TRUE(no && oauth_->decide_device(no->user_code, std::nullopt, "", kNow));
    EXPECT_EQ(oauth_->take_device(no->code.reveal(), "board", kNow).error().code(),
              ErrorCode::Forbidden);
    const auto late = oauth_->begin_device(board, "", kNow);
    ASSERT_TRUE(late);
    EXPECT_EQ(
        oauth_->decide_device(late->user_code, account_.key, "", kNow + kDeviceLife).error().code(),
        ErrorCode::NotFound);
    EXPECT_EQ(oauth_->take_device(late->code.reveal(), "board", kNow + kDeviceLife).error().code(),
              ErrorCode::Timeout);
}

TEST_P(OAuthTest, tokens_that_are_over_make_room) {
    for (int i = 0; i < 3; ++i) {
        const TimePoint then = kNow + i * kCodeTokenLife;
        const auto code = oauth_->make_code(grant(), then);
        ASSERT_TRUE(oauth_->take_code(
            code->reveal(), "https://board.example.org/in", "board", kVerifier, then));
    }
    EXPECT_EQ(names_->list_tokens()->size(), 1U);
}

TEST_P(OAuthTest, a_session_ends_with_its_token_by_itself_and_when_told) {
    const auto digest = crypto::sha256(as_bytes("hf_secret"));
    const auto token =
        names_->add_token(account_, {"laptop", TokenRole::Write, std::nullopt, {}}, digest, kNow);
    ASSERT_TRUE(token);
    const auto begin = [&] { return sessions_->begin(token->id, kNow)->reveal(); };
    const std::string told = begin();
    EXPECT_EQ(**sessions_->find(told, kNow), digest);
    EXPECT_FALSE(*sessions_->find(told + "x", kNow));
    ASSERT_TRUE(sessions_->end(told));
    EXPECT_FALSE(*sessions_->find(told, kNow));
    const std::string late = begin();
    EXPECT_FALSE(*sessions_->find(late, kNow + kSessionLife));
    ASSERT_TRUE(names_->remove_token(token->id));
    EXPECT_FALSE(*sessions_->find(late, kNow));
}

LOCARA_WITH_BACKENDS(OAuthTest);

} // namespace
} // namespace locara::hub
