// A question before what nobody can bring back is removed.
#pragma once

#include <locara/base/result.hpp>

#include <CLI/CLI.hpp>

#include <string>

class Confirmation {
  public:
    /// Adds --yes, which answers beforehand.
    void add_to(CLI::App* verb);

    /// Whether to go on. Asks where somebody sits at a terminal; a script meant what it said.
    bool ask(const std::string& question) const;

  private:
    bool yes_ = false;
};
