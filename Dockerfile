# The light install of onebox with its server, without PyTorch.
#
#   docker build -t onebox .
#   docker run --rm -p 127.0.0.1:8000:8000 -e ONEBOX_TOKEN -v "$PWD/model.onnx:/model/model.onnx:ro" onebox
#
# docs/serving.md shows compose and Kubernetes. The final image needs no shell.

ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /source
# The packages first: their layer is kept until the lock changes.
COPY pyproject.toml requirements.lock ./
RUN uv venv /onebox \
    && uv pip install --python /onebox/bin/python --only-binary :all: --require-hashes \
        --requirements pyproject.toml --extra serve --constraints requirements.lock
COPY README.md LICENSE ./
COPY src src
RUN uv build --wheel --require-hashes --build-constraints requirements.lock --out-dir /wheels \
    && uv pip install --python /onebox/bin/python --no-deps /wheels/*.whl

FROM python:${PYTHON}-slim
COPY --from=build /onebox /onebox
ENV PATH=/onebox/bin:${PATH} PYTHONUNBUFFERED=1
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/onebox/bin/python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/v2/health/live', timeout=3)"]
# The variable ONEBOX_TOKEN holds the token that clients must show.
ENTRYPOINT ["/onebox/bin/onebox", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["/model/model.onnx"]
