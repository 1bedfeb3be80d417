// The probe behind walls without namespaces: what must not work does not.
#include "kernel_file.hpp"

#include <locara/base/file.hpp>
#include <locara/base/pipe.hpp>
#include <locara/sandbox/confined.hpp>
#include <locara/test_support/folders.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace locara::sandbox {
namespace {

using testing::HasSubstr;

const std::string kProbe = test_support::binary_dir() / "bin/locara_sandbox_probe";

using Answers = std::map<std::string, std::string>;

std::string read_all(const Fd& fd) {
    std::string text;
    std::array<char, 4096> block;
    for (ssize_t count = 0; (count = ::read(fd.get(), block.data(), block.size())) > 0;) {
        text.append(block.data(), static_cast<std::size_t>(count));
    }
    return text;
}

/// "name=value" lines.
Answers parse_answers(const std::string& text) {
    Answers answers;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto equals = line.find('=');
        auto& value = answers[line.substr(0, equals)];
        value += (value.empty() ? "" : ",") + line.substr(equals + 1);
    }
    return answers;
}

class ConfinedTest : public testing::Test {
  protected:
    void SetUp() override {
        for (const char* name : {"own", "other"}) {
            std::filesystem::create_directory(folder_.path() / name);
            std::ofstream(folder_.path() / name / "file") << "text";
        }
    }

    std::string path(const char* name) const { return (folder_.path() / name).string(); }

    Confined probe(std::vector<std::string> arguments) const {
        Confined confined;
        confined.name = "the probe";
        confined.command = {kProbe};
        confined.command.insert(confined.command.end(), arguments.begin(), arguments.end());
        confined.environment = {"LANG=C"};
        confined.executables = {kProbe};
        confined.limits.tasks = 0;
        return confined;
    }

    /// Starts it with its output here; the reading end.
    Result<pid_t> start(Confined confined, Fd& output) const {
        const auto null = open_file("/dev/null", O_RDWR);
        auto pipe = Pipe::create();
        confined.input = null->get();
        confined.output = pipe->write.get();
        confined.error = null->get();
        output = std::move(pipe->read);
        return start_confined(confined);
    }

    Answers run(Confined confined) const {
        Fd output;
        const auto child = start(std::move(confined), output);
        EXPECT_TRUE(child) << child.error().describe();
        if (!child) {
            return {};
        }
        Answers answers = parse_answers(read_all(output));
        int status = 0;
        EXPECT_EQ(::waitpid(*child, &status, 0), *child);
        EXPECT_EQ(status, 0);
        EXPECT_EQ(answers["done"], "0") << "the probe did not finish";
        return answers;
    }

    TempFolder folder_ = *TempFolder::create("/tmp", "locara-confined-");
};

TEST_F(ConfinedTest, has_no_network_and_no_sockets_at_all) {
    auto answers = run(probe({}));
    const std::string denied = std::to_string(EAFNOSUPPORT);
    for (const char* name : {"socket AF_INET",
                             "socket AF_INET6",
                             "socket AF_NETLINK",
                             "socket AF_PACKET",
                             "socket AF_UNIX",
                             "connect 127.0.0.1",
                             "connect 1.1.1.1"}) {
        EXPECT_EQ(answers[name], denied) << name;
    }
}

TEST_F(ConfinedTest, denies_doors_into_the_kernel_and_to_other_processes) {
    auto answers = run(probe({}));
    for (const char* name : {"ptrace",
                             "mount",
                             "keyctl",
                             "bpf",
                             "perf_event_open",
                             "userfaultfd",
                             "io_uring",
                             "unshare user",
                             "unshare net",
                             "clone user",
                             "chroot",
                             "kill 1",
                             "signal parent",
                             "limit parent",
                             "setsid",
                             "setuid",
                             "memfd_create"}) {
        EXPECT_EQ(answers[name], std::to_string(EPERM)) << name;
    }
    EXPECT_EQ(answers["clone3"], std::to_string(ENOSYS));
    EXPECT_EQ(answers["fork"], "0") << "ordinary work must go on";
}

