// Samples that an antivirus on a developer's machine would take away, if they were files: made
// here.
#pragma once

#include "test/support.hpp" // of formats: ZipBuilder, TarBuilder, deflate_text

#include <string>

namespace locara::gate::test {

using formats::test::deflate_text;
using formats::test::TarBuilder;
using formats::test::ZipBuilder;

/// The test file of eicar.org.
inline std::string eicar() {
    return std::string("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-") +
           "ANTIVIRUS-TEST-FILE!$H+H*";
}

inline std::string zip_of(const std::string& name, const std::string& bytes) {
    ZipBuilder zip;
    zip.members = {{.name = name,
                    .data = deflate_text(bytes, -15),
                    .method = 8,
                    .unpacked = bytes,
                    .mode = 0100644}};
    return zip.build();
}

inline std::string tar_gz_of(const std::string& name, const std::string& bytes) {
    TarBuilder tar;
    tar.members = {{.name = name, .data = bytes}};
    return deflate_text(tar.build(), 31);
}

/// A safetensors file of one tensor.
inline std::string weights(const std::string& note, const std::string& tensor) {
    const std::string size = std::to_string(tensor.size());
    return formats::test::safetensors(R"({"__metadata__":{"note":")" + note +
                                          R"("},"a":{"dtype":"U8","shape":[)" + size +
                                          R"(],"data_offsets":[0,)" + size + "]}}",
                                      tensor);
}

} // namespace locara::gate::test
