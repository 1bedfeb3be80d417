// What walls cost each start of a program: git telling the refs of an empty repository, plainly,
// confined, and in bubblewrap. Ratios; each measure is the best of five, taken in turns.
#include <locara/base/file.hpp>
#include <locara/sandbox/confined.hpp>
#include <locara/sandbox/process.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace locara;

constexpr int kStarts = 200;
constexpr int kRounds = 5;
constexpr const char* kGit = "/usr/bin/git";
constexpr const char* kEnvironment = "GIT_CONFIG_NOSYSTEM=1";

void demand(bool fine, const std::string& what) {
    if (!fine) {
        std::fprintf(stderr, "%s\n", what.c_str());
        std::exit(1);
    }
}

void wait_for(pid_t child) {
    int status = 0;
    demand(::waitpid(child, &status, 0) == child && status == 0, "git failed");
}

struct Bench {
    std::filesystem::path repository;
    Fd null = *open_file("/dev/null", O_RDWR);

    std::vector<std::string> command() const {
        return {kGit, "upload-pack", "--http-backend-info-refs", repository.string()};
    }

    void start_plainly() const {
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, null.get(), STDOUT_FILENO);
        const auto words = command();
        std::vector<char*> arguments;
        for (const std::string& word : words) {
            arguments.push_back(const_cast<char*>(word.c_str()));
        }
        arguments.push_back(nullptr);
        std::string setting = kEnvironment;
        char* environment[] = {setting.data(), nullptr};
        pid_t child = -1;
        demand(posix_spawn(&child, kGit, &actions, nullptr, arguments.data(), environment) == 0,
               "git did not start");
        posix_spawn_file_actions_destroy(&actions);
        wait_for(child);
    }

    void start_confined() const {
        sandbox::Confined confined;
        confined.name = "git";
        confined.command = command();
        confined.environment = {kEnvironment};
        confined.readable = {repository};
        confined.executables = {kGit};
        confined.limits.tasks = 0;
        confined.input = confined.output = confined.error = null.get();
        const auto child = sandbox::start_confined(confined);
        demand(child.has_value(), child ? "" : child.error().describe());
        wait_for(*child);
    }

    void start_in_bubblewrap(const sandbox::Tools& tools) const {
        sandbox::Profile profile;
        profile.name = "git";
        profile.command = command();
        profile.environment = {{"GIT_CONFIG_NOSYSTEM", "1"}};
        profile.read_only = {{repository, repository}};
        const auto process = sandbox::Process::start(profile, tools);
        demand(process.has_value(), process ? "" : process.error().describe());
        (*process)->wait(std::chrono::seconds(10));
    }
};

double milliseconds(const std::function<void()>& start) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kStarts; ++i) {
        start();
    }
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
               .count() /
           kStarts;
}

} // namespace

int main() {
    const auto folder = TempFolder::create("/tmp", "locara-start-");
    const auto tools = sandbox::Tools::find();
    demand(folder && tools, "no folder, or no bubblewrap");
    Bench bench{folder->path() / "r.git"};
    const std::string make = "git init -q --bare " + bench.repository.string();
    demand(std::system(make.c_str()) == 0, "git init failed"); // NOLINT(cert-env33-c): our words.

    struct Way {
        const char* name;
        std::function<void()> start;
        double best = 1e9;
    };

    Way ways[] = {{"plainly", [&] { bench.start_plainly(); }},
                  {"confined", [&] { bench.start_confined(); }},
                  {"in bubblewrap", [&] { bench.start_in_bubblewrap(*tools); }}};
    for (int round = 0; round < kRounds; ++round) {
        for (Way& way : ways) {
            way.best = std::min(way.best, milliseconds(way.start));
        }
    }
    for (const Way& way : ways) {
        std::printf(
            "%-14s %6.2f ms a start, %5.2fx\n", way.name, way.best, way.best / ways[0].best);
    }
}
