# Sessions in one image, for amd64 and arm64: docs/deploy.md says how it is started.
#
#   docker build -t sessions .
#
# It runs as the user 1000, or as any other in the group 0, on a root that may be read-only: only
# /storage, and /tmp while the embedded PostgreSQL starts, are written to.
ARG PYTHON=docker.io/library/python:3.13-slim-trixie

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python3 -m venv /opt/venv
COPY requirements.txt requirements-speech.txt /tmp/
# Wheels only, each with the digest that it is locked with: nothing is compiled, and pip isn't kept.
RUN /opt/venv/bin/pip install --require-hashes --only-binary :all: -r /tmp/requirements.txt -r /tmp/requirements-speech.txt \
 && /opt/venv/bin/pip uninstall --yes pip
COPY app.py schema.sql LICENSE /app/
COPY core /app/core
COPY locale /app/locale
COPY routes /app/routes
COPY static /app/static
COPY templates /app/templates
COPY web /app/web
# By content, as nobody could write newer ones: times of files may change on the way to a registry.
RUN PYTHONDONTWRITEBYTECODE= /opt/venv/bin/python -m compileall -q -j 0 \
      --invalidation-mode unchecked-hash /opt/venv/lib /app \
 && find /app /opt/venv -type d -name __pycache__ -prune -o -type f -name '*.po' -exec rm {} +

FROM ${PYTHON}
ARG IMAGE=sessions
ARG VERSION=dev
LABEL org.opencontainers.image.title="Sessions" \
      org.opencontainers.image.description="Self-hosted meetings with a live transcript that knows who said what" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.ref.name="${IMAGE}"
# PostgreSQL asks for the name of who runs it, so the user has one.
RUN echo 'sessions:x:1000:0:Sessions:/storage:/usr/sbin/nologin' >> /etc/passwd \
 && mkdir -m 0775 /storage \
 && chown 1000:0 /storage
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
COPY --chmod=0755 deploy/sessions /usr/local/bin/sessions
COPY --chmod=0755 deploy/hooks /hooks
ENV NODE_ENV=production \
    DATA_DIR=/storage \
    HOME=/storage \
    PORT=80 \
    SESSIONS_IMAGE=${IMAGE} \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /app
USER 1000:0
VOLUME /storage
EXPOSE 80
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["sessions", "healthcheck"]
ENTRYPOINT ["sessions"]
CMD ["serve"]
