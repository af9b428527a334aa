# expect: SL003 SL024 SL034
FROM fedora:41
RUN dnf install -y ruby && gem install rails bundler:2.5.0
USER 1000
CMD ["rails"]
