// The JSON Schemas of `schemas/`, built into the program, and validation against them.
//
// A verdict is valijson's; the words are ours, since an author must be able to fix a manifest from
// the error alone. Threads: safe from any.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>

#include <string_view>

namespace locara::manifest {

enum class SchemaName { App, Model };

/// The schema as JSON text, as it stands in `schemas/`.
std::string_view schema_text(SchemaName schema);

/// Parses a JSON text and checks it against a schema. InvalidArgument for the first violation
/// found, as `path: what is wrong; what is allowed; what to do`, and for malformed JSON; TooLarge
/// above kManifestLimitBytes; Unsupported when the document is of another schema version.
Result<Json> validate(SchemaName schema, std::string_view text);

} // namespace locara::manifest
