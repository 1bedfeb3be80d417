#include <locara/base/pipe.hpp>

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace locara {

Result<Pipe> Pipe::create() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return Error::from_errno("making a pipe", errno);
    }
    return Pipe{Fd(ends[0]), Fd(ends[1])};
}

} // namespace locara
