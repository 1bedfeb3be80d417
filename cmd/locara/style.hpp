// Colour where people read it: a word or a title, never the only carrier of a meaning.
#pragma once

#include <string>
#include <string_view>

namespace locara::cli {

enum class Tone { Heading, Good, Notice, Bad };

class Style {
  public:
    /// No colour at all.
    Style() = default;

    /// `how` is the value of --color; `terminal`: whether what is written goes to one. With "auto"
    /// a terminal gets colour unless NO_COLOR is set (no-color.org) or TERM is "dumb".
    static Style choose(std::string_view how, bool terminal);

    std::string paint(Tone tone, std::string_view text) const;

  private:
    bool on_ = false;
};

} // namespace locara::cli
