# whittle_program(NAME SOURCE ROOM SYMBOL): a C program without a library as part of the binary,
# whatever the build type: no call in it may come from anywhere but its source.
function(whittle_program name source room symbol)
  add_executable(${name} ${CMAKE_SOURCE_DIR}/${source})
  target_compile_options(${name} PRIVATE -O1 -ffreestanding -fno-stack-protector -fno-pie
                         -fno-sanitize=all -U_FORTIFY_SOURCE
                         $<$<C_COMPILER_ID:GNU>:-fno-tree-loop-distribute-patterns>)
  target_link_options(${name} PRIVATE -static -nostdlib -fno-sanitize=all
                      -Wl,--build-id=none -s)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  whittle_embed(${room} ${symbol} ${CMAKE_BINARY_DIR}/${name})
  add_dependencies(${room} ${name})
endfunction()

# The attack steps, and the process of a container that is started to be looked at.
whittle_program(whittle_probe src/trial/probe_program.c whittle_trial probe_program)
whittle_program(whittle_pause src/host/pause_program.c whittle_host pause_program)
whittle_embed(whittle_trial probes_tsv ${CMAKE_SOURCE_DIR}/data/probes.tsv)

# Runs another build of libseccomp, which is a shared library: so this one program is linked with the
# machine's C library, whatever the build type.
add_executable(whittle_libseccomp ${CMAKE_SOURCE_DIR}/src/filter/libseccomp_program.c)
target_compile_options(whittle_libseccomp PRIVATE -fno-sanitize=all)
target_link_options(whittle_libseccomp PRIVATE -fno-sanitize=all -Wl,--build-id=none -s)
set_target_properties(whittle_libseccomp PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
whittle_embed(whittle_filter libseccomp_program ${CMAKE_BINARY_DIR}/whittle_libseccomp)
add_dependencies(whittle_filter whittle_libseccomp)
