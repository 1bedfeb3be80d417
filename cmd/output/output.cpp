#include "output.hpp"

#include <atomic>
#include <cerrno>
#include <cstdio>

#include <poll.h>
#include <unistd.h>

using namespace locara;

namespace {

/// Why the first write_output that failed did; the stream keeps only that one did.
std::atomic<int> first_failure{0};

/// Whether the reader of a pipe or a socket is gone.
bool is_unread() {
    pollfd output{STDOUT_FILENO, POLLOUT, 0};
    return ::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

} // namespace

void write_output(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() ||
        std::fflush(stdout) != 0) {
        int none = 0;
        first_failure.compare_exchange_strong(none, errno);
    }
}

Status finish_output() {
    const bool failed = std::ferror(stdout) != 0;
    errno = 0;
    const bool flushed = std::fflush(stdout) == 0;
    int why = flushed ? first_failure.load() : errno;
    if (!failed && flushed) {
        // Some file systems tell only a close; that of any descriptor of the file will do.
        const int copy = ::dup(STDOUT_FILENO);
        if (copy < 0 || ::close(copy) == 0) {
            return {};
        }
        why = errno;
    }
    if (why == EPIPE || is_unread()) {
        return {};
    }
    const char* const what = "standard output could not be written whole";
    return why == 0 ? Error(ErrorCode::Io, what) : Error::from_errno(what, why);
}

int end_output(int exit, const std::function<int(const Error&)>& tell) {
    const Status done = finish_output();
    if (done) {
        return exit;
    }
    const int told = tell(done.error());
    return exit == 0 ? told : exit;
}
