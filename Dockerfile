# The commands stockml-train and stockml-predict in an image of their own; compose.yaml runs them daily.
# docs/cron-systemd.md says how: docker build --tag stockml .

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/stockml
# The libraries first, in the exact versions and with the hashes of the lock: this layer is kept while it stays the same.
# Compiled, since whoever runs it may not write there, and would compile everything at each start.
COPY requirements.lock /source/
RUN /opt/stockml/bin/pip install --compile --require-hashes --requirement /source/requirements.lock
# Then the package, with setuptools of the lock and nothing else from an index.
COPY pyproject.toml README.md LICENSE requirements*.txt train_models.py realtime_predictor.py /source/
COPY stockml /source/stockml
RUN /opt/stockml/bin/pip install --compile --no-deps --no-build-isolation /source

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home stockml && install --directory --owner stockml --group stockml /data
COPY --from=build /opt/stockml /opt/stockml
COPY --chmod=755 docker/daily /usr/local/bin/daily
ENV PATH=/opt/stockml/bin:$PATH STOCKML_HOME=/data
USER 10001
WORKDIR /data
VOLUME /data
CMD ["stockml-predict"]
