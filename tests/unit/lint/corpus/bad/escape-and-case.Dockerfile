# escape=`
# expect: SL003 SL041 SL104
from debian:bookworm
run --mount=type=cache,target=/x `
    # a comment in the middle
    sudo tar -c /x | `
    gzip
user 1000
