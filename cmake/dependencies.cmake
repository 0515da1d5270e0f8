# Everything comes from Debian's packages; scripts/packages.txt lists them.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(CURL REQUIRED)
find_package(simdjson REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)

# What every target of ours is compiled with, and no target of others.
add_library(sheaf_options INTERFACE)
target_compile_options(sheaf_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wimplicit-fallthrough -Wno-missing-designated-field-initializers -Werror -Wno-error=deprecated-declarations
  -fstack-protector-strong)
target_link_options(sheaf_options INTERFACE -fuse-ld=lld-19)
if(SHEAF_SANITIZE)
  target_compile_options(sheaf_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer)
  target_link_options(sheaf_options INTERFACE -fsanitize=address,undefined)
endif()
if(SHEAF_TSAN)
  target_compile_options(sheaf_options INTERFACE -fsanitize=thread -DBOOST_ASIO_DISABLE_FENCED_BLOCK)
  target_link_options(sheaf_options INTERFACE -fsanitize=thread)
endif()

# Asio is compiled once, in src/async/boost.cpp and, its TLS part, src/http/tls.cpp.
add_library(sheaf_boost INTERFACE)
target_link_libraries(sheaf_boost INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(sheaf_boost INTERFACE BOOST_ASIO_SEPARATE_COMPILATION
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_NO_TYPEID=0)

# An item that is dispatched is some forty short-lived blocks, of which glibc's allocator makes a seventh of its
# CPU. Sanitizers bring allocators of their own.
add_library(sheaf_allocator INTERFACE)
if(NOT SHEAF_SANITIZE AND NOT SHEAF_TSAN)
  pkg_check_modules(TCMALLOC REQUIRED IMPORTED_TARGET libtcmalloc_minimal)
  target_link_libraries(sheaf_allocator INTERFACE PkgConfig::TCMALLOC)
endif()

pkg_check_modules(FFMPEG REQUIRED IMPORTED_TARGET libavformat libavcodec libavutil libswscale libswresample)
add_library(sheaf_ffmpeg ALIAS PkgConfig::FFMPEG)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
add_library(sheaf_seccomp ALIAS PkgConfig::SECCOMP)
pkg_check_modules(TESSERACT REQUIRED IMPORTED_TARGET tesseract lept)
add_library(sheaf_tesseract ALIAS PkgConfig::TESSERACT)

# Without its include directory, which one module needs and all others would be compiled with: <postgresql/...>.
pkg_check_modules(LIBPQ REQUIRED libpq)
add_library(sheaf_libpq INTERFACE)
target_link_libraries(sheaf_libpq INTERFACE ${LIBPQ_LINK_LIBRARIES})

# Only the tests need it: a machine that builds the program alone does without.
find_package(GTest QUIET)
