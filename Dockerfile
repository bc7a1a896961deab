# The environment of `make env` in an image, with the same two commands inside:
#
#     docker build --tag sslslr .
#     docker run --rm sslslr make test
#     docker run --rm --volume "$PWD/results:/sslslr/results" sslslr make demo
#
# On a GPU add `--gpus all`: the wheel of torch brings CUDA's libraries, the host its driver.
FROM python:3.11-slim-bookworm

# git and make are what the commands call. No compiler: what is not a wheel is pure Python.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git make \
 && rm -rf /var/lib/apt/lists/*

# The environment first, so that it is built again only when one of these files changes.
WORKDIR /opt/sslslr
COPY Makefile pyproject.toml requirements.lock README.md LICENSE ./
COPY sslslr/__init__.py sslslr/__init__.py
COPY scripts/environment.py scripts/environment.py
RUN make env PYTHON=python3.11

# From here on the Makefile takes that environment as it is, with the sources of the folder.
ENV SSLSLR_IMAGE=/opt/sslslr/.venv PYTHONPATH=/sslslr PATH=/opt/sslslr/.venv/bin:$PATH

# The sources, in a repository of their own: the tests copy what git lists, and DVC asks for one.
WORKDIR /sslslr
COPY . .
RUN git init --quiet \
 && git add --all \
 && git -c user.name=sslslr -c user.email=sslslr@localhost commit --quiet --message "The image's sources"

CMD ["make", "help"]
