#include "../signer.hpp"

#include <locara/base/file.hpp>

#include <gtest/gtest.h>

namespace locara::hub {
namespace {

using std::chrono::seconds;

class SignerTest : public testing::Test {
  protected:
    SignerTest() : folder_(*TempFolder::create("/tmp", "locara-signer-")) {}

    Signer open() const {
        auto signer = Signer::open(folder_.path() / "xet.key");
        EXPECT_TRUE(signer) << signer.error().describe();
        return std::move(*signer);
    }

    TempFolder folder_;
    const TimePoint now_ = *parse_time("2026-11-22T19:00:00Z");
    const xet::XorbHash xorb_ = *xet::XorbHash::parse(std::string(64, 'a'));
};

TEST_F(SignerTest, takes_its_own_tokens_after_a_restart_and_until_they_expire) {
    const std::string token = open().make_token({7, XetRole::Write, now_ + seconds(60), 3});
    const auto claims = open().parse_token(token, now_ + seconds(59));
    ASSERT_TRUE(claims) << claims.error().describe();
    EXPECT_EQ(claims->repo, 7);
    EXPECT_EQ(claims->role, XetRole::Write);
    EXPECT_EQ(claims->account, 3);
    const auto late = open().parse_token(token, now_ + seconds(60));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code(), ErrorCode::Unauthorized);
}

TEST_F(SignerTest, refuses_every_token_that_differs_in_one_character) {
    const Signer signer = open();
    const std::string token = signer.make_token({7, XetRole::Read, now_ + seconds(60), 3});
    for (std::size_t i = 0; i < token.size(); ++i) {
        std::string other = token;
        other[i] = other[i] == 'w' ? 'r' : 'w';
        EXPECT_FALSE(signer.parse_token(other, now_)) << other;
    }
    for (const char* text : {"", ".", "lxt", "lxt.7.w.99999999999.", "hf_0123456789"}) {
        EXPECT_FALSE(signer.parse_token(text, now_)) << text;
    }
}

TEST_F(SignerTest, opens_only_the_signed_spans_of_the_signed_xorb) {
    const Signer signer = open();
    const std::vector<Span> spans = {{0, 10}, {20, 30}};
    const std::string query = signer.make_query(xorb_, spans, now_ + seconds(60));
    ASSERT_EQ(query.rfind("ranges=0-9,20-29&exp=", 0), 0U) << query;
    const std::string expiry = query.substr(21, query.find("&sig=") - 21);
    const std::string signature = query.substr(query.find("&sig=") + 5);
    const auto found = signer.parse_query(xorb_, "0-9,20-29", expiry, signature, now_);
    ASSERT_TRUE(found) << found.error().describe();
    EXPECT_EQ(*found, spans);

    const auto other = *xet::XorbHash::parse(std::string(64, 'b'));
    const auto refused = [&](const xet::XorbHash& xorb,
                             const std::string& ranges,
                             const std::string& exp,
                             const std::string& sig,
                             TimePoint when) {
        const auto answer = signer.parse_query(xorb, ranges, exp, sig, when);
        return !answer && answer.error().code() == ErrorCode::Forbidden;
    };
    EXPECT_TRUE(refused(other, "0-9,20-29", expiry, signature, now_));
    EXPECT_TRUE(refused(xorb_, "0-9,20-39", expiry, signature, now_));
    EXPECT_TRUE(refused(xorb_, "0-9,20-29", expiry + "0", signature, now_));
    EXPECT_TRUE(refused(xorb_, "0-9,20-29", expiry, signature.substr(1), now_));
    EXPECT_TRUE(refused(xorb_, "0-9,20-29", expiry, signature, now_ + seconds(60)));
}

TEST_F(SignerTest, lets_only_the_signed_file_into_the_signed_repository) {
    const Signer signer = open();
    const auto oid = crypto::sha256(as_bytes("one"));
    const std::string query = signer.make_upload_query({7, oid, 100, now_ + seconds(60)});
    const std::string begin = "repo=7&size=100&exp=";
    ASSERT_EQ(query.rfind(begin, 0), 0U) << query;
    const std::string expiry = query.substr(begin.size(), query.find("&sig=") - begin.size());
    const std::string signature = query.substr(query.find("&sig=") + 5);
    const auto found = signer.parse_upload_query(oid, "7", "100", expiry, signature, now_);
    ASSERT_TRUE(found) << found.error().describe();
    EXPECT_EQ(found->repo, 7);
    EXPECT_EQ(found->size, 100U);
    const auto refused = [&](const crypto::Sha256Digest& file,
                             const std::string& repo,
                             const std::string& size,
                             TimePoint when) {
        const auto answer = signer.parse_upload_query(file, repo, size, expiry, signature, when);
        return !answer && answer.error().code() == ErrorCode::Forbidden;
    };
    EXPECT_TRUE(refused(crypto::sha256(as_bytes("two")), "7", "100", now_));
    EXPECT_TRUE(refused(oid, "8", "100", now_));
    EXPECT_TRUE(refused(oid, "7", "1000", now_));
    EXPECT_TRUE(refused(oid, "7", "100", now_ + seconds(60)));
}

TEST_F(SignerTest, does_not_take_the_code_of_a_token_for_that_of_a_url) {
    EXPECT_NE(open().make_token({1, XetRole::Read, now_, 3}).substr(60),
              open().make_query(xorb_, {{0, 1}}, now_).substr(60));
    ASSERT_TRUE(write_file_atomically(folder_.path() / "xet.key", as_bytes("short")));
    EXPECT_EQ(Signer::open(folder_.path() / "xet.key").error().code(), ErrorCode::Corrupt);
}

} // namespace
} // namespace locara::hub
