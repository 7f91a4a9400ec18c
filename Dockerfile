# The hub with its bundled Postgres; with DATABASE_URL set, the hub alone.
FROM python:3.13-slim AS build
RUN python -m venv /opt/hub
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY hub hub
COPY sql sql
RUN /opt/hub/bin/pip install --no-cache-dir '.[parquet]'

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home hub && install -d -o hub -g hub -m 0700 /data
COPY --from=build /opt/hub /opt/hub
ENV PATH=/opt/hub/bin:$PATH HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
USER hub
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=3)"]
CMD ["hub", "serve"]
