// Starts a sandboxed program that sleeps, prints its process id as seen from outside, and waits to
// be killed: for the test that nothing outlives its parent. Arguments: path of the probe.
#include <locara/sandbox/process.hpp>

#include <cstdio>

#include <unistd.h>

int main(int count, char** words) {
    using namespace locara;
    const auto tools = sandbox::Tools::find();
    if (count < 2 || !tools) {
        return 2;
    }
    sandbox::Profile profile;
    profile.name = "a sleeper";
    profile.read_only = {{words[1], "/run/probe"}};
    profile.command = {"/run/probe", "sleep"};
    const auto process = sandbox::Process::start(profile, *tools);
    if (!process) {
        std::fprintf(stderr, "%s\n", process.error().describe().c_str());
        return 1;
    }
    std::printf("%d\n", (*process)->host_pid());
    std::fflush(stdout);
    pause();
}
