"""How gunicorn serves the app."""

bind = "0.0.0.0:8000"
workers = 2
accesslog = "-"
errorlog = "-"
graceful_timeout = 5
worker_tmp_dir = "/dev/shm"
