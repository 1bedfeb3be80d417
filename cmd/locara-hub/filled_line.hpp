// Why somebody decides, as an option: a line that says something.
#pragma once

#include <locara/base/line.hpp>

#include <CLI/CLI.hpp>

#include <string>

/// Before anything is done: a step that is refused after its catalog was published comes too late.
inline CLI::Validator filled_line() {
    return {[](const std::string& text) {
                const locara::Status fine = locara::check_filled_line(text);
                return fine ? std::string() : fine.error().message();
            },
            ""};
}
