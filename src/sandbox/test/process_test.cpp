#include "kernel_file.hpp"

#include <locara/base/file.hpp>
#include <locara/sandbox/process.hpp>
#include <locara/test_support/folders.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace locara::sandbox {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

const std::string kProbe = test_support::binary_dir() / "bin/locara_sandbox_probe";
const std::string kParent = test_support::binary_dir() / "bin/locara_sandbox_parent";

Tools tools() {
    auto found = Tools::find();
    EXPECT_TRUE(found) << found.error().describe();
    return *found;
}

Profile probe_profile(std::vector<std::string> arguments, SyscallPolicy policy) {
    Profile profile;
    profile.name = "the probe";
    profile.read_only = {{kProbe, "/run/locara/probe"}};
    profile.command = {"/run/locara/probe"};
    profile.command.insert(profile.command.end(), arguments.begin(), arguments.end());
    profile.syscalls = policy;
    return profile;
}

// What the probe told: the value of each "name=value" line; repeated names joined by ",".
using Answers = std::map<std::string, std::string>;

Answers run_probe(const Profile& profile) {
    auto process = Process::start(profile, tools());
    EXPECT_TRUE(process) << process.error().describe();
    Answers answers;
    if (!process) {
        return answers;
    }
    const auto exit = (*process)->wait(seconds(30));
    EXPECT_TRUE(exit);
    EXPECT_EQ(exit ? exit->code : -1, 0) << (*process)->error_tail();
    std::istringstream lines((*process)->output_tail());
    for (std::string line; std::getline(lines, line);) {
        const auto equals = line.find('=');
        auto& value = answers[line.substr(0, equals)];
        value += (value.empty() ? "" : ",") + line.substr(equals + 1);
    }
    EXPECT_EQ(answers["done"], "0") << "the probe did not finish: " << (*process)->error_tail();
    return answers;
}

class Sandbox : public testing::TestWithParam<SyscallPolicy> {
  protected:
    void SetUp() override {
        auto folder = TempFolder::create("/tmp", "locara-sandbox-");
        ASSERT_TRUE(folder);
        folder_.emplace(std::move(*folder));
        std::ofstream(path("weights.gguf")) << "weights";
        std::filesystem::create_directory(path("data"));
    }

    std::string path(const char* name) const { return (folder_->path() / name).string(); }

    std::optional<TempFolder> folder_;
};

INSTANTIATE_TEST_SUITE_P(Policies,
                         Sandbox,
                         testing::Values(SyscallPolicy::App,
                                         SyscallPolicy::Engine,
                                         SyscallPolicy::Browser),
                         [](const auto& tested) {
                             return tested.param == SyscallPolicy::App      ? "app"
                                    : tested.param == SyscallPolicy::Engine ? "engine"
                                                                            : "browser";
                         });

TEST_P(Sandbox, has_no_network) {
    auto answers = run_probe(probe_profile({}, GetParam()));
    if (GetParam() == SyscallPolicy::Browser) { // sockets, but of a loopback and of nothing else
        EXPECT_EQ(answers["socket AF_INET"], "0");
        EXPECT_EQ(answers["connect 1.1.1.1"], std::to_string(ENETUNREACH));
        EXPECT_EQ(answers["connect 127.0.0.1"], std::to_string(ECONNREFUSED));
        EXPECT_EQ(answers["socket AF_PACKET"], std::to_string(EAFNOSUPPORT));
        EXPECT_EQ(answers["device"], "lo");
        return;
    }
    const std::string denied =
        std::to_string(GetParam() == SyscallPolicy::App ? EAFNOSUPPORT : EPERM);
    EXPECT_EQ(answers["socket AF_INET"], denied);
    EXPECT_EQ(answers["socket AF_INET6"], denied);
    EXPECT_EQ(answers["socket AF_NETLINK"], denied);
    EXPECT_EQ(answers["socket AF_PACKET"], denied);
    EXPECT_EQ(answers["connect 1.1.1.1"], denied);
    EXPECT_EQ(answers["connect 127.0.0.1"], denied);
    EXPECT_EQ(answers["socket AF_UNIX"], "0");
    EXPECT_EQ(answers["device"], "lo");
}

