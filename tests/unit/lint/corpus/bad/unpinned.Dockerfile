# expect: SL001 SL022 SL032
FROM python
WORKDIR /srv
COPY app.py .
RUN pip install flask "requests==2.32.3" -r more.txt
USER 1000
CMD ["python", "app.py"]
