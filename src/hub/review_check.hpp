// The check of a submission: its files taken out of the repository, and judged as a whole.
#pragma once

#include "review_pins.hpp"
#include "review_sources.hpp"

#include <locara/hub/reviews.hpp>
#include <locara/policy/app_report.hpp>

#include <filesystem>

namespace locara::hub {

using PageCheck = ReviewDesk::PageCheck;

/// What a check found. `scratch` holds the bundle until it goes.
struct CheckedSubmission {
    TempFolder scratch;
    policy::AppReport app;
    Json report; ///< docs/formats/reviews.md

    std::filesystem::path archive() const { return scratch.path() / "app.locapp"; }

    bool passes() const { return app.status().has_value(); }
};

/// Checks a submission against the catalog as it is published. What is wrong with the app stands in
/// the report. `page` looks at the page of what is otherwise right; empty: nobody does.
/// `pins` says how far the weights that the app pins are looked at. Errors:
/// NotFound (the repository or the commit is gone), Unavailable (a scanner is down), Corrupt, Io,
/// NoSpace.
Result<CheckedSubmission> check_submission(const ReviewSources& sources,
                                           const Submission& submission,
                                           const PageCheck& page = {},
                                           PinDepth pins = PinDepth::Resolve);

} // namespace locara::hub
