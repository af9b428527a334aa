# Arguments: DIRECTORIESxFILESxBYTES ...: so many files of so many bytes in each of so many directories.
# All files of a directory are cut from one stream: few processes, many files, the same each time.
set -eu

for fill in "$@"; do
    IFS=x
    set -- $fill
    unset IFS
    number=0
    while [ "$number" -lt "$1" ]; do
        directory=/usr/share/ballast/$fill/$number
        mkdir -p "$directory"
        yes "$fill $number" | head -c $(($2 * $3)) | split -b "$3" -a 3 -d - "$directory/file-"
        number=$((number + 1))
    done
done
