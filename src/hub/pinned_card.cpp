#include "pinned_card.hpp"

#include "layout.hpp"
#include "listing.hpp"
#include "review_pins.hpp"

#include <locara/base/file.hpp>
#include <locara/manifest/card_license.hpp>

namespace locara::hub {
namespace {

constexpr const char* kCard = "README.md";

using Text = std::optional<std::string>;

Result<Text>
read_stored(const ReviewSources& sources, std::int64_t repo, const crypto::Sha256Digest& sha256) {
    LOCARA_TRY(const auto stored, sources.names.find_file(repo, sha256));
    if (!stored) {
        return Text();
    }
    if (stored->size > manifest::kCardLimitBytes) {
        return Error(ErrorCode::TooLarge,
                     "a card has at most " + std::to_string(manifest::kCardLimitBytes) + " bytes");
    }
    std::string text;
    LOCARA_CHECK(sources.cas.read(stored->xet, std::nullopt, [&](ByteView piece) -> Status {
        text += as_text(piece);
        return {};
    }));
    return Text(std::move(text));
}

Result<Text>
read_own(const ReviewSources& sources, const PinnedCommit& here, const std::string& commit) {
    LOCARA_TRY(const auto entry, here.git.find(commit, kCard));
    if (!entry || entry->kind == GitEntry::Kind::Directory) {
        return Text("");
    }
    if (entry->lfs) {
        return read_stored(sources, here.repo.key, entry->lfs->sha256);
    }
    LOCARA_TRY(auto text, here.git.read_blob(entry->oid, manifest::kCardLimitBytes));
    return Text(std::move(text));
}

Result<Text>
read_mirrored(const ReviewSources& sources, const Repo& repo, const std::string& commit) {
    const auto kept =
        read_file(listing_file(sources.data / kMirror, repo.internal, commit), kListingBytes);
    if (!kept) {
        return kept.error().code() == ErrorCode::NotFound ? Result<Text>(Text()) : kept.error();
    }
    Listing listing;
    LOCARA_CHECK(listing.add_page(*kept));
    const GitEntry* const entry = listing.find(kCard);
    if (entry == nullptr || entry->kind == GitEntry::Kind::Directory || entry->size() == 0) {
        return Text("");
    }
    LOCARA_TRY(const auto known, sources.names.find_mirrored_file(repo.key, content_id(*entry)));
    if (!known || !known->refused.empty()) {
        return Text();
    }
    return read_stored(sources, repo.key, known->sha256);
}

} // namespace

Result<Text> read_pinned_card(const ReviewSources& sources, const manifest::Source& source) {
    LOCARA_TRY(const auto here, find_pinned_commit(sources.data, sources.names, source));
    if (here) {
        return read_own(sources, *here, source.revision);
    }
    const auto id = RepoId::parse(RepoType::Model, source.repo);
    if (!id) {
        return Text();
    }
    LOCARA_TRY(const auto repo, sources.names.find_repo(*id));
    if (!repo || repo->origin == Origin::Here) {
        return Text();
    }
    return read_mirrored(sources, *repo, source.revision);
}

Result<std::vector<std::string>> check_cards(const ReviewSources& sources,
                                             const manifest::ModelManifest& model) {
    std::vector<std::string> missing;
    const auto read = [&](const manifest::Source& source) -> Result<Text> {
        LOCARA_TRY(auto card,
                   read_pinned_card(sources, source).context("the card of " + source.repo));
        if (!card) {
            missing.push_back(source.repo);
        }
        return card;
    };
    LOCARA_TRY(const auto own, read(model.source));
    if (own) {
        LOCARA_CHECK(manifest::check_card(model, *own));
    }
    for (const manifest::Ancestor& ancestor : model.lineage) {
        LOCARA_TRY(const auto card, read({ancestor.repo, ancestor.revision}));
        if (card) {
            LOCARA_CHECK(manifest::check_card(model, ancestor, *card));
        }
    }
    return missing;
}

} // namespace locara::hub
