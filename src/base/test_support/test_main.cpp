// The main of every unit test program, and the only source that knows where the checkout lies:
// the others compile to the same objects in every checkout.
#include <locara/test_support/folders.hpp>
#include <locara/test_support/golden.hpp>

namespace locara::test_support {

std::filesystem::path data_dir() {
    return LOCARA_TEST_DATA;
}

std::filesystem::path source_dir() {
    return LOCARA_SOURCE_DIR;
}

std::filesystem::path binary_dir() {
    return LOCARA_BINARY_DIR;
}

} // namespace locara::test_support

int main(int argc, char** argv) {
    return locara::test_support::run_tests(argc, argv, locara::test_support::data_dir() / "golden");
}
