# tests/support and tests/bench: programs that the end-to-end tests and benchmarks start.
file(GLOB support CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.cpp)
foreach(source IN LISTS support)
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE sheaf_app sheaf_options)
  target_precompile_headers(${name} REUSE_FROM sheaf_async)
endforeach()

# tests/support/model_server: a program of its own, with nothing of the server in it.
set(model_server ${CMAKE_SOURCE_DIR}/tests/support/model_server)
file(GLOB sources CONFIGURE_DEPENDS ${model_server}/*.cpp)
list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")
add_library(model_server_parts STATIC ${sources})
target_link_libraries(model_server_parts PUBLIC fmt::fmt PRIVATE sheaf_options)
add_executable(model_server ${model_server}/main.cpp)
target_link_libraries(model_server PRIVATE model_server_parts CLI11::CLI11 sheaf_options)
if(GTest_FOUND)
  file(GLOB tests CONFIGURE_DEPENDS ${model_server}/*_test.cpp)
  add_executable(model_server_test ${tests})
  target_link_libraries(model_server_test PRIVATE model_server_parts sheaf_options GTest::gtest_main GTest::gmock)
  set_property(GLOBAL APPEND PROPERTY SHEAF_TEST_PROGRAMS model_server_test)
endif()

file(GLOB benches CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/bench/*_bench.cpp)
foreach(source IN LISTS benches)
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE sheaf_app sheaf_options)
  target_precompile_headers(${name} REUSE_FROM sheaf_async)
endforeach()

add_executable(open_loop ${CMAKE_SOURCE_DIR}/tests/bench/open_loop.cpp)
target_link_libraries(open_loop PRIVATE sheaf_options)

# What speaks to model servers is tested against one in a process of its own.
if(TARGET backend_test)
  add_dependencies(backend_test model_stand_in)
endif()

get_property(programs GLOBAL PROPERTY SHEAF_TEST_PROGRAMS)
add_custom_target(tests DEPENDS ${programs})
foreach(program IN LISTS programs)
  add_test(NAME ${program} COMMAND ${program})
endforeach()

# tests/lossy_disk: a disk whose power fails, for the simulator, and to be mounted where FUSE is at hand.
add_library(lossy_disk STATIC ${CMAKE_SOURCE_DIR}/tests/lossy_disk/lossy_disk.cpp)
target_include_directories(lossy_disk PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(lossy_disk PRIVATE sheaf_options)
pkg_check_modules(FUSE IMPORTED_TARGET fuse3)
if(FUSE_FOUND)
  add_executable(lossy_mount ${CMAKE_SOURCE_DIR}/tests/lossy_disk/lossy_mount.cpp)
  target_link_libraries(lossy_mount PRIVATE lossy_disk PkgConfig::FUSE CLI11::CLI11 sheaf_options)
endif()

# tests/sim: the core in a world of its own.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/sim/*.cpp)
add_executable(sheaf_sim ${sources})
target_link_libraries(sheaf_sim PRIVATE
  lossy_disk sheaf_scheduler sheaf_webhook CLI11::CLI11 sheaf_options sheaf_allocator)
target_precompile_headers(sheaf_sim REUSE_FROM sheaf_async)
