# What leaves the site: export csv | latin1 | upper | archive
export_list() { # one line for each document: name, bytes, first words
    local file
    for file in /srv/site/documents/*.txt; do
        printf '%s,%s,"%s"\n' "$(basename "$file" .txt)" "$(stat -c %s "$file")" "$(head -n 1 "$file" | cut -c 1-12)"
    done
}

export_documents() { # FORMAT
    case $1 in
        csv)
            { echo 'name,bytes,beginning'; export_list | sort -t , -k 2 -n; } | tee "$SITE_STATE/export.csv"
            ;;
        latin1)
            cat /srv/site/documents/*.txt | iconv -f UTF-8 -t ISO-8859-15 | od -An -tx1 | tail -n 2
            ;;
        upper)
            local text
            text=$(</srv/site/documents/second.txt)
            echo "${text^^}"
            ;;
        archive)
            tar --create --sort=name --mtime=@0 --owner=0 --group=0 --directory=/srv/site documents | gzip -n | gunzip | tar --list
            ;;
        *)
            fail "there is no format named $1"
            ;;
    esac
}
