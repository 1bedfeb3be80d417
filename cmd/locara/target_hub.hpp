// Which hub `upload` and `publish` write to and `model pin` reads from, and with which token.
#pragma once

#include "context.hpp"

#include <locara/hf/client.hpp>

namespace locara::cli {

/// A client of the hub that the flags, the environment or the only known hub name (docs/cli.md).
/// InvalidArgument when nothing names one; the errors of hf::Client::create.
Result<hf::Client> open_target_hub(Context& context);

/// The same for reading: huggingface.co when neither flags nor environment name a hub.
Result<hf::Client> open_source_hub(Context& context);

} // namespace locara::cli
