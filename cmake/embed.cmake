# whittle_embed(TARGET NAME FILE): the bytes of FILE become part of TARGET, between the symbols
# embedded_NAME_begin and embedded_NAME_end (src/base/embedded.h).
function(whittle_embed target name file)
  set(assembly ${CMAKE_CURRENT_BINARY_DIR}/embedded/${name}.S)
  file(CONFIGURE OUTPUT ${assembly} CONTENT
".section .rodata.embedded_${name}, \"a\"
.global embedded_${name}_begin
.global embedded_${name}_end
.balign 16
embedded_${name}_begin:
.incbin \"${file}\"
embedded_${name}_end:
.byte 0
.section .note.GNU-stack, \"\", %progbits
" @ONLY)
  set_source_files_properties(${assembly} PROPERTIES OBJECT_DEPENDS ${file})
  target_sources(${target} PRIVATE ${assembly})
endfunction()
