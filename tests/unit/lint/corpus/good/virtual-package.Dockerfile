FROM ruby:3.3.6-alpine@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
WORKDIR /srv
COPY Gemfile Gemfile.lock ./
RUN apk add --no-cache --virtual .build build-base~=0.5 libffi-dev~=3.4 \
    && bundle install \
    && apk del .build
COPY . .
USER 1000
CMD ["bundle", "exec", "puma"]
