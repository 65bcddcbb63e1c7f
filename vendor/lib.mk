# Builds one library in one flavour; the Makefile calls it with
#   LIB=name OUT=flavour/lib CC=compiler CFLAGS=flags
# once the sources are unpacked, so that wildcards find them.
# OUT/NAME.a is the result.

include vendor/$(LIB).mk

SRC := build/vendor/src/$(LIB)
C   := $(sort $(patsubst $(SRC)/%,%,$(wildcard $(addprefix $(SRC)/,$($(LIB)_SRC)))))
OBJ := $(C:%.c=$(OUT)/$(LIB)/%.o)
# paths in the library's own flags are meant from its folder
FLAGS := $(patsubst -I%,-I$(SRC)/%,$($(LIB)_FLAGS))
Q := $(if $(V),,@)

# sorted by byte, and without dates and owners: the same archive everywhere
$(OUT)/$(LIB).a: $(OBJ)
	@printf '  AR      %s\n' $@
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

# unpacking keeps the files' old dates, hence the stamp; flavour/flags is newer
# when the flags are other than last time
$(OUT)/$(LIB)/%.o: $(SRC)/%.c build/vendor/unpacked $(OUT:/lib=/flags) vendor/$(LIB).mk vendor/lib.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -w $(FLAGS) $(if $(filter $($(LIB)_FAST),$*.c),-O2) -c -o $@ $<

.SUFFIXES:
.DELETE_ON_ERROR:
