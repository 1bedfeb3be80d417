# locara_module(NAME SOURCES a.cpp ... [LIBS system libraries seen in public headers] [PRIVATE_LIBS ...])
#   One static library per module; its arrows come from the table in modules.cmake.
# locara_test(NAME SOURCES ... [LIBS ...])   tests beside the module, one program: locara_<NAME>_test; data and golden
#   files in test/data/
# locara_bench(NAME SOURCES ...)             benchmarks beside the module, one program: locara_<NAME>_bench
# locara_fuzz(NAME SUBJECT [ALONE a.cpp ...] [LIBS ...])   fuzz/fuzz_<SUBJECT>.cpp with its corpus
#   fuzz/corpus/<SUBJECT>/. ALONE, for modules that link coroutines (clang 14 cannot compile them with the coverage that
#   libFuzzer wants: "Cannot represent a difference across sections"): what is fuzzed is built from these sources and
#   LIBS instead of the module.
include(GoogleTest)

function(locara_module name)
    cmake_parse_arguments(M "" "" "SOURCES;LIBS;PRIVATE_LIBS" ${ARGN})
    add_library(locara_${name} STATIC ${M_SOURCES})
    add_library(locara::${name} ALIAS locara_${name})
    target_include_directories(locara_${name}
        PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include
        PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    set(found FALSE)
    foreach(row IN LISTS LOCARA_MODULES)
        string(REGEX MATCH "^([a-z]+) *->(.*)$" _ "${row}")
        if(CMAKE_MATCH_1 STREQUAL name)
            set(found TRUE)
            string(REGEX MATCHALL "[a-z]+" below "${CMAKE_MATCH_2}")
            foreach(module IN LISTS below)
                # The table stands before all of its modules do; rows come in the order of building.
                if(TARGET locara_${module})
                    target_link_libraries(locara_${name} PUBLIC locara_${module})
                endif()
            endforeach()
        endif()
    endforeach()
    if(NOT found)
        message(FATAL_ERROR "module '${name}' has no row in cmake/modules.cmake")
    endif()
    target_link_libraries(locara_${name} PUBLIC ${M_LIBS} PRIVATE locara::options ${M_PRIVATE_LIBS})
    locara_header_check(${name})
endfunction()

# Every public header must compile alone: one generated source file per header, built by `header_check`.
add_custom_target(header_check)
function(locara_header_check name)
    file(GLOB headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/include
        ${CMAKE_CURRENT_SOURCE_DIR}/include/locara/${name}/*.hpp)
    set(sources)
    foreach(header IN LISTS headers)
        string(REPLACE "/" "_" file ${header})
        file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/header_check/${file}.cpp CONTENT "#include <${header}>\n")
        list(APPEND sources ${CMAKE_CURRENT_BINARY_DIR}/header_check/${file}.cpp)
    endforeach()
    if(sources)
        add_library(locara_${name}_header_check OBJECT EXCLUDE_FROM_ALL ${sources})
        target_link_libraries(locara_${name}_header_check PRIVATE locara_${name} locara::options)
        add_dependencies(header_check locara_${name}_header_check)
    endif()
endfunction()

function(locara_test name)
    cmake_parse_arguments(T "" "" "SOURCES;LIBS" ${ARGN})
    set(main ${PROJECT_SOURCE_DIR}/src/base/test_support/test_main.cpp)
    add_executable(locara_${name}_test ${T_SOURCES} ${main})
    target_include_directories(locara_${name}_test PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    # Paths of this checkout are given to one source alone, so that ccache knows the others in every checkout.
    set_property(SOURCE ${main} PROPERTY COMPILE_DEFINITIONS
        LOCARA_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/test/data"
        LOCARA_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
        LOCARA_BINARY_DIR="${PROJECT_BINARY_DIR}")
    target_link_libraries(locara_${name}_test PRIVATE
        locara_${name} locara_test_support locara::options ${T_LIBS} GTest::gmock)
    # One ctest entry per module: starting the program once is what keeps the suite quick.
    add_test(NAME unit/${name} COMMAND locara_${name}_test --gtest_brief=1)
    set_tests_properties(unit/${name} PROPERTIES LABELS unit TIMEOUT 900)
endfunction()

# A program of its own: fault_fs.cpp stands between it and the system calls (locara/test_support/fault_fs.hpp).
function(locara_fault_test name source)
    add_executable(locara_${name}_fault_test ${source} ${PROJECT_SOURCE_DIR}/src/base/test_support/fault_fs.cpp)
    target_include_directories(locara_${name}_fault_test PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(locara_${name}_fault_test PRIVATE locara_${name} locara_test_support locara::options
        GTest::gmock GTest::gtest_main Threads::Threads ${CMAKE_DL_LIBS})
    add_test(NAME unit/${name}_faults COMMAND locara_${name}_fault_test --gtest_brief=1)
    set_tests_properties(unit/${name}_faults PROPERTIES LABELS unit TIMEOUT 900)
endfunction()

# Benchmarks are built by the target `benches`, not by default.
add_custom_target(benches)
function(locara_bench name)
    cmake_parse_arguments(B "" "" "SOURCES;LIBS" ${ARGN})
    add_executable(locara_${name}_bench EXCLUDE_FROM_ALL ${B_SOURCES})
    target_include_directories(locara_${name}_bench PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(locara_${name}_bench PRIVATE locara_${name} locara::options ${B_LIBS})
    add_dependencies(benches locara_${name}_bench)
endfunction()

add_custom_target(fuzzers)
function(locara_fuzz name subject)
    cmake_parse_arguments(F "" "" "ALONE;LIBS" ${ARGN})
    set(target fuzz_${subject})
    set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${subject})
    add_executable(${target} fuzz/fuzz_${subject}.cpp ${F_ALONE})
    if(F_ALONE)
        target_include_directories(${target} PRIVATE
            ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src/http/include)
        # LIBS last: what they say of sanitizers counts.
        target_link_libraries(${target} PRIVATE Boost::headers locara::options ${F_LIBS})
    else()
        target_link_libraries(${target} PRIVATE locara_${name} locara::options)
    endif()
    add_dependencies(fuzzers ${target})
    if(LOCARA_LIBFUZZER)
        target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    else()
        # An ordinary build replays the corpus as a test, so that fuzzers never rot.
        target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/fuzz_main.cpp)
        add_test(NAME fuzz/${subject} COMMAND ${target} ${corpus})
        set_tests_properties(fuzz/${subject} PROPERTIES LABELS unit TIMEOUT 120)
    endif()
endfunction()
