# Many ELF files that are linked in many ways: RUNPATH to private directories (samba, systemd), $ORIGIN
# (Java), plugins without an executable, 32-bit files beside 64-bit ones, a second libc (musl),
# update-alternatives links, and libraries that only an already running program brings (libjvm.so).
FROM debian:bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      git imagemagick libc6-i386 lib32stdc++6 musl nginx openjdk-17-jre-headless perl \
      python3-numpy rpm ruby smbclient sudo systemd \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /usr/share/doc /usr/share/man \
      /usr/lib/jvm/*/lib/modules /usr/lib/jvm/*/lib/server/*.jsa
