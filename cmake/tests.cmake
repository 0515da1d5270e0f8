# tests/support and tests/bench: programs that the end-to-end tests and benchmarks start.
file(GLOB support CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.cpp)
foreach(source IN LISTS support)
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE sheaf_app sheaf_options)
  target_precompile_headers(${name} REUSE_FROM sheaf_async)
endforeach()

file(GLOB benches CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/bench/*_bench.cpp)
foreach(source IN LISTS benches)
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE sheaf_app sheaf_options)
  target_precompile_headers(${name} REUSE_FROM sheaf_async)
endforeach()

# What speaks to model servers is tested against one in a process of its own.
if(TARGET backend_test)
  add_dependencies(backend_test model_stand_in)
endif()

get_property(programs GLOBAL PROPERTY SHEAF_TEST_PROGRAMS)
add_custom_target(tests DEPENDS ${programs})
foreach(program IN LISTS programs)
  add_test(NAME ${program} COMMAND ${program})
endforeach()
