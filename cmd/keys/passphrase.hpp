// Where a passphrase comes from: a descriptor, the environment, or a person at the terminal.
#pragma once

#include <locara/base/result.hpp>
#include <locara/base/secret.hpp>

#include <optional>

/// The variable that is asked when no descriptor is given.
constexpr const char* kPassphraseVariable = "LOCARA_HUB_PASSPHRASE";

enum class AskFor { Existing, New };

/// Reads a passphrase: the first line of descriptor `fd` if it is not negative, else the variable,
/// else from the terminal without echo (twice for a new one). Nothing if there is no terminal or
/// the answer is empty. InvalidArgument if the two answers differ or it has more than 1024 bytes.
locara::Result<std::optional<locara::Secret>> read_passphrase(int fd, AskFor what);
