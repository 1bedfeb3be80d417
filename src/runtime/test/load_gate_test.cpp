// Weights are asked about when they are loaded, once for each version of the scanners.
#include <locara/gate/gate.hpp>
#include <locara/runtime/load_gate.hpp>
#include <locara/test_support/folders.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace locara::runtime {
namespace {

using ::testing::HasSubstr;

class LoadGateTest : public ::testing::Test {
  protected:
    store::Digest put(const std::string& bytes) {
        const auto put = store_.put_bytes(as_bytes(bytes));
        EXPECT_TRUE(put);
        return put->digest;
    }

    store::Digest put_weights() {
        return put(
            *read_file(test_support::source_dir() / "src/engine/test/data/tiny.gguf", 1U << 20U));
    }

    Status check(const store::Digest& digest) {
        const LoadGate gate(store_,
                            {[this](const Fd& fd, std::string_view name) {
                                 ++asked_;
                                 EXPECT_EQ(name, "");
                                 return answer_ ? *answer_ : formats::scan_fd(fd, name);
                             },
                             [this] { return scanners_; }});
        return gate.check(*store_.open_file(digest), digest);
    }

    TempFolder folder_ = *TempFolder::create("/tmp", "locara-load-gate-");
    store::Store store_ = *store::Store::open(folder_.path());
    Result<std::string> scanners_ = gate::own_scanners();
    std::optional<formats::Verdict> answer_;
    int asked_ = 0;
};

TEST_F(LoadGateTest, asks_once_while_the_scanners_stay_what_they_are) {
    const auto weights = put_weights();
    EXPECT_TRUE(check(weights));
    EXPECT_TRUE(check(weights));
    EXPECT_EQ(asked_, 1);
    scanners_ = gate::own_scanners() + "; ClamAV 1.0.9/27500";
    EXPECT_TRUE(check(weights));
    EXPECT_EQ(asked_, 2);
    ASSERT_TRUE(write_file_atomically(folder_.path() / "verdicts" / weights.render(),
                                      as_bytes("{\"schema\":\"other\"}")));
    EXPECT_TRUE(check(weights)) << "a record that cannot be read costs another question";
    EXPECT_EQ(asked_, 3);
}

TEST_F(LoadGateTest, refuses_what_the_gate_refuses_and_says_why) {
    const auto weights = put_weights();
    EXPECT_TRUE(check(weights));
    scanners_ = "formats 3";
    answer_ = formats::make_verdict("gguf", {"gguf.tensor.offset", "it lies outside", 4711});
    for (int i = 0; i < 2; ++i) {
        const Status refused = check(weights);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), ErrorCode::Refused);
        for (const std::string& part :
             {"sha256:" + weights.render(),
              std::string("it lies outside"),
              std::string("rule gguf.tensor.offset, at byte 4711"),
              "locara-formats " + std::string(formats::kScannerVersion)}) {
            EXPECT_THAT(refused.error().message(), HasSubstr(part));
        }
    }
    EXPECT_EQ(asked_, 2) << "a refusal is remembered too";
}

TEST_F(LoadGateTest, loads_weights_and_nothing_else) {
    EXPECT_EQ(check(put("just text\n")).error().code(), ErrorCode::Refused);
    EXPECT_EQ(check(put("cos\nsystem\n(S'id'\ntR.")).error().code(), ErrorCode::Refused);
    EXPECT_EQ(check(put("")).error().code(), ErrorCode::Refused);
}

TEST_F(LoadGateTest, goes_by_what_it_was_told_before_while_the_antivirus_is_down) {
    const auto weights = put_weights();
    const auto fresh = put("other");
    scanners_ = gate::own_scanners() + "; ClamAV 1.0.9/27500";
    EXPECT_TRUE(check(weights));
    scanners_ = Error(ErrorCode::Unavailable, "no clamd");
    answer_ = formats::make_verdict("gguf", {"antivirus.down", "not seen", {}});
    EXPECT_TRUE(check(weights));
    EXPECT_EQ(check(fresh).error().code(), ErrorCode::Refused);
    answer_.reset();
    ASSERT_TRUE(
        write_file_atomically(folder_.path() / "verdicts" / weights.render(), as_bytes("")));
    answer_ = formats::make_verdict("gguf", {"antivirus.down", "not seen", {}});
    EXPECT_EQ(check(weights).error().code(), ErrorCode::Refused) << "nothing is known of it";
    scanners_ = gate::own_scanners();
    answer_.reset();
    EXPECT_TRUE(check(weights)) << "what was not judged is not remembered";
}

TEST_F(LoadGateTest, forgets_files_that_are_gone) {
    const auto weights = put_weights();
    ASSERT_TRUE(check(weights));
    const auto gone = folder_.path() / "verdicts" / std::string(64, 'a');
    ASSERT_TRUE(write_file_atomically(gone, as_bytes("{}")));
    scanners_ = "formats 3";
    ASSERT_TRUE(check(weights));
    EXPECT_FALSE(std::filesystem::exists(gone));
    EXPECT_TRUE(std::filesystem::exists(folder_.path() / "verdicts" / weights.render()));
}

TEST_F(LoadGateTest, stands_before_every_file_that_an_engine_opens) {
    const auto weights = put_weights();
    const LoadGate gate(
        store_,
        {[this](const Fd&, std::string_view) { return *answer_; }, [this] { return scanners_; }});
    engine::ModelFiles files(store_, gate.as_judge());
    answer_ = formats::make_verdict("gguf", {"gguf.valid", "fine", {}});
    EXPECT_TRUE(files.open(weights));
    // It was opened before, and its bytes are the same: what the gate knows is not.
    scanners_ = "formats 3";
    answer_ = formats::make_verdict("gguf", {"antivirus.hit", "it is known", {}});
    EXPECT_EQ(files.open(weights).error().code(), ErrorCode::Refused);
}

} // namespace
} // namespace locara::runtime
