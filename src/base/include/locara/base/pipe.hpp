// Both ends of a pipe(7), each with its owner.
#pragma once

#include <locara/base/file.hpp>
#include <locara/base/result.hpp>

namespace locara {

struct Pipe {
    Fd read;
    Fd write;

    /// Both ends O_CLOEXEC. Io when there are no descriptors left.
    static Result<Pipe> create();
};

} // namespace locara
