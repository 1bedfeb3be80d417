// The journal of a push of several refs, in its git folder while they move.
#pragma once

namespace locara::hub {

/// "FROM TO NAME\n" for each, "-" where there is none. Written whole before the first ref moves and
/// removed after the last, so that a hub that was killed between them can finish.
inline constexpr const char* kRefJournal = "locara-push.journal";

} // namespace locara::hub
