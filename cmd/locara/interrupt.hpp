// Ctrl-C: the first one asks everything to stop cleanly, the second one ends the program.
#pragma once

#include <stop_token>

namespace locara::cli {

/// Blocks SIGINT, SIGTERM and SIGHUP in this and all later threads, and starts the thread that
/// waits for them. Call it once, first thing in main.
void watch_interrupts();

/// Asked for when the first signal came.
std::stop_token interrupt_token();

/// The signal that came, 0 if none.
int interrupt_signal();

/// While one lives, the first signal ends the program at once (130 or 143): for waits that nothing
/// is lost by.
class EndAtOnce {
  public:
    EndAtOnce();
    ~EndAtOnce();
    EndAtOnce(const EndAtOnce&) = delete;
    EndAtOnce& operator=(const EndAtOnce&) = delete;
};

} // namespace locara::cli
