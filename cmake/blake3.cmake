# BLAKE3's official C implementation and assembly: target blake3::blake3.
# A system libblake3 where there is one (it brings its own CMake package); Debian 12 has none, but ships the same
# sources in the package librust-blake3-dev.
find_package(blake3 QUIET CONFIG)
if(TARGET BLAKE3::blake3)
    add_library(blake3::blake3 ALIAS BLAKE3::blake3)
    return()
endif()

file(GLOB blake3_sources /usr/share/cargo/registry/blake3-*/c)
list(LENGTH blake3_sources found)
if(NOT found EQUAL 1)
    message(FATAL_ERROR "BLAKE3: wanted one folder /usr/share/cargo/registry/blake3-*/c, found ${found}: run ./dev setup")
endif()
enable_language(C ASM)
add_library(blake3 STATIC
    ${blake3_sources}/blake3.c ${blake3_sources}/blake3_dispatch.c ${blake3_sources}/blake3_portable.c)
target_include_directories(blake3 SYSTEM PUBLIC ${blake3_sources})
target_compile_options(blake3 PRIVATE -O3 -fPIE)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    foreach(set sse2 sse41 avx2 avx512)
        target_sources(blake3 PRIVATE ${blake3_sources}/blake3_${set}_x86-64_unix.S)
    endforeach()
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    target_sources(blake3 PRIVATE ${blake3_sources}/blake3_neon.c)
    target_compile_definitions(blake3 PRIVATE BLAKE3_USE_NEON)
endif()
add_library(blake3::blake3 ALIAS blake3)
