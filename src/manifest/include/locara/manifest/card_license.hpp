// What a card says of license and origin, and whether a manifest says the same.
//
// The card lies among the files that a manifest pins, so whoever has it can see whether the
// manifest leaves out what it says. Rules: docs/licenses.md, "The card of the source". Threads:
// plain functions.
#pragma once

#include <locara/base/result.hpp>
#include <locara/manifest/card.hpp>
#include <locara/manifest/model_manifest.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace locara::manifest {

struct CardLicense {
    std::string id;  ///< That of our table where it knows the card's; else the card's.
    std::string url; ///< Of the text; empty if nothing says where it is.
};

/// The license that a card names; nothing if it names none. "other" with a name that the table
/// knows is that one.
std::optional<CardLicense> license_of(const ModelCard& card);

/// Whether two texts are names of one license of our table, or the same but for case.
bool is_same_license(std::string_view a, std::string_view b);

/// Whether a text means the license that a card names: by its id, or as the card spells it.
bool names_license_of(const ModelCard& card, std::string_view text);

/// Whether this is a relation that a lineage may have; others of a card say nothing.
bool is_relation(std::string_view relation);

/// What the card of a model's source says and its manifest does not declare, each a sentence with
/// what to write: another license without `license.instead_of`, a base that `lineage` lacks,
/// another relation to it. Empty if they agree; a card that says nothing contradicts nothing.
std::vector<std::string> find_undeclared(const ModelManifest& model, const ModelCard& card);

/// The same of the card of what it was made from: `ancestor` is one of `model.lineage`.
std::vector<std::string>
find_undeclared(const ModelManifest& model, const Ancestor& ancestor, const ModelCard& card);

/// Refused, with all of find_undeclared. `card` is the text of the source's README.md. Further
/// errors: as ModelCard::parse.
Status check_card(const ModelManifest& model, std::string_view card);

/// The same of the card of `ancestor`, one of `model.lineage`.
Status check_card(const ModelManifest& model, const Ancestor& ancestor, std::string_view card);

} // namespace locara::manifest
