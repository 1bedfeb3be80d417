#include "interrupt.hpp"

#include <atomic>
#include <thread>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace locara::cli {

namespace {

std::stop_source& source() {
    static std::stop_source instance;
    return instance;
}

std::atomic<int> seen_signal{0};
std::atomic<int> at_once{0};

sigset_t watched() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

int exit_of(int signal) {
    return 128 + signal;
}

} // namespace

void watch_interrupts() {
    const sigset_t set = watched();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signal(SIGPIPE, SIG_IGN);
    source();
    // Runs until the program ends; it owns nothing.
    std::thread([set] {
        while (true) {
            int signal = 0;
            if (sigwait(&set, &signal) != 0) {
                continue;
            }
            if (seen_signal.exchange(signal) != 0 || at_once > 0) {
                _exit(exit_of(signal));
            }
            source().request_stop();
        }
    }).detach();
}

std::stop_token interrupt_token() {
    return source().get_token();
}

int interrupt_signal() {
    return seen_signal;
}

EndAtOnce::EndAtOnce() {
    ++at_once;
}

EndAtOnce::~EndAtOnce() {
    --at_once;
}

} // namespace locara::cli
