// Fetching the files of a model as `pull` does: what `pull`, `model build` and `model validate`
// share.
#pragma once

#include "context.hpp"

namespace locara::cli {

/// A manifest that the caller vouches for, with its default variant or `variant`, and the hub to
/// ask. Errors: those of Installer::plan_manifest.
struct VouchedModel {
    runtime::PlannedModel model;
    runtime::Hub hub;
};

Result<VouchedModel>
plan_vouched(runtime::Installer& installer, std::string bytes, const std::string& variant);

/// Asks policy.toml about a model, tells its terms, and asks for those that have to be accepted and
/// were not; with --dry-run only tells. Refused; Cancelled as accept_licenses.
Status
agree_to_model(Context& context, runtime::Installer& installer, const runtime::PlannedModel& model);

/// Says what is to be fetched and under which terms, asks about these, fetches and pins. With
/// --dry-run only the first. Errors: those of Installer::pull.
Status fetch_model(Context& context,
                   runtime::Installer& installer,
                   const runtime::PlannedModel& model,
                   const runtime::Hub& hub);

} // namespace locara::cli
