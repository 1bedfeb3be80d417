// ClamAV as it is: a real clamd with our own configuration and two lines of signatures.
#include "clamd.hpp"
#include "samples.hpp"

#include <locara/gate/gate.hpp>
#include <locara/test_support/folders.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

namespace locara::gate {
namespace {

namespace fs = std::filesystem;
using formats::Decision;
using formats::MemorySource;
using formats::Verdict;
using test::eicar;
using test::weights;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kMark = "locara-test-signature";

std::string hex(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    for (const char c : text) {
        out += kDigits[static_cast<unsigned char>(c) >> 4U];
        out += kDigits[static_cast<unsigned char>(c) & 15U];
    }
    return out;
}

std::string read(const fs::path& path) {
    return read_file(path, 1U << 20U).value();
}

/// A clamd of the test's own, with a database of one .ndb and one .hdb line.
class RealClamd {
  public:
    explicit RealClamd(const char* alert_exceeds_max = "yes")
        : folder_(TempFolder::create(fs::temp_directory_path(), "clamd-").value()) {
        const fs::path database = folder_.path() / "db";
        fs::create_directory(database);
        std::ofstream(database / "test.ndb") << "Locara.Test.Body:0:*:" << hex(kMark) << "\n"
                                             << "Locara.Test.Eicar:0:0:" << hex(eicar()) << "\n";
        // MD5 of "known by its sum\n".
        std::ofstream(database / "test.hdb")
            << "b7e2cf28e2f6733b64eaffc7371941d7:17:Locara.Test.Hash\n";
        std::ofstream(folder_.path() / "clamd.conf")
            << "LocalSocket " << socket().string() << "\nDatabaseDirectory " << database.string()
            << "\nForeground yes\nAlertExceedsMax " << alert_exceeds_max
            << "\nStreamMaxLength 4M\nMaxFileSize 1M\n"
            << "MaxScanSize 2M\nMaxThreads 2\nTemporaryDirectory " << folder_.path().string()
            << "\n";
        const std::string option = "--config-file=" + (folder_.path() / "clamd.conf").string();
        std::string program = "/usr/sbin/clamd";
        std::string argument = option;
        char* words[] = {program.data(), argument.data(), nullptr};
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        const std::string log = (folder_.path() / "log").string();
        posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT, 0600);
        posix_spawn_file_actions_adddup2(&actions, 1, 2);
        EXPECT_EQ(posix_spawn(&process_, program.c_str(), &actions, nullptr, words, environ), 0)
            << "clamav-daemon is needed";
        posix_spawn_file_actions_destroy(&actions);
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!Clamd(socket()).ping() && std::chrono::steady_clock::now() < deadline &&
               waitpid(process_, nullptr, WNOHANG) == 0) {
            poll(nullptr, 0, 20); // nothing tells when its socket is there
        }
        EXPECT_TRUE(Clamd(socket()).ping()) << read(log);
    }

    ~RealClamd() { stop(); }

    RealClamd(const RealClamd&) = delete;
    RealClamd& operator=(const RealClamd&) = delete;

    void stop() {
        if (process_ > 0) {
            kill(process_, SIGKILL);
            waitpid(process_, nullptr, 0);
            process_ = -1;
        }
    }

    fs::path socket() const { return folder_.path() / "clamd.sock"; }

  private:
    TempFolder folder_;
    pid_t process_ = -1;
};

class Antivirus : public testing::Test {
  protected:
    static void SetUpTestSuite() { clamd_ = new RealClamd; }

    static void TearDownTestSuite() {
        delete clamd_;
        clamd_ = nullptr;
    }

    void SetUp() override {
        folder_.emplace(TempFolder::create(fs::temp_directory_path(), "gate-").value());
    }

    Verdict judge(Gate& gate, const std::string& bytes, const std::string& name) {
        const fs::path path = folder_->path() / "file";
        std::ofstream(path, std::ios::binary) << bytes;
        return gate.judge(open_file(path, O_RDONLY).value(), name);
    }

    static Options with(const fs::path& socket) {
        Options options;
        options.clamd = socket;
        return options;
    }

    static RealClamd* clamd_; // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): gtest
    std::optional<TempFolder> folder_;
};

RealClamd* Antivirus::clamd_ = nullptr;

TEST_F(Antivirus, finds_what_its_signatures_know) {
    Gate gate(with(clamd_->socket()));
    EXPECT_THAT(gate.check_antivirus().value().value_or(""), StartsWith("ClamAV "));
    const std::string without = Gate{Options{}}.scanners().value();
    EXPECT_THAT(without, StartsWith("locara-formats " + std::string(formats::kScannerVersion)));
    EXPECT_THAT(without, HasSubstr("; yara "));
    EXPECT_THAT(without, HasSubstr(", rules "));
    EXPECT_THAT(gate.scanners().value(), StartsWith(without + "; ClamAV "));
    const auto check =
        [&](const std::string& bytes, const std::string& name, const std::string& signature) {
            const Verdict verdict = judge(gate, bytes, name);
            EXPECT_EQ(verdict.rule, "antivirus.hit") << name << ": " << verdict.reason;
            EXPECT_EQ(verdict.scanner, "clamav");
            EXPECT_THAT(verdict.scanner_version, StartsWith("ClamAV "));
            EXPECT_THAT(verdict.reason, HasSubstr(signature));
        };
    check("a text with " + std::string(kMark) + " in it\n", "a.txt", "Locara.Test.Body");
    check("known by its sum\n", "b.txt", "Locara.Test.Hash");
    const std::string text = "some text\n" + std::string(kMark) + "\n";
    check(test::zip_of("a.txt", text), "a.zip", "Locara.Test.Body");
    check(test::tar_gz_of("d/a.txt", text), "a.tar.gz", "Locara.Test.Body");
    check(test::zip_of("b.zip", test::zip_of("a.txt", text)), "c.zip", "Locara.Test.Body");
    // An archive is looked at as a whole, also if it ends in weights.
    test::ZipBuilder zip;
    zip.members = {{.name = "a.txt", .data = std::string(300, 'x') + std::string(kMark)},
                   {.name = "m.safetensors", .data = weights("note", "tensor")}};
    check(zip.build(), "bundle.zip", "Locara.Test.Body");
    // The metadata of weights is looked at, their tensors are not.
    check(weights(std::string(kMark), "tensor"), "m.safetensors", "Locara.Test.Body");
    EXPECT_EQ(judge(gate, weights("note", std::string(kMark)), "m.safetensors").rule,
              "safetensors.valid");
    EXPECT_EQ(judge(gate, "plain text\n", "c.txt").rule, "content.inert");
}

