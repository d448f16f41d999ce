# The dashboard for Heroku, which sets $PORT to the port to listen on and starts CMD.
FROM python:3.13.14-slim
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONPATH=/app/src \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DASHBOARD_HOST=0.0.0.0
COPY requirements/container.txt /app/requirements.txt
RUN ["python", "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:", "--requirement", "/app/requirements.txt"]
COPY src /app/src
WORKDIR /app
USER 10001:10001
# Heroku checks the port itself and ignores this.
HEALTHCHECK NONE
CMD ["sh", "-c", "DASHBOARD_PORT=$PORT exec python -m dashboard serve"]
