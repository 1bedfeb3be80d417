// What the card of a repository (README.md) says to clients: its front matter, and the tags and
// names that lists are filtered by.
//
// Tags as the Hugging Face Hub makes them of a card (https://huggingface.co/docs/hub/model-cards,
// datasets-cards). All of it is the publisher's word. Threads: plain values.
#pragma once

#include "names.hpp"

#include <locara/base/json.hpp>
#include <locara/hub/git_repo.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace locara::hub {

/// Most tags that a card gives its repository; further ones are left out.
inline constexpr std::size_t kCardTagsLimit = 256;

/// What a space is made with that does not say: an app is pages without a server of its own.
inline constexpr std::string_view kDefaultSdk = "static";

struct CardFacts {
    Json data;                     ///< The front matter; null without one, or if it cannot be read.
    std::vector<std::string> tags; ///< Each once.
    std::string task;              ///< `pipeline_tag`, "" if not said.
    std::string library;           ///< `library_name`, "" if not said.
    std::string sdk;               ///< Of a space, "" if not said.
    std::vector<std::string> models;   ///< That a space names.
    std::vector<std::string> datasets; ///< The same.

    /// Of a front matter; null gives nothing.
    static CardFacts of(Json data, RepoType type);
};

/// README.md of a commit; empty if it is not there, is a large file or has more than `limit` bytes.
Result<std::string>
read_card_text(const GitRepo& git, const std::string& commit, std::uint64_t limit);

/// Reads README.md of a commit. A card that cannot be read says nothing: whoever wrote it was told
/// by check_card.
Result<CardFacts> read_card(const GitRepo& git, const std::string& commit, RepoType type);

/// What is wrong with a card, as texts for who writes it.
struct CardCheck {
    std::vector<std::string> errors;   ///< It cannot be read.
    std::vector<std::string> warnings; ///< It can, but says less than it could.
};

CardCheck check_card(std::string_view card, RepoType type);

} // namespace locara::hub
