# Every target is one script or command that can be run without make.

.PHONY: setup demo test check bars fresh lock docs trino-answers

setup demo test: ## as ./bootstrap says
	./bootstrap $@

check: ## what .ci/run runs, in the environment that is there
	scripts/check

bars: ## long forms of tests, and every benchmark
	scripts/bars

fresh: ## both commands of the README in an empty Debian (root)
	scripts/fresh-debian

lock: ## requirements*.lock from pyproject.toml (uv)
	scripts/lock

docs: ## the generated pages
	.venv/bin/python scripts/generate_docs.py

trino-answers: ## what a real Trino answers to the battery of queries (a Java from 24 on)
	PYTHONPATH=tests/plugins .venv/bin/python -m trino_server record