TEST_P(Sandbox, denies_doors_into_the_kernel) {
    auto answers = run_probe(probe_profile({}, GetParam()));
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
                             "chroot"}) {
        EXPECT_EQ(answers[name], std::to_string(EPERM)) << name;
    }
    EXPECT_EQ(answers["clone3"], std::to_string(ENOSYS));
    EXPECT_EQ(answers["TIOCSTI"], std::to_string(EPERM));
    EXPECT_NE(answers["setuid"], "0");
    EXPECT_EQ(answers["fork"], "0") << "ordinary work must go on";
}

TEST_P(Sandbox, sees_only_its_own_processes_files_environment_and_descriptors) {
    Profile profile = probe_profile({"read",  "/etc/shadow",
                                     "read",  "/root/.bashrc",
                                     "read",  "/home",
                                     "read",  "/etc/passwd",
                                     "read",  "/var/lib/dpkg/status",
                                     "read",  path("weights.gguf"),
                                     "read",  "/run/locara/weights.gguf",
                                     "write", "/run/locara/weights.gguf",
                                     "write", "/run/locara/new",
                                     "write", "/usr/new",
                                     "write", "/new",
                                     "write", "/dev/new",
                                     "write", "/tmp/new",
                                     "write", "/run/locara/data/new"},
                                    GetParam());
    profile.read_only.push_back({path("weights.gguf"), "/run/locara/weights.gguf"});
    profile.writable = {{path("data"), "/run/locara/data"}};
    profile.environment = {{"LANG", "C"}};
    setenv("LOCARA_SECRET_OF_THE_TEST", "1", 1);
    const int leaked = open("/etc/hostname", O_RDONLY); // NOLINT(android-cloexec-open): on purpose
    auto answers = run_probe(profile);
    close(leaked);

    EXPECT_EQ(answers["read /etc/shadow"], std::to_string(ENOENT));
    EXPECT_EQ(answers["read /root/.bashrc"], std::to_string(ENOENT));
    EXPECT_EQ(answers["read /home"], std::to_string(ENOENT));
    EXPECT_EQ(answers["read /etc/passwd"], std::to_string(ENOENT));
    EXPECT_EQ(answers["read /var/lib/dpkg/status"], std::to_string(ENOENT));
    EXPECT_EQ(answers["read " + path("weights.gguf")], std::to_string(ENOENT));
    EXPECT_EQ(answers["read /run/locara/weights.gguf"], "0");
    EXPECT_NE(answers["write /run/locara/weights.gguf"], "0");
    EXPECT_NE(answers["write /run/locara/new"], "0");
    EXPECT_NE(answers["write /usr/new"], "0");
    EXPECT_NE(answers["write /new"], "0");
    EXPECT_NE(answers["write /dev/new"], "0");
    EXPECT_EQ(answers["write /tmp/new"], "0");
    EXPECT_EQ(answers["write /run/locara/data/new"], "0");
    EXPECT_TRUE(std::filesystem::exists(path("data") + "/new"));
    EXPECT_FALSE(std::filesystem::exists("/tmp/new"));
    EXPECT_EQ(answers["environment"], "LANG=C,PWD=/");
    EXPECT_EQ(answers["descriptors"], "") << "descriptors of ours reached the program";
    EXPECT_LE(std::stoi(answers["processes"]), 2);
    EXPECT_EQ(answers["limit open_files"], "256");
    EXPECT_EQ(answers["limit core"], "0");
}

TEST_P(Sandbox, executes_only_what_is_listed_when_there_is_a_list) {
    if (landlock_abi() == 0) {
        GTEST_SKIP() << "this kernel has no Landlock";
    }
    Profile profile = probe_profile({"exec", "/usr/bin/true"}, GetParam());
    EXPECT_EQ(run_probe(profile)["exec /usr/bin/true"], "0");
    profile.executables = {"/run/locara/probe"};
    EXPECT_EQ(run_probe(profile)["exec /usr/bin/true"], std::to_string(EACCES));
}

