# expect: SL003 SL060
FROM python:3.12-slim
WORKDIR /srv
COPY . /srv
ENV PIP_NO_CACHE_DIR=1
RUN python3 -m pip install -r requirements.txt
USER 1000
CMD ["python", "-m", "app"]
