# Our own documents are shallow; 128 is what base/jscan allows too.
cjson_SRC   := cJSON.c
cjson_FLAGS := -I. -DCJSON_NESTING_LIMIT=128