TEST_P(Sandbox, reports_its_walls_and_the_kernel_agrees) {
    auto process = Process::start(probe_profile({"sleep"}, GetParam()), tools());
    ASSERT_TRUE(process) << process.error().describe();
    EXPECT_EQ((*process)->walls().landlock_abi, landlock_abi());
    const auto status =
        read_kernel_file("/proc/" + std::to_string((*process)->host_pid()) + "/status");
    ASSERT_TRUE(status);
    EXPECT_THAT(*status, HasSubstr("Name:\tprobe"));
    EXPECT_THAT(*status, HasSubstr("NoNewPrivs:\t1"));
    EXPECT_THAT(*status, HasSubstr("Seccomp:\t2"));
    EXPECT_THAT(*status, HasSubstr("CapEff:\t0000000000000000"));
    EXPECT_THAT(*status, HasSubstr("CapBnd:\t0000000000000000"));
    for (const char* space : {"net", "pid", "mnt", "ipc", "uts", "user"}) {
        const auto link = std::string("/ns/") + space;
        EXPECT_NE(
            std::filesystem::read_symlink("/proc/self" + link),
            std::filesystem::read_symlink("/proc/" + std::to_string((*process)->host_pid()) + link))
            << space;
    }
}

TEST(SandboxProcess, stops_what_runs_and_tells_how_it_ended) {
    auto process = Process::start(probe_profile({"sleep"}, SyscallPolicy::App), tools());
    ASSERT_TRUE(process) << process.error().describe();
    EXPECT_FALSE((*process)->exit_status());
    const pid_t pid = (*process)->host_pid();
    ASSERT_EQ(kill(pid, 0), 0);
    (*process)->stop(seconds(5));
    ASSERT_TRUE((*process)->exit_status());
    EXPECT_EQ((*process)->exit_status()->describe(), "signal 15");
    EXPECT_NE(kill(pid, 0), 0);
}

TEST(SandboxProcess, tells_the_signal_of_a_crash) {
    auto process = Process::start(probe_profile({"crash"}, SyscallPolicy::Engine), tools());
    ASSERT_TRUE(process) << process.error().describe();
    const auto exit = (*process)->wait(seconds(10));
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->describe(), "signal 6");
}

TEST(SandboxProcess, keeps_the_end_of_a_flood_of_output_within_its_bound) {
    Profile profile = probe_profile({"flood"}, SyscallPolicy::App);
    profile.output_bytes = 1000;
    auto process = Process::start(profile, tools());
    ASSERT_TRUE(process) << process.error().describe();
    const auto exit = (*process)->wait(seconds(30));
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->code, 3);
    const std::string tail = (*process)->error_tail();
    EXPECT_LE(tail.size(), 1000U);
    EXPECT_EQ(tail.rfind("line ", 0), 0U) << "a cut first line";
    EXPECT_THAT(tail, testing::EndsWith("line 99999 of many\n"));
}

TEST(SandboxProcess, memory_is_limited) {
    Profile profile = probe_profile({"eat"}, SyscallPolicy::App);
    profile.limits.address_space_bytes = 256 << 20;
    auto process = Process::start(profile, tools());
    ASSERT_TRUE(process) << process.error().describe();
    ASSERT_TRUE((*process)->wait(seconds(30)));
    const std::string told = (*process)->output_tail();
    ASSERT_THAT(told, HasSubstr("eaten="));
    EXPECT_LT(std::stoull(told.substr(6)), 256ULL << 20U);
}

TEST(SandboxProcess, dies_with_the_process_that_started_it) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const pid_t parent = fork();
    if (parent == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl(kParent.c_str(), kParent.c_str(), kProbe.c_str(), nullptr);
        _exit(127);
    }
    close(ends[1]);
    char text[32] = {};
    ASSERT_GT(read(ends[0], text, sizeof text - 1), 0);
    close(ends[0]);
    const pid_t program = std::atoi(text);
    ASSERT_GT(program, 0);
    ASSERT_EQ(kill(program, 0), 0);
    kill(parent, SIGKILL);
    waitpid(parent, nullptr, 0);
    bool gone = false;
    for (int tries = 0; tries < 500 && !gone; ++tries) {
        gone = kill(program, 0) != 0;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_TRUE(gone) << "the sandboxed program outlived its parent";
}

