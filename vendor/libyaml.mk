# Taken from the repository's state, not from a release: configure would have
# set the version.
libyaml_SRC   := src/*.c
libyaml_FLAGS := -Iinclude -DYAML_VERSION_MAJOR=0 -DYAML_VERSION_MINOR=2 \
	-DYAML_VERSION_PATCH=5 -DYAML_VERSION_STRING='"0.2.5"'
