// Standard output at a program's end: what could not be written must not look as if it had been.
#pragma once

#include <locara/base/result.hpp>

#include <functional>
#include <string_view>

/// Writes to standard output. What cannot be written is dropped, and said by finish_output.
void write_output(std::string_view text);

/// Ends standard output, by write_output or <cstdio>; nothing may be printed after it. NoSpace or
/// Io if something that was printed before did not get there. It is no error that nobody reads any
/// more (`| head`).
locara::Status finish_output();

/// finish_output for the end of main: `exit` if all is well or was not before, else what `tell`
/// answers, which says the error.
int end_output(int exit, const std::function<int(const locara::Error&)>& tell);