TEST(SandboxProcess, survives_the_thread_that_started_it) {
    std::unique_ptr<Process> process;
    std::thread([&] {
        auto started = Process::start(probe_profile({"sleep"}, SyscallPolicy::App), tools());
        ASSERT_TRUE(started) << started.error().describe();
        process = std::move(*started);
    }).join();
    ASSERT_TRUE(process);
    EXPECT_FALSE(process->wait(std::chrono::milliseconds(300)));
}

TEST(SandboxProcess, does_not_start_without_bubblewrap_and_names_the_wall) {
    Tools without = tools();
    without.bubblewrap = "/nonexistent/bwrap";
    const auto process = Process::start(probe_profile({"sleep"}, SyscallPolicy::App), without);
    ASSERT_FALSE(process);
    EXPECT_EQ(process.error().code(), ErrorCode::Unavailable);
    EXPECT_THAT(process.error().describe(), HasSubstr("wall bubblewrap"));
}

TEST(SandboxProcess, does_not_start_when_a_path_to_show_is_missing) {
    Profile profile = probe_profile({"sleep"}, SyscallPolicy::App);
    profile.read_only.push_back({"/nonexistent/weights", "/run/weights"});
    const auto process = Process::start(profile, tools());
    ASSERT_FALSE(process);
    EXPECT_EQ(process.error().code(), ErrorCode::NotFound);
    EXPECT_THAT(process.error().describe(), HasSubstr("/nonexistent/weights"));
}

TEST(SandboxProcess, says_so_when_the_program_itself_cannot_start) {
    Profile profile = probe_profile({"sleep"}, SyscallPolicy::App);
    profile.command = {"/run/locara/absent"};
    const auto process = Process::start(profile, tools());
    ASSERT_FALSE(process);
    EXPECT_THAT(process.error().describe(), HasSubstr("/run/locara/absent"));
}

// As an ordinary user too: the same program again under uid 65534, when we are root.
TEST(SandboxProcess, works_as_an_ordinary_user) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "this whole run is one of an ordinary user";
    }
    auto folder = TempFolder::create("/tmp", "locara-sandbox-user-");
    ASSERT_TRUE(folder);
    chmod(folder->path().c_str(), 0755);
    for (const char* name :
         {"locara_sandbox_probe", "locara_sandbox_parent", "locara-sandbox-init"}) {
        std::filesystem::copy_file(test_support::binary_dir() / "bin" / name,
                                   folder->path() / name);
    }
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const pid_t parent = fork();
    if (parent == 0) {
        dup2(ends[1], STDOUT_FILENO);
        const auto program = (folder->path() / "locara_sandbox_parent").string();
        const auto probe = (folder->path() / "locara_sandbox_probe").string();
        if (setgid(65534) != 0 || setuid(65534) != 0 || chdir("/") != 0) {
            _exit(126);
        }
        execl(program.c_str(), program.c_str(), probe.c_str(), nullptr);
        _exit(127);
    }
    close(ends[1]);
    char text[32] = {};
    EXPECT_GT(read(ends[0], text, sizeof text - 1), 0) << "it did not start as uid 65534";
    close(ends[0]);
    const pid_t program = std::atoi(text);
    const auto status = read_kernel_file("/proc/" + std::to_string(program) + "/status");
    EXPECT_TRUE(status);
    if (status) {
        EXPECT_THAT(*status, HasSubstr("Uid:\t65534"));
        EXPECT_THAT(*status, HasSubstr("Seccomp:\t2"));
    }
    kill(parent, SIGKILL);
    waitpid(parent, nullptr, 0);
}

} // namespace
} // namespace locara::sandbox
