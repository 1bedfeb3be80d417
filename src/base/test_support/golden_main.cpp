// The main of every unit test program.
#include <locara/test_support/golden.hpp>

int main(int argc, char** argv) {
    return locara::test_support::run_tests(argc, argv, LOCARA_TEST_DATA "/golden");
}