TEST_F(ConfinedTest, reads_and_writes_what_it_was_given_and_nothing_else) {
    if (landlock_abi() == 0) {
        GTEST_SKIP() << "this kernel has no Landlock";
    }
    const std::string outside = path("other/file");
    const std::string passwords = path("passwords");
    std::ofstream(passwords) << "root";
    Confined confined = probe({"read",  path("own/file"),
                               "write", path("own/file"),
                               "write", path("own/new"),
                               "read",  outside,
                               "write", outside,
                               "write", path("other/new"),
                               "read",  path("other"),
                               "read",  passwords,
                               "read",  "/etc/passwd",
                               "read",  "/proc/self/environ",
                               "read",  "/usr/lib/os-release",
                               "write", "/usr/lib/os-release",
                               "read",  "/dev/null",
                               "exec",  "/usr/bin/true"});
    confined.writable = {path("own"), path("not there")};
    auto answers = run(confined);
    const std::string denied = std::to_string(EACCES);
    EXPECT_EQ(answers["read " + path("own/file")], "0");
    EXPECT_EQ(answers["write " + path("own/file")], "0");
    EXPECT_EQ(answers["write " + path("own/new")], "0");
    for (const std::string& name : {"read " + outside,
                                    "write " + outside,
                                    "write " + path("other/new"),
                                    "read " + path("other"),
                                    "read " + passwords,
                                    std::string("read /etc/passwd"),
                                    std::string("read /proc/self/environ"),
                                    std::string("write /usr/lib/os-release"),
                                    std::string("exec /usr/bin/true")}) {
        EXPECT_EQ(answers[name], denied) << name;
    }
    EXPECT_EQ(answers["read /usr/lib/os-release"], "0");
    EXPECT_EQ(answers["read /dev/null"], "0");

    confined.readable = std::move(confined.writable);
    confined.writable.clear();
    answers = run(confined);
    EXPECT_EQ(answers["read " + path("own/file")], "0");
    EXPECT_EQ(answers["write " + path("own/file")], denied);
}

// Landlock sees none of it, and truncation not on each kernel.
TEST_F(ConfinedTest, changes_nothing_by_its_name) {
    const std::string outside = path("other/file");
    auto answers = run(probe({"change", outside}));
    for (const char* name : {"truncate ", "chmod ", "utime "}) {
        EXPECT_EQ(answers[name + outside], std::to_string(EPERM)) << name;
    }
    EXPECT_EQ(std::filesystem::file_size(outside), 4U);
}

TEST_F(ConfinedTest, has_its_limits_and_nothing_of_ours) {
    Confined confined = probe({});
    confined.limits.address_space_bytes = 1U << 30U;
    setenv("LOCARA_SECRET_OF_THE_TEST", "1", 1);
    const int leaked = open("/etc/hostname", O_RDONLY | O_CLOEXEC);
    auto answers = run(confined);
    close(leaked);
    EXPECT_EQ(answers["limit address_space"], std::to_string(1U << 30U));
    EXPECT_EQ(answers["limit open_files"], "256");
    EXPECT_EQ(answers["limit core"], "0");
    EXPECT_EQ(answers["descriptors"], "") << "descriptors of ours reached the program";
    EXPECT_EQ(answers["environment"], "LANG=C");
}

TEST_F(ConfinedTest, runs_in_a_group_of_its_own_and_the_kernel_names_its_walls) {
    Fd output;
    const auto child = start(probe({"sleep"}), output);
    ASSERT_TRUE(child) << child.error().describe();
    EXPECT_EQ(::getpgid(*child), *child);
    const auto status = read_kernel_file("/proc/" + std::to_string(*child) + "/status");
    ASSERT_TRUE(status);
    EXPECT_THAT(*status, HasSubstr("NoNewPrivs:\t1"));
    EXPECT_THAT(*status, HasSubstr("Seccomp:\t2"));
    EXPECT_THAT(*status, HasSubstr("CapAmb:\t0000000000000000"));
    if (geteuid() == 0) { // the one that overrides modes
        EXPECT_THAT(*status, HasSubstr("CapEff:\t0000000000000002"));
    } else {
        EXPECT_THAT(*status, HasSubstr("CapEff:\t0000000000000000"));
    }
    EXPECT_EQ(::kill(-*child, SIGKILL), 0);
    int ended = 0;
    EXPECT_EQ(::waitpid(*child, &ended, 0), *child);
    EXPECT_TRUE(WIFSIGNALED(ended));
}

TEST_F(ConfinedTest, does_not_start_when_a_wall_cannot_be_raised_and_names_it) {
    setenv("LOCARA_SANDBOX_INIT", "/nonexistent/init", 1);
    Fd output;
    auto child = start(probe({}), output);
    unsetenv("LOCARA_SANDBOX_INIT");
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().code(), ErrorCode::Unavailable);
    EXPECT_THAT(child.error().describe(), HasSubstr("wall landlock"));

    Confined absent = probe({});
    absent.command = {"/nonexistent/program"};
    child = start(absent, output);
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().code(), ErrorCode::Unavailable);
    EXPECT_THAT(child.error().describe(), HasSubstr("/nonexistent/program"));
}

} // namespace
} // namespace locara::sandbox
