// gguf_probe: reads GGUF files as llama.cpp does, by llama.cpp's own reader, and touches every byte
// that the reader hands out. Built with sanitizers (build_probe.sh): a read outside ends it.
//
//   gguf_probe FILE...      prints "loaded FILE" or "refused FILE"; exit code 0 unless a sanitizer
//   ends it
#include "ggml.h"
#include "gguf.h"

#include <cstdint>
#include <cstdio>
#include <cstring>

namespace {

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): keeps the reads in the
// program
volatile std::uint64_t sum = 0;

void touch(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < size; ++i) {
        total += bytes[i];
    }
    sum = sum + total;
}

void touch_key(const gguf_context* file, std::int64_t key) {
    const gguf_type type = gguf_get_kv_type(file, key);
    touch(gguf_get_key(file, key), std::strlen(gguf_get_key(file, key)));
    if (type == GGUF_TYPE_STRING) {
        touch(gguf_get_val_str(file, key), std::strlen(gguf_get_val_str(file, key)));
    } else if (type != GGUF_TYPE_ARRAY) {
        touch(gguf_get_val_data(file, key), 1);
    } else if (gguf_get_arr_type(file, key) == GGUF_TYPE_STRING) {
        for (std::size_t i = 0; i < gguf_get_arr_n(file, key); ++i) {
            touch(gguf_get_arr_str(file, key, i), std::strlen(gguf_get_arr_str(file, key, i)));
        }
    } else if (gguf_get_arr_n(file, key) > 0) {
        touch(gguf_get_arr_data(file, key), gguf_get_arr_n(file, key));
    }
}

} // namespace

int main(int count, char** words) {
    for (int i = 1; i < count; ++i) {
        ggml_context* tensors = nullptr;
        gguf_context* const file = gguf_init_from_file(words[i], {/*no_alloc =*/false, &tensors});
        if (file != nullptr) {
            for (std::int64_t key = 0; key < gguf_get_n_kv(file); ++key) {
                touch_key(file, key);
            }
            for (ggml_tensor* one = ggml_get_first_tensor(tensors); one != nullptr;
                 one = ggml_get_next_tensor(tensors, one)) {
                touch(one->data, ggml_nbytes(one));
            }
            gguf_free(file);
            ggml_free(tensors);
        }
        std::printf("%s %s\n", file != nullptr ? "loaded" : "refused", words[i]);
        std::fflush(stdout);
    }
    return 0;
}
