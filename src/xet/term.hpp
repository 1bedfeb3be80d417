// The rule for a term of a file, wherever one is read: in a shard or in a plan.
#pragma once

#include <locara/xet/shard.hpp>

namespace locara::xet {

/// Corrupt unless the term has chunks that a xorb can have, and as many bytes as they can have.
Status check_term(const FileTerm& term);

} // namespace locara::xet