// EICAR is found by YARA already, with clamd or without, plain and in archives; clamd knows it too.
TEST_F(Antivirus, is_not_needed_for_eicar) {
    Gate without{Options{}};
    EXPECT_EQ(judge(without, eicar(), "eicar.com").rule, "yara.eicar");
    for (const std::string& bytes :
         {test::zip_of("eicar.com", eicar()),
          test::tar_gz_of("d/eicar.com", eicar()),
          test::zip_of("inner.zip", test::zip_of("eicar.com", eicar()))}) {
        EXPECT_EQ(judge(without, bytes, "archive").rule, "yara.eicar");
        const auto answer = Clamd(clamd_->socket()).look(MemorySource(as_bytes(bytes)), ~0ULL);
        ASSERT_TRUE(answer);
        EXPECT_THAT(answer->detail, StartsWith("Locara.Test.Eicar"));
    }
}

TEST_F(Antivirus, does_not_take_for_clean_what_it_did_not_look_at) {
    Gate gate(with(clamd_->socket()));
    // Beyond MaxFileSize, then beyond StreamMaxLength.
    for (const std::size_t size : {std::size_t{3} << 20U, std::size_t{6} << 20U}) {
        const Verdict text = judge(gate, std::string(size, 'a') + "\n", "long.txt");
        EXPECT_EQ(text.rule, "antivirus.unseen") << size << text.reason;
        EXPECT_EQ(text.decision, Decision::Flag);
        const Verdict data = judge(gate, std::string(size, '\x01'), "data.bin");
        EXPECT_EQ(data.decision, Decision::Refuse) << data.rule;
        // Of weights only the header is sent, so they may have any size.
        EXPECT_EQ(judge(gate, weights("x", std::string(size, 'a')), "m.safetensors").rule,
                  "safetensors.valid");
    }
}

TEST_F(Antivirus, is_not_taken_that_does_not_tell_of_its_limits) {
    const RealClamd silent("no");
    const auto checked = Gate(with(silent.socket())).check_antivirus();
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code(), ErrorCode::Unsupported);
    EXPECT_THAT(checked.error().describe(), HasSubstr("AlertExceedsMax yes"));
    // Nor where nobody asked before, as on a client.
    Gate client(with(silent.socket()));
    const Verdict verdict = judge(client, weights("x", "tensor"), "m.safetensors");
    EXPECT_EQ(verdict.rule, "antivirus.down");
    EXPECT_THAT(verdict.reason, HasSubstr("AlertExceedsMax yes"));
}

TEST_F(Antivirus, lets_no_weights_pass_while_it_is_down) {
    const std::string model = weights("x", "tensor");
    const auto check = [&](Gate& gate) {
        EXPECT_EQ(judge(gate, model, "m.safetensors").rule, "antivirus.down");
        EXPECT_EQ(judge(gate, model, "m.safetensors").decision, Decision::Refuse);
        EXPECT_EQ(judge(gate, "plain text\n", "a.txt").rule, "antivirus.unseen");
        EXPECT_EQ(judge(gate, "plain text\n", "a.txt").decision, Decision::Flag);
        EXPECT_EQ(judge(gate, std::string("\x01\x02\x03\x04unknown\x00", 12), "x").decision,
                  Decision::Refuse);
        // What is refused for a worse reason stays so.
        EXPECT_EQ(judge(gate, "cos\nsystem\n(S'id'\ntR.", "m.gguf").rule,
                  "pickle.import.malicious");
        EXPECT_FALSE(gate.check_antivirus());
        EXPECT_FALSE(gate.scanners());
    };
    Gate nowhere(with(folder_->path() / "no.sock"));
    check(nowhere);
    RealClamd dying;
    Gate gate(with(dying.socket()));
    EXPECT_EQ(judge(gate, model, "m.safetensors").rule, "safetensors.valid");
    dying.stop();
    check(gate);
    Gate long_name(with(fs::path("/" + std::string(200, 'x'))));
    check(long_name);
}

TEST(ClamdAnswers, are_clean_only_word_for_word) {
    using Kind = ClamdAnswer::Kind;
    EXPECT_EQ(parse_clamd_answer("stream: OK").kind, Kind::Clean);
    EXPECT_EQ(parse_clamd_answer("stream: Win.X-1 FOUND").kind, Kind::Found);
    EXPECT_EQ(parse_clamd_answer("stream: Win.X-1 FOUND").detail, "Win.X-1");
    for (const char* text : {"",
                             "OK",
                             "stream: ok",
                             "stream: OK ",
                             "stream:  FOUND",
                             "stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND",
                             "INSTREAM size limit exceeded. ERROR",
                             "UNKNOWN COMMAND"}) {
        EXPECT_EQ(parse_clamd_answer(text).kind, Kind::NotLookedAt) << text;
    }
}

} // namespace
} // namespace locara::gate
