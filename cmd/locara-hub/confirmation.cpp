#include "confirmation.hpp"

#include <array>
#include <cstdio>
#include <string_view>

#include <unistd.h>

void Confirmation::add_to(CLI::App* verb) {
    verb->add_flag("-y,--yes", yes_, "do not ask, also on a terminal");
}

bool Confirmation::ask(const std::string& question) const {
    if (yes_ || ::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) {
        return true;
    }
    std::fprintf(stderr, "%s [y/N] ", question.c_str());
    std::array<char, 16> line{};
    if (std::fgets(line.data(), static_cast<int>(line.size()), stdin) == nullptr) {
        return false; // The terminal is gone: nobody agreed.
    }
    const std::string_view said = line.data();
    return said == "y\n" || said == "Y\n" || said == "yes\n" || said == "Yes\n";
}
